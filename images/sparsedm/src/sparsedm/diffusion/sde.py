"""The variance-preserving diffusion process in continuous time.

Source: Song et al., "Score-based generative modeling through SDEs" (arXiv 2011.13456), appendix B and C:
x_t = alpha(t) x_0 + sigma(t) eps with log alpha(t) = -t²(beta_1 - beta_0)/4 - t beta_0/2 and
sigma² = 1 - alpha². SparseDM uses beta from 0.1 to 20 (arXiv 2404.10445, section 5).
"""

from __future__ import annotations

from dataclasses import dataclass

import torch
from torch import Tensor


def _per_image(values: Tensor, image: Tensor) -> Tensor:
    """(B,) -> (B, 1, 1, 1), in the images' dtype."""
    return values.to(image.dtype).reshape(-1, *([1] * (image.dim() - 1)))


@dataclass(frozen=True)
class VPSDE:
    """t is (B,) float in [0, 1], 0 for a clean image and 1 for (almost) pure noise.

    Worked example: log alpha(1) = -19.9/4 - 0.1/2 = -5.025, so alpha(1) = 0.00657 and sigma(1) = 0.99998.
    """

    beta_min: float = 0.1
    beta_max: float = 20.0

    def log_alpha(self, t: Tensor) -> Tensor:
        """Logarithm of the signal's factor."""
        return -0.25 * t**2 * (self.beta_max - self.beta_min) - 0.5 * t * self.beta_min

    def beta(self, t: Tensor) -> Tensor:
        """Rate at which the forward process adds noise: -2 d(log alpha)/dt."""
        return self.beta_min + t * (self.beta_max - self.beta_min)

    def alpha(self, t: Tensor) -> Tensor:
        """Factor of the clean image in x_t."""
        return torch.exp(self.log_alpha(t))

    def sigma(self, t: Tensor) -> Tensor:
        """Standard deviation of the noise in x_t; expm1 keeps it exact near t = 0."""
        return torch.sqrt(-torch.expm1(2.0 * self.log_alpha(t)))

    def log_snr(self, t: Tensor) -> Tensor:
        """Logarithm of the signal-to-noise ratio, log(alpha²/sigma²); falls with t."""
        log_alpha = self.log_alpha(t)
        return 2.0 * log_alpha - torch.log(-torch.expm1(2.0 * log_alpha))

    def time_at_log_snr(self, log_snr: Tensor) -> Tensor:
        """Inverse of `log_snr`: the time at which the ratio is reached.

        alpha² = sigmoid(log_snr), and -log alpha is a quadratic in t, solved without cancellation near 0.
        """
        decay = torch.nn.functional.softplus(-log_snr)  # -2 log alpha
        slope = self.beta_max - self.beta_min
        root = torch.sqrt(self.beta_min**2 + 2.0 * slope * decay)
        return 2.0 * decay / (root + self.beta_min)

    def q_sample(self, x0: Tensor, t: Tensor, eps: Tensor) -> Tensor:
        """The noisy images x_t, (B, C, H, W), of clean images `x0` and noise `eps`."""
        return _per_image(self.alpha(t), x0) * x0 + _per_image(self.sigma(t), x0) * eps

    def target(self, x0: Tensor, eps: Tensor, t: Tensor, prediction: str) -> Tensor:
        """What the network should output: the noise, or v = alpha eps - sigma x_0 (arXiv 2202.00512)."""
        if prediction == "noise":
            return eps
        return _per_image(self.alpha(t), x0) * eps - _per_image(self.sigma(t), x0) * x0

    def to_eps_x0(self, out: Tensor, x_t: Tensor, t: Tensor, prediction: str) -> tuple[Tensor, Tensor]:
        """Noise and clean image that the network's output `out` at `x_t` stands for."""
        alpha, sigma = _per_image(self.alpha(t), x_t), _per_image(self.sigma(t), x_t)
        if prediction == "noise":
            return out, (x_t - sigma * out) / alpha
        return sigma * x_t + alpha * out, alpha * x_t - sigma * out


def stratified_times(count: int, generator: torch.Generator) -> Tensor:
    """(count,) times, each uniform on (0, 1), jointly spread evenly: u + i/count modulo 1.

    One draw for a whole batch lowers the variance of the loss (Kingma et al., arXiv 2107.00630, appendix I).
    """
    start = torch.rand((), generator=generator, device=generator.device)
    return torch.remainder(start + torch.arange(count, device=generator.device) / count, 1.0)
