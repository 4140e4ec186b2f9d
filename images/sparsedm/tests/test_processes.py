"""Several processes give the result of one, stop together, and do not wait for a lost one.

Each case runs the real command, on CPUs, where the processes meet over gloo.
"""

from __future__ import annotations

import json
import os
import shutil
import signal
import subprocess
import sys
from contextlib import suppress
from pathlib import Path
from socket import socket
from threading import Event, Thread
from typing import Any

import pytest
import torch
from safetensors.torch import load_file

from process_tools import CLI, Ended, Together, environment
from sparsedm.data import SampleOrder
from sparsedm.errors import ConfigError
from sparsedm.measure.evaluator import SAMPLE_BATCH
from sparsedm.runtime import launch
from sparsedm.runtime.nodes import Node
from sparsedm.runtime.processes import ProcessGroup
from sparsedm.training.checkpoint import CheckpointStore
from tiny_run import Workplace

STEPS = 10
TORCHRUN = ("-m", "torch.distributed.run", "--nproc-per-node")


def spec_of(place: Workplace, output: str, **changes: Any) -> dict[str, Any]:
    settings = {"training__steps": STEPS, "checkpoint": {"everySteps": 1, "keep": 100}, **changes}
    return place.spec(output, **settings)


def command(place: Workplace, spec: dict[str, Any], *arguments: str) -> Ended:
    done = subprocess.run(
        [sys.executable, *arguments], env={**os.environ, **environment(place, spec)},
        capture_output=True, text=True, timeout=300,
    )  # fmt: skip
    return Ended(done.returncode, done.stdout, done.stderr)


def assert_same_within_rounding(want: Path, got: Path, steps: int = STEPS) -> None:
    last = f"checkpoints/step-{steps:08d}"
    one, other = (load_file(place / last / "tensors.safetensors") for place in (want, got))
    assert list(one) == list(other)
    for name in one:
        if name.startswith("mask/"):
            assert torch.equal(one[name], other[name]), name
        elif name.startswith(("student/", "ema/")):
            assert torch.allclose(one[name], other[name], rtol=1e-4, atol=1e-5), name
    assert torch.equal(one["random/noise"], other["random/noise"])
    states = [json.loads((place / last / "state.json").read_text()) for place in (want, got)]
    assert states[0]["loss"] == pytest.approx(states[1]["loss"], rel=1e-5)
    for stage, (total, count) in states[0]["stageSums"].items():
        assert states[1]["stageSums"][stage] == [pytest.approx(total, rel=1e-5), count]


KINDS: dict[str, dict[str, Any]] = {
    "plain": {},
    "accumulation, recomputed": {
        "training__batchSize": 4,
        "training__gradientAccumulationSteps": 3,
        "training__gradientCheckpointing": True,
        "sparsity__method": "s-ste",
    },
}
"""All of a model with classes, a tenth of whose labels is dropped."""


@pytest.fixture(scope="module")
def alone(place: Workplace) -> dict[str, Path]:
    """The same runs in one process."""
    ends = {}
    for kind, changes in KINDS.items():
        place.train(spec_of(place, f"{kind}-1", **changes))
        ends[kind] = place.directory / f"{kind}-1"
    return ends


@pytest.mark.parametrize("sharding", ["none", "fsdp"])
@pytest.mark.parametrize("kind", list(KINDS))
def test_two_processes_end_as_one(
    place: Workplace, alone: dict[str, Path], together: Together, kind: str, sharding: str
) -> None:
    output = f"{kind}-2-{sharding}"
    ended = together(2, spec_of(place, output, training__sharding=sharding, **KINDS[kind]), anew=True)
    assert ended.code == 0, ended.err
    assert ended.out.count("100% done") == 1, "only rank 0 shows its progress"
    assert "Warning" not in ended.err
    assert_same_within_rounding(alone[kind], place.directory / output)


