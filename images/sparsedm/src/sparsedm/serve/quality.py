"""Watches the quality of what is served: the Frechet distance of a random sample of the images to the
reference of the model's own figure.

A thread of low priority computes the features, beside the drawing. What it has no time for is left out. Of an
image only its features and its class are kept, in memory, and the image itself no longer than until it has
features; prompts, seeds and clients are never known here. A report holds the distance and the number of
images.
"""

from __future__ import annotations

import logging
import os
import queue
import random
import threading
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import torch
from prometheus_client import CollectorRegistry, Counter, Gauge
from torch import Tensor

from sparsedm.decimals import decimal
from sparsedm.errors import InputError
from sparsedm.serve.comparison import Comparison, open_comparison
from sparsedm.serve.config import QualitySpec, ServeConfig
from sparsedm.serve.engine import Engine
from sparsedm.serve.pipeline_engine import PipelineEngine

log = logging.getLogger("sparsedm.serve")

MOST_WAITING = 64
"""Images that wait for their features; beyond, images are left out."""
BATCH = 16
NICENESS = 10
"""Of the thread: it gets a tenth of a core where the others want all of it."""
UPDATES = 20
"""Distances in the time in which all images of a window are replaced."""


class QualityMetrics:
    """Of the monitor alone, so that a server without one has none of them."""

    def __init__(self, registry: CollectorRegistry) -> None:
        self.distance = Gauge(
            "sparsedm_quality_distance", "Frechet distance of served images.", ["metric"], registry=registry
        )
        self.evaluated = Gauge(
            "sparsedm_quality_evaluated_distance", "The distance in the manifest of the model.",
            ["metric"], registry=registry,
        )  # fmt: skip
        self.images = Gauge(
            "sparsedm_quality_window_images", "Served images whose features are kept.", registry=registry
        )
        self.window = Gauge(
            "sparsedm_quality_window_size", "Images that a distance is of.", registry=registry
        )
        self.sampled = Counter(
            "sparsedm_quality_sampled_images", "Served images whose features were computed.",
            registry=registry,
        )  # fmt: skip
        self.dropped = Counter(
            "sparsedm_quality_dropped_images", "Served images of the sample that found the monitor busy.",
            registry=registry,
        )  # fmt: skip
        self.seconds = Counter(
            "sparsedm_quality_seconds", "Time spent on features and distances.", registry=registry
        )


@dataclass(frozen=True)
class _Image:
    label: int | None
    pixels: np.ndarray


