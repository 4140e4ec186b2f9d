"""`dataset.format: generated`: the dense model draws the training set (SparseDM's framework figure).

Drawn once, kept in the output directory, so that a resumed run trains on the same images. Without guidance,
because the student is to learn the distribution that the dense model has, not the one that guidance
sharpens.
"""

from __future__ import annotations

import time
from pathlib import Path

import numpy as np
import torch
from safetensors.torch import load_file, save
from torch import nn

from sparsedm.data import ArrayDataset
from sparsedm.data.images import to_uint8
from sparsedm.diffusion.samplers import IMAGE_CHANNELS, sample
from sparsedm.errors import InputError
from sparsedm.files import write_atomically
from sparsedm.measure.evaluator import SAMPLE_BATCH, image_seeds
from sparsedm.models import CLASSES, config_of
from sparsedm.runtime.progress import RunProgress
from sparsedm.runtime.stop import StopSignal
from sparsedm.training.config import TrainConfig

FILE = "generated.safetensors"
SAMPLER_STEPS = 20


def open_generated(
    dense: nn.Module,
    config: TrainConfig,
    output: Path,
    progress: RunProgress,
    stop: StopSignal,
    staging: Path | None = None,
) -> ArrayDataset:
    """`dataset.samples` images of the dense model, every class equally often."""
    model = config_of(dense)
    if model.channels not in IMAGE_CHANNELS or model.context:
        raise InputError(
            "DatasetMismatch",
            "dataset.format generated draws images by class, and the model draws latents or after texts: "
            "choose another format.",
        )
    path = output / FILE
    if not path.exists():
        write_atomically(path, save(_draw(dense, config, progress, stop)), staging)
    tensors = load_file(path)
    labels = tensors["labels"].numpy() if "labels" in tensors else None
    classes = CLASSES.get(config.model.preset or "") or None
    return ArrayDataset(tensors["images"].numpy(), labels, classes)


def _draw(
    dense: nn.Module, config: TrainConfig, progress: RunProgress, stop: StopSignal
) -> dict[str, torch.Tensor]:
    count, model = config.dataset.samples, config_of(dense)
    seeds = image_seeds(config.training.seed, 1, count)
    labels = torch.arange(count) % model.num_classes if model.num_classes else None
    device = next(dense.parameters()).device
    progress.evaluation.planned += count * SAMPLER_STEPS
    progress.enter("generating")
    images = []
    for start in range(0, count, SAMPLE_BATCH):
        began, part = time.monotonic(), slice(start, start + SAMPLE_BATCH)
        drawn = sample(
            dense,
            model,
            None if labels is None else labels[part],
            seeds[part],
            steps=SAMPLER_STEPS,
            device=device,
        )
        images.append(to_uint8(drawn).numpy())
        progress.evaluation.add(len(drawn) * SAMPLER_STEPS, time.monotonic() - began)
        progress.update()
        stop.check("the generated data set is not complete, and a retry begins it anew.")
    tensors = {"images": torch.from_numpy(np.concatenate(images))}
    return tensors if labels is None else {**tensors, "labels": labels}
