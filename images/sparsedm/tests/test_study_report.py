"""The study's page: means, differences seed by seed, and answers, from results made by hand."""

from __future__ import annotations

import math
import re
from dataclasses import replace
from pathlib import Path
from xml.etree import ElementTree

import pytest

from sparsedm.cli import main
from sparsedm.errors import InputError
from sparsedm.study.figure import Curve, Dots, axis_ticks, dot_figure, plane_figure
from sparsedm.study.questions import QUESTIONS, Pair, Question, answer
from sparsedm.study.report import (
    MACS_FIGURE,
    METHODS_FIGURE,
    PATTERNS_FIGURE,
    REPORT_FILE,
    aligned_table,
    page,
    write_report,
)
from sparsedm.study.results import CSV_FILE, Result, write_results
from sparsedm.study.rows import BY_NAME
from sparsedm.study.statistics import Spread, Verdict, difference, spread
from svg_tools import SVG


def results(row: str, *distances: float) -> list[Result]:
    """One run for each distance, seeds from 0."""
    settings = BY_NAME[row]
    return [
        Result(
            row=row, method=settings.method, pattern=settings.pattern, schedule=settings.schedule,
            family=settings.family, ramp=str(settings.ramp or ""), freezing=str(settings.freezing or ""),
            mask=settings.mask, distillation=settings.distillation, seed=seed, steps=300, frechet=distance,
            extractor="fashion-mnist-cnn", macs_linear=34_869_248, macs_total=40_444_928, samples=500,
            evaluation_seed=1000 + seed, seconds=120.0, threads=1, device="AMD EPYC", torch="2.15.0",
            finished=f"2026-01-0{seed + 1}T00:00:00Z",
        )
        for seed, distance in enumerate(distances)
    ]  # fmt: skip


def by_seed(*distances: float) -> dict[int, float]:
    return dict(enumerate(distances))


# --- statistics ---


@pytest.mark.parametrize(
    ("values", "want"),
    [
        ([10.0, 12.0, 14.0], Spread(12.0, 2.0, 3)),
        ([5.0, 5.0], Spread(5.0, 0.0, 2)),
        ([7.0], Spread(7.0, None, 1)),
    ],
    ids=["three seeds", "two equal seeds", "one seed"],
)
def test_the_deviation_is_that_of_a_sample(values: list[float], want: Spread) -> None:
    assert spread(values) == want


@pytest.mark.parametrize(
    ("first", "second", "want", "text"),
    [
        (by_seed(10, 12, 14), by_seed(11, 14, 17), Verdict.SAME, "-2.00 ± 2.48"),
        (by_seed(10, 12, 14), by_seed(12, 14, 16.1), Verdict.BETTER, "-2.03 ± 0.14"),
        (by_seed(12, 14, 16.1), by_seed(10, 12, 14), Verdict.WORSE, "+2.03 ± 0.14"),
        ({0: 10.0, 2: 14.0}, {1: 1.0, 2: 15.0}, Verdict.OPEN, "-1.00"),
        ({0: 10.0}, {1: 1.0}, Verdict.OPEN, "not run"),
        ({}, by_seed(1, 2, 3), Verdict.OPEN, "not run"),
    ],
    ids=["within the spread", "lower", "higher", "one common seed", "no common seed", "not run"],
)
def test_rows_are_compared_seed_by_seed(
    first: dict[int, float], second: dict[int, float], want: Verdict, text: str
) -> None:
    found = difference(first, second)
    assert found.verdict is want
    assert str(found) == text


# --- answers ---

PAIRS = (Pair("the example", "a", "b"), Pair("another setting", "c", "d"))


@pytest.mark.parametrize(
    ("a", "b", "want"),
    [
        ((10, 10, 10.1), (12, 12, 12), "**Yes**, at the example: the distance is lower by 1.97 ± 0.14."),
        ((12, 12, 12), (10, 10, 10.1), "**No**, at the example: the distance is higher by 1.97 ± 0.14."),
        ((10, 12, 14), (11, 14, 17), "**No difference beyond the spread**, at the example: -2.00 ± 2.48."),
        ((10,), (12,), "**Open**, at the example: one seed (-2.00) has no spread."),
        ((), (12, 12), "**Open**, at the example: it has not been run."),
    ],
)
def test_the_first_pair_answers(a: tuple[float, ...], b: tuple[float, ...], want: str) -> None:
    distances = {"a": by_seed(*a), "b": by_seed(*b), "c": by_seed(1, 1), "d": by_seed(2, 2)}
    found = answer(Question("?", PAIRS), distances)
    assert found.sentence.startswith(want)
    assert found.differences[1].verdict is Verdict.BETTER


