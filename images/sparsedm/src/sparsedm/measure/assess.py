"""Quality of a dense model's samples: distance to the data, and share whose class is recognised."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import torch
from torch import nn

from sparsedm.diffusion.samplers import sample
from sparsedm.measure.extractor import FeatureExtractor
from sparsedm.measure.frechet import FrechetStats, frechet_distance
from sparsedm.models import config_of

BATCH = 64


def assess(
    model: nn.Module,
    extractor: FeatureExtractor,
    reference: FrechetStats,
    classes: list[str],
    per_class: int,
    steps: int = 20,
    guidance: float = 0.5,
    sampler: str = "dpm-solver++",
    seed: int = 0,
    progress: Callable[[int, int], None] | None = None,
) -> dict[str, Any]:
    """Draws `per_class` images of each class with consecutive seeds and measures them.

    Returns the distance with everything that it depends on, and the share of images (overall and by class)
    that the extractor's classifier assigns to the requested class. progress: (images done, in all).
    """
    labels, device = torch.arange(len(classes)).repeat(per_class), next(model.parameters()).device
    right = torch.zeros(len(classes))
    stats = FrechetStats()
    for start in range(0, len(labels), BATCH):
        y = labels[start : start + BATCH]
        seeds = range(seed + start, seed + start + len(y))
        images = sample(
            model, config_of(model), y, seeds, steps=steps, guidance=guidance, sampler=sampler, device=device
        )
        stats.update(extractor(images))
        right += torch.bincount(y[extractor.classify(images) == y], minlength=len(classes))
        if progress is not None:
            progress(stats.n, len(labels))
    return {
        "metric": extractor.metric,
        "extractorDigest": extractor.digest,
        "distance": round(frechet_distance(stats, reference), 3),
        "rankDeficient": stats.rank_deficient or reference.rank_deficient,
        "samples": stats.n,
        "referenceSamples": reference.n,
        "sampler": sampler,
        "steps": steps,
        "guidance": guidance,
        "seed": seed,
        "recognised": round(float(right.sum()) / len(labels), 4),
        "recognisedByClass": {
            name: round(float(share), 3) for name, share in zip(classes, right / per_class, strict=True)
        },
    }
