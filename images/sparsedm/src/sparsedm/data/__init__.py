"""Data sets: one function opens each format; errors name the file and the remedy."""

from __future__ import annotations

from pathlib import Path

from sparsedm.data.celeba import open_celeba
from sparsedm.data.cifar10 import open_cifar10
from sparsedm.data.contents import shown
from sparsedm.data.dataset import ArrayDataset, Dataset
from sparsedm.data.fashion_mnist import open_fashion_mnist
from sparsedm.data.features import open_features
from sparsedm.data.image_folder import open_image_folder
from sparsedm.data.order import SampleOrder
from sparsedm.errors import InputError

__all__ = ["FORMATS", "ArrayDataset", "Dataset", "SampleOrder", "open_dataset"]

FORMATS = {
    "fashion-mnist": open_fashion_mnist,
    "cifar10": open_cifar10,
    "celeba": open_celeba,
    "image-folder": open_image_folder,
    "imagenet256-features": open_features("imagenet256-features"),
    "imagenet512-features": open_features("imagenet512-features"),
    "mscoco256-features": open_features("mscoco256-features"),
    "emoji-features": open_features("emoji-features"),
}


def open_dataset(
    format: str,
    path: str | Path,
    image_size: int,
    channels: int,
    split: str = "train",
    class_column: str | None = None,
) -> Dataset:
    """The data set at `path` in the shape that the model takes; split is "train" or "test".

    An image folder and features have a single split, used for both. class_column: the column of an image
    folder's metadata.jsonl that holds the class. Raises InputError when the folder is missing, a file cannot
    be read, or the images do not fit the model.
    """
    if format not in FORMATS:
        raise InputError(
            "DatasetFormatUnknown", f"The format must be one of {', '.join(FORMATS)}, and is {format}."
        )
    if split not in ("train", "test"):
        raise ValueError(f"split must be train or test, and is {split}.")
    path = Path(path)
    if path.is_file():
        raise InputError(
            "DatasetNotFound", f"{shown(path)} is a file: unpack it, and name the folder in dataset.uri."
        )
    if not path.is_dir():
        raise InputError(
            "DatasetNotFound", f"There is no folder {shown(path)}: check the data set's path and the volume."
        )
    if class_column is None:
        return FORMATS[format](path, image_size, channels, split)
    if format != "image-folder":
        raise InputError(
            "DatasetMismatch",
            f"dataset.classColumn belongs to format image-folder, and the format is {format}: remove it.",
        )
    return open_image_folder(path, image_size, channels, split, class_column)
