"""spec.evaluation, and what it compares with."""

from __future__ import annotations

from sparsedm.diffusion.samplers import SAMPLERS
from sparsedm.training.config.parts import read_class_column
from sparsedm.training.config.reader import Reader, shown
from sparsedm.training.config.spec import (
    CAPTIONED_FORMATS,
    DEFAULT_EXTRACTOR,
    EXTRACTOR_SUFFIXES,
    FORMATS,
    LATENT_FORMATS,
    METRICS,
    PRECISIONS,
    SELECTIONS,
    SPLIT_FORMATS,
    SPLITS,
    DatasetSpec,
    EvaluationDataset,
    EvaluationSpec,
    reference_of,
)


def read_evaluation(r: Reader, trained_on: DatasetSpec) -> EvaluationSpec:
    format, latents = trained_on.format, trained_on.format in LATENT_FORMATS
    if latents and not r.has("autoencoderUri"):
        r.complain(
            "autoencoderUri", f"is required when dataset.format is {format}: it makes images of latents."
        )
    if not latents and r.has("autoencoderUri"):
        r.complain("autoencoderUri", f"must be absent when dataset.format is {format}, which holds images.")
    held_out = r.object("dataset")
    spec = EvaluationSpec(
        samples=r.integer("samples", 500, 2, 1_000_000),
        steps=r.integer("steps", 20, 1, 1000),
        guidance=r.decimal("guidance", "0", 0.0, 20.0) if r.has("guidance") else r.take("guidance"),
        extractor_uri=r.uri("extractorUri", required=False) or DEFAULT_EXTRACTOR,
        every_steps=r.integer("everySteps", 0, 0, 100_000_000),
        sampler=r.choice("sampler", SAMPLERS, "dpm-solver++"),
        autoencoder_uri=r.uri("autoencoderUri", required=False),
        metric=r.choice("metric", METRICS, "fd"),
        reference_stats_uri=r.uri("referenceStatsUri", required=False),
        select=r.choice("select", SELECTIONS, "last"),
        dataset=_evaluation_dataset(held_out, trained_on) if r.has("dataset") else None,
        precision=r.choice("precision", PRECISIONS, "fp32"),
        served_precisions=r.strings("servedPrecisions", ()),
        clip_uri=r.uri("clipUri", required=False),
    )
    if spec.select == "best" and not spec.every_steps:
        r.complain(
            "select",
            "must be last without everySteps: best compares evaluations during training, so write both.",
        )
    _check_precisions(r, spec)
    _check_files(r, spec)
    _check_reference(r, spec, format)
    r.finish()
    return spec


def _evaluation_dataset(r: Reader, trained_on: DatasetSpec) -> EvaluationDataset:
    formats = tuple(format for format in FORMATS if format not in ("generated", "recording"))
    format, uri = r.choice("format", formats, None), r.uri("uri") or ""
    if format in LATENT_FORMATS and format != trained_on.format:
        r.complain(
            "format",
            f"must be {trained_on.format} too, or a format of images, not {format}: only latents like those "
            "of the training can be decoded.",
        )
    has_split = format in SPLIT_FORMATS
    if not has_split and r.has("split"):
        r.complain("split", f"must be absent when the format is {format}, which has one set of samples.")
    split = r.choice("split", SPLITS, "test")
    class_column = read_class_column(r, format)
    same = (format, uri) == (trained_on.format, trained_on.uri)
    if same and (split == "train" or not has_split):
        r.problems.add(r.path, "must be absent where it names the data to train on, which is the default.")
    r.finish()
    return EvaluationDataset(format, uri, split if has_split else "test", class_column)


def _check_precisions(r: Reader, spec: EvaluationSpec) -> None:
    others = tuple(name for name in PRECISIONS if name != spec.precision)
    served = spec.served_precisions
    if not set(served) <= set(others) or len(set(served)) < len(served):
        r.complain(
            "servedPrecisions",
            f"must hold each of {', '.join(others)} at most once, not {shown(list(served))}: "
            f"{spec.precision} is measured anyway.",
        )


def _check_reference(r: Reader, spec: EvaluationSpec, format: str) -> None:
    texts = (*CAPTIONED_FORMATS, "prompts")
    if spec.reference_stats_uri and spec.dataset and spec.dataset.format not in texts:
        r.complain(
            "dataset", "must be absent with referenceStatsUri, which already is the reference: remove one."
        )
    content = reference_of(format, spec)[1]
    if spec.metric == "fid" and content != "images":
        what = "the dense model's samples" if content == "dense-samples" else "decodings of latents"
        r.complain(
            "metric",
            f"must be fd, because the reference is {what}: fid needs real images in evaluation.dataset, or "
            "their statistics in evaluation.referenceStatsUri.",
        )


def _check_files(r: Reader, spec: EvaluationSpec) -> None:
    extractor, statistics = spec.extractor_uri, spec.reference_stats_uri
    if not extractor.endswith(EXTRACTOR_SUFFIXES):
        r.complain(
            "extractorUri",
            f"must be a file ending in {', '.join(EXTRACTOR_SUFFIXES)}, not {shown(extractor)}.",
        )
    if spec.metric == "fid" and extractor.endswith(".safetensors"):
        r.complain(
            "extractorUri",
            "must be the .pth with the Inception weights of 2015-12-05 when the metric is fid: write "
            "that, or metric: fd.",
        )
    if statistics is not None and not statistics.endswith(".npz"):
        r.complain("referenceStatsUri", f"must be a file ending in .npz, not {shown(statistics)}.")
