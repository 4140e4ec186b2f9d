"""Networks of diffusers: the library's own output, their layers, their directories, a whole run."""

from __future__ import annotations

import argparse
import copy
import json
import os
import re
import shutil
import subprocess
import sys
from datetime import datetime
from pathlib import Path
from typing import Any

import pytest
import torch
from safetensors.torch import load_file, save_file

from sparsedm.artifact.artifact import Identity, load_artifact, save_artifact
from sparsedm.cli import main
from sparsedm.commands import export
from sparsedm.errors import InputError
from sparsedm.measure.macs import bare_model, count_macs
from sparsedm.models import DiffusersConfig, build_model, config_of, load_weights
from sparsedm.models.denoisers import CONFIG_FILE, WEIGHTS_FILE, library, read_directory
from sparsedm.serve.config import EngineSpec
from sparsedm.serve.engine import Engine
from sparsedm.sparsity.layers import bake_masks, masks_for, prunable_layers, select_layers
from sparsedm.sparsity.pattern import Pattern
from sparsedm.training import finetune as train_module
from sparsedm.training.config import parse_config
from sparsedm.training.describe import describe
from sparsedm.training.plan import select
from test_artifact import change_weights
from tiny_run import Workplace

SOURCES = Path(__file__).parents[1] / "src"

UNET = {
    "_class_name": "UNet2DModel", "sample_size": 32, "in_channels": 1, "out_channels": 1,
    "block_out_channels": [8, 16], "layers_per_block": 1, "norm_num_groups": 4, "attention_head_dim": 8,
    "down_block_types": ["DownBlock2D", "AttnDownBlock2D"], "up_block_types": ["AttnUpBlock2D", "UpBlock2D"],
}  # fmt: skip
DIT = {
    "_class_name": "DiTTransformer2DModel", "sample_size": 32, "in_channels": 1, "out_channels": 2,
    "patch_size": 8, "num_attention_heads": 2, "attention_head_dim": 16, "num_layers": 2,
    "num_embeds_ada_norm": 2,
}  # fmt: skip
TEXT_UNET = {
    "_class_name": "UNet2DConditionModel", "sample_size": 8, "in_channels": 4, "out_channels": 4,
    "block_out_channels": [8, 16], "layers_per_block": 1, "norm_num_groups": 4, "attention_head_dim": 8,
    "cross_attention_dim": 12, "down_block_types": ["DownBlock2D", "CrossAttnDownBlock2D"],
    "up_block_types": ["CrossAttnUpBlock2D", "UpBlock2D"],
}  # fmt: skip
SETTINGS = {"unet": UNET, "dit": DIT, "diffusers": TEXT_UNET}


def config_for(architecture: str) -> DiffusersConfig:
    return DiffusersConfig(architecture, SETTINGS[architecture])


def condition(config: DiffusersConfig, batch: int) -> torch.Tensor | None:
    if config.context:
        return torch.randn(batch, *config.context)
    return torch.arange(batch) % config.num_classes if config.num_classes else None


def write_directory(directory: Path, architecture: str, **changes: Any) -> Path:
    """What diffusers' save_pretrained writes, with random weights; the default start of DiT draws nothing."""
    torch.manual_seed(4)
    model = build_model(config_for(architecture))
    weights = {name: 0.1 * torch.randn_like(value) for name, value in model.state_dict().items()}
    directory.mkdir(parents=True, exist_ok=True)
    save_file(weights, directory / WEIGHTS_FILE, metadata={"format": "pt"})
    settings = {**SETTINGS[architecture], "_diffusers_version": "0.0.1", **changes}
    (directory / CONFIG_FILE).write_text(json.dumps(settings))
    return directory


@pytest.fixture(scope="module")
def place(tmp_path_factory: pytest.TempPathFactory) -> Workplace:
    torch.set_num_threads(1)
    place = Workplace(tmp_path_factory.mktemp("denoisers"))
    for architecture in ("unet", "dit"):
        write_directory(place.directory / architecture, architecture)
    return place


def spec_for(place: Workplace, architecture: str, output: str, **changes: Any) -> dict[str, Any]:
    model = {
        "architecture": architecture,
        "pretrained": {"uri": f"file://{place.directory / architecture}"},
    }
    return place.spec(output, model=model, training__steps=3, training__warmupSteps=1, **changes)


