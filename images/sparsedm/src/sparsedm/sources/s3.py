"""s3:// URIs: one object, or all below a prefix. Any server that speaks the protocol will do:
AWS_ENDPOINT_URL, in the Secret or the environment, says which."""

from __future__ import annotations

import re
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

from sparsedm.sources.settings import Credentials
from sparsedm.sources.source import (
    CHUNK_BYTES,
    CONNECT_SECONDS,
    Entry,
    Listing,
    SourceError,
    changed,
    denied,
    expired,
    not_found,
    unavailable,
)
from sparsedm.sources.web import READ_SECONDS, untrusted

EXPIRED = ("ExpiredToken", "RequestExpired", "TokenRefreshRequired", "ExpiredTokenException")
MISSING = ("NoSuchKey", "NoSuchBucket", "404")
BUSY = ("SlowDown", "InternalError", "ServiceUnavailable", "RequestTimeout", "503", "500", "429")


def open_client(credentials: Credentials, attempts: int = 1) -> Any:
    """botocore's client. Without credentials in the Secret or the environment requests are not signed, as for
    public buckets."""
    import boto3
    from botocore import UNSIGNED
    from botocore.config import Config
    from botocore.exceptions import BotoCoreError

    session = boto3.session.Session(
        aws_access_key_id=credentials.value("AWS_ACCESS_KEY_ID"),
        aws_secret_access_key=credentials.value("AWS_SECRET_ACCESS_KEY"),
        aws_session_token=credentials.value("AWS_SESSION_TOKEN"),
        region_name=credentials.value("AWS_REGION"),
    )
    config = Config(
        connect_timeout=CONNECT_SECONDS,
        read_timeout=READ_SECONDS,
        retries={"total_max_attempts": attempts, "mode": "standard"},
        max_pool_connections=16,
        request_checksum_calculation="when_required",
        response_checksum_validation="when_required",
        **({} if _has_credentials(session, BotoCoreError) else {"signature_version": UNSIGNED}),
    )
    # Servers of one's own know buckets as paths; AWS itself as hosts.
    endpoint = credentials.value("AWS_ENDPOINT_URL")
    client = session.client(
        "s3", endpoint_url=endpoint, region_name=session.region_name or "us-east-1", config=config
    )
    if "amazonaws.com" not in client.meta.endpoint_url:
        paths = config.merge(Config(s3={"addressing_style": "path"}))
        client = session.client(
            "s3", endpoint_url=endpoint, region_name=session.region_name or "us-east-1", config=paths
        )
    return client


def _has_credentials(session: Any, unreadable: type[Exception]) -> bool:
    try:
        return session.get_credentials() is not None
    except unreadable:
        return False


@contextmanager
def explained(what: str) -> Iterator[None]:
    """Says in our words what went wrong."""
    from botocore.exceptions import BotoCoreError, ClientError, SSLError
    from urllib3.exceptions import HTTPError

    try:
        yield
    except ClientError as error:
        raise _refusal(error.response, what) from error
    except SSLError as error:
        found = re.search(r"certificate verify failed: ([^(\"']+)", str(error))
        if found is None:
            raise unavailable("the encrypted connection failed") from error
        raise SourceError("CertificateUnknown", untrusted(found[1].strip())) from error
    except (BotoCoreError, HTTPError, OSError) as error:
        raise unavailable(f"the connection failed ({type(error).__name__})") from error


def _refusal(response: dict[str, Any], what: str) -> SourceError:
    code = str(response.get("Error", {}).get("Code", ""))
    status = response.get("ResponseMetadata", {}).get("HTTPStatusCode", 0)
    words = code if code == str(status) else f"{code} (HTTP {status})"
    if code in EXPIRED:
        return expired(words)
    if code in MISSING or status == 404:
        return not_found(f"there is nothing: {words}")
    if code in ("PreconditionFailed", "InvalidRange") or status == 412:
        return changed(what)
    if code in BUSY or status >= 500 or status == 429:
        return unavailable(f"the server answers {words}")
    return denied(words)


class S3Source:
    def __init__(self, uri: str, credentials: Credentials) -> None:
        self._bucket, _, self._key = uri.removeprefix("s3://").partition("/")
        self._is_file = False
        self._client = open_client(credentials)

    def list(self) -> Listing:
        """The object of this very key, else all below it as a folder."""
        entry = self._object()
        if entry is not None:
            self._is_file = True
            return Listing((entry,), is_file=True)
        entries = tuple(self._below())
        if not entries:
            raise not_found(f"the bucket has neither the object {self._key} nor any below {self._key}/")
        return Listing(entries, is_file=False)

    def _object(self) -> Entry | None:
        try:
            with explained(self._key):
                got = self._client.get_object(Bucket=self._bucket, Key=self._key, Range="bytes=0-0")
        except SourceError as error:
            if error.reason == "SourceChanged":  # an empty object has no first byte
                return Entry("", 0, None)
            if error.reason == "SourceNotFound" and "NoSuchBucket" not in error.message:
                return None
            raise
        got["Body"].close()
        return Entry("", int(got["ContentRange"].rpartition("/")[2]), got["ETag"])

    def _below(self) -> Iterator[Entry]:
        folder = f"{self._key}/"
        with explained(folder):
            for page in self._client.get_paginator("list_objects_v2").paginate(
                Bucket=self._bucket, Prefix=folder
            ):
                for found in page.get("Contents", []):
                    if not found["Key"].endswith("/"):
                        yield Entry(found["Key"].removeprefix(folder), found["Size"], found["ETag"])

    def read(self, entry: Entry, start: int) -> Iterator[bytes]:
        key = self._key if self._is_file else f"{self._key}/{entry.path}"
        same = {"IfMatch": entry.version} if entry.version else {}
        with explained(entry.path or "the object"):
            got = self._client.get_object(Bucket=self._bucket, Key=key, Range=f"bytes={start}-", **same)
            yield from got["Body"].iter_chunks(CHUNK_BYTES)
