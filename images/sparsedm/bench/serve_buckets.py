"""What the size of a batch changes: its time, and the images, by the server's own engine and the model that
ships in the package.

For each precision and bucket, the first image of a batch of that size is compared with the same one drawn
alone: the largest difference of a pixel (of 255) and the structural similarity (SSIM, 1 for equal images),
the worst over several seeds. The last line is JSON: a list of {device, precision, images, batch_s, image_s,
pixel, ssim}.
"""

from __future__ import annotations

import argparse
import json
import statistics
import sys
from typing import Any

import numpy as np
import torch
from safetensors.torch import load_file
from torch.nn import functional as F
from tqdm import tqdm
from train_step import machine

from sparsedm.models import PRESETS, WEIGHTS_DIR, build_model
from sparsedm.runtime.device import limit_threads, pick_device
from sparsedm.serve.config import EngineSpec
from sparsedm.serve.engine import Engine
from sparsedm.training.describe import table

MODEL = "fashion-mnist-uvit-tiny"
MEASUREMENTS = 3


def engine_of(precision: str, largest: int) -> Engine:
    model = build_model(PRESETS[MODEL])
    model.load_state_dict(load_file(WEIGHTS_DIR / f"{MODEL}.safetensors"))
    manifest = {"pattern": "2:4", "layers": [], "classes": None}
    return Engine(model, manifest, EngineSpec(precision=precision, max_batch_size=largest), pick_device())


def ssim(one: np.ndarray, other: np.ndarray) -> float:
    """Mean structural similarity of two (H, W, C) uint8 images: Wang et al., IEEE TIP 13(4), 2004, with its
    Gaussian window of 11 pixels and deviation 1.5."""
    window = torch.exp(-((torch.arange(11.0, dtype=torch.float64) - 5) ** 2) / (2 * 1.5**2))
    kernel = torch.outer(window, window)[None, None] / window.sum() ** 2
    x, y = (torch.from_numpy(i).permute(2, 0, 1)[:, None].double() for i in (one, other))

    def mean(values: torch.Tensor) -> torch.Tensor:
        return F.conv2d(values, kernel)

    mx, my, c1, c2 = mean(x), mean(y), (0.01 * 255) ** 2, (0.03 * 255) ** 2
    vx, vy, both = mean(x * x) - mx * mx, mean(y * y) - my * my, mean(x * y) - mx * my
    similar = (2 * mx * my + c1) * (2 * both + c2) / ((mx * mx + my * my + c1) * (vx + vy + c2))
    return float(similar.mean())


def measure(engine: Engine, images: int, seeds: int) -> dict[str, Any]:
    pairs = []
    for seed in range(seeds):
        alone = engine.draw([seed % 10], [seed])[0]
        labels = [seed % 10, *((seed + i) % 10 for i in range(1, images))]
        batch = engine.draw(labels, [seed, *range(1000, 999 + images)])
        assert isinstance(alone, np.ndarray)
        assert isinstance(batch[0], np.ndarray)
        pairs.append((alone, batch[0]))
    seconds = statistics.median(engine._batch(images) for _ in range(MEASUREMENTS))
    return {
        "device": engine.device.type,
        "precision": engine.precision,
        "images": images,
        "batch_s": round(seconds, 4),
        "image_s": round(seconds / images, 4),
        "pixel": max(int(np.abs(one.astype(int) - other).max()) for one, other in pairs),
        "ssim": min(ssim(one, other) for one, other in pairs),
    }


def main() -> int:
    parser = argparse.ArgumentParser(
        prog="npm run bench:server -- buckets", description="What the size of a batch changes."
    )
    parser.add_argument("--precisions", nargs="+", default=["fp32", "bf16"], choices=["fp32", "bf16", "fp16"])
    parser.add_argument("--largest", type=int, default=8, help="images in the largest batch (default 8)")
    parser.add_argument("--seeds", type=int, default=4, help="images compared (default 4)")
    args = parser.parse_args()
    limit_threads()
    engines = [engine_of(precision, args.largest) for precision in args.precisions]
    runs = [(engine, images) for engine in engines for images in engine.spec.buckets]
    results = [measure(*run, args.seeds) for run in tqdm(runs, unit="bucket", file=sys.stderr)]
    head = ["precision", "images", "batch", "an image", "largest difference", "least SSIM"]
    rows = [
        [
            r["precision"], str(r["images"]), f"{r['batch_s']:.3f} s", f"{r['image_s']:.3f} s",
            str(r["pixel"]), f"{r['ssim']:.6f}",
        ]
        for r in results
    ]  # fmt: skip
    print(f"\n{machine()}\n\n{table(head, rows)}\n")
    print(json.dumps(results))
    return 0


if __name__ == "__main__":
    sys.exit(main())
