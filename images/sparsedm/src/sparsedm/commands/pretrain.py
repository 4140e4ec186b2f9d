"""`sparsedm pretrain`: trains the dense model that sparse fine-tuning starts from."""

from __future__ import annotations

import argparse
import json
from pathlib import Path

import torch

from sparsedm.data import FORMATS, open_dataset
from sparsedm.data.contents import fit_classes, lines, record
from sparsedm.diffusion.samplers import IMAGE_CHANNELS
from sparsedm.errors import InputError
from sparsedm.models import CLASSES, PRESETS
from sparsedm.runtime.device import limit_threads
from sparsedm.training.export_dense import export_dense
from sparsedm.training.pretraining import PretrainConfig, Pretraining, train


def add_arguments(parser: argparse.ArgumentParser) -> None:
    defaults = PretrainConfig()
    presets = sorted(name for name, config in PRESETS.items() if config.channels in IMAGE_CHANNELS)
    parser.add_argument("--preset", choices=presets, default=defaults.preset, help="architecture")
    parser.add_argument("--width", type=int, help="width in place of the preset's, as 64 for half of 128")
    parser.add_argument(
        "--dataset", choices=sorted(FORMATS), default=defaults.dataset, help="format of the data"
    )
    parser.add_argument("--data", type=Path, required=True, help="folder of the data set")
    parser.add_argument("--out", type=Path, required=True, help="folder of the run; goes on where it stopped")
    parser.add_argument("--steps", type=int, help="optimizer steps in all")
    parser.add_argument("--minutes", type=float, help="minutes of training in all")
    parser.add_argument("--batch-size", type=int, default=defaults.batch_size)
    parser.add_argument("--learning-rate", type=float, default=defaults.learning_rate)
    parser.add_argument("--warmup-steps", type=int, default=defaults.warmup_steps)
    parser.add_argument("--precision", choices=["bf16", "fp32"], default=defaults.precision)
    parser.add_argument("--ema-decay", type=float, default=defaults.ema_decay)
    parser.add_argument("--seed", type=int, default=defaults.seed)
    parser.add_argument("--teacher", metavar="FILE", help="weights of the preset's own width to follow")
    parser.add_argument("--distillation-weight", type=float, default=defaults.distillation_weight)
    parser.add_argument("--threads", type=int, help="CPU threads (default: all it may use)")
    parser.add_argument(
        "--export", type=Path, help="write the averaged weights here at the end (.safetensors)"
    )
    parser.add_argument("--export-only", action="store_true", help="export the last checkpoint, do not train")
    parser.add_argument("--extractor", type=Path, help="measure the exported model with this extractor")
    parser.add_argument("--samples-per-class", type=int, default=205, help="to measure with")
    parser.add_argument("--save-minutes", type=float, default=2.0, help="between checkpoints")
    parser.add_argument("--sample-minutes", type=float, default=10.0, help="between sample grids")


def run(args: argparse.Namespace) -> int:
    if args.threads:
        torch.set_num_threads(args.threads)
    else:
        limit_threads()
    config = PretrainConfig(
        preset=args.preset, width=args.width, dataset=args.dataset, steps=args.steps, minutes=args.minutes,
        batch_size=args.batch_size, learning_rate=args.learning_rate, precision=args.precision,
        warmup_steps=args.warmup_steps, ema_decay=args.ema_decay, seed=args.seed,
        teacher=args.teacher, distillation_weight=args.distillation_weight,
    )  # fmt: skip
    architecture = config.architecture
    data = open_dataset(config.dataset, args.data, architecture.image_size, architecture.channels)
    fit_classes(data, architecture.num_classes, CLASSES.get(config.preset))
    for line in lines(record(data)):
        print(f"Data: {line}")
    args.out.mkdir(parents=True, exist_ok=True)
    state = Pretraining(config, data, args.out)
    if state.resume():
        print(f"Resuming at step {state.step}.")
    elif args.export_only:
        raise InputError("CheckpointNotFound", f"There is no {state.checkpoint_path}: train first.")
    if not args.export_only:
        train(state, args.save_minutes, args.sample_minutes)
        print(f"Sample grid: {state.write_samples()}")
    if args.export:
        manifest = export_dense(state, args.export, args.extractor, args.samples_per_class)
        print(json.dumps(manifest, indent=2))
    return 0
