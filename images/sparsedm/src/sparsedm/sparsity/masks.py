"""N:M masks: exactly N survivors in every group of M along the input dimension.

Groups run along dimension 1: `in_features` of a Linear weight (O, I), `C_in` of a Conv2d weight (O, C, kh,
kw) for a fixed output channel and kernel position. The survivors are those of largest magnitude; among
equals the lowest index wins, so the mask is a function of the weights alone.

No sort: a weight survives when it beats at least M - N of the others in its group. Each of the M(M-1)/2
pairs is compared once, over many groups together. For M of 2, 4 and 8 on a CPU the M counts of a group lie
side by side in the bytes of one integer, so that one addition counts for the whole group. Where one weight of
more goes (31:32, with which a schedule begins) M comparisons do. A GPU has a kernel for it (cuda_kernels.py).
"""

from __future__ import annotations

import hashlib
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from typing import Any

import numpy as np
import torch
from torch import Tensor

from sparsedm.sparsity import cuda_kernels
from sparsedm.sparsity.pattern import Pattern

Blocks = Sequence[tuple[np.ndarray, ...]]
"""For each block of weights, as many arrays of the same shape."""


@dataclass
class Masking:
    """What masks one layer. `group` is M of the pattern in force, 1 where the mask is open (all True).

    `scale` is the fixed factor of S-STE, 1 elsewhere. `frozen` says that the mask no longer moves. `scaling`
    are CAST's learned factors (outputs, parts of a row), None elsewhere.
    """

    mask: Tensor
    group: int = 1
    scale: float = 1.0
    frozen: bool = False
    scaling: Tensor | None = None


def input_last(weight: Tensor) -> Tensor:
    """A view with the input dimension last: (O, I) as it is, (O, C, kh, kw) as (O, kh, kw, C)."""
    if weight.dim() == 2:
        return weight
    if weight.dim() == 4:
        return weight.permute(0, 2, 3, 1)
    raise ValueError(f"a weight of shape {tuple(weight.shape)} is neither a Linear's nor a Conv2d's.")


def nm_mask(weight: Tensor, n: int, m: int) -> Tensor:
    """The magnitude mask: bool, of the weight's shape, with exactly `n` True in each group of `m`.

    Raises ValueError when the input dimension is not a multiple of `m` or a weight is NaN.
    """
    pattern = Pattern(n, m)
    if weight.shape[1] % m:
        raise ValueError(
            f"the input dimension {weight.shape[1]} is not a multiple of {m}: no {pattern} mask fits."
        )
    if torch.isnan(weight).any():
        raise ValueError(
            "a weight is NaN: no magnitude mask can be computed; the training diverged before this."
        )
    return magnitude_mask(weight, n, m)


def magnitude_mask(weight: Tensor, n: int, m: int) -> Tensor:
    """`nm_mask` without its checks, for the training loop (which stops at a NaN loss or gradient)."""
    return magnitude_masks([weight], n, m)[0]


def magnitude_masks(weights: Sequence[Tensor], n: int, m: int) -> list[Tensor]:
    """`magnitude_mask` of each, made together: a few large operations take less time than many small ones."""
    if cuda_kernels.take(*weights):
        return cuda_kernels.nm_masks(weights, n, m)
    lasts = [input_last(weight.detach()) for weight in weights]
    # A compiler follows no NumPy.
    words = m in WORDS and all(last.is_cpu for last in lasts) and not torch.compiler.is_compiling()
    rows = _in_words(lasts, n, m) if words else _in_columns(lasts, n, m)
    return [_input_back(row.view(last.shape)).contiguous() for row, last in zip(rows, lasts, strict=True)]


def count_moved(before: Sequence[Tensor], after: Sequence[Tensor]) -> Tensor:
    """The number of weights that changed sides between two lists of masks, (1,) int64 on their device."""
    if cuda_kernels.take(*before, *after):
        return cuda_kernels.count_moved(before, after)
    if before[0].is_cpu:
        counts = _share(_count_moved, zip(before, after, strict=True))
        return torch.tensor([sum(counts)])
    was, now = (in_a_row(masks) for masks in (before, after))
    return torch.count_nonzero(was != now).reshape(1)