DISTURBED = """
import json, os, pathlib, signal, sys
from datetime import timedelta
from sparsedm.runtime import processes
from sparsedm.training import learner
from sparsedm.cli import main
from sparsedm.artifact.output_lock import OutputLock

def spoil_a_mask(state):
    masking = next(iter(state.layers.weights()))[2]
    masking.mask = ~masking.mask

def take_over(state):
    uri = json.loads(os.environ["SPARSEDM_CONFIG"])["output"]["uri"]
    OutputLock.take(pathlib.Path(uri.removeprefix("file://")), "local/run", uri)

DISTURBANCES = {
    "another trainer": take_over,
    "SIGTERM": lambda state: os.kill(os.getpid(), signal.SIGTERM),
    "SIGTERM to the launcher": lambda state: os.kill(os.getppid(), signal.SIGTERM),
    "SIGKILL": lambda state: os.kill(os.getpid(), signal.SIGKILL),
    "SIGSTOP": lambda state: os.kill(os.getpid(), signal.SIGSTOP),
    "another mask": spoil_a_mask,
}
what, who, when = sys.argv[1:4]
whole = learner.Learner.step

def disturbed(self, step, *rest):
    if step == int(when) and os.environ["RANK"] == who:
        DISTURBANCES[what](self.state)
    return whole(self, step, *rest)

learner.Learner.step = disturbed
if what == "SIGSTOP":
    processes.STEP_TIMEOUT = timedelta(seconds=20)
sys.exit(main(["train"]))
"""


@pytest.fixture
def disturbed(place: Workplace, together: Together) -> Together:
    """In rank `who`, at the start of step `step` (from 0)."""
    script = place.directory / "disturbed.py"
    script.write_text(DISTURBED)

    def run(output: str, what: str, who: int, step: int, processes: int = 2, **changes: Any) -> Ended:
        spec = spec_of(place, output, **changes)
        return together(processes, spec, (str(script), what, str(who), str(step)))

    return run


def newest(place: Workplace, output: str) -> int:
    checkpoint, damaged = CheckpointStore(place.directory / output / "checkpoints", 100).resume()
    assert checkpoint is not None
    assert damaged == []
    return checkpoint.step


def told(place: Workplace) -> dict[str, Any]:
    return json.loads((place.directory / "termination.json").read_text())


def test_all_end_with_the_code_of_the_one_whose_output_another_trainer_took(
    place: Workplace, disturbed: Together
) -> None:
    ended = disturbed("taken", "another trainer", 0, 3, checkpoint={"everySteps": 2})
    assert ended.code == 5, ended.err
    assert "has taken over output.uri" in ended.err
    assert newest(place, "taken") == 2


@pytest.mark.parametrize(("what", "who"), [("SIGTERM", 1), ("SIGTERM to the launcher", 0)])
def test_all_stop_after_the_same_step_whoever_is_told_to(
    place: Workplace, disturbed: Together, what: str, who: int
) -> None:
    output = f"stopped-{who}"
    ended = disturbed(output, what, who, 3, training__steps=300, checkpoint={"everySteps": 300})
    assert ended.code == 143, ended.err
    step = newest(place, output)
    # The launcher forwards the signal, so it arrives some steps later.
    assert step == 4 if what == "SIGTERM" else 4 <= step < 300
    sentence = f"Stopped by SIGTERM: the checkpoint of step {step} is saved"
    assert ended.err.count(sentence) == 2, ended.err
    assert told(place)["error"]["reason"] == "Interrupted"


def test_a_run_goes_on_with_another_number_of_processes(
    place: Workplace, alone: dict[str, Path], disturbed: Together
) -> None:
    """Steps 1 to 4 with two processes that share the weights, 5 to 7 with one, and the others with four that
    torchrun starts and that share them again."""
    output = "changing"
    assert disturbed(output, "SIGTERM", 1, 3, training__sharding="fsdp").code == 143
    assert disturbed(output, "SIGTERM", 0, 6, processes=1).code == 143
    assert newest(place, output) == 7
    spec = place.directory / "four.json"
    spec.write_text(json.dumps(spec_of(place, output, training__sharding="fsdp")))
    ended = command(place, {}, *TORCHRUN, "4", *CLI, "--config", str(spec))
    assert ended.code == 0, ended.err
    assert ended.out.count("100% done") == 1, "only rank 0 shows its progress"
    assert_same_within_rounding(alone["plain"], place.directory / output)


@pytest.mark.parametrize(
    ("what", "code", "sharding"), [("SIGKILL", 137, "none"), ("SIGKILL", 137, "fsdp"), ("SIGSTOP", 6, "none")]
)
def test_the_others_do_not_wait_for_a_process_that_is_gone_or_stands_still(
    place: Workplace, disturbed: Together, what: str, code: int, sharding: str
) -> None:
    output = f"lost-{what}-{sharding}"
    ended = disturbed(output, what, 1, 3, training__sharding=sharding)
    assert ended.code == code, ended.err
    assert "error: Process 0 of 2 waits for another one that has ended or does not answer" in ended.err
    assert told(place)["error"]["reason"] == "ProcessLost"
    assert newest(place, output) == 3