@pytest.mark.parametrize("architecture", SETTINGS)
def test_the_output_is_the_librarys_own(architecture: str, tmp_path: Path) -> None:
    directory = write_directory(tmp_path, architecture)
    config, weights = read_directory(directory, architecture)
    model = build_model(config).eval()
    model.load_state_dict(load_file(weights))
    own = getattr(library(), config.class_name).from_pretrained(directory).eval()
    x, t = torch.randn(2, config.channels, config.image_size, config.image_size), torch.tensor([0.3, 0.9])
    y = condition(config, 2)
    arguments = {} if y is None else {"encoder_hidden_states" if config.context else "class_labels": y}
    with torch.no_grad():
        assert torch.equal(model(x, t, y), own(x, timestep=1000.0 * t - 1.0, **arguments).sample)


@pytest.mark.parametrize(
    ("architecture", "want"),
    [
        ("unet", {"num_classes": 0, "null_label": None, "context": None, "guidable": False}),
        ("dit", {"num_classes": 2, "null_label": 2, "context": None, "guidable": True}),
        ("diffusers", {"num_classes": 0, "null_label": None, "context": (77, 12), "guidable": True}),
    ],
)
def test_conditions_follow_from_the_settings(architecture: str, want: dict[str, Any]) -> None:
    config = config_for(architecture)
    assert {name: getattr(config, name) for name in want} == want


def test_dit_never_drops_labels_by_itself() -> None:
    """The objective drops them, alike for student and teacher: a drop of its own would part their losses."""
    model = build_model(config_for("dit")).train()
    for parameter in model.parameters():
        torch.nn.init.normal_(parameter, std=0.1)
    x, t, y = torch.randn(64, 1, 32, 32), torch.full((64,), 0.5), torch.zeros(64, dtype=torch.int64)
    assert torch.equal(model(x, t, y), model.eval()(x, t, y))


@pytest.mark.parametrize(
    ("architecture", "masked", "dense"),
    [
        ("unet", ["down_blocks.0.resnets.0.conv1", "time_embedding.linear_1", "mid_block.attentions.0.to_q"],
         ["conv_in", "conv_out"]),
        ("dit", ["transformer_blocks.0.attn1.to_q", "transformer_blocks.1.attn1.to_out.0",
                 "transformer_blocks.1.ff.net.0.proj", "transformer_blocks.1.ff.net.2"],
         ["pos_embed.proj", "transformer_blocks.0.norm1.linear", "proj_out_1", "proj_out_2"]),
    ],
)  # fmt: skip
def test_default_layers(place: Workplace, architecture: str, masked: list[str], dense: list[str]) -> None:
    config = parse_config(spec_for(place, architecture, "layers"))
    selection = select(bare_model(config_for(architecture)), config)
    assert set(masked) <= set(selection.selected)
    assert set(dense).isdisjoint(selection.selected)
    if architecture == "unet":
        left = {layer.name for layer in selection.skipped}
        assert left == {"conv_in", "conv_out"}


def test_globs_select_layers_of_any_network(place: Workplace) -> None:
    config = parse_config(
        spec_for(place, "unet", "globs", sparsity__layers={"include": ["*.to_*", "conv_out"]})
    )
    model = bare_model(config_for("unet"))
    want = [n for n, _ in prunable_layers(model) if ".to_" in n or n == "conv_out"]
    assert list(select(model, config).selected) == want


# --- directories -----------------------------------------------------------------------------------------


def test_a_pipelines_directory_tells_denoiser_and_prediction(tmp_path: Path) -> None:
    write_directory(tmp_path / "transformer", "dit")
    (tmp_path / "scheduler").mkdir()
    scheduler = {"beta_schedule": "linear", "beta_start": 0.0001, "beta_end": 0.02}
    file = tmp_path / "scheduler/scheduler_config.json"
    file.write_text(json.dumps({**scheduler, "prediction_type": "v_prediction"}))
    for path in (tmp_path, tmp_path / "transformer"):
        config, weights = read_directory(path, "dit")
        assert (config.prediction, weights) == ("v", tmp_path / "transformer" / WEIGHTS_FILE)
    assert config.settings["_class_name"] == "DiTTransformer2DModel"
    assert "_diffusers_version" not in config.settings


