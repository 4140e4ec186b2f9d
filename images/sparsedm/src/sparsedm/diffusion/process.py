"""Noise processes: how a clean image becomes noise, x_t = alpha(t) x_0 + sigma(t) eps, t from 0 to 1.

A network learns one process and is wrong under any other, so the process is part of a model's configuration:
    vp-linear       variance-preserving in continuous time with a linear beta(t) (Song et al., arXiv
                    2011.13456, appendix B and C): SparseDM's (arXiv 2404.10445, section 5)
    discrete-betas  N steps of given variances (Ho et al., arXiv 2006.11239): that of diffusers' schedulers,
                    and of those U-ViTs that were trained on n = 1..N
    rectified-flow  a straight line between image and noise (Liu et al., arXiv 2209.03003)
"""

from __future__ import annotations

import math
from abc import ABC, abstractmethod
from collections.abc import Mapping
from dataclasses import dataclass, fields
from functools import lru_cache
from typing import Any, ClassVar, Literal, get_args

import torch
from torch import Tensor
from torch.nn import functional as F

Prediction = Literal["noise", "v", "velocity"]
"""Prediction types: eps, v = alpha eps - sigma x_0 (arXiv 2202.00512), or eps - x_0 (a flow's)."""
PREDICTIONS: tuple[str, ...] = get_args(Prediction)


def per_image(values: Tensor, image: Tensor) -> Tensor:
    """(B,) -> (B, 1, 1, 1), in the images' dtype."""
    return values.to(image.dtype).reshape(-1, *([1] * (image.dim() - 1)))


class NoiseProcess(ABC):
    """t is (B,) float in [0, 1], 0 for a clean image and 1 for (almost) pure noise."""

    kind: ClassVar[str]
    predictions: ClassVar[tuple[str, ...]]
    """What a network of this process may output."""

    start_time: ClassVar[float] = 1.0
    """Where sampling begins."""

    @property
    @abstractmethod
    def end_time(self) -> float:
        """Last time at which a sampler evaluates the network; from there it goes to the predicted clean
        image."""

    @abstractmethod
    def alpha(self, t: Tensor) -> Tensor:
        """Factor of the clean image in x_t."""

    @abstractmethod
    def sigma(self, t: Tensor) -> Tensor:
        """Standard deviation of the noise in x_t."""

    @abstractmethod
    def log_snr(self, t: Tensor) -> Tensor:
        """Logarithm of the signal-to-noise ratio, log(alpha²/sigma²); falls with t."""

    @abstractmethod
    def time_at_log_snr(self, log_snr: Tensor) -> Tensor:
        """Inverse of `log_snr`: the time at which the ratio is reached."""

    @abstractmethod
    def beta(self, t: Tensor) -> Tensor:
        """Rate at which the forward process adds noise, -2 d(log alpha)/dt. Raises ValueError without one."""

    @abstractmethod
    def network_time(self, t: Tensor) -> Tensor:
        """The network's time input for `t`, on the scale that it was trained with."""

    def training_time(self, uniform: Tensor) -> Tensor:
        """The training time that a uniform draw on [0, 1) stands for."""
        return uniform

    def sampling_timesteps(self, steps: int) -> Tensor:
        """(steps,) float64 timesteps of evaluation from `start_time` to `end_time`, equidistant in log-SNR.

        Even spacing in time puts too few steps where the image gets its detail, and the second-order
        extrapolation then amplifies noise.
        """
        ends = self.log_snr(torch.tensor([self.start_time, self.end_time], dtype=torch.float64))
        ratios = torch.linspace(float(ends[0]), float(ends[1]), steps, dtype=torch.float64)
        return self.time_at_log_snr(ratios)

    def q_sample(self, x0: Tensor, t: Tensor, eps: Tensor) -> Tensor:
        """The noisy images x_t, (B, C, H, W), of clean images `x0` and noise `eps`."""
        return per_image(self.alpha(t), x0) * x0 + per_image(self.sigma(t), x0) * eps

    def target(self, x0: Tensor, eps: Tensor, t: Tensor, prediction: str) -> Tensor:
        """The target of the network's output."""
        if prediction == "noise":
            return eps
        if prediction == "velocity":
            return eps - x0
        return per_image(self.alpha(t), x0) * eps - per_image(self.sigma(t), x0) * x0

    def to_eps_x0(self, out: Tensor, x_t: Tensor, t: Tensor, prediction: str) -> tuple[Tensor, Tensor]:
        """Noise and clean image that the network's output `out` at `x_t` stands for."""
        alpha, sigma = per_image(self.alpha(t), x_t), per_image(self.sigma(t), x_t)
        if prediction == "noise":
            return out, (x_t - sigma * out) / alpha
        if prediction == "velocity":
            clean = (x_t - sigma * out) / (alpha + sigma)
            return clean + out, clean
        return sigma * x_t + alpha * out, alpha * x_t - sigma * out

    def to_dict(self) -> dict[str, Any]:
        """`kind` and the fields by their own names, as JSON has them; `process_from` reads it."""
        described: dict[str, Any] = {"kind": self.kind}
        for field in fields(self):  # type: ignore[arg-type]
            value = getattr(self, field.name)
            described[field.name] = list(value) if isinstance(value, tuple) else value
        return described


