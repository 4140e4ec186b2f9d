"""The quality monitor: what it samples, what it keeps, and what it finds."""

from __future__ import annotations

import asyncio
import json
import re
import threading
import weakref
from collections.abc import Callable, Iterator, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from prometheus_client import CollectorRegistry
from safetensors.torch import load_file
from torch import Tensor, nn

from serve_tools import FakeEngine, ServerProcess, wait_for
from sparsedm.artifact.artifact import load_artifact
from sparsedm.data.images import to_uint8
from sparsedm.decimals import decimal
from sparsedm.diffusion.samplers import sample
from sparsedm.errors import ConfigError, InputError
from sparsedm.measure.evaluator import Evaluator, Plan
from sparsedm.measure.extractor import load_extractor
from sparsedm.measure.frechet import FrechetStats
from sparsedm.measure.reference import REFERENCE_FILE
from sparsedm.models import ModelConfig, build_model, config_of
from sparsedm.models.presets import PRESETS
from sparsedm.serve.comparison import Comparison, open_comparison
from sparsedm.serve.config import EngineSpec, QualitySpec, ServeConfig, parse_quality
from sparsedm.serve.engine import Engine
from sparsedm.serve.quality import BATCH, MOST_WAITING, QualityMonitor, stacked
from sparsedm.serve.service import Service
from sparsedm.uris import PACKAGED_WEIGHTS
from test_serve_http import Operator
from tiny_run import Workplace

ALL = QualitySpec(sample_percent=100)
SPEC = EngineSpec(steps=2, guidance=0.5)
SAMPLES = 90
"""More than the extractor has features, so that a distance has all its digits."""


@pytest.fixture(scope="module")
def artifact(place: Workplace) -> Path:
    """Of a real run: two classes, with its own extractor and reference."""
    place.train(place.spec(sparsity__method="masked-dense", evaluation__samples=SAMPLES))
    return place.directory / "out"


@pytest.fixture(scope="module")
def loaded(artifact: Path) -> tuple[nn.Module, dict[str, Any]]:
    return load_artifact(artifact)


class Opened:
    """A comparison, with what an evaluation would draw."""

    def __init__(self, directory: Path, model: nn.Module, manifest: dict[str, Any]) -> None:
        self.directory, self.model, self.manifest = directory, model, manifest
        self.config: ModelConfig = config_of(model)
        self.comparison = self.open()

    def open(self, spec: EngineSpec = SPEC, precision: str = "fp32", **fid: Any) -> Comparison:
        """`fid` replaces figures in the manifest; None removes one."""
        figures = {name: value for name, value in (self.manifest["fid"] | fid).items() if value is not None}
        shape = (self.config.channels, self.config.image_size, self.config.image_size)
        return open_comparison(
            self.directory, {**self.manifest, "fid": figures}, self.config, spec, precision, shape
        )

    def images(self) -> tuple[list[int], Tensor]:
        """Labels, and images (n, C, H, W), of the evaluation."""
        fid = self.manifest["fid"]
        plan = Plan(fid["samples"], fid["steps"], float(fid["guidance"]), fid["sampler"], fid["seed"])
        labels = plan.labels(self.config)
        assert labels is not None
        drawn = sample(
            self.model, self.config, labels, plan.seeds(), plan.steps, plan.guidance, plan.sampler, 100
        )
        return labels.tolist(), drawn


@pytest.fixture
def opened(artifact: Path, loaded: tuple[nn.Module, dict[str, Any]]) -> Opened:
    return Opened(artifact, *loaded)


@pytest.fixture
def watch() -> Iterator[Callable[..., QualityMonitor]]:
    monitors: list[QualityMonitor] = []

    def start(comparison: Comparison, spec: QualitySpec = ALL, **options: Any) -> QualityMonitor:
        monitors.append(QualityMonitor(comparison, spec, ["left", "right"], CollectorRegistry(), **options))
        return monitors[-1]

    yield start
    for monitor in monitors:
        monitor.close()


