"""Features: converted once from pickled files, read sample by sample, trained on with labels or texts."""

from __future__ import annotations

import argparse
import json
import math
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from PIL import Image
from safetensors.torch import load_file, save_file

from sparsedm.artifact.artifact import load_artifact
from sparsedm.artifact.components import load_components
from sparsedm.cli import main
from sparsedm.commands.convert import convert_imagenet, run
from sparsedm.data import SampleOrder, open_dataset
from sparsedm.diffusion.samplers import sample
from sparsedm.errors import InputError
from sparsedm.measure import evaluator as evaluator_module
from sparsedm.measure.extractor import Classifier
from sparsedm.models import PRESETS, DiffusersConfig, UViTConfig, build_model
from sparsedm.models.autoencoder import Autoencoder
from sparsedm.models.denoisers import CONFIG_FILE, WEIGHTS_FILE, library
from sparsedm.models.text_encoder import TextEncoder
from sparsedm.serve.config import EngineSpec
from sparsedm.serve.engine import Engine
from test_denoisers import TEXT_UNET
from text_tools import write_text_encoder
from tiny_run import Workplace

SAMPLES = 5
SCALE = 0.18215


def moments(i: int, side: int = 32) -> np.ndarray:
    """Mean i everywhere, with a deviation of one half: log-variance log(1/4)."""
    mean, log_variance = np.full((4, side, side), i), np.full((4, side, side), np.log(0.25))
    return np.concatenate([mean, log_variance]).astype(np.float32)


def write_pair(file: Path, *values: Any) -> None:
    """As the published script writes it: an array of objects, which numpy pickles."""
    pair = np.empty(len(values), dtype=object)
    pair[:] = values
    np.save(file, pair, allow_pickle=True)


def text(i: int, k: int) -> np.ndarray:
    return np.full((77, 768), 10 * i + k, dtype=np.float32)


@pytest.fixture
def imagenet(tmp_path: Path) -> Path:
    source = tmp_path / "source"
    source.mkdir()
    for i in range(SAMPLES):
        write_pair(source / f"{i}.npy", moments(i), np.int64(i % 3))
    return source


@pytest.fixture
def mscoco(tmp_path: Path) -> Path:
    """Image i has i + 1 texts."""
    source = tmp_path / "source"
    source.mkdir()
    np.save(source / "empty_context.npy", np.full((77, 768), -1, dtype=np.float32))
    for i in range(3):
        np.save(source / f"{i}.npy", moments(i))
        for k in range(i + 1):
            np.save(source / f"{i}_{k}.npy", text(i, k))
    return source


def convert(what: str, source: Path, out: Path, *more: str) -> int:
    return main(["convert", what, str(source), str(out), *more])


def test_imagenet_is_converted_and_read_in_order(imagenet: Path, tmp_path: Path) -> None:
    out = tmp_path / "out"
    assert convert("imagenet256-features", imagenet, out, "--shard-samples", "2") == 0
    assert len(list(out.glob("shard-*.safetensors"))) == 3
    data = open_dataset("imagenet256-features", out, 32, 4)
    assert len(data) == SAMPLES
    assert data.labels.tolist() == [0, 1, 2, 0, 1]
    z, y = data.batch([4, 0, 3])
    assert z.shape == (3, 4, 32, 32)
    assert y.tolist() == [1, 0, 0]
    torch.testing.assert_close(z[:, 0, 0, 0], SCALE * torch.tensor([4.0, 0.0, 3.0]))


def test_latents_of_512_are_of_twice_the_side(imagenet: Path, tmp_path: Path) -> None:
    source, out = tmp_path / "imagenet512", tmp_path / "out"
    source.mkdir()
    for i in range(2):
        write_pair(source / f"{i}.npy", moments(i, 64), np.int64(i))
    assert convert("imagenet512-features", source, out) == 0
    config = PRESETS["imagenet512-uvit-large"]
    z, y = open_dataset("imagenet512-features", out, config.image_size, config.channels).batch([1, 0])
    assert z.shape == (2, 4, 64, 64)
    assert y.tolist() == [1, 0]
    with pytest.raises(InputError, match="imagenet512-features has latents of 64x64 and 4 channels"):
        open_dataset("imagenet512-features", out, 32, 4)
    with pytest.raises(InputError, match=r"float32 of \(8, 32, 32\), not of \(8, 64, 64\)"):
        convert_imagenet("imagenet512-features")(imagenet, tmp_path / "other", 10)


