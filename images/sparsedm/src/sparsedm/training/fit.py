"""Fits a small network that serves the trained model beside it (an autoencoder, a text encoder), resumably.

AdamW under a warm-up and a cosine. What a step draws follows from the seed and the step's number, so a
checkpoint holds no random state, and a run that is interrupted goes on as one that was not.
"""

from __future__ import annotations

import math
from collections.abc import Callable
from pathlib import Path

import numpy as np
import torch
from torch import Tensor, nn
from tqdm import tqdm

from sparsedm.errors import Diverged, InputError
from sparsedm.runtime.stop import StopSignal
from sparsedm.training.checkpoint import Checkpoint, CheckpointStore
from sparsedm.training.ema import Ema
from sparsedm.training.learning_rate import learning_rate_at

CHECKPOINT_EVERY = 100
WARMUP_STEPS = 50


def fit(
    network: nn.Module,
    loss_of: Callable[[int], Tensor],
    steps: int,
    rate: float,
    seed: int,
    checkpoints: Path,
    ema: Ema | None = None,
) -> float:
    """Minimises `loss_of(step)` over the network's parameters, of which `ema` keeps the average; returns the
    mean loss of the last 100 steps of this attempt, NaN where none was left to do.

    Raises Diverged, and Interrupted after a signal, when the step that it stopped at is saved.
    """
    optimizer = torch.optim.AdamW(network.parameters(), lr=rate, weight_decay=0.01)
    store = CheckpointStore(checkpoints, keep=1)
    start = _resume(store, network, optimizer, ema)
    network.train()
    losses: list[float] = []
    with StopSignal() as stop, tqdm(initial=start, total=steps, mininterval=10) as bar:
        for step in range(start, steps):
            torch.manual_seed(int(np.random.SeedSequence([seed, step]).generate_state(1)[0]))
            for group in optimizer.param_groups:
                group["lr"] = learning_rate_at(step, steps, rate, min(WARMUP_STEPS, steps - 1), "cosine")
            loss = loss_of(step)
            optimizer.zero_grad(set_to_none=True)
            loss.backward()
            nn.utils.clip_grad_norm_(network.parameters(), 1.0)
            losses.append(loss.item())
            if not math.isfinite(losses[-1]):
                raise Diverged(step, "The loss")
            optimizer.step()
            if ema is not None:
                ema.update(network)
            bar.update()
            bar.set_postfix_str(f"loss {np.mean(losses[-100:]):.4f}", refresh=False)
            if (step + 1) % CHECKPOINT_EVERY == 0 or step + 1 == steps or stop.requested:
                _save(store, step + 1, network, optimizer, ema)
            stop.check(f"the checkpoint of step {step + 1} is saved; the same command goes on from it.")
    return float(np.mean(losses[-100:])) if losses else math.nan


def _save(
    store: CheckpointStore, step: int, network: nn.Module, optimizer: torch.optim.Optimizer, ema: Ema | None
) -> None:
    tensors = {f"network/{name}": tensor for name, tensor in network.state_dict().items()}
    for name, parameter in network.named_parameters():
        tensors |= {f"optimizer/{name}/{key}": value for key, value in optimizer.state[parameter].items()}
    if ema is not None:
        tensors |= {f"ema/{name}": tensor for name, tensor in ema.weights.items()}
    store.save(step, tensors, {})


def _resume(
    store: CheckpointStore, network: nn.Module, optimizer: torch.optim.Optimizer, ema: Ema | None
) -> int:
    """The step to go on with, 0 without a checkpoint."""
    checkpoint, damaged = store.resume()
    for sentence in damaged:
        print(sentence)
    if checkpoint is None:
        return 0
    try:
        network.load_state_dict(_group(checkpoint, "network/"))
    except RuntimeError as error:
        raise InputError(
            "CheckpointUnfit",
            f"{checkpoint.path} is of a network of other sizes: remove it, or choose another --out.",
        ) from error
    own = optimizer.state_dict()
    for position, (name, _) in enumerate(network.named_parameters()):
        own["state"][position] = _group(checkpoint, f"optimizer/{name}/")
    optimizer.load_state_dict(own)
    if ema is not None:
        ema.weights, ema.updates = _group(checkpoint, "ema/"), checkpoint.step
    return checkpoint.step


def _group(checkpoint: Checkpoint, prefix: str) -> dict[str, Tensor]:
    return {k.removeprefix(prefix): v for k, v in checkpoint.tensors.items() if k.startswith(prefix)}
