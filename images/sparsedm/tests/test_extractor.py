"""The extractor: training, the file, and what its features are."""

import json

import numpy as np
import pytest
import torch
from PIL import Image
from safetensors.torch import save_file

from sparsedm.cli import main
from sparsedm.commands import train_extractor as command
from sparsedm.data import ArrayDataset
from sparsedm.errors import InputError
from sparsedm.files import file_sha256
from sparsedm.measure.extractor import Classifier, accuracy, load_extractor, train_classifier
from sparsedm.models import WEIGHTS_DIR


def bars(count: int, seed: int) -> ArrayDataset:
    """Two classes that are easy to distinguish: a bright upper or lower half, with noise."""
    random = np.random.default_rng(seed)
    labels = random.integers(0, 2, count)
    images = random.integers(0, 100, (count, 1, 32, 32))
    for image, label in zip(images, labels, strict=True):
        image[0, 16 * label : 16 * label + 16] += 100
    return ArrayDataset(images.astype(np.uint8), labels)


@pytest.fixture(scope="module")
def trained(tmp_path_factory):
    path = tmp_path_factory.mktemp("extractor") / "bars.safetensors"
    network = train_classifier(bars(128, 0), epochs=4, seed=0, batch=16)
    save_file(network.state_dict(), path, metadata={"name": "bars", "channels": "1", "classes": "2"})
    return path


def test_it_learns_and_keeps_what_it_learnt(trained) -> None:
    extractor, name, digest = load_extractor(trained)
    assert name == extractor.name == "bars"
    assert digest == file_sha256(trained)
    assert accuracy(extractor, bars(50, 1), batch=20) > 0.95


def test_features_of_the_training_images_are_standardised(trained) -> None:
    extractor, _, _ = load_extractor(trained)
    features = extractor(bars(128, 0).batch(range(128))[0])
    assert features.shape == (128, extractor.dims)
    assert not features.requires_grad
    np.testing.assert_allclose(features.mean(dim=0), 0, atol=1e-3)
    np.testing.assert_allclose(features.std(dim=0), 1, atol=1e-3)


def test_features_are_those_of_the_8_bit_image_and_of_no_batch_mate(trained) -> None:
    extractor, _, _ = load_extractor(trained)
    images = bars(6, 2).batch(range(6))[0]
    shifted = images + 0.4 / 127.5  # less than half a grey level
    pixels = bars(6, 2).images
    assert torch.equal(extractor(images), extractor(shifted))
    assert torch.equal(extractor(images), extractor(torch.from_numpy(pixels)))
    torch.testing.assert_close(extractor(images)[2:3], extractor(images[2:3]), rtol=1e-4, atol=1e-4)


def test_a_file_that_is_no_extractor_is_refused(tmp_path) -> None:
    with pytest.raises(InputError, match="There is no extractor"):
        load_extractor(tmp_path / "x.safetensors")
    save_file({"w": torch.zeros(1)}, tmp_path / "x.safetensors")
    with pytest.raises(InputError, match="sparsedm train-extractor"):
        load_extractor(tmp_path / "x.safetensors")


def test_weights_that_are_not_finite_are_refused_by_name(tmp_path) -> None:
    tensors = Classifier(1, 2).state_dict()
    tensors["embed.bias"][3] = float("nan")
    metadata = {"name": "x", "channels": "1", "classes": "2"}
    save_file(tensors, tmp_path / "x.safetensors", metadata=metadata)
    with pytest.raises(InputError, match=r"hold NaN or infinity in embed\.bias:") as error:
        load_extractor(tmp_path / "x.safetensors")
    assert error.value.reason == "ExtractorNotFinite"


def test_labels_are_needed(tmp_path) -> None:
    with pytest.raises(InputError, match="needs labels"):
        train_classifier(ArrayDataset(np.zeros((2, 1, 32, 32), np.uint8), None), epochs=1, seed=0)


def test_the_command_writes_weights_and_manifest(tmp_path, monkeypatch, capsys) -> None:
    def opened(format: str, path: str, size: int, channels: int, split: str, class_column: str | None):
        return bars(64, 0 if split == "train" else 1)

    monkeypatch.setattr(command, "open_dataset", opened)
    out = tmp_path / "fashion.safetensors"
    assert main(["train-extractor", "--data", str(tmp_path), "--epochs", "2", "--out", str(out)]) == 0
    manifest = json.loads(out.with_suffix(".json").read_text())
    assert manifest["sha256"] == file_sha256(out)
    assert manifest["name"] == "fashion-mnist-cnn"
    assert "test accuracy" in capsys.readouterr().out


def test_an_image_folder_has_test_images_of_its_own(tmp_path, capsys) -> None:
    for split, value in (("train", 0), ("test", 60)):
        folder = tmp_path / split
        folder.mkdir()
        rows = []
        for i in range(8):
            Image.new("RGB", (32, 32), (250 - value, 0, 0) if i % 2 else (0, 0, 250 - value)).save(
                folder / f"{i}.png"
            )
            rows.append({"file_name": f"{i}.png", "colour": ("blue", "red")[i % 2], "label": "all"})
        (folder / "metadata.jsonl").write_text("".join(f"{json.dumps(row)}\n" for row in rows))
    out = tmp_path / "x.safetensors"
    command = ["train-extractor", "--dataset", "image-folder", "--data", str(tmp_path / "train")]
    command += ["--channels", "3", "--epochs", "60", "--name", "colours", "--class-column", "colour"]
    assert main([*command, "--out", str(out)]) == 2
    assert "--dataset image-folder has no test images of its own" in capsys.readouterr().err
    assert main([*command, "--out", str(out), "--test-data", str(tmp_path / "test")]) == 0
    assert "Data: 8 samples of 2 classes: 0 = blue (4), 1 = red (4)." in capsys.readouterr().out
    manifest = json.loads(out.with_suffix(".json").read_text())
    assert manifest["testAccuracy"] == 1.0
    assert "--class-column colour" in manifest["command"]


def test_a_format_with_test_images_takes_no_others(tmp_path, capsys) -> None:
    command = ["train-extractor", "--data", str(tmp_path), "--test-data", str(tmp_path), "--out", "x"]
    assert main(command) == 2
    assert "--dataset fashion-mnist has test images of its own: leave out" in capsys.readouterr().err


def test_the_shipped_extractor_is_the_one_of_its_manifest() -> None:
    path = WEIGHTS_DIR / "fashion-mnist-extractor.safetensors"
    extractor, name, digest = load_extractor(path)
    manifest = json.loads(path.with_suffix(".json").read_text())
    assert (name, digest) == (manifest["name"], manifest["sha256"])
    assert manifest["testAccuracy"] > 0.9
    assert extractor(torch.zeros(2, 1, 32, 32)).shape == (2, manifest["features"])
