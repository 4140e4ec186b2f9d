"""Latents of images, precomputed by an autoencoder: ImageNet 256 and 512 with labels, MS-COCO 256 and emoji
with text.

`sparsedm convert` and `sparsedm encode` write them as safetensors shards with an index; they are read from
disk sample by sample, so that a data set may be larger than memory. A latent is drawn anew each time it is
trained on: z = scale (mean + deviation * noise), with noise that follows from the seed and the sample's
number alone.
"""

from __future__ import annotations

import json
from bisect import bisect_right
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from itertools import accumulate
from pathlib import Path
from typing import Any

import numpy as np
import torch
from safetensors import SafetensorError, safe_open
from safetensors.torch import load_file
from torch import Tensor

from sparsedm.data.contents import Notes, shown
from sparsedm.data.layouts import holding
from sparsedm.data.order import SampleOrder
from sparsedm.errors import InputError

INDEX_FILE = "index.json"
EMPTY_FILE = "empty.safetensors"
CHANNELS = 4
SIDES = {
    "imagenet256-features": 32,
    "imagenet512-features": 64,
    "mscoco256-features": 32,
    "emoji-features": 8,
}
"""Height and width of a latent: an eighth of the image's, of emoji a quarter."""
TEXTS = {"mscoco256-features": (77, 768), "emoji-features": (16, 64)}
"""Tokens of a text, and values of each, of the formats that have texts."""
SCALES = {
    "imagenet256-features": 0.18215,
    "imagenet512-features": 0.18215,
    "mscoco256-features": 0.23010,
    "emoji-features": 1.0,
}
"""What the published models multiply latents by; `sparsedm train-autoencoder` makes them of deviation 1."""
LOG_VARIANCE = (-30.0, 20.0)


def moments_shape(format: str) -> tuple[int, int, int]:
    """Of one sample: mean and log-variance of a latent, one above the other."""
    return (2 * CHANNELS, SIDES[format], SIDES[format])


@dataclass(frozen=True)
class Shard:
    """A file with `moments` (n, 8, H, W) and `labels` (n,), or `contexts` (texts, L, D) with
    `firstText` (n + 1,): sample i has the texts from firstText[i] to firstText[i + 1]."""

    path: Path
    samples: int


class FeatureDataset:
    """As data.dataset.ArrayDataset, with latents for images. `nothing` is the text that stands for none."""

    horizontal_flip = False

    def __init__(self, shards: Sequence[Shard], format: str, nothing: Tensor | None = None) -> None:
        self.shards = list(shards)
        self.scale = SCALES[format]
        self._moments, self._text = moments_shape(format), TEXTS.get(format)
        self.nothing = nothing
        self.classes: list[str] | None = None
        self.notes = Notes()
        self._ends = list(accumulate(shard.samples for shard in shards))
        self._files = [self._opened(shard) for shard in shards]
        self.labels = None if nothing is not None else self._all_labels()

    def __len__(self) -> int:
        return self._ends[-1]

    def batch(
        self, indices: np.ndarray | Sequence[int], seeds: np.ndarray | None = None
    ) -> tuple[Tensor, Tensor]:
        """(B, 4, H, W) latents and (B,) labels, or (B, L, D) texts, of the samples at `indices`.

        With `seeds` (B,) latents and texts are drawn from each sample's distribution; without, they are its
        mean and its first text.
        """
        drawn = [None] * len(indices) if seeds is None else [int(seed) for seed in seeds]
        samples = [self._sample(int(i), seed) for i, seed in zip(indices, drawn, strict=True)]
        latents, conditions = zip(*samples, strict=True)
        return torch.stack(latents), torch.stack(conditions)

    def training_batch(self, order: SampleOrder, start: int, count: int) -> tuple[Tensor, Tensor]:
        """Samples number start ... start + count - 1 of `order`."""
        return self.batch(order.indices(start, count), order.hashes(start, count))

    def _sample(self, index: int, seed: int | None) -> tuple[Tensor, Tensor]:
        shard = bisect_right(self._ends, index)
        place = index - (self._ends[shard - 1] if shard else 0)
        moments = self._read(shard, "moments", place).float()
        mean, log_variance = moments.chunk(2)
        latent = mean
        if seed is not None:
            generator = torch.Generator().manual_seed(seed % 2**63)
            deviation = torch.exp(0.5 * log_variance.clamp(*LOG_VARIANCE))
            latent = mean + deviation * torch.randn(mean.shape, generator=generator)
        if not torch.isfinite(latent).all():
            raise _unreadable(self.shards[shard].path, f"its sample {place} is not finite")
        return self.scale * latent, self._condition(shard, place, seed)

    def _condition(self, shard: int, place: int, seed: int | None) -> Tensor:
        if self.labels is not None:
            return self._read(shard, "labels", place)
        first, end = (int(self._read(shard, "firstText", place + i)) for i in range(2))
        chosen = first if seed is None else first + (seed >> 32) % (end - first)
        return self._read(shard, "contexts", chosen).float()

    def _read(self, shard: int, name: str, place: int) -> Tensor:
        return self._files[shard].get_slice(name)[place]

    def _opened(self, shard: Shard) -> Any:
        """A memory-mapped file, whose tensors have the sizes that the index promises."""
        try:
            file = safe_open(shard.path, "pt")
            sizes = {name: tuple(file.get_slice(name).get_shape()) for name in file.keys()}  # noqa: SIM118
        except (OSError, SafetensorError) as error:
            raise _unreadable(shard.path, str(error)) from error
        want = {"moments": (shard.samples, *self._moments)}
        if self.nothing is None:
            want["labels"] = (shard.samples,)
        else:
            want["firstText"] = (shard.samples + 1,)
            want["contexts"] = (sizes.get("contexts", (0,))[0], *self._text)
        for name, size in want.items():
            if sizes.get(name) != size:
                found = f"shape {sizes[name]}, not {size}" if name in sizes else "no place there"
                raise _unreadable(shard.path, f"its {name} have {found}")
        if self.nothing is not None:
            _check_texts(shard.path, file.get_tensor("firstText"), want["contexts"][0])
        return file

    def _all_labels(self) -> np.ndarray:
        labels = np.concatenate([file.get_tensor("labels").numpy() for file in self._files])
        if labels.dtype.kind not in "iu" or labels.min() < 0:
            raise _unreadable(self.shards[0].path.parent, "its labels are no numbers of classes")
        return labels.astype(np.int64)


