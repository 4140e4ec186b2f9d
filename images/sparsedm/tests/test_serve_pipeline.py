"""Whole pipelines behind the server: what diffusers draws, for many clients at once."""

from __future__ import annotations

import asyncio
import base64
import io
import json
from collections.abc import Awaitable, Callable, Iterator
from pathlib import Path
from typing import Any

import httpx
import numpy as np
import pytest
import torch
from diffusers import DiffusionPipeline
from PIL import Image
from safetensors.torch import load_file, save_file

from sparsedm.artifact.artifact import Identity, save_artifact
from sparsedm.artifact.pipeline import PipelineConfig, PipelineFiles
from sparsedm.errors import InputError
from sparsedm.pipelines.call import Drawing
from sparsedm.pipelines.folder import read_pipeline
from sparsedm.serve.app import create_app
from sparsedm.serve.config import EngineSpec, QualitySpec, ServeConfig
from sparsedm.serve.pipeline_engine import PipelineEngine
from sparsedm.serve.pipeline_preview import decoded
from sparsedm.serve.prompts import Guidance, Prompt
from sparsedm.serve.service import Service
from sparsedm.sparsity.layers import Selection, bake_masks, masks_for
from sparsedm.sparsity.pattern import Pattern
from tiny_pipelines import write_pipeline

SPEC = EngineSpec(steps=2, max_steps=3, max_batch_size=4, max_batch_delay_milliseconds=50)
SCALE = 3.0
RED = Prompt("red", (32, 32))
Scenario = Callable[[httpx.AsyncClient, PipelineEngine], Awaitable[None]]


def write_artifact(
    directory: Path, name: str = "StableDiffusion3Pipeline", change: Callable[[Path], None] = lambda _: None
) -> Path:
    """A pipeline whose blocks are masked 2:4. change: takes the folder of the dense one."""
    dense, pattern = write_pipeline(directory / "dense", name), Pattern(2, 4)
    change(dense)
    folder = read_pipeline(dense)
    network, _ = folder.load_denoiser()
    layers = [n for n, m in network.named_modules() if "blocks." in n and isinstance(m, torch.nn.Linear)]
    selection = Selection(tuple(n for n in layers if "norm" not in n), (), ())
    weights = bake_masks(network.state_dict(), masks_for(network.state_dict(), selection.selected, pattern))
    config = PipelineConfig.of(folder, 32, Drawing(2, SCALE))
    identity = Identity(name, config, None, pattern, selection)
    save_artifact(
        directory / "sparse", weights, identity, {}, {}, {},
        components=PipelineFiles(folder), file=config.weights_file,
    )  # fmt: skip
    return directory / "sparse"


