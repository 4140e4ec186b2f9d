"""`sparsedm record PIPELINE PROMPTS OUT`: what a dense pipeline calls its denoiser with, and what it returns.

`sparsedm train` records by itself what it needs. A recording of its own can be shared by many runs
(dataset.format: recording). It goes on where it was stopped, and the same settings give the same bytes.
"""

from __future__ import annotations

import argparse
import time
from pathlib import Path

from sparsedm.errors import ConfigError
from sparsedm.models.precision import DTYPES
from sparsedm.models.weights import weights_sha256
from sparsedm.pipelines.call import Drawing
from sparsedm.pipelines.folder import read_pipeline
from sparsedm.pipelines.prompts import read_prompts
from sparsedm.pipelines.record import Order, Recorder
from sparsedm.runtime.device import limit_threads, pick_device
from sparsedm.runtime.progress import format_duration


def add_arguments(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("pipeline", type=Path, help="folder of a diffusers pipeline")
    parser.add_argument(
        "prompts", type=Path, help="text file of one prompt in a line, or a folder with metadata.jsonl"
    )
    parser.add_argument("out", type=Path, help="a new folder, or one that was begun")
    parser.add_argument("--samples", type=int, default=10_000, help="prompts at most, a trajectory of each")
    parser.add_argument("--calls", type=int, default=4, help="kept of each trajectory (default: 4)")
    parser.add_argument("--steps", type=int, default=20, help="of a trajectory (default: 20)")
    parser.add_argument("--guidance", type=float, help="default: the pipeline's own")
    parser.add_argument("--size", type=int, help="side of the images in pixels; default: the pipeline's own")
    parser.add_argument("--precision", choices=sorted(DTYPES), default="fp32", help="of the whole pipeline")
    parser.add_argument("--seed", type=int, default=0)


def run(args: argparse.Namespace) -> int:
    if problems := [f"--{n} must be at least 1." for n in ("samples", "calls", "steps") if vars(args)[n] < 1]:
        raise ConfigError(problems)
    limit_threads()
    folder = read_pipeline(args.pipeline)
    prompts = read_prompts(args.prompts, "PROMPTS")[: args.samples]
    began, done = time.monotonic(), 0

    def on_trajectory(calls: int) -> None:
        nonlocal done
        done += 1
        left = (time.monotonic() - began) / done * (len(prompts) - done)
        print(f"{done}/{len(prompts)}, {format_duration(left)} left", flush=True)

    index = Recorder(
        folder,
        Order(prompts, Drawing(args.steps, args.guidance, args.size), args.calls, args.seed),
        args.out,
        DTYPES[args.precision],
        pick_device(),
        weights_sha256(folder.weights),
        say=print,
        on_trajectory=on_trajectory,
    ).run()
    calls = sum(shard["calls"] for shard in index["shards"])
    print(f"{args.out} holds {calls:,} calls of {len(prompts):,} trajectories.")
    return 0
