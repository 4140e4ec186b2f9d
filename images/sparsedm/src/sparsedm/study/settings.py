"""What is the same for all rows of the study."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

from sparsedm.study.rows import Row
from sparsedm.study.subjects import Subject
from sparsedm.uris import PACKAGED_WEIGHTS

EVALUATION_SEED = 1000
"""Added to the training seed: every row of one seed is measured with the same noise, which neither training
nor the choice of settings used."""
BATCH_SIZE = 64
WARMUP_STEPS = 20
SCRATCH_EMA_DECAY = "0.9995"
"""Of models that start from random weights, as the dense one did. The others have the trainer's default."""
SAMPLER, SAMPLER_STEPS, GUIDANCE = "dpm-solver++", 20, 0.5
PRUNING_TIMESTEPS = 100
"""Evenly spaced timesteps of Diff-Pruning's gradients; its paper has 1,000."""


@dataclass(frozen=True)
class Settings:
    """`data` is the folder of the data set, `out` the study's, `steps` the budget of every row, `weights` the
    folder of the dense model and its extractor."""

    data: Path
    out: Path
    steps: int
    samples: int
    weights: Path = PACKAGED_WEIGHTS

    def folder(self, row: Row, seed: int) -> Path:
        return self.out / "runs" / f"{row.name}-seed{seed}"

    def reference(self, subject: Subject, held_out: bool = False) -> Path:
        """Statistics of the training images, or of the test images, the same for all runs."""
        return self.out / f"{subject.reference}{'-test' if held_out else ''}.npz"

    def dense(self, subject: Subject) -> Path:
        return self.weights / f"{subject.preset}.safetensors"

    def extractor(self, subject: Subject) -> Path:
        return self.weights / subject.extractor
