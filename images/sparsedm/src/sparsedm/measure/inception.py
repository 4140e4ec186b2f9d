"""The Inception network of FID: 2,048 features of an image, from weights that the user mounts.

FID is defined by one set of weights, TensorFlow's of 2015-12-05, whose conversion for torch is published as
pt_inception-2015-12-05-6726825d.pth. It is no part of this package: only the file with that digest makes the
metric `FID`. The same network with other weights is an extractor like any other, `fd-inception-<digest>`.

The images are prepared as pytorch-fid does, which most published FIDs of diffusion models come from.
torch-fidelity, whose network this is, resizes them otherwise (TensorFlow 1's corners), so its figures differ.
"""

from __future__ import annotations

import io
from pathlib import Path

import torch
from torch import Tensor, nn
from torch.nn import functional as F

from sparsedm.data.images import to_uint8
from sparsedm.errors import InputError
from sparsedm.files import file_sha256
from sparsedm.models.weight_files import read_tensors
from sparsedm.models.weights import check_finite

WEIGHTS_NAME = "pt_inception-2015-12-05-6726825d.pth"
STANDARD_SHA256 = "6726825d0af5f729cebd5821db510b11b1cfad8faad88a03f1befd49fb9129b2"
SIDE = 299
BATCH = 50
"""Images that go through the network at once: 50 take about 0.5 GiB."""


class Inception:
    """The network up to its last pooling, as a function from images to features."""

    dims = 2048
    preprocessing = "pytorch-fid: 8-bit RGB, bilinear (half-pixel centres) to 299x299, 2x - 1"

    def __init__(self, network: nn.Module, digest: str, standard: bool, device: torch.device) -> None:
        """`network` is torch-fidelity's; its blocks up to AvgPool are in evaluation order."""
        names = [name for name, _ in network.named_children()]
        blocks = list(network.children())[: names.index("AvgPool") + 1]
        self.network = nn.Sequential(*blocks).to(device).eval().requires_grad_(False)
        self.digest = digest
        self.name = "inception-2015-12-05" if standard else f"inception-{digest[:8]}"
        self.metric = "FID" if standard else f"fd-{self.name}"
        self._device = device

    @torch.no_grad()
    def __call__(self, images: Tensor) -> Tensor:
        """(B, 1 or 3, H, W) in [-1, 1] -> (B, 2048) on the CPU, of the images rounded to 8 bits."""
        parts = [self.features(prepared(part.to(self._device))) for part in to_uint8(images).split(BATCH)]
        return torch.cat(parts).cpu()

    def features(self, inputs: Tensor) -> Tensor:
        """(B, 3, 299, 299) in [-1, 1], already of the network's size -> (B, 2048)."""
        return self.network(inputs).flatten(1)

    def classify(self, images: Tensor) -> Tensor:
        raise InputError(
            "ExtractorMismatch",
            f"{self.name} does not know the classes of the data: use an extractor that "
            "`sparsedm train-extractor` made to count the images that are recognised.",
        )


def prepared(pixels: Tensor) -> Tensor:
    """(B, 1 or 3, H, W) uint8 -> (B, 3, 299, 299) in [-1, 1]; grey is taken as red, green and blue."""
    colours = pixels.expand(-1, 3, -1, -1) if pixels.shape[1] == 1 else pixels
    resized = F.interpolate(colours.float() / 255, size=(SIDE, SIDE), mode="bilinear", align_corners=False)
    return 2 * resized - 1


def load_inception(path: Path, device: torch.device, standard_sha256: str = STANDARD_SHA256) -> Inception:
    """From a .pth of tensors alone, which is never unpickled further. Raises InputError."""
    # Imported here because it takes seconds, and few runs need it.
    from torch_fidelity.feature_extractor_inceptionv3 import FeatureExtractorInceptionV3

    try:
        # The library unpickles its input, so it gets tensors that were read safely.
        tensors, file = read_tensors(path), io.BytesIO()
        torch.save(tensors, file)
        file.seek(0)
        network = FeatureExtractorInceptionV3("inception", ["2048"], feature_extractor_weights_path=file)
    except (InputError, RuntimeError) as error:
        raise InputError(
            "ExtractorUnreadable",
            f"{path} does not hold the weights of FID's Inception network, as {WEIGHTS_NAME} does "
            f"({str(error).splitlines()[0].rstrip(':.')}): mount that file.",
        ) from error
    check_finite(tensors.items(), path, "ExtractorNotFinite")
    digest = file_sha256(path)
    return Inception(network, digest, digest == standard_sha256, device)
