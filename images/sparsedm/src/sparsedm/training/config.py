"""The trainer's configuration: the spec parts of a SparseFinetune, parsed into frozen dataclasses.

Comes as JSON in SPARSEDM_CONFIG (the operator) or as a YAML or JSON file (`--config`), which may also be a
whole SparseFinetune manifest. Names and defaults are the custom resource's; decimals may be strings or
numbers. All problems are found in one pass, each reported as a sentence that names the field and the remedy.
"""

from __future__ import annotations

import difflib
import json
import math
import os
import re
from collections.abc import Iterator, Mapping
from contextlib import suppress
from dataclasses import asdict, dataclass, field, replace
from pathlib import Path
from typing import Any

import yaml

from sparsedm.diffusion.network import NetworkConfig
from sparsedm.diffusion.process import PREDICTIONS
from sparsedm.diffusion.samplers import SAMPLERS
from sparsedm.diffusion.space import differences
from sparsedm.errors import ConfigError
from sparsedm.files import json_digest
from sparsedm.measure.reference import Content
from sparsedm.models import PRESETS, UViTConfig
from sparsedm.sparsity.methods import METHODS
from sparsedm.sparsity.pattern import Pattern
from sparsedm.sparsity.ranking import MASK_TYPES
from sparsedm.sparsity.schedule import FAMILIES
from sparsedm.training.learning_rate import SCHEDULES as LEARNING_RATE_SCHEDULES

ARCHITECTURES = ("uvit", "unet", "dit", "diffusers")
INITIALIZATIONS = ("pretrained", "random")
WEIGHT_SUFFIXES = (".safetensors", ".pth", ".pt", ".bin")
EXTRACTOR_SUFFIXES = (".safetensors", ".pth", ".pt")
PRESET_NAMES = tuple(PRESETS)
FORMATS = (
    "fashion-mnist",
    "cifar10",
    "celeba",
    "image-folder",
    "imagenet256-features",
    "imagenet512-features",
    "mscoco256-features",
    "generated",
)
LATENT_FORMATS = tuple(name for name in FORMATS if name.endswith("-features"))
SPLIT_FORMATS = ("fashion-mnist", "cifar10", "celeba")
"""Formats that have test images beside those to train on; a folder and features have one set."""
CAPTIONED_FORMATS = ("mscoco256-features",)
MIRRORED_FORMATS = ("cifar10", "celeba")
"""Formats whose published runs mirror images at random."""
METHOD_NAMES = tuple(METHODS)
SCHEDULES = ("progressive", "fixed", "custom")
ONE_RHYTHM = {
    "s-ste": "method s-ste recomputes its mask in each step",
    "asp": "method asp makes its mask once",
    "dense": "method dense masks nothing",
    "masked-dense": "method masked-dense makes its mask once",
}
"""Methods that leave no choice when the mask is recomputed, and why."""
PULLING = ("sparsedm", "sr-ste", "sr-ste-decoupled")
"""Methods that pull masked weights by sparsity.regularization."""
PRECISIONS = ("fp32", "bf16", "fp16")
SPLITS = ("test", "train")
METRICS = ("fid", "fd")
"""fid is refused without the standard Inception network; fd takes any extractor and is named after it."""
SELECTIONS = ("last", "best")
DEFAULT_EXTRACTOR = "file:///opt/sparsedm/weights/fashion-mnist-extractor.safetensors"
SPEC_PARTS = ("model", "dataset", "sparsity", "training", "checkpoint", "evaluation", "output")
"""Parts of a SparseFinetune's spec that the trainer reads; the others below are the operator's."""
OPERATOR_PARTS = (
    "acceptance",
    "trainer",
    "suspend",
    "backoffLimit",
    "activeDeadlineSeconds",
    "ttlSecondsAfterFinished",
)

_DECIMAL = re.compile(r"^[+-]?(\d+\.?\d*|\.\d+)([eE][+-]?\d+)?$")
_SHA256 = re.compile(r"^[0-9a-f]{64}$")
_DNS_NAME = r"[a-z0-9]([-a-z0-9]*[a-z0-9])?([.][a-z0-9]([-a-z0-9]*[a-z0-9])?)*"
_URI = re.compile(
    rf"^(?:pvc://(?=[^/]{{1,253}}/)(?P<claim>{_DNS_NAME})/(?P<path>[^?#]+)|file://(?P<file>/[^?#]+))$"
)


