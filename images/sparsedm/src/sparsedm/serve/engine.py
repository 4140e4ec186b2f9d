"""The model in memory, ready to draw. One thread owns it from loading to the last image.

Images are drawn by `begin`, `advance` and `finish`: a batch is any images that are not finished, each at a
step of its own. It is padded to the next of a few sizes, its bucket, so that a lone image does not pay for a
full batch. The last digits of matrix products can depend on the shape: only with `deterministic`, which pads
every batch to `max_batch_size`, does an image depend on its own class, seed and steps alone. docs/serving.md
has the figures.
"""

from __future__ import annotations

import logging
import platform
from collections.abc import Sequence
from functools import lru_cache
from pathlib import Path
from typing import Any

import numpy as np
import torch
from torch import nn

from sparsedm.artifact.artifact import load_artifact
from sparsedm.artifact.canary import Canary, load_canary
from sparsedm.artifact.components import Components, load_components
from sparsedm.data.images import to_uint8
from sparsedm.diffusion.samplers import Row, advance, images_of, plan_of, prediction_of
from sparsedm.errors import ConfigError
from sparsedm.models import config_of
from sparsedm.serve.checks import check_canary, check_components
from sparsedm.serve.config import SAMPLER, EngineSpec
from sparsedm.serve.drawer import Drawer, check_digest, judged, prepared
from sparsedm.serve.gpu import is_out_of_memory, watched
from sparsedm.serve.images import side_of
from sparsedm.serve.kernels import ROWS
from sparsedm.serve.loading import Loading
from sparsedm.serve.prompts import ClassNames, Condition, Guidance, Texts
from sparsedm.serve.spoilt import Spoilt
from sparsedm.serve.threads import Threads

log = logging.getLogger("sparsedm.serve")

TEXTS_KEPT = 32
"""Encoded texts: the images of a request share theirs, and most requests the empty one."""