def test_training_draws_around_the_mean_by_seed_and_number_alone(imagenet: Path, tmp_path: Path) -> None:
    convert("imagenet256-features", imagenet, tmp_path / "out")
    data = open_dataset("imagenet256-features", tmp_path / "out", 32, 4)
    order = SampleOrder(len(data), 7)
    whole, labels = data.training_batch(order, 0, 12)
    for start, count in ((0, 5), (5, 1), (6, 6)):
        part, part_labels = data.training_batch(order, start, count)
        assert torch.equal(part, whole[start : start + count])
        assert torch.equal(part_labels, labels[start : start + count])
    means = torch.from_numpy(order.indices(0, 12)).float() * SCALE
    noise = (whole - means[:, None, None, None]) / SCALE
    # 4,096 values each: the mean has a standard error of 0.008, the deviation one of 0.006.
    assert noise.mean(dim=(1, 2, 3)).abs().max() < 0.04
    assert (noise.std(dim=(1, 2, 3)) - 0.5).abs().max() < 0.03
    again = np.flatnonzero(order.indices(0, 12) == order.indices(0, 1)[0])
    assert not torch.equal(whole[again[0]], whole[again[1]]), "the next epoch draws another latent"
    other, _ = data.training_batch(SampleOrder(len(data), 8), 0, 12)
    assert not torch.equal(other, whole)


def test_texts_are_chosen_among_those_of_the_image(mscoco: Path, tmp_path: Path) -> None:
    assert convert("mscoco256-features", mscoco, tmp_path / "out", "--shard-samples", "2") == 0
    data = open_dataset("mscoco256-features", tmp_path / "out", 32, 4)
    assert data.labels is None
    assert (data.nothing == -1).all()
    assert data.batch([2, 1])[1][:, 0, 0].tolist() == [20, 10], "without a seed the first text"
    order = SampleOrder(len(data), 0)
    _, texts = data.training_batch(order, 0, 90)
    seen = {(int(i), int(t)) for i, t in zip(order.indices(0, 90), texts[:, 0, 0], strict=True)}
    assert seen == {(i, 10 * i + k) for i in range(3) for k in range(i + 1)}


def test_an_interrupted_conversion_goes_on(imagenet: Path, tmp_path: Path) -> None:
    out = tmp_path / "out"
    convert("imagenet256-features", imagenet, out, "--shard-samples", "2")
    (out / "index.json").unlink()
    (out / "shard-00001-of-00003.safetensors").unlink()
    kept = out / "shard-00000-of-00003.safetensors"
    before = kept.stat().st_mtime_ns
    with pytest.raises(InputError, match=r"There is no index\.json"):
        open_dataset("imagenet256-features", out, 32, 4)
    convert("imagenet256-features", imagenet, out, "--shard-samples", "2")
    assert kept.stat().st_mtime_ns == before
    assert len(open_dataset("imagenet256-features", out, 32, 4)) == SAMPLES


def test_two_conversions_give_the_same_bytes(imagenet: Path, tmp_path: Path) -> None:
    for name in ("one", "two"):
        convert("imagenet256-features", imagenet, tmp_path / name)
    files = sorted(p.name for p in (tmp_path / "one").iterdir())
    assert files == ["index.json", "shard-00000-of-00001.safetensors"]
    assert all((tmp_path / "one" / f).read_bytes() == (tmp_path / "two" / f).read_bytes() for f in files)


class Harmful:
    def __reduce__(self) -> Any:
        return print, ("this must never be printed",)