POD = """
import sys
from sparsedm.runtime.launch import launch
from sparsedm.runtime.nodes import Node
sys.exit(launch(1, [sys.executable, *sys.argv[1:]], Node.from_environment()))
"""


class Pods:
    """Two pods of one process each, on one machine: by their numbers, the commands that run in them."""

    def __init__(self, place: Workplace, spec: dict[str, Any]) -> None:
        with socket() as free:
            free.bind(("127.0.0.1", 0))
            port = free.getsockname()[1]
        self.env = {
            **os.environ, **environment(place, spec), "GLOO_SOCKET_IFNAME": "lo",
            "SPARSEDM_NODES": "2", "SPARSEDM_RENDEZVOUS": f"127.0.0.1:{port}",
        }  # fmt: skip
        self.log = (place.directory / "pods.log").open("a")

    def start(self, number: int, *arguments: str) -> subprocess.Popen[bytes]:
        env = {**self.env, "JOB_COMPLETION_INDEX": str(number)}
        return subprocess.Popen(
            [sys.executable, *arguments], env=env, stdout=self.log, stderr=subprocess.STDOUT,
            start_new_session=True,
        )  # fmt: skip

    def end(self, *pods: subprocess.Popen[bytes]) -> list[int]:
        try:
            return [pod.wait(timeout=300) for pod in pods]
        finally:
            for pod in pods:
                with suppress(ProcessLookupError):
                    os.killpg(pod.pid, signal.SIGKILL)


def test_pods_go_on_together_after_one_was_killed_and_end_as_one_process(
    place: Workplace, alone: dict[str, Path], disturbed: Together
) -> None:
    pods = Pods(place, spec_of(place, "pods"))
    script = (str(place.directory / "disturbed.py"), "SIGKILL", "1", "5")
    first = [pods.start(number, "-c", POD, *script) for number in (0, 1)]
    assert pods.end(*first) == [6, 137], "the loss of another pod is no failure of this one"
    assert newest(place, "pods") == 5
    # The one that was killed comes first, and again before the other does.
    early = pods.start(1, *CLI)
    early.kill()
    assert pods.end(early) == [-signal.SIGKILL]
    assert pods.end(pods.start(1, *CLI), pods.start(0, *CLI)) == [0, 0]
    assert_same_within_rounding(alone["plain"], place.directory / "pods")
    # What remains to be done is to say so, without the other.
    assert pods.end(pods.start(1, *CLI)) == [0]
    assert pods.end(pods.start(0, *CLI)) == [0]
    assert told(place)["model"]["sha256"]


def test_pods_stop_together_and_only_the_one_that_is_told_to_counts(
    place: Workplace, disturbed: Together
) -> None:
    spec = spec_of(place, "pods-stop", training__steps=300, checkpoint={"everySteps": 300})
    pods = Pods(place, spec)
    script = (str(place.directory / "disturbed.py"), "SIGTERM to the launcher", "1", "3")
    both = [pods.start(number, "-c", POD, *script) for number in (0, 1)]
    assert pods.end(*both) == [6, 143]
    assert 4 <= newest(place, "pods-stop") < 300


def test_a_pod_does_not_wait_for_one_that_failed_before_they_met(place: Workplace) -> None:
    pods = Pods(place, spec_of(place, "apart"))
    script = "import os, sys, time; sys.exit(1) if os.environ['RANK'] == '1' else time.sleep(600)"
    hasty = POD.replace(
        "sys.exit(", "from sparsedm.runtime import launch as l; l.GRACE_SECONDS = 0.5\nsys.exit("
    )
    both = [pods.start(number, "-c", hasty, "-c", script) for number in (0, 1)]
    assert pods.end(*both) == [6, 1]


def test_a_pod_with_another_number_of_processes_is_refused() -> None:
    with socket() as free:
        free.bind(("127.0.0.1", 0))
        port = free.getsockname()[1]
    first, second = (Node(number, 2, "127.0.0.1", port) for number in (0, 1))
    over = Event()
    joining = Thread(target=lambda: second._join(2, over.is_set))
    joining.start()
    with pytest.raises(
        ConfigError, match=r"Pod 1 has 2 processes .* pod 0 has 1: give all pods the same GPUs"
    ):
        first.meet(1, lambda: False)
    over.set()
    joining.join()


