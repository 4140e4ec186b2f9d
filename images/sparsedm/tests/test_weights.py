"""Weights from files: safetensors, and .pth files of tensors only; what else a file may hold is refused."""

from __future__ import annotations

import argparse
import io
import json
import math
import pickle
import tarfile
import zipfile
from pathlib import Path
from typing import Any

import pytest
import torch
from safetensors.torch import save, save_file

from sparsedm.errors import InputError
from sparsedm.files import file_sha256
from sparsedm.models import UViTConfig, build_model, load_weights

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
        ({"step": 3, "scores": {"a": 1.0}}, r"hold no state dict \(found: step, scores\)"),
        ([torch.zeros(1)], r"hold no state dict \(found: list\)"),
        ({}, r"hold no state dict \(found: nothing\)"),
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
    with pytest.raises(InputError, match=r"can't be read: it is no whole file of torch\.save"):
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
    with pytest.raises(InputError, match=r"can't be read: it is cut off, with 100 of [\d,]+ bytes"):
        load_weights(model, path)
    assert all(torch.equal(before[k], v) for k, v in model.state_dict().items())


@pytest.mark.parametrize(
    ("value", "dtype"),
    [
        (math.nan, torch.float32),
        (-math.inf, torch.bfloat16),
        (1e300, torch.float64),  # finite there, and infinite in the network's float32
    ],
)
def test_weights_that_are_not_finite_are_named_and_change_nothing(
    tmp_path: Path, value: float, dtype: torch.dtype
) -> None:
    model = build_model(TINY)
    before = {k: v.clone() for k, v in model.state_dict().items()}
    tensors = {name: (t + 1).to(dtype) for name, t in before.items()}
    tensors["norm.bias"][-1] = value
    save_file(tensors, tmp_path / "w.safetensors")
    with pytest.raises(InputError, match=r"w\.safetensors hold NaN or infinity in norm\.bias:") as error:
        load_weights(model, tmp_path / "w.safetensors")
    assert error.value.reason == "PretrainedNotFinite"
    assert all(torch.equal(before[k], v) for k, v in model.state_dict().items())


def files() -> dict[str, bytes]:
    """Files that are not weights, by their kind."""
    archive, bare = io.BytesIO(), io.BytesIO()
    with tarfile.open(fileobj=archive, mode="w", format=tarfile.USTAR_FORMAT) as tar:
        tar.addfile(tarfile.TarInfo("model.safetensors"))
    with zipfile.ZipFile(bare, "w") as file:
        file.writestr("model.safetensors", b"")
    return {
        "empty": b"",
        "lfs": b"version https://git-lfs.github.com/spec/v1\noid sha256:4d7a\nsize 3438167540\n",
        "page": b"\n<!DOCTYPE html><html><head><title>Sign in</title>",
        "xml": b'<?xml version="1.0"?><Error><Code>AccessDenied</Code></Error>',
        "json": b'{"error": "Repository not found"}',
        "tar": archive.getvalue(),
        "gzip": b"\x1f\x8b\x08" + bytes(60),
        "zip": bare.getvalue(),
        "gguf": b"GGUF" + bytes(60),
        "numpy": b"\x93NUMPY" + bytes(60),
        "noise": bytes(range(100, 200)),
        "header": (1 << 40).to_bytes(8, "little") + b"{",
        "pickle": pickle.dumps({"a": 1}),
    }


@pytest.mark.parametrize("suffix", [".safetensors", ".pth", ".bin"])
@pytest.mark.parametrize(
    ("kind", "want"),
    [
        ("empty", "the file is empty: fetch the file itself again"),
        ("lfs", r"it is a Git LFS pointer of \d+ bytes that stands for the file: run git lfs pull"),
        ("page", "it is a web page or an XML answer"),
        ("xml", "it is a web page or an XML answer"),
        ("json", "it is JSON text"),
        ("tar", "it is a tar archive: unpack it"),
        ("gzip", "it is a gzip archive: unpack it"),
        ("zip", "no whole file of torch.save"),
        ("gguf", "it is a GGUF file: convert it to safetensors"),
        ("numpy", "it is a NumPy array: convert it"),
        ("noise", "it is neither safetensors nor a file of torch.save"),
        ("header", r"it is cut off, with 9 of 1,099,511,627,784 bytes"),
        ("pickle", "no whole file of torch.save|hold more than tensors|hold no state dict"),
    ],
)
def test_what_is_no_weights_is_told_by_its_content(tmp_path: Path, kind: str, want: str, suffix: str) -> None:
    path = tmp_path / f"w{suffix}"
    path.write_bytes(files()[kind])
    with pytest.raises(InputError, match=want) as error:
        load_weights(build_model(TINY), path)
    assert error.value.reason == "PretrainedUnreadable"
    assert str(path) in error.value.message


