"""`sparsedm generate`: draws images of chosen classes or texts and lays them out in a grid."""

from __future__ import annotations

import argparse
import json
from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path

import torch
from torch import Tensor, nn
from tqdm import tqdm

from sparsedm.artifact.components import Components, load_components
from sparsedm.data.images import image_grid
from sparsedm.diffusion.samplers import IMAGE_CHANNELS, SAMPLERS, sample
from sparsedm.errors import ConfigError, InputError
from sparsedm.models import (
    CLASSES,
    PRESETS,
    WEIGHTS_DIR,
    ModelConfig,
    build_model,
    config_from,
    config_of,
    load_weights,
)
from sparsedm.models.text_encoder import TextTooLong
from sparsedm.runtime.device import limit_threads


@dataclass(frozen=True)
class DrawableModel:
    """A network that is ready to sample, with the names of its classes (none for an unconditional one) and
    what an artifact has beside it."""

    model: nn.Module
    classes: list[str]
    components: Components = field(default_factory=Components)


def open_model(path: Path, preset: str | None = None) -> DrawableModel:
    """An artefact's directory, or a weights file with its manifest beside it (NAME.json) or with a preset."""
    if path.is_dir():
        # Imported here: dense weights need no masks.
        from sparsedm.artifact.artifact import load_artifact

        model, manifest = load_artifact(path)
        return DrawableModel(model, list(manifest["classes"] or []), load_components(path, manifest))
    config, classes, sha256 = _description(path, preset)
    model = build_model(config)
    load_weights(model, path, sha256)
    return DrawableModel(model.eval(), classes)


def _description(path: Path, preset: str | None) -> tuple[ModelConfig, list[str], str | None]:
    if preset is not None:
        return PRESETS[preset], CLASSES.get(preset, []), None
    manifest_path = path.with_suffix(".json")
    if not manifest_path.is_file():
        raise InputError(
            "ManifestNotFound", f"{manifest_path} is missing: pass --preset to say what {path.name} holds."
        )
    try:
        manifest = json.loads(manifest_path.read_text())
        return (
            config_from(manifest.get("architecture", "uvit"), manifest["config"]),
            list(manifest["classes"] or []),
            manifest["weights"]["sha256"],
        )
    except (ValueError, KeyError, TypeError) as error:
        raise InputError(
            "ManifestUnreadable",
            f"{manifest_path} does not describe a model ({error}): pass --preset instead.",
        ) from error


def class_labels(wanted: list[str], classes: list[str], num_classes: int) -> list[int]:
    """Label indices of class names or numbers; all classes when none is named."""
    if not wanted:
        return list(range(num_classes))
    labels = [classes.index(w) if w in classes else int(w) if w.isdecimal() else -1 for w in wanted]
    unknown = [w for w, label in zip(wanted, labels, strict=True) if not 0 <= label < num_classes]
    if unknown:
        known = ", ".join(classes) if classes else f"0 to {num_classes - 1}" if num_classes else "none"
        raise ConfigError([f"Unknown class {', '.join(unknown)}: this model's classes are {known}."])
    return labels


def add_arguments(parser: argparse.ArgumentParser) -> None:
    shipped = WEIGHTS_DIR / "fashion-mnist-uvit-tiny.safetensors"
    parser.add_argument("--model", type=Path, default=shipped, help="artefact directory or .safetensors file")
    presets = sorted(name for name, config in PRESETS.items() if config.channels in IMAGE_CHANNELS)
    parser.add_argument("--preset", choices=presets, help="architecture of a file without a manifest")
    parser.add_argument(
        "--classes", nargs="+", default=[], help="names or numbers, one column each (default: all)"
    )
    parser.add_argument(
        "--prompts", nargs="+", default=[], metavar="TEXT", help="of a model that draws after texts"
    )
    parser.add_argument("--seed", type=int, default=0, help="of the first row; each further row has the next")
    parser.add_argument("--count", type=int, default=4, help="images per class or text")
    parser.add_argument("--steps", type=int, default=20, help="of the sampler")
    parser.add_argument("--guidance", type=float, default=0.5, help="s in c + s (c - u); 0 for none")
    parser.add_argument("--sampler", choices=SAMPLERS, default=SAMPLERS[0])
    parser.add_argument("--scale", type=int, default=3, help="pixels per pixel in the image")
    parser.add_argument("--out", type=Path, required=True, help="the PNG to write")


def run(args: argparse.Namespace) -> int:
    """One row per seed, one column per class or text: images of a row start from the same noise."""
    problems = [
        f"--{name} must be at least 1." for name in ("count", "steps", "scale") if getattr(args, name) < 1
    ]
    if args.seed < 0:
        problems.append("--seed must not be negative.")
    if problems:
        raise ConfigError(problems)
    limit_threads()
    drawable = open_model(args.model, args.preset)
    config = config_of(drawable.model)
    conditions, nothing = _conditions(args, drawable, config)
    columns = max(1, 0 if conditions is None else len(conditions))
    decode = _decoder(drawable, config)
    seeds = [args.seed + row for row in range(args.count) for _ in range(columns)]
    with tqdm(unit="step") as bar:

        def progress(done: int, total: int) -> None:
            bar.total = total
            bar.update(done - bar.n)

        images = sample(
            drawable.model, config, None if conditions is None else torch.cat([conditions] * args.count),
            seeds, steps=args.steps, guidance=args.guidance, sampler=args.sampler, batch_size=64,
            progress=progress, nothing=nothing,
        )  # fmt: skip
    args.out.parent.mkdir(parents=True, exist_ok=True)
    columns = None if conditions is None else columns
    image_grid(decode(images), columns=columns, scale=args.scale).save(args.out)
    print(f"{len(images)} images: {args.out}")
    return 0


def _conditions(
    args: argparse.Namespace, drawable: DrawableModel, config: ModelConfig
) -> tuple[Tensor | None, Tensor | None]:
    """(columns,) labels or (columns, L, D) texts, None without either; and the text that stands for none."""
    if config.context is None:
        if args.prompts:
            raise ConfigError(["--prompts must be absent: the model does not draw after texts."])
        labels = class_labels(args.classes, drawable.classes, config.num_classes)
        return (torch.tensor(labels) if labels else None), None
    if args.classes or not args.prompts:
        raise ConfigError(
            ["--prompts is required and --classes must be absent: the model draws after texts."]
        )
    encoder = drawable.components.text_encoder
    if encoder is None:
        raise _without("text encoder", "--text-encoder")
    try:
        return encoder(args.prompts), encoder([""])[0]
    except TextTooLong as error:
        raise ConfigError([f"--prompts: {error}"]) from error


def _decoder(drawable: DrawableModel, config: ModelConfig) -> Callable[[Tensor], Tensor]:
    if config.channels in IMAGE_CHANNELS:
        return lambda images: images
    if drawable.components.autoencoder is None:
        raise _without("autoencoder", "--autoencoder")
    return drawable.components.autoencoder


def _without(part: str, option: str) -> InputError:
    return InputError(
        "ModelUnsupported",
        f"The model has no {part} beside it: add one to its artifact with sparsedm attach {option}.",
    )
