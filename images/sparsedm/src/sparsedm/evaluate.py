"""Measures dense and sparse in one way: same seeds, labels, sampler and number of samples, one set of
statistics.

The figure is a Frechet distance over the features of a named extractor to the training images, and bears
that name (`fd-NAME`); it is an FID only when the extractor is the standard Inception network. Images are
drawn as bytes before they are measured, as the reference images are. Precision, recall and KID come from the
same features, where those of the reference are known.

`sparsedm evaluate --model DIR` measures an artifact again, and with `--dense FILE` the dense model beside it.
The reference is a data set (`--data`), or statistics in an npz (`--reference`).
"""

from __future__ import annotations

import argparse
import hashlib
import json
import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import torch
from torch import Tensor, nn
from torch.utils.flop_counter import FlopCounterMode

from sparsedm.artifact import decimal, load_artifact
from sparsedm.config import DEFAULT_EXTRACTOR, FORMATS, METRICS, SAMPLERS
from sparsedm.data import Dataset, open_dataset
from sparsedm.data.features import SCALES
from sparsedm.device import limit_threads, pick_device
from sparsedm.diffusion.samplers import sample
from sparsedm.errors import ConfigError, InputError
from sparsedm.metrics.extractor import load_extractor
from sparsedm.metrics.frechet import FrechetStats, frechet_distance
from sparsedm.metrics.inception import STANDARD_SHA256, WEIGHTS_NAME
from sparsedm.metrics.kernel_distance import KernelDistance, kernel_distance
from sparsedm.metrics.precision_recall import NEIGHBOURS, Manifold
from sparsedm.metrics.reference import FeatureSample, Reference
from sparsedm.models import ModelConfig, build_model, config_of, load_weights
from sparsedm.models.autoencoder import Autoencoder
from sparsedm.progress import Console, format_duration
from sparsedm.uris import resolve_uri
from sparsedm.world import ALONE, World

SAMPLE_BATCH = 100
REFERENCE_BATCH = 1000

OnWork = Callable[[int], None]
"""Called with the number of further forward passes, in images."""


@dataclass(frozen=True)
class Plan:
    """Number of samples and how they are drawn. `guidance` is 0 for a model without classes."""

    samples: int
    steps: int
    guidance: float
    sampler: str
    seed: int

    def passes(self) -> int:
        """Forward passes of one image that measuring one model takes."""
        return self.samples * self.steps * self.passes_of_a_step

    @property
    def passes_of_a_step(self) -> int:
        """Of one image, in one step of the sampler."""
        return 2 if self.guidance else 1

    def seeds(self, choosing: bool = False) -> list[int]:
        """Seeds of the samples, or of other ones for the choice of a checkpoint, so that it can't bias the
        figures."""
        seeds = image_seeds(self.seed, 0, 2 * self.samples)
        return seeds[self.samples :] if choosing else seeds[: self.samples]

    def labels(self, config: ModelConfig) -> Tensor | None:
        """Every class equally often, in turn."""
        return torch.arange(self.samples) % config.num_classes if config.num_classes else None


