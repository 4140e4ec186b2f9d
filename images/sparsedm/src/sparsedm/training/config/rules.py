"""Rules between the parts of a spec: settings that would change nothing, random weights, the teacher."""

from __future__ import annotations

from contextlib import suppress
from dataclasses import replace

from sparsedm.artifact.artifact import PIPELINE
from sparsedm.diffusion.network import NetworkConfig
from sparsedm.diffusion.space import differences
from sparsedm.models import PRESETS
from sparsedm.sparsity.methods import METHODS
from sparsedm.sparsity.pattern import Pattern
from sparsedm.sparsity.ranking import MOVING_TYPES
from sparsedm.training.config.parts import read_checkpoint, read_training
from sparsedm.training.config.reader import Problems, Reader
from sparsedm.training.config.spec import (
    PIPELINE_FORMATS,
    CheckpointSpec,
    DatasetSpec,
    EvaluationSpec,
    ModelSpec,
    SparsitySpec,
    TrainingSpec,
)

PULLING = ("sparsedm", "sr-ste", "sr-ste-decoupled")
"""Methods that pull masked weights by sparsity.regularization."""


def check_effects(
    problems: Problems,
    model: ModelSpec,
    sparsity: SparsitySpec,
    training: TrainingSpec,
    checkpoint: CheckpointSpec,
    evaluation: EvaluationSpec,
) -> None:
    """Settings that would change nothing. A default is no setting, so that only another value can be one, and
    0 is true of all; 0.0002, 0.1 and 15 were every method's defaults, and older objects have them. The schema
    says the same; test/integration/judged-alike.yaml holds the cases."""
    method, schedule = METHODS[sparsity.method], sparsity.schedule
    if sparsity.method not in PULLING and sparsity.regularization not in (0.0002, 0.0):
        problems.add("sparsity.regularization", f"must be absent: it belongs to {', '.join(PULLING)}.")
    moves = method.trains and method.masks and method.moves_mask and sparsity.mask_type in MOVING_TYPES
    if schedule.freeze_mask_percent not in (None, 15) and not moves:
        problems.add("sparsity.schedule.freezeMaskPercent", "must be absent: no mask moves in this run.")
    if not method.masks and sparsity.pattern != Pattern(2, 4):
        problems.add("sparsity.pattern", f"must be absent: method {sparsity.method} masks nothing.")
    if not method.masks and (sparsity.include or sparsity.exclude):
        problems.add("sparsity.layers", f"must be absent: method {sparsity.method} masks nothing.")
    if not (method.trains and method.masks) and (
        schedule.stages or schedule.ramp_percent or schedule.family != "linear" or schedule.guards
    ):
        problems.add(
            "sparsity.schedule",
            f"must be without stages, family, rampPercent and onRegression: method {sparsity.method} goes "
            "through no patterns.",
        )
    if sparsity.method == "cast" and training.optimizer != "adamw":
        problems.add("training.optimizer", "must be absent: method cast has an optimizer of its own, AdamS.")
    if not method.trains:
        _check_untrained(problems, sparsity, training, checkpoint, evaluation)
    if evaluation.every_steps > training.steps:
        problems.add(
            "evaluation.everySteps",
            f"must be at most training.steps, which is {training.steps}: nothing else is evaluated during "
            "training.",
        )
    if evaluation.guidance not in (None, 0.5, 0.0) and _has_no_condition(model):
        problems.add("evaluation.guidance", "must be absent: the model knows no class or text for none.")


def check_random(problems: Problems, model: ModelSpec, sparsity: SparsitySpec, dataset: DatasetSpec) -> None:
    if sparsity.method != "dense":
        problems.add(
            "sparsity.method",
            f"must be dense when model.initialization is random, not {sparsity.method}: train a dense model "
            "first, and make it sparse in a second run.",
        )
    elif sparsity.distillation_weight and model.teacher is None:
        problems.add(
            "sparsity.distillationWeight",
            "must be absent without model.teacher when model.initialization is random: random weights teach "
            "nothing.",
        )
    if dataset.format == "generated":
        problems.add(
            "dataset.format",
            "must not be generated when model.initialization is random: there is no dense model to draw the "
            "data.",
        )


def _check_untrained(
    problems: Problems,
    sparsity: SparsitySpec,
    training: TrainingSpec,
    checkpoint: CheckpointSpec,
    evaluation: EvaluationSpec,
) -> None:
    method = sparsity.method
    read = {"seed": training.seed, "batch_size": training.batch_size}
    if replace(read_training(Reader({}, "training", problems)), **read) != training:
        problems.add(
            "training", f"must hold only seed and batchSize with method {method}, which trains nothing."
        )
    if read_checkpoint(Reader({}, "checkpoint", problems), training.steps) != checkpoint:
        problems.add(
            "checkpoint", f"must be absent: method {method} trains nothing, and saves no checkpoint."
        )
    if sparsity.distillation_weight not in (0.1, 0.0):
        problems.add("sparsity.distillationWeight", f"must be absent: method {method} trains nothing.")
    if evaluation.every_steps:
        problems.add("evaluation.everySteps", f"must be absent: method {method} is measured once.")