@pytest.mark.parametrize(
    ("damage", "want"),
    [
        (lambda f: f.write_bytes(f.read_bytes()[:-100]), "UnpicklingError|EOFError|truncated"),
        (lambda f: f.write_bytes(b""), "ValueError"),
        (lambda f: write_pair(f, moments(0), Harmful()), "refers to builtins.print, which is no array"),
        (lambda f: write_pair(f, moments(0)[:4], 1), r"float32 of \(4, 32, 32\), not of \(8, 32, 32\)"),
        (lambda f: write_pair(f, moments(0), 1, 2), "no pair of moments and label"),
        (lambda f: np.save(f, moments(0)), "it holds numbers alone"),
    ],
)
def test_a_damaged_file_is_named_and_runs_nothing(
    imagenet: Path, tmp_path: Path, capsys: Any, damage: Callable[[Path], None], want: str
) -> None:
    damage(imagenet / "3.npy")
    arguments = argparse.Namespace(
        what="imagenet256-features", source=imagenet, out=tmp_path / "out", shard_samples=10
    )
    with pytest.raises(InputError, match=rf"3\.npy can't be converted .*({want})"):
        run(arguments)
    assert "never be printed" not in capsys.readouterr().out


def test_a_image_without_text_is_named(mscoco: Path, tmp_path: Path, capsys: Any) -> None:
    (mscoco / "1_0.npy").unlink()
    assert convert("mscoco256-features", mscoco, tmp_path / "out") == 3
    assert "1_0.npy can't be converted (it is missing" in capsys.readouterr().err


@pytest.mark.parametrize(
    ("damage", "want"),
    [
        (lambda out: (out / "index.json").write_text("{}"), r"index\.json is damaged"),
        (lambda out: (out / "shard-00000-of-00001.safetensors").unlink(), r"shard-00000.* is damaged"),
        (
            lambda out: (out / "shard-00000-of-00001.safetensors").write_bytes(b"12345678"),
            r"shard-00000.* is damaged",
        ),
        (
            lambda out: (out / "index.json").write_text(
                (out / "index.json").read_text().replace('"samples": 5', '"samples": 6')
            ),
            r"its moments have shape \(5, 8, 32, 32\)",
        ),
        (
            lambda out: (out / "index.json").write_text(
                (out / "index.json").read_text().replace("imagenet256", "mscoco256")
            ),
            "write dataset.format: mscoco256-features",
        ),
    ],
)
def test_a_damaged_folder_is_named(
    imagenet: Path, tmp_path: Path, damage: Callable[[Path], None], want: str
) -> None:
    convert("imagenet256-features", imagenet, tmp_path / "out")
    damage(tmp_path / "out")
    with pytest.raises(InputError, match=want):
        open_dataset("imagenet256-features", tmp_path / "out", 32, 4)


def test_a_latent_that_is_no_number_is_named(imagenet: Path, tmp_path: Path) -> None:
    write_pair(imagenet / "3.npy", np.full((8, 32, 32), np.nan, dtype="f4"), 1)
    convert("imagenet256-features", imagenet, tmp_path / "out")
    data = open_dataset("imagenet256-features", tmp_path / "out", 32, 4)
    data.batch([2])
    with pytest.raises(InputError, match=r"shard-00000.*its sample 3 is not finite"):
        data.batch([2, 3])


def test_features_want_a_model_of_latents(imagenet: Path, tmp_path: Path) -> None:
    convert("imagenet256-features", imagenet, tmp_path / "out")
    with pytest.raises(InputError, match="latents of 32x32 and 4 channels"):
        open_dataset("imagenet256-features", tmp_path / "out", 32, 3)


def test_a_pth_becomes_safetensors(tmp_path: Path, capsys: Any) -> None:
    tensors = {"module.b": torch.ones(2), "module.a": torch.zeros(3)}
    torch.save(tensors, tmp_path / "w.pth")
    assert convert("weights", tmp_path / "w.pth", tmp_path / "new/w.safetensors") == 0
    got = load_file(tmp_path / "new/w.safetensors")
    assert {name: value.tolist() for name, value in got.items()} == {"a": [0, 0, 0], "b": [1, 1]}
    torch.save({"args": argparse.Namespace()}, tmp_path / "w.pth")
    assert convert("weights", tmp_path / "w.pth", tmp_path / "x.safetensors") == 3
    assert "hold more than tensors (argparse.Namespace)" in capsys.readouterr().err
    assert not (tmp_path / "x.safetensors").exists()


def test_a_pth_that_is_not_finite_is_not_converted(tmp_path: Path, capsys: Any) -> None:
    torch.save({"a": torch.ones(3), "b": torch.tensor([1, math.inf])}, tmp_path / "w.pth")
    assert convert("weights", tmp_path / "w.pth", tmp_path / "w.safetensors") == 3
    assert f"{tmp_path / 'w.pth'} hold NaN or infinity in b:" in capsys.readouterr().err
    assert not (tmp_path / "w.safetensors").exists()


