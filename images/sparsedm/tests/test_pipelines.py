"""Whole pipelines of diffusers: recorded, trained on, measured, written, and opened again."""

from __future__ import annotations

import io
import json
import multiprocessing
import os
import shutil
import sys
from pathlib import Path
from socket import socket
from typing import Any

import numpy as np
import pytest
import torch
from safetensors.torch import load_file, save_file

from sparsedm.cli import main
from sparsedm.errors import ConfigError, InputError
from sparsedm.measure.clip import ClipScore
from sparsedm.measure.evaluator import image_seeds
from sparsedm.measure.extractor import Classifier
from sparsedm.pipelines import record
from sparsedm.pipelines.call import Drawing, draw
from sparsedm.pipelines.folder import read_pipeline
from sparsedm.pipelines.images import psnr, ssim
from sparsedm.pipelines.objective import RecordedBatch, RecordedObjective
from sparsedm.pipelines.prompts import hold_out
from sparsedm.pipelines.record import Call, Order, Recorder
from sparsedm.pipelines.recording import BatchOrder, Recording
from sparsedm.pipelines.selection import select_of_call, watch
from sparsedm.runtime.progress import Console
from sparsedm.runtime.report_client import ReportClient
from sparsedm.runtime.stop import StopSignal
from sparsedm.sparsity.masks import group_counts
from sparsedm.sparsity.pattern import Pattern
from sparsedm.training.config import parse_config
from sparsedm.training.describe_pipeline import memory_of
from sparsedm.training.ended import result_of
from sparsedm.training.finetune import train
from sparsedm.training.pipeline import PipelineFinetune
from text_tools import write_clip
from tiny_pipelines import PIPELINES, write_pipeline

FAST = "StableDiffusion3Pipeline"
WITHOUT_MODULATION = ("PixArtSigmaPipeline", "SanaPipeline", "WanPipeline")
"""Whose blocks add a table to one modulation, which lies outside of them."""


class Place:
    """Pipelines that are written once, prompts and an extractor."""

    def __init__(self, directory: Path) -> None:
        self.directory = directory
        metadata = {"name": "test-cnn", "channels": "3", "classes": "2"}
        torch.manual_seed(1)
        save_file(Classifier(3, 2).state_dict(), directory / "extractor.safetensors", metadata=metadata)
        (directory / "prompts.txt").write_text("a red ball\na green ball\n\na blue ball\n")

    def pipeline(self, name: str) -> Path:
        folder = self.directory / name
        return folder if folder.exists() else write_pipeline(folder, name)

    def spec(self, name: str, output: str, **changes: Any) -> dict[str, Any]:
        """`training__steps=3` changes training.steps."""
        root = self.directory
        spec: dict[str, Any] = {
            "model": {"architecture": "pipeline", "pretrained": {"uri": f"file://{self.pipeline(name)}"}},
            "dataset": {"format": "prompts", "uri": f"file://{root}/prompts.txt", "imageSize": 32,
                        "callsPerTrajectory": 2, "guidanceScale": "4"},
            "training": {"steps": 3, "batchSize": 2, "warmupSteps": 1},
            "sparsity": {},
            "evaluation": {"samples": 4, "steps": 2,
                           "extractorUri": f"file://{root}/extractor.safetensors"},
            "output": {"uri": f"file://{root / output}"},
        }  # fmt: skip
        for path, value in changes.items():
            part, field = path.split("__")
            spec.setdefault(part, {})[field] = value
        return spec

    def train(self, spec: dict[str, Any]) -> dict[str, Any]:
        console = Console(io.StringIO())
        config, client = parse_config(spec), ReportClient(None, None)
        return train(config, client, console, StopSignal(), kind=PipelineFinetune)


@pytest.fixture(scope="module")
def place(tmp_path_factory: pytest.TempPathFactory) -> Place:
    return Place(tmp_path_factory.mktemp("pipelines"))


