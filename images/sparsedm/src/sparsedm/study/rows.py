"""What the study compares: one row is one setting, trained once for each seed.

Rows of the first experiment (ROWS) have the same budget of optimizer steps; all rows have the same batch and,
but for CAST with an early freeze, the same learning rate. `sr-ste` is `sparsedm` without distillation, so the
pairs that show what distillation adds are rows of these two.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any, Literal

from sparsedm.study.subjects import EMOJI, FASHION_MNIST, Subject

Kind = Literal["measure", "train", "scratch", "diff-pruning", "activation"]

PRESET, DENSE_STEPS, HALF_WIDTH = FASHION_MNIST.preset, FASHION_MNIST.dense_steps, FASHION_MNIST.half_width
"""Of all experiments but the one in colour."""
EQUAL_WIDTHS = {"3:4": 112, "2:4": HALF_WIDTH, "1:4": 68}
"""By pattern, the width whose multiply-accumulates with attention come closest to those under it."""
OTHER_WIDTHS = (124, 100)
ALPHAS = (10.0, 0.0, 0.1)
"""Weights of the teacher, in the order in which they are run."""
BUDGETS = (300, 1000, 3000, 8600)
LEARNING_RATE = "0.001"
LEARNING_RATES = (LEARNING_RATE, "0.0002", "0.005")
"""The trials that every method gets, in the order in which they are run: the study's own rate, a fifth and
five times of it. CAST's rate with an early freeze is among them."""
RATED = ("sr-ste", "asp", "ste", "cast", "s-ste", "diff-pruning", "dense")
"""Methods whose learning rate is tried."""
EARLY_CAST_LEARNING_RATE = "0.0002"
"""AdamS makes the second moment of the first, so that its steps are several times as large as AdamW's: too
large to settle with, and what a pull over most of the steps needs."""
DISTILLATION = 10.0
PAPER_DISTILLATION = 0.1
RAMP = 10
FREEZE = 80
PAPER_FREEZE = 15
PAPER_RAMP = 80
"""Gives the five patterns of both families up to 2:4 equal parts."""
CRITERIA = ("magnitude", "wanda", "energy", "obs")
CRITERIA_PATTERNS = ("2:4", "4:8")
"""Of the experiment one-shot."""
MASK_EVERY = (1, 2, 4, 10)
"""Steps between two masks, of the experiment mask-update."""
PATTERNS = ("1:4", "2:8", "2:4", "1:2", "4:8", "3:4")


@dataclass(frozen=True)
class Row:
    """`pattern` and `schedule` are empty where nothing is masked. `freezing` is the percentage of the steps
    under a mask that no longer moves; `ramp` the one in which a progressive schedule reaches its target, None
    for an equal part for each pattern, as in the paper. A mask that moves is made anew every `mask_every`
    steps. The budget is that of the command unless `steps` says another; `extra_steps` come on top. `matched`
    is the pattern whose MACs Diff-Pruning comes down to. With `held_out` the distance is that to the test
    images, else to the training images. All runs of a phase come before those of the next."""

    name: str
    group: str
    method: str
    kind: Kind = "train"
    pattern: str = ""
    schedule: str = ""
    family: str = ""
    ramp: int | None = None
    freezing: int | None = None
    distillation: float = 0.0
    mask: str = ""
    mask_every: int = 1
    width: int | None = None
    learning_rate: str = LEARNING_RATE
    extra_steps: int = 0
    steps: int | None = None
    matched: str = "2:4"
    held_out: bool = False
    phase: int = 0
    subject: Subject = FASHION_MNIST

    def budget(self, steps: int) -> int:
        """Optimizer steps of the row; `steps` are the command's."""
        return (self.steps or steps) + self.extra_steps

    @property
    def title(self) -> str:
        """As tables and figures name it."""
        return TITLES.get(self.name, self.name)

    def sparsity(self) -> dict[str, Any]:
        """`spec.sparsity` of the run; what the method does not read is left out."""
        if not self.pattern:
            taught = {"distillationWeight": f"{self.distillation:g}"} if self.distillation else {}
            return {"method": "dense", **taught}
        schedule: dict[str, Any] = {"type": self.schedule}
        if self.method not in ("asp", "masked-dense") and self.mask != "random":
            schedule["freezeMaskPercent"] = self.freezing
        if self.schedule == "progressive":
            schedule |= {"family": self.family, "rampPercent": self.ramp or PAPER_RAMP}
        return {
            "method": self.method,
            "pattern": self.pattern,
            "schedule": schedule,
            "maskType": self.mask,
            "distillationWeight": f"{self.distillation:g}",
            **({"maskUpdateSteps": self.mask_every} if self.mask_every > 1 else {}),
        }

    def work(self, steps: int, samples: int) -> float:
        """Forward passes of one image (a backward pass counts two), from which the time left is estimated."""
        cost = ((self.width or self.subject.width) / self.subject.width) ** 1.5
        measuring = samples * 20 * 2 * cost
        if self.kind in ("measure", "activation") or self.method == "masked-dense":
            return measuring
        teacher = 1.0 if self.distillation else 0.0
        pruning = 3 * 128 * 100 if self.kind == "diff-pruning" else 0
        return measuring + pruning + self.budget(steps) * 64 * (3 * cost + teacher)


