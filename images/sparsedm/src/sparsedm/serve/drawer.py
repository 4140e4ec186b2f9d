"""What every engine does with its model: makes it sparse where that measures faster, tells how long steps
take, proves that it draws, and goes on with smaller batches when memory runs out."""

from __future__ import annotations

import gc
import logging
import time
from abc import ABC, abstractmethod
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import torch
from torch import nn

from sparsedm.artifact.artifact import read_manifest
from sparsedm.errors import InputError
from sparsedm.models.precision import DTYPES
from sparsedm.pipelines.folder import cast
from sparsedm.runtime.device import limit_threads, pick_device
from sparsedm.serve.backend import (
    Choice,
    Situation,
    choose,
    demand,
    precision_on,
    put_sparse,
    restore_dense,
)
from sparsedm.serve.checks import check_range, other_precision
from sparsedm.serve.config import EngineSpec
from sparsedm.serve.gpu import check_device
from sparsedm.serve.loading import Loading
from sparsedm.serve.prompts import ClassNames, Condition, FreeTexts, Guidance, Texts
from sparsedm.serve.recording import Recorded
from sparsedm.serve.spoilt import Flat, NotFinite, Spoilt
from sparsedm.serve.tuning import Tuning, circumstances, tuning_folder

log = logging.getLogger("sparsedm.serve")

MEASURED_STEPS = 2
"""Steps in which the time of a bucket is measured."""


@dataclass(frozen=True)
class Measured:
    """Seconds of a step by its number of images, and the speed-up of full batches over dense."""

    seconds: Mapping[int, float]
    speedup: float


