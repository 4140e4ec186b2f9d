"""The GPU: whether this torch can use it, and the errors after which it can do less, or nothing."""

from __future__ import annotations

import os
import re
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

import torch

from sparsedm.errors import InputError, SparseDMError

DEVICE_FILE = Path("/dev/nvidiactl")
"""There where a container was given a GPU."""
MEMORY_ERRORS = ("CUBLAS_STATUS_ALLOC_FAILED", "CUDNN_STATUS_ALLOC_FAILED", "can't allocate memory")
"""In the messages of libraries, and of a CPU's allocator, which raise no OutOfMemoryError."""


class ContextLost(SparseDMError):
    """The process can't use its GPU any more: each later call would fail. Another process can."""

    def __init__(self, cause: Exception) -> None:
        super().__init__(
            "GpuLost",
            f"The GPU refuses everything after an error ({' '.join(str(cause).split())[:200]}): the server "
            "ends, so that another process begins anew. Where this repeats, look for Xid errors in the log "
            "of the node's kernel.",
        )


def is_out_of_memory(error: Exception) -> bool:
    return isinstance(error, torch.OutOfMemoryError) or any(text in str(error) for text in MEMORY_ERRORS)


@contextmanager
def watched(device: torch.device) -> Iterator[None]:
    """Raises ContextLost for an error that spoilt the CUDA context: waiting for the GPU raises it again."""
    try:
        yield
    except RuntimeError as error:
        if device.type != "cuda" or is_out_of_memory(error):
            raise
        try:
            torch.cuda.synchronize(device)
        except RuntimeError:
            raise ContextLost(error) from error
        raise


@dataclass(frozen=True)
class Gpu:
    """What is known of a GPU before anything is loaded."""

    name: str
    capability: tuple[int, int]
    built_for: Sequence[str]
    """The architectures that this torch has kernels for, as "sm_80" (kernels) or "compute_90" (code that
    the driver compiles)."""

    @classmethod
    def at(cls, device: torch.device) -> Gpu:
        return cls(
            torch.cuda.get_device_name(device),
            torch.cuda.get_device_capability(device),
            torch.cuda.get_arch_list(),
        )

    def check(self) -> None:
        """Raises InputError where no kernel of this torch runs on it."""
        if any(_runs(kernels, self.capability) for kernels in self.built_for):
            return
        raise InputError(
            "GpuUnsupported",
            f"{self.name} has compute capability {'.'.join(map(str, self.capability))}, and this image's "
            f"torch was built for {', '.join(self.built_for)}: choose a node with another GPU, or an image "
            "with another torch.",
        )


def _runs(kernels: str, capability: tuple[int, int]) -> bool:
    """Kernels run on later GPUs of the same major version; code runs on all later ones."""
    kind, _, number = kernels.partition("_")
    digits = re.match(r"\d+", number)
    if digits is None:
        return False
    built = divmod(int(digits[0]), 10)
    return built <= capability and (kind == "compute" or built[0] == capability[0])


def check_device(device: torch.device, env: Mapping[str, str] = os.environ) -> None:
    """Before a long load. Raises InputError for a GPU that can't be used, also where that would leave the
    CPU to serve: its driver is too old, or it does not answer."""
    if device.type == "cuda":
        Gpu.at(device).check()
        return
    given = env.get("NVIDIA_VISIBLE_DEVICES", "") not in ("", "none", "void") and DEVICE_FILE.exists()
    if not given or torch.version.cuda is None:
        return
    try:
        torch.cuda.init()
    except (RuntimeError, AssertionError) as error:
        raise InputError(
            "GpuUnusable",
            f"The container was given a GPU, and torch for CUDA {torch.version.cuda} can't use it "
            f"({' '.join(str(error).split())[:200]}): update the node's NVIDIA driver, or take the GPU out "
            "of resources to serve on the CPU.",
        ) from error
