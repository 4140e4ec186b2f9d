"""Artifacts: equal bytes for equal weights, and proof on loading; inspect and verify for people."""

from __future__ import annotations

import json
import re
import shutil
from pathlib import Path
from typing import Any

import pytest
import torch
from safetensors.torch import load_file, save_file

from sparsedm.artifact.artifact import Identity, load_artifact, save_artifact, write_manifest
from sparsedm.cli import main
from sparsedm.decimals import decimal
from sparsedm.errors import InputError
from sparsedm.files import file_sha256, json_digest
from sparsedm.measure.macs import count_macs
from sparsedm.models import build_model
from sparsedm.sparsity.layers import bake_masks, masks_for, select_layers
from sparsedm.sparsity.pattern import Pattern
from tiny_run import CONFIG

PATTERN = Pattern(2, 4)
LAYER = "mid_block.mlp.fc1"


def write(directory: Path, weights: dict[str, torch.Tensor] | None = None) -> dict[str, Any]:
    torch.manual_seed(3)
    model = build_model(CONFIG)
    selection = select_layers(model, PATTERN)
    if weights is None:
        state = model.state_dict()
        weights = bake_masks(state, masks_for(state, selection.selected, PATTERN))
    directory.mkdir(parents=True, exist_ok=True)
    identity = Identity("test", CONFIG, ["left", "right"], PATTERN, selection)
    macs = count_macs(CONFIG, selection.selected, PATTERN).status()
    fid = {"metric": "fd-test", "dense": "1", "sparse": "2"}
    return save_artifact(directory, weights, identity, macs, fid, {"run": "ns/name", "configDigest": "x"})


@pytest.fixture
def artifact(tmp_path: Path) -> Path:
    write(tmp_path / "artifact")
    return tmp_path / "artifact"


def change_weights(directory: Path, change) -> None:
    """Alters the tensors and makes the manifest's file digest right again."""
    weights = load_file(directory / "model.safetensors")
    change(weights)
    save_file(weights, directory / "model.safetensors")
    change_manifest(
        directory, lambda m: m["weights"].update(sha256=file_sha256(directory / "model.safetensors"))
    )


def change_manifest(directory: Path, change, seal: bool = True) -> None:
    manifest = json.loads((directory / "manifest.json").read_text())
    change(manifest)
    if seal:
        write_manifest(directory, manifest)
    else:
        (directory / "manifest.json").write_text(json.dumps(manifest))


def test_round_trip(artifact: Path) -> None:
    model, manifest = load_artifact(artifact)
    assert not model.training
    assert manifest["weights"]["sizeBytes"] == (artifact / "model.safetensors").stat().st_size
    assert manifest["layers"][0] == {
        "name": "in_blocks.0.attn.qkv", "shape": [96, 32], "pattern": "2:4", "nonzero": 1536,
    }  # fmt: skip
    assert manifest["config"]["patch_size"] == 8


def test_equal_weights_give_equal_bytes(artifact: Path, tmp_path: Path) -> None:
    write(tmp_path / "again")
    assert (tmp_path / "again/model.safetensors").read_bytes() == (
        artifact / "model.safetensors"
    ).read_bytes()


def crowd(weights: dict[str, torch.Tensor]) -> None:
    weights[f"{LAYER}.weight"][0, :4] = torch.tensor([1.0, 2.0, 3.0, 0.0])


def sign_a_zero(weights: dict[str, torch.Tensor]) -> None:
    weight = weights[f"{LAYER}.weight"]
    weight[weight == 0] = -0.0


def move_the_mask(weights: dict[str, torch.Tensor]) -> None:
    weights[f"{LAYER}.weight"][0, :4] = weights[f"{LAYER}.weight"][0, :4].roll(1)


def drop_a_tensor(weights: dict[str, torch.Tensor]) -> None:
    del weights["norm.bias"]


