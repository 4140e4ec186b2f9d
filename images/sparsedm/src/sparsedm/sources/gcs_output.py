"""An output folder under gs://BUCKET/PATH, over the JSON API of Google Cloud Storage.

A file goes up in a resumable upload: the server opens a session, takes the bytes in parts, says how far it
has come when it is asked, and shows the object once it has all of them and their MD5 is the one that was
announced. A session that is left unfinished shows nothing, and the server ends it by itself.
"""

from __future__ import annotations

import base64
import hashlib
import re
import time
from collections.abc import Iterator
from contextlib import AbstractContextManager
from pathlib import Path
from typing import TYPE_CHECKING, Any
from urllib.parse import quote

from sparsedm.sources.gcs import Gcs
from sparsedm.sources.settings import Credentials
from sparsedm.sources.source import MARK, Entry, SourceError, changed, unavailable
from sparsedm.sources.web import HttpFile, check, explained

if TYPE_CHECKING:
    import httpx2

SCOPE = "https://www.googleapis.com/auth/devstorage.read_write"
PART_BYTES = 32 * 2**18
"""A multiple of 256 KiB, as the server wants it."""
ATTEMPTS = 6
PAUSE_SECONDS = 0.5
"""Before the second attempt; twice as long before each further one."""


class GcsStore(Gcs):
    """Objects, whose generations are their versions."""

    def __init__(self, uri: str, credentials: Credentials) -> None:
        super().__init__(uri, credentials, SCOPE)

    def explained(self) -> AbstractContextManager[None]:
        return explained()

    def listed(self) -> Iterator[tuple[str, str]]:
        for item in self.below(f"{self.key}/"):
            yield item["name"].removeprefix(f"{self.key}/"), item["generation"]

    def download(self, path: str, version: str, place: Path) -> None:
        self.authorize()
        file = HttpFile(self.client, f"{self._object(path)}?alt=media&generation={version}")
        with place.open("wb") as out:
            for chunk in file.read(Entry(path, None, None), 0):
                out.write(chunk)

    def abandon(self) -> None:
        """The server shows no sessions, and ends them."""

    def mark(self, content: bytes, before: str | None) -> str:
        condition = {"ifGenerationMatch": before or "0"}
        answer = self._post("media", MARK, condition, content=content)
        return answer.json()["generation"]

    def marked(self) -> str:
        return self.ask(self._object(MARK), {})["generation"]

    def upload(self, path: str, file: Path) -> str:
        size = file.stat().st_size
        with file.open("rb") as content:
            digest = hashlib.file_digest(content, "md5").digest()
        # Of an upload that began, a later attempt goes on with what the server has.
        opened = self._post("resumable", path, {}, json={"md5Hash": base64.b64encode(digest).decode()})
        session, start, failures = opened.headers["location"], 0, 0
        while True:
            try:
                answer = self._send(session, file, start, size)
            except SourceError as error:
                failures += 1
                if not error.retry or failures == ATTEMPTS:
                    raise
                time.sleep(PAUSE_SECONDS * 2 ** (failures - 1))
                start = None
                continue
            if answer.status_code != 308:
                return answer.json()["generation"]
            start = _received(answer)

    def _send(self, session: str, file: Path, start: int | None, size: int) -> httpx2.Response:
        """The part from `start` on; None asks how far the server has come."""
        if start is None or not size:
            part, span = b"", f"bytes */{size}"
        else:
            with file.open("rb") as content:
                content.seek(start)
                part = content.read(PART_BYTES)
            span = f"bytes {start}-{start + len(part) - 1}/{size}"
        self.authorize()
        with explained():
            answer = self.client.put(session, content=part, headers={"Content-Range": span})
            if answer.status_code != 308:
                check(answer)
        return answer

    def _post(self, kind: str, path: str, condition: dict[str, str], **body: Any) -> httpx2.Response:
        """Begins an upload, or makes one at once."""
        params = {"uploadType": kind, "name": f"{self.key}/{path}", **condition}
        for attempt in range(1, ATTEMPTS + 1):
            self.authorize()
            try:
                with explained():
                    answer = self.client.post(self.uploads, params=params, **body)
                    if answer.status_code == 412:
                        raise changed("another trainer's mark")
                    check(answer)
                return answer
            except SourceError as error:
                if not error.retry or error.reason == "SourceChanged" or attempt == ATTEMPTS:
                    raise
            time.sleep(PAUSE_SECONDS * 2 ** (attempt - 1))
        raise unavailable("the server takes no upload")

    def delete(self, path: str) -> None:
        self.authorize()
        with explained():
            answer = self.client.delete(self._object(path))
            if answer.status_code != 404:
                check(answer)

    def commit(self) -> None:
        """Each upload was seen when it was complete."""

    def _object(self, path: str) -> str:
        return f"{self.objects}/{quote(f'{self.key}/{path}', safe='')}"


def _received(answer: httpx2.Response) -> int:
    """Bytes that the server has. Worked example: 524288 of "bytes=0-524287"; 0 without the header."""
    found = re.fullmatch(r"bytes=0-(\d+)", answer.headers.get("range", ""))
    return int(found[1]) + 1 if found else 0
