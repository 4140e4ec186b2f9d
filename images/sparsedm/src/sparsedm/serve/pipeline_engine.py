"""A pipeline of diffusers behind the server: it is called as a whole, and stands still after each step.

Images of equal size, number of steps and guidance that wait together are one call, a run; several runs take
their steps in turn. A run none of whose images anybody waits for takes no further step. The network is the
one that was made sparse, every other part is the pipeline's own.
"""

from __future__ import annotations

import copy
import inspect
import logging
import threading
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, replace
from functools import wraps
from itertools import count
from pathlib import Path
from typing import Any

import numpy as np
import torch
from torch import nn

from sparsedm.artifact.pipeline import load_pipeline_artifact
from sparsedm.models.weights import check_finite
from sparsedm.pipelines.call import Drawing, call_arguments, check_callable, guidance_name, images_of
from sparsedm.pipelines.folder import PipelineFolder, read_pipeline
from sparsedm.serve.config import EngineSpec
from sparsedm.serve.drawer import Drawer, check_digest, judged, prepared
from sparsedm.serve.gpu import ContextLost, is_out_of_memory, watched
from sparsedm.serve.images import SIZE
from sparsedm.serve.loading import Loading
from sparsedm.serve.pipeline_preview import decoded, expected_end
from sparsedm.serve.prompts import Condition, FreeTexts, Guidance, Prompt
from sparsedm.serve.spoilt import Spoilt

log = logging.getLogger("sparsedm.serve")

TOKENIZERS = ("tokenizer", "tokenizer_2", "tokenizer_3", "tokenizer_4")
NO_LIMIT = 100_000
"""Tokenizers that have none say a larger number."""


@dataclass(frozen=True)
class Settings:
    """What the images of one call have in common."""

    steps: int
    size: tuple[int, int]
    scale: float | None
    """Of guidance; None is the pipeline's own."""
    negative: bool
    """Whether each has a negative prompt."""
    again: bool
    """Whether they are drawn the safest way."""


@dataclass(eq=False)
class PipelineRow:
    settings: Settings
    prompt: str
    negative: str
    seed: int
    left: int
    wanted: bool = True
    alone: bool = False
    """Whether a call with others has failed."""
    error: Exception | None = None
    """With which a call for it alone ended."""
    run: Run | None = None
    image: np.ndarray | None = None
    """(H, W, C) from 0 to 1."""


Stand = Callable[[int, torch.Tensor | None], None]
"""Is told the steps that are left, and the latents that the last one went towards, where they are known."""


class Run:
    """A call on a thread of its own, which only works while `step` waits for it."""

    def __init__(self, call: Callable[[Stand], np.ndarray], rows: Sequence[PipelineRow]) -> None:
        """call: returns the images, and calls its argument after each step."""
        self.rows = rows
        self.ends: torch.Tensor | None = None
        """Latents that the last step went towards, of all rows."""
        self.left = rows[0].settings.steps
        self.images: np.ndarray | None = None
        self._call = call
        self._go, self._stands = threading.Semaphore(0), threading.Semaphore(0)
        self._error: Exception | None = None
        self._unwanted = False
        self._thread = threading.Thread(target=self._work, name="pipeline", daemon=True)
        self._thread.start()

    def step(self) -> None:
        """To the end of the next step; after the last one to the images. Raises what the call raises."""
        self._go.release()
        self._stands.acquire()
        if self._error is not None:
            raise self._error

    def end(self) -> None:
        """Of a run that nobody waits for."""
        self._unwanted = True
        self._go.release()
        self._thread.join()

    def _work(self) -> None:
        self._go.acquire()
        try:
            if not self._unwanted:
                self.images, self.left = self._call(self._stand), 0
        except _Unwanted:
            pass
        except Exception as error:
            self._error = error
        self._stands.release()

    def _stand(self, left: int, ends: torch.Tensor | None) -> None:
        self.left, self.ends = left, ends
        if left:
            self._stands.release()
            self._go.acquire()
            if self._unwanted:
                raise _Unwanted


