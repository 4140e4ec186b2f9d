"""What masks need on a GPU, in kernels of their own: each reads every weight once, and all layers share a
launch. Made of torch's operations, masks read and write thirty times as much, and hundreds of launches keep
the GPU waiting for Python.

Compiled for the GPU at hand when they are first used, by the compiler library that comes with torch (NVRTC),
so no image needs a compiler. Weights are float32, as they are in training; tensors are contiguous. Nothing
of this is imported where there is no GPU.
"""

from __future__ import annotations

from collections.abc import Sequence
from ctypes import c_float
from functools import cache
from math import prod
from typing import TYPE_CHECKING

import torch
from torch import Tensor

if TYPE_CHECKING:
    from cuda.core import Kernel, LaunchConfig, Stream

THREADS = 256
BLOCKS = 1024
"""Blocks that share a layer at most; each goes on with what is left."""

SOURCE = r"""
typedef long long Size;

// Each row of a table describes a layer, of which blockIdx.y says the number.
#define LAYER(table, columns) ((table) + blockIdx.y * (columns))
#define EACH(i, count)                                                              \
    for (Size i = static_cast<Size>(blockIdx.x) * blockDim.x + threadIdx.x; i < (count); \
         i += static_cast<Size>(gridDim.x) * blockDim.x)

// Table: weights, masks, groups, the distance between neighbours of a group.
// A weight stays when fewer than N others of its group beat it; of equals the earlier one wins.
template <int N, int M> __global__ void nm_masks(const Size *table) {
    const Size *layer = LAYER(table, 4);
    const float *weights = reinterpret_cast<const float *>(layer[0]);
    bool *masks = reinterpret_cast<bool *>(layer[1]);
    const Size inner = layer[3];
    EACH(group, layer[2]) {
        const Size first = inner == 1 ? group * M : group / inner * inner * M + group % inner;
        float magnitudes[M];
        #pragma unroll
        for (int i = 0; i < M; ++i) magnitudes[i] = fabsf(weights[first + i * inner]);
        #pragma unroll
        for (int i = 0; i < M; ++i) {
            int beaten = 0;
            #pragma unroll
            for (int j = 0; j < M; ++j)
                beaten += j < i ? magnitudes[j] >= magnitudes[i] : magnitudes[j] > magnitudes[i];
            masks[first + i * inner] = beaten < N;
        }
    }
}

// Table: masks, other masks, their size.
__global__ void count_moved(const Size *table, unsigned long long *moved) {
    const Size *layer = LAYER(table, 3);
    const bool *before = reinterpret_cast<const bool *>(layer[0]);
    const bool *after = reinterpret_cast<const bool *>(layer[1]);
    unsigned int count = 0;
    EACH(i, layer[2]) count += before[i] != after[i];
    for (int lanes = 16; lanes > 0; lanes /= 2) count += __shfl_down_sync(0xffffffff, count, lanes);
    if (threadIdx.x % 32 == 0 && count) atomicAdd(moved, static_cast<unsigned long long>(count));
}

// Table: weights, masks, sums, their size.
__global__ void add_outside(const Size *table, float factor) {
    const Size *layer = LAYER(table, 4);
    const float *weights = reinterpret_cast<const float *>(layer[0]);
    const bool *masks = reinterpret_cast<const bool *>(layer[1]);
    float *sums = reinterpret_cast<float *>(layer[2]);
    EACH(i, layer[3]) if (!masks[i]) sums[i] += factor * weights[i];
}

struct Float { float bits; __device__ Float(float value) : bits(value) {} };
struct Bfloat16 {
    unsigned short bits;
    __device__ Bfloat16(float value) {
        const unsigned int wide = __float_as_uint(value);  // to the nearest, of two as near to the even one
        bits = value != value ? 0x7fc0 : (wide + 0x7fff + (wide >> 16 & 1)) >> 16;
    }
};
struct Half {
    unsigned short bits;
    __device__ Half(float value) { asm("cvt.rn.f16.f32 %0, %1;" : "=h"(bits) : "f"(value)); }
};

template <typename T> __global__ void keep(const float *weights, const bool *masks, T *kept, Size size) {
    #pragma unroll 4
    EACH(i, size) kept[i] = T(masks[i] ? weights[i] : 0.0f);
}
"""