def as_served(images: Tensor) -> Sequence[np.ndarray]:
    """(H, W, C) uint8 each, as the engine draws them."""
    return list(to_uint8(images).permute(0, 2, 3, 1).numpy())


def serve(monitor: QualityMonitor, labels: Sequence[int], images: Sequence[np.ndarray]) -> None:
    """Offers all, and waits for their features."""
    before = value(monitor.metrics.sampled)
    for number, (label, image) in enumerate(zip(labels, images, strict=True), start=1):
        monitor.offer(label, [image], seeded=False)
        if number % BATCH == 0 or number == len(images):
            wait_for(lambda number=number: value(monitor.metrics.sampled) == before + number, "features")


def value(counter: Any) -> float:
    return counter.collect()[0].samples[0].value


def test_the_same_images_have_the_evaluation_s_own_distance(opened: Opened) -> None:
    comparison, fid = opened.comparison, opened.manifest["fid"]
    labels, images = opened.images()
    window = comparison.window()
    found = comparison.extractor(stacked(as_served(images))).numpy()
    for label, features in zip(labels, found, strict=True):
        window.add(label, features)
    evaluator = Evaluator(
        opened.config, Plan(SAMPLES, fid["steps"], 0.5, fid["sampler"], fid["seed"]),
        Path(opened.manifest["settings"]["evaluation"]["extractor_uri"].removeprefix("file://")),
        torch.device("cpu"),
    )  # fmt: skip
    evaluator.load_reference(opened.directory / REFERENCE_FILE)
    want = evaluator.measure(opened.model, lambda passes: None).distance
    assert comparison.distance(window) == want


def test_a_monitor_reports_the_distance_beside_the_manifest_s(
    opened: Opened, watch: Callable[..., QualityMonitor]
) -> None:
    monitor, fid = watch(opened.comparison), opened.manifest["fid"]
    labels, images = opened.images()
    served = as_served(images)
    serve(monitor, labels[:-1], served[:-1])
    waiting = monitor.status()
    assert "distance" not in waiting
    assert (waiting["images"], waiting["window"]) == (SAMPLES - 1, SAMPLES)
    assert waiting["message"] == "89 of 90 images have features; of right, 44 of 45."
    serve(monitor, labels[-1:], served[-1:])
    assert wait_for(lambda: monitor.status().get("distance"), "a distance") == fid["sparse"]
    assert monitor.status() == {
        "metric": "fd-test-cnn", "distance": fid["sparse"], "evaluatedDistance": fid["sparse"],
        "images": SAMPLES, "window": SAMPLES,
        "extractorDigest": fid["extractorDigest"], "referenceDigest": fid["referenceDigest"],
    }  # fmt: skip


def test_what_is_served_later_replaces_what_was_served_before(
    opened: Opened, watch: Callable[..., QualityMonitor]
) -> None:
    monitor = watch(opened.comparison)
    labels, images = opened.images()
    serve(monitor, labels, as_served(images))
    wait_for(lambda: monitor.status().get("distance") == opened.comparison.own, "a distance")
    serve(monitor, labels, as_served(torch.zeros_like(images)))
    want = distance_of_grey(opened, labels)
    assert want != opened.comparison.own
    assert wait_for(lambda: monitor.status()["distance"] == want, "the distance of the later ones")


def distance_of_grey(opened: Opened, labels: Sequence[int]) -> str:
    window = opened.comparison.window()
    features = opened.comparison.extractor(torch.zeros(1, 1, 32, 32)).numpy()[0]
    for label in labels:
        window.add(label, features)
    return decimal(opened.comparison.distance(window), 2)


