"""`sparsedm diff-prune`: whole heads and hidden channels cut out of a dense U-ViT, the structured baseline.

Diff-Pruning (Fang, Ma and Wang, arXiv 2305.10924): one batch, noised to each time in turn from the clean end
on, gives gradients that are added up as long as the loss is at least T times the largest one so far; later
times are noise and say little. A group of weights scores by the sum of (w * g)^2, what the loss loses with
it in second order. A head is its rows of q, k and v and its columns of the projection; a hidden channel its
row and bias of fc1 and its column of fc2. Every block keeps the same number, its best ones.

Heads fall by the pattern's density, and hidden channels to where the network has at most the multiply-
accumulates (`linear`) of the N:M model it is compared with. What comes out is a smaller dense model: train it
on with method dense for the same number of steps.
"""

from __future__ import annotations

import argparse
import json
from collections.abc import Callable, Iterator
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import torch
from safetensors.torch import save
from torch import Tensor
from torch.nn import functional as F

from sparsedm.checkpoint import write_atomically
from sparsedm.data import FORMATS, SampleOrder, open_dataset
from sparsedm.data.contents import fit_classes
from sparsedm.device import limit_threads, pick_device
from sparsedm.diffusion import VP_LINEAR, NoiseProcess, RectifiedFlow, VPLinear
from sparsedm.errors import InputError
from sparsedm.layers import select_layers
from sparsedm.macs import bare_model, count_macs
from sparsedm.models import CLASSES, PRESETS, UViT, UViTConfig, build_model, file_sha256, load_weights
from sparsedm.models.uvit import Block
from sparsedm.pattern import Pattern

CHANNEL_MULTIPLE = 8
"""Hidden channels come in eights, the unit of GPUs' matrix products."""


@dataclass(frozen=True)
class Kept:
    """Indices of the heads and hidden channels of one block that stay, rising."""

    heads: Tensor
    channels: Tensor


def add_up_gradients(model: UViT, loss_at: Callable[[Tensor], Tensor], threshold: float, times: int) -> int:
    """Leaves the summed gradients in the parameters. `loss_at(t)` is the mean loss at time t, a scalar.

    Returns the number of times that were added. Worked example (repeated in test_diff_prune.py): with T = 0.5
    and losses 4, 3, 2, 1.9 three times count, for 1.9 is less than 0.5 * 4.
    """
    model.zero_grad(set_to_none=True)
    largest = 0.0
    for step in range(times):
        loss = loss_at(torch.tensor((step + 0.5) / times))
        largest = max(largest, loss.item())
        if loss.item() < threshold * largest:
            return step
        loss.backward()
    return times


def _importance(parameter: Tensor) -> Tensor:
    return (parameter.detach() * parameter.grad).square()


def head_scores(block: Block) -> Tensor:
    """(heads,): the sum of (w * g)^2 over each head's weights."""
    heads = block.attn.heads
    rows = _importance(block.attn.qkv.weight).sum(dim=1).reshape(3, heads, -1).sum(dim=(0, 2))
    return rows + _importance(block.attn.proj.weight).sum(dim=0).reshape(heads, -1).sum(dim=1)


def channel_scores(block: Block) -> Tensor:
    """(hidden,): the sum of (w * g)^2 over each hidden channel's weights and bias."""
    rows = _importance(block.mlp.fc1.weight).sum(dim=1) + _importance(block.mlp.fc1.bias)
    return rows + _importance(block.mlp.fc2.weight).sum(dim=0)


def _best(scores: Tensor, count: int) -> Tensor:
    return scores.topk(count).indices.sort().values


def blocks_of(model: UViT) -> Iterator[tuple[str, Block]]:
    for name, module in model.named_modules():
        if isinstance(module, Block):
            yield name, module


