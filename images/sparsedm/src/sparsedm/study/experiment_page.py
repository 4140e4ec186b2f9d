"""The page of an experiment whose margin and power were laid down before its first run, from its CSV."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

from sparsedm.errors import InputError
from sparsedm.files import write_atomically
from sparsedm.study.experiments import Experiment, ordered
from sparsedm.study.questions import Question
from sparsedm.study.results import Result, read_results
from sparsedm.study.rows import BY_NAME, DENSE_STEPS, Row
from sparsedm.study.settings import EVALUATION_SEED, GUIDANCE, SAMPLER_STEPS
from sparsedm.study.statistics import (
    DEVIATION,
    MARGIN,
    Distances,
    Finding,
    difference,
    distances_of,
    equivalence_power,
    judge,
    power,
    spread,
)
from sparsedm.study.tables import aligned_table, devices, row_line


def write_experiment(folder: Path, experiment: Experiment) -> list[Path]:
    """Raises InputError where there is no run."""
    results = read_results(folder / experiment.csv)
    if not results:
        raise InputError("StudyNotFound", f"There are no runs in {folder / experiment.csv}: run them first.")
    path = folder / experiment.page
    write_atomically(path, experiment_page(experiment, results).encode())
    return [path]


def experiment_page(experiment: Experiment, results: Sequence[Result]) -> str:
    """Markdown."""
    distances = distances_of(results)
    parts = [
        f"# The study on Fashion-MNIST: {experiment.title}",
        _introduction(experiment, results),
        "## Laid down before the first run",
        _plan(experiment),
        "## Answers",
        *(text for question in experiment.questions for text in _answered(question, distances)),
        "## All rows",
        "Mean and standard deviation of the distance over the seeds; lower is better. MACs are per image and "
        "denoising step, in millions: linear layers, and with attention.",
        _rows(experiment, results),
        "## How it was made",
        _settings(experiment, results),
    ]
    return "\n\n".join(parts) + "\n"


def _introduction(experiment: Experiment, results: Sequence[Result]) -> str:
    wanted = ordered(experiment.rows, experiment.seeds)
    there = {result.key for result in results}
    missing = sum(run.key not in there for run in wanted)
    lack = f" **{missing} of {len(wanted)} runs are missing.**" if missing else ""
    return (
        f"{len(experiment.rows)} rows with {len(experiment.seeds)} seeds each.{lack} The distance is "
        f"`fd-{results[0].extractor}`, a Frechet distance over a small classifier's features: it is no FID, "
        "and comparable only with itself. Nothing was selected: what is measured are the averaged (EMA) "
        "weights after the last step."
    )


def _plan(experiment: Experiment) -> str:
    count = len(experiment.seeds)
    lines = [
        f"Two rows are **equivalent** where the 90 % interval of their difference lies within ±{MARGIN:g} "
        "(two one-sided t tests at 5 %), **better** or **worse** where its 95 % interval leaves out 0, and "
        "**undecided** where neither holds; equivalence goes before the others, for a difference that is "
        f"certain and small is still small. {MARGIN:g} is 2.5 % of the distance of 2:4 (12.1), what one row "
        "varies over its seeds (0.2 to 0.4), and a fifth of what freezing the mask or a teacher is worth.",
        f"The difference of two methods is taken to vary from seed to seed by {DEVIATION:g} (standard "
        "deviation): in the first study such differences varied by 0.04 to 0.18, over three seeds. "
        f"With {count} seeds a difference of {MARGIN:g} is then found with probability "
        f"{power(count, MARGIN, DEVIATION):.2f}, one of {2 * MARGIN:g} with "
        f"{power(count, 2 * MARGIN, DEVIATION):.2f}, and two rows without a difference are found equivalent "
        f"with at least {equivalence_power(count, MARGIN, DEVIATION):.2f}.",
        "The first pair of each question was chosen beforehand to decide it. Nothing is corrected for the "
        "number of pairs: of twenty without a difference, one would show one by chance.",
    ]
    return "\n".join(f"- {line}" for line in lines)


def _answered(question: Question, distances: Distances) -> list[str]:
    lines, findings = [], []
    for pair in question.pairs:
        found = difference(distances.get(pair.first, {}), distances.get(pair.second, {}))
        findings.append(judge(found))
        figures = [_spread_of(name, distances) for name in (pair.first, pair.second)]
        lines.append(
            [pair.setting, pair.first, pair.second, *figures, str(found.count), str(found), findings[-1]]
        )
    header = ["pair", "first row", "second row", "first", "second", "seeds", "first - second", "first is"]
    deciding = f"**{findings[0].capitalize()}**, at {question.pairs[0].setting}: {lines[0][6]}."
    counts = ((finding, findings.count(finding)) for finding in Finding)
    counted = ", ".join(f"{count} {finding}" for finding, count in counts if count)
    table = aligned_table([header, *lines], right={3, 4, 5, 6})
    return [f"### {question.text}", f"{deciding} Of {len(findings)} pairs: {counted}.", table]


def _spread_of(name: str, distances: Distances) -> str:
    values = distances.get(name)
    return str(spread(list(values.values()))) if values else ""


def _rows(experiment: Experiment, results: Sequence[Result]) -> str:
    by_row = {row: [r for r in results if r.row == row.name] for row in experiment.rows}
    ranked = sorted((row for row in by_row if by_row[row]), key=lambda row: _mean(by_row[row]))
    header = ["row", "pattern", "schedule", "frozen", "distillation", "steps", "seeds", "distance", "MACs",
              "with attention"]  # fmt: skip
    return aligned_table([header, *(row_line(row, by_row[row]) for row in ranked)], right=set(range(3, 10)))


def _mean(results: Sequence[Result]) -> float:
    return spread([result.frechet for result in results]).mean


def _settings(experiment: Experiment, results: Sequence[Result]) -> str:
    steps = max((r.steps for r in results if _follows_command(BY_NAME[r.row])), default=0)
    hours = sum(r.seconds for r in results) / 3600
    days = sorted({r.finished[:10] for r in results})
    when = f"on {days[0]}" if len(days) == 1 else f"from {days[0]} to {days[-1]}"
    options = f"--experiment {experiment.name} --samples {results[0].samples}"
    options += f" --steps {steps}" if steps else ""
    lines = [
        f"Command: `sparsedm study --data DIR --out DIR {options}`; from a clone, `npm run study` finds data "
        "and Python by itself.",
        "Training, measuring and settings as in [the first study](fashion-mnist-study.md); the teacher is "
        f"the shipped dense model, which had had {DENSE_STEPS:,} steps. {results[0].samples:,} samples "
        f"against the {'test' if experiment.rows[0].held_out else 'training'} images, "
        f"DPM-Solver++ with {SAMPLER_STEPS} steps, guidance {GUIDANCE}, evaluation seed {EVALUATION_SEED} "
        "+ s for seed s.",
        f"Machine: {devices(results)}; torch {', '.join(sorted({r.torch for r in results}))}.",
        f"{len(results)} runs {when}, {hours:.1f} hours in all; each is a line of "
        f"[{experiment.csv}]({experiment.csv}).",
    ]
    return "\n".join(f"- {line}" for line in lines)


def _follows_command(row: Row) -> bool:
    return row.steps is None and not row.extra_steps
