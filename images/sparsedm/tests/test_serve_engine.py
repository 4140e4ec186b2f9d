"""The engine: verification, batch shape, and which backend computes."""

from __future__ import annotations

import dataclasses
import json
import math
import re
import shutil
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from safetensors.torch import load_file

from serve_tools import CLASSES, CONFIG, write_artifact
from sparsedm.artifact.artifact import load_artifact
from sparsedm.artifact.components import Components
from sparsedm.data.images import to_uint8
from sparsedm.diffusion.samplers import sample
from sparsedm.errors import ConfigError, InputError
from sparsedm.models import PRESETS, WEIGHTS_DIR, build_model
from sparsedm.models.autoencoder import Autoencoder
from sparsedm.models.precision import DTYPES
from sparsedm.models.text_encoder import TextEncoder, TextTooLong
from sparsedm.serve import backend
from sparsedm.serve.backend import Choice, Situation, choose, restore_dense
from sparsedm.serve.config import EngineSpec
from sparsedm.serve.engine import Engine
from sparsedm.serve.loading import Loading
from sparsedm.serve.prompts import Guidance, Texts
from sparsedm.serve.recording import Recorded
from sparsedm.serve.spoilt import Flat, NotFinite
from text_tools import write_autoencoder, write_text_encoder

CPU = torch.device("cpu")
CUDA = torch.device("cuda")
SPEC = EngineSpec(steps=3, max_batch_size=4)
PRECISIONS = json.loads((Path(__file__).parent / "precision_cases.json").read_text())
"""The operator's own rule is held to the same cases (served-figures.test.ts)."""


def shipped(precision: str, max_batch_size: int) -> Engine:
    """The engine of the trained model in the package."""
    name = "fashion-mnist-uvit-tiny"
    model = build_model(PRESETS[name])
    model.load_state_dict(load_file(WEIGHTS_DIR / f"{name}.safetensors"))
    manifest = {"pattern": "2:4", "layers": [], "classes": None}
    return Engine(model, manifest, EngineSpec(precision=precision, max_batch_size=max_batch_size), CPU)


