"""`sparsedm evaluate --model DIR`: measures an artifact again, with `--dense FILE` beside the dense model.

The reference is a data set (`--data`), or statistics in an npz (`--reference`). The distance is named as in a
run: what is compared with decodings of latents, or with samples of the dense model, is no FID.

`--patterns 4:8,2:4,1:4` masks the artifact's weights, and those of the dense model, at each pattern as well.

Of a whole pipeline `--dense` is the folder of the dense one, and both draw after `--prompts`
(evaluate_pipeline.py).
"""

from __future__ import annotations

import argparse
import json
import time
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

from torch import nn

from sparsedm.artifact.artifact import PIPELINE, load_artifact, read_manifest
from sparsedm.data import open_dataset
from sparsedm.data.features import SCALES, TEXTS
from sparsedm.diffusion.samplers import IMAGE_CHANNELS, SAMPLERS
from sparsedm.errors import ConfigError, InputError
from sparsedm.measure.evaluator import Evaluator, Plan, guidance_for
from sparsedm.measure.inception import WEIGHTS_NAME
from sparsedm.measure.patterns import at_pattern, misfits, pattern_figures
from sparsedm.models import ModelConfig, build_model, config_of, load_weights
from sparsedm.models.autoencoder import Autoencoder
from sparsedm.runtime.device import limit_threads, pick_device
from sparsedm.runtime.progress import Console, format_duration
from sparsedm.sparsity.pattern import Pattern
from sparsedm.training.config import (
    CAPTIONED_FORMATS,
    DEFAULT_EXTRACTOR,
    FORMATS,
    LATENT_FORMATS,
    METRICS,
    PRECISIONS,
)
from sparsedm.uris import resolve_uri


def add_arguments(parser: argparse.ArgumentParser) -> None:
    parser.add_argument(
        "--model", required=True, metavar="DIR", help="artifact directory, as training wrote it"
    )
    parser.add_argument(
        "--dense",
        metavar="FILE",
        help="dense weights (.safetensors) to measure beside it; of a pipeline, the folder of the dense one",
    )
    parser.add_argument("--prompts", metavar="FILE", type=Path, help="which a pipeline draws after")
    parser.add_argument(
        "--clip", metavar="DIR", type=Path, help="CLIP model that scores a pipeline's images and prompts"
    )
    parser.add_argument(
        "--data",
        metavar="DIR",
        help="data set that is the reference: images, or latents, which are decoded",
    )
    parser.add_argument(
        "--held-out",
        action="store_true",
        help="--data was not trained on; of formats that have test images, these are taken",
    )
    parser.add_argument(
        "--reference",
        metavar="FILE",
        type=Path,
        help="npz with mu and sigma, the reference in place of --data",
    )
    parser.add_argument(
        "--save-reference", metavar="FILE", type=Path, help="keep the statistics of --data as such an npz"
    )
    parser.add_argument(
        "--format",
        default="fashion-mnist",
        choices=[f for f in FORMATS if f != "generated"],
        help="of --data (default fashion-mnist)",
    )
    parser.add_argument(
        "--captions",
        metavar="DIR",
        help="data set with latents and texts, after which a model with text draws; default: --data",
    )
    parser.add_argument(
        "--latents",
        choices=LATENT_FORMATS,
        help="latents that the model was trained on, where --data is of images; default: the manifest's",
    )
    parser.add_argument("--autoencoder", metavar="DIR", type=Path, help="makes images of latents")
    parser.add_argument(
        "--extractor", metavar="FILE", help=f"default: the one that ships; {WEIGHTS_NAME} makes it the FID"
    )
    parser.add_argument("--metric", choices=METRICS, help="fid takes no other extractor than that of the FID")
    parser.add_argument("--samples", type=int, default=500)
    parser.add_argument("--steps", type=int, default=20, help="sampler steps (default 20)")
    parser.add_argument("--guidance", type=float, default=None, help="default 0.5 for a model with classes")
    parser.add_argument("--sampler", default=SAMPLERS[0], choices=SAMPLERS)
    parser.add_argument("--precision", default="fp32", choices=PRECISIONS, help="both are drawn in it")
    parser.add_argument(
        "--served-precision",
        action="append",
        default=[],
        choices=PRECISIONS,
        help="measure the artifact in it too, as it is served; may be repeated",
    )
    parser.add_argument(
        "--patterns",
        type=_patterns,
        default=[],
        metavar="N:M,...",
        help="mask the weights of the artifact's masked layers at each of these too, and measure them",
    )
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--json", action="store_true", help="print one JSON object instead of a table")


def _patterns(text: str) -> list[Pattern]:
    try:
        patterns = [Pattern.parse(part.strip()) for part in text.split(",")]
    except ValueError as error:
        raise argparse.ArgumentTypeError(str(error)) from error
    if twice := next((p for i, p in enumerate(patterns) if p in patterns[:i]), None):
        raise argparse.ArgumentTypeError(f"it names {twice} twice: name each pattern once.")
    return patterns


