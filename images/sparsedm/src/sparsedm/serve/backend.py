"""What computes the masked layers: dense products, or cuSPARSELt's 2:4 ones where they measured faster.

A layer is replaced only when the product of its shape, at the number of rows that the server will use, is at
least 3 % faster and agrees with the masked dense one. So the served model is never slower than the dense
one; a model that gains nothing stays dense, and the status gives the reason. Products are measured as the
engine runs them, from a recording (recording.py), each with the fastest of cuSPARSELt's algorithms.
"""

from __future__ import annotations

import logging
import statistics
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

import torch
from torch import Tensor, nn
from torch.nn import functional as F

from sparsedm.errors import ConfigError
from sparsedm.serve.recording import record

log = logging.getLogger("sparsedm.serve")

LEAST_GAIN = 1.03
TOLERANCE = 2e-2
"""Largest accepted difference, relative to the largest output: bf16 differs in its last digits."""
REPEATS = 10
"""Products in a measured recording: enough that its launch does not count."""
MEASUREMENTS = 9
ROWS, SIDES = 8, 16
"""The number of input rows must be a multiple of this; in bf16 and fp16, cuSPARSELt takes weights whose sides
are both multiples of 16."""

SPARSE_CAPABILITY = (8, 0)
"""Compute capability from which GPUs multiply sparse matrices: Ampere's."""


def precision_on(device: torch.device, wanted: str) -> str:
    """What `auto` is on a device: bf16 on a GPU with sparse products, which take 16 bits; else fp32."""
    if wanted != "auto":
        return wanted
    capable = device.type == "cuda" and torch.cuda.get_device_capability(device) >= SPARSE_CAPABILITY
    return "bf16" if capable else "fp32"


class SparseLinear(nn.Module):
    """A Linear whose 2:4 sparse weight (outputs, inputs) is kept as the half that counts and its places.

    `algorithm` is one of cuSPARSELt's numbers, 0 its default.
    """

    def __init__(self, dense: nn.Linear, algorithm: int = 0) -> None:
        super().__init__()
        self.outputs = dense.out_features
        self.bias = dense.bias
        self.weight = torch._cslt_compress(dense.weight.detach().contiguous())
        self.algorithm = algorithm

    def fastest_algorithm(self, x: Tensor) -> int:
        """Tries all of them on (rows, inputs)."""
        return torch._cslt_sparse_mm_search(
            self.weight, _padded(x).t(), bias=self.bias, transpose_result=True
        )

    def forward(self, x: Tensor) -> Tensor:
        """(..., inputs) -> (..., outputs)."""
        flat = x.reshape(-1, x.shape[-1])
        y = torch._cslt_sparse_mm(
            self.weight, _padded(flat).t(), bias=self.bias, transpose_result=True, alg_id=self.algorithm
        )
        return y[: len(flat)].view(*x.shape[:-1], self.outputs)


def _padded(x: Tensor) -> Tensor:
    """Padded to the number of rows that cuSPARSELt needs."""
    missing = -len(x) % ROWS
    return F.pad(x, (0, 0, 0, missing)) if missing else x


@dataclass(frozen=True)
class Choice:
    """The backend in force and why."""

    reason: str
    total_layers: int
    replaced: Mapping[str, nn.Linear] = field(default_factory=dict, repr=False)
    """The dense layers that were replaced, by name."""

    @property
    def sparse_layers(self) -> int:
        return len(self.replaced)

    @property
    def backend(self) -> str:
        return "cusparselt" if self.replaced else "dense"


@dataclass(frozen=True)
class Situation:
    """What decides whether sparse products are possible."""

    device: torch.device
    dtype: torch.dtype
    pattern: str
    capability: tuple[int, int] | None = None
    """Compute capability of the GPU."""
    available: bool = False
    """Whether torch was built with cuSPARSELt."""

    @classmethod
    def here(cls, device: torch.device, dtype: torch.dtype, pattern: str) -> Situation:
        if device.type != "cuda":
            return cls(device, dtype, pattern)
        return cls(
            device,
            dtype,
            pattern,
            torch.cuda.get_device_capability(device),
            torch.backends.cusparselt.is_available(),
        )

    def obstacle(self) -> str | None:
        """Why sparse products can't run here, as a clause; None when they can."""
        if self.device.type != "cuda" or self.capability is None:
            return "there is no CUDA GPU"
        if self.capability < SPARSE_CAPABILITY:
            return f"the GPU's compute capability {self.capability[0]}.{self.capability[1]} is below 8.0"
        if not self.available:
            return "this torch has no cuSPARSELt"
        if self.pattern != "2:4":
            return f"the pattern is {self.pattern}, and GPUs multiply 2:4"
        if self.dtype == torch.float32:
            return "precision is fp32, and sparse products take bf16 or fp16"
        return None


