"""Converts any image that Pillow opens to 8-bit grey or RGB, by one stated rule for each kind.

The rules, which docs/data.md has in a table: an image is turned by its EXIF orientation; its colours are
converted to sRGB by its own profile; what is transparent shows WHITE; 16 bits become 8 by 257; of several
frames the first is used. An image whose values have no defined black and white (32-bit integers, floats) is
refused.
"""

from __future__ import annotations

import io
from collections.abc import Iterator
from functools import lru_cache
from typing import Literal

import numpy as np
from PIL import ExifTags, Image, ImageCms, ImageOps

Mode = Literal["L", "RGB"]

BACKGROUND = (255, 255, 255)
GREY_16 = frozenset(["I;16", "I;16L", "I;16B", "I;16N"])
BASE = {
    **dict.fromkeys(["1", "L", "LA", "La", *GREY_16], "L"),
    **dict.fromkeys(["P", "PA", "RGB", "RGBA", "RGBa", "RGBX", "YCbCr", "HSV"], "RGB"),
    "CMYK": "CMYK",
    "LAB": "LAB",
}
"""Mode of an image -> the mode in which its colours are 8 bits without transparency."""
SPACES = {"GRAY": "L", "RGB": "RGB", "CMYK": "CMYK"}
"""Colour space of a profile -> the mode whose colours it describes."""
MAX_16 = 65535
SAME = 2
"""Largest difference, of 255, between two copies of the same profile: they round their curves."""
STILL = frozenset(["MPO", "PSD", "ICO", "ICNS"])
"""Formats whose further frames are previews, layers or other sizes of the first."""
_BITS_PER_SAMPLE, _PHOTOMETRIC = 258, 262
_WHITE_IS_ZERO = 0

TRANSPARENT = "images with an alpha channel or a transparent colour, composed over white"
"""By the header, which does not tell whether any pixel of such an image is transparent."""
TURNED = "images turned by their EXIF orientation"
DEEP = "16-bit grey images, scaled to 8 bits"
PROFILED = "images with a colour profile, converted to sRGB"
UNPROFILED = "images with an unusable colour profile, taken as sRGB"
FRAMES = "images with several frames, of which the first is used"


def obstacle(image: Image.Image) -> str | None:
    """Why an open image can't be converted, by its header, as a clause; None when it can."""
    if image.mode in BASE or _scaled_by_pillow(image):
        return None
    if image.mode in ("I", "F"):
        values = "32-bit integers" if image.mode == "I" else "floating-point numbers"
        return f"its values are {values}, without a stated black and white: save it with 8 or 16 bits"
    return f"its colours have the unknown mode {image.mode}: save it as RGB"


def remarks(image: Image.Image) -> Iterator[str]:
    """What the conversion of an open image will change, by its header."""
    if image.has_transparency_data:
        yield TRANSPARENT
    if image.mode in GREY_16 or _scaled_by_pillow(image):
        yield DEEP
    # A PNG's EXIF data may follow its pixels, which Pillow would decode to find it.
    if (image.format != "PNG" or "exif" in image.info) and orientation(image) != 1:
        yield TURNED
    if profile := image.info.get("icc_profile"):
        conversion = _to_srgb(profile, BASE.get(image.mode, "L"))
        if conversion is None:
            yield UNPROFILED
        elif conversion.transform is not None:
            yield PROFILED
    if getattr(image, "is_animated", False) and image.format not in STILL:
        yield FRAMES


def orientation(image: Image.Image) -> int:
    """1 to 8; from 5 on, width and height are swapped."""
    value = image.getexif().get(ExifTags.Base.Orientation, 1)
    return value if value in range(1, 9) else 1


def converted(image: Image.Image, mode: Mode) -> Image.Image:
    """The image, decoded here, in 8-bit "L" or "RGB". Raises as Pillow does where it is damaged."""
    rounded = any(";16" in str(tile.args) for tile in getattr(image, "tile", []))
    profile = image.info.get("icc_profile")
    image.load()
    if rounded and image.mode == "RGB":
        _round_transparency(image)
    upright = ImageOps.exif_transpose(image) if orientation(image) != 1 else image
    colours, alpha = _parted(upright)
    colours = _in_srgb(colours, profile)
    if alpha is not None:
        paper = Image.new(colours.mode, colours.size, BACKGROUND if colours.mode == "RGB" else 255)
        colours = Image.composite(colours, paper, alpha)
    return colours.convert(mode)