@dataclass(frozen=True)
class ModelSpec:
    """For uvit exactly one of `preset` and `config` is set, for the others none: the directory at
    `pretrained_uri` describes them. `config` holds UViTConfig's fields, snake_case. Without `pretrained_uri`
    the weights are drawn from training.seed. `teacher` None stands for the model itself, as it is before
    training. `text_encoder_uri` is the folder of what made the texts of the data, for those who serve the
    model."""

    architecture: str
    preset: str | None
    config: dict[str, Any] | None
    pretrained_uri: str | None
    pretrained_sha256: str | None
    teacher: ModelSpec | None = None
    text_encoder_uri: str | None = None

    def network(self) -> UViTConfig | None:
        """The sizes of a U-ViT; None where a folder has them. Raises ValueError where they describe none."""
        if self.preset is not None:
            return PRESETS[self.preset]
        return None if self.config is None else UViTConfig(**self.config)

    @property
    def initialization(self) -> str:
        """One of INITIALIZATIONS."""
        return "random" if self.pretrained_uri is None else "pretrained"


@dataclass(frozen=True)
class DatasetSpec:
    """`horizontal_flip` mirrors each image with probability 1/2 in training."""

    format: str
    uri: str | None
    samples: int
    horizontal_flip: bool
    class_column: str | None = None


@dataclass(frozen=True)
class ScheduleSpec:
    """`ramp_percent` None gives each pattern of a progressive schedule an equal share of the steps."""

    type: str
    stages: tuple[tuple[Pattern, int], ...]
    freeze_mask_percent: int
    ramp_percent: int | None = None
    family: str = "linear"


@dataclass(frozen=True)
class SparsitySpec:
    """An empty `include` stands for the architecture's own layers (plan.DEFAULT_LAYERS)."""

    pattern: Pattern
    method: str
    schedule: ScheduleSpec
    include: tuple[str, ...]
    exclude: tuple[str, ...]
    regularization: float
    distillation_weight: float
    l1_decay: float
    mask_type: str
    mask_update_steps: int


@dataclass(frozen=True)
class TrainingSpec:
    """A step sees `batch_size` times `gradient_accumulation_steps` images."""

    steps: int
    batch_size: int
    learning_rate: float
    weight_decay: float
    betas: tuple[float, float]
    warmup_steps: int
    ema_decay: float
    precision: str
    seed: int
    gradient_clip: float
    learning_rate_schedule: str
    gradient_accumulation_steps: int
    gradient_checkpointing: bool
    compile: bool

    @property
    def images_per_step(self) -> int:
        return self.batch_size * self.gradient_accumulation_steps


@dataclass(frozen=True)
class CheckpointSpec:
    every_steps: int
    keep: int


@dataclass(frozen=True)
class EvaluationDataset:
    """Held-out data. `split` is what data.open_dataset takes: "test" also where a format has one set."""

    format: str
    uri: str
    split: str
    class_column: str | None = None


@dataclass(frozen=True)
class EvaluationSpec:
    """`every_steps` 0 evaluates at the end only. `select` says which weights are exported: the last, or the
    best of those that were evaluated. `guidance` None is 0.5 for a class-conditional model, else 0.
    `autoencoder_uri` is set where the data set to train on holds latents. What is compared with is what
    TrainConfig.reference says."""

    samples: int
    steps: int
    guidance: float | None
    extractor_uri: str
    every_steps: int
    sampler: str
    autoencoder_uri: str | None = None
    metric: str = "fd"
    reference_stats_uri: str | None = None
    select: str = "last"
    dataset: EvaluationDataset | None = None
    precision: str = "fp32"
    served_precisions: tuple[str, ...] = ()


@dataclass(frozen=True)
class OutputSpec:
    uri: str


