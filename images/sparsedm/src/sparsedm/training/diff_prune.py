"""Whole heads and hidden channels cut out of a dense U-ViT, the structured baseline.

Diff-Pruning (Fang, Ma and Wang, arXiv 2305.10924): one batch, noised to each timestep in turn from the clean
end on, gives gradients that are added up as long as the loss is at least T times the largest one so far;
later timesteps are noise and say little. The loss is that of the predicted noise, whatever the network
outputs: it falls with t, where the losses of v and of velocity stay level and would never end the sum. A
group of weights scores by the sum of (w * g)^2, what the loss loses with it in second order. A head is its
rows of q, k and v and its columns of the projection; a hidden channel its row and bias of fc1 and its column
of fc2. Every block keeps the same number, its best ones.

Heads fall by the pattern's density, and hidden channels to where the network has at most the multiply-
accumulates of the N:M model it is compared with, attention products included, for lost heads save those too.
What comes out is a smaller dense model: train it on with method dense for the same number of steps.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass, replace

import torch
from torch import Tensor
from torch.nn import functional as F

from sparsedm.errors import InputError
from sparsedm.measure.macs import bare_model, count_macs
from sparsedm.models import UViT, UViTConfig, build_model
from sparsedm.models.uvit import Block
from sparsedm.sparsity.layers import select_layers
from sparsedm.sparsity.pattern import Pattern

CHANNEL_MULTIPLE = 8
"""Hidden channels come in eights, the unit of GPUs' matrix products."""


@dataclass(frozen=True)
class Kept:
    """Indices of the heads and hidden channels of one block that stay, rising."""

    heads: Tensor
    channels: Tensor


def add_up_gradients(
    model: UViT, loss_at: Callable[[Tensor], Tensor], threshold: float, timesteps: int
) -> int:
    """Leaves the summed gradients in the parameters. `loss_at(t)` is the mean loss at timestep t, a scalar.

    Returns the number of timesteps that were added. Worked example (repeated in test_diff_prune.py): with
    T = 0.5 and losses 4, 3, 2, 1.9 three times count, for 1.9 is less than 0.5 * 4.
    """
    model.zero_grad(set_to_none=True)
    largest = 0.0
    for step in range(timesteps):
        loss = loss_at(torch.tensor((step + 0.5) / timesteps))
        largest = max(largest, loss.item())
        if loss.item() < threshold * largest:
            return step
        loss.backward()
    return timesteps


def _importance(parameter: Tensor) -> Tensor:
    return (parameter.detach() * parameter.grad).square()


def head_scores(block: Block) -> Tensor:
    """(heads,): the sum of (w * g)^2 over each head's weights."""
    heads = block.attn.heads
    rows = _importance(block.attn.qkv.weight).sum(dim=1).reshape(3, heads, -1).sum(dim=(0, 2))
    return rows + _importance(block.attn.proj.weight).sum(dim=0).reshape(heads, -1).sum(dim=1)


def channel_scores(block: Block) -> Tensor:
    """(hidden,): the sum of (w * g)^2 over each hidden channel's weights and bias."""
    rows = _importance(block.mlp.fc1.weight).sum(dim=1) + _importance(block.mlp.fc1.bias)
    return rows + _importance(block.mlp.fc2.weight).sum(dim=0)


def _best(scores: Tensor, count: int) -> Tensor:
    return scores.topk(count).indices.sort().values


def blocks_of(model: UViT) -> Iterator[tuple[str, Block]]:
    for name, module in model.named_modules():
        if isinstance(module, Block):
            yield name, module


def shrunk_config(config: UViTConfig, pattern: Pattern) -> UViTConfig:
    """The sizes whose multiply-accumulates, attention products included, come up to those under `pattern`,
    and no further.

    Worked example (repeated in test_diff_prune.py): the small Fashion-MNIST model has 40,444,928 under 2:4.
    With two of its four heads it has 61,446,656, and each of its 512 hidden channels is 84,480 of them: 249
    have to go, and of the 263 that are left 256 stay, which makes 39,819,776.

    Raises InputError where no hidden channel would be left.
    """
    selected = select_layers(bare_model(config), pattern).selected
    target = count_macs(config, selected, pattern).total_sparse
    heads = max(1, round(config.heads * pattern.density))
    head_width = config.attention_width // config.heads

    def sized(channels: int) -> UViTConfig:
        return replace(config, heads=heads, head_width=head_width, mlp_width=channels)

    one, two = (count_macs(sized(channels)).total_dense for channels in (1, 2))
    channels = 1 + (target - one) // (two - one)
    channels = min(channels, config.hidden_width) // CHANNEL_MULTIPLE * CHANNEL_MULTIPLE
    if channels < CHANNEL_MULTIPLE:
        raise InputError(
            "PatternTooSparse",
            f"At {pattern} no hidden channels are left beside what is never cut: choose a looser pattern.",
        )
    return sized(channels)


def choose(model: UViT, config: UViTConfig) -> dict[str, Kept]:
    """What each block keeps, by its scores; `config` has the new sizes."""
    return {
        name: Kept(_best(head_scores(block), config.heads), _best(channel_scores(block), config.hidden_width))
        for name, block in blocks_of(model)
    }


@torch.no_grad()
def shrink(model: UViT, config: UViTConfig, kept: dict[str, Kept]) -> UViT:
    """A network of the sizes of `config` with the kept weights of `model`."""
    weights = {name: tensor.clone() for name, tensor in model.state_dict().items()}
    for name, block in blocks_of(model):
        heads, channels = kept[name].heads, kept[name].channels
        qkv, proj = block.attn.qkv.weight, block.attn.proj.weight
        width, old = qkv.shape[1], block.attn.heads
        rows = qkv.reshape(3, old, -1, width)[:, heads].reshape(-1, width)
        weights[f"{name}.attn.qkv.weight"] = rows
        weights[f"{name}.attn.proj.weight"] = proj.reshape(width, old, -1)[:, heads].reshape(width, -1)
        weights[f"{name}.mlp.fc1.weight"] = block.mlp.fc1.weight[channels]
        weights[f"{name}.mlp.fc1.bias"] = block.mlp.fc1.bias[channels]
        weights[f"{name}.mlp.fc2.weight"] = block.mlp.fc2.weight[:, channels]
    smaller = build_model(config)
    smaller.load_state_dict(weights)
    return smaller


def batch_loss(
    model: UViT, x0: Tensor, labels: Tensor | None, generator: torch.Generator
) -> Callable[[Tensor], Tensor]:
    """The loss of the predicted noise, of one batch at any one time, and of one draw of noise.

    For a network that predicts v it is alpha² times the loss of v. Worked example (repeated in
    test_diff_prune.py): alpha = 0.6, sigma = 0.8, x_0 = 1 and eps = 2 make x_t = 2.2 and v = 0.4. A network
    that says v = 0 means eps = 0.8 * 2.2 = 1.76, so the loss is (2 - 1.76)² = 0.0576 = 0.6² * 0.4².
    """
    config, process = model.config, model.config.process
    eps = torch.randn(x0.shape, generator=generator).to(x0.device)

    def loss_at(t: Tensor) -> Tensor:
        timesteps = t.to(x0.device).expand(len(x0))
        x_t = process.q_sample(x0, timesteps, eps)
        predicted, _ = process.to_eps_x0(model(x_t, timesteps, labels), x_t, timesteps, config.prediction)
        return F.mse_loss(predicted, eps)

    return loss_at
