"""Criteria by calibration, in float64 against brute force, and what a run makes of them."""

from __future__ import annotations

import shutil
from itertools import combinations

import pytest
import torch
from safetensors.torch import load_file
from torch import Tensor, nn

from sparsedm.sparsity import calibration
from sparsedm.sparsity.calibration import inputs_of, judged, matrices, moments_of, position_of, step_weights
from sparsedm.sparsity.criteria import CRITERIA, Obs
from sparsedm.sparsity.criteria.obs import choose, damped, refit
from sparsedm.sparsity.input_masks import mask_inputs
from sparsedm.sparsity.masks import group_counts, nm_mask
from sparsedm.sparsity.pattern import Pattern
from sparsedm.training import finetune
from tiny_run import Workplace

W = torch.tensor([[1.0, -4.0, 2.0, 3.0]], dtype=torch.float64)


def correlated(tokens: int, inputs: int, seed: int = 0) -> Tensor:
    """(tokens, inputs), float64, whose inputs say something of each other."""
    generator = torch.Generator().manual_seed(seed)
    own = torch.randn(tokens, inputs, generator=generator, dtype=torch.float64)
    mixed = own @ torch.randn(inputs, inputs, generator=generator, dtype=torch.float64)
    return own + 0.5 * mixed


@pytest.mark.parametrize(
    ("name", "norms", "scores"),
    [("wanda", [9, 1, 2, 1], [9, 4, 4, 3]), ("energy", [2, 1, 2, 1], [4, 4, 8, 3])],
)
def test_scores_of_the_worked_examples(name: str, norms: list[float], scores: list[float]) -> None:
    moments = torch.tensor([norms], dtype=torch.float64).square()
    assert torch.equal((W * CRITERIA[name]().factors(moments)).abs(), torch.tensor([scores]).double())


@pytest.mark.parametrize(("name", "power"), [("wanda", 1), ("energy", 2)])
def test_a_mask_is_that_of_the_loop_over_outputs_and_groups(name: str, power: int) -> None:
    torch.manual_seed(0)
    layer, x = nn.Linear(16, 6).double(), correlated(40, 16)
    criterion = CRITERIA[name]()
    ((_, moments),) = moments_of(layer, {"": layer}, criterion, lambda: [(lambda: layer(x), torch.ones(40))])
    factors, start = judged(criterion, layer, layer.weight.detach(), moments, Pattern(2, 4))
    assert start is None
    mask = nm_mask(layer.weight.detach() * factors, 2, 4)
    for i in range(6):
        for group in range(0, 16, 4):
            score = {j: abs(layer.weight[i, j].item()) * x[:, j].norm().item() ** power
                     for j in range(group, group + 4)}  # fmt: skip
            best = sorted(score, key=score.__getitem__)[2:]
            assert mask[i, group : group + 4].nonzero()[:, 0].add(group).tolist() == sorted(best)


def error(weight: Tensor, wanted: Tensor, hessian: Tensor) -> float:
    return float((weight - wanted) @ hessian @ (weight - wanted))


def test_obs_of_the_worked_example() -> None:
    hessian, weight = torch.tensor([[2.0, 1.0], [1.0, 2.0]]).double(), torch.tensor([[3.0, 2.0]]).double()
    mask = choose(weight, hessian, Pattern(1, 2))
    assert mask.tolist() == [[True, False]]
    assert torch.allclose(refit(weight, hessian, mask), torch.tensor([[4.0, 0.0]]).double())


@pytest.mark.parametrize(("n", "m"), [(2, 4), (4, 8), (1, 4)])
def test_the_mask_of_one_group_is_the_best_of_all(n: int, m: int) -> None:
    x = correlated(50, m, seed=n)
    (hessian,) = damped((x.T @ x / 50)[None])
    weights = correlated(12, m, seed=9)
    mask = choose(weights, hessian, Pattern(n, m))
    for weight, found in zip(weights, mask, strict=True):
        errors = {}
        for places in combinations(range(m), n):
            kept = list(places)
            fitted = torch.zeros(m, dtype=torch.float64)
            fitted[kept] = torch.linalg.solve(hessian[kept][:, kept], (hessian @ weight)[kept])
            errors[places] = error(fitted, weight, hessian)
        assert tuple(found.nonzero()[:, 0].tolist()) == min(errors, key=errors.__getitem__)


