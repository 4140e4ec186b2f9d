"""Fashion-MNIST (arXiv 1708.07747) from its four IDX files, compressed or not, in the named folder or in
one below it, as torchvision has them.

Images are padded with background from 28x28 to 32x32. They are not mirrored in training: the set's shoes all
point the same way, and a mirrored shoe would be an image that the set does not hold.
"""

from __future__ import annotations

import gzip
import struct
import zlib
from pathlib import Path

import numpy as np

from sparsedm.data.contents import shown
from sparsedm.data.dataset import ArrayDataset
from sparsedm.data.layouts import contents, folders_of, holding, packed
from sparsedm.errors import InputError
from sparsedm.models.presets import CLASSES

SIDE = 28
PREFIXES = {"train": "train", "test": "t10k"}
NAMES = CLASSES["fashion-mnist-uvit-tiny"]
WHOLE = (60_000, 10_000)
"""Images of the whole set, in training and in test."""
GZIP = b"\x1f\x8b"


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
    kinds = ("images-idx3-ubyte", 3), ("labels-idx1-ubyte", 1)
    images, labels = (_read(path, f"{PREFIXES[split]}-{name}", dimensions) for name, dimensions in kinds)
    if images.shape[1:] != (SIDE, SIDE) or len(images) != len(labels):
        raise InputError(
            "DatasetUnreadable",
            f"{shown(path)} holds {len(images)} images of {images.shape[1:]} and {len(labels)} labels: "
            "fashion-mnist has as many labels as images of 28x28. Fetch the files again.",
        )
    _check_labels(path, labels)
    padded = np.pad(images, ((0, 0), (margin, margin), (margin, margin)))
    return ArrayDataset(padded[:, None], labels, NAMES)


def _check_labels(path: Path, labels: np.ndarray) -> None:
    """Other data sets have the same file names; the whole of this one has equally many images of each
    class."""
    counts = np.bincount(labels, minlength=len(NAMES))
    if len(counts) > len(NAMES):
        raise InputError(
            "DatasetMismatch",
            f"{shown(path)} has labels up to {len(counts) - 1}, and fashion-mnist up to {len(NAMES) - 1}: it "
            "holds another data set.",
        )
    if len(labels) in WHOLE and counts.min() != counts.max():
        raise InputError(
            "DatasetMismatch",
            f"{shown(path)} has {counts.min():,} to {counts.max():,} images of a class, and fashion-mnist "
            f"has {len(labels) // len(NAMES):,} of each: MNIST, of digits, has files of the same names.",
        )


def _read(path: Path, name: str, dimensions: int) -> np.ndarray:
    """An IDX file: 0, 0, type 8 (unsigned byte), number of dimensions; sizes, big-endian; values.

    Some archives have a full stop for the second hyphen, and some tools unpack a file and keep its .gz.
    """
    names = [n + ending for n in (name, name.replace("-idx", ".idx")) for ending in ("", ".gz")]
    folder = holding(path, *names)
    if folder is None:
        raise InputError(
            "DatasetNotFound", f"{shown(path)} holds neither {name} nor {name}.gz: {_remedy(path)}"
        )
    file = next(folder / n for n in names if (folder / n).is_file())
    try:
        raw = file.read_bytes()
        raw = gzip.decompress(raw) if raw.startswith(GZIP) else raw
        kind, count = struct.unpack_from(">HBB", raw)[1:]
        sizes = struct.unpack_from(f">{count}I", raw, 4)
        values = np.frombuffer(raw, dtype=np.uint8, offset=4 + 4 * count)
    except (EOFError, zlib.error, gzip.BadGzipFile, struct.error, ValueError) as error:
        raise InputError(
            "DatasetUnreadable", f"{shown(file)} is cut off or no IDX file ({error}): fetch it again."
        ) from error
    if kind != 8 or count != dimensions or values.size != int(np.prod(sizes)):
        raise InputError(
            "DatasetUnreadable",
            f"{shown(file)} is cut off or no IDX file of bytes in {dimensions} dimension(s): fetch it again.",
        )
    return values.reshape(sizes)


def _remedy(path: Path) -> str:
    wanted = (
        "point to the folder with the four files of fashion-mnist (on Debian, apt-get install "
        "dataset-fashion-mnist puts them in /usr/share/datasets/fashion-mnist)."
    )
    for folder in folders_of(path):
        for ending, kind in ((".csv", "CSV"), (".parquet", "Parquet"), (".zip", "a packed archive")):
            if file := packed(folder, ending):
                return f"{shown(file)} is {kind}, which is not read; {wanted}"
    return f"{contents(path)}; {wanted}"
