"""`sparsedm evaluate` of a whole pipeline: beside the dense one, after the same prompts and seeds."""

from __future__ import annotations

import argparse
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

from sparsedm.artifact.pipeline import PipelineConfig, load_pipeline_artifact
from sparsedm.errors import ConfigError, InputError
from sparsedm.measure.clip import ClipScore
from sparsedm.measure.evaluator import OnWork, Plan
from sparsedm.pipelines.call import Drawing
from sparsedm.pipelines.folder import read_pipeline
from sparsedm.pipelines.measure import PAIRS, DenseImages, PipelineEvaluator, image_figures
from sparsedm.pipelines.prompts import read_prompts
from sparsedm.runtime.device import limit_threads, pick_device
from sparsedm.training.config import DEFAULT_EXTRACTOR
from sparsedm.uris import resolve_uri

OF_OTHERS = ("data", "held_out", "save_reference", "captions", "latents", "autoencoder", "patterns")
"""Arguments that say nothing of a pipeline."""


def evaluate_pipeline(
    args: argparse.Namespace, counter: Callable[[str, int], OnWork]
) -> tuple[dict[str, Any], dict[str, Any]]:
    """Figures and quality, as a run writes them to its manifest. `counter` takes the name of a phase and its
    work. Raises ConfigError with every argument that is missing or out of place."""
    if problems := list(_problems(args)):
        raise ConfigError(problems)
    limit_threads()
    device = pick_device()
    sparse, manifest = load_pipeline_artifact(args.model)
    config, folder = PipelineConfig.from_dict(manifest["config"]), read_pipeline(Path(args.dense))
    if (folder.pipeline, folder.class_name) != (config.pipeline, config.class_name):
        raise InputError(
            "ModelUnsupported",
            f"--dense: {args.dense} is a {folder.pipeline} with {folder.class_name}, and the artifact a "
            f"{config.pipeline} with {config.class_name}: name the pipeline that it was made of.",
        )
    guidance = config.guidance if args.guidance is None else args.guidance
    drawing = Drawing(args.steps, guidance, config.size)
    plan = Plan(args.samples, args.steps, guidance or 0.0, folder.scheduler, args.seed, args.precision)
    evaluator = PipelineEvaluator(
        folder,
        read_prompts(args.prompts, "--prompts"),
        drawing,
        plan,
        Path(args.extractor) if args.extractor else resolve_uri(DEFAULT_EXTRACTOR),
        device,
        args.metric or "fd",
        ClipScore(args.clip, device) if args.clip else None,
    )
    if args.reference:
        evaluator.load_reference(args.reference)
    else:
        evaluator.set_reference(
            DenseImages(evaluator),
            on_images=counter("reference", args.samples),
            source="dense-samples",
            content="dense-samples",
        )
    models = {"dense": folder.load_denoiser()[0], "sparse": sparse}
    measured = {
        name: evaluator.measure(network.to(device), counter(name, plan.passes()), keep=PAIRS)
        for name, network in models.items()
    }
    distances = {name: found.distance for name, found in measured.items()}
    figures = evaluator.figures(distances["dense"], distances["sparse"], manifest["provenance"]["weights"])
    return figures, {**evaluator.quality(measured), "images": image_figures(measured, evaluator)}


def _problems(args: argparse.Namespace) -> Iterator[str]:
    if not args.dense:
        yield "--dense is required for a pipeline: the folder of the dense one, which it is compared with."
    if not args.prompts:
        yield "--prompts is required for a pipeline: a file of the prompts to draw after, one in a line."
    for name in OF_OTHERS:
        if getattr(args, name):
            yield f"--{name.replace('_', '-')} says nothing of a pipeline: leave it out."
    if args.served_precision:
        yield "--served-precision measures no pipeline: give --precision, and measure twice."
    if args.samples < 2:
        yield f"--samples must be at least 2, not {args.samples}."
