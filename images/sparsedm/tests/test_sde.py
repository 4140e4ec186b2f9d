"""The noise schedule against its worked example and against itself."""

import pytest
import torch

from sparsedm.diffusion import VPSDE
from sparsedm.diffusion.sde import stratified_times

SDE = VPSDE()
TIMES = torch.linspace(1e-4, 1.0, 50, dtype=torch.float64)


def test_ends_of_the_schedule() -> None:
    ends = torch.tensor([0.0, 1.0], dtype=torch.float64)
    assert SDE.alpha(ends).tolist() == pytest.approx([1.0, 0.006572], abs=1e-6)
    assert SDE.sigma(ends).tolist() == pytest.approx([0.0, 0.999978], abs=1e-6)


def test_variance_is_preserved() -> None:
    torch.testing.assert_close(SDE.alpha(TIMES) ** 2 + SDE.sigma(TIMES) ** 2, torch.ones_like(TIMES))


def test_log_alpha_is_minus_half_the_integral_of_beta() -> None:
    t = torch.linspace(0, 0.7, 10_001, dtype=torch.float64)
    beta = SDE.beta_min + t * (SDE.beta_max - SDE.beta_min)
    want = -0.5 * torch.trapezoid(beta, t)
    assert SDE.log_alpha(t[-1]).item() == pytest.approx(want.item(), rel=1e-9)


def test_log_snr_falls_and_its_inverse_gives_the_time_back() -> None:
    ratios = SDE.log_snr(TIMES)
    assert (ratios.diff() < 0).all()
    torch.testing.assert_close(ratios, torch.log(SDE.alpha(TIMES) ** 2 / SDE.sigma(TIMES) ** 2))
    torch.testing.assert_close(SDE.time_at_log_snr(ratios), TIMES, rtol=1e-9, atol=1e-12)


@pytest.mark.parametrize("prediction", ["noise", "v"])
def test_the_exact_output_gives_noise_and_image_back(prediction: str) -> None:
    generator = torch.Generator().manual_seed(0)
    x0 = torch.rand(5, 1, 4, 4, generator=generator, dtype=torch.float64) * 2 - 1
    eps = torch.randn(x0.shape, generator=generator, dtype=torch.float64)
    t = torch.tensor([0.01, 0.2, 0.5, 0.9, 1.0], dtype=torch.float64)
    x_t = SDE.q_sample(x0, t, eps)
    got_eps, got_x0 = SDE.to_eps_x0(SDE.target(x0, eps, t, prediction), x_t, t, prediction)
    torch.testing.assert_close(got_eps, eps)
    torch.testing.assert_close(got_x0, x0)


def test_stratified_times_hit_every_interval_once() -> None:
    times = stratified_times(16, torch.Generator().manual_seed(3))
    assert (times >= 0).all()
    assert (times < 1).all()
    assert sorted((times * 16).long().tolist()) == list(range(16))
