"""Every kind of image that Pillow opens becomes grey or RGB by its stated rule, or is refused by name.

Several cases replay public reports: 16-bit grey clipped to white, hidden colours of transparent images
(kohya-ss/sd-scripts 1269), profiles ignored (kohya-ss/sd-scripts 2210), photographs trained on sideways
(huggingface/diffusers 3465, kohya-ss/sd-scripts 1316).
"""

from __future__ import annotations

import io
import struct
import zlib
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
from PIL import Image, ImageCms, TiffImagePlugin

from sparsedm.data import Dataset, open_dataset
from sparsedm.data.contents import lines, record
from sparsedm.errors import InputError

SIDE = 8
RED, WHITE = (255, 0, 0), (255, 255, 255)


def opened(folder: Path, channels: int = 3) -> Dataset:
    return open_dataset("image-folder", folder, SIDE, channels)


def colours(folder: Path) -> tuple[list[tuple[int, ...]], list[int], list[str]]:
    """The RGB value at the upper left of each image, the grey one, and the notes about them."""
    rgb, grey = opened(folder), opened(folder, 1)
    assert lines(record(rgb)) == lines(record(grey))
    values = [
        ((data.batch(range(len(data)))[0] + 1) * 127.5).round().int()[:, :, 0, 0].tolist()
        for data in (rgb, grey)
    ]
    return [tuple(v) for v in values[0]], [v[0] for v in values[1]], lines(record(rgb))[1:]


def flat(mode: str, colour: object) -> Image.Image:
    return Image.new(mode, (SIDE, SIDE), colour)


def deep(value: int, format: str = "<u2") -> Image.Image:
    return Image.fromarray(np.full((SIDE, SIDE), value, dtype=np.uint16).astype(format))


def palette(alpha: int | None) -> Image.Image:
    image = flat("P", 1)
    image.putpalette([0, 0, 0, *RED])
    if alpha is not None:
        image.info["transparency"] = bytes([255, alpha])
    return image


def luma(colour: tuple[int, int, int]) -> int:
    return round(0.299 * colour[0] + 0.587 * colour[1] + 0.114 * colour[2])


TRANSPARENT = "Images with an alpha channel or a transparent colour, composed over white: 1 (x.{})."
DEEP = "16-bit grey images, scaled to 8 bits: 1 (x.{})."