@pytest.mark.parametrize("name", PIPELINES)
def test_a_dense_pipeline_becomes_a_sparse_one_that_diffusers_opens(place: Place, name: str) -> None:
    from diffusers import DiffusionPipeline, WanPipeline

    manifest = place.train(place.spec(name, f"{name}-out"))
    out, folder = place.directory / f"{name}-out", read_pipeline(place.pipeline(name))
    assert main(["verify", str(out)]) == 0
    assert manifest["sparsity"]["compliant"]
    assert float(manifest["macs"]["reductionPercent"]) > 25
    layers = [layer["name"] for layer in manifest["layers"]]
    if name == "WanPipeline":  # of which diffusers reads the transformer only with accelerate
        opened = WanPipeline.from_pretrained(out, transformer=read_pipeline(out).load_denoiser()[0])
    else:
        opened = DiffusionPipeline.from_pretrained(out)
    assert type(opened).__name__ == name
    denoiser = getattr(opened, folder.denoiser).state_dict()
    for layer in layers:
        assert int(group_counts(denoiser[f"{layer}.weight"], 4).max()) == 2
    left = {entry["name"]: entry["reason"] for entry in manifest["skippedLayers"]}
    assert any(reason.startswith("outside") for reason in left.values())
    assert any("modulation" in reason for reason in left.values()) != (name in WITHOUT_MODULATION)
    dense, _ = folder.load_denoiser()
    outside = next(n for n, reason in left.items() if reason.startswith("outside"))
    assert not torch.equal(denoiser[f"{layers[0]}.weight"], dense.state_dict()[f"{layers[0]}.weight"])
    assert int((denoiser[f"{outside}.weight"] == 0).sum()) == int(
        (dense.state_dict()[f"{outside}.weight"] == 0).sum()
    )
    assert "PSNR of a sparse image to the dense one" in (out / "report.html").read_text()
    images = manifest["quality"]["images"]
    assert images["compared"] == 4
    assert -1 <= float(images["ssim"]) < 1
    assert 0 < float(images["psnr"]) < 100
    assert float(images["secondsPerImage"]["sparse"]) > 0
    assert manifest["fid"]["metric"] == "fd-test-cnn-dense-samples"


@pytest.fixture(scope="module")
def recorded(place: Place) -> Recording:
    """Of the fast pipeline, by the command, after the prompts that a run would record."""
    out = place.directory / "recording"
    (place.directory / "two.txt").write_text("a red ball\na green ball\n")
    command = ["record", str(place.pipeline(FAST)), str(place.directory / "two.txt"), str(out)]
    assert main([*command, "--steps", "2", "--calls", "2", "--size", "32", "--guidance", "4"]) == 0
    return Recording(out)


def test_a_recording_is_what_the_pipeline_did(place: Place, recorded: Recording) -> None:
    """The dense denoiser returns again what is recorded, and what calls have in common is kept once."""
    network, _ = read_pipeline(place.pipeline(FAST)).load_denoiser()
    assert [len(group) for group in recorded.groups] == [4]
    for number in range(4):
        call = recorded.call(number)
        with torch.no_grad():
            out = network.eval()(**call.arguments)[0]
        torch.testing.assert_close(out, call.output, rtol=1e-4, atol=1e-5)
    assert call.rows == 2  # guidance: without and with the prompt
    trajectories = [recorded.call(number).arguments for number in (0, 1)]
    assert not torch.equal(*(one["hidden_states"] for one in trajectories))
    file = recorded.folder / "shard-00000.safetensors"
    texts = [one for one in load_file(file).values() if one.ndim == 3]
    assert len(texts) == 2  # two prompts in four calls
    assert [path.name for path in sorted((recorded.folder / "images").iterdir())] == [
        "00000.png",
        "00001.png",
    ]


