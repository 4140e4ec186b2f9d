"""Which product computes a layer: the choosing that a GPU's kernels go through, with kernels of a CPU."""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping
from pathlib import Path

import pytest
import torch
from torch import Tensor, nn

from sparsedm.errors import ConfigError
from sparsedm.serve.backend import Choice, Situation, choose, demand, restore_dense
from sparsedm.serve.kernels import KERNELS
from sparsedm.serve.tuning import Tuning, circumstances, tuning_folder

CPU, CUDA = torch.device("cpu"), torch.device("cuda")
GPU = Situation(CUDA, torch.bfloat16, "2:4", (9, 0), ("quick", "slow"))
LAYERS = [{"name": name} for name in ("wide", "narrow", "odd", "picture")]


class Product(nn.Linear):
    """A layer of a kernel, which says what it was built with."""

    kernel = ""
    algorithm = 0


class Stand:
    """A kernel on the CPU. `error`: what its products differ by; `fails`: whether it can't run."""

    def __init__(self, name: str, error: float = 0.0, fails: bool = False, sides: int = 1) -> None:
        self.name = name
        self.sides = (sides, sides)
        self._error = error
        self._fails = fails

    def build(self, dense: nn.Linear, algorithm: int = 0) -> nn.Module:
        if self._fails:
            raise RuntimeError("only on GPUs with compute capability 8.x")
        built = Product(dense.in_features, dense.out_features)
        built.load_state_dict({name: value + self._error for name, value in dense.state_dict().items()})
        built.kernel, built.algorithm = self.name, algorithm
        return built

    def fastest_algorithm(self, dense: nn.Linear, x: Tensor) -> int:
        return 7


class Clock:
    """Times by kernel, the dense product's under ""; counts the measurements."""

    def __init__(self, times: Mapping[str, float]) -> None:
        self.times = times
        self.measured: list[tuple[str, tuple[int, ...]]] = []

    def __call__(self, module: nn.Module, x: Tensor) -> float:
        kernel = getattr(module, "kernel", "")
        self.measured.append((kernel, tuple(x.shape)))
        return self.times[kernel]


def network() -> nn.ModuleDict:
    torch.manual_seed(0)
    return nn.ModuleDict(
        {
            "wide": nn.Linear(32, 64),
            "narrow": nn.Linear(32, 64),
            "odd": nn.Linear(33, 64),
            "picture": nn.Conv2d(4, 4, 1),
        }
    )


def chosen(
    *kernels: Stand,
    wanted: str = "auto",
    clock: Callable[[nn.Module, Tensor], float],
    tuning: Tuning | None = None,
) -> tuple[Choice, nn.ModuleDict]:
    model = network()
    return choose(wanted, model, LAYERS, GPU, 40, kernels, clock, tuning), model


@pytest.mark.parametrize(
    ("times", "want"),
    [
        ({"": 10.0, "quick": 5.0, "slow": 6.0}, "quick"),
        ({"": 10.0, "quick": 7.0, "slow": 6.0}, "slow"),
        ({"": 10.0, "quick": 9.75, "slow": 12.0}, None),
        ({"": 10.3, "quick": 10.0, "slow": 12.0}, "quick"),
    ],
)
def test_the_fastest_product_is_taken_where_it_gains_3_percent(
    times: dict[str, float], want: str | None
) -> None:
    clock = Clock(times)
    choice, model = chosen(Stand("quick", sides=2), Stand("slow", sides=2), clock=clock)
    taken = {} if want is None else {"wide": want, "narrow": want}
    assert choice.kernels == taken
    assert (choice.backend, choice.sparse_layers, choice.total_layers) == (want or "dense", len(taken), 4)
    assert len(clock.measured) == 4, "once for each shape; the odd one is measured dense alone"
    assert clock.measured[0] == ("", (40, 32))
    if want is not None:
        assert model["wide"].algorithm == 7
        assert choice.reason == "2 of 4 masked layers measured at least 3 % faster sparse."


def test_each_layer_is_measured_at_its_own_rows_and_one_that_is_never_called_not_at_all() -> None:
    clock, model = Clock({"": 2.0, "quick": 1.0}), network()
    rows = {"wide": 24, "picture": 24, "odd": 16}
    choice = choose("auto", model, LAYERS, GPU, rows, [Stand("quick")], clock)
    assert set(choice.kernels) == {"wide", "odd"}
    assert clock.measured == [("", (24, 32)), ("quick", (24, 32)), ("", (16, 33)), ("quick", (16, 33))]


def test_the_dense_layers_come_back_and_the_sparse_ones_with_them() -> None:
    choice, model = chosen(Stand("quick", sides=2), clock=Clock({"": 2.0, "quick": 1.0}))
    sparse = model["wide"]
    assert restore_dense(model, choice)["wide"] is sparse
    assert type(model["wide"]) is nn.Linear


@pytest.mark.parametrize("kernel", [Stand("quick", error=0.5), Stand("quick", fails=True)])
def test_what_computes_wrongly_or_not_at_all_is_left_out(kernel: Stand) -> None:
    choice, _ = chosen(kernel, Stand("slow", sides=2), clock=Clock({"": 10.0, "quick": 9.9, "slow": 6.0}))
    assert set(choice.kernels.values()) == {"slow"}
    choice, _ = chosen(kernel, clock=Clock({"": 10.0, "quick": 1.0}))
    assert choice.backend == "dense"


