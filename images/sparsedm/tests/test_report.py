"""The report of real runs: its curves are what was recorded, and an interruption leaves no trace in it."""

from __future__ import annotations

import base64
import json
import re
import shutil
from pathlib import Path
from typing import Any

import pytest

from sparsedm.cli import main
from sparsedm.report.curve import Curve
from sparsedm.report.page import write_report
from sparsedm.training.learning_rate import learning_rate_at
from svg_tools import charts_of, points_of
from tiny_run import Workplace

STEPS = 20
CHANGES: dict[str, Any] = {"checkpoint": {"everySteps": 1, "keep": 100}, "evaluation__everySteps": 6}


@pytest.fixture(scope="module")
def undisturbed(place: Workplace) -> Path:
    place.train(place.spec("undisturbed", **CHANGES))
    return place.directory / "undisturbed"


def report_of(output: Path) -> str:
    return (output / "report.html").read_text()


def state_of(output: Path, step: int = STEPS) -> dict[str, Any]:
    return json.loads((output / f"checkpoints/step-{step:08d}/state.json").read_text())


def test_the_curves_are_what_the_run_recorded(undisturbed: Path) -> None:
    charts, state = charts_of(report_of(undisturbed)), state_of(undisturbed)
    recorded = Curve()
    recorded.restore(state["curve"])
    points = list(recorded.points())
    assert [p.step for p in points] == list(range(1, STEPS + 1))
    assert sum(p.loss for p in points) == pytest.approx(
        sum(total for total, _ in state["stageSums"].values())
    )
    assert sum(p.flips for p in points) == sum(state["stageFlips"].values()) > 0
    for title, name, values in (
        ("Loss", "loss", [p.loss for p in points]),
        ("Learning rate", "rate", [p.rate for p in points]),
        ("Mask moves", "moves", [p.flips for p in points]),
    ):
        drawn = points_of(charts[title], name)
        assert [x for x, _ in drawn] == pytest.approx([p.step for p in points], abs=0.03)
        assert [y for _, y in drawn] == pytest.approx(values, abs=max(values) / 500)


def test_the_learning_rates_are_those_of_the_schedule(undisturbed: Path) -> None:
    want = [learning_rate_at(step, STEPS, 0.001, 3, "constant") for step in range(STEPS)]
    drawn = points_of(charts_of(report_of(undisturbed))["Learning rate"], "rate")
    assert [y for _, y in drawn] == pytest.approx(want, abs=2e-6)


def test_the_distance_of_each_evaluation_is_drawn_beside_the_dense_one(undisturbed: Path) -> None:
    manifest, history = (
        json.loads((undisturbed / "manifest.json").read_text()),
        state_of(undisturbed)["history"],
    )
    fid = manifest["fid"]
    svg = charts_of(report_of(undisturbed))["fd-test-cnn of the sparse model"]
    want = [(entry["step"], float(entry["distance"])) for entry in history] + [(STEPS, float(fid["sparse"]))]
    assert [step for step, _ in want] == [6, 12, 18, STEPS]
    spread = max(y for _, y in want)
    for drawn, point in zip(points_of(svg, "sparse"), want, strict=True):
        assert drawn == pytest.approx(point, abs=max(0.03, spread / 500))
    assert points_of(svg, f"dense {fid['dense']}")[0][1] == pytest.approx(
        float(fid["dense"]), abs=spread / 500
    )


def test_the_sparsity_of_each_stage_is_drawn(undisturbed: Path) -> None:
    drawn = points_of(charts_of(report_of(undisturbed))["Sparsity that the stages ask for"], "sparsity")
    ends = [0, 4, 4, 8, 8, 12, 12, 16, 16, 20]
    levels = [12.5, 12.5, 25, 25, 37.5, 37.5, 50, 50, 50, 50]
    assert [x for x, _ in drawn] == pytest.approx(ends, abs=0.03)
    assert [y for _, y in drawn] == pytest.approx(levels, abs=0.1)


@pytest.mark.parametrize("cut", [1, 7, 13, 20])
def test_a_resumed_run_draws_the_curves_of_the_undisturbed_one(
    place: Workplace, undisturbed: Path, cut: int
) -> None:
    output = place.directory / f"cut-{cut}"
    output.mkdir()
    kept = f"checkpoints/step-{cut:08d}"
    shutil.copytree(undisturbed / kept, output / kept)
    place.train(place.spec(output.name, **CHANGES))
    assert charts_of(report_of(output)) == charts_of(report_of(undisturbed))


def test_the_report_needs_no_other_file(undisturbed: Path) -> None:
    report = report_of(undisturbed)
    assert re.findall(r'(?:src|href)="(?!data:)', report) == []
    assert "<script" not in report
    image = re.search(r'src="data:image/png;base64,([^"]+)"', report)
    assert base64.b64decode(image[1]) == (undisturbed / "samples.png").read_bytes()


def test_the_same_content_gives_the_same_bytes(place: Workplace, undisturbed: Path) -> None:
    """Two runs differ in the places and times that their manifests hold, and in nothing else."""
    place.train(place.spec("again", **CHANGES))
    pages = []
    for output in (undisturbed, place.directory / "again"):
        created = json.loads((output / "manifest.json").read_text())["provenance"]
        changing = (
            created["createdAt"],
            created["configDigest"],
            created["configuration"]["output"]["uri"],
            f"millisecondsPerImage {created['latency']['millisecondsPerImage']}",
        )
        page = report_of(output)
        for number, text in enumerate(changing):
            page = page.replace(text, f"CHANGING {number}")
        pages.append(page)
    assert pages[0] == pages[1]


def test_a_run_of_one_step_has_its_curves(place: Workplace) -> None:
    place.train(place.spec("one", training__steps=1, training__warmupSteps=0, checkpoint__everySteps=1))
    charts = charts_of(report_of(place.directory / "one"))
    assert len(charts) == 5
    state = state_of(place.directory / "one", 1)
    assert points_of(charts["Loss"], "loss") == [pytest.approx((1, state["loss"]), rel=1e-2)]


def test_a_model_that_was_only_masked_has_figures_and_no_curves(place: Workplace) -> None:
    manifest = place.train(place.spec("masked", sparsity__method="masked-dense"))
    report = report_of(place.directory / "masked")
    assert charts_of(report) == {}
    assert f"<td>{manifest['fid']['dense']}</td>" in report


def test_precision_recall_and_kid_are_in_the_table_or_their_absence_is_explained(
    undisturbed: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    manifest = json.loads((undisturbed / "manifest.json").read_text())
    quality, report = manifest["quality"], report_of(undisturbed)
    assert quality["referenceFeatures"] == 44
    for key in ("precision", "recall"):
        assert 0 <= float(quality["sparse"][key]) <= 1
        assert f"<td>{quality['dense'][key]}</td><td>{quality['sparse'][key]}</td>" in report
    assert f"<td>{quality['sparse']['kid']} ± {quality['sparse']['kidDeviation']}</td>" in report
    assert main(["inspect", str(undisturbed)]) == 0
    assert f"quality, sparse:\n  precision      {quality['sparse']['precision']}\n" in capsys.readouterr().out
    without = {**manifest, "quality": {"absent": "There is <no> reason."}}
    page = write_report(without, None, b"")
    assert "Precision, recall and KID are absent. There is &lt;no&gt; reason." in page
    assert "Recall (variety" not in page