def test_all_pairs_are_counted() -> None:
    distances = {"a": by_seed(1, 1), "b": by_seed(2, 2), "c": by_seed(1, 3), "d": by_seed(3, 1)}
    want = "Of 2 pairs: 1 better, 1 with no difference beyond the spread."
    assert answer(Question("?", PAIRS), distances).sentence.endswith(want)


@pytest.mark.parametrize(
    ("b", "d", "want"),
    [
        ((2, 2), (2, 2), "**Yes**, less than each of them."),
        ((2, 2), (0, 0), "**Not less than each of them**: less than the example; more than another setting."),
        ((2, 2), (0, 2.1), "**Not less than each of them**: less than the example; "
                           "no difference beyond the spread to another setting."),
        ((2, 2), (), "**Open**: less than the example; not known yet against another setting."),
    ],
)  # fmt: skip
def test_half_a_model_is_beaten_only_where_each_one_is(
    b: tuple[float, ...], d: tuple[float, ...], want: str
) -> None:
    distances = {"a": by_seed(1, 1), "b": by_seed(*b), "c": by_seed(1, 1), "d": by_seed(*d)}
    assert answer(Question("?", PAIRS, against_all=True), distances).sentence.startswith(want)


def test_every_question_asks_for_rows_that_there_are() -> None:
    named = [name for q in QUESTIONS for pair in q.pairs for name in (pair.first, pair.second)]
    assert [name for name in named if name not in BY_NAME] == []
    assert [q.text for q in QUESTIONS if "half" in q.text and not q.against_all] == []


# --- the page ---


@pytest.fixture
def few() -> list[Result]:
    return [
        *results("dense", 11.0, 11.5, 12.0),
        *results("sparsedm-fixed", 14.0, 15.0, 16.0),
        *results("sparsedm-progressive", 12.0, 13.1, 14.0),
        *results("sparsedm-fixed-3-4", 12.5),
    ]


def test_the_page_answers_what_was_run_and_leaves_the_rest_open(few: list[Result]) -> None:
    text = page(few)
    assert "**Yes**, at 2:4, distilled, frozen 80 %: the distance is lower by 1.97 ± 0.14." in text
    assert "**Open**, at progressive, frozen 80 %: it has not been run." in text
    assert "**110 of 120 runs are missing.**" in text


def test_the_page_tells_how_it_was_made(few: list[Result]) -> None:
    text = page(few)
    for want in (
        "`sparsedm study --data DIR --out DIR --seeds 0,1,2 --steps 300 --samples 500`",
        "8,293 steps",
        "Nothing was selected",
        "AMD EPYC (1 thread a run)",
        "torch 2.15.0",
        "10 runs from 2026-01-01 to 2026-01-03, 0.3 hours in all",
    ):
        assert want in text


def test_runs_of_diff_pruning_as_it_was_are_told_from_those_of_today(few: list[Result]) -> None:
    (one,) = results("diff-pruning", 15.0)
    assert "where it has 39.82 now" in page([*few, replace(one, macs_total=37_116_928)])
    assert "of a version that" not in page([*few, replace(one, macs_total=39_819_776)])


def test_the_page_names_each_machine_once_and_a_single_day(few: list[Result]) -> None:
    machines = ((3, "A"), (1, "A"), (1, "B"))
    text = page([replace(few[0], threads=threads, device=name) for threads, name in machines])
    assert "Machine: A (1, 3 threads a run), B (1 thread a run);" in text
    assert "3 runs on 2026-01-01, 0.1 hours in all" in text
    other = few[-1]
    text = page([*few[:-1], replace(other, device="B")])
    assert f"Machine: AMD EPYC (1 thread a run), B (1 thread a run; {other.row});" in text


def test_a_groups_rows_come_best_first_with_mean_deviation_and_change(few: list[Result]) -> None:
    lines = [
        re.split(r" *\| *", line)[1:-1] for line in page(few).splitlines() if line.startswith("| sparsedm-")
    ]
    shown = {cells[0]: cells for cells in lines if len(cells) == 11}
    assert list(shown) == ["sparsedm-progressive", "sparsedm-fixed", "sparsedm-fixed-3-4"]
    assert shown["sparsedm-fixed"] == [
        "sparsedm-fixed", "2:4", "fixed", "80 %", "10", "300", "3", "15.00 ± 1.00", "+30.4 %",
        "34.87", "40.44",
    ]  # fmt: skip
    assert shown["sparsedm-fixed-3-4"][6:8] == ["1", "12.50"]


