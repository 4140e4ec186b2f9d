"""Checkpoints: atomic, digested, pruned; a damaged newest one falls back to the one before."""

from __future__ import annotations

import json
import multiprocessing
import os
import signal
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
import torch
from safetensors.torch import save

from sparsedm.errors import InputError
from sparsedm.files import write_atomically
from sparsedm.training import checkpoint as module
from sparsedm.training.checkpoint import CheckpointStore


def saved(directory: Path, *steps: int, keep: int = 10) -> CheckpointStore:
    store = CheckpointStore(directory, keep)
    for step in steps:
        store.save(
            step, {"w": torch.full((3,), float(step)), "bits": torch.tensor([True, False])}, {"step": step}
        )
    return store


def test_round_trip(tmp_path: Path) -> None:
    checkpoint, damaged = saved(tmp_path, 5).resume()
    assert checkpoint is not None
    assert damaged == []
    assert checkpoint.step == 5
    assert checkpoint.tensors["w"].tolist() == [5.0, 5.0, 5.0]
    assert checkpoint.tensors["bits"].tolist() == [True, False]
    assert checkpoint.state == {"step": 5}


def test_no_checkpoint_at_all(tmp_path: Path) -> None:
    assert CheckpointStore(tmp_path / "none", 2).resume() == (None, [])


def test_keeps_the_pinned_one_however_old(tmp_path: Path) -> None:
    store = saved(tmp_path, 50, keep=1)
    store.pinned = 50
    for step in (100, 150):
        store.save(step, {}, {})
    assert store.steps() == [150, 50]
    assert store.load(50).step == 50
    (tmp_path / "step-00000050/state.json").write_text("{}")
    with pytest.raises(InputError, match="of the last good stage, is damaged"):
        store.load(50)


def test_keeps_the_newest_and_names_the_latest(tmp_path: Path) -> None:
    store = saved(tmp_path, 50, 100, 150, keep=2)
    assert store.steps() == [150, 100]
    assert (tmp_path / "latest").read_text() == "step-00000150"
    assert sorted(p.name for p in tmp_path.iterdir()) == ["latest", "step-00000100", "step-00000150"]


def test_saving_a_step_again_replaces_it(tmp_path: Path) -> None:
    store = saved(tmp_path, 50)
    store.save(50, {"w": torch.zeros(1)}, {"step": 50, "again": True})
    checkpoint, _ = store.resume()
    assert checkpoint is not None
    assert checkpoint.state["again"] is True
    assert store.steps() == [50]


def cut(path: Path) -> None:
    path.write_bytes(path.read_bytes()[:-1])


def flip(path: Path) -> None:
    data = bytearray(path.read_bytes())
    data[-1] ^= 1
    path.write_bytes(bytes(data))


@pytest.mark.parametrize(
    ("file", "harm"),
    [
        ("tensors.safetensors", cut),
        ("tensors.safetensors", flip),
        ("tensors.safetensors", Path.unlink),
        ("state.json", cut),
        ("digest.json", cut),
        ("digest.json", Path.unlink),
    ],
)
def test_a_damaged_newest_checkpoint_falls_back_to_the_one_before(tmp_path: Path, file: str, harm) -> None:
    store = saved(tmp_path, 50, 100)
    harm(tmp_path / "step-00000100" / file)
    checkpoint, damaged = store.resume()
    assert checkpoint is not None
    assert checkpoint.step == 50
    assert len(damaged) == 1
    assert "step-00000100 is damaged" in damaged[0]


def test_all_damaged_means_none(tmp_path: Path) -> None:
    store = saved(tmp_path, 50, 100)
    for step in (50, 100):
        (tmp_path / f"step-{step:08d}" / "digest.json").write_text(json.dumps({}))
    checkpoint, damaged = store.resume()
    assert checkpoint is None
    assert len(damaged) == 2


def test_a_half_written_checkpoint_is_not_seen_and_is_cleared_by_the_next_save(tmp_path: Path) -> None:
    store = saved(tmp_path, 50)
    half = tmp_path / ".tmp-step-00000100"
    half.mkdir()
    (half / "tensors.safetensors").write_bytes(b"half")
    assert store.steps() == [50]
    store.save(100, {"w": torch.zeros(1)}, {"step": 100})
    assert not half.exists()
    assert store.steps() == [100, 50]


