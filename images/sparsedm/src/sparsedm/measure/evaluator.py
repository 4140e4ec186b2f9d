"""Measures dense and sparse in one way: same seeds, labels, sampler and number of samples, one set of
statistics.

The figure is a Frechet distance over the features of a named extractor to a reference, and bears that name
(`fd-NAME`). It is an FID only when the extractor is the standard Inception network and the reference is of
real images: against decodings of latents it is `fd-NAME-decoded`, against samples of the dense model
`fd-NAME-dense-samples`. Images are drawn as bytes before they are measured, as the reference images are.
Precision, recall and KID come from the same features, where those of the reference are known.
"""

from __future__ import annotations

import hashlib
import math
from collections.abc import Callable, Mapping
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import numpy as np
import torch
from torch import Tensor, nn
from torch.utils.flop_counter import FlopCounterMode

from sparsedm.data import Dataset
from sparsedm.decimals import decimal
from sparsedm.diffusion.network import Network
from sparsedm.diffusion.samplers import sample
from sparsedm.errors import InputError
from sparsedm.measure.extractor import load_extractor
from sparsedm.measure.fidelity import NEIGHBOURS, KernelDistance, kernel_distance, precision_recall
from sparsedm.measure.frechet import FrechetStats, frechet_distance
from sparsedm.measure.inception import STANDARD_SHA256, WEIGHTS_NAME
from sparsedm.measure.reference import (
    KEPT_FEATURES,
    SUFFIXES,
    Content,
    FeatureSample,
    Reference,
    some_of,
)
from sparsedm.models import ModelConfig
from sparsedm.models.precision import in_precision
from sparsedm.runtime.processes import SINGLE_PROCESS, ProcessGroup

SAMPLE_BATCH = 100
REFERENCE_BATCH = 250

OnWork = Callable[[int], None]
"""Called with the number of further forward passes, in images."""


