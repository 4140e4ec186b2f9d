"""A folder of images; classes are folders (folders.py) or a column of metadata.jsonl (metadata.py)."""

from __future__ import annotations

from functools import partial
from pathlib import Path

import numpy as np
from PIL import Image

from sparsedm.data.colours import Mode, converted
from sparsedm.data.contents import sentences, shown
from sparsedm.data.folders import Listing, list_images
from sparsedm.data.image_files import ImageFileDataset
from sparsedm.data.metadata import FILE as METADATA
from sparsedm.data.metadata import list_from_metadata
from sparsedm.errors import InputError

MODES: dict[int, Mode] = {1: "L", 3: "RGB"}


def open_image_folder(
    path: Path, image_size: int, channels: int, split: str = "train", class_column: str | None = None
) -> ImageFileDataset:
    """(N, channels, image_size, image_size); grey images become RGB and vice versa, as the model needs.

    With a metadata.jsonl its rows are the images, and `class_column` is their class. Otherwise, with
    sub-folders, each is a class, and every image lies in one; without any, there are no labels. Images must
    already have the model's size: how to crop is a choice about the content that only the user can make.
    """
    if channels not in MODES:
        raise InputError(
            "DatasetMismatch", f"An image folder gives 1 or 3 channels, and the model takes {channels}."
        )
    found = _listed(path, class_column)
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
        None if found.labels is None else np.array(found.labels),
        found.classes,
        notes=found.notes,
    )


def _listed(path: Path, class_column: str | None) -> Listing:
    if (path / METADATA).is_file():
        return list_from_metadata(path, class_column)
    if class_column:
        raise InputError(
            "DatasetMismatch",
            f"dataset.classColumn is {class_column}, and {shown(path)} has no {METADATA}: add that file, or "
            "remove classColumn, so that the folders are the classes.",
        )
    return list_images(path)


def pixels(image: Image.Image, mode: Mode) -> np.ndarray:
    """(channels, height, width) uint8."""
    values = np.asarray(converted(image, mode))
    return values.reshape(*values.shape[:2], -1).transpose(2, 0, 1)