def test_tables_are_padded_as_the_formatter_wants_them() -> None:
    assert aligned_table([["a", "longer"], ["wide cell", "1"]], right={1}) == (
        "| a         | longer |\n| --------- | -----: |\n| wide cell |      1 |"
    )


def test_the_report_is_made_again_from_the_csv_alone(
    few: list[Result], tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    write_results(tmp_path / CSV_FILE, few)
    names = [REPORT_FILE, METHODS_FIGURE, PATTERNS_FIGURE, MACS_FIGURE]
    assert main(["study", "--report-only", "--out", str(tmp_path)]) == 0
    assert capsys.readouterr().out.split() == [str(tmp_path / name) for name in names]
    first = [(tmp_path / name).read_bytes() for name in names]
    assert main(["study", "--report-only", "--out", str(tmp_path)]) == 0
    assert [(tmp_path / name).read_bytes() for name in names] == first
    assert f"]({METHODS_FIGURE})" in (tmp_path / REPORT_FILE).read_text()


def test_a_folder_without_runs_has_no_report(tmp_path: Path) -> None:
    with pytest.raises(InputError, match="run the study first"):
        write_report(tmp_path)


def test_a_figure_of_no_runs_is_left_out(tmp_path: Path) -> None:
    write_results(tmp_path / CSV_FILE, results("dense", 11.0))
    assert [path.name for path in write_report(tmp_path)] == [REPORT_FILE, METHODS_FIGURE, MACS_FIGURE]
    assert PATTERNS_FIGURE not in (tmp_path / REPORT_FILE).read_text()


# --- figures ---


def test_dots_stand_in_the_order_of_their_values_with_bars() -> None:
    lines = [Dots("low", [Spread(10.0, 1.0, 3)]), Dots("high & more", [Spread(40.0, None, 1)])]
    svg = ElementTree.fromstring(dot_figure("t", "x", [""], lines, ("dense", 20.0)))

    low, high = (float(dot.get("cx", "")) for dot in svg.iter(f"{SVG}circle"))
    dashed = next(
        float(line.get("x1", "")) for line in svg.iter(f"{SVG}line") if line.get("stroke-dasharray")
    )
    assert low < dashed < high
    assert dashed - low == pytest.approx(high - dashed, abs=0.05)  # 10, 20, 40 on a logarithmic axis
    bars = [line for line in svg.iter(f"{SVG}line") if line.get("y1") == line.get("y2")]
    assert [float(bar.get("x1", "")) < low < float(bar.get("x2", "")) for bar in bars] == [True]
    assert "high & more" in [text.text for text in svg.iter(f"{SVG}text")]


def test_ticks_are_round() -> None:
    assert axis_ticks(9.0, 45.0) == [10, 12, 15, 20, 30, 40]


def test_over_a_plane_a_point_stands_where_its_values_are() -> None:
    curves = [
        Curve("joined", [(20.0, Spread(16.0, 1.0, 3), "1:4"), (40.0, Spread(12.0, None, 1), "2:4")]),
        Curve("apart", [(10.0, Spread(14.0, 0.5, 3), "a"), (30.0, Spread(13.0, 0.5, 3), "b")], joined=False),
    ]
    svg = ElementTree.fromstring(plane_figure("t", "x", "y", curves))
    dots = [(float(c.get("cx", "")), float(c.get("cy", ""))) for c in svg.iter(f"{SVG}circle")]
    labels = {text.text: text for text in svg.iter(f"{SVG}text")}

    def tick(value: str, axis: str, shift: float = 0.0) -> float:
        return float(labels[value].get(axis, "")) - shift

    left, right = tick("0", "x"), tick("40", "x")
    assert [left + x / 40 * (right - left) for x in (20, 40, 10, 30)] == pytest.approx(
        [x for x, _ in dots], abs=0.01
    )
    low, high = tick("12", "y", 4.0), tick("15", "y", 4.0)
    want = [low + math.log(v / 12) / math.log(15 / 12) * (high - low) for v in (16.0, 12.0, 14.0, 13.0)]
    assert [y for _, y in dots] == pytest.approx(want, abs=0.03)
    slanted = [line for line in svg.iter(f"{SVG}line") if line.get("y1") != line.get("y2")]
    slanted = [line for line in slanted if line.get("x1") != line.get("x2")]
    ends = [tuple(float(line.get(end, "")) for end in ("x1", "y1", "x2", "y2")) for line in slanted]
    assert ends == [(*dots[0], *dots[1])], "the first two are joined, and no others"
