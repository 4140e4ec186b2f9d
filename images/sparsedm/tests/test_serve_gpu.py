"""What is checked of a GPU before a load, and which errors of one are the last."""

from __future__ import annotations

from pathlib import Path

import pytest
import torch

from sparsedm.errors import InputError
from sparsedm.serve import gpu
from sparsedm.serve.gpu import ContextLost, Gpu, check_device, watched

CPU, CUDA = torch.device("cpu"), torch.device("cuda")
BUILT_FOR = ["sm_75", "sm_80", "sm_86", "sm_90a", "compute_90"]


@pytest.mark.parametrize("capability", [(7, 5), (8, 0), (8, 9), (9, 0), (12, 0)])
def test_a_gpu_runs_kernels_of_its_major_version_and_earlier_code(capability: tuple[int, int]) -> None:
    Gpu("A GPU", capability, BUILT_FOR).check()


@pytest.mark.parametrize(("capability", "built"), [((7, 0), BUILT_FOR), ((12, 0), BUILT_FOR[:4])])
def test_a_gpu_without_kernels_is_refused_before_the_load(
    capability: tuple[int, int], built: list[str]
) -> None:
    with pytest.raises(InputError, match=r"V has compute capability \d+\.0, .* built for sm_75, ") as error:
        Gpu("V", capability, built).check()
    assert error.value.reason == "GpuUnsupported"


def test_a_gpu_that_torch_can_t_use_is_no_reason_to_serve_on_the_cpu(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    def too_old() -> None:
        raise RuntimeError("The NVIDIA driver on your system is too old (found version 11040).")

    monkeypatch.setattr(torch.cuda, "init", too_old)
    monkeypatch.setattr(torch.version, "cuda", "13.2")
    given = {"NVIDIA_VISIBLE_DEVICES": "GPU-1"}
    monkeypatch.setattr(gpu, "DEVICE_FILE", tmp_path / "nvidiactl")
    check_device(CPU, given)
    gpu.DEVICE_FILE.touch()
    check_device(CPU, {})
    check_device(CPU, {"NVIDIA_VISIBLE_DEVICES": "void"})
    with pytest.raises(InputError, match=r"CUDA 13\.2 .*driver on your system is too old.*: update") as error:
        check_device(CPU, given)
    assert error.value.reason == "GpuUnusable"


@pytest.mark.parametrize("works", [True, False])
def test_an_error_after_which_the_gpu_answers_nothing_is_the_last(
    works: bool, monkeypatch: pytest.MonkeyPatch
) -> None:
    def wait(_: torch.device) -> None:
        if not works:
            raise RuntimeError("CUDA error: an illegal memory access was encountered")

    monkeypatch.setattr(torch.cuda, "synchronize", wait)
    with pytest.raises(RuntimeError if works else ContextLost, match="misaligned address"), watched(CUDA):
        raise RuntimeError("CUDA error: misaligned address")
    with pytest.raises(torch.OutOfMemoryError), watched(CUDA):
        raise torch.OutOfMemoryError
    with pytest.raises(RuntimeError, match="shapes"), watched(CPU):
        raise RuntimeError("shapes differ")