def _check_texts(path: Path, first: Tensor, texts: int) -> None:
    """Every sample has at least one of the `texts`."""
    if int(first[0]) != 0 or int(first[-1]) != texts or bool((first.diff() < 1).any()):
        raise _unreadable(path, "its firstText leaves a sample without a text")


def _unreadable(path: Path, problem: str) -> InputError:
    return InputError(
        "DatasetUnreadable",
        f"{path} is damaged or incomplete ({problem}): run sparsedm convert or encode again.",
    )


def open_features(format: str) -> Callable[[Path, int, int, str], FeatureDataset]:
    """The function that opens one format. Its `split` has no effect: the user converts the wanted part."""

    def open_format(path: Path, image_size: int, channels: int, split: str) -> FeatureDataset:
        side = SIDES[format]
        if (channels, image_size) != (CHANNELS, side):
            raise InputError(
                "DatasetMismatch",
                f"{format} has latents of {side}x{side} and {CHANNELS} channels: "
                f"the model takes {image_size}x{image_size} of {channels}.",
            )
        shards = _read_index(path, format)
        nothing = _read_nothing(path / EMPTY_FILE, TEXTS[format]) if format in TEXTS else None
        return FeatureDataset(shards, format, nothing)

    return open_format


def _maker(format: str) -> str:
    """The command, with what it reads."""
    convert, encode = f"convert {format} SOURCE OUT", f"encode {format} IMAGES OUT"
    if format == "emoji-features":
        return encode
    return f"{convert} of the .npy files" + (f", or with {encode} of images" if format in TEXTS else "")


def _read_nothing(file: Path, shape: tuple[int, int]) -> Tensor:
    try:
        context = load_file(file)["context"].float()
    except (OSError, SafetensorError, KeyError) as error:
        raise _unreadable(file, f"{type(error).__name__}: {error}") from error
    if tuple(context.shape) != shape:
        raise _unreadable(file, f"its context has shape {tuple(context.shape)}")
    return context


def _read_index(path: Path, format: str) -> list[Shard]:
    file = path / INDEX_FILE
    if not file.is_file():
        inner = holding(path, INDEX_FILE)
        remedy = (
            f"make it with sparsedm {_maker(format)}."
            if inner is None
            else f"{shown(inner)} has one, so name that folder in dataset.uri."
        )
        raise InputError("DatasetNotFound", f"There is no {INDEX_FILE} in {shown(path)}: {remedy}")
    try:
        index = json.loads(file.read_text(encoding="utf-8"))
        found, shards = index["format"], [Shard(path / s["file"], s["samples"]) for s in index["shards"]]
        if wrong := [s.samples for s in shards if not isinstance(s.samples, int) or s.samples < 1]:
            raise ValueError(f"a shard has {wrong[0]} samples")
    except (OSError, ValueError, KeyError, TypeError) as error:
        raise _unreadable(file, f"{type(error).__name__}: {error}") from error
    if found != format:
        raise InputError("DatasetMismatch", f"{path} holds {found}: write dataset.format: {found}.")
    if not shards:
        raise InputError("DatasetEmpty", f"{path} holds no samples.")
    return shards