class _Unwanted(Exception):
    """Ends the call of a run that nobody waits for."""


class PipelineEngine(Drawer):
    """Build it with `load`."""

    def __init__(
        self,
        model: nn.Module,
        manifest: dict[str, Any],
        spec: EngineSpec,
        device: torch.device,
        folder: PipelineFolder,
    ) -> None:
        super().__init__(model, manifest, spec, device)
        self._pipeline = folder.open(self.dtype, device, self._model)
        for name, part in self._pipeline.components.items():
            if isinstance(part, nn.Module):
                check_finite(part.state_dict().items(), folder.path / name, "WeightsNotFinite")
        self._takes = inspect.signature(self._pipeline.__call__).parameters
        config = manifest["config"]
        self.image_shape = (3, config["height"], config["width"])
        self._is_transformer = folder.denoiser == "transformer"
        self._scale = self._own_scale(config["guidance"])
        check_callable(self._pipeline, self._drawing(spec.steps, self._scale))
        name = guidance_name(self._pipeline)
        self.guidable = name is not None
        own = self._takes[name].default if name is not None else None
        self.guidance = (self._scale or own or 1.0) - 1.0
        # Some networks take guidance as an input, and then draw nothing without a prompt to compare with.
        compares = name is not None and not self._model.config.get("guidance_embeds", False)
        takes = compares and "negative_prompt" in self._takes
        self.no_negative = None if takes else "this pipeline compares nothing with it"
        self.tokens = (self.image_size // self._multiple) ** 2

    @classmethod
    def load(
        cls,
        directory: Path,
        spec: EngineSpec,
        sha256: str | None = None,
        device: torch.device | None = None,
        loading: Loading | None = None,
    ) -> PipelineEngine:
        """Checks the GPU, reads and verifies an artifact. Raises InputError or ConfigError."""
        device = prepared(directory, spec, device)
        loading = loading or Loading()
        loading.enter("Reading")
        model, manifest = load_pipeline_artifact(directory, on_read=loading.read)
        check_digest(directory, manifest, sha256)
        engine = cls(model, manifest, spec, device, read_pipeline(directory))
        loading.end()
        return engine

    def _own_scale(self, measured: str | None) -> float | None:
        """Guidance of a request that says none: engine.guidance where it is not the default, else what the
        artifact was measured with, None for the pipeline's own."""
        if self.spec.guidance != EngineSpec().guidance:
            return 1.0 + self.spec.guidance
        return None if measured is None else float(measured)

    @property
    def rows(self) -> Mapping[str, int]:
        """Seen in one step of a full batch: texts and images have numbers of their own."""
        seen: dict[str, int] = {}

        def look(name: str) -> Callable[..., None]:
            def hook(module: nn.Module, inputs: tuple[torch.Tensor, ...]) -> None:
                seen[name] = max(seen.get(name, 0), inputs[0].shape[:-1].numel())

            return hook

        names = [layer["name"] for layer in self.manifest["layers"]]
        handles = [self._model.get_submodule(name).register_forward_pre_hook(look(name)) for name in names]
        try:
            self._batch(steps=1)
        finally:
            for handle in handles:
                handle.remove()
        return seen

    def prompts(self) -> FreeTexts:
        longest = self._takes.get("max_sequence_length")
        most = NO_LIMIT if longest is None else longest.default
        found = [getattr(self._pipeline, name, None) for name in TOKENIZERS]
        limits = [(one, min(one.model_max_length, most)) for one in found if one is not None]
        return FreeTexts([(one, limit) for one, limit in limits if limit < NO_LIMIT], self._usual_size)

    def text_tokens(self, condition: Condition) -> int:
        tokenizer = getattr(self._pipeline, "tokenizer", None)
        if not isinstance(condition, Prompt) or tokenizer is None:
            return 0
        return len(tokenizer(condition.text)["input_ids"])

    @property
    def _usual_size(self) -> tuple[int, int]:
        return self.image_shape[2], self.image_shape[1]

    @property
    def _multiple(self) -> int:
        """Pixels of one position of the network, in each direction. Transformers see latents in patches,
        which some pipelines cut themselves, always of 2x2."""
        own = self._model.config.get("patch_size") or 1
        own = own if isinstance(own, int) else max(own)  # of videos one for each dimension
        spatial = getattr(self._pipeline, "vae_scale_factor_spatial", 8)
        factor = getattr(self._pipeline, "vae_scale_factor", spatial)
        return factor * (max(2, own) if self._is_transformer else 1)

    def size_of(self, size: str | None) -> tuple[int, int]:
        """What the pipeline takes, at most as large as the usual image: memory was measured with that."""
        usual, step = self._usual_size, self._multiple
        found = SIZE.fullmatch(size or "")
        if size in (None, "auto") or (found and (int(found[1]), int(found[2])) == usual):
            return usual
        name = "{}x{}".format(*usual)
        if "height" not in self._takes:
            raise ValueError(f"size must be auto or {name}: this pipeline draws no other.")
        most = (self._model.config.get("pos_embed_max_size") or NO_LIMIT) * step
        asked = (int(found[1]), int(found[2])) if found else (0, 0)
        area = usual[0] * usual[1]
        if asked[0] * asked[1] > area or not all(0 < side <= most and side % step == 0 for side in asked):
            bound = f", each at most {most}" if most < NO_LIMIT else ""
            raise ValueError(
                f"size must be auto, {name}, or a width and height that are multiples of {step}{bound}, of "
                f"no more than {area} pixels."
            )
        return asked

    def begin(
        self, condition: Condition, seed: int, steps: int | None = None, guidance: Guidance | None = None
    ) -> PipelineRow:
        assert isinstance(condition, Prompt), "a pipeline draws after texts"
        negative = guidance.negative if guidance is not None else None
        settings = Settings(
            steps or self.spec.steps, condition.size,
            self._scale if guidance is None else 1.0 + guidance.strength, negative is not None, again=False,
        )  # fmt: skip
        text = negative.text if isinstance(negative, Prompt) else ""
        return PipelineRow(settings, condition.text, text, seed, settings.steps)

    def again(self, row: PipelineRow) -> PipelineRow:
        settings = replace(row.settings, again=True)
        return PipelineRow(settings, row.prompt, row.negative, row.seed, settings.steps)

    def _is_second(self, row: PipelineRow) -> bool:
        return row.settings.again

    def leave(self, rows: Sequence[PipelineRow]) -> None:
        """A run ends here when the last of its images leaves."""
        for row in rows:
            row.wanted = False
        for run in dict.fromkeys(row.run for row in rows if row.run is not None):
            if not any(row.wanted for row in run.rows):
                self._forget(run)
                run.end()

    def _in_parts(self, rows: Sequence[PipelineRow]) -> None:
        for error in (row.error for row in rows if row.error is not None):
            raise error
        for part in self._waiting_together(rows):
            run = Run(self._call_of(part), part)
            for row in part:
                row.run = run
        for run in dict.fromkeys(row.run for row in rows if row.run is not None):
            self._step(run)

    def _waiting_together(self, rows: Sequence[PipelineRow]) -> Iterator[list[PipelineRow]]:
        """Those that are in no run yet, by their settings. With `deterministic` each is alone."""
        waiting = [row for row in rows if row.run is None and row.left]
        yield from ([row] for row in waiting if row.alone or self.spec.deterministic)
        waiting = [row for row in waiting if not (row.alone or self.spec.deterministic)]
        for settings in dict.fromkeys(row.settings for row in waiting):
            alike = [row for row in waiting if row.settings == settings]
            starts = range(0, len(alike), self.places)
            yield from (alike[start : start + self.places] for start in starts)

    def _step(self, run: Run) -> None:
        if not self._has_room(run):
            self._forget(run)
            self._shrink(len(run.rows))
            return
        for row in run.rows:
            row.left = run.left
        if run.images is not None:
            for row, image in zip(run.rows, run.images, strict=True):
                row.run, row.image = None, image

    def _has_room(self, run: Run) -> bool:
        """Takes its next step, unless memory runs out. After any other error, none of its images is drawn
        with others again, so that a bad one fails alone."""
        try:
            with watched(self.device):
                run.step()
        except Exception as error:
            if is_out_of_memory(error) and len(run.rows) > 1:
                return False
            self._forget(run)
            for row in run.rows:
                row.alone, row.error = True, error if len(run.rows) == 1 else None
            raise
        return True

    def _forget(self, run: Run) -> None:
        """Its rows are at their beginning again."""
        for row in run.rows:
            row.run, row.left = None, row.settings.steps

    def _call_of(self, rows: Sequence[PipelineRow]) -> Callable[[Stand], np.ndarray]:
        """By a copy of the pipeline that shares all but the scheduler: that and what a pipeline notes of its
        call belong to one run."""
        pipeline = copy.copy(self._pipeline)
        pipeline.scheduler = type(pipeline.scheduler).from_config(pipeline.scheduler.config)
        arguments = self._arguments(rows)

        def call(stand: Stand) -> np.ndarray:
            with _after_each_step(pipeline.scheduler, stand), torch.inference_mode():
                return np.asarray(images_of(pipeline, arguments, "np"))

        return call

    def _arguments(self, rows: Sequence[PipelineRow]) -> dict[str, Any]:
        """Of a call that draws these rows, whose settings are equal."""
        settings, pipeline = rows[0].settings, self._pipeline
        drawing = self._drawing(settings.steps, settings.scale)
        prompts, seeds = [row.prompt for row in rows], [row.seed for row in rows]
        arguments = call_arguments(pipeline, prompts, seeds, drawing)
        if "height" in self._takes:
            arguments |= dict(zip(("width", "height"), settings.size, strict=True))
        if settings.negative:
            arguments["negative_prompt"] = [row.negative for row in rows]
        return arguments

    def _drawing(self, steps: int, scale: float | None) -> Drawing:
        return Drawing(steps, scale, self.image_size if "height" in self._takes else None)

    def preview(self, row: PipelineRow) -> np.ndarray | None:
        """Costs reading the text again, and a pass through the autoencoder."""
        run = row.run
        if run is None or run.ends is None or "latents" not in self._takes:
            return None
        place = next(i for i, other in enumerate(run.rows) if other is row)
        try:
            with watched(self.device), torch.inference_mode():
                image = decoded(self._pipeline, run.ends[place : place + 1], self._arguments([row]))
        except ContextLost:
            raise
        except Exception:
            # Whatever a class of pipelines makes of a call without steps, the image itself can be drawn.
            log.warning("There is no partial image.", exc_info=True)
            return None
        return _bytes_of(image) if np.isfinite(image).all() else None

    def finish(self, rows: Sequence[PipelineRow]) -> list[np.ndarray | Spoilt]:
        return [_finished(row) for row in rows]

    def _any_condition(self, number: int) -> Prompt:
        return Prompt("", self._usual_size)


@contextmanager
def _after_each_step(scheduler: Any, stand: Stand) -> Iterator[None]:
    """Every pipeline ends a step by the scheduler's; only some take a callback for that."""
    step, taken = scheduler.step, count(1)

    @wraps(step)
    def step_and_stand(*inputs: Any, **named: Any) -> Any:
        result = step(*inputs, **named)
        left = max(0, len(scheduler.timesteps) - next(taken))
        stand(left, expected_end(scheduler, step, inputs, named, result))
        return result

    scheduler.step = step_and_stand
    try:
        yield
    finally:
        del scheduler.step


def _finished(row: PipelineRow) -> np.ndarray | Spoilt:
    assert row.image is not None, "no step is left"
    finite = bool(np.isfinite(row.image).all())
    return judged(_bytes_of(row.image), finite, row.seed)


def _bytes_of(image: np.ndarray) -> np.ndarray:
    """From 0 to 1 -> uint8."""
    return (np.nan_to_num(image) * 255).round().astype(np.uint8)
