"""The parts of the spec but evaluation, each read with the rules that it can judge alone."""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import replace
from typing import Any

from sparsedm.artifact.artifact import PIPELINE
from sparsedm.diffusion.process import PREDICTIONS
from sparsedm.models import UViTConfig
from sparsedm.sparsity.criteria import CRITERIA
from sparsedm.sparsity.criteria.obs import LARGEST_GROUP
from sparsedm.sparsity.methods import METHODS
from sparsedm.sparsity.pattern import Pattern
from sparsedm.sparsity.ranking import MASK_TYPES, MOVING_TYPES
from sparsedm.sparsity.schedule import FAMILIES, progressive_patterns
from sparsedm.training.config.reader import Reader, shown
from sparsedm.training.config.spec import (
    ARCHITECTURES,
    CALIBRATION_SAMPLES,
    FORMATS,
    FREEZE_PERCENT,
    INITIALIZATIONS,
    LATENT_FORMATS,
    METHOD_NAMES,
    MIRRORED_FORMATS,
    OPTIMIZERS,
    PIPELINE_FORMATS,
    PRECISIONS,
    PRESET_NAMES,
    RAMP_PERCENT,
    REGRESSIONS,
    SCHEDULES,
    SHARDINGS,
    WEIGHT_SUFFIXES,
    CheckpointSpec,
    DatasetSpec,
    ModelSpec,
    ScheduleSpec,
    SparsitySpec,
    TrainingSpec,
)
from sparsedm.training.learning_rate import SCHEDULES as LEARNING_RATE_SCHEDULES

ONE_RHYTHM = {
    "s-ste": "method s-ste recomputes its mask in each step",
    "asp": "method asp makes its mask once",
    "dense": "method dense masks nothing",
    "masked-dense": "method masked-dense makes its mask once",
}
"""Methods that leave no choice when the mask is recomputed, and why."""
_SHA256 = re.compile(r"^[0-9a-f]{64}$")


def read_model(r: Reader) -> ModelSpec:
    model = _network(r)
    uri, sha256 = _start(r, model.architecture)
    teacher = _teacher(r.object("teacher")) if r.has("teacher") else r.take("teacher")
    encoder = r.uri("textEncoderUri", required=False)
    r.finish()
    return replace(
        model, pretrained_uri=uri, pretrained_sha256=sha256, teacher=teacher, text_encoder_uri=encoder
    )


def _teacher(r: Reader) -> ModelSpec:
    teacher = _network(r)
    if teacher.architecture == PIPELINE:
        r.complain("architecture", f"must not be {PIPELINE}: what a pipeline does is recorded.")
    uri, sha256 = _pretrained(r.object("pretrained"), teacher.architecture)
    r.finish()
    return replace(teacher, pretrained_uri=uri, pretrained_sha256=sha256)


def _network(r: Reader) -> ModelSpec:
    """Without its weights."""
    architecture = r.choice("architecture", ARCHITECTURES, "uvit")
    if architecture == "uvit" and r.has("preset") == r.has("config"):
        r.complain(
            "preset",
            f"or {r.at('config')} is required, and not both: name a preset or describe the model.",
        )
    for name in ("preset", "config"):
        if architecture != "uvit" and r.has(name):
            r.complain(
                name,
                f"must be absent when {r.at('architecture')} is {architecture}: "
                f"the config.json in {r.at('pretrained.uri')} describes the model.",
            )
    preset = r.choice("preset", PRESET_NAMES, None) if r.has("preset") else r.take("preset")
    config = _uvit_config(r.object("config")) if r.has("config") else r.take("config")
    return ModelSpec(architecture, preset, config, None, None)


def _start(r: Reader, architecture: str) -> tuple[str | None, str | None]:
    """Where the first weights lie and their digest; None where they are random."""
    if r.choice("initialization", INITIALIZATIONS, "pretrained") == "pretrained":
        return _pretrained(r.object("pretrained"), architecture)
    if r.take("pretrained") is not None:
        r.complain("pretrained", "must be absent when model.initialization is random: no weights are read.")
    if architecture != "uvit":
        r.complain(
            "initialization",
            f"must be pretrained when model.architecture is {architecture}: the config.json in "
            "model.pretrained.uri describes the model.",
        )
    return None, None