def add_a_tensor(weights: dict[str, torch.Tensor]) -> None:
    weights["extra"] = torch.zeros(1)


@pytest.mark.parametrize(
    ("change", "want"),
    [
        (crowd, "1 groups of mid_block.mlp.fc1 have more than 2 non-zeros in 4"),
        (sign_a_zero, "mid_block.mlp.fc1 holds a negative zero"),
        (move_the_mask, "the masks have digest"),
        (drop_a_tensor, "norm.bias is missing"),
        (add_a_tensor, "extra is unknown"),
    ],
)
def test_weights_that_do_not_keep_their_promise_are_refused(artifact: Path, change, want: str) -> None:
    change_weights(artifact, change)
    with pytest.raises(InputError, match=want) as raised:
        load_artifact(artifact)
    assert raised.value.reason == "ArtifactInvalid"


def spoil_a_norm(weights: dict[str, torch.Tensor]) -> None:
    weights["norm.bias"][0] = float("nan")


def spoil_a_masked_layer(weights: dict[str, torch.Tensor]) -> None:
    weights[f"{LAYER}.weight"][0] = float("inf")


@pytest.mark.parametrize("command", ["verify", "export", "evaluate", "generate"])
@pytest.mark.parametrize(
    ("change", "want"), [(spoil_a_norm, "norm.bias"), (spoil_a_masked_layer, f"{LAYER}.weight")]
)
def test_every_command_refuses_weights_that_are_not_finite(
    artifact: Path, command: str, change, want: str, capsys: pytest.CaptureFixture[str]
) -> None:
    change_weights(artifact, change)
    out = str(artifact / "x.safetensors")
    arguments = {
        "verify": [str(artifact)],
        "export": [str(artifact), "--out", out],
        "evaluate": ["--model", str(artifact), "--data", str(artifact)],
        "generate": ["--model", str(artifact), "--out", out],
    }
    assert main([command, *arguments[command]]) == 3
    assert f"hold NaN or infinity in {want}: their training diverged" in capsys.readouterr().err
    with pytest.raises(InputError) as raised:
        load_artifact(artifact, verify=False)
    assert raised.value.reason == "WeightsNotFinite"


def test_changed_bytes_are_refused_and_only_without_verify_loaded(artifact: Path) -> None:
    data = bytearray((artifact / "model.safetensors").read_bytes())
    data[-1] ^= 1
    (artifact / "model.safetensors").write_bytes(bytes(data))
    with pytest.raises(InputError, match="digest"):
        load_artifact(artifact)
    load_artifact(artifact, verify=False)


@pytest.mark.parametrize(
    ("change", "want"),
    [
        (lambda m: m.update(schemaVersion=2), "no manifest of schema version 1"),
        (lambda m: m["config"].update(colour=1), "does not describe its model"),
        (lambda m: m.pop("weights"), "does not describe its model"),
        (lambda m: m["layers"][0].update(name="none"), "does not describe its model"),
        (lambda m: m["layers"][0].update(pattern="4:2"), "does not describe its model"),
        (lambda m: m["weights"].update(file="../../etc/passwd"), "no weights at .*/artifact/passwd"),
    ],
)
def test_a_manifest_that_is_wrong_is_refused(artifact: Path, change, want: str) -> None:
    change_manifest(artifact, change)
    with pytest.raises(InputError, match=want):
        load_artifact(artifact)


def test_no_manifest_and_no_json(tmp_path: Path) -> None:
    with pytest.raises(InputError, match=r"There is no manifest.json in"):
        load_artifact(tmp_path)
    (tmp_path / "manifest.json").write_text("{")
    with pytest.raises(InputError, match="not readable JSON"):
        load_artifact(tmp_path)


def test_dense_weights_are_never_written_as_sparse(tmp_path: Path) -> None:
    with pytest.raises(ValueError, match="more than 2 non-zeros in a group of 4"):
        write(tmp_path, build_model(CONFIG).state_dict())
    assert list(tmp_path.iterdir()) == []


