"""Noise processes against the official formulas, numbers worked out by hand, and themselves."""

import dataclasses
import math

import numpy as np
import pytest
import torch

from sparsedm.diffusion import VP_LINEAR, DiscreteBetas, NoiseProcess, RectifiedFlow, process_from
from sparsedm.diffusion.process import stratified_timesteps
from sparsedm.models import PRESETS
from sparsedm.models.denoisers import library

VP = VP_LINEAR
STABLE_DIFFUSION = DiscreteBetas("scaled-linear", 0.00085, 0.012, 1000)
DDPM = DiscreteBetas("linear", 0.0001, 0.02, 1000, time_offset=-1)
COSINE = DiscreteBetas("cosine", steps=1000)
GIVEN = DiscreteBetas("given", steps=2, betas=(0.5, 0.75))
FLOW = RectifiedFlow(shift=3.0)
PROCESSES = [VP, STABLE_DIFFUSION, DDPM, COSINE, GIVEN, RectifiedFlow(), FLOW]
TIMES = torch.linspace(1e-4, 1.0, 50, dtype=torch.float64)


def name_of(process: object) -> str:
    return f"{process.kind}-{getattr(process, 'schedule', '')}" if isinstance(process, NoiseProcess) else ""


def test_ends_of_the_linear_process() -> None:
    ends = torch.tensor([0.0, 1.0], dtype=torch.float64)
    assert VP.alpha(ends).tolist() == pytest.approx([1.0, 0.006572], abs=1e-6)
    assert VP.sigma(ends).tolist() == pytest.approx([0.0, 0.999978], abs=1e-6)


def test_two_given_betas_by_hand() -> None:
    """alpha² = 1, 0.5 and 0.5 * 0.25; half-way between two steps it is their geometric mean."""
    t = torch.tensor([0.0, 0.25, 0.5, 0.75, 1.0], dtype=torch.float64)
    want = [1.0, math.sqrt(0.5), 0.5, 0.25, 0.125]
    assert (GIVEN.alpha(t) ** 2).tolist() == pytest.approx(want)
    assert (GIVEN.sigma(t) ** 2).tolist() == pytest.approx([1 - a for a in want])
    # -N log(1 - beta): 2 ln 2 in the first half, 2 ln 4 in the second.
    assert GIVEN.beta(t).tolist() == pytest.approx([2 * math.log(2)] * 3 + [2 * math.log(4)] * 2)


def test_the_middle_of_the_two_published_processes() -> None:
    """Log-SNR by hand: -0.25 * 0.25 * 19.9 - 0.025 = -1.26875, e^-2.5375 = 0.07906, log(0.07906/0.92094) =
    -2.455; the product of the first 500 factors of the scaled-linear one is 0.2777, log(0.2777/0.7223) =
    -0.956."""
    half = torch.tensor([0.5], dtype=torch.float64)
    assert VP.log_snr(half).item() == pytest.approx(-2.455, abs=1e-3)
    betas = np.linspace(0.00085**0.5, 0.012**0.5, 1000) ** 2
    product = math.prod(1 - beta for beta in betas[:500])
    assert product == pytest.approx(0.27767, abs=1e-5)
    assert STABLE_DIFFUSION.log_snr(half).item() == pytest.approx(math.log(product / (1 - product)), abs=1e-9)
    assert STABLE_DIFFUSION.log_snr(half).item() == pytest.approx(-0.956, abs=1e-3)


@pytest.mark.parametrize("process", [STABLE_DIFFUSION, DDPM, COSINE, GIVEN], ids=name_of)
@pytest.mark.parametrize("dtype", [torch.float32, torch.float64])
def test_every_step_has_the_product_of_its_factors(process: DiscreteBetas, dtype: torch.dtype) -> None:
    n = torch.arange(1, process.steps + 1)
    want = torch.cumprod(1 - process.variances(), 0).sqrt()
    tolerance = 1e-12 if dtype == torch.float64 else 2e-5
    alpha = process.alpha(n.to(dtype) / process.steps).double()
    torch.testing.assert_close(alpha, want, rtol=tolerance, atol=tolerance)
    told = process.network_time(n.to(dtype) / process.steps).double()
    torch.testing.assert_close(told, (n + process.time_offset).double(), rtol=1e-6, atol=1e-4)