def test_a_save_killed_before_the_rename_leaves_the_one_before(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    store = saved(tmp_path, 50)

    def killed(self: Path, target: Path) -> None:
        raise KeyboardInterrupt

    monkeypatch.setattr(Path, "rename", killed)
    with pytest.raises(KeyboardInterrupt):
        store.save(100, {"w": torch.zeros(1)}, {"step": 100})
    monkeypatch.undo()
    checkpoint, damaged = store.resume()
    assert checkpoint is not None
    assert (checkpoint.step, damaged) == (50, [])


def die() -> None:
    os.kill(os.getpid(), signal.SIGKILL)


def write_half(path: Path, data: bytes) -> None:
    with path.open("wb") as file:
        file.write(data[: len(data) // 2])
        file.flush()
        os.fsync(file.fileno())
        die()


def half_the_tensors(patch: pytest.MonkeyPatch) -> None:
    patch.setattr(module, "save_file", lambda tensors, path: write_half(path, save(tensors)))


def half_of(name: str) -> Callable[[pytest.MonkeyPatch], None]:
    """Of a text file of that name."""
    whole = Path.write_text

    def write(self: Path, text: str) -> int:
        if self.name == name:
            write_half(self, text.encode())
        return whole(self, text)

    return lambda patch: patch.setattr(Path, "write_text", write)


def at(owner: Any, name: str, call: int, done: bool) -> Callable[[pytest.MonkeyPatch], None]:
    """In the given call of a function, before or after it runs."""
    whole, calls = getattr(owner, name), iter(range(1, 1000))

    def killing(*args: Any, **named: Any) -> None:
        last = next(calls) == call
        if done or not last:
            whole(*args, **named)
        if last:
            die()

    return lambda patch: patch.setattr(owner, name, killing)


def killed_while_saving(
    store: CheckpointStore, step: int, dies: Callable[[pytest.MonkeyPatch], None]
) -> None:
    """In a subprocess."""

    def work() -> None:
        dies(pytest.MonkeyPatch())
        saved(store.directory, step, keep=store.keep)

    child = multiprocessing.get_context("fork").Process(target=work)
    child.start()
    child.join()
    assert child.exitcode == -signal.SIGKILL


@pytest.mark.parametrize(
    ("dies", "newest", "latest"),
    [
        pytest.param(half_the_tensors, 100, 100, id="half of the tensors are written"),
        pytest.param(half_of("state.json"), 100, 100, id="half of the state is written"),
        pytest.param(half_of("digest.json"), 100, 100, id="half of the digests are written"),
        pytest.param(at(Path, "rename", 1, False), 100, 100, id="all is written and nothing renamed"),
        pytest.param(at(Path, "rename", 1, True), 150, 100, id="it is renamed"),
        pytest.param(at(os, "replace", 1, False), 150, 100, id="latest is about to be replaced"),
        pytest.param(at(os, "replace", 1, True), 150, 150, id="latest is replaced"),
        pytest.param(at(os, "unlink", 1, True), 150, 150, id="the oldest is half removed"),
    ],
)
def test_a_process_killed_in_a_save_leaves_that_checkpoint_whole_or_not_at_all(
    tmp_path: Path, dies: Callable[[pytest.MonkeyPatch], None], newest: int, latest: int
) -> None:
    """The next save removes what it left."""
    store = saved(tmp_path, 50, 100, keep=2)
    killed_while_saving(store, 150, dies)
    checkpoint, damaged = store.resume()
    assert checkpoint is not None
    assert (checkpoint.step, damaged) == (newest, [])
    assert checkpoint.tensors["w"].tolist() == [float(newest)] * 3
    assert checkpoint.state == {"step": newest}
    assert (tmp_path / "latest").read_text() == f"step-{latest:08d}"
    assert saved(tmp_path, 150, keep=2).resume()[0].step == 150
    assert sorted(p.name for p in tmp_path.iterdir()) == ["latest", "step-00000100", "step-00000150"]


def test_a_process_killed_between_two_renames_leaves_the_checkpoint_before(tmp_path: Path) -> None:
    """It saves a step again, and has moved the one of the same step away."""
    store = saved(tmp_path, 50, 100)
    killed_while_saving(store, 100, at(Path, "rename", 1, True))
    checkpoint, damaged = store.resume()
    assert checkpoint is not None
    assert (checkpoint.step, damaged) == (50, [])
    assert saved(tmp_path, 100).steps() == [100, 50]
    assert sorted(p.name for p in tmp_path.iterdir()) == ["latest", "step-00000050", "step-00000100"]


def test_write_atomically_replaces_and_leaves_no_temporary_file(tmp_path: Path) -> None:
    path = tmp_path / "manifest.json"
    write_atomically(path, b"old")
    write_atomically(path, b"new")
    assert path.read_bytes() == b"new"
    assert [p.name for p in tmp_path.iterdir()] == ["manifest.json"]