@dataclass(frozen=True)
class TrainConfig:
    model: ModelSpec
    dataset: DatasetSpec
    sparsity: SparsitySpec
    training: TrainingSpec
    checkpoint: CheckpointSpec
    evaluation: EvaluationSpec
    output: OutputSpec
    given: Mapping[str, Any] = field(default_factory=dict, compare=False, repr=False)
    """The spec parts as they were read, which `--config` reads again."""

    @property
    def reference(self) -> tuple[str, Content]:
        """Where the images that are compared with come from, as in `status.fid.reference`, and what they
        are."""
        return _reference(self.dataset.format, self.evaluation)

    @property
    def captions(self) -> DatasetSpec | EvaluationDataset:
        """The data whose texts a model with text draws after: held-out ones where there are any."""
        held_out = self.evaluation.dataset
        return held_out if held_out and held_out.format in CAPTIONED_FORMATS else self.dataset

    @property
    def distillation_weight(self) -> float:
        """alpha: 0 runs no teacher."""
        return self.sparsity.distillation_weight if METHODS[self.sparsity.method].trains else 0.0

    def digest(self) -> str:
        """`sha256:...` of the configuration with its defaults filled in: two spellings of one run have one
        digest."""
        return json_digest(self.settings())

    def settings(self) -> dict[str, Any]:
        """The configuration with its defaults filled in, as JSON holds it. A manifest keeps it: defaults
        may change with a version."""
        fields = {name: value for name, value in asdict(self).items() if name != "given"}
        return json.loads(json.dumps(fields, default=str))

    @classmethod
    def from_settings(cls, settings: Mapping[str, Any]) -> TrainConfig:
        """Raises ConfigError for what another version wrote, if this one would not do the same."""
        # Imported here: only a run that is repeated needs it.
        from pydantic import TypeAdapter

        try:
            config = TypeAdapter(cls).validate_python(dict(settings))
        except ValueError as error:
            raise ConfigError([f"the settings are not of this version: {_first_line(error)}."]) from error
        if config.settings() != settings:
            names = sorted(_differing(settings, config.settings()))
            raise ConfigError(
                [f"the settings are of another version, whose {', '.join(names)} this one does not know."]
            )
        return config


def _reference(format: str, evaluation: EvaluationSpec) -> tuple[str, Content]:
    if evaluation.reference_stats_uri:
        return "statistics", "images"
    if evaluation.dataset is not None:
        return "evaluation-data", "decodings" if evaluation.dataset.format in LATENT_FORMATS else "images"
    if format == "generated":
        return "dense-samples", "dense-samples"
    return "training-data", "decodings" if format in LATENT_FORMATS else "images"


class _Problems(list[str]):
    """Collects sentences; each names a field by its dotted path as in the custom resource."""

    def add(self, path: str, complaint: str) -> None:
        self.append(f"{path} {complaint}")