@pytest.mark.parametrize(
    ("process", "settings"),
    [
        (DDPM, {"beta_schedule": "linear", "beta_start": 0.0001, "beta_end": 0.02}),
        (STABLE_DIFFUSION, {"beta_schedule": "scaled_linear", "beta_start": 0.00085, "beta_end": 0.012}),
        (COSINE, {"beta_schedule": "squaredcos_cap_v2"}),
    ],
    ids=name_of,
)
def test_diffusers_noises_alike(process: DiscreteBetas, settings: dict) -> None:
    scheduler = library().DDPMScheduler(num_train_timesteps=1000, **settings)
    generator = torch.Generator().manual_seed(0)
    x0 = torch.randn(5, 3, 4, 4, generator=generator)
    eps = torch.randn(x0.shape, generator=generator)
    steps = torch.tensor([0, 1, 499, 998, 999])
    got = process.q_sample(x0, (steps + 1) / 1000, eps)
    torch.testing.assert_close(got, scheduler.add_noise(x0, eps, steps), rtol=1e-4, atol=1e-4)


@pytest.mark.parametrize("process", [VP, STABLE_DIFFUSION, DDPM, COSINE, GIVEN], ids=name_of)
def test_variance_is_preserved(process: NoiseProcess) -> None:
    torch.testing.assert_close(process.alpha(TIMES) ** 2 + process.sigma(TIMES) ** 2, torch.ones_like(TIMES))


@pytest.mark.parametrize("process", [VP, STABLE_DIFFUSION, DDPM], ids=name_of)
def test_log_alpha_is_minus_half_the_integral_of_beta(process: NoiseProcess) -> None:
    t = torch.linspace(0, 0.7, 70_001, dtype=torch.float64)
    want = -0.5 * torch.trapezoid(process.beta(t), t)
    assert torch.log(process.alpha(t[-1:])).item() == pytest.approx(want.item(), rel=1e-4)


@pytest.mark.parametrize("process", PROCESSES, ids=name_of)
def test_log_snr_falls_and_its_inverse_gives_the_time_back(process: NoiseProcess) -> None:
    times = TIMES[:-1] if process.kind == "rectified-flow" else TIMES
    ratios = process.log_snr(times)
    assert (ratios.diff() < 0).all()
    torch.testing.assert_close(ratios, torch.log(process.alpha(times) ** 2 / process.sigma(times) ** 2))
    torch.testing.assert_close(process.time_at_log_snr(ratios), times, rtol=1e-9, atol=1e-12)


@pytest.mark.parametrize("process", PROCESSES, ids=name_of)
def test_the_exact_output_gives_noise_and_image_back(process: NoiseProcess) -> None:
    generator = torch.Generator().manual_seed(0)
    x0 = torch.rand(5, 1, 4, 4, generator=generator, dtype=torch.float64) * 2 - 1
    eps = torch.randn(x0.shape, generator=generator, dtype=torch.float64)
    t = torch.tensor([0.01, 0.2, 0.5, 0.9, 1.0], dtype=torch.float64)
    x_t = process.q_sample(x0, t, eps)
    for prediction in process.predictions:
        got_eps, got_x0 = process.to_eps_x0(process.target(x0, eps, t, prediction), x_t, t, prediction)
        torch.testing.assert_close(got_eps, eps)
        torch.testing.assert_close(got_x0, x0)


def test_a_flow_is_a_straight_line_and_its_output_the_slope() -> None:
    x0, eps, t = torch.tensor([[[[2.0]]]]), torch.tensor([[[[-1.0]]]]), torch.tensor([0.25])
    assert FLOW.q_sample(x0, t, eps).item() == 0.75 * 2 - 0.25
    assert FLOW.target(x0, eps, t, "velocity").item() == -3.0
    assert FLOW.network_time(t).item() == 250.0


def test_shift_moves_times_of_training_and_sampling_towards_noise() -> None:
    assert FLOW.training_time(torch.tensor([0.0, 0.5, 1.0])).tolist() == [0.0, 0.75, 1.0]
    assert FLOW.sampling_timesteps(4).tolist() == pytest.approx([1.0, 0.9, 0.75, 0.5])


def test_a_flow_has_no_rate_of_noise() -> None:
    with pytest.raises(ValueError, match="ddim"):
        FLOW.beta(torch.tensor([0.5]))


