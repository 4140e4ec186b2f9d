"""`sparsedm export DIR --out DIR`: an artifact as a directory that diffusers' from_pretrained reads.

The parameters have diffusers' own names already, so the weights are the same bytes under another name, with
the zeros in place. scheduler_config.json beside them says what the network predicts, and on which process.
"""

from __future__ import annotations

import argparse
from pathlib import Path

from safetensors.torch import load_file, save

from sparsedm.artifact.artifact import load_artifact
from sparsedm.errors import InputError
from sparsedm.files import write_atomically
from sparsedm.models import DiffusersConfig, config_of
from sparsedm.models.denoisers import CONFIG_FILE, WEIGHTS_FILE, write_config
from sparsedm.models.scheduler import FILE as SCHEDULER_FILE
from sparsedm.models.scheduler import write_scheduler


def add_arguments(parser: argparse.ArgumentParser) -> None:
    parser.add_argument(
        "directory", metavar="DIR", type=Path, help="artifact directory, as training wrote it"
    )
    parser.add_argument(
        "--out", type=Path, required=True, help="directory to write; from_pretrained reads it"
    )


def run(args: argparse.Namespace) -> int:
    model, manifest = load_artifact(args.directory)
    config = config_of(model)
    if not isinstance(config, DiffusersConfig):
        raise InputError(
            "ModelUnsupported",
            "diffusers has no U-ViT of this kind: the artifact's model.safetensors already has the names of "
            "the published checkpoints.",
        )
    args.out.mkdir(parents=True, exist_ok=True)
    tensors = load_file(args.directory / Path(manifest["weights"]["file"]).name)
    write_atomically(args.out / WEIGHTS_FILE, save(tensors, metadata={"format": "pt"}))
    write_atomically(args.out / CONFIG_FILE, write_config(config).encode())
    scheduler = write_scheduler(config.process, config.prediction, config.out_channels > config.channels)
    write_atomically(args.out / SCHEDULER_FILE, scheduler.encode())
    print(f"{args.out}: diffusers.{config.class_name}.from_pretrained reads it.")
    return 0