class _Reader:
    """Reads one object's fields, noting every problem and unknown field, never stopping at the first."""

    def __init__(self, value: Any, path: str, problems: _Problems) -> None:
        self.path = path
        self.problems = problems
        self.seen: set[str] = set()
        self.value: Mapping[str, Any] = value if isinstance(value, Mapping) else {}
        if value is not None and not isinstance(value, Mapping):
            problems.add(path, f"must be an object with named fields, not {_show(value)}.")

    def at(self, name: str) -> str:
        return f"{self.path}.{name}" if self.path else name

    def has(self, name: str) -> bool:
        return self.value.get(name) is not None

    def take(self, name: str) -> Any:
        self.seen.add(name)
        return self.value.get(name)

    def object(self, name: str) -> _Reader:
        return _Reader(self.take(name), self.at(name), self.problems)

    def complain(self, name: str, complaint: str) -> None:
        self.problems.add(self.at(name), complaint)

    def string(self, name: str, default: str | None = None) -> str | None:
        value = self.take(name)
        if value is None:
            return default
        if not isinstance(value, str) or not value:
            self.complain(name, f"must be a text, not {_show(value)}.")
            return default
        return value

    def choice(self, name: str, choices: tuple[str, ...], default: str | None) -> str:
        value = self.take(name)
        if value is None and default is not None:
            return default
        if value not in choices:
            self.complain(name, f"must be one of {', '.join(choices)}, not {_show(value)}.")
            return default or choices[0]
        return value

    def integer(self, name: str, default: int, low: int, high: int) -> int:
        value = self.take(name)
        if value is None:
            return default
        if isinstance(value, bool) or not isinstance(value, int) or not low <= value <= high:
            self.complain(name, f"must be a whole number from {low} to {high}, not {_show(value)}.")
            return default
        return value

    def required_integer(self, name: str, low: int, high: int) -> int:
        if not self.has(name):
            self.complain(name, f"is required: a whole number from {low} to {high}.")
        return self.integer(name, low, low, high)

    def decimal(self, name: str, default: str, low: float, high: float, open_low: bool = False) -> float:
        value = self.take(name)
        return self._decimal(name, default if value is None else value, float(default), low, high, open_low)

    def decimals(self, name: str, default: tuple[str, ...], low: float, high: float) -> tuple[float, ...]:
        value = self.take(name)
        value = list(default) if value is None else value
        fallback = tuple(float(d) for d in default)
        if not isinstance(value, list) or len(value) != len(default):
            self.complain(name, f"must be a list of {len(default)} decimals, not {_show(value)}.")
            return fallback
        pairs = zip(value, fallback, strict=True)
        return tuple(self._decimal(f"{name}[{i}]", v, d, low, high, False) for i, (v, d) in enumerate(pairs))

    def _decimal(
        self, name: str, value: Any, default: float, low: float, high: float, open_low: bool
    ) -> float:
        number = _number(value)
        if number is None or not low <= number <= high or (open_low and number == low):
            span = f"above {low:g} and at most {high:g}" if open_low else f"from {low:g} to {high:g}"
            self.complain(
                name, f'must be a decimal {span}, as a text like "{default:g}", not {_show(value)}.'
            )
            return default
        return number

    def boolean(self, name: str, default: bool) -> bool:
        value = self.take(name)
        if value is None:
            return default
        if not isinstance(value, bool):
            self.complain(name, f"must be true or false, not {_show(value)}.")
            return default
        return value

    def strings(self, name: str, default: tuple[str, ...]) -> tuple[str, ...]:
        value = self.take(name)
        if value is None:
            return default
        if not isinstance(value, list) or not all(isinstance(v, str) and v for v in value):
            self.complain(name, f"must be a list of texts, not {_show(value)}.")
            return default
        return tuple(value)

    def pattern(self, name: str, default: str | None) -> Pattern | None:
        value = self.take(name)
        value = default if value is None else value
        try:
            return Pattern.parse(value)
        except (ValueError, TypeError):
            self.complain(name, f'must be N:M with 1 <= N < M <= 32, in quotes as "2:4", not {_show(value)}.')
            return Pattern.parse(default) if default else None

    def uri(self, name: str, schemes: str = "pvc or file", required: bool = True) -> str | None:
        value = self.take(name)
        if value is None and not required:
            return None
        if value is None:
            self.complain(name, f"is required: give {_uri_example(schemes)}.")
            return None
        found = _URI.fullmatch(value) if isinstance(value, str) else None
        wrong_scheme = found is not None and schemes == "pvc" and not found["claim"]
        if found is None or wrong_scheme or _climbs(found["path"] or found["file"]):
            self.complain(
                name,
                f'must be {_uri_example(schemes)}, without "?", "#", ".." or "//" in the path, '
                f"not {_show(value)}.",
            )
            return None
        return value

    def finish(self, ignored: tuple[str, ...] = ()) -> None:
        """Complains about fields that nothing has read."""
        for name in self.value:
            if name in self.seen or name in ignored:
                continue
            near = difflib.get_close_matches(str(name), list(self.seen), n=1)
            hint = (
                f"did you mean {self.at(near[0])}?"
                if near
                else f"fields here are {', '.join(sorted(self.seen))}."
            )
            self.complain(str(name), f"is not a field: {hint}")


def _show(value: Any) -> str:
    text = "nothing" if value is None else json.dumps(value, default=str)
    return text if len(text) <= 60 else f"{text[:57]}..."


def _number(value: Any) -> float | None:
    if isinstance(value, bool):
        return None
    if isinstance(value, int | float):
        return float(value) if math.isfinite(value) else None
    if isinstance(value, str) and _DECIMAL.fullmatch(value):
        return float(value)
    return None


def _uri_example(schemes: str) -> str:
    return "pvc://CLAIM/PATH" if schemes == "pvc" else "pvc://CLAIM/PATH or file:///PATH"


def _climbs(path: str) -> bool:
    return ".." in path.split("/") or "//" in path


def parse_config(value: Any) -> TrainConfig:
    """The spec parts as parsed JSON or YAML, or a whole SparseFinetune. Raises ConfigError with every
    problem."""
    problems = _Problems()
    if isinstance(value, Mapping) and value.get("kind") == "SparseFinetune":
        value = value.get("spec")
    if not isinstance(value, Mapping):
        raise ConfigError(
            [f"the configuration must be an object with {', '.join(SPEC_PARTS)}, not {_show(value)}."]
        )
    root = _Reader(value, "", problems)
    model = _model(root.object("model"))
    dataset = _dataset(root.object("dataset"))
    training = _training(root.object("training"))
    sparsity = _sparsity(root.object("sparsity"), training.steps)
    checkpoint = _checkpoint(root.object("checkpoint"), training.steps)
    evaluation = _evaluation(root.object("evaluation"), dataset)
    _check_effects(problems, model, sparsity, training, checkpoint, evaluation)
    if model.initialization == "random":
        _check_random(problems, model, sparsity, dataset)
    _check_teacher(problems, model, sparsity)
    if model.text_encoder_uri is not None and dataset.format not in CAPTIONED_FORMATS:
        problems.add(
            "model.textEncoderUri",
            f"must be absent when dataset.format is {dataset.format}, which holds no texts.",
        )
    output = root.object("output")
    output_uri = output.uri("uri", "pvc or file")
    output.finish()
    root.finish(ignored=OPERATOR_PARTS)
    if problems:
        raise ConfigError(list(problems))
    given = {part: value[part] for part in SPEC_PARTS if value.get(part)}
    return TrainConfig(
        model, dataset, sparsity, training, checkpoint, evaluation, OutputSpec(output_uri or ""), given
    )


