"""Networks of the diffusers library behind the interface of our own.

Any class works whose forward takes noisy images, a time, and labels or text. The parameters keep their
names, so that an artifact's weights are what diffusers reads. The library is imported when a network is
built, and reads local directories only.
"""

from __future__ import annotations

import inspect
import json
import os
import re
from collections.abc import Mapping
from dataclasses import dataclass, replace
from functools import cache
from pathlib import Path
from types import ModuleType
from typing import Any, ClassVar

from torch import Tensor, nn

from sparsedm.diffusion.process import VP_LINEAR, NoiseProcess, Prediction, process_from
from sparsedm.errors import InputError
from sparsedm.models.scheduler import process_of, read_json, scheduler_file
from sparsedm.models.weight_files import INDEX_SUFFIX

CONFIG_FILE = "config.json"
WEIGHTS_FILE = "diffusion_pytorch_model.safetensors"
PICKLED_FILE = "diffusion_pytorch_model.bin"
_VARIANT = re.compile(
    r"diffusion_pytorch_model\.[\w-]+\.(safetensors|bin)|diffusion_pytorch_model\.safetensors"
    r"\.index\.[\w-]+\.json"
)
_SHARD = re.compile(r"-\d+-of-\d+")
SUBFOLDERS = ("unet", "transformer")
"""Where a pipeline's directory keeps its denoiser."""
CLASS_OF = {"unet": "UNet2DModel", "dit": "DiTTransformer2DModel"}
TEXT_TOKENS = 77
"""Length of CLIP's text, which cross-attention does not determine."""
DIT_GUIDED_CHANNELS = 3


