"""Images as bytes, in memory or in files (image_files.py), turned into the network's input batch by batch."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Sequence
from typing import Protocol

import numpy as np
import torch
from torch import Tensor

from sparsedm.data.contents import Notes
from sparsedm.data.order import SampleOrder


class Dataset(Protocol):
    """What training and evaluation need from a data set: images or latents, with labels, texts or neither.

    labels: (N,) int64, or None without classes. nothing: (L, D), the text that stands for none, else None.
    notes: what its reader skipped or converted. horizontal_flip: whether training mirrors images at random,
    by default as in the format's published runs; latents never are.
    """

    labels: np.ndarray | None
    classes: list[str] | None
    nothing: Tensor | None
    notes: Notes
    horizontal_flip: bool

    def __len__(self) -> int: ...

    def batch(self, indices: np.ndarray | Sequence[int]) -> tuple[Tensor, Tensor | None]: ...

    def training_batch(self, order: SampleOrder, start: int, count: int) -> tuple[Tensor, Tensor | None]: ...


class ImageDataset(ABC):
    """Images of one size with optional labels.

    labels: (N,) int64, or None. classes: names by label index, or None.
    horizontal_flip: whether training mirrors each image with probability 1/2.
    """

    def __init__(
        self,
        labels: np.ndarray | None,
        classes: Sequence[str] | None = None,
        horizontal_flip: bool = False,
        notes: Notes | None = None,
    ) -> None:
        self.labels = None if labels is None else labels.astype(np.int64)
        self.classes = None if classes is None else list(classes)
        self.horizontal_flip = horizontal_flip
        self.nothing = None
        self.notes = notes or Notes()

    @abstractmethod
    def __len__(self) -> int: ...

    @abstractmethod
    def _pixels(self, chosen: np.ndarray) -> np.ndarray:
        """(B, C, H, W) uint8 of the images at `chosen`, (B,) int64."""

    def batch(
        self, indices: np.ndarray | Sequence[int], flips: np.ndarray | None = None
    ) -> tuple[Tensor, Tensor | None]:
        """(B, C, H, W) float32 in [-1, 1] and (B,) int64 labels (or None) of the samples at `indices`.

        flips: (B,) bool, which of them to mirror left to right.
        """
        chosen = np.asarray(indices, dtype=np.int64)
        pixels = self._pixels(chosen)
        if flips is not None:
            pixels = np.where(flips[:, None, None, None], pixels[..., ::-1], pixels)
        x = torch.from_numpy(np.ascontiguousarray(pixels)).float().div_(127.5).sub_(1.0)
        return x, None if self.labels is None else torch.from_numpy(self.labels[chosen])

    def training_batch(self, order: SampleOrder, start: int, count: int) -> tuple[Tensor, Tensor | None]:
        """Samples number start ... start + count - 1 of `order`, mirrored at random if so set."""
        flips = order.flips(start, count) if self.horizontal_flip else None
        return self.batch(order.indices(start, count), flips)


class ArrayDataset(ImageDataset):
    """Images in memory: (N, C, H, W) uint8."""

    def __init__(
        self,
        images: np.ndarray,
        labels: np.ndarray | None,
        classes: Sequence[str] | None = None,
        horizontal_flip: bool = False,
        notes: Notes | None = None,
    ) -> None:
        super().__init__(labels, classes, horizontal_flip, notes)
        self.images = images

    def __len__(self) -> int:
        return len(self.images)

    def _pixels(self, chosen: np.ndarray) -> np.ndarray:
        return self.images[chosen]
