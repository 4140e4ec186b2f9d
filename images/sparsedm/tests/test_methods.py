"""The gradient of each method, against its formula, by hand and by autograd, in float64."""

from __future__ import annotations

import math

import pytest
import torch
from torch import nn

from sparsedm.sparsity.layers import MaskedLayers
from sparsedm.sparsity.masks import Masking, apply_mask, group_counts, nm_mask, soft_threshold
from sparsedm.sparsity.methods import METHODS, Method, build_method
from sparsedm.sparsity.pattern import Pattern

EXAMPLE = torch.tensor([[1.0, -4.0, 2.0, 3.0]])
EXAMPLE_MASK = torch.tensor([[False, True, False, True]])


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
    method.before_optimizer(layers.parameters(), 0.1, 0.0)
    want = gradient_of_masked_weight(weight * mask, model[0].bias.detach(), x)
    if name != "ste":
        want = want + regularization * weight.detach() * ~mask
    assert torch.allclose(weight.grad, want, rtol=1e-12, atol=1e-14)


@pytest.mark.parametrize(
    ("name", "gradient", "handed_on", "weight_after"),
    [
        # y = w~ x and L = y^2, so G = 2 y x. w~ keeps -4 and 3: y = -8 + 15 = 7, also for the pruned weights.
        ("ste", [14.0, 28.0, 42.0, 70.0], [14.0, 28.0, 42.0, 70.0], [1.0, -4.0, 2.0, 3.0]),
        # lambda is 0.5, and w outside the mask [1, 2].
        ("sr-ste", [14.0, 28.0, 42.0, 70.0], [14.5, 28.0, 43.0, 70.0], [1.0, -4.0, 2.0, 3.0]),
        ("sparsedm", [14.0, 28.0, 42.0, 70.0], [14.5, 28.0, 43.0, 70.0], [1.0, -4.0, 2.0, 3.0]),
        # The rate is 0.1: what is outside shrinks by 0.1 * 0.5.
        ("sr-ste-decoupled", [14.0, 28.0, 42.0, 70.0], [14.0, 28.0, 42.0, 70.0], [0.95, -4.0, 1.9, 3.0]),
        ("asp", [14.0, 28.0, 42.0, 70.0], [0.0, 28.0, 0.0, 70.0], [0.0, -4.0, 0.0, 3.0]),
        # w~ = 2.2 * [0, -2, 0, 1]: y = 2.2 * (-4 + 5) = 2.2.
        ("s-ste", [4.4, 8.8, 13.2, 22.0], [4.4, 8.8, 13.2, 22.0], [1.0, -4.0, 2.0, 3.0]),
        # w~ = w until the mask freezes: y = 1 - 8 + 6 + 15 = 14.
        ("cast", [28.0, 56.0, 84.0, 140.0], [28.0, 56.0, 84.0, 140.0], [1.0, -4.0, 2.0, 3.0]),
        ("dense", [28.0, 56.0, 84.0, 140.0], [28.0, 56.0, 84.0, 140.0], [1.0, -4.0, 2.0, 3.0]),
    ],
)
def test_gradient_by_hand(
    name: str, gradient: list[float], handed_on: list[float], weight_after: list[float]
) -> None:
    """w = [1, -4, 2, 3] under 2:4, x = [1, 2, 3, 5]; what reaches the optimizer, and the weight before it."""
    method = build_method(name, 0.5)
    model = nn.Sequential(nn.Linear(4, 1, bias=False, dtype=torch.float64))
    with torch.no_grad():
        model[0].weight.copy_(EXAMPLE)
    layers = MaskedLayers(model, ["0"] if method.masks else [], method.masked_weight)
    layers.refresh(Pattern(2, 4))
    for _, weight, masking in layers.weights():
        method.begin_stage(weight, masking)
        if not method.moves_mask:
            method.freeze(weight, masking)
    method.optimizer(model.parameters())
    (weight,) = model.parameters()
    loss_of(model, torch.tensor([[1.0, 2.0, 3.0, 5.0]], dtype=torch.float64)).backward()
    assert weight.grad[0].tolist() == pytest.approx(gradient, rel=1e-14)
    method.before_optimizer(layers.parameters(), 0.1, 0.0)
    assert weight.grad[0].tolist() == pytest.approx(handed_on, rel=1e-14)
    assert weight[0].tolist() == pytest.approx(weight_after, rel=1e-14)


