"""A run on a pipeline of diffusers: record what the dense one does, train its denoiser on that, measure the
two pipelines, write the sparse one.

Recording and measuring hold the whole pipeline in memory, training the denoiser alone: what its text encoder
and its autoencoder do is in the recording.
"""

from __future__ import annotations

import shutil
import time
from collections.abc import Iterator
from dataclasses import dataclass, replace
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np
import torch
from PIL import Image
from torch import Tensor, nn

from sparsedm.artifact.artifact import Identity
from sparsedm.artifact.pipeline import PipelineConfig, PipelineFiles, stored
from sparsedm.errors import InputError
from sparsedm.measure.clip import ClipScore
from sparsedm.measure.evaluator import Measurement, Plan
from sparsedm.measure.macs import Macs
from sparsedm.measure.reference import REFERENCE_FILE
from sparsedm.models.precision import DTYPES
from sparsedm.models.weights import weights_sha256
from sparsedm.pipelines.call import Drawing
from sparsedm.pipelines.folder import read_pipeline
from sparsedm.pipelines.images import grid
from sparsedm.pipelines.measure import PAIRS, DenseImages, PipelineEvaluator, image_figures
from sparsedm.pipelines.objective import RecordedBatch, RecordedObjective, ready, tolerance
from sparsedm.pipelines.prompts import hold_out, read_prompts
from sparsedm.pipelines.record import INDEX_FILE, Order, Recorder
from sparsedm.pipelines.recording import BatchOrder, Recording
from sparsedm.pipelines.selection import macs_of_call, select_of_call, watch
from sparsedm.sparsity.calibration import Sample, step_weights
from sparsedm.sparsity.layers import Selection, SkippedLayer, prunable_layers
from sparsedm.sparsity.methods import METHODS, build_method
from sparsedm.sparsity.pattern import Pattern
from sparsedm.training.config import TrainConfig
from sparsedm.training.finetune import Finetune, check_fits
from sparsedm.training.learner import begin
from sparsedm.training.plan import check_selection, schedule_of
from sparsedm.uris import resolve_uri

RECORDING_FOLDER = "recording"
"""In the output, where the run records itself."""
REFRESH = "refresh-"
"""Folders in it, named after the step."""
SHEET_IMAGES = 10


@dataclass(frozen=True)
class Refreshed:
    """What the student's own states gave at a step."""

    made_at: int
    recording: Recording
    order: BatchOrder


def drawing_of(config: TrainConfig) -> Drawing:
    """How the run's trajectories and images are drawn."""
    return Drawing(config.evaluation.steps, config.dataset.guidance_scale, config.dataset.image_size)