@dataclass(frozen=True)
class Measurement:
    """Of one model: the distance, the first images that it drew, (keep, C, H, W) in [-1, 1], and the features
    of some, (n, dims)."""

    distance: float
    images: Tensor
    features: Tensor


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
        metric: str | None = None,
    ) -> None:
        """`decode` makes images of what the model draws; latents need one. `metric` "fid" takes no other
        extractor than the standard Inception network."""
        self.config = config
        self.decode = decode
        self.plan = plan
        self.device = device
        self.extractor, self.extractor_name, self.extractor_digest = load_extractor(extractor_path, device)
        self.reference: Reference | None = None
        self.dataset: Dataset | None = None
        if metric == "fid" and self.extractor.metric != "FID":
            raise InputError(
                "ExtractorMismatch",
                f"The metric fid needs {WEIGHTS_NAME} with sha256 {STANDARD_SHA256}, and {extractor_path} "
                f"has {self.extractor_digest}: name that file as the extractor, or ask for no fid.",
            )
        self._check_extractor()

    def _check_extractor(self) -> None:
        """Checked before the training, after which an extractor for other images would fail."""
        config = self.config
        blank = self.decode(torch.zeros(1, config.channels, config.image_size, config.image_size))
        try:
            with FlopCounterMode(display=False) as counter:
                self.extractor(blank)
        except RuntimeError as error:
            _, channels, height, width = blank.shape
            raise InputError(
                "ExtractorMismatch",
                f"The extractor {self.extractor_name} takes other images than those that are drawn, of "
                f"{width}x{height} and {channels} channels: choose another evaluation.extractorUri.",
            ) from error
        self.extractor_macs = counter.get_total_flops() // 2

    def set_reference(
        self,
        dataset: Dataset,
        cache: Path | None = None,
        on_images: OnWork = lambda images: None,
        staging: Path | None = None,
    ) -> None:
        """All images of `dataset`, and features of some: from the npz `cache` if it exists, else kept there
        (`staging` as in write_atomically).

        A model with text draws after the data set's texts.
        """
        self.dataset = dataset
        if cache is not None and cache.exists():
            self.load_reference(cache)
            return
        stats, sample = FrechetStats(), FeatureSample(len(dataset))
        for start in range(0, len(dataset), REFERENCE_BATCH):
            images, _ = dataset.batch(np.arange(start, min(start + REFERENCE_BATCH, len(dataset))))
            features = self.extractor(self.decode(images))
            stats.update(features)
            sample.update(features)
            on_images(len(images))
        self.reference = Reference(stats, sample.features())
        if cache is not None:
            self.save_reference(cache, staging)

    def save_reference(self, path: Path, staging: Path | None = None) -> None:
        """Writes what load_reference reads."""
        if self.reference is None:
            raise ValueError("set_reference comes first.")
        self.reference.save(path, self.extractor_digest, staging)

    def load_reference(self, path: Path) -> None:
        """From an npz. A model with text draws after the texts of `dataset`, which is then needed too."""
        self.reference = Reference.load(path, self.extractor_digest, self.extractor.dims)

    def measure(
        self,
        model: nn.Module,
        on_work: OnWork,
        keep: int = 0,
        world: World = ALONE,
        choosing: bool = False,
    ) -> Measurement:
        """The processes of `world` take turns to draw a batch. The distance is broadcast to all; only rank 0
        needs the reference, and only its Measurement has images and features. `on_work` gets the work of
        all processes; `choosing` as in Plan."""
        if world.leads and self.reference is None:
            raise ValueError("set_reference comes first.")
        stats, sample, kept = FrechetStats(), FeatureSample(self.plan.samples), []
        seeds = self.plan.seeds(choosing)
        model.eval()
        for first in range(0, self.plan.samples, SAMPLE_BATCH * world.size):
            at_once = min(SAMPLE_BATCH * world.size, self.plan.samples - first)
            passes = at_once * self.plan.passes_of_a_step
            start = first + SAMPLE_BATCH * world.rank
            own = self._draw(model, seeds, start, passes, on_work)
            found = self.extractor(own) if len(own) else None
            for features, images in world.gathered((found, own[: max(0, keep - start)])):
                if features is not None:
                    stats.update(features)
                    sample.update(features)
                    kept.append(images)
        if not world.leads or self.reference is None:
            return Measurement(world.told(0.0), torch.empty(0), torch.empty(0))
        distance = world.told(frechet_distance(stats, self.reference.stats))
        return Measurement(distance, torch.cat(kept), sample.features())

    def _conditions(self, part: slice) -> Tensor | None:
        """Labels, every class in turn, or the data set's texts in its order; None without either."""
        if self.config.context and self.dataset is not None:
            numbers = np.arange(part.start, min(part.stop, self.plan.samples)) % len(self.dataset)
            return self.dataset.batch(numbers)[1]
        labels = self.plan.labels(self.config)
        return None if labels is None else labels[part]

    def _draw(self, model: nn.Module, seeds: list[int], start: int, passes: int, on_work: OnWork) -> Tensor:
        """The batch of images from `start` on, empty after the last of `seeds`. `on_work` gets `passes` at
        each step of the sampler."""
        plan, part = self.plan, slice(start, start + SAMPLE_BATCH)
        if start >= len(seeds):
            return torch.empty(0)
        drawn = sample(
            model,
            self.config,
            self._conditions(part),
            seeds[part],
            steps=plan.steps,
            guidance=plan.guidance,
            sampler=plan.sampler,
            progress=lambda done, total: on_work(passes),
            device=self.device,
            nothing=None if self.dataset is None else self.dataset.nothing,
        )
        return self.decode(drawn)

    def figures(self, dense: float | None, sparse: float, weights: str) -> dict[str, Any]:
        """As in `status.fid`, with everything that a Frechet distance depends on beside it; `weights` says
        which of a training's weights the sparse ones are."""
        if self.reference is None:
            raise ValueError("set_reference comes first.")
        figures = {
            "metric": self.extractor.metric,
            "samples": self.plan.samples,
            "sparse": decimal(sparse, 2),
            "referenceDigest": statistics_digest(self.reference.stats),
            "extractorDigest": self.extractor_digest,
            "preprocessing": self.extractor.preprocessing,
            "seed": self.plan.seed,
            "sampler": self.plan.sampler,
            "steps": self.plan.steps,
            "guidance": decimal(self.plan.guidance),
            "weights": weights,
            "rankDeficient": self.plan.samples <= self.reference.stats.dims,
        }
        if dense is not None:
            figures |= {"dense": decimal(dense, 2), "increase": decimal(sparse - dense, 2)}
        return figures

    def quality(self, measured: Mapping[str, Measurement]) -> dict[str, Any]:
        """Precision, recall and KID of each model by its name, with what they depend on; or `absent`, a
        sentence that says why there are none."""
        real = None if self.reference is None else self.reference.features
        if real is None:
            return {"absent": "The reference is statistics alone, without features of real images."}
        if min(len(real), self.plan.samples) <= NEIGHBOURS:
            return {"absent": f"It takes at least {NEIGHBOURS + 1} drawn and as many real images."}
        manifold = Manifold(real)
        figures = {
            name: {
                "precision": decimal(manifold.share(m.features)),
                "recall": decimal(Manifold(m.features).share(real)),
                **kernel_figures(kernel_distance(real, m.features, self.plan.seed)),
            }
            for name, m in measured.items()
        }
        return {**figures, "neighbours": NEIGHBOURS, "referenceFeatures": len(real)}


