"""The page of an experiment whose margin and power were laid down before its first run, from its CSV."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

from sparsedm.errors import InputError
from sparsedm.files import write_atomically
from sparsedm.study.experiments import Experiment, ordered
from sparsedm.study.questions import Question
from sparsedm.study.results import Result, read_results
from sparsedm.study.rows import BY_NAME, Row
from sparsedm.study.settings import EVALUATION_SEED, GUIDANCE, SAMPLER_STEPS
from sparsedm.study.statistics import (
    DEVIATION,
    MARGIN,
    RELATIVE_MARGIN,
    Distances,
    Finding,
    difference,
    distances_of,
    equivalence_power,
    judge,
    power,
    spread,
)
from sparsedm.study.subjects import FASHION_MNIST, Subject
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
    margin = margin_of(experiment, distances)
    parts = [
        f"# The study on {subject_of(experiment).title}: {experiment.title}",
        _introduction(experiment, results),
        "## Laid down before the first run",
        _plan(experiment, margin),
        "## Answers",
        *(text for question in experiment.questions for text in _answered(question, distances, margin)),
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


def subject_of(experiment: Experiment) -> Subject:
    """The one of all its rows."""
    return experiment.rows[0].subject


def margin_of(experiment: Experiment, distances: Distances) -> float:
    """The difference that does not count; 0 where it depends on a row that has not been run."""
    if subject_of(experiment) is FASHION_MNIST:
        return MARGIN
    values = distances.get(experiment.questions[0].pairs[0].first)
    return RELATIVE_MARGIN * spread(list(values.values())).mean if values else 0.0


def _plan(experiment: Experiment, margin: float) -> str:
    count = len(experiment.seeds)
    rule = (
        f"Two rows are **equivalent** where the 90 % interval of their difference lies within ±{margin:.3g} "
        "(two one-sided t tests at 5 %), **better** or **worse** where its 95 % interval leaves out 0, and "
        "**undecided** where neither holds; equivalence goes before the others, for a difference that is "
        "certain and small is still small."
    )
    chosen = (
        "The first pair of each question was chosen beforehand to decide it. Nothing is corrected for the "
        "number of pairs: of twenty without a difference, one would show one by chance."
    )
    if subject_of(experiment) is not FASHION_MNIST:
        first, share = experiment.questions[0].pairs[0].first, f"{100 * RELATIVE_MARGIN:g} %"
        as_before = f"That is {share} of the distance of {first}, as in the studies on {FASHION_MNIST.title}."
        return f"- {rule} {as_before}\n- {chosen}"
    lines = [
        f"{rule} {MARGIN:g} is 2.5 % of the distance of 2:4 (12.1), what one row "
        "varies over its seeds (0.2 to 0.4), and a fifth of what freezing the mask or a teacher is worth.",
        f"The difference of two methods is taken to vary from seed to seed by {DEVIATION:g} (standard "
        "deviation): in the first study such differences varied by 0.04 to 0.18, over three seeds. "
        f"With {count} seeds a difference of {MARGIN:g} is then found with probability "
        f"{power(count, MARGIN, DEVIATION):.2f}, one of {2 * MARGIN:g} with "
        f"{power(count, 2 * MARGIN, DEVIATION):.2f}, and two rows without a difference are found equivalent "
        f"with at least {equivalence_power(count, MARGIN, DEVIATION):.2f}.",
        chosen,
    ]
    return "\n".join(f"- {line}" for line in lines)


def _answered(question: Question, distances: Distances, margin: float) -> list[str]:
    lines, findings = [], []
    for pair in question.pairs:
        found = difference(distances.get(pair.first, {}), distances.get(pair.second, {}))
        findings.append(judge(found, margin))
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
    subject = subject_of(experiment)
    where = "--data DIR --out DIR" + ("" if subject is FASHION_MNIST else " --weights DIR")
    lines = [
        f"Command: `sparsedm study {where} {options}`; from a clone, `npm run study` finds data "
        "and Python by itself.",
        "Training, measuring and settings as in [the first study](fashion-mnist-study.md); the teacher is "
        f"{subject.dense}. {results[0].samples:,} samples "
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
