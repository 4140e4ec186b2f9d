"""What a training step keeps in memory beside weights and optimizer, from shapes alone.

The step's loss and its gradient are computed on fake tensors, which have shapes and types and no values, and
the bytes of those that live at once are counted. So recomputed blocks, precision and the teacher's pass are
in the figure. Attention is counted as a CPU computes it, in float32; a GPU takes less under autocast.
"""

from __future__ import annotations

import weakref
from collections.abc import Callable, Mapping
from typing import Any

import torch
from torch import Tensor, nn
from torch.utils._python_dispatch import TorchDispatchMode
from torch.utils._pytree import tree_leaves

from sparsedm.diffusion.objective import Batch, Objective
from sparsedm.measure.macs import bare_model
from sparsedm.models import ModelConfig
from sparsedm.training.config import TrainingSpec
from sparsedm.training.recompute import recompute_blocks


class LiveBytes(TorchDispatchMode):
    """Counts the bytes of what operations under it make: `now`, and at most at once, `peak`."""

    def __init__(self) -> None:
        super().__init__()
        self.now = self.peak = 0
        self._seen: weakref.WeakSet[torch.UntypedStorage] = weakref.WeakSet()

    def __torch_dispatch__(
        self, func: Callable[..., Any], types: Any, args: Any = (), kwargs: Mapping[str, Any] | None = None
    ) -> Any:
        made = func(*args, **(kwargs or {}))
        for tensor in tree_leaves(made):
            if isinstance(tensor, Tensor) and tensor.untyped_storage() not in self._seen:
                self._count(tensor.untyped_storage())
        return made

    def _count(self, storage: torch.UntypedStorage) -> None:
        size = storage.nbytes()
        self._seen.add(storage)
        self.now += size
        self.peak = max(self.peak, self.now)
        weakref.finalize(storage, self._freed, size)

    def _freed(self, size: int) -> None:
        self.now -= size


def activation_bytes(config: ModelConfig, training: TrainingSpec, teacher: ModelConfig | None) -> int:
    """The peak over the loss of a batch of `training.batch_size` images and its gradient, in one process,
    with the teacher that there is. The weights' gradients are not in it."""
    # Imported here: it brings torch's compiler along, which takes seconds.
    from torch._subclasses.fake_tensor import FakeTensorMode

    with FakeTensorMode():
        student = _fake(bare_model(config)).train()
        for weight in student.parameters():
            weight.register_post_accumulate_grad_hook(_drop_gradient)
        if training.gradient_checkpointing:
            recompute_blocks(student)
        guide = None if teacher is None else _fake(bare_model(teacher)).eval().requires_grad_(False)
        objective, batch = Objective(student, guide, 1.0, training.precision), _batch(config, training)
        with LiveBytes() as live:
            objective(batch).backward()
        return live.peak


def _fake(model: nn.Module) -> nn.Module:
    for module in model.modules():
        for name, weight in module._parameters.items():
            if weight is not None:
                module._parameters[name] = nn.Parameter(torch.empty(weight.shape))
        for name, buffer in module._buffers.items():
            if buffer is not None:
                module._buffers[name] = torch.empty(buffer.shape, dtype=buffer.dtype)
    return model


def _drop_gradient(weight: Tensor) -> None:
    weight.grad = None


def _batch(config: ModelConfig, training: TrainingSpec) -> Batch:
    count = training.batch_size
    images = torch.empty(count, config.channels, config.image_size, config.image_size)
    labels = None
    if config.context:
        labels = torch.empty(count, *config.context)
    elif config.num_classes:
        labels = torch.zeros(count, dtype=torch.int64)
    return Batch(images, torch.empty(count), labels, images)