def kernel_figures(kid: KernelDistance) -> dict[str, Any]:
    """As in a manifest."""
    return {
        "kid": decimal(kid.mean, 6),
        "kidDeviation": decimal(kid.deviation, 6),
        "kidSubsets": kid.subsets,
        "kidSubsetSize": kid.subset_size,
    }


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
    parser.add_argument("--data", metavar="DIR", help="data set whose training images are the reference")
    parser.add_argument(
        "--reference",
        metavar="FILE",
        type=Path,
        help="npz with mu and sigma, the reference in place of --data",
    )
    parser.add_argument(
        "--save-reference", metavar="FILE", type=Path, help="keep the statistics of --data as such an npz"
    )
    parser.add_argument("--format", default="fashion-mnist", choices=[f for f in FORMATS if f != "generated"])
    parser.add_argument("--autoencoder", metavar="DIR", type=Path, help="makes images of latents")
    parser.add_argument(
        "--extractor", metavar="FILE", help=f"default: the one that ships; {WEIGHTS_NAME} makes it the FID"
    )
    parser.add_argument("--metric", choices=METRICS, help="fid takes no other extractor than that of the FID")
    parser.add_argument("--samples", type=int, default=500)
    parser.add_argument("--steps", type=int, default=20, help="sampler steps (default 20)")
    parser.add_argument("--guidance", type=float, default=None, help="default 0.5 for a model with classes")
    parser.add_argument("--sampler", default=SAMPLERS[0], choices=SAMPLERS)
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--json", action="store_true", help="print one JSON object instead of a table")


def run(args: argparse.Namespace) -> int:
    figures, quality = _evaluate(args)
    if args.json:
        print(json.dumps({**figures, "quality": quality}))
        return 0
    rows = list(figures.items())
    for name, value in quality.items():
        inner = value.items() if isinstance(value, Mapping) else [("", value)]
        rows += [(f"{name} {key}".strip(), entry) for key, entry in inner]
    print("\n".join(f"{key:<20} {value}" for key, value in rows))
    return 0


def _evaluate(args: argparse.Namespace) -> tuple[dict[str, Any], dict[str, Any]]:
    """Figures and quality of the artifact, and of the dense model where one is given."""
    limit_threads()
    device = pick_device()
    model, manifest = load_artifact(args.model)
    config = config_of(model)
    _check_arguments(args, config)
    plan = Plan(args.samples, args.steps, guidance_for(config, args.guidance), args.sampler, args.seed)
    extractor = Path(args.extractor) if args.extractor else resolve_uri(DEFAULT_EXTRACTOR)
    decode = {}
    if args.format in SCALES:
        decode = {"decode": Autoencoder(args.autoencoder, SCALES[args.format], device)}
    evaluator = Evaluator(config, plan, extractor, device, **decode, metric=args.metric)
    _set_reference(evaluator, args, config)
    measured = {}
    if args.dense:
        dense = build_model(config)
        load_weights(dense, args.dense)
        measured["dense"] = evaluator.measure(dense.to(device), _Counter("dense", plan.passes(), args.json))
    measured["sparse"] = evaluator.measure(model.to(device), _Counter("sparse", plan.passes(), args.json))
    dense_distance = measured["dense"].distance if args.dense else None
    weights = manifest["provenance"]["weights"]
    figures = evaluator.figures(dense_distance, measured["sparse"].distance, weights)
    return figures, evaluator.quality(measured)


def _check_arguments(args: argparse.Namespace, config: ModelConfig) -> None:
    if args.samples < 2:
        raise InputError("TooFewSamples", f"--samples must be at least 2, not {args.samples}.")
    problems = []
    if args.format in SCALES and not args.autoencoder:
        problems.append(f"--autoencoder is required with --format {args.format}.")
    if not args.data and not args.reference:
        problems.append("--data or --reference is required: what are the images compared with?")
    if not args.data and config.context:
        problems.append("--data is required too for a model with text, which draws after its texts.")
    if args.save_reference and args.reference:
        problems.append("--save-reference keeps the statistics of --data: leave out --reference.")
    if problems:
        raise ConfigError(problems)


def _set_reference(evaluator: Evaluator, args: argparse.Namespace, config: ModelConfig) -> None:
    dataset = open_dataset(args.format, args.data, config.image_size, config.channels) if args.data else None
    if args.reference or dataset is None:
        evaluator.dataset = dataset
        evaluator.load_reference(args.reference)
        return
    evaluator.set_reference(dataset, on_images=_Counter("reference", len(dataset), args.json))
    if args.save_reference:
        evaluator.save_reference(args.save_reference)


class _Counter:
    """Shows how much of the work of a phase is done; silent with --json."""

    def __init__(self, phase: str, work: int, silent: bool) -> None:
        self._began = time.monotonic()
        self._phase, self._done, self._all = phase, 0, work
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
