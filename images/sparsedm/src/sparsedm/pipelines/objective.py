"""The loss on recorded calls: the mean squared distance of what the student returns from what the dense
denoiser returned on the same arguments."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import torch
from torch import Tensor, nn
from torch.nn import functional as F

from sparsedm.diffusion.objective import AUTOCAST
from sparsedm.pipelines.record import Call, first_output
from sparsedm.pipelines.recording import Recording
from sparsedm.pipelines.tree import tensors_of
from sparsedm.runtime.compiling import compiled

TOLERANCE = {"float32": 1e-6, "bfloat16": 1e-2, "float16": 1e-3}
"""Largest share of an output's power by which the dense weights may miss it, by the type of the recording:
what rounding makes of it over the network's layers, and far below what other weights give."""


@dataclass(frozen=True)
class RecordedBatch:
    """Calls of one group, by their numbers; `joined` where they are made as one."""

    recording: Recording
    numbers: np.ndarray
    joined: bool
    device: torch.device

    def parts(self, count: int) -> Iterator[RecordedBatch]:
        """The batch in `count` equal parts, one after the other."""
        for numbers in np.split(self.numbers, count):
            yield RecordedBatch(self.recording, numbers, self.joined, self.device)

    def calls(self) -> list[Call]:
        """On the device, their numbers as float32."""
        return [ready(call, self.device) for call in self.recording.batch(self.numbers, self.joined)]


class _Together(nn.Module):
    """The network, called several times in one forward pass, which is how processes share gradients."""

    def __init__(self, network: nn.Module) -> None:
        super().__init__()
        self.network = network

    def forward(self, calls: Sequence[Mapping[str, Any]]) -> list[Any]:
        return [first_output(self.network(**arguments)) for arguments in calls]


class RecordedObjective:
    """`precision` bf16 or fp16 runs the student under autocast; losses are float32. `compile` compiles it."""

    def __init__(self, student: nn.Module, precision: str, compile: bool) -> None:
        self.student, self.precision = student, precision
        device = next(student.parameters()).device
        self.learning: nn.Module = _Together(compiled(student, device) if compile else student)

    def __call__(self, batch: RecordedBatch) -> Tensor:
        calls, dtype = batch.calls(), AUTOCAST.get(self.precision)
        # As in diffusion/objective.py: no copy of a weight outlives the block that was gathered for it.
        with torch.autocast(batch.device.type, dtype, enabled=dtype is not None, cache_enabled=False):
            outputs = self.learning([call.arguments for call in calls])
        losses = [_distance(out, call.output) for out, call in zip(outputs, calls, strict=True)]
        return torch.stack(losses).mean()

    @torch.no_grad()
    def difference(self, call: Call) -> float:
        """|out - recorded|^2 / |recorded|^2 of the student as it is, in float32."""
        was_training = self.student.training
        self.student.eval()
        out = first_output(self.student(**call.arguments))
        self.student.train(was_training)
        power = sum(float(part.float().square().sum()) for part in tensors_of(call.output))
        missed = sum(
            float((found.float() - wanted.float()).square().sum())
            for found, wanted in zip(tensors_of(out), tensors_of(call.output), strict=True)
        )
        return missed / max(power, 1e-30)

    def can_join(self, recording: Recording, device: torch.device) -> bool:
        """Whether two calls that are made as one return what each did alone: a network may read more from
        its arguments than their rows. The student has the dense weights, and open masks."""
        pair = next((group[:2] for group in recording.groups if len(group) > 1), None)
        if pair is None:
            return False
        call = ready(recording.batch(pair, join=True)[0], device)
        try:
            return self.difference(call) <= tolerance(recording)
        except Exception:  # whatever the network makes of arguments that it was never called with
            return False


def tolerance(recording: Recording) -> float:
    return TOLERANCE[recording.index["dtype"]]


def ready(call: Call, device: torch.device) -> Call:
    return Call(_ready(call.arguments, device), _ready(call.output, device))


def _ready(value: Any, device: torch.device) -> Any:
    if isinstance(value, Tensor):
        return value.to(device, torch.float32 if value.is_floating_point() else value.dtype)
    if isinstance(value, dict):
        return {name: _ready(part, device) for name, part in value.items()}
    if isinstance(value, list | tuple):
        return type(value)(_ready(part, device) for part in value)
    return value


def _distance(out: Any, recorded: Any) -> Tensor:
    pairs = list(zip(tensors_of(out), tensors_of(recorded), strict=True))
    return torch.stack([F.mse_loss(found.float(), wanted) for found, wanted in pairs]).mean()