def run(args: argparse.Namespace) -> int:
    kind = read_manifest(Path(args.model)).get("architecture")
    if kind == PIPELINE:
        # Imported here: few artifacts are pipelines.
        from sparsedm.commands.evaluate_pipeline import evaluate_pipeline

        figures, quality = evaluate_pipeline(args, lambda name, work: _Counter(name, work, args.json))
    else:
        figures, quality = _evaluate(args)
    if args.json:
        print(json.dumps({**figures, "quality": quality}))
        return 0
    table = _table(figures.pop("patterns", []))
    served = {
        f"sparse in {s['precision']}": s.get("sparse", s.get("problem")) for s in figures.pop("served", [])
    }
    rows = [*figures.items(), *served.items()]
    for name, value in quality.items():
        inner = value.items() if isinstance(value, Mapping) else [("", value)]
        rows += [(f"{name} {key}".strip(), _in_words(entry)) for key, entry in inner]
    print("\n".join([*(f"{key:<20} {value}" for key, value in rows), *table]))
    return 0


def _in_words(value: Any) -> Any:
    """Worked example: {"dense": "21.5", "sparse": "20.9"} -> "dense 21.5, sparse 20.9"."""
    return ", ".join(f"{k} {v}" for k, v in value.items()) if isinstance(value, Mapping) else value


def _table(rows: list[dict[str, Any]]) -> list[str]:
    """Lines; MACs in millions, of linear layers and with attention."""
    head = ("weights", "pattern", "distance", "sparsity", "MACs (M)", "with attention (M)")
    cells = [
        (
            *(row[key] for key in ("weights", "pattern", "distance", "sparsity")),
            f"{row['macs']['sparse'] / 1e6:.2f}",
            f"{row['macs']['totalSparse'] / 1e6:.2f}",
        )
        for row in rows
    ]
    lines = [
        "  ".join(f"{cell:<{max(9, len(name))}}" for name, cell in zip(head, line, strict=True)).rstrip()
        for line in ([head, *cells] if cells else [])
    ]
    return ["", *lines] if lines else []


def _evaluate(args: argparse.Namespace) -> tuple[dict[str, Any], dict[str, Any]]:
    """Figures and quality of the artifact, and of the dense model where one is given."""
    limit_threads()
    device = pick_device()
    model, manifest = load_artifact(args.model)
    config = config_of(model)
    names = [layer["name"] for layer in manifest["layers"]]
    _check_arguments(args, model, names)
    guidance = guidance_for(config, args.guidance)
    plan = Plan(args.samples, args.steps, guidance, args.sampler, args.seed, args.precision)
    extractor = Path(args.extractor) if args.extractor else resolve_uri(DEFAULT_EXTRACTOR)
    decode = {}
    if latents := _latents(args, manifest, config):
        decode = {"decode": Autoencoder(args.autoencoder, SCALES[latents], device)}
    evaluator = Evaluator(config, plan, extractor, device, **decode, metric=args.metric)
    _set_reference(evaluator, args, config)
    models = {}
    if args.dense:
        models["dense"] = build_model(config)
        load_weights(models["dense"], args.dense)
    models["sparse"] = model
    measured = {
        name: evaluator.measure(each.to(device), _Counter(name, plan.passes(), args.json))
        for name, each in models.items()
    }
    served = {}
    for name in args.served_precision:
        counter = _Counter(f"sparse in {name}", plan.passes(), args.json)
        served[name] = evaluator.measure(model, counter, precision=name).distance
    dense_distance = measured["dense"].distance if args.dense else None
    weights = manifest["provenance"]["weights"]
    figures = evaluator.figures(dense_distance, measured["sparse"].distance, weights, served)
    if args.patterns:
        figures["patterns"] = [
            _at_pattern(name, each, names, pattern, evaluator, args.json)
            for name, each in models.items()
            for pattern in args.patterns
        ]
    return figures, evaluator.quality(measured)


def _at_pattern(
    whose: str, model: nn.Module, names: list[str], pattern: Pattern, evaluator: Evaluator, silent: bool
) -> dict[str, Any]:
    masked = at_pattern(model, names, pattern)
    counter = _Counter(f"{whose} at {pattern}", evaluator.plan.passes(), silent)
    distance = evaluator.measure(masked, counter).distance
    return {"weights": whose, **pattern_figures(masked, names, pattern, distance)}


