"""Stages that end worse than the one before: the run goes back, or stops, also when it was killed on the way.

In the runs of ten steps here a stage ends with every second one: 7:8, 6:8, 5:8, 4:8, 2:4.
"""

from __future__ import annotations

import dataclasses
import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
import torch
from safetensors.torch import load_file

from sparsedm.artifact.artifact import load_artifact, verify_statements
from sparsedm.measure.evaluator import Measurement
from sparsedm.sparsity.masks import apply_mask, nm_mask
from sparsedm.training import finetune as finetune_module
from sparsedm.training.checkpoint import CheckpointStore
from sparsedm.training.config import parse_config
from sparsedm.training.describe import describe
from sparsedm.training.finetune import Finetune
from sparsedm.training.regression import StageEnd, judge
from tiny_run import Workplace

Script = Callable[[dict[int, float]], None]


@pytest.mark.parametrize(("distance", "good"), [(18.0, True), (22.0, True), (22.1, False)])
def test_a_stage_is_good_within_the_bound(distance: float, good: bool) -> None:
    before = StageEnd(2, "6:8", 4, 20.0)
    assert (judge(StageEnd(3, "5:8", 6, distance), before, 10) is None) == good


def test_the_first_stage_is_good() -> None:
    assert judge(StageEnd(1, "7:8", 2, 1e9), None, 0) is None


def test_the_sentence_has_both_stages_and_the_bound() -> None:
    found = judge(StageEnd(3, "5:8", 6, 25.0), StageEnd(2, "6:8", 4, 20.0), 10)
    assert found is not None
    assert found.sentence() == (
        "The distance rose from 20 after stage 2 (6:8) to 25 after stage 3 (5:8), by 25 %, and "
        "sparsity.schedule.maxRegressionPercent is 10"
    )


@pytest.fixture
def distances(monkeypatch: pytest.MonkeyPatch) -> Script:
    """Gives evaluations on the way these distances, by the step; they are made all the same."""
    whole = Finetune._measure

    def scripted(by_step: dict[int, float]) -> None:
        def measure(self: Finetune, *args: Any, choosing: bool = False, **rest: Any) -> Measurement:
            found = whole(self, *args, choosing=choosing, **rest)
            distance = by_step[self.state.step] if choosing else found.distance
            return dataclasses.replace(found, distance=distance)

        monkeypatch.setattr(Finetune, "_measure", measure)

    return scripted


def spec(place: Workplace, output: str, reaction: str = "RollBack", **changes: Any) -> dict[str, Any]:
    return place.spec(
        output,
        **{
            "training__steps": 10,
            "checkpoint": {"everySteps": 1, "keep": 1},
            "sparsity__schedule": {"onRegression": reaction},
            **changes,
        },
    )


def steps_kept(output: Path) -> list[int]:
    return CheckpointStore(output / "checkpoints", 1).steps()


def test_a_run_goes_back_to_the_last_good_stage_and_publishes_it(
    place: Workplace, distances: Script, monkeypatch: pytest.MonkeyPatch
) -> None:
    distances({2: 20.0, 4: 21.0, 6: 30.0})
    code, told = place.command(spec(place, "back"), monkeypatch)
    assert code == 0
    output = place.directory / "back"
    model, manifest = load_artifact(output)
    verify_statements(model, manifest, output)
    message = (
        "The distance rose from 21 after stage 2 (6:8) to 30 after stage 3 (5:8), by 42.9 %, and "
        "sparsity.schedule.maxRegressionPercent is 10: the model is that of stage 2."
    )
    rollback = {"stage": 2, "pattern": "6:8", "step": 4, "regressedStep": 6, "message": message}
    assert told["rollback"] == manifest["provenance"]["rollback"] == rollback
    assert told["sparsity"]["pattern"] == manifest["pattern"] == "6:8"
    assert (told["sparsity"]["achieved"], told["macs"]) == ("0.25", manifest["macs"])
    assert manifest["fid"]["weights"] == "EMA, decay 0.99, of step 4, the end of the last good stage"
    progress = {name: told["progress"][name] for name in ("step", "totalSteps", "stage", "stagePattern")}
    assert progress == {"step": 4, "totalSteps": 10, "stage": 2, "stagePattern": "6:8"}
    assert [e["step"] for e in told["progress"]["history"]] == [2, 4, 6]
    assert steps_kept(output) == [6, 4], "the last good one beside the newest"
    # The model is the average as it was then, under a mask of its own.
    average = load_file(output / "checkpoints/step-00000004/tensors.safetensors")
    masked = {f"{layer['name']}.weight" for layer in manifest["layers"]}
    for name, weight in load_file(output / "model.safetensors").items():
        want = average[f"ema/{name}"]
        assert torch.equal(weight, apply_mask(want, nm_mask(want, 6, 8)) if name in masked else want), name
    # Another trainer of the finished run tells the same.
    code, again = place.command(spec(place, "back"), monkeypatch)
    assert (code, again["rollback"], again["progress"]["step"]) == (0, rollback, 4)