def _scaled_by_pillow(image: Image.Image) -> bool:
    """A PGM of more than 8 bits, whose values Pillow brings to 0 ... 65535."""
    return image.mode == "I" and image.format == "PPM"


def _round_transparency(image: Image.Image) -> None:
    """The transparent colour of a 16-bit PNG, as Pillow has cut the pixels: to their upper 8 bits."""
    colour = image.info.get("transparency")
    if isinstance(colour, tuple):
        image.info["transparency"] = tuple(value >> 8 for value in colour)


def _parted(image: Image.Image) -> tuple[Image.Image, Image.Image | None]:
    """Colours in their base mode, and the mask of what is opaque, or None."""
    if image.mode in GREY_16 or image.mode == "I":
        return _grey_of_16(image)
    base = BASE[image.mode]
    if not image.has_transparency_data:
        return image if image.mode == base else image.convert(base), None
    # Premultiplied colours are divided first; convert() drops alpha and keeps the colours below it.
    whole = image.convert("LA" if image.mode in ("La", "LA") else "RGBA")
    return whole.convert("L" if base == "L" else "RGB"), whole.getchannel("A")


def _grey_of_16(image: Image.Image) -> tuple[Image.Image, Image.Image | None]:
    """Worked example: 65535 -> 255, 32896 = 128 · 257 -> 128, 257 -> 1."""
    values = np.asarray(image).astype(np.uint32)
    tags = getattr(image, "tag_v2", {})
    bits = tags.get(_BITS_PER_SAMPLE, (16,))[0]
    highest = 2**bits - 1 if 8 < bits < 16 else MAX_16
    grey = np.minimum((values * 255 + highest // 2) // highest, 255).astype(np.uint8)
    if tags.get(_PHOTOMETRIC) == _WHITE_IS_ZERO:
        grey = 255 - grey
    clear = image.info.get("transparency")
    alpha = None
    if isinstance(clear, int):
        alpha = Image.fromarray(np.where(values == clear, 0, 255).astype(np.uint8))
    return Image.fromarray(grey), alpha


def _in_srgb(colours: Image.Image, profile: bytes | None) -> Image.Image:
    """Without a profile grey stays "L"."""
    if colours.mode == "LAB":
        return ImageCms.applyTransform(colours, _from_lab())
    conversion = _to_srgb(profile, colours.mode) if profile else None
    if conversion is not None and conversion.transform is not None:
        return ImageCms.applyTransform(colours, conversion.transform)
    return colours.convert("RGB") if colours.mode == "CMYK" else colours


class _Conversion:
    """`transform` is None where the profile is sRGB's own."""

    def __init__(self, transform: ImageCms.ImageCmsTransform | None) -> None:
        self.transform = transform


@lru_cache(maxsize=64)
def _to_srgb(profile: bytes, mode: str) -> _Conversion | None:
    """From "L", "RGB" or "CMYK" under a profile to "RGB" under sRGB; None for an unusable profile."""
    try:
        source = ImageCms.ImageCmsProfile(io.BytesIO(profile))
        if SPACES.get(source.profile.xcolor_space.strip()) != mode:
            return None
        transform = ImageCms.buildTransform(source, ImageCms.createProfile("sRGB"), mode, "RGB")
    except (OSError, ImageCms.PyCMSError):
        return None
    return _Conversion(None if _changes_nothing(transform, mode) else transform)


def _changes_nothing(transform: ImageCms.ImageCmsTransform, mode: str) -> bool:
    if mode == "CMYK":
        return False
    steps = np.arange(0, 256, 15, dtype=np.uint8)
    colours = np.stack(np.meshgrid(steps, steps, steps), axis=-1).reshape(len(steps), -1, 3)
    probe = Image.fromarray(colours if mode == "RGB" else np.arange(256, dtype=np.uint8)[None])
    found = np.asarray(ImageCms.applyTransform(probe, transform)).astype(int)
    return bool(np.abs(found - np.asarray(probe.convert("RGB"))).max() <= SAME)


@lru_cache(maxsize=1)
def _from_lab() -> ImageCms.ImageCmsTransform:
    return ImageCms.buildTransform(
        ImageCms.createProfile("LAB"), ImageCms.createProfile("sRGB"), "LAB", "RGB"
    )
