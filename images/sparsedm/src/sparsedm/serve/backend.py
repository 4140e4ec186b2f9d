"""What computes the masked layers: dense products, or 2:4 sparse ones (kernels.py) that measured faster.

A layer is replaced only when the product of its shape, at the number of rows that the server will use, is at
least 3 % faster and agrees with the masked dense one. So the served model is never slower than the dense
one; a model that gains nothing stays dense, and the status gives the reason. Products are measured as the
engine runs them, from a recording (recording.py), each with its fastest algorithm. What was measured is kept
for the next start (tuning.py).
"""

from __future__ import annotations

import logging
import math
import statistics
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

import torch
from torch import Tensor, nn

from sparsedm.errors import ConfigError
from sparsedm.models.uvit import UViT
from sparsedm.serve.gpu import is_out_of_memory
from sparsedm.serve.kernels import KERNELS, ROWS, Kernel
from sparsedm.serve.recording import record
from sparsedm.serve.tuning import Tuned, Tuning

log = logging.getLogger("sparsedm.serve")

LEAST_GAIN = 1.03
TOLERANCE = 2e-2
"""Largest accepted difference, relative to the largest output: bf16 differs in its last digits."""
REPEATS = 10
"""Products in a measured recording: enough that its launch does not count."""
MEASUREMENTS = 9
SPARSE_CAPABILITY = (8, 0)
"""Compute capability from which GPUs multiply sparse matrices: Ampere's."""


def precision_on(device: torch.device, wanted: str) -> str:
    """What `auto` is on a device: bf16 on a GPU with sparse products, which take 16 bits; else fp32."""
    if wanted != "auto":
        return wanted
    capable = device.type == "cuda" and torch.cuda.get_device_capability(device) >= SPARSE_CAPABILITY
    return "bf16" if capable else "fp32"


@dataclass(frozen=True)
class Choice:
    """The backend in force and why."""

    reason: str
    total_layers: int
    replaced: Mapping[str, nn.Linear] = field(default_factory=dict, repr=False)
    """The dense layers that were replaced, by name."""
    kernels: Mapping[str, str] = field(default_factory=dict)
    """By what they were replaced."""

    @property
    def sparse_layers(self) -> int:
        return len(self.replaced)

    @property
    def backend(self) -> str:
        """ "dense", or the kernels in force."""
        return "+".join(sorted(set(self.kernels.values()))) or "dense"


@dataclass(frozen=True)
class Situation:
    """What decides whether sparse products are possible."""

    device: torch.device
    dtype: torch.dtype
    pattern: str
    capability: tuple[int, int] | None = None
    """Compute capability of the GPU."""
    available: tuple[str, ...] = ()
    """Names of the kernels that torch was built with."""

    @classmethod
    def here(cls, device: torch.device, dtype: torch.dtype, pattern: str) -> Situation:
        if device.type != "cuda":
            return cls(device, dtype, pattern)
        library = ("cusparselt",) if torch.backends.cusparselt.is_available() else ()
        return cls(device, dtype, pattern, torch.cuda.get_device_capability(device), (*library, "cutlass"))

    def obstacle(self) -> str | None:
        """Why no sparse products can run here, as a clause; None when some can."""
        if self.device.type != "cuda" or self.capability is None:
            return "there is no CUDA GPU"
        if self.capability < SPARSE_CAPABILITY:
            return f"the GPU's compute capability {self.capability[0]}.{self.capability[1]} is below 8.0"
        if self.pattern != "2:4":
            return f"the pattern is {self.pattern}, and GPUs multiply 2:4"
        if self.dtype == torch.float32:
            return "precision is fp32, and sparse products take bf16 or fp16"
        return None


def demand(wanted: str, situation: Situation) -> str | None:
    """Why `auto` and `dense` come to dense products, as a clause; None where sparse ones are to be measured.

    Raises ConfigError for a kernel that is asked for by name and can't run.
    """
    if wanted == "dense":
        return "engine.backend is dense"
    obstacle = situation.obstacle()
    if wanted == "auto":
        return obstacle
    if obstacle is None and wanted not in situation.available:
        obstacle = f"this torch has no {wanted}"
    if obstacle is not None:
        raise ConfigError([f"engine.backend is {wanted}, but {obstacle}: write auto or dense."])
    return None