def _parent(r: Reader) -> str:
    return r.path.rpartition(".")[0]


def _pretrained(r: Reader, architecture: str) -> tuple[str, str | None]:
    uri = r.uri("uri") or ""
    is_file = uri.endswith(WEIGHT_SUFFIXES)
    if uri and architecture == "uvit" and not is_file:
        r.complain("uri", f"must be a file ending in {', '.join(WEIGHT_SUFFIXES)}, not {shown(uri)}.")
    if uri and architecture != "uvit" and is_file:
        r.complain(
            "uri",
            f"must be the directory that diffusers wrote when {_parent(r)}.architecture is {architecture}, "
            f"not {shown(uri)}.",
        )
    sha256 = r.string("sha256")
    if sha256 is not None and not _SHA256.fullmatch(sha256):
        r.complain("sha256", f"must be 64 lower-case hexadecimal digits, not {shown(sha256)}.")
    r.finish()
    return uri, sha256


def _uvit_config(r: Reader) -> dict[str, Any]:
    before = len(r.problems)
    config = {
        "image_size": r.required_integer("imageSize", 8, 512),
        "patch_size": r.required_integer("patchSize", 1, 64),
        "channels": r.required_integer("channels", 1, 16),
        "width": r.required_integer("width", 16, 8192),
        "depth": r.required_integer("depth", 1, 128),
        "heads": r.required_integer("heads", 1, 128),
        "num_classes": r.integer("numClasses", 0, 0, 100_000),
        "final_conv": r.boolean("finalConv", True),
        "prediction": r.choice("prediction", PREDICTIONS, "noise"),
        "context_tokens": r.integer("contextTokens", 0, 1, 1024),
        "context_width": r.integer("contextWidth", 0, 1, 8192),
        "head_width": r.integer("headWidth", 0, 1, 1024),
        "mlp_width": r.integer("mlpWidth", 0, 1, 65_536),
        "null_class": r.boolean("nullClass", True),
        "label_dropout": r.decimal("labelDropout", "0.1", 0.0, 0.999999),
    }
    if r.has("noiseProcess"):
        config["process"] = _noise_process(r.object("noiseProcess"))
    if not config["null_class"] and not config["num_classes"]:
        r.complain("nullClass", "must be absent without numClasses: it is about the label table.")
    r.finish()
    if len(r.problems) == before:
        try:
            guidable = UViTConfig(**config).guidable
        except ValueError as error:
            r.problems.add(r.path, f"describes no U-ViT: {error}")
        else:
            if r.has("labelDropout") and not guidable:
                r.complain("labelDropout", "must be absent: this model knows no label or text for none.")
    return config


PROCESS_FIELDS: dict[str, dict[str, str]] = {
    "vp-linear": {"betaMin": "beta_min", "betaMax": "beta_max"},
    "discrete-betas": {
        "betaSchedule": "schedule", "betaStart": "start", "betaEnd": "end", "timesteps": "steps",
    },
    "rectified-flow": {"shift": "shift"},
}  # fmt: skip
"""Fields of each kind of noise process, and what diffusion/process.py calls them."""


def _noise_process(r: Reader) -> dict[str, Any]:
    """What diffusion.process.process_from takes."""
    kind = r.choice("kind", tuple(PROCESS_FIELDS), None)
    read = {
        "betaMin": r.decimal("betaMin", "0.1", 0.0, 999_999, open_low=True),
        "betaMax": r.decimal("betaMax", "20", 0.0, 999_999, open_low=True),
        "betaSchedule": r.choice("betaSchedule", ("linear", "scaled-linear", "cosine"), "linear"),
        "betaStart": r.decimal("betaStart", "0.0001", 0.0, 0.999_999, open_low=True),
        "betaEnd": r.decimal("betaEnd", "0.02", 0.0, 0.999_999, open_low=True),
        "timesteps": r.integer("timesteps", 1000, 2, 10_000),
        "shift": r.decimal("shift", "1", 0.0, 9_999, open_low=True),
    }
    for other, names in PROCESS_FIELDS.items():
        for name in names:
            if other != kind and r.has(name):
                r.complain(name, f"must be absent with kind {kind}: it belongs to {other}.")
    if kind == "discrete-betas":
        _check_betas(r, read["betaSchedule"])
    r.finish()
    endless = ("betaStart", "betaEnd") if read["betaSchedule"] == "cosine" else ()
    fields = {ours: read[name] for name, ours in PROCESS_FIELDS[kind].items() if name not in endless}
    return {"kind": kind, **fields}