class Killed(BaseException):
    pass


def kill_at(patch: pytest.MonkeyPatch, moment: str) -> None:
    """At the first time that this moment comes."""

    def wrap(holder: Any, name: str, due: Callable[..., bool], before: bool) -> None:
        whole = getattr(holder, name)

        def killed(*args: Any, **named: Any) -> Any:
            dies = due(*args)
            if dies and before:
                raise Killed
            result = whole(*args, **named)
            if dies:
                raise Killed
            return result

        patch.setattr(holder, name, killed)

    def of_step(store: CheckpointStore, step: int, *_: Any) -> bool:
        return step == 6

    def always(*_: Any) -> bool:
        return True

    wrap(*{
        "in the evaluation": (Finetune, "_measure", lambda run, *_: run.state.step == 6, True),
        "before the verdict is saved": (CheckpointStore, "save", of_step, True),
        "after the verdict is saved": (CheckpointStore, "save", of_step, False),
        "on the way back": (CheckpointStore, "load", always, False),
        "after the way back": (Finetune, "_roll_back", always, False),
        "before the model is written": (finetune_module, "save_artifact", always, True),
    }[moment])  # fmt: skip


@pytest.mark.parametrize(
    "moment",
    [
        "in the evaluation",
        "before the verdict is saved",
        "after the verdict is saved",
        "on the way back",
        "after the way back",
        "before the model is written",
    ],
)
def test_a_kill_at_any_moment_gives_the_same_end(
    place: Workplace, distances: Script, monkeypatch: pytest.MonkeyPatch, moment: str
) -> None:
    distances({2: 20.0, 4: 21.0, 6: 30.0})
    want = place.train(spec(place, "undisturbed-back"))
    asked = spec(place, f"killed-{moment.replace(' ', '-')}")
    with monkeypatch.context() as patch:
        kill_at(patch, moment)
        with pytest.raises(Killed):
            place.train(asked)
    got = place.train(asked)
    for name in ("pattern", "maskDigest", "fid", "macs", "sparsity"):
        assert got[name] == want[name]
    assert got["weights"]["sha256"] == want["weights"]["sha256"]
    assert got["provenance"]["rollback"] == want["provenance"]["rollback"]


def test_a_run_stops_and_keeps_the_last_good_stage(
    place: Workplace, distances: Script, monkeypatch: pytest.MonkeyPatch
) -> None:
    distances({2: 20.0, 4: 21.0, 6: 30.0})
    for _ in range(2):  # a second trainer ends as the first did
        code, told = place.command(spec(place, "stopped", "Stop"), monkeypatch)
        assert (code, told["error"]["reason"]) == (4, "QualityRegressed")
        assert "The checkpoint of stage 2 (6:8) is kept at file://" in told["error"]["message"]
        assert steps_kept(place.directory / "stopped") == [6, 4]
        assert not (place.directory / "stopped/manifest.json").exists()


@pytest.mark.parametrize("method", ["sparsedm", "s-ste"])
def test_the_way_back_from_the_last_stage_leads_out_of_its_frozen_mask(
    place: Workplace, distances: Script, method: str
) -> None:
    """The model is that of a run which ends where the last good stage does."""
    distances({2: 20.0, 4: 20.0, 6: 20.0, 8: 20.0, 10: 30.0})
    back = place.train(spec(place, f"last-{method}", sparsity__method=method))
    assert back["provenance"]["rollback"]["step"] == 8
    stages = [{"pattern": pattern, "steps": 2} for pattern in ("7:8", "6:8", "5:8", "4:8")]
    shorter = place.spec(
        f"shorter-{method}",
        training__steps=8,
        sparsity={
            "method": method,
            "pattern": "4:8",
            "schedule": {"type": "custom", "stages": stages, "freezeMaskPercent": 0},
        },
    )
    assert back["weights"]["sha256"] == place.train(shorter)["weights"]["sha256"]


def test_a_dry_run_says_what_a_regression_leads_to(place: Workplace) -> None:
    bound = "Where the distance is more than 10 % above that after the last good stage, the run "
    for reaction, then in {"RollBack": "goes back to that stage and ends.", "Stop": "stops."}.items():
        assert f"{bound}{then}" in describe(parse_config(spec(place, "dry", reaction)))
    assert "last good stage" not in describe(parse_config(spec(place, "dry", "Continue")))


def test_good_stages_change_nothing(place: Workplace, distances: Script) -> None:
    distances({2: 20.0, 4: 21.9, 6: 18.0, 8: 19.7, 10: 21.6})
    guarded = place.train(spec(place, "guarded"))
    plain = place.train(spec(place, "unguarded", "Continue"))
    assert "rollback" not in guarded["provenance"]
    assert guarded["weights"]["sha256"] == plain["weights"]["sha256"]
    state = json.loads((place.directory / "guarded/checkpoints/step-00000010/state.json").read_text())
    assert state["good"] == {"stage": 5, "pattern": "2:4", "step": 10, "distance": 21.6}
