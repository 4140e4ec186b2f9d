"""Deterministic samplers of the probability-flow ODE, with classifier-free guidance and one seed per image.

DPM-Solver++(2M): Lu et al., arXiv 2211.01095, algorithm 2. With lambda = log(alpha/sigma), h the step in
lambda and D the (extrapolated) prediction of the clean image:
    x_t = sigma_t/sigma_s x_s - alpha_t (exp(-h) - 1) D
First order (D = the last prediction) is DDIM (arXiv 2010.02502).
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Protocol

import torch
from torch import Tensor

from sparsedm.diffusion.sde import VPSDE
from sparsedm.models.uvit import UViTConfig

SAMPLERS = ("dpm-solver++", "ddim")

START_TIME = 1.0
END_TIME = 1e-3
"""The last evaluation; from there one goes to the predicted clean image itself."""


class Network(Protocol):
    """(B,C,H,W), t (B,) in [0, 1], labels (B,) or None -> (B,C,H,W)."""

    def __call__(self, x: Tensor, t: Tensor, y: Tensor | None = None) -> Tensor: ...


def time_grid(sde: VPSDE, steps: int) -> Tensor:
    """(steps,) float64 times of evaluation from START_TIME to END_TIME, equidistant in log-SNR.

    Even spacing in time puts too few steps where the image gets its detail, and the second-order
    extrapolation then amplifies noise.
    """
    ends = sde.log_snr(torch.tensor([START_TIME, END_TIME], dtype=torch.float64))
    ratios = torch.linspace(float(ends[0]), float(ends[1]), steps, dtype=torch.float64)
    return sde.time_at_log_snr(ratios)


def initial_noise(config: UViTConfig, seeds: Sequence[int]) -> Tensor:
    """(B, C, H, W) standard normal noise on the CPU; image i depends on seeds[i] alone, not its batch."""
    shape = (config.channels, config.image_size, config.image_size)
    return torch.stack([torch.randn(shape, generator=torch.Generator().manual_seed(seed)) for seed in seeds])


def guided(
    model: Network, config: UViTConfig, x: Tensor, t: Tensor, y: Tensor | None, guidance: float
) -> Tensor:
    """The network's output under guidance in U-ViT's convention: c + s (c - u); s = 0 is conditional only."""
    if y is None or guidance == 0.0:
        return model(x, t, y)
    nothing = torch.full_like(y, config.null_label)
    both = model(torch.cat([x, x]), torch.cat([t, t]), torch.cat([y, nothing]))
    conditional, unconditional = both.chunk(2)
    return conditional + guidance * (conditional - unconditional)


@torch.no_grad()
def sample(
    model: Network,
    config: UViTConfig,
    labels: Tensor | None,
    seeds: Sequence[int],
    steps: int = 20,
    guidance: float = 0.0,
    sampler: str = "dpm-solver++",
    batch_size: int | None = None,
    progress: Callable[[int, int], None] | None = None,
    device: str | torch.device = "cpu",
    dtype: torch.dtype = torch.float32,
) -> Tensor:
    """Draws one image per seed, (B, C, H, W) float32 on the CPU, values in [-1, 1].

    labels: (B,) int64, or None: then a model with classes draws without a label. guidance: U-ViT's s.
    progress: called with (network steps done, network steps in all) after each step of each batch.
    dtype: of the images and of the network's evaluation; the solver's coefficients are always float64.
    """
    _check(config, labels, seeds, steps, sampler)
    if labels is None and config.num_classes:
        labels, guidance = torch.full((len(seeds),), config.null_label, dtype=torch.int64), 0.0
    size = batch_size or max(1, len(seeds))
    batches = range(0, len(seeds), size)
    done, total = 0, len(batches) * steps

    def step_done() -> None:
        nonlocal done
        done += 1
        if progress is not None:
            progress(done, total)

    images = []
    for start in batches:
        noise = initial_noise(config, seeds[start : start + size]).to(device, dtype)
        y = None if labels is None else labels[start : start + size].to(device)
        images.append(_solve(model, config, noise, y, steps, guidance, sampler == "dpm-solver++", step_done))
    if not images:
        return torch.empty(0, config.channels, config.image_size, config.image_size)
    return torch.cat(images)


def _check(config: UViTConfig, labels: Tensor | None, seeds: Sequence[int], steps: int, sampler: str) -> None:
    if sampler not in SAMPLERS:
        raise ValueError(f"The sampler must be one of {', '.join(SAMPLERS)}, and is {sampler}.")
    if steps < 1:
        raise ValueError(f"Sampling needs at least 1 step, not {steps}.")
    if labels is None:
        return
    if not config.num_classes:
        raise ValueError("This model has no classes: sample it without labels.")
    if len(labels) != len(seeds):
        raise ValueError(f"There are {len(labels)} labels for {len(seeds)} seeds: one of each per image.")
    if len(labels) and (int(labels.min()) < 0 or int(labels.max()) > config.num_classes):
        raise ValueError(f"Labels must lie between 0 and {config.num_classes} (which means none).")


def _solve(
    model: Network,
    config: UViTConfig,
    x: Tensor,
    y: Tensor | None,
    steps: int,
    guidance: float,
    second_order: bool,
    step_done: Callable[[], None],
) -> Tensor:
    """Integrates one batch from noise `x`; see the module's formula."""
    sde = VPSDE()
    times = time_grid(sde, steps)
    alphas, sigmas = sde.alpha(times).tolist(), sde.sigma(times).tolist()
    lambdas = (0.5 * sde.log_snr(times)).tolist()
    previous: Tensor | None = None
    for index in range(steps):
        t = torch.full((x.shape[0],), float(times[index]), device=x.device)
        out = guided(model, config, x, t, y, guidance).to(x.dtype)
        _, clean = sde.to_eps_x0(out, x, t, config.prediction)
        step_done()
        if index == steps - 1:
            x = clean  # the step to sigma = 0 is first order: the prediction itself
            break
        estimate = clean
        # The step before the last prediction stays first order too, or noise is amplified with few steps.
        if second_order and previous is not None and index < steps - 2:
            ratio = (lambdas[index] - lambdas[index - 1]) / (lambdas[index + 1] - lambdas[index])
            estimate = clean + (clean - previous) / (2.0 * ratio)
        shrink = -torch.expm1(torch.tensor(lambdas[index] - lambdas[index + 1], dtype=torch.float64)).item()
        x = (sigmas[index + 1] / sigmas[index]) * x + (alphas[index + 1] * shrink) * estimate
        previous = clean
    return x.clamp(-1.0, 1.0).float().cpu()