def test_worked_example_of_sr_ste() -> None:
    weight = nn.Parameter(torch.tensor([[1.0, -4.0, 2.0, 3.0]]))
    weight.grad = torch.ones(1, 4)
    mask = torch.tensor([[False, True, False, True]])
    build_method("sr-ste", 0.5).before_optimizer([(weight, mask)], 0.1, 0.0)
    assert weight.grad.tolist() == [[1.5, 1.0, 2.0, 1.0]]


def test_without_masks_the_gradient_is_the_one_of_finite_differences() -> None:
    method = build_method("ste")
    x = torch.randn(3, 8, dtype=torch.float64, generator=torch.Generator().manual_seed(0))
    weight = torch.randn(3, 8, dtype=torch.float64, generator=torch.Generator().manual_seed(1))

    def loss(w: torch.Tensor) -> torch.Tensor:
        open_mask = torch.ones_like(w, dtype=torch.bool)
        return nn.functional.linear(x, method.masked_weight(w, Masking(open_mask))).square().sum()

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
    method.before_optimizer(layers.parameters(), 0.1, 0.0)
    masked = (weight * mask).detach().requires_grad_(True)
    nn.functional.conv2d(x, masked, model[0].bias.detach(), padding=1).square().sum().backward()
    assert torch.allclose(weight.grad, masked.grad + 0.3 * weight.detach() * ~mask, rtol=1e-12)


def example(gradient: float | None = None) -> nn.Parameter:
    weight = nn.Parameter(EXAMPLE.clone())
    if gradient is not None:
        weight.grad = torch.full_like(EXAMPLE, gradient)
    return weight


def test_worked_example_of_sr_ste_decoupled() -> None:
    weight = example(1.0)
    build_method("sr-ste-decoupled", 0.5).before_optimizer([(weight, EXAMPLE_MASK)], 0.1, 0.0)
    assert torch.allclose(weight, torch.tensor([[0.95, -4.0, 1.9, 3.0]]))
    assert weight.grad.tolist() == [[1.0] * 4], "lambda does not go through Adam"


def test_the_decoupled_default_pulls_as_sr_ste_does() -> None:
    """A pruned weight of 0.02 and v = (1 / 14,500)^2, the docstring's numbers: the pulls differ by what 2.9
    was rounded up."""
    rate, weight, square = 2e-4, 0.02, 14_500.0**-2
    by_adam = rate * METHODS["sr-ste"].default_regularization * weight / math.sqrt(square)
    decoupled = nn.Parameter(torch.tensor([[weight] * 4], dtype=torch.float64))
    method = build_method("sr-ste-decoupled", METHODS["sr-ste-decoupled"].default_regularization)
    method.before_optimizer([(decoupled, torch.zeros(1, 4, dtype=torch.bool))], rate, 0.0)
    pull = weight - decoupled[0, 0].item()
    assert by_adam == pytest.approx(rate * 2.9 * weight)
    assert pull == pytest.approx(by_adam, rel=0.04)
    assert 1 - (1 - pull / weight) ** 300 == pytest.approx(0.165, abs=0.001)


def test_worked_example_of_s_ste() -> None:
    method, masking = build_method("s-ste"), Masking(EXAMPLE_MASK, 4)
    weight = example()
    method.begin_stage(weight, masking)
    assert masking.scale == pytest.approx(2.2)
    found = method.masked_weight(weight, masking)
    assert torch.allclose(found, torch.tensor([[0.0, -4.4, 0.0, 2.2]]))
    found.backward(torch.tensor([[1.0, 2.0, 3.0, 4.0]]))
    assert weight.grad.tolist() == [[1.0, 2.0, 3.0, 4.0]], "straight through, without the scale"


