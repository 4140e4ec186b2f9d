"""A small classifier of clothes, whose features measure the distance between sets of images.

`sparsedm train-extractor` trains it; the weights ship with the package. Its features are the 64 values before
the last activation, standardised over the training images, so that a Frechet distance has the scale of
variances: the training images themselves have a total variance of 64.
"""

from __future__ import annotations

from itertools import pairwise
from pathlib import Path
from typing import Protocol

import torch
from safetensors import SafetensorError, safe_open
from safetensors.torch import load_file
from torch import Tensor, nn
from torch.nn import functional as F
from tqdm import tqdm

from sparsedm.data import Dataset, SampleOrder
from sparsedm.data.images import to_uint8
from sparsedm.errors import InputError
from sparsedm.files import file_sha256
from sparsedm.measure.inception import STANDARD_SHA256, WEIGHTS_NAME, load_inception
from sparsedm.models.weights import check_finite

FEATURES = 64
CPU = torch.device("cpu")


class FeatureExtractor(Protocol):
    """A network as a function from images to `dims` features. `metric` is the name of a distance
    over them, `preprocessing` describes how images are prepared, `digest` is the sha256 of the network's
    file."""

    name: str
    metric: str
    digest: str
    dims: int
    preprocessing: str

    def __call__(self, images: Tensor) -> Tensor: ...

    def classify(self, images: Tensor) -> Tensor: ...


class Classifier(nn.Module):
    """Three convolutions with batch norm and pooling, a layer of features, a linear head; 32x32 input."""

    def __init__(self, channels: int, classes: int) -> None:
        super().__init__()
        widths = [channels, 24, 48, 96]
        self.stages = nn.Sequential(
            *(
                nn.Sequential(
                    nn.Conv2d(i, o, 3, padding=1, bias=False), nn.BatchNorm2d(o), nn.ReLU(), nn.MaxPool2d(2)
                )
                for i, o in pairwise(widths)
            )
        )
        self.embed = nn.Linear(widths[-1] * 4 * 4, FEATURES)
        self.head = nn.Linear(FEATURES, classes)
        self.register_buffer("feature_mean", torch.zeros(FEATURES))
        self.register_buffer("feature_std", torch.ones(FEATURES))

    def embedding(self, x: Tensor) -> Tensor:
        """(B, C, 32, 32) in [-1, 1] -> (B, 64), before standardisation."""
        return self.embed(self.stages(x).flatten(1))

    def forward(self, x: Tensor) -> Tensor:
        """(B, C, 32, 32) in [-1, 1] -> (B, classes) logits."""
        return self.head(F.relu(self.embedding(x)))


class Extractor:
    """A loaded classifier as a function from images to features."""

    dims = FEATURES
    preprocessing = "8-bit, as large as drawn, x / 127.5 - 1"

    def __init__(self, network: Classifier, name: str, digest: str) -> None:
        # On a CPU convolutions and pooling take half of the time with the channels last.
        self.network = network.eval().requires_grad_(False).to(memory_format=torch.channels_last)
        self.name = name
        self.metric = f"fd-{name}"
        self.digest = digest

    @torch.no_grad()
    def __call__(self, images: Tensor) -> Tensor:
        """(B, C, 32, 32) in [-1, 1] -> (B, 64) standardised features, of the images rounded to 8 bits."""
        network = self.network
        return (network.embedding(_as_bytes(images)) - network.feature_mean) / network.feature_std

    @torch.no_grad()
    def classify(self, images: Tensor) -> Tensor:
        """(B, C, 32, 32) in [-1, 1] -> (B,) int64, the most likely class of each image."""
        return self.network(_as_bytes(images)).argmax(dim=1)


def _as_bytes(images: Tensor) -> Tensor:
    """Rounds to 8 bits, as saved images and the data set's images have."""
    floats = to_uint8(images).float().div_(127.5).sub_(1.0)
    return floats.contiguous(memory_format=torch.channels_last)


def load_extractor(
    path: str | Path, device: torch.device = CPU, standard_sha256: str = STANDARD_SHA256
) -> tuple[FeatureExtractor, str, str]:
    """The extractor at `path` with its name and the sha256 of its file.

    A .pth holds the Inception network of FID, which computes on `device`; only the file whose digest is
    `standard_sha256` makes the metric FID. Anything else is a classifier of this package, on the CPU.
    """
    path = Path(path)
    inception = path.suffix in (".pth", ".pt")
    if not path.is_file():
        remedy = f" FID needs {WEIGHTS_NAME}, which does not ship: put it there." if inception else ""
        raise InputError(
            "ExtractorNotFound", f"There is no extractor at {path}: check evaluation.extractorUri.{remedy}"
        )
    extractor = load_inception(path, device, standard_sha256) if inception else _load_classifier(path)
    return extractor, extractor.name, extractor.digest


def _load_classifier(path: Path) -> Extractor:
    try:
        with safe_open(path, framework="pt") as file:
            metadata = file.metadata() or {}
        network = Classifier(int(metadata["channels"]), int(metadata["classes"]))
        tensors, name = load_file(path), metadata["name"]
        check_finite(tensors.items(), path, "ExtractorNotFinite")
        network.load_state_dict(tensors, strict=True)
    except (SafetensorError, KeyError, ValueError, RuntimeError) as error:
        raise InputError(
            "ExtractorUnreadable",
            f"{path} is no extractor of this package ({error}): make one with `sparsedm train-extractor`.",
        ) from error
    return Extractor(network, name, file_sha256(path))


def accuracy(extractor: FeatureExtractor, data: Dataset, batch: int = 500) -> float:
    """Accuracy on the data set's images."""
    right = 0
    for start in range(0, len(data), batch):
        x, y = data.batch(range(start, min(start + batch, len(data))))
        right += int((extractor.classify(x) == y).sum())
    return right / len(data)


def train_classifier(
    data: Dataset, epochs: int, seed: int, batch: int = 128, rate: float = 4e-3
) -> Classifier:
    """Cross entropy with AdamW under a one-cycle rate, then the features' mean and deviation over `data`."""
    if data.labels is None:
        raise InputError(
            "DatasetMismatch", "An extractor is trained as a classifier: the data set needs labels."
        )
    torch.manual_seed(seed)
    network = Classifier(data.batch([0])[0].shape[1], int(data.labels.max()) + 1)
    optimizer = torch.optim.AdamW(network.parameters(), lr=rate, weight_decay=0.01)
    order, steps = SampleOrder(len(data), seed), max(2, epochs * len(data) // batch)
    schedule = torch.optim.lr_scheduler.OneCycleLR(optimizer, max_lr=rate, total_steps=steps)
    for step in (bar := tqdm(range(steps), mininterval=2)):
        x, y = data.training_batch(order, step * batch, batch)
        loss = F.cross_entropy(network(x), y, label_smoothing=0.05)
        optimizer.zero_grad(set_to_none=True)
        loss.backward()
        optimizer.step()
        schedule.step()
        if step % 20 == 0:
            bar.set_postfix_str(f"loss {loss.item():.3f}")
    _standardise(network, data)
    return network


@torch.no_grad()
def _standardise(network: Classifier, data: Dataset, batch: int = 500) -> None:
    network.eval()
    parts = [
        network.embedding(data.batch(range(start, min(start + batch, len(data))))[0])
        for start in range(0, len(data), batch)
    ]
    features = torch.cat(parts).double()
    network.feature_mean.copy_(features.mean(dim=0))
    network.feature_std.copy_(features.std(dim=0))