def prompts_of(config: TrainConfig) -> tuple[list[str], list[str]]:
    """(to record, to measure with). Raises InputError."""
    dataset, held_out = config.dataset, config.evaluation.dataset
    recorded = [] if dataset.format == "recording" else read_prompts(resolve_uri(dataset.uri), "dataset.uri")
    if held_out is not None:
        measured = read_prompts(resolve_uri(held_out.uri), "evaluation.dataset.uri")
    else:
        recorded, measured = hold_out(recorded, "dataset.uri")
    if METHODS[config.sparsity.method].trains:
        return recorded[: dataset.samples], measured
    # One call tells which layers there are to mask, and calibration takes no more than it was asked for.
    calls = max(1, config.sparsity.calibration_samples)
    return recorded[: min(dataset.samples, -(-calls // dataset.calls_per_trajectory))], measured


def recording_of(config: TrainConfig, output: Path) -> Path:
    """The folder of the recording, whether it is there or not."""
    given = config.dataset.format == "recording"
    return resolve_uri(config.dataset.uri) if given else output / RECORDING_FOLDER


def order_of(config: TrainConfig, prompts: list[str], drawing: Drawing) -> Order:
    return Order(prompts, drawing, config.dataset.calls_per_trajectory, config.training.seed)


def refresh_order(config: TrainConfig, prompts: list[str], drawing: Drawing, number: int) -> Order:
    """Of refresh `number`, from 0 on: the next of the prompts in turn, as many trajectories as half of the
    batches up to the next refresh hold, or all prompts where those are fewer."""
    training, calls = config.training, config.dataset.calls_per_trajectory
    count = min(len(prompts), -(-training.refresh_steps * training.images_per_step // (2 * calls)))
    chosen = [prompts[(number * count + i) % len(prompts)] for i in range(count)]
    return Order(chosen, drawing, calls, training.seed, len(prompts) + number * count)


def select_layers_of(
    network: nn.Module, config: TrainConfig, positions: dict[str, int], rows: int
) -> Selection:
    """Raises ConfigError where a glob of the user's matches nothing, or nothing is left to mask."""
    sparsity = config.sparsity
    if not METHODS[sparsity.method].masks:
        reason = f"method {sparsity.method} masks nothing"
        return Selection((), tuple(SkippedLayer(name, reason) for name, _ in prunable_layers(network)), ())
    selection = select_of_call(network, positions, rows, sparsity.pattern, sparsity.include, sparsity.exclude)
    check_selection(selection, network, sparsity.pattern, sparsity.include)
    return selection


class PipelineFinetune(Finetune):
    """A Finetune whose batches are recorded calls, and whose images a whole pipeline draws."""

    kept_images = PAIRS

    def open_model(self) -> None:
        config = self.config
        self.folder = read_pipeline(resolve_uri(config.model.pretrained_uri or ""))
        self.dtype = self.folder.dtype
        self.drawing = drawing_of(config)
        self.method = build_method(
            config.sparsity.method, config.sparsity.regularization, config.sparsity.l1_decay
        )
        self.schedule = schedule_of(config)
        self.total_steps = self.schedule.total_steps if self.method.trains else 0
        self.teacher = None
        evaluation = config.evaluation
        self.plan = Plan(
            evaluation.samples,
            evaluation.steps,
            self.drawing.guidance or 0.0,
            self.folder.scheduler,
            config.training.seed,
            evaluation.precision,
        )
        self.progress = self._progress()
        self.progress.enter("loading")
        self.pretrained_sha256 = weights_sha256(self.folder.weights)
        wanted = config.model.pretrained_sha256
        if wanted not in (None, self.pretrained_sha256):
            raise InputError(
                "PretrainedDigestMismatch",
                f"The weights {self.folder.weights} have digest {self.pretrained_sha256}, not the expected "
                f"{wanted}: correct the sha256 or fetch the file again.",
            )
        self.prompts, self.measured_prompts = prompts_of(config)
        place = recording_of(config, self.output)
        if config.dataset.format == "recording":
            self._draw_as(Recording(place))
        # What is wrong with it shows before the recording, which takes long.
        self.evaluator = self._evaluator()
        self.recording = self._open_recording(place)
        self._load_dense()

    def _load_dense(self) -> None:
        """The denoiser, and by a recorded call which of its layers are masked."""
        config = self.config
        self.dense, _ = self.folder.load_denoiser()
        check_fits(self.dense, config.evaluation.precision)
        self.dense.to(self.device).eval().requires_grad_(False)
        call = ready(self.recording.call(0), self.device)
        self.positions, self.total_macs = watch(self.dense, call)
        self.selection = select_layers_of(self.dense, config, self.positions, call.rows)
        self.macs = self._macs_of(config.sparsity.pattern, self.selection)

    def _macs_of(self, pattern: Pattern, selection: Selection) -> Macs:
        return macs_of_call(self.dense, self.positions, self.total_macs, selection.selected, pattern)

    def _draw_as(self, recording: Recording) -> None:
        """With the size and the guidance that were recorded."""
        index = recording.index
        self.drawing = replace(self.drawing, guidance=index["guidance"], size=index["size"])
        self.plan = replace(self.plan, guidance=self.drawing.guidance or 0.0)

    def _open_recording(self, path: Path) -> Recording:
        """Made by rank 0 where the run has none yet; the other ranks read it."""

        def made() -> None:
            if self.config.dataset.format == "prompts" and not (path / INDEX_FILE).exists():
                order = order_of(self.config, self.prompts, self.drawing)
                self.progress.evaluation.planned += self._work_of(order)
                self._record(path, order)
                self.progress.enter("loading")

        self.processes.on_rank_zero(made)
        recording = Recording(path)
        recording.check_digests()
        self._check_recording(recording)
        self.console.say(
            f"Recording: {len(recording):,} calls of {recording.index['trajectories']:,} trajectories, in "
            f"{len(recording.groups):,} group{'s' if len(recording.groups) > 1 else ''} of equal shapes."
        )
        return recording

    def _work_of(self, order: Order) -> int:
        """Forward passes."""
        return len(order.prompts) * self.drawing.steps * self.plan.passes_of_a_step

    def _record(self, path: Path, order: Order, student: nn.Module | None = None) -> None:
        config, began = self.config, time.monotonic()
        pace = self.progress.evaluation

        def on_trajectory(calls: int) -> None:
            nonlocal began
            now, work = time.monotonic(), self.drawing.steps * self.plan.passes_of_a_step
            if calls:
                pace.add(work, now - began)
            else:
                pace.skip(work)
            began = now
            self.progress.update()
            self._check_lock()
            self.stop.check("the recording is not complete, and a retry goes on at its last whole file.")

        self.progress.enter("recording")
        Recorder(
            self.folder,
            order,
            path,
            DTYPES[config.training.precision],
            self.device,
            self.pretrained_sha256 or "",
            self._staging,
            self.console.say,
            on_trajectory,
            student,
        ).run()

    def _check_recording(self, recording: Recording) -> None:
        """Raises InputError where it is of another denoiser."""
        found = recording.index["denoiserSha256"]
        if found != self.pretrained_sha256:
            raise InputError(
                "DatasetMismatch",
                f"The recording in {recording.folder} is of a denoiser with digest {found}, and the one of "
                f"model.pretrained.uri has {self.pretrained_sha256}: name the pipeline that was recorded, or "
                "record this one.",
            )

    def _evaluator(self) -> PipelineEvaluator:
        evaluation = self.config.evaluation
        clip = None
        if evaluation.clip_uri is not None and self.processes.is_rank_zero:
            clip = ClipScore(resolve_uri(evaluation.clip_uri), self.device)
        evaluator = PipelineEvaluator(
            self.folder,
            self.measured_prompts,
            self.drawing,
            self.plan,
            resolve_uri(evaluation.extractor_uri),
            self.device,
            evaluation.metric,
            clip,
        )
        if evaluation.reference_stats_uri:
            evaluator.load_reference(resolve_uri(evaluation.reference_stats_uri))
        return evaluator

    def open_data(self) -> None:
        training = self.config.training
        self.held_out = None
        self.data = {"samples": len(self.recording), "classes": None, "labels": None, "notes": []}
        self.dataset = DenseImages(self.evaluator)
        self.reference_cache = self.output / REFERENCE_FILE
        if self.evaluator.reference is None and self.processes.is_rank_zero:
            # The reference is drawn as what is measured is.
            self.progress.reference.planned += 0 if self.reference_cache.exists() else self.plan.passes()
        self.order = BatchOrder(self.recording.groups, training.images_per_step, training.seed)
        self.refreshed: Refreshed | None = None
        if self._refreshes:
            self.progress.evaluation.planned += self._refreshes * self._work_of(self._refresh_order(0))
        self.model_config = PipelineConfig.of(self.folder, self.evaluator.image_size, self.drawing)

    def begin(self) -> None:
        """The dense model is dropped: what it returns is recorded."""
        training, mask_type = self.config.training, self.config.sparsity.mask_type
        self.state = begin(self.dense, self.selection, self.method, training, mask_type, self.processes)
        self.layers = self.state.layers
        self.dense = self.dense.to("meta")
        self.objective = RecordedObjective(self.state.student, training.precision, training.compile)
        self.joins = self.objective.can_join(self.recording, self.device)
        if not self.joins:
            self.console.say("Recorded calls can't be joined into one, and are made one after the other.")

    def check_start(self) -> None:
        first = ready(self.recording.call(0), self.device)
        difference = self.objective.difference(first)
        if difference > tolerance(self.recording):
            raise InputError(
                "DatasetMismatch",
                f"On the first recorded call the dense weights return what differs by {difference:.3g} of "
                "its power from what is recorded: the recording was made by another version of diffusers, "
                "or is damaged. Record again.",
            )

    def _batch(self, step: int, generator: torch.Generator) -> RecordedBatch:
        """This process's share of the step's calls. Nothing is drawn: they are as they were recorded."""
        share = self.processes.shard(self.config.training.images_per_step)
        recording, order = self.recording, self.order
        if self.refreshed is not None and step % 2:
            recording, order = self.refreshed.recording, self.refreshed.order
        return RecordedBatch(recording, order.batch(step)[share], self.joins, self.device)

    def resume(self) -> None:
        super().resume()
        if (every := self.config.training.refresh_steps) and (step := self.state.step):
            # The last refresh before this step is opened again, and the earlier ones are not.
            earlier = max(0, step // every - 1) if step < self.total_steps else self._refreshes
            self.progress.evaluation.skip(earlier * self._work_of(self._refresh_order(0)))

    @property
    def _refreshes(self) -> int:
        """In the whole run."""
        every = self.config.training.refresh_steps
        return max(0, self.total_steps - 1) // every if every else 0

    def _refresh_order(self, number: int) -> Order:
        return refresh_order(self.config, self.prompts, self.drawing, number)

    def _prepare(self, step: int) -> None:
        """Every training.refreshSteps, the states that the sparse pipeline comes to by itself are recorded
        with what the dense denoiser answers there: each second batch is of those."""
        every = self.config.training.refresh_steps
        made_at = step // every * every if every else 0
        if made_at and (self.refreshed is None or self.refreshed.made_at != made_at):
            self._refresh(step, made_at)

    def _refresh(self, step: int, made_at: int) -> None:
        path = self.output / RECORDING_FOLDER / f"{REFRESH}{made_at:08d}"
        order = self._refresh_order(made_at // self.config.training.refresh_steps - 1)
        if self.processes.broadcast((path / INDEX_FILE).exists()):
            self.progress.evaluation.skip(self._work_of(order))
        elif step == made_at:
            weights = self._sparse_weights()
            self.processes.on_rank_zero(lambda: self._record(path, order, self._model_of(weights)))
            self.progress.enter("training")
        else:
            raise InputError(
                "DatasetUnreadable",
                f"{path}, which was recorded at step {made_at}, is missing, and this run goes on at step "
                f"{step}: put it back, or empty output.uri and train again.",
            )
        recording = Recording(path)
        recording.check_digests()
        training = self.config.training
        batches = BatchOrder(recording.groups, training.images_per_step, training.seed)
        self.refreshed = Refreshed(made_at, recording, batches)
        self.processes.on_rank_zero(self._remove_refreshes)

    def _remove_refreshes(self) -> None:
        """Those that no checkpoint goes on with."""
        every = self.config.training.refresh_steps
        oldest = min([*self.store.steps(), self.state.step]) // every * every
        for path in (self.output / RECORDING_FOLDER).glob(f"{REFRESH}*"):
            if int(path.name.removeprefix(REFRESH)) < oldest:
                shutil.rmtree(path)

    @property
    def calibrated_on(self) -> int:
        """Recorded calls, all of them where there are fewer."""
        return min(self.config.sparsity.calibration_samples, len(self.recording))

    def _calibration_samples(self) -> Iterator[Sample]:
        """Recorded calls, drawn by the seed."""
        chosen = np.random.default_rng(self.config.training.seed).permutation(len(self.recording))
        steps = self.recording.index["callsOfATrajectory"]
        for number in chosen[: self.calibrated_on]:
            self._check_stop()
            call = ready(self.recording.call(number), self.device)
            position = torch.full((call.rows,), self.recording.position(number), device=self.device)
            yield partial(self.state.student, **call.arguments), step_weights(position, steps)

    @property
    def _passes_of_features(self) -> float:
        """The reference's images are drawn first, which takes far longer than their features."""
        return float(self.drawing.steps * self.plan.passes_of_a_step)

    def _dense_weights(self) -> dict[str, Tensor]:
        return self.folder.load_denoiser()[0].state_dict()

    def _sparse_weights(self) -> dict[str, Tensor]:
        return stored(super()._sparse_weights(), self.dtype)

    def _model_of(self, weights: dict[str, Tensor]) -> nn.Module:
        network = self.folder.build_denoiser()
        network.load_state_dict(weights)
        return network.to(self.device).eval()

    def _quality(self, measured: dict[str, Measurement]) -> dict[str, Any]:
        return {**super()._quality(measured), "images": image_figures(measured, self.evaluator)}

    def _sheet(self, measured: dict[str, Measurement], titles: dict[str, str]) -> Image.Image:
        dense, sparse = (measured[name].images[:SHEET_IMAGES] for name in ("dense", "sparse"))
        prompts = [self.evaluator.prompt(i) for i in range(len(dense))]
        return grid(dense, sparse, prompts, (titles["dense"], titles["sparse"]))

    def _identity(self) -> Identity:
        return Identity(self.folder.pipeline, self.model_config, None, *self._exported)

    def _exported_macs(self) -> Macs:
        return self._macs_of(*self._exported)

    def _written_beside(self, weights: dict[str, Tensor]) -> dict[str, Any]:
        return {
            "components": PipelineFiles(self.folder),
            "file": self.model_config.weights_file,
            "dtype": self.dtype,
        }

    def _provenance(self) -> dict[str, Any]:
        index = self.recording.index
        names = ("trajectories", "callsPerTrajectory", "callsOfATrajectory", "promptsDigest", "dtype")
        return {**super()._provenance(), "recording": {name: index[name] for name in names}}
