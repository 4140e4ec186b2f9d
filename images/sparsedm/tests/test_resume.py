"""A resumed run equals an undisturbed one bit for bit, wherever it was cut, also by a real SIGKILL."""

from __future__ import annotations

import json
import os
import shutil
import signal
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
import torch
from safetensors.torch import load_file

from sparsedm import learner as learner_module
from sparsedm.checkpoint import CheckpointStore
from sparsedm.objective import Objective
from tiny_run import Workplace

STEPS = 20
"""Stages begin at 4, 8, 12, 16; the mask is frozen from 17 on; epochs end within steps 5, 11 and 16."""


@pytest.fixture(scope="module")
def undisturbed(place: Workplace) -> Path:
    """A whole run that kept the checkpoint of every step."""
    place.train(place.spec("undisturbed", checkpoint={"everySteps": 1, "keep": 100}))
    return place.directory / "undisturbed"


def cut_after(place: Workplace, undisturbed: Path, step: int) -> Path:
    """The output as it was when the run was killed after the checkpoint of `step`, in a place of its own."""
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


SIGKILLED = """
import os, signal, sys
import sparsedm.checkpoint, sparsedm.objective
from sparsedm.cli import main

def kill_at(owner, name, call):
    whole, calls = getattr(owner, name), iter(range(1, 10**6))
    def killing(*args):
        if next(calls) == call:
            os.kill(os.getpid(), signal.SIGKILL)
        return whole(*args)
    setattr(owner, name, killing)

kill_at({owner}, "{name}", {call})
sys.exit(main(["train"]))
"""


@pytest.mark.parametrize(
    ("owner", "name", "call", "last"),
    [
        pytest.param("sparsedm.objective.Objective", "__call__", 10, 9, id="in a step"),
        pytest.param("sparsedm.checkpoint", "save_file", 8, 7, id="while a checkpoint is begun"),
        pytest.param("sparsedm.checkpoint", "write_atomically", 9, 8, id="before latest is renamed"),
    ],
)
def test_sigkill_of_the_real_command_then_resume(
    place: Workplace, undisturbed: Path, owner: str, name: str, call: int, last: int
) -> None:
    """A process of its own that kills itself without warning in the call of that number."""
    output = place.directory / f"killed-{name}"
    spec = place.spec(output.name, checkpoint={"everySteps": 1, "keep": 100})
    environment = {
        **os.environ,
        "OMP_NUM_THREADS": "1",
        "PYTHONPATH": str(Path(__file__).parents[1] / "src"),
        "SPARSEDM_CONFIG": json.dumps(spec),
    }
    script = SIGKILLED.format(owner=owner, name=name, call=call)
    killed = subprocess.run([sys.executable, "-c", script], env=environment, capture_output=True, timeout=120)
    assert killed.returncode == -signal.SIGKILL, killed.stderr.decode()
    assert not (output / "manifest.json").exists()
    checkpoint, damaged = CheckpointStore(output / "checkpoints", 100).resume()
    assert checkpoint is not None
    assert (checkpoint.step, damaged) == (last, [])
    place.train(spec)
    assert_same_end(undisturbed, output)


SHORT = 12
OVERFLOWING = {"init_scale": 2.0**32, "growth_interval": 3}
"""A first scale that fp16 cannot hold, and that doubles soon after it has come down."""
KINDS: dict[str, tuple[dict[str, Any], list[int]]] = {
    # Four batches of 2 make a step, so that the epochs end where they did; masks move at 0, 2, 3, 4, ...
    "accumulation": (
        {
            "training__batchSize": 2,
            "training__gradientAccumulationSteps": 4,
            "training__learningRateSchedule": "cosine",
            "training__gradientCheckpointing": True,
            "sparsity__maskUpdateSteps": 2,
        },
        [3, 5, 11],
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
    "fp16": ({"training__precision": "fp16"}, [1, 6, 7]),
}


def short_run(place: Workplace, output: str, kind: str) -> None:
    changes, _ = KINDS[kind]
    spec = place.spec(output, training__steps=SHORT, checkpoint={"everySteps": 1, "keep": 100}, **changes)
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(learner_module, "LOSS_SCALE", OVERFLOWING)
        place.train(spec)


@pytest.mark.parametrize("kind", list(KINDS))
def test_every_kind_of_run_resumes_to_the_same_end(place: Workplace, kind: str) -> None:
    short_run(place, kind, kind)
    whole = place.directory / kind
    for step in KINDS[kind][1]:
        output = cut_after(place, whole, step)
        short_run(place, output.name, kind)
        assert_same_end(whole, output, SHORT)


def test_the_fp16_run_above_overflows_before_and_between_its_steps(place: Workplace) -> None:
    if not (place.directory / "fp16").exists():
        short_run(place, "fp16", "fp16")
    files = (place.directory / f"fp16/checkpoints/step-{step:08d}/state.json" for step in range(1, SHORT + 1))
    states = [json.loads(file.read_text()) for file in files]
    overflows = [state["overflows"] for state in states]
    assert overflows[0] > 0
    assert overflows[-1] > overflows[0]
    assert [state["emaUpdates"] for state in states] == list(range(1, SHORT + 1))
    assert [state["step"] for state in states] == list(range(1, SHORT + 1))
    report = (place.directory / "fp16/report.html").read_text()
    assert f"fp16 overflowed {overflows[-1]} times; those gradients were computed again." in report
    scales = [state["scaler"]["scale"] for state in states]
    assert max(scales) < OVERFLOWING["init_scale"]
