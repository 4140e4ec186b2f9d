"""What CUDA graphs and cuSPARSELt gain a server: seconds of one batch of images, by the server's own engine.

Four ways: the dense network called step by step, played from a recording, compiled by torch.compile and
played from a recording, and the recording with 2:4 sparse products wherever they measured faster. Weights are
random and masked 2:4; time does not depend on what they are. The last line is JSON: a list of {model, batch,
rows, steps, called_s, recorded_s, compiled_s, sparse_s, sparse_layers, layers, recording_gain, sparse_gain,
sparse_gain_over_compiled, images_per_second}. The gains of sparse products are null where no layer is sparse:
what would stand there is the spread of the measurement. `compiled_s` is null with `--compiled no`, or where
there is no compiler. On a CPU nothing is recorded, and nothing is sparse.
"""

from __future__ import annotations

import argparse
import json
import statistics
import sys
from typing import Any

import torch
from tqdm import tqdm
from train_step import MODELS, machine

from sparsedm.models import build_model
from sparsedm.runtime.compiling import compiled, compiler_missing
from sparsedm.runtime.device import limit_threads, pick_device
from sparsedm.serve.config import EngineSpec
from sparsedm.serve.engine import Engine
from sparsedm.serve.recording import Recorded
from sparsedm.sparsity.layers import bake_masks, masks_for, select_layers
from sparsedm.sparsity.pattern import Pattern
from sparsedm.training.describe import table

PATTERN = Pattern(2, 4)
MEASUREMENTS = 3
BATCHES = {"cpu": (4,), "cuda": (1, 8, 64)}
DEFAULTS = {"cpu": ("tiny",), "cuda": ("tiny", "S/2", "M/4", "L/2", "H/2")}


def engine_of(model: str, batch: int, steps: int, backend: str) -> Engine:
    """A server's engine with random sparse weights."""
    device = pick_device()
    with device:
        torch.manual_seed(0)
        network = build_model(MODELS[model])
    names = select_layers(network, PATTERN).selected
    weights = network.state_dict()
    network.load_state_dict(bake_masks(weights, masks_for(weights, names, PATTERN)))
    manifest = {"pattern": str(PATTERN), "layers": [{"name": name} for name in names], "classes": None}
    precision = "bf16" if device.type == "cuda" else "fp32"
    spec = EngineSpec(steps=steps, max_batch_size=batch, precision=precision, backend=backend)
    return Engine(network, manifest, spec, device)


def seconds(engine: Engine) -> float:
    """Median time of a batch."""
    engine.warm_up()
    return statistics.median(engine._batch() for _ in range(MEASUREMENTS))


def seconds_compiled(model: str, batch: int, steps: int) -> float | None:
    """Of the dense network under torch.compile; None without a compiler."""
    engine = engine_of(model, batch, steps, "dense")
    if compiler_missing(engine.device) is not None:
        return None
    engine._recorded = Recorded(compiled(engine._model, engine.device))
    return seconds(engine)


def gain(dense: float | None, sparse: float, sparse_layers: int) -> float | None:
    """None where it would be the measurement's spread."""
    return None if dense is None or sparse_layers == 0 else round(dense / sparse, 3)


def measure(model: str, batch: int, steps: int, with_compiled: bool) -> dict[str, Any]:
    dense = engine_of(model, batch, steps, "dense")
    dense._recorded.possible = False
    called = seconds(dense)
    recorded = seconds(engine_of(model, batch, steps, "dense"))
    by_compiler = seconds_compiled(model, batch, steps) if with_compiled else None
    engine = engine_of(model, batch, steps, "auto")
    sparse, status = seconds(engine), engine.status()
    return {
        "model": model,
        "batch": batch,
        "rows": engine.rows,
        "steps": steps,
        "called_s": round(called, 5),
        "recorded_s": round(recorded, 5),
        "compiled_s": None if by_compiler is None else round(by_compiler, 5),
        "sparse_s": round(sparse, 5),
        "sparse_layers": status["sparseLayers"],
        "layers": status["totalLayers"],
        "recording_gain": round(called / recorded, 3),
        "sparse_gain": gain(recorded, sparse, status["sparseLayers"]),
        "sparse_gain_over_compiled": gain(by_compiler, sparse, status["sparseLayers"]),
        "images_per_second": round(batch / sparse, 1),
    }


def show(results: list[dict[str, Any]]) -> str:
    rows = [
        [
            r["model"],
            str(r["batch"]),
            *(_number(r[name], ".4f", " s") for name in ("called_s", "recorded_s", "compiled_s", "sparse_s")),
            _number(r["recording_gain"], ".2f"),
            _number(r["sparse_gain"], ".2f"),
            _number(r["sparse_gain_over_compiled"], ".2f"),
            f"{r['sparse_layers']} of {r['layers']}",
            f"{r['images_per_second']:.1f}",
        ]
        for r in results
    ]
    head = [
        "model", "batch", "called", "recorded", "compiled", "sparse", "gain", "sparse gain", "over compiled",
        "layers", "images/s",
    ]  # fmt: skip
    return table(head, rows)


def _number(value: float | None, digits: str, unit: str = "") -> str:
    return "-" if value is None else f"{value:{digits}}{unit}"


def main() -> int:
    device = pick_device().type
    parser = argparse.ArgumentParser(
        prog="npm run bench:server --", description="What recording and 2:4 sparse products bring a server."
    )
    parser.add_argument("--models", nargs="+", choices=MODELS, default=DEFAULTS[device])
    parser.add_argument("--batch", nargs="+", type=int, default=BATCHES[device], help="images at a time")
    parser.add_argument("--steps", type=int, default=20, help="of the sampler (default 20)")
    parser.add_argument(
        "--compiled", choices=("yes", "no"), default="yes", help="measure the dense network compiled, too"
    )
    args = parser.parse_args()
    limit_threads()
    pairs = [(model, batch) for model in args.models for batch in args.batch]
    results = [
        measure(*pair, args.steps, args.compiled == "yes")
        for pair in tqdm(pairs, unit="batch", file=sys.stderr)
    ]
    print(f"\n{machine()}\n\n{show(results)}\n")
    print(json.dumps(results))
    return 0


if __name__ == "__main__":
    sys.exit(main())