def _sparse(name: str, group: str, method: str = "sparsedm", **change: Any) -> Row:
    taught = method in ("sparsedm", "cast")
    defaults: dict[str, Any] = {
        "pattern": "2:4", "schedule": "fixed", "freezing": FREEZE, "mask": "magnitude",
        "distillation": DISTILLATION if taught else 0.0,
    }  # fmt: skip
    if change.get("schedule") == "progressive":
        defaults |= {"family": "linear", "ramp": RAMP}
    return Row(name, group, method, **(defaults | change))


def _bars() -> Iterator[Row]:
    yield Row("dense", "bars", "dense", "measure")
    yield Row("dense-trained-on", "bars", "dense")
    yield _sparse("masked-dense", "bars", "masked-dense", freezing=100)
    yield _sparse("random-mask", "bars", mask="random", freezing=100)
    yield Row("half-scratch", "bars", "half-size", "scratch", width=HALF_WIDTH)
    yield Row("half-distilled", "bars", "half-size", "scratch", width=HALF_WIDTH, distillation=DISTILLATION)
    yield Row("diff-pruning", "bars", "diff-pruning", "diff-pruning")


def _methods() -> Iterator[Row]:
    yield _sparse("asp", "methods", "asp", freezing=100)
    for method in ("ste", "sr-ste", "s-ste", "cast"):
        rate = EARLY_CAST_LEARNING_RATE if method == "cast" else LEARNING_RATE
        yield _sparse(f"{method}-fixed", "methods", method, learning_rate=rate)
        if method != "cast":
            yield _sparse(f"{method}-fixed-moving", "methods", method, freezing=0)
    # The model has to settle once the weights outside its mask are cut.
    yield _sparse("cast-fixed-late", "methods", "cast", freezing=PAPER_FREEZE)


def _schedules() -> Iterator[Row]:
    for schedule in ("fixed", "progressive"):
        name = f"sparsedm-{schedule}"
        yield _sparse(name, "schedules", schedule=schedule)
        yield _sparse(f"{name}-moving", "schedules", schedule=schedule, freezing=0)
        yield _sparse(f"{name}-weak", "schedules", schedule=schedule, distillation=PAPER_DISTILLATION)
        yield _sparse(f"{name}-late", "schedules", schedule=schedule, freezing=PAPER_FREEZE)
    yield _sparse("sr-ste-progressive", "schedules", "sr-ste", schedule="progressive")
    yield _sparse("sr-ste-progressive-moving", "schedules", "sr-ste", schedule="progressive", freezing=0)
    yield _sparse("sparsedm-doubling", "schedules", schedule="progressive", family="doubling")
    for family in ("linear", "doubling"):
        yield _sparse(
            f"sparsedm-equal-{family}", "schedules", schedule="progressive", family=family, ramp=None,
            freezing=PAPER_FREEZE,
        )  # fmt: skip


def pattern_row(schedule: str, pattern: str) -> str:
    """The name of the row that trains `pattern` with the settings of the example."""
    return f"sparsedm-{schedule}" if pattern == "2:4" else f"sparsedm-{schedule}-{pattern.replace(':', '-')}"