class Drawer(ABC):
    """Call `warm_up` once before anything is drawn, all on one thread.

    A row is an image on its way, of a class of the engine's own; its `left` is the number of steps left.
    """

    def __init__(
        self, model: nn.Module, manifest: dict[str, Any], spec: EngineSpec, device: torch.device
    ) -> None:
        """model: the network with the masked layers."""
        self.manifest = manifest
        self.spec = spec
        self.device = device
        self.precision = precision_on(device, spec.precision)
        self.dtype = DTYPES[self.precision]
        self.places = spec.max_batch_size
        """Images that a batch holds: fewer than were asked for once memory has run out."""
        self.choice: Choice | None = None
        self.measured: Measured | None = None
        self._model = cast(model, self.dtype).to(device).eval().requires_grad_(False)
        check_range(self._model, self.precision)
        self._recorded = Recorded(self._model)

    image_shape: tuple[int, int, int]
    """(C, H, W) of the images."""
    guidable: bool
    """Whether an image can be led by guidance."""
    guidance: float
    """Its strength, unless a request says another."""
    no_negative: str | None
    """Why there are no negative prompts, as a sentence; None where there are."""
    tokens: int
    """Positions of an image, as the network sees it."""

    @property
    @abstractmethod
    def rows(self) -> int | Mapping[str, int]:
        """Rows of the products of a full batch: of each, or by the name of the layer."""

    @abstractmethod
    def prompts(self) -> ClassNames | Texts | FreeTexts:
        """What prompts mean to this model."""

    @abstractmethod
    def size_of(self, size: str | None) -> tuple[int, int]:
        """(width, height) of "64x64" or "auto". Raises ValueError with a sentence."""

    @abstractmethod
    def text_tokens(self, condition: Condition) -> int:
        """How many the text encoder reads."""

    @abstractmethod
    def begin(
        self, condition: Condition, seed: int, steps: int | None = None, guidance: Guidance | None = None
    ) -> Any:
        """An image at its first step."""

    @abstractmethod
    def again(self, row: Any) -> Any:
        """The same image from its first step, by dense products that are called and not replayed."""

    @abstractmethod
    def leave(self, rows: Sequence[Any]) -> None:
        """Rows that are not finished, and that nobody waits for any more."""

    @abstractmethod
    def preview(self, row: Any) -> np.ndarray | None:
        """What a row's last step says that the image will be, (H, W, C) uint8; None where that can't be
        shown."""

    @abstractmethod
    def finish(self, rows: Sequence[Any]) -> list[np.ndarray | Spoilt]:
        """The image of each row without steps left, (H, W, C) uint8, or an error where it is spoilt."""

    @abstractmethod
    def _any_condition(self, number: int) -> Condition:
        """A class of the model, or no text at all."""

    @abstractmethod
    def _is_second(self, row: Any) -> bool:
        """Whether `again` made it."""

    @abstractmethod
    def _in_parts(self, rows: Sequence[Any]) -> None:
        """The next step of each, in batches of the present size, which falls when memory runs out."""

    @property
    def image_size(self) -> int:
        """Height and width of the images in pixels, unless a request says another."""
        return self.image_shape[-1]

    @property
    def classes(self) -> list[str] | None:
        return self.manifest["classes"]

    def warm_up(self, loading: Loading | None = None) -> Measured:
        """Chooses the backend by measuring, draws a canary, and returns how long steps take.

        Raises ConfigError for a backend that can't run, and InputError for a model that draws no images.
        """
        loading = loading or Loading()
        loading.enter("Measuring")
        layers = self.manifest["layers"]
        situation = Situation.here(self.device, self.dtype, self.manifest["pattern"])
        self._batch(steps=1)
        dense = self._batch() if situation.obstacle() is None and self.spec.backend != "dense" else None
        kept = Tuning(tuning_folder(), circumstances(self.device, self.dtype)) if dense is not None else None
        choice = choose(
            self.spec.backend, self._model, layers, situation, 0 if dense is None else self.rows,
            tuning=kept, on_layer=loading.part,
        )  # fmt: skip
        if choice.sparse_layers:
            self._record_again()
        seconds = self._batch()
        if dense is not None and choice.sparse_layers and seconds > dense:
            restore_dense(self._model, choice)
            self._record_again()
            reason = f"Dense, because whole batches took {seconds / dense:.2f} times as long sparse."
            choice, seconds = Choice(reason, choice.total_layers), dense
        sparse = dense is not None and choice.sparse_layers > 0
        self.choice = choice
        loading.enter("WarmingUp")
        self.measured = Measured(self._each_bucket(seconds, loading), dense / seconds if sparse else 1.0)
        self._draw_canary()
        loading.end()
        return self.measured

    def _each_bucket(self, full: float, loading: Loading) -> dict[int, float]:
        """Seconds of a step in each bucket, measured in a few; `full`: those of a whole full batch."""
        seconds = {self.places: full / self.spec.steps}
        smaller = self.buckets[:-1]
        for done, images in enumerate(smaller, 1):
            self._batch(images, steps=1)
            seconds[images] = self._step_seconds(images)
            loading.part(done, len(smaller))
        return seconds

    def _step_seconds(self, images: int) -> float:
        return self._batch(images, MEASURED_STEPS) / MEASURED_STEPS

    def fall_back(self, reason: str) -> Measured:
        """Dense products from here on, of the same masked weights. Call it after `warm_up`."""
        assert self.choice is not None, "warm_up comes first"
        assert self.measured is not None, "warm_up comes first"
        if self.choice.sparse_layers:
            restore_dense(self._model, self.choice)
            self._record_again()
            self.measured = Measured(self._each_bucket(self._batch(), Loading()), 1.0)
            self._draw_canary()
        self.choice = Choice(reason, self.choice.total_layers)
        return self.measured

    def _draw_canary(self) -> None:
        """Draws one batch of consecutive classes, or of no text, each image with its own seed. Raises
        InputError."""
        size = self.places
        conditions = [self._any_condition(i) for i in range(size)]
        images = self.draw(conditions, range(size))
        if any(isinstance(image, NotFinite) for image in images):
            raise self._not_finite(conditions)
        if all(isinstance(image, Flat) for image in images):
            raise InputError(
                "CanaryFailed",
                "The model draws flat images: all pixels of each image of the canary have one value. Its "
                "weights are not those of a trained model: train again, or serve another one.",
            )

    def _not_finite(self, conditions: Sequence[Condition]) -> InputError:
        """Names the first layer whose output is not finite, by drawing the canary again, layer by layer."""
        first: list[str] = []

        def look(name: str) -> Callable[..., None]:
            def hook(module: nn.Module, inputs: Any, output: Any) -> None:
                if not first and isinstance(output, torch.Tensor) and not bool(output.isfinite().all()):
                    first.append(name)

            return hook

        leaves = [(name, m) for name, m in self._model.named_modules() if next(m.children(), None) is None]
        handles = [module.register_forward_hook(look(name)) for name, module in leaves]
        recorded = self._recorded
        self._recorded = Recorded(self._model, possible=False)  # hooks run only when the network is called
        try:
            self.draw(conditions, range(len(conditions)))
        finally:
            self._recorded = recorded
            for handle in handles:
                handle.remove()
        where = f"{first[0]} is the first layer to give" if first else "their sum over the steps holds"
        return InputError(
            "CanaryFailed",
            f"The model draws images that are not finite: {where} NaN or infinity in {self.precision}. "
            f"Train again with a lower learning rate{other_precision(self.precision)}.",
        )

    def _record_again(self) -> None:
        """Call it after a change of the network's layers."""
        self._recorded.forget()
        self._batch(steps=1)

    def _batch(self, images: int | None = None, steps: int | None = None) -> float:
        """Seconds of a batch of the first class (or of no text), by default a full one."""
        seeds = range(images or self.places)
        started = time.perf_counter()
        self.draw([self._any_condition(0)] * len(seeds), seeds, steps)
        return time.perf_counter() - started

    def advance(self, rows: Sequence[Any]) -> None:
        """Takes the next step of each. Raises ContextLost when the GPU can't go on.

        A batch that memory has no room for is taken in halves, as are all later ones. Where it raises
        anything else, some rows may have moved, each by its own step and no more.
        """
        dense = [row for row in rows if self._is_second(row)]
        self._in_parts([row for row in rows if not self._is_second(row)])
        if dense:
            with self._dense_products():
                self._in_parts(dense)

    def _shrink(self, size: int) -> None:
        """Batches hold half of `size`, which memory had no room for."""
        self.places = size // 2
        self._recorded.forget()
        gc.collect()  # the failed call's tensors, where circles of references hold them
        if self.device.type == "cuda":
            torch.cuda.empty_cache()
        log.warning(
            "Memory ran out, so batches are smaller from here on: lower engine.maxBatchSize, or give the "
            "server a GPU with more memory.",
            extra={"fields": {"images": size, "maxBatchSize": self.places}},
        )

    @contextmanager
    def _dense_products(self) -> Iterator[None]:
        """The dense layers in place of the sparse ones, and no recording, for what happens inside."""
        choice, recorded = self.choice, self._recorded
        sparse = {} if choice is None else restore_dense(self._model, choice)
        self._recorded = Recorded(self._model, possible=False)
        try:
            yield
        finally:
            self._recorded = recorded
            put_sparse(self._model, sparse)

    def draw(
        self, conditions: Sequence[Condition], seeds: Sequence[int], steps: int | None = None
    ) -> list[np.ndarray | Spoilt]:
        """One image for each condition and seed, in one batch from beginning to end."""
        rows = [self.begin(*image, steps) for image in zip(conditions, seeds, strict=True)]
        while left := [row for row in rows if row.left]:
            self.advance(left)
        return self.finish(rows)

    @property
    def buckets(self) -> list[int]:
        """Sizes of batches that memory has room for, ascending."""
        fitting = [size for size in self.spec.buckets if size < self.places]
        return [*fitting, self.places]

    def status(self) -> dict[str, Any]:
        """`status.engine` of a SparseInferenceService, without the latency."""
        assert self.choice is not None, "warm_up comes first"
        assert self.measured is not None, "warm_up comes first"
        return {
            "backend": self.choice.backend,
            "sparseLayers": self.choice.sparse_layers,
            "totalLayers": self.choice.total_layers,
            "speedup": f"{self.measured.speedup:.2f}",
            "device": device_name(self.device),
            "precision": self.precision,
            "maxBatchSize": self.places,
            "reason": f"{self.choice.reason}{self._memory_note()}",
        }

    def layer_backends(self) -> dict[str, str]:
        """What computes each of the masked layers, by name."""
        assert self.choice is not None, "warm_up comes first"
        names = [layer["name"] for layer in self.manifest["layers"]]
        return {name: self.choice.kernels.get(name, "dense") for name in names}

    def _memory_note(self) -> str:
        if self.places == self.spec.max_batch_size:
            return ""
        return (
            f" Batches hold at most {self.places} images, because memory ran out before engine.maxBatchSize "
            f"{self.spec.max_batch_size}."
        )


