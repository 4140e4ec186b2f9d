"""Schedulers' files of diffusers: what process and prediction they stand for, and which are refused."""

from __future__ import annotations

import inspect
import json
from pathlib import Path
from typing import Any

import pytest
import torch

from sparsedm.diffusion import DiscreteBetas, NoiseProcess, RectifiedFlow
from sparsedm.errors import InputError
from sparsedm.models import DiffusersConfig
from sparsedm.models.denoisers import library, read_directory
from sparsedm.models.scheduler import BETAS, DDPM, DISCRETE, OTHER_DEFAULTS, write_scheduler
from sparsedm.training.config import parse_config
from sparsedm.training.describe import describe
from test_denoisers import spec_for, write_directory
from tiny_run import Workplace

LINEAR = torch.linspace(0.0001, 0.02, 1000, dtype=torch.float64).tolist()
STABLE_DIFFUSION = DiscreteBetas("scaled-linear", 0.00085, 0.012, 1000, time_offset=-1)
COSINE = DiscreteBetas("cosine", 0.0001, 0.02, 1000, time_offset=-1)


def read(folder: Path, scheduler: dict[str, Any] | None, architecture: str = "unet") -> DiffusersConfig:
    write_directory(folder, architecture)
    if scheduler is not None:
        (folder / "scheduler_config.json").write_text(json.dumps(scheduler))
    return read_directory(folder, architecture)[0]


def test_v_is_the_librarys_velocity_at_its_timesteps() -> None:
    scheduler = library().DDPMScheduler(prediction_type="v_prediction")
    x0, eps, n = torch.randn(4, 3, 8, 8), torch.randn(4, 3, 8, 8), torch.tensor([0, 300, 700, 999])
    t = (n + 1) / 1000
    torch.testing.assert_close(
        DDPM.target(x0, eps, t, "v"), scheduler.get_velocity(x0, eps, n), rtol=1e-4, atol=1e-4
    )
    torch.testing.assert_close(DDPM.network_time(t), n.float(), rtol=0, atol=1e-4)


@pytest.mark.parametrize(
    ("scheduler", "process", "prediction"),
    [
        (None, DDPM, "noise"),
        ({}, DDPM, "noise"),
        ({"_class_name": "DDPMScheduler", **BETAS}, DDPM, "noise"),
        ({"prediction_type": "v_prediction"}, DDPM, "v"),
        ({"rescale_betas_zero_snr": None}, DDPM, "noise"),
        (
            {
                "_class_name": "DDIMScheduler", "clip_sample": True, "clip_sample_range": 1.0,
                "thresholding": True, "timestep_spacing": "trailing", "steps_offset": 1,
                "set_alpha_to_one": False, "variance_type": "fixed_large",
            },
            DDPM,
            "noise",
        ),
        (
            {
                "_class_name": "DPMSolverMultistepScheduler", "use_karras_sigmas": True,
                "final_sigmas_type": "zero", "prediction_type": "v_prediction", "solver_order": 3,
            },
            DDPM,
            "v",
        ),
        ({"_class_name": "KDPM2DiscreteScheduler", "beta_start": 0.0001, "beta_end": 0.02}, DDPM, "noise"),
        (
            {"beta_schedule": "scaled_linear", "beta_start": 0.00085, "beta_end": 0.012},
            STABLE_DIFFUSION,
            "noise",
        ),
        (
            {"_class_name": "HeunDiscreteScheduler", "beta_schedule": "scaled_linear"},
            STABLE_DIFFUSION,
            "noise",
        ),
        ({"beta_schedule": "squaredcos_cap_v2"}, COSINE, "noise"),
        (
            {"num_train_timesteps": 4000, "beta_start": 2.5e-5, "beta_end": 0.005},
            DiscreteBetas("linear", 2.5e-5, 0.005, 4000, time_offset=-1),
            "noise",
        ),
        (
            {"num_train_timesteps": 2, "trained_betas": [0.5, 0.75]},
            DiscreteBetas("given", steps=2, betas=(0.5, 0.75), time_offset=-1),
            "noise",
        ),
        ({"_class_name": "FlowMatchEulerDiscreteScheduler", "shift": 3.0}, RectifiedFlow(3.0), "velocity"),
        ({"_class_name": "FlowMatchHeunDiscreteScheduler"}, RectifiedFlow(1.0), "velocity"),
        (
            {
                "_class_name": "UniPCMultistepScheduler", "use_flow_sigmas": True, "flow_shift": 5.0,
                "prediction_type": "flow_prediction",
            },
            RectifiedFlow(5.0),
            "velocity",
        ),
    ],
)  # fmt: skip
def test_process_and_prediction_are_those_of_the_schedulers_file(
    tmp_path: Path, scheduler: dict[str, Any] | None, process: NoiseProcess, prediction: str
) -> None:
    """Settings of sampling alone have no effect: samplers here are our own."""
    config = read(tmp_path, scheduler)
    assert (config.process, config.prediction) == (process, prediction)


def test_given_betas_that_are_linear_are_the_linear_process(tmp_path: Path) -> None:
    config = read(tmp_path, {"trained_betas": LINEAR, "beta_schedule": "scaled_linear", "beta_start": 0.5})
    t = torch.linspace(0.001, 1, 1000, dtype=torch.float64)
    torch.testing.assert_close(config.process.log_snr(t), DDPM.log_snr(t))


