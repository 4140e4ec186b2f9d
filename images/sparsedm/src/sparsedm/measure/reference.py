"""Statistics of the images that drawn ones are compared with, and features of some of them.

Kept as an npz with `mu` and `sigma`, as other tools write and read it; this package's files add `n`, the
extractor's digest, `features`, and what the images are: a distance to anything but real ones has another
name. Nothing in it is ever unpickled.
"""

from __future__ import annotations

import io
import zipfile
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Literal, get_args

import numpy as np
import torch
from torch import Tensor

from sparsedm.errors import InputError
from sparsedm.files import write_atomically
from sparsedm.measure.frechet import FrechetStats

Content = Literal["images", "decodings", "dense-samples"]
"""What a reference is of: real images, what an autoencoder makes of their latents, or what the dense model
draws."""
SUFFIXES: dict[Content, str] = {"images": "", "decodings": "-decoded", "dense-samples": "-dense-samples"}
"""What the name of a distance to it ends with."""
REFERENCE_FILE = "reference.npz"
"""Beside the manifest of a run that computed its reference itself."""
KEPT_FEATURES = 10_000
_SEED = 0


class FeatureSample:
    """Features of at most `limit` of `total` images that arrive in batches: always of the same images,
    independent of batch size and run seed."""

    def __init__(self, total: int, limit: int = KEPT_FEATURES) -> None:
        random = np.random.default_rng(_SEED)
        self._chosen = np.sort(random.choice(total, min(total, limit), replace=False))
        self._seen = 0
        self._parts: list[Tensor] = []

    def update(self, features: Tensor) -> None:
        """Adds a batch, (B, dims)."""
        here = self._chosen[np.searchsorted(self._chosen, self._seen) :] - self._seen
        self._parts.append(features[here[here < len(features)]].float().cpu())
        self._seen += len(features)

    def features(self) -> Tensor:
        """(at most limit, dims) float32, in order of arrival."""
        return torch.cat(self._parts)


def some_of(features: Tensor, count: int) -> Tensor:
    """`count` of the (n, dims) features, in their order: always the same ones of n, and not every k-th, which
    could all be of one class."""
    sample = FeatureSample(len(features), count)
    sample.update(features)
    return sample.features()


@dataclass(frozen=True)
class Reference:
    """`features` (n, dims) is None where only the statistics are known. Statistics of another tool count as
    those of real images."""

    stats: FrechetStats
    features: Tensor | None
    content: Content = "images"

    def save(self, path: Path, extractor_digest: str, staging: Path | None = None) -> None:
        """Writes atomically; `staging` as in write_atomically."""
        arrays: dict[str, Any] = {
            "mu": self.stats.mean,
            "sigma": self.stats.cov,
            "n": self.stats.n,
            "extractor_digest": extractor_digest,
            "content": self.content,
        }
        if self.features is not None:
            arrays["features"] = self.features.numpy()
        data = io.BytesIO()
        np.savez(data, **arrays)
        write_atomically(path, data.getvalue(), staging)

    @classmethod
    def load(cls, path: Path, extractor_digest: str, dims: int) -> Reference:
        """Statistics that this or another tool wrote; other arrays are ignored.

        Another tool's file does not hold n; its number of samples is assumed to suffice. Raises InputError,
        which names the file, where it is no such npz, is damaged, or was made with another extractor.
        """
        arrays = _read(path)
        mu, sigma = arrays["mu"].astype(np.float64), arrays["sigma"].astype(np.float64)
        _check(path, mu, sigma, dims)
        made_with = str(arrays["extractor_digest"]) if "extractor_digest" in arrays else extractor_digest
        if made_with != extractor_digest:
            raise InputError(
                "StatisticsMismatch",
                f"{path} was made with the extractor {made_with}, not {extractor_digest}: give statistics of "
                "this extractor, or remove the file where a run has written it.",
            )
        n = int(arrays["n"]) if "n" in arrays else dims + 1
        features = torch.from_numpy(arrays["features"]) if "features" in arrays else None
        return cls(FrechetStats.of(n, mu, sigma), features, _content(path, arrays))


def _read(path: Path) -> Mapping[str, np.ndarray]:
    """The arrays of an npz that has mu and sigma."""
    if not path.is_file():
        raise InputError(
            "StatisticsNotFound",
            f"There are no reference statistics at {path}: check evaluation.referenceStatsUri.",
        )
    try:
        with np.load(path, allow_pickle=False) as file:
            if not isinstance(file, np.lib.npyio.NpzFile):
                raise ValueError("it is a single array")
            arrays = {name: file[name] for name in file.files}
    except (OSError, ValueError, zipfile.BadZipFile) as error:
        raise InputError(
            "StatisticsUnreadable",
            f"{path} is no readable npz of numbers ({error}): give statistics with mu and sigma.",
        ) from error
    if not {"mu", "sigma"} <= arrays.keys():
        raise InputError(
            "StatisticsUnreadable",
            f"{path} holds {', '.join(sorted(arrays)) or 'no arrays'}, and not mu and sigma: give the "
            "statistics of the images' features, not the images.",
        )
    return arrays


def _content(path: Path, arrays: Mapping[str, np.ndarray]) -> Content:
    content = str(arrays["content"]) if "content" in arrays else "images"
    if content not in get_args(Content):
        raise InputError(
            "StatisticsUnreadable",
            f"{path} is of {content}, which this version does not know: give statistics of real images.",
        )
    return content


def _check(path: Path, mu: np.ndarray, sigma: np.ndarray, dims: int) -> None:
    if mu.shape != (dims,) or sigma.shape != (dims, dims):
        raise InputError(
            "StatisticsMismatch",
            f"{path} has mu of shape {mu.shape} and sigma of shape {sigma.shape}, and the extractor gives "
            f"{dims} features: give statistics of the same extractor.",
        )
    if not (np.isfinite(mu).all() and np.isfinite(sigma).all()):
        raise InputError(
            "StatisticsUnreadable",
            f"{path} holds NaN or infinity in mu or sigma: compute the statistics anew.",
        )
