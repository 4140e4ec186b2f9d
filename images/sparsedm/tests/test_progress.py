"""Percent, time left and lines on the terminal."""

from __future__ import annotations

import io
from datetime import UTC, datetime

import pytest
import torch

from sparsedm.errors import InputError, SparseDMError
from sparsedm.runtime.device import Usage, check_gpus
from sparsedm.runtime.progress import Console, Pace, RunProgress, format_duration
from sparsedm.runtime.report_client import ReportClient


class Terminal(io.StringIO):
    def isatty(self) -> bool:
        return True


def run_progress(stream: io.StringIO | None = None) -> RunProgress:
    return RunProgress(
        ReportClient(None, None),
        Console(stream or io.StringIO(), interval=0.0),
        total_steps=10,
        stages=5,
        training=Pace(600.0),
        evaluation=Pace(400.0),
        usage=Usage("CPU (test)", 0),
    )


@pytest.mark.parametrize(
    ("seconds", "want"),
    [(0, "0s"), (45.4, "45s"), (60, "1m00s"), (80, "1m20s"), (3599.6, "1h00m"), (7260, "2h01m"), (-3, "0s")],
)
def test_durations(seconds: float, want: str) -> None:
    assert format_duration(seconds) == want


def test_percent_counts_training_and_evaluation_together() -> None:
    progress = run_progress()
    assert progress.percent == 0
    progress.training.add(300, 30.0)
    assert progress.percent == 30
    progress.training.add(300, 30.0)
    progress.evaluation.add(400, 10.0)
    assert progress.percent == 99, "100 only when all is written"
    progress.enter("done")
    assert progress.percent == 100


def test_time_left_takes_each_phase_at_its_own_speed() -> None:
    progress = run_progress()
    assert progress.remaining_seconds is None
    progress.training.add(300, 30.0)
    assert progress.remaining_seconds == pytest.approx(30 + 40)
    progress.evaluation.add(100, 20.0)
    assert progress.remaining_seconds == pytest.approx(30 + 60)


def test_work_of_an_earlier_attempt_counts_but_says_nothing_of_speed() -> None:
    progress = run_progress()
    progress.training.skip(300)
    assert progress.percent == 30
    assert progress.remaining_seconds is None


def test_a_first_step_that_takes_long_promises_no_long_run() -> None:
    progress = run_progress()
    progress.training.skip(6)
    assert progress.remaining_seconds is None
    progress.training.add(6, 0.6)
    assert progress.remaining_seconds == pytest.approx(58.8 + 40)


def test_the_speed_is_that_of_late() -> None:
    pace = Pace(10_000.0)
    pace.add(100, 10.0)
    pace.add(100, 1.0)
    assert pace.rate == pytest.approx(195 / 10.5)
    for _ in range(100):
        pace.add(10, 1.0)
    assert pace.rate == pytest.approx(10, rel=0.05)


def test_features_of_the_reference_have_a_speed_of_their_own() -> None:
    progress = run_progress()
    progress.training.add(600, 60.0)
    progress.reference.planned += 500
    assert progress.percent == 40
    assert progress.remaining_seconds == pytest.approx(40 + 50)
    progress.reference.add(250, 1.0)
    assert progress.remaining_seconds == pytest.approx(40 + 1)


def test_the_report_has_the_fields_of_the_status() -> None:
    progress = run_progress()
    progress.training.add(300, 30.0)
    progress.update(step=5, stage=2, stagePattern="6:8", loss="0.1000", samplesPerSecond="60.0")
    told = progress.client._state["progress"]
    want = {
        "step": 5, "totalSteps": 10, "percent": 30, "display": "30%", "stage": 2, "stages": 5,
        "stagePattern": "6:8", "phase": "loading", "loss": "0.1000", "samplesPerSecond": "60.0",
        "remainingSeconds": 70, "eta": "1m10s",
    }  # fmt: skip
    assert {k: told[k] for k in want} == want
    assert told["reportedAt"].endswith("Z")


def test_the_report_says_what_the_trainer_uses() -> None:
    times = iter([5.0, 95.7])
    started = datetime(2026, 1, 31, 12, 0, 0, 125_000, tzinfo=UTC)
    progress = run_progress()
    progress.usage = Usage("NVIDIA H200", 2, lambda: next(times), started)
    progress.update()
    assert progress.client._state["trainer"] == {
        "device": "NVIDIA H200",
        "gpus": 2,
        "gpuSeconds": 181,
        "startedAt": "2026-01-31T12:00:00.125Z",
    }
    on_cpu = Usage.of(torch.device("cpu"), 4).status()
    assert on_cpu["device"].startswith("CPU (")
    assert (on_cpu["gpus"], on_cpu["gpuSeconds"]) == (0, 0)


@pytest.mark.parametrize(
    ("cuda", "kind", "words"),
    [
        (None, InputError, "asks for 4 GPUs, and the trainer's image has a torch for CPUs: name an image"),
        ("12.8", SparseDMError, "finds none that it can use: look at the node's driver"),
    ],
)
def test_a_trainer_that_asks_for_gpus_does_not_train_on_a_cpu(
    cuda: str | None, kind: type[SparseDMError], words: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(torch.version, "cuda", cuda)
    monkeypatch.setattr(torch.cuda, "is_available", lambda: False)
    with pytest.raises(SparseDMError, match=words) as raised:
        check_gpus({"SPARSEDM_GPUS": "4"})
    assert (type(raised.value), raised.value.reason) == (kind, "NoGPU")
    check_gpus({})
    monkeypatch.setattr(torch.cuda, "is_available", lambda: True)
    check_gpus({"SPARSEDM_GPUS": "4"})


def test_history_is_bounded() -> None:
    progress = run_progress()
    progress.history = [{"step": i} for i in range(50)]
    progress.update()
    assert [e["step"] for e in progress.client._state["progress"]["history"]] == list(range(30, 50))


def test_plain_lines_where_there_is_no_terminal() -> None:
    stream = io.StringIO()
    progress = run_progress(stream)
    progress.training.add(300, 30.0)
    progress.phase = "training"
    progress.update(step=5, stage=2, stagePattern="6:8", loss="0.1000", maskFlips=12)
    want = " 30% training step 5/10, stage 2/5 (6:8), loss 0.1000, 12 mask flips, 1m10s left\n"
    assert stream.getvalue() == want


def test_a_bar_on_a_terminal() -> None:
    stream = Terminal()
    progress = run_progress(stream)
    progress.update(step=5, stage=2, stagePattern="6:8")
    progress.console.say("A sentence.")
    progress.console.close()
    assert "A sentence." in stream.getvalue()
    assert "stage 2/5 (6:8)" in stream.getvalue()