def test_a_wrong_ending_does_not_matter(tmp_path: Path) -> None:
    source = build_model(TINY)
    save_file(source.state_dict(), tmp_path / "w.pth")
    torch.save(source.state_dict(), tmp_path / "w.safetensors")
    torch.save(source.state_dict(), tmp_path / "w.bin", _use_new_zipfile_serialization=False)
    for name in ("w.pth", "w.safetensors", "w.bin"):
        target = build_model(TINY)
        load_weights(target, tmp_path / name)
        assert equal(source, target)


def prefixed(state: dict[str, torch.Tensor], prefix: str) -> dict[str, torch.Tensor]:
    return {f"{prefix}{name}": value for name, value in state.items()}


@pytest.mark.parametrize(
    "prefix",
    ["_orig_mod.", "module.", "module._orig_mod.", "_orig_mod.module.", "model.", "model.module.", "ema."],
)
def test_what_other_programs_put_before_every_name_is_taken_off(tmp_path: Path, prefix: str) -> None:
    source, target = build_model(TINY), build_model(TINY)
    save_file(prefixed(source.state_dict(), prefix), tmp_path / "w.safetensors")
    load_weights(target, tmp_path / "w.safetensors")
    assert equal(source, target)


def test_parts_that_were_compiled_alone_have_their_names_back(tmp_path: Path) -> None:
    source, target = build_model(TINY), build_model(TINY)
    state = {name.replace("mid_block.", "mid_block._orig_mod."): v for name, v in source.state_dict().items()}
    save_file(state, tmp_path / "w.safetensors")
    load_weights(target, tmp_path / "w.safetensors")
    assert equal(source, target)


def test_a_prefix_that_some_names_lack_is_not_taken_off(tmp_path: Path) -> None:
    state = prefixed(build_model(TINY).state_dict(), "model.")
    state["norm.bias"] = state.pop("model.norm.bias")
    save_file(state, tmp_path / "w.safetensors")
    with pytest.raises(InputError, match=r"and \d+ more are missing; model\."):
        load_weights(build_model(TINY), tmp_path / "w.safetensors")


@pytest.mark.parametrize("average", ["ema", "model_ema", "ema_state_dict"])
@pytest.mark.parametrize("order", [1, -1])
def test_the_moving_average_of_a_checkpoint_is_taken(tmp_path: Path, average: str, order: int) -> None:
    raw, averaged, target = (build_model(TINY) for _ in range(3))
    parts = [("model", raw.state_dict()), (average, averaged.state_dict()), ("step", 3)][::order]
    torch.save(dict(parts), tmp_path / "w.pt")
    load_weights(target, tmp_path / "w.pt")
    assert equal(averaged, target)


@pytest.mark.parametrize(
    "nest",
    [
        lambda raw, ema: {"state_dict": {**prefixed(raw, "model."), **prefixed(ema, "ema.")}},
        lambda raw, ema: {"state_dict": {"ema": prefixed(ema, "module."), "model": raw}},
        lambda raw, ema: {"ema": {"state_dict": ema}, "state_dict": raw},
        lambda raw, ema: {"epoch": 1, "model": {"ema": ema}},
        lambda raw, ema: {"model": ema, "optimizer": {"state": {}}},
    ],
)
def test_nests_of_both_orders_are_opened(tmp_path: Path, nest: Any) -> None:
    raw, averaged, target = (build_model(TINY) for _ in range(3))
    torch.save(nest(raw.state_dict(), averaged.state_dict()), tmp_path / "w.ckpt")
    load_weights(target, tmp_path / "w.ckpt")
    assert equal(averaged, target)


