"""`sparsedm evaluate`: the figures of the training again, against a data set or statistics in a file."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from safetensors.torch import load_file, save_file
from torch import nn

from sparsedm.cli import main
from sparsedm.data import open_dataset
from sparsedm.measure import evaluator as module
from sparsedm.measure.evaluator import Evaluator, Plan
from sparsedm.measure.fidelity import precision_recall
from sparsedm.measure.frechet import FrechetStats
from sparsedm.measure.reference import KEPT_FEATURES, Reference, some_of
from sparsedm.models import build_model
from sparsedm.runtime.processes import ProcessGroup
from tiny_run import CONFIG, IMAGES, Workplace

SAMPLES = 6


@pytest.fixture(scope="module")
def manifest(place: Workplace) -> dict[str, Any]:
    return place.train(
        place.spec("out", training__steps=2, training__warmupSteps=0, checkpoint__everySteps=2)
    )


@pytest.fixture
def arguments(place: Workplace, manifest: dict[str, Any]) -> list[str]:
    """The artifact and the dense model as the training measured them; a reference is yet to be named."""
    return [
        "evaluate", "--model", str(place.directory / "out"), "--dense", str(place.weights), "--json",
        "--format", "image-folder", "--extractor", str(place.extractor),
        "--samples", str(SAMPLES), "--steps", "2",
    ]  # fmt: skip


def told(capsys: pytest.CaptureFixture[str]) -> dict[str, Any]:
    return json.loads(capsys.readouterr().out)


def without_origin(figures: dict[str, Any]) -> dict[str, Any]:
    return {key: value for key, value in figures.items() if key not in ("reference", "referenceDigest")}


def test_it_measures_what_the_training_measured(
    place: Workplace, manifest: dict[str, Any], arguments: list[str], capsys: pytest.CaptureFixture[str]
) -> None:
    assert main([*arguments, "--data", str(place.images)]) == 0
    assert told(capsys) == {**manifest["fid"], "quality": manifest["quality"]}
    quality = manifest["quality"]
    assert (quality["referenceFeatures"], quality["sampleFeatures"], quality["compared"]) == (
        IMAGES,
        SAMPLES,
        SAMPLES,
    )


def test_a_kept_reference_gives_the_same_figures_without_the_data(
    place: Workplace, arguments: list[str], capsys: pytest.CaptureFixture[str], tmp_path: Path
) -> None:
    file = tmp_path / "reference.npz"
    assert main([*arguments, "--data", str(place.images), "--save-reference", str(file)]) == 0
    first = told(capsys)
    assert main([*arguments, "--reference", str(file)]) == 0
    again = told(capsys)
    assert without_origin(again) == without_origin(first)
    assert (first["reference"], again["reference"]) == ("training-data", "statistics")
    assert again["quality"]["sparse"]["precision"] == first["quality"]["sparse"]["precision"]


def test_statistics_of_another_tool_give_the_distance_alone_and_say_why(
    place: Workplace, arguments: list[str], capsys: pytest.CaptureFixture[str], tmp_path: Path
) -> None:
    kept, bare = tmp_path / "kept.npz", tmp_path / "bare.npz"
    assert main([*arguments, "--data", str(place.images), "--save-reference", str(kept)]) == 0
    first = told(capsys)
    with np.load(kept) as arrays:
        np.savez(bare, arrays["features"], mu=arrays["mu"], sigma=arrays["sigma"])
    assert main([*arguments, "--reference", str(bare)]) == 0
    figures = told(capsys)
    assert (figures["dense"], figures["sparse"]) == (first["dense"], first["sparse"])
    assert figures["quality"] == {
        "absent": "The reference is statistics alone, without features of real images."
    }


def test_a_run_takes_statistics_from_a_file_and_computes_none(
    place: Workplace, manifest: dict[str, Any]
) -> None:
    file = place.directory / "statistics.npz"
    with np.load(place.directory / "out/reference.npz") as arrays:
        np.savez(file, mu=arrays["mu"], sigma=arrays["sigma"])
    spec = place.spec(
        "against-a-file", training__steps=2, training__warmupSteps=0, checkpoint__everySteps=2,
        evaluation__referenceStatsUri=f"file://{file}",
    )  # fmt: skip
    again = place.train(spec)
    assert (again["fid"]["dense"], again["fid"]["sparse"]) == (
        manifest["fid"]["dense"],
        manifest["fid"]["sparse"],
    )
    assert "absent" in again["quality"]
    assert again["provenance"]["reference"] == {
        "source": "statistics",
        "uri": f"file://{file}",
        "digest": again["fid"]["referenceDigest"],
    }
    assert not (place.directory / "against-a-file/reference.npz").exists()


@pytest.mark.parametrize(
    ("changes", "code", "reason", "want"),
    [
        ({"referenceStatsUri": "file:///none.npz"}, 3, "StatisticsNotFound", "/none.npz"),
        ({"referenceStatsUri": "file:///none.pkl"}, 2, "ConfigurationInvalid", "ending in .npz"),
        ({"metric": "fid"}, 2, "ConfigurationInvalid", "must be the .pth with the Inception weights"),
        (
            {"metric": "fid", "extractorUri": "file:///none.pth"}, 3, "ExtractorNotFound",
            "FID needs pt_inception-2015-12-05-6726825d.pth",
        ),
        ({"extractorUri": "file:///none.onnx"}, 2, "ConfigurationInvalid", "must be a file ending in"),
    ],
)  # fmt: skip
def test_what_cannot_be_measured_ends_before_the_training(
    place: Workplace,
    monkeypatch: pytest.MonkeyPatch,
    tmp_path: Path,
    changes: dict[str, str],
    code: int,
    reason: str,
    want: str,
) -> None:
    evaluation = {f"evaluation__{key}": value for key, value in changes.items()}
    spec = place.spec(output__uri=f"file://{tmp_path}/out", **evaluation)
    ended, last_word = place.command(spec, monkeypatch)
    assert (ended, last_word["error"]["reason"]) == (code, reason)
    assert want in last_word["error"]["message"]
    assert not (tmp_path / "out/checkpoints").exists()


@pytest.mark.parametrize(
    ("more", "want"),
    [
        ([], "--data or --reference is required"),
        (
            ["--reference", "r.npz", "--save-reference", "s.npz"],
            "--save-reference keeps the statistics of --data",
        ),
        (["--reference", "nowhere.npz"], "no reference statistics at nowhere.npz"),
        (["--data", "x", "--samples", "1"], "--samples must be at least 2"),
    ],
)
def test_arguments_that_do_not_fit_are_explained(
    arguments: list[str], capsys: pytest.CaptureFixture[str], more: list[str], want: str
) -> None:
    assert main([*arguments, *more]) in (2, 3)
    assert want in capsys.readouterr().err


def test_dense_weights_that_are_not_finite_are_named(
    place: Workplace, arguments: list[str], capsys: pytest.CaptureFixture[str], tmp_path: Path
) -> None:
    weights = load_file(place.weights)
    weights["mid_block.attn.qkv.weight"][0, 0] = float("inf")
    file = tmp_path / "dense.safetensors"
    save_file(weights, file)
    spoiled = [str(file) if argument == str(place.weights) else argument for argument in arguments]
    assert main([*spoiled, "--data", str(place.images)]) == 3
    assert f"{file} hold NaN or infinity in mid_block.attn.qkv.weight" in capsys.readouterr().err


def test_people_read_a_table(
    place: Workplace, manifest: dict[str, Any], arguments: list[str], capsys: pytest.CaptureFixture[str]
) -> None:
    assert main([*(a for a in arguments if a != "--json"), "--data", str(place.images)]) == 0
    printed = capsys.readouterr().out
    assert f"sparse               {manifest['fid']['sparse']}\n" in printed
    assert f"sparse recall        {manifest['quality']['sparse']['recall']}\n" in printed


class Counting:
    """Counts the images that are measured."""

    def __init__(self, extractor: Any) -> None:
        self._extractor, self.dims, self.metric = extractor, extractor.dims, extractor.metric
        self.preprocessing = extractor.preprocessing
        self.images = 0

    def __call__(self, images: torch.Tensor) -> torch.Tensor:
        self.images += len(images)
        return self._extractor(images)


def test_the_extractors_work_is_counted(place: Workplace) -> None:
    evaluator = Evaluator(CONFIG, Plan(4, 1, 0.0, "dpm-solver++", 0), place.extractor, torch.device("cpu"))
    convolutions = 9 * (1 * 24 * 32**2 + 24 * 48 * 16**2 + 48 * 96 * 8**2)
    assert evaluator.extractor_macs == convolutions + 96 * 4 * 4 * 64


def measured(place: Workplace, samples: int) -> tuple[module.Measurement, int, dict[str, Any]]:
    """A dense model of random weights: its measurement, the images that this took, and the figures."""
    evaluator = Evaluator(
        CONFIG, Plan(samples, 1, 0.0, "dpm-solver++", 0), place.extractor, torch.device("cpu")
    )
    evaluator.set_reference(open_dataset("image-folder", place.images, 32, 1))
    evaluator.extractor = counting = Counting(evaluator.extractor)
    torch.manual_seed(1)
    result = evaluator.measure(build_model(CONFIG), lambda passes: None, keep=3)
    return (
        result,
        counting.images,
        {**evaluator.figures(None, result.distance, "as pretrained"), **evaluator.quality({"dense": result})},
    )


@pytest.mark.parametrize("batch", [1, 4, 7, 100])
def test_exactly_as_many_images_are_measured_as_asked_for(
    place: Workplace, monkeypatch: pytest.MonkeyPatch, batch: int
) -> None:
    monkeypatch.setattr(module, "SAMPLE_BATCH", batch)
    result, images, _ = measured(place, 10)
    assert images == len(result.features) == 10
    assert len(result.images) == 3


class InTurn(ProcessGroup):
    """A group whose processes run one after the other, rank 0 last, which gathers the values of the
    others."""

    def __init__(self, rank: int, size: int, handed: list[list[Any]]) -> None:
        super().__init__(rank, size)
        self.handed = handed

    def gather(self, value: Any) -> list[Any]:
        self.handed[self.rank].append(value)
        turn = len(self.handed[self.rank]) - 1
        return [values[turn] for values in self.handed] if self.is_rank_zero else []

    def broadcast(self, value: Any) -> Any:
        return value


@pytest.mark.parametrize("processes", [1, 2, 4])
def test_fifty_thousand_images_in_batches_of_128_are_each_drawn_and_counted_once(
    place: Workplace, monkeypatch: pytest.MonkeyPatch, processes: int
) -> None:
    """An image is its own number, and so is its feature."""
    plan = Plan(50_000, 1, 0.0, "dpm-solver++", seed=3)
    number, drawn = {seed: i for i, seed in enumerate(plan.seeds())}, []

    def sample(model: Any, config: Any, labels: torch.Tensor, seeds: list[int], **how: Any) -> torch.Tensor:
        numbers = torch.tensor([number[seed] for seed in seeds])
        assert torch.equal(labels, numbers % 2)
        drawn.append(numbers.tolist())
        return numbers.view(-1, 1, 1, 1).float()

    evaluator = Evaluator(CONFIG, plan, place.extractor, torch.device("cpu"))
    evaluator.extractor = lambda images: images.flatten(1)
    evaluator.reference = Reference(FrechetStats(), None)
    counted: list[FrechetStats] = []
    monkeypatch.setattr(module, "SAMPLE_BATCH", 128)
    monkeypatch.setattr(module, "sample", sample)
    monkeypatch.setattr(module, "frechet_distance", lambda stats, reference: counted.append(stats) or 0.0)
    handed: list[list[Any]] = [[] for _ in range(processes)]
    for rank in reversed(range(processes)):
        group = InTurn(rank, processes, handed)
        result = evaluator.measure(nn.Identity(), lambda passes: None, keep=300, processes=group)

    assert sorted(i for batch in drawn for i in batch) == list(range(50_000))
    assert sorted(len(batch) for batch in drawn) == [80] + 390 * [128]
    assert next(batch for batch in drawn if len(batch) == 80)[-1] == 49_999, "the last batch is the small one"
    assert len({len(values) for values in handed}) == 1, "no process waits for a batch of another"
    assert [stats.n for stats in counted] == [50_000]
    assert counted[0].mean.tolist() == pytest.approx([24_999.5])
    kept = result.features.flatten().tolist()
    assert kept == sorted(set(kept)), "in the order of their numbers"
    assert len(kept) == KEPT_FEATURES
    assert result.images.flatten().tolist() == list(range(300))


def test_batches_of_5_and_25_measure_the_same(place: Workplace, monkeypatch: pytest.MonkeyPatch) -> None:
    results = []
    for batch in (5, 25):
        monkeypatch.setattr(module, "SAMPLE_BATCH", batch)
        results.append(measured(place, 50)[0].distance)
    assert results[0] == pytest.approx(results[1], rel=1e-4)


@pytest.mark.parametrize(
    ("samples", "images", "want"), [(65, 65, False), (64, 65, True), (65, 64, True), (1000, 3, True)]
)
def test_too_few_of_either_make_a_covariance_singular(
    place: Workplace, samples: int, images: int, want: bool
) -> None:
    evaluator = Evaluator(
        CONFIG, Plan(samples, 1, 0.0, "dpm-solver++", 0), place.extractor, torch.device("cpu")
    )
    evaluator.reference = Reference(FrechetStats.of(images, np.zeros(64), np.eye(64)), None)
    assert evaluator.figures(None, 1.0, "EMA")["rankDeficient"] is want


@pytest.mark.parametrize(("real", "drawn"), [(40, 200), (200, 40), (100, 100)])
def test_precision_and_recall_compare_as_many_real_as_drawn_images(
    place: Workplace, real: int, drawn: int
) -> None:
    """Both sets are of one distribution: precision and recall may differ by chance alone, and not because a
    larger set spans a larger manifold."""
    random = torch.Generator().manual_seed(3)
    features, samples = (torch.randn(n, 8, generator=random) for n in (real, drawn))
    evaluator = Evaluator(
        CONFIG, Plan(drawn, 1, 0.0, "dpm-solver++", 0), place.extractor, torch.device("cpu")
    )
    evaluator.reference = Reference(FrechetStats.of(real, np.zeros(8), np.eye(8)), features)
    quality = evaluator.quality({"dense": module.Measurement(0.0, torch.empty(0), samples)})
    fewer = min(real, drawn)
    assert (quality["compared"], quality["referenceFeatures"], quality["sampleFeatures"]) == (
        fewer,
        real,
        drawn,
    )
    some_real, some_drawn = some_of(features, fewer), some_of(samples, fewer)
    assert (len(some_real), len(some_drawn)) == (fewer, fewer)
    want = precision_recall(some_real, some_drawn)
    found = quality["dense"]
    assert (float(found["precision"]), float(found["recall"])) == pytest.approx(want, abs=1e-4)
    assert found["kidSubsetSize"] == fewer // 2


@pytest.mark.parametrize(("samples", "has_quality"), [(2, False), (3, False), (4, True), (100, True)])
def test_few_images_give_a_finite_figure_that_is_marked(
    place: Workplace, samples: int, has_quality: bool
) -> None:
    result, _, figures = measured(place, samples)
    assert np.isfinite(result.distance)
    assert figures["rankDeficient"], "there are no more reference images than features"
    assert ("absent" not in figures) == has_quality
    assert ("dense" in figures) == has_quality
