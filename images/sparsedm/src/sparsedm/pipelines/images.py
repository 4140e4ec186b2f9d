"""Image by image: how far a sparse pipeline's image is from the dense one's of the same prompt and seed."""

from __future__ import annotations

import math
import textwrap
from collections.abc import Sequence

import torch
from PIL import Image, ImageDraw, ImageFont
from torch import Tensor
from torch.nn import functional as F

from sparsedm.data.images import to_uint8

WINDOW, SIGMA = 11, 1.5
K1, K2 = 0.01, 0.03
MOST_PSNR = 100.0
"""Of equal images, whose ratio is infinite."""
_CELL, _GAP, _LINE, _LINES, _COLUMNS = 160, 4, 13, 3, 5


def psnr(a: Tensor, b: Tensor) -> Tensor:
    """(n, C, H, W) in [-1, 1] -> (n,) peak signal-to-noise ratio in dB, 10 log10(4 / mean squared error).

    Worked example (repeated in test_pipelines.py): images that differ by 0.2 everywhere have 20 dB.
    """
    error = (a - b).square().flatten(1).mean(1)
    return torch.where(error > 0, 10 * torch.log10(4.0 / error), MOST_PSNR).clamp(max=MOST_PSNR)


def ssim(a: Tensor, b: Tensor) -> Tensor:
    """(n, C, H, W) in [-1, 1], at least 11 wide and high -> (n,) structural similarity, 1 for equal images:
    Wang et al. 2004, Gaussian window of 11 with sigma 1.5, K1 0.01, K2 0.03, the mean over channels and
    over the places where the window lies inside."""
    range_ = 2.0
    c1, c2 = (K1 * range_) ** 2, (K2 * range_) ** 2
    at = torch.arange(WINDOW, dtype=torch.float64) - WINDOW // 2
    line = torch.exp(-at.square() / (2 * SIGMA**2))
    line /= line.sum()
    window = (line[:, None] * line)[None, None]

    def mean(x: Tensor) -> Tensor:
        flat = x.double().reshape(-1, 1, *x.shape[2:])
        return F.conv2d(flat, window.to(flat.device)).reshape(*x.shape[:2], -1)

    a, b = a.double(), b.double()
    mean_a, mean_b = mean(a), mean(b)
    var_a, var_b = mean(a * a) - mean_a**2, mean(b * b) - mean_b**2
    both = mean(a * b) - mean_a * mean_b
    similar = (2 * mean_a * mean_b + c1) * (2 * both + c2)
    return (similar / ((mean_a**2 + mean_b**2 + c1) * (var_a + var_b + c2))).flatten(1).mean(1)


def grid(dense: Tensor, sparse: Tensor, prompts: Sequence[str], titles: tuple[str, str]) -> Image.Image:
    """Below each prompt the dense image above the sparse one: (n, 3, H, W) in [-1, 1] each."""
    columns = min(_COLUMNS, len(prompts))
    rows = math.ceil(len(prompts) / columns)
    text, below = _LINES * _LINE + _GAP, _LINE + _GAP
    block = text + 2 * (_CELL + _GAP)
    size = (columns * (_CELL + _GAP) + _GAP, below + rows * block)
    sheet = Image.new("RGB", size, "white")
    pen, font = ImageDraw.Draw(sheet), ImageFont.load_default(size=11)
    pen.text((_GAP, _GAP), f"above: {titles[0]}; below: {titles[1]}", fill="black", font=font)
    for i, prompt in enumerate(prompts):
        row, column = divmod(i, columns)
        left, top = _GAP + column * (_CELL + _GAP), below + row * block
        lines = textwrap.wrap(prompt, width=_CELL // 6, max_lines=_LINES, placeholder=" ...")
        pen.text((left, top), "\n".join(lines), fill="black", font=font, spacing=1)
        for half, images in enumerate((dense, sparse)):
            sheet.paste(_sized(images[i]), (left, top + text + half * (_CELL + _GAP)))
    return sheet


def _sized(image: Tensor) -> Image.Image:
    drawn = Image.fromarray(to_uint8(image).permute(1, 2, 0).contiguous().numpy())
    drawn.thumbnail((_CELL, _CELL))
    scale = max(1, _CELL // max(drawn.size))
    return drawn.resize((drawn.width * scale, drawn.height * scale), Image.Resampling.NEAREST)
