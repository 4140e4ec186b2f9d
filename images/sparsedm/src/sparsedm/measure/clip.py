"""CLIP score: how well an image fits the text that it was drawn after, by a CLIP model's two halves.

100 max(cos(image, text), 0) of their embeddings (Hessel et al., arXiv 2104.08718, whose weight of 2.5 is
commonly written 100). The folder is that of a CLIP model of transformers, whose own processor prepares the
images and whose own tokenizer reads the texts. Figures of two models can't be compared.
"""

from __future__ import annotations

import json
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import torch
from torch import Tensor

from sparsedm.data.images import to_uint8
from sparsedm.errors import InputError
from sparsedm.models.text_encoder import CONFIG_FILE, library, loading_problem
from sparsedm.models.weights import check_finite

MODEL_TYPE = "clip"
BATCH = 16


class ClipScore:
    """A function from images and their texts to a score of each. Raises InputError for a folder without a
    CLIP model, its processor and its tokenizer."""

    def __init__(self, directory: Path, device: torch.device) -> None:
        check_clip(directory)
        transformers, self.device = library(), device
        try:
            self._model, info = transformers.CLIPModel.from_pretrained(
                directory, local_files_only=True, dtype=torch.float32, output_loading_info=True
            )
            self._processor = transformers.CLIPImageProcessor.from_pretrained(
                directory, local_files_only=True
            )
            self._tokenizer = transformers.CLIPTokenizer.from_pretrained(directory, local_files_only=True)
        # The library raises what its own parts raise, from OSError to KeyError.
        except Exception as error:
            raise _unreadable(directory, f"{type(error).__name__}: {error}") from error
        if problem := loading_problem(info):
            raise _unreadable(directory, problem)
        check_finite(self._model.state_dict().items(), directory, "ClipModelNotFinite")
        self._model.eval().requires_grad_(False)

    @torch.no_grad()
    def __call__(self, images: Tensor, texts: Sequence[str]) -> Tensor:
        """(n, 3, H, W) in [-1, 1] and n texts -> (n,) float32 on the CPU. A longer text is cut at the tokens
        that the model reads, 77 in those that are published."""
        parts = [slice(start, start + BATCH) for start in range(0, len(images), BATCH)]
        self._model.to(self.device)
        found = torch.cat([self._scores(images[part], list(texts[part])) for part in parts])
        self._model.cpu()
        return found

    def _scores(self, images: Tensor, texts: list[str]) -> Tensor:
        pixels = self._processor(list(to_uint8(images)), return_tensors="pt")["pixel_values"]
        longest = self._model.config.text_config.max_position_embeddings
        tokens = self._tokenizer(
            texts, padding=True, truncation=True, max_length=longest, return_tensors="pt"
        )
        out: Any = self._model(
            pixel_values=pixels.to(self.device), **{name: t.to(self.device) for name, t in tokens.items()}
        )
        cosines = torch.cosine_similarity(out.image_embeds, out.text_embeds)
        return (100 * cosines.clamp(min=0)).float().cpu()


def check_clip(directory: Path) -> None:
    """Raises InputError where the folder describes no CLIP model. Nothing of its weights is read."""
    try:
        found = json.loads((directory / CONFIG_FILE).read_text(encoding="utf-8"))["model_type"]
    except (OSError, ValueError, KeyError, TypeError) as error:
        raise _unreadable(directory, f"its {CONFIG_FILE}: {type(error).__name__}: {error}") from error
    if found != MODEL_TYPE:
        raise InputError(
            "ClipModelUnsupported",
            f"evaluation.clipUri: {directory} holds a {found}, and images are compared with texts by a CLIP "
            f"model of both (model_type {MODEL_TYPE}): name the folder of one, for example "
            "hf://openai/clip-vit-large-patch14.",
        )


def _unreadable(directory: Path, problem: str) -> InputError:
    return InputError(
        "ClipModelNotFound",
        f"There is no readable CLIP model with its processor and its tokenizer in {directory} ({problem}): "
        "check evaluation.clipUri.",
    )
