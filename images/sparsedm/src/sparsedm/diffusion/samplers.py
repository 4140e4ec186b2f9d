"""Samplers with classifier-free guidance and one seed per image: of the probability-flow ODE and of the SDE.

DPM-Solver++(2M): Lu et al., arXiv 2211.01095, algorithm 2. With lambda = log(alpha/sigma), h the step in
lambda and D the (extrapolated) prediction of the clean image:
    x_t = sigma_t/sigma_s x_s - alpha_t (exp(-h) - 1) D
First order (D = the last prediction) is DDIM (arXiv 2010.02502).

Euler-Maruyama on the reverse SDE: Song et al., arXiv 2011.13456, section 4.1 and appendix D. With beta(t),
the predicted noise eps and a step from t down to s:
    x_s = x_t + beta (t - s) (x_t / 2 - eps / sigma) + sqrt(beta (t - s)) z
An image's z come from its own seed, so it does not depend on the rest of its batch.

Both are x' = a x + b D + c D' + d eps + e z, with D' the prediction one step earlier and factors that depend
on the step alone. So images of one batch can be at different steps, of different plans: each is a `Row`, and
`advance` takes the next step of every row.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from functools import lru_cache

import torch
from torch import Tensor

from sparsedm.diffusion.network import Network, NetworkConfig
from sparsedm.diffusion.process import NoiseProcess

SAMPLERS = ("dpm-solver++", "ddim", "euler-maruyama")

IMAGE_CHANNELS = (1, 3)
"""Grey and RGB, whose values are bounded; other numbers mean latents, which are unbounded."""


@dataclass(frozen=True)
class Plan:
    """The steps of a sampler: when each evaluates the network, and its factors of x, D, D', eps and z."""

    timesteps: tuple[float, ...]
    factors: tuple[tuple[float, float, float, float, float], ...]


@lru_cache(maxsize=256)
def plan_of(process: NoiseProcess, sampler: str, steps: int) -> Plan:
    """Raises ValueError for what can't be drawn so."""
    if sampler not in SAMPLERS:
        raise ValueError(f"The sampler must be one of {', '.join(SAMPLERS)}, and is {sampler}.")
    if steps < 1:
        raise ValueError(f"Sampling needs at least 1 step, not {steps}.")
    if sampler == "euler-maruyama":
        return _plan_sde(process, steps)
    return _plan_ode(process, steps, sampler == "dpm-solver++")


def _plan_ode(process: NoiseProcess, steps: int, second_order: bool) -> Plan:
    """Along the probability flow; see the module's first formula."""
    timesteps = process.sampling_timesteps(steps)
    alphas, sigmas = process.alpha(timesteps).tolist(), process.sigma(timesteps).tolist()
    lambdas = (0.5 * process.log_snr(timesteps)).tolist()
    factors = []
    for index in range(steps - 1):
        width = lambdas[index + 1] - lambdas[index]
        reach = alphas[index + 1] * -math.expm1(-width)
        # The step before the last prediction stays first order too, or noise is amplified with few steps.
        beyond = second_order and 0 < index < steps - 2
        extrapolated = 0.5 * width / (lambdas[index] - lambdas[index - 1]) if beyond else 0.0
        kept = sigmas[index + 1] / sigmas[index]
        factors.append((kept, reach * (1 + extrapolated), -reach * extrapolated, 0.0, 0.0))
    factors.append((0.0, 1.0, 0.0, 0.0, 0.0))  # the step to sigma = 0 is the prediction itself
    return Plan(tuple(timesteps.tolist()), tuple(factors))


