"""Which files of a folder tree are images, and which class each belongs to.

The rules, which docs/data.md has in a table: files that operating systems and tools leave beside images
are skipped by name; a file with an image's ending must be one; any other file is an image if it opens as one,
else it is skipped. Everything that is skipped is in the notes.
"""

from __future__ import annotations

import os
import re
import unicodedata
from collections.abc import Iterable, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field
from functools import cache
from pathlib import Path

from PIL import Image

from sparsedm.data.class_names import Words, words
from sparsedm.data.contents import Notes, shown
from sparsedm.errors import InputError
from sparsedm.runtime.device import own_cores

TOOLS = frozenset(
    [
        "lost+found", "__macosx", "@eadir", "@__thumb", "#recycle", "#snapshot", "$recycle.bin", "recycler",
        "system volume information", "__pycache__", "thumbs.db", "ehthumbs.db", "desktop.ini", "icon\r",
    ]
)  # fmt: skip
"""Names, in lower case, that are not data; nor is any name that begins with a full stop."""
SPLITS = frozenset(["train", "training", "val", "valid", "validation", "dev", "eval", "test", "testing"])
NOT_READ = frozenset(["EPS", "WMF", "BUFR", "GRIB", "HDF5", "MPEG"])
"""Formats for which Pillow runs another program, or which it only recognises."""
BY_ENDING_ONLY = frozenset(["TGA"])
"""Formats without a signature: other files look like them."""
FOREIGN = frozenset(
    [
        ".heic", ".heif", ".hif", ".jxl", ".svg", ".svgz", ".exr", ".cr2", ".cr3", ".nef", ".arw", ".dng",
        ".orf", ".rw2", ".raf",
    ]
)  # fmt: skip
"""Endings of images that can't be read here."""

TOOL = "skipped files and folders made by tools"
NO_IMAGE = "skipped files that are not images"
NO_FILE = "skipped entries that are neither files nor folders"
LOOP = "skipped links to a folder they lie in"
EMPTY = "skipped folders without images"
NESTED = "images in folders below their class folder"
ALIKE = "classes that no prompt tells apart, so the server refuses the model: rename one"
NO_SAMPLES = "classes without images"


@cache
def readable() -> tuple[tuple[str, ...], frozenset[str]]:
    """Names of the formats that are read, and the endings of their files, in lower case."""
    by_ending = Image.registered_extensions()  # makes Pillow load all of its formats
    formats = tuple(name for name in Image.OPEN if name not in NOT_READ)
    return formats, frozenset(ending for ending, name in by_ending.items() if name in formats)


def is_tools(name: str) -> bool:
    """Whether a file's or folder's name says that it is not data."""
    return name.startswith(".") or name.lower() in TOOLS


@dataclass(frozen=True)
class Listing:
    """Paths of images; their labels, None without classes; names by label, None where classes have none."""

    files: list[str]
    labels: list[int] | None
    classes: list[str] | None
    notes: Notes


@dataclass
class Tree:
    """The images of a folder, and those of the folders in it."""

    path: str
    own: list[str] = field(default_factory=list)
    inner: list[Tree] = field(default_factory=list)

    def all(self) -> list[str]:
        return [*self.own, *(file for tree in self.inner for file in tree.all())]

    @property
    def name(self) -> str:
        return os.path.basename(self.path)


def list_images(path: Path) -> Listing:
    """Raises InputError, which names the folder, where an image's class is ambiguous."""
    notes = Notes(path.absolute())
    tree = walked(str(path.absolute()), notes)
    _confirm(tree, notes)
    full = [folder for folder in tree.inner if folder.all()]
    if full and tree.own:
        raise InputError(
            "DatasetUnreadable",
            f"{shown(tree.own[0])} lies beside the class folders of {shown(path)}: move it into one of them, "
            "or remove the folders.",
        )
    if not full:
        for folder in tree.inner:
            notes.add(EMPTY, folder.name)
        return Listing(tree.own, None, None, notes)
    _refuse_other_layouts(path, tree.inner, full)
    folders = sorted(tree.inner, key=lambda folder: natural_order(folder.name))
    files: list[str] = []
    labels: list[int] = []
    for label, folder in enumerate(folders):
        found = folder.all()
        files += found
        labels += [label] * len(found)
        _note_class(folder, len(found), notes)
    names = _class_names(folders)
    note_alike(names, notes)
    return Listing(files, labels, names, notes)


def natural_order(name: str) -> tuple[list[tuple[int, int, str]], str]:
    """The sort key for names of classes: runs of digits count as numbers.

    Worked example: 0, 1, 2, 10 and class1, class2, class10. The rest is compared as text, capitals first.
    """
    parts = re.findall(r"[0-9]+|[^0-9]+", name)
    return [(0, int(p), "") if p[0] in "0123456789" else (1, 0, p) for p in parts], name


def _note_class(folder: Tree, images: int, notes: Notes) -> None:
    if not images:
        notes.add(NO_SAMPLES, folder.name)
    for inner in folder.inner:
        if count := len(inner.all()):
            notes.add(NESTED, inner.path, count)
        else:
            notes.add(EMPTY, inner.path)