@pytest.mark.parametrize(
    ("scheduler", "want"),
    [
        ({"_class_name": "EDMEulerScheduler", "sigma_data": 0.5}, "_class_name EDMEulerScheduler"),
        ({"_class_name": "EDMDPMSolverMultistepScheduler"}, "_class_name EDMDPMSolverMultistepScheduler"),
        ({"_class_name": "ScoreSdeVeScheduler"}, "_class_name ScoreSdeVeScheduler"),
        ({"_class_name": "CMStochasticIterativeScheduler"}, "_class_name CMStochastic"),
        ({"_class_name": "LCMScheduler", **BETAS}, "_class_name LCMScheduler"),
        ({"_class_name": "CogVideoXDDIMScheduler", **BETAS}, "_class_name CogVideoXDDIMScheduler"),
        ({"_class_name": "UnCLIPScheduler"}, "_class_name UnCLIPScheduler"),
        ({"_class_name": "MadeUpScheduler"}, "_class_name MadeUpScheduler"),
        ({"_class_name": "DDIMScheduler", "rescale_betas_zero_snr": True}, "rescale_betas_zero_snr true"),
        ({"beta_schedule": "sigmoid"}, "beta_schedule sigmoid,"),
        ({"beta_schedule": "made up"}, "beta_schedule made up,"),
        ({"_class_name": "UniPCMultistepScheduler", "use_flow_sigmas": True}, "use_flow_sigmas true"),
        (
            {"_class_name": "EulerDiscreteScheduler", "timestep_type": "continuous"},
            "timestep_type continuous",
        ),
        (
            {"_class_name": "FlowMatchEulerDiscreteScheduler", "use_dynamic_shifting": True},
            "use_dynamic_shifting true",
        ),
        ({"_class_name": "FlowMatchEulerDiscreteScheduler", "invert_sigmas": True}, "invert_sigmas true"),
        ({"_class_name": "FlowMatchEulerDiscreteScheduler", "shift": 0}, "shift 0"),
        (
            {"_class_name": "FlowMatchEulerDiscreteScheduler", "num_train_timesteps": 100},
            "num_train_timesteps 100",
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
        read(tmp_path, scheduler)
    assert error.value.reason == "ModelUnsupported"


@pytest.mark.parametrize(
    ("scheduler", "want"),
    [
        ({"trained_betas": LINEAR[:500]}, "trained_betas of 500 values: there are 500 betas for 1000 steps"),
        ({"trained_betas": [2.0] * 1000}, "trained_betas of 1000 values: every beta must lie"),
        ({"trained_betas": [*LINEAR[:-1], 1.0]}, "trained_betas of 1000 values: .*zero terminal SNR"),
        ({"trained_betas": "many"}, "trained_betas many: "),
        ({"num_train_timesteps": 100, "trained_betas": LINEAR}, "num_train_timesteps 100, trained_betas of"),
        ({"beta_end": "0.02"}, "beta_end 0.02: "),
        ({"beta_end": 1.5}, "beta_end 1.5: every beta must lie above 0 and below 1"),
        ({"beta_start": -0.1}, "beta_start -0.1: every beta"),
    ],
)
def test_betas_that_are_none_are_refused(tmp_path: Path, scheduler: dict[str, Any], want: str) -> None:
    with pytest.raises(InputError, match=f"its scheduler has {want}"):
        read(tmp_path, scheduler)


def test_a_learned_variance_fits_a_network_that_says_it(tmp_path: Path) -> None:
    assert read(tmp_path, {"variance_type": "learned_range"}, "dit").prediction == "noise"


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


@pytest.mark.parametrize(
    ("process", "prediction"),
    [
        (DDPM, "noise"),
        (DDPM, "v"),
        (STABLE_DIFFUSION, "noise"),
        (COSINE, "v"),
        (DiscreteBetas("given", steps=2, betas=(0.5, 0.75), time_offset=-1), "noise"),
        (RectifiedFlow(3.0), "velocity"),
    ],
)
def test_a_written_scheduler_is_read_back_here_and_by_the_library(
    tmp_path: Path, process: NoiseProcess, prediction: str
) -> None:
    written = json.loads(write_scheduler(process, prediction, learned_variance=False))
    config = read(tmp_path, written)
    assert config.prediction == prediction
    assert config.process.kind == process.kind
    t = torch.linspace(0.1, 0.9, 9, dtype=torch.float64)
    torch.testing.assert_close(config.process.log_snr(t), process.log_snr(t))
    scheduler = getattr(library(), written["_class_name"]).from_pretrained(tmp_path)
    if isinstance(process, DiscreteBetas):
        betas = process.variances().float()
        torch.testing.assert_close(scheduler.betas, betas, rtol=1e-4, atol=1e-7)
        assert scheduler.config.prediction_type == {"noise": "epsilon", "v": "v_prediction"}[prediction]
    else:
        assert scheduler.config.shift == 3.0


def test_the_example_of_the_docs_is_read(tmp_path: Path) -> None:
    """As ddpm-cifar10-32 has it, which docs/examples/ddpm-unet.yaml names."""
    scheduler = {
        "_class_name": "DDPMScheduler", "_diffusers_version": "0.1.1", "beta_end": 0.02,
        "beta_schedule": "linear", "beta_start": 0.0001, "clip_sample": True, "num_train_timesteps": 1000,
        "trained_betas": None, "variance_type": "fixed_large",
    }  # fmt: skip
    config = read(tmp_path, scheduler)
    assert (config.process, config.prediction) == (DDPM, "noise")
