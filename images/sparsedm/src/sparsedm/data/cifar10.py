"""CIFAR-10 (Krizhevsky 2009) from its "python version" batches, running nothing that a pickle may hold."""

from __future__ import annotations

import io
from pathlib import Path

import numpy as np

from sparsedm.data.dataset import ArrayDataset
from sparsedm.data.pickles import ArraysOnly
from sparsedm.errors import InputError

SIDE = 32
FILES = {"train": [f"data_batch_{i}" for i in range(1, 6)], "test": ["test_batch"]}
CLASSES = ["airplane", "automobile", "bird", "cat", "deer", "dog", "frog", "horse", "ship", "truck"]


def open_cifar10(path: Path, image_size: int, channels: int, split: str) -> ArrayDataset:
    """(N, 3, 32, 32): 50,000 images for split "train", 10,000 for "test"; mirrored at random in training."""
    if (image_size, channels) != (SIDE, 3):
        raise InputError(
            "DatasetMismatch",
            "cifar10 has 32x32 images of 3 channels: "
            f"the model takes {image_size}x{image_size} of {channels}.",
        )
    inner = path / "cifar-10-batches-py"
    folder = inner if inner.is_dir() else path
    batches = [_read(folder / name) for name in FILES[split]]
    images = np.concatenate([images for images, _ in batches])
    labels = np.concatenate([labels for _, labels in batches])
    return ArrayDataset(images, labels, CLASSES, horizontal_flip=True)


def _read(file: Path) -> tuple[np.ndarray, np.ndarray]:
    if not file.is_file():
        raise InputError(
            "DatasetNotFound",
            f"{file} is missing: unpack the python version of CIFAR-10 (cifar-10-batches-py) there.",
        )
    try:
        content = ArraysOnly(io.BytesIO(file.read_bytes()), encoding="bytes").load()
        images = np.asarray(content[b"data"], dtype=np.uint8).reshape(-1, 3, SIDE, SIDE)
        labels = np.asarray(content[b"labels"], dtype=np.int64)
    # A damaged pickle fails in many ways; whatever it is, the file is not usable.
    except Exception as error:
        raise InputError(
            "DatasetUnreadable", f"{file} is no batch of CIFAR-10 ({error}): unpack it again."
        ) from error
    if len(images) != len(labels) or not len(labels) or labels.min() < 0 or labels.max() >= len(CLASSES):
        raise InputError(
            "DatasetUnreadable", f"{file} has {len(images)} images and {len(labels)} labels: unpack it again."
        )
    return images, labels