def test_worked_example_of_cast() -> None:
    method = build_method("cast", l1_decay=4.0)
    weight = nn.Parameter(torch.tensor([[1.0, -4.0, -2.0, 3.0]]))
    optimizer = method.optimizer([weight], lr=0.1, betas=(0.5, 0.5), weight_decay=0.0)
    weight.grad = torch.ones(1, 4)
    method.before_optimizer([(weight, EXAMPLE_MASK)], 0.1, 0.5)
    optimizer.step()
    assert torch.allclose(weight, torch.tensor([[0.8, -4.2, -1.8, 2.8]]))


def adams(w: list[float], steps: list[tuple[list[float], list[bool], float]]) -> list[float]:
    """Algorithm 1 of arXiv 2509.25996, number by number, with AdamW's weight decay beside it. A step is its
    gradient, mask and share."""
    rate, beta1, beta2, epsilon, strength, decay = 0.1, 0.9, 0.99, 1e-8, 0.7, 0.03
    mu, v = [0.0] * len(w), [0.0] * len(w)
    for t, (gradient, mask, share) in enumerate(steps, start=1):
        for i, (g, kept) in enumerate(zip(gradient, mask, strict=True)):
            mu[i] = beta1 * mu[i] + (1 - beta1) * g
            move = mu[i] if kept else (1 - share) * mu[i] + share * math.copysign(strength, w[i])
            v[i] = beta2 * v[i] + (1 - beta2) * move**2
            size = math.sqrt(v[i] / (1 - beta2**t)) + epsilon
            w[i] = w[i] * (1 - rate * decay) - rate * move / (1 - beta1**t) / size
    return w


def test_the_optimizer_of_cast_follows_its_algorithm_and_leaves_the_rest_to_adamw() -> None:
    """Five steps, in which the mask moves and the pull grows."""
    first, *gradients = torch.randn(6, 1, 8, dtype=torch.float64, generator=torch.Generator().manual_seed(0))
    masks = [nm_mask(first, 2, 4)] * 2 + [nm_mask(gradients[0], 2, 4)] * 3
    shares = [0.0, 0.2, 0.4, 0.6, 0.8]
    pulled, other, alone, idle = (nn.Parameter(first.clone()) for _ in range(4))
    settings = {"lr": 0.1, "betas": (0.9, 0.99), "weight_decay": 0.03}
    method, adamw = build_method("cast", l1_decay=0.7), torch.optim.AdamW([alone], **settings)
    optimizer = method.optimizer([pulled, other, idle], **settings)
    for gradient, mask, share in zip(gradients, masks, shares, strict=True):
        pulled.grad, other.grad, alone.grad = (gradient.clone() for _ in range(3))
        method.before_optimizer([(pulled, mask), (idle, mask)], 0.1, share)
        optimizer.step()
        adamw.step()
    numbers = zip((g[0].tolist() for g in gradients), (m[0].tolist() for m in masks), shares, strict=True)
    assert not torch.equal(masks[0], masks[-1])
    assert torch.allclose(pulled, pulled.new_tensor(adams(first[0].tolist(), list(numbers))), rtol=1e-12)
    assert torch.equal(other, alone)
    assert torch.equal(idle, first), "without a gradient there is no step"


def test_asp_masks_the_gradient_before_the_optimizer_and_the_weight_after_it() -> None:
    method, weight = build_method("asp"), example(1.0)
    method.before_optimizer([(weight, EXAMPLE_MASK)], 0.1, 0.0)
    assert weight.grad.tolist() == [[0.0, 1.0, 0.0, 1.0]]
    method.after_optimizer([(weight, EXAMPLE_MASK)])
    assert weight.tolist() == [[0.0, -4.0, 0.0, 3.0]]


BETAS = (0.9, 0.999)


def adam_step(weight: torch.Tensor, gradient: torch.Tensor, decay: float, by: float = 1.0) -> torch.Tensor:
    """W after one step of AdamW from zero moments, by its formula: m / sqrt(v) is the sign of the gradient,
    but for epsilon."""
    rate, epsilon = 0.1, 1e-8
    return weight * (1 - rate * decay) - by * rate * gradient / (gradient.abs() + epsilon)


