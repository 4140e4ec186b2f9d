"""One trainer writes to an output: a later one of the same run takes over, and the former's late writes fail.

    OUTPUT/.trainers/00000007-1f3a9c20/holder.json     who writes; its mtime is the heartbeat
                                      /.tmp-*           all that is being written

The folder is the trainer's token. Everything that it publishes (checkpoints, `latest`, weights, report,
manifest) is first written in there and then renamed out of it, and what it removes is renamed into it. The
next trainer takes a higher number and removes the folders below it. From then on each rename of the former
one fails in the file system itself, also one that it was about to do when it was stopped: there is no moment
between a check and a write. This needs renames alone, which every volume has, and no file locks,
which many network file systems lack.

A number may come again once its folder is gone. The random part of the name keeps a late writer out even so.
"""

from __future__ import annotations

import errno
import json
import os
import shutil
import socket
import threading
import time
import uuid
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path

from safetensors import SafetensorError

from sparsedm.errors import InputError, SparseDMError, Superseded
from sparsedm.files import sync, write_atomically

FOLDER = ".trainers"
HOLDER_FILE = "holder.json"
BEAT_SECONDS = 5.0
ALIVE_SECONDS = 60.0
"""Age of the last heartbeat from which on a trainer of another run is taken for dead."""
NEW, GONE = ".new-", ".gone-"
"""Before the names of folders that have no number yet, and of those that are being removed."""
CHOOSING_SECONDS = 10.0
"""Age from which on a trainer without a number is taken for dead; to choose one takes milliseconds."""
POLL_SECONDS = 0.05
REMOVALS = 100
"""Attempts to empty a folder into which a trainer on another node may still write."""


@dataclass(frozen=True)
class Holder:
    """Who has taken a folder, and when it was last heard of, by the clock of the volume."""

    folder: Path
    run: str
    host: str
    since: str
    seen: float

    def alive(self, now: float) -> bool:
        return now - self.seen < ALIVE_SECONDS


class OutputLock:
    """The right to write to an output, until another trainer of the same run takes it."""

    def __init__(self, staging: Path, uri: str) -> None:
        self.staging = staging
        """What is written in here and renamed out is published, or the rename fails."""
        self._uri = uri
        self._lost = threading.Event()
        self._ended = threading.Event()

    @classmethod
    def take(cls, output: Path, run: str, uri: str) -> OutputLock:
        """Raises InputError, which names the holder, while a trainer of another run is alive, and Superseded
        where one of this run came later."""
        folder = output / FOLDER
        lock = cls(_announce(folder, run), uri)
        try:
            lock._displace_others(folder, run)
        except FileNotFoundError as error:
            if lock._is_lost():
                raise lock._superseded() from error
            raise
        return lock

    def _displace_others(self, folder: Path, run: str) -> None:
        """Those with lower numbers; one with a higher number came later, and finds this one."""
        _await_choices(folder, self.staging / HOLDER_FILE)
        now = _mtime(self.staging / HOLDER_FILE)
        holder = _rightful([h for h in _holders(folder) if h.folder.name < self.staging.name], now)
        if holder is not None and holder.run != run and holder.alive(now):
            _remove(self.staging)
            raise _in_use(self._uri, holder, now)
        for entry in _entries(folder):
            if not entry.name.startswith(NEW) and entry.name < self.staging.name:
                _remove(entry)

    @contextmanager
    def held(self, beat_seconds: float = BEAT_SECONDS) -> Iterator[OutputLock]:
        """Keeps the heartbeat, and gives the lock back. Raises Superseded for an error that is due to the
        loss of the lock."""
        beats = threading.Thread(target=self._beat, args=[beat_seconds], name="output-lock", daemon=True)
        beats.start()
        try:
            yield self
        except (OSError, SafetensorError) as error:
            if self._is_lost():
                raise self._superseded() from error
            raise
        finally:
            self._ended.set()
            with suppress(OSError, SparseDMError):
                _remove(self.staging)
                self.staging.parent.rmdir()

    def check(self) -> None:
        """Raises Superseded once the heartbeat has found the lock lost; asks no file system."""
        if self._lost.is_set():
            raise self._superseded()

    def _beat(self, seconds: float) -> None:
        while not self._ended.wait(seconds):
            if self._is_lost():
                self._lost.set()
                return

    def _is_lost(self) -> bool:
        """A write, which no cache of a network file system answers; an outage of the volume is no loss."""
        try:
            os.utime(self.staging / HOLDER_FILE)
        except OSError as error:
            return error.errno in (errno.ENOENT, errno.ENOTDIR, errno.ESTALE)
        return False

    def _superseded(self) -> Superseded:
        others = _holders(self.staging.parent)
        by = f", {others[-1].host} of run {others[-1].run}," if others else ""
        return Superseded(
            f"Another trainer{by} has taken over output.uri {self._uri}: this one ends, and nothing that it "
            "had not saved before is used."
        )