def _plan_sde(process: NoiseProcess, steps: int) -> Plan:
    """Down the reverse SDE in even steps of time; see the module's second formula.

    The last step, from the process's end time to 0, adds no noise.
    """
    timesteps = torch.linspace(process.start_time, process.end_time, steps, dtype=torch.float64)
    betas, sigmas = process.beta(timesteps).tolist(), process.sigma(timesteps).tolist()
    ends = [*timesteps.tolist(), 0.0]
    factors = []
    for index in range(steps):
        spread = betas[index] * (ends[index] - ends[index + 1])
        noise = spread**0.5 if index < steps - 1 else 0.0
        factors.append((1 + 0.5 * spread, 0.0, 0.0, -spread / sigmas[index], noise))
    return Plan(tuple(ends[:steps]), tuple(factors))


class Row:
    """One image on its way from noise: its state after `taken` steps of its plan.

    `x` and `before` are (C, H, W); `condition` is its label (), its text (L, D), or None. `guidance` is
    U-ViT's s, and `nothing` the text (L, D) that it leads away from; labels have their own "none".
    """

    def __init__(
        self,
        config: NetworkConfig,
        plan: Plan,
        seed: int,
        condition: Tensor | None = None,
        device: str | torch.device = "cpu",
        dtype: torch.dtype = torch.float32,
        guidance: float = 0.0,
        nothing: Tensor | None = None,
    ) -> None:
        self._noise = Noise(config, seed)
        self.plan = plan
        self.seed = seed
        self.condition = condition
        self.guidance = guidance
        self.nothing = nothing
        self.taken = 0
        self.x = self._noise.draw().to(device, dtype)
        self.before = torch.zeros_like(self.x)
        """The clean image predicted one step earlier."""

    @property
    def left(self) -> int:
        """Steps left to take."""
        return len(self.plan.timesteps) - self.taken

    @property
    def timestep(self) -> float:
        return self.plan.timesteps[self.taken]

    @property
    def factors(self) -> tuple[float, ...]:
        return self.plan.factors[self.taken]

    def noise(self) -> Tensor:
        """The z of this step; a step without noise takes none from the sequence."""
        return self._noise.draw().to(self.x) if self.factors[-1] else torch.zeros_like(self.x)

    def move(self, x: Tensor, clean: Tensor) -> None:
        self.x, self.before, self.taken = x, clean, self.taken + 1


class Noise:
    """Standard normal noise of an image, on the CPU: it depends on the seed alone."""

    def __init__(self, config: NetworkConfig, seed: int) -> None:
        self._shape = (config.channels, config.image_size, config.image_size)
        self._generator = torch.Generator().manual_seed(seed)

    def draw(self) -> Tensor:
        """(C, H, W) float32; each call goes on in the image's own sequence."""
        return torch.randn(self._shape, generator=self._generator)


def initial_noise(config: NetworkConfig, seeds: Sequence[int]) -> Tensor:
    """(B, C, H, W): what sampling starts from."""
    return torch.stack([Noise(config, seed).draw() for seed in seeds])


@torch.no_grad()
def advance(
    model: Network,
    config: NetworkConfig,
    rows: Sequence[Row],
    padding: int = 0,
    apart: bool = False,
) -> None:
    """Takes the next step of every row, whichever it is, in one batch, filled up with `padding` rows.

    Either all rows have conditions, or none has. apart: as `guided`.
    """
    batch = [*rows, *rows[:1] * padding]
    x = torch.stack([row.x for row in batch])
    timesteps = torch.tensor([row.timestep for row in batch], dtype=torch.float32).to(x.device)
    conditions = [row.condition for row in batch if row.condition is not None]
    y = torch.stack(conditions) if conditions else None
    guidance = torch.tensor([row.guidance for row in batch], dtype=torch.float64)
    texts = [row.nothing for row in batch if row.nothing is not None]
    nothing = torch.stack(texts) if texts else None
    out = guided(model, config, x, timesteps, y, guidance, nothing, apart)[:, : config.channels].to(x.dtype)
    eps, clean = config.process.to_eps_x0(out, x, timesteps.double(), config.prediction)
    parts = [x, clean, torch.stack([row.before for row in batch]), eps]
    factors = torch.tensor([row.factors for row in batch], dtype=torch.float64).to(x.device, x.dtype)
    if any(row.factors[-1] for row in rows):
        parts.append(torch.stack([*(row.noise() for row in rows), *[torch.zeros_like(x[0])] * padding]))
    moved = sum(factor[:, None, None, None] * part for factor, part in zip(factors.T, parts, strict=False))
    for row, own, seen in zip(rows, moved, clean, strict=False):
        row.move(own, seen)