class VariancePreserving(NoiseProcess):
    """alpha² + sigma² = 1, so that log alpha says all."""

    predictions: ClassVar[tuple[str, ...]] = ("noise", "v")

    @abstractmethod
    def log_alpha(self, t: Tensor) -> Tensor:
        """Logarithm of the signal's factor."""

    def alpha(self, t: Tensor) -> Tensor:
        return torch.exp(self.log_alpha(t))

    def sigma(self, t: Tensor) -> Tensor:
        """expm1 keeps it exact near t = 0."""
        return torch.sqrt(-torch.expm1(2.0 * self.log_alpha(t)))

    def log_snr(self, t: Tensor) -> Tensor:
        log_alpha = self.log_alpha(t)
        return 2.0 * log_alpha - torch.log(-torch.expm1(2.0 * log_alpha))


@dataclass(frozen=True)
class VPLinear(VariancePreserving):
    """log alpha(t) = -t²(beta_max - beta_min)/4 - t beta_min/2 and sigma² = 1 - alpha².

    Worked example: log alpha(1) = -19.9/4 - 0.1/2 = -5.025, so alpha(1) = 0.00657 and sigma(1) = 0.99998.
    """

    beta_min: float = 0.1
    beta_max: float = 20.0
    time_scale: float = 999.0
    """The network's time input is time_scale * t: the scale of a 1,000-step discrete process."""

    kind: ClassVar[str] = "vp-linear"

    def __post_init__(self) -> None:
        if not 0 < self.beta_min < self.beta_max or not math.isfinite(self.beta_max):
            raise ValueError(f"beta must rise from above 0, not from {self.beta_min} to {self.beta_max}.")

    @property
    def end_time(self) -> float:
        return 1e-3

    def log_alpha(self, t: Tensor) -> Tensor:
        return -0.25 * t**2 * (self.beta_max - self.beta_min) - 0.5 * t * self.beta_min

    def beta(self, t: Tensor) -> Tensor:
        return self.beta_min + t * (self.beta_max - self.beta_min)

    def time_at_log_snr(self, log_snr: Tensor) -> Tensor:
        """alpha² = sigmoid(log_snr); -log alpha is a quadratic in t, solved without cancellation near 0."""
        decay = F.softplus(-log_snr)  # -2 log alpha
        slope = self.beta_max - self.beta_min
        root = torch.sqrt(self.beta_min**2 + 2.0 * slope * decay)
        return 2.0 * decay / (root + self.beta_min)

    def network_time(self, t: Tensor) -> Tensor:
        return self.time_scale * t


Schedule = Literal["linear", "scaled-linear", "cosine", "given"]
LARGEST_COSINE_BETA = 0.999