@pytest.mark.parametrize(
    ("image", "ending", "want", "told"),
    [
        pytest.param(flat("1", 1), "png", WHITE, "", id="black and white"),
        pytest.param(flat("L", 77), "png", (77, 77, 77), "", id="grey"),
        pytest.param(flat("RGB", (10, 20, 30)), "png", (10, 20, 30), "", id="colour"),
        pytest.param(flat("LA", (0, 0)), "png", WHITE, TRANSPARENT, id="grey, hidden black"),
        pytest.param(flat("LA", (0, 51)), "png", (204,) * 3, TRANSPARENT, id="grey, a fifth of it opaque"),
        pytest.param(flat("LA", (77, 255)), "png", (77,) * 3, TRANSPARENT, id="grey, opaque"),
        pytest.param(flat("RGBA", (*RED, 0)), "png", WHITE, TRANSPARENT, id="hidden red"),
        pytest.param(flat("RGBA", (*RED, 0)), "tif", WHITE, TRANSPARENT, id="hidden red in TIFF"),
        pytest.param(flat("RGBA", (0, 0, 0, 0)), "webp", WHITE, TRANSPARENT, id="hidden black in WebP"),
        pytest.param(flat("RGBA", (*RED, 51)), "png", (255, 204, 204), TRANSPARENT, id="a fifth of red"),
        pytest.param(palette(None), "png", RED, "", id="palette"),
        pytest.param(palette(0), "png", WHITE, TRANSPARENT, id="palette, transparent entry"),
        pytest.param(palette(51), "png", (255, 204, 204), TRANSPARENT, id="palette, entry of a fifth"),
        pytest.param(flat("PA", 0), "tif", WHITE, TRANSPARENT, id="palette with alpha"),
        pytest.param(flat("CMYK", (0, 255, 255, 0)), "jpg", RED, "", id="CMYK as Adobe inverts it"),
        pytest.param(flat("CMYK", (0, 0, 0, 0)), "jpg", WHITE, "", id="CMYK without ink"),
        pytest.param(flat("CMYK", (0, 255, 255, 0)), "tif", RED, "", id="CMYK in TIFF"),
        pytest.param(flat("YCbCr", (255, 128, 128)), "tif", WHITE, "", id="YCbCr"),
        pytest.param(flat("LAB", (255, 128, 128)), "tif", WHITE, "", id="Lab, white"),
        pytest.param(deep(65535), "png", WHITE, DEEP, id="16-bit white"),
        pytest.param(deep(0x8080), "png", (128,) * 3, DEEP, id="16-bit grey"),
        pytest.param(deep(300), "png", (1,) * 3, DEEP, id="16-bit, nearly black"),
        pytest.param(deep(0x8080), "tif", (128,) * 3, DEEP, id="16-bit TIFF"),
        pytest.param(deep(0x8080, ">u2"), "tif", (128,) * 3, DEEP, id="16-bit TIFF, big-endian"),
        pytest.param(deep(0x8080), "pgm", (128,) * 3, DEEP, id="16-bit PGM"),
    ],
)
def test_each_mode_has_its_rule(
    tmp_path: Path, image: Image.Image, ending: str, want: tuple[int, int, int], told: str
) -> None:
    lossless = {"lossless": True, "exact": True} if ending == "webp" else {}
    image.save(tmp_path / f"x.{ending}", quality=100, **lossless)
    rgb, grey, said = colours(tmp_path)
    assert np.abs(np.array(rgb[0]) - want).max() <= (2 if ending == "jpg" else 1)
    assert abs(grey[0] - luma(want)) <= 2
    assert said == ([told.format(ending)] if told else [])


def chunk(kind: bytes, body: bytes) -> bytes:
    return struct.pack(">I", len(body)) + kind + body + struct.pack(">I", zlib.crc32(kind + body))


def png(depth: int, kind: int, pixel: bytes, *chunks: tuple[bytes, bytes], side: int = SIDE) -> bytes:
    """A PNG of one colour, for what Pillow does not write."""
    header = struct.pack(">2I5B", side, side, depth, kind, 0, 0, 0)
    rows = zlib.compress((b"\0" + pixel * side) * side)
    parts = [chunk(b"IHDR", header), *(chunk(*c) for c in chunks), chunk(b"IDAT", rows), chunk(b"IEND", b"")]
    return b"\x89PNG\r\n\x1a\n" + b"".join(parts)


@pytest.mark.parametrize(
    ("depth", "kind", "pixel", "transparent", "want"),
    [
        pytest.param(8, 0, b"\x40", b"\0\x40", 255, id="grey"),
        pytest.param(8, 0, b"\x40", b"\0\x41", 0x40, id="grey, another colour"),
        pytest.param(8, 2, b"\x40\x40\x40", b"\0\x40" * 3, 255, id="RGB"),
        pytest.param(16, 0, b"\x40\x40", b"\x40\x40", 255, id="16-bit grey"),
        pytest.param(16, 0, b"\x40\x40", b"\x40\x41", 0x40, id="16-bit grey, another colour"),
        pytest.param(16, 2, b"\x40\x40" * 3, b"\x40\x40" * 3, 255, id="16-bit RGB"),
        pytest.param(16, 2, b"\x40\x40" * 3, b"\x50\x50" * 3, 0x40, id="16-bit RGB, another colour"),
    ],
)
def test_a_transparent_colour_shows_white(
    tmp_path: Path, depth: int, kind: int, pixel: bytes, transparent: bytes, want: int
) -> None:
    (tmp_path / "x.png").write_bytes(png(depth, kind, pixel, (b"tRNS", transparent)))
    assert colours(tmp_path)[:2] == ([(want,) * 3], [want])


