"""Atomic checkpoints: a checkpoint on disk is complete, whenever the process was killed.

    checkpoints/step-00000050/tensors.safetensors   weights, EMA, optimizer, masks, random states
                              state.json            step, loss average, history, ...
                              digest.json           sha256 of both
    checkpoints/latest                              the name of the newest

A checkpoint is written to a temporary directory, synced, and renamed. In a run both lie in its trainer's own
folder (output_lock.py), so that the renames of a trainer that another one has displaced fail. `resume` takes
the newest whose digests match, else the one before it. No pickle: loading executes no code.
"""

from __future__ import annotations

import json
import re
import shutil
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from safetensors.torch import load_file, save_file
from torch import Tensor

from sparsedm.errors import InputError
from sparsedm.files import file_sha256, sync, write_atomically

_STEP_DIRECTORY = re.compile(r"^step-(\d{8,})$")
_NEW, _OLD = ".tmp-", ".old-"
_FILES = ("tensors.safetensors", "state.json")


@dataclass(frozen=True)
class Checkpoint:
    step: int
    path: Path
    tensors: dict[str, Tensor]
    state: dict[str, Any]


class CheckpointStore:
    """The checkpoints of one run: the newest `keep`, and that of step `pinned`. What is being written or
    removed lies in `staging`, a folder of the same volume; by default beside them."""

    def __init__(self, directory: Path, keep: int, staging: Path | None = None) -> None:
        self.directory = directory
        self.keep = keep
        self.pinned: int | None = None
        self.staging = staging or directory

    def save(self, step: int, tensors: dict[str, Tensor], state: dict[str, Any]) -> Path:
        """Writes the checkpoint of `step`, replaces one of the same step, and removes those beyond `keep`."""
        self.directory.mkdir(parents=True, exist_ok=True)
        self._clear()
        final = self.path(step)
        temporary = self.staging / f"{_NEW}{final.name}"
        temporary.mkdir()
        save_file({k: v.detach().cpu().contiguous() for k, v in tensors.items()}, temporary / _FILES[0])
        (temporary / _FILES[1]).write_text(json.dumps(state))
        digests = {name: file_sha256(temporary / name) for name in _FILES}
        (temporary / "digest.json").write_text(json.dumps(digests))
        for name in (*_FILES, "digest.json"):
            sync(temporary / name)
        sync(temporary)
        self._put_in_place(temporary, final)
        self._remove_old()
        return final

    def _put_in_place(self, temporary: Path, final: Path) -> None:
        if final.exists():
            self._move_away(final)
        temporary.rename(final)
        sync(self.directory)
        write_atomically(self.directory / "latest", final.name.encode(), self.staging)

    def _remove_old(self) -> None:
        for step in self.steps()[self.keep :]:
            if step == self.pinned:
                continue
            with suppress(PermissionError):
                self._move_away(self.path(step))
        self._clear()

    def _move_away(self, final: Path) -> None:
        """Renames before it removes, so that whatever has the name is complete."""
        final.rename(self.staging / f"{_OLD}{final.name}")

    def _clear(self) -> None:
        """Removes what a save replaced, and what a killed one left behind."""
        for pattern in (f"{_NEW}step-*", f"{_OLD}step-*"):
            for path in self.staging.glob(pattern):
                shutil.rmtree(path, ignore_errors=True)

    def steps(self) -> list[int]:
        """Steps on disk, newest first, damaged ones included."""
        if not self.directory.is_dir():
            return []
        found = (_STEP_DIRECTORY.match(entry.name) for entry in self.directory.iterdir())
        return sorted((int(match[1]) for match in found if match), reverse=True)

    def resume(self) -> tuple[Checkpoint | None, list[str]]:
        """The newest whole checkpoint, and a sentence for each damaged one that was passed over.

        The step directories themselves are the truth; `latest` is for people and tools, and may be one save
        behind after a kill.
        """
        damaged: list[str] = []
        for step in self.steps():
            path = self.path(step)
            problem = _damage(path)
            if problem is None:
                return self._read(step), damaged
            damaged.append(f"The checkpoint {path} is damaged ({problem}): taking the one before it.")
        return None, damaged

    def load(self, step: int) -> Checkpoint:
        """The checkpoint of this very step. Raises InputError where it is damaged or gone."""
        problem = _damage(self.path(step))
        if problem is not None:
            raise InputError(
                "CheckpointDamaged",
                f"The checkpoint {self.path(step)}, of the last good stage, is damaged ({problem}): empty "
                "output.uri, or choose another, and train again.",
            )
        return self._read(step)

    def _read(self, step: int) -> Checkpoint:
        path = self.path(step)
        state = json.loads((path / _FILES[1]).read_text())
        return Checkpoint(step, path, load_file(path / _FILES[0]), state)

    def path(self, step: int) -> Path:
        """Of the checkpoint of this step, whether it is there or not."""
        return self.directory / f"step-{step:08d}"


def _damage(path: Path) -> str | None:
    try:
        digests = json.loads((path / "digest.json").read_text())
        for name in _FILES:
            if file_sha256(path / name) != digests[name]:
                return f"{name} does not match its digest"
    except (OSError, ValueError, KeyError, TypeError) as error:
        return f"{type(error).__name__}: {error}"
    return None
