"""What is wrong with a model, told before it serves."""

from __future__ import annotations

from itertools import chain

from torch import Tensor, nn

from sparsedm.artifact.canary import TOLERANCES, Canary
from sparsedm.artifact.components import Components
from sparsedm.diffusion.samplers import IMAGE_CHANNELS
from sparsedm.errors import InputError
from sparsedm.models import ModelConfig


def check_components(config: ModelConfig, components: Components) -> None:
    """Raises InputError where the artifact lacks what makes images of latents, or conditions of prompts."""
    encoder = components.text_encoder
    if config.channels not in IMAGE_CHANNELS and components.autoencoder is None:
        raise InputError(
            "ModelUnsupported",
            f"The model draws latents of {config.channels} channels, and no autoencoder that makes images of "
            "them came with it: add it with `sparsedm attach DIR --autoencoder FOLDER --latents FORMAT`.",
        )
    if config.context and encoder is None:
        raise InputError(
            "ModelUnsupported",
            "The model draws after texts, and no text encoder came with it: add it with `sparsedm attach DIR "
            "--text-encoder FOLDER`, or name it in model.textEncoderUri of the next run.",
        )
    if encoder is not None and encoder.shape != config.context:
        raise InputError(
            "ModelUnsupported",
            f"The text encoder makes {encoder.shape} of a text, and the model takes {config.context}: attach "
            "the one that it was trained with.",
        )


def check_range(model: nn.Module, precision: str) -> None:
    """Every parameter and buffer, which were finite before they were converted to `precision`. Raises
    InputError."""
    for name, tensor in chain(model.named_parameters(), model.named_buffers()):
        bad = 0 if not tensor.is_floating_point() else int((~tensor.isfinite()).sum())
        if bad:
            raise InputError(
                "WeightsNotFinite",
                f"{bad} of the {tensor.numel()} values of {name} are too large for {precision}"
                f"{other_precision(precision).replace(', or', ':')}.",
            )


def other_precision(precision: str) -> str:
    return ", or write engine.precision: bf16" if precision == "fp16" else ""


def check_canary(canary: Canary, image: Tensor, precision: str) -> float:
    """Holds what the engine draws to what training drew, and returns the difference. Raises InputError."""
    found, bound = canary.difference(image), TOLERANCES[precision]
    if found > bound:
        raise InputError(
            "CanaryFailed",
            f"The model does not draw what it drew when its training ended: the same image differs by "
            f"{found:.3g} of its spread, and in {precision} {bound:g} is allowed. The weights are those of "
            "the manifest, so something here computes wrongly: try engine.backend: dense, engine.precision: "
            "fp32, another node, or the image that trained the model.",
        )
    return found