@pytest.mark.parametrize("name", ["ste", "sr-ste", "sr-ste-decoupled", "s-ste", "cast", "asp"])
def test_a_step_of_each_method_equals_its_formula(name: str) -> None:
    strength, rate, decay, share = 0.7, 0.1, 0.03, 0.5
    method = build_method(name, strength, l1_decay=strength)
    model, layers = masked_linear(method)
    _, weight, masking = next(layers.weights())
    method.begin_stage(weight, masking)
    if not method.moves_mask:
        method.freeze(weight, masking)
    w, m = weight.detach().clone(), masking.mask
    soft = soft_threshold(w, m, 4)
    forward = {"s-ste": (w * soft).sum() / soft.square().sum() * soft, "cast": w}.get(name, w * m)
    x = torch.randn(5, 8, dtype=torch.float64)
    gradient = gradient_of_masked_weight(forward, model[0].bias.detach(), x)

    optimizer = method.optimizer([weight], lr=rate, betas=BETAS, weight_decay=decay)
    loss_of(model, x).backward()
    method.before_optimizer(layers.parameters(), rate, share)
    optimizer.step()
    method.after_optimizer(layers.parameters())

    start = w - rate * strength * (w * ~m) if name == "sr-ste-decoupled" else w
    gradient = {"sr-ste": gradient + strength * ~m * w, "asp": gradient * m}.get(name, gradient)
    by = 1.0
    if name == "cast":
        moment = (1 - BETAS[0]) * gradient
        gradient = torch.where(m, moment, (1 - share) * moment + share * strength * w.sign())
        by /= 1 - BETAS[0]  # the first moment is corrected for its start; the second is made of it
    want = adam_step(start, gradient, decay, by)
    assert torch.allclose(weight, want, rtol=1e-9, atol=1e-12)


def test_s_ste_scales_so_that_the_distance_to_the_dense_weight_is_least() -> None:
    method = build_method("s-ste")
    _, layers = masked_linear(method, inputs=64, outputs=16)
    _, weight, masking = next(layers.weights())
    method.begin_stage(weight, masking)

    def distance(scale: float) -> float:
        sparse = method.sparse_weight(weight, Masking(masking.mask, 4, scale))
        return (weight - sparse).square().sum().item()

    best = distance(masking.scale)
    assert best < min(distance(masking.scale + step) for step in (-0.01, 0.01))


def test_s_ste_without_anything_above_the_threshold_has_scale_one() -> None:
    method, weight = build_method("s-ste"), torch.ones(1, 4)
    masking = Masking(nm_mask(weight, 2, 4), 4)
    method.begin_stage(weight, masking)
    assert masking.scale == 1.0


@pytest.mark.parametrize("name", [name for name, method in METHODS.items() if method.masks])
@pytest.mark.parametrize("frozen", [False, True])
def test_what_is_exported_keeps_the_pattern(name: str, frozen: bool) -> None:
    method: Method = build_method(name, 0.1)
    weight = torch.randn(8, 16, generator=torch.Generator().manual_seed(2))
    weight[0, :4] = torch.tensor([1.0, 1.0, 1.0, -1.0])
    masking = Masking(nm_mask(weight, 2, 4), 4, 1.5, frozen)
    sparse = method.sparse_weight(weight, masking)
    assert int(group_counts(sparse, 4).max()) == 2
    assert not sparse[~masking.mask].any()


@pytest.mark.parametrize("name", [name for name, method in METHODS.items() if method.masks])
def test_what_is_exported_is_what_the_frozen_forward_computes_with(name: str) -> None:
    method = build_method(name, 0.1)
    weight = torch.randn(8, 16, generator=torch.Generator().manual_seed(2))
    masking = Masking(nm_mask(weight, 2, 4), 4, 1.5, frozen=True)
    assert torch.equal(method.sparse_weight(weight, masking), method.masked_weight(weight, masking))