# --- a whole run on latents ------------------------------------------------------------------------------

VAE = {
    "_class_name": "AutoencoderKL", "in_channels": 3, "out_channels": 3, "latent_channels": 4,
    "block_out_channels": [4], "norm_num_groups": 2, "down_block_types": ["DownEncoderBlock2D"],
    "up_block_types": ["UpDecoderBlock2D"], "sample_size": 32,
}  # fmt: skip
MODEL = {"imageSize": 32, "patchSize": 8, "channels": 4, "width": 32, "depth": 3, "heads": 2}


@pytest.fixture
def place(tmp_path: Path) -> Workplace:
    """With an autoencoder that keeps the side at 32, and an extractor of colour images."""
    torch.set_num_threads(1)
    (tmp_path / "place").mkdir()
    place = Workplace(tmp_path / "place")
    directory = place.directory / "vae"
    directory.mkdir()
    torch.manual_seed(2)
    network = library().AutoencoderKL.from_config(VAE)
    save_file(network.state_dict(), directory / WEIGHTS_FILE)
    (directory / CONFIG_FILE).write_text(json.dumps(VAE))
    metadata = {"name": "test-cnn", "channels": "3", "classes": "2"}
    save_file(Classifier(3, 2).state_dict(), place.extractor, metadata=metadata)
    return place


def latent_spec(place: Workplace, format: str, data: Path, **sizes: int) -> dict[str, Any]:
    fields = {"num_classes": sizes.get("numClasses", 0)}
    fields |= {"context_tokens": 77, "context_width": 768} if format.startswith("mscoco") else {}
    config = UViTConfig(32, 8, 4, width=32, depth=3, heads=2, **fields)
    torch.manual_seed(1)
    save_file(build_model(config).state_dict(), place.weights)
    spec = place.spec(
        training__steps=3, training__warmupSteps=1, model__config={**MODEL, **sizes},
        evaluation__autoencoderUri=f"file://{place.directory / 'vae'}",
    )  # fmt: skip
    spec["dataset"] = {"format": format, "uri": f"file://{data}"}
    return spec


def test_a_run_on_imagenets_latents(place: Workplace, imagenet: Path, tmp_path: Path) -> None:
    convert("imagenet256-features", imagenet, tmp_path / "out")
    spec = latent_spec(place, "imagenet256-features", tmp_path / "out", numClasses=3)
    manifest = place.train(spec)
    assert manifest["sparsity"]["achieved"] == "0.5"
    assert manifest["fid"]["samples"] == 6
    assert (manifest["fid"]["metric"], manifest["fid"]["reference"]) == (
        "fd-test-cnn-decoded",
        "decoded-training-data",
    )
    assert (place.directory / "out/samples.png").is_file()
    first = {p.name: p.read_bytes() for p in (place.directory / "out").glob("*.safetensors")}
    spec["output"]["uri"] += "-again"
    place.train(spec)
    assert {p.name: p.read_bytes() for p in (place.directory / "out-again").glob("*.safetensors")} == first


def test_a_run_after_texts(place: Workplace, mscoco: Path, tmp_path: Path) -> None:
    convert("mscoco256-features", mscoco, tmp_path / "out")
    spec = latent_spec(place, "mscoco256-features", tmp_path / "out", contextTokens=77, contextWidth=768)
    manifest = place.train(spec)
    model, _ = load_artifact(place.directory / "out")
    assert model.config.context == (77, 768)
    assert manifest["classes"] is None
    assert float(manifest["fid"]["guidance"]) == 0.5
    assert manifest["fid"]["captions"] == "training-data"
    assert manifest["provenance"]["captions"] == f"file://{tmp_path / 'out'}"


