"""Measures dense and sparse in one way: same seeds, labels, sampler and number of samples, one set of
statistics.

The figure is a Frechet distance over the features of a named extractor to the training images, and bears
that name (`fd-NAME`); it is an FID only when the extractor is the standard Inception network. Images are
drawn as bytes before they are measured, as the reference images are.

`sparsedm evaluate --model DIR` measures an artifact again, and with `--dense FILE` the dense model beside it.
"""

from __future__ import annotations

import argparse
import hashlib
import json
import time
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import torch
from torch import Tensor, nn

from sparsedm.artifact import decimal, load_artifact
from sparsedm.config import DEFAULT_EXTRACTOR, FORMATS, SAMPLERS
from sparsedm.data import Dataset, open_dataset
from sparsedm.data.features import SCALES
from sparsedm.device import limit_threads, pick_device
from sparsedm.diffusion.samplers import sample
from sparsedm.errors import ConfigError, InputError
from sparsedm.metrics.extractor import load_extractor
from sparsedm.metrics.frechet import RELIABLE_SAMPLES, FrechetStats, frechet_distance
from sparsedm.models import ModelConfig, build_model, config_of, load_weights
from sparsedm.models.autoencoder import Autoencoder
from sparsedm.progress import Console, format_duration
from sparsedm.uris import resolve_uri

SAMPLE_BATCH = 100
REFERENCE_BATCH = 1000

OnWork = Callable[[int], None]
"""Called with the number of images that went through the network once more."""


@dataclass(frozen=True)
class Plan:
    """How many images are drawn, and how. `guidance` is 0 for a model without classes."""

    samples: int
    steps: int
    guidance: float
    sampler: str
    seed: int

    def passes(self) -> int:
        """Forward passes of one image that measuring one model takes."""
        return self.samples * self.steps * (2 if self.guidance else 1)

    def seeds(self) -> list[int]:
        return image_seeds(self.seed, 0, self.samples)

    def labels(self, config: ModelConfig) -> Tensor | None:
        """Every class equally often, in turn."""
        return torch.arange(self.samples) % config.num_classes if config.num_classes else None


def image_seeds(run_seed: int, stream: int, count: int) -> list[int]:
    """One seed per image; other run seeds and the other stream (0 evaluation, 1 generated data) share none
    of them.

    torch's CPU generator takes 32 bits of a seed. Consecutive seeds from a multiple of 2^32 / golden ratio
    lie as far from those of other runs as can be.
    """
    first = (2 * run_seed + stream) * 2_654_435_769
    return [(first + i) % 2**32 for i in range(count)]


def guidance_for(config: ModelConfig, wanted: float | None) -> float:
    """Guidance needs a label or text that stands for none: 0 without one, else what is wanted, by default
    0.5."""
    if not config.guidable:
        return 0.0
    return 0.5 if wanted is None else wanted


class Evaluator:
    """Holds the extractor and the reference statistics, and measures any number of models against them."""

    def __init__(
        self,
        config: ModelConfig,
        plan: Plan,
        extractor_path: Path,
        device: torch.device,
        decode: Callable[[Tensor], Tensor] = lambda pictures: pictures,
    ) -> None:
        """`decode` makes pictures of what the model draws; latents need one."""
        self.config = config
        self.decode = decode
        self.plan = plan
        self.device = device
        self.extractor, self.extractor_name, self.extractor_digest = load_extractor(extractor_path)
        self.reference: FrechetStats | None = None
        self.dataset: Dataset | None = None
        self._check_extractor()

    def _check_extractor(self) -> None:
        """Before anything is trained: an extractor for other pictures would fail only after the training."""
        config = self.config
        blank = self.decode(torch.zeros(1, config.channels, config.image_size, config.image_size))
        try:
            self.extractor(blank)
        except RuntimeError as error:
            _, channels, height, width = blank.shape
            raise InputError(
                "ExtractorMismatch",
                f"The extractor {self.extractor_name} takes other pictures than those that are drawn, of "
                f"{width}x{height} and {channels} channels: choose another evaluation.extractorUri.",
            ) from error

    def set_reference(
        self, dataset: Dataset, cache: Path | None = None, on_images: OnWork = lambda images: None
    ) -> None:
        """Statistics of all images of `dataset`: from the npz `cache` where it exists, else kept there.

        A model with text draws after the data set's texts.
        """
        self.dataset = dataset
        if cache is not None and cache.exists():
            self.reference = FrechetStats.load(cache, self.extractor_digest)
            return
        stats = FrechetStats()
        for start in range(0, len(dataset), REFERENCE_BATCH):
            images, _ = dataset.batch(np.arange(start, min(start + REFERENCE_BATCH, len(dataset))))
            stats.update(self.extractor(self.decode(images)))
            on_images(len(images))
        if cache is not None:
            stats.save(cache, self.extractor_digest)
        self.reference = stats

    def measure(self, model: nn.Module, on_work: OnWork, keep: int = 0) -> tuple[float, Tensor]:
        """The distance of `model` and its first `keep` images, (keep, C, H, W) in [-1, 1]."""
        if self.reference is None:
            raise ValueError("set_reference comes first.")
        seeds = self.plan.seeds()
        stats, kept = FrechetStats(), []
        model.eval()
        for start in range(0, self.plan.samples, SAMPLE_BATCH):
            part = slice(start, start + SAMPLE_BATCH)
            images = self._draw(model, seeds[part], self._conditions(part), on_work)
            stats.update(self.extractor(images))
            kept.append(images[: max(0, keep - start)])
        return frechet_distance(stats, self.reference), torch.cat(kept)

    def _conditions(self, part: slice) -> Tensor | None:
        """Labels, every class in turn, or the data set's texts in its order; None without either."""
        if self.config.context and self.dataset is not None:
            numbers = np.arange(part.start, min(part.stop, self.plan.samples)) % len(self.dataset)
            return self.dataset.batch(numbers)[1]
        labels = self.plan.labels(self.config)
        return None if labels is None else labels[part]

    def _draw(self, model: nn.Module, seeds: list[int], labels: Tensor | None, on_work: OnWork) -> Tensor:
        plan = self.plan
        passes = len(seeds) * (2 if plan.guidance else 1)
        drawn = sample(
            model,
            self.config,
            labels,
            seeds,
            steps=plan.steps,
            guidance=plan.guidance,
            sampler=plan.sampler,
            progress=lambda done, total: on_work(passes),
            device=self.device,
            nothing=None if self.dataset is None else self.dataset.nothing,
        )
        return self.decode(drawn)

    def figures(self, dense: float | None, sparse: float) -> dict[str, Any]:
        """As in `status.fid`, with everything that a Frechet distance depends on beside it."""
        if self.reference is None:
            raise ValueError("set_reference comes first.")
        figures = {
            "metric": f"fd-{self.extractor_name}",
            "samples": self.plan.samples,
            "sparse": decimal(sparse, 2),
            "referenceDigest": statistics_digest(self.reference),
            "extractorDigest": self.extractor_digest,
            "seed": self.plan.seed,
            "sampler": self.plan.sampler,
            "steps": self.plan.steps,
            "guidance": decimal(self.plan.guidance),
            "rankDeficient": self.plan.samples < max(RELIABLE_SAMPLES, self.reference.dims + 1),
        }
        if dense is not None:
            figures |= {"dense": decimal(dense, 2), "increase": decimal(sparse - dense, 2)}
        return figures


