"""Schedule tables: which pattern is in force at which step."""

from __future__ import annotations

import pytest

from sparsedm.sparsity.pattern import Pattern
from sparsedm.sparsity.schedule import FAMILIES, build_schedule, progressive_patterns


def stages(
    kind: str,
    target: str,
    steps: int,
    freeze: int = 15,
    own: list[tuple[str, int]] | None = None,
    ramp: int = 80,
):
    custom = [(Pattern.parse(p), s) for p, s in own or []]
    schedule = build_schedule(kind, Pattern.parse(target), steps, freeze, custom, ramp)
    return [(str(s.pattern), s.start, s.end) for s in schedule.stages], schedule.freeze_from


def test_worked_example_of_equal_parts() -> None:
    want = [("7:8", 0, 60), ("6:8", 60, 120), ("5:8", 120, 180), ("4:8", 180, 240), ("2:4", 240, 300)]
    assert stages("progressive", "2:4", 300) == (want, 255)


@pytest.mark.parametrize(
    ("target", "want"),
    [
        ("2:4", ["7:8", "6:8", "5:8", "4:8", "2:4"]),
        ("1:2", ["7:8", "6:8", "5:8", "4:8", "1:2"]),
        ("4:8", ["7:8", "6:8", "5:8", "4:8"]),
        ("8:16", ["7:8", "6:8", "5:8", "8:16"]),
        ("1:4", ["7:8", "6:8", "5:8", "4:8", "1:4"]),
        ("2:8", ["7:8", "6:8", "5:8", "4:8", "2:8"]),
        ("3:4", ["7:8", "6:8", "3:4"]),
        ("7:8", ["7:8"]),
        ("31:32", ["31:32"]),
        ("1:32", ["7:8", "6:8", "5:8", "4:8", "1:32"]),
    ],
)
def test_progressive_goes_through_the_looser_patterns_of_the_family(target: str, want: list[str]) -> None:
    assert [str(p) for p in progressive_patterns(Pattern.parse(target))] == want


@pytest.mark.parametrize(
    ("target", "want"),
    [
        ("2:4", ["31:32", "15:16", "7:8", "3:4", "2:4"]),
        ("1:2", ["31:32", "15:16", "7:8", "3:4", "2:4", "1:2"]),
        ("1:4", ["31:32", "15:16", "7:8", "3:4", "2:4", "1:4"]),
        ("7:8", ["31:32", "15:16", "7:8"]),
        ("31:32", ["31:32"]),
    ],
)
def test_the_other_family_doubles_sparsity(target: str, want: list[str]) -> None:
    assert [str(p) for p in progressive_patterns(Pattern.parse(target), "doubling")] == want


def test_both_families_rise_in_equal_parts() -> None:
    for family in FAMILIES:
        schedule = build_schedule("progressive", Pattern(2, 4), 100, 0, ramp_percent=80, family=family)
        sparsity = [s.pattern.sparsity for s in schedule.stages]
        assert sparsity == sorted(sparsity)
        assert [s.steps for s in schedule.stages] == [20] * 5


@pytest.mark.parametrize(
    ("steps", "want"),
    [
        (1, [("2:4", 0, 1)]),
        (3, [("6:8", 0, 1), ("4:8", 1, 2), ("2:4", 2, 3)]),
        (5, [("7:8", 0, 1), ("6:8", 1, 2), ("5:8", 2, 3), ("4:8", 3, 4), ("2:4", 4, 5)]),
        (7, [("7:8", 0, 1), ("6:8", 1, 2), ("5:8", 2, 3), ("4:8", 3, 5), ("2:4", 5, 7)]),
    ],
)
def test_few_steps_always_reach_the_target(steps: int, want: list[tuple[str, int, int]]) -> None:
    assert stages("progressive", "2:4", steps, freeze=0)[0] == want


def test_fixed_has_the_target_from_the_first_step() -> None:
    assert stages("fixed", "2:4", 100, freeze=20) == ([("2:4", 0, 100)], 80)


def test_custom_takes_the_stages_given() -> None:
    want = [("15:16", 0, 10), ("3:4", 10, 30), ("2:4", 30, 60)]
    assert stages("custom", "2:4", 60, own=[("15:16", 10), ("3:4", 20), ("2:4", 30)]) == (want, 51)


