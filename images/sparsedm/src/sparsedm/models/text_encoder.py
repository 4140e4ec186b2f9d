"""From texts to what a network draws after: CLIP's text encoder and tokenizer of transformers.

A folder holds both (as published CLIP models have them), or has them in `text_encoder/` and `tokenizer/` (as
pipelines of diffusers do).
"""

from __future__ import annotations

import json
import tempfile
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import torch
from safetensors.torch import save
from torch import Tensor

from sparsedm.errors import InputError
from sparsedm.models.weights import check_finite

ENCODER_FOLDER, TOKENIZER_FOLDER = "text_encoder", "tokenizer"
CONFIG_FILE = "config.json"
WEIGHTS_FILE = "model.safetensors"
MODEL_TYPES = ("clip_text_model", "clip")
"""What config.json of a text encoder may say it is; of a whole CLIP model the text's half is read."""


class TextTooLong(ValueError):
    """A text of more tokens than the encoder reads."""


class TextEncoder:
    """A function from texts to the encoder's last hidden states (B, L, D), float32 on `device`.

    Texts are padded to L tokens; the encoder sees the padding, as in the training of the published models.
    Raises InputError for a folder without a CLIP text encoder and its tokenizer.
    """

    def __init__(self, directory: Path, device: torch.device | str = "cpu") -> None:
        home = _encoder_folder(directory)
        transformers = library()
        try:
            model, info = transformers.CLIPTextModel.from_pretrained(
                home, local_files_only=True, dtype=torch.float32, output_loading_info=True
            )
            tokenizer = transformers.CLIPTokenizer.from_pretrained(
                _tokenizer_folder(directory), local_files_only=True
            )
        # The library raises what its own parts raise, from OSError to KeyError.
        except Exception as error:
            raise _unreadable(directory, f"{type(error).__name__}: {error}") from error
        if problem := loading_problem(info):
            raise _unreadable(home, problem)
        check_finite(model.state_dict().items(), home, "TextEncoderNotFinite")
        if len(tokenizer) > model.config.vocab_size:
            raise _unreadable(
                directory,
                f"the tokenizer has {len(tokenizer)} tokens and the encoder {model.config.vocab_size}",
            )
        self._model = model.to(device).eval().requires_grad_(False)
        self._tokenizer = tokenizer
        self._device = torch.device(device)

    @property
    def shape(self) -> tuple[int, int]:
        """(L, D): tokens of a text, and values of each."""
        config = self._model.config
        return config.max_position_embeddings, config.hidden_size

    def __call__(self, texts: Sequence[str]) -> Tensor:
        """Raises TextTooLong."""
        return self.encode(self.tokens(texts))

    @torch.no_grad()
    def encode(self, tokens: Tensor) -> Tensor:
        """(B, L) tokens -> (B, L, D)."""
        return self._model(tokens.to(self._device)).last_hidden_state.float()

    def tokens(self, texts: Sequence[str]) -> Tensor:
        """(B, L) int64. Raises TextTooLong: a text that is cut in silence would be drawn without its end."""
        length = self.shape[0]
        rows = self._tokenizer(list(texts), padding="max_length", max_length=length)["input_ids"]
        longest = max((len(row) for row in rows), default=0)
        if longest > length:
            raise TextTooLong(
                f"The text has {longest} tokens with its start and end, and this model reads {length}."
            )
        return torch.tensor(rows, dtype=torch.int64).reshape(-1, length)

    def files(self) -> dict[str, bytes]:
        """What `TextEncoder(folder)` reads, by path in the folder; equal encoders give equal bytes."""
        weights = {name: t.contiguous().cpu() for name, t in sorted(self._model.state_dict().items())}
        with tempfile.TemporaryDirectory() as scratch:
            self._model.config.save_pretrained(scratch)
            encoder = {CONFIG_FILE: Path(scratch, CONFIG_FILE).read_bytes()}
        with tempfile.TemporaryDirectory() as scratch:
            self._tokenizer.save_pretrained(scratch)
            tokenizer = {path.name: path.read_bytes() for path in sorted(Path(scratch).iterdir())}
        encoder[WEIGHTS_FILE] = save(weights)
        return {
            **{f"{ENCODER_FOLDER}/{name}": data for name, data in encoder.items()},
            **{f"{TOKENIZER_FOLDER}/{name}": data for name, data in tokenizer.items()},
        }


def library() -> Any:
    """Imported where it is used: it takes seconds."""
    import transformers

    transformers.logging.set_verbosity_error()
    transformers.utils.logging.disable_progress_bar()
    return transformers


def loading_problem(info: Mapping[str, Any]) -> str | None:
    """What from_pretrained's loading info says that the folder's weights lack. It is no error to the library,
    which draws such weights at random."""
    if missing := sorted(info["missing_keys"]):
        return f"{missing[0]} is missing"
    if mismatched := sorted(str(one[0]) for one in info["mismatched_keys"]):
        return f"{mismatched[0]} has another shape than {CONFIG_FILE} says"
    return None


def _encoder_folder(directory: Path) -> Path:
    """Raises InputError where there is no description of a CLIP text encoder."""
    home = directory / ENCODER_FOLDER if (directory / ENCODER_FOLDER).is_dir() else directory
    try:
        found = json.loads((home / CONFIG_FILE).read_text(encoding="utf-8"))["model_type"]
    except (OSError, ValueError, KeyError, TypeError) as error:
        raise _unreadable(home, f"its {CONFIG_FILE}: {type(error).__name__}: {error}") from error
    if found not in MODEL_TYPES:
        raise InputError(
            "TextEncoderUnsupported",
            f"{home} holds a {found}: texts are encoded by CLIP's text encoder (clip_text_model).",
        )
    return home


def _tokenizer_folder(directory: Path) -> Path:
    inner = directory / TOKENIZER_FOLDER
    return inner if inner.is_dir() else directory


def _unreadable(directory: Path, problem: str) -> InputError:
    return InputError(
        "TextEncoderNotFound",
        f"There is no readable CLIP text encoder with its tokenizer in {directory} ({problem}): check "
        "model.textEncoderUri.",
    )
