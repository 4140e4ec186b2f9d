"""Files that are whole or absent, and their digests."""

from __future__ import annotations

import hashlib
import json
import os
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any


def sync(path: Path) -> None:
    """Flushes a file or a directory to the disk."""
    descriptor = os.open(path, os.O_RDONLY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)


def write_atomically(path: Path, data: bytes, staging: Path | None = None) -> None:
    """Readers see the old file or the new one, never a part. `staging` is a folder of the same volume, where
    the new one is written first; by default the file's own."""
    temporary = (staging or path.parent) / f".tmp-{path.name}"
    with temporary.open("wb") as file:
        file.write(data)
        file.flush()
        os.fsync(file.fileno())
    os.replace(temporary, path)
    sync(path.parent)


OnRead = Callable[[int, int], None]
"""Is told how many bytes are read, of how many."""
CHUNK = 1 << 22


def file_sha256(path: str | Path, on_read: OnRead | None = None) -> str:
    """Digest of a file's bytes, 64 hexadecimal digits."""
    with open(path, "rb") as file:
        if on_read is None:
            return hashlib.file_digest(file, "sha256").hexdigest()
        digest, done, size = hashlib.sha256(), 0, os.fstat(file.fileno()).st_size
        while chunk := file.read(CHUNK):
            digest.update(chunk)
            done += len(chunk)
            on_read(done, size)
        return digest.hexdigest()


def json_digest(content: Mapping[str, Any]) -> str:
    """`sha256:...` of JSON content in one spelling, whatever the order of its fields."""
    canonical = json.dumps(content, sort_keys=True, separators=(",", ":"))
    return f"sha256:{hashlib.sha256(canonical.encode()).hexdigest()}"
