"""What a run is told: the spec parts of a SparseFinetune as frozen dataclasses."""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping
from dataclasses import asdict, dataclass, field
from typing import Any

from sparsedm.errors import ConfigError
from sparsedm.files import json_digest
from sparsedm.measure.reference import Content
from sparsedm.models import PRESETS, UViTConfig
from sparsedm.sparsity.methods import METHODS
from sparsedm.sparsity.pattern import Pattern

ARCHITECTURES = ("uvit", "unet", "dit", "diffusers", "pipeline")
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
    "emoji-features",
    "generated",
    "prompts",
    "recording",
)
PIPELINE_FORMATS = ("prompts", "recording")
"""Formats that pipelines, and no other models, are trained on."""
LATENT_FORMATS = tuple(name for name in FORMATS if name.endswith("-features"))
SPLIT_FORMATS = ("fashion-mnist", "cifar10", "celeba")
"""Formats that have test images beside those to train on; a folder and features have one set."""
CAPTIONED_FORMATS = ("mscoco256-features", "emoji-features")
MIRRORED_FORMATS = ("cifar10", "celeba")
"""Formats whose published runs mirror images at random."""
METHOD_NAMES = tuple(METHODS)
SCHEDULES = ("progressive", "fixed", "custom")
RAMP_PERCENT = 10
FREEZE_PERCENT = 80
"""The best of the study's schedules (docs/benchmarks/fashion-mnist-study.md); the paper's are 80, which gives
five patterns equal parts, and 15."""
CALIBRATION_SAMPLES = 128
"""As many as Wanda and SparseGPT took."""
PRECISIONS = ("fp32", "bf16", "fp16")
SHARDINGS = ("none", "fsdp")
OPTIMIZERS = ("adamw", "adafactor")
SPLITS = ("test", "train")
METRICS = ("fid", "fd")
"""fid is refused without the standard Inception network; fd takes any extractor and is named after it."""
SELECTIONS = ("last", "best")
REGRESSIONS = ("Continue", "RollBack", "Stop")
DEFAULT_EXTRACTOR = "file:///opt/sparsedm/weights/fashion-mnist-extractor.safetensors"


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
    """`horizontal_flip` mirrors each image with probability 1/2 in training. The last three are of pipelines:
    calls of the denoiser that are recorded of each trajectory, the side of the images in pixels, and the
    scale of guidance, None for the pipeline's own."""

    format: str
    uri: str | None
    samples: int
    horizontal_flip: bool
    class_column: str | None = None
    calls_per_trajectory: int = 4
    image_size: int | None = None
    guidance_scale: float | None = None


@dataclass(frozen=True)
class ScheduleSpec:
    """`freeze_mask_percent` and `ramp_percent` are None where the spec has none: `frozen_percent` and
    `rise_percent` know the defaults. `on_regression` says what becomes of a run where a stage ends with a
    distance more than `max_regression_percent` above that of the last good one; Continue measures no stage
    for that."""

    type: str
    stages: tuple[tuple[Pattern, int], ...]
    freeze_mask_percent: int | None
    ramp_percent: int | None = None
    family: str = "linear"
    on_regression: str = "Continue"
    max_regression_percent: int = 10

    @property
    def frozen_percent(self) -> int:
        """Share of the steps, at the end, under a mask that no longer moves."""
        return FREEZE_PERCENT if self.freeze_mask_percent is None else self.freeze_mask_percent

    @property
    def rise_percent(self) -> int:
        """Share of the steps, at the start, in which the sparsity of a progressive schedule rises."""
        return RAMP_PERCENT if self.ramp_percent is None else self.ramp_percent

    @property
    def guards(self) -> bool:
        """Whether the model is measured where a stage ends."""
        return self.on_regression != "Continue"


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
    calibration_samples: int = 0
    """0 where maskType asks for no calibration."""


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
    sharding: str = "none"
    optimizer: str = "adamw"
    refresh_steps: int = 0
    """Of pipelines: steps after which the student's own states are recorded; 0 is never."""

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
    `autoencoder_uri` is set where the data set to train on holds latents, `clip_uri` where images of a
    pipeline are compared with their texts. What is compared with is what
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
    clip_uri: str | None = None


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
        return reference_of(self.dataset.format, self.evaluation)

    @property
    def captions(self) -> DatasetSpec | EvaluationDataset:
        """The data whose texts a model with text draws after: held-out ones where there are any."""
        held_out = self.evaluation.dataset
        has_texts = held_out is not None and held_out.format in (*CAPTIONED_FORMATS, "prompts")
        return held_out if held_out and has_texts else self.dataset

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
        may change with a version. Without training.sharding, which like the number of processes is no part of
        the experiment: a run goes on with another."""
        fields = {name: value for name, value in asdict(self).items() if name != "given"}
        fields["training"] = {k: v for k, v in fields["training"].items() if k != "sharding"}
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


def reference_of(format: str, evaluation: EvaluationSpec) -> tuple[str, Content]:
    if evaluation.reference_stats_uri:
        return "statistics", "images"
    if evaluation.dataset is not None and evaluation.dataset.format != "prompts":
        return "evaluation-data", "decodings" if evaluation.dataset.format in LATENT_FORMATS else "images"
    if format == "generated" or format in PIPELINE_FORMATS:
        return "dense-samples", "dense-samples"
    return "training-data", "decodings" if format in LATENT_FORMATS else "images"


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
