"""CIFAR-10 (Krizhevsky 2009) from its "python version" or its "binary version", as it comes from the archive.
Nothing that a pickle holds is run."""

from __future__ import annotations

import io
from pathlib import Path

import numpy as np

from sparsedm.data.contents import shown
from sparsedm.data.dataset import ArrayDataset
from sparsedm.data.layouts import contents, folders_of, holding, packed
from sparsedm.data.pickles import ArraysOnly
from sparsedm.errors import InputError

SIDE = 32
ROW = 1 + 3 * SIDE**2
"""Of the binary version: the label, then the pixels as in the python version."""
FILES = {"train": [f"data_batch_{i}" for i in range(1, 6)], "test": ["test_batch"]}
CLASSES = ["airplane", "automobile", "bird", "cat", "deer", "dog", "frog", "horse", "ship", "truck"]
ARCHIVE = "cifar-10-python.tar.gz"
BINARY = ".bin"


def open_cifar10(path: Path, image_size: int, channels: int, split: str) -> ArrayDataset:
    """(N, 3, 32, 32): 50,000 images for split "train", 10,000 for "test"; mirrored at random in training."""
    if (image_size, channels) != (SIDE, 3):
        raise InputError(
            "DatasetMismatch",
            "cifar10 has 32x32 images of 3 channels: "
            f"the model takes {image_size}x{image_size} of {channels}.",
        )
    batches = [_read(file) for file in _files(path, split)]
    images = np.concatenate([images for images, _ in batches])
    labels = np.concatenate([labels for _, labels in batches])
    return ArrayDataset(images, labels, CLASSES, horizontal_flip=True)


def _files(path: Path, split: str) -> list[Path]:
    """The batches of the first folder that has any; the python version is preferred to the binary one."""
    names = FILES[split]
    for ending in ("", BINARY):
        folder = holding(path, *(name + ending for name in names))
        if folder is not None:
            return [folder / (name + ending) for name in names]
    raise InputError("DatasetNotFound", f"{shown(path)} has no {names[0]}: {_remedy(path)}")


def _remedy(path: Path) -> str:
    if archive := packed(path, ".tar.gz", ".tgz", ".tar", ".zip", ".7z"):
        return f"unpack {shown(archive.name)} there."
    wanted = f"take {ARCHIVE}, the python version of CIFAR-10, and unpack it there."
    for folder in folders_of(path):
        if (folder / "fine_label_names.txt").is_file():
            return f"{shown(folder)} is of CIFAR-100: {wanted}"
        if packed(folder, ".parquet"):
            return f"{shown(folder)} holds Parquet files, which are not read: {wanted}"
        if (folder / "trainLabels.csv").is_file():
            return (
                f"{shown(folder)} is of Kaggle's competition, with its images in files of their own: {wanted}"
            )
    return f"{contents(path)}; {wanted}"


def _read(file: Path) -> tuple[np.ndarray, np.ndarray]:
    if not file.is_file():
        raise InputError(
            "DatasetNotFound",
            f"{shown(file)} is missing: unpack the python version of CIFAR-10 (cifar-10-batches-py) there.",
        )
    try:
        images, labels = _binary(file) if file.suffix == BINARY else _pickled(file)
    # A damaged pickle raises many kinds of errors; with any of them the file is unusable.
    except Exception as error:
        raise InputError(
            "DatasetUnreadable", f"{shown(file)} is no batch of CIFAR-10 ({error}): unpack it again."
        ) from error
    if len(images) != len(labels) or not len(labels) or labels.min() < 0 or labels.max() >= len(CLASSES):
        raise InputError(
            "DatasetUnreadable",
            f"{shown(file)} has {len(images)} images and {len(labels)} labels: unpack it again.",
        )
    return images, labels


def _pickled(file: Path) -> tuple[np.ndarray, np.ndarray]:
    content = ArraysOnly(io.BytesIO(file.read_bytes()), encoding="bytes").load()
    images = np.asarray(content[b"data"], dtype=np.uint8).reshape(-1, 3, SIDE, SIDE)
    return images, np.asarray(content[b"labels"], dtype=np.int64)


def _binary(file: Path) -> tuple[np.ndarray, np.ndarray]:
    rows = np.frombuffer(file.read_bytes(), dtype=np.uint8)
    if rows.size % ROW:
        raise ValueError(f"its {rows.size} bytes are no multiple of {ROW}")
    rows = rows.reshape(-1, ROW)
    return rows[:, 1:].reshape(-1, 3, SIDE, SIDE), rows[:, 0].astype(np.int64)
