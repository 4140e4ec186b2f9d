"""The device and the number of threads."""

from __future__ import annotations

import math
import os
from pathlib import Path

import torch

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
