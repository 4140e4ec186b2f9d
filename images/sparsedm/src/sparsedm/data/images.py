"""Tensors of images as bytes, and several as one image."""

from __future__ import annotations

import math

import numpy as np
import torch
from PIL import Image
from torch import Tensor


def to_uint8(images: Tensor) -> Tensor:
    """(B, C, H, W) float in [-1, 1] -> the same shape in uint8, rounded to the nearest of 0..255; bytes stay.

    Worked example: -1 -> 0, 0 -> 128 (127.5 rounds to even), 1 -> 255.
    """
    if images.dtype == torch.uint8:
        return images.to("cpu")
    return images.float().clamp(-1.0, 1.0).add(1.0).mul(127.5).round().to("cpu").byte()


def image_grid(images: Tensor, columns: int | None = None, gap: int = 2, scale: int = 1) -> Image.Image:
    """Images (B, C, H, W) in [-1, 1], row by row, as one image; 1 channel gives a grey one, 3 give RGB.

    columns: images in a row (default: as square as possible). gap: white pixels between images. scale: each
    pixel becomes scale x scale.
    """
    count, channels, height, width = images.shape
    if channels not in (1, 3):
        raise ValueError(f"An image has 1 or 3 channels, not {channels}: decode latents first.")
    if count == 0:
        raise ValueError("A grid needs at least one image.")
    columns = min(count, columns or math.ceil(math.sqrt(count)))
    rows = math.ceil(count / columns)
    canvas = np.full(
        (rows * (height + gap) - gap, columns * (width + gap) - gap, channels), 255, dtype=np.uint8
    )
    for index, pixels in enumerate(to_uint8(images).permute(0, 2, 3, 1).numpy()):
        top, left = (index // columns) * (height + gap), (index % columns) * (width + gap)
        canvas[top : top + height, left : left + width] = pixels
    image = Image.fromarray(canvas[:, :, 0] if channels == 1 else canvas)
    return image.resize((image.width * scale, image.height * scale), Image.Resampling.NEAREST)
