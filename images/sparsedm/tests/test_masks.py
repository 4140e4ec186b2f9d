"""Masks against brute force: every N:M up to M = 8, with ties; some up to 32; Linear and Conv2d."""

from __future__ import annotations

import hashlib
import itertools
import sys
import threading
from collections.abc import Callable, Iterator
from typing import Any

import numpy as np
import pytest
import torch
from torch import nn
from torch.utils._python_dispatch import TorchDispatchMode

from sparsedm.sparsity import masks as module
from sparsedm.sparsity.layers import MaskedLayers
from sparsedm.sparsity.masks import (
    BITS,
    add_outside,
    apply_mask,
    count_moved,
    group_counts,
    has_negative_zero,
    magnitude_mask,
    mask_digest,
    nm_mask,
    scale_parts,
    soft_threshold,
)
from sparsedm.sparsity.methods import METHODS, build_method
from sparsedm.sparsity.pattern import Pattern

ALL_UP_TO_8 = [(n, m) for m in range(2, 9) for n in range(1, m)]
SOME_UP_TO_32 = [(1, 16), (8, 16), (15, 16), (5, 20), (1, 32), (16, 32), (31, 32)]


def brute_force(weight: torch.Tensor, n: int, m: int) -> torch.Tensor:
    """Group by group: sort by (-magnitude, index) and keep the first n."""
    mask = torch.zeros_like(weight, dtype=torch.bool)
    others = [range(s) for s in (weight.shape[0], *weight.shape[2:])]
    for place in itertools.product(*others):
        for start in range(0, weight.shape[1], m):
            indices = [(place[0], start + i, *place[1:]) for i in range(m)]
            ranked = sorted(range(m), key=lambda i: (-abs(weight[indices[i]].item()), i))
            for i in ranked[:n]:
                mask[indices[i]] = True
    return mask


def weights_with_ties(*shape: int, dtype: torch.dtype = torch.float32) -> torch.Tensor:
    """Values from a tiny set, so that most groups hold equals, opposite signs and zeros of both signs."""
    values = torch.tensor([-2.0, -1.0, -0.0, 0.0, 1.0, 2.0], dtype=dtype)
    generator = torch.Generator().manual_seed(sum(shape))
    return values[torch.randint(len(values), shape, generator=generator)]


@pytest.mark.parametrize(("n", "m"), ALL_UP_TO_8 + SOME_UP_TO_32)
def test_linear_mask_with_ties_equals_brute_force(n: int, m: int) -> None:
    weight = weights_with_ties(12, 3 * m)
    assert torch.equal(nm_mask(weight, n, m), brute_force(weight, n, m))


@pytest.mark.parametrize(("n", "m"), ALL_UP_TO_8 + SOME_UP_TO_32)
def test_linear_mask_without_ties_equals_brute_force(n: int, m: int) -> None:
    weight = torch.randn(7, 2 * m, generator=torch.Generator().manual_seed(m))
    assert torch.equal(nm_mask(weight, n, m), brute_force(weight, n, m))


@pytest.mark.parametrize(("n", "m"), [(1, 2), (2, 4), (3, 4), (7, 8), (3, 7)])
def test_conv_mask_groups_input_channels_per_output_and_kernel_position(n: int, m: int) -> None:
    weight = weights_with_ties(3, 2 * m, 3, 2)
    mask = nm_mask(weight, n, m)
    assert torch.equal(mask, brute_force(weight, n, m))
    assert mask.is_contiguous()


@pytest.mark.parametrize(("n", "m"), [(2, 4), (3, 8), (31, 32)])
def test_every_group_has_exactly_n_survivors_even_when_all_are_equal(n: int, m: int) -> None:
    mask = nm_mask(torch.full((5, 4 * m), 0.5), n, m)
    want = torch.arange(4 * m).remainder(m).lt(n).expand(5, -1)
    assert torch.equal(mask, want), "the lowest indices win"


class Traffic(TorchDispatchMode):
    """Counts the numbers that all operations together write."""

    written = 0

    def __torch_dispatch__(self, function: Any, types: Any, args: Any = (), kwargs: Any = None) -> Any:
        result = function(*args, **(kwargs or {}))
        self.written += result.numel() if isinstance(result, torch.Tensor) else 0
        return result


