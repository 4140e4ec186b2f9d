"""Against what a run is measured: its training data, held-out data, statistics, samples of the dense model or
decodings of latents. The distance's name and the provenance say which, and only real images make an FID."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from PIL import Image

from sparsedm.cli import main
from sparsedm.data import open_dataset
from sparsedm.errors import InputError
from sparsedm.measure.evaluator import Evaluator, Plan
from sparsedm.measure.extractor import load_extractor
from sparsedm.measure.frechet import FrechetStats, frechet_distance
from sparsedm.measure.reference import Reference
from sparsedm.training.config import parse_config
from sparsedm.training.describe import describe
from tiny_run import CONFIG, Workplace

SHORT = {"training__steps": 2, "training__warmupSteps": 0, "checkpoint__everySteps": 2}
FID = {"metric": "fid", "extractorUri": "file:///tools/pt_inception-2015-12-05-6726825d.pth"}


def draw_folder(folder: Path, classes: dict[str, int], count: int = 8) -> Path:
    """Grey images of random brightness, `count` in each class, whose value is a seed."""
    for name, seed in classes.items():
        (folder / name).mkdir(parents=True)
        random = np.random.default_rng(seed)
        for i in range(count):
            pixels = random.integers(0, 256, (32, 32), dtype=np.uint8)
            Image.fromarray(pixels).save(folder / name / f"{i}.png")
    return folder


def stats_of(place: Workplace, folder: Path) -> FrechetStats:
    stats, data = FrechetStats(), open_dataset("image-folder", folder, 32, 1)
    stats.update(load_extractor(place.extractor)[0](data.batch(range(len(data)))[0]))
    return stats


def same(a: FrechetStats, b: FrechetStats) -> bool:
    return a.n == b.n and frechet_distance(a, b) == pytest.approx(0, abs=1e-6)


@pytest.fixture(scope="module")
def held_out(place: Workplace) -> Path:
    return draw_folder(place.directory / "held-out", {"right": 5, "left": 6})


@pytest.fixture(scope="module")
def generated(place: Workplace) -> dict[str, Any]:
    return place.train(place.spec("generated", dataset={"format": "generated", "samples": 10}, **SHORT))


def test_a_run_is_measured_against_its_training_data_and_says_so(place: Workplace) -> None:
    manifest = place.train(place.spec("plain", **SHORT))
    fid = manifest["fid"]
    assert (fid["metric"], fid["reference"]) == ("fd-test-cnn", "training-data")
    assert "captions" not in fid
    assert manifest["provenance"]["reference"] == {
        "source": "training-data", "format": "image-folder", "uri": f"file://{place.images}",
        "split": "train", "digest": fid["referenceDigest"],
    }  # fmt: skip
    assert "heldOutData" not in manifest["provenance"]


def test_held_out_images_become_the_reference(place: Workplace, held_out: Path) -> None:
    spec = place.spec(
        "held", evaluation__dataset={"format": "image-folder", "uri": f"file://{held_out}"}, **SHORT
    )
    manifest = place.train(spec)
    fid, provenance = manifest["fid"], manifest["provenance"]
    assert (fid["metric"], fid["reference"]) == ("fd-test-cnn", "evaluation-data")
    assert provenance["reference"]["uri"] == f"file://{held_out}"
    assert provenance["heldOutData"]["samples"] == 16
    kept = Reference.load(place.directory / "held/reference.npz", fid["extractorDigest"], 64)
    assert same(kept.stats, stats_of(place, held_out))
    assert manifest["quality"]["referenceFeatures"] == 16
    assert f"held-out images of file://{held_out}" in describe(parse_config(spec))


@pytest.mark.parametrize(
    ("classes", "want"),
    [
        ({"up": 1, "down": 2}, "classes that are trained on are left, right, and those of the held-out"),
        ({"left": 1, "down": 2}, "left are among them and down are not"),
        ({"left": 1, "middle": 2, "right": 3}, "2 classes and the data set 3"),
    ],
)  # fmt: skip
def test_held_out_data_of_other_classes_are_refused(
    place: Workplace, tmp_path: Path, classes: dict[str, int], want: str
) -> None:
    folder = draw_folder(tmp_path / "others", classes, count=1)
    spec = place.spec(
        output__uri=f"file://{tmp_path}/out",
        evaluation__dataset={"format": "image-folder", "uri": f"file://{folder}"},
    )
    with pytest.raises(InputError, match=want) as caught:
        place.train(spec)
    assert caught.value.message.startswith("evaluation.dataset: ")
    assert not (tmp_path / "out/checkpoints").exists()


def test_held_out_images_need_no_classes(place: Workplace, held_out: Path, tmp_path: Path) -> None:
    flat = tmp_path / "flat"
    flat.mkdir()
    for i, file in enumerate(sorted(held_out.rglob("*.png"))):
        (flat / f"{i}.png").write_bytes(file.read_bytes())
    spec = place.spec(
        output__uri=f"file://{tmp_path}/out",
        evaluation__dataset={"format": "image-folder", "uri": f"file://{flat}"},
        **SHORT,
    )
    assert place.train(spec)["provenance"]["heldOutData"]["labels"] is None


def test_held_out_data_that_are_not_there_are_named(place: Workplace, tmp_path: Path) -> None:
    held_out = {"format": "image-folder", "uri": "file:///none"}
    spec = place.spec(output__uri=f"file://{tmp_path}/out", evaluation__dataset=held_out)
    with pytest.raises(InputError, match=r"evaluation\.dataset: There is no folder /none") as caught:
        place.train(spec)
    assert caught.value.reason == "DatasetNotFound"


def test_samples_of_the_dense_model_are_no_real_images(
    place: Workplace, generated: dict[str, Any], capsys: pytest.CaptureFixture[str]
) -> None:
    fid = generated["fid"]
    assert (fid["metric"], fid["reference"]) == ("fd-test-cnn-dense-samples", "dense-samples")
    assert generated["provenance"]["reference"] == {
        "source": "dense-samples", "digest": fid["referenceDigest"],
    }  # fmt: skip
    arguments = [
        "evaluate", "--model", str(place.directory / "generated"), "--json", "--samples", "6", "--steps", "2",
        "--extractor", str(place.extractor),
    ]  # fmt: skip
    file = place.directory / "generated/reference.npz"
    assert main([*arguments, "--reference", str(file)]) == 0
    assert '"metric": "fd-test-cnn-dense-samples"' in capsys.readouterr().out, "the file knows what it is of"


def test_real_images_make_the_distance_of_a_generated_run_comparable(place: Workplace) -> None:
    spec = place.spec(
        "against-real", dataset={"format": "generated", "samples": 10},
        evaluation__dataset={"format": "image-folder", "uri": f"file://{place.images}"}, **SHORT,
    )  # fmt: skip
    manifest = place.train(spec)
    plain = place.train(place.spec("plain", **SHORT))
    assert (manifest["fid"]["metric"], manifest["fid"]["reference"]) == ("fd-test-cnn", "evaluation-data")
    assert manifest["fid"]["dense"] == plain["fid"]["dense"], "the same samples against the same images"


def test_statistics_of_anything_but_real_images_make_no_fid(place: Workplace, tmp_path: Path) -> None:
    stats = FrechetStats.of(100, np.zeros(64), np.eye(64))
    evaluator = Evaluator(CONFIG, Plan(4, 1, 0.0, "ddim", 0), place.extractor, torch.device("cpu"))
    evaluator.reference = Reference(stats, None, "decodings")
    evaluator.save_reference(tmp_path / "decoded.npz")
    evaluator.load_reference(tmp_path / "decoded.npz")
    assert (evaluator.metric, evaluator.source_name) == ("fd-test-cnn-decoded", "statistics")
    evaluator._wants_fid = True
    with pytest.raises(
        InputError, match=r"decoded\.npz is of decodings, and the metric fid compares with real"
    ):
        evaluator.load_reference(tmp_path / "decoded.npz")


def test_what_a_file_is_of_is_known_or_refused(tmp_path: Path) -> None:
    np.savez(tmp_path / "x.npz", mu=np.zeros(3), sigma=np.eye(3), content="paintings")
    with pytest.raises(InputError, match=r"x\.npz is of paintings, which this version does not know"):
        Reference.load(tmp_path / "x.npz", "d1", 3)


@pytest.mark.parametrize(
    ("changes", "want"),
    [
        ({}, "distance to the training images of file:///images is fd-EXTRACTOR."),
        (
            {"dataset": {"format": "generated", "samples": 9}},
            "to the dense model's own samples, and not to real images, is fd-EXTRACTOR-dense-samples.",
        ),
        (
            {"evaluation": {"referenceStatsUri": "pvc://tools/s.npz"}},
            "to the statistics in pvc://tools/s.npz is fd-EXTRACTOR.",
        ),
        (
            {"evaluation": {**FID, "dataset": {"format": "fashion-mnist", "uri": "pvc://data/clothes"}}},
            "to the held-out images of pvc://data/clothes (fashion-mnist, test) is the FID.",
        ),
    ],
)
def test_a_dry_run_says_what_the_distance_is_to(changes: dict[str, Any], want: str) -> None:
    spec = {
        "model": {"preset": "fashion-mnist-uvit-tiny", "pretrained": {"uri": "pvc://weights/d.safetensors"}},
        "dataset": {"format": "image-folder", "uri": "file:///images"},
        "output": {"uri": "pvc://models/run"},
        **changes,
    }
    assert want in describe(parse_config(spec))


@pytest.mark.parametrize(
    ("more", "want"),
    [
        (["--held-out", "--reference", "r.npz"], "--held-out is about --data and --captions"),
        (["--data", "x", "--captions", "y"], "--captions is for a model with text, and this one has none"),
        (
            ["--data", "x", "--format", "imagenet256-features"],
            "is for a model of latents, and this one",
        ),
        (
            ["--data", "x", "--format", "imagenet256-features", "--metric", "fid"],
            "--metric fid compares with real images, and --data holds latents",
        ),
    ],
)
def test_flags_that_do_not_fit_are_explained(
    place: Workplace,
    generated: dict[str, Any],
    capsys: pytest.CaptureFixture[str],
    more: list[str],
    want: str,
) -> None:
    assert main(["evaluate", "--model", str(place.directory / "generated"), *more]) == 2
    assert want in capsys.readouterr().err


def test_evaluate_takes_held_out_images(
    place: Workplace, generated: dict[str, Any], held_out: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    arguments = [
        "evaluate", "--model", str(place.directory / "generated"), "--samples", "6", "--steps", "2",
        "--format", "image-folder", "--data", str(held_out), "--extractor", str(place.extractor),
    ]  # fmt: skip
    assert main([*arguments, "--held-out"]) == 0
    assert "reference            evaluation-data\n" in (printed := capsys.readouterr().out)
    assert "metric               fd-test-cnn\n" in printed
