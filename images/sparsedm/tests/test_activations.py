"""What a step keeps in memory: what is counted on fake tensors is what real ones take."""

from __future__ import annotations

from dataclasses import replace

import pytest
import torch

from sparsedm.diffusion.objective import Objective
from sparsedm.models import DiffusersConfig, ModelConfig, UViTConfig, build_model
from sparsedm.training.activations import LiveBytes, _batch, activation_bytes
from sparsedm.training.config import TrainingSpec, parse_config
from sparsedm.training.recompute import recompute_blocks
from test_denoisers import SETTINGS

SMALL = UViTConfig(16, 4, 3, width=64, depth=5, heads=4, num_classes=10)
TEXT = UViTConfig(16, 4, 4, width=64, depth=5, heads=4, context_tokens=7, context_width=24)


def training(**settings: object) -> TrainingSpec:
    spec = {
        "model": {"preset": "fashion-mnist-uvit-tiny", "pretrained": {"uri": "file:///none.safetensors"}},
        "dataset": {"format": "fashion-mnist", "uri": "file:///none"},
        "output": {"uri": "file:///none"},
        "training": {"batchSize": 8, **settings},
    }
    return parse_config(spec).training


def test_the_most_that_lives_at_once_is_counted() -> None:
    # 4,000 bytes each: a and b live with c = 3 of them; then d with one other.
    with LiveBytes() as live:
        a = torch.ones(1000)
        b = a + 1
        c = a * b
        assert live.now == 12_000
        view = c[:10]
        del a, b
        d = c.add(1)
    assert (live.now, live.peak) == (8_000, 12_000)
    del c, d
    assert live.now == 4_000, "a view keeps all of its memory"
    del view
    assert live.now == 0


@pytest.mark.parametrize(
    "config",
    [SMALL, TEXT, *(DiffusersConfig(architecture, SETTINGS[architecture]) for architecture in SETTINGS)],
    ids=["uvit", "uvit with text", *SETTINGS],
)
@pytest.mark.parametrize("checkpointing", [False, True])
def test_fake_tensors_take_what_real_ones_take(config: ModelConfig, checkpointing: bool) -> None:
    settings = training(gradientCheckpointing=checkpointing)
    student, teacher = build_model(config).train(), build_model(config).eval().requires_grad_(False)
    if checkpointing:
        recompute_blocks(student)
    for weight in student.parameters():
        weight.register_post_accumulate_grad_hook(lambda weight: setattr(weight, "grad", None))
    batch = _batch(config, settings)
    with LiveBytes() as live:
        Objective(student, teacher, 0.1, "fp32")(batch).backward()
    assert activation_bytes(config, settings, config) == pytest.approx(live.peak, rel=0.05)


def test_what_is_computed_again_or_in_fewer_bits_is_not_kept() -> None:
    plain = activation_bytes(SMALL, training(), SMALL)
    assert 1.5 * plain < activation_bytes(SMALL, training(batchSize=16), SMALL) < 2 * plain
    assert activation_bytes(SMALL, training(precision="bf16"), SMALL) < 0.8 * plain
    assert activation_bytes(SMALL, training(gradientCheckpointing=True), SMALL) < 0.6 * plain
    parts = training(gradientAccumulationSteps=4)
    assert activation_bytes(SMALL, parts, SMALL) == plain, "one part of a step after the other"


def test_a_wide_teacher_takes_memory_of_its_own() -> None:
    """Its pass is over before the backward pass, and holds a block's values at a time; a small student's
    activations are few."""
    wide, narrow = replace(SMALL, width=512), replace(SMALL, width=16)
    alone, taught = (activation_bytes(narrow, training(), teacher) for teacher in (None, wide))
    assert taught > 1.2 * alone
