"""Files that are whole or absent, and their digests."""

from __future__ import annotations

import hashlib
import os
from pathlib import Path


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


def file_sha256(path: str | Path) -> str:
    """Digest of a file's bytes, 64 hexadecimal digits."""
    with open(path, "rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()
