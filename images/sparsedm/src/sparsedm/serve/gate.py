"""The quality gate of a SparseInferenceService, as far as its servers judge it.

The distance is judged here where the model is given by its URI, since only its manifest knows the figures;
that of a SparseFinetune's model is judged by the operator before any server starts. The rule is that of
src/api/gate.ts, and tests/gate_cases.json holds both to the same verdicts. The speed-up is measured, so
servers judge it for all models.
"""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Annotated, Any, Literal

from pydantic import BaseModel, BeforeValidator, ConfigDict, Field, ValidationError
from pydantic.alias_generators import to_camel

from sparsedm.decimals import decimal
from sparsedm.errors import ConfigError, InputError

DEFAULT_PRECISION = "fp32"
"""Precision of figures of an earlier trainer, which measured in nothing else."""

Bound = Annotated[float, BeforeValidator(lambda value: float(value) if isinstance(value, str) else value)]


class Gate(BaseModel):
    """`spec.qualityGate`, with the same names."""

    model_config = ConfigDict(alias_generator=to_camel, populate_by_name=True, extra="forbid", frozen=True)

    max_fid_increase: Bound | None = Field(None, ge=0, allow_inf_nan=False)
    max_fid_increase_percent: int | None = Field(None, ge=0)
    min_macs_reduction_percent: int | None = Field(None, ge=0, le=100)
    min_speedup: Bound | None = Field(None, gt=1, allow_inf_nan=False)
    on_slow: Literal["Fallback", "Refuse"] = "Fallback"

    @property
    def bounds_distance(self) -> bool:
        return self.max_fid_increase is not None or self.max_fid_increase_percent is not None


@dataclass(frozen=True)
class Verdict:
    """`passed` is None where a figure is missing."""

    passed: bool | None
    message: str
    reason: str = "WithinBounds"


@dataclass(frozen=True)
class _Check:
    passed: bool | None
    sentence: str


def parse_gate(text: str) -> Gate:
    """Raises ConfigError with a sentence for each wrong field."""
    try:
        return Gate.model_validate_json(text)
    except ValidationError as error:
        raise ConfigError(
            [
                f"{'.'.join(['qualityGate', *map(str, problem['loc'])])}: {problem['msg']}."
                for problem in error.errors()
            ]
        ) from error


def judge_gate(gate: Gate, figures: Mapping[str, Any], served: Sequence[Mapping[str, Any]] = ()) -> Verdict:
    """Figures (metric, dense, increase, precision, macsReductionPercent) against the bounds.

    The distances in each of `served` are held to the same bounds. Worked example: dense distance "100.0" and
    increase "3.5" against a maxFidIncrease of 2.5 fail, against a maxFidIncreasePercent of 5 pass with 3.5 %.
    """
    checks = _distance_checks(gate, figures)
    for other in served:
        checks += _distance_checks(gate, {**figures, "increase": None, **other})
    if gate.min_macs_reduction_percent is not None:
        found = _number(figures.get("macsReductionPercent"))
        checks.append(_at_least("the reduction of MACs", found, gate.min_macs_reduction_percent, " %"))
    text = "; ".join(check.sentence for check in checks)
    return Verdict(_together(checks), f"{text[:1].upper()}{text[1:]}.")


def _distance_checks(gate: Gate, figures: Mapping[str, Any]) -> list[_Check]:
    precision = figures.get("precision")
    name = f"{figures.get('metric') or 'distance'}{f' in {precision}' if precision else ''}"
    grown, base = _number(figures.get("increase")), _number(figures.get("dense"))
    checks = []
    if gate.max_fid_increase is not None:
        checks.append(_at_most(f"the increase of {name}", grown, gate.max_fid_increase, ""))
    if gate.max_fid_increase_percent is not None:
        percent = None if grown is None or not base else 100 * grown / base
        checks.append(
            _at_most(f"the relative increase of {name}", percent, gate.max_fid_increase_percent, " %")
        )
    return checks


def _number(text: Any) -> float | None:
    """The number in a decimal string; None for anything else."""
    try:
        value = float(text) if isinstance(text, str) and "_" not in text else math.nan
    except ValueError:
        return None
    return value if math.isfinite(value) else None