def test_masks_that_differ_are_found_before_they_are_saved(place: Workplace, disturbed: Together) -> None:
    ended = disturbed("differing", "another mask", 1, 3)
    assert ended.code == 1
    assert "At step 4 the masks of rank 1 differ from those of rank 0" in ended.err
    assert newest(place, "differing") == 3


def test_an_error_of_the_input_ends_all_with_its_own_code(place: Workplace) -> None:
    spec = spec_of(place, "no-data", dataset__uri="file:///none")
    ended = command(place, spec, *CLI, "--processes", "2")
    assert ended.code == 3, ended.err
    assert told(place)["error"]["reason"] == "DatasetNotFound"


@pytest.mark.parametrize("who", [0, 1])
def test_a_image_that_one_process_cannot_read_is_told_whose_share_it_may_be(
    place: Workplace, together: Together, who: int
) -> None:
    """In step 3, each of whose processes takes 4 images."""
    images = place.directory / f"images-{who}"
    shutil.copytree(place.images, images)
    files = sorted(images.glob("*/*"))
    file = files[SampleOrder(len(files), 0).indices(3 * 8 + 4 * who, 1)[0]]
    file.write_bytes(file.read_bytes()[:60])
    ended = together(2, spec_of(place, f"cut-off-{who}", dataset__uri=f"file://{images}", training__seed=0))
    assert ended.code == 3, ended.err
    assert told(place)["error"]["reason"] == "DatasetUnreadable"
    assert f"{file} is not a readable image" in told(place)["error"]["message"]
    assert newest(place, f"cut-off-{who}") == 3


def test_the_same_images_are_drawn_and_measured_on_one_two_and_four_processes(
    place: Workplace, together: Together
) -> None:
    """Of a model that is masked without training, so that nothing else can differ; the images it is
    measured against are drawn by the dense model."""
    changes = {
        "sparsity__method": "masked-dense",
        "dataset": {"format": "generated", "samples": 10},
        # Five batches, the last of them small: neither two nor four processes have equally many.
        "evaluation__samples": 4 * SAMPLE_BATCH + 30,
        "evaluation__steps": 1,
    }
    place.train(spec_of(place, "drawn-1", **changes))
    for count in (2, 4):
        assert together(count, spec_of(place, f"drawn-{count}", **changes)).code == 0
    ends = [place.directory / f"drawn-{count}" for count in (1, 2, 4)]
    for name in ("samples.png", "model.safetensors", "generated.safetensors"):
        assert len({(end / name).read_bytes() for end in ends}) == 1, name
    manifests = [json.loads((end / "manifest.json").read_text()) for end in ends]
    for part in ("fid", "quality"):
        assert manifests[0][part] == manifests[1][part] == manifests[2][part]


@pytest.mark.parametrize(
    ("wanted", "env", "gpus", "want"),
    [
        pytest.param(None, {}, 0, 1, id="one without a GPU"),
        pytest.param(None, {}, 1, 1, id="one on one GPU"),
        pytest.param(None, {}, 4, 4, id="one for each GPU that the pod was given"),
        pytest.param(2, {}, 4, 2, id="as many as are asked for"),
        pytest.param(None, {"RANK": "1"}, 4, 1, id="none inside torchrun"),
    ],
)
def test_how_many_processes_start(
    monkeypatch: pytest.MonkeyPatch, wanted: int | None, env: dict[str, str], gpus: int, want: int
) -> None:
    monkeypatch.setattr(torch.cuda, "device_count", lambda: gpus)
    assert launch.processes_to_start(wanted, env) == want


def test_more_processes_than_gpus_are_refused(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(torch.cuda, "device_count", lambda: 2)
    with pytest.raises(ConfigError, match="--processes 4 is more than the GPUs that are visible, 2"):
        launch.processes_to_start(4, {})


def test_a_batch_that_cannot_be_shared_equally_is_refused_with_the_remedy() -> None:
    ProcessGroup(0, 4).check_batch(64)
    with pytest.raises(ConfigError, match="64 is not a multiple of the 6 processes that train: write 66"):
        ProcessGroup(0, 6).check_batch(64)


def test_shares_lie_side_by_side() -> None:
    shares = [ProcessGroup(rank, 4).shard(24) for rank in range(4)]
    assert [number for share in shares for number in range(24)[share]] == list(range(24))
