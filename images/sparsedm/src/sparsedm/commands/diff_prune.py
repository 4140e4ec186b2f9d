"""`sparsedm diff-prune`: whole heads and hidden channels cut out of a dense U-ViT."""

from __future__ import annotations

import argparse
import json
from pathlib import Path
from typing import Any

import torch
from safetensors.torch import save

from sparsedm.artifact.artifact import versions
from sparsedm.data import FORMATS, SampleOrder, open_dataset
from sparsedm.data.contents import fit_classes
from sparsedm.diffusion.process import VP_LINEAR, NoiseProcess, RectifiedFlow, VPLinear
from sparsedm.files import file_sha256, write_atomically
from sparsedm.measure.macs import count_macs
from sparsedm.models import CLASSES, PRESETS, UViTConfig, build_model, load_weights
from sparsedm.runtime.device import limit_threads, pick_device
from sparsedm.sparsity.pattern import Pattern
from sparsedm.training.diff_prune import add_up_gradients, batch_loss, choose, shrink, shrunk_config


def add_arguments(parser: argparse.ArgumentParser) -> None:
    presets = sorted(name for name, config in PRESETS.items() if not config.context)
    parser.add_argument("--preset", choices=presets, required=True, help="architecture")
    parser.add_argument("--weights", type=Path, required=True, help="dense weights (.safetensors)")
    parser.add_argument("--dataset", choices=sorted(FORMATS), required=True, help="format of the data")
    parser.add_argument("--data", type=Path, required=True, help="folder of the data set")
    parser.add_argument("--class-column", help="of an image folder's metadata.jsonl (default: label)")
    parser.add_argument("--out", type=Path, required=True, help="the smaller model (.safetensors)")
    parser.add_argument("--pattern", type=Pattern.parse, default=Pattern(2, 4), help="whose MACs to match")
    parser.add_argument("--threshold", type=float, default=0.05, help="T, of the largest loss")
    parser.add_argument("--timesteps", type=int, default=1000, help="timesteps between clean and noise")
    parser.add_argument("--batch-size", type=int, default=128)
    parser.add_argument("--seed", type=int, default=0)


def run(args: argparse.Namespace) -> int:
    limit_threads()
    config, device = PRESETS[args.preset], pick_device()
    smaller = shrunk_config(config, args.pattern)
    data = open_dataset(
        args.dataset, args.data, config.image_size, config.channels, class_column=args.class_column
    )
    fit_classes(data, config.num_classes, CLASSES.get(args.preset))
    model = build_model(config)
    digest = load_weights(model, args.weights)
    model.to(device)
    x0, labels = data.training_batch(SampleOrder(len(data), args.seed), 0, args.batch_size)
    labels = labels.to(device) if config.num_classes and labels is not None else None
    generator = torch.Generator().manual_seed(args.seed)
    loss_at = batch_loss(model, x0.to(device), labels, generator)
    used = add_up_gradients(model, loss_at, args.threshold, args.timesteps)
    pruned = shrink(model, smaller, choose(model, smaller))
    write_atomically(args.out, save({k: v.cpu().contiguous() for k, v in pruned.state_dict().items()}))
    manifest = {
        "schemaVersion": 1,
        "name": f"{args.preset}-diff-pruned",
        "architecture": "uvit",
        "config": smaller.to_dict(),
        "classes": CLASSES.get(args.preset) or None,
        "prediction": smaller.prediction,
        "weights": {
            "file": args.out.name,
            "sha256": file_sha256(args.out),
            "sizeBytes": args.out.stat().st_size,
        },
        "macs": {
            "convention": "total",
            "dense": count_macs(config).total_dense,
            "pruned": count_macs(smaller).total_dense,
        },
        "pruning": {
            "source": digest,
            "pattern": str(args.pattern),
            "threshold": args.threshold,
            "timesteps": f"{used} of {args.timesteps}",
            "batchSize": args.batch_size,
            "seed": args.seed,
        },
        "versions": versions(),
    }
    write_atomically(args.out.with_suffix(".json"), (json.dumps(manifest, indent=2) + "\n").encode())
    print(summary(manifest, smaller))
    return 0


def spec_fields(config: UViTConfig) -> dict[str, Any]:
    """`model.config` of a SparseFinetune."""
    fields = {
        "imageSize": config.image_size, "patchSize": config.patch_size, "channels": config.channels,
        "width": config.width, "depth": config.depth, "heads": config.heads,
        "numClasses": config.num_classes, "finalConv": config.final_conv, "prediction": config.prediction,
    }  # fmt: skip
    optional = {
        "headWidth": config.head_width, "mlpWidth": config.mlp_width,
        "contextTokens": config.context_tokens, "contextWidth": config.context_width,
    }  # fmt: skip
    fields |= {name: size for name, size in optional.items() if size}
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
        f"{macs['pruned'] / 1e6:.2f} of {macs['dense'] / 1e6:.2f} M MACs with attention are left, by the "
        f"gradients of {manifest['pruning']['timesteps']} timesteps. Train it on with:",
        "model:",
        f"  config: {_yaml(fields)}",
        "sparsity: {method: dense}",
    ]
    return "\n".join(lines)
