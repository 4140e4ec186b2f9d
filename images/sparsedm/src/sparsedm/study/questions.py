"""The questions of the study, each a list of pairs of rows, and the sentence that answers it."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from functools import partial

from sparsedm.study.rows import (
    ALPHAS,
    BUDGETS,
    CRITERIA,
    CRITERIA_PATTERNS,
    EQUAL_WIDTHS,
    HALF_WIDTH,
    LEARNING_RATE,
    LEARNING_RATES,
    MASK_EVERY,
    OTHER_WIDTHS,
    PATTERNS,
    RATED,
    every_row,
    from_row,
    pattern_row,
    rated_row,
    shot_row,
    taught_row,
)
from sparsedm.study.statistics import Difference, Distances, Verdict, difference


@dataclass(frozen=True)
class Pair:
    """`first` is better where its distance is lower than that of `second`."""

    setting: str
    first: str
    second: str


@dataclass(frozen=True)
class Question:
    """The first pair decides, at the settings of the example; with `against_all` every pair has to agree."""

    text: str
    pairs: tuple[Pair, ...]
    against_all: bool = False


@dataclass(frozen=True)
class Answer:
    """`differences` in the order of the question's pairs."""

    question: Question
    differences: tuple[Difference, ...]
    sentence: str


QUESTIONS = (
    Question(
        "Is progressive better than fixed?",
        (
            Pair("2:4, distilled, frozen 80 %", "sparsedm-progressive", "sparsedm-fixed"),
            Pair("not distilled", "sr-ste-progressive", "sr-ste-fixed"),
            Pair("distillation 0.1", "sparsedm-progressive-weak", "sparsedm-fixed-weak"),
            Pair("never frozen", "sparsedm-progressive-moving", "sparsedm-fixed-moving"),
            Pair("neither", "sr-ste-progressive-moving", "sr-ste-fixed-moving"),
            Pair("frozen 15 %", "sparsedm-progressive-late", "sparsedm-fixed-late"),
            Pair("frozen 15 %, equal parts, the paper's first list",
                 "sparsedm-equal-linear", "sparsedm-fixed-late"),
            Pair("frozen 15 %, equal parts, the paper's second list",
                 "sparsedm-equal-doubling", "sparsedm-fixed-late"),
            Pair("frozen 80 %, the paper's second list", "sparsedm-doubling", "sparsedm-fixed"),
            *(
                Pair(pattern, pattern_row("progressive", pattern), pattern_row("fixed", pattern))
                for pattern in PATTERNS
                if pattern != "2:4"
            ),
        ),
    ),
    Question(
        "Does distillation help?",
        (
            Pair("progressive, frozen 80 %, weight 10", "sparsedm-progressive", "sr-ste-progressive"),
            Pair("fixed, frozen 80 %", "sparsedm-fixed", "sr-ste-fixed"),
            Pair("progressive, never frozen", "sparsedm-progressive-moving", "sr-ste-progressive-moving"),
            Pair("fixed, never frozen", "sparsedm-fixed-moving", "sr-ste-fixed-moving"),
            Pair("progressive, the paper's weight 0.1", "sparsedm-progressive-weak", "sr-ste-progressive"),
            Pair("fixed, the paper's weight 0.1", "sparsedm-fixed-weak", "sr-ste-fixed"),
            Pair("half-size model", "half-distilled", "half-scratch"),
        ),
    ),
    Question(
        "Does freezing the mask help?",
        (
            Pair("progressive, frozen 80 %", "sparsedm-progressive", "sparsedm-progressive-moving"),
            Pair("fixed, frozen 80 %", "sparsedm-fixed", "sparsedm-fixed-moving"),
            Pair("progressive, frozen 15 %", "sparsedm-progressive-late", "sparsedm-progressive-moving"),
            Pair("fixed, frozen 15 %", "sparsedm-fixed-late", "sparsedm-fixed-moving"),
            Pair("progressive, not distilled", "sr-ste-progressive", "sr-ste-progressive-moving"),
            Pair("fixed, not distilled", "sr-ste-fixed", "sr-ste-fixed-moving"),
            Pair("ste", "ste-fixed", "ste-fixed-moving"),
            Pair("s-ste", "s-ste-fixed", "s-ste-fixed-moving"),
        ),
    ),
    Question(
        "Does 2:4 cost less than half a model?",
        (
            Pair("a half-size model from scratch", "sparsedm-progressive", "half-scratch"),
            Pair("a distilled half-size model", "sparsedm-progressive", "half-distilled"),
            Pair("Diff-Pruning", "sparsedm-progressive", "diff-pruning"),
            Pair("a half-size model with as many steps in all", "sparsedm-progressive", "half-long"),
        ),
        against_all=True,
    ),
    Question(
        "Is 2:4 as good as the dense model?",
        (
            Pair("the dense model as it ships", "sparsedm-progressive", "dense"),
            Pair("the dense model trained on for as many steps", "sparsedm-progressive", "dense-trained-on"),
            Pair("fixed, as it ships", "sparsedm-fixed", "dense"),
            Pair("fixed, trained on for as many steps", "sparsedm-fixed", "dense-trained-on"),
        ),
    ),
)  # fmt: skip


