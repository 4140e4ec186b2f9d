"""A teacher of any method: its gradient by autograd, its cost, its record, and a student of another size."""

from __future__ import annotations

import json
import shutil
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
import torch
import yaml
from safetensors.torch import load_file, save_file
from torch import nn
from torch.nn import functional as F

from sparsedm.diffusion.objective import Batch, Objective
from sparsedm.diffusion.process import DiscreteBetas, RectifiedFlow, VPLinear
from sparsedm.diffusion.space import differences
from sparsedm.errors import ConfigError, InputError
from sparsedm.files import file_sha256
from sparsedm.measure.macs import count_macs
from sparsedm.models import DiffusersConfig, UViTConfig, build_model
from sparsedm.sparsity.layers import MaskedLayers
from sparsedm.sparsity.masks import soft_threshold
from sparsedm.sparsity.methods import METHODS, build_method
from sparsedm.sparsity.pattern import Pattern
from sparsedm.training.config import parse_config
from sparsedm.training.describe import describe
from sparsedm.training.finetune import Finetune
from sparsedm.training.plan import teacher_model
from test_denoisers import SETTINGS
from tiny_run import CONFIG, MODEL, Workplace

NARROW = {**MODEL, "width": 16}


@pytest.fixture(scope="module")
def narrow(place: Workplace) -> Path:
    """Dense weights of a student half as wide as the place's model."""
    path = place.directory / "narrow.safetensors"
    torch.manual_seed(7)
    save_file(build_model(replace(CONFIG, width=16)).state_dict(), path)
    return path


def student(place: Workplace, narrow: Path, output: str, **changes: Any) -> dict[str, Any]:
    """A narrow dense student that follows the place's model."""
    spec = place.spec(
        output,
        training__steps=12,
        sparsity={"method": "dense", "distillationWeight": "10"},
        checkpoint={"everySteps": 1, "keep": 100},
        **changes,
    )
    spec["model"] = {
        "config": NARROW,
        "pretrained": {"uri": f"file://{narrow}"},
        "teacher": {"config": MODEL, "pretrained": {"uri": f"file://{place.weights}"}},
    }
    return spec


# --- the gradient ---


class Linear(nn.Module):
    """Outputs W x_t for images of one row of pixels."""

    def __init__(self, seed: int) -> None:
        super().__init__()
        torch.manual_seed(seed)
        self.layer = nn.Linear(8, 8, bias=False)

    def forward(self, x: torch.Tensor, t: torch.Tensor, y: torch.Tensor | None = None) -> torch.Tensor:
        return self.layer(x)


def effective(name: str, weight: torch.Tensor, mask: torch.Tensor) -> torch.Tensor:
    """The weight that the forward pass of a method uses, by its formula."""
    if name == "s-ste":
        soft = soft_threshold(weight, mask, 4)
        return (weight * soft).sum() / soft.square().sum() * soft
    return weight if name in ("dense", "cast") else weight * mask


@pytest.mark.parametrize("alpha", [0.0, 0.1, 10.0])
@pytest.mark.parametrize("name", [name for name, method in METHODS.items() if method.trains])
def test_the_gradient_with_a_teacher_is_that_of_the_formula(name: str, alpha: float) -> None:
    """dL/dW~ of |target - W~x|^2 + alpha |Tx - W~x|^2 by autograd, which every method hands to W (asp: where
    its mask is 1)."""
    learner, teacher, method = Linear(0), Linear(1).requires_grad_(False), build_method(name)
    layers = MaskedLayers(learner, ["layer"] if method.masks else [], method.masked_weight)
    layers.refresh(Pattern(2, 4))
    mask = torch.ones(8, 8, dtype=torch.bool)
    for _, weight, masking in layers.weights():
        method.begin_stage(weight, masking)
        mask = masking.mask
    x = torch.randn(5, 1, 1, 8)
    batch = Batch(x, torch.full((5,), 0.5), None, torch.randn(5, 1, 1, 8))

    (weight,) = learner.parameters()
    variable = effective(name, weight.detach(), mask).requires_grad_(True)
    out, taught = F.linear(x, variable), teacher(x, batch.t)
    loss = F.mse_loss(out, batch.target) + alpha * F.mse_loss(out, taught)
    loss.backward()
    method.optimizer([weight])
    found = Objective(learner, teacher, alpha, "fp32")(batch)
    found.backward()
    method.before_optimizer(layers.parameters(), 0.1, 0.0)

    want = variable.grad * mask if name == "asp" else variable.grad
    assert found.item() == pytest.approx(loss.item(), rel=1e-5)
    assert torch.allclose(weight.grad, want, rtol=1e-4, atol=1e-6)


# --- what must agree ---


