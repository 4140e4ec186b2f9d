"""The trainer's configuration: the spec parts of a SparseFinetune, parsed into frozen dataclasses.

Comes as JSON in SPARSEDM_CONFIG (the operator) or as a YAML or JSON file (`--config`), which may also be a
whole SparseFinetune manifest. Names and defaults are the custom resource's; decimals may be strings or
numbers. All problems are found in one pass, each reported as a sentence that names the field and the remedy.
"""

from sparsedm.training.config.file import load_config, with_output
from sparsedm.training.config.parse import parse_config
from sparsedm.training.config.rules import teacher_problems
from sparsedm.training.config.spec import (
    CAPTIONED_FORMATS,
    DEFAULT_EXTRACTOR,
    FORMATS,
    LATENT_FORMATS,
    METRICS,
    PRECISIONS,
    SPLIT_FORMATS,
    ModelSpec,
    TrainConfig,
    TrainingSpec,
)

__all__ = [
    "CAPTIONED_FORMATS",
    "DEFAULT_EXTRACTOR",
    "FORMATS",
    "LATENT_FORMATS",
    "METRICS",
    "PRECISIONS",
    "SPLIT_FORMATS",
    "ModelSpec",
    "TrainConfig",
    "TrainingSpec",
    "load_config",
    "parse_config",
    "teacher_problems",
    "with_output",
]