def _at_most(what: str, value: float | None, bound: float, unit: str) -> _Check:
    if value is None:
        return _Check(None, f"{what} isn't known")
    passed = value <= bound
    return _Check(
        passed, f"{what} is {_short(value)}{unit}, {'within' if passed else 'above'} {bound:g}{unit}"
    )


def _at_least(what: str, value: float | None, bound: float, unit: str) -> _Check:
    if value is None:
        return _Check(None, f"{what} isn't known")
    passed = value >= bound
    relation = "at least" if passed else "below"
    return _Check(passed, f"{what} is {_short(value)}{unit}, {relation} {bound:g}{unit}")


def _short(value: float) -> str:
    """At most 4 decimals: 12.3456789 is 12.3457, 2 is 2."""
    return decimal(value)


def _together(checks: Sequence[_Check]) -> bool | None:
    """False as soon as one bound is broken, None while a figure is missing, else True."""
    found = [check.passed for check in checks]
    if False in found:
        return False
    return None if None in found else True


def judge_manifest(gate: Gate, manifest: Mapping[str, Any], precision: str) -> Verdict:
    """The manifest's distance in the precision that is served. Raises InputError where there is none."""
    fid = manifest.get("fid")
    fid = fid if isinstance(fid, Mapping) else {}
    figures, note = _as_served(fid, precision)
    verdict = judge_gate(gate, figures)
    if verdict.passed is not None:
        reason = "WithinBounds" if verdict.passed else "OutOfBounds"
        return Verdict(verdict.passed, f"{verdict.message}{note}", reason)
    missing = next((name for name in ("dense", "increase") if name not in figures), "increase")
    return Verdict(
        None,
        f"{verdict.message}{note} manifest.json of the model has no fid.{missing} to hold qualityGate "
        "against: serve an artifact of a training with evaluation, or remove maxFidIncrease "
        "and maxFidIncreasePercent from qualityGate.",
        "FiguresMissing",
    )


def _as_served(fid: Mapping[str, Any], precision: str) -> tuple[dict[str, Any], str]:
    """The figures to judge by, and a sentence (after a space) where they are of another precision."""
    measured = fid.get("precision")
    base = {name: fid[name] for name in ("metric", "dense", "increase", "precision") if name in fid}
    other = next((each for each in fid.get("served", []) if each.get("precision") == precision), None)
    if other is not None:
        base.pop("increase", None)
        increase = {"increase": other["increase"]} if "increase" in other else {}
        return {
            **base,
            **increase,
            "precision": precision,
        }, f" {other['problem']}" if "problem" in other else ""
    if not fid or precision == (measured or DEFAULT_PRECISION):
        return base, ""
    return base, (
        f" It was measured in {measured or DEFAULT_PRECISION}, and {precision} is served, of which nothing "
        f"is known: write evaluation.servedPrecisions: [{precision}] in a new SparseFinetune."
    )


def judge_speedup(gate: Gate, speedup: float, reason: str) -> Verdict:
    """The measured speed-up over dense; it is 1 where dense products serve, for the `reason` given."""
    bound = gate.min_speedup
    assert bound is not None
    if speedup >= bound:
        return Verdict(True, f"The speed-up over dense is {speedup:.2f}, at least {bound:g}.")
    found = f"The speed-up over dense is {speedup:.2f}, below qualityGate.minSpeedup {bound:g}: {reason}"
    if gate.on_slow == "Refuse":
        return Verdict(
            False,
            f"{found} onSlow is Refuse, so this version doesn't serve: lower minSpeedup, write onSlow: "
            "Fallback, or give it a GPU with 2:4 kernels.",
            "TooSlow",
        )
    return Verdict(
        True, f"{found} onSlow is Fallback, so the dense kernel serves, with equal results.", "FellBack"
    )


def together(verdicts: Sequence[Verdict]) -> Verdict:
    """One of several that were not refused: their sentences, and the first reason that is not the usual."""
    reason = next((v.reason for v in verdicts if v.reason != "WithinBounds"), "WithinBounds")
    return Verdict(True, " ".join(v.message for v in verdicts), reason)


def refusal(verdict: Verdict) -> InputError:
    return InputError(verdict.reason, verdict.message)