class Gate:
    """An extractor that waits until it may go on."""

    def __init__(self, extractor: Any) -> None:
        self.extractor, self.open, self.entered = extractor, threading.Event(), threading.Semaphore(0)
        self.digest, self.dims = extractor.digest, extractor.dims

    def __call__(self, images: Tensor) -> Tensor:
        self.entered.release()
        self.open.wait(60)
        return self.extractor(images)


def test_a_busy_monitor_leaves_images_out_and_keeps_nobody_waiting(
    opened: Opened, watch: Callable[..., QualityMonitor]
) -> None:
    gate = Gate(opened.comparison.extractor)
    monitor = watch(replace(opened.comparison, extractor=gate))
    image = np.zeros((32, 32, 1), np.uint8)
    monitor.offer(0, [image], seeded=False)
    gate.entered.acquire()
    monitor.offer(1, [image] * (MOST_WAITING + 10), seeded=False)
    assert value(monitor.metrics.dropped) == 10
    gate.open.set()
    wait_for(lambda: value(monitor.metrics.sampled) == MOST_WAITING + 1, "those that found room")
    assert value(monitor.metrics.dropped) == 10


def test_no_image_outlives_its_features(opened: Opened, watch: Callable[..., QualityMonitor]) -> None:
    monitor = watch(opened.comparison)
    image = np.full((32, 32, 1), 7, np.uint8)
    alive = weakref.ref(image)
    monitor.offer(0, [image], seeded=False)
    del image
    monitor.offer(0, [np.zeros((32, 32, 1), np.uint8)], seeded=False)
    wait_for(lambda: value(monitor.metrics.sampled) == 2, "features")
    wait_for(lambda: alive() is None, "the image's end")
    kept = [features for kind in monitor._window._newest for features in kind]
    assert [(features.dtype, features.shape, features.base) for features in kept] == [
        (np.dtype(np.float32), (64,), None)
    ] * 2, "features alone, and no view of a batch"


def test_the_sample_is_random_and_of_the_given_size(
    opened: Opened, watch: Callable[..., QualityMonitor]
) -> None:
    chances = iter([0.1, 0.24, 0.25, 0.9, 0.0])
    monitor = watch(opened.comparison, QualitySpec(sample_percent=25), chance=lambda: next(chances))
    monitor.offer(0, [np.zeros((32, 32, 1), np.uint8)] * 5, seeded=False)
    wait_for(lambda: value(monitor.metrics.sampled) == 3, "three of the five")


def test_images_of_a_client_s_own_seed_are_no_sample(
    opened: Opened, watch: Callable[..., QualityMonitor]
) -> None:
    monitor = watch(opened.comparison)
    monitor.offer(0, [np.zeros((32, 32, 1), np.uint8)], seeded=True)
    monitor.offer(0, [np.zeros((32, 32, 1), np.uint8)], seeded=False)
    wait_for(lambda: value(monitor.metrics.sampled) == 1, "the other one")
    assert monitor.status()["message"].endswith("; images with a seed of the client's are left out.")


def test_a_monitor_that_fails_says_so_and_harms_nobody(
    opened: Opened, watch: Callable[..., QualityMonitor]
) -> None:
    def broken(images: Tensor) -> Tensor:
        raise RuntimeError("no memory")

    broken.digest, broken.dims = "d", 64  # type: ignore[attr-defined]
    monitor = watch(replace(opened.comparison, extractor=broken))
    monitor.offer(0, [np.zeros((32, 32, 1), np.uint8)], seeded=False)
    want = "Served images are no longer measured: the monitor failed (no memory)."
    wait_for(lambda: monitor.status().get("message") == want, "the failure")
    assert "window" not in monitor.status(), "none is being filled"
    monitor.offer(0, [np.zeros((32, 32, 1), np.uint8)] * 1000, seeded=False)
    assert value(monitor.metrics.dropped) == 0, "nothing waits for a monitor that is gone"


