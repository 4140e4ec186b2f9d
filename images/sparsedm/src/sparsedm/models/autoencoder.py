"""From latents to images, by diffusers' AutoencoderKL, which the user mounts."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import torch
from safetensors.torch import save
from torch import Tensor

from sparsedm.errors import InputError
from sparsedm.models.denoisers import CONFIG_FILE, WEIGHTS_FILE, library
from sparsedm.models.weights import load_weights

CLASS = "AutoencoderKL"
SMALL_WIDTHS = (8, 16, 32)
BATCH = 8
"""Latents decoded together: an image's activations take far more memory than a latent's."""


class Autoencoder:
    """A function from latents (B, 4, H, W) to images (B, 3, fH, fW) in [-1, 1], float32 on the CPU, with the
    factor f of the autoencoder: 8 in published ones.

    `scale` is what training multiplied the latents by. Raises InputError for another class or files.
    """

    def __init__(self, directory: Path, scale: float, device: torch.device | str = "cpu") -> None:
        try:
            settings = json.loads((directory / CONFIG_FILE).read_text(encoding="utf-8"))
            found = settings["_class_name"]
        except (OSError, ValueError, KeyError, TypeError) as error:
            raise InputError(
                "AutoencoderNotFound",
                f"There is no readable {CONFIG_FILE} of diffusers in {directory} "
                f"({type(error).__name__}: {error}): check evaluation.autoencoderUri.",
            ) from error
        if found != CLASS:
            raise InputError(
                "AutoencoderUnsupported", f"{directory} holds a {found}: latents are decoded by {CLASS}."
            )
        network = library().AutoencoderKL.from_config(settings)
        load_weights(network, directory / WEIGHTS_FILE, not_finite="AutoencoderNotFinite")
        self._network = network.to(device).eval().requires_grad_(False)
        self.scale, self._device = scale, device
        self._settings = settings

    def files(self) -> dict[str, bytes]:
        """What `Autoencoder(folder)` and diffusers read, by name; equal autoencoders give equal bytes."""
        weights = {name: t.contiguous().cpu() for name, t in sorted(self._network.state_dict().items())}
        settings = json.dumps(self._settings, indent=2, sort_keys=True) + "\n"
        return {CONFIG_FILE: settings.encode(), WEIGHTS_FILE: save(weights)}

    @torch.no_grad()
    def moments(self, images: Tensor) -> Tensor:
        """(B, 3, fH, fW) in [-1, 1] -> (B, 8, H, W): mean and log-variance of the latents, before `scale`."""
        parts = (self._network.encode(part.to(self._device)) for part in images.split(BATCH))
        return torch.cat([part.latent_dist.parameters.float().cpu() for part in parts]).contiguous()

    @property
    def factor(self) -> int:
        """f: pixels to a latent's value, in each direction."""
        return 2 ** (len(self._network.config.block_out_channels) - 1)

    @torch.no_grad()
    def __call__(self, latents: Tensor) -> Tensor:
        parts = [self._decode(part) for part in latents.split(BATCH)]
        return torch.cat(parts)

    def _decode(self, latents: Tensor) -> Tensor:
        images = self._network.decode(latents.to(self._device) / self.scale).sample
        return images.clamp(-1.0, 1.0).float().cpu()


def new_autoencoder(image_side: int) -> Any:
    """diffusers' AutoencoderKL of 0.2 M parameters with random weights: (B, 3, S, S) <-> (B, 4, S/4, S/4)."""
    levels = len(SMALL_WIDTHS)
    return library().AutoencoderKL(
        down_block_types=["DownEncoderBlock2D"] * levels,
        up_block_types=["UpDecoderBlock2D"] * levels,
        block_out_channels=SMALL_WIDTHS,
        layers_per_block=1,
        norm_num_groups=8,
        latent_channels=4,
        sample_size=image_side,
        scaling_factor=1.0,
    )


@torch.no_grad()
def standardise(network: Any, means: Tensor) -> None:
    """Moves and scales each channel of the latents, inside the network, so that `means` (N, 4, H, W), those
    of its images, have mean 0 and deviation 1. What it decodes is the same as before."""
    mean, deviation = means.mean((0, 2, 3)), means.std((0, 2, 3))
    out, into = network.quant_conv, network.post_quant_conv
    half = len(mean)
    out.bias[:half] = (out.bias[:half] - mean) / deviation
    out.weight[:half] /= deviation[:, None, None, None]
    out.bias[half:] -= 2 * deviation.log()
    into.bias += into.weight[:, :, 0, 0] @ mean
    into.weight *= deviation[None, :, None, None]