class Engine(Drawer):
    """Build it with `load`."""

    def __init__(
        self,
        model: nn.Module,
        manifest: dict[str, Any],
        spec: EngineSpec,
        device: torch.device,
        components: Components | None = None,
        canary: Canary | None = None,
    ) -> None:
        """canary: what training drew, None where the artifact has none."""
        super().__init__(model, manifest, spec, device)
        self.config = config_of(model)
        self.guidable, self.tokens = self.config.guidable, self.config.tokens
        self.guidance = spec.guidance
        self._canary = canary
        # With one shape an image depends on nothing that was measured.
        self._threads = Threads(fixed=spec.deterministic or device.type != "cpu")
        self.components = components or Components()
        decode = self.components.autoencoder
        self._text = lru_cache(TEXTS_KEPT)(self._encode)
        drawn = (self.config.channels, self.config.image_size, self.config.image_size)
        self.image_shape = drawn if decode is None else tuple(decode(torch.zeros(1, *drawn)).shape[1:])
        self.no_negative = (
            "this model has no text encoder, and draws after classes only"
            if self.components.text_encoder is None
            else None
        )

    @classmethod
    def load(
        cls,
        directory: Path,
        spec: EngineSpec,
        sha256: str | None = None,
        device: torch.device | None = None,
        loading: Loading | None = None,
    ) -> Engine:
        """Checks the GPU, reads and verifies an artifact. Raises InputError or ConfigError."""
        device = prepared(directory, spec, device)
        loading = loading or Loading()
        loading.enter("Reading")
        model, manifest = load_artifact(directory, on_read=loading.read)
        check_digest(directory, manifest, sha256)
        config = config_of(model)
        components = load_components(directory, manifest, device)
        check_components(config, components)
        if spec.guidance not in (EngineSpec().guidance, 0.0) and not config.guidable:
            raise ConfigError(
                [
                    "engine.guidance must be absent: it needs a model that predicts with and without a "
                    "class, and this one does not."
                ]
            )
        engine = cls(model, manifest, spec, device, components, load_canary(directory, manifest))
        loading.end()
        return engine

    @property
    def rows(self) -> int:
        """Rows of each sparse product: tokens of a batch, doubled where guidance is part of it, filled up."""
        together = self.config.guidable and self.spec.guidance > 0 and not self.spec.deterministic
        doubled = 2 if together else 1
        tokens = self.places * doubled * self.config.tokens
        return tokens + -tokens % ROWS

    def prompts(self) -> ClassNames | Texts:
        encoder = self.components.text_encoder
        return Texts(encoder) if encoder else ClassNames(self.classes, self.config.num_classes)

    def size_of(self, size: str | None) -> tuple[int, int]:
        side = side_of(size, self.image_size)
        return side, side

    def text_tokens(self, condition: Condition) -> int:
        return len(condition) if isinstance(condition, tuple) else 0

    def _draw_canary(self) -> None:
        """And the image that training drew. Raises InputError."""
        super()._draw_canary()
        if self._canary is not None:
            found = check_canary(self._canary, self._drawn_again(self._canary), self.precision)
            log.info("The canary is as training drew it.", extra={"fields": {"difference": found}})

    def _drawn_again(self, canary: Canary) -> torch.Tensor:
        """(C, H, W), as the solver leaves it."""
        plan = plan_of(self.config.process, canary.sampler, canary.steps)
        text = None if canary.text is None else canary.text.to(self.device)
        with watched(self.device), torch.inference_mode():
            condition = self._encoded(self._any_condition(canary.label or 0)) if text is None else text
            guidance = Guidance(canary.guidance)
            nothing = self._nothing(guidance) if text is None else text
            row = Row(
                self.config, plan, canary.seed, condition, self.device,
                guidance=guidance.strength, nothing=nothing,
            )  # fmt: skip
            while row.left:
                self._advance([row])
            return images_of([row], self.config)[0]

    def _any_condition(self, number: int) -> Condition:
        if self.components.text_encoder is not None:
            return tuple(self.components.text_encoder.tokens([""])[0].tolist())
        return number % self.config.num_classes if self.config.num_classes else None

    def begin(
        self, condition: Condition, seed: int, steps: int | None = None, guidance: Guidance | None = None
    ) -> Row:
        plan = plan_of(self.config.process, SAMPLER, steps or self.spec.steps)
        guidance = guidance or Guidance(self.spec.guidance)
        with watched(self.device), torch.inference_mode():
            return Row(
                self.config, plan, seed, self._encoded(condition), self.device,
                guidance=guidance.strength, nothing=self._nothing(guidance),
            )  # fmt: skip

    def again(self, row: Row) -> Row:
        with torch.inference_mode():
            return _DenseRow(
                self.config, row.plan, row.seed, row.condition, self.device,
                guidance=row.guidance, nothing=row.nothing,
            )  # fmt: skip

    def leave(self, rows: Sequence[Row]) -> None:
        """A row is all that there is of an image."""

    def _in_parts(self, rows: Sequence[Row]) -> None:
        left = list(rows)
        while left:
            part = left[: self.places]
            if self._has_room(part):
                left = left[len(part) :]
            else:
                self._shrink(self._bucket(len(part)))

    def _has_room(self, rows: Sequence[Row]) -> bool:
        """Takes the next step of each, unless memory runs out."""
        try:
            self._advance(rows)
        except RuntimeError as error:
            if not is_out_of_memory(error) or self._bucket(len(rows)) == 1:
                raise
            return False
        return True

    def _is_second(self, row: Row) -> bool:
        return isinstance(row, _DenseRow)

    def _advance(self, rows: Sequence[Row]) -> None:
        padding = self._bucket(len(rows)) - len(rows)
        with watched(self.device), torch.inference_mode(), self._threads.of(len(rows)):
            advance(self._network, self.config, rows, padding, apart=self.spec.deterministic)

    def _step_seconds(self, images: int) -> float:
        return self._threads.choose(images, lambda: super(Engine, self)._step_seconds(images))

    def preview(self, row: Row) -> np.ndarray | None:
        with watched(self.device), torch.inference_mode():
            drawn, decode = prediction_of(row, self.config), self.components.autoencoder
            image = (drawn if decode is None else decode(drawn))[0]
            return to_uint8(image).permute(1, 2, 0).numpy() if bool(image.isfinite().all()) else None

    def finish(self, rows: Sequence[Row]) -> list[np.ndarray | Spoilt]:
        with watched(self.device), torch.inference_mode():
            drawn, decode = images_of(rows, self.config), self.components.autoencoder
            images = drawn if decode is None else decode(drawn)
            finite = torch.stack([row.x.isfinite().all() for row in rows]).cpu()
            finite = (finite & images.isfinite().flatten(1).all(1)).tolist()
            pixels = to_uint8(images).permute(0, 2, 3, 1).numpy()
        return [judged(image, good, row.seed) for image, good, row in zip(pixels, finite, rows, strict=True)]

    def _encoded(self, condition: Condition) -> torch.Tensor | None:
        """What the sampler takes: a label (), an encoded text (L, D), or None."""
        if self.config.num_classes:
            return torch.tensor(condition, dtype=torch.int64, device=self.device)
        return None if self.components.text_encoder is None else self._text(condition)

    def _nothing(self, guidance: Guidance) -> torch.Tensor | None:
        """The text that guidance leads away from, (L, D); labels have none. A row without guidance has it
        too, since rows share a batch."""
        encoder = self.components.text_encoder
        if encoder is None:
            return None
        return self._text(guidance.negative or tuple(encoder.tokens([""])[0].tolist()))

    def _encode(self, tokens: tuple[int, ...]) -> torch.Tensor:
        encoder = self.components.text_encoder
        assert encoder is not None
        return encoder.encode(torch.tensor([tokens], dtype=torch.int64))[0]

    def _bucket(self, images: int) -> int:
        """The number of rows that a batch is padded to. A CPU compiles and records nothing for a shape, so
        there each number of images has its own."""
        if self.device.type == "cpu" and not self.spec.deterministic:
            return images
        return next(rows for rows in self.buckets if rows >= images)

    def _network(self, x: torch.Tensor, t: torch.Tensor, y: torch.Tensor | None = None) -> torch.Tensor:
        """The network in its own precision; the solver around it stays in fp32."""
        return self._recorded(x.to(self.dtype), t, y).float()


class _DenseRow(Row):
    """Of an image whose first try was spoilt."""


def versions() -> dict[str, str]:
    """For the metrics' build information."""
    from sparsedm import __version__

    return {"version": __version__, "torch": torch.__version__, "python": platform.python_version()}
