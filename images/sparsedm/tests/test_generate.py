"""Images and the command that draws them."""

import importlib
import json
import math

import numpy as np
import pytest
import torch
from PIL import Image
from safetensors.torch import load_file, save_file

from sparsedm.cli import SUBCOMMANDS, build_parser, main
from sparsedm.commands.generate import class_labels
from sparsedm.data.images import image_grid, to_uint8
from sparsedm.files import file_sha256
from sparsedm.models import UViTConfig, build_model

CONFIG = UViTConfig(
    image_size=8, patch_size=4, channels=1, width=16, depth=3, heads=2, num_classes=2,
    final_conv=False, prediction="v",
)  # fmt: skip


def test_values_become_bytes() -> None:
    assert to_uint8(torch.tensor([-1.0, 0.0, 1.0, 7.0])).tolist() == [0, 128, 255, 255]


def test_a_grid_is_filled_row_by_row() -> None:
    images = torch.linspace(-1, 1, 5)[:, None, None, None].expand(5, 1, 4, 4)
    pixels = np.asarray(image_grid(images, columns=3, gap=1))
    assert pixels.shape == (9, 14)
    assert [pixels[0, 0], pixels[0, 5], pixels[0, 10], pixels[5, 0], pixels[5, 5]] == [0, 64, 128, 191, 255]
    assert pixels[0, 4] == 255


def test_colours_and_scale() -> None:
    image = image_grid(torch.tensor([1.0, -1.0, -1.0])[None, :, None, None].expand(1, 3, 4, 4), scale=2)
    assert image.mode == "RGB"
    assert image.size == (8, 8)
    assert image.getpixel((0, 0)) == (255, 0, 0)


def test_latents_and_empty_sets_have_no_grid() -> None:
    with pytest.raises(ValueError, match="decode latents"):
        image_grid(torch.zeros(1, 4, 8, 8))
    with pytest.raises(ValueError, match="at least one"):
        image_grid(torch.zeros(0, 1, 8, 8))


@pytest.fixture
def model(tmp_path):
    torch.manual_seed(0)
    path = tmp_path / "m.safetensors"
    save_file(build_model(CONFIG).state_dict(), path)
    manifest = {
        "config": CONFIG.to_dict(), "classes": ["cat", "dog"], "weights": {"sha256": file_sha256(path)},
    }  # fmt: skip
    path.with_suffix(".json").write_text(json.dumps(manifest))
    return path


def test_the_command_draws_one_column_per_class(model, tmp_path) -> None:
    out = tmp_path / "images" / "grid.png"
    arguments = ["generate", "--model", str(model), "--steps", "2", "--scale", "1", "--out", str(out)]
    assert main([*arguments, "--classes", "dog", "cat", "--count", "3"]) == 0
    grid = np.asarray(Image.open(out))
    assert grid.shape == (28, 18)
    assert main([*arguments, "--classes", "1", "--seed", "1", "--count", "1"]) == 0
    # Row 1 of the grid is seed 1: the same image, drawn alone (within a grey level of rounding).
    np.testing.assert_allclose(np.asarray(Image.open(out)).astype(int), grid[10:18, :8].astype(int), atol=1)


@pytest.mark.parametrize(
    ("arguments", "want_code", "want"),
    [
        (["--classes", "cow"], 2, "Unknown class cow: this model's classes are cat, dog."),
        (["--count", "0", "--seed", "-1"], 2, "--count must be at least 1. --seed must not be negative."),
    ],
)
def test_a_wrong_request_is_one_sentence(model, tmp_path, capsys, arguments, want_code, want) -> None:
    command = ["generate", "--model", str(model), "--out", str(tmp_path / "x.png"), *arguments]
    assert main(command) == want_code
    assert want in capsys.readouterr().err


def test_a_file_needs_a_manifest_that_describes_it(model, tmp_path, capsys) -> None:
    arguments = ["generate", "--model", str(model), "--out", str(tmp_path / "x.png")]
    model.with_suffix(".json").write_text("{}")
    assert main(arguments) == 3
    assert "does not describe a model" in capsys.readouterr().err
    model.with_suffix(".json").unlink()
    assert main(arguments) == 3
    assert "pass --preset" in capsys.readouterr().err


def test_changed_weights_are_refused(model, tmp_path, capsys) -> None:
    model.write_bytes(model.read_bytes()[:-4] + b"\0\0\0\1")
    assert main(["generate", "--model", str(model), "--out", str(tmp_path / "x.png")]) == 3
    assert "not the expected" in capsys.readouterr().err


def test_weights_that_are_not_finite_are_refused(model, tmp_path, capsys) -> None:
    weights = load_file(model)
    weights["norm.weight"][0] = math.nan
    save_file(weights, model)
    command = ["generate", "--model", str(model), "--out", str(tmp_path / "x.png")]
    change = json.loads(model.with_suffix(".json").read_text())
    change["weights"]["sha256"] = file_sha256(model)
    model.with_suffix(".json").write_text(json.dumps(change))
    assert main(command) == 3
    assert f"{model} hold NaN or infinity in norm.weight:" in capsys.readouterr().err
    assert not (tmp_path / "x.png").exists()


def test_classes_by_name_or_number() -> None:
    assert class_labels(["dog", "0"], ["cat", "dog"], 2) == [1, 0]
    assert class_labels([], ["cat", "dog"], 2) == [0, 1]
    assert class_labels([], [], 0) == []


@pytest.mark.parametrize("command", SUBCOMMANDS)
def test_every_command_explains_itself(command: str, capsys) -> None:
    with pytest.raises(SystemExit) as stop:
        main([command, "--help"])
    assert stop.value.code == 0
    assert f"usage: sparsedm {command}" in capsys.readouterr().out
    assert callable(importlib.import_module(SUBCOMMANDS[command][0]).run)


def test_only_the_module_of_the_command_is_imported(monkeypatch) -> None:
    imported = []
    monkeypatch.setattr("sparsedm.cli.importlib.import_module", imported.append)
    build_parser(None)
    assert imported == []