def _count_moved(blocks: Blocks) -> int:
    return sum(np.count_nonzero(was != now) for was, now in blocks)


def in_a_row(tensors: Sequence[Tensor]) -> Tensor:
    """All values, one after the other; one tensor alone is not copied."""
    rows = [tensor.reshape(-1) for tensor in tensors]
    return rows[0] if len(rows) == 1 else torch.cat(rows)


def _input_back(last: Tensor) -> Tensor:
    """Undoes `input_last`."""
    return last if last.dim() == 2 else last.permute(0, 3, 1, 2)


WORDS: dict[int, type[np.signedinteger]] = {2: np.int16, 4: np.int32, 8: np.int64}
"""M -> the integer with M bytes."""
BLOCK = 1 << 19
"""Weights per block, which fits into the cache."""


def _word(values: Sequence[int]) -> int:
    """The integer whose bytes, from the lowest on, are `values`; signed, as torch's are."""
    return int.from_bytes(bytes(values), "little", signed=True)


def _in_words(lasts: Sequence[Tensor], n: int, m: int) -> list[Tensor]:
    """lasts: on the CPU, groups of m along the last dimension. Returns for each a bool row of all its weights
    with n True in each group.

    Byte i of a group's integer counts the weights that i beats. It starts at i, as if i had beaten all the
    earlier ones; each comparison of i with i + k adds 1 to i and takes 1 from i + k where i wins, the earlier
    of two equals. Of 128 + count - (m - n) the highest bit says whether the count is at least m - n.
    Worked example: 2:4 of [1, -4, 2, 3] counts [0, 3, 1, 2] and keeps [no, yes, no, yes].

    NumPy has less overhead per operation than torch, so a block may be small.
    """
    comparable = (torch.float32, torch.float64)
    rows = [(last if last.dtype in comparable else last.float()).reshape(-1) for last in lasts]
    kept = [torch.empty(len(row), dtype=torch.bool) for row in rows]
    word, ones = WORDS[m], _word([1] * m)

    def keep(blocks: Blocks) -> None:
        size = max(len(block) for block, _ in blocks)
        magnitudes, all_wins = np.empty(size, _widest(blocks)), np.zeros(size, np.bool_)
        all_counts = np.empty(size // m, word)
        for block, inside in blocks:
            length = len(block)
            magnitude = np.abs(block, out=magnitudes[:length])
            wins, counts = all_wins[:length], all_counts[: length // m]
            counts.fill(_word([128 + i - (m - n) for i in range(m)]))
            for k in range(1, m):
                np.greater_equal(magnitude[:-k], magnitude[k:], out=wins[:-k])
                won = wins.view(word)
                won &= word(_word([1] * (m - k) + [0] * k))  # not those over a group's end
                counts += won
                won <<= word(8 * k)
                counts -= won
            counts >>= word(7)
            np.bitwise_and(counts, word(ones), out=inside.view(word))

    _share(keep, zip(rows, kept, strict=True))
    return kept


def _in_columns(lasts: Sequence[Tensor], n: int, m: int) -> list[Tensor]:
    """As `_in_words`, for any m and anywhere. On a CPU not too many weights at a time, since it needs several
    times their memory."""
    kept: list[Tensor] = []
    for some in _buckets(lasts):
        survivors = _survivors(in_a_row(some).abs().reshape(-1, m).t().contiguous(), n)
        kept += survivors.t().reshape(-1).split([last.numel() for last in some])
    return kept


BUCKET = 1 << 21
"""Weights on a CPU whose masks are made together by `_in_columns`."""


def _buckets(lasts: Sequence[Tensor]) -> Iterator[list[Tensor]]:
    """Consecutive tensors of up to BUCKET weights together, a larger one alone; on a GPU all at once."""
    some: list[Tensor] = []
    for last in lasts:
        if some and last.is_cpu and sum(one.numel() for one in [*some, last]) > BUCKET:
            yield some
            some = []
        some.append(last)
    if some:
        yield some


def _survivors(columns: Tensor, n: int) -> Tensor:
    """columns: (m, groups) magnitudes. Returns bool (m, groups) with n True in each column."""
    m = columns.shape[0]
    if n == m - 1:
        return _all_but_one(columns)
    beaten = torch.zeros(columns.shape, dtype=torch.int8, device=columns.device)
    for i in range(m - 1):
        # The earlier of two equals wins: i beats j > i unless j is strictly larger.
        wins = columns[i] >= columns[i + 1 :]
        beaten[i + 1 :] += wins
        beaten[i] += (m - 1 - i) - wins.sum(dim=0, dtype=torch.int8)
    return beaten < n


def _all_but_one(columns: Tensor) -> Tensor:
    """All but the last of the smallest: m comparisons, not m(m - 1)/2."""
    places = torch.arange(columns.shape[0], dtype=torch.int8, device=columns.device)[:, None]
    return places != torch.where(columns == columns.amin(dim=0), places, -1).amax(dim=0)


def group_counts(weight: Tensor, m: int) -> Tensor:
    """The number of non-zero weights in each group of `m`: int64, one entry per group."""
    return (input_last(weight.detach()) != 0).reshape(-1, m).sum(dim=1)


def has_negative_zero(weight: Tensor) -> bool:
    """True where a zero carries a sign: -0.0 has confused sparse kernels, so an artifact holds +0.0 only."""
    flat = weight.detach().float()
    return bool((torch.signbit(flat) & (flat == 0)).any())


BITS = {torch.float64: torch.int64, torch.float32: torch.int32, torch.float16: torch.int16}
BITS[torch.bfloat16] = torch.int16
"""Float types, and the integers of their size."""


def apply_mask(weight: Tensor, mask: Tensor) -> Tensor:
    """The weight with +0.0 wherever the mask is False (a product would leave -0.0 for negative weights).

    On a CPU as integers of the size of a weight, times 0 or 1: torch.where takes many times as long, the loop
    that a compiler makes of it three times as long. No gradient passes through.
    """
    if weight.is_cuda:
        return torch.where(mask, weight.detach(), 0.0)
    return (_compiled if torch.compiler.is_compiling() else _masked)(weight.detach(), mask)


def _masked(weight: Tensor, mask: Tensor) -> Tensor:
    masked, bits = torch.empty_like(weight), BITS[weight.dtype]
    _share(_multiply, [(weight.view(bits), mask, masked.view(bits))])
    return masked


_compiled = torch.library.custom_op(
    "sparsedm::masked", _masked, mutates_args=(), schema="(Tensor weight, Tensor mask) -> Tensor"
)
"""`_masked` as an operation that a compiler calls and does not look into."""
_compiled.register_fake(lambda weight, mask: torch.empty_like(weight))


def _multiply(blocks: Blocks) -> None:
    for values, kept, result in blocks:
        result[...] = kept
        result *= values


def multiplied(weight: Tensor, mask: Tensor) -> Tensor:
    """`apply_mask` for a product: on a GPU in the type that autocast gives to products, in one pass."""
    autocast = weight.is_cuda and weight.dtype == torch.float32 and torch.is_autocast_enabled("cuda")
    dtype = torch.get_autocast_dtype("cuda") if autocast else weight.dtype
    if torch.compiler.is_compiling() or not cuda_kernels.take(weight, mask):
        return apply_mask(weight, mask).to(dtype)
    return cuda_kernels.keep(weight, mask, dtype)


def add_outside(layers: Iterable[tuple[Tensor, Tensor, Tensor]], factor: float) -> None:
    """For each (sum, weight, mask): adds `factor` times the weight to the sum, wherever the mask is False; in
    place. The sum may be the weight itself."""
    layers = list(layers)
    if not layers or not factor:
        return
    sums, weights, masks = zip(*layers, strict=True)
    if cuda_kernels.take(*sums, *weights, *masks):
        cuda_kernels.add_outside(sums, weights, masks, factor)
        return
    if sums[0].is_cuda:
        for total, weight, mask in layers:
            total.add_(weight.detach().masked_fill(mask, 0.0), alpha=factor)
        return

    def add(blocks: Blocks) -> None:
        scratch = np.empty(max(values.size for _, values, _ in blocks), _widest(blocks))
        for total, values, kept in blocks:
            outside = scratch[: values.size].reshape(values.shape)
            outside[...] = ~kept
            outside *= values
            outside *= factor
            total += outside

    _share(add, layers)


def _share(work: Callable[[Blocks], Any], layers: Iterable[tuple[Tensor, ...]]) -> list[Any]:
    """What `work` makes of the layers' blocks, which torch's number of threads share where they are many.
    NumPy lets go of the interpreter's lock while it computes."""
    blocks = [block for tensors in layers for block in _blocks(*tensors)]
    threads = min(torch.get_num_threads(), sum(block[0].size for block in blocks) // (4 * BLOCK))
    if threads < 2:
        return [work(blocks)] if blocks else []
    with ThreadPoolExecutor(threads) as pool:
        return list(pool.map(work, [blocks[i::threads] for i in range(threads)]))


def _widest(blocks: Blocks) -> np.dtype:
    """A type that holds the weights of every block."""
    return np.result_type(*{block[0].dtype for block in blocks})


def _blocks(*tensors: Tensor) -> Iterator[tuple[np.ndarray, ...]]:
    """Tensors of one shape as NumPy arrays, in chunks of rows with up to BLOCK values, or one row."""
    arrays = [tensor.detach().numpy() for tensor in tensors]
    rows = max(1, BLOCK * len(arrays[0]) // max(1, arrays[0].size))
    for start in range(0, len(arrays[0]), rows):
        yield tuple(array[start : start + rows] for array in arrays)


def soft_threshold(weight: Tensor, mask: Tensor, m: int) -> Tensor:
    """sign(w) * relu(|w| - t) with t the largest masked magnitude of each group of `m`, +0.0 for zeros.

    Under the magnitude mask of N:M, t is the (M - N)-th smallest magnitude of the group. Unlike `apply_mask`
    this is continuous in the weights: one that comes into the mask comes in as zero (S-STE, arXiv
    2409.09099). Worked example (repeated in test_masks.py): 2:4 of [1, -4, 2, 3] has t = 2 and gives [0, -2,
    0, 1]; equals at the threshold give extra zeros: [1, 1, 1, -3] has t = 1 and gives [0, 0, 0, -2].
    """
    last, kept = input_last(weight), input_last(mask)
    magnitude = last.abs().reshape(-1, m)
    threshold = magnitude.masked_fill(kept.reshape(-1, m), 0.0).amax(dim=1, keepdim=True)
    shrunk = (magnitude - threshold).relu().reshape(last.shape)
    return _input_back(torch.where(shrunk > 0, torch.copysign(shrunk, last), 0.0))


def scale_parts(weight: Tensor, scaling: Tensor) -> Tensor:
    """Cuts each row of the weight along its inputs into equal parts, one for each column of `scaling`
    (outputs, parts), and multiplies each part by its factor. Gradients pass to both.

    Worked example: [1, -4, 2, 3] with the factors [2, 0.5] is [2, -8, 1, 1.5].
    """
    factors = scaling.repeat_interleave(weight.shape[1] // scaling.shape[1], dim=1)
    return weight * factors.reshape(*factors.shape, *[1] * (weight.dim() - 2))


def mask_digest(masks: Mapping[str, Tensor]) -> str:
    """`sha256:...` over, for each layer sorted by name: the name, a NUL, the mask's bits (numpy.packbits, C
    order)."""
    digest = hashlib.sha256()
    for name in sorted(masks):
        digest.update(name.encode() + b"\0")
        digest.update(np.packbits(masks[name].cpu().numpy().astype(np.uint8)).tobytes())
    return f"sha256:{digest.hexdigest()}"