@pytest.mark.parametrize(
    ("fid", "want"),
    [
        ({"samples": None}, "manifest.json of the model has no fid.samples: serve an artifact"),
        ({"extractorDigest": "0" * 64}, "the extractor with sha256 0000.* put extractor.safetensors into"),
        ({"referenceDigest": "sha256:0"}, "reference statistics with digest sha256:0 are not here: put"),
        ({"samples": 2_000_000}, "would take 488 MiB of memory, more than 256: evaluate the model with"),
    ],
)  # fmt: skip
def test_what_can_t_be_measured_has_a_sentence(opened: Opened, fid: dict[str, Any], want: str) -> None:
    with pytest.raises(InputError, match=f"Served images are not measured, because .*{want}"):
        opened.open(**fid)


def test_an_extractor_that_ships_is_found_by_its_digest(opened: Opened) -> None:
    shipped = json.loads((PACKAGED_WEIGHTS / "fashion-mnist-uvit-tiny.json").read_text())["figures"]
    with pytest.raises(InputError, match="the reference statistics"):  # the next thing that is looked for
        opened.open(extractorDigest=shipped["extractorDigest"])


@pytest.mark.parametrize(
    ("spec", "want"),
    [
        (EngineSpec(steps=9), "drawn with steps 2, and here they are drawn with steps 9,"),
        (EngineSpec(steps=2, guidance=1.5), "with guidance 0.5, and here they are drawn with guidance 1.5,"),
        (EngineSpec(steps=1, guidance=0), "with steps 2 and guidance 0.5, .* with steps 1 and guidance 0,"),
    ],
)  # fmt: skip
def test_images_drawn_otherwise_are_measured_and_not_held_against_the_manifest(
    opened: Opened, watch: Callable[..., QualityMonitor], spec: EngineSpec, want: str
) -> None:
    comparison = opened.open(spec)
    assert comparison.own is None
    assert comparison.samples == SAMPLES
    status = watch(comparison).status()
    assert "evaluatedDistance" not in status
    assert re.search(want, status["message"])


def test_the_manifest_s_figure_is_the_one_in_the_precision_that_is_served(opened: Opened) -> None:
    served = [
        {"precision": "bf16", "sparse": "3.5"},
        {"precision": "fp16", "problem": "Some are not finite."},
    ]
    assert opened.open(precision="bf16", served=served).own == "3.5"
    assert opened.open(precision="bf16", served=[]).own == opened.manifest["fid"]["sparse"]
    assert opened.open(sparse="nan").own is None
    without = opened.open(precision="fp16", served=served)
    assert (without.own, without.note) == (
        None, "The manifest has no distance in fp16, so nothing is held against it.",
    )  # fmt: skip


@pytest.mark.parametrize(
    ("text", "want"),
    [
        ('{"samplePercent": 0}', "qualityMonitor.samplePercent: input should be greater than or equal to 1"),
        ('{"samplePercent": 101}', "qualityMonitor.samplePercent: input should be less than or equal to 100"),
        ('{"rate": 1}', "qualityMonitor.rate: extra inputs are not permitted"),
        ("[", "qualityMonitor: invalid JSON"),
    ],
)
def test_a_wrong_setting_is_named(text: str, want: str) -> None:
    with pytest.raises(ConfigError, match=want.replace(".", r"\.")):
        parse_quality(text)


def test_the_default_is_the_custom_resource_s() -> None:
    assert parse_quality("{}") == QualitySpec(sample_percent=10)


