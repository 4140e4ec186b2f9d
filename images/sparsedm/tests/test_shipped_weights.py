"""The figures of a dense model, and the one that ships."""

import json

import numpy as np
import pytest
import torch

from sparsedm.commands.generate import open_model
from sparsedm.data import ArrayDataset
from sparsedm.diffusion.samplers import sample
from sparsedm.measure.assess import assess
from sparsedm.measure.extractor import load_extractor
from sparsedm.measure.frechet import FrechetStats
from sparsedm.models import PRESETS, WEIGHTS_DIR, UViTConfig, build_model
from sparsedm.pipelines.folder import read_pipeline

TINY = UViTConfig(
    image_size=8, patch_size=4, channels=1, width=16, depth=3, heads=2, num_classes=2,
    final_conv=False, prediction="v",
)  # fmt: skip


class MeanBrightness:
    """Features by hand: mean and deviation of the pixels; bright images are class 1."""

    name, metric, digest = "brightness", "fd-brightness", "d"

    def __call__(self, images):
        flat = images.flatten(1)
        return torch.stack([flat.mean(dim=1), flat.std(dim=1)], dim=1)

    def classify(self, images):
        return (images.flatten(1).mean(dim=1) > 0).long()


@pytest.fixture
def data() -> ArrayDataset:
    images = np.zeros((20, 1, 8, 8), np.uint8)
    images[10:] = 255
    return ArrayDataset(images, np.repeat([0, 1], 10), ["dark", "bright"])


def test_the_share_of_recognised_images_is_counted_by_class(monkeypatch, data) -> None:
    """A sampler that draws only bright images: all of class 1 and none of class 0 are recognised."""
    monkeypatch.setattr(
        "sparsedm.measure.assess.sample", lambda m, c, y, seeds, **k: torch.ones(len(y), 1, 8, 8)
    )
    extractor, calls = MeanBrightness(), []
    reference = FrechetStats()
    reference.update(extractor(data.batch(range(len(data)))[0]))
    model = build_model(TINY)
    figures = assess(
        model, extractor, reference, data.classes, 50, seed=3, progress=lambda *c: calls.append(c)
    )
    assert figures["recognisedByClass"] == {"dark": 0.0, "bright": 1.0}
    assert figures["recognised"] == 0.5
    assert figures["metric"] == "fd-brightness"
    assert (figures["samples"], figures["referenceSamples"], figures["seed"]) == (100, 20, 3)
    assert not figures["rankDeficient"]
    # Half of the data are -1 and half 1: mean 0 against 1, variance 20/19 against 0.
    assert figures["distance"] == pytest.approx(1 + 20 / 19, abs=1e-3)
    assert calls == [(64, 100), (100, 100)]


def test_the_shipped_model_is_the_one_of_its_manifest() -> None:
    path = WEIGHTS_DIR / "fashion-mnist-uvit-tiny.safetensors"
    manifest = json.loads(path.with_suffix(".json").read_text())
    extractor = json.loads((WEIGHTS_DIR / "fashion-mnist-extractor.json").read_text())
    drawable = open_model(path)  # checks the digest, loads strictly
    assert drawable.model.config == PRESETS[manifest["name"]]
    assert drawable.classes == manifest["classes"]
    assert manifest["figures"]["extractorDigest"] == extractor["sha256"]
    assert path.stat().st_size == manifest["weights"]["sizeBytes"] < 4.5e6


def test_the_shipped_model_draws_the_class_that_it_is_asked_for() -> None:
    """Trousers, bags and boots look like nothing else, so nearly all of them are recognised."""
    extractor, _, _ = load_extractor(WEIGHTS_DIR / "fashion-mnist-extractor.safetensors")
    drawable = open_model(WEIGHTS_DIR / "fashion-mnist-uvit-tiny.safetensors")
    labels = torch.tensor([drawable.classes.index(name) for name in ("trouser", "bag", "ankle boot")] * 4)
    seeds = range(len(labels))
    images = sample(drawable.model, drawable.model.config, labels, seeds, steps=12, guidance=0.5)
    assert (extractor.classify(images) == labels).float().mean() >= 0.75


@pytest.mark.parametrize(
    ("prompt", "most", "least"),
    [
        ("a tomato, noto style", 0, 2),
        ("an eggplant, twemoji style", 2, 1),
        ("a tangerine, noto style", 0, 2),  # the name was learnt in the other two styles only
        ("a broccoli, fluent style", 1, 2),
    ],
)
def test_the_shipped_text_to_image_model_draws_in_the_colour_of_its_caption(
    prompt: str, most: int, least: int
) -> None:
    """The channels (red, green, blue) that are strongest and weakest in the middle, where the emoji is."""
    drawable = open_model(WEIGHTS_DIR / "emoji-text")
    encoder, decode = drawable.components.text_encoder, drawable.components.autoencoder
    latents = sample(
        drawable.model, drawable.model.config, encoder([prompt] * 8), range(8), steps=20, guidance=1.0,
        nothing=encoder([""])[0],
    )  # fmt: skip
    red_green_blue = decode(latents)[:, :, 8:24, 8:24].mean(dim=(0, 2, 3))
    assert (int(red_green_blue.argmax()), int(red_green_blue.argmin())) == (most, least)


def test_the_shipped_pipeline_draws_its_captions_whatever_its_texts_are_padded_with() -> None:
    pipeline = read_pipeline(WEIGHTS_DIR / "emoji-pipeline").open(torch.float32, torch.device("cpu"))

    def drawn(prompt: str, tokens: int) -> np.ndarray:
        settings = {"num_inference_steps": 10, "guidance_scale": 2.0, "max_sequence_length": tokens}
        generator = torch.Generator().manual_seed(1)
        return pipeline(prompt, **settings, generator=generator, output_type="np").images[0]

    tomato = drawn("a tomato, noto style", 1)
    red, green, _ = tomato[8:24, 8:24].mean((0, 1))
    assert red > green + 0.2
    red, green, _ = drawn("a green apple, noto style", 1)[8:24, 8:24].mean((0, 1))
    assert green > red + 0.1
    assert np.abs(drawn("a tomato, noto style", 256) - tomato).mean() < 0.05