@dataclass(frozen=True)
class DiscreteBetas(VariancePreserving):
    """alpha(n/N)² = (1 - beta_1) ... (1 - beta_n); between the steps log alpha is linear in t.

    linear: beta from `start` to `end` in even steps. scaled-linear: their roots in even steps (Stable
    Diffusion). cosine: Nichol and Dhariwal, arXiv 2102.09672, equation 17. given: `betas`.
    The network's time input is n + time_offset at t = n/N: 0 in U-ViT's code, -1 in diffusers, which counts
    from 0.
    Worked example (repeated in test_process.py): betas 0.5 and 0.75 give alpha(1/2)² = 0.5 and alpha(1)² =
    0.125.
    """

    schedule: Schedule = "scaled-linear"
    start: float = 0.00085
    end: float = 0.012
    steps: int = 1000
    betas: tuple[float, ...] = ()
    time_offset: int = 0

    kind: ClassVar[str] = "discrete-betas"

    def __post_init__(self) -> None:
        object.__setattr__(self, "betas", tuple(float(beta) for beta in self.betas))
        if self.schedule not in get_args(Schedule):
            known = ", ".join(get_args(Schedule))
            raise ValueError(f"schedule must be one of {known}, and is {self.schedule}.")
        if (self.schedule == "given") != bool(self.betas):
            raise ValueError("betas are listed for schedule given, and for no other.")
        if self.betas and len(self.betas) != self.steps:
            raise ValueError(f"there are {len(self.betas)} betas for {self.steps} steps.")
        if self.steps < 2:
            raise ValueError(f"steps must be at least 2, and is {self.steps}.")
        variances = self.variances()
        if not bool(((variances > 0) & (variances < 1)).all()):
            raise ValueError(
                "every beta must lie above 0 and below 1: with a beta of 1 the last step has no image left "
                "(zero terminal SNR), which this process can't represent."
            )

    def variances(self) -> Tensor:
        """(steps,) float64: beta_1 ... beta_N."""
        if self.schedule == "given":
            return torch.tensor(self.betas, dtype=torch.float64)
        if self.schedule == "linear":
            return torch.linspace(self.start, self.end, self.steps, dtype=torch.float64)
        if self.schedule == "scaled-linear":
            ends = math.sqrt(max(self.start, 0.0)), math.sqrt(max(self.end, 0.0))
            return torch.linspace(*ends, self.steps, dtype=torch.float64) ** 2
        t = torch.linspace(0, 1, self.steps + 1, dtype=torch.float64)
        squared = torch.cos((t + 0.008) / 1.008 * math.pi / 2) ** 2
        return (1 - squared[1:] / squared[:-1]).clamp(max=LARGEST_COSINE_BETA)

    @property
    def end_time(self) -> float:
        return 1.0 / self.steps

    def log_alpha(self, t: Tensor) -> Tensor:
        table = _log_alphas(self, t.device, t.dtype)
        below, above, weight = self._between(t, table)
        return torch.lerp(below, above, weight)

    def beta(self, t: Tensor) -> Tensor:
        """-N log(1 - beta_n): N times the variance of a step, and a little more, for t runs from 0 to 1."""
        below, above, _ = self._between(t, _log_alphas(self, t.device, t.dtype))
        return -2.0 * self.steps * (above - below)

    def _between(self, t: Tensor, table: Tensor) -> tuple[Tensor, Tensor, Tensor]:
        """The values of `table` before and after `t`, and how far `t` is from the one to the other."""
        position = (t * self.steps).clamp(0, self.steps)
        # A step's own time belongs to the step, not to the next one, whatever the division rounded to.
        index = (position - 1e-3).ceil().clamp(min=1).long() - 1
        return table[index], table[index + 1], position - index

    def time_at_log_snr(self, log_snr: Tensor) -> Tensor:
        table = _log_alphas(self, log_snr.device, log_snr.dtype)
        wanted = -0.5 * F.softplus(-log_snr)
        index = torch.searchsorted(-table, -wanted).clamp(1, self.steps) - 1
        return (index + (wanted - table[index]) / (table[index + 1] - table[index])) / self.steps

    def training_time(self, uniform: Tensor) -> Tensor:
        """n/N with n uniform on 1..N."""
        return ((uniform * self.steps).floor().clamp(max=self.steps - 1) + 1) / self.steps

    def network_time(self, t: Tensor) -> Tensor:
        return self.steps * t + self.time_offset


