"""The optimizers of `training.optimizer`: their formula, and the bytes of their states."""

from __future__ import annotations

import pytest
import torch
from torch import nn

from sparsedm.sparsity.methods import build_method
from sparsedm.training.config.parts import read_training
from sparsedm.training.config.reader import Problems, Reader
from sparsedm.training.optimizer import Adafactor, build_optimizer, state_bytes
from sparsedm.training.sharding import Held


def test_a_kernel_is_factored_as_the_matrix_of_its_outputs_and_inputs() -> None:
    """Two steps by the paper's formulas (algorithm 4 of arXiv 1804.04235): V = R C / mean(R), U = G /
    sqrt(V), of a root mean square of 1 at most. The learning rate is the size of a step."""
    rate, decay = 0.01, 0.1
    generator = torch.Generator().manual_seed(0)
    kernel, *gradients = torch.randn(3, 4, 3, 2, 2, dtype=torch.float64, generator=generator)
    kernel = kernel / 10
    weight, vector = nn.Parameter(kernel.clone()), nn.Parameter(kernel[0, 0, 0].clone())
    optimizer, storage = Adafactor([weight, vector], rate, decay), weight.data_ptr()
    w, rows, columns, square = kernel.reshape(4, 12).clone(), 0.0, 0.0, 0.0
    for step, gradient in enumerate(gradients, start=1):
        weight.grad, vector.grad = gradient.clone(), gradient[0, 0, 0].clone()
        optimizer.step()
        assert torch.equal(weight.grad, gradient)
        g, beta = gradient.reshape(4, 12), 1 - step**-0.8
        rows = beta * rows + (1 - beta) * g.square().mean(1, keepdim=True)
        columns = beta * columns + (1 - beta) * g.square().mean(0, keepdim=True)
        square = beta * square + (1 - beta) * gradient[0, 0, 0].square()
        update = g / (rows * columns / rows.mean()).sqrt()
        w = w * (1 - rate * decay) - rate * update / max(1.0, float(update.square().mean().sqrt()))
    torch.testing.assert_close(weight, w.reshape(4, 3, 2, 2))
    assert weight.data_ptr() == storage, "others hold the same memory"
    state = optimizer.state[weight]
    assert (tuple(state["row_var"].shape), tuple(state["col_var"].shape)) == ((4, 1), (1, 12))
    torch.testing.assert_close(optimizer.state[vector]["variance"], square)


@pytest.mark.parametrize("name", ["adamw", "adafactor"])
def test_the_states_take_the_bytes_that_are_said(name: str) -> None:
    network = nn.Sequential(nn.Conv2d(8, 16, 3), nn.Linear(64, 128), nn.LayerNorm(128))
    training = read_training(Reader({"optimizer": name}, "training", Problems()))
    optimizer = build_optimizer(training, build_method("ste"), Held(network))
    for parameter in network.parameters():
        parameter.grad = torch.randn_like(parameter)
    optimizer.step()
    kept = [t for state in optimizer.state.values() for key, t in state.items() if key != "step"]
    assert sum(tensor.nbytes for tensor in kept) == state_bytes(name, network)
    parameters = sum(parameter.numel() for parameter in network.parameters())
    assert state_bytes(name, network) / parameters == pytest.approx(8 if name == "adamw" else 0.3, rel=0.1)
