"""`sparsedm export DIR --out PATH`: an artifact in the form that other programs and other runs read.

A network of diffusers becomes a directory that its from_pretrained reads. The parameters have diffusers' own
names already, so the weights are the same bytes under another name, with the zeros in place.
scheduler_config.json beside them says what the network predicts, and on which process.

A U-ViT becomes a file of weights with its manifest (NAME.json) beside it, as those that ship with the
package: `model.pretrained.uri` takes the file, and `sparsedm generate --model` draws with it.
"""

from __future__ import annotations

import argparse
import json
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from safetensors.torch import load_file, save
from torch import nn
from tqdm import tqdm

from sparsedm.artifact.artifact import load_artifact
from sparsedm.errors import ConfigError
from sparsedm.files import file_sha256, write_atomically
from sparsedm.measure.assess import assess
from sparsedm.measure.extractor import load_extractor
from sparsedm.measure.reference import REFERENCE_FILE, Reference
from sparsedm.models import DiffusersConfig, config_of
from sparsedm.models.denoisers import CONFIG_FILE, WEIGHTS_FILE, write_config
from sparsedm.models.scheduler import FILE as SCHEDULER_FILE
from sparsedm.models.scheduler import write_scheduler
from sparsedm.runtime.device import limit_threads, pick_device
from sparsedm.training.config import DEFAULT_EXTRACTOR
from sparsedm.uris import resolve_uri

SUFFIX = ".safetensors"


def add_arguments(parser: argparse.ArgumentParser) -> None:
    parser.add_argument(
        "directory", metavar="DIR", type=Path, help="artifact directory, as training wrote it"
    )
    parser.add_argument(
        "--out",
        type=Path,
        required=True,
        help="directory to write, which from_pretrained reads; of a U-ViT a .safetensors file",
    )
    parser.add_argument(
        "--samples-per-class",
        type=int,
        metavar="N",
        help="of a U-ViT: measure that many images of each class, and which of them are recognised; default: "
        "the run's own figures",
    )
    parser.add_argument(
        "--extractor", metavar="FILE", type=Path, help="to measure with; default: the one that ships"
    )
    parser.add_argument(
        "--reference",
        metavar="FILE",
        type=Path,
        help=f"npz to measure with; default: DIR/{REFERENCE_FILE}",
    )


def run(args: argparse.Namespace) -> int:
    model, manifest = load_artifact(args.directory)
    if isinstance(config_of(model), DiffusersConfig):
        _write_directory(model, manifest, args)
    else:
        _write_file(model, manifest, args)
    return 0


def _write_directory(model: nn.Module, manifest: Mapping[str, Any], args: argparse.Namespace) -> None:
    config = config_of(model)
    if args.samples_per_class is not None:
        raise ConfigError(["--samples-per-class measures a U-ViT: leave it out."])
    args.out.mkdir(parents=True, exist_ok=True)
    tensors = load_file(args.directory / Path(manifest["weights"]["file"]).name)
    write_atomically(args.out / WEIGHTS_FILE, save(tensors, metadata={"format": "pt"}))
    write_atomically(args.out / CONFIG_FILE, write_config(config).encode())
    scheduler = write_scheduler(config.process, config.prediction, config.out_channels > config.channels)
    write_atomically(args.out / SCHEDULER_FILE, scheduler.encode())
    print(f"{args.out}: diffusers.{config.class_name}.from_pretrained reads it.")


def _write_file(model: nn.Module, manifest: Mapping[str, Any], args: argparse.Namespace) -> None:
    """The weights first; the manifest holds their digest."""
    out = args.out
    if out.suffix != SUFFIX:
        raise ConfigError([f"--out must be a file ending in {SUFFIX} for a U-ViT, not {out}."])
    figures = manifest["fid"] if args.samples_per_class is None else _measured(model, manifest, args)
    provenance = manifest["provenance"]
    out.parent.mkdir(parents=True, exist_ok=True)
    write_atomically(out, (args.directory / Path(manifest["weights"]["file"]).name).read_bytes())
    description = {
        "schemaVersion": 1,
        **{key: manifest[key] for key in ("name", "architecture", "config", "classes", "prediction")},
        "weights": {"file": out.name, "sha256": file_sha256(out), "sizeBytes": out.stat().st_size},
        "training": {
            "command": "sparsedm train --config FILE, with this configuration in the file",
            **{key: provenance[key] for key in ("configuration", "weights", "steps", "seed")},
        },
        "versions": provenance["versions"],
        "figures": figures,
    }
    write_atomically(out.with_suffix(".json"), (json.dumps(description, indent=2) + "\n").encode())
    print(f"{out}: model.pretrained.uri takes it, and `sparsedm generate --model` draws with it.")


def _measured(model: nn.Module, manifest: Mapping[str, Any], args: argparse.Namespace) -> dict[str, Any]:
    """Its distance, and the share of its images that the extractor takes for the class asked for."""
    if not manifest["classes"]:
        raise ConfigError(["--samples-per-class needs a model with named classes: leave it out."])
    limit_threads()
    device = pick_device()
    extractor, _, digest = load_extractor(args.extractor or resolve_uri(DEFAULT_EXTRACTOR), device)
    reference = Reference.load(args.reference or args.directory / REFERENCE_FILE, digest, extractor.dims)
    with tqdm(unit="image", desc="measuring", mininterval=2) as bar:

        def progress(done: int, total: int) -> None:
            bar.total = total
            bar.update(done - bar.n)

        return assess(
            model.to(device), extractor, reference.stats, manifest["classes"], args.samples_per_class,
            progress=progress,
        )  # fmt: skip