def test_a_survivor_that_is_zero_does_not_break_the_digest(tmp_path: Path) -> None:
    model = build_model(CONFIG)
    state = model.state_dict()
    state[f"{LAYER}.weight"][0] = 0.0
    selection = select_layers(model, PATTERN)
    write(tmp_path, bake_masks(state, masks_for(state, selection.selected, PATTERN)))
    load_artifact(tmp_path)


@pytest.mark.parametrize(
    ("value", "want"), [(0.5, "0.5"), (12.0, "12"), (-0.00001, "0"), (1.23456, "1.2346")]
)
def test_decimals(value: float, want: str) -> None:
    assert decimal(value) == want


def test_verify_says_what_it_proved(artifact: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["verify", str(artifact)]) == 0
    assert "13 layers keep 2:4" in capsys.readouterr().out


COUNTED = [
    (lambda m: m.update(pattern="1:4"), r"layers\[0\].pattern 2:4, and 1:4 is found"),
    (lambda m: m["sparsity"].update(achieved="0.9"), r"sparsity.achieved 0.9, and 0.5 is found"),
    (lambda m: m["sparsity"].update(target="0.9"), r"sparsity.target 0.9, and 0.5 is found"),
    (lambda m: m["sparsity"].update(maskedLayers=3), r"sparsity.maskedLayers 3, and 13 is found"),
    (lambda m: m["sparsity"].update(skippedLayers=9), r"sparsity.skippedLayers 9, and 2 is found"),
    (lambda m: m["sparsity"].update(extra="1"), r"sparsity.extra 1, and None is found"),
    (lambda m: m["macs"].update(sparse=1), r"macs.sparse 1, and \d+ is found"),
    (lambda m: m["layers"][0].update(shape=[1, 2]), r"layers\[0\].shape\[0\] 1, and 96 is found"),
    (lambda m: m["layers"][0].update(nonzero=1), r"layers\[0\].nonzero 1, and 1536 is found"),
    (lambda m: m["skippedLayers"].pop(), "are not the model's layers, each once"),
    (lambda m: m["weights"].update(sizeBytes=1), r"weights.sizeBytes 1, and \d+ is found"),
    (lambda m: m.update(prediction="v"), r"prediction v, and noise is found"),
    (lambda m: m.update(classes=["a", "b", "c"]), "names 3 classes and the model has 2: c stand for none"),
    (lambda m: m.pop("macs"), "does not describe its model"),
]
"""Changes that the weights themselves reveal, also under a new seal."""
STATED = [
    lambda m: m.update(name="other"),
    lambda m: m["config"].update(heads=4),
    lambda m: m["config"].update(prediction="v"),
    lambda m: m["classes"].reverse(),
    lambda m: m["fid"].update(sparse="1"),
    lambda m: m["provenance"].update(run="other/run"),
    lambda m: m["skippedLayers"][0].update(reason="none"),
    lambda m: m.update(extra=1),
    lambda m: m["files"].update({"report.html": "0"}),
    lambda m: m.pop("seal"),
    lambda m: m.update(seal="sha256:0"),
]
"""Changes that only the seal reveals."""


@pytest.mark.parametrize(("change", "want"), COUNTED)
def test_verify_counts_again_what_the_manifest_says(
    artifact: Path, capsys: pytest.CaptureFixture[str], change, want: str
) -> None:
    change_manifest(artifact, change)
    assert main(["verify", str(artifact)]) == 3
    assert re.search(want, capsys.readouterr().err)
    assert main(["verify", "--seal", str(artifact)]) == 3


@pytest.mark.parametrize("change", [*(change for change, _ in COUNTED), *STATED])
def test_a_manifest_that_was_changed_is_neither_verified_nor_loaded(
    artifact: Path, capsys: pytest.CaptureFixture[str], change
) -> None:
    change_manifest(artifact, change, seal=False)
    assert main(["verify", str(artifact)]) == 3
    with pytest.raises(InputError) as error:
        load_artifact(artifact)
    assert error.value.reason in ("ArtifactInvalid", "ClassesMismatch")