def test_sixteen_bit_colour_keeps_its_upper_bits(tmp_path: Path) -> None:
    (tmp_path / "x.png").write_bytes(png(16, 2, b"\xff\xff\x80\x80\x00\xff"))
    assert colours(tmp_path)[0] == [(255, 128, 0)]


def tiff(bits: tuple[int, ...], values: bytes, photometric: int, extra: int | None = None) -> bytes:
    """An uncompressed TIFF of 8x8, for what Pillow does not write."""
    tags = TiffImagePlugin.ImageFileDirectory_v2()
    for number, value in ((256, SIDE), (257, SIDE), (258, bits), (259, 1), (262, photometric)):
        tags[number] = value
    if extra is not None:
        tags[338] = extra
    tags[277], tags[278], tags[279], tags[273] = len(bits), SIDE, len(values), 0
    return b"II*\0" + struct.pack("<I", 8) + tags.tobytes(8) + values  # strips count from the tags' end


@pytest.mark.parametrize(
    ("bits", "values", "photometric", "want"),
    [
        pytest.param(16, b"\xff\xff" * 64, 1, 255, id="16 bits"),
        pytest.param(16, b"\xff\xff" * 64, 0, 0, id="16 bits, white is 0"),
        pytest.param(12, b"\xff\xff\xff" * 32, 1, 255, id="12 bits"),
        pytest.param(12, b"\x80\x08\x00" * 32, 1, 128, id="12 bits, grey"),
        pytest.param(8, b"\x40" * 64, 0, 0xBF, id="8 bits, white is 0"),
    ],
)
def test_the_depth_and_white_of_a_tiff_count(
    tmp_path: Path, bits: int, values: bytes, photometric: int, want: int
) -> None:
    (tmp_path / "x.tif").write_bytes(tiff((bits,), values, photometric))
    assert abs(colours(tmp_path)[1][0] - want) <= 1


def test_premultiplied_colours_are_divided_first(tmp_path: Path) -> None:
    """ExtraSamples 1: a fifth of red is stored as 51, 0, 0, 51."""
    values = bytes([51, 0, 0, 51]) * SIDE**2
    (tmp_path / "x.tif").write_bytes(tiff((8, 8, 8, 8), values, photometric=2, extra=1))
    assert colours(tmp_path)[0] == [(255, 204, 204)]


@pytest.mark.parametrize(
    ("write", "want"),
    [
        (lambda f: Image.fromarray(np.full((8, 8), 70000, np.int32)).save(f), "values are 32-bit integers"),
        (lambda f: Image.fromarray(np.full((8, 8), 0.5, np.float32)).save(f), "are floating-point numbers"),
        (lambda f: f.write_bytes(png(8, 0, b"\0", side=20_000)), "exceeds limit"),
        (lambda f: Image.new("L", (1, 1)).save(f), "has 1x1 pixels, and the model takes 8x8: resize"),
        (lambda f: Image.new("L", (16, 16)).save(f), "has 16x16 pixels, and the model takes 8x8: resize"),
        (lambda f: f.write_bytes(png(8, 0, b"", side=0)), "is not a readable image"),
        (lambda f: f.write_bytes(b""), "is not a readable image"),
    ],
    ids=["integers", "floats", "a bomb", "one pixel", "larger", "no pixels", "no bytes"],
)
@pytest.mark.parametrize("channels", [1, 3])
def test_what_cannot_be_converted_is_refused_by_name_at_the_start(
    tmp_path: Path, write: Callable[[Path], None], want: str, channels: int
) -> None:
    flat("L", 0).save(tmp_path / "a.png")
    write(tmp_path / "x.tif")
    with pytest.raises(InputError, match=rf"x\.tif .*{want}"):
        opened(tmp_path, channels)


# --- orientation -----------------------------------------------------------------------------------------

