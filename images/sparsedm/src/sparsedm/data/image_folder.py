"""A folder of images; its sub-folders are the classes (folders.py says which, and in which order)."""

from __future__ import annotations

from functools import partial
from pathlib import Path

import numpy as np
from PIL import Image

from sparsedm.data.colours import Mode, converted
from sparsedm.data.contents import sentences, shown
from sparsedm.data.folders import list_images
from sparsedm.data.image_files import ImageFileDataset
from sparsedm.errors import InputError

MODES: dict[int, Mode] = {1: "L", 3: "RGB"}


def open_image_folder(path: Path, image_size: int, channels: int, split: str = "train") -> ImageFileDataset:
    """(N, channels, image_size, image_size); grey images become RGB and vice versa, as the model needs.

    With sub-folders each is a class, and every image lies in one; without any, there are no labels. Images
    must already have the model's size: how to crop is a choice about the content that only the user can
    make.
    """
    if channels not in MODES:
        raise InputError(
            "DatasetMismatch", f"An image folder gives 1 or 3 channels, and the model takes {channels}."
        )
    found = list_images(path)
    if not found.files:
        passed_over = "".join(f" {sentence}." for sentence in sentences(found.notes.record()))
        raise InputError(
            "DatasetEmpty",
            f"{shown(path)} holds no images: give a folder of PNG or JPEG files, or one with a folder for "
            f"each class.{passed_over}",
        )
    return ImageFileDataset(
        found.files,
        (image_size, image_size),
        f"the model takes {image_size}x{image_size}: resize the images first.",
        partial(pixels, mode=MODES[channels]),
        np.array(found.labels) if found.classes else None,
        found.classes,
        notes=found.notes,
    )


def pixels(image: Image.Image, mode: Mode) -> np.ndarray:
    """(channels, height, width) uint8."""
    values = np.asarray(converted(image, mode))
    return values.reshape(*values.shape[:2], -1).transpose(2, 0, 1)