def test_what_was_changed_on_purpose_or_is_of_an_earlier_version_is_sealed_anew(
    artifact: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    change_manifest(artifact, lambda m: m.update(classes=["up", "down"]), seal=False)
    assert main(["verify", str(artifact)]) == 3
    told = capsys.readouterr().err
    assert "was changed after it was written" in told
    assert f"`sparsedm verify --seal {artifact}` checks the artifact and seals it anew." in told
    assert main(["verify", "--seal", str(artifact)]) == 0
    assert load_artifact(artifact)[1]["classes"] == ["up", "down"]
    change_manifest(artifact, lambda m: [m.pop("seal"), m.pop("files")], seal=False)
    with pytest.raises(InputError, match="has no seal, as an earlier version wrote it"):
        load_artifact(artifact)
    assert main(["verify", "--seal", str(artifact)]) == 0
    load_artifact(artifact)


def test_the_seal_is_of_the_content_and_not_of_its_spelling(artifact: Path) -> None:
    manifest = json.loads((artifact / "manifest.json").read_text())
    (artifact / "manifest.json").write_text(json.dumps(dict(reversed(manifest.items())), ensure_ascii=False))
    load_artifact(artifact)


def test_settings_are_held_to_their_digest(artifact: Path, capsys: pytest.CaptureFixture[str]) -> None:
    settings = {"training": {"steps": 3, "seed": 0}}

    def hold(manifest: dict[str, Any], digest: str) -> None:
        manifest["settings"], manifest["provenance"]["configDigest"] = settings, digest

    change_manifest(artifact, lambda m: hold(m, json_digest(settings)))
    assert main(["verify", str(artifact)]) == 0
    assert main(["inspect", str(artifact)]) == 0
    assert "settings, with every default:\n  training:\n    steps: 3\n" in capsys.readouterr().out
    change_manifest(artifact, lambda m: m["settings"]["training"].update(seed=1))
    assert main(["verify", str(artifact)]) == 3
    assert "the settings in manifest.json have digest sha256:" in capsys.readouterr().err


def test_files_beside_the_manifest_are_those_written_with_it(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    for name in ("samples.png", "report.html"):
        (tmp_path / name).write_text(name)
    write(tmp_path)
    assert main(["verify", str(tmp_path)]) == 0
    (tmp_path / "samples.png").unlink()
    assert main(["verify", str(tmp_path)]) == 0
    assert "Not here: samples.png." in capsys.readouterr().out
    (tmp_path / "report.html").write_text("other")
    assert main(["verify", str(tmp_path)]) == 3
    assert "report.html is not the file that was written with the manifest" in capsys.readouterr().err


def test_verify_fails_with_3_and_a_sentence(artifact: Path, capsys: pytest.CaptureFixture[str]) -> None:
    change_weights(artifact, crowd)
    assert main(["verify", str(artifact)]) == 3
    assert "non-zeros in 4" in capsys.readouterr().err


def test_inspect_shows_layers_macs_and_figures(artifact: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["inspect", str(artifact)]) == 0
    out = capsys.readouterr().out
    for want in (
        "in_blocks.0.attn.qkv",
        "96x32",
        "classes: left, right",
        "fd-test",
        "decoder_pred: no include",
    ):
        assert want in out
    shutil.rmtree(artifact)
    assert main(["inspect", str(artifact)]) == 3


def test_a_uvit_is_exported_to_a_file_and_not_to_a_folder_of_diffusers(
    artifact: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    out = tmp_path / "exported"
    assert main(["export", str(artifact), "--out", str(out)]) == 2
    assert f"--out must be a file ending in .safetensors for a U-ViT, not {out}" in capsys.readouterr().err
    assert not out.exists()
