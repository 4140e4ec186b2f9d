"""The number of threads that a step takes on a CPU."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping

import pytest
import torch

from sparsedm.serve.threads import Threads


@pytest.fixture(autouse=True)
def four_cores(monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    monkeypatch.delenv("OMP_NUM_THREADS", raising=False)
    before = torch.get_num_threads()
    torch.set_num_threads(4)
    yield
    torch.set_num_threads(before)


def steps(threads: Threads, images: int, seconds: Mapping[int, float]) -> Callable[[], float]:
    """Takes as long as `seconds` says of the threads that the step has."""

    def step() -> float:
        with threads.of(images):
            return seconds[torch.get_num_threads()]

    return step


def used(threads: Threads, images: int) -> int:
    with threads.of(images):
        return torch.get_num_threads()


@pytest.mark.parametrize(
    ("seconds", "chosen"),
    [
        ({4: 0.012, 2: 0.008, 1: 0.005}, 1),
        ({4: 0.012, 2: 0.008, 1: 0.009}, 2),
        ({4: 0.010, 2: 0.0095, 1: 0.001}, 4),  # one step down gains too little
        ({4: 0.200}, 4),  # too long to be measured again
    ],
)
def test_fewer_threads_are_taken_as_long_as_each_half_is_quicker(
    seconds: Mapping[int, float], chosen: int
) -> None:
    threads = Threads(fixed=False)
    assert threads.choose(1, steps(threads, 1, seconds)) == seconds[chosen]
    assert used(threads, 1) == chosen
    assert torch.get_num_threads() == 4


def test_a_size_between_two_has_the_larger_ones_number_and_beyond_all_of_them_every_core() -> None:
    threads = Threads(fixed=False)
    threads.choose(1, steps(threads, 1, {4: 0.012, 2: 0.008, 1: 0.005}))
    threads.choose(4, steps(threads, 4, {4: 0.030, 2: 0.020, 1: 0.040}))
    assert [used(threads, images) for images in (1, 2, 4, 5)] == [1, 2, 2, 4]


def test_a_number_that_was_asked_for_stays(monkeypatch: pytest.MonkeyPatch) -> None:
    quick_alone = {4: 0.012, 2: 0.008, 1: 0.005}
    fixed = Threads(fixed=True)
    assert fixed.choose(1, steps(fixed, 1, quick_alone)) == 0.012
    monkeypatch.setenv("OMP_NUM_THREADS", "4")
    asked = Threads(fixed=False)
    assert asked.choose(1, steps(asked, 1, quick_alone)) == 0.012
    assert used(fixed, 1) == used(asked, 1) == 4
