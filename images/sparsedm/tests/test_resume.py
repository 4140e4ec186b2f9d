"""A resumed run equals an uninterrupted one bit for bit, wherever it stopped, also by a real SIGKILL."""

from __future__ import annotations

import json
import os
import random
import shutil
import signal
import threading
from collections.abc import Callable, Iterator
from functools import partial
from itertools import count
from pathlib import Path
from typing import Any

import pytest
import torch
from safetensors.torch import load_file, save

from sparsedm.diffusion.objective import Objective
from sparsedm.training import checkpoint as checkpoint_module
from sparsedm.training import learner as learner_module
from sparsedm.training.checkpoint import CheckpointStore
from tiny_run import Workplace

STEPS = 20
"""Stages begin at 4, 8, 12, 16; the mask is frozen from 17 on; an epoch has 5.5 steps of 8 images, so that
the second ends with step 11, and the others within a step."""


@pytest.fixture(scope="module")
def undisturbed(place: Workplace) -> Path:
    """A whole run that kept the checkpoint of every step."""
    place.train(place.spec("undisturbed", checkpoint={"everySteps": 1, "keep": 100}))
    return place.directory / "undisturbed"


def cut_after(place: Workplace, undisturbed: Path, step: int) -> Path:
    """A copy of the output as it was when the run was killed after the checkpoint of `step`."""
    output = place.directory / f"{undisturbed.name}-cut-{step}"
    output.mkdir()
    for kept in range(1, step + 1):
        name = f"checkpoints/step-{kept:08d}"
        shutil.copytree(undisturbed / name, output / name)
    return output


def assert_same_end(undisturbed: Path, resumed: Path, steps: int = STEPS) -> None:
    last = f"checkpoints/step-{steps:08d}"
    want, got = (load_file(place / last / "tensors.safetensors") for place in (undisturbed, resumed))
    assert list(want) == list(got)
    different = [name for name in want if not torch.equal(want[name], got[name])]
    assert different == []
    want, got = (json.loads((place / last / "state.json").read_text()) for place in (undisturbed, resumed))
    assert want == got
    assert (undisturbed / "model.safetensors").read_bytes() == (resumed / "model.safetensors").read_bytes()
    want, got = (json.loads((place / "manifest.json").read_text()) for place in (undisturbed, resumed))
    assert want["fid"] == got["fid"]
    assert want["maskDigest"] == got["maskDigest"]


@pytest.mark.parametrize(
    "step",
    [
        pytest.param(1, id="inside the warm-up"),
        pytest.param(4, id="at a stage boundary"),
        pytest.param(5, id="in mid-epoch"),
        pytest.param(6, id="just after an epoch's end"),
        pytest.param(10, id="a step before an epoch's end"),
        pytest.param(11, id="at an epoch's end, which a step's end is too"),
        pytest.param(12, id="at a later stage boundary"),
        pytest.param(17, id="where the mask freezes"),
        pytest.param(18, id="inside the frozen part"),
        pytest.param(19, id="before the last step"),
        pytest.param(20, id="before the evaluation"),
    ],
)
def test_resumed_run_equals_the_undisturbed_one(place: Workplace, undisturbed: Path, step: int) -> None:
    output = cut_after(place, undisturbed, step)
    place.train(place.spec(output.name, checkpoint={"everySteps": 1, "keep": 100}))
    assert_same_end(undisturbed, output)


