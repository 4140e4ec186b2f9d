"""An output folder outside the cluster: worked on in this pod, and mirrored after each step that others may
see.

What makes something whole is uploaded last: a checkpoint's digests after its tensors, the manifest after
everything. A file appears when its upload is complete, in however many parts, so nothing is ever half there;
parts that a killed trainer left are thrown away by the next. Who writes is told by a mark, which each trainer
replaces on condition that nobody else has just done so: a trainer whose mark is gone uploads nothing more,
but for the file that it has begun.
"""

from __future__ import annotations

import json
import re
import secrets
import time
from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager, contextmanager
from functools import partial
from pathlib import Path
from typing import Any, Protocol

from sparsedm.errors import InputError, SparseDMError, Superseded
from sparsedm.files import write_atomically
from sparsedm.sources.cache import check_path, retried
from sparsedm.sources.settings import Settings, trust
from sparsedm.sources.source import MARK, SourceError

RECORD = ".mirrored.json"
"""Local: for each file what the store has, [version, size, mtime in ns]."""
_LAST = (re.compile(r"/digest\.json$"), re.compile(r"^checkpoints/latest$"), re.compile(r"^manifest\.json$"))


class Store(Protocol):
    """A folder of a server, with files by their paths. A version changes with the content. All raise
    SourceError within `explained`; uploads and marks try again by themselves."""

    def explained(self) -> AbstractContextManager[None]: ...

    def listed(self) -> Iterator[tuple[str, str]]:
        """(path, version) of each file, the mark among them if there is one."""
        ...

    def download(self, path: str, version: str, place: Path) -> None: ...

    def abandon(self) -> None:
        """Throws away the parts of uploads that were cut, as far as the server shows them."""
        ...

    def mark(self, content: bytes, before: str | None) -> str:
        """Replaces the mark of this version, or puts the first one; returns the new one's version. Raises
        SourceChanged where somebody else has just done so."""
        ...

    def marked(self) -> str:
        """The version of the mark now."""
        ...

    def upload(self, path: str, file: Path) -> str:
        """Returns the version."""
        ...

    def delete(self, path: str) -> None: ...

    def commit(self) -> str | None:
        """After the uploads and deletions of a step, which some stores show all at once; the mark's version
        where that has changed with it."""
        ...


def open_store(uri: str, settings: Settings) -> Store:
    credentials = settings.credentials_of(uri)
    if uri.startswith("gs://"):
        from sparsedm.sources.gcs_output import GcsStore

        return GcsStore(uri, credentials)
    if uri.startswith("oci://"):
        from sparsedm.sources.oci_output import OciStore

        return OciStore(uri, credentials)
    from sparsedm.sources.s3_output import S3Store

    return S3Store(uri, credentials)


class Bucket:
    def __init__(
        self, uri: str, folder: Path, settings: Settings, sleep: Callable[[float], None] = time.sleep
    ) -> None:
        """`folder` is of this pod alone."""
        trust(settings)
        self._sleep = sleep
        self._uri, self._folder = uri, folder
        self._secret = settings.credentials_of(uri).secret
        self._store = open_store(uri, settings)
        self._mark: str | None = None

    def pull(self) -> None:
        """Makes the local folder what the store has. Raises SparseDMError."""
        with self._told():
            record, there = self._record(), self._listed()
            for path, version in there.items():
                place = self._folder / path
                if path != MARK and record.get(path, [None])[0] != version:
                    check_path(path)
                    place.parent.mkdir(parents=True, exist_ok=True)
                    retried(partial(self._store.download, path, version, place), self._sleep)
                    record[path] = [version, *_state(place)]
            for path in [path for path in record if path not in there]:
                (self._folder / path).unlink(missing_ok=True)
                del record[path]
            self._write(record)

    def take(self) -> None:
        """The right to write, until another trainer takes it."""
        with self._told():
            self._store.abandon()
            before = self._listed().get(MARK)
            self._mark = self._store.mark(secrets.token_hex(16).encode(), before)

    def push(self) -> None:
        """Uploads what is new here, and removes what is gone. Raises Superseded, or SparseDMError."""
        with self._told():
            record = self._record()
            files = {path: _state(self._folder / path) for path in self._files()}
            new = [path for path, state in files.items() if record.get(path, [None])[1:] != state]
            for path in sorted(new, key=lambda path: (_rank(path), path)):
                self._check_mark()
                record[path] = [self._store.upload(path, self._folder / path), *files[path]]
            # The digests go first, so that what is left of a checkpoint is none.
            gone = sorted((path for path in record if path not in files), key=_rank, reverse=True)
            for path in gone:
                retried(partial(self._store.delete, path), self._sleep)
                del record[path]
            if new or gone:
                self._check_mark()
                self._mark = retried(self._store.commit, self._sleep) or self._mark
            self._write(record)

    def _listed(self) -> dict[str, str]:
        return retried(lambda: dict(self._store.listed()), self._sleep)

    def _check_mark(self) -> None:
        if retried(self._store.marked, self._sleep) != self._mark:
            raise Superseded(f"Another trainer has taken over {self._uri}: this one uploads nothing more.")

    def _files(self) -> Iterator[str]:
        """Without what begins with a dot, such as files that are being written."""
        for path in self._folder.rglob("*"):
            parts = path.relative_to(self._folder).parts
            if path.is_file() and not any(part.startswith(".") for part in parts):
                yield "/".join(parts)

    def _record(self) -> dict[str, list[Any]]:
        try:
            return json.loads((self._folder / RECORD).read_text())
        except FileNotFoundError:
            return {}

    def _write(self, record: dict[str, list[Any]]) -> None:
        write_atomically(self._folder / RECORD, json.dumps(record).encode())

    @contextmanager
    def _told(self) -> Iterator[None]:
        try:
            with self._store.explained():
                yield
        except SourceError as error:
            kind = SparseDMError if error.retry else InputError
            words = error.of(self._secret)
            raise kind("OutputNotWritable", f"output.uri {self._uri}: {words}.") from error


def _rank(path: str) -> int:
    return next((n for n, pattern in enumerate(_LAST, 1) if pattern.search(path)), 0)


def _state(path: Path) -> list[int]:
    found = path.stat()
    return [found.st_size, found.st_mtime_ns]
