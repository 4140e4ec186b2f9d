"""https:// URIs, and the reader of HTTP ranges that other sources share.

A file is one URL. The server's ETag, else its Last-Modified, tells whether a file is still the same; a server
that has neither is believed as long as the size stays, and its files are kept for this run only.
"""

from __future__ import annotations

import os
import re
import ssl
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from typing import TYPE_CHECKING
from xml.etree import ElementTree

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

if TYPE_CHECKING:
    import httpx2

READ_SECONDS = 60.0
"""Without a byte; the next try goes on where this one was."""
_EXPIRED = re.compile(r"expired|invalid_token", re.IGNORECASE)
_LONGEST_ANSWER = 65_536


def open_client(headers: Mapping[str, str], encrypted: bool = True) -> httpx2.Client:
    """A client that follows redirects, to https alone where `encrypted`, and proxies of the environment.
    Other hosts than the first get no Authorization."""
    import certifi
    import httpx2

    def only_https(request: httpx2.Request) -> None:
        if encrypted and request.url.scheme != "https":
            raise SourceError("SourceUnsafe", "the server redirects to a URL that is not encrypted")

    return httpx2.Client(
        headers={"Accept-Encoding": "identity", **headers},
        verify=ssl.create_default_context(cafile=os.environ.get("SSL_CERT_FILE") or certifi.where()),
        follow_redirects=True,
        timeout=httpx2.Timeout(READ_SECONDS, connect=CONNECT_SECONDS),
        event_hooks={"request": [only_https]},
    )


@contextmanager
def explained() -> Iterator[None]:
    """Says in our words why no answer came: an error of the client may quote a signed URL."""
    import httpx2

    try:
        yield
    except httpx2.TooManyRedirects as error:
        raise SourceError("SourceUnavailable", "the server redirects in a circle") from error
    except httpx2.TransportError as error:
        cause: BaseException | None = error
        while cause is not None and not isinstance(cause, ssl.SSLCertVerificationError):
            cause = cause.__cause__ or cause.__context__
        if cause is not None:
            raise SourceError("CertificateUnknown", untrusted(cause.verify_message)) from error
        raise unavailable(f"the connection failed ({type(error).__name__})") from error


def untrusted(why: str) -> str:
    return (
        f"its certificate is not trusted ({why}): put the authority that signed it into the ConfigMap that "
        "sources.trustedCA names"
    )


class HttpFile:
    """A URL of one file, read by ranges."""

    def __init__(self, client: httpx2.Client, url: str) -> None:
        self._client, self._url = client, url

    def entry(self, path: str) -> Entry:
        """Asks for the first byte: some servers refuse HEAD."""
        with explained(), self._client.stream("GET", self._url, headers={"Range": "bytes=0-0"}) as answer:
            if answer.status_code == 416:  # an empty file has no first byte
                return Entry(path, 0, _version(answer.headers))
            check(answer)
            return Entry(path, _size(answer), _version(answer.headers))

    def read(self, entry: Entry, start: int) -> Iterator[bytes]:
        headers = {"Range": f"bytes={start}-"} if start else {}
        if start and entry.version and not entry.version.startswith("W/") and entry.version[0] == '"':
            headers["If-Range"] = entry.version
        with explained(), self._client.stream("GET", self._url, headers=headers) as answer:
            if answer.status_code == 416:
                raise changed(entry.path or "it")
            check(answer)
            now = _version(answer.headers)
            if entry.version and now and now != entry.version:
                raise changed(entry.path or "it")
            skipped = 0 if answer.status_code == 206 else start
            for chunk in answer.iter_bytes(CHUNK_BYTES):
                rest = chunk[skipped:] if skipped else chunk
                skipped = max(0, skipped - len(chunk))
                if rest:
                    yield rest


def check(answer: httpx2.Response) -> None:
    """Raises SourceError for an answer that holds no file."""
    code = answer.status_code
    if code < 300:
        return
    words = _words(answer)
    if code in (401, 403):
        raise expired(words) if _EXPIRED.search(words) else denied(words)
    if code in (404, 410):
        raise not_found(f"there is nothing: {words}")
    if code == 429 or code >= 500:
        after = answer.headers.get("retry-after", "")
        raise unavailable(f"the server answers {words}", float(after) if after.isdecimal() else None)
    raise SourceError("SourceUnavailable", f"the server answers {words}")


def _words(answer: httpx2.Response) -> str:
    """What went wrong: the code of an XML or JSON body, such as an object store's, beside the status."""
    import httpx2

    body = b""
    try:
        for chunk in answer.iter_bytes():
            body += chunk
            if len(body) > _LONGEST_ANSWER:
                break
    except httpx2.TransportError:
        pass
    authenticate = answer.headers.get("www-authenticate", "")
    found = _xml_words(body) or (re.search(r'error="?(\w+)', authenticate) or [None, ""])[1]
    status = f"HTTP {answer.status_code} {answer.reason_phrase}".strip()
    return f"{found} ({status})" if found else status


def _xml_words(body: bytes) -> str:
    """Worked example: AccessDenied of <Error><Code>AccessDenied</Code>...</Error>. The message beside it may
    quote what was asked with, so it stays out."""
    if b"<Error" not in body or b"<!DOCTYPE" in body:
        return ""
    try:
        code = ElementTree.fromstring(body).findtext(".//{*}Code") or ""
    except ElementTree.ParseError:
        return ""
    return code if re.fullmatch(r"[A-Za-z0-9.]{1,64}", code) else ""


def _size(answer: httpx2.Response) -> int | None:
    whole = re.fullmatch(r"bytes \d+-\d+/(\d+)", answer.headers.get("content-range", ""))
    if answer.status_code == 206:
        return int(whole[1]) if whole else None
    length = answer.headers.get("content-length", "")
    return int(length) if length.isdecimal() else None


def _version(headers: Mapping[str, str]) -> str | None:
    return headers.get("etag") or headers.get("last-modified")


def authorization(credentials: Credentials) -> dict[str, str]:
    """The header for a Secret with `token`, or with `username` and `password`."""
    import base64

    if token := credentials.value("token"):
        return {"Authorization": f"Bearer {token}"}
    name, password = credentials.value("username"), credentials.value("password")
    if name is None or password is None:
        return {}
    return {"Authorization": f"Basic {base64.b64encode(f'{name}:{password}'.encode()).decode()}"}


class WebSource:
    def __init__(self, uri: str, credentials: Credentials) -> None:
        self._file = HttpFile(open_client(authorization(credentials)), uri)

    def list(self) -> Listing:
        return Listing((self._file.entry(""),), is_file=True)

    def read(self, entry: Entry, start: int) -> Iterator[bytes]:
        return self._file.read(entry, start)