TYPES = {torch.float32: "Float", torch.bfloat16: "Bfloat16", torch.float16: "Half"}
"""What masked weights can be written as."""


@cache
def _kernel(name: str, device: int) -> Kernel:
    from cuda.core import Device, Program, ProgramOptions

    gpu = Device(device)
    gpu.set_current()
    program = Program(SOURCE, "c++", ProgramOptions(arch=f"sm_{gpu.arch}"))
    return program.compile("cubin", name_expressions=(name,)).get_kernel(name)


def _launch(name: str, device: torch.device, size: int, layers: int, *arguments: object) -> None:
    """`size` is the number of threads that the largest of the layers has work for."""
    from cuda.core import launch

    with torch.cuda.device(device):
        stream = _stream(torch.cuda.current_stream().cuda_stream)
        config = _config(min((size + THREADS - 1) // THREADS, BLOCKS), layers)
        launch(stream, config, _kernel(name, device.index), *arguments)


@cache
def _stream(handle: int) -> Stream:
    from cuda.core import Stream

    return Stream.from_handle(handle)


@cache
def _config(blocks: int, layers: int) -> LaunchConfig:
    from cuda.core import LaunchConfig

    return LaunchConfig(grid=(blocks, layers), block=THREADS)


def _launch_over(
    layers: Sequence[tuple[int, ...]],
    sizes: Sequence[int],
    name: str,
    device: torch.device,
    *arguments: object,
) -> None:
    """One launch for all layers: `layers` are the rows of the kernel's table, `sizes` how many threads each
    has work for."""
    table = torch.tensor(layers, dtype=torch.int64).to(device, non_blocking=True)
    _launch(name, device, max(sizes), len(layers), table.data_ptr(), *arguments)


def take(*tensors: Tensor) -> bool:
    """Whether these weights and masks are such as the kernels take; not where there are none."""
    fit = (t.is_cuda and t.dtype in (torch.float32, torch.bool) and t.is_contiguous() for t in tensors)
    return bool(tensors) and all(fit)


def nm_masks(weights: Sequence[Tensor], n: int, m: int) -> list[Tensor]:
    """The magnitude masks of N:M along dimension 1, as masks.magnitude_masks makes them; M divides it."""
    device, sizes = weights[0].device, [weight.numel() for weight in weights]
    parts = torch.empty(sum(sizes), dtype=torch.bool, device=device).split(sizes)
    masks = [part.view_as(weight) for part, weight in zip(parts, weights, strict=True)]
    groups = [size // m for size in sizes]
    layers = [
        (weight.data_ptr(), mask.data_ptr(), count, prod(weight.shape[2:]))
        for weight, mask, count in zip(weights, masks, groups, strict=True)
    ]
    _launch_over(layers, groups, f"nm_masks<{n}, {m}>", device)
    return masks


def count_moved(before: Sequence[Tensor], after: Sequence[Tensor]) -> Tensor:
    """The number of places where masks differ, (1,) int64."""
    moved, sizes = torch.zeros(1, dtype=torch.int64, device=before[0].device), [one.numel() for one in before]
    layers = [
        (one.data_ptr(), other.data_ptr(), size)
        for one, other, size in zip(before, after, sizes, strict=True)
    ]
    _launch_over(layers, sizes, "count_moved", moved.device, moved.data_ptr())
    return moved


def add_outside(
    sums: Sequence[Tensor], weights: Sequence[Tensor], masks: Sequence[Tensor], factor: float
) -> None:
    """Adds `factor` times the weight to the sum, wherever the mask is False; in place."""
    sizes = [weight.numel() for weight in weights]
    layers = [
        (weight.data_ptr(), mask.data_ptr(), total.data_ptr(), size)
        for total, weight, mask, size in zip(sums, weights, masks, sizes, strict=True)
    ]
    _launch_over(layers, sizes, "add_outside", weights[0].device, c_float(factor))


def keep(weight: Tensor, mask: Tensor, dtype: torch.dtype) -> Tensor:
    """The weight as `dtype` where the mask is True, +0.0 elsewhere."""
    kept = torch.empty_like(weight, dtype=dtype)
    size = weight.numel()
    name = f"keep<{TYPES[dtype]}>"
    _launch(name, weight.device, size, 1, weight.data_ptr(), mask.data_ptr(), kept.data_ptr(), size)
    return kept
