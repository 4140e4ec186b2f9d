"""The canary: an image that training drew with the weights that it wrote. A server draws it again before it
is ready, so that a library, a GPU or a code that computes something else never serves.

It is kept as the solver left it, before an autoencoder makes pixels of it: in [-1, 1] where the model draws
images. Eight steps are enough, and let small differences grow less than a whole drawing would.
"""

from __future__ import annotations

import hashlib
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import torch
from safetensors import SafetensorError
from safetensors.torch import load, save
from torch import Tensor, nn

from sparsedm.decimals import decimal
from sparsedm.diffusion.samplers import sample
from sparsedm.errors import InputError
from sparsedm.files import write_atomically
from sparsedm.models import config_of

CANARY_FILE = "canary.safetensors"
SEED, STEPS, SAMPLER, GUIDANCE, LABEL = 0, 8, "dpm-solver++", 0.5, 0
TOLERANCES = {"fp32": 0.02, "bf16": 0.2, "fp16": 0.2}
"""Of the relative difference, by the precision that draws it again; drawn in fp32 it differs by rounding.
Measured on the model in the package (docs/serving.md): 0.014 in bf16, 0.002 in fp16; 0.27 with the rows of
one layer in another order, 0.9 and more after another class."""


@dataclass(frozen=True)
class Canary:
    """`image` is (C, H, W) float32; it is of class `label`, or after a text, or of nothing."""

    image: Tensor
    seed: int
    steps: int
    sampler: str
    guidance: float
    precision: str
    label: int | None
    text: Tensor | None = None
    """(L, D), the empty text as the training data has it encoded: encoders may differ in its last digits."""

    def difference(self, image: Tensor) -> float:
        """Root mean square of what differs, in standard deviations of the canary; infinite for NaN."""
        spread = self.image.std(correction=0).clamp_min(1e-6)
        found = float((image.cpu() - self.image).square().mean().sqrt() / spread)
        return found if found == found else float("inf")


@torch.no_grad()
def draw_canary(model: nn.Module, nothing: Tensor | None = None) -> Canary:
    """Of a model in fp32, on its device. nothing: (L, D), the encoded empty text of a model with texts."""
    config, device = config_of(model), next(model.parameters()).device
    label = LABEL if config.num_classes and not config.context else None
    guidance = GUIDANCE if config.guidable else 0.0
    condition = torch.tensor([label]) if label is not None else None
    if config.context and nothing is not None:
        condition = nothing[None].to(device)
    image = sample(
        model, config, condition, [SEED], STEPS, guidance, SAMPLER, device=device, nothing=nothing
    )[0]  # fmt: skip
    return Canary(image, SEED, STEPS, SAMPLER, guidance, "fp32", label, nothing)


def save_canary(directory: Path, canary: Canary, staging: Path | None = None) -> dict[str, Any]:
    """Writes its file and returns `canary` of the manifest."""
    text = {} if canary.text is None else {"text": canary.text}
    tensors = {"image": canary.image, **text}
    data = save({name: tensor.float().cpu().contiguous() for name, tensor in tensors.items()})
    write_atomically(directory / CANARY_FILE, data, staging)
    return {
        "file": CANARY_FILE,
        "sha256": hashlib.sha256(data).hexdigest(),
        "seed": canary.seed,
        "steps": canary.steps,
        "sampler": canary.sampler,
        "guidance": decimal(canary.guidance),
        "precision": canary.precision,
        "label": canary.label,
    }


def load_canary(directory: Path, manifest: Mapping[str, Any]) -> Canary | None:
    """None of an artifact of an earlier version. Raises InputError where it is not the one that was
    written."""
    stated = manifest.get("canary")
    if stated is None:
        return None
    if not (directory / CANARY_FILE).is_file():
        raise _invalid(f"{CANARY_FILE} is missing")
    try:
        data = (directory / CANARY_FILE).read_bytes()
        if hashlib.sha256(data).hexdigest() != stated["sha256"]:
            raise _invalid(f"{CANARY_FILE} is not the file that was written with the manifest")
        tensors = load(data)
        return Canary(
            tensors["image"],
            int(stated["seed"]),
            int(stated["steps"]),
            str(stated["sampler"]),
            float(stated["guidance"]),
            str(stated["precision"]),
            stated["label"],
            tensors.get("text"),
        )
    except (KeyError, TypeError, ValueError, SafetensorError) as error:
        raise _invalid(f"its {CANARY_FILE} can't be read ({type(error).__name__}: {error})") from error


def _invalid(problem: str) -> InputError:
    return InputError("ArtifactInvalid", f"The artifact is not valid: {problem}. Train or fetch it again.")
