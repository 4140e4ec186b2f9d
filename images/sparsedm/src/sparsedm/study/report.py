"""The study's page and figures from its CSV alone: the answers, every row, and how they came to be."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path

import torch

from sparsedm.errors import InputError
from sparsedm.files import write_atomically
from sparsedm.measure.extractor import load_extractor
from sparsedm.measure.macs import count_macs
from sparsedm.models import PRESETS
from sparsedm.sparsity.pattern import Pattern
from sparsedm.study.figure import Curve, Dots, dot_figure, plane_figure
from sparsedm.study.questions import QUESTIONS, Answer, answer
from sparsedm.study.results import CSV_FILE, Result, read_results
from sparsedm.study.rows import (
    BY_NAME,
    DENSE_STEPS,
    EARLY_CAST_LEARNING_RATE,
    HALF_WIDTH,
    LEARNING_RATE,
    PATTERNS,
    PRESET,
    ROWS,
    Row,
    pattern_row,
)
from sparsedm.study.settings import (
    BATCH_SIZE,
    EVALUATION_SEED,
    GUIDANCE,
    PRUNING_TIMESTEPS,
    SAMPLER_STEPS,
    WARMUP_STEPS,
)
from sparsedm.study.statistics import Distances, Spread, distances_of, spread
from sparsedm.study.tables import aligned_table, devices, listed, row_line
from sparsedm.training.config import DEFAULT_EXTRACTOR
from sparsedm.training.diff_prune import shrunk_config
from sparsedm.uris import resolve_uri

REPORT_FILE = "fashion-mnist-study.md"
METHODS_FIGURE = "fashion-mnist-study-methods.svg"
PATTERNS_FIGURE = "fashion-mnist-study-patterns.svg"
MACS_FIGURE = "fashion-mnist-study-macs.svg"
COMPARED = {"diff-pruning": "Diff-Pruning", "asp": "ASP", "half-long": "half-size"}
"""Rows beside SparseDM in the figure over MACs: each is trained, and none is far off the scale."""
GROUPS = {
    "bars": "Models to compare with",
    "long": "The same with more training",
    "methods": "Methods at 2:4, fixed pattern",
    "schedules": "Schedules, distillation and freezing at 2:4",
    "patterns": "Other patterns",
}


def write_report(folder: Path) -> list[Path]:
    """Makes page and figures of `folder`'s CSV, beside it. Raises InputError where there is none."""
    results = read_results(folder / CSV_FILE)
    if not results:
        raise InputError("StudyNotFound", f"There are no runs in {folder / CSV_FILE}: run the study first.")
    files = {
        REPORT_FILE: page(results),
        METHODS_FIGURE: methods_figure(results),
        PATTERNS_FIGURE: patterns_figure(results),
        MACS_FIGURE: macs_figure(results),
    }
    for name, text in files.items():
        if text:
            write_atomically(folder / name, text.encode())
    return [folder / name for name, text in files.items() if text]


def page(results: Sequence[Result]) -> str:
    """Markdown."""
    distances = distances_of(results)
    answers = [answer(question, distances) for question in QUESTIONS]
    parts = [
        "# The study on Fashion-MNIST: what each part of the method is worth",
        _introduction(results),
        "`sparsedm` and `cast` follow the dense model in these rows and the other methods do not, so a "
        "comparison with them compares losses as well. Under the same teacher (weight 10) the paper's method "
        "is level with ASP: [the figures](../concepts.md#how-good-is-it).",
        "## Answers",
        *(text for one in answers for text in _answered(one, distances)),
        "## All rows",
        "Mean and standard deviation of the distance over the seeds; lower is better. The change is that of "
        "the mean against the dense model. MACs are per image and denoising step, in millions: linear "
        "layers, and with attention.",
        *_figures(results),
        *(text for group in GROUPS for text in _group(group, results)),
        "## How it was made",
        _settings(results),
    ]
    return "\n\n".join(part for part in parts if part) + "\n"


def _introduction(results: Sequence[Result]) -> str:
    steps, rows = _budget(results), {r.row for r in results}
    seeds = sorted({r.seed for r in results})
    missing = len(ROWS) * len(seeds) - len({r.key for r in results})
    lack = f" **{missing} of {len(ROWS) * len(seeds)} runs are missing.**" if missing else ""
    return (
        f"The shipped dense model (1.07 M parameters, {DENSE_STEPS:,} steps of training) made sparse in "
        f"{len(rows)} ways, each with the same budget of {steps} steps and {_numbered(seeds)}.{lack} The "
        f"distance is `fd-{results[0].extractor}`, a Frechet distance over a small classifier's features: it "
        "is no FID, and comparable only with itself. Nothing was selected: what is measured are the averaged "
        "(EMA) weights after the last step."
    )


