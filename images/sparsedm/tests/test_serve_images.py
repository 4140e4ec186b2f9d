"""Sizes and formats."""

from __future__ import annotations

import io

import numpy as np
import pytest
from PIL import Image

from sparsedm.serve.images import encode, side_of


@pytest.mark.parametrize(
    ("size", "image_size", "want"),
    [(None, 32, 32), ("auto", 32, 32), ("32x32", 32, 32), ("512x512", 32, 512), ("600x600", 600, 600)],
)  # fmt: skip
def test_sizes_are_the_model_s_or_multiples(size: str | None, image_size: int, want: int) -> None:
    assert side_of(size, image_size) == want


@pytest.mark.parametrize(
    "size", ["33x33", "64x32", "0x0", "544x544", "32", "32x32x32", "-32x-32", "64X64", ""]
)
def test_other_sizes_are_refused_with_what_is_possible(size: str) -> None:
    with pytest.raises(ValueError, match="size must be auto, 32x32 or a whole multiple of it up to 512x512"):
        side_of(size, 32)


@pytest.mark.parametrize(("channels", "mode"), [(1, "L"), (3, "RGB")])
def test_a_image_keeps_its_pixels(channels: int, mode: str) -> None:
    pixels = np.arange(8 * 8 * channels, dtype=np.uint8).reshape(8, 8, channels)
    image = Image.open(io.BytesIO(encode(pixels, 8)))
    assert (image.format, image.mode, image.size) == ("PNG", mode, (8, 8))
    assert (np.asarray(image).reshape(pixels.shape) == pixels).all()


def test_an_enlarged_image_has_the_size_asked_for() -> None:
    image = Image.open(io.BytesIO(encode(np.full((8, 8, 1), 200, np.uint8), 32)))
    assert image.size == (32, 32)
    assert np.asarray(image).min() == np.asarray(image).max() == 200


@pytest.mark.parametrize("channels", [1, 3])
@pytest.mark.parametrize("format", ["jpeg", "webp"])
def test_other_formats_lose_the_more_the_lower_their_quality(format: str, channels: int) -> None:
    pixels = np.random.default_rng(0).integers(0, 256, (32, 32, channels), dtype=np.uint8)

    def loss(quality: int) -> float:
        image = Image.open(io.BytesIO(encode(pixels, 32, format, quality)))
        assert (image.format, image.size) == (format.upper(), (32, 32))
        found = np.asarray(image.convert("L" if channels == 1 else "RGB")).reshape(pixels.shape)
        return float(np.abs(found.astype(int) - pixels).mean())

    losses = [loss(quality) for quality in (100, 50, 0)]
    assert losses[0] < losses[1] < losses[2]
    assert len(encode(pixels, 32, format, 100)) > len(encode(pixels, 32, format, 50))


def test_the_finest_jpeg_keeps_a_colour_for_each_pixel() -> None:
    pixels = np.zeros((16, 16, 3), np.uint8)
    pixels[:, ::2, 0] = 255  # red and black columns, which a colour for two pixels would mix
    found = np.asarray(Image.open(io.BytesIO(encode(pixels, 16, "jpeg"))))
    assert np.abs(found.astype(int) - pixels).max() <= 4
