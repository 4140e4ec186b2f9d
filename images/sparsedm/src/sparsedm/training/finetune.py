"""A run of the trainer: from dense weights to a sparse model, its figures and its artifact.

dense weights -> student (masked), EMA; teacher (frozen): the dense model, or another
each step: masks -> batch -> loss -> gradient -> AdamW -> EMA -> report, checkpoint
EMA under the mask -> dense and sparse measured alike -> artifact

From random weights the same run trains a dense model: nothing is masked, and it is measured alone.
"""

from __future__ import annotations

import io
import time
from collections.abc import Callable, Iterator
from contextlib import nullcontext
from functools import partial
from pathlib import Path
from typing import Any

import torch
from PIL import Image
from torch import Tensor, nn

from sparsedm.artifact.artifact import (
    REPORT_FILE,
    SAMPLES_FILE,
    Identity,
    save_artifact,
    sparsity_status,
)
from sparsedm.artifact.canary import draw_canary
from sparsedm.artifact.components import Components
from sparsedm.data import Dataset, SampleOrder, open_dataset
from sparsedm.data.contents import fit_classes, fit_held_out, lines, record
from sparsedm.data.features import SCALES
from sparsedm.decimals import decimal
from sparsedm.diffusion.objective import Batch, Objective, noisy_batch
from sparsedm.errors import ConfigError, InputError, Regressed
from sparsedm.files import write_atomically
from sparsedm.measure.evaluator import Evaluator, Measurement
from sparsedm.measure.latency import measure_latency
from sparsedm.measure.macs import Macs, count_macs
from sparsedm.measure.reference import REFERENCE_FILE
from sparsedm.models import CLASSES, build_model, load_weights
from sparsedm.models.autoencoder import Autoencoder
from sparsedm.models.precision import first_too_large
from sparsedm.models.text_encoder import TextEncoder
from sparsedm.report.page import GRID_COLUMNS, GRID_IMAGES, Course, sample_grid, write_report
from sparsedm.runtime.device import Usage, limit_threads, pick_device
from sparsedm.runtime.processes import SINGLE_PROCESS, ProcessGroup
from sparsedm.runtime.progress import Console, Pace, RunProgress
from sparsedm.runtime.report_client import ReportClient
from sparsedm.runtime.stop import StopSignal
from sparsedm.sparsity.calibration import Sample, position_of, step_weights
from sparsedm.sparsity.criteria import CRITERIA
from sparsedm.sparsity.layers import SCALING, Selection, bake_masks
from sparsedm.sparsity.masks import mask_digest
from sparsedm.sparsity.methods import build_method
from sparsedm.sparsity.pattern import Pattern
from sparsedm.sparsity.schedule import Stage
from sparsedm.training.calibrate import calibrate
from sparsedm.training.checkpoint import CheckpointStore
from sparsedm.training.config import LATENT_FORMATS, TrainConfig
from sparsedm.training.ended import finished_progress, result_of
from sparsedm.training.generated import open_generated
from sparsedm.training.inputs import pin_inputs
from sparsedm.training.learner import Learner, begin
from sparsedm.training.learning_rate import learning_rate_at
from sparsedm.training.output import Output, claim_output, finished_manifest, hold_output, run_name
from sparsedm.training.plan import (
    assumptions,
    classes_of,
    dense_model,
    evaluation_plan,
    mask_rhythm,
    schedule_of,
    select,
)
from sparsedm.training.regression import StageEnd, judge
from sparsedm.training.run_state import Best
from sparsedm.training.sharding import hold
from sparsedm.training.teacher import open_teacher
from sparsedm.uris import resolve_uri, sources_status

ENCODER_TOLERANCE = 0.05
"""Relative difference of two encodings of a text by one encoder, which may have run in 16 bits."""