def shrunk_config(config: UViTConfig, pattern: Pattern) -> UViTConfig:
    """The sizes whose linear multiply-accumulates come up to those under `pattern`, and no further.

    Raises InputError where no hidden channel would be left.
    """
    selected = select_layers(bare_model(config), pattern).selected
    target = count_macs(config, selected, pattern).sparse
    heads = max(1, round(config.heads * pattern.density))
    head_width = config.attention_width // config.heads

    def sized(channels: int) -> UViTConfig:
        return replace(config, heads=heads, head_width=head_width, mlp_width=channels)

    one, two = (count_macs(sized(channels)).dense for channels in (1, 2))
    channels = 1 + (target - one) // (two - one)
    channels = min(channels, config.hidden_width) // CHANNEL_MULTIPLE * CHANNEL_MULTIPLE
    if channels < CHANNEL_MULTIPLE:
        raise InputError(
            "PatternTooSparse",
            f"At {pattern} no hidden channels are left beside what is never cut: choose a looser pattern.",
        )
    return sized(channels)


def choose(model: UViT, config: UViTConfig) -> dict[str, Kept]:
    """What each block keeps, by its scores; `config` has the new sizes."""
    return {
        name: Kept(_best(head_scores(block), config.heads), _best(channel_scores(block), config.hidden_width))
        for name, block in blocks_of(model)
    }


@torch.no_grad()
def shrink(model: UViT, config: UViTConfig, kept: dict[str, Kept]) -> UViT:
    """A network of the sizes of `config` with the kept weights of `model`."""
    weights = {name: tensor.clone() for name, tensor in model.state_dict().items()}
    for name, block in blocks_of(model):
        heads, channels = kept[name].heads, kept[name].channels
        qkv, proj = block.attn.qkv.weight, block.attn.proj.weight
        width, old = qkv.shape[1], block.attn.heads
        rows = qkv.reshape(3, old, -1, width)[:, heads].reshape(-1, width)
        weights[f"{name}.attn.qkv.weight"] = rows
        weights[f"{name}.attn.proj.weight"] = proj.reshape(width, old, -1)[:, heads].reshape(width, -1)
        weights[f"{name}.mlp.fc1.weight"] = block.mlp.fc1.weight[channels]
        weights[f"{name}.mlp.fc1.bias"] = block.mlp.fc1.bias[channels]
        weights[f"{name}.mlp.fc2.weight"] = block.mlp.fc2.weight[:, channels]
    smaller = build_model(config)
    smaller.load_state_dict(weights)
    return smaller


def batch_loss(
    model: UViT, x0: Tensor, labels: Tensor | None, generator: torch.Generator
) -> Callable[[Tensor], Tensor]:
    """The loss of one batch at any one time, of one draw of noise."""
    config, process = model.config, model.config.process
    eps = torch.randn(x0.shape, generator=generator).to(x0.device)

    def loss_at(t: Tensor) -> Tensor:
        times = t.to(x0.device).expand(len(x0))
        out = model(process.q_sample(x0, times, eps), times, labels)
        return F.mse_loss(out, process.target(x0, eps, times, config.prediction))

    return loss_at


def add_arguments(parser: argparse.ArgumentParser) -> None:
    presets = sorted(name for name, config in PRESETS.items() if not config.context)
    parser.add_argument("--preset", choices=presets, required=True, help="architecture")
    parser.add_argument("--weights", type=Path, required=True, help="dense weights (.safetensors)")
    parser.add_argument("--dataset", choices=sorted(FORMATS), required=True, help="format of the data")
    parser.add_argument("--data", type=Path, required=True, help="folder of the data set")
    parser.add_argument("--out", type=Path, required=True, help="the smaller model (.safetensors)")
    parser.add_argument("--pattern", type=Pattern.parse, default=Pattern(2, 4), help="whose MACs to match")
    parser.add_argument("--threshold", type=float, default=0.05, help="T, of the largest loss")
    parser.add_argument("--times", type=int, default=1000, help="times between clean and noise")
    parser.add_argument("--batch-size", type=int, default=128)
    parser.add_argument("--seed", type=int, default=0)


