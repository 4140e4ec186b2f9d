"""metadata.jsonl: which images of a folder make the data set, and the class of each.

The layout of the `datasets` library's ImageFolder: one JSON object per line, whose `file_name` is the path of
an image below the file's folder and whose other fields are columns. One column holds the class, as text or as
a whole number; `text` holds captions, for text encoders. Bad rows are found before the first image is
opened, and named by their lines.
"""

from __future__ import annotations

import json
import os
import posixpath
import unicodedata
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from sparsedm.data.contents import Notes, shown
from sparsedm.data.folders import Listing, natural_order, note_alike, walked
from sparsedm.errors import InputError

FILE = "metadata.jsonl"
FILE_NAME = "file_name"
TEXT_COLUMN = "text"
CLASS_COLUMN = "label"
"""The column of the class where none is named."""
MAX_LABEL = 999_999
PROBLEMS_SHOWN = 3

UNNAMED = f"skipped files that {FILE} does not name"


class BadRow(ValueError):
    """What the line with a number does wrong: "has no file_name"."""


@dataclass(frozen=True, slots=True)
class Row:
    """`label` is None where the row has no class."""

    line: int
    file: str
    label: str | int | None


Problem = tuple[int, str]
"""Line and what it does wrong."""


def list_from_metadata(folder: Path, class_column: str | None = None) -> Listing:
    """The images that the folder's metadata.jsonl names, in its order.

    class_column: the column of the class; by default `label`, and no classes where no row has one. Raises
    InputError, which names the first bad rows by their lines.
    """
    folder, column = folder.absolute(), class_column or CLASS_COLUMN
    path, notes = folder / FILE, Notes(folder)
    rows, columns, problems = _read(path, column)
    problems += _missing_files(rows, folder, notes)
    problems += _label_problems(rows, column)
    if problems:
        raise InputError("DatasetUnreadable", _sentence(path, problems))
    if rows and rows[0].label is None:
        found = f"its columns are {', '.join(sorted(columns - {FILE_NAME})) or 'none'}"
        if class_column:
            raise InputError(
                "DatasetMismatch",
                f"dataset.classColumn is {class_column}, which {shown(path)} does not have: {found}.",
            )
        notes.add(f"no classes, because {FILE} has no column {column}: {found}")
    return _listing(rows, folder, column, notes)


def texts_of(folder: Path) -> list[str]:
    """The caption of each image, in the order of the file, which `list_from_metadata` has accepted. Raises
    InputError."""
    path = folder / FILE
    if not path.is_file():
        raise InputError(
            "DatasetMismatch", f"{shown(folder)} has no {FILE}: its column {TEXT_COLUMN} holds the captions."
        )
    texts: list[str] = []
    problems: list[Problem] = []
    for line, row in _numbered_lines(path):
        text = _fields(row).get(TEXT_COLUMN)
        if isinstance(text, str) and text.strip():
            texts.append(text)
        else:
            problems.append((line, f"has no {TEXT_COLUMN}: write a caption"))
    if problems:
        raise InputError("DatasetUnreadable", _sentence(path, problems))
    return texts


def _read(path: Path, column: str) -> tuple[list[Row], set[str], list[Problem]]:
    """The good rows, the names of all columns, and what is wrong with the other rows."""
    rows: list[Row] = []
    columns: set[str] = set()
    problems: list[Problem] = []
    lines: dict[str, int] = {}
    for line, text in _numbered_lines(path):
        try:
            fields = _fields(text)
            row = Row(line, _file(fields.get(FILE_NAME)), _label(fields.get(column), column))
            if row.file in lines:
                raise BadRow(f"names {shown(row.file)}, as line {lines[row.file]} does")
        except BadRow as problem:
            problems.append((line, str(problem)))
            continue
        lines[row.file] = line
        columns.update(fields)
        rows.append(row)
    return rows, columns, problems


def _numbered_lines(path: Path) -> Iterator[tuple[int, str]]:
    """Lines that are not blank, from 1. Only a line feed ends one: JSON may hold other separators."""
    try:
        with open(path, encoding="utf-8-sig", newline="\n") as file:
            for number, text in enumerate(file, start=1):
                if text.strip():
                    yield number, text
    except UnicodeDecodeError as error:
        raise InputError(
            "DatasetUnreadable", f"{shown(path)} is no UTF-8 ({error.reason}): save it as UTF-8."
        ) from error


