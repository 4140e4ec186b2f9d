"""Samplers on data whose exact denoiser is known, guidance, seeds."""

import dataclasses
import math

import pytest
import torch

from sparsedm.diffusion import DiscreteBetas, NoiseProcess, RectifiedFlow, VPLinear
from sparsedm.diffusion.samplers import (
    SAMPLERS,
    Row,
    advance,
    guided,
    images_of,
    initial_noise,
    plan_of,
    sample,
)
from sparsedm.models import DiffusersConfig, UViTConfig, build_model
from sparsedm.models.denoisers import library

SDE = VPLinear()
CONFIG = UViTConfig(
    image_size=8, patch_size=4, channels=1, width=16, depth=3, heads=2, num_classes=3,
    final_conv=False, prediction="v",
)  # fmt: skip
CLASSES_ONLY = DiffusersConfig(
    "unet", {"_class_name": "UNet2DModel", "sample_size": 8, "in_channels": 1, "num_class_embeds": 3}
)
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
    times = SDE.sampling_timesteps(7)
    assert times[0].item() == pytest.approx(1.0)
    assert times[-1].item() == pytest.approx(1e-3)
    steps = SDE.log_snr(times).diff()
    torch.testing.assert_close(steps, torch.full_like(steps, steps[0].item()))


@pytest.mark.parametrize("steps", [1, 2, 3, 4, 20])
@pytest.mark.parametrize("prediction", ["noise", "v"])
@pytest.mark.parametrize(("sampler", "order"), [("ddim", 1), ("dpm-solver++", 2)])
def test_every_step_is_the_one_of_diffusers(sampler: str, order: int, prediction: str, steps: int) -> None:
    """On our grid, and with our step of first order before the last, which diffusers has only without a past.
    Its steps are in float32, and x0 = (x - sigma eps) / alpha begins with a division by 0.0066."""
    config = dataclasses.replace(PLAIN, channels=4, prediction=prediction)
    inner, seen = gaussian_denoiser(0.1, 0.2), []

    def network(x, t, y=None):
        v = inner(x, t)
        alpha, sigma = (f(t.double())[:, None, None, None] for f in (SDE.alpha, SDE.sigma))
        seen.append(x)
        return v if prediction == "v" else sigma * x + alpha * v

    last = sample(network, config, None, [1, 2], steps, sampler=sampler, dtype=torch.float64)
    got, seen = [*seen, last.double()], []
    kind = "v_prediction" if prediction == "v" else "epsilon"
    scheduler = library().DPMSolverMultistepScheduler(solver_order=order, prediction_type=kind)
    times = SDE.sampling_timesteps(steps)
    scheduler.num_inference_steps, scheduler.timesteps = steps, times
    scheduler.sigmas = torch.cat([SDE.sigma(times) / SDE.alpha(times), torch.zeros(1)])
    x = got[0]
    for index, time in enumerate(times):
        if index == steps - 2:
            scheduler.lower_order_nums = 0
        x = scheduler.step(network(x, time.expand(2)), time, x).prev_sample
        torch.testing.assert_close(got[index + 1], x, rtol=0, atol=1e-5)


STABLE_DIFFUSION = DiscreteBetas()
FLOW = RectifiedFlow(shift=3.0)


@pytest.mark.parametrize(
    ("process", "prediction", "sampler", "steps", "tolerance"),
    [
        (STABLE_DIFFUSION, "v", "dpm-solver++", 50, 0.01),
        (STABLE_DIFFUSION, "noise", "ddim", 200, 0.02),
        (FLOW, "velocity", "dpm-solver++", 200, 0.02),
        (FLOW, "velocity", "ddim", 400, 0.02),
    ],
)
def test_samples_of_a_gaussian_end_at_their_quantile_under_every_process(
    process: NoiseProcess, prediction: str, sampler: str, steps: int, tolerance: float
) -> None:
    mean, deviation = 0.1, 0.2
    config = dataclasses.replace(PLAIN, process=process, prediction=prediction)

    def network(x, t, y=None):
        t = t.double()
        alpha, sigma = (f(t)[:, None, None, None] for f in (process.alpha, process.sigma))
        x0 = mean + alpha * deviation**2 / (alpha**2 * deviation**2 + sigma**2) * (x - alpha * mean)
        return process.target(x0, (x - alpha * x0) / sigma, t, prediction)

    noise = initial_noise(config, range(16)).double()
    one = torch.ones((), dtype=torch.float64)
    alpha, sigma = process.alpha(one), process.sigma(one)
    standard = (noise - alpha * mean) / torch.sqrt(alpha**2 * deviation**2 + sigma**2)
    got = sample(network, config, None, range(16), steps, sampler=sampler, dtype=torch.float64)
    assert (got - (mean + deviation * standard).clamp(-1, 1)).abs().max().item() < tolerance