def test_a_run_on_a_recording_is_the_run_that_records_and_its_bytes_are_the_same(
    place: Place, recorded: Recording
) -> None:
    clip = write_clip(place.directory / "clip")
    spec = place.spec(FAST, "records", evaluation__clipUri=f"file://{clip}")
    shared = place.spec(FAST, "shares", evaluation__dataset={
        "format": "prompts", "uri": spec["dataset"]["uri"],
    }, dataset__format="recording", dataset__uri=f"file://{recorded.folder}")  # fmt: skip
    del shared["dataset"]["imageSize"], shared["dataset"]["callsPerTrajectory"]
    del shared["dataset"]["guidanceScale"]
    first, second = place.train(spec), place.train(shared)
    own = place.directory / "records/recording/shard-00000.safetensors"
    assert own.read_bytes() == (recorded.folder / own.name).read_bytes()
    assert first["weights"]["sha256"] == second["weights"]["sha256"]
    assert first["components"] == second["components"]
    assert second["config"]["guidance"] == "4"
    drawing, prompts = Drawing(2, 4.0, 32), ["a blue ball"] * 4
    dense = read_pipeline(place.pipeline(FAST)).open(torch.float32, torch.device("cpu"))
    images = draw(dense, prompts, image_seeds(0, 0, 4), drawing)
    found = first["quality"]["images"]["clip"]
    assert float(found["dense"]) == pytest.approx(
        float(ClipScore(clip, torch.device("cpu"))(images, prompts).mean()), abs=0.01
    )
    assert found["sparse"] != found["dense"]
    assert result_of(parse_config(spec), first)["images"]["clip"] == found
    assert "CLIP score of an image and its prompt" in (place.directory / "records/report.html").read_text()
    assert "clip" not in second["quality"]["images"]