def train(
    config: TrainConfig,
    client: ReportClient,
    console: Console,
    stop: StopSignal,
    processes: ProcessGroup = SINGLE_PROCESS,
    kind: type[Finetune] | None = None,
) -> dict[str, Any]:
    """Trains, measures, writes the artifact, and returns its manifest, or {} on ranks other than 0. A
    finished run is only reported again. `kind` is what trains, by default a Finetune."""
    processes.check_batch(config.training.batch_size)
    output = processes.on_rank_zero(lambda: claim_output(config)) or resolve_uri(config.output.uri)
    manifest = _finished(config, output, client, processes)
    if manifest is None:
        with hold_output(config, output) if processes.is_rank_zero else nullcontext() as held:
            # The trainer from which the output was taken over may have finished the run.
            manifest = _finished(config, output, client, processes)
            if manifest is None:
                if held is not None:
                    pin_inputs(output, held.lock)
                    held.publish()
                finetune = (kind or Finetune)(config, output, client, console, stop, processes, held)
                finetune.resume()
                finetune.train()
                manifest = finetune.finish()
                # A pod that has ended never comes back, so none does before the result is whole.
                processes.barrier()
    if not processes.is_rank_zero:
        return manifest
    client.update(urgent=True, **result_of(config, manifest))
    console.say(f"{output}: {_outcome(manifest)}.")
    return manifest


def _outcome(manifest: dict[str, Any]) -> str:
    fid = manifest["fid"]
    if "dense" not in fid:
        return f"trained from random weights, {fid['sparse']} ({fid['metric']})"
    return f"dense {fid['dense']}, sparse {fid['sparse']} ({fid['metric']}), {manifest['pattern']}"


def _finished(
    config: TrainConfig, output: Path, client: ReportClient, processes: ProcessGroup
) -> dict[str, Any] | None:
    """The manifest of a finished run, on all processes."""
    manifest = processes.broadcast(
        finished_manifest(output, config.digest()) if processes.is_rank_zero else None
    )
    if manifest is not None:
        client.update(progress=finished_progress(config, manifest))
    return manifest