def test_autoencoder_and_text_encoder_come_with_the_model(
    place: Workplace, mscoco: Path, tmp_path: Path, capsys: Any
) -> None:
    clip = write_text_encoder(tmp_path / "clip")
    np.save(mscoco / "empty_context.npy", TextEncoder(clip)([""])[0].numpy())
    convert("mscoco256-features", mscoco, tmp_path / "out")
    spec = latent_spec(place, "mscoco256-features", tmp_path / "out", contextTokens=77, contextWidth=768)
    spec["model"]["textEncoderUri"] = f"file://{clip}"
    manifest = place.train(spec)
    out = place.directory / "out"
    found = load_components(out, manifest)
    torch.testing.assert_close(found.text_encoder(["red"]), TextEncoder(clip)(["red"]), rtol=0, atol=0)
    latents, vae = torch.randn(2, 4, 32, 32), Autoencoder(place.directory / "vae", 0.2301)
    torch.testing.assert_close(found.autoencoder(latents), vae(latents), rtol=0, atol=0)
    assert main(["verify", str(out)]) == 0
    name = "tokenizer/vocab.json" if (out / "tokenizer/vocab.json").is_file() else "tokenizer/tokenizer.json"
    (out / name).write_bytes((out / name).read_bytes() + b" ")
    with pytest.raises(InputError, match=f"{name} is not the file that was written with the manifest"):
        load_components(out, manifest)
    assert main(["verify", str(out)]) == 3
    assert f"{name} is not the file" in capsys.readouterr().err


def test_they_are_attached_to_a_model_that_was_trained_without(
    place: Workplace, mscoco: Path, tmp_path: Path, capsys: Any
) -> None:
    convert("mscoco256-features", mscoco, tmp_path / "out")
    spec = latent_spec(place, "mscoco256-features", tmp_path / "out", contextTokens=77, contextWidth=768)
    place.train(spec)
    out, clip = place.directory / "out", write_text_encoder(tmp_path / "clip")
    small = write_text_encoder(tmp_path / "small", 77, 64)
    assert load_components(out, load_artifact(out)[1]).text_encoder is None
    for arguments, says in (
        ([], "there is nothing to attach"),
        (["--autoencoder", str(clip)], "--autoencoder and --latents belong together"),
        (["--text-encoder", str(small)], "must encode a text as (77, 768), and this one does as (77, 64)"),
    ):
        assert main(["attach", str(out), *arguments]) == 2
        assert says in capsys.readouterr().err
    assert main(["attach", str(out), "--text-encoder", str(clip)]) == 0
    found = load_components(out, load_artifact(out)[1])
    torch.testing.assert_close(found.text_encoder(["red"]), TextEncoder(clip)(["red"]), rtol=0, atol=0)
    assert found.autoencoder.scale == 0.2301
    assert main(["verify", str(out)]) == 0
    engine = Engine.load(out, EngineSpec(steps=1, max_batch_size=1), device=torch.device("cpu"))
    assert engine._canary is not None
    again = engine._drawn_again(engine._canary)
    assert engine._canary.difference(again) < 1e-4, "after the text of the data, and not the encoder's"


@pytest.mark.parametrize(
    ("sizes", "says"),
    [
        ({"tokens": 77, "width": 64}, "as 77 vectors of 64, and the data set holds 77 of 768"),
        ({}, "encodes the empty text otherwise than the data set has it"),
    ],
)
def test_a_text_encoder_of_other_data_is_refused(
    place: Workplace, mscoco: Path, tmp_path: Path, sizes: dict[str, int], says: str
) -> None:
    clip = write_text_encoder(tmp_path / "clip", **sizes)
    convert("mscoco256-features", mscoco, tmp_path / "out")
    spec = latent_spec(place, "mscoco256-features", tmp_path / "out", contextTokens=77, contextWidth=768)
    spec["model"]["textEncoderUri"] = f"file://{clip}"
    with pytest.raises(InputError, match=says) as raised:
        place.train(spec)
    assert raised.value.reason == "TextEncoderMismatch"


