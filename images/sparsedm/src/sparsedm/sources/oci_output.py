"""An output folder as an artifact of a registry, oci://REGISTRY/REPOSITORY:TAG: a layer for each file.

The blobs go up first, each under its digest, and nobody sees them; then the manifest, which the tag stands
for from that moment on. So the tag always names a whole folder: with checkpoints while the run goes on, so
that another pod can go on with it, and the model without them once it is there. A registry knows no
conditions: whether the tag is still what this trainer put there is looked up before each blob and before the
manifest, and one that is displaced in the instant between is seen at its next step.
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Iterator
from contextlib import AbstractContextManager
from pathlib import Path
from typing import TYPE_CHECKING, Any
from urllib.parse import urljoin

from sparsedm.sources.oci import MANIFESTS, TITLE, Repository
from sparsedm.sources.settings import Credentials
from sparsedm.sources.source import MARK, Entry, SourceError, changed
from sparsedm.sources.web import check, explained

if TYPE_CHECKING:
    import httpx2

ARTIFACT = "application/vnd.sparsedm.model.v1"
TRAINER = "io.sparsedm.trainer"
"""Annotation of the manifest: who wrote it."""
EMPTY = {"mediaType": "application/vnd.oci.empty.v1+json", "size": 2}
EMPTY["digest"] = f"sha256:{hashlib.sha256(b'{}').hexdigest()}"
DONE = "manifest.json"
CHECKPOINTS = "checkpoints/"
ATTEMPTS = 3


class OciStore(Repository):
    """Files, whose digests are their versions; the mark's is that of the whole manifest."""

    def __init__(self, uri: str, credentials: Credentials) -> None:
        super().__init__(uri, credentials)
        self._layers: dict[str, dict[str, Any]] = {}
        self._trainer = ""

    def explained(self) -> AbstractContextManager[None]:
        return explained()

    def listed(self) -> Iterator[tuple[str, str]]:
        answer = self.ask("GET", self._tag)
        if answer.status_code == 404:
            self._layers = {}
            return
        with explained():
            check(answer)
        layers = [(each.get("annotations", {}).get(TITLE), each) for each in answer.json()["layers"]]
        self._layers = {title: each for title, each in layers if title}
        yield MARK, _digest(answer.content)
        yield from ((title, each["digest"]) for title, each in self._layers.items())

    def download(self, path: str, version: str, place: Path) -> None:
        with place.open("wb") as out:
            for chunk in self.read_blob(Entry(path, None, version), 0):
                out.write(chunk)
        if _digest_of_file(place) != version:
            raise changed(path)

    def abandon(self) -> None:
        """Blobs that no manifest names are the registry's to collect."""

    def mark(self, content: bytes, before: str | None) -> str:
        self._trainer = content.decode()
        if self._marked() != before:
            raise changed("another trainer's mark")
        return self._put_manifest()

    def marked(self) -> str:
        return self._marked() or ""

    def _marked(self) -> str | None:
        answer = self.ask("GET", self._tag)
        if answer.status_code == 404:
            return None
        with explained():
            check(answer)
        return _digest(answer.content)

    def upload(self, path: str, file: Path) -> str:
        digest, size = _digest_of_file(file), file.stat().st_size
        self._put_blob(digest, size, file)
        layer = {"mediaType": "application/octet-stream", "digest": digest, "size": size}
        self._layers[path] = {**layer, "annotations": {TITLE: path}}
        return digest

    def delete(self, path: str) -> None:
        self._layers.pop(path, None)

    def commit(self) -> str:
        return self._put_manifest()

    def _put_manifest(self) -> str:
        self._put_blob(EMPTY["digest"], EMPTY["size"], b"{}")
        done = DONE in self._layers
        kept = [
            each for path, each in sorted(self._layers.items()) if not (done and path.startswith(CHECKPOINTS))
        ]
        manifest = {
            "schemaVersion": 2,
            "mediaType": MANIFESTS[0],
            "artifactType": ARTIFACT,
            "config": EMPTY,
            "layers": kept or [EMPTY],
            "annotations": {TRAINER: self._trainer},
        }
        body = json.dumps(manifest).encode()
        answer = self.ask("PUT", self._tag, content=body, headers={"Content-Type": MANIFESTS[0]})
        with explained():
            check(answer)
        return _digest(body)

    def _put_blob(self, digest: str, size: int, content: Path | bytes) -> None:
        for attempt in range(1, ATTEMPTS + 1):
            try:
                self._try_blob(digest, size, content)
                return
            except SourceError as error:
                if not error.retry or attempt == ATTEMPTS:
                    raise

    def _try_blob(self, digest: str, size: int, content: Path | bytes) -> None:
        """In one request, unless the registry has it already."""
        if self.ask("HEAD", f"{self.base}/blobs/{digest}").status_code == 200:
            return
        opened = self.ask("POST", f"{self.base}/blobs/uploads/")
        with explained():
            check(opened)
        place = urljoin(f"{self.host}/", opened.headers["location"])
        headers = {"Content-Type": "application/octet-stream", "Content-Length": str(size)}
        with explained():
            answer = self._put(place, digest, content, headers)
            check(answer)

    def _put(
        self, place: str, digest: str, content: Path | bytes, headers: dict[str, str]
    ) -> httpx2.Response:
        import httpx2

        url = httpx2.URL(place).copy_merge_params({"digest": digest})
        if isinstance(content, bytes):
            return self.client.put(url, content=content, headers=headers)
        with content.open("rb") as body:
            return self.client.put(url, content=body, headers=headers)

    @property
    def _tag(self) -> str:
        return f"{self.base}/manifests/{self.reference}"


def _digest(content: bytes) -> str:
    return f"sha256:{hashlib.sha256(content).hexdigest()}"


def _digest_of_file(file: Path) -> str:
    with file.open("rb") as content:
        return f"sha256:{hashlib.file_digest(content, 'sha256').hexdigest()}"