@pytest.mark.parametrize(
    ("change", "want"),
    [
        ({}, []),
        ({"width": 64, "patch_size": 4, "depth": 5, "heads": 4, "final_conv": True}, []),
        ({"label_dropout": 0.3}, []),
        ({"process": VPLinear(time_scale=1000.0)}, []),
        ({"image_size": 64}, [("imageSize", "32", "64")]),
        ({"channels": 3}, [("channels", "1", "3"), ("outputs", "1", "3")]),
        ({"prediction": "v"}, [("prediction", "noise", "v")]),
        ({"num_classes": 3}, [("numClasses", "2", "3")]),
        ({"null_class": False}, [("nullClass", "true", "false")]),
    ],
)
def test_networks_agree_on_what_goes_in_and_comes_out(
    change: dict[str, Any], want: list[tuple[str, str, str]]
) -> None:
    assert list(differences(CONFIG, replace(CONFIG, **change))) == want


@pytest.mark.parametrize(
    "process", [VPLinear(0.1, 10.0), DiscreteBetas("linear", 1e-4, 0.02, 1000), DiscreteBetas("cosine")]
)
def test_another_noise_process_is_another_space(process: Any) -> None:
    assert [name for name, *_ in differences(CONFIG, replace(CONFIG, process=process))] == ["noiseProcess"]
    assert list(differences(replace(CONFIG, process=process), replace(CONFIG, process=process))) == []


def test_a_diffusers_network_counts_its_timesteps_otherwise_and_agrees() -> None:
    ours = UViTConfig(8, 4, 1, 16, 3, 2, process=DiscreteBetas("linear", 1e-4, 0.02, 1000))
    settings = {"_class_name": "UNet2DModel", "sample_size": 8, "in_channels": 1}
    theirs = DiffusersConfig("unet", settings, process=replace(ours.process, time_offset=-1))
    assert list(differences(ours, theirs)) == []


def test_a_text_and_a_flow_are_named() -> None:
    ours = UViTConfig(8, 4, 1, 16, 3, 2)
    theirs = replace(
        ours, context_tokens=7, context_width=9, prediction="velocity", process=RectifiedFlow(2.0)
    )
    names = [name for name, *_ in differences(ours, theirs)]
    assert names == ["prediction", "noiseProcess", "contextTokens", "contextWidth"]


def test_a_folder_that_predicts_in_another_space_is_refused_by_its_field(tmp_path: Path) -> None:
    """Its config.json says so when the run begins."""
    folder = tmp_path / "unet"
    folder.mkdir()
    (folder / "config.json").write_text(json.dumps(SETTINGS["unet"]))
    (folder / "diffusion_pytorch_model.safetensors").touch()
    config = parse_config(
        {
            "model": {
                "preset": "fashion-mnist-uvit-tiny",
                "pretrained": {"uri": "file:///none.safetensors"},
                "teacher": {"architecture": "unet", "pretrained": {"uri": f"file://{folder}"}},
            },
            "dataset": {"format": "fashion-mnist", "uri": "file:///none"},
            "output": {"uri": "file:///none"},
        }
    )
    with pytest.raises(ConfigError) as refused:
        teacher_model(config)
    assert all(
        problem.startswith("model.teacher.pretrained.uri must fit the model, which predicts with ")
        for problem in refused.value.problems
    )
    assert any("prediction v, not noise" in problem for problem in refused.value.problems)


# --- whole runs ---


def test_a_narrow_student_follows_the_wide_model_and_says_so(place: Workplace, narrow: Path) -> None:
    spec = student(place, narrow, "student")
    manifest = place.train(spec)
    provenance = manifest["provenance"]
    assert provenance["teacher"] == f"file://{place.weights}"
    assert provenance["teacherSha256"] == file_sha256(place.weights)
    assert provenance["distillationWeight"] == "10"
    assert provenance["pretrainedSha256"] == file_sha256(narrow)


def test_a_narrow_student_resumes_bit_for_bit(place: Workplace, narrow: Path) -> None:
    place.train(student(place, narrow, "whole"))
    whole, cut = place.directory / "whole", place.directory / "cut"
    for step in range(1, 6):
        name = f"checkpoints/step-{step:08d}"
        shutil.copytree(whole / name, cut / name)
    place.train(student(place, narrow, "cut"))
    last = "checkpoints/step-00000012"
    want, got = (load_file(run / last / "tensors.safetensors") for run in (whole, cut))
    assert list(want) == list(got)
    assert [name for name in want if not torch.equal(want[name], got[name])] == []
    states = [json.loads((run / last / "state.json").read_text()) for run in (whole, cut)]
    assert states[0] == states[1]
    assert (whole / "model.safetensors").read_bytes() == (cut / "model.safetensors").read_bytes()


def test_a_student_from_random_weights_follows_the_wide_model(place: Workplace, narrow: Path) -> None:
    spec = student(place, narrow, "from-random")
    del spec["model"]["pretrained"]
    spec["model"]["initialization"] = "random"
    provenance = place.train(spec)["provenance"]
    assert provenance["teacherSha256"] == file_sha256(place.weights)
    assert "pretrainedSha256" not in provenance