@pytest.mark.parametrize("name", [name for name, method in METHODS.items() if method.masks])
def test_under_open_masks_the_student_is_the_dense_model(name: str) -> None:
    model, layers = masked_linear(build_method(name, 0.1, 1.0))
    x = torch.randn(5, 8, dtype=torch.float64)
    layers.open()
    weight, _ = next(layers.parameters())
    assert torch.equal(model(x), nn.functional.linear(x, weight, model[0].bias))


def test_s_ste_freezes_into_the_weights_that_it_computed_with() -> None:
    method = build_method("s-ste")
    model, layers = masked_linear(method)
    _, weight, masking = next(layers.weights())
    method.begin_stage(weight, masking)
    x = torch.randn(5, 8, dtype=torch.float64)
    before = model(x)
    method.freeze(weight, masking)
    layers.freeze()
    assert torch.equal(model(x), before)
    assert torch.equal(weight, apply_mask(weight, masking.mask))


def test_cast_computes_with_the_dense_weight_until_the_mask_freezes() -> None:
    method = build_method("cast")
    model, layers = masked_linear(method)
    x = torch.randn(5, 8, dtype=torch.float64)
    weight, mask = next(layers.parameters())
    assert torch.equal(model(x), nn.functional.linear(x, weight, model[0].bias))
    layers.freeze()
    assert torch.allclose(model(x), nn.functional.linear(x, weight * mask, model[0].bias), atol=1e-14)


@pytest.mark.parametrize("frozen", [False, True])
def test_the_factors_of_cast_and_their_gradients_equal_their_formulas(frozen: bool) -> None:
    """W~ = A * W, or A * W * m under a frozen mask; dL/dW = A * G also where m is 0; dL/dA is the sum of
    G * W (m) over a part."""
    method = build_method("cast")
    torch.manual_seed(0)
    model = nn.Sequential(nn.Linear(8, 3, dtype=torch.float64))
    layers = MaskedLayers(model, ["0"], method.masked_weight, scaling=method.scaling)
    layers.refresh(Pattern(2, 4))
    if frozen:
        layers.freeze()
    _, weight, masking = next(layers.weights())
    factors = dict(model.named_parameters())["0.scaling"]
    assert factors.tolist() == [[1.0, 1.0]] * 3
    with torch.no_grad():
        factors += torch.randn(3, 2, dtype=torch.float64)
    wide = factors.detach().repeat_interleave(4, dim=1)
    used = weight.detach() * masking.mask if frozen else weight.detach()
    x = torch.randn(5, 8, dtype=torch.float64)
    gradient = gradient_of_masked_weight(wide * used, model[0].bias.detach(), x)

    loss_of(model, x).backward()
    assert torch.allclose(weight.grad, wide * gradient, rtol=1e-12)
    assert torch.allclose(factors.grad, (gradient * used).reshape(3, 2, 4).sum(dim=2), rtol=1e-12)
    folded = wide * weight.detach() * masking.mask
    assert torch.allclose(method.sparse_weight(weight, masking), folded, rtol=1e-12)


@pytest.mark.parametrize(
    ("name", "trains", "masks", "pull", "alpha"),
    [
        ("ste", True, True, 0.0, 0.0),
        ("sr-ste", True, True, 2e-4, 0.0),
        ("sr-ste-decoupled", True, True, 3.0, 0.0),
        ("sparsedm", True, True, 2e-4, 0.1),
        ("s-ste", True, True, 0.0, 0.0),
        ("cast", True, True, 0.0, 0.1),
        ("asp", True, True, 0.0, 0.0),
        ("dense", True, False, 0.0, 0.0),
        ("masked-dense", False, True, 0.0, 0.0),
    ],
)
def test_what_each_method_does(name: str, trains: bool, masks: bool, pull: float, alpha: float) -> None:
    method = build_method(name)
    assert (method.name, method.trains, method.masks) == (name, trains, masks)
    assert (method.default_regularization, method.default_distillation) == (pull, alpha)
    assert METHODS[name] is type(method)


def test_the_table_above_names_every_method() -> None:
    table = next(mark for mark in test_what_each_method_does.pytestmark if mark.name == "parametrize")
    assert {case[0] for case in table.args[1]} == set(METHODS)
