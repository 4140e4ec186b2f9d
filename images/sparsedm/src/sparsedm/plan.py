"""From the configuration to the parts of a run: model, layers, schedule, evaluation. No weights, no data."""

from __future__ import annotations

from torch import nn

from sparsedm.config import TrainConfig
from sparsedm.data import ArrayDataset
from sparsedm.errors import ConfigError
from sparsedm.evaluate import Plan, guidance_for
from sparsedm.layers import DEFAULT_INCLUDE, Selection, SkippedLayer, prunable_layers, select_layers
from sparsedm.methods import METHODS
from sparsedm.models import PRESETS, UViTConfig
from sparsedm.schedule import Schedule, build_schedule


def uvit_config(config: TrainConfig) -> UViTConfig:
    return PRESETS[config.model.preset] if config.model.preset else UViTConfig(**(config.model.config or {}))


def select(model: nn.Module, config: TrainConfig) -> Selection:
    """Raises ConfigError where a glob of the user's matches nothing, or nothing is left to mask."""
    sparsity = config.sparsity
    if not METHODS[sparsity.method].masks:
        reason = f"method {sparsity.method} masks nothing"
        return Selection((), tuple(SkippedLayer(name, reason) for name, _ in prunable_layers(model)), ())
    selection = select_layers(model, sparsity.pattern, sparsity.include, sparsity.exclude)
    names = ", ".join(name for name, _ in prunable_layers(model))
    problems = [
        f'sparsity.layers.include has "{glob}", which matches no layer: the layers are {names}.'
        for glob in selection.unmatched
        if glob not in DEFAULT_INCLUDE
    ]
    if not selection.selected:
        problems.append(
            f"sparsity.layers selects no layer that {sparsity.pattern} fits: the layers are {names}."
        )
    if problems:
        raise ConfigError(problems)
    return selection


def schedule_of(config: TrainConfig) -> Schedule:
    """A mask that is made once (method asp) or by scores that stay (random, fixed) counts as frozen from the
    beginning of the last stage on; a method without masks has one stage and never freezes."""
    sparsity, spec = config.sparsity, config.sparsity.schedule
    method = METHODS[sparsity.method]
    stays = not method.moves_mask or sparsity.mask_type != "magnitude"
    return build_schedule(
        spec.type if method.masks else "fixed",
        sparsity.pattern,
        config.training.steps,
        (100 if stays else spec.freeze_mask_percent) if method.masks else 0,
        spec.stages,
        spec.ramp_percent if method.masks else None,
        spec.family,
        sparsity.mask_update_steps,
    )


def evaluation_plan(config: TrainConfig, model: UViTConfig) -> Plan:
    spec = config.evaluation
    return Plan(
        spec.samples, spec.steps, guidance_for(model, spec.guidance), spec.sampler, config.training.seed
    )


def classes_of(model: UViTConfig, dataset: ArrayDataset) -> list[str] | None:
    """Names by label, where the data set has one for each class of the model."""
    names = dataset.classes
    return list(names) if names and len(names) == model.num_classes else None
