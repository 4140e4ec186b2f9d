"""Fashion-MNIST (arXiv 1708.07747) from its four IDX files, compressed or not.

Images are padded with background from 28x28 to 32x32. They are not mirrored in training: the set's shoes all
point the same way, and a mirrored shoe would be a picture that the set does not hold.
"""

from __future__ import annotations

import gzip
import struct
import zlib
from pathlib import Path

import numpy as np

from sparsedm.data.dataset import ArrayDataset
from sparsedm.errors import InputError
from sparsedm.models.presets import CLASSES

SIDE = 28
PREFIXES = {"train": "train", "test": "t10k"}


def open_fashion_mnist(path: Path, image_size: int, channels: int, split: str) -> ArrayDataset:
    """(N, 1, image_size, image_size): 60,000 images for split "train", 10,000 for "test"."""
    if channels != 1:
        raise InputError(
            "DatasetMismatch", f"fashion-mnist is grey: the model needs channels 1, not {channels}."
        )
    margin, odd = divmod(image_size - SIDE, 2)
    if margin < 0 or odd:
        raise InputError(
            "DatasetMismatch",
            "fashion-mnist is padded from 28 pixels: the model's image size must be even and at least 28, "
            f"not {image_size}.",
        )
    images = _read(path, f"{PREFIXES[split]}-images-idx3-ubyte", 3)
    labels = _read(path, f"{PREFIXES[split]}-labels-idx1-ubyte", 1)
    if images.shape[1:] != (SIDE, SIDE) or len(images) != len(labels):
        raise InputError(
            "DatasetUnreadable",
            f"{path} holds {len(images)} images of {images.shape[1:]} and {len(labels)} labels: "
            "fashion-mnist has as many labels as images of 28x28. Fetch the files again.",
        )
    padded = np.pad(images, ((0, 0), (margin, margin), (margin, margin)))
    return ArrayDataset(padded[:, None], labels, CLASSES["fashion-mnist-uvit-tiny"])


def _read(folder: Path, name: str, dimensions: int) -> np.ndarray:
    """An IDX file: 0, 0, type 8 (unsigned byte), number of dimensions; sizes, big-endian; values."""
    file = next((folder / n for n in (name, f"{name}.gz") if (folder / n).is_file()), None)
    if file is None:
        raise InputError(
            "DatasetNotFound",
            f"{folder} holds neither {name} nor {name}.gz: point to the folder with the four files of "
            "fashion-mnist (on Debian, apt-get install dataset-fashion-mnist puts them in "
            "/usr/share/datasets/fashion-mnist).",
        )
    try:
        raw = gzip.decompress(file.read_bytes()) if file.suffix == ".gz" else file.read_bytes()
        kind, count = struct.unpack_from(">HBB", raw)[1:]
        sizes = struct.unpack_from(f">{count}I", raw, 4)
        values = np.frombuffer(raw, dtype=np.uint8, offset=4 + 4 * count)
    except (OSError, EOFError, zlib.error, struct.error, ValueError) as error:
        raise InputError(
            "DatasetUnreadable", f"{file} is cut off or no IDX file ({error}): fetch it again."
        ) from error
    if kind != 8 or count != dimensions or values.size != int(np.prod(sizes)):
        raise InputError(
            "DatasetUnreadable",
            f"{file} is cut off or no IDX file of bytes in {dimensions} dimension(s): fetch it again.",
        )
    return values.reshape(sizes)