def _patterns() -> Iterator[Row]:
    for pattern in PATTERNS:
        for schedule in ("fixed", "progressive"):
            if pattern != "2:4":
                yield _sparse(pattern_row(schedule, pattern), "patterns", schedule=schedule, pattern=pattern)


def _long() -> Iterator[Row]:
    """A small model that has had all the training that the dense and the sparse one have had together."""
    yield Row("half-long", "long", "half-size", "scratch", width=HALF_WIDTH, extra_steps=DENSE_STEPS)


# --- later experiments: each has rows of its own, and results of its own (experiments.py) ---


def taught_row(method: str, alpha: float) -> str:
    """The name of the row of `method` with a teacher of weight alpha."""
    return f"{method}-alpha-{alpha:g}"


def _taught() -> Iterator[Row]:
    """Every method under every weight of the teacher. Weights 10 and 0 come first, of ASP, SR-STE and STE
    before the others; a half-size model takes as long as thirty of the others."""
    for alpha in ALPHAS:
        given = {"distillation": alpha, "phase": 1 if alpha == PAPER_DISTILLATION else 0}
        yield _sparse(taught_row("asp", alpha), "teacher", "asp", freezing=100, **given)
        for method in ("sr-ste", "ste"):
            yield _sparse(taught_row(method, alpha), "teacher", method, **given)
    for alpha in ALPHAS:
        given = {"distillation": alpha, "phase": 1 if alpha == PAPER_DISTILLATION else 0}
        yield Row(taught_row("dense", alpha), "teacher", "dense", **given)
        rate = {"learning_rate": EARLY_CAST_LEARNING_RATE}
        yield _sparse(taught_row("cast", alpha), "teacher", "cast", **given, **rate)
        yield _sparse(taught_row("s-ste", alpha), "teacher", "s-ste", **given)
        yield Row(taught_row("diff-pruning", alpha), "teacher", "diff-pruning", "diff-pruning", **given)
    for alpha in ALPHAS:
        given = {"distillation": alpha, "extra_steps": DENSE_STEPS, "phase": 2, "width": HALF_WIDTH}
        yield Row(taught_row("half-long", alpha), "teacher", "half-size", "scratch", **given)


def _budgets() -> Iterator[Row]:
    """The four that were best with a teacher of weight 10 in 300 steps, and the paper's equal parts."""
    rate = {"learning_rate": EARLY_CAST_LEARNING_RATE}
    for phase, steps in enumerate(BUDGETS):
        given = {"steps": steps, "phase": phase, "distillation": DISTILLATION}
        yield _sparse(f"asp-{steps}", "budget", "asp", freezing=100, **given)
        yield _sparse(f"sparsedm-fixed-{steps}", "budget", **given)
        yield _sparse(f"sparsedm-progressive-{steps}", "budget", schedule="progressive", **given)
        yield _sparse(f"cast-{steps}", "budget", "cast", **given, **rate)
        yield _sparse(
            f"sparsedm-equal-{steps}", "budget", schedule="progressive", ramp=None, freezing=PAPER_FREEZE,
            **given,
        )  # fmt: skip


def _frontier() -> Iterator[Row]:
    """Everything follows the dense model with weight 10. N:M models and those of Diff-Pruning are trained on
    from it; the others start from nothing, and have as many steps as both trainings have together."""
    for pattern in EQUAL_WIDTHS:
        name = pattern.replace(":", "-")
        yield _sparse(f"frontier-sparsedm-{name}", "frontier", pattern=pattern)
        yield Row(
            f"frontier-diff-pruning-{name}", "frontier", "diff-pruning", "diff-pruning",
            distillation=DISTILLATION, matched=pattern,
        )  # fmt: skip
    for width in (*EQUAL_WIDTHS.values(), *OTHER_WIDTHS):
        yield Row(
            f"frontier-width-{width}", "frontier", "smaller", "scratch", width=width,
            distillation=DISTILLATION, extra_steps=DENSE_STEPS, phase=1,
        )  # fmt: skip


def rated_row(method: str, rate: str) -> str:
    """The name of the row of `method` with that learning rate."""
    return f"{method}-rate-{rate}"


