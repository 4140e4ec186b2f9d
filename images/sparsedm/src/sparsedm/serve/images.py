"""Images as clients get them: PNG, JPEG or WebP, enlarged by a whole factor when asked."""

from __future__ import annotations

import base64
import io
import re

import numpy as np
from PIL import Image

LARGEST_SIDE = 512
BEST = 100
"""`output_compression` of the finest JPEG or WebP, OpenAI's default."""
SIZE = re.compile(r"([1-9]\d{0,4})x([1-9]\d{0,4})")


def side_of(size: str | None, image_size: int) -> int:
    """The side of a square image in pixels from "64x64" or "auto". Raises ValueError with a sentence."""
    if size in (None, "auto"):
        return image_size
    found = SIZE.fullmatch(size)
    side = int(found[1]) if found and found[1] == found[2] else 0
    largest = max(image_size, LARGEST_SIDE // image_size * image_size)
    if not side or side % image_size or side > largest:
        raise ValueError(
            f"size must be auto, {image_size}x{image_size} or a whole multiple of it "
            f"up to {largest}x{largest}."
        )
    return side


def encode(pixels: np.ndarray, side: int, format: str = "png", quality: int = BEST) -> bytes:
    """`pixels` is (H, W, C) uint8 with one channel or three. quality: 0 to 100, of a JPEG or WebP; PNG loses
    nothing."""
    image = Image.fromarray(pixels[:, :, 0] if pixels.shape[2] == 1 else pixels)
    if image.width != side:
        image = image.resize((side, side), Image.Resampling.BICUBIC)
    buffer = io.BytesIO()
    # At their best, JPEG keeps a colour for each pixel (4:4:4); 100 is above what its authors advise.
    detail = {} if format == "png" else {"quality": quality}
    if format == "jpeg" and quality == BEST:
        detail["subsampling"] = 0
    image.save(buffer, format=format.upper(), **detail)
    return buffer.getvalue()


def encode_base64(pixels: np.ndarray, side: int, format: str = "png", quality: int = BEST) -> str:
    return base64.b64encode(encode(pixels, side, format, quality)).decode("ascii")