def test_a_followed_student_ends_nearer_to_its_teacher(place: Workplace, narrow: Path) -> None:
    teacher = build_model(CONFIG)
    teacher.load_state_dict(load_file(place.weights))
    x, t, y = torch.randn(16, 1, 32, 32), torch.linspace(0.05, 0.95, 16), torch.arange(16) % 2

    def distance(name: str, alpha: str) -> float:
        spec = student(place, narrow, name, training__learningRate="0.003")
        spec["sparsity"]["distillationWeight"] = alpha
        if alpha == "0":
            del spec["model"]["teacher"]
        place.train(spec)
        model = build_model(replace(CONFIG, width=16))
        model.load_state_dict(load_file(place.directory / name / "model.safetensors"))
        with torch.no_grad():
            return F.mse_loss(model(x, t, y), teacher(x, t, y)).item()

    assert distance("followed", "100") < 0.9 * distance("alone", "0")


def test_no_teacher_is_recorded_as_none(place: Workplace) -> None:
    manifest = place.train(place.spec("alone-too", training__steps=2, sparsity={"method": "dense"}))
    assert manifest["provenance"]["teacher"] == "none"
    assert "teacherSha256" not in manifest["provenance"]


@pytest.fixture
def opened(place: Workplace, narrow: Path, monkeypatch: pytest.MonkeyPatch) -> list[Finetune]:
    """The runs that are made."""
    made: list[Finetune] = []
    begin = Finetune.resume

    def keep(self: Finetune) -> None:
        made.append(self)
        begin(self)

    monkeypatch.setattr(Finetune, "resume", keep)
    return made


def test_the_time_left_counts_the_teachers_pass_by_its_own_size(
    place: Workplace, narrow: Path, opened: list[Finetune]
) -> None:
    place.train(student(place, narrow, "counted", training__batchSize=4))
    place.train(place.spec("counted-own", training__steps=2, training__batchSize=4))
    place.train(place.spec("counted-none", training__steps=2, sparsity={"method": "ste"}))
    ratio = count_macs(CONFIG).total_dense / count_macs(replace(CONFIG, width=16)).total_dense
    assert ratio > 2
    passes = [run._passes_of_a_step() for run in opened]
    assert passes == pytest.approx([4 * (3 + ratio), 4 * 4, 8 * 3])
    assert opened[0].progress.training.planned == pytest.approx(12 * 4 * (3 + ratio))


def test_weights_that_are_not_the_teachers_are_refused(place: Workplace, narrow: Path) -> None:
    spec = student(place, narrow, "other-digest")
    spec["model"]["teacher"]["pretrained"]["sha256"] = "0" * 64
    with pytest.raises(InputError, match="not the expected 0000"):
        place.train(spec)
    spec = student(place, narrow, "other-sizes")
    spec["model"]["teacher"]["pretrained"]["uri"] = f"file://{narrow}"
    with pytest.raises(InputError, match="do not fit the model"):
        place.train(spec)


def test_a_teacher_that_is_not_finite_is_refused_by_name(place: Workplace, narrow: Path) -> None:
    spoiled = place.directory / "spoiled.safetensors"
    weights = load_file(place.weights)
    weights["mid_block.mlp.fc1.bias"][3] = float("nan")
    save_file(weights, spoiled)
    spec = student(place, narrow, "spoiled")
    spec["model"]["teacher"]["pretrained"]["uri"] = f"file://{spoiled}"
    with pytest.raises(InputError, match=r"spoiled.safetensors hold NaN or infinity in mid_block\.mlp\.fc1"):
        place.train(spec)


# --- what is printed, and the schema ---


def test_a_dry_run_names_the_teacher(place: Workplace, narrow: Path) -> None:
    spec = student(place, narrow, "dry")
    told = describe(parse_config(spec))
    parameters = sum(weight.numel() for weight in build_model(CONFIG).parameters())
    total = count_macs(CONFIG).total_dense / 1e6
    assert (
        f"Teacher: uvit from file://{place.weights}, with distillation weight 10: {parameters:,} parameters, "
        f"{total:,.2f} M MACs with attention products." in told
    )
    del spec["model"]["teacher"]
    assert "Teacher: the dense model itself, with distillation weight 10." in describe(parse_config(spec))
    del spec["sparsity"]["distillationWeight"]
    assert "No teacher: the loss is the prediction's error alone." in describe(parse_config(spec))


def test_the_schema_describes_the_teacher_as_it_does_the_model() -> None:
    file = Path(__file__).parents[3] / "crds/sparsedm.io_sparsefinetunes.yaml"
    version = yaml.safe_load(file.read_text(encoding="utf-8"))["spec"]["versions"][0]
    model = version["schema"]["openAPIV3Schema"]["properties"]["spec"]["properties"]["model"]["properties"]
    teacher = model.pop("teacher")["properties"]
    del model["initialization"], model["textEncoderUri"]  # a teacher is read, and neither made nor served
    for fields in (model, teacher):
        del fields["pretrained"]["description"]
    assert teacher == model