def test_a_recording_goes_on_at_its_first_file_that_is_not_whole(
    place: Place, recorded: Recording, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(record, "SHARD_BYTES", 1)  # a file for each trajectory
    folder, out = read_pipeline(place.pipeline(FAST)), place.directory / "resumed"
    order = Order(["a red ball", "a green ball"], Drawing(2, 4.0, 32), 2, 0)
    drawn: list[int] = []

    def stopped(calls: int) -> None:
        drawn.append(calls)
        if len(drawn) == 2:
            raise KeyboardInterrupt

    def recorder(on_trajectory: Any) -> Recorder:
        return Recorder(
            folder, order, out, torch.float32, torch.device("cpu"), "x", None, print, on_trajectory
        )

    with pytest.raises(KeyboardInterrupt):
        recorder(stopped).run()
    assert not (out / "recording.json").exists()
    again: list[int] = []
    recorder(again.append).run()
    assert (drawn, again) == ([2, 2], [0, 2])
    for number in range(4):
        torch.testing.assert_close(
            Recording(out).call(number).output, recorded.call(number).output, rtol=0, atol=0
        )
    other = Order(order.prompts, order.drawing, 1, 0)
    with pytest.raises(InputError, match="other settings"):
        Recorder(folder, other, out, torch.float32, torch.device("cpu"), "x").run()


def test_refreshed_states_are_the_students_and_their_answers_the_dense_ones(
    place: Place, recorded: Recording
) -> None:
    folder, cpu = read_pipeline(place.pipeline(FAST)), torch.device("cpu")
    (dense, _), (student, _) = folder.load_denoiser(), folder.load_denoiser()
    with torch.no_grad():
        student.proj_out.weight.mul_(1.5)
    order = Order(["a red ball"], Drawing(2, 4.0, 32), 2, 0, first=2)
    out = place.directory / "refreshed"
    Recorder(folder, order, out, torch.float32, cpu, "x", student=student).run()
    pipeline, calls = folder.open(torch.float32, cpu, student), []
    forward = student.forward
    student.forward = lambda **named: calls.append(named["hidden_states"].clone()) or forward(**named)
    pipeline("a red ball", num_inference_steps=2, guidance_scale=4.0, height=32, width=32,
             generator=[torch.Generator().manual_seed(image_seeds(0, 1, 3)[2])])  # fmt: skip
    found = Recording(out)
    for number, state in enumerate(calls):
        call = found.call(number)
        torch.testing.assert_close(call.arguments["hidden_states"], state)
        with torch.no_grad():
            torch.testing.assert_close(call.output, dense.eval()(**call.arguments)[0])
            assert not torch.allclose(call.output, forward(**call.arguments)[0], rtol=0.1)
    assert len(calls) == len(found) == 2


def test_a_run_that_refreshes_resumes_to_the_same_end(place: Place) -> None:
    """Refreshed at steps 2 and 4; killed in step 3, whose batch is of the first, and in step 4."""
    spec = place.spec(FAST, "fresh", training__steps=6, training__refreshSteps=2)
    spec["checkpoint"] = {"everySteps": 1, "keep": 100}
    plain = place.spec(FAST, "stale", training__steps=6)
    whole, stale = place.train(spec), place.train(plain)
    assert whole["weights"]["sha256"] != stale["weights"]["sha256"]
    for step in (3, 4):
        out = place.directory / f"fresh-{step}"
        for part in ("recording", "checkpoints"):
            shutil.copytree(place.directory / "fresh" / part, out / part)
        for later in range(step + 1, 7):
            shutil.rmtree(out / f"checkpoints/step-{later:08d}")
        shutil.rmtree(out / "recording/refresh-00000004")
        resumed = place.train({**spec, "output": {"uri": f"file://{out}"}})
        assert resumed["weights"]["sha256"] == whole["weights"]["sha256"]
        shard = "recording/refresh-00000004/shard-00000.safetensors"
        assert (out / shard).read_bytes() == (place.directory / "fresh" / shard).read_bytes()
    (out / "manifest.json").unlink()
    shutil.rmtree(out / "checkpoints/step-00000006")
    shutil.rmtree(out / "recording/refresh-00000004")
    with pytest.raises(InputError, match="was recorded at step 4, is missing"):
        place.train({**spec, "output": {"uri": f"file://{out}"}})


def test_joined_calls_have_the_loss_of_calls_one_by_one(place: Place, recorded: Recording) -> None:
    student, _ = read_pipeline(place.pipeline(FAST)).load_denoiser()
    objective, cpu = RecordedObjective(student, "fp32", False), torch.device("cpu")
    assert objective.can_join(recorded, cpu)
    with torch.no_grad():
        student.proj_out.weight.mul_(1.1)
    numbers = np.arange(4)
    joined, alone = (objective(RecordedBatch(recorded, numbers, how, cpu)) for how in (True, False))
    assert float(joined.detach()) > 1e-6
    torch.testing.assert_close(joined, alone)
    parts = list(RecordedBatch(recorded, numbers, True, cpu).parts(2))
    torch.testing.assert_close(sum(objective(part) for part in parts) / 2, joined)


@pytest.mark.parametrize(
    "changes",
    [
        {"training__precision": "bf16", "training__gradientCheckpointing": True, "sparsity__method": "cast"},
        {
            "sparsity__layers": {"include": ["*.ff.*"], "exclude": ["*.1.ff.*"]},
            "sparsity__pattern": "1:4",
            "evaluation__servedPrecisions": ["bf16"],
        },
    ],
)
def test_methods_precisions_and_layers_are_those_of_other_models(
    place: Place, changes: dict[str, Any]
) -> None:
    manifest = place.train(place.spec(FAST, "-".join(changes), **changes))
    assert manifest["sparsity"]["compliant"]
    if "sparsity__layers" in changes:
        names = [layer["name"] for layer in manifest["layers"]]
        assert names
        assert all(".0.ff." in name for name in names)
        assert manifest["fid"]["served"][0]["precision"] == "bf16"


def test_training_brings_the_images_nearer_to_the_dense_ones_than_masks_alone(place: Place) -> None:
    """Masks alone take one recorded trajectory, which tells the layers, and as many as calibration asks
    for."""
    prompts = [
        f"a {colour} {thing}" for colour in ("red", "blue", "grey") for thing in ("ball", "car", "hat")
    ]
    (place.directory / "nine.txt").write_text("\n".join(prompts))
    found = {}
    training = {"training__steps": 60, "training__batchSize": 8, "training__learningRate": "0.002"}
    for name, changes in {
        "masks": {"sparsity__method": "masked-dense"},
        "obs": {
            "sparsity__method": "masked-dense",
            "sparsity__maskType": "obs",
            "sparsity__calibrationSamples": 9,
        },
        "training": training,
        "adafactor": {**training, "training__optimizer": "adafactor"},
    }.items():
        spec = place.spec(FAST, name, dataset__uri=f"file://{place.directory}/nine.txt", **changes)
        if name in ("masks", "obs"):
            spec["training"] = {}
        found[name] = place.train(spec)
    masks, *trained = (found[name]["quality"]["images"] for name in ("masks", "training", "adafactor"))
    assert found["masks"]["provenance"]["recording"]["trajectories"] == 1
    assert found["obs"]["provenance"]["recording"]["trajectories"] == 5
    assert float(found["obs"]["quality"]["images"]["psnr"]) > float(masks["psnr"]) + 1
    assert found["masks"]["sparsity"]["achieved"] == found["obs"]["sparsity"]["achieved"] == "0.5"
    for images in trained:
        assert float(images["psnr"]) > float(masks["psnr"]) + 3, (masks, images)
        assert float(images["ssim"]) > float(masks["ssim"])


def test_a_dry_run_tells_layers_memory_and_disk_and_writes_nothing(
    place: Place, capsys: pytest.CaptureFixture[str]
) -> None:
    config = place.directory / "dry.json"
    config.write_text(json.dumps(place.spec(FAST, "dry", training__refreshSteps=2)))
    assert main(["train", "--dry-run", "--config", str(config)]) == 0
    told = capsys.readouterr().out
    assert "transformer_blocks.0.attn.to_q" in told
    assert "applied once to an image, as modulation is" in told
    assert "Recording 2 trajectories of 2 calls, 2 of each kept: about 0.2 MiB in 1 file." in told
    assert "Every 2 steps the sparse pipeline draws a trajectory, whose states" in told
    assert "a checkpoint" in told
    assert not (place.directory / "dry").exists()


@pytest.mark.parametrize(
    ("name", "parameters", "layers", "adamw", "adafactor"),
    [
        ("SD3Transformer2DModel", "2,028,328,000", 285, "45,066", "29,602"),
        ("FluxTransformer2DModel", "11,901,408,320", 418, "268,041", "177,273"),
    ],
)
def test_layers_and_memory_of_published_sizes(
    name: str, parameters: str, layers: int, adamw: str, adafactor: str
) -> None:
    """Stable Diffusion 3 medium and FLUX.1-dev at 512 pixels, by their shapes alone: docs/pipelines.md has
    the figures."""
    import diffusers

    with torch.device("meta"):
        if name.startswith("SD3"):
            shape = {
                "sample_size": 128, "num_layers": 24, "num_attention_heads": 24, "attention_head_dim": 64,
                "caption_projection_dim": 1536, "pos_embed_max_size": 192,
            }  # fmt: skip
            arguments = {
                "hidden_states": torch.empty(2, 16, 64, 64), "timestep": torch.empty(2),
                "encoder_hidden_states": torch.empty(2, 333, 4096),
                "pooled_projections": torch.empty(2, 2048),
            }  # fmt: skip
        else:
            shape = {"guidance_embeds": True}
            arguments = {
                "hidden_states": torch.empty(1, 1024, 64), "timestep": torch.empty(1),
                "guidance": torch.empty(1), "encoder_hidden_states": torch.empty(1, 512, 4096),
                "pooled_projections": torch.empty(1, 768), "txt_ids": torch.empty(512, 3),
                "img_ids": torch.empty(1024, 3),
            }  # fmt: skip
        network = getattr(diffusers, name)(**shape).eval()
        rows = len(arguments["timestep"])
        positions, _ = watch(network, Call(arguments, arguments["hidden_states"]))
    found = select_of_call(network, positions, rows, Pattern(2, 4), (), ())
    for optimizer, mebibytes in (("adamw", adamw), ("adafactor", adafactor)):
        config = parse_config(place_of_nothing(training={"optimizer": optimizer}))
        told = memory_of(network, found.selected, config)
        assert f"{parameters} parameters, " in told
        assert f" of them in {layers} masked layers. Training takes {mebibytes} MiB" in told


def place_of_nothing(**parts: Any) -> dict[str, Any]:
    """A configuration whose files are nowhere."""
    return {
        "model": {"architecture": "pipeline", "pretrained": {"uri": "file:///none"}},
        "dataset": {"format": "prompts", "uri": "file:///none"},
        "output": {"uri": "file:///none"},
        **parts,
    }


def test_an_artifact_is_measured_again_as_the_run_measured_it(
    place: Place, capsys: pytest.CaptureFixture[str]
) -> None:
    clip, out = place.directory / "clip", place.directory / "records"
    clip = clip if clip.exists() else write_clip(clip)
    manifest = place.train(place.spec(FAST, out.name, evaluation__clipUri=f"file://{clip}"))
    (place.directory / "held-out.txt").write_text("a blue ball\n")
    given = {
        "--model": out, "--dense": place.pipeline(FAST), "--prompts": place.directory / "held-out.txt",
        "--clip": clip, "--extractor": place.directory / "extractor.safetensors", "--samples": 4,
        "--steps": 2,
    }  # fmt: skip
    command = ["evaluate", *(str(each) for pair in given.items() for each in pair)]
    assert main([*command, "--json"]) == 0
    found = json.loads(capsys.readouterr().out)
    for name in ("metric", "dense", "sparse", "referenceDigest", "guidance"):
        assert found[name] == manifest["fid"][name]
    for name in ("psnr", "ssim", "clip"):
        assert found["quality"]["images"][name] == manifest["quality"]["images"][name]
    assert main([*command, "--data", "x"]) == 2
    assert "--data says nothing of a pipeline" in capsys.readouterr().err
    other = place.pipeline("FluxPipeline")
    assert main([*command, "--dense", str(other)]) == 3
    assert "name the pipeline that it was made of" in capsys.readouterr().err


def test_inspect_and_verify_know_a_pipeline_and_other_commands_refuse_it(
    place: Place, capsys: pytest.CaptureFixture[str]
) -> None:
    out = place.directory / f"{FAST}-out"
    if not out.exists():
        place.train(place.spec(FAST, out.name))
    assert main(["inspect", str(out)]) == 0
    assert "macs of a call:" in capsys.readouterr().out
    assert main(["export", str(out), "--out", str(place.directory / "e")]) == 3
    assert "is a whole pipeline" in capsys.readouterr().err
    file = out / "scheduler/scheduler_config.json"
    whole = file.read_text()
    file.write_text(whole + " ")
    assert main(["verify", str(out)]) == 3
    assert "scheduler_config.json is not the file" in capsys.readouterr().err
    file.write_text(whole)


def test_an_epoch_sees_every_call_and_a_batch_one_group() -> None:
    groups = [np.arange(5), np.arange(5, 8)]
    order = BatchOrder(groups, 2, seed=3)
    for epoch in range(2):
        batches = [order.batch(step).tolist() for step in range(epoch * 5, epoch * 5 + 5)]
        assert {number for batch in batches for number in batch} == set(range(8))
        assert all(len({number < 5 for number in batch}) == 1 for batch in batches)
    assert [order.batch(step).tolist() for step in range(5)] != batches
    assert BatchOrder(groups, 2, seed=3).batch(7).tolist() == order.batch(7).tolist()


def test_images_are_compared_as_published() -> None:
    """PSNR's worked example; SSIM of Wang et al. of two flat images is (2ab + C1) / (a^2 + b^2 + C1)."""
    flat = torch.zeros(1, 3, 16, 16)
    torch.testing.assert_close(psnr(flat, flat + 0.2), torch.tensor([20.0]), rtol=1e-4, atol=0)
    assert psnr(flat, flat).item() == 100
    found = float(ssim(flat + 0.5, flat + 0.3))
    c1 = (0.01 * 2) ** 2
    assert found == pytest.approx((2 * 0.15 + c1) / (0.25 + 0.09 + c1), abs=1e-6)
    noise = torch.rand(2, 3, 16, 16, generator=torch.Generator().manual_seed(0)) * 2 - 1
    torch.testing.assert_close(ssim(noise, noise), torch.ones(2, dtype=torch.float64))
    assert float(ssim(noise[:1], noise[1:])) < 0.3


def test_every_tenth_prompt_is_held_out_with_its_repetitions() -> None:
    prompts = [f"p{i}" for i in range(20)] + ["p9"]
    trained, held_out = hold_out(prompts, "dataset.uri")
    assert held_out == ["p9", "p19"]
    assert len(trained) == 18
    assert hold_out(["a", "b"], "dataset.uri") == (["a"], ["b"])
    with pytest.raises(InputError, match=r"^dataset.uri holds one prompt"):
        hold_out(["a", "a"], "dataset.uri")


def test_what_a_pipeline_cannot_do_is_refused_by_the_name_of_the_field(place: Place) -> None:
    with pytest.raises(ConfigError, match=r"dataset\.imageSize"):
        place.train(place.spec(FAST, "odd", dataset__imageSize=33))
    folder = place.directory / "strange"
    folder.mkdir()
    with pytest.raises(InputError, match=r"write model\.architecture: diffusers"):
        read_pipeline(folder)
    index = {"_class_name": "WanPipeline", "transformer": ["diffusers", "WanTransformer3DModel"]}
    for changes, sentence in (
        ({"transformer_2": ["diffusers", "WanTransformer3DModel"]}, "transformer and transformer_2"),
        ({"transformer": ["mine", "MyModel"]}, "MyModel is no class of diffusers"),
    ):
        (folder / "model_index.json").write_text(json.dumps({**index, **changes}))
        with pytest.raises(InputError, match=rf"model\.pretrained\.uri.*{sentence}"):
            read_pipeline(folder)


@pytest.mark.parametrize(
    ("sharding", "optimizer", "mask_type"), [("none", "adafactor", "wanda"), ("fsdp", "adamw", "obs")]
)
def test_two_processes_calibrate_and_train_as_one(
    place: Place, sharding: str, optimizer: str, mask_type: str
) -> None:
    """The same loss and, but for the order of a sum, the same weights; the second reads what the first has
    recorded."""
    changes = {
        "training__batchSize": 4, "training__optimizer": optimizer, "training__refreshSteps": 1,
        "sparsity__schedule": {"type": "fixed"}, "sparsity__maskType": mask_type,
    }  # fmt: skip
    spec = place.spec(FAST, f"together-{sharding}", training__sharding=sharding, **changes)
    single = place.directory / f"alone-{sharding}"
    alone = place.train({**spec, "output": {"uri": f"file://{single}"}})
    with socket() as free:
        free.bind(("127.0.0.1", 0))
        port = str(free.getsockname()[1])

    def child(rank: int) -> None:
        env = {
            "RANK": str(rank), "LOCAL_RANK": str(rank), "WORLD_SIZE": "2", "LOCAL_WORLD_SIZE": "2",
            "MASTER_ADDR": "127.0.0.1", "MASTER_PORT": port, "SPARSEDM_CONFIG": json.dumps(spec),
        }  # fmt: skip
        with (place.directory / f"words-{rank}").open("w", buffering=1) as words:
            sys.stdout = sys.stderr = words
            os.environ.update(env)
            sys.exit(main(["train"]))

    fork = multiprocessing.get_context("fork")
    processes = [fork.Process(target=child, args=(rank,), daemon=True) for rank in range(2)]
    for process in processes:
        process.start()
    for rank, process in enumerate(processes):
        process.join(120)
        assert process.exitcode == 0, (place.directory / f"words-{rank}").read_text()
    file = alone["weights"]["file"]
    one, two = (
        load_file(single / file),
        load_file(place.directory / f"together-{sharding}" / file),
    )
    for name, weight in one.items():
        torch.testing.assert_close(two[name], weight, rtol=1e-3, atol=1e-5)


def test_a_pipeline_without_one_of_its_text_encoders_is_recorded(place: Place) -> None:
    folder = place.directory / "without-t5"
    shutil.copytree(place.pipeline(FAST), folder)
    index = json.loads((folder / "model_index.json").read_text())
    for part in ("text_encoder_3", "tokenizer_3"):
        shutil.rmtree(folder / part)
        index[part] = [None, None]
    (folder / "model_index.json").write_text(json.dumps(index))
    found = read_pipeline(folder)
    order = Order(["a red ball"], Drawing(2, 4.0, 32), 1, 0)
    recorder = Recorder(found, order, folder / "recording", torch.bfloat16, torch.device("cpu"), "x")
    size, call = recorder.first()
    assert size.calls == 2
    assert call.arguments["encoder_hidden_states"].dtype == torch.bfloat16
    assert not any("_3" in name for name in found.other_files())