def check_teacher(problems: Problems, model: ModelSpec, sparsity: SparsitySpec) -> None:
    """A teacher without effect, and one that can't be followed; a folder says later what it predicts
    (plan.teacher_model)."""
    teacher = model.teacher
    if teacher is None:
        return
    if not METHODS[sparsity.method].trains:
        problems.add("model.teacher", f"must be absent: method {sparsity.method} trains nothing.")
    elif not sparsity.distillation_weight:
        problems.add(
            "model.teacher",
            f"must be absent where nothing follows it: method {sparsity.method} does by a "
            "sparsity.distillationWeight above 0.",
        )
    with suppress(ValueError):  # sizes that describe no network have been complained about
        student, taught_by = model.network(), teacher.network()
        if student is not None and taught_by is not None:
            problems.extend(teacher_problems(teacher, student, taught_by))


def check_pipeline(
    problems: Problems,
    model: ModelSpec,
    dataset: DatasetSpec,
    sparsity: SparsitySpec,
    training: TrainingSpec,
    evaluation: EvaluationSpec,
) -> None:
    """A pipeline is trained on what its denoiser is called with, and so takes none of what makes batches of
    images, and nothing else takes that."""
    formats, held_out = " or ".join(PIPELINE_FORMATS), evaluation.dataset
    if model.architecture != PIPELINE:
        if evaluation.clip_uri is not None:
            problems.add(
                "evaluation.clipUri",
                f"must be absent unless model.architecture is {PIPELINE}: other models have no prompts.",
            )
        places = {"dataset.format": dataset.format, "evaluation.dataset.format": held_out and held_out.format}
        if training.refresh_steps:
            problems.add(
                "training.refreshSteps",
                f"must be absent unless model.architecture is {PIPELINE}: nothing is recorded.",
            )
        for place in (place for place, format in places.items() if format in PIPELINE_FORMATS):
            problems.add(
                place,
                f"must be of images or latents, not {places[place]}, when model.architecture is "
                f"{model.architecture}: write model.architecture: {PIPELINE} for a folder with "
                "model_index.json.",
            )
        return
    _check_settings(problems, model, sparsity, evaluation)
    why = f"when model.architecture is {PIPELINE}"
    if dataset.format not in PIPELINE_FORMATS:
        problems.add("dataset.format", f"must be {formats} {why}, not {dataset.format}.")
    if dataset.format == "recording" and training.refresh_steps:
        problems.add(
            "training.refreshSteps",
            "must be absent when dataset.format is recording, which names no prompts to draw after: write "
            "dataset.format: prompts.",
        )
    if dataset.format == "recording" and held_out is None:
        problems.add(
            "evaluation.dataset",
            "must be given when dataset.format is recording, which names no prompts to measure with: write "
            "one of format prompts.",
        )
    if held_out is not None and held_out.format != "prompts":
        problems.add("evaluation.dataset.format", f"must be prompts {why}, not {held_out.format}.")


def _check_settings(
    problems: Problems, model: ModelSpec, sparsity: SparsitySpec, evaluation: EvaluationSpec
) -> None:
    """What a pipeline decides by itself."""
    why = f"when model.architecture is {PIPELINE}"
    if model.teacher is not None or sparsity.distillation_weight not in (0.1, 0.0):
        place = "model.teacher" if model.teacher else "sparsity.distillationWeight"
        problems.add(place, f"must be absent {why}: what the dense pipeline returned is what is learned.")
    if model.text_encoder_uri is not None:
        problems.add("model.textEncoderUri", f"must be absent {why}, which has its own.")
    if evaluation.guidance not in (None, 0.5, 0.0):
        problems.add("evaluation.guidance", f"must be absent {why}: write dataset.guidanceScale.")
    if evaluation.sampler != "dpm-solver++":
        problems.add("evaluation.sampler", f"must be absent {why}, which has a scheduler of its own.")


def teacher_problems(spec: ModelSpec, student: NetworkConfig, teacher: NetworkConfig) -> list[str]:
    """A sentence for each way in which the teacher that `spec` describes predicts in another space."""
    found = []
    for name, wanted, given in differences(student, teacher):
        place = f"config.{name}" if spec.config else "preset" if spec.preset else "pretrained.uri"
        found.append(
            f"model.teacher.{place} must fit the model, which predicts with {name} {wanted}, not {given}."
        )
    return found


def _has_no_condition(model: ModelSpec) -> bool:
    """Whether it is known here already; a folder says later what its network takes (plan.evaluation_plan)."""
    if model.preset in PRESETS:
        return not PRESETS[model.preset].guidable
    config = model.config
    if config is None or config["context_tokens"]:
        return False
    return not (config["num_classes"] and config["null_class"])
