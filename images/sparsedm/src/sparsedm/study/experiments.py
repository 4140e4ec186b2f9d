"""The study's experiments: rows, seeds, files and, but for the first, the questions that they answer.

Each has a CSV and a page of its own in the study's folder. Runs go by phase, then by seed, then in the order
of the rows, so that a study that was stopped early answers its first questions, with few seeds.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from sparsedm.study.questions import (
    BUDGET_QUESTIONS,
    EMOJI_QUESTIONS,
    EVERY_QUESTIONS,
    FRONTIER_QUESTIONS,
    HEADLINE_QUESTIONS,
    RATE_QUESTIONS,
    SHOT_QUESTIONS,
    TEACHER_QUESTIONS,
    Question,
)
from sparsedm.study.rows import (
    BUDGET_ROWS,
    EMOJI_ROWS,
    EVERY_ROWS,
    FRONTIER_ROWS,
    HEADLINE_ROWS,
    RATE_ROWS,
    ROWS,
    SHOT_ROWS,
    TEACHER_ROWS,
    Row,
)


@dataclass(frozen=True)
class Experiment:
    """`stem` is the name of its files, `samples` the images that are drawn to measure unless the command says
    another number. `questions` are empty for the first, whose page has its own."""

    name: str
    stem: str
    title: str
    rows: tuple[Row, ...]
    seeds: tuple[int, ...]
    questions: tuple[Question, ...] = ()
    samples: int = 500

    @property
    def csv(self) -> str:
        return f"{self.stem}.csv"

    @property
    def page(self) -> str:
        return f"{self.stem}.md"


@dataclass(frozen=True)
class Run:
    row: Row
    seed: int

    @property
    def key(self) -> tuple[str, int]:
        return self.row.name, self.seed

    def __str__(self) -> str:
        return f"{self.row.name}, seed {self.seed}"


def ordered(rows: Sequence[Row], seeds: Sequence[int]) -> list[Run]:
    phases = sorted({row.phase for row in rows})
    return [Run(row, seed) for phase in phases for seed in seeds for row in rows if row.phase == phase]


EXPERIMENTS = {
    one.name: one
    for one in (
        Experiment(
            "parts", "fashion-mnist-study", "what each part of the method is worth", ROWS, (0, 1, 2)
        ),
        Experiment(
            "teacher", "fashion-mnist-teacher", "methods under the same teacher", TEACHER_ROWS,
            tuple(range(8)), TEACHER_QUESTIONS,
        ),
        Experiment(
            "budget", "fashion-mnist-budget", "methods over the number of steps", BUDGET_ROWS, (0, 1, 2),
            BUDGET_QUESTIONS,
        ),
        Experiment(
            "frontier", "fashion-mnist-frontier", "what is best at equal multiply-accumulates",
            FRONTIER_ROWS, (0, 1, 2), FRONTIER_QUESTIONS,
        ),
        Experiment(
            "learning-rate", "fashion-mnist-learning-rate", "the same trials of the learning rate for all",
            RATE_ROWS, (20, 21, 22), RATE_QUESTIONS,
        ),
        Experiment(
            "headline", "fashion-mnist-headline", "5,000 samples against the test images", HEADLINE_ROWS,
            (0, 1, 2), HEADLINE_QUESTIONS, samples=5000,
        ),
        Experiment(
            "one-shot", "fashion-mnist-one-shot", "criteria by calibration, and masked activations",
            SHOT_ROWS, (0, 1, 2), SHOT_QUESTIONS,
        ),
        Experiment(
            "mask-update", "fashion-mnist-mask-update", "a mask every few steps", EVERY_ROWS, (0, 1, 2),
            EVERY_QUESTIONS,
        ),
        Experiment("emoji", "emoji-study", "the headline's rows", EMOJI_ROWS, (0, 1, 2), EMOJI_QUESTIONS),
    )
}  # fmt: skip
