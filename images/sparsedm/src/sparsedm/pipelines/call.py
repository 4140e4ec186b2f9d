"""How a pipeline is called: each class takes arguments of its own, which its signature tells.

Of a pipeline that draws videos an image is a video of one frame.
"""

from __future__ import annotations

import inspect
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import torch
from torch import Tensor

from sparsedm.errors import ConfigError, InputError

NEGATIVE = " "
"""The negative prompt of pipelines that guide by one alone."""
NOT_TEXT_TO_IMAGE = ("image", "mask_image", "control_image", "video")


@dataclass(frozen=True)
class Drawing:
    """How images are drawn. None leaves the pipeline's own value in force."""

    steps: int
    guidance: float | None = None
    size: int | None = None


def check_callable(pipeline: Any, drawing: Drawing) -> None:
    """Raises InputError where the pipeline is none from text to image, and ConfigError, naming the field,
    where it does not take what `drawing` asks for."""
    parameters = inspect.signature(pipeline.__call__).parameters
    name = type(pipeline).__name__
    needed = [one for one in NOT_TEXT_TO_IMAGE if one in parameters and _required(parameters[one])]
    if "prompt" not in parameters or needed:
        lacks = f"needs {', '.join(needed) or 'no prompt'}"
        raise InputError(
            "ModelUnsupported",
            f"model.pretrained.uri: {name} {lacks}, and a pipeline from a prompt to an image is trained: "
            "choose another pipeline.",
        )
    problems = []
    if drawing.guidance is not None and guidance_name(pipeline) is None:
        problems.append(f"dataset.guidanceScale must be absent: {name} takes none.")
    if drawing.size is not None and "height" not in parameters:
        problems.append(f"dataset.imageSize must be absent: {name} takes no size.")
    if "num_inference_steps" not in parameters:
        problems.append(f"evaluation.steps: {name} takes no number of steps: choose another pipeline.")
    if problems:
        raise ConfigError(problems)


def call_arguments(
    pipeline: Any, prompts: Sequence[str], seeds: Sequence[int], drawing: Drawing
) -> dict[str, Any]:
    """Of a call that draws one image of each prompt. An image's noise comes from its own seed, on the CPU, so
    that it depends on no other image and no device."""
    parameters = inspect.signature(pipeline.__call__).parameters
    arguments: dict[str, Any] = {
        "prompt": list(prompts),
        "num_inference_steps": drawing.steps,
        "generator": [torch.Generator("cpu").manual_seed(seed) for seed in seeds],
    }
    if draws_videos(pipeline):
        arguments["num_frames"] = 1
    if drawing.size is not None:
        arguments |= {"height": drawing.size, "width": drawing.size}
    name = guidance_name(pipeline)
    if drawing.guidance is not None and name is not None:
        arguments[name] = drawing.guidance
        if name == "true_cfg_scale" and drawing.guidance > 1:
            arguments["negative_prompt"] = [NEGATIVE] * len(prompts)
    for name in ("use_resolution_binning", "clean_caption"):
        if name in parameters and drawing.size is not None:
            arguments[name] = False  # the size that was asked for, and the prompt as it was written
    return arguments


@torch.no_grad()
def draw(pipeline: Any, prompts: Sequence[str], seeds: Sequence[int], drawing: Drawing) -> Tensor:
    """(n, 3, H, W) in [-1, 1], float32 on the CPU, of 8-bit values as an image file holds them. Raises
    ConfigError for a size that the pipeline refuses."""
    arguments = call_arguments(pipeline, prompts, seeds, drawing)
    images = called(pipeline, arguments, output_type="np")
    pixels = torch.from_numpy(np.asarray(images)).permute(0, 3, 1, 2).float()
    check_size(pipeline, (pixels.shape[3], pixels.shape[2]), drawing)
    return (pixels * 255).round().div_(127.5).sub_(1.0)


def check_size(pipeline: Any, drawn: tuple[int, int], drawing: Drawing) -> None:
    """`drawn` is (width, height). Raises ConfigError: some pipelines round a size that they can't draw."""
    if drawing.size is not None and drawn != (drawing.size, drawing.size):
        raise ConfigError(
            [
                f"dataset.imageSize must be a size that {type(pipeline).__name__} draws: of {drawing.size} "
                f"it makes {drawn[0]}x{drawn[1]}. Write {max(drawn)}."
            ]
        )


def draws_videos(pipeline: Any) -> bool:
    """Of a pipeline or its class."""
    return "num_frames" in inspect.signature(pipeline.__call__).parameters


def images_of(pipeline: Any, arguments: dict[str, Any], output_type: str) -> Any:
    """What one call of the pipeline draws, in the form of output_type."""
    drawn = pipeline(**arguments, output_type=output_type)
    if not draws_videos(pipeline):
        return drawn.images
    return drawn.frames if output_type == "latent" else [frames[0] for frames in drawn.frames]


def called(pipeline: Any, arguments: dict[str, Any], output_type: str) -> Any:
    """images_of the call. Raises ConfigError where the pipeline refuses its arguments."""
    try:
        return images_of(pipeline, arguments, output_type)
    except ValueError as error:
        raise ConfigError(
            [
                f"{type(pipeline).__name__} refuses to draw with evaluation.steps, dataset.guidanceScale and "
                f"dataset.imageSize as they are ({' '.join(str(error).split())}): change what it names."
            ]
        ) from error


def _required(parameter: inspect.Parameter) -> bool:
    return parameter.default is parameter.empty


def guidance_name(pipeline: Any) -> str | None:
    """True guidance, of two predictions, has its own name where guidance_scale is an input of the network,
    and the network has none."""
    parameters = inspect.signature(pipeline.__call__).parameters
    denoiser = getattr(pipeline, "transformer", None)
    embeds = denoiser is not None and denoiser.config.get("guidance_embeds", False)
    if "true_cfg_scale" in parameters and not embeds:
        return "true_cfg_scale"
    return "guidance_scale" if "guidance_scale" in parameters else None
