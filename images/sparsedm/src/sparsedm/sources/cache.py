"""A folder of fetched files, shared by all runs that mount it, or this pod's own.

A file or folder lies under a name that is made from its content's version, so that another version is another
name. It is written beside, as `NAME.partial`, and renamed when every digest and size is right: what has its
name is whole. Who finds a partial one goes on with it. A lock on `NAME.lock`, which the kernel drops with its
process, keeps two pods from fetching the same; where a volume has no locks, both fetch, each for itself.
"""

from __future__ import annotations

import errno
import fcntl
import hashlib
import json
import os
import secrets
import shutil
import time
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from dataclasses import asdict, dataclass
from pathlib import Path, PurePosixPath
from typing import TypeVar

from sparsedm.errors import FULL, SparseDMError
from sparsedm.files import file_sha256, sync, write_atomically
from sparsedm.sources.archive import is_archive, unpack
from sparsedm.sources.source import Entry, Listing, Source, SourceError

TRIES = 6
"""Consecutive ones without a single byte, after which the pod gives up."""
FIRST_PAUSE, LONGEST_PAUSE = 1.0, 30.0
AT_ONCE = 8
"""Files of a folder that are fetched side by side."""
RECORD = "fetched.json"
Result = TypeVar("Result")
TOO_LARGE = (*FULL, errno.EFBIG)
_NO_LOCKS = (errno.ENOLCK, errno.EOPNOTSUPP, errno.ENOSYS, errno.EINVAL)


@dataclass(frozen=True)
class Fetched:
    """`sha256` is the file's, or that of what sha256sum prints for the files of a folder, sorted by path.
    `name` is that of the file or folder in the cache's own."""

    name: str
    sha256: str
    size: int
    revision: str | None


@dataclass(frozen=True)
class Request:
    """What is to be fetched. `name` is the last part of the URI; `sha256` what its only file must have."""

    uri: str
    name: str
    source: Source
    sha256: str | None = None


def pinned_key(sha256: str) -> str:
    """Name of a file that is known by its digest, wherever it came from."""
    return f"sha256-{sha256}"


def retried(work: Callable[[], Result], sleep: Callable[[float], None]) -> Result:
    """Tries again where that may help."""
    for pause in (FIRST_PAUSE * 2**n for n in range(TRIES - 1)):
        try:
            return work()
        except SourceError as error:
            if error.reason != "SourceUnavailable" or not error.retry:
                raise
            sleep(min(LONGEST_PAUSE, error.retry_after or pause))
    return work()