def note_alike(names: Sequence[str], notes: Notes) -> None:
    """Worked example: "A" and "a" give "A and a"."""
    groups: dict[Words, list[str]] = {}
    for name in names:
        groups.setdefault(words(name), []).append(name)
    for phrase, group in groups.items():
        if phrase and len(group) > 1:
            notes.add(ALIKE, " and ".join(group))


def _class_names(folders: Iterable[Tree]) -> list[str]:
    """In Unicode's composed form, as a prompt is typed; archives from a Mac have the decomposed one."""
    names: dict[str, Tree] = {}
    for folder in folders:
        try:
            name = unicodedata.normalize("NFC", os.fsencode(folder.name).decode())
        except UnicodeDecodeError as error:
            raise _unclear(
                f"the name of the class folder {shown(folder.path)} is no UTF-8: rename it"
            ) from error
        if not name.isprintable():
            raise _unclear(f"the name of the class folder {shown(folder.path)} can't be printed: rename it")
        if name in names:
            raise _unclear(
                f"{shown(names[name].path)} and {shown(folder.path)} are one name in two spellings of "
                "Unicode: merge or rename them"
            )
        names[name] = folder
    return list(names)


def _refuse_other_layouts(path: Path, folders: Sequence[Tree], full: Sequence[Tree]) -> None:
    """Otherwise splits would become classes, or a folder around the class folders the only class."""
    if all(folder.name.lower() in SPLITS for folder in full):
        names = [folder.name for folder in full]
        wanted = next((n for n in names if n.lower().startswith("train")), names[0])
        raise _unclear(
            f"{shown(path)} holds {', '.join(map(shown, names))}, which are parts of a data set and no "
            f"classes: name the one to train on in dataset.uri, as in {shown(path / wanted)}"
        )
    if len(folders) == 1 and not folders[0].own:
        raise _unclear(
            f"{shown(path)} holds one folder, {shown(folders[0].name)}, whose images all lie in folders "
            f"further down: name it in dataset.uri, as in {shown(folders[0].path)}"
        )
    for folder in full:
        for inner in folder.inner:
            if inner.name.lower() in SPLITS and inner.all():
                raise _unclear(
                    f"{shown(inner.path)} is named as a part of a data set and lies in a class folder: make "
                    "one folder for each part, with the class folders in it, and name the one to train on "
                    "in dataset.uri"
                )


def _unclear(problem: str) -> InputError:
    return InputError("DatasetUnreadable", f"{problem[0].upper()}{problem[1:]}.")


def walked(path: str, notes: Notes, above: tuple[tuple[int, int], ...] = ()) -> Tree:
    """All files whose names allow an image; folders and files sorted by name."""
    status = os.stat(path)
    here = (*above, (status.st_dev, status.st_ino))
    tree = Tree(path)
    with os.scandir(path) as entries:
        for entry in sorted(entries, key=lambda entry: entry.name):
            if is_tools(entry.name):
                notes.add(TOOL, entry.path)
            elif entry.is_dir():
                inner = entry.stat()
                if (inner.st_dev, inner.st_ino) in here:
                    notes.add(LOOP, entry.path)
                else:
                    tree.inner.append(walked(entry.path, notes, here))
            elif entry.is_file():
                tree.own.append(entry.path)
            elif entry.is_symlink():
                raise InputError(
                    "DatasetUnreadable",
                    f"{shown(entry.path)} is a link to {shown(os.readlink(entry.path))}, which is not there: "
                    "mount what it points to, or remove it.",
                )
            else:
                notes.add(NO_FILE, entry.path)
    return tree


def _confirm(tree: Tree, notes: Notes) -> None:
    """Keeps the images: by their endings, else by their content."""
    endings, foreign, unknown = readable()[1], [], []
    for file in tree.all():
        ending = os.path.splitext(file)[1].lower()
        if ending in FOREIGN:
            foreign.append(file)
        elif ending not in endings:
            unknown.append(file)
    if foreign:
        raise InputError(
            "DatasetUnreadable",
            f"{shown(foreign[0])} is an image that can't be read here, one of {len(foreign)}: make PNG or "
            "JPEG of them, or remove them.",
        )
    with ThreadPoolExecutor(own_cores(), "listing") as pool:
        opens = zip(unknown, pool.map(_opens, unknown), strict=True)
        no_images = {file for file, is_one in opens if not is_one}
    for file in unknown:
        if file in no_images:
            notes.add(NO_IMAGE, file)
    _leave_out(tree, no_images)


def _leave_out(tree: Tree, files: set[str]) -> None:
    tree.own = [file for file in tree.own if file not in files]
    for inner in tree.inner:
        _leave_out(inner, files)


def _opens(file: str) -> bool:
    """An error of the volume is not the file's fault: it ends the run, and a retry may succeed."""
    try:
        with Image.open(file, formats=[name for name in readable()[0] if name not in BY_ENDING_ONLY]):
            return True
    except OSError as error:
        if error.errno is not None:
            raise
        return False
    except Image.DecompressionBombError:
        return True
    except (SyntaxError, ValueError):
        return False
