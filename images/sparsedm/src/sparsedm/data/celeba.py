"""CelebA (Liu et al. 2015), the aligned pictures: the face is cut out and scaled down, as for U-ViT."""

from __future__ import annotations

from functools import partial
from pathlib import Path

import numpy as np
from PIL import Image

from sparsedm.data.pictures import PictureDataset
from sparsedm.errors import InputError

SIZE = (178, 218)
"""Width and height of an aligned picture."""
CENTRE = (89, 121)
SIDE = 128
"""Of the square that is cut out around CENTRE: columns 25 to 153, rows 57 to 185."""
FOLDER = "img_align_celeba"
PARTITION = "list_eval_partition.txt"
SPLITS = {"train": "0", "test": "2"}


def open_celeba(path: Path, image_size: int, channels: int, split: str) -> PictureDataset:
    """(N, 3, image_size, image_size) without labels, mirrored at random in training.

    Where list_eval_partition.txt lies beside the pictures, those of the split; otherwise all of them.
    """
    if channels != 3 or not 1 <= image_size <= SIDE:
        raise InputError(
            "DatasetMismatch",
            f"celeba has colour pictures of at most {SIDE}x{SIDE}: "
            f"the model takes {image_size}x{image_size} of {channels} channels.",
        )
    folder = path / FOLDER if (path / FOLDER).is_dir() else path
    files = sorted(folder.glob("*.jpg"))
    partition = path / PARTITION
    if partition.is_file():
        files = _of_split(files, partition, SPLITS[split])
    if not files:
        raise InputError(
            "DatasetEmpty", f"{folder} holds no .jpg of the {split} split: unpack {FOLDER}.zip there."
        )
    needed = f"aligned pictures of CelebA have {SIZE[0]}x{SIZE[1]}: take those of {FOLDER}.zip."
    return PictureDataset(files, SIZE, needed, partial(_face, image_size=image_size), horizontal_flip=True)


def _of_split(files: list[Path], partition: Path, number: str) -> list[Path]:
    lines = (line.split() for line in partition.read_text().splitlines())
    wanted = {words[0] for words in lines if len(words) == 2 and words[1] == number}
    return [file for file in files if file.name in wanted]


def _face(picture: Image.Image, image_size: int) -> np.ndarray:
    """(3, image_size, image_size) uint8."""
    x, y, half = *CENTRE, SIDE // 2
    face = picture.convert("RGB").crop((x - half, y - half, x + half, y + half))
    scaled = face.resize((image_size, image_size), Image.Resampling.BILINEAR)
    return np.asarray(scaled).transpose(2, 0, 1)