def statistics_digest(stats: FrechetStats) -> str:
    digest = hashlib.sha256()
    for array in (stats.mean, stats.cov):
        digest.update(np.ascontiguousarray(np.asarray(array, dtype=np.float64)).tobytes())
    return f"sha256:{digest.hexdigest()}"


def add_arguments(parser: argparse.ArgumentParser) -> None:
    parser.add_argument(
        "--model", required=True, metavar="DIR", help="artifact directory, as training wrote it"
    )
    parser.add_argument("--dense", metavar="FILE", help="dense weights (.safetensors) to measure beside it")
    parser.add_argument(
        "--data", required=True, metavar="DIR", help="data set whose training images are the reference"
    )
    parser.add_argument("--format", default="fashion-mnist", choices=[f for f in FORMATS if f != "generated"])
    parser.add_argument("--autoencoder", metavar="DIR", type=Path, help="makes pictures of latents")
    parser.add_argument("--extractor", metavar="FILE", default=None, help="default: the one that ships")
    parser.add_argument("--samples", type=int, default=500)
    parser.add_argument("--steps", type=int, default=20, help="sampler steps (default 20)")
    parser.add_argument("--guidance", type=float, default=None, help="default 0.5 for a model with classes")
    parser.add_argument("--sampler", default=SAMPLERS[0], choices=SAMPLERS)
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--json", action="store_true", help="print one JSON object instead of a table")


def run(args: argparse.Namespace) -> int:
    figures = _evaluate(args)
    rows = (f"{key:<16} {value}" for key, value in figures.items())
    print(json.dumps(figures) if args.json else "\n".join(rows))
    return 0


def _evaluate(args: argparse.Namespace) -> dict[str, Any]:
    limit_threads()
    device = pick_device()
    model, _ = load_artifact(args.model)
    config = config_of(model)
    if args.samples < 2:
        raise InputError("TooFewSamples", f"--samples must be at least 2, not {args.samples}.")
    plan = Plan(args.samples, args.steps, guidance_for(config, args.guidance), args.sampler, args.seed)
    extractor = Path(args.extractor) if args.extractor else resolve_uri(DEFAULT_EXTRACTOR)
    decode = {}
    if args.autoencoder and args.format in SCALES:
        decode = {"decode": Autoencoder(args.autoencoder, SCALES[args.format], device)}
    elif args.format in SCALES:
        raise ConfigError([f"--autoencoder is required with --format {args.format}."])
    evaluator = Evaluator(config, plan, extractor, device, **decode)
    evaluator.set_reference(open_dataset(args.format, args.data, config.image_size, config.channels))
    dense_distance = None
    if args.dense:
        dense = build_model(config)
        load_weights(dense, args.dense)
        dense_distance, _ = evaluator.measure(dense.to(device), _Counter("dense", plan, args.json))
    distance, _ = evaluator.measure(model.to(device), _Counter("sparse", plan, args.json))
    return evaluator.figures(dense_distance, distance)


class _Counter:
    """Shows how far one model is; silent with --json."""

    def __init__(self, phase: str, plan: Plan, silent: bool) -> None:
        self._began = time.monotonic()
        self._phase, self._done, self._all = phase, 0, plan.passes()
        self._console = None if silent else Console()

    def __call__(self, passes: int) -> None:
        self._done += passes
        if self._console is None:
            return
        percent = 100 * self._done // self._all
        left = (time.monotonic() - self._began) * (self._all - self._done) / self._done
        progress = {
            "phase": self._phase, "percent": percent, "display": f"{percent}%", "step": self._done,
            "totalSteps": self._all, "eta": format_duration(left),
        }  # fmt: skip
        self._console.show(progress, force=self._done >= self._all)
        if self._done >= self._all:
            self._console.close()
