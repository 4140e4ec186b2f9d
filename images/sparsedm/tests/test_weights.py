"""Weights from files: safetensors, and .pth files of tensors only; what else a file may hold is refused."""

from __future__ import annotations

import argparse
from pathlib import Path
from typing import Any

import pytest
import torch
from safetensors.torch import save_file

from sparsedm.errors import InputError
from sparsedm.models import UViTConfig, build_model, file_sha256, load_weights

TINY = UViTConfig(image_size=8, patch_size=2, channels=3, width=16, depth=3, heads=2, num_classes=4)


def equal(one: torch.nn.Module, two: torch.nn.Module) -> bool:
    return all(torch.equal(a, b) for a, b in zip(one.parameters(), two.parameters(), strict=True))


def test_weights_survive_the_file(tmp_path: Path) -> None:
    source, target = build_model(TINY), build_model(TINY)
    save_file(source.state_dict(), tmp_path / "w.safetensors")
    digest = file_sha256(tmp_path / "w.safetensors")
    assert load_weights(target, tmp_path / "w.safetensors", digest.upper()) == digest
    assert equal(source, target)


@pytest.mark.parametrize("suffix", [".pth", ".pt"])
@pytest.mark.parametrize("prefix", ["", "module."])
def test_a_pth_of_tensors_is_loaded_with_or_without_the_prefix(
    tmp_path: Path, suffix: str, prefix: str
) -> None:
    source, target = build_model(TINY), build_model(TINY)
    path = tmp_path / f"w{suffix}"
    torch.save({f"{prefix}{name}": value for name, value in source.state_dict().items()}, path)
    assert load_weights(target, path) == file_sha256(path)
    assert equal(source, target)


class Harmful:
    """Its unpickling would call print."""

    def __reduce__(self) -> Any:
        return print, ("this must never be printed",)


@pytest.mark.parametrize(
    ("state", "want"),
    [
        ({"args": argparse.Namespace(lr=1), "model": {}}, r"hold more than tensors \(argparse.Namespace\)"),
        (Harmful(), r"hold more than tensors \(.*print\)"),
        ({"step": 3, "model": {"a": torch.zeros(1)}}, r"no plain state dict \(it holds step, model\)"),
        ([torch.zeros(1)], r"no plain state dict \(it holds a list\)"),
    ],
)
def test_a_pth_with_more_than_tensors_is_refused(tmp_path: Path, capsys: Any, state: Any, want: str) -> None:
    torch.save(state, tmp_path / "w.pth")
    with pytest.raises(InputError, match=want) as error:
        load_weights(build_model(TINY), tmp_path / "w.pth")
    assert error.value.reason == "PretrainedUnreadable"
    assert capsys.readouterr().out == ""


def test_a_pth_that_is_cut_off_is_refused(tmp_path: Path) -> None:
    path = tmp_path / "w.pth"
    torch.save(build_model(TINY).state_dict(), path)
    path.write_bytes(path.read_bytes()[:1000])
    with pytest.raises(InputError, match=r"no readable \.pth file"):
        load_weights(build_model(TINY), path)


def test_wrong_weights_are_named_and_change_nothing(tmp_path: Path) -> None:
    model = build_model(TINY)
    before = {k: v.clone() for k, v in model.state_dict().items()}
    path = tmp_path / "w.safetensors"
    with pytest.raises(InputError, match="no weights at"):
        load_weights(model, path)
    tensors = dict(model.state_dict())
    del tensors["norm.bias"]
    save_file({**tensors, "extra": torch.zeros(1)}, path)
    with pytest.raises(InputError, match=r"norm.bias is missing; extra is unknown"):
        load_weights(model, path)
    with pytest.raises(InputError, match="not the expected 00"):
        load_weights(model, path, "00")
    path.write_bytes(path.read_bytes()[:100])
    with pytest.raises(InputError, match="no readable safetensors"):
        load_weights(model, path)
    assert all(torch.equal(before[k], v) for k, v in model.state_dict().items())
