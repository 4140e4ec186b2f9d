"""From the configuration to the parts of a run: model, layers, schedule, evaluation. No weights, no data."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

from torch import nn

from sparsedm.data import Dataset
from sparsedm.errors import ConfigError
from sparsedm.measure.evaluator import Plan, guidance_for
from sparsedm.models import ModelConfig
from sparsedm.models.denoisers import WEIGHTS_FILE, read_directory, without_scheduler
from sparsedm.sparsity.layers import DEFAULT_INCLUDE, Selection, SkippedLayer, prunable_layers, select_layers
from sparsedm.sparsity.methods import METHODS
from sparsedm.sparsity.pattern import Pattern
from sparsedm.sparsity.ranking import MOVING_TYPES
from sparsedm.sparsity.schedule import Schedule, build_schedule
from sparsedm.training.config import ModelSpec, TrainConfig, teacher_problems
from sparsedm.uris import resolve_uri

DEFAULT_LAYERS: dict[str, tuple[tuple[str, ...], tuple[str, ...]]] = {
    "uvit": (DEFAULT_INCLUDE, ()),
    "unet": (("*",), ("conv_in", "conv_out")),
    "dit": (("*.attn1.to_*", "*.ff.net.*"), ()),
    "diffusers": (
        ("*",),
        ("conv_in", "conv_out", "proj_in", "proj_out*", "*embed*", "time_*", "*norm*"),
    ),
}
"""Globs to include and to exclude, by architecture, where the user names no layers to include."""


def dense_model(config: TrainConfig) -> tuple[ModelConfig, Path | None]:
    """The network's configuration and the file with its dense weights, None where it starts from random ones.
    Raises InputError."""
    return _network(config.model)


def teacher_model(config: TrainConfig) -> tuple[ModelConfig, Path | None]:
    """The same of the teacher. Raises InputError, and ConfigError where it can't be followed."""
    spec, student = config.model.teacher, dense_model(config)
    if spec is None:
        return student
    teacher = _network(spec)
    if problems := teacher_problems(spec, student[0], teacher[0]):
        raise ConfigError(problems)
    return teacher


def _network(spec: ModelSpec) -> tuple[ModelConfig, Path | None]:
    sizes, uri = spec.network(), spec.pretrained_uri
    if sizes is None:
        return read_directory(resolve_uri(uri or ""), spec.architecture)
    return sizes, None if uri is None else resolve_uri(uri)


def assumptions(config: TrainConfig) -> list[str]:
    """Assumptions about the dense model and its teacher, as sentences."""
    specs = {"dense": config.model, "teacher's": config.model.teacher}
    return [sentence for whose, spec in specs.items() if spec for sentence in _assumptions(whose, spec)]


def _assumptions(whose: str, spec: ModelSpec) -> list[str]:
    uri, (_, weights) = spec.pretrained_uri, _network(spec)
    if spec.architecture == "uvit" or uri is None or weights is None:
        return []
    chosen = [] if weights.name == WEIGHTS_FILE else [f"The {whose} weights are read from {weights.name}."]
    if not without_scheduler(resolve_uri(uri)):
        return chosen
    return [
        *chosen,
        f"There is no scheduler_config.json beside the model in {uri}: it is taken "
        "to predict noise, and to have been trained on DDPM's process with linear betas.",
    ]


def select(model: nn.Module, config: TrainConfig) -> Selection:
    """Raises ConfigError where a glob of the user's matches nothing, or nothing is left to mask."""
    sparsity = config.sparsity
    if not METHODS[sparsity.method].masks:
        reason = f"method {sparsity.method} masks nothing"
        return Selection((), tuple(SkippedLayer(name, reason) for name, _ in prunable_layers(model)), ())
    include, exclude = sparsity.include, sparsity.exclude
    if not include:
        include, excluded = DEFAULT_LAYERS[config.model.architecture]
        exclude = (*excluded, *exclude)
    selection = select_layers(model, sparsity.pattern, include, exclude)
    given = [glob for glob in sparsity.include if glob not in DEFAULT_INCLUDE]
    check_selection(selection, model, sparsity.pattern, given)
    return selection


def check_selection(selection: Selection, network: nn.Module, pattern: Pattern, given: Sequence[str]) -> None:
    """given: the globs that the user wrote. Raises ConfigError where one of them matches nothing, and where
    nothing is selected."""
    names = ", ".join(name for name, _ in prunable_layers(network))
    problems = [
        f'sparsity.layers.include has "{glob}", which matches no layer: the layers are {names}.'
        for glob in selection.unmatched
        if glob in given
    ]
    if not selection.selected:
        problems.append(f"sparsity.layers selects no layer that {pattern} fits: the layers are {names}.")
    if problems:
        raise ConfigError(problems)


def schedule_of(config: TrainConfig) -> Schedule:
    """A mask that stays counts as frozen from the beginning of the last stage on; a method without masks has
    one stage and never freezes."""
    sparsity, spec = config.sparsity, config.sparsity.schedule
    method, stays = METHODS[sparsity.method], _mask_stays(config)
    return build_schedule(
        spec.type if method.masks else "fixed",
        sparsity.pattern,
        config.training.steps,
        (100 if stays else spec.frozen_percent) if method.masks else 0,
        spec.stages,
        spec.rise_percent,
        spec.family,
        config.training.steps if stays else sparsity.mask_update_steps,
    )


def _mask_stays(config: TrainConfig) -> bool:
    """Made once (methods asp and masked-dense), or of scores that do not move (types random and fixed)."""
    method = METHODS[config.sparsity.method]
    return not (method.trains and method.moves_mask) or config.sparsity.mask_type not in MOVING_TYPES


def mask_rhythm(config: TrainConfig) -> str:
    """What the masks rank and when, as in a manifest's provenance: "magnitude, every 10 steps"."""
    sparsity = config.sparsity
    if not METHODS[sparsity.method].masks:
        return "none"
    ranked = sparsity.mask_type
    if sparsity.calibration_samples:
        ranked += f", calibrated on {sparsity.calibration_samples:,} samples"
    if _mask_stays(config):
        return f"{ranked}, once for each pattern"
    steps = sparsity.mask_update_steps
    return f"{ranked}, every {'step' if steps == 1 else f'{steps} steps'}"


def evaluation_plan(config: TrainConfig, model: ModelConfig) -> Plan:
    """Raises ConfigError where guidance is asked of a model that can't be guided."""
    spec = config.evaluation
    if spec.guidance not in (None, 0.5, 0.0) and not model.guidable:
        raise ConfigError(
            ["evaluation.guidance must be absent: by its config.json the model has no classes and no text."]
        )
    guidance = guidance_for(model, spec.guidance)
    return Plan(spec.samples, spec.steps, guidance, spec.sampler, config.training.seed, spec.precision)


def classes_of(model: ModelConfig, dataset: Dataset) -> list[str] | None:
    """Names by label, where the data set has one for each class of the model."""
    names = dataset.classes
    return list(names) if names and len(names) == model.num_classes else None
