"""From a URI of the API to a path in this pod.

`pvc://claim/a/b` is `$SPARSEDM_MOUNTS/claim/a/b`. `file:///path` is a path inside the image; what ships under
/opt/sparsedm/weights there is found in the package itself when the package runs outside its image. Any other
URI is remote: sources.fetch has fetched it, and its path is in `$SPARSEDM_FETCHED`, which the processes that
train together inherit.
"""

from __future__ import annotations

import json
import os
import re
from collections.abc import Mapping, MutableMapping
from pathlib import Path
from typing import Any

SHIPPED_WEIGHTS = "/opt/sparsedm/weights/"
PACKAGED_WEIGHTS = Path(__file__).parent / "weights"
FETCHED = "SPARSEDM_FETCHED"
"""Variable with a JSON object: for each remote URI its `path` and what `status.sources` says of it."""

_HOST = r"[A-Za-z0-9]([A-Za-z0-9.-]*[A-Za-z0-9])?(:[0-9]{1,5})?"
_PART = r"(/[A-Za-z0-9._@=+,-]+)"
_DIGEST = r"@sha256:[0-9a-f]{64}"
REMOTE = re.compile(
    rf"((s3|gs)://[a-z0-9][a-z0-9.-]{{1,61}}[a-z0-9]|https://{_HOST}|hf://[A-Za-z0-9._-]+){_PART}+"
    rf"|oci://{_HOST}(/[a-z0-9._-]+)+(:[A-Za-z0-9._-]+({_DIGEST})?|{_DIGEST}){_PART}*"
)
"""A remote URI, as the schema has it."""
REMOTE_OUTPUT = re.compile(rf"(s3|gs)://.+|oci://{_HOST}(/[a-z0-9._-]+)+:[A-Za-z0-9._-]+")
"""One of these that can be written: of an artifact its tag."""


def is_remote(uri: str) -> bool:
    return not uri.startswith(("pvc://", "file://"))


def fetched(env: Mapping[str, str] = os.environ) -> dict[str, dict[str, Any]]:
    return json.loads(env.get(FETCHED) or "{}")


def remember(path: Path, status: Mapping[str, Any], env: MutableMapping[str, str] = os.environ) -> None:
    """From here on status["uri"] is this path, in this process and in those that it starts."""
    env[FETCHED] = json.dumps({**fetched(env), status["uri"]: {**status, "path": str(path)}})


def remember_output(uri: str, path: Path, env: MutableMapping[str, str] = os.environ) -> None:
    """As `remember`, of a folder that is written."""
    env[FETCHED] = json.dumps({**fetched(env), uri: {"path": str(path)}})


def sources_status(env: Mapping[str, str] = os.environ) -> list[dict[str, Any]]:
    """`status.sources`: what was fetched, and of which content."""
    found = [each for each in fetched(env).values() if "uri" in each]
    return [{name: each[name] for name in each if name != "path"} for each in found]


def uri_of(path: Path, env: Mapping[str, str] = os.environ) -> str:
    """The URI of a path in this pod: the other way round."""
    for uri, status in fetched(env).items():
        if path == Path(status["path"]):
            return uri
    mounts = Path(env.get("SPARSEDM_MOUNTS", "/mnt/pvc"))
    if path.is_relative_to(mounts):
        return f"pvc://{path.relative_to(mounts)}"
    return path.absolute().as_uri()


def with_uris(text: str, env: Mapping[str, str] = os.environ) -> str:
    """A message in which volumes' files have the URIs of the manifest, not the paths of this pod."""
    for uri, status in fetched(env).items():
        text = text.replace(status["path"], uri)
    mounts = env.get("SPARSEDM_MOUNTS", "").rstrip("/")
    return text.replace(f"{mounts}/", "pvc://") if mounts else text


def resolve_uri(uri: str, env: Mapping[str, str] = os.environ) -> Path:
    """The path of a URI that config.py has accepted."""
    if uri.startswith("pvc://"):
        return Path(env.get("SPARSEDM_MOUNTS", "/mnt/pvc")) / uri.removeprefix("pvc://")
    if is_remote(uri):
        return Path(fetched(env)[uri]["path"])
    path = Path(uri.removeprefix("file://"))
    if not path.exists() and str(path).startswith(SHIPPED_WEIGHTS):
        return PACKAGED_WEIGHTS / path.name
    return path
