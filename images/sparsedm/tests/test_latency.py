"""The time for one image."""

from __future__ import annotations

from collections.abc import Callable
from itertools import accumulate

import pytest
import torch
from torch import nn

from sparsedm.measure.evaluator import Evaluator, Plan
from sparsedm.measure.latency import measure_latency
from sparsedm.models import build_model
from tiny_run import CONFIG, Workplace


def test_it_is_the_median_of_images_drawn_alone_and_the_first_one_does_not_count(
    place: Workplace, monkeypatch: pytest.MonkeyPatch
) -> None:
    plan = Plan(6, 2, 0.5, "dpm-solver++", 0, "bf16")
    evaluator = Evaluator(CONFIG, plan, place.extractor, torch.device("cpu"))
    model = build_model(CONFIG)
    drawn: list[torch.Size] = []
    first = evaluator.first_image

    def watched(model: nn.Module) -> Callable[[], None]:
        draw = first(model)
        return lambda: drawn.append(draw().shape)

    monkeypatch.setattr(evaluator, "first_image", watched)
    ticks = accumulate([0.0, 9.0, 0.0, 0.03, 0.0, 0.01, 0.0, 0.0125])
    asked: list[None] = []
    found = measure_latency(evaluator, model, "CPU (x)", lambda: asked.append(None), lambda: next(ticks))
    assert found == {
        "millisecondsPerImage": "12.5", "batchSize": 1, "device": "CPU (x)", "precision": "bf16",
        "sampler": "dpm-solver++", "steps": 2,
    }  # fmt: skip
    assert drawn == [torch.Size([1, 1, 32, 32])] * 4
    assert len(asked) == 4