def _check_betas(r: Reader, schedule: str) -> None:
    if not r.has("betaSchedule"):
        r.complain("betaSchedule", "must be linear, scaled-linear or cosine with kind discrete-betas.")
    for name in ("betaStart", "betaEnd"):
        if schedule == "cosine" and r.has(name):
            r.complain(name, "must be absent with betaSchedule cosine, which has no ends.")
        if schedule != "cosine" and not r.has(name):
            r.complain(name, f"must be given with betaSchedule {schedule}.")


def read_dataset(r: Reader) -> DatasetSpec:
    kind = r.choice("format", FORMATS, None)
    uri = r.uri("uri", required=kind != "generated")
    samples = r.integer("samples", 10_000, 1, 10_000_000)
    class_column = read_class_column(r, kind)
    if kind == "generated" and uri is not None:
        r.complain("uri", "must be absent when dataset.format is generated: the dense model draws the data.")
    if kind == "generated" and not r.has("samples"):
        r.complain("samples", "is required when dataset.format is generated: the number of images to make.")
    if kind not in ("generated", "prompts") and r.has("samples"):
        r.complain("samples", f"must be absent when dataset.format is {kind}, which makes none.")
    if kind in LATENT_FORMATS and r.has("horizontalFlip"):
        r.complain(
            "horizontalFlip", f"must be absent when dataset.format is {kind}: latents are not mirrored."
        )
    if kind in PIPELINE_FORMATS and r.has("horizontalFlip"):
        r.complain("horizontalFlip", f"must be absent when dataset.format is {kind}, which holds no images.")
    for name in ("callsPerTrajectory", "imageSize", "guidanceScale"):
        if kind != "prompts" and r.has(name):
            r.complain(name, "must be absent unless dataset.format is prompts: it says what is recorded.")
    horizontal_flip = r.boolean("horizontalFlip", kind in MIRRORED_FORMATS)
    calls = r.integer("callsPerTrajectory", 4, 1, 1000)
    size = r.integer("imageSize", 0, 16, 4096) or None
    scale = r.decimal("guidanceScale", "0", 0.0, 100.0)
    given = scale if r.has("guidanceScale") else None
    r.finish()
    return DatasetSpec(kind, uri, samples, horizontal_flip, class_column, calls, size, given)


