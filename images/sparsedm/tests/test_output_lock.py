"""The lock of an output: one trainer publishes, and a displaced one changes nothing."""

from __future__ import annotations

import json
import multiprocessing
import os
import signal
from functools import partial
from itertools import count
from pathlib import Path
from typing import Any

import pytest

from sparsedm.artifact.output_lock import ALIVE_SECONDS, FOLDER, HOLDER_FILE, OutputLock
from sparsedm.diffusion.objective import Objective
from sparsedm.errors import InputError, SparseDMError, Superseded
from sparsedm.files import write_atomically
from tiny_run import Workplace

URI = "pvc://models/x"


def take(output: Path, run: str = "ns/a") -> OutputLock:
    return OutputLock.take(output, run, URI)


def grow_silent(lock: OutputLock, seconds: float) -> None:
    """As if its heartbeat had stopped that long ago."""
    holder = lock.staging / HOLDER_FILE
    seen = holder.stat().st_mtime - seconds
    os.utime(holder, (seen, seen))


def test_the_same_run_takes_over_at_once_and_late_writes_fail(tmp_path: Path) -> None:
    late = take(tmp_path)
    with late.held():
        write_atomically(tmp_path / "latest", b"first", late.staging)
    late = take(tmp_path)
    want = r"Another trainer, .* of run ns/a, has taken over output.uri pvc://models/x: this one ends"
    newer = take(tmp_path)
    write_atomically(tmp_path / "latest", b"newer", newer.staging)
    with pytest.raises(Superseded, match=want), late.held():
        write_atomically(tmp_path / "latest", b"late", late.staging)
    assert (tmp_path / "latest").read_bytes() == b"newer"
    assert [entry.name for entry in (tmp_path / FOLDER).iterdir()] == [newer.staging.name]


def test_its_exit_code_is_none_that_ends_a_run() -> None:
    assert Superseded("").exit_code == 5


def test_an_error_that_the_lock_has_nothing_to_do_with_stays_what_it_is(tmp_path: Path) -> None:
    with pytest.raises(FileNotFoundError), take(tmp_path).held():
        (tmp_path / "none").read_text()


def test_a_lock_that_is_given_back_leaves_nothing(tmp_path: Path) -> None:
    with pytest.raises(KeyboardInterrupt), take(tmp_path).held():
        raise KeyboardInterrupt
    assert list(tmp_path.iterdir()) == []


def test_another_run_is_refused_while_the_holder_lives(tmp_path: Path) -> None:
    held = take(tmp_path, "team/b")
    grow_silent(held, ALIVE_SECONDS - 10)
    want = r"pvc://models/x is being written by run team/b \(.*, since 20.*, last heard of 5\d s ago\)"
    with pytest.raises(InputError, match=want) as no:
        take(tmp_path, "ns/a")
    assert no.value.reason == "OutputInUse"
    assert no.value.message.endswith("kubectl delete sparsefinetune -n team b.")
    assert [entry.name for entry in (tmp_path / FOLDER).iterdir()] == [held.staging.name]
    grow_silent(held, 11)
    take(tmp_path, "ns/a")
    assert not held.staging.exists()


