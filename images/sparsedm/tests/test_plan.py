"""From a configuration to when masks are made."""

from __future__ import annotations

import pytest

from sparsedm.config import parse_config
from sparsedm.plan import mask_rhythm, schedule_of
from test_config import with_value


@pytest.mark.parametrize(
    ("sparsity", "rhythm", "made_at", "freeze_from"),
    [
        ({}, "magnitude, every step", [*range(86)], 85),
        ({"maskUpdateSteps": 30}, "magnitude, every 30 steps", [0, 20, 40, 60, 80, 85], 85),
        ({"method": "cast", "schedule": {"type": "fixed", "freezeMaskPercent": 70}},
         "magnitude, every 10 steps", [0, 10, 20, 30], 30),
        ({"maskType": "random"}, "random, once for each pattern", [0, 20, 40, 60, 80], 80),
        ({"maskType": "fixed", "schedule": {"type": "fixed"}}, "fixed, once for each pattern", [0], 0),
        ({"method": "asp", "schedule": {"type": "fixed"}}, "magnitude, once for each pattern", [0], 0),
        ({"method": "dense"}, "none", [*range(100)], 100),
        ({"method": "masked-dense", "schedule": {"type": "fixed"}},
         "magnitude, once for each pattern", [0], 0),
    ],
)  # fmt: skip
def test_masks_are_made_when_the_method_and_their_type_ask_for_it(
    sparsity: dict[str, object], rhythm: str, made_at: list[int], freeze_from: int
) -> None:
    value = with_value("sparsity", sparsity)
    value["training"] = {"steps": 100}
    config = parse_config(value)
    schedule = schedule_of(config)
    assert mask_rhythm(config) == rhythm
    assert [step for step in range(100) if schedule.recomputes(step)] == made_at
    assert schedule.freeze_from == freeze_from