def _rates() -> Iterator[Row]:
    """Every method with every rate, all under a teacher of weight 10; no other experiment has these seeds."""
    for rate in LEARNING_RATES:
        given = {"distillation": DISTILLATION, "learning_rate": rate}
        for method in RATED:
            name = rated_row(method, rate)
            if method in ("dense", "diff-pruning"):
                yield Row(name, "rates", method, "train" if method == "dense" else method, **given)
            else:
                yield _sparse(
                    name, "rates", method, **given, **({"freezing": 100} if method == "asp" else {})
                )


def _headlines(group: str, **change: Any) -> Iterator[Row]:
    """The dense model as it is, 2:4 and what it is compared with, each under a teacher of weight 10."""
    subject = change.get("subject", FASHION_MNIST)
    given = {"distillation": DISTILLATION, **change}
    yield Row(f"{group}-dense", group, "dense", "measure", **change)
    yield _sparse(f"{group}-sparsedm-progressive", group, schedule="progressive", **given)
    yield _sparse(f"{group}-sparsedm-fixed", group, **given)
    yield _sparse(f"{group}-asp", group, "asp", freezing=100, **given)
    yield Row(f"{group}-diff-pruning", group, "diff-pruning", "diff-pruning", **given)
    yield Row(
        f"{group}-half-long", group, "half-size", "scratch", width=subject.half_width,
        extra_steps=subject.dense_steps, phase=1, **given,
    )  # fmt: skip


def shot_row(what: str, pattern: str) -> str:
    """The name of the row that is masked by `what`, a criterion or activation, and not trained."""
    return f"one-shot-{what}-{pattern.replace(':', '-')}"


def from_row(criterion: str, pattern: str) -> str:
    """The name of the row that is fine-tuned from there."""
    return f"from-{criterion}-{pattern.replace(':', '-')}"


def _shots() -> Iterator[Row]:
    """Each criterion alone, and as the start of the same fine-tuning, under a teacher of weight 10. Masked
    activations leave the weights dense, and are not trained."""
    yield Row("one-shot-dense", "one-shot", "dense", "measure")
    for pattern in CRITERIA_PATTERNS:
        for criterion in CRITERIA:
            yield _sparse(
                shot_row(criterion, pattern), "one-shot", "masked-dense", pattern=pattern, mask=criterion,
                freezing=100,
            )  # fmt: skip
        yield Row(shot_row("activation", pattern), "one-shot", "activation", "activation", pattern=pattern)
        for criterion in CRITERIA:
            yield _sparse(from_row(criterion, pattern), "one-shot", pattern=pattern, mask=criterion, phase=1)


def every_row(steps: int) -> str:
    """The name of the row whose masks are made every so many steps."""
    return f"mask-every-{steps}"


def _every() -> Iterator[Row]:
    """Masks move in all steps but the last 15 %, where those of the default are frozen after a fifth."""
    for steps in MASK_EVERY:
        yield _sparse(every_row(steps), "mask-update", freezing=PAPER_FREEZE, mask_every=steps)


TITLES = {
    "dense": "dense",
    "dense-trained-on": "dense, trained on",
    "masked-dense": "masked once, not trained",
    "random-mask": "random mask (control)",
    "half-scratch": "half-size from scratch",
    "half-distilled": "half-size, distilled",
    "half-long": "half-size, trained for longer",
    "diff-pruning": "Diff-Pruning",
    "sparsedm-fixed": "SparseDM, fixed",
    "sparsedm-progressive": "SparseDM, progressive",
}

ROWS: tuple[Row, ...] = (*_bars(), *_methods(), *_schedules(), *_patterns(), *_long())
TEACHER_ROWS, BUDGET_ROWS, FRONTIER_ROWS = tuple(_taught()), tuple(_budgets()), tuple(_frontier())
RATE_ROWS, SHOT_ROWS = tuple(_rates()), tuple(_shots())
HEADLINE_ROWS = tuple(_headlines("headline", held_out=True))
EMOJI_ROWS, EVERY_ROWS = tuple(_headlines("emoji", subject=EMOJI)), tuple(_every())
LATER_ROWS = (
    *TEACHER_ROWS, *BUDGET_ROWS, *FRONTIER_ROWS, *RATE_ROWS, *HEADLINE_ROWS, *SHOT_ROWS, *EMOJI_ROWS,
    *EVERY_ROWS,
)  # fmt: skip
BY_NAME = {row.name: row for row in (*ROWS, *LATER_ROWS)}