def test_its_age_is_that_of_the_volumes_clock(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """This host's is an hour ahead."""
    take(tmp_path, "team/b")
    real = __import__("time").time
    monkeypatch.setattr("time.time", lambda: real() + 3600)
    with pytest.raises(InputError, match="being written by run team/b"):
        take(tmp_path, "ns/a")


def test_one_that_is_about_to_be_refused_keeps_nobody_out(tmp_path: Path) -> None:
    """Run b has announced itself under a trainer of run a, and has not looked yet."""
    first = take(tmp_path, "ns/a")
    other = first.staging.with_name("00000002-ffffffff")
    other.mkdir()
    (other / HOLDER_FILE).write_text((first.staging / HOLDER_FILE).read_text().replace("ns/a", "ns/b"))
    again = take(tmp_path, "ns/a")
    assert again.staging.name.startswith("00000003-")
    assert not first.staging.exists()


def test_a_beat_finds_the_loss_and_the_next_check_ends_it(tmp_path: Path) -> None:
    late = take(tmp_path)
    late.check()
    with late.held(beat_seconds=0.01):
        take(tmp_path)
        assert late._lost.wait(30)
        with pytest.raises(Superseded):
            late.check()


def test_the_heartbeat_is_seen_on_the_volume(tmp_path: Path) -> None:
    lock = take(tmp_path)
    grow_silent(lock, 1000)
    before = (lock.staging / HOLDER_FILE).stat().st_mtime
    with lock.held(beat_seconds=0.01):
        while (lock.staging / HOLDER_FILE).stat().st_mtime == before:
            pass


def test_a_writer_on_another_node_that_still_has_the_folder_open_can_publish_nothing(tmp_path: Path) -> None:
    """Its system finds the folder by a handle, not by the name that is gone."""
    late = take(tmp_path)
    folder = os.open(late.staging, os.O_RDONLY)
    (late.staging / "manifest.json").write_text("late")
    take(tmp_path)
    with pytest.raises(FileNotFoundError):
        os.rename("manifest.json", tmp_path / "manifest.json", src_dir_fd=folder)
    with pytest.raises(FileNotFoundError):
        os.open("again", os.O_CREAT | os.O_WRONLY, dir_fd=folder)
    os.close(folder)
    assert not (tmp_path / "manifest.json").exists()


def test_one_that_writes_on_and_on_there_stops_a_takeover_before_it_trains(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    late = take(tmp_path)
    monkeypatch.setattr("shutil.rmtree", lambda path, ignore_errors: None)
    with pytest.raises(SparseDMError, match="a former trainer still writes into it") as raised:
        take(tmp_path)
    assert raised.value.exit_code == 1
    assert not late.staging.exists()


@pytest.mark.parametrize("left", [".gone-00000001-aaaaaaaa", ".new-00000001-aaaaaaaa"])
def test_what_a_killed_trainer_left_is_cleared(tmp_path: Path, left: str) -> None:
    (tmp_path / FOLDER / left / ".tmp-step-00000001").mkdir(parents=True)
    os.utime(tmp_path / FOLDER / left, (0, 0))
    lock = take(tmp_path)
    assert [entry.name for entry in (tmp_path / FOLDER).iterdir()] == [lock.staging.name]


def test_of_many_that_start_at_once_one_alone_can_write(tmp_path: Path) -> None:
    context = multiprocessing.get_context("fork")
    start, results = context.Barrier(8), context.SimpleQueue()

    def begin(run: str) -> None:
        start.wait()
        result = "failed"
        try:
            take(tmp_path, run)
            result = run
        except InputError:
            result = "refused"
        except Superseded:
            result = "superseded"
        finally:
            results.put(result)

    children = [context.Process(target=begin, args=[f"ns/{number % 2}"]) for number in range(8)]
    for child in children:
        child.start()
    ends = {results.get() for _ in children}
    for child in children:
        child.join()
    (holder,) = (tmp_path / FOLDER).iterdir()
    assert json.loads((holder / HOLDER_FILE).read_text())["run"] in ends
    assert ends <= {"ns/0", "ns/1", "refused", "superseded"}


def stop_before(owner: Any, name: str, call: int, target: str | None) -> None:
    """Stops this process by SIGSTOP just before the call, of those whose last argument ends with `target`."""
    whole, calls = getattr(owner, name), count(1)

    def stopping(*args: Any) -> Any:
        if (target is None or str(args[-1]).endswith(target)) and next(calls) == call:
            os.kill(os.getpid(), signal.SIGSTOP)
        return whole(*args)

    setattr(owner, name, stopping)


def seen(output: Path) -> dict[str, tuple[int, int, bytes]]:
    """All that lies there: a file that was written again is another one, also with equal bytes."""
    files = (path for path in output.rglob("*") if path.is_file())
    return {
        str(p.relative_to(output)): (p.stat().st_ino, p.stat().st_mtime_ns, p.read_bytes()) for p in files
    }


@pytest.fixture(scope="module")
def undisturbed(place: Workplace) -> dict[str, Any]:
    return place.train(short(place, "undisturbed"))


def test_everything_that_a_run_publishes_is_renamed_out_of_its_folder(
    place: Workplace, monkeypatch: pytest.MonkeyPatch
) -> None:
    output = place.directory / "published"
    renamed: dict[str, Path] = {}
    for owner, name in ((os, "replace"), (Path, "rename")):
        whole = getattr(owner, name)

        def recorded(source: Path, target: Path, whole: Any = whole) -> Any:
            renamed[str(target)] = source
            return whole(source, target)

        monkeypatch.setattr(owner, name, recorded)
    spec = place.spec("published", training__steps=2, dataset={"format": "generated", "samples": 16})
    place.train(spec)
    found = {str(path) for path in (*output.iterdir(), *(output / "checkpoints").iterdir())}
    assert found - {str(output / "checkpoints")} <= set(renamed)
    assert {"generated.safetensors", "reference.npz", "samples.png", "manifest.json", "run.json"} <= {
        path.name for path in output.iterdir()
    }
    for path in found & set(renamed):
        assert renamed[path].relative_to(output / FOLDER)


def short(place: Workplace, output: str) -> dict[str, Any]:
    return place.spec(output, training__steps=6, checkpoint={"everySteps": 1, "keep": 2})


@pytest.mark.parametrize(
    ("owner", "name", "call", "target"),
    [
        pytest.param(Objective, "__call__", 4, None, id="in a step"),
        pytest.param(Path, "rename", 1, "step-00000003", id="a checkpoint is about to be named"),
        pytest.param(Path, "rename", 1, ".old-step-00000002", id="an old one is about to go"),
        pytest.param(os, "replace", 3, "latest", id="latest is about to be replaced"),
        pytest.param(os, "replace", 1, "model.safetensors", id="the weights are about to be named"),
        pytest.param(os, "replace", 1, "manifest.json", id="the manifest is about to be named"),
    ],
)
def test_a_stopped_trainer_that_goes_on_after_another_has_taken_over_changes_nothing(
    place: Workplace, undisturbed: dict[str, Any], owner: Any, name: str, call: int, target: str | None
) -> None:
    """A process that is stopped just before the call, between its last check and the write."""
    output = place.directory / f"stopped-{name}-{target}"
    spec = short(place, output.name)
    last_word, words = place.directory / "late.json", place.directory / "late.log"
    prepare = partial(stop_before, owner, name, call, target)
    with place.forked(spec, words, prepare, SPARSEDM_TERMINATION_LOG=str(last_word)) as late:
        assert late.pid is not None
        _, status = os.waitpid(late.pid, os.WUNTRACED)
        assert os.WIFSTOPPED(status)
        manifest = place.train(spec)
        before = seen(output)
        os.kill(late.pid, signal.SIGCONT)
        late.join(120)
        assert late.exitcode == Superseded.exit_code, words.read_text()
    assert "has taken over output.uri" in words.read_text()
    assert json.loads(last_word.read_text())["error"]["reason"] == "Superseded"
    assert seen(output) == before
    assert before["checkpoints/latest"][2] == b"step-00000006"
    assert not (output / FOLDER).exists()
    for part in ("weights", "fid", "maskDigest"):
        assert manifest[part] == undisturbed[part]
