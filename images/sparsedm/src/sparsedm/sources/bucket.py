"""An output folder in a bucket: worked on in this pod, and mirrored after each step that others may see.

What makes something whole is uploaded last: a checkpoint's digests after its tensors, the manifest after
everything. An object appears when its upload is complete, in however many parts, so nothing is ever half
there; parts that a killed trainer left are thrown away by the next. Who writes is told by the object
`.trainer`, which each trainer replaces on condition that nobody else has just done so: a trainer whose mark
is gone uploads nothing more, but for the file that it has begun.
"""

from __future__ import annotations

import json
import re
import secrets
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from sparsedm.errors import InputError, SparseDMError, Superseded
from sparsedm.files import write_atomically
from sparsedm.sources.cache import check_path
from sparsedm.sources.s3 import explained, open_client
from sparsedm.sources.settings import Settings, trust
from sparsedm.sources.source import SourceError

MARK = ".trainer"
RECORD = ".mirrored.json"
"""Local: for each file what the bucket has, [ETag, size, mtime in ns]."""
_LAST = (re.compile(r"/digest\.json$"), re.compile(r"^checkpoints/latest$"), re.compile(r"^manifest\.json$"))
ATTEMPTS = 6


class Bucket:
    def __init__(self, uri: str, folder: Path, settings: Settings) -> None:
        """`folder` is of this pod alone."""
        trust(settings)
        self._uri, self._folder = uri, folder
        self._bucket, _, self._key = uri.removeprefix("s3://").partition("/")
        self._credentials = settings.credentials_of(uri)
        self._client = open_client(self._credentials, ATTEMPTS)
        self._mark: str | None = None

    def pull(self) -> None:
        """Makes the local folder what the bucket has. Raises SparseDMError."""
        with self._told():
            record, there = self._record(), dict(self._listed())
            for path, etag in there.items():
                place = self._folder / path
                if path != MARK and record.get(path, [None])[0] != etag:
                    check_path(path)
                    place.parent.mkdir(parents=True, exist_ok=True)
                    self._client.download_file(self._bucket, f"{self._key}/{path}", str(place))
                    record[path] = [etag, *_state(place)]
            for path in [path for path in record if path not in there]:
                (self._folder / path).unlink(missing_ok=True)
                del record[path]
            self._write(record)

    def take(self) -> None:
        """The right to write, until another trainer takes it."""
        with self._told():
            for upload in self._client.list_multipart_uploads(
                Bucket=self._bucket, Prefix=f"{self._key}/"
            ).get("Uploads", []):
                self._client.abort_multipart_upload(
                    Bucket=self._bucket, Key=upload["Key"], UploadId=upload["UploadId"]
                )
            before = dict(self._listed()).get(MARK)
            condition = {"IfNoneMatch": "*"} if before is None else {"IfMatch": before}
            put = self._client.put_object(
                Bucket=self._bucket,
                Key=f"{self._key}/{MARK}",
                Body=secrets.token_hex(16).encode(),
                **condition,
            )
            self._mark = put["ETag"]

    def push(self) -> None:
        """Uploads what is new here, and removes what is gone. Raises Superseded, or SparseDMError."""
        with self._told():
            record = self._record()
            files = {path: _state(self._folder / path) for path in self._files()}
            new = [path for path, state in files.items() if record.get(path, [None])[1:] != state]
            for path in sorted(new, key=lambda path: (_rank(path), path)):
                self._check_mark()
                key = f"{self._key}/{path}"
                self._client.upload_file(str(self._folder / path), self._bucket, key)
                etag = self._client.head_object(Bucket=self._bucket, Key=key)["ETag"]
                record[path] = [etag, *files[path]]
            # The digests go first, so that what is left of a checkpoint is none.
            for path in sorted((path for path in record if path not in files), key=_rank, reverse=True):
                self._client.delete_object(Bucket=self._bucket, Key=f"{self._key}/{path}")
                del record[path]
            self._write(record)

    def _check_mark(self) -> None:
        found = self._client.head_object(Bucket=self._bucket, Key=f"{self._key}/{MARK}")["ETag"]
        if found != self._mark:
            raise Superseded(f"Another trainer has taken over {self._uri}: this one uploads nothing more.")

    def _files(self) -> Iterator[str]:
        """Without what begins with a dot, such as files that are being written."""
        for path in self._folder.rglob("*"):
            parts = path.relative_to(self._folder).parts
            if path.is_file() and not any(part.startswith(".") for part in parts):
                yield "/".join(parts)

    def _listed(self) -> Iterator[tuple[str, str]]:
        folder = f"{self._key}/"
        for page in self._client.get_paginator("list_objects_v2").paginate(
            Bucket=self._bucket, Prefix=folder
        ):
            for found in page.get("Contents", []):
                if not found["Key"].endswith("/"):
                    yield found["Key"].removeprefix(folder), found["ETag"]

    def _record(self) -> dict[str, list[Any]]:
        try:
            return json.loads((self._folder / RECORD).read_text())
        except FileNotFoundError:
            return {}

    def _write(self, record: dict[str, list[Any]]) -> None:
        write_atomically(self._folder / RECORD, json.dumps(record).encode())

    @contextmanager
    def _told(self) -> Iterator[None]:
        from boto3.exceptions import Boto3Error
        from s3transfer.exceptions import S3UploadFailedError

        try:
            with explained("another trainer's mark"):
                try:
                    yield
                except (S3UploadFailedError, Boto3Error) as error:
                    # The client wraps what happened.
                    raise (error.__cause__ or error.__context__ or OSError("upload")) from error
        except SourceError as error:
            kind = SparseDMError if error.retry else InputError
            words = error.of(self._credentials.secret)
            raise kind("OutputNotWritable", f"output.uri {self._uri}: {words}.") from error


def _rank(path: str) -> int:
    return next((n for n, pattern in enumerate(_LAST, 1) if pattern.search(path)), 0)


def _state(path: Path) -> list[int]:
    found = path.stat()
    return [found.st_size, found.st_mtime_ns]