def prepared(directory: Path, spec: EngineSpec, device: torch.device | None) -> torch.device:
    """Where to draw. Checks, before a long load, the GPU and whether what `spec` demands can run there.
    Raises InputError or ConfigError."""
    limit_threads()
    device = device or pick_device()
    check_device(device)
    dtype = DTYPES[precision_on(device, spec.precision)]
    demand(spec.backend, Situation.here(device, dtype, str(read_manifest(directory).get("pattern"))))
    return device


def check_digest(directory: Path, manifest: Mapping[str, Any], sha256: str | None) -> None:
    """Raises InputError where the weights are others than the expected ones."""
    found = manifest["weights"]["sha256"]
    if sha256 is not None and found != sha256:
        raise InputError(
            "ModelDigestMismatch",
            f"The model in {directory} has digest {found}, not the expected {sha256}: it was replaced. "
            "Put the expected one back, correct spec.model.sha256 where you wrote one, or name a new "
            "SparseFinetune.",
        )


def judged(image: np.ndarray, finite: bool, seed: int) -> np.ndarray | Spoilt:
    """(H, W, C) uint8, unless it must not be served."""
    if not finite:
        return NotFinite(seed)
    return Flat(seed) if image.min() == image.max() else image


def device_name(device: torch.device) -> str:
    return torch.cuda.get_device_name(device) if device.type == "cuda" else "cpu"
