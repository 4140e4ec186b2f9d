"""Samplers on data whose exact denoiser is known, guidance, seeds."""

import math

import pytest
import torch

from sparsedm.diffusion import VPSDE
from sparsedm.diffusion.samplers import guided, initial_noise, sample, time_grid
from sparsedm.models import UViTConfig, build_model

SDE = VPSDE()
CONFIG = UViTConfig(
    image_size=8, patch_size=4, channels=1, width=16, depth=3, heads=2, num_classes=3,
    final_conv=False, prediction="v",
)  # fmt: skip
PLAIN = UViTConfig(image_size=8, patch_size=4, channels=1, width=16, depth=3, heads=2, prediction="v")


def gaussian_denoiser(mean: float, deviation: float):
    """The exact v of pixels N(mean, deviation²): E[x0 | x_t] is linear in x_t."""

    def network(x, t, y=None):
        alpha, sigma = (f(t.double())[:, None, None, None] for f in (SDE.alpha, SDE.sigma))
        x = x.double()
        variance = alpha**2 * deviation**2 + sigma**2
        x0 = mean + alpha * deviation**2 / variance * (x - alpha * mean)
        return (alpha * x - x0) / sigma

    return network


def exact_flow(noise: torch.Tensor, mean: float, deviation: float) -> torch.Tensor:
    """Where the probability-flow ODE of such pixels ends: the same quantile of the data's distribution."""
    one = torch.ones((), dtype=torch.float64)
    alpha, sigma = SDE.alpha(one), SDE.sigma(one)
    standard = (noise.double() - alpha * mean) / torch.sqrt(alpha**2 * deviation**2 + sigma**2)
    return (mean + deviation * standard).clamp(-1, 1)


def error(sampler: str, steps: int) -> float:
    got = sample(
        gaussian_denoiser(0.1, 0.2), PLAIN, None, range(16), steps, sampler=sampler, dtype=torch.float64
    )
    return (got - exact_flow(initial_noise(PLAIN, range(16)), 0.1, 0.2)).abs().max().item()


def test_samples_of_a_gaussian_end_at_their_quantile() -> None:
    assert error("dpm-solver++", 50) < 0.01
    assert error("ddim", 200) < 0.02


def test_the_second_order_is_better_than_the_first() -> None:
    assert error("dpm-solver++", 25) < 0.5 * error("ddim", 25)


def test_steps_are_even_in_log_snr_and_end_where_they_should() -> None:
    times = time_grid(SDE, 7)
    assert times[0].item() == pytest.approx(1.0)
    assert times[-1].item() == pytest.approx(1e-3)
    steps = SDE.log_snr(times).diff()
    torch.testing.assert_close(steps, torch.full_like(steps, steps[0].item()))


def test_one_step_is_the_first_prediction() -> None:
    got = sample(gaussian_denoiser(0.5, 1e-6), PLAIN, None, [0, 1], steps=1)
    torch.testing.assert_close(got, torch.full_like(got, 0.5), rtol=0, atol=1e-4)


def test_guidance_is_c_plus_s_times_c_minus_u() -> None:
    def network(x, t, y):
        return (y + 1.0)[:, None, None, None] * torch.ones_like(x)

    x, t = torch.zeros(2, 1, 8, 8), torch.full((2,), 0.5)
    got = guided(network, CONFIG, x, t, torch.tensor([0, 2]), 0.5)
    # Null label 3 gives 4: 1 + 0.5 (1 - 4) = -0.5 and 3 + 0.5 (3 - 4) = 2.5.
    assert got[:, 0, 0, 0].tolist() == [-0.5, 2.5]


def test_an_image_does_not_depend_on_its_batch_mates() -> None:
    torch.manual_seed(0)
    model = build_model(CONFIG).eval()
    labels, seeds = torch.tensor([0, 1, 2, 0, 1]), [7, 8, 9, 10, 11]
    whole = sample(model, CONFIG, labels, seeds, steps=4, guidance=0.5)
    for size in (1, 2, 3):
        parts = sample(model, CONFIG, labels, seeds, steps=4, guidance=0.5, batch_size=size)
        torch.testing.assert_close(parts, whole, rtol=1e-4, atol=1e-4)
    alone = sample(model, CONFIG, labels[3:4], seeds[3:4], steps=4, guidance=0.5)
    torch.testing.assert_close(alone, whole[3:4], rtol=1e-4, atol=1e-4)


def test_the_same_seeds_give_the_same_images_and_others_others() -> None:
    torch.manual_seed(0)
    model = build_model(CONFIG).eval()
    labels = torch.tensor([1, 1])
    first = sample(model, CONFIG, labels, [1, 2], steps=3)
    assert torch.equal(first, sample(model, CONFIG, labels, [1, 2], steps=3))
    assert not torch.allclose(first[0], first[1])


def test_progress_counts_every_step_of_every_batch() -> None:
    calls = []
    sample(
        gaussian_denoiser(0, 1), PLAIN, None, range(5), 3, batch_size=2, progress=lambda *c: calls.append(c)
    )
    assert calls == [(i, 9) for i in range(1, 10)]


def test_images_lie_within_the_range() -> None:
    got = sample(gaussian_denoiser(0.0, 3.0), PLAIN, None, range(4), steps=5)
    assert got.abs().max() == 1.0
    assert got.dtype == torch.float32


def test_without_labels_a_model_with_classes_draws_unconditionally() -> None:
    seen = set()

    def network(x, t, y):
        seen.update(y.tolist())
        return torch.zeros_like(x)

    sample(network, CONFIG, None, [0, 1], steps=2, guidance=0.5)
    assert seen == {CONFIG.null_label}


@pytest.mark.parametrize(
    ("arguments", "want"),
    [
        ({"sampler": "euler"}, "sampler must be one of dpm-solver"),
        ({"steps": 0}, "at least 1 step"),
        ({"labels": torch.tensor([0])}, "1 labels for 2 seeds"),
        ({"labels": torch.tensor([0, 4])}, "between 0 and 3"),
        ({"config": PLAIN, "labels": torch.tensor([0, 1])}, "has no classes"),
    ],
)
def test_bad_requests_are_refused_with_a_sentence(arguments: dict, want: str) -> None:
    defaults = {"config": CONFIG, "labels": torch.tensor([0, 1]), "seeds": [0, 1]}
    with pytest.raises(ValueError, match=want):
        sample(gaussian_denoiser(0, 1), **{**defaults, **arguments})


def test_no_seeds_give_no_images() -> None:
    assert sample(gaussian_denoiser(0, 1), PLAIN, None, []).shape == (0, 1, 8, 8)
    assert math.prod(initial_noise(PLAIN, [0]).shape) == 64