@pytest.fixture(scope="module")
def artifact(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return write_artifact(tmp_path_factory.mktemp("artifact"))


@pytest.mark.parametrize("precision", ["fp32", "bf16", "fp16"])
def test_in_one_shape_an_image_depends_on_its_class_and_seed_alone(artifact: Path, precision: str) -> None:
    spec = SPEC.model_copy(update={"precision": precision, "deterministic": True})
    engine = Engine.load(artifact, spec, device=CPU)
    alone = engine.draw([3], [7])[0]
    for place in range(4):
        labels, seeds = [0, 1, 2, 0], [100, 101, 102, 103]
        labels[place], seeds[place] = 3, 7
        assert (engine.draw(labels, seeds)[place] == alone).all(), f"place {place}"
    assert (engine.draw([3, 3], [7, 8])[1] != alone).any()
    assert (engine.draw([2], [7])[0] != alone).any()


@pytest.mark.parametrize("precision", ["fp32", "bf16"])
def test_on_a_cpu_every_size_of_a_batch_gives_the_same_image(precision: str) -> None:
    """With trained weights, at the default settings: the measured difference is 0 (docs/serving.md)."""
    engine = shipped(precision, max_batch_size=8)
    alone = engine.draw([3], [7])[0]
    for images in (2, 3, 4, 5, 8):
        labels, seeds = [0] * (images - 1) + [3], [*range(100, 99 + images), 7]
        assert (engine.draw(labels, seeds)[-1] == alone).all(), f"{images} images"


@pytest.mark.parametrize(
    ("largest", "want"), [(1, [1]), (2, [1, 2]), (8, [1, 2, 4, 8]), (12, [1, 2, 4, 8, 12])]
)
def test_buckets_are_powers_of_two_and_the_largest_batch(largest: int, want: list[int]) -> None:
    assert EngineSpec(max_batch_size=largest).buckets == want
    assert EngineSpec(max_batch_size=largest, deterministic=True).buckets == [largest]


@pytest.mark.parametrize(("deterministic", "want"), [(False, [1, 3, 4]), (True, [4, 4, 4])])
def test_a_batch_on_a_cpu_has_no_more_rows_than_images_unless_deterministic(
    artifact: Path, deterministic: bool, want: list[int], monkeypatch: pytest.MonkeyPatch
) -> None:
    spec = SPEC.model_copy(update={"deterministic": deterministic, "guidance": 0.0})
    engine, rows = Engine.load(artifact, spec, device=CPU), []
    engine._model.register_forward_pre_hook(lambda _, inputs: rows.append(len(inputs[0])))
    for images in (1, 3, 4):
        engine.draw([0] * images, range(images), steps=1)
    assert rows == want


def test_the_time_of_each_bucket_is_measured(artifact: Path) -> None:
    measured = Engine.load(artifact, SPEC, device=CPU).warm_up()
    assert sorted(measured.seconds) == [1, 2, 4]
    assert min(measured.seconds.values()) > 0
    one_shape = Engine.load(artifact, SPEC.model_copy(update={"deterministic": True}), device=CPU)
    assert list(one_shape.warm_up().seconds) == [4]


def test_loading_tells_how_far_it_is(artifact: Path) -> None:
    now, told = iter(range(99)), []
    loading = Loading(lambda phase, percent: told.append((phase, percent)), lambda: next(now))
    Engine.load(artifact, SPEC, device=CPU, loading=loading).warm_up(loading)
    assert told == [
        ("Reading", 0), ("Reading", 100), ("Checking", 0), ("Measuring", 0),
        ("WarmingUp", 0), ("WarmingUp", 50), ("WarmingUp", 100),
    ]  # fmt: skip
    assert loading.seconds == {"Reading": 1, "Checking": 1, "Measuring": 1, "WarmingUp": 1}


def test_images_are_bytes_in_the_model_s_size(artifact: Path) -> None:
    images = Engine.load(artifact, SPEC, device=CPU).draw([0, 1], [0, 1])
    assert [(p.shape, p.dtype) for p in images] == [((32, 32, 1), np.uint8)] * 2


def test_a_model_without_classes_draws_without_labels(tmp_path: Path) -> None:
    config = dataclasses.replace(CONFIG, num_classes=0, channels=3)
    engine = Engine.load(write_artifact(tmp_path, config, None), SPEC, device=CPU)
    assert engine.draw([None], [1])[0].shape == (32, 32, 3)
    assert engine.rows == 72, "4 times 17, filled up to a multiple of 8"


def test_rows_count_both_halves_of_guidance(artifact: Path) -> None:
    assert Engine.load(artifact, SPEC, device=CPU).rows == 4 * 2 * 18
    unguided = SPEC.model_copy(update={"guidance": 0.0})
    assert Engine.load(artifact, unguided, device=CPU).rows == 4 * 18


@pytest.mark.parametrize("sizes", [{"num_classes": 0}, {"null_class": False}])
def test_guidance_of_a_model_that_can_not_be_guided_is_refused(tmp_path: Path, sizes: dict[str, Any]) -> None:
    config = dataclasses.replace(CONFIG, **sizes)
    directory = write_artifact(tmp_path, config, None if "num_classes" in sizes else CLASSES)
    with pytest.raises(ConfigError, match=r"engine\.guidance must be absent"):
        Engine.load(directory, SPEC.model_copy(update={"guidance": 1.5}), device=CPU)
    for value in (0.5, 0.0):
        Engine.load(directory, SPEC.model_copy(update={"guidance": value}), device=CPU)


def test_on_a_cpu_the_status_says_dense_and_why(artifact: Path) -> None:
    engine = Engine.load(artifact, SPEC, device=CPU)
    engine.warm_up()
    status = engine.status()
    assert status == {
        "backend": "dense",
        "sparseLayers": 0,
        "totalLayers": 13,
        "speedup": "1.00",
        "device": "cpu",
        "precision": "fp32",
        "maxBatchSize": 4,
        "reason": "Dense, because there is no CUDA GPU.",
    }


@pytest.mark.parametrize("kernel", ["cusparselt", "cutlass"])
def test_sparse_products_without_a_gpu_are_refused_before_the_load(artifact: Path, kernel: str) -> None:
    spec, told = SPEC.model_copy(update={"backend": kernel}), []
    loading = Loading(lambda phase, percent: told.append(phase))
    with pytest.raises(ConfigError, match=f"{kernel}, but there is no CUDA GPU: write auto or dense"):
        Engine.load(artifact, spec, device=CPU, loading=loading)
    assert told == []


def test_another_digest_than_expected_is_refused(artifact: Path) -> None:
    with pytest.raises(InputError, match="Put the expected one back") as error:
        Engine.load(artifact, SPEC, sha256="0" * 64, device=CPU)
    assert error.value.reason == "ModelDigestMismatch"


@pytest.mark.parametrize(
    ("sizes", "says"),
    [
        ({"channels": 4}, "draws latents of 4 channels, and no autoencoder"),
        ({"num_classes": 0, "context_tokens": 2, "context_width": 3}, "after texts, and no text encoder"),
    ],
)
def test_what_a_model_needs_beside_it_is_named(tmp_path: Path, sizes: dict[str, int], says: str) -> None:
    config = dataclasses.replace(CONFIG, **sizes)
    classes = CLASSES if config.num_classes else None
    with pytest.raises(InputError, match=says) as error:
        Engine.load(write_artifact(tmp_path, config, classes), SPEC, device=CPU)
    assert error.value.reason == "ModelUnsupported"
    assert "sparsedm attach" in error.value.message


def test_latents_become_images(tmp_path: Path) -> None:
    """Of another size than the latents, by the autoencoder that came with the model."""
    decode = Autoencoder(write_autoencoder(tmp_path / "vae"), 0.2)
    config = dataclasses.replace(CONFIG, channels=4)
    engine = Engine.load(
        write_artifact(tmp_path / "model", config, components=Components(decode)), SPEC, device=CPU
    )
    labels, seeds = [1, 3], [5, 6]
    model, _ = load_artifact(tmp_path / "model")
    latents = sample(model, config, torch.tensor(labels), seeds, steps=3, guidance=SPEC.guidance)
    expected = to_uint8(decode(latents)).permute(0, 2, 3, 1).numpy()
    assert engine.image_size == 64
    assert (np.stack(engine.draw(labels, seeds)) == expected).all()
    engine.warm_up()


def test_texts_are_drawn_after(tmp_path: Path) -> None:
    encoder = TextEncoder(write_text_encoder(tmp_path / "clip", 6, 16))
    config = dataclasses.replace(CONFIG, num_classes=0, context_tokens=6, context_width=16)
    place = write_artifact(tmp_path / "model", config, None, components=Components(None, encoder))
    engine = Engine.load(place, SPEC, device=CPU)
    engine.warm_up()
    prompts = Texts(engine.components.text_encoder)
    texts, seeds = ["red", "bag"], [5, 5]
    model, _ = load_artifact(place)
    expected = sample(
        model, config, encoder(texts), seeds, steps=3, guidance=SPEC.guidance, nothing=encoder([""])[0]
    )
    found = engine.draw([prompts.condition(text) for text in texts], seeds)
    assert (np.stack(found) == to_uint8(expected).permute(0, 2, 3, 1).numpy()).all()
    assert (found[0] != found[1]).any()
    with pytest.raises(TextTooLong):
        prompts.condition("a bag, and more")

    red, bag = (prompts.condition(text) for text in texts)
    guidances = [Guidance(2.0), Guidance(0.0), Guidance(2.0, bag), None]
    alone = []
    for guidance in guidances:
        row = engine.begin(red, 5, 3, guidance)
        while row.left:
            engine.advance([row])
        alone.append(engine.finish([row])[0])
    assert len({image.tobytes() for image in alone}) == 4, "each guidance has another image"
    rows = [engine.begin(red, 5, 3, guidance) for guidance in guidances]
    while rows[0].left:
        engine.advance(rows)
    assert all((image == want).all() for image, want in zip(engine.finish(rows), alone, strict=True))


def test_a_text_encoder_of_another_model_is_refused(tmp_path: Path) -> None:
    encoder = TextEncoder(write_text_encoder(tmp_path / "clip", 6, 16))
    config = dataclasses.replace(CONFIG, num_classes=0, context_tokens=6, context_width=32)
    place = write_artifact(tmp_path / "model", config, None, components=Components(None, encoder))
    with pytest.raises(InputError, match=re.escape("makes (6, 16) of a text, and the model takes (6, 32)")):
        Engine.load(place, SPEC, device=CPU)


def spoilt(tmp_path: Path, name: str, value: float) -> Path:
    """An artifact with the last value of one tensor changed."""

    def change(weights: dict[str, torch.Tensor]) -> None:
        weights[name].view(-1)[-1] = value

    return write_artifact(tmp_path, change=change)


@pytest.mark.parametrize("value", [math.nan, math.inf, -math.inf])
@pytest.mark.parametrize("name", ["pos_embed", "in_blocks.0.norm1.weight", "in_blocks.0.attn.proj.bias"])
def test_weights_that_are_not_finite_are_refused_in_every_layer(
    name: str, value: float, tmp_path: Path
) -> None:
    with pytest.raises(
        InputError, match=rf"hold NaN or infinity in {name}: their training diverged"
    ) as error:
        Engine.load(spoilt(tmp_path, name, value), SPEC, device=CPU)
    assert error.value.reason == "WeightsNotFinite"


def test_weights_that_a_precision_can_t_hold_are_refused(tmp_path: Path) -> None:
    directory = spoilt(tmp_path, "in_blocks.0.attn.proj.bias", 1e6)
    spec = SPEC.model_copy(update={"precision": "fp16"})
    with pytest.raises(InputError, match=r"too large for fp16: write engine\.precision: bf16\.$"):
        Engine.load(directory, spec, device=CPU)
    Engine.load(directory, SPEC, device=CPU)


def test_a_model_that_draws_nothing_finite_is_refused_with_the_first_layer(tmp_path: Path) -> None:
    """The weights themselves are finite."""
    engine = Engine.load(spoilt(tmp_path, "mid_block.mlp.fc1.bias", 3e38), SPEC, device=CPU)
    with pytest.raises(InputError, match=r"mid_block\.mlp\.\S+ is the first layer to give NaN") as error:
        engine.warm_up()
    assert error.value.reason == "CanaryFailed"


def test_a_model_that_draws_flat_images_is_refused(artifact: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    engine = Engine.load(artifact, SPEC, device=CPU)
    monkeypatch.setattr("sparsedm.serve.engine.images_of", lambda rows, _: torch.ones(len(rows), 1, 32, 32))
    with pytest.raises(InputError, match="all pixels of each image of the canary have one value"):
        engine.warm_up()


@pytest.fixture(scope="module")
def with_canary(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return write_artifact(tmp_path_factory.mktemp("canary"), canary=True)


@pytest.mark.parametrize("guidance", [0.5, 0.0])
def test_the_canary_of_training_is_drawn_again_whatever_the_engine_s_settings(
    with_canary: Path, guidance: float
) -> None:
    engine = Engine.load(with_canary, SPEC.model_copy(update={"guidance": guidance}), device=CPU)
    canary = engine._canary
    assert canary is not None
    assert canary.difference(engine._drawn_again(canary)) < 1e-4
    engine.warm_up()


def test_who_computes_something_else_than_training_did_never_serves(with_canary: Path) -> None:
    """Here a layer that was loaded wrongly, as a broken kernel would compute it."""
    engine = Engine.load(with_canary, SPEC, device=CPU)
    weight = engine._model.get_submodule("mid_block.mlp.fc1").weight
    weight.copy_(weight.flip(0))
    with pytest.raises(InputError, match=r"differs by \S+ of its spread, and in fp32 0\.02 is al") as error:
        engine.warm_up()
    assert error.value.reason == "CanaryFailed"


def into_a_folder(file: Path) -> None:
    file.unlink()
    file.mkdir()


DAMAGES: dict[str, Callable[[Path], Any]] = {
    "missing": Path.unlink,
    "empty": lambda file: file.write_bytes(b""),
    "cut": lambda file: file.write_bytes(file.read_bytes()[:-7]),
    "longer": lambda file: file.write_bytes(file.read_bytes() + b"\0"),
    "one bit": lambda file: file.write_bytes(file.read_bytes()[:-9] + b"\x01" + file.read_bytes()[-8:]),
    "zeros": lambda file: file.write_bytes(bytes(file.stat().st_size)),
    "a pointer": lambda file: file.write_text("version https://git-lfs.github.com/spec/v1\noid sha256:0\n"),
    "a web page": lambda file: file.write_text("<html>Sign in</html>"),
    "a folder": into_a_folder,
}


@pytest.mark.parametrize("damage", DAMAGES)
@pytest.mark.parametrize("name", ["model.safetensors", "manifest.json", "canary.safetensors"])
def test_no_damaged_file_is_ever_served(name: str, damage: str, with_canary: Path, tmp_path: Path) -> None:
    directory = shutil.copytree(with_canary, tmp_path / "model")
    DAMAGES[damage](directory / name)
    with pytest.raises(InputError) as error:
        Engine.load(directory, SPEC, device=CPU)
    assert error.value.reason in ("ArtifactInvalid", "ArtifactNotFound")
    assert name in error.value.message
    assert error.value.message.endswith(".")


@pytest.mark.parametrize("value", [math.nan, math.inf])
def test_an_image_that_is_not_finite_spoils_no_other(artifact: Path, value: float) -> None:
    engine = Engine.load(artifact, SPEC, device=CPU)
    want = engine.draw([0, 2], [5, 7])
    rows = [engine.begin(label, seed) for label, seed in ((0, 5), (1, 6), (2, 7))]
    while rows[0].left:
        engine.advance(rows)
    with torch.inference_mode():
        rows[1].x[0, 3, 4] = value
    first, second, third = engine.finish(rows)
    assert isinstance(second, NotFinite)
    assert "seed 6 " in str(second)
    assert (first == want[0]).all()
    assert (third == want[1]).all()


def test_an_image_of_one_value_is_spoilt_alone(artifact: Path) -> None:
    engine = Engine.load(artifact, SPEC, device=CPU)
    rows = [engine.begin(0, seed) for seed in (5, 6)]
    while rows[0].left:
        engine.advance(rows)
    rows[1].x = torch.full_like(rows[1].x, 0.3)
    good, flat = engine.finish(rows)
    assert isinstance(good, np.ndarray)
    assert isinstance(flat, Flat)
    assert str(flat) == "The image of seed 6 has one value in all of its pixels."


def test_a_second_try_is_by_dense_products_beside_a_sparse_batch(artifact: Path) -> None:
    """In place of sparse products, which need a GPU, stand some that spoil every image."""
    engine = Engine.load(artifact, SPEC, device=CPU)
    want = engine.draw([3], [7])[0]
    dense = engine._model.get_submodule("mid_block.mlp.fc1")
    broken = torch.nn.Linear(*dense.weight.T.shape).requires_grad_(False)
    broken.weight.fill_(math.nan)
    engine._model.set_submodule("mid_block.mlp.fc1", broken)
    engine.choice = Choice("", 13, {"mid_block.mlp.fc1": dense}, {"mid_block.mlp.fc1": "cusparselt"})
    (spoilt,) = engine.draw([3], [7])
    assert isinstance(spoilt, NotFinite)
    first = engine.begin(3, 7)
    rows = [engine.again(first), engine.begin(0, 8)]
    while rows[0].left:
        engine.advance(rows)
    saved, other = engine.finish(rows)
    assert (saved == want).all()
    assert isinstance(other, NotFinite), "sparse products went on beside it"
    assert engine._model.get_submodule("mid_block.mlp.fc1") is broken


class OfEightRows:
    """A kernel on the CPU that takes the rows of a GPU's and no others."""

    name, sides = "quick", (1, 1)

    class Product(torch.nn.Linear):
        def forward(self, x: torch.Tensor) -> torch.Tensor:
            assert x.flatten(0, -2).shape[0] % 8 == 0
            return super().forward(x)

    def build(self, dense: torch.nn.Linear, algorithm: int = 0) -> torch.nn.Module:
        built = self.Product(dense.in_features, dense.out_features, dense.bias is not None)
        built.load_state_dict(dense.state_dict())
        return built.requires_grad_(False)

    def fastest_algorithm(self, dense: torch.nn.Linear, x: torch.Tensor) -> int:
        return 0


def test_sparse_products_get_their_rows_in_every_bucket(artifact: Path) -> None:
    """18 tokens, doubled by guidance, are 36 rows for one image and 108 for three."""
    engine = Engine.load(artifact, SPEC.model_copy(update={"guidance": 1.0}), device=CPU)
    orders = [([3] * images, list(range(images))) for images in (1, 2, 3)]
    want = [engine.draw(*order) for order in orders]
    choice = choose(
        "auto", engine._model, engine.manifest["layers"],
        Situation(CUDA, torch.bfloat16, "2:4", (9, 0), ("quick",)), engine.rows, [OfEightRows()],
        measure=lambda layer, x: 1.0 if isinstance(layer, OfEightRows.Product) else 2.0,
    )  # fmt: skip
    assert choice.sparse_layers == choice.total_layers
    engine.choice = choice
    with engine._dense_products():
        assert engine._model.row_multiple == 1
    for order, images in zip(orders, want, strict=True):
        for one, other in zip(engine.draw(*order), images, strict=True):
            assert np.abs(one.astype(int) - other.astype(int)).max() <= 1
    restore_dense(engine._model, choice)
    assert engine._model.row_multiple == 1


@pytest.mark.parametrize("deterministic", [False, True])
def test_where_memory_runs_out_batches_are_halved_and_nothing_else_changes(
    artifact: Path, deterministic: bool, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    spec = SPEC.model_copy(update={"deterministic": deterministic, "max_batch_size": 8, "guidance": 0.0})
    engine, shapes = Engine.load(artifact, spec, device=CPU), []
    labels, seeds = [0, 1, 2, 3, 0], [1, 2, 3, 4, 5]
    want = engine.draw(labels, seeds)

    def small(_: torch.nn.Module, inputs: Any) -> None:
        shapes.append(len(inputs[0]))
        if len(inputs[0]) > 3:
            raise torch.OutOfMemoryError("CUDA out of memory.")

    engine._model.register_forward_pre_hook(small)
    assert all((one == other).all() for one, other in zip(engine.draw(labels, seeds), want, strict=True))
    assert shapes[:5] == ([8, 4, 2, 2, 2] if deterministic else [5, 2, 2, 1, 2])
    assert (engine.places, engine.buckets) == (2, [2] if deterministic else [1, 2])
    assert "Memory ran out" in caplog.text
    measured = engine.warm_up()
    assert max(measured.seconds) == 2
    assert engine.status()["maxBatchSize"] == 2
    assert engine.status()["reason"].endswith(
        " Batches hold at most 2 images, because memory ran out before engine.maxBatchSize 8."
    )


def test_where_not_even_one_image_has_room_the_error_says_so(artifact: Path) -> None:
    engine = Engine.load(artifact, SPEC, device=CPU)

    def none(_: torch.nn.Module, inputs: Any) -> None:
        raise RuntimeError("DefaultCPUAllocator: can't allocate memory")

    engine._model.register_forward_pre_hook(none)
    with pytest.raises(RuntimeError, match="can't allocate memory"):
        engine.draw([0, 1], [1, 2])
    assert engine.places == 1


def test_the_preview_of_the_last_step_is_the_image(artifact: Path) -> None:
    engine = Engine.load(artifact, SPEC, device=CPU)
    row, previews = engine.begin(1, 5), []
    while row.left:
        engine.advance([row])
        previews.append(engine.preview(row))
    assert (previews[-1] == engine.finish([row])[0]).all()
    assert (previews[0] != previews[-1]).any()
    row.before = torch.full_like(row.before, math.nan)
    assert engine.preview(row) is None


@pytest.mark.parametrize("deterministic", [False, True])
def test_images_that_join_and_leave_between_steps_are_those_drawn_alone(
    artifact: Path, deterministic: bool
) -> None:
    """Four images of 5, 2, 3 and 4 steps, of which one more joins at each step."""
    spec = SPEC.model_copy(update={"deterministic": deterministic})
    engine = Engine.load(artifact, spec, device=CPU)
    asked = [(3, 7, 5), (0, 8, 2), (1, 9, 3), (2, 7, 4)]
    rows = [engine.begin(*image) for image in asked]
    for step in range(1, 8):
        inside = [row for row in rows[:step] if row.left]
        if inside:
            engine.advance(inside)
    drawn = engine.finish(rows)
    for (label, seed, steps), image in zip(asked, drawn, strict=True):
        assert (engine.draw([label], [seed], steps)[0] == image).all(), f"{steps} steps"


@pytest.mark.parametrize(
    ("classes", "says"),
    [
        ([*CLASSES, "hat", "coat"], "names 6 classes and the model has 4: hat, coat stand for none"),
        (CLASSES[:3], "names 3 classes and the model has 4: class 3 and those after it have none"),
        ([], "names 0 classes and the model has 4: class 0 and"),
        ("shoes", "must be a list of names"),
        ([*CLASSES[:3], 7], "must be a list of names"),
    ],
)
def test_class_names_that_do_not_fit_the_model_are_refused(
    classes: object, says: str, artifact: Path, tmp_path: Path
) -> None:
    directory = shutil.copytree(artifact, tmp_path / "model")
    manifest = json.loads((directory / "manifest.json").read_text())
    (directory / "manifest.json").write_text(json.dumps({**manifest, "classes": classes}))
    with pytest.raises(InputError, match=says) as error:
        Engine.load(directory, SPEC, device=CPU)
    assert error.value.reason == "ClassesMismatch"


@pytest.mark.parametrize("case", PRECISIONS, ids=lambda case: f"{case['precision']} {case['capability']}")
def test_the_precision_by_default_lets_a_gpu_multiply_sparse(
    case: dict[str, Any], monkeypatch: pytest.MonkeyPatch
) -> None:
    capability = case["capability"] and tuple(case["capability"])
    device = CPU if capability is None else CUDA
    monkeypatch.setattr(torch.cuda, "get_device_capability", lambda _: capability)
    found = backend.precision_on(device, case["precision"])
    assert found == case["served"]
    sparse = Situation(device, DTYPES[found], "2:4", capability).obstacle() is None
    assert sparse == (found != "fp32" and capability is not None and capability >= (8, 0))


@pytest.mark.gpu
def test_a_gpu_takes_16_bits_by_default(artifact: Path) -> None:
    engine = Engine.load(artifact, EngineSpec(steps=3, max_batch_size=2))
    assert engine.precision == "bf16"
    engine.warm_up()
    assert engine.choice is not None
    assert "precision" not in engine.choice.reason


@pytest.mark.gpu
def test_on_a_gpu_sparse_images_look_like_dense_ones(tmp_path: Path) -> None:
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
def test_sparse_products_of_every_layer_draw_the_dense_images(
    batch: int, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Also where the rows, 36 for one image, are no multiple of 8; sparse products are used even where they
    are slower."""
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
    restore_dense(engine._model, choice)
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