def read_training(r: Reader) -> TrainingSpec:
    steps = r.integer("steps", 300, 1, 100_000_000)
    spec = TrainingSpec(
        steps=steps,
        batch_size=r.integer("batchSize", 64, 1, 65_536),
        learning_rate=r.decimal("learningRate", "0.0002", 0.0, 1.0, open_low=True),
        weight_decay=r.decimal("weightDecay", "0.03", 0.0, 1.0),
        betas=r.decimals("betas", ("0.9", "0.99"), 0.0, 0.99999),
        warmup_steps=r.integer("warmupSteps", min(20, steps // 2), 0, 100_000_000),
        ema_decay=r.decimal("emaDecay", "0.99", 0.0, 0.9999999),
        precision=r.choice("precision", PRECISIONS, "fp32"),
        seed=r.integer("seed", 0, 0, 2**31 - 1),
        gradient_clip=r.decimal("gradientClip", "1.0", 0.0, 1e6),
        learning_rate_schedule=r.choice("learningRateSchedule", LEARNING_RATE_SCHEDULES, "constant"),
        gradient_accumulation_steps=r.integer("gradientAccumulationSteps", 1, 1, 1024),
        gradient_checkpointing=r.boolean("gradientCheckpointing", False),
        compile=r.boolean("compile", False),
        sharding=r.choice("sharding", SHARDINGS, "none"),
        optimizer=r.choice("optimizer", OPTIMIZERS, "adamw"),
        refresh_steps=r.integer("refreshSteps", 0, 0, 100_000_000),
    )
    if spec.compile and spec.sharding == "fsdp":
        r.complain(
            "compile", "must be absent with training.sharding fsdp: what gathers a block is not compiled."
        )
    if spec.warmup_steps >= steps:
        r.complain(
            "warmupSteps", f"must be less than training.steps, which is {steps}: the rate never gets there."
        )
    if spec.refresh_steps >= steps:
        r.complain(
            "refreshSteps", f"must be less than training.steps, which is {steps}: nothing is refreshed else."
        )
    if spec.optimizer == "adafactor" and spec.betas != (0.9, 0.99):
        r.complain("betas", "must be absent with training.optimizer adafactor: they are AdamW's.")
    r.finish()
    return spec


def read_sparsity(r: Reader, total_steps: int) -> SparsitySpec:
    pattern = r.pattern("pattern", "2:4") or Pattern(2, 4)
    method = r.choice("method", METHOD_NAMES, "sparsedm")
    own = METHODS[method]
    schedule = _schedule(r.object("schedule"), pattern, total_steps)
    layers = r.object("layers")
    include = layers.strings("include", ())
    exclude = layers.strings("exclude", ())
    layers.finish()
    mask_type = r.choice("maskType", MASK_TYPES, "magnitude")
    _check_combination(r, method, mask_type, schedule)
    _check_calibration(r, method, mask_type, schedule, pattern)
    samples = r.integer("calibrationSamples", CALIBRATION_SAMPLES, 1, 1_000_000)
    spec = SparsitySpec(
        pattern,
        method,
        schedule,
        include,
        exclude,
        regularization=r.decimal("regularization", f"{own.default_regularization:g}", 0.0, 100.0),
        distillation_weight=r.decimal("distillationWeight", f"{own.default_distillation:g}", 0.0, 100.0),
        l1_decay=r.decimal("l1Decay", "0.0001", 0.0, 1000.0),
        mask_type=mask_type,
        mask_update_steps=r.integer("maskUpdateSteps", own.mask_update_steps, 1, 1_000_000),
        calibration_samples=samples if mask_type in CRITERIA else 0,
    )
    r.finish()
    return spec


def _check_combination(r: Reader, method: str, mask_type: str, schedule: ScheduleSpec) -> None:
    """Fields that exclude each other: a field that would change nothing is refused, not passed over."""
    if method == "asp" and schedule.type != "fixed":
        r.complain(
            "schedule.type",
            f"must be fixed with method asp, which prunes once, before the first step, not {schedule.type}.",
        )
    if method in ("s-ste", "cast", "dense") and mask_type != "magnitude":
        why = "masks nothing" if method == "dense" else "follows the magnitudes"
        r.complain(
            "maskType", f"must be magnitude with method {method}, which {why}: write that, or leave it out."
        )
    if r.has("maskUpdateSteps") and (method in ONE_RHYTHM or mask_type not in MOVING_TYPES):
        why = ONE_RHYTHM.get(method, f"a mask of type {mask_type} never moves")
        r.complain("maskUpdateSteps", f"must be absent: {why}.")
    if r.has("l1Decay") and method != "cast":
        r.complain("l1Decay", f"must be absent with method {method}: it belongs to cast.")


def _check_calibration(
    r: Reader, method: str, mask_type: str, schedule: ScheduleSpec, pattern: Pattern
) -> None:
    if r.has("calibrationSamples") and mask_type not in CRITERIA:
        r.complain(
            "calibrationSamples",
            f"must be absent with maskType {mask_type}: only {', '.join(CRITERIA)} look at samples.",
        )
    if mask_type != "obs":
        return
    if METHODS[method].trains and schedule.type != "fixed":
        r.complain(
            "schedule.type",
            "must be fixed with maskType obs, which prunes to sparsity.pattern before the first step, not "
            f"{schedule.type}.",
        )
    if pattern.m > LARGEST_GROUP:
        r.complain(
            "maskType",
            f"must not be obs with pattern {pattern}, because it tries all masks of a group: write wanda, or "
            f"a pattern with groups of at most {LARGEST_GROUP}.",
        )


def _schedule(r: Reader, target: Pattern, total_steps: int) -> ScheduleSpec:
    kind = r.choice("type", SCHEDULES, "progressive")
    freeze = r.integer("freezeMaskPercent", FREEZE_PERCENT, 0, 100) if r.has("freezeMaskPercent") else None
    given = r.take("stages")
    if kind != "custom" and given:
        r.complain(
            "stages", f"must be absent when {r.at('type')} is {kind}: say type: custom to give your own."
        )
    stages = _stages(r, given, target, total_steps) if kind == "custom" else ()
    ramp = r.integer("rampPercent", RAMP_PERCENT, 1, 99) if r.has("rampPercent") else None
    if kind != "progressive" and ramp:
        r.complain("rampPercent", f"must be absent when {r.at('type')} is {kind}: it belongs to progressive.")
    family = r.choice("family", tuple(FAMILIES), "linear")
    if kind != "progressive" and r.has("family"):
        r.complain("family", f"must be absent when {r.at('type')} is {kind}: it belongs to progressive.")
    reaction = r.choice("onRegression", REGRESSIONS, "Continue")
    if reaction == "Continue" and r.has("maxRegressionPercent"):
        r.complain("maxRegressionPercent", "must be absent unless onRegression is RollBack or Stop.")
    most = r.integer("maxRegressionPercent", 10, 0, 1000)
    if reaction != "Continue" and _number_of_stages(kind, stages, target, family) == 1:
        r.complain(
            "onRegression",
            f"must be Continue with a schedule of one stage, which has none before it, not {reaction}: take "
            "a schedule of several stages.",
        )
    r.finish()
    return ScheduleSpec(kind, stages, freeze, ramp, family, reaction, most)


def _number_of_stages(kind: str, stages: Sequence[Any], target: Pattern, family: str) -> int:
    """0 where the stages have been complained about."""
    if kind == "custom":
        return len(stages)
    return 1 if kind == "fixed" else len(progressive_patterns(target, family))


def _stages(r: Reader, given: Any, target: Pattern, total_steps: int) -> tuple[tuple[Pattern, int], ...]:
    if not isinstance(given, list) or not given:
        r.complain("stages", "is required when the type is custom: a list of {pattern, steps}.")
        return ()
    stages = []
    for i, entry in enumerate(given):
        stage = Reader(entry, r.at(f"stages[{i}]"), r.problems)
        stages.append((stage.pattern("pattern", None), stage.required_integer("steps", 1, 100_000_000)))
        stage.finish()
    whole = [(p, steps) for p, steps in stages if p is not None]
    if len(whole) < len(stages):
        return ()
    if whole[-1][0] != target:
        r.complain("stages", f"must end with the target sparsity.pattern {target}, not {whole[-1][0]}.")
    if sum(steps for _, steps in whole) != total_steps:
        sums = sum(steps for _, steps in whole)
        r.complain(
            "stages",
            f"must add up to training.steps: they make {sums} steps, and training.steps is {total_steps}.",
        )
    return tuple(whole)


def read_checkpoint(r: Reader, total_steps: int) -> CheckpointSpec:
    every = r.integer("everySteps", min(50, total_steps), 1, 100_000_000)
    if every > total_steps:
        r.complain(
            "everySteps", f"must be at most training.steps, which is {total_steps}: no checkpoint is saved."
        )
    spec = CheckpointSpec(every, r.integer("keep", 2, 1, 100))
    r.finish()
    return spec


def read_class_column(r: Reader, format: str) -> str | None:
    column = r.string("classColumn")
    if column is not None and format != "image-folder":
        r.complain(
            "classColumn", f"must be absent when the format is {format}: only image-folder has columns."
        )
    return column
