"""From the configuration to the parts of a run: model, layers, schedule, evaluation. No weights, no data."""

from __future__ import annotations

from pathlib import Path

from torch import nn

from sparsedm.config import TrainConfig
from sparsedm.data import ArrayDataset
from sparsedm.errors import ConfigError
from sparsedm.evaluate import Plan, guidance_for
from sparsedm.layers import DEFAULT_INCLUDE, Selection, prunable_layers, select_layers
from sparsedm.models import PRESETS, ModelConfig, UViTConfig
from sparsedm.models.denoisers import read_directory
from sparsedm.schedule import Schedule, build_schedule
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


def dense_model(config: TrainConfig) -> tuple[ModelConfig, Path]:
    """The network's configuration and the file with its dense weights. Raises InputError."""
    path = resolve_uri(config.model.pretrained_uri)
    if config.model.architecture != "uvit":
        return read_directory(path, config.model.architecture)
    if config.model.preset:
        return PRESETS[config.model.preset], path
    return UViTConfig(**(config.model.config or {})), path


def select(model: nn.Module, config: TrainConfig) -> Selection:
    """Raises ConfigError where a glob of the user's matches nothing, or nothing is left to mask."""
    sparsity = config.sparsity
    include, exclude = sparsity.include, sparsity.exclude
    if not include:
        include, excluded = DEFAULT_LAYERS[config.model.architecture]
        exclude = (*excluded, *exclude)
    selection = select_layers(model, sparsity.pattern, include, exclude)
    names = ", ".join(name for name, _ in prunable_layers(model))
    problems = [
        f'sparsity.layers.include has "{glob}", which matches no layer: the layers are {names}.'
        for glob in selection.unmatched
        if glob in sparsity.include and glob not in DEFAULT_INCLUDE
    ]
    if not selection.selected:
        problems.append(
            f"sparsity.layers selects no layer that {sparsity.pattern} fits: the layers are {names}."
        )
    if problems:
        raise ConfigError(problems)
    return selection


def schedule_of(config: TrainConfig) -> Schedule:
    spec = config.sparsity.schedule
    return build_schedule(
        spec.type,
        config.sparsity.pattern,
        config.training.steps,
        spec.freeze_mask_percent,
        spec.stages,
        spec.ramp_percent,
    )


def evaluation_plan(config: TrainConfig, model: ModelConfig) -> Plan:
    spec = config.evaluation
    return Plan(
        spec.samples, spec.steps, guidance_for(model, spec.guidance), spec.sampler, config.training.seed
    )


def classes_of(model: ModelConfig, dataset: ArrayDataset) -> list[str] | None:
    """Names by label, where the data set has one for each class of the model."""
    names = dataset.classes
    return list(names) if names and len(names) == model.num_classes else None
