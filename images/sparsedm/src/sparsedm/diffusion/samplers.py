"""Samplers with classifier-free guidance and one seed per image: of the probability-flow ODE and of the SDE.

DPM-Solver++(2M): Lu et al., arXiv 2211.01095, algorithm 2. With lambda = log(alpha/sigma), h the step in
lambda and D the (extrapolated) prediction of the clean image:
    x_t = sigma_t/sigma_s x_s - alpha_t (exp(-h) - 1) D
First order (D = the last prediction) is DDIM (arXiv 2010.02502).

Euler-Maruyama on the reverse SDE: Song et al., arXiv 2011.13456, section 4.1 and appendix D. With beta(t),
the predicted noise eps and a step from t down to s:
    x_s = x_t + beta (t - s) (x_t / 2 - eps / sigma) + sqrt(beta (t - s)) z
An image's z come from its own seed, so it does not depend on the rest of its batch.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence

import torch
from torch import Tensor

from sparsedm.diffusion.network import Network, NetworkConfig
from sparsedm.diffusion.process import NoiseProcess

SAMPLERS = ("dpm-solver++", "ddim", "euler-maruyama")

IMAGE_CHANNELS = (1, 3)
"""Grey and RGB, whose values are bounded; other numbers mean latents, which are unbounded."""


class Noise:
    """Standard normal noise for a batch, on the CPU: image i depends on seeds[i] alone, not its batch."""

    def __init__(self, config: NetworkConfig, seeds: Sequence[int]) -> None:
        self._shape = (config.channels, config.image_size, config.image_size)
        self._generators = [torch.Generator().manual_seed(seed) for seed in seeds]

    def draw(self) -> Tensor:
        """(B, C, H, W) float32; each call goes on in every image's own sequence."""
        return torch.stack([torch.randn(self._shape, generator=generator) for generator in self._generators])


def initial_noise(config: NetworkConfig, seeds: Sequence[int]) -> Tensor:
    """(B, C, H, W): what sampling starts from."""
    return Noise(config, seeds).draw()


def guided(
    model: Network,
    config: NetworkConfig,
    x: Tensor,
    t: Tensor,
    y: Tensor | None,
    guidance: float,
    nothing: Tensor | None = None,
) -> Tensor:
    """The network's output under guidance in U-ViT's convention: c + s (c - u); s = 0 is conditional only.

    DiT writes u + w (c - u), which is the same with w = 1 + s; its remaining channels (the fourth of a
    latent, and the variance) are the conditional output's. A model that has no "none" is not guided.
    nothing: (L, D), the text that stands for none; labels have their own.
    """
    if y is None or guidance == 0.0 or not config.guidable:
        return model(x, t, y)
    both = model(torch.cat([x, x]), torch.cat([t, t]), torch.cat([y, _unconditional(config, y, nothing)]))
    conditional, unconditional = both.chunk(2)
    here = slice(config.guided_channels)
    change = guidance * (conditional[:, here] - unconditional[:, here])
    return torch.cat([conditional[:, here] + change, conditional[:, config.guided_channels :]], dim=1)


def _unconditional(config: NetworkConfig, y: Tensor, nothing: Tensor | None) -> Tensor:
    if config.context:
        if nothing is None:
            raise ValueError("Guidance by text needs the text that stands for none.")
        return nothing.to(y).expand_as(y)
    return torch.full_like(y, config.null_label)


@torch.no_grad()
def sample(
    model: Network,
    config: NetworkConfig,
    labels: Tensor | None,
    seeds: Sequence[int],
    steps: int = 20,
    guidance: float = 0.0,
    sampler: str = "dpm-solver++",
    batch_size: int | None = None,
    progress: Callable[[int, int], None] | None = None,
    device: str | torch.device = "cpu",
    dtype: torch.dtype = torch.float32,
    nothing: Tensor | None = None,
) -> Tensor:
    """Draws one image per seed, (B, C, H, W) float32 on the CPU; images have values in [-1, 1].

    labels: (B,) int64, or text (B, L, D) for a model with text, or None: then a model with classes draws
    without a label. guidance: U-ViT's s. nothing: (L, D), the text that stands for none.
    progress: called with (network steps done, network steps in all) after each step of each batch.
    dtype: of the images and of the network's evaluation; the solver's coefficients are always float64.
    """
    _check(config, labels, seeds, steps, sampler)
    if labels is None and config.num_classes and not config.context:
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
        noise = Noise(config, seeds[start : start + size])
        y = None if labels is None else labels[start : start + size].to(device)
        x = noise.draw().to(device, dtype)

        def predict(x: Tensor, t: float, y: Tensor | None = y) -> tuple[Tensor, Tensor]:
            """Noise and clean image of the whole batch at one time."""
            timesteps = torch.full((x.shape[0],), t, device=x.device)
            out = guided(model, config, x, timesteps, y, guidance, nothing)[:, : config.channels].to(x.dtype)
            return config.process.to_eps_x0(out, x, timesteps.double(), config.prediction)

        if sampler == "euler-maruyama":
            drawn = _solve_sde(config.process, predict, x, noise, steps, step_done)
        else:
            drawn = _solve_ode(config.process, predict, x, steps, sampler == "dpm-solver++", step_done)
        images.append(drawn.float().cpu())
    if not images:
        return torch.empty(0, config.channels, config.image_size, config.image_size)
    whole = torch.cat(images)
    return whole.clamp(-1.0, 1.0) if config.channels in IMAGE_CHANNELS else whole


