"""What was laid down before the runs of the later experiments: margin, power, and how a page says it."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from sparsedm.cli import main
from sparsedm.study.experiment_page import experiment_page
from sparsedm.study.experiments import EXPERIMENTS
from sparsedm.study.results import CSV_FILE, Result, read_results, write_results
from sparsedm.study.rows import BY_NAME
from sparsedm.study.statistics import (
    DEVIATION,
    MARGIN,
    PLANNED,
    Difference,
    Finding,
    difference,
    distances_of,
    equivalence_power,
    judge,
    power,
    spread,
)
from test_study_report import by_seed, results

LATER = [one for one in EXPERIMENTS.values() if one.questions]


@pytest.mark.parametrize(
    ("margin", "want"), [(3.7, Finding.EQUIVALENT), (3.6, Finding.UNDECIDED), (0.3, Finding.UNDECIDED)]
)
def test_worked_example_of_equivalence(margin: float, want: Finding) -> None:
    found = difference(by_seed(10, 12, 14), by_seed(11, 14, 17))
    assert str(found) == "-2.00 ± 2.48"
    assert judge(found, margin) is want


@pytest.mark.parametrize(
    ("mean", "margin", "count", "want"),
    [
        (-0.05, 0.2, 8, Finding.EQUIVALENT),
        (-0.1, 0.05, 8, Finding.EQUIVALENT),
        (-0.5, 0.3, 8, Finding.BETTER),
        (0.5, 0.3, 8, Finding.WORSE),
        (0.2, 0.3, 8, Finding.UNDECIDED),
        (None, None, 0, Finding.OPEN),
        (0.5, None, 1, Finding.OPEN),
    ],
    ids=["none", "certain and small", "lower", "higher", "too few seeds", "not run", "one seed"],
)
def test_a_difference_is_judged_beside_the_margin(
    mean: float | None, margin: float | None, count: int, want: Finding
) -> None:
    assert judge(Difference(mean, margin, count)) is want


def test_worked_example_of_power() -> None:
    assert power(8, 0.3, 0.25) == pytest.approx(0.83, abs=0.005)
    assert equivalence_power(8, 0.3, 0.25) == pytest.approx(0.84, abs=0.005)
    assert power(8, 0.0, 0.25) == pytest.approx(0.05, abs=1e-6), "the test's own error"
    assert equivalence_power(3, 0.3, 0.25) == 0


def test_power_is_the_share_of_drawn_studies_that_find_the_difference() -> None:
    """4,000 studies of 8 seeds: the standard error of a share is below 0.007."""
    random, drawn = np.random.default_rng(0), 4000
    for effect, wanted, chance in (
        (MARGIN, Finding.WORSE, power(8, MARGIN, DEVIATION)),
        (0.0, Finding.EQUIVALENT, equivalence_power(8, MARGIN, DEVIATION)),
    ):
        studies = random.normal(effect, DEVIATION, (drawn, 8))
        found = [difference(dict(enumerate(one)), dict.fromkeys(range(8), 0.0)) for one in studies]
        if wanted is Finding.WORSE:
            share = sum(one.mean > one.margin for one in found) / drawn
        else:
            share = sum(judge(one) is wanted for one in found) / drawn
        assert share == pytest.approx(chance, abs=0.02)


def test_differences_of_the_first_study_varied_less_than_is_assumed() -> None:
    file = Path(__file__).parents[3] / "docs/benchmarks" / CSV_FILE
    distances = distances_of(read_results(file))
    deviations = [
        spread([distances[first][seed] - distances[second][seed] for seed in distances[first]]).deviation
        for first, second in PLANNED
    ]
    assert (f"{min(deviations):.2f}", f"{max(deviations):.2f}") == ("0.04", "0.18")
    assert max(deviations) < DEVIATION


@pytest.mark.parametrize("experiment", LATER, ids=lambda one: one.name)
def test_every_question_asks_for_rows_of_its_experiment(experiment: object) -> None:
    names = {row.name for row in experiment.rows}
    asked = {name for q in experiment.questions for pair in q.pairs for name in (pair.first, pair.second)}
    assert asked <= names
    compared = {BY_NAME[name].distillation for name in asked}
    assert compared == {row.distillation for row in experiment.rows}


def some() -> list[Result]:
    asp = results("asp-alpha-10", *(12.0 + 0.1 * seed for seed in range(8)))
    level = results("sr-ste-alpha-10", *(12.05 + 0.1 * seed + 0.02 * (seed % 2) for seed in range(8)))
    worse = results("s-ste-alpha-10", *(14.0 + 0.1 * seed + 0.02 * (seed % 2) for seed in range(8)))
    return [*asp, *level, *worse]


def test_a_page_says_margin_power_and_answers() -> None:
    text = experiment_page(EXPERIMENTS["teacher"], some())
    for want in (
        "lies within ±0.3 (two one-sided t tests at 5 %)",
        "With 8 seeds a difference of 0.3 is then found with probability 0.83",
        "with at least 0.84.",
        "**Equivalent**, at sr-ste, weight 10: +0.06 ± 0.01.",
        "Of 21 pairs: 1 equivalent, 1 worse, 19 open.",
        "**Open**, at teacher's weight 10: not run.",
        "**168 of 192 runs are missing.**",
        "`sparsedm study --data DIR --out DIR --experiment teacher --samples 500 --steps 300`",
    ):
        assert want in text


def test_the_margin_in_colour_is_a_share_of_the_first_rows_distance() -> None:
    first, dense = results("emoji-sparsedm-progressive", 40, 41, 39), results("emoji-dense", 39.5, 40.4, 38.6)
    text = experiment_page(EXPERIMENTS["emoji"], [*first, *dense])
    for want in (
        "# The study on emoji in colour: ",
        "lies within ±1 (two one-sided t tests at 5 %)",
        "That is 2.5 % of the distance of emoji-sparsedm-progressive",
        "**Equivalent**, at progressive: +0.50 ± 0.25.",
        "--weights DIR --experiment emoji",
    ):
        assert want in text
    assert "probability" not in text, "nothing is known of how its rows vary"


def test_the_page_is_made_again_from_its_csv(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    teacher = EXPERIMENTS["teacher"]
    write_results(tmp_path / teacher.csv, some())
    assert main(["study", "--report-only", "--experiment", "teacher", "--out", str(tmp_path)]) == 0
    assert capsys.readouterr().out.split() == [str(tmp_path / teacher.page)]
    assert (tmp_path / teacher.page).read_text() == experiment_page(teacher, some())
    assert main(["study", "--report-only", "--experiment", "budget", "--out", str(tmp_path)]) == 3
