"""The gradient of each method, against its formula, by hand and by autograd, in float64."""

from __future__ import annotations

import pytest
import torch
from torch import nn

from sparsedm.layers import MaskedLayers
from sparsedm.masks import nm_mask
from sparsedm.methods import METHODS, build_method
from sparsedm.pattern import Pattern


def masked_linear(method, inputs: int = 8, outputs: int = 3) -> tuple[nn.Sequential, MaskedLayers]:
    torch.manual_seed(0)
    model = nn.Sequential(nn.Linear(inputs, outputs, dtype=torch.float64))
    layers = MaskedLayers(model, ["0"], method.masked_weight)
    layers.refresh(Pattern(2, 4))
    return model, layers


def loss_of(model: nn.Module, x: torch.Tensor) -> torch.Tensor:
    return model(x).square().sum()


def gradient_of_masked_weight(weight: torch.Tensor, bias: torch.Tensor, x: torch.Tensor) -> torch.Tensor:
    """G = dL/dW~ by autograd, of a plain layer whose weight is the masked one."""
    masked = weight.detach().clone().requires_grad_(True)
    nn.functional.linear(x, masked, bias).square().sum().backward()
    return masked.grad


@pytest.mark.parametrize("name", ["ste", "sr-ste", "sparsedm"])
def test_forward_uses_the_masked_weight(name: str) -> None:
    model, _ = masked_linear(build_method(name, 0.5))
    x = torch.randn(5, 8, dtype=torch.float64)
    dense = dict(model.named_parameters())["0.weight"]
    want = nn.functional.linear(x, dense * nm_mask(dense, 2, 4), model[0].bias)
    assert torch.allclose(model(x), want, atol=1e-14)


@pytest.mark.parametrize(
    ("name", "regularization"), [("ste", 0.7), ("sr-ste", 0.0), ("sr-ste", 0.7), ("sparsedm", 0.7)]
)
def test_gradient_equals_its_formula(name: str, regularization: float) -> None:
    method = build_method(name, regularization)
    model, layers = masked_linear(method)
    x = torch.randn(5, 8, dtype=torch.float64)
    weight, mask = next(layers.parameters())
    loss_of(model, x).backward()
    method.add_to_gradients(layers.parameters())
    want = gradient_of_masked_weight(weight * mask, model[0].bias.detach(), x)
    if name != "ste":
        want = want + regularization * weight.detach() * ~mask
    assert torch.allclose(weight.grad, want, rtol=1e-12, atol=1e-14)


def test_gradient_by_hand() -> None:
    # y = w~ x with w = [1, -4, 2, 3], 2:4 keeps -4 and 3; x = [1, 2, 3, 4]; y = -8 + 12 = 4; L = y^2.
    # G = 2 y x = [8, 16, 24, 32] also for the two pruned weights; sr-ste with lambda 0.5 adds 0.5 w to those.
    method = build_method("sr-ste", 0.5)
    model = nn.Sequential(nn.Linear(4, 1, bias=False, dtype=torch.float64))
    with torch.no_grad():
        model[0].weight.copy_(torch.tensor([[1.0, -4.0, 2.0, 3.0]]))
    layers = MaskedLayers(model, ["0"], method.masked_weight)
    layers.refresh(Pattern(2, 4))
    loss_of(model, torch.tensor([[1.0, 2.0, 3.0, 4.0]], dtype=torch.float64)).backward()
    weight, _ = next(layers.parameters())
    assert weight.grad.tolist() == [[8.0, 16.0, 24.0, 32.0]]
    method.add_to_gradients(layers.parameters())
    assert weight.grad.tolist() == [[8.5, 16.0, 25.0, 32.0]]


def test_worked_example_of_sr_ste() -> None:
    weight = nn.Parameter(torch.tensor([[1.0, -4.0, 2.0, 3.0]]))
    weight.grad = torch.ones(1, 4)
    mask = torch.tensor([[False, True, False, True]])
    build_method("sr-ste", 0.5).add_to_gradients([(weight, mask)])
    assert weight.grad.tolist() == [[1.5, 1.0, 2.0, 1.0]]


def test_without_masks_the_gradient_is_the_one_of_finite_differences() -> None:
    method = build_method("ste")
    x = torch.randn(3, 8, dtype=torch.float64, generator=torch.Generator().manual_seed(0))
    weight = torch.randn(3, 8, dtype=torch.float64, generator=torch.Generator().manual_seed(1))

    def loss(w: torch.Tensor) -> torch.Tensor:
        open_mask = torch.ones_like(w, dtype=torch.bool)
        return nn.functional.linear(x, method.masked_weight(w, open_mask)).square().sum()

    variable = weight.clone().requires_grad_(True)
    loss(variable).backward()
    step = 1e-6
    for index in [(0, 0), (1, 5), (2, 7)]:
        shift = torch.zeros_like(weight)
        shift[index] = step
        want = (loss(weight + shift) - loss(weight - shift)) / (2 * step)
        assert variable.grad[index].item() == pytest.approx(want.item(), rel=1e-6)


def test_conv_gradient_equals_its_formula() -> None:
    method = build_method("sr-ste", 0.3)
    torch.manual_seed(0)
    model = nn.Sequential(nn.Conv2d(8, 4, 3, padding=1, dtype=torch.float64))
    layers = MaskedLayers(model, ["0"], method.masked_weight)
    layers.refresh(Pattern(2, 4))
    x = torch.randn(2, 8, 5, 5, dtype=torch.float64)
    weight, mask = next(layers.parameters())
    loss_of(model, x).backward()
    method.add_to_gradients(layers.parameters())
    masked = (weight * mask).detach().requires_grad_(True)
    nn.functional.conv2d(x, masked, model[0].bias.detach(), padding=1).square().sum().backward()
    assert torch.allclose(weight.grad, masked.grad + 0.3 * weight.detach() * ~mask, rtol=1e-12)


@pytest.mark.parametrize(
    ("name", "trains", "alpha"),
    [("ste", True, 0.0), ("sr-ste", True, 0.0), ("sparsedm", True, 0.1), ("masked-dense", False, 0.0)],
)
def test_what_each_method_does(name: str, trains: bool, alpha: float) -> None:
    method = build_method(name, 0.0002, 0.1)
    assert (method.name, method.trains, method.distillation_weight) == (name, trains, alpha)
    assert METHODS[name] is type(method)
