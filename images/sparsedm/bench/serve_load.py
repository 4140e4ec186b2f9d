"""What a second replica on a node saves of the first one's load: seconds of each phase, bytes that come from
the disk, and memory, of servers' engines in processes of their own.

The artifact is written anew, with random weights, and the system's memory of its file is dropped before the
first load. The first process stays while the second loads, as a replica would. The last line is JSON: a list
of {replica, reading_s, checking_s, disk_mb, memory_mb}.
"""

from __future__ import annotations

import argparse
import json
import os
import resource
import subprocess
import sys
import tempfile
from pathlib import Path
from typing import Any

import torch
from train_step import machine

from sparsedm.artifact.artifact import WEIGHTS_FILE, Identity, save_artifact
from sparsedm.measure.macs import count_macs
from sparsedm.models import PRESETS, build_model
from sparsedm.serve.config import EngineSpec
from sparsedm.serve.engine import Engine
from sparsedm.serve.loading import Loading
from sparsedm.sparsity.layers import bake_masks, masks_for, select_layers
from sparsedm.sparsity.pattern import Pattern
from sparsedm.training.describe import table

PATTERN = Pattern(2, 4)
IO = Path("/proc/self/io")


def write_artifact(directory: Path, preset: str) -> Path:
    """Returns the file of the weights, of which the system keeps nothing in memory."""
    config = PRESETS[preset]
    model = build_model(config)
    selection, state = select_layers(model, PATTERN), model.state_dict()
    weights = bake_masks(state, masks_for(state, selection.selected, PATTERN))
    macs = count_macs(config, selection.selected, PATTERN).status()
    save_artifact(directory, weights, Identity(preset, config, None, PATTERN, selection), macs, {}, {})
    file = directory / WEIGHTS_FILE
    with file.open("rb") as opened:
        os.fsync(opened.fileno())
        os.posix_fadvise(opened.fileno(), 0, 0, os.POSIX_FADV_DONTNEED)
    return file


def disk_bytes() -> int:
    """That this process had fetched from the disk."""
    return int(dict(line.split(": ") for line in IO.read_text().splitlines())["read_bytes"])


def load(directory: Path) -> None:
    """In a process of its own: loads, tells what it took, and stays until its input ends."""
    loading, before = Loading(), disk_bytes()
    engine = Engine.load(directory, EngineSpec(), device=torch.device("cpu"), loading=loading)
    peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024
    found = {
        "reading_s": loading.seconds["Reading"],
        "checking_s": loading.seconds["Checking"],
        "disk_mb": (disk_bytes() - before) / 1e6,
        "memory_mb": peak,
    }
    print(json.dumps(found), flush=True)
    sys.stdin.read()
    del engine


def replica(directory: Path) -> tuple[subprocess.Popen[str], dict[str, Any]]:
    process = subprocess.Popen(
        [sys.executable, __file__, "--load", str(directory)],
        stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True,
    )  # fmt: skip
    assert process.stdout is not None
    return process, json.loads(process.stdout.readline())


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawTextHelpFormatter)
    parser.add_argument("--preset", choices=sorted(PRESETS), default="cifar10-uvit-small")
    parser.add_argument(
        "--directory", type=Path, help="where to write and read it (default: a temporary one)"
    )
    parser.add_argument("--load", type=Path, help=argparse.SUPPRESS)
    args = parser.parse_args()
    if args.load is not None:
        load(args.load)
        return
    print(machine())
    with tempfile.TemporaryDirectory(dir=args.directory) as place:
        size = write_artifact(Path(place), args.preset).stat().st_size
        print(f"{args.preset}, {size / 1e6:.0f} MB of weights")
        processes, rows = [], []
        for number in (1, 2):
            process, found = replica(Path(place))
            processes.append(process)
            rows.append({"replica": number, **found})
        for process in processes:
            process.communicate()
    header = ["replica", "reading", "checking", "from the disk", "memory at most"]
    cells = [
        [
            str(row["replica"]), f"{row['reading_s']:.2f} s", f"{row['checking_s']:.2f} s",
            f"{row['disk_mb']:.0f} MB", f"{row['memory_mb']:.0f} MB",
        ]
        for row in rows
    ]  # fmt: skip
    print(table(header, cells))
    print(json.dumps(rows))


if __name__ == "__main__":
    main()