@pytest.mark.parametrize(("n", "m", "most"), [(8, 16, 70), (15, 16, 16), (31, 32, 16)])
def test_what_a_mask_costs(n: int, m: int, most: int) -> None:
    """Numbers written for each weight; 31:32 is made without comparing all pairs, which would take 110. It
    counts numbers instead of time."""
    weight = torch.randn(64, 32 * 8)
    with Traffic() as traffic:
        magnitude_mask(weight, n, m)
    assert traffic.written <= most * weight.numel()


SORTS = {"sort", "argsort", "msort", "topk", "kthvalue", "partition", "argpartition"}


class Sorts(TorchDispatchMode):
    """Records every sort: torch's by what it dispatches, NumPy's by the calls into C."""

    def __init__(self) -> None:
        super().__init__()
        self.seen: list[str] = []

    def __torch_dispatch__(self, function: Any, types: Any, args: Any = (), kwargs: Any = None) -> Any:
        self.note(function.overloadpacket.__name__)
        return function(*args, **(kwargs or {}))

    def profile(self, frame: Any, event: str, called: Any) -> None:
        if event == "c_call" and isinstance(getattr(called, "__self__", None), np.ndarray):
            self.note(called.__name__)

    def note(self, name: str) -> None:
        if name in SORTS:
            self.seen.append(name)

    def __enter__(self) -> Any:
        self.before = sys.getprofile()
        sys.setprofile(self.profile)
        return super().__enter__()

    def __exit__(self, *raised: Any) -> None:
        super().__exit__(*raised)
        sys.setprofile(self.before)


@pytest.mark.parametrize(
    "sort",
    [
        lambda values: values.sort(stable=True),
        lambda values: values.argsort(),
        lambda values: values.msort(),
        lambda values: values.topk(2),
        lambda values: values.kthvalue(2),
        lambda values: np.sort(values.numpy()),
        lambda values: np.argsort(values.numpy(), kind="stable"),
        lambda values: np.partition(values.numpy(), 2),
        lambda values: np.argpartition(values.numpy(), 2),
        lambda values: values.numpy().copy().sort(),
        lambda values: values.numpy().argpartition(2),
    ],
)
def test_a_sort_is_seen(sort: Callable[[torch.Tensor], Any]) -> None:
    values = torch.randn(8)
    with Sorts() as sorts:
        sort(values)
    assert sorts.seen


@pytest.mark.parametrize(("n", "m"), [(1, 2), (2, 4), (4, 8), (3, 4), (3, 7), (8, 16), (31, 32)])
@pytest.mark.parametrize("shape", [(6, 672), (2, 672, 2, 3)])
@pytest.mark.parametrize("dtype", [torch.float32, torch.bfloat16])
def test_a_mask_is_made_without_a_sort(n: int, m: int, shape: tuple[int, ...], dtype: torch.dtype) -> None:
    weight = torch.randn(shape).to(dtype)
    with Sorts() as sorts:
        nm_mask(weight, n, m)
    assert sorts.seen == []


@pytest.mark.parametrize(("n", "m"), [(2, 4), (3, 7), (31, 32)])
@pytest.mark.parametrize("name", [name for name, method in METHODS.items() if method.masks])
def test_a_masked_model_is_masked_and_runs_without_a_sort(name: str, n: int, m: int) -> None:
    method = build_method(name)
    model = nn.Sequential(nn.Conv2d(224, 224, 3), nn.Flatten(), nn.Linear(224, 3))
    layers = MaskedLayers(model, ["0", "2"], method.masked_weight, scaling=method.scaling)
    with Sorts() as sorts:
        for _ in range(2):
            layers.refresh(Pattern(n, m))
            for _, weight, masking in layers.weights():
                method.begin_stage(weight, masking)
            model(torch.randn(2, 224, 3, 3)).sum().backward()
        layers.freeze()
        model(torch.randn(2, 224, 3, 3))
    assert sorts.seen == []
    layers.check()


def sorted_mask(groups: np.ndarray, n: int) -> np.ndarray:
    """`brute_force` for (groups, m) at once: a stable sort by falling magnitude, the first n stay."""
    order = np.argsort(-np.abs(groups), axis=1, kind="stable")
    mask = np.zeros(groups.shape, dtype=bool)
    np.put_along_axis(mask, order[:, :n], True, axis=1)
    return mask


