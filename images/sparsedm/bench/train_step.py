"""What a mask costs: the time of a masked training step over that of a dense one, and the same of memory.

Both steps are the trainer's own (learner.py): draw noise, forward, backward, clip, AdamW, EMA. The dense one
is method `dense`; the masked one is `sr-ste` at 2:4 with new masks before each step, the most
expensive setting. Neither runs a teacher, which would cost both the same and make the ratio look better.

The two take turns, step by step, in one process, and each masked step is compared with the dense one beside
it: on a machine whose speed drifts, both have the same. The ratio is the median of those of the pairs.
Peak memory is the GPU's, or that of a process for each. The last line is JSON: a list of {model, batch,
compiled, dense_s, masked_s, ratio, cpu_ratio, memory_ratio}; times in seconds for each step by the clock.
`cpu_ratio` compares the time that processors spent, which is the figure to read where others use the machine;
not on a GPU.
"""

from __future__ import annotations

import argparse
import dataclasses
import gc
import json
import platform
import statistics
import subprocess
import sys
import time
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path
from typing import Any

import torch
from tqdm import tqdm

from sparsedm.diffusion.objective import Batch, Objective, noisy_batch
from sparsedm.models import PRESETS, UViTConfig, build_model
from sparsedm.runtime.compiling import compiler_missing
from sparsedm.runtime.device import limit_threads, pick_device
from sparsedm.sparsity.layers import select_layers
from sparsedm.sparsity.methods import build_method
from sparsedm.sparsity.pattern import Pattern
from sparsedm.training.config import parse_config
from sparsedm.training.describe import table
from sparsedm.training.learner import Learner, begin

MODELS: dict[str, UViTConfig] = {
    "tiny": PRESETS["fashion-mnist-uvit-tiny"],
    "S/2": PRESETS["cifar10-uvit-small"],
    "M/4": PRESETS["imagenet64-uvit-mid"],
    "L/2": PRESETS["imagenet256-uvit-large"],
    "H/2": PRESETS["imagenet256-uvit-huge"],
    # For the test of this program.
    "smoke": UViTConfig(image_size=8, patch_size=4, channels=1, width=16, depth=3, heads=2, num_classes=3),
}
DEFAULTS = {"cpu": ("tiny", "S/2", "M/4"), "cuda": ("S/2", "M/4", "L/2", "H/2")}
BATCH = {
    "cpu": {"tiny": 64, "S/2": 8, "M/4": 4, "L/2": 2, "H/2": 2, "smoke": 4},
    "cuda": {"tiny": 256, "S/2": 128, "M/4": 128, "L/2": 64, "H/2": 64, "smoke": 4},
}
KINDS = {"dense": "dense", "masked": "sr-ste"}
"""The two sides, and their methods."""
PATTERN = Pattern(2, 4)
WARM_UP = 2


class Side:
    """One model that trains on random images, with the trainer's recipe."""

    def __init__(self, kind: str, config: UViTConfig, batch: int, compiled: bool) -> None:
        self.device = pick_device()
        recipe = parse_config(SPEC)
        training = recipe.training
        gpu = self.device.type == "cuda"
        training = dataclasses.replace(training, batch_size=batch, precision="bf16" if gpu else "fp32")
        torch.manual_seed(0)
        layout = torch.channels_last if gpu else torch.contiguous_format
        with self.device:
            dense = build_model(config).to(memory_format=layout).requires_grad_(False)
        method = build_method(KINDS[kind], recipe.sparsity.regularization)
        chosen = select_layers(dense, PATTERN, exclude=() if method.masks else ("*",))
        self.state = begin(dense, chosen, method, training, "magnitude")
        self.masks, self.rate = method.masks, training.learning_rate
        objective = Objective(self.state.student, None, 0.0, training.precision, compiled)
        shape = (batch, config.channels, config.image_size, config.image_size)
        x0 = torch.randn(shape, device=self.device).to(memory_format=layout)
        labels = torch.zeros(batch, dtype=torch.int64) if config.num_classes else None

        def draw(step: int) -> Batch:
            return noisy_batch(x0, labels, config, self.state.noise)

        self.learner = Learner(self.state, objective, method, training, draw)

    def step(self) -> tuple[float, float]:
        """Seconds of one step, from its masks to its EMA: by the clock, and of all processors together."""
        self._finish()
        began, worked = time.perf_counter(), time.process_time()
        if self.masks:
            self.state.layers.refresh(PATTERN)
        self.learner.step(self.state.step, self.rate, 0.0)
        self._finish()
        self.state.step += 1
        return time.perf_counter() - began, time.process_time() - worked

    def _finish(self) -> None:
        if self.device.type == "cuda":
            torch.cuda.synchronize()