def test_kept_weights_are_the_least_squares_of_their_mask_and_err_less_than_any_other_mask() -> None:
    """The damping is more tokens: rows of a multiple of the identity."""
    x, weights = correlated(200, 32), correlated(8, 32, seed=3)
    (hessian,) = damped((x.T @ x / 200)[None])
    (made,) = Obs().start(weights[None], (x.T @ x / 200)[None], Pattern(2, 4))
    damping = (hessian - x.T @ x / 200)[0, 0]
    rows = torch.cat([x / 200**0.5, damping.sqrt() * torch.eye(32).double()])
    assert set(group_counts(made, 4).tolist()) == {2}
    for weight, found in zip(weights, made, strict=True):
        kept = found.nonzero()[:, 0]
        best = torch.linalg.lstsq(rows[:, kept], rows @ weight).solution
        assert torch.allclose(found[kept], best, rtol=1e-8, atol=1e-10)
    totals = {}
    for name, mask in {
        "magnitude": nm_mask(weights, 2, 4),
        "wanda": nm_mask(weights * x.norm(dim=0), 2, 4),
        "obs": made != 0,
    }.items():
        fitted = refit(weights, hessian, mask)
        totals[name] = sum(error(a, b, hessian) for a, b in zip(fitted, weights, strict=True))
    assert totals["obs"] < 0.9 * min(totals["magnitude"], totals["wanda"])


def test_the_later_masks_of_obs_rank_by_what_one_weight_alone_would_lose() -> None:
    x = correlated(60, 8)
    moments = (x.T @ x / 60)[None]
    (hessian,), (factors,) = damped(moments), Obs().factors(moments)
    for j in range(8):
        rest = [i for i in range(8) if i != j]
        weight = torch.eye(8, dtype=torch.float64)[j] * 3
        fitted = torch.zeros(8, dtype=torch.float64)
        fitted[rest] = torch.linalg.solve(hessian[rest][:, rest], (hessian @ weight)[rest])
        assert error(fitted, weight, hessian) ** 0.5 == pytest.approx(3 * float(factors[j]))


def test_a_layer_that_no_input_reaches_keeps_its_weights_magnitudes() -> None:
    made = Obs().start(W[None], torch.zeros(1, 4, 4), Pattern(2, 4))
    assert torch.equal(made[0], torch.tensor([[0.0, -4.0, 0.0, 3.0]]).double())


@pytest.mark.parametrize(
    "conv",
    [
        nn.Conv2d(8, 4, 3, padding=1),
        nn.Conv2d(8, 6, 3, stride=2, padding=2, dilation=2, groups=2, padding_mode="circular"),
        nn.Conv2d(8, 4, (2, 3), padding="same"),
    ],
)
def test_a_convolution_is_the_product_of_its_matrices(conv: nn.Conv2d) -> None:
    conv = conv.double()
    x = torch.randn(2, 8, 7, 6, generator=torch.Generator().manual_seed(1), dtype=torch.float64)
    products = matrices(conv.weight, conv.groups) @ inputs_of(conv, x).transpose(1, 2)
    wanted = (conv(x) - conv.bias[:, None, None]).transpose(0, 1).flatten(1)
    assert torch.allclose(products.flatten(0, 1), wanted)
    weight = conv.weight.detach()
    factors, start = judged(Obs(), conv, weight, _moments(conv, x), Pattern(2, 4))
    assert start is not None
    assert set(group_counts(start, 4).tolist()) == {2}
    assert torch.equal(nm_mask(start * factors, 2, 4), start != 0), "the first mask of a training is its own"


def _moments(conv: nn.Conv2d, x: Tensor) -> Tensor:
    ((_, moments),) = moments_of(conv, {"": conv}, Obs(), lambda: [(lambda: conv(x), torch.ones(2))])
    return moments