@pytest.mark.parametrize("m", range(2, 33))
def test_every_pattern_up_to_32_equals_a_stable_sort_with_ties_subnormals_and_infinities(m: int) -> None:
    generator = np.random.default_rng(m)
    values = np.array([0.0, -0.0, 1e-45, -1e-45, 3e-45, 1.0, -1.0, 2.0, np.inf, -np.inf], dtype=np.float32)
    tied = generator.choice(values, (24, m))
    weight = np.concatenate([tied, generator.standard_normal((24, m), dtype=np.float32)])
    for n in range(1, m):
        want = sorted_mask(weight, n)
        linear = nm_mask(torch.from_numpy(weight).reshape(16, 3 * m), n, m)
        assert np.array_equal(linear.reshape(-1, m).numpy(), want)
        conv = torch.from_numpy(weight).reshape(4, 4, 3, m).permute(0, 3, 1, 2)
        assert np.array_equal(nm_mask(conv, n, m).permute(0, 2, 3, 1).reshape(-1, m).numpy(), want)


@pytest.fixture(params=[1, 3], ids=lambda threads: f"threads={threads}")
def shared(request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    """Small blocks, so that few weights make many blocks for this number of threads."""
    monkeypatch.setattr(module, "BLOCK", SMALL)
    threads = torch.get_num_threads()
    torch.set_num_threads(request.param)
    yield
    torch.set_num_threads(threads)


SMALL = 1 << 10


def test_many_blocks_are_shared_by_threads_and_few_are_not(shared: None) -> None:
    def who(blocks: module.Blocks) -> tuple[int, int]:
        return threading.get_ident(), sum(block.size for (block,) in blocks)

    here = (threading.get_ident(), 7 * SMALL)
    assert module._share(who, [(torch.zeros(SMALL),)] * 7) == [here]
    found = module._share(who, [(torch.zeros(2, 5 * SMALL),), (torch.zeros(9 * SMALL),)])
    assert sum(size for _, size in found) == 19 * SMALL
    assert len(found) == torch.get_num_threads() or found[0][0] == here[0]
    assert module._share(who, []) == []


def test_layers_of_different_types_keep_their_own_precision(shared: None) -> None:
    """These doubles are equal once rounded to float."""
    double = 1.0 + 1e-12 * torch.randn(8, SMALL, dtype=torch.float64)
    single = weights_with_ties(8, SMALL)
    found = module.magnitude_masks([single, double], 2, 4)
    assert all(torch.equal(mask, nm_mask(w, 2, 4)) for mask, w in zip(found, (single, double), strict=True))
    none = torch.zeros_like(double, dtype=torch.bool)
    sums = [torch.zeros_like(single), torch.zeros_like(double)]
    add_outside([(sums[0], single, none), (sums[1], double, none)], 0.5)
    assert torch.equal(sums[0], 0.5 * single)
    assert torch.equal(sums[1], 0.5 * double)


def test_an_error_in_a_thread_is_raised(shared: None) -> None:
    def fail(blocks: module.Blocks) -> None:
        raise MemoryError("no room")

    with pytest.raises(MemoryError, match="no room"):
        module._share(fail, [(torch.zeros(40 * SMALL),)])


@pytest.mark.parametrize(("n", "m"), [(1, 2), (2, 4), (3, 8)])
@pytest.mark.parametrize("groups", [1, -1, 0, 1000, 9000])
def test_many_weights_are_masked_block_by_block(n: int, m: int, groups: int, shared: None) -> None:
    """Two blocks of weights, and this number of further groups."""
    size = 2 * SMALL + groups * m
    weight = weights_with_ties(1, size)
    assert np.array_equal(
        nm_mask(weight, n, m).reshape(-1, m).numpy(), sorted_mask(weight.reshape(-1, m).numpy(), n)
    )


def test_all_two_of_four_groups_of_three_values_equal_brute_force() -> None:
    weight = torch.tensor(list(itertools.product([0.0, -1.0, 2.0], repeat=4)))
    assert torch.equal(nm_mask(weight, 2, 4), brute_force(weight, 2, 4))


@pytest.mark.parametrize("dtype", [torch.float64, torch.bfloat16, torch.float16])
def test_other_float_types(dtype: torch.dtype) -> None:
    weight = weights_with_ties(6, 16, dtype=dtype)
    assert torch.equal(nm_mask(weight, 2, 4), brute_force(weight, 2, 4))


def test_subnormals_and_infinities_are_ordered() -> None:
    weight = torch.tensor([[1.4e-45, 2.8e-45, -4.2e-45, 0.0], [float("inf"), 1.0, -float("inf"), 3e38]])
    want = torch.tensor([[False, True, True, False], [True, False, True, False]])
    assert torch.equal(nm_mask(weight, 2, 4), want)


def test_nan_is_refused_with_a_sentence() -> None:
    with pytest.raises(ValueError, match="a weight is NaN"):
        nm_mask(torch.tensor([[1.0, float("nan"), 2.0, 3.0]]), 2, 4)


@pytest.mark.parametrize(("n", "m"), [(0, 4), (4, 4), (5, 4), (2, 33)])
def test_what_is_no_pattern_is_refused(n: int, m: int) -> None:
    with pytest.raises(ValueError, match="1 <= N < M <= 32"):
        nm_mask(torch.ones(2, 132), n, m)


def test_an_input_dimension_that_m_does_not_divide_is_refused() -> None:
    with pytest.raises(ValueError, match="10 is not a multiple of 4"):
        nm_mask(torch.ones(2, 10), 2, 4)


def test_a_weight_of_another_rank_is_refused() -> None:
    with pytest.raises(ValueError, match="neither a Linear's nor a Conv2d's"):
        nm_mask(torch.ones(2, 4, 3), 2, 4)


def test_the_mask_ignores_autograd_and_keeps_the_device() -> None:
    weight = torch.randn(4, 8, requires_grad=True)
    mask = magnitude_mask(weight, 2, 4)
    assert not mask.requires_grad
    assert mask.dtype == torch.bool


def test_apply_mask_leaves_no_negative_zero() -> None:
    weight = torch.tensor([[-3.0, 1.0, -1.0, -2.0]])
    masked = apply_mask(weight, nm_mask(weight, 2, 4))
    assert masked.tolist() == [[-3.0, 0.0, 0.0, -2.0]]
    assert not has_negative_zero(masked)
    assert has_negative_zero(weight * nm_mask(weight, 2, 4))


def test_worked_example_of_scaled_parts() -> None:
    found = scale_parts(torch.tensor([[1.0, -4.0, 2.0, 3.0]]), torch.tensor([[2.0, 0.5]]))
    assert found.tolist() == [[2.0, -8.0, 1.0, 1.5]]


def test_scaled_parts_of_a_convolution_are_parts_of_its_input_channels() -> None:
    weight = torch.randn(3, 4, 2, 2, generator=torch.Generator().manual_seed(0))
    factors = torch.tensor([[1.0, 2.0], [3.0, 4.0], [5.0, 6.0]])
    found = scale_parts(weight, factors)
    for row, part in itertools.product(range(3), range(2)):
        channels = slice(2 * part, 2 * part + 2)
        assert torch.equal(found[row, channels], weight[row, channels] * factors[row, part])


@pytest.mark.parametrize("dtype", list(BITS))
@pytest.mark.parametrize("shape", [(5, 8), (3, 8, 2, 3)])
def test_apply_mask_keeps_every_bit_of_what_stays(dtype: torch.dtype, shape: tuple[int, ...]) -> None:
    weight = torch.randn(shape, generator=torch.Generator().manual_seed(0)).to(dtype)
    weight.view(-1)[:4] = torch.tensor([float("nan"), float("inf"), -0.0, 1e-45])
    weight = weight.to(memory_format=torch.channels_last) if weight.dim() == 4 else weight
    mask = torch.rand(shape, generator=torch.Generator().manual_seed(1)) < 0.5
    mask.view(-1)[:4] = True
    found, want = apply_mask(weight, mask), torch.where(mask, weight, 0.0)
    assert torch.equal(found.view(BITS[dtype]), want.view(BITS[dtype]))


@pytest.mark.parametrize(
    "shape", [(4,), (0, 8), (37, SMALL // 2 - 8), (3 * SMALL + 3, 4), (9, SMALL + 8), (64, 4, 31, 37)]
)
def test_what_is_done_block_by_block_is_done_to_all_weights(shape: tuple[int, ...], shared: None) -> None:
    random = torch.Generator().manual_seed(2)
    weight, total = (torch.randn(shape, generator=random) for _ in range(2))
    mask, other = (torch.rand(shape, generator=random) < 0.5 for _ in range(2))
    if len(shape) == 4:
        weight, total = (t.to(memory_format=torch.channels_last) for t in (weight, total))
    assert torch.equal(apply_mask(weight, mask), torch.where(mask, weight, 0.0))
    assert count_moved([mask, other], [other, other]).tolist() == [int((mask != other).sum())]
    want = total - 0.25 * torch.where(mask, 0.0, weight)
    add_outside([(total, weight, mask)], -0.25)
    torch.testing.assert_close(total, want)
    want = torch.where(mask, weight, 0.75 * weight)
    add_outside([(weight, weight, mask)], -0.25)  # the decoupled decay: the sum is the weight itself
    torch.testing.assert_close(weight, want)


def test_group_counts_of_linear_and_conv() -> None:
    assert group_counts(torch.tensor([[1.0, 0.0, 2.0, 0.0], [0.0, 0.0, -0.0, 3.0]]), 2).tolist() == [
        1,
        1,
        0,
        1,
    ]
    conv = torch.zeros(1, 4, 1, 2)
    conv[0, :3, 0, 1] = 1.0
    assert group_counts(conv, 4).tolist() == [0, 3]


def test_mask_digest_is_sha256_over_sorted_names_and_packed_bits() -> None:
    masks = {"b": torch.tensor([[True, False, True]]), "a": torch.tensor([[False, True]])}
    want = hashlib.sha256(
        b"a\0" + np.packbits([0, 1]).tobytes() + b"b\0" + np.packbits([1, 0, 1]).tobytes()
    ).hexdigest()
    assert mask_digest(masks) == f"sha256:{want}"


@pytest.mark.parametrize(
    ("weight", "want"),
    [
        ([1.0, -4.0, 2.0, 3.0], [0.0, -2.0, 0.0, 1.0]),
        ([1.0, 1.0, 1.0, -3.0], [0.0, 0.0, 0.0, -2.0]),
        ([2.0, 2.0, -2.0, 2.0], [0.0, 0.0, 0.0, 0.0]),
    ],
)
def test_worked_examples_of_the_soft_threshold(weight: list[float], want: list[float]) -> None:
    tensor = torch.tensor([weight])
    found = soft_threshold(tensor, nm_mask(tensor, 2, 4), 4)
    assert found.tolist() == [want]
    assert not has_negative_zero(found)


@pytest.mark.parametrize(("n", "m"), [(1, 2), (2, 4), (1, 4), (3, 4), (4, 8), (31, 32)])
@pytest.mark.parametrize("shape", [(6, 64), (3, 64, 2, 3)])
def test_the_soft_threshold_takes_off_the_largest_masked_magnitude(
    n: int, m: int, shape: tuple[int, ...]
) -> None:
    weight = torch.randn(shape, generator=torch.Generator().manual_seed(m))
    groups = (weight if weight.dim() == 2 else weight.permute(0, 2, 3, 1)).reshape(-1, m)
    threshold = groups.abs().sort(dim=1).values[:, m - n - 1 : m - n]
    want = groups.sign() * (groups.abs() - threshold).relu()
    found = soft_threshold(weight, nm_mask(weight, n, m), m)
    found = (found if weight.dim() == 2 else found.permute(0, 2, 3, 1)).reshape(-1, m)
    assert torch.equal(found, want)
    assert int((found != 0).sum(dim=1).max()) == n


def test_the_soft_threshold_does_not_jump_where_the_mask_does() -> None:
    step = 1e-6
    below = torch.tensor([[1.0, 5.0, 3.0 - step, 3.0]], dtype=torch.float64)
    above = torch.tensor([[1.0, 5.0, 3.0 + step, 3.0]], dtype=torch.float64)
    masks = [nm_mask(w, 2, 4) for w in (below, above)]
    assert not torch.equal(*masks)
    soft = [soft_threshold(w, mask, 4) for w, mask in zip((below, above), masks, strict=True)]
    hard = [apply_mask(w, mask) for w, mask in zip((below, above), masks, strict=True)]
    assert (soft[0] - soft[1]).abs().max().item() <= 2.1 * step
    assert (hard[0] - hard[1]).abs().max().item() > 2.9


def test_an_open_mask_leaves_the_weight_as_it_is() -> None:
    weight = torch.randn(3, 5)
    assert torch.equal(soft_threshold(weight, torch.ones_like(weight, dtype=torch.bool), 1), weight)