class QualityMonitor:
    """`offer` served images; `status` says what is known. Both return at once."""

    def __init__(
        self,
        comparison: Comparison,
        spec: QualitySpec,
        class_names: Sequence[str],
        registry: CollectorRegistry,
        chance: Callable[[], float] = random.random,
    ) -> None:
        """chance: a number from 0 to 1 for each image, of which those below the sample's part are taken."""
        self._comparison = comparison
        self._share = spec.sample_percent / 100
        self._class_names = class_names
        self._chance = chance
        self._window = comparison.window()
        self._waiting: queue.Queue[_Image | None] = queue.Queue(MOST_WAITING)
        self._own_seeds = False
        self._since_distance = 0
        self._problem = ""
        self._distance: str | None = None
        self.metrics = QualityMetrics(registry)
        self.metrics.window.set(comparison.samples)
        if comparison.own is not None:
            self.metrics.evaluated.labels(comparison.metric).set(float(comparison.own))
        self._thread = threading.Thread(target=self._run, name="quality", daemon=True)
        self._thread.start()

    def offer(self, label: int | None, images: Sequence[np.ndarray], seeded: bool) -> None:
        """Served images, (H, W, C) uint8, of one class.

        `seeded`: the client gave the seed. The same seeds give the same images, which are no sample of what
        the model draws, so they are left out.
        """
        if self._problem:
            return
        if seeded:
            self._own_seeds = True
            return
        for image in images:
            if self._chance() < self._share:
                self._put(_Image(label, image))

    def _put(self, image: _Image) -> None:
        try:
            self._waiting.put_nowait(image)
        except queue.Full:
            self.metrics.dropped.inc()

    def status(self) -> dict[str, Any]:
        """A report's `quality`: what is compared, the distance once the window is full, and a message where
        something is missing. Without a window, none is being filled."""
        comparison = self._comparison
        known = {
            "metric": comparison.metric,
            "distance": None if self._problem else self._distance,
            "evaluatedDistance": comparison.own,
            "images": None if self._problem else self._window.filled,
            "window": None if self._problem else comparison.samples,
            "extractorDigest": comparison.extractor.digest,
            "referenceDigest": comparison.reference_digest,
            "message": " ".join(part for part in (self._missing(), comparison.note) if part) or None,
        }
        return {name: value for name, value in known.items() if value is not None}

    def _missing(self) -> str:
        """Why there is no distance yet."""
        if self._problem or self._distance is not None:
            return self._problem
        label, images, needed = self._window.rarest
        text = f"{self._window.filled} of {self._comparison.samples} images have features"
        if len(self._class_names) > 1:
            text += f"; of {self._class_names[label]}, {images} of {needed}"
        own = "; images with a seed of the client's are left out" if self._own_seeds else ""
        return f"{text}{own}."

    def close(self) -> None:
        """Ends the thread, with what waits."""
        self._problem = self._problem or "The server is stopping."
        while not self._waiting.empty():
            self._waiting.get_nowait()
        self._waiting.put(None)

    def _run(self) -> None:
        lower_priority()
        try:
            while self._work():
                pass
        except Exception as error:  # whatever is wrong with the monitor, the server goes on
            log.error("The quality of what is served is no longer measured.", exc_info=error)
            self._problem = f"Served images are no longer measured: the monitor failed ({error})."

    def _work(self) -> bool:
        """One batch. Its images are in no variable while the next one is waited for. False at the end."""
        batch = self._next_batch()
        if batch is None:
            return False
        started = time.perf_counter()
        self._add(batch)
        self.metrics.seconds.inc(time.perf_counter() - started)
        return True

    def _next_batch(self) -> list[_Image] | None:
        """What waits, at least one image; None at the end."""
        batch: list[_Image] = []
        image = self._waiting.get()
        while image is not None:
            batch.append(image)
            if len(batch) == BATCH:
                return batch
            try:
                image = self._waiting.get_nowait()
            except queue.Empty:
                return batch
        return None

    def _add(self, batch: Sequence[_Image]) -> None:
        features = self._comparison.extractor(stacked([image.pixels for image in batch])).numpy()
        for image, found in zip(batch, features, strict=True):
            # A copy: a row would keep the features of the whole batch.
            self._window.add(image.label, found.copy())
        self._since_distance += len(batch)
        self.metrics.sampled.inc(len(batch))
        self.metrics.images.set(self._window.filled)
        due = self._distance is None or self._since_distance >= self._comparison.samples / UPDATES
        if self._window.full and due:
            distance = self._comparison.distance(self._window)
            self._since_distance, self._distance = 0, decimal(distance, 2)
            self.metrics.distance.labels(self._comparison.metric).set(distance)


class Unmeasured:
    """In place of a monitor where there can't be one: says why."""

    def __init__(self, why: str) -> None:
        self._why = why
        log.warning(why)

    def offer(self, label: int | None, images: Sequence[np.ndarray], seeded: bool) -> None:
        """Leaves them out."""

    def status(self) -> dict[str, Any]:
        return {"message": self._why}

    def close(self) -> None:
        """There is nothing to end."""


def open_monitor(
    config: ServeConfig,
    engine: Engine | PipelineEngine,
    class_names: Sequence[str],
    registry: CollectorRegistry,
) -> QualityMonitor | Unmeasured:
    """For a server whose configuration asks for one."""
    assert config.quality is not None, "the configuration asks for none"
    if isinstance(engine, PipelineEngine):
        return Unmeasured(
            "Served images of a pipeline are not measured: its prompts are any texts, and there is nothing "
            "to hold their images to. Remove qualityMonitor."
        )
    try:
        comparison = open_comparison(
            config.model, engine.manifest, engine.config, config.engine, engine.precision, engine.image_shape
        )
    except (InputError, OSError) as why:
        return Unmeasured(str(why))
    return QualityMonitor(comparison, config.quality, class_names, registry)


def stacked(images: Sequence[np.ndarray]) -> Tensor:
    """(H, W, C) uint8 each -> (B, C, H, W), in the order in memory that the evaluator's images have: in
    another one, sums end in other digits."""
    return torch.from_numpy(np.stack(images)).permute(0, 3, 1, 2).clone(memory_format=torch.contiguous_format)


def lower_priority() -> None:
    """Of the calling thread and of those that it starts, where the system has priorities of threads."""
    if hasattr(os, "setpriority"):
        os.setpriority(os.PRIO_PROCESS, threading.get_native_id(), NICENESS)
