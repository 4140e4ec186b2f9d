"""`sparsedm evaluate --model DIR`: measures an artifact again, with `--dense FILE` beside the dense model.

The reference is a data set (`--data`), or statistics in an npz (`--reference`).
"""

from __future__ import annotations

import argparse
import json
import time
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from sparsedm.artifact.artifact import load_artifact
from sparsedm.data import open_dataset
from sparsedm.data.features import SCALES
from sparsedm.diffusion.samplers import SAMPLERS
from sparsedm.errors import ConfigError, InputError
from sparsedm.measure.evaluator import Evaluator, Plan, guidance_for
from sparsedm.measure.inception import WEIGHTS_NAME
from sparsedm.models import ModelConfig, build_model, check_finite, config_of, load_weights
from sparsedm.models.autoencoder import Autoencoder
from sparsedm.runtime.device import limit_threads, pick_device
from sparsedm.runtime.progress import Console, format_duration
from sparsedm.training.config import DEFAULT_EXTRACTOR, FORMATS, METRICS
from sparsedm.uris import resolve_uri


def add_arguments(parser: argparse.ArgumentParser) -> None:
    parser.add_argument(
        "--model", required=True, metavar="DIR", help="artifact directory, as training wrote it"
    )
    parser.add_argument("--dense", metavar="FILE", help="dense weights (.safetensors) to measure beside it")
    parser.add_argument("--data", metavar="DIR", help="data set whose training images are the reference")
    parser.add_argument(
        "--reference",
        metavar="FILE",
        type=Path,
        help="npz with mu and sigma, the reference in place of --data",
    )
    parser.add_argument(
        "--save-reference", metavar="FILE", type=Path, help="keep the statistics of --data as such an npz"
    )
    parser.add_argument("--format", default="fashion-mnist", choices=[f for f in FORMATS if f != "generated"])
    parser.add_argument("--autoencoder", metavar="DIR", type=Path, help="makes images of latents")
    parser.add_argument(
        "--extractor", metavar="FILE", help=f"default: the one that ships; {WEIGHTS_NAME} makes it the FID"
    )
    parser.add_argument("--metric", choices=METRICS, help="fid takes no other extractor than that of the FID")
    parser.add_argument("--samples", type=int, default=500)
    parser.add_argument("--steps", type=int, default=20, help="sampler steps (default 20)")
    parser.add_argument("--guidance", type=float, default=None, help="default 0.5 for a model with classes")
    parser.add_argument("--sampler", default=SAMPLERS[0], choices=SAMPLERS)
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--json", action="store_true", help="print one JSON object instead of a table")


def run(args: argparse.Namespace) -> int:
    figures, quality = _evaluate(args)
    if args.json:
        print(json.dumps({**figures, "quality": quality}))
        return 0
    rows = list(figures.items())
    for name, value in quality.items():
        inner = value.items() if isinstance(value, Mapping) else [("", value)]
        rows += [(f"{name} {key}".strip(), entry) for key, entry in inner]
    print("\n".join(f"{key:<20} {value}" for key, value in rows))
    return 0


def _evaluate(args: argparse.Namespace) -> tuple[dict[str, Any], dict[str, Any]]:
    """Figures and quality of the artifact, and of the dense model where one is given."""
    limit_threads()
    device = pick_device()
    model, manifest = load_artifact(args.model)
    config = config_of(model)
    _check_arguments(args, config)
    plan = Plan(args.samples, args.steps, guidance_for(config, args.guidance), args.sampler, args.seed)
    extractor = Path(args.extractor) if args.extractor else resolve_uri(DEFAULT_EXTRACTOR)
    decode = {}
    if args.format in SCALES:
        decode = {"decode": Autoencoder(args.autoencoder, SCALES[args.format], device)}
    evaluator = Evaluator(config, plan, extractor, device, **decode, metric=args.metric)
    _set_reference(evaluator, args, config)
    measured = {}
    if args.dense:
        dense = build_model(config)
        load_weights(dense, args.dense)
        check_finite(dense, args.dense)
        measured["dense"] = evaluator.measure(dense.to(device), _Counter("dense", plan.passes(), args.json))
    measured["sparse"] = evaluator.measure(model.to(device), _Counter("sparse", plan.passes(), args.json))
    dense_distance = measured["dense"].distance if args.dense else None
    weights = manifest["provenance"]["weights"]
    figures = evaluator.figures(dense_distance, measured["sparse"].distance, weights)
    return figures, evaluator.quality(measured)


def _check_arguments(args: argparse.Namespace, config: ModelConfig) -> None:
    if args.samples < 2:
        raise InputError("TooFewSamples", f"--samples must be at least 2, not {args.samples}.")
    problems = []
    if args.format in SCALES and not args.autoencoder:
        problems.append(f"--autoencoder is required with --format {args.format}.")
    if not args.data and not args.reference:
        problems.append("--data or --reference is required: what are the images compared with?")
    if not args.data and config.context:
        problems.append("--data is required too for a model with text, which draws after its texts.")
    if args.save_reference and args.reference:
        problems.append("--save-reference keeps the statistics of --data: leave out --reference.")
    if problems:
        raise ConfigError(problems)


def _set_reference(evaluator: Evaluator, args: argparse.Namespace, config: ModelConfig) -> None:
    dataset = open_dataset(args.format, args.data, config.image_size, config.channels) if args.data else None
    if args.reference or dataset is None:
        evaluator.dataset = dataset
        evaluator.load_reference(args.reference)
        return
    evaluator.set_reference(dataset, on_images=_Counter("reference", len(dataset), args.json))
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
