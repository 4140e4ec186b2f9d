"""What a pipeline's call that is under way says its images will be, as pixels.

After a step the scheduler tells what it expects the end to be. Only the pipeline knows how latents are
ordered, scaled and decoded, so it is called for that: with these latents to begin with, and a scheduler
without steps.
"""

from __future__ import annotations

import copy
import inspect
from functools import wraps
from typing import Any

import numpy as np
import torch
from torch import Tensor

from sparsedm.pipelines.call import images_of


def expected_end(scheduler: Any, step: Any, inputs: Any, named: Any, result: Any) -> Tensor | None:
    """The latents without noise that a step of the scheduler went towards, (n, ...) as its sample; None where
    it does not say. `step` took `inputs` and `named` and returned `result`."""
    given = inspect.signature(step).bind(*inputs, **named).arguments
    sample, velocity = given.get("sample"), given.get("model_output")
    if sample is None or velocity is None:
        return None
    parts = result if isinstance(result, tuple) else tuple(result.values())
    if len(parts) > 1 and isinstance(parts[1], Tensor) and parts[1].shape == sample.shape:
        return parts[1]  # DDIM, DDPM, Euler: beside the next sample
    if type(scheduler).__name__ == "FlowMatchEulerDiscreteScheduler":
        # A step of flow matching is one along a straight line, which ends where sigma is 0.
        return sample - scheduler.sigmas[scheduler.step_index - 1].item() * velocity
    settings = scheduler.config
    if settings.get("predict_x0") or settings.get("algorithm_type", "").endswith("dpmsolver++"):
        return scheduler.model_outputs[-1]  # UniPC and DPM-Solver++, which are solvers of it
    return None


def decoded(pipeline: Any, latents: Tensor, arguments: dict[str, Any]) -> np.ndarray:
    """(H, W, C) from 0 to 1, of one image's latents, (1, ...). `arguments` are those of its call."""
    pipeline = copy.copy(pipeline)
    pipeline.scheduler = _without_steps(pipeline.scheduler)
    # Which a pipeline with an older scheduler multiplies what it begins with by.
    scale = getattr(pipeline.scheduler, "init_noise_sigma", 1.0)
    return np.asarray(images_of(pipeline, {**arguments, "latents": latents / scale}, "np")[0])


def _without_steps(scheduler: Any) -> Any:
    still = type(scheduler).from_config(scheduler.config)
    still.timesteps = torch.zeros(0)

    @wraps(still.set_timesteps)  # pipelines look what it takes
    def set_none(*inputs: Any, **named: Any) -> None:
        pass

    still.set_timesteps = set_none
    return still
