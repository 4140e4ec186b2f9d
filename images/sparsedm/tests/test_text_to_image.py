"""From a folder of captioned images to a model that draws after a text: every command, small, end to end."""

from __future__ import annotations

import gzip
import json
import shutil
from pathlib import Path

import numpy as np
import pytest
import torch
import transformers
import yaml
from diffusers import DiffusionPipeline
from PIL import Image
from safetensors.torch import load_file, save_file

from sparsedm.cli import main
from sparsedm.commands.train_pipeline import CountedToken, encoded, flow_loss, new_pipeline, patches
from sparsedm.data import open_dataset
from sparsedm.data.metadata import texts_of
from sparsedm.errors import Diverged, Interrupted
from sparsedm.measure.extractor import Classifier
from sparsedm.models.autoencoder import Autoencoder, new_autoencoder, standardise
from sparsedm.models.text_encoder import TextEncoder
from sparsedm.runtime.stop import StopSignal
from sparsedm.training.fit import fit

EXAMPLE = Path(__file__).parents[3] / "docs/examples/emoji-text.yaml"
COLOURS = {"red": (200, 0, 0), "green": (0, 200, 0), "blue": (0, 0, 200)}


@pytest.fixture(scope="module")
def images(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Squares of three colours, in two places."""
    folder = tmp_path_factory.mktemp("images")
    rows = []
    for name, colour in COLOURS.items():
        for side, left in (("left", 0), ("right", 16)):
            pixels = np.full((32, 32, 3), 255, np.uint8)
            pixels[8:24, left : left + 16] = colour
            Image.fromarray(pixels).save(folder / f"{name}-{side}.png")
            rows.append({"file_name": f"{name}-{side}.png", "text": f"a {name} box, {side}"})
    (folder / "metadata.jsonl").write_text("".join(f"{json.dumps(row)}\n" for row in rows))
    return folder


@pytest.fixture(scope="module")
def merges(tmp_path_factory: pytest.TempPathFactory) -> Path:
    path = tmp_path_factory.mktemp("merges") / "merges.txt.gz"
    lines = ['"a header"', "r e", "re d</w>", "l e", "b l"]
    path.write_bytes(gzip.compress("\n".join(lines).encode()))
    return path


@pytest.fixture(scope="module")
def parts(images: Path, merges: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    out = tmp_path_factory.mktemp("parts")
    few = ["--steps", "3", "--batch", "4"]
    assert main(["train-autoencoder", "--data", str(images), "--out", str(out / "vae"), *few]) == 0
    text = ["--merges", str(merges), "--vocabulary", "518"]
    assert main(["train-text-encoder", "--data", str(images), "--out", str(out / "clip"), *text, *few]) == 0
    return out


def test_latents_have_mean_0_and_deviation_1(images: Path, parts: Path) -> None:
    pictures, _ = open_dataset("image-folder", images, 32, 3).batch(range(6))
    autoencoder = Autoencoder(parts / "vae", scale=1.0)
    mean, log_variance = autoencoder.moments(pictures).chunk(2, dim=1)
    assert mean.shape == log_variance.shape == (6, 4, 8, 8)
    torch.testing.assert_close(mean.mean((0, 2, 3)), torch.zeros(4), rtol=0, atol=1e-4)
    torch.testing.assert_close(mean.std((0, 2, 3)), torch.ones(4), rtol=0, atol=1e-4)
    assert autoencoder(mean).shape == (6, 3, 32, 32)


@torch.no_grad()
def test_a_standardised_autoencoder_decodes_as_before() -> None:
    torch.manual_seed(0)
    network, pictures = new_autoencoder(32).eval(), torch.rand(3, 3, 32, 32)
    before = network.encode(pictures).latent_dist
    decoded = network.decode(before.mean).sample
    standardise(network, before.mean)
    after = network.encode(pictures).latent_dist
    torch.testing.assert_close(network.decode(after.mean).sample, decoded, rtol=1e-4, atol=1e-5)
    # A latent's own deviation is scaled as the latents are.
    scale = before.mean.std((0, 2, 3))[None, :, None, None]
    torch.testing.assert_close(after.std, before.std / scale, rtol=1e-4, atol=1e-6)


def test_the_tokenizer_merges_as_its_file_says(parts: Path) -> None:
    words = transformers.CLIPTokenizer.from_pretrained(parts / "clip/tokenizer").get_vocab()
    encoder = TextEncoder(parts / "clip")
    assert encoder.shape == (16, 64)
    row = encoder.tokens(["Red blue"])[0].tolist()
    start, end = words["<|startoftext|>"], words["<|endoftext|>"]
    wanted = ["red</w>", "bl", "u", "e</w>"]
    assert row == [start, *(words[word] for word in wanted), end, *[end] * 10]
    assert (start, end) == (516, 517)


def test_images_find_their_texts(images: Path, merges: Path, tmp_path: Path, capsys) -> None:
    command = ["train-text-encoder", "--data", str(images), "--out", str(tmp_path), "--merges", str(merges)]
    command += ["--vocabulary", "518", "--steps", "150", "--batch", "6", "--rate", "0.003"]
    assert main(command) == 0
    assert "100.0% of images find their own text" in capsys.readouterr().out


def test_features_are_those_of_both_encoders(images: Path, parts: Path, tmp_path: Path) -> None:
    encoders = ["--autoencoder", str(parts / "vae"), "--text-encoder", str(parts / "clip")]
    assert main(["encode", "emoji-features", str(images), str(tmp_path), *encoders]) == 0
    data = open_dataset("emoji-features", tmp_path, 8, 4)
    latents, contexts = data.batch([1, 4])
    pictures, _ = open_dataset("image-folder", images, 32, 3).batch([1, 4])
    encoder = TextEncoder(parts / "clip")
    expected = Autoencoder(parts / "vae", scale=1.0).moments(pictures)[:, :4]
    torch.testing.assert_close(latents, expected, rtol=1e-4, atol=1e-5)
    torch.testing.assert_close(contexts, encoder([texts_of(images)[i] for i in (1, 4)]), rtol=1e-4, atol=1e-5)
    torch.testing.assert_close(data.nothing, encoder([""])[0], rtol=1e-4, atol=1e-5)


def test_a_token_that_counts_for_many_is_as_good_as_many(parts: Path) -> None:
    torch.manual_seed(0)
    pipeline = new_pipeline(parts / "vae", parts / "clip", layers=2, heads=2)
    network, noise = pipeline.transformer, torch.randn(3, 4, 8, 8)
    for parameter in network.parameters():  # it starts as 0, whatever it reads
        parameter.data.normal_(0, 0.1)

    def loss(empty_tokens: int, count: int | None) -> torch.Tensor:
        torch.manual_seed(1)
        contexts, pooled = encoded(pipeline, ["a red box", "a blue box", ""], empty_tokens)
        if count is None:
            return flow_loss(network, noise, contexts, pooled)
        with CountedToken(contexts.shape[1] + patches(network), count):
            return flow_loss(network, noise, contexts, pooled)

    many = loss(256, None)
    torch.testing.assert_close(loss(1, 256), many, rtol=1e-4, atol=1e-5)
    assert abs(loss(1, 1) - many) > 1e-3


def test_a_trained_pipeline_opens_without_this_package(
    images: Path, parts: Path, tmp_path: Path, capsys
) -> None:
    command = ["train-pipeline", "--data", str(images), "--out", str(tmp_path), "--batch", "6"]
    command += ["--autoencoder", str(parts / "vae"), "--text-encoder", str(parts / "clip")]
    command += ["--layers", "1", "--heads", "2", "--steps"]
    assert main([*command, "2"]) == 0
    assert main([*command, "3"]) == 0
    assert "of 6 captions draw the image nearest to their own" in capsys.readouterr().out
    found = load_file(tmp_path / "checkpoints/step-00000003/tensors.safetensors")
    weights = load_file(tmp_path / "transformer/diffusion_pytorch_model.safetensors")
    for name, weight in weights.items():
        # Two averages: of steps 1 and 2 from the checkpoint, then of step 3.
        torch.testing.assert_close(weight.float(), found[f"ema/{name}"], rtol=1e-2, atol=1e-4)
    pipeline = DiffusionPipeline.from_pretrained(tmp_path, text_encoder_3=None, tokenizer_3=None)
    image = pipeline("a red box, left", num_inference_steps=1).images[0]
    assert (type(pipeline).__name__, image.size) == ("StableDiffusion3Pipeline", (32, 32))


def test_a_trained_model_draws_its_prompts(
    images: Path, parts: Path, tmp_path: Path, monkeypatch, capsys
) -> None:
    """By the example's own configuration, but for the numbers of steps and samples."""
    monkeypatch.setenv("SPARSEDM_MOUNTS", str(tmp_path))
    emoji = tmp_path / "emoji"
    shutil.copytree(parts, emoji)
    encoders = ["--autoencoder", str(emoji / "vae"), "--text-encoder", str(emoji / "clip")]
    assert main(["encode", "emoji-features", str(images), str(emoji / "features"), *encoders]) == 0
    metadata = {"name": "test", "channels": "3", "classes": "2"}
    save_file(Classifier(3, 2).state_dict(), emoji / "extractor.safetensors", metadata=metadata)
    spec = list(yaml.safe_load_all(EXAMPLE.read_text()))[-1]["spec"]
    spec["training"] |= {"steps": 2, "batchSize": 2, "warmupSteps": 1}
    spec["checkpoint"] = {"everySteps": 2}
    spec["evaluation"] |= {"samples": 6, "steps": 2}
    (tmp_path / "run.yaml").write_text(json.dumps(spec))
    assert main(["train", "--config", str(tmp_path / "run.yaml")]) == 0
    model, grid = tmp_path / "models/emoji-text", tmp_path / "grid.png"
    drawn = ["generate", "--model", str(model), "--out", str(grid), "--steps", "2", "--count", "2"]
    assert main([*drawn, "--scale", "1", "--prompts", "a red square", "a blue square", "nothing"]) == 0
    with Image.open(grid) as image:
        assert (image.mode, image.size) == ("RGB", (3 * 32 + 2 * 2, 2 * 32 + 2))
    assert main(drawn) == 2
    assert main([*drawn, "--prompts", "red " * 20]) == 2
    told = capsys.readouterr().err
    assert "--prompts is required and --classes must be absent" in told
    assert "--prompts: The text has 22 tokens with its start and end, and this model reads 16." in told


@pytest.mark.parametrize(
    ("metadata", "says"),
    [
        (None, "has no metadata.jsonl: its column text holds the captions"),
        ('{"file_name": "a.png"}\n', "line 1 has no text: write a caption"),
    ],
)
def test_images_without_captions_are_refused(tmp_path: Path, parts: Path, capsys, metadata, says) -> None:
    Image.new("RGB", (32, 32)).save(tmp_path / "a.png")
    if metadata:
        (tmp_path / "metadata.jsonl").write_text(metadata)
    encoders = ["--autoencoder", str(parts / "vae"), "--text-encoder", str(parts / "clip")]
    assert main(["encode", "emoji-features", str(tmp_path), str(tmp_path / "out"), *encoders]) == 3
    assert says in capsys.readouterr().err


@pytest.mark.parametrize(
    ("content", "vocabulary", "says"),
    [
        (b"no gzip", 518, "take bpe_simple_vocab_16e6.txt.gz out of the package open_clip_torch"),
        (gzip.compress(b"header\na b c"), 515, "holds no merges"),
        (gzip.compress(b"header\na b"), 600, "--vocabulary must be from 515 to 515, and is 600"),
    ],
    ids=["no gzip", "no pair", "too many"],  # the bytes hold the time
)
def test_what_holds_no_merges_is_refused(images, tmp_path: Path, capsys, content, vocabulary, says) -> None:
    (tmp_path / "merges.gz").write_bytes(content)
    command = ["train-text-encoder", "--data", str(images), "--merges", str(tmp_path / "merges.gz")]
    assert main([*command, "--vocabulary", str(vocabulary), "--out", str(tmp_path / "out")]) == 3
    assert says in capsys.readouterr().err


def line() -> torch.nn.Linear:
    torch.manual_seed(1)
    return torch.nn.Linear(2, 1)


def noisy_loss(network: torch.nn.Linear):
    return lambda step: (network(torch.randn(4, 2)) - 1).square().mean()


def test_an_interrupted_fit_ends_as_an_uninterrupted_one(tmp_path: Path, monkeypatch) -> None:
    whole, first, second = line(), line(), line()
    fit(whole, noisy_loss(whole), 30, 0.1, 5, tmp_path / "whole")
    stop = StopSignal()
    monkeypatch.setattr("sparsedm.training.fit.StopSignal", lambda: stop)
    loss_of = noisy_loss(first)

    def stopping(step: int) -> torch.Tensor:
        if step == 12:
            stop.request()
        return loss_of(step)

    with pytest.raises(Interrupted, match="the checkpoint of step 13 is saved"):
        fit(first, stopping, 30, 0.1, 5, tmp_path / "part")
    monkeypatch.undo()
    fit(second, noisy_loss(second), 30, 0.1, 5, tmp_path / "part")
    assert torch.equal(second.weight, whole.weight)


def test_a_fit_that_diverges_says_when(tmp_path: Path) -> None:
    network = line()
    with pytest.raises(Diverged):
        fit(network, lambda step: network(torch.full((1, 2), torch.nan)).mean(), 5, 0.1, 0, tmp_path)
