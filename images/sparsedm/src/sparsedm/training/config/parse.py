"""From parsed JSON or YAML to a TrainConfig."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from sparsedm.errors import ConfigError
from sparsedm.training.config.evaluation import read_evaluation
from sparsedm.training.config.parts import (
    read_checkpoint,
    read_dataset,
    read_model,
    read_sparsity,
    read_training,
)
from sparsedm.training.config.reader import Problems, Reader, shown
from sparsedm.training.config.rules import check_effects, check_pipeline, check_random, check_teacher
from sparsedm.training.config.spec import CAPTIONED_FORMATS, OutputSpec, TrainConfig

SPEC_PARTS = ("model", "dataset", "sparsity", "training", "checkpoint", "evaluation", "output")
"""Parts of a SparseFinetune's spec that the trainer reads; the others below are the operator's."""
OPERATOR_PARTS = (
    "acceptance",
    "sources",
    "trainer",
    "suspend",
    "backoffLimit",
    "activeDeadlineSeconds",
    "ttlSecondsAfterFinished",
)


def parse_config(value: Any) -> TrainConfig:
    """The spec parts as parsed JSON or YAML, or a whole SparseFinetune. Raises ConfigError with every
    problem."""
    problems = Problems()
    if isinstance(value, Mapping) and value.get("kind") == "SparseFinetune":
        value = value.get("spec")
    if not isinstance(value, Mapping):
        raise ConfigError(
            [f"the configuration must be an object with {', '.join(SPEC_PARTS)}, not {shown(value)}."]
        )
    root = Reader(value, "", problems)
    model = read_model(root.object("model"))
    dataset = read_dataset(root.object("dataset"))
    training = read_training(root.object("training"))
    sparsity = read_sparsity(root.object("sparsity"), training.steps)
    checkpoint = read_checkpoint(root.object("checkpoint"), training.steps)
    evaluation = read_evaluation(root.object("evaluation"), dataset)
    check_effects(problems, model, sparsity, training, checkpoint, evaluation)
    if model.initialization == "random":
        check_random(problems, model, sparsity, dataset)
    check_teacher(problems, model, sparsity)
    check_pipeline(problems, model, dataset, sparsity, training, evaluation)
    if model.text_encoder_uri is not None and dataset.format not in CAPTIONED_FORMATS:
        problems.add(
            "model.textEncoderUri",
            f"must be absent when dataset.format is {dataset.format}, which holds no texts.",
        )
    output = root.object("output")
    output_uri = output.uri("uri", output=True)
    output.finish()
    root.finish(ignored=OPERATOR_PARTS)
    if problems:
        raise ConfigError(list(problems))
    given = {part: value[part] for part in SPEC_PARTS if value.get(part)}
    return TrainConfig(
        model, dataset, sparsity, training, checkpoint, evaluation, OutputSpec(output_uri or ""), given
    )