def test_captions_are_held_out_and_real_images_compared_with(
    place: Workplace, mscoco: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: Any
) -> None:
    """Once the held-out latents are the reference, once their captions serve beside real images' statistics,
    and `evaluate` says the same."""
    convert("mscoco256-features", mscoco, tmp_path / "out")
    for i in range(3):
        np.save(mscoco / f"{i}_0.npy", text(i, 7))
    convert("mscoco256-features", mscoco, tmp_path / "held-out")
    texts: set[float] = set()
    whole = sample

    def watched(model: Any, config: Any, labels: torch.Tensor, *rest: Any, **how: Any) -> torch.Tensor:
        texts.update(labels[:, 0, 0].tolist())
        return whole(model, config, labels, *rest, **how)

    monkeypatch.setattr(evaluator_module, "sample", watched)
    spec = latent_spec(place, "mscoco256-features", tmp_path / "out", contextTokens=77, contextWidth=768)
    spec["evaluation"]["dataset"] = {"format": "mscoco256-features", "uri": f"file://{tmp_path / 'held-out'}"}
    fid = place.train(spec)["fid"]
    assert texts == {7.0, 17.0, 27.0}
    assert (fid["metric"], fid["reference"], fid["captions"]) == (
        "fd-test-cnn-decoded",
        "decoded-evaluation-data",
        "evaluation-data",
    )
    texts.clear()
    images = tmp_path / "images"
    images.mkdir()
    for i in range(5):
        Image.new("RGB", (32, 32), (50 * i, 0, 0)).save(images / f"{i}.png")
    spec["evaluation"]["dataset"] = {"format": "image-folder", "uri": f"file://{images}"}
    spec["output"]["uri"] += "-real"
    fid = place.train(spec)["fid"]
    assert texts == {0.0, 10.0, 20.0}
    assert (fid["metric"], fid["reference"], fid["captions"]) == (
        "fd-test-cnn",
        "evaluation-data",
        "training-data",
    )
    arguments = [
        "evaluate", "--model", str(place.directory / "out-real"), "--dense", str(place.weights), "--json",
        "--format", "image-folder", "--data", str(images), "--extractor", str(place.extractor), "--samples",
        "6", "--steps", "2", "--autoencoder", str(place.directory / "vae"), "--latents", "mscoco256-features",
    ]  # fmt: skip
    assert main(arguments) == 2
    assert "--captions is required for a model with text" in capsys.readouterr().err
    assert main([*arguments, "--captions", str(tmp_path / "out")]) == 0
    found = json.loads(capsys.readouterr().out)
    assert (found["metric"], found["dense"], found["sparse"], found["referenceDigest"]) == (
        "fd-test-cnn",
        fid["dense"],
        fid["sparse"],
        fid["referenceDigest"],
    )


def test_a_network_of_diffusers_is_trained_after_texts(
    place: Workplace, mscoco: Path, tmp_path: Path
) -> None:
    convert("mscoco256-features", mscoco, tmp_path / "out")
    settings = {**TEXT_UNET, "sample_size": 32, "cross_attention_dim": 768}
    folder = tmp_path / "unet"
    folder.mkdir()
    network = build_model(DiffusersConfig("diffusers", settings))
    save_file(network.state_dict(), folder / WEIGHTS_FILE)
    (folder / CONFIG_FILE).write_text(json.dumps(settings))
    spec = latent_spec(place, "mscoco256-features", tmp_path / "out")
    spec["model"] = {"architecture": "diffusers", "pretrained": {"uri": f"file://{folder}"}}
    spec["training"] |= {"steps": 1, "warmupSteps": 0, "batchSize": 2}
    spec["checkpoint"] = {"everySteps": 1}
    manifest = place.train(spec)
    names = [layer["name"] for layer in manifest["layers"]]
    assert "down_blocks.1.attentions.0.transformer_blocks.0.attn2.to_k" in names
    assert {"conv_in", "conv_out", "time_embedding.linear_1"}.isdisjoint(names)
    assert manifest["sparsity"]["achieved"] == "0.5"


def test_texts_for_a_model_of_classes_are_refused(place: Workplace, mscoco: Path, tmp_path: Path) -> None:
    convert("mscoco256-features", mscoco, tmp_path / "out")
    spec = latent_spec(place, "mscoco256-features", tmp_path / "out")
    spec["model"]["config"] = {**MODEL, "numClasses": 0}
    config = UViTConfig(32, 8, 4, width=32, depth=3, heads=2)
    save_file(build_model(config).state_dict(), place.weights)
    with pytest.raises(InputError, match="takes no texts, and the data set has texts"):
        place.train(spec)


def spoil_decoder(directory: Path) -> None:
    weights = load_file(directory / WEIGHTS_FILE)
    weights["decoder.conv_out.weight"][0] = float("nan")
    save_file(weights, directory / WEIGHTS_FILE)