def test_a_kernel_that_is_asked_for_has_no_rival() -> None:
    clock = Clock({"": 10.0, "quick": 5.0, "slow": 6.0})
    choice, _ = chosen(Stand("quick"), Stand("slow"), wanted="slow", clock=clock)
    assert choice.backend == "slow"


def test_without_memory_to_measure_the_error_goes_on() -> None:
    def full(module: nn.Module, x: Tensor) -> float:
        if isinstance(module, Product):
            raise torch.OutOfMemoryError
        return 1.0

    with pytest.raises(torch.OutOfMemoryError):
        chosen(Stand("quick"), clock=full)


def test_what_was_measured_is_known_to_the_next_start_on_the_same_gpu_alone(tmp_path: Path) -> None:
    of = {"gpu": "H200", "driver": "580", "torch": "2.15"}
    kernels, times = (Stand("quick"), Stand("slow")), {"": 10.0, "quick": 6.0, "slow": 5.0}
    first, _ = chosen(*kernels, clock=Clock(times), tuning=Tuning(tmp_path / "new", of))
    again = Clock({"": math.nan})
    second, model = chosen(*kernels, clock=again, tuning=Tuning(tmp_path / "new", of))
    assert again.measured == []
    assert second.kernels == first.kernels
    assert model["wide"].algorithm == 7
    for changed in ({**of, "driver": "590"}, {**of, "gpu": "A100"}):
        anew = Clock(times)
        chosen(*kernels, clock=anew, tuning=Tuning(tmp_path / "new", changed))
        assert anew.measured
    (rivals := Clock(times))
    chosen(kernels[0], clock=rivals, tuning=Tuning(tmp_path / "new", of))
    assert rivals.measured, "among other kernels"


@pytest.mark.parametrize("content", ["", "[]", '{"of": {}, "choices": {}}', "\x00"])
def test_a_damaged_file_costs_a_measurement_and_nothing_else(content: str, tmp_path: Path) -> None:
    tuning = Tuning(tmp_path, {"gpu": "H200"})
    chosen(Stand("quick"), clock=Clock({"": 10.0, "quick": 6.0}), tuning=tuning)
    (file,) = tmp_path.iterdir()
    file.write_text(content)
    clock = Clock({"": 10.0, "quick": 6.0})
    chosen(Stand("quick"), clock=clock, tuning=Tuning(tmp_path, {"gpu": "H200"}))
    assert clock.measured


def test_a_folder_that_can_t_be_written_keeps_nothing(tmp_path: Path) -> None:
    (tmp_path / "file").touch()
    choice, _ = chosen(
        Stand("quick"), clock=Clock({"": 2.0, "quick": 1.0}), tuning=Tuning(tmp_path / "file", {})
    )
    assert choice.backend == "quick"


def test_where_measurements_are_kept(tmp_path: Path) -> None:
    assert tuning_folder({"SPARSEDM_TUNING_DIR": str(tmp_path)}) == tmp_path
    assert tuning_folder({}).name == "sparsedm-tuning"
    assert circumstances(CPU, torch.bfloat16)["precision"] == "bfloat16"


BOTH = ("cusparselt", "cutlass")


@pytest.mark.parametrize(
    ("wanted", "situation", "want"),
    [
        ("auto", Situation(CUDA, torch.bfloat16, "2:4", (8, 0), BOTH), None),
        ("cutlass", Situation(CUDA, torch.float16, "2:4", (9, 0), BOTH), None),
        ("dense", Situation(CUDA, torch.float16, "2:4", (9, 0), BOTH), "engine.backend is dense"),
        ("auto", Situation(CPU, torch.bfloat16, "2:4"), "there is no CUDA GPU"),
        (
            "auto", Situation(CUDA, torch.half, "2:4", (7, 5), BOTH),
            "the GPU's compute capability 7.5 is below 8.0",
        ),
        (
            "auto", Situation(CUDA, torch.bfloat16, "1:4", (8, 0), BOTH),
            "the pattern is 1:4, and GPUs multiply 2:4",
        ),
        (
            "auto", Situation(CUDA, torch.float32, "2:4", (8, 0), BOTH),
            "precision is fp32, and sparse products take bf16 or fp16",
        ),
    ],
)  # fmt: skip
def test_what_stands_against_sparse_products(wanted: str, situation: Situation, want: str | None) -> None:
    assert demand(wanted, situation) == want
    if wanted == "auto" and want is not None:
        assert (
            choose("auto", nn.Identity(), [{"name": "a"}], situation, 8).reason == f"Dense, because {want}."
        )
        with pytest.raises(ConfigError, match=r"engine\.backend is cutlass, but "):
            demand("cutlass", situation)


def test_a_kernel_that_torch_lacks_is_refused_by_name() -> None:
    with pytest.raises(ConfigError, match="this torch has no cusparselt: write auto or dense"):
        demand("cusparselt", Situation(CUDA, torch.bfloat16, "2:4", (8, 0), ("cutlass",)))


def test_the_kernels_of_torch_are_those_of_the_configuration() -> None:
    assert [kernel.name for kernel in KERNELS] == list(BOTH)
