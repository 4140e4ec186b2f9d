"""Masks and masked layers go through torch.compile as one graph, with the results of eager mode."""

from __future__ import annotations

import io

import pytest
import torch
from torch import Tensor, nn

from sparsedm.errors import ConfigError
from sparsedm.runtime import compiling
from sparsedm.runtime.compiling import compiled, compiler_missing
from sparsedm.runtime.progress import Console
from sparsedm.runtime.report_client import ReportClient
from sparsedm.runtime.stop import StopSignal
from sparsedm.sparsity.layers import MaskedLayers
from sparsedm.sparsity.masks import apply_mask, magnitude_mask, soft_threshold
from sparsedm.sparsity.methods import build_method
from sparsedm.sparsity.pattern import Pattern
from sparsedm.training.config import parse_config
from sparsedm.training.finetune import Finetune
from tiny_run import Workplace

BACKENDS = ["eager", "aot_eager"]
CPU = torch.device("cpu")


@pytest.fixture(autouse=True)
def forget_graphs() -> None:
    torch.compiler.reset()


@pytest.mark.parametrize("backend", BACKENDS)
def test_one_graph_makes_a_mask(backend: str) -> None:
    def masks(weight: Tensor) -> list[Tensor]:
        return [magnitude_mask(weight, n, m) for n, m in [(2, 4), (5, 8), (7, 8), (15, 16)]]

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
@pytest.mark.parametrize("layout", [torch.contiguous_format, torch.channels_last])
def test_a_weight_under_its_mask_is_one_operation(backend: str, layout: torch.memory_format) -> None:
    weight = torch.randn(5, 8, 3, 3).to(memory_format=layout).requires_grad_()
    mask = torch.rand(5, 8, 3, 3) < 0.5
    torch.library.opcheck(torch.ops.sparsedm.masked.default, (weight.detach(), mask))
    found = torch.compile(apply_mask, backend=backend, fullgraph=True)(weight, mask)
    assert torch.equal(found, torch.where(mask, weight, 0.0))
    assert not found.requires_grad


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


METHODS = ["sparsedm", "s-ste", "cast"]


def trained(place: Workplace, method: str, compile: bool) -> tuple[list[float], dict[str, Tensor]]:
    """The losses of a run through all stages, and the masks that it ends with."""
    config = parse_config(place.spec("out", sparsity__method=method, training__compile=compile))
    run = Finetune(config, place.directory, ReportClient(None, None), Console(io.StringIO()), StopSignal())
    run.train()
    return [point.loss for point in run.state.curve.points()], run.layers.masks()


def check_same_run(place: Workplace, method: str) -> None:
    (found, masks), (want, want_masks) = (trained(place, method, on) for on in (True, False))
    assert found == pytest.approx(want, rel=1e-4)
    same = [(masks[name] == want_masks[name]).float().mean() for name in masks]
    assert min(same) > 0.99


@pytest.mark.parametrize("method", METHODS)
def test_a_compiled_run_goes_the_same_way(
    method: str, place: Workplace, monkeypatch: pytest.MonkeyPatch
) -> None:
    """By the graphs alone, without the compiler behind them: each stage's graph is its own, or serves all."""
    graphs = []

    def traced(network: nn.Module, device: torch.device) -> nn.Module:
        def backend(graph: torch.fx.GraphModule, inputs: list[Tensor]):
            graphs.append(graph)
            return torch._dynamo.lookup_backend("aot_eager")(graph, inputs)

        return torch.compile(network, backend=backend, fullgraph=True)

    monkeypatch.setattr("sparsedm.diffusion.objective.compiled", traced)
    check_same_run(place, method)
    assert 0 < len(graphs) <= 6


@pytest.mark.skipif(compiler_missing(CPU) is not None, reason="no C++ compiler")
def test_a_run_through_the_compiler_goes_the_same_way(place: Workplace) -> None:
    check_same_run(place, "sparsedm")


@pytest.mark.parametrize(
    ("device", "programs", "missing"),
    [
        ("cpu", (), "a C++ compiler (g++)"),
        ("cpu", ("gcc",), "a C++ compiler (g++)"),
        ("cuda", ("g++",), "a C compiler (gcc)"),
        ("cuda", ("gcc",), "the package triton"),
    ],
)
def test_what_is_missing_is_named(
    device: str, programs: tuple[str, ...], missing: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(compiling.shutil, "which", lambda program: program if program in programs else None)
    monkeypatch.setattr(compiling, "find_spec", lambda name: None)
    with pytest.raises(ConfigError) as caught:
        compiled(nn.Linear(1, 1), torch.device(device))
    assert caught.value.message.startswith(f"training.compile needs {missing}, which is missing here: use ")