def test_ddim_along_a_flow_is_eulers_method_by_hand() -> None:
    """Velocity -2 everywhere and shift 1: two steps of 1/2 take x to x + 1, then to its clean image x + 2."""
    config = dataclasses.replace(PLAIN, channels=4, process=RectifiedFlow(), prediction="velocity")
    got = sample(lambda x, t, y=None: torch.full_like(x, -2.0), config, None, [7], steps=2, sampler="ddim")
    torch.testing.assert_close(got, initial_noise(config, [7]) + 2.0)


def test_a_flow_is_not_drawn_by_the_sde() -> None:
    config = dataclasses.replace(PLAIN, process=RectifiedFlow(), prediction="velocity")
    with pytest.raises(ValueError, match="draw it with ddim or dpm-solver"):
        sample(lambda x, t, y=None: x, config, None, [7], steps=2, sampler="euler-maruyama")


def test_one_step_is_the_first_prediction() -> None:
    got = sample(gaussian_denoiser(0.5, 1e-6), PLAIN, None, [0, 1], steps=1)
    torch.testing.assert_close(got, torch.full_like(got, 0.5), rtol=0, atol=1e-4)


def test_the_sde_ends_in_the_distribution_of_the_data() -> None:
    """4,096 pixels: their mean has a standard error of 0.2 / 64, their deviation one of 0.2 / 90."""
    seeds = range(64)
    got = sample(
        gaussian_denoiser(0.1, 0.2), PLAIN, None, seeds, 1000, sampler="euler-maruyama", dtype=torch.float64
    )
    assert got.mean().item() == pytest.approx(0.1, abs=0.01)
    assert got.std().item() == pytest.approx(0.2, abs=0.01)


def test_an_euler_maruyama_step_by_hand() -> None:
    """Two steps: t = 1, 0.001 and then 0. A network without noise to see moves x by beta (t - s) x / 2."""

    def network(x, t, y=None):
        return torch.zeros_like(x)

    noise = dataclasses.replace(PLAIN, prediction="noise")
    got = sample(network, noise, None, [3], 2, sampler="euler-maruyama", dtype=torch.float64)
    generator = torch.Generator().manual_seed(3)
    x, z = (torch.randn((1, 8, 8), generator=generator).double() for _ in range(2))
    first, last = 20.0 * 0.999, (0.1 + 19.9 * 0.001) * 0.001
    want = (x * (1 + first / 2) + math.sqrt(first) * z) * (1 + last / 2)
    torch.testing.assert_close(got[0].double(), want.clamp(-1, 1), rtol=1e-5, atol=1e-6)


@pytest.mark.parametrize("sampler", ["dpm-solver++", "euler-maruyama"])
def test_batches_of_5_and_of_25_draw_the_same_images_from_the_same_noise(sampler: str) -> None:
    torch.manual_seed(0)
    model = build_model(CONFIG).eval()
    labels, seeds = torch.arange(25) % 3, range(100, 125)
    whole, parts = (
        sample(model, CONFIG, labels, seeds, 6, guidance=0.5, sampler=sampler, batch_size=size)
        for size in (25, 5)
    )
    torch.testing.assert_close(parts, whole, rtol=1e-4, atol=1e-4)
    noise = initial_noise(CONFIG, seeds)
    assert torch.equal(noise[10:15], initial_noise(CONFIG, seeds[10:15])), "the noise itself is exact"


@pytest.mark.parametrize("sampler", SAMPLERS)
@pytest.mark.parametrize(("padding", "apart"), [(0, False), (3, False), (2, True)])
def test_rows_that_join_and_leave_between_steps_end_as_if_alone(
    sampler: str, padding: int, apart: bool
) -> None:
    """Rows of 1 to 7 steps, each with a guidance of its own or none; one joins at each step, at the front or
    the end, and who is done leaves."""
    torch.manual_seed(0)
    model = build_model(CONFIG).eval()
    plans = [5, 2, 7, 1, 4, 3, 7]
    guidances = [0.5, 0.0, 0.3, 2.0, 0.0, 0.5, 7.1]

    def row(index: int) -> Row:
        plan = plan_of(CONFIG.process, sampler, plans[index])
        condition = torch.tensor(index % 3)
        return Row(CONFIG, plan, seed=100 + index, condition=condition, guidance=guidances[index])

    rows = [row(index) for index in range(len(plans))]
    coming, inside = [*rows], []
    while coming or inside:
        if coming:
            inside.insert(0 if len(coming) % 2 else len(inside), coming.pop())
        advance(model, CONFIG, inside, padding, apart)
        inside = [each for each in inside if each.left]
    for index, steps in enumerate(plans):
        label, guidance = torch.tensor([index % 3]), guidances[index]
        alone = sample(model, CONFIG, label, [100 + index], steps, guidance, sampler)
        torch.testing.assert_close(images_of([rows[index]], CONFIG), alone, rtol=0, atol=0)