def _numbered(seeds: Sequence[int]) -> str:
    return f"{'seed' if len(seeds) == 1 else 'seeds'} {', '.join(map(str, seeds))}"


def _budget(results: Iterable[Result]) -> int:
    """Steps of the rows that train no longer than the others."""
    return max((r.steps for r in results if not BY_NAME[r.row].extra_steps), default=0)


def _answered(one: Answer, distances: Distances) -> list[str]:
    lines = []
    for pair, found in zip(one.question.pairs, one.differences, strict=True):
        figures = [_spread_of(name, distances) for name in (pair.first, pair.second)]
        verdict = "" if str(found) == "not run" else found.verdict
        lines.append([pair.setting, pair.first, pair.second, *figures, str(found), verdict])
    header = ["pair", "first row", "second row", "first", "second", "first - second", "first is"]
    table = aligned_table([header, *lines], right={3, 4, 5})
    return [f"### {one.question.text}", one.sentence, table]


def _spread_of(name: str, distances: Distances) -> str:
    values = distances.get(name)
    return str(spread(list(values.values()))) if values else ""


def _figures(results: Sequence[Result]) -> list[str]:
    figures = []
    if methods_figure(results):
        figures.append(
            f"![Distance of each method at 2:4 and of the models to compare with]({METHODS_FIGURE})"
        )
    if patterns_figure(results):
        figures.append(f"![Distance by pattern, fixed and progressive]({PATTERNS_FIGURE})")
    if macs_figure(results):
        figures.append(f"![Distance over multiply-accumulates]({MACS_FIGURE})")
    return figures


def _group(group: str, results: Sequence[Result]) -> list[str]:
    """The group's rows, the best first."""
    by_row = _by_row(results)
    dense = _mean(by_row.get("dense", []))
    ranked = sorted(
        (row for row in ROWS if row.group == group and row.name in by_row),
        key=lambda row: _mean(by_row[row.name]) or 0.0,
    )
    if not ranked:
        return []
    header = ["row", "pattern", "schedule", "frozen", "distillation", "steps", "seeds", "distance", "change",
              "MACs", "with attention"]  # fmt: skip
    lines = [_row_line(row, by_row[row.name], dense) for row in ranked]
    return [f"### {GROUPS[group]}", aligned_table([header, *lines], right=set(range(3, 11)))]


def _by_row(results: Iterable[Result]) -> dict[str, list[Result]]:
    found: dict[str, list[Result]] = {}
    for result in results:
        found.setdefault(result.row, []).append(result)
    return found


def _mean(results: Sequence[Result]) -> float | None:
    return spread([r.frechet for r in results]).mean if results else None


def _row_line(row: Row, results: Sequence[Result], dense: float | None) -> list[str]:
    mean = spread([r.frechet for r in results]).mean
    change = "" if dense is None else f"{100 * (mean / dense - 1):+.1f} %"
    *cells, linear, total = row_line(row, results)
    return [*cells, change, linear, total]


def _settings(results: Sequence[Result]) -> str:
    steps, samples = _budget(results), results[0].samples
    seeds = sorted({r.seed for r in results})
    hours = sum(r.seconds for r in results) / 3600
    days = sorted({r.finished[:10] for r in results})
    when = f"on {days[0]}" if len(days) == 1 else f"from {days[0]} to {days[-1]}"
    options = f"--seeds {','.join(map(str, seeds))} --steps {steps} --samples {samples}"
    lines = [
        f"Command: `sparsedm study --data DIR --out DIR {options}`; from a clone, `npm run study` finds data "
        "and Python by itself. `--list` prints the rows.",
        f"Training: AdamW, learning rate {LEARNING_RATE} after {WARMUP_STEPS} steps of warm-up, falling "
        f"along a cosine, batch {BATCH_SIZE}, fp32, EMA. The seed decides the order of the data, timesteps, "
        "noise and dropped labels, a random mask, and the start of a half-size model.",
        f"Measuring: {samples} samples, DPM-Solver++ with {SAMPLER_STEPS} steps, guidance {GUIDANCE}, "
        f"against all training images. Seed s is measured with the noise of evaluation seed "
        f"{EVALUATION_SEED}+s: the same for all rows, and another one than that on which the example's "
        f"settings were chosen. More samples give smaller distances. {_extractor()}",
        "Differences are taken seed by seed, and ± is Student's 95 % interval of their mean; in the rows ± "
        "is the standard deviation over the seeds. Nothing is corrected for the number of pairs: of twenty "
        "without a difference, one would show one by chance.",
        f"The dense model had had {DENSE_STEPS:,} steps before. Sparse rows and Diff-Pruning start from it; "
        f"half-size models (width {HALF_WIDTH} of 128, the closest to the MACs of 2:4) start from nothing, "
        f"and {steps} steps do them no justice: `half-long` has {DENSE_STEPS:,} more.",
        "`sr-ste` is `sparsedm` without distillation. Learning rate, ramp, freezing and distillation weight "
        "10 were chosen for `sparsedm`, progressive, among about ten settings, with training seed 0. The "
        f"optimizer of `cast` takes larger steps: `cast-fixed` has learning rate {EARLY_CAST_LEARNING_RATE}, "
        f"the better of the two with seed 10, as {LEARNING_RATE} is for `cast-fixed-late`. No other row was "
        "tuned.",
        f"Diff-Pruning's gradients are of {PRUNING_TIMESTEPS} timesteps, where its paper has 1,000; what is "
        f"left is trained on as the dense model is, without a teacher.{_pruned_before(results)}",
        f"Machine: {devices(results)}; torch {listed(r.torch for r in results)}. Sums depend on the number "
        "of threads in their last digits, and training makes more of that.",
        f"{len(results)} runs {when}, {hours:.1f} hours in all; each is a line of [{CSV_FILE}]({CSV_FILE}).",
    ]
    return "\n".join(f"- {line}" for line in lines)