class Finetune:
    """One run, from its dense weights on. Methods are called in the order of their definition."""

    def __init__(
        self,
        config: TrainConfig,
        output: Path,
        client: ReportClient,
        console: Console,
        stop: StopSignal,
        processes: ProcessGroup = SINGLE_PROCESS,
        held: Output | None = None,
    ) -> None:
        self.config, self.output, self.client, self.console = config, output, client, console
        self.stop, self.processes, self.held = stop, processes, held
        limit_threads()
        self.device = pick_device()
        self.usage = Usage.of(self.device, processes.size)
        torch.manual_seed(config.training.seed)
        if config.training.sharding == "fsdp" and processes.size == 1:
            console.say(
                "training.sharding fsdp shares a model among processes, and this one is alone: it holds all "
                "of it. Give the pod several GPUs, or write trainer.nodes."
            )
        self.open_model()
        self.open_data()
        self.begin()
        self.learner = Learner(
            self.state,
            self.objective,
            self.method,
            config.training,
            self._draw,
            lambda: stop.requested,
            processes,
        )
        self.store = CheckpointStore(output / "checkpoints", config.checkpoint.keep, self._staging)
        self.client.update(sparsity=self._sparsity(), macs=self.macs.status())

    def open_model(self) -> None:
        """What is masked, how, and when."""
        config, sparsity, console = self.config, self.config.sparsity, self.console
        self.model_config, weights = dense_model(config)
        for sentence in assumptions(config):
            console.say(sentence)
        self.dense = build_model(self.model_config)
        self.pretrained_sha256 = None
        if weights is not None:
            self.pretrained_sha256 = load_weights(self.dense, weights, config.model.pretrained_sha256)
            check_fits(self.dense, config.evaluation.precision)
        self.dense.to(self.device).eval().requires_grad_(False)
        self.selection = select(self.dense, config)
        self.method = build_method(sparsity.method, sparsity.regularization, sparsity.l1_decay)
        self.schedule = schedule_of(config)
        self.total_steps = self.schedule.total_steps if self.method.trains else 0
        self.macs = count_macs(self.model_config, self.selection.selected, sparsity.pattern)
        self.teacher = open_teacher(config, self.dense, self.pretrained_sha256, self.macs, self.device)

    def open_data(self) -> None:
        """What is trained on, and what is measured with."""
        config, console, processes = self.config, self.console, self.processes
        self.plan = evaluation_plan(config, self.model_config)
        self.progress = self._progress()
        self.progress.enter("loading")
        self.evaluator = self._evaluator()
        self.dataset = self._open_dataset()
        self.held_out = self._open_held_out()
        if self.held_out is not None and config.captions is config.evaluation.dataset:
            self.evaluator.draw_after(self.held_out, "evaluation-data")
        else:
            self.evaluator.draw_after(self.dataset)
        self.data = record(self.dataset)
        for line in lines(self.data):
            console.say(f"Data: {line}")
        if self.config.model.text_encoder_uri and processes.is_rank_zero:
            check_encodes(self._text_encoder(), self.dataset.nothing)
        for line in [] if self.held_out is None else lines(record(self.held_out)):
            console.say(f"Held-out data: {line}")
        self.reference_cache = self.output / REFERENCE_FILE
        if self.evaluator.reference is None and processes.is_rank_zero and not self.reference_cache.exists():
            self.progress.reference.planned += len(self.held_out or self.dataset) * self._passes_of_features
        self.order = SampleOrder(len(self.dataset), config.training.seed)

    def begin(self) -> None:
        """Student and EMA start from the dense weights."""
        config, training, processes = self.config, self.config.training, self.processes
        mask_type = config.sparsity.mask_type
        self.state = begin(self.dense, self.selection, self.method, training, mask_type, processes)
        self.layers = self.state.layers
        self.held_dense = hold(self.dense, training.sharding, processes, self.device)
        if self.teacher and self.teacher.network is not self.dense:
            hold(self.teacher.network, training.sharding, processes, self.device)
        self.objective = Objective(
            self.state.student,
            self.teacher.network if self.teacher else None,
            config.distillation_weight,
            training.precision,
            training.compile,
        )

    def resume(self) -> None:
        """Resumes from the newest valid checkpoint; without one, checks that the student equals the dense
        model."""
        checkpoint, damaged = self.store.resume()
        for sentence in damaged:
            self.console.say(sentence)
        if checkpoint is None:
            with self.processes.backward(self.objective.learning, last=True):
                self.check_start()
                self._calibrate()
            return
        self.state.restore(checkpoint)
        self.progress.history = self.state.history
        self.store.pinned = self.state.good and self.state.good.step
        self._report_best()
        self.progress.training.skip(checkpoint.step * self._passes_of_a_step())
        self.client.update(attempt={"resumedFromStep": checkpoint.step})
        self.console.say(f"Resumed from the checkpoint of step {checkpoint.step}.")

    def check_start(self) -> None:
        """Raises RuntimeError where the student is not the dense model."""
        generator = torch.Generator(self.device).manual_seed(self.config.training.seed)
        self.objective.check_start(self._batch(0, generator), self.dense)

    def _calibrate(self) -> None:
        """What sparsity.maskType asks of the dense model; a retry of a run with a checkpoint has it there."""
        sparsity = self.config.sparsity
        if sparsity.mask_type not in CRITERIA:
            return
        criterion = CRITERIA[sparsity.mask_type]()
        calibrate(self.state, criterion, sparsity.pattern, self._calibration_samples, self.processes)
        self.console.say(
            f"Calibrated {len(self.layers.modules)} layers for masks of type {criterion.name}, on "
            f"{self.calibrated_on:,} samples."
        )

    @property
    def calibrated_on(self) -> int:
        """Samples of the calibration."""
        return self.config.sparsity.calibration_samples

    def _calibration_samples(self) -> Iterator[Sample]:
        """The first samples of the training in its own order, noised to times that are spread evenly."""
        training, steps = self.config.training, self.config.evaluation.steps
        generator = torch.Generator(self.device).manual_seed(training.seed)
        for start in range(0, self.calibrated_on, training.batch_size):
            self._check_stop()
            count = min(training.batch_size, self.calibrated_on - start)
            x0, labels = self.dataset.training_batch(self.order, start, count)
            batch = noisy_batch(
                x0.to(self.device), labels, self.model_config, generator, self.dataset.nothing
            )
            forward = partial(self.state.student, batch.x_t, batch.t, batch.labels)
            yield forward, step_weights(position_of(batch.t, steps), steps)

    def train(self) -> None:
        """The steps that are left, and the way back where a stage has regressed, now or before a restart."""
        if self.state.regression is None:
            self._train()
        if self.state.regression is not None:
            self._roll_back()

    def _train(self) -> None:
        """The loop. Steps are counted from 0; `state.step` steps are done."""
        state, schedule = self.state, self.schedule
        self.progress.enter("training")
        self.first_step = state.step
        for step in range(state.step, self.total_steps):
            began = time.monotonic()
            stage = schedule.stage_at(step)
            self._prepare(step)
            self._move_masks(step, stage)
            loss, stops = self.learner.step(step, self._learning_rate(step), schedule.moved(step))
            state.after_step(loss, stage.number)
            self._report_step(step, time.monotonic() - began)
            self._check_lock()
            last = state.step == self.total_steps
            judged = self.config.sparsity.schedule.guards and state.step == stage.end
            if judged or (self._chooses if last else self._due(self.config.evaluation.every_steps)):
                self._evaluate_on_the_way(stage, judged)
            if self._due(self.config.checkpoint.every_steps) or last or judged or stops:
                self._save_checkpoint()
            if stops:
                self.stop.request()
                self.stop.check(f"the checkpoint of step {state.step} is saved, and a retry goes on from it.")
            if state.regression is not None:
                return

    def _roll_back(self) -> None:
        """To the checkpoint of the last good stage, whose model becomes the result; or raises Regressed. The
        newest checkpoint says that the run is here, so that a restart comes here too."""
        state, regression = self.state, self.state.regression
        assert regression is not None
        uri = self._checkpoint_uri(regression.good.step)
        if self.config.sparsity.schedule.on_regression == "Stop":
            raise Regressed(
                f"{regression.sentence()}. The checkpoint of {regression.good} is kept at {uri}: raise that "
                "bound, give the stage more steps, or choose a milder pattern in a new SparseFinetune."
            )
        self.console.say(regression.status()["message"])
        history, best = state.history, state.best
        state.restore(self.store.load(regression.good.step))
        # What was measured beyond it is told, and stays no candidate.
        state.regression, state.history, state.best = regression, history, best
        self.progress.training.planned = self.progress.training.done
        good = regression.good
        self.progress.update(
            step=good.step,
            stage=good.stage,
            stagePattern=good.pattern,
            imagesProcessed=regression.ended.step * self.config.training.images_per_step,
        )
        self.client.update(rollback=regression.status(), sparsity=self._sparsity())

    def finish(self) -> dict[str, Any]:
        """Measures dense and sparse and writes the artifact, the manifest last, which marks it complete.
        Returns the manifest, or {} on ranks other than 0, which do not write."""
        self.progress.enter("evaluating")
        chosen = self._chosen
        weights = self._sparse_weights() if chosen is None else chosen.weights
        measured = {}
        if self._has_dense:
            measured["dense"] = self._measure(self._dense_weights(), keep=self.kept_images)
        measured["sparse"] = self._measure(weights, keep=self.kept_images)
        precisions = self.config.evaluation.served_precisions
        served = {name: self._measure(weights, precision=name).distance for name in precisions}
        if not self.processes.is_rank_zero:
            return {}
        distances = {name: found.distance for name, found in measured.items()}
        fid = self.evaluator.figures(
            distances.get("dense"), distances["sparse"], self._which_weights(), served
        )
        quality, model = self._quality(measured), self._model_of(weights)
        self.latency = measure_latency(self.evaluator, model, self.usage.device, self._check_stop)

        self.progress.enter("exporting")
        titles = {name: self._title(name, fid) for name in measured}
        image = io.BytesIO()
        self._sheet(measured, titles).save(image, "PNG", optimize=True)
        write_atomically(self.output / SAMPLES_FILE, image.getvalue(), self._staging)

        def write_report_file(manifest: dict[str, Any]) -> None:
            text = write_report(manifest, self._course(), image.getvalue())
            write_atomically(self.output / REPORT_FILE, text.encode(), self._staging)

        manifest = save_artifact(
            self.output,
            weights,
            self._identity(),
            self._exported_macs().status(),
            fid,
            self._provenance(),
            write_report_file,
            quality=quality,
            staging=self._staging,
            settings=self.config.settings(),
            **self._written_beside(weights),
        )
        if self.held is not None:
            self.held.publish()
        self.progress.enter("done")
        return manifest

    # --- parts of the above ---

    kept_images = GRID_IMAGES

    def _dense_weights(self) -> dict[str, Tensor]:
        return self.held_dense.whole_state()

    def _quality(self, measured: dict[str, Measurement]) -> dict[str, Any]:
        return self.evaluator.quality(measured)

    def _sheet(self, measured: dict[str, Measurement], titles: dict[str, str]) -> Image.Image:
        """samples.png."""
        columns = min(GRID_COLUMNS, self.model_config.num_classes or GRID_COLUMNS)
        blocks = {titles[name]: found.images for name, found in measured.items()}
        return sample_grid(blocks, columns, classes_of(self.model_config, self.dataset) or ())

    def _identity(self) -> Identity:
        name = self.config.model.preset or self.config.model.architecture
        classes = classes_of(self.model_config, self.dataset)
        return Identity(name, self.model_config, classes, *self._exported)

    def _exported_macs(self) -> Macs:
        pattern, selection = self._exported
        return count_macs(self.model_config, selection.selected, pattern)

    def _written_beside(self, weights: dict[str, Tensor]) -> dict[str, Any]:
        """Arguments of save_artifact."""
        encoder = self._text_encoder() if self.config.model.text_encoder_uri else None
        return {
            "components": Components(self.autoencoder, encoder),
            "canary": draw_canary(self._model_of(weights), self.dataset.nothing),
        }

    def _progress(self) -> RunProgress:
        every, steps = self.config.evaluation.every_steps, self.total_steps
        on_the_way = (steps - 1) // every + self._chooses if every and steps else 0
        if self.config.sparsity.schedule.guards:
            ends = [stage.end for stage in self.schedule.stages]
            due = [end for end in ends if (self._chooses if end == steps else every and end % every == 0)]
            on_the_way += len(ends) - len(due)
        return RunProgress(
            self.client,
            self.console,
            total_steps=steps,
            stages=len(self.schedule.stages) if self.method.trains else 1,
            training=Pace(steps * self._passes_of_a_step()),
            evaluation=Pace(
                self.plan.passes()
                * (1 + self._has_dense + len(self.config.evaluation.served_precisions) + on_the_way)
            ),
            usage=self.usage,
        )

    @property
    def _has_dense(self) -> bool:
        """Whether there is a dense model to measure the trained one beside; random weights are none."""
        return self.config.model.initialization == "pretrained"

    def _title(self, name: str, fid: dict[str, Any]) -> str:
        """Of the images of one model."""
        what = {"dense": "dense", "sparse": f"{self._exported[0]} sparse"}[name]
        if name == "sparse" and not self.method.masks:
            what = "trained on" if self._has_dense else "trained"
        return f"{what}, {fid['metric']} {fid[name]}"

    @property
    def _chooses(self) -> bool:
        return self.config.evaluation.select == "best"

    @property
    def _chosen(self) -> Best | None:
        """The best evaluation, where its weights are to be exported."""
        return self.state.best if self._chooses and self.state.regression is None else None

    @property
    def _exported(self) -> tuple[Pattern, Selection]:
        """Pattern of the exported weights, and the layers that have it: the target's, unless the run has
        rolled back."""
        regression = self.state.regression
        if regression is None:
            return self.config.sparsity.pattern, self.selection
        return regression.pattern, self.layers.fitting(self.selection, regression.pattern)

    def _passes_of_a_step(self) -> float:
        """Forward, backward (as two), and the teacher's forward, in forward passes of the student."""
        return self.config.training.images_per_step * (3 + (self.teacher.passes if self.teacher else 0))

    @property
    def _passes_of_features(self) -> float:
        """The work of the extractor on one image, in forward passes of the model."""
        return self.evaluator.extractor_macs / max(1, self.macs.total_dense)

    def _evaluator(self) -> Evaluator:
        evaluation, scale = self.config.evaluation, SCALES.get(self.config.dataset.format)
        self.autoencoder = None
        if evaluation.autoencoder_uri and scale:
            directory = resolve_uri(evaluation.autoencoder_uri)
            self.autoencoder = Autoencoder(directory, scale, self.device)
        decode = {"decode": self.autoencoder} if self.autoencoder else {}
        extractor = resolve_uri(evaluation.extractor_uri)
        evaluator = Evaluator(
            self.model_config, self.plan, extractor, self.device, **decode, metric=evaluation.metric
        )
        if evaluation.reference_stats_uri:
            evaluator.load_reference(resolve_uri(evaluation.reference_stats_uri))
        return evaluator

    def _text_encoder(self) -> TextEncoder:
        """Read when it is needed: training reads the texts of the data, which are encoded already."""
        return TextEncoder(resolve_uri(self.config.model.text_encoder_uri))

    def _open_dataset(self) -> Dataset:
        spec, model = self.config.dataset, self.model_config
        if spec.format == "generated":
            dataset = self._open_generated()
        else:
            dataset = open_dataset(
                spec.format, resolve_uri(spec.uri), model.image_size, model.channels,
                class_column=spec.class_column,
            )  # fmt: skip
        dataset.horizontal_flip = spec.horizontal_flip
        fit_classes(dataset, model.num_classes, CLASSES.get(self.config.model.preset or ""))
        if (model.context is None) != (dataset.nothing is None):
            raise InputError(
                "DatasetMismatch",
                f"The model {'draws after' if model.context else 'takes no'} texts, and the data set has "
                f"{'none' if model.context else 'texts'}: choose data or a model that fits.",
            )
        return dataset

    def _open_held_out(self) -> Dataset | None:
        """Images have the size of those that are measured, which are decoded where the model draws
        latents."""
        spec, model, evaluator = self.config.evaluation.dataset, self.model_config, self.evaluator
        if spec is None:
            return None
        latents = spec.format in LATENT_FORMATS
        side = model.image_size if latents else evaluator.image_size
        channels = model.channels if latents else evaluator.channels
        try:
            dataset = open_dataset(
                spec.format, resolve_uri(spec.uri), side, channels, spec.split, spec.class_column
            )
            fit_held_out(dataset, model.num_classes, self.dataset.classes)
        except InputError as error:
            raise InputError(error.reason, f"evaluation.dataset: {error.message}") from error
        return dataset

    def _open_generated(self) -> Dataset:
        """Drawn by rank 0; the other ranks read what it has drawn."""

        def opened() -> Dataset:
            return open_generated(
                self.dense, self.config, self.output, self.progress, self.stop, self._staging
            )

        dataset = self.processes.on_rank_zero(opened)
        return opened() if dataset is None else dataset

    def _draw(self, step: int) -> Batch:
        return self._batch(step, self.state.noise)

    def _batch(self, step: int, generator: torch.Generator) -> Batch:
        """This process's share of the step's images, with noise that is drawn for the whole batch."""
        size = self.config.training.images_per_step
        share = self.processes.shard(size)
        count = share.stop - share.start
        x0, labels = self.dataset.training_batch(self.order, step * size + share.start, count)
        return noisy_batch(
            x0.to(self.device), labels, self.model_config, generator, self.dataset.nothing,
            whole=size, first=share.start,
        )  # fmt: skip

    def _prepare(self, step: int) -> None:
        """Called before each step, by all processes."""

    def _move_masks(self, step: int, stage: Stage) -> None:
        """Before a step: recomputes masks that are due, and freezes them at the end."""
        if self.schedule.recomputes(step):
            self.state.after_refresh(self.layers.refresh(stage.pattern))
        elif self.schedule.is_frozen(step):
            self.state.flips = 0
        if step == stage.start:
            self._begin_stage(stage)
        if step == self.schedule.freeze_from:
            for name, weight, masking in self.layers.weights():
                self.method.freeze(weight, masking)
                self.method.freeze(self.state.ema.weights[f"{name}.weight"], masking)
            self.layers.freeze()

    def _begin_stage(self, stage: Stage) -> None:
        for _, weight, masking in self.layers.weights():
            self.method.begin_stage(weight, masking)
        if unfit := self.layers.left_dense(stage.pattern):
            self.console.say(
                f"Stage {stage.number} leaves {', '.join(unfit)} dense: {stage.pattern.m} does not divide "
                "their input dimensions."
            )

    def _learning_rate(self, step: int) -> float:
        training = self.config.training
        return learning_rate_at(
            step,
            self.total_steps,
            training.learning_rate,
            training.warmup_steps,
            training.learning_rate_schedule,
        )

    def _due(self, every: int) -> bool:
        return every > 0 and self.state.step % every == 0

    def _report_step(self, step: int, seconds: float) -> None:
        stage, pace = self.schedule.stage_at(step), self.progress.training
        if step == self.first_step:
            pace.skip(self._passes_of_a_step())
        else:
            pace.add(self._passes_of_a_step(), seconds)
        begins = step in (stage.start, self.first_step)
        if begins:
            self.client.update(sparsity=self._sparsity())
        speed = {}
        if pace.rate is not None:
            images = pace.rate * self.config.training.images_per_step / self._passes_of_a_step()
            speed = {"samplesPerSecond": f"{images:.1f}"}
        self.progress.update(
            transition=begins,
            step=self.state.step,
            stage=stage.number,
            stagePattern=str(stage.pattern) if self.method.masks else "dense",
            maskFlips=self.state.flips,
            loss=f"{self.state.loss:.4f}",
            imagesProcessed=self.state.step * self.config.training.images_per_step,
            **speed,
        )

    def _sparsity(self) -> dict[str, Any]:
        """`status.sparsity` of the student under the masks in force."""
        weights = bake_masks(self.state.held.whole_state(), self.state.masks())
        return sparsity_status(weights, *self._exported)

    def _save_checkpoint(self) -> None:
        step, digest = self.state.step, mask_digest(self.state.masks())
        self.processes.check_same("masks", digest, step)
        tensors, described = self.state.snapshot()
        path = self.processes.on_rank_zero(lambda: self._save(tensors, described))
        if path is not None:
            uri = self._checkpoint_uri(step)
            self.client.update(checkpoint={"uri": uri, "step": step, "maskDigest": digest})

    def _checkpoint_uri(self, step: int) -> str:
        return f"{self.config.output.uri}/checkpoints/{self.store.path(step).name}"

    def _save(self, tensors: dict[str, Tensor], described: dict[str, Any]) -> Path:
        path = self.store.save(self.state.step, tensors, described)
        if self.held is not None:
            self.held.publish()
        return path

    def _sparse_weights(self) -> dict[str, Tensor]:
        """The averaged weights as the method makes them sparse: under the frozen mask that they were tuned
        with, else under their own."""
        step, weights = self.state.step, self.state.ema.weights
        pattern = self.schedule.stage_at(step - 1).pattern if step else self.config.sparsity.pattern
        # What is learned beside the weights is folded into them.
        sparse = {name: weight for name, weight in weights.items() if not name.endswith(f".{SCALING}")}
        for name, masking in self.layers.maskings_of(weights, pattern).items():
            sparse[f"{name}.weight"] = self.method.sparse_weight(weights[f"{name}.weight"], masking)
        return self.state.held.whole_state(sparse)

    def _evaluate_on_the_way(self, stage: Stage, judged: bool) -> None:
        """Weights of an earlier stage's pattern are no candidates for the best. `judged` where the stage has
        ended, and whether it is good decides how the run goes on."""
        self.progress.enter("evaluating")
        state, weights = self.state, self._sparse_weights()
        distance = self._measure(weights, choosing=True).distance
        fits = stage.pattern == self.config.sparsity.pattern
        if fits and (state.best is None or distance < state.best.distance):
            kept = {k: v.clone() for k, v in weights.items()} if self._chooses else None
            state.best = Best(state.step, distance, kept)
            self._report_best()
        achieved = sparsity_status(weights, self.config.sparsity.pattern, self.selection)["achieved"]
        state.history.append({"step": state.step, "distance": decimal(distance, 2), "sparsity": achieved})
        self.progress.history = state.history
        if judged:
            ended = StageEnd.of(stage, distance)
            most = self.config.sparsity.schedule.max_regression_percent
            state.regression = judge(ended, state.good, most)
            if state.regression is None:
                state.good, self.store.pinned = ended, ended.step
        self.progress.enter("training")

    def _report_best(self) -> None:
        if self.state.best is not None:
            self.client.update(best=self.state.best.status())

    def _measure(
        self,
        weights: dict[str, Tensor],
        keep: int = 0,
        choosing: bool = False,
        precision: str | None = None,
    ) -> Measurement:
        """Runs on all processes, which all draw."""
        if self.evaluator.reference is None and self.processes.is_rank_zero:
            work = self._work(self.progress.reference, self._passes_of_features)
            source, content = self.config.reference
            self.evaluator.set_reference(
                self.held_out or self.dataset, self.reference_cache, work, self._staging, source, content
            )
        return self.evaluator.measure(
            self._model_of(weights),
            self._work(self.progress.evaluation),
            keep,
            self.processes,
            choosing,
            precision,
        )

    def _model_of(self, weights: dict[str, Tensor]) -> nn.Module:
        """In evaluation mode, on the device."""
        model = build_model(self.model_config)
        model.load_state_dict(weights)
        return model.to(self.device).eval()

    def _work(self, pace: Pace, passes_each: float = 1.0) -> Callable[[int], None]:
        last = time.monotonic()

        def on_work(passes: int) -> None:
            nonlocal last
            now = time.monotonic()
            pace.add(passes * passes_each, now - last)
            last = now
            self.progress.update()
            self._check_stop()

        return on_work

    @property
    def _staging(self) -> Path | None:
        """Where files are staged before they are renamed; only rank 0 writes any."""
        return None if self.held is None else self.held.lock.staging

    def _check_lock(self) -> None:
        if self.held is not None:
            self.held.lock.check()

    def _check_stop(self) -> None:
        self._check_lock()
        self.stop.check(f"training stands at step {self.state.step}; a retry repeats only what is not saved.")

    def _course(self) -> Course | None:
        if not self.method.trains:
            return None
        state = self.state
        return Course(
            self.schedule,
            state.stage_losses(),
            state.stage_flip_rates(),
            state.overflows,
            tuple(state.curve.points()),
            tuple(state.history),
        )

    def _provenance(self) -> dict[str, Any]:
        config = self.config
        stages = ", ".join(f"{s.pattern} to step {s.end}" for s in self.schedule.stages)
        return {
            "run": run_name(),
            "configDigest": config.digest(),
            "configuration": config.given,
            "initialization": config.model.initialization,
            **({} if self.pretrained_sha256 is None else {"pretrainedSha256": self.pretrained_sha256}),
            "dataset": config.dataset.uri or "generated",
            "data": self.data,
            **({} if self.held_out is None else {"heldOutData": record(self.held_out)}),
            "reference": self._origin_of_reference(),
            **({"captions": config.captions.uri} if self.model_config.context else {}),
            "seed": config.training.seed,
            "steps": self.total_steps,
            "method": config.sparsity.method,
            "schedule": f"{config.sparsity.schedule.type}: {stages}" if self.method.trains else "none",
            "masks": mask_rhythm(config),
            **({"sources": fetched} if (fetched := sources_status()) else {}),
            **(self.teacher.provenance() if self.teacher else {"teacher": "none"}),
            "weights": self._which_weights(),
            "device": self.usage.device,
            "latency": self.latency,
            **({} if self.state.best is None else {"best": self.state.best.status()}),
            **({} if self.state.regression is None else {"rollback": self.state.regression.status()}),
        }

    def _origin_of_reference(self) -> dict[str, Any]:
        config, held_out = self.config, self.config.evaluation.dataset
        if config.evaluation.reference_stats_uri:
            place = {"uri": config.evaluation.reference_stats_uri}
        elif held_out is not None:
            place = {"format": held_out.format, "uri": held_out.uri, "split": held_out.split}
        elif config.dataset.uri is not None:
            place = {"format": config.dataset.format, "uri": config.dataset.uri, "split": "train"}
        else:
            place = {}
        evaluator = self.evaluator
        return {"source": evaluator.source_name, **place, "digest": evaluator.reference_digest}

    def _which_weights(self) -> str:
        if not self.total_steps:
            return "as pretrained"
        which, best = f"EMA, decay {self.config.training.ema_decay:g}", self._chosen
        if self.state.regression is not None:
            return f"{which}, of step {self.state.step}, the end of the last good stage"
        return which if best is None else f"{which}, of step {best.step}, the best on other seeds"