def test_a_row_that_is_not_finite_spoils_no_other() -> None:
    plan = plan_of(PLAIN.process, "dpm-solver++", 4)

    def network(x, t, y=None):
        return gaussian_denoiser(0.1, 0.2)(x, t)

    rows = [Row(PLAIN, plan, seed) for seed in (1, 2)]
    rows[0].x[0, 0, 0] = math.nan
    while rows[0].left:
        advance(network, PLAIN, rows)
    assert not images_of(rows[:1], PLAIN).isfinite().all()
    torch.testing.assert_close(images_of(rows[1:], PLAIN), sample(network, PLAIN, None, [2], 4))


def test_dit_guides_three_channels_by_w_and_leaves_the_fourth_and_the_variance() -> None:
    """u + w (c - u) with w = 1 + s: with c = 1, u = 4 and w = 1.5 it is 4 + 1.5 (1 - 4) = -0.5."""
    settings = {
        "_class_name": "DiTTransformer2DModel", "sample_size": 8, "in_channels": 4, "out_channels": 8,
        "num_embeds_ada_norm": 3,
    }  # fmt: skip
    config = DiffusersConfig("dit", settings)

    def network(x, t, y):
        return (y + 1.0)[:, None, None, None].expand(len(x), 8, 8, 8)

    got = guided(network, config, torch.zeros(1, 4, 8, 8), torch.ones(1), torch.tensor([0]), 0.5)
    assert got[0, :, 0, 0].tolist() == [-0.5, -0.5, -0.5, 1, 1, 1, 1, 1]
    without_variance = DiffusersConfig("dit", {**settings, "out_channels": 4})
    got = guided(network, without_variance, torch.zeros(1, 4, 8, 8), torch.ones(1), torch.tensor([0]), 0.5)
    assert got[0, :4, 0, 0].tolist() == [-0.5] * 4


def test_a_learned_variance_is_no_part_of_the_image() -> None:
    settings = {
        "_class_name": "DiTTransformer2DModel", "sample_size": 8, "in_channels": 1, "out_channels": 2,
        "num_embeds_ada_norm": 3,
    }  # fmt: skip
    inner = gaussian_denoiser(0.1, 0.2)

    def network(x, t, y):
        return torch.cat([inner(x, t), torch.full_like(x, 9.0)], dim=1)

    config = DiffusersConfig("dit", settings, prediction="v")
    got = sample(network, config, torch.tensor([0, 1]), [0, 1], 20)
    want = sample(inner, PLAIN, None, [0, 1], 20)
    torch.testing.assert_close(got, want, rtol=0, atol=1e-5)


def test_guidance_by_text_takes_the_empty_text() -> None:
    config = UViTConfig(8, 2, 1, width=16, depth=3, heads=2, context_tokens=2, context_width=3)

    def network(x, t, y):
        return y.mean(dim=(1, 2))[:, None, None, None] * torch.ones_like(x)

    x, t, y = torch.zeros(2, 1, 8, 8), torch.ones(2), torch.ones(2, 2, 3)
    got = guided(network, config, x, t, y, 0.5, nothing=torch.full((2, 3), 4.0))
    assert got[:, 0, 0, 0].tolist() == [-0.5, -0.5]
    with pytest.raises(ValueError, match="needs the text that stands for none"):
        guided(network, config, x, t, y, 0.5)


def test_latents_are_not_clamped() -> None:
    latents = dataclasses.replace(PLAIN, channels=4)
    assert sample(gaussian_denoiser(0.0, 3.0), latents, None, range(4), steps=5).abs().max() > 1.5


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
        ({"config": CLASSES_ONLY, "labels": None}, "draws only what a label says"),
        ({"config": CLASSES_ONLY, "labels": torch.tensor([0, 3])}, "between 0 and 2."),
    ],
)
def test_bad_requests_are_refused_with_a_sentence(arguments: dict, want: str) -> None:
    defaults = {"config": CONFIG, "labels": torch.tensor([0, 1]), "seeds": [0, 1]}
    with pytest.raises(ValueError, match=want):
        sample(gaussian_denoiser(0, 1), **{**defaults, **arguments})


def test_no_seeds_give_no_images() -> None:
    assert sample(gaussian_denoiser(0, 1), PLAIN, None, []).shape == (0, 1, 8, 8)
    assert math.prod(initial_noise(PLAIN, [0]).shape) == 64
