"""Masks and masked layers go through torch.compile as one graph, with the results of eager mode."""

from __future__ import annotations

import pytest
import torch
from torch import Tensor, nn

from sparsedm.layers import MaskedLayers
from sparsedm.masks import magnitude_mask, soft_threshold
from sparsedm.methods import build_method
from sparsedm.pattern import Pattern

BACKENDS = ["eager", "aot_eager"]


@pytest.fixture(autouse=True)
def forget_graphs() -> None:
    torch.compiler.reset()


@pytest.mark.parametrize("backend", BACKENDS)
def test_one_graph_makes_a_mask(backend: str) -> None:
    def masks(weight: Tensor) -> list[Tensor]:
        return [magnitude_mask(weight, n, m) for n, m in [(2, 4), (7, 8), (15, 16)]]

    weight = torch.randn(6, 64, generator=torch.Generator().manual_seed(0)).round(decimals=1)
    compiled = torch.compile(masks, backend=backend, fullgraph=True)
    assert all(torch.equal(a, b) for a, b in zip(compiled(weight), masks(weight), strict=True))


@pytest.mark.parametrize("backend", BACKENDS)
def test_one_graph_makes_the_soft_threshold_of_a_convolution(backend: str) -> None:
    def soft(weight: Tensor) -> Tensor:
        return soft_threshold(weight, magnitude_mask(weight, 2, 4), 4)

    weight = torch.randn(3, 8, 2, 2, generator=torch.Generator().manual_seed(0))
    assert torch.equal(torch.compile(soft, backend=backend, fullgraph=True)(weight), soft(weight))


@pytest.mark.parametrize("backend", BACKENDS)
@pytest.mark.parametrize("method", ["sr-ste", "s-ste"])
def test_one_graph_holds_masked_layers_and_new_masks_need_no_other(backend: str, method: str) -> None:
    torch.manual_seed(0)
    model = nn.Sequential(nn.Linear(8, 16), nn.GELU(), nn.Linear(16, 4))
    layers = MaskedLayers(model, ["0", "2"], build_method(method).masked_weight)
    graphs = 0

    def counting(graph: torch.fx.GraphModule, inputs: list[Tensor]):
        nonlocal graphs
        graphs += 1
        return torch._dynamo.lookup_backend(backend)(graph, inputs)

    compiled = torch.compile(model, backend=counting, fullgraph=True)
    for seed in range(3):
        x = torch.randn(5, 8, generator=torch.Generator().manual_seed(seed))
        layers.refresh(Pattern(2, 4))
        found, want = [], []
        for run, results in ((compiled, found), (model, want)):
            model.zero_grad()
            loss = run(x).square().sum()
            loss.backward()
            results += [loss.detach(), *(p.grad.clone() for p in model.parameters())]
        assert all(torch.allclose(a, b, rtol=1e-5, atol=1e-6) for a, b in zip(found, want, strict=True))
        with torch.no_grad():
            for weight, _ in layers.parameters():
                weight.add_(torch.randn(weight.shape, generator=torch.Generator().manual_seed(seed + 9)))
    assert graphs == 1