def _model(r: _Reader) -> ModelSpec:
    model = _network(r)
    uri, sha256 = _start(r, model.architecture)
    teacher = _teacher(r.object("teacher")) if r.has("teacher") else r.take("teacher")
    encoder = r.uri("textEncoderUri", required=False)
    r.finish()
    return replace(
        model, pretrained_uri=uri, pretrained_sha256=sha256, teacher=teacher, text_encoder_uri=encoder
    )


def _teacher(r: _Reader) -> ModelSpec:
    teacher = _network(r)
    uri, sha256 = _pretrained(r.object("pretrained"), teacher.architecture)
    r.finish()
    return replace(teacher, pretrained_uri=uri, pretrained_sha256=sha256)


def _network(r: _Reader) -> ModelSpec:
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


def _start(r: _Reader, architecture: str) -> tuple[str | None, str | None]:
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


def _parent(r: _Reader) -> str:
    return r.path.rpartition(".")[0]


def _pretrained(r: _Reader, architecture: str) -> tuple[str, str | None]:
    uri = r.uri("uri") or ""
    is_file = uri.endswith(WEIGHT_SUFFIXES)
    if uri and architecture == "uvit" and not is_file:
        r.complain("uri", f"must be a file ending in {', '.join(WEIGHT_SUFFIXES)}, not {_show(uri)}.")
    if uri and architecture != "uvit" and is_file:
        r.complain(
            "uri",
            f"must be the directory that diffusers wrote when {_parent(r)}.architecture is {architecture}, "
            f"not {_show(uri)}.",
        )
    sha256 = r.string("sha256")
    if sha256 is not None and not _SHA256.fullmatch(sha256):
        r.complain("sha256", f"must be 64 lower-case hexadecimal digits, not {_show(sha256)}.")
    r.finish()
    return uri, sha256


def _uvit_config(r: _Reader) -> dict[str, Any]:
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


def _noise_process(r: _Reader) -> dict[str, Any]:
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


def _check_betas(r: _Reader, schedule: str) -> None:
    if not r.has("betaSchedule"):
        r.complain("betaSchedule", "must be linear, scaled-linear or cosine with kind discrete-betas.")
    for name in ("betaStart", "betaEnd"):
        if schedule == "cosine" and r.has(name):
            r.complain(name, "must be absent with betaSchedule cosine, which has no ends.")
        if schedule != "cosine" and not r.has(name):
            r.complain(name, f"must be given with betaSchedule {schedule}.")


def _dataset(r: _Reader) -> DatasetSpec:
    kind = r.choice("format", FORMATS, None)
    uri = r.uri("uri", required=kind != "generated")
    samples = r.integer("samples", 10_000, 1, 10_000_000)
    class_column = _class_column(r, kind)
    if kind == "generated" and uri is not None:
        r.complain("uri", "must be absent when dataset.format is generated: the dense model draws the data.")
    if kind in LATENT_FORMATS and r.has("horizontalFlip"):
        r.complain(
            "horizontalFlip", f"must be absent when dataset.format is {kind}: latents are not mirrored."
        )
    horizontal_flip = r.boolean("horizontalFlip", kind in MIRRORED_FORMATS)
    r.finish()
    return DatasetSpec(kind, uri, samples, horizontal_flip, class_column)


def _training(r: _Reader) -> TrainingSpec:
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
    )
    r.finish()
    return spec


def _sparsity(r: _Reader, total_steps: int) -> SparsitySpec:
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
    )
    r.finish()
    return spec


def _check_combination(r: _Reader, method: str, mask_type: str, schedule: ScheduleSpec) -> None:
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
    if r.has("maskUpdateSteps") and (method in ONE_RHYTHM or mask_type != "magnitude"):
        why = ONE_RHYTHM.get(method, f"a mask of type {mask_type} never moves")
        r.complain("maskUpdateSteps", f"must be absent: {why}.")
    if r.has("l1Decay") and method != "cast":
        r.complain("l1Decay", f"must be absent with method {method}: it belongs to cast.")