def test_discrete_training_draws_every_step_alike() -> None:
    """1,000 stratified draws hit each of the steps 1..1000 once."""
    uniform = stratified_timesteps(1000, torch.Generator().manual_seed(3))
    steps = (STABLE_DIFFUSION.training_time(uniform) * 1000).round().long()
    assert steps.min() >= 1
    assert steps.max() <= 1000
    assert len(set(steps.tolist())) >= 998  # two draws may round into one step


@pytest.mark.parametrize("process", [VP, STABLE_DIFFUSION, COSINE], ids=name_of)
def test_steps_of_sampling_are_even_in_log_snr_and_end_where_they_should(process: NoiseProcess) -> None:
    times = process.sampling_timesteps(7)
    assert times[0].item() == pytest.approx(1.0)
    assert times[-1].item() == pytest.approx(1e-3)
    steps = process.log_snr(times).diff()
    torch.testing.assert_close(steps, torch.full_like(steps, steps[0].item()))


@pytest.mark.parametrize("process", PROCESSES, ids=name_of)
def test_a_process_survives_its_description(process: NoiseProcess) -> None:
    assert process_from(process.to_dict()) == process


@pytest.mark.parametrize(
    ("described", "complaint"),
    [
        ({"kind": "edm"}, "must be one of vp-linear, discrete-betas, rectified-flow"),
        ({}, "and is None"),
        ({"kind": "vp-linear", "shift": 3}, "has no shift"),
        ({"kind": "vp-linear", "beta_min": 20.0}, "beta must rise"),
        ({"kind": "discrete-betas", "schedule": "sigmoid"}, "schedule must be one of"),
        ({"kind": "discrete-betas", "schedule": "given"}, "betas are listed"),
        ({"kind": "discrete-betas", "betas": [0.1, 0.2]}, "betas are listed"),
        ({"kind": "discrete-betas", "schedule": "given", "betas": [0.1]}, "1 betas for 1000 steps"),
        ({**GIVEN.to_dict(), "betas": [0.1, 1.0]}, "zero terminal SNR"),
        ({"kind": "rectified-flow", "shift": 0}, "shift must be above 0"),
    ],
)
def test_what_no_process_is(described: dict, complaint: str) -> None:
    with pytest.raises(ValueError, match=complaint):
        process_from(described)


def test_a_prediction_belongs_to_its_process() -> None:
    config = PRESETS["fashion-mnist-uvit-tiny"]
    with pytest.raises(ValueError, match="prediction must be velocity with rectified-flow"):
        dataclasses.replace(config, process=FLOW)
    with pytest.raises(ValueError, match="prediction must be noise or v with vp-linear"):
        dataclasses.replace(config, prediction="velocity")


@pytest.mark.parametrize(
    ("preset", "process", "rows", "dropout"),
    [
        ("cifar10-uvit-small", VP, 0, 0.1),
        ("celeba64-uvit-small", VP, 0, 0.1),
        ("imagenet64-uvit-mid", VP, 1000, 0.0),
        ("imagenet64-uvit-large", VP, 1000, 0.0),
        ("imagenet256-uvit-large", VP, 1001, 0.15),
        ("imagenet256-uvit-huge", STABLE_DIFFUSION, 1001, 0.1),
        ("imagenet512-uvit-large", VP, 1001, 0.15),
        ("imagenet512-uvit-huge", STABLE_DIFFUSION, 1001, 0.1),
        ("mscoco256-uvit-small", STABLE_DIFFUSION, 0, 0.1),
        ("mscoco256-uvit-small-deep", STABLE_DIFFUSION, 0, 0.1),
    ],
)
def test_presets_are_those_that_were_published(
    preset: str, process: NoiseProcess, rows: int, dropout: float
) -> None:
    """configs/*.py and train*.py of github.com/baofff/U-ViT: num_classes, p_uncond, the process."""
    config = PRESETS[preset]
    assert (config.process, config.label_rows, config.label_dropout) == (process, rows, dropout)
    assert config.guidable == (rows == 1001 or config.context is not None)


def test_stratified_timesteps_hit_every_interval_once() -> None:
    times = stratified_timesteps(16, torch.Generator().manual_seed(3))
    assert (times >= 0).all()
    assert (times < 1).all()
    assert sorted((times * 16).long().tolist()) == list(range(16))
