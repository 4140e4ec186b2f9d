"""From latents to images, by diffusers' AutoencoderKL, which the user mounts."""

from __future__ import annotations

import json
from pathlib import Path

import torch
from safetensors.torch import save
from torch import Tensor

from sparsedm.errors import InputError
from sparsedm.models.denoisers import CONFIG_FILE, WEIGHTS_FILE, library
from sparsedm.models.weights import load_weights

CLASS = "AutoencoderKL"
BATCH = 8
"""Latents decoded together: an image's activations take far more memory than a latent's."""


class Autoencoder:
    """A function from latents (B, 4, H, W) to images (B, 3, 8H, 8W) in [-1, 1], float32 on the CPU.

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
    def __call__(self, latents: Tensor) -> Tensor:
        parts = [self._decode(part) for part in latents.split(BATCH)]
        return torch.cat(parts)

    def _decode(self, latents: Tensor) -> Tensor:
        images = self._network.decode(latents.to(self._device) / self.scale).sample
        return images.clamp(-1.0, 1.0).float().cpu()