def _check_effects(
    problems: _Problems,
    model: ModelSpec,
    sparsity: SparsitySpec,
    training: TrainingSpec,
    checkpoint: CheckpointSpec,
    evaluation: EvaluationSpec,
) -> None:
    """Settings that would change nothing. A default is no setting, so that only another value can be one, and
    0 is true of all; 0.0002 and 0.1 were every method's defaults, and older objects have them. The schema
    says the same; test/integration/without-effect.yaml holds the cases."""
    method, schedule = METHODS[sparsity.method], sparsity.schedule
    if sparsity.method not in PULLING and sparsity.regularization not in (0.0002, 0.0):
        problems.add("sparsity.regularization", f"must be absent: it belongs to {', '.join(PULLING)}.")
    moves = method.trains and method.masks and method.moves_mask and sparsity.mask_type == "magnitude"
    if schedule.freeze_mask_percent != 15 and not moves:
        problems.add("sparsity.schedule.freezeMaskPercent", "must be absent: no mask moves in this run.")
    if not method.masks and sparsity.pattern != Pattern(2, 4):
        problems.add("sparsity.pattern", f"must be absent: method {sparsity.method} masks nothing.")
    if not method.masks and (sparsity.include or sparsity.exclude):
        problems.add("sparsity.layers", f"must be absent: method {sparsity.method} masks nothing.")
    if not (method.trains and method.masks) and (
        schedule.stages or schedule.ramp_percent or schedule.family != "linear"
    ):
        problems.add(
            "sparsity.schedule",
            f"must be without stages, family and rampPercent: method {sparsity.method} goes through no "
            "patterns.",
        )
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


def _check_random(
    problems: _Problems, model: ModelSpec, sparsity: SparsitySpec, dataset: DatasetSpec
) -> None:
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
    problems: _Problems,
    sparsity: SparsitySpec,
    training: TrainingSpec,
    checkpoint: CheckpointSpec,
    evaluation: EvaluationSpec,
) -> None:
    method = sparsity.method
    read = {"seed": training.seed, "batch_size": training.batch_size}
    if replace(_training(_Reader({}, "training", problems)), **read) != training:
        problems.add(
            "training", f"must hold only seed and batchSize with method {method}, which trains nothing."
        )
    if _checkpoint(_Reader({}, "checkpoint", problems), training.steps) != checkpoint:
        problems.add(
            "checkpoint", f"must be absent: method {method} trains nothing, and saves no checkpoint."
        )
    if sparsity.distillation_weight not in (0.1, 0.0):
        problems.add("sparsity.distillationWeight", f"must be absent: method {method} trains nothing.")
    if evaluation.every_steps:
        problems.add("evaluation.everySteps", f"must be absent: method {method} is measured once.")


def _check_teacher(problems: _Problems, model: ModelSpec, sparsity: SparsitySpec) -> None:
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


def _schedule(r: _Reader, target: Pattern, total_steps: int) -> ScheduleSpec:
    kind = r.choice("type", SCHEDULES, "progressive")
    freeze = r.integer("freezeMaskPercent", 15, 0, 100)
    given = r.take("stages")
    if kind != "custom" and given:
        r.complain(
            "stages", f"must be absent when {r.at('type')} is {kind}: say type: custom to give your own."
        )
    stages = _stages(r, given, target, total_steps) if kind == "custom" else ()
    ramp = r.integer("rampPercent", 0, 1, 99) or None
    if kind != "progressive" and ramp:
        r.complain("rampPercent", f"must be absent when {r.at('type')} is {kind}: it belongs to progressive.")
    family = r.choice("family", tuple(FAMILIES), "linear")
    if kind != "progressive" and r.has("family"):
        r.complain("family", f"must be absent when {r.at('type')} is {kind}: it belongs to progressive.")
    r.finish()
    return ScheduleSpec(kind, stages, freeze, ramp, family)


def _stages(r: _Reader, given: Any, target: Pattern, total_steps: int) -> tuple[tuple[Pattern, int], ...]:
    if not isinstance(given, list) or not given:
        r.complain("stages", "is required when the type is custom: a list of {pattern, steps}.")
        return ()
    stages = []
    for i, entry in enumerate(given):
        stage = _Reader(entry, r.at(f"stages[{i}]"), r.problems)
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