@dataclass(frozen=True)
class Plan:
    """Number of samples and how they are drawn. `guidance` is 0 for a model without classes; `precision` is
    that of the network, as in models.precision."""

    samples: int
    steps: int
    guidance: float
    sampler: str
    seed: int
    precision: str = "fp32"

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
    """Of one model: the distance, NaN where some image is not finite; the first images that it drew, (keep,
    C, H, W) in [-1, 1]; the features of some, (n, dims); and the seconds that an image took, where they were
    taken."""

    distance: float
    images: Tensor
    features: Tensor
    seconds: float | None = None


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
    """Holds the extractor and the reference statistics, and measures any number of models against them.

    `source` says where the reference comes from: training-data, evaluation-data, statistics or dense-samples.
    """

    @property
    def batch(self) -> int:
        """Images that are drawn at a time."""
        return SAMPLE_BATCH

    @property
    def reference_batch(self) -> int:
        """Images of the reference that are read at a time."""
        return REFERENCE_BATCH

    def __init__(
        self,
        config: ModelConfig,
        plan: Plan,
        extractor_path: Path,
        device: torch.device,
        decode: Callable[[Tensor], Tensor] = lambda images: images,
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
        self.source = ""
        self.captions: Dataset | None = None
        self.captions_source = ""
        self._wants_fid = metric == "fid"
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
        self.channels, self.image_size = blank.shape[1], blank.shape[3]
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

    @property
    def metric(self) -> str:
        """The distance's name: after the extractor, and after a reference that is not of real images."""
        suffix = "" if self.reference is None else SUFFIXES[self.reference.content]
        return f"fd-{self.extractor_name}{suffix}" if suffix else self.extractor.metric

    def set_reference(
        self,
        dataset: Dataset,
        cache: Path | None = None,
        on_images: OnWork = lambda images: None,
        staging: Path | None = None,
        source: str = "training-data",
        content: Content = "images",
    ) -> None:
        """All images of `dataset`, and features of some: from the npz `cache` if it exists, else kept there
        (`staging` as in write_atomically). With `content` decodings the data set holds latents."""
        self.source = source
        if cache is not None and cache.exists():
            self.reference = self._checked(cache, replace(self._loaded(cache), content=content))
            return
        decode = self.decode if content == "decodings" else lambda images: images
        stats, sample = FrechetStats(), FeatureSample(len(dataset))
        for start in range(0, len(dataset), self.reference_batch):
            images, _ = dataset.batch(np.arange(start, min(start + self.reference_batch, len(dataset))))
            features = self.extractor(decode(images))
            stats.update(features)
            sample.update(features)
            on_images(len(images))
        self.reference = self._checked(None, Reference(stats, sample.features(), content))
        if cache is not None:
            self.save_reference(cache, staging)

    def save_reference(self, path: Path, staging: Path | None = None) -> None:
        """Writes what load_reference reads."""
        if self.reference is None:
            raise ValueError("set_reference comes first.")
        self.reference.save(path, self.extractor_digest, staging)

    def load_reference(self, path: Path) -> None:
        """From an npz."""
        self.source = "statistics"
        self.reference = self._checked(path, self._loaded(path))

    def draw_after(self, captions: Dataset, source: str = "training-data") -> None:
        """A model with text draws after the texts of this data set, in its order."""
        self.captions, self.captions_source = captions, source

    def _loaded(self, path: Path) -> Reference:
        return Reference.load(path, self.extractor_digest, self.extractor.dims)

    def _checked(self, path: Path | None, reference: Reference) -> Reference:
        """Raises InputError where the metric is to be the FID, and this would not be one."""
        if self._wants_fid and reference.content != "images":
            raise InputError(
                "StatisticsMismatch",
                f"{path or 'The reference'} is of {reference.content}, and the metric fid compares with real "
                "images: give real images or their statistics, or ask for fd.",
            )
        return reference

    def measure(
        self,
        model: nn.Module,
        on_work: OnWork,
        keep: int = 0,
        processes: ProcessGroup = SINGLE_PROCESS,
        choosing: bool = False,
        precision: str | None = None,
    ) -> Measurement:
        """The processes take turns to draw a batch. The distance is broadcast to all; only rank 0 needs the
        reference, and only its Measurement has images and features. `on_work` gets the work of all processes;
        `choosing` as in Plan.

        `precision` in place of the plan's is one that is served: images that are not finite give NaN there.
        Otherwise they raise InputError.
        """
        if processes.is_rank_zero and self.reference is None:
            raise ValueError("set_reference comes first.")
        stats, sample, kept = FrechetStats(), FeatureSample(self.plan.samples), []
        seeds = self.plan.seeds(choosing)
        network = self._network(model.eval(), precision or self.plan.precision)
        broken, together = 0, self.batch * processes.size
        for first in range(0, self.plan.samples, together):
            at_once = min(together, self.plan.samples - first)
            passes = at_once * self.plan.passes_of_a_step
            start = first + self.batch * processes.rank
            own = self._draw(network, seeds, start, passes, on_work)
            found = self.extractor(own) if len(own) else None
            bad = int((~own.isfinite()).flatten(1).any(1).sum()) if len(own) else 0
            for features, images, unfit in processes.gather((found, own[: max(0, keep - start)], bad)):
                broken += unfit
                if features is not None:
                    stats.update(features)
                    sample.update(features)
                    kept.append(images)
        broken = processes.broadcast(broken)
        if broken and precision is None:
            raise InputError(
                "FeaturesNotFinite",
                f"{broken} of {self.plan.samples} images that are drawn in {self.plan.precision} hold NaN or "
                "infinity: the model has diverged, or evaluation.precision is too small for it.",
            )
        if not processes.is_rank_zero or self.reference is None:
            return Measurement(processes.broadcast(0.0), torch.empty(0), torch.empty(0))
        distance = float("nan") if broken else frechet_distance(stats, self.reference.stats)
        return Measurement(
            processes.broadcast(distance), torch.cat(kept), sample.features(), self._seconds_per_image()
        )

    def _seconds_per_image(self) -> float | None:
        return None

    def _network(self, model: nn.Module, precision: str) -> Any:
        """What `_draw` draws with."""
        return in_precision(model, precision)

    def _conditions(self, part: slice) -> Tensor | None:
        """Labels, every class in turn, or the captions in their order; None without either."""
        if self.config.context and self.captions is not None:
            numbers = np.arange(part.start, min(part.stop, self.plan.samples)) % len(self.captions)
            return self.captions.batch(numbers)[1]
        labels = self.plan.labels(self.config)
        return None if labels is None else labels[part]

    def first_image(self, model: nn.Module) -> Callable[[], Tensor]:
        """Draws the first of the images that are measured, alone, each time that it is called: (1, C, H,
        W)."""
        network, seeds = self._network(model.eval(), self.plan.precision), self.plan.seeds()[:1]
        return lambda: self._draw(network, seeds, 0, 0, lambda passes: None)

    def _draw(self, model: Network, seeds: list[int], start: int, passes: int, on_work: OnWork) -> Tensor:
        """The batch of images from `start` on, empty after the last of `seeds`. `on_work` gets `passes` at
        each step of the sampler."""
        plan, part = self.plan, slice(start, min(start + self.batch, len(seeds)))
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
            nothing=None if self.captions is None else self.captions.nothing,
        )
        return self.decode(drawn)

    @property
    def reference_digest(self) -> str | None:
        return None if self.reference is None else statistics_digest(self.reference.stats)

    @property
    def source_name(self) -> str:
        """As in `status.fid.reference`: the source, with decoded- before it where it holds latents."""
        decodes = self.reference is not None and self.reference.content == "decodings"
        return f"decoded-{self.source}" if decodes and self.source != "statistics" else self.source

    def figures(
        self,
        dense: float | None,
        sparse: float,
        weights: str,
        served: Mapping[str, float] | None = None,
    ) -> dict[str, Any]:
        """As in `status.fid`, with everything that a Frechet distance depends on beside it; `weights` says
        which of a training's weights the sparse ones are. `served` has the sparse model's distances in other
        precisions, whose increase is over the dense model in the plan's."""
        if self.reference is None:
            raise ValueError("set_reference comes first.")
        figures = {
            "metric": self.metric,
            "samples": self.plan.samples,
            "sparse": decimal(sparse, 2),
            "reference": self.source_name,
            **({"captions": self.captions_source} if self.config.context else {}),
            "referenceDigest": self.reference_digest,
            "extractorDigest": self.extractor_digest,
            "preprocessing": self.extractor.preprocessing,
            "seed": self.plan.seed,
            "sampler": self.plan.sampler,
            "steps": self.plan.steps,
            "guidance": decimal(self.plan.guidance),
            "precision": self.plan.precision,
            "weights": weights,
            "rankDeficient": min(self.plan.samples, self.reference.stats.n) <= self.reference.stats.dims,
        }
        if dense is not None:
            figures |= {"dense": decimal(dense, 2), "increase": decimal(sparse - dense, 2)}
        if served:
            figures["served"] = [_served(name, distance, dense) for name, distance in served.items()]
        return figures

    def quality(self, measured: Mapping[str, Measurement]) -> dict[str, Any]:
        """Precision, recall and KID of each model by its name, with what they depend on; or `absent`, a
        sentence that says why there are none.

        A manifold grows with the points that span it, so precision and recall compare as many real images as
        drawn ones (`compared`), chosen by some_of; KID takes subsets of equal size itself.
        """
        real = None if self.reference is None else self.reference.features
        if real is None:
            return {"absent": "The reference is statistics alone, without features of real images."}
        drawn = min(self.plan.samples, KEPT_FEATURES)
        compared = min(len(real), drawn)
        if compared <= NEIGHBOURS:
            return {"absent": f"It takes at least {NEIGHBOURS + 1} drawn and as many real images."}
        some_real = some_of(real, compared)
        figures = {}
        for name, m in measured.items():
            precision, recall = precision_recall(some_real, some_of(m.features, compared))
            figures[name] = {
                "precision": decimal(precision),
                "recall": decimal(recall),
                **kernel_figures(kernel_distance(real, m.features, self.plan.seed)),
            }
        numbers = {"compared": compared, "referenceFeatures": len(real), "sampleFeatures": drawn}
        return {**figures, "neighbours": NEIGHBOURS, **numbers}


def _served(precision: str, distance: float, dense: float | None) -> dict[str, str]:
    if math.isnan(distance):
        return {"precision": precision, "problem": f"Some images in {precision} hold NaN or infinity."}
    increase = {} if dense is None else {"increase": decimal(distance - dense, 2)}
    return {"precision": precision, "sparse": decimal(distance, 2), **increase}


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
