"""An output folder under s3://BUCKET/PATH."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from sparsedm.sources.s3 import explained, open_client
from sparsedm.sources.settings import Credentials
from sparsedm.sources.source import MARK

ATTEMPTS = 6


class S3Store:
    """Objects, whose ETags are their versions."""

    def __init__(self, uri: str, credentials: Credentials) -> None:
        self._bucket, _, self._key = uri.removeprefix("s3://").partition("/")
        self._client = open_client(credentials, ATTEMPTS)

    @contextmanager
    def explained(self) -> Iterator[None]:
        from boto3.exceptions import Boto3Error
        from s3transfer.exceptions import S3UploadFailedError

        with explained("another trainer's mark"):
            try:
                yield
            except (S3UploadFailedError, Boto3Error) as error:
                # The client wraps what happened.
                raise (error.__cause__ or error.__context__ or OSError("upload")) from error

    def listed(self) -> Iterator[tuple[str, str]]:
        folder = f"{self._key}/"
        for page in self._client.get_paginator("list_objects_v2").paginate(
            Bucket=self._bucket, Prefix=folder
        ):
            for found in page.get("Contents", []):
                if not found["Key"].endswith("/"):
                    yield found["Key"].removeprefix(folder), found["ETag"]

    def download(self, path: str, version: str, place: Path) -> None:
        self._client.download_file(self._bucket, f"{self._key}/{path}", str(place))

    def abandon(self) -> None:
        for upload in self._client.list_multipart_uploads(Bucket=self._bucket, Prefix=f"{self._key}/").get(
            "Uploads", []
        ):
            self._client.abort_multipart_upload(
                Bucket=self._bucket, Key=upload["Key"], UploadId=upload["UploadId"]
            )

    def mark(self, content: bytes, before: str | None) -> str:
        condition = {"IfNoneMatch": "*"} if before is None else {"IfMatch": before}
        key = f"{self._key}/{MARK}"
        return self._client.put_object(Bucket=self._bucket, Key=key, Body=content, **condition)["ETag"]

    def marked(self) -> str:
        return self._version(MARK)

    def upload(self, path: str, file: Path) -> str:
        self._client.upload_file(str(file), self._bucket, f"{self._key}/{path}")
        return self._version(path)

    def _version(self, path: str) -> str:
        return self._client.head_object(Bucket=self._bucket, Key=f"{self._key}/{path}")["ETag"]

    def delete(self, path: str) -> None:
        self._client.delete_object(Bucket=self._bucket, Key=f"{self._key}/{path}")

    def commit(self) -> None:
        """Each upload was seen when it was complete."""