def _pruned_before(results: Sequence[Result]) -> str:
    """Until its loss was that of the noise, Diff-Pruning matched the linear layers alone, by which the older
    runs are known."""
    macs = count_macs(shrunk_config(PRESETS[PRESET], Pattern(2, 4))).total_dense
    older = [r for r in results if r.row == "diff-pruning" and r.macs_total != macs]
    if not older:
        return ""
    return (
        " These runs are of a version that summed the gradients of v's loss over all timesteps and matched "
        f"the MACs of the linear layers alone ({older[0].macs_total / 1e6:.2f} million with attention, where "
        f"it has {macs / 1e6:.2f} now)."
    )


def _extractor() -> str:
    """The one of every study: it ships with the package."""
    _, name, digest = load_extractor(resolve_uri(DEFAULT_EXTRACTOR), torch.device("cpu"))
    return f"The extractor {name} has the digest `{digest}`."


# --- figures; empty where none of their rows has been run ---


def methods_figure(results: Sequence[Result]) -> str:
    """2:4 and the models to compare with, the best first."""
    by_row = _by_row(results)
    rows = [row for row in ROWS if row.group != "patterns" and row.name in by_row]
    found = [(row.title, _spread(by_row[row.name])) for row in rows]
    lines = [Dots(title, [value]) for title, value in sorted(found, key=lambda pair: pair[1].mean)]
    return _drawn("Distance by method at 2:4", [""], lines, results)


def patterns_figure(results: Sequence[Result]) -> str:
    by_row = _by_row(results)
    lines = []
    for pattern in PATTERNS:
        names = [pattern_row(schedule, pattern) for schedule in ("fixed", "progressive")]
        values = [_spread(by_row[name]) if name in by_row else None for name in names]
        if any(values):
            lines.append(Dots(pattern, values))
    return _drawn("Distance by pattern, SparseDM", ["fixed", "progressive"], lines, results)


def macs_figure(results: Sequence[Result]) -> str:
    """What quality costs: SparseDM with groups of 4 and of 8, from the dense model down, and other ways."""
    by_row = _by_row(results)

    def points(labels: Mapping[str, str]) -> list[tuple[float, Spread, str]]:
        found = [(by_row[name], label) for name, label in labels.items() if name in by_row]
        placed = [(r[0].macs_linear / 1e6, _spread(r), label) for r, label in found]
        return sorted(placed, key=lambda point: point[0])

    curves = [
        Curve(f"SparseDM N:{m}", points(
            {pattern_row("progressive", p): p for p in PATTERNS if p.endswith(f":{m}")} | {"dense": "dense"}
        ))
        for m in (4, 8)
    ]  # fmt: skip
    curves.append(Curve("others", points(COMPARED), joined=False))
    if not any(curve.points for curve in curves):
        return ""
    x_label = "million multiply-accumulates of the linear layers, per image and denoising step"
    return plane_figure("Distance over MACs", x_label, f"fd-{results[0].extractor}", curves)


def _spread(results: Sequence[Result]) -> Spread:
    return spread([r.frechet for r in results])


def _drawn(title: str, series: Sequence[str], lines: Sequence[Dots], results: Sequence[Result]) -> str:
    if not lines:
        return ""
    dense = _mean(_by_row(results).get("dense", []))
    label = (
        f"fd-{results[0].extractor}, {results[0].samples} samples; bars: standard deviation over the seeds"
    )
    return dot_figure(title, label, series, lines, None if dense is None else ("dense", dense))