def _checkpoint(r: _Reader, total_steps: int) -> CheckpointSpec:
    every = r.integer("everySteps", min(50, total_steps), 1, 100_000_000)
    spec = CheckpointSpec(every, r.integer("keep", 2, 1, 100))
    r.finish()
    return spec


def _evaluation(r: _Reader, trained_on: DatasetSpec) -> EvaluationSpec:
    format, latents = trained_on.format, trained_on.format in LATENT_FORMATS
    if latents and not r.has("autoencoderUri"):
        r.complain(
            "autoencoderUri", f"is required when dataset.format is {format}: it makes images of latents."
        )
    if not latents and r.has("autoencoderUri"):
        r.complain("autoencoderUri", f"must be absent when dataset.format is {format}, which holds images.")
    held_out = r.object("dataset")
    spec = EvaluationSpec(
        samples=r.integer("samples", 500, 2, 1_000_000),
        steps=r.integer("steps", 20, 1, 1000),
        guidance=r.decimal("guidance", "0", 0.0, 20.0) if r.has("guidance") else r.take("guidance"),
        extractor_uri=r.uri("extractorUri", required=False) or DEFAULT_EXTRACTOR,
        every_steps=r.integer("everySteps", 0, 0, 100_000_000),
        sampler=r.choice("sampler", SAMPLERS, "dpm-solver++"),
        autoencoder_uri=r.uri("autoencoderUri", required=False),
        metric=r.choice("metric", METRICS, "fd"),
        reference_stats_uri=r.uri("referenceStatsUri", required=False),
        select=r.choice("select", SELECTIONS, "last"),
        dataset=_evaluation_dataset(held_out, trained_on) if r.has("dataset") else None,
        precision=r.choice("precision", PRECISIONS, "fp32"),
        served_precisions=r.strings("servedPrecisions", ()),
    )
    if spec.select == "best" and not spec.every_steps:
        r.complain(
            "select",
            "must be last without everySteps: best compares evaluations during training, so write both.",
        )
    _check_precisions(r, spec)
    _check_files(r, spec)
    _check_reference(r, spec, format)
    r.finish()
    return spec


def _class_column(r: _Reader, format: str) -> str | None:
    column = r.string("classColumn")
    if column is not None and format != "image-folder":
        r.complain(
            "classColumn", f"must be absent when the format is {format}: only image-folder has columns."
        )
    return column


def _evaluation_dataset(r: _Reader, trained_on: DatasetSpec) -> EvaluationDataset:
    formats = tuple(format for format in FORMATS if format != "generated")
    format, uri = r.choice("format", formats, None), r.uri("uri") or ""
    if format in LATENT_FORMATS and format != trained_on.format:
        r.complain(
            "format",
            f"must be {trained_on.format} too, or a format of images, not {format}: only latents like those "
            "of the training can be decoded.",
        )
    has_split = format in SPLIT_FORMATS
    if not has_split and r.has("split"):
        r.complain("split", f"must be absent when the format is {format}, which has one set of samples.")
    split = r.choice("split", SPLITS, "test")
    class_column = _class_column(r, format)
    same = (format, uri) == (trained_on.format, trained_on.uri)
    if same and (split == "train" or not has_split):
        r.problems.add(r.path, "must be absent where it names the data to train on, which is the default.")
    r.finish()
    return EvaluationDataset(format, uri, split if has_split else "test", class_column)


def _check_precisions(r: _Reader, spec: EvaluationSpec) -> None:
    others = tuple(name for name in PRECISIONS if name != spec.precision)
    served = spec.served_precisions
    if not set(served) <= set(others) or len(set(served)) < len(served):
        r.complain(
            "servedPrecisions",
            f"must hold each of {', '.join(others)} at most once, not {_show(list(served))}: "
            f"{spec.precision} is measured anyway.",
        )


def _check_reference(r: _Reader, spec: EvaluationSpec, format: str) -> None:
    if spec.reference_stats_uri and spec.dataset and spec.dataset.format not in CAPTIONED_FORMATS:
        r.complain(
            "dataset", "must be absent with referenceStatsUri, which already is the reference: remove one."
        )
    content = _reference(format, spec)[1]
    if spec.metric == "fid" and content != "images":
        what = "the dense model's samples" if content == "dense-samples" else "decodings of latents"
        r.complain(
            "metric",
            f"must be fd, because the reference is {what}: fid needs real images in evaluation.dataset, or "
            "their statistics in evaluation.referenceStatsUri.",
        )