def guided(
    model: Network,
    config: NetworkConfig,
    x: Tensor,
    t: Tensor,
    y: Tensor | None,
    guidance: float | Tensor,
    nothing: Tensor | None = None,
    apart: bool = False,
) -> Tensor:
    """The network's output under guidance in U-ViT's convention: c + s (c - u); s = 0 is conditional only.

    DiT writes u + w (c - u), which is the same with w = 1 + s; its remaining channels (the fourth of a
    latent, and the variance) are the conditional output's. A model that has no "none" is not guided.
    guidance: one s for all, or (B,), one for each. nothing: (L, D) or (B, L, D), the texts that stand for
    none; labels have their own. apart: calls the network for c and for u, instead of once for both, so that
    the shape of its input does not depend on whether any row is guided.
    """
    scales = torch.as_tensor(guidance, dtype=torch.float64)
    if y is None or not scales.any() or not config.guidable:
        return model(x, t, y)
    none = _unconditional(config, y, nothing)
    if apart:
        conditional, unconditional = model(x, t, y), model(x, t, none)
    else:
        both = model(torch.cat([x, x]), torch.cat([t, t]), torch.cat([y, none]))
        conditional, unconditional = both.chunk(2)
    here = slice(config.guided_channels)
    change = conditional[:, here] - unconditional[:, here]
    scales = scales.to(change.device, change.dtype).expand(len(x)).view(-1, 1, 1, 1)
    # A row that is not guided is as if drawn alone, whatever the network says of it without a condition.
    led = torch.where(scales == 0, conditional[:, here], conditional[:, here] + scales * change)
    return torch.cat([led, conditional[:, config.guided_channels :]], dim=1)


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
    _check(config, labels, seeds)
    plan = plan_of(config.process, sampler, steps)
    if labels is None and config.num_classes and not config.context:
        labels, guidance = torch.full((len(seeds),), config.null_label, dtype=torch.int64), 0.0
    size = batch_size or max(1, len(seeds))
    batches = range(0, len(seeds), size)
    done, total = 0, len(batches) * steps
    images = []
    for start in batches:
        y = None if labels is None else labels[start : start + size].to(device)
        rows = [
            Row(config, plan, seed, None if y is None else y[i], device, dtype, guidance, nothing)
            for i, seed in enumerate(seeds[start : start + size])
        ]
        for _ in range(steps):
            advance(model, config, rows)
            done += 1
            if progress is not None:
                progress(done, total)
        images.append(images_of(rows, config))
    if not images:
        return torch.empty(0, config.channels, config.image_size, config.image_size)
    return torch.cat(images)


def images_of(rows: Sequence[Row], config: NetworkConfig) -> Tensor:
    """(B, C, H, W) float32 on the CPU: what rows without steps left have come to; images are in [-1, 1]."""
    return _bounded(torch.stack([row.x for row in rows]), config)


def prediction_of(row: Row, config: NetworkConfig) -> Tensor:
    """(1, C, H, W) float32 on the CPU: the clean image that the row's last step predicted."""
    return _bounded(row.before[None], config)


def _bounded(drawn: Tensor, config: NetworkConfig) -> Tensor:
    drawn = drawn.float().cpu()
    return drawn.clamp(-1.0, 1.0) if config.channels in IMAGE_CHANNELS else drawn


def _check(config: NetworkConfig, labels: Tensor | None, seeds: Sequence[int]) -> None:
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