def test_two_resumes_in_one_epoch(
    place: Workplace, undisturbed: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Killed in step 8 and again in step 9; the epoch holds steps 6 to 11."""
    output = cut_after(place, undisturbed, 7)
    spec = place.spec(output.name, checkpoint={"everySteps": 1, "keep": 100})
    whole = Objective.__call__
    for saved in (8, 9):
        calls = iter([True, False])

        def killed(self: Objective, batch: Any, calls: Iterator[bool] = calls) -> torch.Tensor:
            if not next(calls):
                raise KeyboardInterrupt
            return whole(self, batch)

        monkeypatch.setattr(Objective, "__call__", killed)
        with pytest.raises(KeyboardInterrupt):
            place.train(spec)
        assert CheckpointStore(output / "checkpoints", 100).steps()[0] == saved
    monkeypatch.undo()
    place.train(spec)
    assert_same_end(undisturbed, output)


def test_a_damaged_newest_checkpoint_in_mid_epoch(place: Workplace, undisturbed: Path) -> None:
    output = cut_after(place, undisturbed, 9)
    newest = output / "checkpoints/step-00000009/tensors.safetensors"
    newest.write_bytes(newest.read_bytes()[:100])
    store = CheckpointStore(output / "checkpoints", 100)
    checkpoint, damaged = store.resume()
    assert checkpoint is not None
    assert (checkpoint.step, len(damaged)) == (8, 1)
    place.train(place.spec(output.name, checkpoint={"everySteps": 1, "keep": 100}))
    assert_same_end(undisturbed, output)


def die() -> None:
    os.kill(os.getpid(), signal.SIGKILL)


def before(whole: Callable[..., Any], *args: Any) -> None:
    die()


def after(whole: Callable[..., Any], *args: Any) -> None:
    whole(*args)
    die()


def halfway(save_file: Callable[..., Any], tensors: dict[str, torch.Tensor], path: Path) -> None:
    data = save(tensors)
    with path.open("wb") as file:
        file.write(data[: len(data) // 2])
        file.flush()
        os.fsync(file.fileno())
        die()


def kill_at(owner: Any, name: str, call: int, killed: Callable[..., None]) -> None:
    """Kills this process in the call."""
    whole, calls = getattr(owner, name), count(1)

    def killing(*args: Any) -> Any:
        return killed(whole, *args) if next(calls) == call else whole(*args)

    setattr(owner, name, killing)


def die_after(seconds: float | None) -> None:
    """Kills this process by SIGKILL so long after its first step began; not for None."""
    if seconds is None:
        return
    first = threading.Timer(seconds, os.kill, (os.getpid(), signal.SIGKILL))
    whole, began = Objective.__call__, count()

    def starting(*args: Any) -> Any:
        if next(began) == 0:
            first.start()
        return whole(*args)

    Objective.__call__ = starting  # type: ignore[method-assign]


def test_kills_at_random_moments_change_nothing(place: Workplace) -> None:
    """SPARSEDM_KILLS says how many; a run that ends before the last of them makes room for another one."""
    wanted, done, runs, rng = int(os.environ.get("SPARSEDM_KILLS", "8")), 0, 0, random.Random(0)

    def spec(output: str) -> dict[str, Any]:
        return place.spec(output, training__steps=60, checkpoint={"everySteps": 1, "keep": 2})

    place.train(spec("calm"))
    while done < wanted:
        output, code = f"shaken-{runs}", None
        runs += 1
        while code != 0:
            seconds = rng.uniform(0, 0.4) if done < wanted else None
            words = place.directory / f"{output}.log"
            with place.forked(spec(output), words, partial(die_after, seconds)) as process:
                process.join(120)
                code = process.exitcode
            assert code in (0, -signal.SIGKILL), words.read_text()
            done += code != 0
        assert_same_end(place.directory / "calm", place.directory / output, 60)
    print(f"{done} kills in {runs} runs")


@pytest.mark.parametrize(
    ("owner", "name", "call", "killed", "last"),
    [
        pytest.param(Objective, "__call__", 10, before, 9, id="in a step"),
        pytest.param(checkpoint_module, "save_file", 8, halfway, 7, id="in the middle of its tensors"),
        pytest.param(Path, "rename", 8, after, 8, id="as soon as a checkpoint has its name"),
    ],
)
def test_sigkill_of_the_real_command_then_resume(
    place: Workplace,
    undisturbed: Path,
    owner: Any,
    name: str,
    call: int,
    killed: Callable[..., None],
    last: int,
) -> None:
    """A process that kills itself with SIGKILL in the given call."""
    output = place.directory / f"killed-{name}"
    spec = place.spec(output.name, checkpoint={"everySteps": 1, "keep": 100})
    words = place.directory / f"killed-{name}.log"
    with place.forked(spec, words, partial(kill_at, owner, name, call, killed)) as process:
        process.join(120)
        assert process.exitcode == -signal.SIGKILL, words.read_text()
    assert not (output / "manifest.json").exists()
    half = list(output.glob(f".trainers/*/.tmp-step-{last + 1:08d}/tensors.safetensors"))
    assert len(half) == (killed is halfway)
    checkpoint, damaged = CheckpointStore(output / "checkpoints", 100).resume()
    assert checkpoint is not None
    assert (checkpoint.step, damaged) == (last, [])
    place.train(spec)
    assert_same_end(undisturbed, output)
    assert not (output / ".trainers").exists()


SHORT = 12
FP16 = {"training__precision": "fp16"}
OVERFLOWING = {"init_scale": 2.0**32, "growth_interval": 3}
"""An initial loss scale that overflows fp16, and that doubles soon after it was lowered."""
KINDS: dict[str, tuple[dict[str, Any], list[int]]] = {
    # Four batches of 2 make a step, so that the epochs end where they did; masks move at 0, 2, 3, 4, ...
    # The warm-up takes 3 steps.
    "accumulation": (
        {
            "training__batchSize": 2,
            "training__gradientAccumulationSteps": 4,
            "training__learningRateSchedule": "cosine",
            "training__gradientCheckpointing": True,
            "sparsity__maskUpdateSteps": 2,
        },
        [1, 2, 3, 5, 11],
    ),
    # The weights become what they compute with at step 9.
    "s-ste": ({"sparsity__method": "s-ste", "sparsity__schedule": {"freezeMaskPercent": 30}}, [4, 9, 10]),
    "cast": (
        {
            "sparsity__method": "cast",
            "sparsity__maskUpdateSteps": 3,
            "sparsity__l1Decay": "5",
            "sparsity__schedule": {"type": "fixed", "freezeMaskPercent": 40},
        },
        [4, 8],
    ),
    "asp": ({"sparsity__method": "asp", "sparsity__schedule": {"type": "fixed"}}, [5]),
    "random": ({"sparsity__method": "sr-ste-decoupled", "sparsity__maskType": "random"}, [5]),
    "dense": ({"sparsity__method": "dense"}, [5]),
    "adafactor": ({"training__optimizer": "adafactor"}, [5]),
    # Candidates for the best are the weights after steps 6, 9 and 12.
    "best": (
        {
            "evaluation__everySteps": 3,
            "evaluation__select": "best",
            "sparsity__schedule": {"rampPercent": 30},
        },
        [4, 7, 9, 12],
    ),
}


def short_run(place: Workplace, output: str, changes: dict[str, Any]) -> Path:
    spec = place.spec(output, training__steps=SHORT, checkpoint={"everySteps": 1, "keep": 100}, **changes)
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(learner_module, "LOSS_SCALE", OVERFLOWING)
        place.train(spec)
    return place.directory / output


def assert_short_run_resumes(place: Workplace, whole: Path, changes: dict[str, Any], step: int) -> None:
    output = cut_after(place, whole, step)
    short_run(place, output.name, changes)
    assert_same_end(whole, output, SHORT)


@pytest.mark.parametrize("kind", list(KINDS))
def test_every_kind_of_run_resumes_to_the_same_end(place: Workplace, kind: str) -> None:
    changes, steps = KINDS[kind]
    whole = short_run(place, kind, changes)
    for step in steps:
        assert_short_run_resumes(place, whole, changes, step)


@pytest.fixture(scope="module")
def overflowing(place: Workplace) -> Path:
    return short_run(place, "fp16", FP16)


def states_of(run: Path) -> list[dict[str, Any]]:
    """After each step."""
    files = (run / f"checkpoints/step-{step:08d}/state.json" for step in range(1, SHORT + 1))
    return [json.loads(file.read_text()) for file in files]


def test_an_fp16_run_resumes_to_the_same_end_before_and_after_steps_that_overflowed(
    place: Workplace, overflowing: Path
) -> None:
    counts = [0, *(state["overflows"] for state in states_of(overflowing))]
    skipped = [step for step in range(1, SHORT + 1) if counts[step] > counts[step - 1]]
    assert skipped[0] == 1, "the first scale is too large"
    assert len(skipped) > 1, "a scale that has grown overflows again"
    again = skipped[1]
    assert 2 < again < SHORT
    for step in (1, again - 1, again):
        assert_short_run_resumes(place, overflowing, FP16, step)


def test_the_fp16_run_above_overflows_before_and_between_its_steps(overflowing: Path) -> None:
    states = states_of(overflowing)
    overflows = [state["overflows"] for state in states]
    assert overflows[0] > 0
    assert overflows[-1] > overflows[0]
    assert [state["emaUpdates"] for state in states] == list(range(1, SHORT + 1))
    assert [state["step"] for state in states] == list(range(1, SHORT + 1))
    report = (overflowing / "report.html").read_text()
    assert f"fp16 overflowed {overflows[-1]} times; those gradients were computed again." in report
    scales = [state["scaler"]["scale"] for state in states]
    assert max(scales) < OVERFLOWING["init_scale"]
