"""`sparsedm attach DIR`: copies an autoencoder or a text encoder beside a model that was written without."""

from __future__ import annotations

import argparse
from collections.abc import Iterator
from pathlib import Path

from sparsedm.artifact.artifact import load_artifact, write_manifest
from sparsedm.artifact.components import Components
from sparsedm.data.features import SCALES
from sparsedm.diffusion.samplers import IMAGE_CHANNELS
from sparsedm.errors import ConfigError
from sparsedm.models import ModelConfig, config_of
from sparsedm.models.autoencoder import Autoencoder
from sparsedm.models.text_encoder import TextEncoder


def add_arguments(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("directory", metavar="DIR", type=Path, help="artifact directory")
    parser.add_argument(
        "--autoencoder", metavar="FOLDER", type=Path, help="diffusers' AutoencoderKL; needs --latents"
    )
    parser.add_argument(
        "--latents", choices=sorted(SCALES), help="the format of the data that the model was trained on"
    )
    parser.add_argument(
        "--text-encoder", metavar="FOLDER", type=Path, help="CLIP's text encoder and tokenizer"
    )


def run(args: argparse.Namespace) -> int:
    """The manifest is sealed anew, after the files are there. Raises ConfigError before anything is
    written."""
    model, manifest = load_artifact(args.directory)
    config = config_of(model)
    if problems := list(_problems(args, config)):
        raise ConfigError(problems)
    encoder = TextEncoder(args.text_encoder) if args.text_encoder else None
    if encoder is not None and encoder.shape != config.context:
        raise ConfigError(
            [f"--text-encoder must encode a text as {config.context}, and this one does as {encoder.shape}."]
        )
    autoencoder = Autoencoder(args.autoencoder, SCALES[args.latents]) if args.autoencoder else None
    added = Components(autoencoder, encoder).save(args.directory)
    manifest["components"] = {**manifest.get("components", {}), **added}
    write_manifest(args.directory, manifest)
    print(f"{args.directory} has its {' and '.join(manifest['components'])} beside it.")
    return 0


def _problems(args: argparse.Namespace, config: ModelConfig) -> Iterator[str]:
    if not args.autoencoder and not args.text_encoder:
        yield "--autoencoder or --text-encoder is required: there is nothing to attach."
    if bool(args.autoencoder) != bool(args.latents):
        yield "--autoencoder and --latents belong together: give both, or none."
    if args.autoencoder and config.channels in IMAGE_CHANNELS:
        yield "--autoencoder must be absent: the model draws images, not latents."
    if args.text_encoder and config.context is None:
        yield "--text-encoder must be absent: the model does not draw after texts."
