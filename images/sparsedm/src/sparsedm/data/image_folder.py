"""A folder of pictures; its sub-folders, in alphabetical order, are the classes."""

from __future__ import annotations

from functools import partial
from pathlib import Path

import numpy as np
from PIL import Image

from sparsedm.data.pictures import PictureDataset
from sparsedm.errors import InputError

SUFFIXES = {".png", ".jpg", ".jpeg", ".bmp", ".webp"}
MODES = {1: "L", 3: "RGB"}


def open_image_folder(path: Path, image_size: int, channels: int, split: str = "train") -> PictureDataset:
    """(N, channels, image_size, image_size); grey pictures are made RGB and the reverse, as the model needs.

    With sub-folders each is a class, and every picture lies in one; without any, there are no labels. Hidden
    files and files that are no pictures by their suffix are passed over. Pictures must already have the
    model's size: how to crop is a choice about the content that only the user can make.
    """
    if channels not in MODES:
        raise InputError(
            "DatasetMismatch", f"An image folder gives 1 or 3 channels, and the model takes {channels}."
        )
    classes = sorted(
        entry.name for entry in path.iterdir() if entry.is_dir() and not entry.name.startswith(".")
    )
    files = [(file, label) for label, name in enumerate(classes) for file in _pictures(path / name)]
    loose = _pictures(path)
    if classes and loose:
        raise InputError(
            "DatasetUnreadable",
            f"{loose[0]} lies beside the class folders of {path}: move it into one of them, "
            "or remove the folders.",
        )
    files += [(file, 0) for file in loose]
    if not files:
        raise InputError("DatasetEmpty", f"{path} holds no pictures ({', '.join(sorted(SUFFIXES))}).")
    needed = f"the model takes {image_size}x{image_size}: resize the pictures first."
    labels = np.array([label for _, label in files]) if classes else None
    return PictureDataset(
        [file for file, _ in files],
        (image_size, image_size),
        needed,
        partial(_pixels, mode=MODES[channels]),
        labels,
        classes or None,
    )


def _pictures(folder: Path) -> list[Path]:
    return sorted(
        entry
        for entry in folder.iterdir()
        if entry.is_file() and entry.suffix.lower() in SUFFIXES and not entry.name.startswith(".")
    )


def _pixels(picture: Image.Image, mode: str) -> np.ndarray:
    """(channels, height, width) uint8."""
    pixels = np.asarray(picture.convert(mode))
    return pixels.reshape(*pixels.shape[:2], -1).transpose(2, 0, 1)