def _announce(folder: Path, run: str) -> Path:
    """A folder with a number above those of all that had one when this one began to choose."""
    name = uuid.uuid4().hex[:8]
    choosing = folder / f"{NEW}{name}"
    choosing.mkdir(parents=True)
    since = datetime.now(UTC).strftime("%Y-%m-%dT%H:%M:%SZ")
    holder = {"run": run, "host": socket.gethostname(), "pid": os.getpid(), "since": since}
    write_atomically(choosing / HOLDER_FILE, (json.dumps(holder) + "\n").encode())
    numbers = [int(entry.name.split("-")[0]) for entry in _entries(folder) if entry.name[0] != "."]
    announced = folder / f"{max(numbers, default=0) + 1:08d}-{name}"
    os.rename(choosing, announced)
    sync(folder)
    return announced


def _await_choices(folder: Path, holder: Path) -> None:
    """Until those that are choosing a number have it: one of these may be lower than that of `holder`.

    This is Lamport's bakery: who begins to choose later takes a higher number. One that was killed while it
    chose is removed, so that it can't announce itself if it was only stopped.
    """
    for entry in _entries(folder):
        while entry.name.startswith(NEW) and entry.exists():
            os.utime(holder)
            with suppress(FileNotFoundError):
                if _mtime(holder) - entry.stat().st_mtime >= CHOOSING_SECONDS:
                    _remove(entry)
            time.sleep(POLL_SECONDS)


def _entries(folder: Path) -> list[Path]:
    try:
        return sorted(folder.iterdir())
    except FileNotFoundError:
        return []


def _holders(folder: Path) -> list[Holder]:
    """In the order of their numbers. One that is removed meanwhile holds nothing."""
    found = []
    for entry in _entries(folder):
        if entry.name.startswith("."):
            continue
        with suppress(OSError, ValueError, KeyError, TypeError):
            value = json.loads((entry / HOLDER_FILE).read_text())
            seen = _mtime(entry / HOLDER_FILE)
            found.append(Holder(entry, value["run"], value["host"], value["since"], seen))
    return found


def _rightful(holders: list[Holder], now: float) -> Holder | None:
    """A trainer displaces one of its own run or a dead one; any other is about to be refused."""
    rightful: Holder | None = None
    for holder in holders:
        if rightful is None or holder.run == rightful.run or not rightful.alive(now):
            rightful = holder
    return rightful


def _mtime(file: Path) -> float:
    """Through an opened file, for which a network file system asks its server."""
    with file.open("rb") as opened:
        return os.fstat(opened.fileno()).st_mtime


def _remove(path: Path) -> None:
    """Takes the name away first, then what is inside, until nothing more can be created there.

    A trainer on another node may go on to write into the folder that it has opened before, and its rename
    out of it would succeed. When the folder itself is gone, neither does.
    """
    gone = path if path.name.startswith(GONE) else path.with_name(f"{GONE}{path.name.removeprefix(NEW)}")
    if gone != path:
        with suppress(FileNotFoundError):  # another one removes it too, and may not be done
            os.rename(path, gone)
    for _ in range(REMOVALS):
        if _emptied(gone):
            return
    raise SparseDMError(
        "OutputBusy",
        f"{gone} can't be removed, since a former trainer still writes into it: stop that one. The next "
        "attempt goes on from the last checkpoint.",
    )


def _emptied(gone: Path) -> bool:
    shutil.rmtree(gone, ignore_errors=True)
    # NFS keeps a file that a process of this very node has open, as .nfs*; that process sees the rename.
    return not gone.exists() or all(left.name.startswith(".nfs") for left in _entries(gone))


def _in_use(uri: str, holder: Holder, now: float) -> InputError:
    namespace, _, name = holder.run.partition("/")
    return InputError(
        "OutputInUse",
        f"output.uri {uri} is being written by run {holder.run} ({holder.host}, since {holder.since}, last "
        f"heard of {max(0.0, now - holder.seen):.0f} s ago): choose another path, or end that run with "
        f"kubectl delete sparsefinetune -n {namespace} {name}.",
    )