def test_a_broken_model_is_clearly_farther_from_the_reference() -> None:
    """The clothes of the shipped model, and of the same with a tenth of its weights lost."""
    extractor, _, _ = load_extractor(PACKAGED_WEIGHTS / "fashion-mnist-extractor.safetensors")
    config = PRESETS["fashion-mnist-uvit-tiny"]
    weights = load_file(PACKAGED_WEIGHTS / "fashion-mnist-uvit-tiny.safetensors")
    good, broken = build_model(config), build_model(config)
    good.load_state_dict(weights)
    lost = torch.Generator().manual_seed(0)
    broken.load_state_dict(
        {name: w * (torch.rand(w.shape, generator=lost) > 0.1) for name, w in weights.items()}
    )
    reference, samples = FrechetStats(), 80

    def draw(model: nn.Module, first: int) -> Tensor:
        labels = torch.arange(samples) % config.num_classes
        return sample(model.eval(), config, labels, range(first, first + samples), steps=6, guidance=0.5)

    reference.update(extractor(draw(good, 0)))
    comparison = Comparison("fd-x", samples, 10, extractor, reference, "sha256:x", None, "")

    def distance(model: nn.Module) -> float:
        window = comparison.window()
        for number, features in enumerate(extractor(draw(model, 10_000)).numpy()):
            window.add(number % config.num_classes, features)
        return comparison.distance(window)

    assert distance(broken) > 2 * distance(good)


def test_a_server_reports_the_quality_and_shows_it_in_its_metrics(artifact: Path, tmp_path: Path) -> None:
    operator, distance_metric = Operator(), 'sparsedm_quality_distance{metric="fd-test-cnn"}'
    env = {
        "SPARSEDM_QUALITY_MONITOR": '{"samplePercent": 100}',
        "SPARSEDM_LOAD_URL": operator.url.replace("/engine", "/load"),
    }
    engine = {"steps": 2, "maxBatchSize": 16, "maxQueue": 64}
    with ServerProcess(artifact, engine, tmp_path / "log", **env) as server:
        server.generate(prompt="left", n=16, seed=1)
        for sent, prompt in enumerate(("left behind the 4711 curtains", "right") * 4, start=1):
            assert server.generate(prompt=prompt, n=12).status_code == 200
            # A monitor that is busy leaves images out.
            wait_for(
                lambda sent=sent: server.metric("sparsedm_quality_sampled_images_total") == 12 * sent,
                "features of all images",
            )
        wait_for(lambda: distance_metric in server.client.get("/metrics").text, "a distance")
        assert server.metric("sparsedm_quality_sampled_images_total") == 96, "none of the client's own seed"
        assert server.metric("sparsedm_quality_window_images") == SAMPLES
        reported = wait_for(lambda: last_with_distance(operator), "a report with a distance")
    assert reported["evaluatedDistance"] == load_artifact(artifact)[1]["fid"]["sparse"]
    assert (reported["images"], reported["window"]) == (SAMPLES, SAMPLES)
    everything = json.dumps([body for _, _, body in operator.reports])
    assert "4711" not in everything, "no word of a prompt leaves the server"


def last_with_distance(operator: Operator) -> dict[str, Any] | None:
    found = [body["quality"] for _, body in operator.sent_to("/v1/services/ns/clothes/load")]
    return next((each for each in reversed(found) if "distance" in each), None)


def test_a_server_that_can_t_measure_serves_and_says_why(monkeypatch: pytest.MonkeyPatch) -> None:
    engine = FakeEngine(0.01)
    engine.gate.set()
    monkeypatch.setattr(Engine, "load", lambda *_: engine)
    reports: list[dict[str, Any]] = []

    def ask(body: dict[str, Any]) -> dict[str, Any]:
        reports.append(body)
        return {}

    async def main() -> None:
        config = ServeConfig(Path("model"), "clothes", EngineSpec(), None, "", 0, False, quality=ALL)
        service = Service(config, ask=ask)
        await service.start()
        try:
            images = await asyncio.gather(*service.submit(0, [1]))
            service.served(0, images, seeded=False)
            async with asyncio.timeout(30):
                while not reports:
                    await asyncio.sleep(0.01)
        finally:
            service.close()

    asyncio.run(main())
    assert reports[0]["quality"] == {
        "message": "Served images are not measured, because manifest.json of the model has no fid.metric: "
        "serve an artifact of a training with evaluation."
    }