@dataclass(frozen=True)
class DiffusersConfig:
    """`settings` is the model's config.json, less its private fields other than _class_name.

    `architecture` is unet (UNet2DModel), dit (DiTTransformer2DModel) or diffusers (any other class).
    """

    architecture: str
    settings: dict[str, Any]
    prediction: Prediction = "noise"
    process: NoiseProcess = VP_LINEAR

    label_dropout: ClassVar[float] = 0.1

    def __post_init__(self) -> None:
        if isinstance(self.process, Mapping):
            object.__setattr__(self, "process", process_from(self.process))
        want = CLASS_OF.get(self.architecture)
        if want is not None and self.class_name != want:
            raise ValueError(
                f"architecture {self.architecture} is diffusers' {want}, and _class_name is "
                f"{self.class_name}: write architecture: diffusers for another class."
            )
        for name in ("sample_size", "in_channels"):
            if not isinstance(self._square(name), int):
                raise ValueError(f"{name} must be one whole number, and is {self.settings.get(name)}.")
        if self.settings.get("time_embedding_type", "positional") != "positional":
            raise ValueError(
                "time_embedding_type must be positional: fourier and learned belong to other diffusion "
                "processes than the one trained here."
            )
        if self.out_channels not in (self.channels, 2 * self.channels):
            raise ValueError(
                "out_channels must be in_channels, or twice that with a learned variance, and is "
                f"{self.out_channels}."
            )
        for name in ("class_embed_type", "addition_embed_type", "encoder_hid_dim_type"):
            if self.settings.get(name) is not None:
                raise ValueError(f"{name} must be absent: conditions are labels or one text.")

    def _square(self, name: str) -> Any:
        """A size that may be written as [size, size]."""
        value = self.settings.get(name)
        sides = value if isinstance(value, list | tuple) else [value]
        return sides[0] if len(set(sides)) == 1 else None

    @property
    def class_name(self) -> str:
        return self.settings["_class_name"]

    @property
    def image_size(self) -> int:
        return self._square("sample_size")

    @property
    def channels(self) -> int:
        return self.settings["in_channels"]

    @property
    def out_channels(self) -> int:
        """Twice `channels` where the network also predicts the variance (DiT)."""
        return self.settings.get("out_channels") or self.channels

    @property
    def num_classes(self) -> int:
        name = "num_embeds_ada_norm" if self._is_dit else "num_class_embeds"
        return self.settings.get(name) or 0

    @property
    def null_label(self) -> int | None:
        """DiT's label table has a row for "none"; other classes have none, and are never guided by label."""
        return self.num_classes if self._is_dit else None

    @property
    def context(self) -> tuple[int, int] | None:
        width = self.settings.get("cross_attention_dim") if not self._is_dit else None
        return (TEXT_TOKENS, width) if isinstance(width, int) else None

    @property
    def guidable(self) -> bool:
        """Whether a condition can be "none", as classifier-free guidance needs."""
        return self.null_label is not None or self.context is not None

    @property
    def guided_channels(self) -> int:
        """DiT guides three channels when it predicts the variance too, as in its published figures."""
        learned_variance = self._is_dit and self.out_channels > self.channels
        return min(DIT_GUIDED_CHANNELS, self.channels) if learned_variance else self.channels

    @property
    def tokens(self) -> int:
        """Positions of an image: patches of a transformer, pixels of a UNet."""
        return (self.image_size // (self.settings.get("patch_size") or 1)) ** 2

    @property
    def _is_dit(self) -> bool:
        return self.class_name == CLASS_OF["dit"]

    def to_dict(self) -> dict[str, Any]:
        return {
            "architecture": self.architecture,
            "settings": dict(self.settings),
            "prediction": self.prediction,
            "process": self.process.to_dict(),
        }


@cache
def library() -> ModuleType:
    """Imports diffusers in offline mode. It takes seconds, so only callers that need it import it."""
    os.environ["HF_HUB_OFFLINE"] = "1"
    os.environ["HF_HUB_DISABLE_TELEMETRY"] = "1"
    import diffusers

    diffusers.utils.logging.set_verbosity_error()
    return diffusers


def build_denoiser(config: DiffusersConfig) -> nn.Module:
    """A freshly initialised network of diffusers. Raises InputError where there is none to be had."""
    try:
        network = _class(config.class_name).from_config(dict(config.settings))
    except Exception as error:  # the library has many error types of its own
        raise InputError(
            "ModelUnsupported",
            f"{config.class_name} can't be built from its {CONFIG_FILE} ({type(error).__name__}: {error}).",
        ) from error
    refuse_ties(network, config.class_name)
    for module in network.modules():
        if type(module).__name__ == "LabelEmbedding":
            module.dropout_prob = 0.0  # labels are dropped by the objective, for student and teacher alike
    network.__class__ = _adapted(type(network))
    network.sparsedm_config = config
    return network


def refuse_ties(network: nn.Module, class_name: str) -> None:
    """A mask belongs to one layer: it would change what another reads from the same tensor. Raises
    InputError."""
    first: dict[int, str] = {}
    for name, parameter in network.named_parameters(remove_duplicate=False):
        if (other := first.setdefault(id(parameter), name)) != name:
            raise InputError(
                "ModelUnsupported",
                f"{class_name} ties {name} to {other}: they are one tensor, and a mask of one layer "
                f"would change the other. Untie them in {CONFIG_FILE}, or choose a model without ties.",
            )


def _class(name: str) -> type[nn.Module]:
    cls = getattr(library(), name, None)
    if not (isinstance(cls, type) and issubclass(cls, library().ModelMixin)):
        raise ValueError(f"diffusers {library().__version__} has no such model")
    _inputs(cls)
    return cls


class _Adapter:
    """Mixin for a class of diffusers: its forward is called like that of our own networks."""

    def forward(self, x: Tensor, t: Tensor, y: Tensor | None = None) -> Tensor:
        config, (image, has_return_dict) = self.sparsedm_config, _inputs(type(self).__mro__[2])
        inputs = {image: x, "timestep": config.process.network_time(t)}
        if y is not None:
            inputs["encoder_hidden_states" if config.context else "class_labels"] = y
        if has_return_dict:
            inputs["return_dict"] = False
        out = super().forward(**inputs)
        return out[0] if isinstance(out, tuple) else getattr(out, "sample", out)


@cache
def _adapted(cls: type[nn.Module]) -> type[nn.Module]:
    return type(cls.__name__, (_Adapter, cls), {"__module__": cls.__module__})


@cache
def _inputs(cls: type[nn.Module]) -> tuple[str, bool]:
    """Name of the image among the arguments of `forward`, and whether there is return_dict.

    Raises ValueError where forward needs what an image, a time and a condition can't give.
    """
    parameters = inspect.signature(cls.forward).parameters
    image = next((name for name in ("sample", "hidden_states") if name in parameters), None)
    known = {"self", image, "timestep", "class_labels", "encoder_hidden_states"}
    required = [
        n for n, p in parameters.items() if p.default is p.empty and p.kind is p.POSITIONAL_OR_KEYWORD
    ]
    others = [name for name in required if name not in known]
    if image is None or "timestep" not in parameters or others:
        lack = f"it needs {', '.join(others)} too" if others else "its forward takes no sample and timestep"
        raise ValueError(f"an image, a time and labels or text do not drive it: {lack}")
    return image, "return_dict" in parameters


def read_directory(path: Path, architecture: str) -> tuple[DiffusersConfig, Path]:
    """A model's or a pipeline's directory: its configuration and its weights file. Raises InputError."""
    directory = _denoiser_folder(path)
    settings = read_json(directory / CONFIG_FILE)
    try:
        config = DiffusersConfig(architecture, _public(settings))
        learned_variance = config.out_channels > config.channels
        process, prediction = process_of(path, directory, learned_variance)
        config = replace(config, process=process, prediction=prediction)
    except (ValueError, KeyError, TypeError) as error:
        raise InputError(
            "ModelUnsupported", f"{directory / CONFIG_FILE} describes no model that can be trained: {error}"
        ) from error
    return config, _weights_file(directory)


def without_scheduler(path: Path) -> bool:
    """Whether nothing beside the model says what it predicts and on which noise process it was trained."""
    return scheduler_file(path, _denoiser_folder(path)) is None


def _denoiser_folder(path: Path) -> Path:
    folders = (path, *(path / name for name in SUBFOLDERS))
    directory = next((folder for folder in folders if (folder / CONFIG_FILE).is_file()), None)
    if directory is None:
        raise InputError("PretrainedNotFound", _no_denoiser(path))
    return directory


def _no_denoiser(path: Path) -> str:
    if not path.is_dir():
        return f"There is no folder {path}: check the path and the volume."
    parts = sorted(folder.name for folder in path.iterdir() if (folder / CONFIG_FILE).is_file())
    if parts:
        return (
            f"There is no {CONFIG_FILE} in {path}, nor in its {' or '.join(SUBFOLDERS)}: give the folder of "
            f"the denoiser, one of {', '.join(f'{path}/{part}' for part in parts)}."
        )
    return f"There is no {CONFIG_FILE} in {path}: give the directory that diffusers' save_pretrained wrote."


def _weights_file(directory: Path) -> Path:
    """The plain file, else its shards, else the pickled one, else the only variant. Raises InputError."""
    plain = (WEIGHTS_FILE, f"{WEIGHTS_FILE}{INDEX_SUFFIX}", PICKLED_FILE, f"{PICKLED_FILE}{INDEX_SUFFIX}")
    for name in plain:
        if (directory / name).is_file():
            return directory / name
    variants = sorted(
        path for path in directory.iterdir() if _VARIANT.fullmatch(path.name) and not _SHARD.search(path.name)
    )
    kinds = {path.name.split(".")[1] for path in variants}
    if len(kinds) == 1:
        return max(variants, key=lambda path: ".safetensors" in path.name)
    if variants:
        raise InputError(
            "PretrainedUnreadable",
            f"{directory} has {', '.join(path.name for path in variants)} and no {WEIGHTS_FILE}: copy the "
            "one to train to that name.",
        )
    found = ", ".join(sorted(path.name for path in directory.iterdir())[:10])
    raise InputError(
        "PretrainedNotFound",
        f"There is no {WEIGHTS_FILE} in {directory}, which holds {found}: put it there, or write it with "
        "save_pretrained(..., safe_serialization=True).",
    )


def _public(settings: dict[str, Any]) -> dict[str, Any]:
    """Without the fields that say where a model came from; DiT's former class name becomes today's."""
    public = {k: v for k, v in settings.items() if not k.startswith("_") or k == "_class_name"}
    if public.get("_class_name") == "Transformer2DModel" and public.get("norm_type") == "ada_norm_zero":
        public["_class_name"] = CLASS_OF["dit"]
    return public


def write_config(config: DiffusersConfig) -> str:
    """config.json as diffusers writes it."""
    return (
        json.dumps({**config.settings, "_diffusers_version": library().__version__}, indent=2, sort_keys=True)
        + "\n"
    )