def _check_arguments(args: argparse.Namespace, model: nn.Module, names: list[str]) -> None:
    if args.prompts or args.clip:
        raise ConfigError(["--prompts and --clip are for a whole pipeline, and the artifact is none."])
    if args.samples < 2:
        raise InputError("TooFewSamples", f"--samples must be at least 2, not {args.samples}.")
    problems = [
        *_problems_of_reference(args),
        *_problems_of_model(args, config_of(model)),
        *_problems_of_patterns(args.patterns, model, names),
    ]
    if problems:
        raise ConfigError(problems)


def _problems_of_reference(args: argparse.Namespace) -> Iterator[str]:
    if not args.data and not args.reference:
        yield "--data or --reference is required: what are the images compared with?"
    if args.save_reference and args.reference:
        yield "--save-reference keeps the statistics of --data: leave out --reference."
    repeated = [args.precision, *args.served_precision]
    if len(set(repeated)) < len(repeated):
        yield f"--served-precision must name each once, and not {args.precision}, which is measured anyway."
    if args.held_out and not args.data and not args.captions:
        yield "--held-out is about --data and --captions: give one of them, or leave it out."
    if args.metric == "fid" and args.format in LATENT_FORMATS and not args.reference:
        yield (
            "--metric fid compares with real images, and --data holds latents: give real images there, or "
            "their statistics in --reference."
        )


def _problems_of_model(args: argparse.Namespace, config: ModelConfig) -> Iterator[str]:
    if config.channels not in IMAGE_CHANNELS and not args.autoencoder:
        yield "--autoencoder is required for a model of latents: it makes images of them."
    if config.channels in IMAGE_CHANNELS and args.format in LATENT_FORMATS:
        yield f"--format {args.format} is for a model of latents, and this one draws images."
    if config.context and not _captions_folder(args):
        yield (
            "--captions is required for a model with text, which draws after its texts: give a folder of "
            f"{', '.join(CAPTIONED_FORMATS)}."
        )
    if args.captions and not config.context:
        yield "--captions is for a model with text, and this one has none: leave it out."


def _problems_of_patterns(patterns: list[Pattern], model: nn.Module, names: list[str]) -> Iterator[str]:
    if patterns and not names:
        yield "--patterns masks the layers that the artifact has masked, and it has none: leave it out."
    for pattern in patterns:
        if unfit := misfits(model.state_dict(), names, pattern):
            more = f" and {len(unfit) - 1} more" if len(unfit) > 1 else ""
            yield (f"--patterns {pattern} does not fit {unfit[0]}{more}: name patterns whose M divides them.")


def _captions_folder(args: argparse.Namespace) -> str | None:
    return args.captions or (args.data if args.format in CAPTIONED_FORMATS else None)


def _latents(args: argparse.Namespace, manifest: Mapping[str, Any], config: ModelConfig) -> str | None:
    """The format of the latents that the model draws, which knows their scale; None for images."""
    if config.channels in IMAGE_CHANNELS:
        return None
    trained_on = manifest.get("settings", {}).get("dataset", {}).get("format")
    found = args.latents or (args.format if args.format in SCALES else trained_on)
    if found not in SCALES:
        raise ConfigError(
            ["--latents is required: the manifest does not say on which latents the model was trained."]
        )
    return found


def _set_reference(evaluator: Evaluator, args: argparse.Namespace, config: ModelConfig) -> None:
    split, source = ("test", "evaluation-data") if args.held_out else ("train", "training-data")
    own = (config.image_size, config.channels)
    if config.context:
        folder = _captions_folder(args)
        fitting = (name for name in CAPTIONED_FORMATS if TEXTS[name] == config.context)
        evaluator.draw_after(open_dataset(next(fitting, CAPTIONED_FORMATS[0]), folder, *own, split), source)
    if args.reference:
        evaluator.load_reference(args.reference)
        return
    latents = args.format in LATENT_FORMATS
    size = own if latents else (evaluator.image_size, evaluator.channels)
    dataset = open_dataset(args.format, args.data, *size, split)
    evaluator.set_reference(
        dataset,
        on_images=_Counter("reference", len(dataset), args.json),
        source=source,
        content="decodings" if latents else "images",
    )
    if args.save_reference:
        evaluator.save_reference(args.save_reference)


class _Counter:
    """Shows how much of the work of a phase is done; silent with --json."""

    def __init__(self, phase: str, work: int, silent: bool) -> None:
        self._began = time.monotonic()
        self._phase, self._done, self._all = phase, 0, work
        self._console = None if silent else Console()

    def __call__(self, passes: int) -> None:
        self._done += passes
        if self._console is None:
            return
        percent = 100 * self._done // self._all
        left = (time.monotonic() - self._began) * (self._all - self._done) / self._done
        progress = {
            "phase": self._phase, "percent": percent, "display": f"{percent}%", "step": self._done,
            "totalSteps": self._all, "eta": format_duration(left),
        }  # fmt: skip
        self._console.show(progress, force=self._done >= self._all)
        if self._done >= self._all:
            self._console.close()
