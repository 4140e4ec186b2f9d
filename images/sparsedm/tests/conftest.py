"""One thread everywhere: sums depend on the number of threads, and a resumed run is compared bit for bit."""

import os

import pytest

os.environ["OMP_NUM_THREADS"] = "1"  # before torch is imported, and for the processes that tests start

import torch

from process_tools import together as together
from tiny_run import Workplace

# With the first backward pass autograd starts a thread for each device that it knows of. After torch.compile
# that would be one more than none, and no copy of this process could train.
torch.ones((), requires_grad=True).backward()


def pytest_runtest_setup(item: pytest.Item) -> None:
    if item.get_closest_marker("gpu") and not torch.cuda.is_available():
        pytest.skip("needs an NVIDIA GPU")


@pytest.fixture(scope="module")
def place(tmp_path_factory: pytest.TempPathFactory) -> Workplace:
    """The files of a small run, shared by all tests of a module."""
    return Workplace(tmp_path_factory.mktemp("place"))