def _at_each_weight(first: str, second: str) -> tuple[Pair, ...]:
    return tuple(
        Pair(f"teacher's weight {alpha:g}", taught_row(first, alpha), taught_row(second, alpha))
        for alpha in ALPHAS
    )


TEACHER_QUESTIONS = (
    Question(
        "Is a method better than ASP under the same teacher?",
        tuple(
            Pair(f"{method}, weight {alpha:g}", taught_row(method, alpha), taught_row("asp", alpha))
            for alpha in ALPHAS
            for method in ("sr-ste", "ste", "cast", "s-ste", "diff-pruning", "half-long", "dense")
        ),
    ),
    Question("Is SR-STE better than STE?", _at_each_weight("sr-ste", "ste")),
    Question(
        "Does the teacher help?",
        tuple(
            Pair(f"{method}, weight {alpha:g}", taught_row(method, alpha), taught_row(method, 0.0))
            for alpha in ALPHAS
            if alpha
            for method in
            ("sr-ste", "asp", "ste", "cast", "s-ste", "dense", "diff-pruning", "half-long")
        ),
    ),
)  # fmt: skip

BUDGET_QUESTIONS = (
    Question(
        "Is the paper's schedule, in equal parts, better than the target from the first step?",
        tuple(
            Pair(f"{steps:,} steps", f"sparsedm-equal-{steps}", f"sparsedm-fixed-{steps}")
            for steps in reversed(BUDGETS)
        ),
    ),
    Question(
        "Is a short rise better than the target from the first step?",
        tuple(
            Pair(f"{steps:,} steps", f"sparsedm-progressive-{steps}", f"sparsedm-fixed-{steps}")
            for steps in reversed(BUDGETS)
        ),
    ),
    Question(
        "Is the paper's method better than ASP with more steps?",
        tuple(
            Pair(f"{method}, {steps:,} steps", f"{method}-{steps}", f"asp-{steps}")
            for steps in reversed(BUDGETS)
            for method in ("sparsedm-fixed", "cast")
        ),
    ),
)

FRONTIER_QUESTIONS = (
    Question(
        "Is N:M better than a smaller dense model of the same MACs?",
        tuple(
            Pair(f"{pattern} and width {width}", f"frontier-sparsedm-{pattern.replace(':', '-')}",
                 f"frontier-width-{width}")
            for pattern, width in sorted(EQUAL_WIDTHS.items(), key=lambda pair: pair[0] != "2:4")
        ),
    ),
    Question(
        "Is N:M better than Diff-Pruning at the same MACs?",
        tuple(
            Pair(pattern, f"frontier-sparsedm-{pattern.replace(':', '-')}",
                 f"frontier-diff-pruning-{pattern.replace(':', '-')}")
            for pattern in sorted(EQUAL_WIDTHS, key=lambda pattern: pattern != "2:4")
        ),
    ),
    Question(
        "What does width buy?",
        tuple(
            Pair(f"width {width} and {HALF_WIDTH}", f"frontier-width-{width}",
                 f"frontier-width-{HALF_WIDTH}")
            for width in OTHER_WIDTHS
        ),
    ),
)  # fmt: skip


RATE_QUESTIONS = (
    *(
        Question(
            f"Is a learning rate of {rate} better than {LEARNING_RATE}?",
            tuple(
                Pair(method, rated_row(method, rate), rated_row(method, LEARNING_RATE)) for method in RATED
            ),
        )
        for rate in LEARNING_RATES
        if rate != LEARNING_RATE
    ),
    Question(
        "Is a method better than ASP at the same learning rate?",
        tuple(
            Pair(f"{method}, learning rate {rate}", rated_row(method, rate), rated_row("asp", rate))
            for rate in LEARNING_RATES
            for method in RATED
            if method != "asp"
        ),
    ),
)


