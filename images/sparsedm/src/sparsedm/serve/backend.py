"""What computes the masked layers: dense products, or cuSPARSELt's 2:4 ones where they measured faster.

A layer is replaced only when the product of its shape, at the number of rows that the server will use, is at
least 3 % faster and agrees with the masked dense one. So the served model is never slower than the dense
one, and a model that gains nothing stays dense, with the reason told.
"""

from __future__ import annotations

import logging
import statistics
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

import torch
from torch import Tensor, nn
from torch.nn import functional as F

from sparsedm.errors import ConfigError

log = logging.getLogger("sparsedm.serve")

LEAST_GAIN = 1.03
TOLERANCE = 2e-2
"""Largest difference accepted, relative to the largest output: bf16 differs in its last digits."""
WARM_UPS = 5
MEASUREMENTS = 20


@dataclass(frozen=True)
class Choice:
    """The backend in force and why."""

    reason: str
    total_layers: int
    dense_weights: Mapping[str, nn.Parameter] = field(default_factory=dict, repr=False)
    """The weights that sparse ones took the place of, by the name of their layer."""

    @property
    def sparse_layers(self) -> int:
        return len(self.dense_weights)

    @property
    def backend(self) -> str:
        return "cusparselt" if self.dense_weights else "dense"


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
        if self.capability < (8, 0):
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


def restore_dense(model: nn.Module, choice: Choice) -> None:
    """Takes sparse weights back."""
    for name, weight in choice.dense_weights.items():
        model.get_submodule(name).weight = weight


def _replace_faster(model: nn.Module, names: Sequence[str], rows: int) -> dict[str, nn.Parameter]:
    """Returns the weights replaced. One measurement serves all layers of a shape."""
    from torch.sparse import SparseSemiStructuredTensor

    SparseSemiStructuredTensor._FORCE_CUTLASS = False
    faster: dict[tuple[int, ...], bool] = {}
    replaced: dict[str, nn.Parameter] = {}
    for name in names:
        module = model.get_submodule(name)
        # cuSPARSELt multiplies matrices; a convolution has no sparse kernel.
        sparse = _compress(module.weight) if isinstance(module, nn.Linear) else None
        if sparse is None or not _agrees(module, sparse, rows):
            continue
        shape = tuple(module.weight.shape)
        if shape not in faster:
            faster[shape] = _gain(module, sparse, rows) >= LEAST_GAIN
        if faster[shape]:
            replaced[name] = module.weight
            module.weight = nn.Parameter(sparse, requires_grad=False)
    return replaced


def _compress(weight: Tensor) -> Tensor | None:
    """The weight in 2:4 form; None where its shape has none (both sides are multiples of 16)."""
    from torch.sparse import to_sparse_semi_structured

    try:
        return to_sparse_semi_structured(weight.detach().contiguous())
    except RuntimeError as error:
        log.info("A weight of shape %s stays dense: %s", tuple(weight.shape), error)
        return None


def _input(module: nn.Linear, rows: int) -> Tensor:
    generator = torch.Generator(module.weight.device).manual_seed(0)
    return torch.randn(
        rows,
        module.weight.shape[1],
        device=module.weight.device,
        dtype=module.weight.dtype,
        generator=generator,
    )


def _agrees(module: nn.Linear, sparse: Tensor, rows: int) -> bool:
    x = _input(module, min(rows, 256))
    dense = F.linear(x, module.weight, module.bias).float()
    error = (F.linear(x, sparse, module.bias).float() - dense).abs().max() / dense.abs().max().clamp_min(1e-6)
    if float(error) <= TOLERANCE:
        return True
    log.warning(
        "A sparse product of shape %s differs by %.3g and is not used.", tuple(module.weight.shape), error
    )
    return False


def _gain(module: nn.Linear, sparse: Tensor, rows: int) -> float:
    """How many times faster the sparse product is."""
    x = _input(module, rows)
    dense = milliseconds(lambda: F.linear(x, module.weight, module.bias))
    return dense / milliseconds(lambda: F.linear(x, sparse, module.bias))


def milliseconds(
    work: Callable[[], Any], warm_ups: int = WARM_UPS, measurements: int = MEASUREMENTS
) -> float:
    """Median time of `work` on the GPU."""
    for _ in range(warm_ups):
        work()
    times = []
    for _ in range(measurements):
        start, end = (torch.cuda.Event(enable_timing=True) for _ in range(2))
        start.record()
        work()
        end.record()
        end.synchronize()
        times.append(start.elapsed_time(end))
    return statistics.median(times)
