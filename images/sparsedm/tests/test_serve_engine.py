"""The engine: verification, batch shape, and which backend computes."""

from __future__ import annotations

import dataclasses
from pathlib import Path

import numpy as np
import pytest
import torch

from serve_tools import CONFIG, write_artifact
from sparsedm.errors import ConfigError, InputError
from sparsedm.serve import backend
from sparsedm.serve.backend import Situation, choose
from sparsedm.serve.config import EngineSpec
from sparsedm.serve.engine import Engine
from sparsedm.serve.recording import Recorded

CPU = torch.device("cpu")
CUDA = torch.device("cuda")
SPEC = EngineSpec(steps=3, max_batch_size=4)


@pytest.fixture(scope="module")
def artifact(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return write_artifact(tmp_path_factory.mktemp("artifact"))


@pytest.mark.parametrize("precision", ["fp32", "bf16", "fp16"])
def test_a_picture_depends_on_its_class_and_seed_alone(artifact: Path, precision: str) -> None:
    engine = Engine.load(artifact, SPEC.model_copy(update={"precision": precision}), device=CPU)
    alone = engine.draw([3], [7])[0]
    for place in range(4):
        labels, seeds = [0, 1, 2, 0], [100, 101, 102, 103]
        labels[place], seeds[place] = 3, 7
        assert (engine.draw(labels, seeds)[place] == alone).all(), f"place {place}"
    assert (engine.draw([3, 3], [7, 8])[1] != alone).any()
    assert (engine.draw([2], [7])[0] != alone).any()


def test_pictures_are_bytes_in_the_model_s_size(artifact: Path) -> None:
    pictures = Engine.load(artifact, SPEC, device=CPU).draw([0, 1], [0, 1])
    assert [(p.shape, p.dtype) for p in pictures] == [((32, 32, 1), np.uint8)] * 2


def test_a_model_without_classes_draws_without_labels(tmp_path: Path) -> None:
    config = dataclasses.replace(CONFIG, num_classes=0, channels=3)
    engine = Engine.load(write_artifact(tmp_path, config, None), SPEC, device=CPU)
    assert engine.draw([None], [1])[0].shape == (32, 32, 3)
    assert engine.rows == 4 * 17


def test_rows_count_both_halves_of_guidance(artifact: Path) -> None:
    assert Engine.load(artifact, SPEC, device=CPU).rows == 4 * 2 * 18
    unguided = SPEC.model_copy(update={"guidance": 0.0})
    assert Engine.load(artifact, unguided, device=CPU).rows == 4 * 18


def test_on_a_cpu_the_status_says_dense_and_why(artifact: Path) -> None:
    engine = Engine.load(artifact, SPEC, device=CPU)
    assert engine.warm_up().seconds > 0
    status = engine.status()
    assert status == {
        "backend": "dense",
        "sparseLayers": 0,
        "totalLayers": 13,
        "speedup": "1.00",
        "device": "cpu",
        "reason": "Dense, because there is no CUDA GPU.",
    }


def test_cusparselt_without_a_gpu_is_refused(artifact: Path) -> None:
    engine = Engine.load(artifact, SPEC.model_copy(update={"backend": "cusparselt"}), device=CPU)
    with pytest.raises(ConfigError, match="cusparselt, but there is no CUDA GPU: write auto or dense"):
        engine.warm_up()


def test_another_digest_than_expected_is_refused(artifact: Path) -> None:
    with pytest.raises(InputError, match="replaced since the SparseFinetune ended") as error:
        Engine.load(artifact, SPEC, sha256="0" * 64, device=CPU)
    assert error.value.reason == "ModelDigestMismatch"


def test_a_model_of_latents_is_refused(tmp_path: Path) -> None:
    config = dataclasses.replace(CONFIG, channels=4)
    with pytest.raises(InputError, match="draws 4 channels"):
        Engine.load(write_artifact(tmp_path, config), SPEC, device=CPU)


def test_a_model_of_texts_is_refused(tmp_path: Path) -> None:
    config = dataclasses.replace(CONFIG, num_classes=0, context_tokens=2, context_width=3)
    with pytest.raises(InputError, match="the server has no text encoder") as error:
        Engine.load(write_artifact(tmp_path, config, None), SPEC, device=CPU)
    assert error.value.reason == "ModelUnsupported"


@pytest.mark.parametrize(
    ("situation", "want"),
    [
        (Situation(CUDA, torch.bfloat16, "2:4", (8, 0), True), None),
        (Situation(CUDA, torch.float16, "2:4", (9, 0), True), None),
        (Situation(CPU, torch.bfloat16, "2:4"), "there is no CUDA GPU"),
        (Situation(CUDA, torch.half, "2:4", (7, 5), True), "the GPU's compute capability 7.5 is below 8.0"),
        (Situation(CUDA, torch.bfloat16, "2:4", (8, 0), False), "this torch has no cuSPARSELt"),
        (Situation(CUDA, torch.bfloat16, "1:4", (8, 0), True), "the pattern is 1:4, and GPUs multiply 2:4"),
        (
            Situation(CUDA, torch.float32, "2:4", (8, 0), True),
            "precision is fp32, and sparse products take bf16 or fp16",
        ),
    ],
)  # fmt: skip
def test_what_stands_against_sparse_products(situation: Situation, want: str | None) -> None:
    assert situation.obstacle() == want


def test_dense_by_wish_is_told_as_such() -> None:
    choice = choose("dense", torch.nn.Identity(), [{"name": "a"}], Situation(CPU, torch.float32, "2:4"), 8)
    assert (choice.backend, choice.reason, choice.total_layers) == ("dense", "engine.backend is dense.", 1)


@pytest.mark.gpu
def test_on_a_gpu_sparse_pictures_look_like_dense_ones(tmp_path: Path) -> None:
    config = dataclasses.replace(CONFIG, width=1024, heads=16)
    write_artifact(tmp_path, config)
    spec = EngineSpec(steps=3, max_batch_size=8, precision="bf16")
    dense = Engine.load(tmp_path, spec.model_copy(update={"backend": "dense"}))
    auto = Engine.load(tmp_path, spec)
    dense.warm_up()
    auto.warm_up()
    assert float(auto.status()["speedup"]) >= 1.0
    difference = np.abs(dense.draw([1], [1])[0].astype(int) - auto.draw([1], [1])[0].astype(int))
    assert difference.mean() < 8


@pytest.mark.gpu
@pytest.mark.parametrize("batch", [1, 8])
def test_sparse_products_of_every_layer_draw_the_dense_pictures(
    batch: int, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Also where the rows, 36 for one picture, are no multiple of 8; whatever is faster here."""
    monkeypatch.setattr(backend, "LEAST_GAIN", 0.0)
    spec = EngineSpec(steps=3, max_batch_size=batch, precision="bf16")
    engine = Engine.load(write_artifact(tmp_path), spec)
    want = engine.draw([1], [1])[0].astype(int)
    layers = engine.manifest["layers"]
    situation = Situation.here(CUDA, torch.bfloat16, "2:4")
    choice = choose("cusparselt", engine._model, layers, situation, engine.rows)
    engine._recorded.forget()
    assert choice.sparse_layers == choice.total_layers == len(layers)
    assert np.abs(engine.draw([1], [1])[0].astype(int) - want).mean() < 8
    backend.restore_dense(engine._model, choice)
    engine._recorded.forget()
    assert (engine.draw([1], [1])[0] == want).all()


@pytest.mark.gpu
def test_a_recorded_network_draws_what_a_called_one_draws(artifact: Path) -> None:
    spec = SPEC.model_copy(update={"precision": "bf16"})
    called, recorded = Engine.load(artifact, spec), Engine.load(artifact, spec)
    called._recorded.possible = False
    for labels, seeds in (([0, 1, 2], [3, 4, 5]), ([3], [9]), ([2, 2], [5, 6])):
        for one, other in zip(called.draw(labels, seeds), recorded.draw(labels, seeds), strict=True):
            assert np.abs(one.astype(int) - other.astype(int)).max() <= 1
    assert recorded._recorded.possible


@pytest.mark.gpu
def test_a_network_that_asks_the_gpu_is_called_each_time() -> None:
    class Asking(torch.nn.Linear):
        def forward(self, x: torch.Tensor, t: torch.Tensor, y: torch.Tensor | None = None) -> torch.Tensor:
            return super().forward(x) * float(t.max())

    network = Recorded(Asking(4, 4).to(CUDA))
    x, t = torch.randn(2, 4, device=CUDA), torch.ones(2, device=CUDA)
    with torch.inference_mode():
        first, second = network(x, t), network(x, 2 * t)
    assert not network.possible
    assert torch.allclose(2 * first, second)
