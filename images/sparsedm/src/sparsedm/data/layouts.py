"""Finds the files of a known data set in an unpacked archive, or says what the folder holds instead."""

from __future__ import annotations

import os
from collections.abc import Iterator
from pathlib import Path

from sparsedm.data.contents import shown
from sparsedm.data.folders import is_tools

DEPTH = 2
"""Folders that archives and tools wrap around a data set's own: Kaggle's CelebA has two of one name."""
NAMES_SHOWN = 5


def folders_of(path: Path, depth: int = DEPTH) -> Iterator[Path]:
    """`path`, then the folders in it, then those in them, each level in the order of names."""
    level = [path]
    for remaining in range(depth, -1, -1):
        yield from level
        if remaining:
            level = [Path(entry.path) for folder in level for entry in _entries(folder) if entry.is_dir()]


def holding(path: Path, *names: str) -> Path | None:
    """The first of `folders_of(path)` with a file of one of these names."""
    return next((f for f in folders_of(path) if any((f / name).is_file() for name in names)), None)


def contents(path: Path) -> str:
    """What a message says of a folder without the expected files: its first names."""
    names = [shown(entry.name) for entry in _entries(path)]
    if not names:
        return "it is empty"
    more = ", ..." if len(names) > NAMES_SHOWN else ""
    return f"it holds {', '.join(names[:NAMES_SHOWN])}{more}"


def packed(path: Path, *endings: str) -> Path | None:
    """An archive that was not unpacked."""
    return next((Path(e.path) for e in _entries(path) if e.name.lower().endswith(endings)), None)


def _entries(folder: Path) -> list[os.DirEntry[str]]:
    with os.scandir(folder) as entries:
        return sorted((e for e in entries if not is_tools(e.name)), key=lambda entry: entry.name)