def _headline_questions(group: str) -> tuple[Question, ...]:
    return (
        Question(
            "Is 2:4 as good as the dense model?",
            (
                Pair("progressive", f"{group}-sparsedm-progressive", f"{group}-dense"),
                Pair("fixed", f"{group}-sparsedm-fixed", f"{group}-dense"),
            ),
        ),
        Question(
            "Is 2:4 better than what else costs as little?",
            tuple(
                Pair(setting, f"{group}-sparsedm-progressive", f"{group}-{row}")
                for setting, row in (
                    ("ASP", "asp"),
                    ("Diff-Pruning", "diff-pruning"),
                    ("a half-size model with as many steps in all", "half-long"),
                )
            ),
        ),
    )


HEADLINE_QUESTIONS, EMOJI_QUESTIONS = _headline_questions("headline"), _headline_questions("emoji")


def _against_magnitude(row_of: Callable[[str, str], str]) -> tuple[Pair, ...]:
    """Each other criterion at each pattern; `row_of` names the row of both."""
    return tuple(
        Pair(f"{criterion}, {pattern}", row_of(criterion, pattern), row_of("magnitude", pattern))
        for pattern in CRITERIA_PATTERNS
        for criterion in reversed(CRITERIA)
        if criterion != "magnitude"
    )


SHOT_QUESTIONS = (
    Question(
        "Is a criterion by calibration better than magnitude, without training?",
        _against_magnitude(shot_row),
    ),
    Question(
        "Is it a better start of fine-tuning?",
        _against_magnitude(from_row),
    ),
    Question(
        "Do activations stand the pattern better than weights?",
        tuple(
            Pair(f"{setting}, {pattern}", shot_row("activation", pattern), row(pattern))
            for pattern in CRITERIA_PATTERNS
            for setting, row in (
                ("weights masked by magnitude", partial(shot_row, "magnitude")),
                ("weights masked by obs", partial(shot_row, "obs")),
                ("weights fine-tuned from obs", partial(from_row, "obs")),
            )
        ),
    ),
)


EVERY_QUESTIONS = (
    Question(
        "Is a mask that is made every few steps as good as one in each?",
        tuple(
            Pair(f"every {steps} steps", every_row(steps), every_row(1)) for steps in MASK_EVERY if steps > 1
        ),
    ),
)


def answer(question: Question, distances: Distances) -> Answer:
    pairs = question.pairs
    found = tuple(difference(distances.get(p.first, {}), distances.get(p.second, {})) for p in pairs)
    deciding = _against_all(pairs, found) if question.against_all else _first_pair(pairs[0], found[0])
    words = {Verdict.SAME: f"with {Verdict.SAME}"}
    counts = ((verdict, sum(d.verdict is verdict for d in found)) for verdict in Verdict)
    counted = ", ".join(f"{n} {words.get(verdict, verdict)}" for verdict, n in counts if n)
    return Answer(question, found, f"{deciding} Of {len(pairs)} pairs: {counted}.")


def _first_pair(pair: Pair, found: Difference) -> str:
    size = "" if found.mean is None or found.margin is None else f"{abs(found.mean):.2f} ± {found.margin:.2f}"
    return {
        Verdict.BETTER: f"**Yes**, at {pair.setting}: the distance is lower by {size}.",
        Verdict.WORSE: f"**No**, at {pair.setting}: the distance is higher by {size}.",
        Verdict.SAME: f"**No difference beyond the spread**, at {pair.setting}: {found}.",
        Verdict.OPEN: f"**Open**, at {pair.setting}: {_why_open(found)}.",
    }[found.verdict]


def _why_open(found: Difference) -> str:
    return "it has not been run" if found.mean is None else f"one seed ({found}) has no spread"


def _against_all(pairs: Sequence[Pair], found: Sequence[Difference]) -> str:
    groups = {
        verdict: [p.setting for p, d in zip(pairs, found, strict=True) if d.verdict is verdict]
        for verdict in Verdict
    }
    if len(groups[Verdict.BETTER]) == len(pairs):
        return "**Yes**, less than each of them."
    words = {
        Verdict.BETTER: "less than",
        Verdict.WORSE: "more than",
        Verdict.SAME: "no difference beyond the spread to",
        Verdict.OPEN: "not known yet against",
    }
    parts = [f"{words[verdict]} {', '.join(names)}" for verdict, names in groups.items() if names]
    head = "**Open**" if groups[Verdict.OPEN] else "**Not less than each of them**"
    return f"{head}: {'; '.join(parts)}."
