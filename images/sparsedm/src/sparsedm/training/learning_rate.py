"""The learning rate of a step: linear warm-up, then constant (as in the paper) or a cosine down to 0.

Worked example (repeated in test_learning_rate.py): rate 1, 2 steps of warm-up, 6 steps.

    constant  0.5  1  1  1      1    1
    cosine    0.5  1  1  0.854  0.5  0.146

The warm-up's last step has the full rate; the cosine then runs over the other steps, and would reach 0 at the
step after the last one.
"""

from __future__ import annotations

import math

SCHEDULES = ("constant", "cosine")


def learning_rate_at(
    step: int, total_steps: int, learning_rate: float, warmup_steps: int, schedule: str
) -> float:
    """The rate of step `step`, counted from 0. `schedule` is one of SCHEDULES."""
    if step < warmup_steps:
        return learning_rate * (step + 1) / warmup_steps
    if schedule == "constant":
        return learning_rate
    done = (step - warmup_steps) / (total_steps - warmup_steps)
    return learning_rate * 0.5 * (1.0 + math.cos(math.pi * done))
