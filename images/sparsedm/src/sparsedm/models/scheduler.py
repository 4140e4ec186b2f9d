"""Which noise process a model of diffusers was trained on, by the scheduler_config.json beside it.

A scheduler's file says two things: the process, and how its pipeline samples (spacing of the steps, clipping,
thresholding, order of the solver), which has no effect here, where samplers are our own. A process that
diffusion/process.py can't represent is refused by its field.
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from sparsedm.diffusion.process import DiscreteBetas, NoiseProcess, Prediction, RectifiedFlow
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
"""Most schedulers' defaults: DDPM's process."""
DDPM = DiscreteBetas("linear", 0.0001, 0.02, 1000, time_offset=-1)
"""Of a model without a scheduler's file. The network counts its timesteps from 0."""
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
"""Schedulers whose process is that of their betas. Of the others some belong to other parametrisations (EDM,
ScoreSdeVe) or to distilled models (LCM, TCD)."""
FLOWS = frozenset(["FlowMatchEulerDiscreteScheduler", "FlowMatchHeunDiscreteScheduler"])
FLOW_TIMESTEPS = 1000
SCHEDULES = {"linear": "linear", "scaled_linear": "scaled-linear", "squaredcos_cap_v2": "cosine"}
PREDICTIONS: dict[str, Prediction] = {"epsilon": "noise", "v_prediction": "v"}
LEARNED_VARIANCES = ("learned", "learned_range")


def scheduler_file(pipeline: Path, directory: Path) -> Path | None:
    """Beside the model in `directory`, or in a pipeline's folder for it."""
    folders = (directory, pipeline, pipeline / "scheduler", directory.parent / "scheduler")
    return next((folder / FILE for folder in folders if (folder / FILE).is_file()), None)


def process_of(
    pipeline: Path, directory: Path, learned_variance: bool | None = None
) -> tuple[NoiseProcess, Prediction]:
    """The process, and what the network predicts; DDPM's and noise where there is no scheduler's file.

    learned_variance: whether the network predicts the variance too. Raises ValueError for a process that
    can't be trained here, naming its field: the network would see wrong noise at all times.
    """
    file = scheduler_file(pipeline, directory)
    if file is None:
        _check_pipeline(pipeline, directory)
        return DDPM, "noise"
    scheduler = read_json(file)
    name = scheduler.get("_class_name")
    if name in FLOWS:
        return _flow(scheduler, "shift"), "velocity"
    if name is not None and name not in DISCRETE:
        raise _other_process(f"_class_name {name}")
    if scheduler.get("timestep_type", "discrete") != "discrete":
        raise _other_process(f"timestep_type {scheduler['timestep_type']}")
    wanted = scheduler.get("prediction_type", "epsilon")
    if scheduler.get("use_flow_sigmas"):
        if wanted != "flow_prediction":
            raise _other_process(f"use_flow_sigmas true and prediction_type {wanted}")
        return _flow(scheduler, "flow_shift"), "velocity"
    return _discrete(scheduler), _prediction(wanted, scheduler.get("variance_type"), learned_variance)


def _prediction(wanted: Any, variance: Any, learned_variance: bool | None) -> Prediction:
    if variance in LEARNED_VARIANCES and learned_variance is False:
        raise ValueError(
            f"its scheduler has variance_type {variance}, and the model's out_channels are as many as its "
            "in_channels, without a variance: the two files do not belong together."
        )
    if wanted not in PREDICTIONS:
        raise ValueError(
            f"its scheduler has prediction_type {wanted}: epsilon and v_prediction can be trained, so choose "
            "a model that predicts noise or v."
        )
    return PREDICTIONS[wanted]


def _check_pipeline(pipeline: Path, directory: Path) -> None:
    """A pipeline without its scheduler's file still names the class."""
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


def _flow(scheduler: Mapping[str, Any], shift: str) -> RectifiedFlow:
    for field in ("use_dynamic_shifting", "invert_sigmas"):
        if scheduler.get(field):
            raise _other_process(f"{field} true")
    steps, value = scheduler.get("num_train_timesteps", FLOW_TIMESTEPS), scheduler.get(shift, 1.0)
    if steps != FLOW_TIMESTEPS:
        raise _other_process(_shown("num_train_timesteps", steps))
    try:
        return RectifiedFlow(float(value))
    except (ValueError, TypeError) as error:
        raise _other_process(_shown(shift, value)) from error


def _discrete(scheduler: Mapping[str, Any]) -> DiscreteBetas:
    defaults = {**BETAS, **OTHER_DEFAULTS.get(scheduler.get("_class_name") or "", {})}
    found = {field: scheduler.get(field, default) for field, default in defaults.items()}
    if found["rescale_betas_zero_snr"]:
        raise _other_process("rescale_betas_zero_snr true")
    given, schedule = found["trained_betas"], found["beta_schedule"]
    fields: dict[str, Any] = {"steps": found["num_train_timesteps"], "time_offset": -1}
    if given is not None:
        fields |= {"schedule": "given", "betas": given}
    elif schedule not in SCHEDULES:
        raise _other_process(_shown("beta_schedule", schedule))
    else:
        fields |= {"schedule": SCHEDULES[schedule], "start": found["beta_start"], "end": found["beta_end"]}
    try:
        return DiscreteBetas(**fields)
    except (ValueError, TypeError) as error:
        shown = ", ".join(_shown(name, value) for name, value in found.items() if value != BETAS[name])
        raise ValueError(f"its scheduler has {shown}: {error}") from error


def _shown(field: str, value: Any) -> str:
    if isinstance(value, list):
        return f"{field} of {len(value)} values"
    return f"{field} {json.dumps(value) if isinstance(value, bool) else value}"


def _other_process(what: str) -> ValueError:
    return ValueError(
        f"its scheduler has {what}, and the processes trained here are those of linear, scaled_linear, "
        "squaredcos_cap_v2 and given betas, and flows of a constant shift: choose a model that was trained "
        "on one of them."
    )


def write_scheduler(process: NoiseProcess, prediction: Prediction, learned_variance: bool) -> str:
    """scheduler_config.json for a model that was trained here, so that its process is not lost."""
    if isinstance(process, RectifiedFlow):
        values: dict[str, Any] = {
            "_class_name": "FlowMatchEulerDiscreteScheduler", "num_train_timesteps": FLOW_TIMESTEPS,
            "shift": process.shift,
        }  # fmt: skip
        return json.dumps(values, indent=2, sort_keys=True) + "\n"
    names = {ours: name for name, ours in PREDICTIONS.items()}
    values = {"_class_name": "DDPMScheduler", **BETAS, "prediction_type": names[prediction]}
    if isinstance(process, DiscreteBetas):
        values["num_train_timesteps"] = process.steps
        if process.schedule == "given":
            values["trained_betas"] = list(process.betas)
        else:
            schedules = {ours: name for name, ours in SCHEDULES.items()}
            values |= {"beta_schedule": schedules[process.schedule], "beta_start": process.start}
            values["beta_end"] = process.end
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
