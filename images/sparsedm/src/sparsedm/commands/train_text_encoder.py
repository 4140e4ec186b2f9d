"""`sparsedm train-text-encoder`: trains a small CLIP text encoder on captioned images.

As CLIP was trained (Radford et al., arXiv 2103.00020): among the texts of a batch, each image has to find its
own, and each text its image. A small convolutional network reads the images and is thrown away. The tokenizer
is CLIP's with its first merges, which are the most common ones: any prefix of the merges is a vocabulary.
"""

from __future__ import annotations

import argparse
import gzip
import json
import math
import tempfile
from pathlib import Path
from typing import Any

import torch
from torch import Tensor, nn
from torch.nn import functional as F

from sparsedm.data import Dataset, SampleOrder, open_dataset
from sparsedm.data.metadata import texts_of
from sparsedm.errors import InputError
from sparsedm.measure.extractor import FEATURES, Classifier
from sparsedm.models.text_encoder import ENCODER_FOLDER, TOKENIZER_FOLDER, TextEncoder, library
from sparsedm.runtime.device import limit_threads
from sparsedm.training.fit import fit

IMAGE_SIDE = 32
START, END = "<|startoftext|>", "<|endoftext|>"
SHARPNESS = math.log(1 / 0.07)
"""Logarithm of CLIP's first inverse temperature."""


def add_arguments(parser: argparse.ArgumentParser) -> None:
    parser.add_argument(
        "--data", type=Path, required=True, help="folder of images with the column text in metadata.jsonl"
    )
    parser.add_argument(
        "--merges",
        type=Path,
        required=True,
        help="bpe_simple_vocab_16e6.txt.gz, CLIP's, which the package open_clip_torch holds",
    )
    parser.add_argument("--tokens", type=int, default=16, help="of a text, with its start and end")
    parser.add_argument("--vocabulary", type=int, default=8192, help="different tokens")
    parser.add_argument("--width", type=int, default=64, help="values that a token becomes")
    parser.add_argument("--steps", type=int, default=400)
    parser.add_argument("--batch", type=int, default=32)
    parser.add_argument("--rate", type=float, default=1e-3, help="learning rate")
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--out", type=Path, required=True, help="folder for the files and a checkpoint")


def run(args: argparse.Namespace) -> int:
    """An interrupted training goes on from its checkpoint."""
    limit_threads()
    torch.manual_seed(args.seed)
    data, texts = open_dataset("image-folder", args.data, IMAGE_SIDE, channels=3), texts_of(args.data)
    save_tokenizer(args.out / TOKENIZER_FOLDER, read_merges(args.merges, args.vocabulary), args.tokens)
    encoder = new_encoder(args.tokens, args.vocabulary, args.width)
    encoder.save_pretrained(args.out / ENCODER_FOLDER)
    tokens = TextEncoder(args.out).tokens(texts)
    pair = Pair(encoder)
    order = SampleOrder(len(data), args.seed)

    def loss_of(step: int) -> Tensor:
        chosen = order.indices(step * args.batch, args.batch)
        logits, own = pair(data.batch(chosen)[0], tokens[chosen]), torch.arange(args.batch)
        return (F.cross_entropy(logits, own) + F.cross_entropy(logits.T, own)) / 2

    fit(pair, loss_of, args.steps, args.rate, args.seed, args.out / "checkpoints")
    encoder.eval().save_pretrained(args.out / ENCODER_FOLDER)
    print(f"{found(pair.eval(), data, tokens):.1%} of images find their own text, at {args.out}")
    return 0


class Pair(nn.Module):
    """Text encoder and image network, with a linear map of each to the space where they are compared."""

    def __init__(self, encoder: Any) -> None:
        super().__init__()
        self.encoder = encoder
        self.images = Classifier(channels=3, classes=1)
        self.text_map = nn.Linear(encoder.config.hidden_size, FEATURES, bias=False)
        self.sharpness = nn.Parameter(torch.tensor(SHARPNESS))

    def forward(self, images: Tensor, tokens: Tensor) -> Tensor:
        """(B, 3, 32, 32), (T, L) -> (B, T): how well each image fits each text."""
        texts = self.text_map(self.encoder(tokens).pooler_output)
        fits = F.normalize(self.images.embedding(images)) @ F.normalize(texts).T
        return fits * self.sharpness.clamp(max=math.log(100)).exp()


@torch.no_grad()
def found(pair: Pair, data: Dataset, tokens: Tensor, batch: int = 200) -> float:
    """Share of the images that fit their own text, of all texts, best."""
    right = 0
    for start in range(0, len(data), batch):
        chosen = range(start, min(start + batch, len(data)))
        best = pair(data.batch(chosen)[0], tokens).argmax(dim=1)
        right += int((tokens[best] == tokens[list(chosen)]).all(dim=1).sum())
    return right / len(data)


def read_merges(path: Path, vocabulary: int) -> list[tuple[str, str]]:
    """The first merges, as many as a vocabulary of this size has beside all bytes and the two marks."""
    count = vocabulary - 512 - 2
    try:
        with gzip.open(path, "rt", encoding="utf-8") as file:
            lines = file.read().splitlines()[1 : 1 + count]
        merges = [(first, second) for first, second in (line.split() for line in lines)]
    except (OSError, EOFError, ValueError) as error:
        raise InputError(
            "MergesUnreadable",
            f"{path} holds no merges ({type(error).__name__}: {error}): take bpe_simple_vocab_16e6.txt.gz "
            "out of the package open_clip_torch.",
        ) from error
    if not 0 < count <= len(merges):
        raise InputError(
            "MergesUnreadable", f"--vocabulary must be from 515 to {len(merges) + 514}, and is {vocabulary}."
        )
    return merges


def save_tokenizer(directory: Path, merges: list[tuple[str, str]], tokens: int) -> None:
    """In the files of transformers: every byte, alone and at the end of a word, what the merges make, and the
    marks."""
    from tokenizers.pre_tokenizers import ByteLevel

    letters = sorted(ByteLevel.alphabet())
    words = [*letters, *(f"{letter}</w>" for letter in letters), *map("".join, merges), START, END]
    with tempfile.TemporaryDirectory() as scratch:
        vocabulary, lines = Path(scratch, "vocab.json"), Path(scratch, "merges.txt")
        vocabulary.write_text(json.dumps({word: number for number, word in enumerate(words)}))
        lines.write_text("\n".join(["#version: 0.2", *map(" ".join, merges)]) + "\n")
        settings = {"tokenizer_class": "CLIPTokenizer", "model_max_length": tokens}
        marks = {"bos_token": START, "eos_token": END, "pad_token": END, "unk_token": END}
        Path(scratch, "tokenizer_config.json").write_text(json.dumps({**settings, **marks}))
        library().CLIPTokenizer.from_pretrained(scratch).save_pretrained(directory)


def new_encoder(tokens: int, vocabulary: int, width: int) -> Any:
    """Two layers of CLIP's text encoder with random weights."""
    transformers = library()
    config = transformers.CLIPTextConfig(
        vocab_size=vocabulary, hidden_size=width, intermediate_size=4 * width, num_hidden_layers=2,
        num_attention_heads=4, max_position_embeddings=tokens, bos_token_id=vocabulary - 2,
        eos_token_id=vocabulary - 1, pad_token_id=vocabulary - 1,
    )  # fmt: skip
    return transformers.CLIPTextModel(config)
