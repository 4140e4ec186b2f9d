"""Measures the dense pipeline beside the sparse one: the same held-out prompts, seeds, steps and guidance."""

from __future__ import annotations

import time
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import torch
from torch import Tensor, nn

from sparsedm.decimals import decimal
from sparsedm.errors import ConfigError
from sparsedm.measure.clip import ClipScore
from sparsedm.measure.evaluator import Evaluator, Measurement, OnWork, Plan, image_seeds
from sparsedm.models.precision import DTYPES
from sparsedm.pipelines.call import Drawing, check_callable, draw
from sparsedm.pipelines.folder import PipelineFolder, cast
from sparsedm.pipelines.images import WINDOW, psnr, ssim

BATCH = 4
"""Images that are drawn at a time."""
PAIRS = 64
"""Images of the first prompts that are compared one by one."""
_STREAM = 2
"""Of image_seeds: the reference shares no seed with what is measured or recorded."""


@dataclass(frozen=True)
class Drawn:
    """What an Evaluator has to know of the images, in place of a network's configuration. They are drawn
    after texts."""

    image_size: int
    channels: int = 3
    num_classes: int = 0
    context: bool = True


class DenseImages:
    """The dense pipeline's images after the prompts, of seeds of their own, as a data set that is drawn when
    it is read."""

    def __init__(self, evaluator: PipelineEvaluator) -> None:
        plan = evaluator.plan
        self._evaluator, self._seeds = evaluator, image_seeds(plan.seed, _STREAM, plan.samples)
        self._pipeline: Any = None

    def __len__(self) -> int:
        return len(self._seeds)

    def batch(self, indices: np.ndarray) -> tuple[Tensor, None]:
        evaluator = self._evaluator
        if self._pipeline is None:
            self._pipeline = evaluator.folder.open(DTYPES[evaluator.plan.precision], evaluator.device)
        seeds = [self._seeds[i] for i in indices]
        prompts = [evaluator.prompt(int(i)) for i in indices]
        return draw(self._pipeline, prompts, seeds, evaluator.drawing), None


class PipelineEvaluator(Evaluator):
    """An Evaluator that draws with a pipeline, of which `measure` takes the denoiser. Where no statistics are
    given the reference is DenseImages."""

    batch = reference_batch = BATCH

    def __init__(
        self,
        folder: PipelineFolder,
        prompts: Sequence[str],
        drawing: Drawing,
        plan: Plan,
        extractor_path: Path,
        device: torch.device,
        metric: str,
        clip: ClipScore | None = None,
    ) -> None:
        """`clip` scores images against their prompts, where it is given."""
        self.folder, self.prompts, self.drawing, self.clip = folder, prompts, drawing, clip
        self._paces: list[float] = []
        super().__init__(Drawn(self._side(plan, device)), plan, extractor_path, device, metric=metric)
        self.captions_source = "evaluation-data"

    def prompt(self, number: int) -> str:
        """In turn, where there are fewer than samples."""
        return self.prompts[number % len(self.prompts)]

    def _seconds_per_image(self) -> float | None:
        """Without the first batch, where there is another."""
        paces = self._paces[1:] or self._paces
        return sum(paces) / len(paces) if paces else None

    def _side(self, plan: Plan, device: torch.device) -> int:
        """Of the images, which the pipeline itself says where no size is asked for."""
        if self.drawing.size is not None:
            return self.drawing.size
        pipeline = self.folder.open(DTYPES[plan.precision], device)
        check_callable(pipeline, self.drawing)
        height, width = draw(pipeline, self.prompts[:1], [0], Drawing(1, self.drawing.guidance)).shape[2:]
        if height != width:
            raise ConfigError(
                [
                    f"dataset.imageSize is required: {self.folder.pipeline} draws {width}x{height} by "
                    "itself, and square images are measured."
                ]
            )
        return height

    def _network(self, model: nn.Module, precision: str) -> Any:
        """The pipeline around the denoiser, all of it in the precision."""
        self._paces = []
        dtype = DTYPES[precision]
        return self.folder.open(dtype, self.device, cast(model, dtype))

    def _draw(self, model: Any, seeds: list[int], start: int, passes: int, on_work: OnWork) -> Tensor:
        own = seeds[start : start + self.batch]
        if not own:
            return torch.empty(0)
        began = time.monotonic()
        images = draw(model, [self.prompt(start + i) for i in range(len(own))], own, self.drawing)
        self._paces.append((time.monotonic() - began) / len(own))
        on_work(passes * self.plan.steps)
        return images


def image_figures(measured: Mapping[str, Measurement], evaluator: PipelineEvaluator) -> dict[str, Any]:
    """`images` of a manifest's quality: of sparse images beside the dense ones of the same prompts and seeds,
    the mean CLIP score of both where the evaluator has one, and the seconds that the pipelines took for an
    image, both by dense products, of BATCH images at a time."""
    dense, sparse = measured["dense"].images, measured["sparse"].images
    figures: dict[str, Any] = {"compared": len(dense), **_spread("psnr", psnr(dense, sparse), 2)}
    if min(dense.shape[2:]) >= WINDOW:
        figures |= _spread("ssim", ssim(dense, sparse), 4)
    if evaluator.clip is not None:
        prompts = [evaluator.prompt(number) for number in range(len(dense))]
        means = {name: evaluator.clip(found.images, prompts).mean() for name, found in measured.items()}
        figures["clip"] = {name: decimal(float(mean), 2) for name, mean in means.items()}
    known = {name: decimal(found.seconds, 4) for name, found in measured.items() if found.seconds is not None}
    return {**figures, "secondsPerImage": known, "batch": BATCH}


def _spread(name: str, values: Tensor, places: int) -> dict[str, str]:
    return {name: decimal(float(values.mean()), places), f"{name}Least": decimal(float(values.min()), places)}
