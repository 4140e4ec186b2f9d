"""Checkpoints: atomic, digested, pruned; a damaged newest one falls back to the one before."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
import torch

from sparsedm.checkpoint import CheckpointStore, write_atomically


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


def test_write_atomically_replaces_and_leaves_no_temporary_file(tmp_path: Path) -> None:
    path = tmp_path / "manifest.json"
    write_atomically(path, b"old")
    write_atomically(path, b"new")
    assert path.read_bytes() == b"new"
    assert [p.name for p in tmp_path.iterdir()] == ["manifest.json"]
