"""Schedulers' files of diffusers: the process trained here is known by its numbers, and others refused."""

from __future__ import annotations

import inspect
import json
from pathlib import Path
from typing import Any

import pytest
import torch

from sparsedm.config import parse_config
from sparsedm.describe import describe
from sparsedm.diffusion import VPSDE
from sparsedm.errors import InputError
from sparsedm.models.denoisers import library, read_directory
from sparsedm.models.scheduler import BETAS, DISCRETE, OTHER_DEFAULTS, write_scheduler
from sparsedm.models.uvit import TIME_SCALE
from test_denoisers import spec_for, write_directory
from tiny_run import Workplace

LINEAR = torch.linspace(0.0001, 0.02, 1000).tolist()


def predicted(folder: Path, scheduler: dict[str, Any] | None, architecture: str = "unet") -> str:
    write_directory(folder, architecture)
    if scheduler is not None:
        (folder / "scheduler_config.json").write_text(json.dumps(scheduler))
    return read_directory(folder, architecture)[0].prediction


def test_the_process_trained_here_is_the_limit_of_ddpms() -> None:
    """At each of the network's inputs from 20 on; before, a discrete step is no small one."""
    discrete = library().DDPMScheduler(beta_start=0.0001, beta_end=0.02).alphas_cumprod.double().logit()
    inputs = torch.arange(1000, dtype=torch.float64)
    ours = VPSDE().log_snr(inputs / TIME_SCALE)
    assert (discrete - ours)[20:].abs().max() < 0.1
    scaled = library().DDPMScheduler(beta_start=0.00085, beta_end=0.012, beta_schedule="scaled_linear")
    assert (scaled.alphas_cumprod.double().logit() - ours)[20:].abs().max() > 1


def test_v_is_the_librarys_velocity() -> None:
    scheduler, sde = library().DDPMScheduler(prediction_type="v_prediction"), VPSDE()
    x0, eps, n = torch.randn(4, 3, 8, 8), torch.randn(4, 3, 8, 8), torch.tensor([50, 300, 700, 950])
    want = scheduler.get_velocity(x0, eps, n)
    assert (sde.target(x0, eps, n / TIME_SCALE, "v") - want).abs().max() < 0.05


@pytest.mark.parametrize(
    ("scheduler", "want"),
    [
        (None, "noise"),
        ({}, "noise"),
        ({"_class_name": "DDPMScheduler", **BETAS}, "noise"),
        ({"prediction_type": "v_prediction"}, "v"),
        ({"trained_betas": LINEAR}, "noise"),
        ({"trained_betas": LINEAR, "beta_schedule": "scaled_linear", "beta_start": 0.5}, "noise"),
        ({"beta_start": 0.0001000001}, "noise"),
        ({"rescale_betas_zero_snr": None}, "noise"),
        (
            {
                "_class_name": "DDIMScheduler", "clip_sample": True, "clip_sample_range": 1.0,
                "thresholding": True, "timestep_spacing": "trailing", "steps_offset": 1,
                "set_alpha_to_one": False, "variance_type": "fixed_large",
            },
            "noise",
        ),
        (
            {
                "_class_name": "DPMSolverMultistepScheduler", "use_karras_sigmas": True,
                "final_sigmas_type": "zero", "prediction_type": "v_prediction", "solver_order": 3,
            },
            "v",
        ),
        ({"_class_name": "KDPM2DiscreteScheduler", "beta_start": 0.0001, "beta_end": 0.02}, "noise"),
    ],
)  # fmt: skip
def test_what_is_this_process_is_read(tmp_path: Path, scheduler: dict[str, Any] | None, want: str) -> None:
    """Settings of sampling alone have no effect: samplers here are our own."""
    assert predicted(tmp_path, scheduler) == want