def test_dit_under_its_former_name(tmp_path: Path) -> None:
    write_directory(tmp_path, "dit", _class_name="Transformer2DModel", norm_type="ada_norm_zero")
    assert read_directory(tmp_path, "dit")[0].class_name == "DiTTransformer2DModel"


@pytest.mark.parametrize(
    ("architecture", "changes", "want"),
    [
        ("unet", {"_class_name": "UNet1DModel"}, "architecture unet is diffusers' UNet2DModel"),
        ("unet", {"sample_size": None}, "sample_size must be one whole number"),
        ("unet", {"sample_size": [32, 16]}, "sample_size must be one whole number"),
        ("unet", {"time_embedding_type": "fourier"}, "time_embedding_type must be positional"),
        ("unet", {"out_channels": 3}, "out_channels must be in_channels, or twice that"),
        ("unet", {"class_embed_type": "timestep"}, "class_embed_type must be absent"),
        ("diffusers", {"addition_embed_type": "text_time"}, "addition_embed_type must be absent"),
    ],
)
def test_a_model_that_can_not_be_trained_is_refused(
    tmp_path: Path, architecture: str, changes: dict[str, Any], want: str
) -> None:
    with pytest.raises(InputError, match=want) as error:
        read_directory(write_directory(tmp_path, architecture, **changes), architecture)
    assert error.value.reason == "ModelUnsupported"


@pytest.mark.parametrize(
    ("name", "want"),
    [
        ("NoSuchModel", "NoSuchModel can't be built .* has no such model"),
        ("DDPMScheduler", "has no such model"),
        (
            "ControlNetModel",
            "labels or text do not drive it: it needs controlnet_cond too",
        ),
    ],
)
def test_a_class_that_does_not_serve_is_named(name: str, want: str) -> None:
    settings = {"_class_name": name, "sample_size": 8, "in_channels": 4}
    with pytest.raises(InputError, match=want):
        build_model(DiffusersConfig("diffusers", settings))


