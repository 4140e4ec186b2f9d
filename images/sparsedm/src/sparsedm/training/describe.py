"""Tables for people: what a configuration will mask (`train --dry-run`) and what an artifact holds
(`inspect`)."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import torch
import yaml
from torch import nn

from sparsedm.artifact.artifact import PIPELINE
from sparsedm.data.contents import lines
from sparsedm.measure.macs import Macs, bare_model, count_macs
from sparsedm.measure.reference import SUFFIXES
from sparsedm.models import ModelConfig, config_from
from sparsedm.sparsity.layers import prunable_layers
from sparsedm.sparsity.methods import METHODS
from sparsedm.sparsity.pattern import Pattern
from sparsedm.training.activations import activation_bytes
from sparsedm.training.config import TrainConfig
from sparsedm.training.config.spec import ScheduleSpec
from sparsedm.training.optimizer import state_bytes
from sparsedm.training.plan import (
    assumptions,
    dense_model,
    evaluation_plan,
    mask_rhythm,
    schedule_of,
    select,
    teacher_model,
)


def table(header: Sequence[str], rows: Sequence[Sequence[str]]) -> str:
    """Columns padded to their widest cell; numbers (all columns but the first) to the right."""
    widths = [max(len(row[i]) for row in [header, *rows]) for i in range(len(header))]
    lines = []
    for row in [header, *rows]:
        cells = [
            row[0].ljust(widths[0]),
            *(cell.rjust(w) for cell, w in zip(row[1:], widths[1:], strict=True)),
        ]
        lines.append("  ".join(cells).rstrip())
    return "\n".join(lines)


def layer_table(layers: Sequence[Mapping[str, Any]], macs: Macs) -> str:
    """`layers` as in a manifest: name, shape, pattern; `nonzero` where it is counted."""
    by_name = {layer.name: layer for layer in macs.layers}
    rows = []
    for layer in layers:
        counted = by_name[layer["name"]]
        shape = "x".join(str(n) for n in layer["shape"])
        nonzero = f"{layer['nonzero']:,}" if "nonzero" in layer else ""
        rows.append(
            [layer["name"], shape, layer["pattern"], nonzero, mega(counted.dense), mega(counted.sparse)]
        )
    header = ["layer", "shape", "pattern", "not zero", "MACs dense", "MACs sparse"]
    counted_all = all(row[3] for row in rows)
    return table(header, rows) if counted_all else table(_without(header, 3), [_without(r, 3) for r in rows])


def _without(row: list[str], column: int) -> list[str]:
    return row[:column] + row[column + 1 :]


def mega(macs: int) -> str:
    return f"{macs / 1e6:,.2f} M"


def macs_lines(macs: Macs) -> str:
    return "\n".join(
        [
            f"MACs per image and step, linear: {mega(macs.dense)} dense, {mega(macs.sparse)} sparse "
            f"(-{macs.reduction_percent:.1f} %)",
            f"MACs with attention products:    {mega(macs.total_dense)} dense, "
            f"{mega(macs.total_sparse)} sparse",
        ]
    )


def skipped_lines(skipped: Sequence[tuple[str, str]]) -> str:
    return "\n".join(["Left dense:", *(f"  {name}: {reason}" for name, reason in skipped)])


def describe(config: TrainConfig) -> str:
    """Layers, masks, MACs and stages of a configuration, from its shapes alone: no weights, no data."""
    model_config, _ = dense_model(config)
    model = bare_model(model_config)
    selection, pattern = select(model, config), config.sparsity.pattern
    macs = count_macs(model_config, selection.selected, pattern)
    shapes = {name: tuple(module.weight.shape) for name, module in prunable_layers(model)}
    layers = [{"name": name, "shape": shapes[name], "pattern": str(pattern)} for name in selection.selected]
    parameters = sum(p.numel() for p in model.parameters())
    masked = sum(torch.Size(shapes[name]).numel() for name in selection.selected)
    return "\n\n".join(
        [
            layer_table(layers, macs),
            skipped_lines([(s.name, s.reason) for s in selection.skipped]),
            f"{parameters:,} parameters, {masked:,} of them in {len(layers)} masked layers.",
            macs_lines(macs),
            _memory(config, model_config, model, masked),
            _teacher(config),
            stages_of(config, {name: shapes[name][1] for name in selection.selected}),
            _evaluation(config, model_config),
            *assumptions(config),
        ]
    )


def _memory(config: TrainConfig, model_config: ModelConfig, model: nn.Module, masked: int) -> str:
    parameters = sum(p.numel() for p in model.parameters())
    teacher = teacher_model(config)[0] if config.distillation_weight else None
    # fp32: student, gradient, EMA, and the dense model, which is also the teacher unless another is named;
    # the best so far; the optimizer's state. A mask takes a byte for each weight, and the masked weight is
    # kept for the backward pass.
    trains, best = METHODS[config.sparsity.method].trains, config.evaluation.select == "best"
    state = state_bytes(config.training.optimizer, model)
    needed = parameters * 4 * (4 + best) + state + masked * 5 if trains else parameters * 4 * 2
    if config.model.teacher is not None:
        needed += parameters_of(teacher) * 4
    note = "with the teacher" if teacher else "with the dense model"
    sentence = f"Memory for weights and optimizer, {note}: {needed / 2**20:,.0f} MiB"
    if not trains:
        return f"{sentence}."
    if config.training.sharding == "fsdp":
        sentence += ", which as many processes as train share equally"
    activations = activation_bytes(model_config, config.training, teacher)
    return (
        f"{sentence}; for activations, in a batch of {config.training.batch_size}: about "
        f"{activations / 2**20:,.0f} MiB, which several processes share."
    )


def _teacher(config: TrainConfig) -> str:
    spec, weight = config.model.teacher, config.distillation_weight
    if not weight:
        return "No teacher: the loss is the prediction's error alone."
    if spec is None:
        return f"Teacher: the dense model itself, with distillation weight {weight:g}."
    network, _ = teacher_model(config)
    digest = f", sha256 {spec.pretrained_sha256}" if spec.pretrained_sha256 else ""
    return (
        f"Teacher: {spec.preset or spec.architecture} from {spec.pretrained_uri}{digest}, with distillation "
        f"weight {weight:g}: {parameters_of(network):,} parameters, "
        f"{mega(count_macs(network).total_dense)} MACs with attention products."
    )


def parameters_of(network: ModelConfig) -> int:
    return sum(weight.numel() for weight in bare_model(network).parameters())


def stages_of(config: TrainConfig, inputs: Mapping[str, int]) -> str:
    """`inputs` are the input dimensions of the masked layers."""
    steps = config.training.steps
    if not METHODS[config.sparsity.method].trains:
        masks = mask_rhythm(config)
        return f"No training: the dense model is masked once with {config.sparsity.pattern}. Masks: {masks}."
    if not METHODS[config.sparsity.method].masks:
        if config.model.initialization == "random":
            return f"Training from random weights, of seed {config.training.seed}, for {steps} steps."
        return f"Training without masks for {steps} steps, as a control."
    schedule = schedule_of(config)
    rows = [[str(s.number), str(s.pattern), str(s.start), str(s.end)] for s in schedule.stages]
    unfit = [
        f"Stage {s.number} leaves {name} dense: input dimension {size} is not a multiple of {s.pattern.m}."
        for s in schedule.stages
        for name, size in inputs.items()
        if size % s.pattern.m
    ]
    frozen = (
        f"The mask is frozen from step {schedule.freeze_from} on."
        if schedule.freeze_from < schedule.total_steps
        else "The mask is never frozen."
    )
    masks = f"Masks: {mask_rhythm(config)}."
    stages = table(["stage", "pattern", "from step", "to step"], rows)
    return "\n".join([stages, f"{masks} {frozen}", *unfit, *_guard(config.sparsity.schedule)])


def _guard(schedule: ScheduleSpec) -> list[str]:
    if not schedule.guards:
        return []
    then = "goes back to that stage and ends" if schedule.on_regression == "RollBack" else "stops"
    return [
        "The end of each stage takes an evaluation. Where the distance is more than "
        f"{schedule.max_regression_percent} % above that after the last good stage, the run {then}."
    ]


def _evaluation(config: TrainConfig, model_config: ModelConfig) -> str:
    plan = evaluation_plan(config, model_config)
    random = config.model.initialization == "random"
    who = f"it draws {plan.samples} images" if random else f"dense and sparse draw {plan.samples} images each"
    how = (
        f"{plan.sampler}, {plan.steps} steps, guidance {plan.guidance:g}, seed {plan.seed}, {plan.precision}"
    )
    if served := config.evaluation.served_precisions:
        how += f" (the sparse one also in {' and '.join(served)})"
    return f"Then {who}: {how}.{_captions(config, model_config)} {_reference(config)}"


def _captions(config: TrainConfig, model_config: ModelConfig) -> str:
    return f" The texts are those of {config.captions.uri}." if model_config.context else ""


def _reference(config: TrainConfig) -> str:
    (source, content), evaluation, dataset = config.reference, config.evaluation, config.dataset
    held_out = evaluation.dataset
    name = "the FID" if evaluation.metric == "fid" else f"fd-EXTRACTOR{SUFFIXES[content]}"
    if source == "statistics":
        return f"The distance to the statistics in {evaluation.reference_stats_uri} is {name}."
    if source == "dense-samples":
        return f"The distance to the dense model's own samples, and not to real images, is {name}."
    of = f"of {held_out.uri} ({held_out.format}, {held_out.split})" if held_out else f"of {dataset.uri}"
    which = "held-out" if held_out else "training"
    if content == "decodings":
        return f"The distance to decodings of the {which} latents {of}, and not to real images, is {name}."
    return f"The distance to the {which} images {of} is {name}."


def describe_artifact(manifest: Mapping[str, Any]) -> str:
    """What `sparsedm inspect` prints."""
    skipped = [(s["name"], s["reason"]) for s in manifest["skippedLayers"]]
    sections = [
        f"{manifest['name']} ({manifest['architecture']}), {manifest['pattern']} sparse, "
        f"predicts {manifest['prediction']}",
        *_layers_and_macs(manifest, skipped),
        _figures("sparsity", manifest["sparsity"]),
        _figures("fid", _without_lists(manifest["fid"])),
        *_quality(manifest.get("quality", {})),
        _figures("weights", {**manifest["weights"], "maskDigest": manifest["maskDigest"]}),
        _figures(
            "provenance",
            {k: v for k, v in manifest["provenance"].items() if k not in ("data", "configuration")},
        ),
        *_configuration("configuration", manifest["provenance"].get("configuration")),
        *_configuration("settings, with every default", manifest.get("settings")),
        *_data(manifest["provenance"].get("data")),
    ]
    if manifest["classes"]:
        sections.insert(1, f"classes: {', '.join(manifest['classes'])}")
    return "\n\n".join(sections)


def _layers_and_macs(manifest: Mapping[str, Any], skipped: Sequence[tuple[str, str]]) -> list[str]:
    """Counted from the network's shapes; those of a pipeline were counted on a call, and are told as they
    were written."""
    layers = manifest["layers"]
    if manifest["architecture"] == PIPELINE:
        rows = [
            [each["name"], "x".join(map(str, each["shape"])), each["pattern"], f"{each['nonzero']:,}"]
            for each in layers
        ]
        counted = _figures("macs of a call", manifest["macs"])
        return [table(["layer", "shape", "pattern", "not zero"], rows), skipped_lines(skipped), counted]
    config = config_from(manifest["architecture"], manifest["config"])
    macs = count_macs(config, [each["name"] for each in layers], Pattern.parse(manifest["pattern"]))
    return [layer_table(layers, macs), skipped_lines(skipped), macs_lines(macs)]


def _configuration(title: str, given: Mapping[str, Any] | None) -> list[str]:
    """As YAML; an artifact of an earlier version has none."""
    if given is None:
        return []
    text = yaml.safe_dump(dict(given), sort_keys=False)
    return ["\n".join([f"{title}:", *(f"  {line}" for line in text.splitlines())])]


def _data(found: Mapping[str, Any] | None) -> list[str]:
    """An artifact of an earlier version says nothing of it."""
    return [] if found is None else ["\n".join(["data:", *(f"  {line}" for line in lines(found))])]


def _without_lists(fid: Mapping[str, Any]) -> dict[str, Any]:
    """With a line for each precision that is served."""
    served = {f"sparse in {s['precision']}": s.get("sparse", s.get("problem")) for s in fid.get("served", [])}
    return {**{name: value for name, value in fid.items() if name != "served"}, **served}


def _quality(quality: Mapping[str, Any]) -> list[str]:
    """Precision, recall and KID of each model; an artifact of an earlier version has none."""
    if "absent" in quality:
        return [_figures("quality", quality)]
    models = {name: value for name, value in quality.items() if isinstance(value, Mapping)}
    return [_figures(f"quality, {name}", value) for name, value in models.items()]


def _figures(title: str, values: Mapping[str, Any]) -> str:
    width = max(len(key) for key in values)
    return "\n".join([f"{title}:", *(f"  {key:<{width}}  {value}" for key, value in values.items())])
