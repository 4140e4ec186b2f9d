"""What a server needs beside the network: an autoencoder for latents, a text encoder for prompts.

They lie beside the weights in the folders of a diffusers pipeline, `vae`, `text_encoder` and `tokenizer`, and
the manifest holds the digest of each of their files: an artifact is served as it is, wherever it was copied.
"""

from __future__ import annotations

import hashlib
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import torch

from sparsedm.decimals import decimal
from sparsedm.errors import InputError
from sparsedm.files import file_sha256, write_atomically
from sparsedm.models.autoencoder import Autoencoder
from sparsedm.models.text_encoder import TextEncoder

AUTOENCODER_FOLDER = "vae"


@dataclass(frozen=True)
class Components:
    """None of what the model does not need, or the artifact does not have."""

    autoencoder: Autoencoder | None = None
    text_encoder: TextEncoder | None = None

    def save(self, directory: Path, staging: Path | None = None) -> dict[str, Any]:
        """Writes their files and returns `components` of the manifest. A file that is there is not written
        again."""
        found: dict[str, Any] = {}
        if (autoencoder := self.autoencoder) is not None:
            files = {f"{AUTOENCODER_FOLDER}/{name}": data for name, data in autoencoder.files().items()}
            found["autoencoder"] = {
                "scale": decimal(autoencoder.scale, 6),
                "files": _write(directory, files, staging),
            }
        if (encoder := self.text_encoder) is not None:
            tokens, width = encoder.shape
            found["textEncoder"] = {
                "tokens": tokens,
                "width": width,
                "files": _write(directory, encoder.files(), staging),
            }
        return found


def load_components(
    directory: Path, manifest: Mapping[str, Any], device: torch.device | str = "cpu"
) -> Components:
    """Those that the manifest names, after their digests were checked. Raises InputError."""
    stated = manifest.get("components", {})
    try:
        for part in stated.values():
            check_files(directory, part["files"])
        autoencoder, text_encoder = stated.get("autoencoder"), stated.get("textEncoder")
        return Components(
            autoencoder and Autoencoder(directory / AUTOENCODER_FOLDER, float(autoencoder["scale"]), device),
            text_encoder and TextEncoder(directory, device),
        )
    except (AttributeError, KeyError, TypeError, ValueError) as error:
        raise _invalid(
            f"components of its manifest.json can't be read ({type(error).__name__}: {error})"
        ) from error


def check_files(directory: Path, digests: Mapping[str, str]) -> None:
    """Raises InputError for the first file that is not the one that the manifest names."""
    for name, digest in digests.items():
        path = directory / name
        if not path.resolve().is_relative_to(directory.resolve()):
            raise _invalid(f"its manifest.json names {name}, outside of its folder")
        if not path.is_file():
            raise _invalid(f"{name} is missing")
        if file_sha256(path) != digest:
            raise _invalid(f"{name} is not the file that was written with the manifest")


def _write(directory: Path, files: Mapping[str, bytes], staging: Path | None) -> dict[str, str]:
    """Digests by path."""
    digests = {name: hashlib.sha256(data).hexdigest() for name, data in files.items()}
    for name, data in files.items():
        path = directory / name
        path.parent.mkdir(parents=True, exist_ok=True)
        if not path.is_file() or file_sha256(path) != digests[name]:
            write_atomically(path, data, staging)
    return digests


def _invalid(problem: str) -> InputError:
    return InputError("ArtifactInvalid", f"The artifact is not valid: {problem}. Train or fetch it again.")
