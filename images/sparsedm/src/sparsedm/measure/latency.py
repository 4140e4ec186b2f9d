"""How long a device takes for one image, which the number of its multiply-accumulates does not tell.

The network computes dense products, zeros included, as in training: what sparse products of a GPU gain beyond
that is measured by the server that has them.
"""

from __future__ import annotations

import statistics
import time
from collections.abc import Callable
from typing import Any

import torch
from torch import nn

from sparsedm.decimals import decimal
from sparsedm.measure.evaluator import Evaluator

REPEATS = 3


def measure_latency(
    evaluator: Evaluator,
    model: nn.Module,
    device_name: str,
    before_each: Callable[[], None] = lambda: None,
    clock: Callable[[], float] = time.perf_counter,
) -> dict[str, Any]:
    """`status.latency`: the median time of drawing one image alone as the evaluation does, until it is
    decoded, after another one that warms up."""
    plan, times = evaluator.plan, []
    draw = evaluator.first_image(model)
    for _ in range(1 + REPEATS):
        before_each()
        began = clock()
        draw()
        if evaluator.device.type == "cuda":
            torch.cuda.synchronize(evaluator.device)
        times.append(clock() - began)
    return {
        "millisecondsPerImage": decimal(1000 * statistics.median(times[1:]), 2),
        "batchSize": 1,
        "device": device_name[:128],
        "precision": plan.precision,
        "sampler": plan.sampler,
        "steps": plan.steps,
    }