def choose(
    wanted: str,
    model: nn.Module,
    layers: Sequence[Mapping[str, Any]],
    situation: Situation,
    rows: int | Mapping[str, int],
    kernels: Sequence[Kernel] = KERNELS,
    measure: Callable[[nn.Module, Tensor], float] | None = None,
    tuning: Tuning | None = None,
    on_layer: Callable[[int, int], None] = lambda done, total: None,
) -> Choice:
    """Makes the masked layers of `model` sparse where that is possible, asked for and faster.

    rows: the number of rows of each product, tokens of a whole batch, where need be by the layer's name; a
    layer without any is never called. kernels: those to choose among.
    measure: the time of a product. tuning: what is known from before. on_layer: (layers done, of how many).
    Raises ConfigError as `demand`.
    """
    total = len(layers)
    reason = demand(wanted, situation)
    if wanted == "dense":
        return Choice("engine.backend is dense.", total)
    if reason is not None:
        return Choice(f"Dense, because {reason}.", total)
    among = [k for k in kernels if k.name in situation.available and wanted in ("auto", k.name)]
    products = _Products(among, measure or milliseconds, tuning)
    replaced, sparse, by = {}, {}, {}
    for done, layer in enumerate(layers, 1):
        name = layer["name"]
        dense = model.get_submodule(name)
        found = products.faster(dense, rows if isinstance(rows, int) else rows.get(name, 0))
        if found is not None:
            replaced[name], (by[name], sparse[name]) = dense, found
        on_layer(done, total)
    put_sparse(model, sparse)
    if tuning is not None:
        tuning.save()
    if not replaced:
        return Choice("Dense, because no layer measured at least 3 % faster sparse.", total)
    reason = f"{len(replaced)} of {total} masked layers measured at least 3 % faster sparse."
    return Choice(reason, total, replaced, by)


def restore_dense(model: nn.Module, choice: Choice) -> dict[str, nn.Module]:
    """Puts the dense layers back. Returns those that were in their places."""
    sparse = {name: model.get_submodule(name) for name in choice.replaced}
    _put(model, choice.replaced, 1)
    return sparse


def put_sparse(model: nn.Module, layers: Mapping[str, nn.Module]) -> None:
    """In the places of dense ones; the network fills up its tokens once for all of them, where it can."""
    _put(model, layers, ROWS if layers else 1)


def _put(model: nn.Module, layers: Mapping[str, nn.Module], row_multiple: int) -> None:
    for name, layer in layers.items():
        model.set_submodule(name, layer)
    if isinstance(model, UViT):
        model.row_multiple = row_multiple


class _Products:
    """The fastest product of each shape, measured once."""

    def __init__(
        self,
        kernels: Sequence[Kernel],
        measure: Callable[[nn.Module, Tensor], float],
        tuning: Tuning | None,
    ) -> None:
        self._kernels = {kernel.name: kernel for kernel in kernels}
        self._measure = measure
        self._tuning = tuning
        self._tuned: dict[str, Tuned] = {}

    @torch.no_grad()
    def faster(self, dense: nn.Module, rows: int) -> tuple[str, nn.Module] | None:
        """The kernel's name and its layer; None where the dense one is as fast, or right alone."""
        if not isinstance(dense, nn.Linear) or not rows:  # a convolution has no sparse kernel
            return None
        outputs, inputs = dense.weight.shape
        shape = f"{outputs}x{inputs} of {rows} by {','.join(self._kernels)}"
        if shape not in self._tuned:
            self._tuned[shape] = self._known(shape) or self._fastest(dense, rows, shape)
        best = self._tuned[shape]
        if best.kernel is None:
            return None
        try:
            sparse = self._kernels[best.kernel].build(dense, best.algorithm)
            return (best.kernel, sparse) if _agrees(dense, sparse, rows) else None
        except RuntimeError as error:
            if is_out_of_memory(error):
                raise
            log.warning("A layer stays dense, because %s can't compute it: %s", best.kernel, error)
            return None

    def _known(self, shape: str) -> Tuned | None:
        known = None if self._tuning is None else self._tuning.found(shape)
        return known if known is None or known.kernel is None or known.kernel in self._kernels else None

    def _fastest(self, dense: nn.Linear, rows: int, shape: str) -> Tuned:
        x = _input(dense, rows)
        dense_time, best_time, best = self._measure(dense, x), math.inf, Tuned(None)
        for kernel in self._kernels.values():
            if any(side % step for side, step in zip(dense.weight.shape, kernel.sides, strict=True)):
                continue
            try:
                algorithm = kernel.fastest_algorithm(dense, x)
                time = self._measure(kernel.build(dense, algorithm), x)
            except RuntimeError as error:
                if is_out_of_memory(error):
                    raise
                log.info("%s is left out for products of %s: %s", kernel.name, shape, error)
                continue
            if time * LEAST_GAIN <= dense_time and time < best_time:
                best, best_time = Tuned(kernel.name, algorithm), time
        if self._tuning is not None:
            self._tuning.add(shape, best)
        return best


def _input(dense: nn.Linear, rows: int) -> Tensor:
    weight = dense.weight
    generator = torch.Generator(weight.device).manual_seed(0)
    return torch.randn(rows, weight.shape[1], device=weight.device, dtype=weight.dtype, generator=generator)


def _agrees(dense: nn.Linear, sparse: nn.Module, rows: int) -> bool:
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