SPEC = {
    "model": {"preset": "fashion-mnist-uvit-tiny", "pretrained": {"uri": "file:///none.safetensors"}},
    "dataset": {"format": "fashion-mnist", "uri": "file:///none"},
    "output": {"uri": "file:///none"},
}
"""Only its recipe is read, which is the default one."""


def measure_time(
    config: UViTConfig, batch: int, steps: int, compiled: bool, tick: Callable[[], None]
) -> dict[str, float]:
    """Medians of the two sides and of the ratios of neighbours, step by step in turns; who goes first changes
    each time."""
    sides = {kind: Side(kind, config, batch, compiled) for kind in KINDS}
    steps_of: dict[str, list[tuple[float, float]]] = {kind: [] for kind in KINDS}
    for number in range(WARM_UP + steps):
        for kind in list(KINDS) if number % 2 else list(reversed(KINDS)):
            took = sides[kind].step()
            if number >= WARM_UP:
                steps_of[kind].append(took)
            tick()
    (dense, dense_cpu), (masked, masked_cpu) = (list(zip(*steps_of[kind], strict=True)) for kind in KINDS)
    return {
        "dense_s": round(statistics.median(dense), 5),
        "masked_s": round(statistics.median(masked), 5),
        "ratio": _ratio(masked, dense),
        "cpu_ratio": _ratio(masked_cpu, dense_cpu),
    }


def _ratio(masked: Sequence[float], dense: Sequence[float]) -> float:
    return round(statistics.median(m / d for m, d in zip(masked, dense, strict=True)), 3)


def resident_bytes(field: str) -> int:
    """VmRSS (now) or VmHWM (the most so far) of this process."""
    line = next(s for s in Path("/proc/self/status").read_text().splitlines() if s.startswith(f"{field}:"))
    return int(line.split()[1]) * 1024


def peak_memory(kind: str, config: UViTConfig, batch: int, compiled: bool) -> int:
    """Bytes that training takes at its peak, above what is taken before: of the GPU, else of this process."""
    gpu = pick_device().type == "cuda"
    gc.collect()
    if gpu:
        torch.cuda.reset_peak_memory_stats()
    before = torch.cuda.memory_allocated() if gpu else resident_bytes("VmRSS")
    side = Side(kind, config, batch, compiled)
    for _ in range(WARM_UP):
        side.step()
    return (torch.cuda.max_memory_allocated() if gpu else resident_bytes("VmHWM")) - before


def memory_in_a_process(kind: str, model: str, batch: int, compiled: bool) -> int:
    command = [sys.executable, __file__, "--peak-memory", kind, "--models", model, "--batch", str(batch)]
    command += ["--compiled", "yes" if compiled else "no"]
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    if done.returncode:
        raise RuntimeError(f"measuring the memory of {model} ({kind}) failed:\n{done.stderr}")
    return int(done.stdout.split()[-1])


def variants(wanted: str) -> Iterator[bool]:
    """Not compiled, compiled; a missing compiler is reported."""
    if wanted != "yes":
        yield False
    if wanted == "no":
        return
    missing = compiler_missing(pick_device())
    if missing:
        print(f"torch.compile is not measured: {missing} is missing.", file=sys.stderr)
    else:
        yield True