def _check(
    config: NetworkConfig, labels: Tensor | None, seeds: Sequence[int], steps: int, sampler: str
) -> None:
    if sampler not in SAMPLERS:
        raise ValueError(f"The sampler must be one of {', '.join(SAMPLERS)}, and is {sampler}.")
    if steps < 1:
        raise ValueError(f"Sampling needs at least 1 step, not {steps}.")
    if labels is None:
        if config.context or (config.num_classes and config.null_label is None):
            raise ValueError(f"This model draws only what {'a text' if config.context else 'a label'} says.")
        return
    if not config.num_classes and not config.context:
        raise ValueError("This model has no classes: sample it without labels.")
    if len(labels) != len(seeds):
        raise ValueError(f"There are {len(labels)} labels for {len(seeds)} seeds: one of each per image.")
    if not config.context:
        _check_labels(config, labels)


def _check_labels(config: NetworkConfig, labels: Tensor) -> None:
    highest = config.num_classes - 1 if config.null_label is None else config.null_label
    if len(labels) and (int(labels.min()) < 0 or int(labels.max()) > highest):
        none = "" if config.null_label is None else " (which means none)"
        raise ValueError(f"Labels must lie between 0 and {highest}{none}.")


Predict = Callable[[Tensor, float], tuple[Tensor, Tensor]]
"""(x_t, t) -> the noise and the clean image that the network sees in it."""


def _solve_ode(
    process: NoiseProcess,
    predict: Predict,
    x: Tensor,
    steps: int,
    second_order: bool,
    step_done: Callable[[], None],
) -> Tensor:
    """Integrates one batch from noise `x` along the probability flow; see the module's first formula."""
    timesteps = process.sampling_timesteps(steps)
    alphas, sigmas = process.alpha(timesteps).tolist(), process.sigma(timesteps).tolist()
    lambdas = (0.5 * process.log_snr(timesteps)).tolist()
    previous: Tensor | None = None
    for index in range(steps):
        _, clean = predict(x, float(timesteps[index]))
        step_done()
        if index == steps - 1:
            return clean  # the step to sigma = 0 is first order: the prediction itself
        estimate = clean
        # The step before the last prediction stays first order too, or noise is amplified with few steps.
        if second_order and previous is not None and index < steps - 2:
            ratio = (lambdas[index] - lambdas[index - 1]) / (lambdas[index + 1] - lambdas[index])
            estimate = clean + (clean - previous) / (2.0 * ratio)
        shrink = -torch.expm1(torch.tensor(lambdas[index] - lambdas[index + 1], dtype=torch.float64)).item()
        x = (sigmas[index + 1] / sigmas[index]) * x + (alphas[index + 1] * shrink) * estimate
        previous = clean
    return x


def _solve_sde(
    process: NoiseProcess,
    predict: Predict,
    x: Tensor,
    noise: Noise,
    steps: int,
    step_done: Callable[[], None],
) -> Tensor:
    """Walks one batch down the reverse SDE in even steps of time; see the module's second formula.

    The last step, from the process's end time to 0, adds no noise.
    """
    timesteps = torch.linspace(process.start_time, process.end_time, steps, dtype=torch.float64)
    betas, sigmas = process.beta(timesteps).tolist(), process.sigma(timesteps).tolist()
    ends = [*timesteps.tolist(), 0.0]
    for index in range(steps):
        eps, _ = predict(x, ends[index])
        step_done()
        spread = betas[index] * (ends[index] - ends[index + 1])
        x = x + spread * (0.5 * x - eps / sigmas[index])
        if index < steps - 1:
            x = x + spread**0.5 * noise.draw().to(x)
    return x
