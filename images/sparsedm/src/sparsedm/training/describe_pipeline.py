"""What a run on a pipeline will mask, and the memory and the disk that it takes (`train --dry-run`)."""

from __future__ import annotations

from torch import nn

from sparsedm.measure.clip import check_clip
from sparsedm.models.denoisers import library
from sparsedm.models.precision import DTYPES
from sparsedm.pipelines.call import Drawing, draws_videos
from sparsedm.pipelines.folder import PipelineFolder, read_pipeline
from sparsedm.pipelines.measure import PAIRS
from sparsedm.pipelines.objective import ready
from sparsedm.pipelines.record import INDEX_FILE, Call, Recorder
from sparsedm.pipelines.recording import Recording
from sparsedm.pipelines.selection import macs_of_call, watch
from sparsedm.runtime.device import limit_threads, pick_device
from sparsedm.sparsity.layers import prunable_layers
from sparsedm.training.config import TrainConfig
from sparsedm.training.describe import layer_table, macs_lines, skipped_lines, stages_of
from sparsedm.training.optimizer import state_bytes
from sparsedm.training.pipeline import (
    drawing_of,
    order_of,
    prompts_of,
    recording_of,
    refresh_order,
    select_layers_of,
)
from sparsedm.uris import resolve_uri

PARAMETER_BYTES = 12
"""Of a parameter in training, float32: student, gradient, average. Dense weights are dropped."""
CHECKPOINT_BYTES = 8
"""The same without the gradient."""
MASK_BYTES = 5
"""Of a masked weight: its mask, and the masked weight, which is kept for the backward pass."""


def describe_pipeline(config: TrainConfig) -> str:
    """Layers and multiply-accumulates are those of a call. Where nothing is recorded yet, the dense pipeline
    draws one trajectory to make it; nothing is written."""
    limit_threads()
    folder = read_pipeline(resolve_uri(config.model.pretrained_uri or ""))
    prompts, measured = prompts_of(config)
    call, disk = _call(config, folder, prompts, drawing_of(config))
    network, _ = folder.load_denoiser()
    network.to(pick_device()).eval().requires_grad_(False)
    call = ready(call, pick_device())
    positions, total = watch(network, call)
    selection, pattern = select_layers_of(network, config, positions, call.rows), config.sparsity.pattern
    shapes = {name: tuple(module.weight.shape) for name, module in prunable_layers(network)}
    layers = [{"name": name, "shape": shapes[name], "pattern": str(pattern)} for name in selection.selected]
    macs = macs_of_call(network, positions, total, selection.selected, pattern)
    sections = [
        f"{folder.pipeline}: its {folder.denoiser}, {folder.class_name}, becomes sparse.{_videos(folder)}",
        layer_table(layers, macs),
        skipped_lines([(one.name, one.reason) for one in selection.skipped]),
        f"Of a call as it is recorded, with {call.rows} predictions:\n{macs_lines(macs)}",
        memory_of(network, selection.selected, config),
        disk,
        *_refresh(network, folder, config, prompts),
        stages_of(config, {name: shapes[name][1] for name in selection.selected}),
        f"Then dense and sparse draw {config.evaluation.samples} images each, after {len(measured):,} "
        f"prompts, in {config.evaluation.steps} steps.{_clip(config)}",
    ]
    return "\n\n".join(sections)


def _call(
    config: TrainConfig, folder: PipelineFolder, prompts: list[str], drawing: Drawing
) -> tuple[Call, str]:
    """A call, and a sentence on the disk that the recording takes."""
    place = recording_of(config, resolve_uri(config.output.uri))
    if config.dataset.format == "recording" or (place / INDEX_FILE).exists():
        recording = Recording(place)
        return recording.call(0), f"The recording in {place} holds {len(recording):,} calls."
    order = order_of(config, prompts, drawing)
    recorder = Recorder(folder, order, place, DTYPES[config.training.precision], pick_device(), "")
    size, call = recorder.first()
    return call, size.sentence(len(prompts), order.calls)


def _videos(folder: PipelineFolder) -> str:
    if not draws_videos(getattr(library(), folder.pipeline)):
        return ""
    return " It draws videos, and is trained, measured and served as one of images: videos of one frame."


def _refresh(
    network: nn.Module, folder: PipelineFolder, config: TrainConfig, prompts: list[str]
) -> list[str]:
    every = config.training.refresh_steps
    if not every:
        return []
    order = refresh_order(config, prompts, drawing_of(config), 0)
    bytes_each = DTYPES[config.training.precision].itemsize
    denoisers = 2 * bytes_each * sum(parameter.numel() for parameter in network.parameters())
    others = sum((folder.path / name).stat().st_size for name in folder.other_files())
    count = len(order.prompts)
    drawn = f"{count:,} trajectories" if count > 1 else "a trajectory"
    return [
        f"Every {every:,} steps the sparse pipeline draws {drawn}, whose states the dense denoiser answers: "
        "each second batch is of those. Meanwhile one device holds beside the training both denoisers in "
        f"{config.training.precision}, {denoisers / 2**20:,.0f} MiB, and the other parts of the pipeline, "
        f"about {others / 2**20:,.0f} MiB."
    ]


def _clip(config: TrainConfig) -> str:
    uri = config.evaluation.clip_uri
    if uri is None:
        return ""
    check_clip(resolve_uri(uri))
    return f" The CLIP model in {uri} scores the first {min(PAIRS, config.evaluation.samples)} of each."


def memory_of(network: nn.Module, masked: tuple[str, ...], config: TrainConfig) -> str:
    """A sentence, from shapes alone."""
    modules = dict(network.named_modules())
    parameters = sum(parameter.numel() for parameter in network.parameters())
    under_masks = sum(modules[name].weight.numel() for name in masked)
    best = 4 * parameters if config.evaluation.select == "best" else 0
    kept = best + state_bytes(config.training.optimizer, network)
    memory = parameters * PARAMETER_BYTES + under_masks * MASK_BYTES + kept
    checkpoint = parameters * CHECKPOINT_BYTES + under_masks + kept
    where = "spread over the processes" if config.training.sharding == "fsdp" else "on each device"
    return (
        f"{parameters:,} parameters, {under_masks:,} of them in {len(masked)} masked layers. Training takes "
        f"{memory / 2**20:,.0f} MiB for weights and optimizer, {where}, and activations; a checkpoint "
        f"{checkpoint / 2**20:,.0f} MiB on the volume, of which {config.checkpoint.keep} are kept."
    )
