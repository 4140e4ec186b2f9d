"""The device and the number of threads."""

from __future__ import annotations

import math
import os
import platform
import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import torch

from sparsedm.errors import InputError, SparseDMError

CPU_INFO = Path("/proc/cpuinfo")
CPU_LIMIT = Path("/sys/fs/cgroup/cpu.max")


def pick_device() -> torch.device:
    """The GPU of this process where several train together (processes.py), else the first, else the CPU."""
    if not torch.cuda.is_available():
        return torch.device("cpu")
    if "LOCAL_RANK" not in os.environ:
        return torch.device("cuda")
    device = torch.device("cuda", int(os.environ["LOCAL_RANK"]))
    torch.cuda.set_device(device)
    return device


def check_gpus(env: Mapping[str, str] = os.environ) -> None:
    """Raises where the pod asks for GPUs (SPARSEDM_GPUS) and torch finds none: on CPUs the run would take
    weeks, and say nothing."""
    asked = int(env.get("SPARSEDM_GPUS") or "0")
    if not asked or torch.cuda.is_available():
        return
    what = f"spec.trainer.resources asks for {asked} GPU{'s' if asked > 1 else ''}"
    if torch.version.cuda is None and torch.version.hip is None:
        raise InputError(
            "NoGPU",
            f"{what}, and the trainer's image has a torch for CPUs: name an image with a torch for GPUs in "
            "spec.trainer.image, or ask for none, in a new SparseFinetune.",
        )
    raise SparseDMError(
        "NoGPU",
        f"{what}, and torch {torch.__version__} finds none that it can use: look at the node's driver "
        "(nvidia-smi), its device plugin and spec.trainer.runtimeClassName. The next attempt looks again.",
    )


def device_name(device: torch.device, info: Path = CPU_INFO) -> str:
    """The GPU's name, or the CPU's as the kernel has it, or else its architecture."""
    if device.type == "cuda":
        return torch.cuda.get_device_name(device)
    try:
        lines = info.read_text().splitlines()
    except OSError:
        lines = []
    names = (line.partition(":")[2].strip() for line in lines if line.startswith("model name"))
    return next(names, platform.machine())


@dataclass
class Usage:
    """What one trainer uses, from now on: `status.trainer`. The operator adds up what a run's trainers use,
    and `started` tells it one from another.

    Worked example: after 90.7 s on 2 GPUs, 181 GPU-seconds.
    """

    device: str
    gpus: int
    clock: Callable[[], float] = time.monotonic
    started: datetime = field(default_factory=lambda: datetime.now(UTC))

    def __post_init__(self) -> None:
        self._began = self.clock()

    @classmethod
    def of(cls, device: torch.device, processes: int) -> Usage:
        """Of `processes` that train together, each on a device of this kind."""
        name = device_name(device)
        return cls(name, processes) if device.type == "cuda" else cls(f"CPU ({name})", 0)

    def status(self) -> dict[str, Any]:
        return {
            "device": self.device[:128],
            "gpus": self.gpus,
            "gpuSeconds": round(self.gpus * (self.clock() - self._began)),
            "startedAt": self.started.isoformat(timespec="milliseconds").replace("+00:00", "Z"),
        }


def usable_cores(cpu_limit: Path = CPU_LIMIT) -> int:
    """Cores that this process may use: its affinity, or the container's CPU limit where that is less.

    Worked example: on 64 cores, "150000 100000" in cpu.max is a limit of 1.5 CPUs and gives 2.
    """
    cores = len(os.sched_getaffinity(0))
    try:
        quota, period = cpu_limit.read_text().split()
        return cores if quota == "max" else max(1, min(cores, math.ceil(int(quota) / int(period))))
    except (OSError, ValueError):
        return cores


def own_cores() -> int:
    """This process's part of the usable cores, which processes that train together share."""
    return max(1, usable_cores() // int(os.environ.get("LOCAL_WORLD_SIZE", "1")))


def limit_threads() -> None:
    """More threads than CPUs make a limited container many times slower. OMP_NUM_THREADS wins."""
    if "OMP_NUM_THREADS" not in os.environ:
        torch.set_num_threads(own_cores())
