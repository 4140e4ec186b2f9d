"""Which noise process a model of diffusers was trained on, by the scheduler_config.json beside it.

Trained here is the VP-SDE that is the limit of DDPM's 1,000 steps with linear betas. A scheduler's file says
two things: the process, which must be that one, and how its pipeline samples (spacing of the steps, clipping,
thresholding, order of the solver), which has no effect here, where samplers are our own.
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from pathlib import Path
from typing import Any, Literal

from sparsedm.errors import InputError

FILE = "scheduler_config.json"
PIPELINE_FILE = "model_index.json"
BETAS: dict[str, Any] = {
    "num_train_timesteps": 1000,
    "beta_schedule": "linear",
    "beta_start": 0.0001,
    "beta_end": 0.02,
    "trained_betas": None,
    "rescale_betas_zero_snr": False,
}
"""The discrete process whose limit is our VP-SDE with beta from 0.1 to 20, and most schedulers' default."""
OTHER_DEFAULTS = {
    name: {"beta_start": 0.00085, "beta_end": 0.012}
    for name in (
        "DPMSolverSDEScheduler",
        "HeunDiscreteScheduler",
        "KDPM2AncestralDiscreteScheduler",
        "KDPM2DiscreteScheduler",
    )
}
DISCRETE = frozenset(
    [
        *OTHER_DEFAULTS, "DDIMInverseScheduler", "DDIMParallelScheduler", "DDIMScheduler",
        "DDPMParallelScheduler", "DDPMScheduler", "DEISMultistepScheduler",
        "DPMSolverMultistepInverseScheduler", "DPMSolverMultistepScheduler", "DPMSolverSinglestepScheduler",
        "EulerAncestralDiscreteScheduler", "EulerDiscreteScheduler", "LMSDiscreteScheduler", "PNDMScheduler",
        "RePaintScheduler", "SASolverScheduler", "UniPCMultistepScheduler",
    ]
)  # fmt: skip
"""Schedulers whose process is that of their betas. Of the others some belong to flows (FlowMatchEuler), to
other parametrisations (EDM, ScoreSdeVe) or to distilled models (LCM, TCD)."""
PREDICTIONS: dict[str, Literal["noise", "v"]] = {"epsilon": "noise", "v_prediction": "v"}
LEARNED_VARIANCES = ("learned", "learned_range")
SAME_LOG_SNR = 0.01
"""Largest difference between two processes that are one and the same: betas are written in a few digits."""


def scheduler_file(pipeline: Path, directory: Path) -> Path | None:
    """Beside the model in `directory`, or in a pipeline's folder for it."""
    folders = (directory, pipeline, pipeline / "scheduler", directory.parent / "scheduler")
    return next((folder / FILE for folder in folders if (folder / FILE).is_file()), None)


def prediction_of(
    pipeline: Path, directory: Path, learned_variance: bool | None = None
) -> Literal["noise", "v"]:
    """What the network predicts; noise where there is no scheduler's file.

    learned_variance: whether the network says the variance too. Raises ValueError for another process than
    ours, naming its field: the network would see wrong noise at all times.
    """
    file = scheduler_file(pipeline, directory)
    if file is None:
        _check_pipeline(pipeline, directory)
        return "noise"
    scheduler = read_json(file)
    _check_process(scheduler)
    variance = scheduler.get("variance_type")
    if variance in LEARNED_VARIANCES and learned_variance is False:
        raise ValueError(
            f"its scheduler has variance_type {variance}, and the model's out_channels are as many as its "
            "in_channels, without a variance: the two files do not belong together."
        )
    wanted = scheduler.get("prediction_type", "epsilon")
    if wanted not in PREDICTIONS:
        raise ValueError(
            f"its scheduler has prediction_type {wanted}: epsilon and v_prediction can be trained, so choose "
            "a model that predicts noise or v."
        )
    return PREDICTIONS[wanted]


def _check_pipeline(pipeline: Path, directory: Path) -> None:
    """A pipeline that has lost its scheduler's file still names its class."""
    file = next(
        (f / PIPELINE_FILE for f in (pipeline, directory.parent) if (f / PIPELINE_FILE).is_file()), None
    )
    if file is None:
        return
    entry = read_json(file).get("scheduler")
    if isinstance(entry, list) and len(entry) == 2 and entry[1]:
        raise ValueError(
            f"its {PIPELINE_FILE} names a {entry[1]}, and scheduler/{FILE}, which would say on which noise "
            "process the model was trained, is not there: copy it too."
        )


def _check_process(scheduler: Mapping[str, Any]) -> None:
    name = scheduler.get("_class_name")
    if name is not None and name not in DISCRETE:
        raise _other_process(f"_class_name {name}")
    if scheduler.get("use_flow_sigmas"):
        raise _other_process("use_flow_sigmas true")
    if scheduler.get("timestep_type", "discrete") != "discrete":
        raise _other_process(f"timestep_type {scheduler['timestep_type']}")
    defaults = {**BETAS, **OTHER_DEFAULTS.get(name or "", {})}
    betas = {field: scheduler.get(field, default) for field, default in defaults.items()}
    differing = [field for field, value in betas.items() if value != BETAS[field]]
    if differing and not _is_ours(betas):
        raise _other_process(", ".join(_shown(field, betas[field]) for field in differing))


def _is_ours(betas: Mapping[str, Any]) -> bool:
    """By the signal-to-noise ratio at each of the network's inputs, as the library computes it."""
    if betas["num_train_timesteps"] != BETAS["num_train_timesteps"]:
        return False
    from sparsedm.models.denoisers import library

    try:
        found, ours = (
            library().DDPMScheduler(**values).alphas_cumprod.double().logit() for values in (betas, BETAS)
        )
    # A schedule's name or list that the library does not take; what it is not, is not ours.
    except (ValueError, TypeError, NotImplementedError, RuntimeError):
        return False
    return found.shape == ours.shape and bool(((found - ours).abs() <= SAME_LOG_SNR).all())


def _shown(field: str, value: Any) -> str:
    if isinstance(value, list):
        return f"{field} of {len(value)} values"
    return f"{field} {json.dumps(value) if isinstance(value, bool) else value}"


def _other_process(what: str) -> ValueError:
    return ValueError(
        f"its scheduler has {what}, and the process trained here is DDPM's with linear betas from "
        f"{BETAS['beta_start']} to {BETAS['beta_end']} in {BETAS['num_train_timesteps']} steps: choose a "
        "model that was trained on it."
    )


def write_scheduler(prediction: str, learned_variance: bool) -> str:
    """scheduler_config.json for a model that was trained here, so that what it predicts is not lost."""
    names = {ours: name for name, ours in PREDICTIONS.items()}
    values = {"_class_name": "DDPMScheduler", **BETAS, "prediction_type": names[prediction]}
    if learned_variance:
        values["variance_type"] = "learned_range"
    return json.dumps(values, indent=2, sort_keys=True) + "\n"


def read_json(file: Path) -> dict[str, Any]:
    try:
        value = json.loads(file.read_text(encoding="utf-8"))
    except (OSError, ValueError) as error:
        raise InputError("PretrainedUnreadable", f"{file} is not readable JSON ({error}).") from error
    if not isinstance(value, dict):
        raise InputError("PretrainedUnreadable", f"{file} holds no JSON object.")
    return value
