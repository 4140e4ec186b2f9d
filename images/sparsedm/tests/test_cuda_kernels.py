"""The kernels compile for every generation of GPU, which takes no GPU; test_gpu.py has what they compute."""

from __future__ import annotations

import pytest
from cuda.core import Program, ProgramOptions

from sparsedm.sparsity.cuda_kernels import SOURCE, TYPES

KERNELS = ["nm_masks<2, 4>", "nm_masks<31, 32>", "count_moved", "add_outside"]


@pytest.mark.parametrize("arch", ["sm_75", "sm_80", "sm_90", "sm_100", "sm_120"])
def test_kernels_compile(arch: str) -> None:
    names = (*KERNELS, *(f"keep<{name}>" for name in TYPES.values()))
    compiled = Program(SOURCE, "c++", ProgramOptions(arch=arch)).compile("cubin", name_expressions=names)
    assert len(compiled.code) > 1000