def check_fits(dense: nn.Module, precision: str) -> None:
    """Raises ConfigError, before the training, where the dense model can't be measured in this precision."""
    if name := first_too_large(dense.state_dict(), precision):
        raise ConfigError(
            [
                f"evaluation.precision must be bf16 or fp32: {name} of the dense weights holds values that "
                f"{precision} can't."
            ]
        )


def check_encodes(encoder: TextEncoder, nothing: Tensor) -> None:
    """Raises InputError, before the training, where another encoder made the texts of the data. `nothing`:
    (L, D), its encoding of the empty text."""
    wanted = tuple(nothing.shape)
    if encoder.shape != wanted:
        raise InputError(
            "TextEncoderMismatch",
            f"model.textEncoderUri encodes a text as {encoder.shape[0]} vectors of {encoder.shape[1]}, and "
            f"the data set holds {wanted[0]} of {wanted[1]}: name the encoder that made them.",
        )
    found = encoder([""])[0].cpu()
    difference = float((found - nothing).norm() / nothing.norm())
    if not difference <= ENCODER_TOLERANCE:
        raise InputError(
            "TextEncoderMismatch",
            "model.textEncoderUri encodes the empty text otherwise than the data set has it (they differ by "
            f"{100 * difference:.3g} %): name the encoder that made its texts.",
        )
