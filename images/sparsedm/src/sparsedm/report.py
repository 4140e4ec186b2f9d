"""What a person looks at: the sample grid (dense above sparse, same seeds) and report.md."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from PIL import Image, ImageDraw, ImageFont
from torch import Tensor

from sparsedm.generate import to_uint8
from sparsedm.schedule import Schedule

GRID_COLUMNS = 10
GRID_ROWS = 3
GRID_IMAGES = GRID_COLUMNS * GRID_ROWS
_CELL = 64
_GAP = 4
_BAND = 18


@dataclass(frozen=True)
class Course:
    """How the training went: by stage number the mean loss, and the share of the masked weights that entered
    or left the mask in a step; and how often fp16 overflowed."""

    schedule: Schedule
    losses: Mapping[int, float]
    flip_rates: Mapping[int, float]
    overflows: int


def sample_grid(
    dense: Tensor, sparse: Tensor, columns: int, titles: tuple[str, str], classes: Sequence[str]
) -> Image.Image:
    """Two blocks of images, (n, C, H, W) in [-1, 1] each; the same place in both has the same seed and class.

    `classes` names the columns where column i shows class i; empty otherwise.
    """
    scale = max(1, _CELL // dense.shape[-1])
    side = dense.shape[-1] * scale
    rows = -(-len(dense) // columns)
    block = _BAND + rows * (side + _GAP)
    header = _BAND if classes else 0
    sheet = Image.new("RGB", (columns * (side + _GAP) + _GAP, header + 2 * block + _GAP), "white")
    draw = ImageDraw.Draw(sheet)
    font = ImageFont.load_default(size=11)
    for column, name in enumerate(classes[:columns]):
        middle = _GAP + column * (side + _GAP) + side / 2
        draw.text((middle, header / 2), name, fill="black", font=font, anchor="mm")
    for number, (images, title) in enumerate(zip((dense, sparse), titles, strict=True)):
        top = header + number * block
        draw.text((_GAP, top + _BAND / 2), title, fill="black", font=font, anchor="lm")
        for i, image in enumerate(images):
            row, column = divmod(i, columns)
            sheet.paste(
                _picture(image, side), (_GAP + column * (side + _GAP), top + _BAND + row * (side + _GAP))
            )
    return sheet


def _picture(image: Tensor, side: int) -> Image.Image:
    pixels = to_uint8(image).permute(1, 2, 0).numpy()
    grey = pixels.shape[2] != 3
    picture = Image.fromarray(np.ascontiguousarray(pixels[..., 0] if grey else pixels))
    return picture.convert("RGB").resize((side, side), Image.Resampling.NEAREST)


def comparison_table(manifest: Mapping[str, Any]) -> str:
    """Dense against sparse, in Markdown."""
    fid, macs, sparsity = manifest["fid"], manifest["macs"], manifest["sparsity"]
    zeros = round(float(sparsity["achieved"]) * sparsity["maskedParameters"])
    total = sparsity["totalParameters"]
    rows = [
        (f"Frechet distance ({fid['metric']}, lower is better)",
         fid["dense"], fid["sparse"], _signed(fid["increase"])),
        ("MACs per image and step, linear",
         _giga(macs["dense"]), _giga(macs["sparse"]), f"-{macs['reductionPercent']} %"),
        ("MACs with attention products", _giga(macs["totalDense"]), _giga(macs["totalSparse"]),
         f"-{100 * (1 - macs['totalSparse'] / macs['totalDense']):.1f} %"),
        ("Parameters that are not zero", f"{total:,}", f"{total - zeros:,}", f"-{100 * zeros / total:.1f} %"),
        ("Zeros in the masked layers",
         "0", sparsity["achieved"], f"{sparsity['maskedLayers']} layers, {sparsity['pattern']}"),
    ]  # fmt: skip
    lines = ["| | dense | sparse | change |", "|---|---:|---:|---:|"]
    return "\n".join(lines + [f"| {' | '.join(row)} |" for row in rows])


def _signed(value: str) -> str:
    return value if value.startswith("-") else f"+{value}"


def _giga(macs: int) -> str:
    return f"{macs / 1e9:.3f} G"


def write_report(
    manifest: Mapping[str, Any],
    course: Course | None,
    sample_grid: str,
) -> str:
    """report.md of an artifact; `course` is None where nothing was trained."""
    fid, provenance = manifest["fid"], manifest["provenance"]
    caveat = (
        f"With {fid['samples']} samples the covariance is rank-deficient: compare the two figures with each "
        "other only."
        if fid["rankDeficient"]
        else f"Both figures come from {fid['samples']} samples of the same seeds."
    )
    parts = [
        f"# {manifest['name']}, {manifest['pattern'] + ' sparse' if manifest['layers'] else 'trained on'}",
        comparison_table(manifest),
        f"{caveat} Sampler {fid['sampler']}, {fid['steps']} steps, guidance {fid['guidance']}, "
        f"seed {fid['seed']}; "
        "the distance is to the training images and is no FID unless its name says so.",
        "## Samples",
        f"Dense above, sparse below, same seeds.\n\n![Dense samples above sparse samples]({sample_grid})",
    ]
    if course is not None:
        parts += ["## Training", _training(course)]
    parts += [
        "## Provenance",
        "\n".join(f"- {key}: {_inline(value)}" for key, value in provenance.items()),
        f"- masks: {manifest['maskDigest']}\n- reference statistics: {fid['referenceDigest']}\n"
        f"- extractor: {fid['extractorDigest']}",
        "## Layers left dense",
        "\n".join(f"- `{layer['name']}`: {layer['reason']}" for layer in manifest["skippedLayers"])
        or "None.",
        "Check this artifact with `sparsedm verify DIR`, look into it with `sparsedm inspect DIR`.",
    ]
    return "\n\n".join(parts) + "\n"


def _inline(value: Any) -> str:
    if isinstance(value, Mapping):
        return ", ".join(f"{k} {v}" for k, v in value.items())
    return str(value)


def _training(course: Course) -> str:
    schedule = course.schedule
    lines = [
        "| stage | pattern | steps | mean loss | mask moves in a step |",
        "|---|---|---|---:|---:|",
    ]
    for stage in schedule.stages:
        loss, moves = course.losses.get(stage.number), course.flip_rates.get(stage.number)
        cells = [
            str(stage.number),
            str(stage.pattern),
            f"{stage.start} to {stage.end}",
            "" if loss is None else f"{loss:.4f}",
            "" if moves is None else f"{100 * moves:.3f} %",
        ]
        lines.append(f"| {' | '.join(cells)} |")
    frozen = schedule.total_steps - schedule.freeze_from
    lines.append(f"\nThe mask was frozen for the last {frozen} of {schedule.total_steps} steps.")
    if course.overflows:
        lines.append(f"\nfp16 overflowed {course.overflows} times; those gradients were computed again.")
    return "\n".join(lines)
