"""Prompts: a text file of one in a line, or the captions of a folder's metadata.jsonl."""

from __future__ import annotations

from pathlib import Path

from sparsedm.data.metadata import texts_of
from sparsedm.errors import InputError

EVERY = 10
"""Of the prompts to train on, each of this number is held out where no others are given to measure with."""


def read_prompts(path: Path, field: str) -> list[str]:
    """Blank lines are skipped. `field` is what the user calls the path. Raises InputError."""
    if path.is_dir():
        return texts_of(path)
    try:
        lines = path.read_text(encoding="utf-8-sig").split("\n")
    except FileNotFoundError as error:
        raise InputError("DatasetNotFound", f"There is no {path}: check {field}.") from error
    except (OSError, UnicodeDecodeError) as error:
        raise InputError(
            "DatasetUnreadable",
            f"{path} can't be read as text ({error}): write one prompt in a line, as UTF-8.",
        ) from error
    prompts = [line.strip() for line in lines if line.strip()]
    if not prompts:
        raise InputError("DatasetEmpty", f"{path} holds no prompt: write one in a line.")
    return prompts


def hold_out(prompts: list[str], field: str) -> tuple[list[str], list[str]]:
    """(to train on, held out): every tenth is held out, with its repetitions, at least one. Raises
    InputError for fewer than two prompts."""
    distinct = list(dict.fromkeys(prompts))
    if len(distinct) < 2:
        raise InputError(
            "DatasetTooSmall",
            f"{field} holds one prompt, and at least two are needed, to train on one and to measure with the "
            "other: write more, or name prompts to measure with in evaluation.dataset.",
        )
    held_out = set(distinct[EVERY - 1 :: EVERY] or distinct[-1:])
    return [one for one in prompts if one not in held_out], [one for one in distinct if one in held_out]