@lru_cache(maxsize=16)
def _log_alphas(process: DiscreteBetas, device: torch.device, dtype: torch.dtype) -> Tensor:
    """(N + 1,): log alpha at 0, 1/N, ... 1."""
    sums = torch.log1p(-process.variances()).cumsum(0) / 2
    return torch.cat([torch.zeros(1, dtype=torch.float64), sums]).to(device, dtype)


@dataclass(frozen=True)
class RectifiedFlow(NoiseProcess):
    """alpha = 1 - t and sigma = t: a straight line, along which the velocity is eps - x_0.

    `shift` moves timesteps towards noise, t = s u / (1 + (s - 1) u) for u even on [0, 1], in training and in
    sampling (Esser et al., arXiv 2403.03206, section 5.3.2). Worked example: s = 3 takes u = 0.5 to 0.75.
    """

    shift: float = 1.0

    kind: ClassVar[str] = "rectified-flow"
    predictions: ClassVar[tuple[str, ...]] = ("velocity",)

    def __post_init__(self) -> None:
        if not 0 < self.shift < math.inf:
            raise ValueError(f"shift must be above 0, and is {self.shift}.")

    @property
    def end_time(self) -> float:
        return 1e-3

    def alpha(self, t: Tensor) -> Tensor:
        return 1.0 - t

    def sigma(self, t: Tensor) -> Tensor:
        return t

    def log_snr(self, t: Tensor) -> Tensor:
        return 2.0 * (torch.log1p(-t) - torch.log(t))

    def time_at_log_snr(self, log_snr: Tensor) -> Tensor:
        return torch.sigmoid(-0.5 * log_snr)

    def beta(self, t: Tensor) -> Tensor:
        raise ValueError("a rectified flow has no rate of noise: draw it with ddim or dpm-solver++.")

    def training_time(self, uniform: Tensor) -> Tensor:
        return self._shifted(uniform)

    def sampling_timesteps(self, steps: int) -> Tensor:
        """Even in u from 1 to 1/steps, then shifted: with `ddim` these are the steps of Euler's method."""
        return self._shifted(torch.linspace(1.0, 1.0 / steps, steps, dtype=torch.float64))

    def _shifted(self, u: Tensor) -> Tensor:
        return self.shift * u / (1.0 + (self.shift - 1.0) * u)

    def network_time(self, t: Tensor) -> Tensor:
        return 1000.0 * t


VP_LINEAR = VPLinear()
"""The process of SparseDM's own experiments, and the default."""

PROCESSES: dict[str, type[NoiseProcess]] = {
    process.kind: process for process in (VPLinear, DiscreteBetas, RectifiedFlow)
}


def process_from(described: Mapping[str, Any]) -> NoiseProcess:
    """From what `to_dict` wrote. Raises ValueError or TypeError where it describes no process."""
    rest = dict(described)
    kind = rest.pop("kind", None)
    if kind not in PROCESSES:
        raise ValueError(f"the noise process must be one of {', '.join(PROCESSES)}, and is {kind}.")
    cls = PROCESSES[kind]
    known = {field.name for field in fields(cls)}  # type: ignore[arg-type]
    if unknown := sorted(rest.keys() - known):
        raise ValueError(f"a process of kind {kind} has no {', '.join(unknown)}.")
    return cls(**rest)


def stratified_timesteps(count: int, generator: torch.Generator) -> Tensor:
    """(count,) draws, each uniform on [0, 1), jointly spread evenly: u + i/count modulo 1.

    One draw for a whole batch lowers the variance of the loss (Kingma et al., arXiv 2107.00630, appendix I).
    """
    start = torch.rand((), generator=generator, device=generator.device)
    return torch.remainder(start + torch.arange(count, device=generator.device) / count, 1.0)
