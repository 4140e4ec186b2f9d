"""What a person looks at: the sample grid (dense above sparse, same seeds) and report.html, one file with
figures, curves and images. Equal manifests, courses and grids give equal bytes.

A model that was trained from random weights stands alone: its `fid` has no `dense`."""

from __future__ import annotations

import base64
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from html import escape
from typing import Any

import numpy as np
import yaml
from PIL import Image, ImageDraw, ImageFont
from torch import Tensor

from sparsedm.data.contents import lines
from sparsedm.data.images import to_uint8
from sparsedm.decimals import decimal
from sparsedm.report.chart import Series, chart
from sparsedm.report.curve import Point
from sparsedm.sparsity.schedule import Schedule

GRID_COLUMNS = 10
GRID_ROWS = 3
GRID_IMAGES = GRID_COLUMNS * GRID_ROWS
_CELL = 64
_GAP = 4
_BAND = 18


_STYLE = (
    "body{font:15px/1.5 sans-serif;max-width:60em;margin:2em auto;padding:0 1em}"
    "table{border-collapse:collapse}th,td{border:1px solid #ccc;padding:.2em .6em}"
    "td+td{text-align:right}img,svg{max-width:100%}img{image-rendering:pixelated}code{font-size:13px}"
)


@dataclass(frozen=True)
class Course:
    """How the training went: by stage number the mean loss, and the share of the masked weights that entered
    or left the mask in a step; how often fp16 overflowed; the curve; and the evaluations on the way, as in
    status.progress.history."""

    schedule: Schedule
    losses: Mapping[int, float]
    flip_rates: Mapping[int, float]
    overflows: int
    points: Sequence[Point]
    history: Sequence[Mapping[str, Any]]