@pytest.mark.parametrize(
    ("scheduler", "want"),
    [
        ({"_class_name": "FlowMatchEulerDiscreteScheduler", "shift": 3.0}, "_class_name FlowMatchEulerDiscr"),
        ({"_class_name": "FlowMatchHeunDiscreteScheduler"}, "_class_name FlowMatchHeunDiscreteScheduler"),
        ({"_class_name": "EDMEulerScheduler", "sigma_data": 0.5}, "_class_name EDMEulerScheduler"),
        ({"_class_name": "EDMDPMSolverMultistepScheduler"}, "_class_name EDMDPMSolverMultistepScheduler"),
        ({"_class_name": "ScoreSdeVeScheduler"}, "_class_name ScoreSdeVeScheduler"),
        ({"_class_name": "CMStochasticIterativeScheduler"}, "_class_name CMStochastic"),
        ({"_class_name": "LCMScheduler", **BETAS}, "_class_name LCMScheduler"),
        ({"_class_name": "CogVideoXDDIMScheduler", **BETAS}, "_class_name CogVideoXDDIMScheduler"),
        ({"_class_name": "UnCLIPScheduler"}, "_class_name UnCLIPScheduler"),
        ({"_class_name": "MadeUpScheduler"}, "_class_name MadeUpScheduler"),
        ({"_class_name": "DDIMScheduler", "rescale_betas_zero_snr": True}, "rescale_betas_zero_snr true"),
        ({"_class_name": "DDPMScheduler", "trained_betas": LINEAR[::-1]}, "trained_betas of 1000 values"),
        ({"trained_betas": LINEAR[:500]}, "trained_betas of 500 values"),
        ({"trained_betas": [2.0] * 1000}, "trained_betas of 1000 values"),
        ({"beta_schedule": "squaredcos_cap_v2"}, "beta_schedule squaredcos_cap_v2,"),
        ({"beta_schedule": "sigmoid"}, "beta_schedule sigmoid,"),
        ({"beta_schedule": "made up"}, "beta_schedule made up,"),
        (
            {"beta_schedule": "scaled_linear", "beta_start": 0.00085, "beta_end": 0.012},
            "beta_schedule scaled_linear, beta_start 0.00085, beta_end 0.012, and the process",
        ),
        ({"num_train_timesteps": 4000, "beta_start": 2.5e-5, "beta_end": 0.005}, "num_train_timesteps 4000"),
        ({"num_train_timesteps": 100, "trained_betas": LINEAR}, "num_train_timesteps 100, trained_betas of"),
        ({"beta_end": "0.02"}, "beta_end 0.02"),
        ({"_class_name": "HeunDiscreteScheduler"}, "beta_start 0.00085, beta_end 0.012"),
        ({"_class_name": "UniPCMultistepScheduler", "use_flow_sigmas": True}, "use_flow_sigmas true"),
        (
            {"_class_name": "EulerDiscreteScheduler", "timestep_type": "continuous"},
            "timestep_type continuous",
        ),
        ({"prediction_type": "sample"}, "prediction_type sample: epsilon and v_prediction"),
        ({"prediction_type": "flow_prediction"}, "prediction_type flow_prediction: epsilon"),
        ({"variance_type": "learned_range"}, "variance_type learned_range, and the model's out_channels"),
    ],
)
def test_what_is_another_process_is_refused_by_its_field(
    tmp_path: Path, scheduler: dict[str, Any], want: str
) -> None:
    with pytest.raises(
        InputError, match=f"its scheduler has {want}.*choose a model|{want}.*not belong"
    ) as error:
        predicted(tmp_path, scheduler)
    assert error.value.reason == "ModelUnsupported"


def test_a_learned_variance_fits_a_network_that_says_it(tmp_path: Path) -> None:
    assert predicted(tmp_path, {"variance_type": "learned_range"}, "dit") == "noise"


@pytest.mark.parametrize("name", sorted(DISCRETE - {"DPMSolverSDEScheduler"}))
def test_the_defaults_of_absent_fields_are_the_librarys(name: str) -> None:
    """torchsde, which is not installed, would be needed for DPMSolverSDEScheduler."""
    parameters = inspect.signature(getattr(library(), name).__init__).parameters
    own = {field: parameters[field].default for field in BETAS if field in parameters}
    want = {**BETAS, **OTHER_DEFAULTS.get(name, {})}
    assert {"beta_start", "beta_end", "beta_schedule", "num_train_timesteps"} <= own.keys()
    assert own == {field: want[field] for field in own}


def test_a_pipeline_without_its_schedulers_file_is_refused(tmp_path: Path) -> None:
    write_directory(tmp_path / "unet", "unet")
    index = {"_class_name": "StableDiffusion3Pipeline", "scheduler": ["diffusers", "FlowMatchEulerScheduler"]}
    (tmp_path / "model_index.json").write_text(json.dumps(index))
    for given in (tmp_path, tmp_path / "unet"):
        with pytest.raises(
            InputError, match=r"names a FlowMatchEulerScheduler, and scheduler/.* copy it too"
        ):
            read_directory(given, "unet")
    (tmp_path / "scheduler").mkdir()
    (tmp_path / "scheduler" / "scheduler_config.json").write_text('{"prediction_type": "v_prediction"}')
    for given in (tmp_path, tmp_path / "unet"):
        assert read_directory(given, "unet")[0].prediction == "v"


def test_what_is_taken_for_granted_is_told(place: Workplace) -> None:
    folder = write_directory(place.directory / "unet", "unet")
    config = parse_config(spec_for(place, "unet", "dry"))
    assert f"no scheduler_config.json beside the model in file://{folder}: it is taken" in describe(config)
    (folder / "scheduler_config.json").write_text(json.dumps(BETAS))
    assert "scheduler_config.json" not in describe(config)


@pytest.mark.parametrize("prediction", ["noise", "v"])
def test_a_written_scheduler_is_read_back_here_and_by_the_library(tmp_path: Path, prediction: str) -> None:
    text = write_scheduler(prediction, learned_variance=False)
    assert predicted(tmp_path, json.loads(text)) == prediction
    scheduler = library().DDPMScheduler.from_pretrained(tmp_path)
    assert scheduler.config.prediction_type == {"noise": "epsilon", "v": "v_prediction"}[prediction]
    want = library().DDPMScheduler(beta_start=0.0001, beta_end=0.02).alphas_cumprod
    assert torch.equal(scheduler.alphas_cumprod, want)


def test_the_example_of_the_docs_is_read(tmp_path: Path) -> None:
    """As ddpm-cifar10-32 has it, which docs/examples/ddpm-unet.yaml names."""
    scheduler = {
        "_class_name": "DDPMScheduler", "_diffusers_version": "0.1.1", "beta_end": 0.02,
        "beta_schedule": "linear", "beta_start": 0.0001, "clip_sample": True, "num_train_timesteps": 1000,
        "trained_betas": None, "variance_type": "fixed_large",
    }  # fmt: skip
    assert predicted(tmp_path, scheduler) == "noise"