class Cache:
    def __init__(
        self, folder: Path, count: Callable[[int], None], sleep: Callable[[float], None] = time.sleep
    ) -> None:
        """count: told of bytes as they come, also of those that were there."""
        self.folder, self._count, self._sleep = folder, count, sleep

    def find(self, key: str) -> tuple[Path, Fetched] | None:
        """What was fetched whole. Files that lost bytes since are fetched again."""
        home = self.folder / key
        try:
            record = json.loads((home / RECORD).read_text(encoding="utf-8"))
            found = Fetched(**record)
            if _size_of(home / found.name) == found.size:
                return home / found.name, found
        except (OSError, ValueError, TypeError):
            return None
        return None

    def fetch(self, request: Request, listing: Listing) -> tuple[Path, Fetched]:
        """The path in the cache. Raises SourceError, and SparseDMError where there is no room."""
        key = pinned_key(request.sha256) if request.sha256 else listing.key(request.uri)
        with self._alone(key) as partial:
            found = self.find(key)
            if found is not None:
                self._count(listing.size or found[1].size)
                return found
            try:
                return self._fetch(request, listing, key, partial)
            except OSError as error:
                if error.errno not in TOO_LARGE:
                    raise
                raise self._full(listing, error) from error

    def _fetch(self, request: Request, listing: Listing, key: str, partial: Path) -> tuple[Path, Fetched]:
        self._check_room(listing, partial)
        content = partial / request.name
        for entry in listing.entries:
            check_path(entry.path)
        places = [content if listing.is_file else content / entry.path for entry in listing.entries]
        for folder in {place.parent for place in places}:
            folder.mkdir(parents=True, exist_ok=True)
        with ThreadPoolExecutor(AT_ONCE, thread_name_prefix="fetch") as pool:
            jobs = [
                pool.submit(self._file, request.source, entry, place)
                for entry, place in zip(listing.entries, places, strict=True)
            ]
            try:
                for job in jobs:
                    job.result()
            except BaseException:
                pool.shutdown(cancel_futures=True)
                raise
        digests = {e.path: _checked(e, p) for e, p in zip(listing.entries, places, strict=True)}
        digest = digests[""] if listing.is_file else _folder_digest(digests)
        if request.sha256 is not None and digest != request.sha256:
            shutil.rmtree(partial)
            raise SourceError(
                "DigestMismatch",
                f"has SHA-256 {digest}, and the spec says {request.sha256}: correct one of them",
            )
        name = request.name
        if listing.is_file and is_archive(name):
            name = unpack(content)
        size = _size_of(partial / name)
        fetched = Fetched(name, digest, size, listing.revision)
        write_atomically(partial / RECORD, json.dumps(asdict(fetched)).encode())
        home = self.folder / key
        shutil.rmtree(home, ignore_errors=True)  # where `find` did not believe it
        os.replace(partial, home)
        sync(self.folder)
        return home / name, fetched

    def _file(self, source: Source, entry: Entry, place: Path) -> None:
        """Fetches one file, from its first missing byte on, as often as it takes."""
        failures = 0
        counted = 0
        while True:
            have = place.stat().st_size if place.exists() else 0
            if entry.size is not None and have > entry.size:
                place.unlink()
                have = 0
            self._count(have - counted)
            counted = have
            if have == entry.size or entry.size == 0:
                place.touch()
                return
            try:
                with place.open("ab") as file:
                    for chunk in source.read(entry, have):
                        file.write(chunk)
                        self._count(len(chunk))
                        counted += len(chunk)
                    file.flush()
                    os.fsync(file.fileno())
                if entry.size in (None, counted):
                    return
                raise SourceError("SourceUnavailable", "the connection ended too early", retry=True)
            except SourceError as error:
                failures = 1 if counted > have else failures + 1
                if not error.retry or error.reason != "SourceUnavailable" or failures >= TRIES:
                    raise
                pause = min(LONGEST_PAUSE, FIRST_PAUSE * 2 ** (failures - 1))
                self._sleep(min(LONGEST_PAUSE, error.retry_after or pause))

    @contextmanager
    def _alone(self, key: str) -> Iterator[Path]:
        """Holds the lock of the key. Yields the folder to fetch into."""
        self.folder.mkdir(parents=True, exist_ok=True)
        partial = self.folder / f"{key}.partial"
        with (self.folder / f"{key}.lock").open("a") as lock:
            locked = _try_lock(lock.fileno())
            seen = 0
            while locked is False:
                # Another pod fetches. If it is killed, its part is gone on with here.
                now = _size_of(partial)
                self._count(now - seen)
                seen = now
                self._sleep(1.0)
                locked = _try_lock(lock.fileno())
            self._count(-seen)
            yield partial if locked else self.folder / f"{key}.{secrets.token_hex(4)}.partial"

    def _check_room(self, listing: Listing, partial: Path) -> None:
        missing = (listing.size or 0) - _size_of(partial)
        free = shutil.disk_usage(self.folder).free
        if missing > free:
            raise self._full(listing, f"{amount(missing)} are missing and {amount(free)} free")

    def _full(self, listing: Listing, why: OSError | str) -> SparseDMError:
        size = "its files" if listing.size is None else f"files of {amount(listing.size)}"
        reason = why if isinstance(why, str) else os.strerror(why.errno or 0)
        return SparseDMError(
            "CacheFull",
            f"{self.folder} has no room for {size} ({reason}): name a larger claim in sources.cache.claim, "
            "or delete what no run needs there. The next attempt goes on where this one stopped.",
        )


def amount(size: int) -> str:
    """Worked example: 9_800_000_000 is "9.8 GB"; 512 is "0.0 MB"."""
    for scale, unit in ((10**12, "TB"), (10**9, "GB")):
        if size >= scale:
            return f"{size / scale:.1f} {unit}"
    return f"{size / 10**6:.1f} MB"


def _try_lock(descriptor: int) -> bool | None:
    """False where another process holds it, None where the volume has no locks."""
    try:
        fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError:
        return False
    except OSError as error:
        if error.errno not in _NO_LOCKS:
            raise
        return None
    return True


def check_path(path: str) -> None:
    """What a server names must stay in its folder."""
    parts = path.split("/")
    if path and (PurePosixPath(path).is_absolute() or any(part in ("", ".", "..") for part in parts)):
        raise SourceError(
            "SourceUnsafe", f"names the file {path!r}, which can't be one of its folder: rename it there"
        )


def _checked(entry: Entry, place: Path) -> str:
    """The file's digest. Raises SourceError where its server promised another."""
    digest = file_sha256(place)
    if entry.sha256 is not None and digest != entry.sha256:
        place.unlink()
        raise SourceError(
            "DigestMismatch",
            f"{entry.path or 'the file'} arrived with SHA-256 {digest}, and the server announced "
            f"{entry.sha256}: a retry fetches it again",
            retry=True,
        )
    return digest


def _folder_digest(digests: dict[str, str]) -> str:
    """Of what `sha256sum` prints for the files, sorted by path."""
    lines = "".join(f"{digest}  {path}\n" for path, digest in sorted(digests.items()))
    return hashlib.sha256(lines.encode()).hexdigest()


def _size_of(path: Path) -> int:
    """Bytes of a file, or of all files of a folder; 0 where there is none."""
    if path.is_file():
        return path.stat().st_size
    return sum(one.stat().st_size for one in path.rglob("*") if one.is_file())