def test_tied_weights_are_refused_by_both_names(
    place: Workplace, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    class TiedNet(library().UNet2DModel):
        """A network whose attention shares one matrix between queries and keys."""

        def __init__(self, **settings: Any) -> None:
            super().__init__(**settings)
            attention = self.mid_block.attentions[0]
            attention.to_k.weight = attention.to_q.weight

    directory = write_directory(tmp_path / "tied", "unet", _class_name="TiedNet")
    monkeypatch.setattr(library(), "TiedNet", TiedNet, raising=False)
    model = {"architecture": "diffusers", "pretrained": {"uri": f"file://{directory}"}}
    spec = place.spec("tied", model=model)
    code, told = place.command(spec, monkeypatch)
    assert (code, told["error"]["reason"]) == (3, "ModelUnsupported")
    name = "mid_block.attentions.0"
    assert f"TiedNet ties {name}.to_k.weight to {name}.to_q.weight" in told["error"]["message"]
    with pytest.raises(InputError, match="are one tensor"):
        describe(parse_config(spec))


def test_no_directory_is_told(tmp_path: Path) -> None:
    with pytest.raises(InputError, match=r"There is no folder .*none: check the path"):
        read_directory(tmp_path / "none", "unet")
    with pytest.raises(InputError, match=r"There is no config\.json in"):
        read_directory(tmp_path, "unet")
    write_directory(tmp_path, "unet")
    (tmp_path / CONFIG_FILE).write_text("[]")
    with pytest.raises(InputError, match="holds no JSON object"):
        read_directory(tmp_path, "unet")


def test_a_pipeline_whose_denoiser_lies_elsewhere_tells_its_parts(tmp_path: Path) -> None:
    write_directory(tmp_path / "prior", "unet")
    (tmp_path / "model_index.json").write_text("{}")
    with pytest.raises(InputError, match=r"give the folder of the denoiser, one of .*/prior\."):
        read_directory(tmp_path, "unet")


def loads(directory: Path) -> bool:
    config, weights = read_directory(directory, "unet")
    load_weights(build_model(config), weights)
    return True


@pytest.mark.parametrize(
    "name",
    [
        "diffusion_pytorch_model.bin",
        "diffusion_pytorch_model.fp16.safetensors",
        "diffusion_pytorch_model.ema.safetensors",
        "diffusion_pytorch_model.fp16.bin",
    ],
)
def test_the_only_weights_in_a_folder_are_taken(tmp_path: Path, name: str) -> None:
    write_directory(tmp_path, "unet")
    tensors = load_file(tmp_path / WEIGHTS_FILE)
    (tmp_path / WEIGHTS_FILE).unlink()
    if name.endswith(".bin"):
        torch.save(tensors, tmp_path / name)
    else:
        save_file(tensors, tmp_path / name)
    assert read_directory(tmp_path, "unet")[1].name == name
    assert loads(tmp_path)


def test_the_plain_file_comes_before_variants_and_pickles(tmp_path: Path) -> None:
    write_directory(tmp_path, "unet")
    for name in ("diffusion_pytorch_model.non_ema.safetensors", "diffusion_pytorch_model.bin"):
        (tmp_path / name).write_bytes(b"")
    assert loads(tmp_path)


def test_of_several_variants_none_is_guessed(tmp_path: Path) -> None:
    write_directory(tmp_path, "unet")
    for kind in ("fp16", "non_ema"):
        (tmp_path / f"diffusion_pytorch_model.{kind}.safetensors").write_bytes(b"")
    (tmp_path / WEIGHTS_FILE).unlink()
    want = r"fp16\.safetensors, .*non_ema\.safetensors and no .*: copy the one to train to that name"
    with pytest.raises(InputError, match=want):
        read_directory(tmp_path, "unet")
    for path in tmp_path.glob("diffusion_*"):
        path.unlink()
    (tmp_path / "diffusion_flax_model.msgpack").write_bytes(b"")
    with pytest.raises(InputError, match=r"which holds config\.json, diffusion_flax_model\.msgpack: put it"):
        read_directory(tmp_path, "unet")


def test_shards_as_the_library_writes_them(tmp_path: Path) -> None:
    config = config_for("unet")
    model = library().UNet2DModel.from_config(config.settings)
    model.save_pretrained(tmp_path, max_shard_size="20KB")
    assert not (tmp_path / WEIGHTS_FILE).exists()
    config, index = read_directory(tmp_path, "unet")
    network = build_model(config)
    load_weights(network, index)
    assert all(torch.equal(a, b) for a, b in zip(model.parameters(), network.parameters(), strict=True))


OLD_NAMES = {"to_q": "query", "to_k": "key", "to_v": "value", "to_out.0": "proj_attn"}


def test_attention_under_its_names_of_before_2023(tmp_path: Path) -> None:
    """As google/ddpm-cifar10-32 and most published UNets have it."""
    write_directory(tmp_path, "unet")
    tensors = load_file(tmp_path / WEIGHTS_FILE)
    old = {}
    for name, value in tensors.items():
        for new, former in OLD_NAMES.items():
            name = name.replace(f".{new}.", f".{former}.")
        old[name] = value
    assert any(".proj_attn." in name for name in old)
    save_file(old, tmp_path / WEIGHTS_FILE)
    config, weights = read_directory(tmp_path, "unet")
    network = build_model(config)
    load_weights(network, weights)
    assert all(torch.equal(value, tensors[name]) for name, value in network.state_dict().items())


# --- a whole run -----------------------------------------------------------------------------------------


@pytest.mark.parametrize("architecture", ["unet", "dit"])
def test_a_run_its_resume_and_its_export(
    place: Workplace, architecture: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    whole = place.train(spec_for(place, architecture, f"{architecture}-whole"))
    assert whole["architecture"] == architecture
    assert whole["sparsity"]["achieved"] == "0.5"
    assert float(whole["macs"]["reductionPercent"]) > 30

    # Stopped after the checkpoint of step 2 and taken up again: the same bytes.
    directory = place.directory / f"{architecture}-parts"
    spec = spec_for(place, architecture, directory.name, checkpoint__everySteps=2)
    report = train_module.Finetune._report_step

    def interrupted(self: Any, step: int, *rest: Any, **named: Any) -> None:
        report(self, step, *rest, **named)
        if self.state.step == 3:
            raise KeyboardInterrupt

    with monkeypatch.context() as patch:
        patch.setattr(train_module.Finetune, "_report_step", interrupted)
        with pytest.raises(KeyboardInterrupt):
            place.train(spec)
    assert [p.name for p in (directory / "checkpoints").glob("step-*")] == ["step-00000002"]
    resumed = place.train(spec)
    assert resumed["weights"] == whole["weights"]
    assert resumed["fid"] == whole["fid"]

    # The export is read by diffusers itself, and gives the artifact's own output.
    out = tmp_path / "export"
    assert main(["export", str(directory), "--out", str(out)]) == 0
    model, _ = load_artifact(directory)
    config = config_of(model)
    own = getattr(library(), config.class_name).from_pretrained(out).eval()
    x, t, y = torch.randn(3, 1, 32, 32), torch.tensor([0.1, 0.5, 0.9]), condition(config, 3)
    arguments = {} if y is None else {"class_labels": y}
    with torch.no_grad():
        assert torch.equal(model(x, t, y), own(x, 1000.0 * t - 1.0, **arguments).sample)
    assert load_file(out / WEIGHTS_FILE).keys() == load_file(directory / "model.safetensors").keys()


def write_artifact(directory: Path, architecture: str) -> Path:
    """Random weights under their magnitude masks."""
    config, weights = read_directory(write_directory(directory / "dense", architecture), architecture)
    state, pattern = load_file(weights), Pattern(2, 4)
    selection = select_layers(bare_model(config), pattern, include=["*block*"])
    sparse = bake_masks(state, masks_for(state, selection.selected, pattern))
    macs = count_macs(config, selection.selected, pattern).status()
    save_artifact(directory, sparse, Identity("test", config, None, pattern, selection), macs, {}, {})
    return directory


def test_a_model_with_text_is_exported(tmp_path: Path) -> None:
    out, artifact = tmp_path / "out", write_artifact(tmp_path / "artifact", "diffusers")
    assert main(["export", str(artifact), "--out", str(out)]) == 0
    model, manifest = load_artifact(artifact)
    own = library().UNet2DConditionModel.from_pretrained(out).eval()
    x, t, y = torch.randn(2, 4, 8, 8), torch.tensor([0.3, 0.9]), condition(config_of(model), 2)
    with torch.no_grad():
        assert torch.equal(model(x, t, y), own(x, 1000.0 * t - 1.0, encoder_hidden_states=y).sample)
    weights = load_file(out / WEIGHTS_FILE)
    want = {layer["name"]: layer["nonzero"] for layer in manifest["layers"]}
    assert {name: int(weights[f"{name}.weight"].count_nonzero()) for name in want} == want
    assert "mid_block.attentions.0.transformer_blocks.0.attn2.to_k" in want
    assert read_directory(out, "diffusers")[0] == config_of(model)


@pytest.mark.parametrize(
    ("digest_too", "want"),
    [
        pytest.param(False, "not the expected", id="as it lies there"),
        pytest.param(
            True, "1 groups of mid_block.* have more than 2 non-zeros in 4", id="with its digest put right"
        ),
    ],
)
def test_an_artifact_with_a_weight_where_its_mask_has_none_is_not_exported(
    tmp_path: Path, digest_too: bool, want: str
) -> None:
    out, artifact = tmp_path / "out", write_artifact(tmp_path / "artifact", "unet")

    def spoil(weights: dict[str, torch.Tensor]) -> None:
        weight = weights["mid_block.attentions.0.to_q.weight"]
        weight[tuple((weight == 0).nonzero()[0])] = 1.0

    manifest = (artifact / "manifest.json").read_text()
    change_weights(artifact, spoil)
    if not digest_too:
        (artifact / "manifest.json").write_text(manifest)
    with pytest.raises(InputError, match=want) as error:
        export.run(argparse.Namespace(directory=artifact, out=out))
    assert error.value.reason == "ArtifactInvalid"
    assert main(["export", str(artifact), "--out", str(out)]) == 3
    assert not out.exists()


@pytest.mark.parametrize("method", ["s-ste", "cast", "asp"])
def test_every_kind_of_method_masks_convolutions(place: Workplace, method: str) -> None:
    changes = {"sparsity__method": method, "sparsity__schedule": {"type": "fixed"}}
    place.train(spec_for(place, "unet", f"unet-{method}", **changes))
    _, manifest = load_artifact(place.directory / f"unet-{method}")
    assert manifest["sparsity"]["achieved"] == "0.5"


def test_computing_activations_again_changes_nothing(place: Workplace) -> None:
    plain, again = (
        place.train(spec_for(place, "dit", f"dit-{name}", **changes))
        for name, changes in (("kept", {}), ("recomputed", {"training__gradientCheckpointing": True}))
    )
    assert plain["weights"] == again["weights"]


def test_the_same_run_twice_gives_the_same_files(place: Workplace, monkeypatch: pytest.MonkeyPatch) -> None:
    """But for the time."""
    spec = spec_for(place, "dit", "twice")

    class Then(datetime):
        @classmethod
        def now(cls, tz: Any = None) -> datetime:
            return datetime(2026, 1, 31, tzinfo=tz)

    monkeypatch.setattr("sparsedm.artifact.artifact.datetime", Then)
    took = {"millisecondsPerImage": "12.5", "batchSize": 1, "device": "CPU", "precision": "fp32"}
    monkeypatch.setattr("sparsedm.training.finetune.measure_latency", lambda *_: took)

    def files() -> dict[str, bytes]:
        place.train(spec)
        found = {}
        for path in sorted((place.directory / "twice").iterdir()):
            if path.is_file():
                found[path.name] = path.read_bytes()
        shutil.rmtree(place.directory / "twice")
        return found

    first = files()
    assert {"manifest.json", "model.safetensors", "report.html", "samples.png", "reference.npz"} <= set(first)
    assert files() == first


def test_what_will_be_done_is_told_without_weights(place: Workplace) -> None:
    told = describe(parse_config(spec_for(place, "dit", "dry")))
    assert re.search(r"^transformer_blocks\.0\.attn1\.to_q +32x32 +2:4 +0\.02 M +0\.01 M$", told, re.M)
    assert "transformer_blocks.0.norm1.linear: no include glob matches" in told


@pytest.fixture(scope="module", params=["unet", "dit"])
def masked(request: pytest.FixtureRequest, place: Workplace) -> Path:
    """An artifact of each kind, made without training."""
    name = f"masked-{request.param}"
    place.train(spec_for(place, request.param, name, sparsity__method="masked-dense"))
    return place.directory / name


def test_images_are_served_by_class_and_seed_alone(masked: Path) -> None:
    engine = Engine.load(masked, EngineSpec(steps=2, max_batch_size=2), device=torch.device("cpu"))
    engine.warm_up()
    label = 1 if engine.config.num_classes else None
    alone = engine.draw([label], [7])[0]
    assert alone.shape == (32, 32, 1)
    assert (engine.draw([label, label], [8, 7])[1] == alone).all()
    # DiT is guided: rows of both halves, 16 patches each; the UNet isn't.
    assert engine.rows == (2 * 2 * 16 if label else 2 * 32 * 32)


def test_an_artifact_is_drawn_from_inspected_and_verified(masked: Path, tmp_path: Path, capsys: Any) -> None:
    out = tmp_path / "grid.png"
    assert main(["generate", "--model", str(masked), "--steps", "2", "--count", "1", "--out", str(out)]) == 0
    assert out.is_file()
    assert main(["verify", str(masked)]) == 0
    assert main(["inspect", str(masked)]) == 0
    assert re.search(r"^MACs per image and step, linear: +[\d.]+ M dense", capsys.readouterr().out, re.M)


def test_a_copy_is_a_network_of_its_own() -> None:
    model = build_model(config_for("dit"))
    twin = copy.deepcopy(model)
    with torch.no_grad():
        twin.proj_out_2.weight.add_(1.0)
    assert not torch.equal(twin.proj_out_2.weight, model.proj_out_2.weight)
    assert config_of(twin) == config_of(model)


def test_diffusers_is_imported_by_those_alone_who_need_it_and_asks_no_hub() -> None:
    program = (
        "import sys, sparsedm.commands.train, sparsedm.serve.engine, sparsedm.commands.generate\n"
        "assert not {'diffusers', 'huggingface_hub'} & set(sys.modules)\n"
        "from sparsedm.models.denoisers import library\n"
        "library()\n"
        "assert sys.modules['huggingface_hub'].constants.HF_HUB_OFFLINE"
    )
    environment = {**os.environ, "PYTHONPATH": str(SOURCES)}
    subprocess.run([sys.executable, "-c", program], check=True, env=environment)