@pytest.fixture(scope="module")
def artifact(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return write_artifact(tmp_path_factory.mktemp("pipeline"))


@pytest.fixture(scope="module")
def opened(artifact: Path) -> Any:
    pipeline = DiffusionPipeline.from_pretrained(artifact)
    pipeline.set_progress_bar_config(disable=True)
    return pipeline


@pytest.fixture
def engine(artifact: Path) -> PipelineEngine:
    return PipelineEngine.load(artifact, SPEC, device=torch.device("cpu"))


@pytest.fixture
def calls(engine: PipelineEngine) -> Iterator[list[int]]:
    """The size of each batch that the network gets."""
    seen: list[int] = []
    hook = engine._model.register_forward_pre_hook(
        lambda module, inputs, named: seen.append(len(named["hidden_states"])), with_kwargs=True
    )
    yield seen
    hook.remove()


def expected(opened: Any, seed: int, **arguments: Any) -> np.ndarray:
    settings = {"prompt": "red", "num_inference_steps": 2, "guidance_scale": SCALE, "height": 32, "width": 32}
    generator = torch.Generator().manual_seed(seed)
    return np.asarray(opened(**{**settings, **arguments}, generator=generator).images[0])


def assert_alike(image: np.ndarray, want: np.ndarray) -> None:
    """But for the rounding of a value that another batch left at another last digit."""
    assert image.shape == want.shape
    assert int(np.abs(image.astype(int) - want).max()) <= 1


def serve(artifact: Path, scenario: Scenario) -> None:
    async def main() -> None:
        config = ServeConfig(artifact, "art", SPEC, None, "", 0, False, quality=QualitySpec())
        service = Service(config)
        await service.start()
        transport = httpx.ASGITransport(create_app(service), raise_app_exceptions=False)
        try:
            async with (
                asyncio.timeout(300),
                httpx.AsyncClient(transport=transport, base_url="http://x", timeout=300) as client,
            ):
                await scenario(client, service.engine)
        finally:
            service.close()

    asyncio.run(main())


async def drawn(client: httpx.AsyncClient, **body: Any) -> list[np.ndarray]:
    answer = await client.post("/v1/images/generations", json={"prompt": "red", **body})
    assert answer.status_code == 200, answer.text
    images = [base64.b64decode(datum["b64_json"]) for datum in answer.json()["data"]]
    return [np.asarray(Image.open(io.BytesIO(image))) for image in images]


def test_clients_get_what_diffusers_draws(artifact: Path, opened: Any) -> None:
    async def scenario(client: httpx.AsyncClient, engine: PipelineEngine) -> None:
        plain, other, guided, small = await asyncio.gather(
            drawn(client, seed=1, n=2),
            drawn(client, seed=3),
            drawn(client, seed=4, guidance_scale=5, negative_prompt="blue", num_inference_steps=3),
            drawn(client, seed=5, size="32x16"),
        )
        for seed, image in zip((1, 2, 3), (*plain, *other), strict=True):
            assert_alike(image, expected(opened, seed))
        changes = {"guidance_scale": 5.0, "negative_prompt": "blue", "num_inference_steps": 3}
        assert_alike(guided[0], expected(opened, 4, **changes))
        assert_alike(small[0], expected(opened, 5, width=32, height=16))
        model = (await client.get("/v1/models/art")).json()
        assert (model["size"], model["pattern"]) == ("32x32", "2:4")
        body = {"prompt": "red", "seed": 1, "stream": True, "partial_images": 1}
        async with client.stream("POST", "/v1/images/generations", json=body) as stream:
            events = [json.loads(line[6:]) async for line in stream.aiter_lines() if line[:6] == "data: "]
        kinds = ["image_generation.partial_image", "image_generation.completed"]
        assert [event["type"] for event in events] == kinds
        partial, image = (
            np.asarray(Image.open(io.BytesIO(base64.b64decode(event["b64_json"])))) for event in events
        )
        assert_alike(image, plain[0])
        assert partial.shape == image.shape
        assert not np.array_equal(partial, image)
        assert events[1]["usage"]["output_tokens"] == 64

    serve(artifact, scenario)


@pytest.mark.parametrize(
    ("body", "says"),
    [
        ({"size": "64x64"}, "size must be auto, 32x32, or a width and height that are multiples of 4"),
        ({"size": "30x16"}, "multiples of 4, each at most 64, of no more than 1024 pixels"),
        ({"num_inference_steps": 4}, "num_inference_steps must be at most 3"),
        ({"prompt": "red " * 12}, "and this model reads 12. Shorten the prompt."),
        ({"negative_prompt": "blue", "guidance_scale": 1}, "write a guidance_scale above 1 beside it"),
    ],
)
def test_what_a_pipeline_does_not_take_is_refused_by_name(
    body: dict[str, Any], says: str, served: Callable[[dict[str, Any]], httpx.Response]
) -> None:
    answer = served(body)
    assert (answer.status_code, says in answer.json()["error"]["message"]) == (400, True), answer.text


@pytest.fixture(scope="module")
def served(artifact: Path) -> Iterator[Callable[[dict[str, Any]], httpx.Response]]:
    """One server for all refusals."""
    loop = asyncio.new_event_loop()
    service = Service(ServeConfig(artifact, "art", SPEC, None, "", 0, False))
    loop.run_until_complete(service.start())
    transport = httpx.ASGITransport(create_app(service))

    async def ask(body: dict[str, Any]) -> httpx.Response:
        async with httpx.AsyncClient(transport=transport, base_url="http://x") as client:
            return await client.post("/v1/images/generations", json={"prompt": "red", **body})

    yield lambda body: loop.run_until_complete(ask(body))
    service.close()
    loop.run_until_complete(asyncio.sleep(0))
    loop.close()


def test_images_of_equal_settings_are_drawn_together(engine: PipelineEngine, calls: list[int]) -> None:
    rows = [engine.begin(RED, seed) for seed in range(2)]
    rows += [engine.begin(RED, 2, guidance=Guidance(0.0)), engine.begin(RED, 3, steps=3)]
    engine.advance(rows)
    # With guidance, two predictions of an image; without it one.
    assert calls == [4, 1, 2]
    assert [row.left for row in rows] == [1, 1, 1, 2]
    engine.advance(rows)
    assert [row.left for row in rows] == [0, 0, 0, 1]
    images = engine.finish(rows[:3])
    late = [engine.begin(RED, seed) for seed in (1, 9)]
    engine.advance([rows[3], *late])
    engine.advance(late)
    assert_alike(engine.finish(late)[0], images[1])
    assert calls[3:] == [4, 1, 2, 2, 4, 4]


def test_a_run_that_nobody_waits_for_takes_no_further_step(engine: PipelineEngine, calls: list[int]) -> None:
    first, second = (engine.begin(RED, seed, steps=3) for seed in range(2))
    other = engine.begin(RED, 2, steps=2)
    engine.advance([first, second, other])
    run = first.run
    engine.leave([first])
    engine.advance([second, other])
    assert calls == [4, 2] * 2, "the call goes on for the other of its images"
    engine.leave([second])
    assert not run._thread.is_alive()
    assert (second.left, second.run) == (3, None)
    assert len(calls) == 4
    assert isinstance(engine.finish([other])[0], np.ndarray)


def test_a_batch_without_room_is_drawn_in_halves(
    engine: PipelineEngine, opened: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    forward = engine._model.forward

    def small(*inputs: Any, **named: Any) -> Any:
        if len(named["hidden_states"]) > 4:
            raise torch.OutOfMemoryError("no room")
        return forward(*inputs, **named)

    monkeypatch.setattr(engine._model, "forward", small)
    images = engine.draw([RED] * 4, range(4))
    assert engine.places == 2
    for seed, image in enumerate(images):
        assert_alike(image, expected(opened, seed))


def test_a_failed_call_is_made_again_for_each_image_alone(
    engine: PipelineEngine, calls: list[int], monkeypatch: pytest.MonkeyPatch
) -> None:
    """As the batcher does it: the bad one fails alone, at whichever step, and the others are drawn."""
    forward, bad = engine._pipeline.vae.decode, engine.begin(Prompt("bad", (32, 32)), 1)
    rows = [engine.begin(RED, 0), bad]

    def decode(latents: torch.Tensor, *inputs: Any, **named: Any) -> Any:
        if len(latents) == 2 or (bad.run is not None and bad.run.left == 0):
            raise ValueError("not these")
        return forward(latents, *inputs, **named)

    monkeypatch.setattr(engine._pipeline.vae, "decode", decode)
    engine.advance(rows)
    with pytest.raises(ValueError, match="not these"):
        engine.advance(rows)
    assert [(row.left, row.run) for row in rows] == [(2, None)] * 2
    calls.clear()
    for row in rows:
        engine.advance([row])
    assert calls == [2, 2]
    with pytest.raises(ValueError, match="not these"):
        engine.advance(rows)
    with pytest.raises(ValueError, match="not these"):
        engine.advance([bad])
    assert isinstance(engine.finish(rows[:1])[0], np.ndarray)


def test_products_are_measured_at_the_rows_that_they_get(engine: PipelineEngine) -> None:
    rows = engine.rows
    assert set(rows) == {layer["name"] for layer in engine.manifest["layers"]}
    # 8x8 positions of an image, or 12 + 256 tokens of a text; four images, each with and without guidance.
    assert rows["transformer_blocks.0.attn.to_q"] == 4 * 2 * 64
    assert rows["transformer_blocks.0.attn.add_q_proj"] == 4 * 2 * (12 + 256)


def test_a_part_that_is_not_finite_is_refused(tmp_path: Path) -> None:
    def spoil(folder: Path) -> None:
        file = folder / "vae/diffusion_pytorch_model.safetensors"
        weights = load_file(file)
        weights["decoder.conv_in.bias"][0] = float("nan")
        save_file(weights, file, metadata={"format": "pt"})

    with pytest.raises(InputError, match=r"vae hold NaN or infinity in decoder\.conv_in\.bias"):
        PipelineEngine.load(write_artifact(tmp_path, change=spoil), SPEC, device=torch.device("cpu"))


@pytest.mark.parametrize("name", ["StableDiffusionPipeline", "FluxPipeline", "SanaPipeline", "WanPipeline"])
def test_other_pipelines_are_served_alike(name: str, tmp_path: Path) -> None:
    engine = PipelineEngine.load(write_artifact(tmp_path, name), SPEC, device=torch.device("cpu"))
    first, second = drawn_with_a_preview(engine)
    assert not np.array_equal(first, second)


def drawn_with_a_preview(engine: PipelineEngine) -> list[Any]:
    """Two images. What their last step goes towards, decoded alone, is the image itself."""
    rows = [engine.begin(Prompt(text, (32, 32)), 1) for text in ("red", "blue")]
    engine.advance(rows)
    run, partial = rows[1].run, engine.preview(rows[1])
    engine.advance(rows)
    images = engine.finish(rows)
    assert partial.shape == images[0].shape == images[1].shape == (32, 32, 3)
    end = decoded(engine._pipeline, run.ends[1:], engine._arguments(rows[1:]))
    assert_alike((end * 255).round().astype(np.uint8), images[1])
    return images


def test_schedulers_say_where_a_step_goes_or_there_is_no_partial_image(tmp_path: Path) -> None:
    import diffusers

    artifact = write_artifact(tmp_path, "StableDiffusionPipeline")
    engine = PipelineEngine.load(artifact, SPEC, device=torch.device("cpu"))
    for name in ("EulerDiscrete", "DPMSolverMultistep", "UniPCMultistep"):
        scheduler = getattr(diffusers, f"{name}Scheduler")
        engine._pipeline.scheduler = scheduler.from_config(engine._pipeline.scheduler.config)
        drawn_with_a_preview(engine)
    row = engine.begin(Prompt("red", (32, 32)), 1)
    engine.advance([row])
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(engine._pipeline.vae, "decode", None)
        assert engine.preview(row) is None, "the image is worth more than a look at it"
    engine.advance([row])
    engine._pipeline.scheduler = diffusers.PNDMScheduler(skip_prk_steps=True)
    row = engine.begin(Prompt("red", (32, 32)), 1)
    engine.advance([row])
    assert engine.preview(row) is None
    while row.left:
        engine.advance([row])
    assert isinstance(engine.finish([row])[0], np.ndarray)