def run(args: argparse.Namespace) -> int:
    limit_threads()
    config, device = PRESETS[args.preset], pick_device()
    smaller = shrunk_config(config, args.pattern)
    data = open_dataset(args.dataset, args.data, config.image_size, config.channels)
    fit_classes(data, config.num_classes, CLASSES.get(args.preset))
    model = build_model(config)
    digest = load_weights(model, args.weights)
    model.to(device)
    x0, labels = data.training_batch(SampleOrder(len(data), args.seed), 0, args.batch_size)
    labels = labels.to(device) if config.num_classes and labels is not None else None
    generator = torch.Generator().manual_seed(args.seed)
    loss_at = batch_loss(model, x0.to(device), labels, generator)
    used = add_up_gradients(model, loss_at, args.threshold, args.times)
    pruned = shrink(model, smaller, choose(model, smaller))
    write_atomically(args.out, save({k: v.cpu().contiguous() for k, v in pruned.state_dict().items()}))
    manifest = {
        "schemaVersion": 1,
        "name": f"{args.preset}-diff-pruned",
        "architecture": "uvit",
        "config": smaller.to_dict(),
        "weights": {"file": args.out.name, "sha256": file_sha256(args.out)},
        "macs": {"dense": count_macs(config).dense, "pruned": count_macs(smaller).dense},
        "pruning": {
            "source": digest,
            "pattern": str(args.pattern),
            "threshold": args.threshold,
            "times": f"{used} of {args.times}",
            "batchSize": args.batch_size,
            "seed": args.seed,
        },
    }
    write_atomically(args.out.with_suffix(".json"), (json.dumps(manifest, indent=2) + "\n").encode())
    print(summary(manifest, smaller))
    return 0


def spec_fields(config: UViTConfig) -> dict[str, Any]:
    """`model.config` of a SparseFinetune that trains the smaller model on."""
    fields = {
        "imageSize": config.image_size, "patchSize": config.patch_size, "channels": config.channels,
        "width": config.width, "depth": config.depth, "heads": config.heads, "headWidth": config.head_width,
        "mlpWidth": config.mlp_width, "numClasses": config.num_classes,
        "finalConv": config.final_conv, "prediction": config.prediction,
    }  # fmt: skip
    if config.num_classes and not config.null_class:
        fields["nullClass"] = False
    if config.guidable and config.label_dropout != UViTConfig.label_dropout:
        fields["labelDropout"] = f"{config.label_dropout:g}"
    if config.process != VP_LINEAR:
        fields["noiseProcess"] = _process_fields(config.process)
    return fields


def _process_fields(process: NoiseProcess) -> dict[str, Any]:
    """As the resource writes it: its names, decimals as text."""
    if isinstance(process, VPLinear):
        return {"kind": process.kind, "betaMin": f"{process.beta_min:g}", "betaMax": f"{process.beta_max:g}"}
    if isinstance(process, RectifiedFlow):
        return {"kind": process.kind, "shift": f"{process.shift:g}"}
    fields = {"kind": process.kind, "betaSchedule": process.schedule, "timesteps": process.steps}
    if process.schedule != "cosine":
        for name, value in (("betaStart", process.start), ("betaEnd", process.end)):
            fields[name] = f"{value:.12f}".rstrip("0")
    return fields


def _yaml(value: Any) -> str:
    """In flow style; a text that would read as a number is quoted."""
    if isinstance(value, dict):
        return "{" + ", ".join(f"{name}: {_yaml(each)}" for name, each in value.items()) + "}"
    if isinstance(value, str) and value[0].isdigit():
        return f'"{value}"'
    return str(value).lower() if isinstance(value, bool) else str(value)


def summary(manifest: dict[str, Any], config: UViTConfig) -> str:
    """What was cut, and the part of a SparseFinetune's spec that trains it on."""
    macs, fields = manifest["macs"], spec_fields(config)
    lines = [
        f"{macs['pruned'] / 1e6:.2f} of {macs['dense'] / 1e6:.2f} M MACs are left, by the gradients of "
        f"{manifest['pruning']['times']} times. Train it on with:",
        "model:",
        f"  config: {_yaml(fields)}",
        "sparsity: {method: dense}",
    ]
    return "\n".join(lines)