@pytest.mark.parametrize("dtype", [torch.float16, torch.bfloat16, torch.float64])
def test_floats_of_16_bits_and_more_are_read_as_float32(tmp_path: Path, dtype: torch.dtype) -> None:
    source, target = build_model(TINY), build_model(TINY)
    state = {name: value.to(dtype) for name, value in source.state_dict().items()}
    save_file(state, tmp_path / "w.safetensors")
    load_weights(target, tmp_path / "w.safetensors")
    for name, value in target.state_dict().items():
        assert value.dtype == torch.float32
        assert torch.equal(value, state[name].float())


@pytest.mark.parametrize(
    "dtype",
    [
        torch.int8, torch.uint8, torch.int32, torch.int64, torch.bool, torch.complex64, torch.float8_e4m3fn,
        torch.float8_e5m2,
    ],
)  # fmt: skip
def test_codes_are_not_taken_for_weights(tmp_path: Path, dtype: torch.dtype) -> None:
    """Also where their scales lie beside them, which are unknown names too."""
    model = build_model(TINY)
    before = {name: value.clone() for name, value in model.state_dict().items()}
    state = dict(model.state_dict())
    state["mid_block.mlp.fc1.weight"] = torch.ones_like(state["mid_block.mlp.fc1.weight"]).to(dtype)
    state["mid_block.mlp.fc1.scale_weight"] = torch.ones(1)
    save_file(state, tmp_path / "w.safetensors")
    type_name = str(dtype).removeprefix("torch.")
    want = rf"of at least 16 bits: mid_block\.mlp\.fc1\.weight is {type_name}\. Give the weights before"
    with pytest.raises(InputError, match=want) as error:
        load_weights(model, tmp_path / "w.safetensors")
    assert error.value.reason == "PretrainedMismatch"
    assert all(torch.equal(before[name], value) for name, value in model.state_dict().items())


def test_the_first_of_each_kind_of_difference_are_named(tmp_path: Path) -> None:
    state = dict(build_model(TINY).state_dict())
    for name in [name for name in state if name.startswith("mid_block.attn")]:
        state[f"x.{name}"] = state.pop(name)
    state["norm.bias"] = torch.zeros(17)
    save_file(state, tmp_path / "w.safetensors")
    with pytest.raises(InputError) as error:
        load_weights(build_model(TINY), tmp_path / "w.safetensors")
    for want in (
        " are missing; x.mid_block.attn",
        " are unknown; norm.bias has shape (17,) instead of (16,)",
    ):
        assert want in error.value.message


def sharded(directory: Path, state: dict[str, torch.Tensor]) -> Path:
    names = sorted(state)
    files = {"w-1.safetensors": names[::2], "w-2.safetensors": names[1::2]}
    for file, part in files.items():
        (directory / file).write_bytes(save({name: state[name] for name in part}))
    index = directory / "w.safetensors.index.json"
    weight_map = {name: file for file, part in files.items() for name in part}
    index.write_text(json.dumps({"metadata": {}, "weight_map": weight_map}))
    return index


def test_shards_are_one_file(tmp_path: Path) -> None:
    source, target = build_model(TINY), build_model(TINY)
    index = sharded(tmp_path, source.state_dict())
    digest = load_weights(target, index)
    assert equal(source, target)
    assert load_weights(target, index, digest) == digest
    (tmp_path / "w-2.safetensors").write_bytes((tmp_path / "w-2.safetensors").read_bytes()[:-4] + b"abcd")
    with pytest.raises(InputError, match="not the expected"):
        load_weights(target, index, digest)


def test_shards_that_are_not_all_there(tmp_path: Path) -> None:
    index = sharded(tmp_path, build_model(TINY).state_dict())
    (tmp_path / "w-2.safetensors").unlink()
    with pytest.raises(
        InputError, match=r"names 2 files, and w-2\.safetensors is missing: fetch all"
    ) as error:
        load_weights(build_model(TINY), index)
    assert error.value.reason == "PretrainedNotFound"
    index.write_text(json.dumps({"weight_map": {"a": "../../etc/passwd"}}))
    with pytest.raises(InputError, match=r"it names \.\./\.\./etc/passwd: shards lie beside their index"):
        load_weights(build_model(TINY), index)
    index.write_text("[]")
    with pytest.raises(InputError, match="it is no index of shards"):
        load_weights(build_model(TINY), index)