QUARTERS = np.kron(np.array([[0, 80], [160, 240]], dtype=np.uint8), np.ones((4, 4), dtype=np.uint8))
UPRIGHT = {
    1: [0, 80, 160, 240], 2: [80, 0, 240, 160], 3: [240, 160, 80, 0], 4: [160, 240, 0, 80],
    5: [0, 160, 80, 240], 6: [160, 0, 240, 80], 7: [240, 80, 160, 0], 8: [80, 240, 0, 160],
}  # fmt: skip
"""EXIF orientation -> the quarters as they are seen: upper left, upper right, lower left, lower right."""


@pytest.mark.parametrize("number", UPRIGHT)
@pytest.mark.parametrize("ending", ["jpg", "png", "webp", "tif"])
def test_an_image_is_turned_as_its_camera_was_held(tmp_path: Path, number: int, ending: str) -> None:
    exif = Image.Exif()
    exif[0x0112] = number
    options = {"quality": 100} if ending != "webp" else {"lossless": True}
    Image.fromarray(QUARTERS).save(tmp_path / f"x.{ending}", exif=exif, **options)
    data = opened(tmp_path, 1)
    seen = ((data.batch([0])[0] + 1) * 127.5)[0, 0]
    quarters = [seen[1, 1], seen[1, 6], seen[6, 1], seen[6, 6]]
    assert [float(q) for q in quarters] == pytest.approx(UPRIGHT[number], abs=3)
    if ending != "tif":  # which Pillow turns before it is asked
        assert bool(lines(record(data))[1:]) == (number != 1)


def test_an_orientation_that_follows_the_pixels_of_a_png_counts(tmp_path: Path) -> None:
    exif = Image.Exif()
    exif[0x0112] = 3
    buffer = io.BytesIO()
    Image.fromarray(QUARTERS).save(buffer, "PNG")
    whole, end = buffer.getvalue()[:-12], buffer.getvalue()[-12:]
    (tmp_path / "x.png").write_bytes(whole + chunk(b"eXIf", exif.tobytes()[6:]) + end)
    assert colours(tmp_path)[1] == [240]


# --- profiles --------------------------------------------------------------------------------------------


def profile(red: tuple[float, float], gamma: float = 2.2) -> bytes:
    """A v2 matrix profile: sRGB's green and blue, adapted to D50, with another red and one gamma."""
    xyz = {"r": red, "g": (0.3212, 0.5979), "b": (0.1559, 0.0660)}
    primaries = np.array([[x / y, 1.0, (1 - x - y) / y] for x, y in xyz.values()]).T
    white = np.array([0.9642, 1.0, 0.8249])
    scaled = primaries * np.linalg.solve(primaries, white)

    def s15(value: float) -> bytes:
        return struct.pack(">i", round(value * 65536))

    tags = {
        b"desc": b"desc" + struct.pack(">2I", 0, 5) + b"test\0" + b"\0" * 79,
        b"wtpt": b"XYZ \0\0\0\0" + b"".join(map(s15, white)),
        **{
            name: b"XYZ \0\0\0\0" + b"".join(map(s15, column))
            for name, column in zip((b"rXYZ", b"gXYZ", b"bXYZ"), scaled.T, strict=True)
        },
        **{
            name: b"curv\0\0\0\0" + struct.pack(">IH", 1, round(gamma * 256)) + b"\0\0"
            for name in (b"rTRC", b"gTRC", b"bTRC")
        },
    }
    directory, body = struct.pack(">I", len(tags)), b""
    for name, data in tags.items():
        directory += name + struct.pack(">2I", 128 + 4 + 12 * len(tags) + len(body), len(data))
        body += data + b"\0" * (-len(data) % 4)
    header = struct.pack(
        ">I4sI4s4s4s12s4s4s", 128 + len(directory) + len(body), b"lcms", 0x02400000, b"mntr", b"RGB ",
        b"XYZ ", b"\0" * 12, b"acsp", b"\0" * 4,
    )  # fmt: skip
    header += b"\0" * 24 + b"".join(map(s15, (0.9642, 1.0, 0.8249)))
    return header.ljust(128, b"\0") + directory + body


