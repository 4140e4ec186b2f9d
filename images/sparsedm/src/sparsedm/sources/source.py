"""What every source is to the rest: a list of files, and their bytes from any offset on."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Protocol

MARK = ".trainer"
"""Path of what says, in an output, who writes to it (bucket.py)."""
CHUNK_BYTES = 2**17
CONNECT_SECONDS = 15.0


@dataclass(frozen=True)
class Entry:
    """One file. `path` is relative to the folder that was asked for."""

    path: str
    size: int | None
    """None where the server does not say it."""
    version: str | None
    """Changes with the content (an ETag, a generation, a commit); None where the server has no such thing."""
    sha256: str | None = None
    """Digest of the content where the server knows it, 64 hexadecimal digits."""


@dataclass(frozen=True)
class Listing:
    """`is_file` where the URI names a file, which is then the only entry. `revision` is what the source calls
    this state, such as a commit."""

    entries: tuple[Entry, ...]
    is_file: bool
    revision: str | None = None

    @property
    def versioned(self) -> bool:
        """Whether equal listings mean equal content."""
        return all(entry.version or entry.sha256 for entry in self.entries)

    @property
    def size(self) -> int | None:
        sizes = [entry.size for entry in self.entries]
        return None if None in sizes else sum(size for size in sizes if size is not None)

    def key(self, uri: str) -> str:
        """Names this content of this URI, in 64 hexadecimal digits."""
        content = [uri, *([e.path, e.size, e.version, e.sha256] for e in self.entries)]
        return hashlib.sha256(json.dumps(content).encode()).hexdigest()


class Source(Protocol):
    def list(self) -> Listing:
        """Raises SourceError, also where there is nothing."""
        ...

    def read(self, entry: Entry, start: int) -> Iterator[bytes]:
        """The bytes from `start` on. Raises SourceError; a `retry` may go on where this one ended."""
        ...


class SourceError(Exception):
    """Why a source can't be read: words for a sentence, in which nothing is secret. Never put another error's
    text in here, which may quote a signed URL."""

    def __init__(
        self, reason: str, message: str, *, retry: bool = False, retry_after: float | None = None
    ) -> None:
        super().__init__(message)
        self.reason, self.message, self.retry, self.retry_after = reason, message, retry, retry_after

    def of(self, secret: str) -> str:
        """The words, with the name of the Secret that was refused, if one was."""
        named = secret and self.reason in ("SourceDenied", "CredentialsExpired")
        return f"{self.message} (Secret {secret})" if named else self.message


def unavailable(what: str, retry_after: float | None = None) -> SourceError:
    """It may work at another time."""
    return SourceError("SourceUnavailable", what, retry=True, retry_after=retry_after)


def not_found(what: str) -> SourceError:
    return SourceError("SourceNotFound", what)


def changed(path: str) -> SourceError:
    return SourceError(
        "SourceChanged", f"{path} was replaced while it was fetched: a retry begins anew", retry=True
    )


def denied(words: str) -> SourceError:
    """words: what the server says, such as "AccessDenied (HTTP 403)"."""
    return SourceError(
        "SourceDenied",
        f"the server refuses: {words}. Check the Secret that sources.credentials names for it, and what its "
        "owner may do",
    )


def expired(words: str) -> SourceError:
    return SourceError(
        "CredentialsExpired",
        f"the credentials have expired: {words}. Renew the Secret that sources.credentials names for it; the "
        "next attempt goes on where this one stopped",
        retry=True,
    )