def test_worked_example_of_a_ramp() -> None:
    want = [("7:8", 0, 15), ("6:8", 15, 30), ("5:8", 30, 45), ("4:8", 45, 60), ("2:4", 60, 300)]
    assert stages("progressive", "2:4", 300, freeze=50, ramp=20) == (want, 150)


@pytest.mark.parametrize(
    ("target", "steps", "ramp", "want"),
    [
        ("2:4", 10, 80, [("7:8", 0, 2), ("6:8", 2, 4), ("5:8", 4, 6), ("4:8", 6, 8), ("2:4", 8, 10)]),
        ("2:4", 10, 20, [("6:8", 0, 1), ("4:8", 1, 2), ("2:4", 2, 10)]),
        ("2:4", 10, 1, [("2:4", 0, 10)]),
        ("3:4", 100, 50, [("7:8", 0, 25), ("6:8", 25, 50), ("3:4", 50, 100)]),
        ("7:8", 100, 50, [("7:8", 0, 100)]),
    ],
)
def test_a_ramp_is_shared_by_the_looser_patterns(
    target: str, steps: int, ramp: int, want: list[tuple[str, int, int]]
) -> None:
    assert stages("progressive", target, steps, freeze=0, ramp=ramp)[0] == want


@pytest.mark.parametrize(
    ("freeze", "want"),
    [(0, 300), (1, 297), (15, 255), (20, 240), (50, 240), (100, 240)],
)
def test_a_freeze_never_begins_before_the_last_stage(freeze: int, want: int) -> None:
    assert stages("progressive", "2:4", 300, freeze)[1] == want


def test_stages_leave_no_gap_and_number_from_one() -> None:
    for steps in range(1, 40):
        schedule = build_schedule("progressive", Pattern(2, 4), steps, 15, ramp_percent=80)
        assert schedule.total_steps == steps
        assert [s.number for s in schedule.stages] == list(range(1, len(schedule.stages) + 1))
        covered = [step for s in schedule.stages for step in range(s.start, s.end)]
        assert covered == list(range(steps))


def test_stage_at_boundaries_and_after_the_end() -> None:
    schedule = build_schedule("progressive", Pattern(2, 4), 300, 15, ramp_percent=80)
    cases = {0: "7:8", 59: "7:8", 60: "6:8", 239: "4:8", 240: "2:4", 299: "2:4", 300: "2:4"}
    assert {step: str(schedule.stage_at(step).pattern) for step in cases} == cases


def test_frozen_from_the_given_step_on() -> None:
    schedule = build_schedule("fixed", Pattern(2, 4), 100, 20)
    assert [schedule.is_frozen(step) for step in (0, 79, 80, 99)] == [False, False, True, True]


@pytest.mark.parametrize(
    ("every", "freeze", "want"),
    [
        (1, 50, [0, 1, 2, 3, 4, 5, 6]),
        (2, 50, [0, 2, 3, 5, 6]),
        (3, 0, [0, 3, 6, 9]),
        (10, 50, [0, 3, 6]),
        (10, 0, [0, 3]),
    ],
)
def test_masks_are_recomputed_as_a_stage_begins_every_so_often_and_where_they_freeze(
    every: int, freeze: int, want: list[int]
) -> None:
    own = [(Pattern(3, 4), 3), (Pattern(2, 4), 9)]
    schedule = build_schedule("custom", Pattern(2, 4), 12, freeze, own, mask_update_steps=every)
    assert [step for step in range(12) if schedule.recomputes(step)] == want


def test_the_share_of_the_moving_part_ends_where_the_mask_freezes() -> None:
    schedule = build_schedule("fixed", Pattern(2, 4), 10, 50)
    assert [schedule.moved(step) for step in (0, 1, 4, 5, 9)] == [0.0, 0.2, 0.8, 1.0, 1.0]


def test_no_steps_are_refused() -> None:
    with pytest.raises(ValueError, match="at least one step"):
        build_schedule("fixed", Pattern(2, 4), 0, 15)


@pytest.mark.parametrize("text", ["", "2", "2:4:8", "4:4", "0:4", "2:33", "a:b", " 2:4", "02:4", "2:4\n"])
def test_what_is_no_pattern_is_refused_with_a_sentence(text: str) -> None:
    with pytest.raises(ValueError, match="N:M with 1 <= N < M <= 32"):
        Pattern.parse(text)


def test_pattern_density_and_text() -> None:
    pattern = Pattern.parse("3:4")
    assert (pattern.density, pattern.sparsity, str(pattern)) == (0.75, 0.25, "3:4")