def _check_files(r: _Reader, spec: EvaluationSpec) -> None:
    extractor, statistics = spec.extractor_uri, spec.reference_stats_uri
    if not extractor.endswith(EXTRACTOR_SUFFIXES):
        r.complain(
            "extractorUri",
            f"must be a file ending in {', '.join(EXTRACTOR_SUFFIXES)}, not {_show(extractor)}.",
        )
    if spec.metric == "fid" and extractor.endswith(".safetensors"):
        r.complain(
            "metric",
            "must be fd with this extractorUri: fid needs the .pth with the Inception weights of 2015-12-05.",
        )
    if statistics is not None and not statistics.endswith(".npz"):
        r.complain("referenceStatsUri", f"must be a file ending in .npz, not {_show(statistics)}.")


def with_output(config: TrainConfig, uri: str) -> TrainConfig:
    """The same run with results elsewhere. Raises ConfigError."""
    problems = _Problems()
    output = _Reader({"--output": uri}, "", problems).uri("--output")
    if output is None:
        raise ConfigError(list(problems))
    given = {**config.given, "output": {"uri": uri}} if config.given else {}
    return replace(config, output=OutputSpec(output), given=given)


def _first_line(error: ValueError) -> str:
    """Worked example: "training.steps: Input should be a valid integer"."""
    from pydantic import ValidationError

    if isinstance(error, ValidationError):
        first = error.errors()[0]
        return f"{'.'.join(str(part) for part in first['loc'])}: {first['msg']}"
    return str(error)


def _differing(a: Any, b: Any, path: str = "") -> Iterator[str]:
    """Dotted paths of the fields that only one of them has, or that differ."""
    if not isinstance(a, Mapping) or not isinstance(b, Mapping):
        if a != b:
            yield path
        return
    for name in a.keys() | b.keys():
        yield from _differing(a.get(name), b.get(name), f"{path}.{name}" if path else name)


def load_config(file: str | None, env: Mapping[str, str] = os.environ) -> TrainConfig:
    """From `file` (YAML or JSON; an artifact's manifest.json too), else from SPARSEDM_CONFIG. Raises
    ConfigError."""
    if file is not None:
        try:
            text = Path(file).read_text(encoding="utf-8")
        except (OSError, UnicodeDecodeError) as error:
            raise ConfigError([f"the configuration file {file} can't be read: {error}."]) from error
        value = _decode(text, file)
        if isinstance(value, Mapping) and "schemaVersion" in value:
            return _of_manifest(value, file)
        return parse_config(value)
    if not env.get("SPARSEDM_CONFIG"):
        raise ConfigError(
            ["no configuration: give --config FILE, or JSON in the environment variable SPARSEDM_CONFIG."]
        )
    return parse_config(_decode(env["SPARSEDM_CONFIG"], "SPARSEDM_CONFIG"))


def _of_manifest(manifest: Mapping[str, Any], file: str) -> TrainConfig:
    if "settings" not in manifest:
        raise ConfigError([f"{file} is a manifest without settings, as an earlier version wrote it."])
    config = TrainConfig.from_settings(manifest["settings"])
    return replace(config, given=manifest["provenance"].get("configuration", {}))


def _decode(text: str, source: str) -> Any:
    """JSON, else YAML; of several documents, as kubectl applies them, the one SparseFinetune."""
    try:
        return json.loads(text)
    except json.JSONDecodeError:
        pass
    try:
        documents = [document for document in yaml.safe_load_all(text) if document is not None]
    except yaml.YAMLError as error:
        raise ConfigError([f"{source} is neither JSON nor YAML: {' '.join(str(error).split())}."]) from error
    if len(documents) <= 1:
        return documents[0] if documents else None
    finetunes = [d for d in documents if isinstance(d, Mapping) and d.get("kind") == "SparseFinetune"]
    if len(finetunes) != 1:
        raise ConfigError([_which_of(documents, finetunes, source)])
    return finetunes[0]


def _which_of(documents: list[Any], finetunes: list[Any], source: str) -> str:
    if not finetunes:
        kinds = [str(d.get("kind", "no kind")) if isinstance(d, Mapping) else _show(d) for d in documents]
        return f"{source} holds {', '.join(kinds)} and no SparseFinetune: give the file of one."
    names = [str(_name_of(finetune)) for finetune in finetunes]
    return (
        f"{source} holds {len(finetunes)} SparseFinetunes ({', '.join(names)}), and one is trained at a "
        "time: give a file with one of them."
    )


def _name_of(finetune: Mapping[str, Any]) -> Any:
    metadata = finetune.get("metadata")
    return metadata.get("name") if isinstance(metadata, Mapping) else None