@pytest.mark.parametrize(
    ("change", "want"),
    [
        (lambda d: (d / CONFIG_FILE).unlink(), r"no readable config\.json"),
        (lambda d: (d / CONFIG_FILE).write_text('{"_class_name": "VQModel"}'), "holds a VQModel"),
        (lambda d: (d / WEIGHTS_FILE).unlink(), "no weights at"),
        (spoil_decoder, r"vae/.* hold NaN or infinity in decoder\.conv_out\.weight: .* Use other weights"),
    ],
)
def test_another_autoencoder_is_refused(
    place: Workplace, imagenet: Path, tmp_path: Path, change: Callable[[Path], None], want: str
) -> None:
    convert("imagenet256-features", imagenet, tmp_path / "out")
    change(place.directory / "vae")
    with pytest.raises(InputError, match=want):
        place.train(latent_spec(place, "imagenet256-features", tmp_path / "out", numClasses=3))


# --- damaged, moved and incomplete -----------------------------------------------------------------------


def rewritten(**changes: torch.Tensor | None) -> Callable[[Path], None]:
    """Puts other tensors into the first shard; None takes one out."""

    def change(out: Path) -> None:
        file = out / "shard-00000-of-00001.safetensors"
        tensors = {**load_file(file), **changes}
        save_file({name: value for name, value in tensors.items() if value is not None}, file)

    return change


def indexed(samples: Any) -> Callable[[Path], None]:
    def change(out: Path) -> None:
        index = json.loads((out / "index.json").read_text())
        index["shards"][0]["samples"] = samples
        (out / "index.json").write_text(json.dumps(index))

    return change


@pytest.mark.parametrize(
    ("format", "damage", "want"),
    [
        ("imagenet256-features", rewritten(labels=None), "its labels have no place there"),
        ("imagenet256-features", rewritten(labels=torch.zeros(4)), r"labels have shape \(4,\), not \(5,\)"),
        ("imagenet256-features", rewritten(labels=-torch.ones(5)), "its labels are no numbers of classes"),
        ("imagenet256-features", indexed(4), r"moments have shape \(5, 8, 32, 32\), not \(4,"),
        ("imagenet256-features", indexed("5"), "a shard has 5 samples"),
        (
            "mscoco256-features",
            lambda out: (out / "empty.safetensors").unlink(),
            r"empty\.safetensors is dam",
        ),
        ("mscoco256-features", rewritten(firstText=torch.tensor([0, 1, 1, 6])), "a sample without a text"),
        (
            "mscoco256-features",
            rewritten(contexts=torch.zeros(6, 77, 8)),
            r"contexts have shape \(6, 77, 8\)",
        ),
    ],
)
def test_damage_that_only_training_would_meet_is_told_at_the_start(
    request: pytest.FixtureRequest, tmp_path: Path, format: str, damage: Callable[[Path], None], want: str
) -> None:
    source, out = request.getfixturevalue(format.split("256")[0]), tmp_path / "out"
    assert convert(format, source, out) == 0
    damage(out)
    with pytest.raises(InputError, match=want) as error:
        open_dataset(format, out, 32, 4)
    assert error.value.reason == "DatasetUnreadable"


def test_a_folder_around_the_features_is_told(imagenet: Path, tmp_path: Path) -> None:
    convert("imagenet256-features", imagenet, tmp_path / "around" / "out")
    with pytest.raises(
        InputError, match=r"around: .*around/out has one, so name that folder in dataset\.uri"
    ):
        open_dataset("imagenet256-features", tmp_path / "around", 32, 4)
    with pytest.raises(InputError, match=r"named 0\.npy, 1\.npy and so on: name .*source, which does"):
        run(argparse.Namespace(what="imagenet256-features", source=tmp_path, out=tmp_path, shard_samples=2))


def test_numbers_that_lack_are_told(imagenet: Path, tmp_path: Path, capsys: Any) -> None:
    (imagenet / "1.npy").unlink()
    (imagenet / "3.npy").unlink()
    assert convert("imagenet256-features", imagenet, tmp_path / "out") == 0
    assert "3 samples in 1 files" in (said := capsys.readouterr().out)
    assert "Missing below 4.npy: 2 (1.npy first)." in said
