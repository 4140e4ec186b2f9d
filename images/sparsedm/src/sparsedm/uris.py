"""From a URI of the API to a path in this pod.

`pvc://claim/a/b` is `$SPARSEDM_MOUNTS/claim/a/b`. `file:///path` is a path inside the image; what ships under
/opt/sparsedm/weights there is found in the package itself when the package runs outside its image.
"""

from __future__ import annotations

import os
from collections.abc import Mapping
from pathlib import Path

SHIPPED_WEIGHTS = "/opt/sparsedm/weights/"
PACKAGED_WEIGHTS = Path(__file__).parent / "weights"


def uri_of(path: Path, env: Mapping[str, str] = os.environ) -> str:
    """The URI of a path in this pod: the other way round."""
    mounts = Path(env.get("SPARSEDM_MOUNTS", "/mnt/pvc"))
    if path.is_relative_to(mounts):
        return f"pvc://{path.relative_to(mounts)}"
    return path.absolute().as_uri()


def with_uris(text: str, env: Mapping[str, str] = os.environ) -> str:
    """A message in which volumes' files have the URIs of the manifest, not the paths of this pod."""
    mounts = env.get("SPARSEDM_MOUNTS", "").rstrip("/")
    return text.replace(f"{mounts}/", "pvc://") if mounts else text


def resolve_uri(uri: str, env: Mapping[str, str] = os.environ) -> Path:
    """The path of a URI that config.py has accepted."""
    if uri.startswith("pvc://"):
        return Path(env.get("SPARSEDM_MOUNTS", "/mnt/pvc")) / uri.removeprefix("pvc://")
    path = Path(uri.removeprefix("file://"))
    if not path.exists() and str(path).startswith(SHIPPED_WEIGHTS):
        return PACKAGED_WEIGHTS / path.name
    return path