def test_colours_of_another_profile_become_srgb(tmp_path: Path) -> None:
    """Gamma 1 makes 55 of 255 as bright as sRGB's 128: 55/255 = 0.216 = ((0.502 + 0.055)/1.055)^2.4."""
    linear = profile((0.6485, 0.3309), gamma=1.0)
    flat("RGB", (55, 55, 55)).save(tmp_path / "x.png", icc_profile=linear)
    rgb, grey, said = colours(tmp_path)
    assert np.abs(np.array(rgb[0]) - 128).max() <= 1
    assert abs(grey[0] - 128) <= 1
    assert said == ["Images with a colour profile, converted to sRGB: 1 (x.png)."]


def test_an_srgb_profile_changes_no_bit(tmp_path: Path) -> None:
    random = np.random.default_rng(0).integers(0, 256, (SIDE, SIDE, 3), dtype=np.uint8)
    srgb = ImageCms.ImageCmsProfile(ImageCms.createProfile("sRGB")).tobytes()
    Image.fromarray(random).save(tmp_path / "x.png", icc_profile=srgb)
    data = opened(tmp_path)
    assert (((data.batch([0])[0][0] + 1) * 127.5).round().numpy() == random.transpose(2, 0, 1)).all()
    assert lines(record(data))[1:] == []


@pytest.mark.parametrize("spoilt", [b"no profile", "other colours"], ids=["damaged", "of other colours"])
def test_a_profile_of_no_use_is_told(tmp_path: Path, spoilt: bytes | str) -> None:
    """A grey image with a profile for RGB is common."""
    data = spoilt if isinstance(spoilt, bytes) else profile((0.6485, 0.3309), gamma=1.0)
    flat("L", 55).save(tmp_path / "x.png", icc_profile=data)
    rgb, grey, said = colours(tmp_path)
    assert (rgb, grey) == ([(55, 55, 55)], [55])
    assert said == ["Images with an unusable colour profile, taken as sRGB: 1 (x.png)."]


def test_transparency_and_a_profile_together(tmp_path: Path) -> None:
    linear = profile((0.6485, 0.3309), gamma=1.0)
    flat("RGBA", (55, 55, 55, 51)).save(tmp_path / "x.png", icc_profile=linear)
    assert np.abs(np.array(colours(tmp_path)[0][0]) - (0.2 * 128 + 0.8 * 255)).max() <= 1


# --- several frames --------------------------------------------------------------------------------------


@pytest.mark.parametrize("ending", ["gif", "webp", "png", "tif"])
def test_the_first_frame_counts_and_is_told(tmp_path: Path, ending: str) -> None:
    options = {"lossless": True} if ending == "webp" else {}
    flat("RGB", RED).save(
        tmp_path / f"x.{ending}", save_all=True, append_images=[flat("RGB", (0, 0, 255))], **options
    )
    rgb, _, said = colours(tmp_path)
    assert rgb == [RED]
    assert said == [f"Images with several frames, of which the first is used: 1 (x.{ending})."]


def test_conversions_are_counted_over_all_files(tmp_path: Path) -> None:
    for i in range(1203):
        flat("RGBA", (*RED, 0)).save(tmp_path / f"{i:04d}.png")
    said = lines(record(opened(tmp_path)))
    assert said[1] == f"{TRANSPARENT.partition(':')[0]}: 1,203 (0000.png, 0001.png, 0002.png, ...)."


def test_opening_decodes_nothing(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """The headers alone: their cost is what an attempt pays before its first step."""
    for i, mode in enumerate(("L", "RGB", "RGBA", "P", "LA", "1")):
        flat(mode, 0).save(tmp_path / f"{i}.png")
    flat("CMYK", 0).save(tmp_path / "7.jpg")
    deep(3).save(tmp_path / "8.tif")
    monkeypatch.setattr(Image.core, "new", lambda *_: pytest.fail("an image was decoded"))
    data = opened(tmp_path)
    assert len(data) == 8
    with pytest.raises(pytest.fail.Exception, match="an image was decoded"):
        data.batch([0])
