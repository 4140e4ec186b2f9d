"""`sparsedm encode FORMAT IMAGES OUT`: latents and text features of a folder of captioned images.

What the published preparations of data do with an autoencoder and a text encoder, in the shards that
`sparsedm convert` writes of their results.
"""

from __future__ import annotations

import argparse
import json
from pathlib import Path

import torch
from safetensors.torch import save
from tqdm import tqdm

from sparsedm.commands.convert import SHARD_SAMPLES
from sparsedm.data import open_dataset
from sparsedm.data.features import EMPTY_FILE, INDEX_FILE, SCALES, SIDES, TEXTS
from sparsedm.data.metadata import texts_of
from sparsedm.errors import ConfigError, InputError
from sparsedm.files import write_atomically
from sparsedm.models.autoencoder import Autoencoder
from sparsedm.models.text_encoder import TextEncoder, TextTooLong
from sparsedm.runtime.device import limit_threads, pick_device


def add_arguments(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("format", choices=sorted(TEXTS), help="dataset.format of the result")
    parser.add_argument("images", type=Path, help="folder with the column text in its metadata.jsonl")
    parser.add_argument("out", type=Path, help="a new folder")
    parser.add_argument(
        "--autoencoder", metavar="FOLDER", type=Path, required=True, help="diffusers' AutoencoderKL"
    )
    parser.add_argument(
        "--text-encoder", metavar="FOLDER", type=Path, required=True, help="CLIP's text encoder and tokenizer"
    )


def run(args: argparse.Namespace) -> int:
    """An interrupted run goes on at its first missing shard. The index comes last: a folder that has one is
    whole."""
    limit_threads()
    device = pick_device()
    autoencoder = Autoencoder(args.autoencoder, SCALES[args.format], device)
    encoder = TextEncoder(args.text_encoder, device)
    if encoder.shape != TEXTS[args.format]:
        raise ConfigError(
            [
                f"--text-encoder must encode a text as {TEXTS[args.format]} for {args.format}, and this one "
                f"does as {encoder.shape}."
            ]
        )
    data = open_dataset("image-folder", args.images, SIDES[args.format] * autoencoder.factor, channels=3)
    try:
        tokens = encoder.tokens(texts_of(args.images))
    except TextTooLong as error:
        raise InputError("DatasetUnreadable", f"{args.images}: {error} Shorten the captions.") from error
    args.out.mkdir(parents=True, exist_ok=True)
    write_atomically(args.out / EMPTY_FILE, save({"context": encoder([""])[0].cpu()}))
    starts = range(0, len(data), SHARD_SAMPLES)
    shards = []
    for number, start in enumerate(tqdm(starts, unit="file")):
        chosen = range(start, min(start + SHARD_SAMPLES, len(data)))
        path = args.out / f"shard-{number:05d}-of-{len(starts):05d}.safetensors"
        if not path.exists():
            moments = autoencoder.moments(data.batch(chosen)[0])
            contexts = encoder.encode(tokens[chosen.start : chosen.stop]).cpu()
            tensors = {"moments": moments, "contexts": contexts, "firstText": torch.arange(len(chosen) + 1)}
            write_atomically(path, save(tensors))
        shards.append({"file": path.name, "samples": len(chosen)})
    index = {"format": args.format, "samples": len(data), "shards": shards}
    write_atomically(args.out / INDEX_FILE, (json.dumps(index, indent=2) + "\n").encode())
    print(f"{len(data)} samples in {len(shards)} files: {args.out}")
    return 0