def measure(args: argparse.Namespace) -> list[dict[str, Any]]:
    device, results = pick_device().type, []
    models = args.models or DEFAULTS[device]
    compiled_too = list(variants(args.compiled))
    rounds = len(models) * len(compiled_too) * (2 * (WARM_UP + args.steps) + 2)
    with tqdm(total=rounds, unit="step", file=sys.stderr) as bar:
        for model in models:
            batch = args.batch or BATCH[device][model]
            for compiled in compiled_too:
                bar.set_description(f"{model}{' compiled' if compiled else ''}")
                torch.compiler.reset()
                timed = measure_time(MODELS[model], batch, args.steps, compiled, bar.update)
                peaks = {}
                for kind in KINDS:
                    if device == "cuda":
                        peaks[kind] = peak_memory(kind, MODELS[model], batch, compiled)
                    else:
                        peaks[kind] = memory_in_a_process(kind, model, batch, compiled)
                    bar.update()
                memory = round(peaks["masked"] / peaks["dense"], 3)
                found = {
                    "model": model,
                    "batch": batch,
                    "compiled": compiled,
                    **timed,
                    "memory_ratio": memory,
                }
                results.append(found)
    return results


def machine() -> str:
    """Versions and hardware, in one line."""
    device = pick_device()
    if device.type == "cuda":
        where, how = torch.cuda.get_device_name(), "bf16 autocast, fused AdamW, channels last"
    else:
        where, how = f"{torch.get_num_threads()} threads of {_processor()}", "fp32"
    return f"torch {torch.__version__}, Python {platform.python_version()}, {where}, {how}"


def _processor() -> str:
    lines = Path("/proc/cpuinfo").read_text().splitlines()
    names = (line.split(":", 1)[1].strip() for line in lines if line.startswith("model name"))
    return next(names, platform.machine())


def show(results: list[dict[str, Any]]) -> str:
    rows = [
        [
            f"{r['model']}{', compiled' if r['compiled'] else ''}",
            str(r["batch"]),
            *(f"{r[name]:.4f} s" for name in ("dense_s", "masked_s")),
            *(f"{r[name]:.3f}" for name in ("ratio", "cpu_ratio", "memory_ratio")),
        ]
        for r in results
    ]
    return table(["model", "batch", "dense step", "masked step", "ratio", "CPU time", "memory"], rows)


def parse(argv: list[str] | None = None) -> argparse.Namespace:
    parser = argparse.ArgumentParser(
        prog="npm run bench:trainer --", description="What a mask costs in training."
    )
    parser.add_argument(
        "--models", nargs="+", choices=MODELS, help="default: tiny S/2 M/4; on a GPU S/2 M/4 L/2 H/2"
    )
    parser.add_argument("--batch", type=_positive, help="images in a step; default: by model and device")
    parser.add_argument(
        "--steps", type=_positive, default=10, help="measured steps of each side (default 10)"
    )
    parser.add_argument("--compiled", choices=("no", "yes", "both"), default="both", help="torch.compile")
    parser.add_argument(
        "--peak-memory", choices=KINDS, help="print the peak memory of one side in bytes, no more"
    )
    return parser.parse_args(argv)


def _positive(text: str) -> int:
    value = int(text)
    if value < 1:
        raise argparse.ArgumentTypeError(f"write a whole number from 1 on, not {text}.")
    return value


def main() -> int:
    args = parse()
    limit_threads()
    if args.peak_memory:
        print(peak_memory(args.peak_memory, MODELS[args.models[0]], args.batch, args.compiled == "yes"))
        return 0
    results = measure(args)
    print(f"\n{machine()}\n\n{show(results)}\n")
    print(json.dumps(results))
    return 0


if __name__ == "__main__":
    sys.exit(main())