def test_early_steps_count_more() -> None:
    assert step_weights(torch.arange(4), 4).tolist() == pytest.approx([1.2, 1.117, 1.0, 0.8], abs=1e-3)
    assert step_weights(torch.zeros(1), 1).tolist() == pytest.approx([1.2])
    assert position_of(torch.tensor([1.0, 0.76, 0.74, 0.0]), 4).tolist() == [0, 0, 1, 3]
    layer = nn.Linear(4, 4)
    x = torch.stack([torch.full((3, 4), 2.0), torch.full((3, 4), 1.0)])
    ((_, moments),) = moments_of(
        layer, {"": layer}, Obs(), lambda: [(lambda: layer(x), torch.tensor([3.0, 1.0]))]
    )
    assert moments[0, 0, 0].item() == pytest.approx((3 * 4 + 1) / 4), "the mean by the rows' weights"


def test_layers_are_watched_in_as_many_passes_as_memory_asks_for(monkeypatch: pytest.MonkeyPatch) -> None:
    network = nn.Sequential(nn.Linear(8, 8), nn.GELU(), nn.Linear(8, 16), nn.GELU(), nn.Linear(16, 4))
    modules = {name: one for name, one in network.named_modules() if isinstance(one, nn.Linear)}
    x, runs = torch.randn(5, 8), []

    def samples() -> list[calibration.Sample]:
        runs.append(1)
        return [(lambda: network(x), torch.ones(5))]

    at_once = dict(moments_of(network, modules, Obs(), samples))
    monkeypatch.setattr(calibration, "PASS_BYTES", 2 * 4 * 64)
    one_by_one = dict(moments_of(network, modules, Obs(), samples))
    assert len(runs) == 1 + 2
    assert list(at_once) == list(one_by_one) == ["0", "2", "4"]
    assert all(torch.equal(at_once[name], one_by_one[name]) for name in at_once)
    assert not any(module._forward_pre_hooks for module in modules.values())


def test_masked_inputs_are_those_of_largest_magnitude_of_each_token() -> None:
    network = nn.Sequential(nn.Linear(4, 4, bias=False), nn.Linear(4, 4, bias=False))
    with torch.no_grad():
        network[0].weight.copy_(torch.eye(4))
        network[1].weight.copy_(torch.eye(4))
    mask_inputs(network, ["0"], Pattern(2, 4))
    tokens = torch.tensor([[[1.0, -4.0, 2.0, 3.0], [5.0, 0.0, -6.0, 1.0]]])
    wanted = torch.tensor([[[0.0, -4.0, 0.0, 3.0], [5.0, 0.0, -6.0, 0.0]]])
    assert torch.equal(network(tokens), wanted)
    assert torch.equal(tokens[0, 0], torch.tensor([1.0, -4.0, 2.0, 3.0])), "a copy"


@pytest.fixture(scope="module")
def place(tmp_path_factory: pytest.TempPathFactory) -> Workplace:
    return Workplace(tmp_path_factory.mktemp("criteria"))


def test_a_training_starts_from_obs_and_one_that_is_killed_goes_on_with_what_it_calibrated(
    place: Workplace, monkeypatch: pytest.MonkeyPatch
) -> None:
    sparsity = {"maskType": "obs", "calibrationSamples": 16}
    once = place.train(place.spec("once", sparsity={"method": "masked-dense", **sparsity}))
    assert once["provenance"]["masks"] == "obs, calibrated on 16 samples, once for each pattern"
    moving = {**sparsity, "schedule": {"type": "fixed", "freezeMaskPercent": 0}}
    changes = {"training__steps": 4, "checkpoint": {"everySteps": 1, "keep": 9}, "sparsity": moving}
    whole = place.train(place.spec("whole", **changes))
    assert whole["sparsity"]["compliant"]
    first = place.directory / "whole/checkpoints/step-00000001"
    made = load_file(place.directory / "once" / once["weights"]["file"])
    dense, tensors = load_file(place.weights), load_file(first / "tensors.safetensors")
    for name in (layer["name"] for layer in whole["layers"]):
        mask, weight = tensors[f"mask/{name}"], made[f"{name}.weight"]
        assert torch.equal(mask, weight != 0)
        assert (weight - dense[f"{name}.weight"])[mask].abs().mean() > 1e-4
    shutil.copytree(first, place.directory / "cut/checkpoints" / first.name)
    monkeypatch.setattr(finetune, "calibrate", None)
    assert place.train(place.spec("cut", **changes))["weights"] == whole["weights"]
