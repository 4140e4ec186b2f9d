"""What a data set holds, logged before training and kept in the manifest: counts, classes, and what its
reader skipped or converted."""

from __future__ import annotations

import os
import unicodedata
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

import numpy as np

from sparsedm.errors import InputError

if TYPE_CHECKING:
    from sparsedm.data.dataset import Dataset

FIRST_NAMES = 3
"""Example names kept for each kind of note."""
CLASSES_SHOWN = 100
"""Classes that the log lists; the manifest has all of them."""


def shown(path: str | os.PathLike[str]) -> str:
    r"""A path that can be printed: bytes that are no UTF-8 and control characters as escapes.

    Worked example: the bytes `caf\xe9` of a Latin-1 archive are shown as "caf\xe9", and a line break as "\n".
    """
    text = os.fsencode(path).decode("utf-8", "backslashreplace")
    return "".join(c if c.isprintable() else c.encode("unicode_escape").decode() for c in text)


@dataclass
class _Kind:
    count: int = 0
    first: list[str] = field(default_factory=list)


class Notes:
    """What was done to the files below `root`: for each kind of note its count and the first names."""

    def __init__(self, root: str | os.PathLike[str] | None = None) -> None:
        self.root = root
        self._kinds: dict[str, _Kind] = {}

    def add(self, what: str, name: str | os.PathLike[str] | None = None, count: int = 1) -> None:
        """`name` is a path below the root, or a name. Without one, `what` has the number in it."""
        kind = self._kinds.setdefault(what, _Kind())
        kind.count += count
        if name is not None and len(kind.first) < FIRST_NAMES:
            below = self.root is not None and os.path.isabs(name)
            kind.first.append(shown(os.path.relpath(name, self.root) if below else name))

    def extend(self, other: Notes) -> None:
        for what, kind in other._kinds.items():
            mine = self._kinds.setdefault(what, _Kind())
            mine.count += kind.count
            mine.first = (mine.first + kind.first)[:FIRST_NAMES]

    def record(self) -> list[dict[str, Any]]:
        return [
            {"what": what, "count": kind.count, "first": list(kind.first)}
            for what, kind in self._kinds.items()
        ]


def record(dataset: Dataset) -> dict[str, Any]:
    """For a manifest: samples, classes by label (None without names), the labels' number, and the notes."""
    classes, labels = None, None
    if dataset.labels is not None:
        labels = int(dataset.labels.max()) + 1 if dataset.classes is None else len(dataset.classes)
        counts = np.bincount(dataset.labels, minlength=labels).tolist()
        if dataset.classes is not None:
            pairs = zip(dataset.classes, counts, strict=True)
            classes = [{"name": name, "samples": count} for name, count in pairs]
    return {"samples": len(dataset), "classes": classes, "labels": labels, "notes": dataset.notes.record()}


def lines(found: Mapping[str, Any]) -> list[str]:
    """A record for people, for the log and the report: the first line maps labels to names."""
    return [_summary(found), *(f"{sentence}." for sentence in sentences(found["notes"]))]


def sentences(notes: Sequence[Mapping[str, Any]]) -> Iterator[str]:
    """Worked example: "Skipped files and folders made by tools: 2 (lost+found, __MACOSX)"."""
    for note in notes:
        what, first = f"{note['what'][0].upper()}{note['what'][1:]}", note["first"]
        more = ", ..." if note["count"] > len(first) else ""
        yield f"{what}: {note['count']:,} ({', '.join(first)}{more})" if first else what


def _summary(found: Mapping[str, Any]) -> str:
    samples, classes = f"{found['samples']:,} samples", found["classes"]
    if classes is None:
        labels = found["labels"]
        return f"{samples}, labels 0 to {labels - 1}." if labels else f"{samples}, no classes."
    shown_ones = enumerate(classes[:CLASSES_SHOWN])
    pairs = [f"{label} = {c['name']} ({c['samples']:,})" for label, c in shown_ones]
    more = [f"and {len(classes) - CLASSES_SHOWN} more"] if len(classes) > CLASSES_SHOWN else []
    return f"{samples} of {len(classes)} classes: {', '.join([*pairs, *more])}."


def fit_classes(dataset: Dataset, num_classes: int, known: Sequence[str] | None = None) -> None:
    """Compares the data's classes with those of the model, which has `num_classes` (0: none) with the names
    `known`.

    Data with the model's names get the model's labels, whatever their own order. Raises InputError where the
    numbers differ, there are no labels, or some names are the model's and others are not.
    """
    if not num_classes:
        return
    if dataset.labels is None:
        raise _misfit(f"The model has {num_classes} classes and the data set no labels")
    if dataset.classes is not None and len(dataset.classes) != num_classes:
        raise _misfit(
            f"The model has {num_classes} classes and the data set {len(dataset.classes)} "
            f"({_listed(dataset.classes)})"
        )
    highest = int(dataset.labels.max())
    if not 0 <= highest < num_classes:
        raise _misfit(f"The model has {num_classes} classes and the data set labels up to {highest}")
    if known and dataset.classes is not None:
        _follow(dataset, dataset.classes, known)


def fit_held_out(dataset: Dataset, num_classes: int, trained_on: Sequence[str] | None) -> None:
    """As fit_classes, for data that are only compared with: they need no labels, and where they have classes,
    those that were `trained_on` if these have names. Raises InputError."""
    if not num_classes or dataset.labels is None:
        return
    fit_classes(dataset, num_classes, trained_on)
    if trained_on and dataset.classes is not None and dataset.classes != list(trained_on):
        raise _misfit(
            f"The classes that are trained on are {_listed(trained_on)}, and those of the held-out data are "
            f"{_listed(dataset.classes)}"
        )


def _follow(dataset: Dataset, classes: Sequence[str], known: Sequence[str]) -> None:
    places = {_key(name): label for label, name in enumerate(known)}
    labels = [places.get(_key(name)) for name in classes]
    if None not in labels and len(set(labels)) == len(known):
        if labels != list(range(len(known))):
            dataset.notes.add("labels follow the model's classes, not the order of the folders")
        dataset.labels = np.array(labels, dtype=np.int64)[dataset.labels]
        dataset.classes = list(known)
        return
    if shared := [name for name, label in zip(classes, labels, strict=True) if label is not None]:
        others = [name for name, label in zip(classes, labels, strict=True) if label is None]
        raise _misfit(
            f"The model's classes are {_listed(known)}; of the data set's, {_listed(shared)} are among them "
            f"and {_listed(others)} are not"
        )
    dataset.notes.add(f"the data's classes replace the model's, which are {_listed(known)}")


def _key(name: str) -> str:
    """Worked example: "Ankle_Boot" and "ankle boot" are one name."""
    return " ".join(unicodedata.normalize("NFC", name).casefold().replace("_", " ").replace("-", " ").split())


def _listed(names: Sequence[str]) -> str:
    return ", ".join(names[:12]) + (f" and {len(names) - 12} more" if len(names) > 12 else "")


def _misfit(problem: str) -> InputError:
    return InputError("DatasetMismatch", f"{problem}: choose data or a model that fits.")