def choose(
    wanted: str, model: nn.Module, layers: Sequence[Mapping[str, Any]], situation: Situation, rows: int
) -> Choice:
    """Makes the masked layers of `model` sparse where that is possible, asked for and faster.

    Raises ConfigError when cuSPARSELt is asked for and can't run.
    rows: the number of rows of each product, tokens of a whole batch.
    """
    total = len(layers)
    if wanted == "dense":
        return Choice("engine.backend is dense.", total)
    obstacle = situation.obstacle()
    if obstacle is not None and wanted == "cusparselt":
        raise ConfigError([f"engine.backend is cusparselt, but {obstacle}: write auto or dense."])
    if obstacle is not None:
        return Choice(f"Dense, because {obstacle}.", total)
    replaced = _replace_faster(model, [layer["name"] for layer in layers], rows)
    if not replaced:
        return Choice("Dense, because no layer measured at least 3 % faster sparse.", total)
    reason = f"{len(replaced)} of {total} masked layers measured at least 3 % faster sparse."
    return Choice(reason, total, replaced)


def restore_dense(model: nn.Module, choice: Choice) -> dict[str, nn.Module]:
    """Puts the dense layers back. Returns those that were in their places."""
    sparse = {name: model.get_submodule(name) for name in choice.replaced}
    for name, layer in choice.replaced.items():
        model.set_submodule(name, layer)
    return sparse


@torch.no_grad()
def _replace_faster(model: nn.Module, names: Sequence[str], rows: int) -> dict[str, nn.Linear]:
    """Returns the layers replaced. One measurement serves all layers of a shape."""
    algorithms: dict[tuple[int, ...], int | None] = {}
    replaced: dict[str, nn.Linear] = {}
    for name in names:
        dense = model.get_submodule(name)
        shape = tuple(dense.weight.shape)
        if shape not in algorithms:
            algorithms[shape] = _faster_algorithm(dense, rows)
        algorithm = algorithms[shape]
        if algorithm is None:
            continue
        sparse = SparseLinear(dense, algorithm)
        if _agrees(dense, sparse, rows):
            replaced[name] = dense
            model.set_submodule(name, sparse)
    return replaced


def _faster_algorithm(dense: nn.Module, rows: int) -> int | None:
    """None where the layer has no sparse product, or none that is faster."""
    # cuSPARSELt multiplies matrices; a convolution has no sparse kernel.
    if not isinstance(dense, nn.Linear) or any(side % SIDES for side in dense.weight.shape):
        return None
    x, sparse = _input(dense, rows), SparseLinear(dense)
    sparse.algorithm = sparse.fastest_algorithm(x)
    gain = milliseconds(dense, x) / milliseconds(sparse, x)
    return sparse.algorithm if gain >= LEAST_GAIN else None


def _input(dense: nn.Linear, rows: int) -> Tensor:
    weight = dense.weight
    generator = torch.Generator(weight.device).manual_seed(0)
    return torch.randn(rows, weight.shape[1], device=weight.device, dtype=weight.dtype, generator=generator)


def _agrees(dense: nn.Linear, sparse: SparseLinear, rows: int) -> bool:
    x = _input(dense, rows)
    want = dense(x).float()
    error = (sparse(x).float() - want).abs().max() / want.abs().max().clamp_min(1e-6)
    if float(error) <= TOLERANCE:
        return True
    log.warning(
        "A sparse product of shape %s differs by %.3g and is not used.", tuple(dense.weight.shape), error
    )
    return False


def milliseconds(network: nn.Module, *inputs: Tensor) -> float:
    """Median time of a call on the GPU, from a recording."""
    recording = record(lambda *places: [network(*places) for _ in range(REPEATS)][-1], *inputs)
    times = []
    for _ in range(MEASUREMENTS):
        start, end = (torch.cuda.Event(enable_timing=True) for _ in range(2))
        start.record()
        recording.graph.replay()
        end.record()
        end.synchronize()
        times.append(start.elapsed_time(end) / REPEATS)
    return statistics.median(times)
