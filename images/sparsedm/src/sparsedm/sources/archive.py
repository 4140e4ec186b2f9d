"""Archives, which are unpacked where they arrive: a folder has no https URL."""

from __future__ import annotations

import shutil
import tarfile
import zipfile
from pathlib import Path

from sparsedm.sources.source import SourceError

SUFFIXES = (".tar", ".tar.gz", ".tgz", ".zip")


def is_archive(name: str) -> bool:
    return name.lower().endswith(SUFFIXES)


def unpack(path: Path) -> str:
    """Makes a folder of the archive, deletes it, and returns the folder's name. Nothing leaves the folder:
    raises SourceError for members that would, and for links to elsewhere."""
    name = path.name[: -len(next(end for end in SUFFIXES if path.name.lower().endswith(end)))] or "files"
    folder = path.parent / name
    shutil.rmtree(folder, ignore_errors=True)
    folder.mkdir()
    try:
        if zipfile.is_zipfile(path):
            with zipfile.ZipFile(path) as archive:
                for member in archive.infolist():
                    _check_member(member.filename)
                archive.extractall(folder)
        else:
            with tarfile.open(path) as archive:
                archive.extractall(folder, filter="data")
    except (tarfile.FilterError, ValueError) as error:
        raise SourceError(
            "SourceUnsafe", f"{path.name} holds a file that would leave its folder: pack it without"
        ) from error
    except (tarfile.TarError, zipfile.BadZipFile, EOFError) as error:
        raise SourceError(
            "ArchiveInvalid", f"{path.name} is no whole archive ({type(error).__name__}): pack it again"
        ) from error
    path.unlink()
    return name


def _check_member(name: str) -> None:
    if name.startswith("/") or ".." in name.split("/"):
        raise ValueError(name)
