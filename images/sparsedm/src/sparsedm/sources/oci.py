"""oci:// URIs: oci://REGISTRY/REPOSITORY:TAG[@sha256:DIGEST][/FILE], artifacts whose layers are files.

`oras push` makes them: a layer's title is the file's name, and its digest that of the bytes. Registries give
a token for a name and password, or ask for these themselves; the Secret is one of
kubernetes.io/dockerconfigjson, as for images.
"""

from __future__ import annotations

import base64
import hashlib
import json
import re
from collections.abc import Iterator
from typing import TYPE_CHECKING, Any

from sparsedm.sources.settings import Credentials
from sparsedm.sources.source import Entry, Listing, SourceError, denied, not_found, unavailable
from sparsedm.sources.web import HttpFile, check, explained, open_client

if TYPE_CHECKING:
    import httpx2

MANIFESTS = (
    "application/vnd.oci.image.manifest.v1+json",
    "application/vnd.docker.distribution.manifest.v2+json",
)
TITLE = "org.opencontainers.image.title"
LONGEST_MANIFEST = 4 * 2**20
HOSTS = {"docker.io": "registry-1.docker.io"}
_URI = re.compile(
    r"oci://(?P<host>[^/]+)/(?P<repo>[^:@]+)"
    r"(:(?P<tag>[A-Za-z0-9._-]+))?(@(?P<digest>sha256:[0-9a-f]{64}))?(/(?P<path>.+))?"
)


class Repository:
    """One of a registry, and who asks."""

    def __init__(self, uri: str, credentials: Credentials) -> None:
        found = _URI.fullmatch(uri)
        if found is None:
            raise not_found("it is no artifact: write oci://REGISTRY/REPOSITORY:TAG")
        host = found["host"]
        self.host = f"https://{HOSTS.get(host, host)}"
        self.base = f"{self.host}/v2/{found['repo']}"
        self.reference, self.path = found["digest"] or found["tag"], found["path"]
        self._basic = _basic(credentials, host)
        self.client = open_client({"Accept": ", ".join(MANIFESTS)})

    def ask(self, method: str, url: str, **more: Any) -> httpx2.Response:
        """The answer of any status; logs in where it is asked to."""
        with explained():
            answer = self.client.request(method, url, **more)
        if answer.status_code != 401:
            return answer
        self._log_in(answer.headers.get("www-authenticate", ""))
        with explained():
            return self.client.request(method, url, **more)

    def _log_in(self, challenge: str) -> None:
        """Answers what the registry asks for: a token of another server, or name and password."""
        kind, _, rest = challenge.partition(" ")
        if kind.lower() == "basic" and self._basic:
            self.client.headers["Authorization"] = self._basic
            return
        asked = dict(re.findall(r'(\w+)="([^"]*)"', rest))
        if kind.lower() != "bearer" or not asked.get("realm", "").startswith("https://"):
            raise denied("it wants a login (HTTP 401)")
        with explained(), open_client({"Authorization": self._basic} if self._basic else {}) as client:
            wanted = {name: asked[name] for name in ("service", "scope") if name in asked}
            answer = client.get(asked["realm"], params=wanted)
            check(answer)
        try:
            given = answer.json()
            token = given.get("token") or given["access_token"]
        except (ValueError, KeyError, AttributeError) as error:
            raise denied("its server of tokens gives none") from error
        self.client.headers["Authorization"] = f"Bearer {token}"

    def read_blob(self, entry: Entry, start: int) -> Iterator[bytes]:
        """Logs in again where the token has expired since."""
        blob = HttpFile(self.client, f"{self.base}/blobs/{entry.version}")
        # The digest is the version; an ETag is none of the registry's promises.
        bare = Entry(entry.path, entry.size, None)
        try:
            yield from blob.read(bare, start)
        except SourceError as error:
            if error.reason not in ("SourceDenied", "CredentialsExpired"):
                raise
            self.client.headers.pop("Authorization", None)
            self.manifest()
            yield from blob.read(bare, start)

    def manifest(self) -> bytes:
        answer = self.ask("GET", f"{self.base}/manifests/{self.reference}")
        with explained():
            check(answer)
        return answer.content[: LONGEST_MANIFEST + 1]


class OciSource(Repository):
    """`digest` pins what a tag stood for when the run began."""

    def __init__(self, uri: str, credentials: Credentials, digest: str | None = None) -> None:
        super().__init__(uri, credentials)
        self.reference = digest or self.reference

    def list(self) -> Listing:
        """The files of the manifest's layers, or the one that the URI names."""
        body = self.manifest()
        digest = f"sha256:{hashlib.sha256(body).hexdigest()}"
        if self.reference.startswith("sha256:") and self.reference != digest:
            raise unavailable(f"the manifest arrived with digest {digest}")
        try:
            layers = [(each["annotations"][TITLE], each) for each in json.loads(body)["layers"]]
        except (ValueError, KeyError, TypeError) as error:
            raise not_found(
                f"the manifest names no files (layers with {TITLE}): push files with `oras push`"
            ) from error
        entries = tuple(
            Entry("" if title == self.path else title, layer["size"], layer["digest"], _sha256(layer))
            for title, layer in layers
            if self.path in (None, title)
        )
        if not entries:
            raise not_found(f"the manifest has no file {self.path}")
        return Listing(entries, is_file=self.path is not None, revision=digest)

    def read(self, entry: Entry, start: int) -> Iterator[bytes]:
        return self.read_blob(entry, start)


def _sha256(layer: dict[str, Any]) -> str | None:
    kind, _, digest = layer["digest"].partition(":")
    return digest if kind == "sha256" else None


def _basic(credentials: Credentials, host: str) -> str | None:
    """The header of name and password for this registry."""
    text = credentials.value(".dockerconfigjson")
    if text is None:
        return None
    try:
        auths = json.loads(text)["auths"]
        names = (host, f"https://{host}", "https://index.docker.io/v1/" if host == "docker.io" else host)
        found = next(auths[name] for name in names if name in auths)
        pair = (
            found.get("auth")
            or base64.b64encode(f"{found['username']}:{found['password']}".encode()).decode()
        )
    except StopIteration:
        return None
    except (ValueError, KeyError, TypeError) as error:
        raise SourceError(
            "SourceDenied",
            "its Secret is no .dockerconfigjson: make it with `kubectl create secret docker-registry`",
        ) from error
    return f"Basic {pair}"