def _fields(text: str) -> dict[str, Any]:
    try:
        fields = json.loads(text)
    except (ValueError, RecursionError) as error:
        raise BadRow(f"is no JSON ({error})") from error
    if not isinstance(fields, dict):
        raise BadRow(f'is no JSON object: write {{"{FILE_NAME}": ..., ...}}')
    return fields


def _file(name: object) -> str:
    """The path below the folder in one spelling: "./a//b.png" is "a/b.png"."""
    if not isinstance(name, str) or not name:
        raise BadRow(f"has no {FILE_NAME}: write the path of an image below the folder")
    if "\0" in name or not _encodes(name):
        raise BadRow(f"has a {FILE_NAME} that no file can have: {json.dumps(name)[:40]}")
    below = posixpath.normpath(name)
    if posixpath.isabs(name) or below == ".." or below.startswith("../"):
        raise BadRow(f"names {shown(name)}, which is not below the folder")
    return below


def _encodes(name: str) -> bool:
    try:
        os.fsencode(name)
    except UnicodeEncodeError:
        return False
    return True


def _label(value: object, column: str) -> str | int | None:
    if value is None:
        return None
    if isinstance(value, bool) or not isinstance(value, str | int):
        raise BadRow(f"has a {column} that is neither text nor a whole number: {json.dumps(value)[:40]}")
    if isinstance(value, int):
        if not 0 <= value <= MAX_LABEL:
            raise BadRow(f"has the {column} {value}: write a whole number from 0 to {MAX_LABEL:,}")
        return value
    name = unicodedata.normalize("NFC", value)
    if not name.strip() or not name.isprintable():
        raise BadRow(f"has a {column} that can't be printed: {json.dumps(value)[:40]}")
    return name


def _missing_files(rows: list[Row], folder: Path, notes: Notes) -> Iterator[Problem]:
    """Notes the files that no row names, too."""
    present = {os.path.relpath(file, folder) for file in walked(str(folder), notes).all()}
    for row in rows:
        if row.file in present:
            present.discard(row.file)
        elif not (folder / row.file).is_file():
            yield row.line, f"names {shown(row.file)}, which is not there"
    present.discard(FILE)
    for name in sorted(present):
        notes.add(UNNAMED, name)


def _label_problems(rows: list[Row], column: str) -> Iterator[Problem]:
    """Rows that are unlike the first one with a class."""
    first = next((row for row in rows if row.label is not None), None)
    if first is None:
        return
    for row in rows:
        if row.label is None:
            yield row.line, f"has no {column}, and line {first.line} has one"
        elif type(row.label) is not type(first.label):
            yield row.line, f"has the {column} {_kind(row)}, and line {first.line} {_kind(first)}"


def _kind(row: Row) -> str:
    return (
        f"{json.dumps(row.label, ensure_ascii=False)}, a {'text' if isinstance(row.label, str) else 'number'}"
    )


def _sentence(path: Path, problems: list[Problem]) -> str:
    problems = sorted(problems)
    told = "; ".join(f"line {line} {problem}" for line, problem in problems[:PROBLEMS_SHOWN])
    more = len(problems) - PROBLEMS_SHOWN
    rest = f"; and {more:,} more bad lines" if more > 0 else ""
    return f"{shown(path)}: {told}{rest}. Correct or remove these lines."


def _listing(rows: list[Row], folder: Path, column: str, notes: Notes) -> Listing:
    files = [str(folder / row.file) for row in rows]
    found = [row.label for row in rows if row.label is not None]
    if not found:
        return Listing(files, None, None, notes)
    numbers = [label for label in found if isinstance(label, int)]
    if numbers:
        notes.add(f"classes are the numbers in the column {column} of {FILE}")
        return Listing(files, numbers, None, notes)
    classes = sorted({str(label) for label in found}, key=natural_order)
    notes.add(f"classes are the texts in the column {column} of {FILE}")
    note_alike(classes, notes)
    places = {name: label for label, name in enumerate(classes)}
    return Listing(files, [places[str(label)] for label in found], classes, notes)