def sample_grid(blocks: Mapping[str, Tensor], columns: int, classes: Sequence[str]) -> Image.Image:
    """A block of images, (n, C, H, W) in [-1, 1], below each title; the same place in all has the same seed
    and class.

    `classes` names the columns where column i shows class i; empty otherwise.
    """
    first = next(iter(blocks.values()))
    side = first.shape[-1] * max(1, _CELL // first.shape[-1])
    rows = -(-len(first) // columns)
    block = _BAND + rows * (side + _GAP)
    header = _BAND if classes else 0
    size = (columns * (side + _GAP) + _GAP, header + len(blocks) * block + _GAP)
    sheet = Image.new("RGB", size, "white")
    draw = ImageDraw.Draw(sheet)
    font = ImageFont.load_default(size=11)
    for column, name in enumerate(classes[:columns]):
        middle = _GAP + column * (side + _GAP) + side / 2
        draw.text((middle, header / 2), name, fill="black", font=font, anchor="mm")
    for number, (title, images) in enumerate(blocks.items()):
        top = header + number * block
        draw.text((_GAP, top + _BAND / 2), title, fill="black", font=font, anchor="lm")
        for i, image in enumerate(images):
            row, column = divmod(i, columns)
            sheet.paste(
                _enlarged(image, side), (_GAP + column * (side + _GAP), top + _BAND + row * (side + _GAP))
            )
    return sheet


def _enlarged(image: Tensor, side: int) -> Image.Image:
    pixels = to_uint8(image).permute(1, 2, 0).numpy()
    grey = pixels.shape[2] != 3
    drawn = Image.fromarray(np.ascontiguousarray(pixels[..., 0] if grey else pixels))
    return drawn.convert("RGB").resize((side, side), Image.Resampling.NEAREST)


def comparison_table(manifest: Mapping[str, Any]) -> str:
    """Dense against sparse."""
    fid, macs, sparsity = manifest["fid"], manifest["macs"], manifest["sparsity"]
    if "dense" not in fid:
        return _figures_alone(manifest)
    zeros = round(float(sparsity["achieved"]) * sparsity["maskedParameters"])
    total = sparsity["totalParameters"]
    rows = [
        (f"Frechet distance ({fid['metric']}, lower is better)",
         fid["dense"], fid["sparse"], _signed(fid["increase"])),
        *((f"Frechet distance of the sparse model in {served['precision']}", "", served["sparse"],
           _signed(served["increase"])) for served in fid.get("served", []) if "increase" in served),
        *_quality_rows(manifest.get("quality", {})),
        *_image_rows(manifest.get("quality", {}).get("images", {})),
        ("MACs per image and step, linear",
         _giga(macs["dense"]), _giga(macs["sparse"]), f"-{macs['reductionPercent']} %"),
        ("MACs with attention products", _giga(macs["totalDense"]), _giga(macs["totalSparse"]),
         f"-{100 * (1 - macs['totalSparse'] / macs['totalDense']):.1f} %"),
        ("Parameters that are not zero", f"{total:,}", f"{total - zeros:,}", f"-{100 * zeros / total:.1f} %"),
        ("Zeros in the masked layers",
         "0", sparsity["achieved"], f"{sparsity['maskedLayers']} layers, {sparsity['pattern']}"),
    ]  # fmt: skip
    return _table(("", "dense", "sparse", "change"), rows)


def _figures_alone(manifest: Mapping[str, Any]) -> str:
    """Of a model that was trained from random weights."""
    fid, macs, quality = manifest["fid"], manifest["macs"], manifest.get("quality", {}).get("sparse", {})
    rows = [
        (f"Frechet distance ({fid['metric']}, lower is better)", fid["sparse"]),
        *((title, _spread(quality, key)) for key, title in _QUALITY.items() if key in quality),
        ("MACs per image and step, linear", _giga(macs["dense"])),
        ("MACs with attention products", _giga(macs["totalDense"])),
        ("Parameters", f"{manifest['sparsity']['totalParameters']:,}"),
    ]
    return _table(("", "trained"), rows)


_QUALITY = {
    "precision": "Precision (realism, higher is better)",
    "recall": "Recall (variety, higher is better)",
    "kid": "KID (lower is better)",
}


def _spread(quality: Mapping[str, Any], key: str) -> str:
    """A figure, with its deviation where it has one."""
    return quality[key] + (f" ± {quality['kidDeviation']}" if key == "kid" else "")


def _quality_rows(quality: Mapping[str, Any]) -> list[tuple[str, str, str, str]]:
    if "dense" not in quality:
        return []
    dense, sparse = quality["dense"], quality["sparse"]
    rows = []
    for key, title in _QUALITY.items():
        change = decimal(float(sparse[key]) - float(dense[key]), 6)
        rows.append((title, _spread(dense, key), _spread(sparse, key), _signed(change)))
    return rows


_IMAGES = {
    "psnr": "PSNR of a sparse image to the dense one, dB (higher is closer)",
    "ssim": "SSIM of a sparse image to the dense one (1 is equal)",
}


def _image_rows(images: Mapping[str, Any]) -> list[tuple[str, str, str, str]]:
    """Of pipelines alone, whose images are compared one by one; and their pace, both by dense products."""
    rows = [
        (title, "", images[key], f"at least {images[f'{key}Least']}, of {images['compared']}")
        for key, title in _IMAGES.items()
        if key in images
    ]
    if clip := images.get("clip"):
        change = decimal(float(clip["sparse"]) - float(clip["dense"]), 2)
        title = "CLIP score of an image and its prompt (higher is better)"
        rows.append((title, clip["dense"], clip["sparse"], _signed(change)))
    pace = images.get("secondsPerImage", {})
    if {"dense", "sparse"} <= pace.keys():
        rows.append(("Seconds for an image, both by dense products", pace["dense"], pace["sparse"], ""))
    return rows


def _signed(value: str) -> str:
    return value if value.startswith("-") else f"+{value}"


def _giga(macs: int) -> str:
    return f"{macs / 1e9:.3f} G"


def write_report(manifest: Mapping[str, Any], course: Course | None, grid: bytes) -> str:
    """report.html of an artifact; `course` is None where nothing was trained, `grid` is the samples' PNG."""
    alone = "dense" not in manifest["fid"]
    trained = "trained from random weights" if alone else "trained on"
    what = f"{manifest['pattern']} sparse" if manifest["layers"] else trained
    title = escape(f"{manifest['name']}, {what}")
    shown = "Samples of the trained model" if alone else "Dense samples above sparse samples"
    encoded = base64.b64encode(grid).decode()
    parts = [
        "<!doctype html>",
        '<html lang="en"><head><meta charset="utf-8">',
        f"<title>{title}</title><style>{_STYLE}</style></head><body>",
        f"<h1>{title}</h1>",
        comparison_table(manifest),
        *(_paragraph(sentence) for sentence in _caveats(manifest)),
        "<h2>Samples</h2>",
        _paragraph(f"{shown}." if alone else "Dense above, sparse below, same seeds."),
        f'<img alt="{shown}" src="data:image/png;base64,{encoded}">',
        *([] if course is None else _training(course, manifest["fid"])),
        "<h2>Provenance</h2>",
        _list([f"{key}: {_inline(value)}" for key, value in _origins(manifest).items()]),
        *_configuration(manifest["provenance"].get("configuration")),
        *_data(manifest["provenance"].get("data")),
        "<h2>Layers left dense</h2>",
        _list([f"{layer['name']}: {layer['reason']}" for layer in manifest["skippedLayers"]] or ["None."]),
        "<p>Check this artifact with <code>sparsedm verify DIR</code>, look into it with "
        "<code>sparsedm inspect DIR</code>.</p>",
        "</body></html>",
    ]
    return "\n".join(parts) + "\n"


def _caveats(manifest: Mapping[str, Any]) -> list[str]:
    fid = manifest["fid"]
    source = "Both figures come" if "dense" in fid else "The figure comes"
    reliable = (
        f"{source} from {fid['samples']} samples of the same seeds; a Frechet distance of fewer "
        "samples is larger, so compare only distances with the same number of samples."
    )
    comparable = "the two figures with each other only" if "dense" in fid else "it with no other distance"
    coarse = (
        f"{fid['samples']} samples, or the reference images, are no more than the extractor has features, so "
        f"a covariance is rank-deficient: compare {comparable}."
    )
    return [
        coarse if fid["rankDeficient"] else reliable,
        f"Sampler {fid['sampler']}, {fid['steps']} steps, guidance {fid['guidance']}, seed {fid['seed']}, "
        f"in {fid['precision']}. "
        f"{''.join(served['problem'] + ' ' for served in fid.get('served', []) if 'problem' in served)}"
        f"Weights: {fid['weights']}. "
        "The distance is no FID unless its name says so. "
        f"Images as the extractor takes them: {fid['preprocessing']}.",
        *_quality_caveat(manifest.get("quality")),
    ]


def _quality_caveat(quality: Mapping[str, Any] | None) -> list[str]:
    if quality is None:
        return []
    if "absent" in quality:
        return [f"Precision, recall and KID are absent. {quality['absent']}"]
    kid = quality["sparse"]
    return [
        f"Precision and recall with {quality['neighbours']} neighbours compare {quality['compared']} drawn "
        f"with as many real images, of {quality['sampleFeatures']} and {quality['referenceFeatures']}. KID: "
        f"{kid['kidSubsets']} subsets of {kid['kidSubsetSize']} of each (mean ± deviation)."
    ]


def _origins(manifest: Mapping[str, Any]) -> dict[str, Any]:
    return {
        **{k: value for k, value in manifest["provenance"].items() if k not in ("data", "configuration")},
        "masks' digest": manifest["maskDigest"],
        "reference statistics": manifest["fid"]["referenceDigest"],
        "extractor": manifest["fid"]["extractorDigest"],
    }


def _configuration(given: Mapping[str, Any] | None) -> list[str]:
    """As `sparsedm train --config` reads it."""
    if given is None:
        return []
    return ["<h2>Configuration</h2>", f"<pre>{escape(yaml.safe_dump(dict(given), sort_keys=False))}</pre>"]


def _data(found: Mapping[str, Any] | None) -> list[str]:
    return [] if found is None else ["<h2>Data</h2>", _list(lines(found))]


def _inline(value: Any) -> str:
    if isinstance(value, Mapping):
        return ", ".join(f"{k} {v}" for k, v in value.items())
    return str(value)


def _training(course: Course, fid: Mapping[str, Any]) -> list[str]:
    schedule = course.schedule
    rows = []
    for stage in schedule.stages:
        loss, moves = course.losses.get(stage.number), course.flip_rates.get(stage.number)
        rows.append(
            (
                str(stage.number),
                str(stage.pattern),
                f"{stage.start} to {stage.end}",
                "" if loss is None else f"{loss:.4f}",
                "" if moves is None else f"{100 * moves:.3f} %",
            )
        )
    frozen = schedule.total_steps - schedule.freeze_from
    sentences = [f"The mask was frozen for the last {frozen} of {schedule.total_steps} steps."]
    if course.overflows:
        sentences.append(f"fp16 overflowed {course.overflows} times; those gradients were computed again.")
    return [
        "<h2>Training</h2>",
        _table(("stage", "pattern", "steps", "mean loss", "mask moves in a step"), rows),
        *(_paragraph(sentence) for sentence in sentences),
        *curves(course, fid),
    ]


def curves(course: Course, fid: Mapping[str, Any]) -> list[str]:
    """Loss, learning rate, distance, sparsity and mask moves over the steps, as SVG."""
    steps, points = course.schedule.total_steps, course.points
    on_the_way = [(entry["step"], float(entry["distance"])) for entry in course.history]
    dense = []
    if "dense" in fid:
        dense = [Series(f"dense {fid['dense']}", [(0, float(fid["dense"]))], level=True)]
    sparsity = [
        (step, 100 * stage.pattern.sparsity)
        for stage in course.schedule.stages
        for step in (stage.start, stage.end)
    ]
    drawn = [
        ("Loss", "mean loss", [Series("loss", [(p.step, p.loss) for p in points])]),
        ("Learning rate", "learning rate", [Series("rate", [(p.step, p.rate) for p in points])]),
        (
            f"{fid['metric']} of the {'sparse' if dense else 'trained'} model",
            fid["metric"],
            [Series("sparse" if dense else "trained", [*on_the_way, (steps, float(fid["sparse"]))]), *dense],
        ),
        ("Sparsity that the stages ask for", "zeros, %", [Series("sparsity", sparsity)]),
        ("Mask moves", "weights in a step", [Series("moves", [(p.step, p.flips) for p in points])]),
    ]
    return [chart(title, "step", label, series, steps) for title, label, series in drawn]


def _table(header: Sequence[str], rows: Sequence[Sequence[str]]) -> str:
    def line(cells: Sequence[str], tag: str) -> str:
        return f"<tr>{''.join(f'<{tag}>{escape(cell)}</{tag}>' for cell in cells)}</tr>"

    return "\n".join(["<table>", line(header, "th"), *(line(row, "td") for row in rows), "</table>"])


def _paragraph(sentence: str) -> str:
    return f"<p>{escape(sentence)}</p>"


def _list(entries: Sequence[str]) -> str:
    return "\n".join(["<ul>", *(f"<li>{escape(entry)}</li>" for entry in entries), "</ul>"])
