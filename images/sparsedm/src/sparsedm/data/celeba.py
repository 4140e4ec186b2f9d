"""CelebA (Liu et al. 2015), the aligned images: the face is cut out and scaled down, as for U-ViT."""

from __future__ import annotations

import csv
import os
from functools import partial
from pathlib import Path

import numpy as np
from PIL import Image

from sparsedm.data.colours import converted
from sparsedm.data.contents import Notes, shown
from sparsedm.data.folders import TOOL, is_tools
from sparsedm.data.image_files import ImageFileDataset
from sparsedm.data.layouts import contents, folders_of, holding
from sparsedm.errors import InputError

SIZE = (178, 218)
"""Width and height of an aligned image."""
CENTRE = (89, 121)
SIDE = 128
"""Of the square that is cut out around CENTRE: columns 25 to 153, rows 57 to 185."""
FOLDER = "img_align_celeba"
ENDINGS = (".jpg", ".jpeg", ".png")
PARTITIONS = ("list_eval_partition.txt", "list_eval_partition.csv")
"""The authors' file, and Kaggle's with commas and a header."""
SPLITS = {"train": "0", "test": "2"}


def open_celeba(path: Path, image_size: int, channels: int, split: str) -> ImageFileDataset:
    """(N, 3, image_size, image_size) without labels, mirrored at random in training.

    Where list_eval_partition lies in `path` or in a folder around the images below it, those of the split;
    otherwise all of them, and the notes say so.
    """
    if channels != 3 or not 1 <= image_size <= SIDE:
        raise InputError(
            "DatasetMismatch",
            f"celeba has colour images of at most {SIDE}x{SIDE}: "
            f"the model takes {image_size}x{image_size} of {channels} channels.",
        )
    notes = Notes(path.absolute())
    folders = [folder for folder in folders_of(path) if folder.name.startswith(FOLDER)]
    files = next((found for folder in [*folders, path] if (found := _images(folder, notes))), [])
    around = holding(path, *PARTITIONS)
    if around is not None and files:
        partition = next(around / name for name in PARTITIONS if (around / name).is_file())
        files = _of_split(files, partition, split, notes)
    elif files:
        notes.add(f"no {' or '.join(PARTITIONS)}: the images of all splits are used")
    if not files:
        raise InputError(
            "DatasetEmpty",
            f"{shown(path)} holds no .jpg of the {split} split, nor does a folder in it ({contents(path)}): "
            f"unpack {FOLDER}.zip there.",
        )
    needed = f"aligned images of CelebA have {SIZE[0]}x{SIZE[1]}: take those of {FOLDER}.zip."
    face = partial(_face, image_size=image_size)
    return ImageFileDataset(files, SIZE, needed, face, horizontal_flip=True, notes=notes)


def _images(folder: Path, notes: Notes) -> list[Path]:
    with os.scandir(folder) as entries:  # scandir knows files from folders without a stat for each
        names = sorted(e.name for e in entries if e.name.lower().endswith(ENDINGS) and e.is_file())
    for name in names:
        if is_tools(name):
            notes.add(TOOL, name)
    return [folder / name for name in names if not is_tools(name)]


def _of_split(files: list[Path], partition: Path, split: str, notes: Notes) -> list[Path]:
    """Matches names without their endings: the aligned PNG files are named as the JPEG ones."""
    splits = _read_partition(partition)
    wanted = {name for name, number in splits.items() if number == SPLITS[split]}
    chosen = [file for file in files if file.stem in wanted]
    notes.add(f"{split} split by {partition.name}: {len(chosen):,} of {len(files):,} images")
    unlisted = [file for file in files if file.stem not in splits]
    for file in unlisted:
        notes.add(f"skipped images that are not in {partition.name}", file.name)
    if missing := sorted(wanted - {file.stem for file in chosen}):
        notes.add(f"missing images of {partition.name}", missing[0], len(missing))
    return chosen


def _read_partition(partition: Path) -> dict[str, str]:
    """Name without ending -> 0, 1 or 2."""
    text = partition.read_text(encoding="utf-8", errors="replace").lstrip("\ufeff")
    rows = (row if len(row) > 1 else "".join(row).split() for row in csv.reader(text.splitlines()))
    pairs = [[cell.strip() for cell in row] for row in rows if row]
    splits = {Path(pair[0]).stem: pair[1] for pair in pairs if len(pair) == 2 and pair[1] in "012"}
    headers = 1 if pairs and pairs[0][-1] not in "012" else 0
    if len(splits) + headers < len(pairs) or not splits:
        raise InputError(
            "DatasetUnreadable",
            f"{shown(partition)} has lines that do not name an image and its split, 0, 1 or 2: fetch it "
            "again, or remove it to train on the images of all splits.",
        )
    return splits


def _face(image: Image.Image, image_size: int) -> np.ndarray:
    """(3, image_size, image_size) uint8."""
    x, y, half = *CENTRE, SIDE // 2
    face = converted(image, "RGB").crop((x - half, y - half, x + half, y + half))
    scaled = face.resize((image_size, image_size), Image.Resampling.BILINEAR)
    return np.asarray(scaled).transpose(2, 0, 1)
