"""A network whose work on a GPU is captured once and replayed (CUDA graphs).

A replay costs no Python and no kernel launches. Small batches are faster by that alone, and cuSPARSELt
pays only so, because each call plans its product anew (about 0.5 ms).
"""

from __future__ import annotations

import logging
from collections.abc import Callable
from dataclasses import dataclass

import torch
from torch import Tensor, nn

from sparsedm.serve.gpu import is_out_of_memory

Network = Callable[..., Tensor]

log = logging.getLogger("sparsedm.serve")

WARM_UPS = 3
"""Warm-up calls before the recording, in which libraries choose algorithms and allocate memory."""


@dataclass(frozen=True)
class Recording:
    """`graph` reads the inputs and writes the output, always in the same places."""

    graph: torch.cuda.CUDAGraph
    inputs: tuple[Tensor | None, ...]
    output: Tensor


class Recorded:
    """Calls `network` with (x, t, y); on a GPU from a recording for each shape of x. Use it on one thread.

    A network that can't be recorded, because it reads a value from the GPU midway, is called each time.
    """

    def __init__(self, network: nn.Module, possible: bool = True) -> None:
        self._network = network
        self._recordings: dict[torch.Size, Recording] = {}
        self.possible = possible and next(network.parameters()).is_cuda

    def forget(self) -> None:
        """Call it after a change of the network."""
        self._recordings.clear()

    def __call__(self, x: Tensor, t: Tensor, y: Tensor | None = None) -> Tensor:
        if self.possible and x.shape not in self._recordings:
            self._try_to_record(x, t, y)
        if not self.possible:
            return self._network(x, t, y)
        recording = self._recordings[x.shape]
        for place, value in zip(recording.inputs, (x, t, y), strict=True):
            if place is not None:
                place.copy_(value)
        recording.graph.replay()
        return recording.output.clone()

    def _try_to_record(self, *inputs: Tensor | None) -> None:
        try:
            self._recordings[inputs[0].shape] = record(self._network, *inputs)
        except RuntimeError as error:
            if is_out_of_memory(error):
                raise  # a smaller batch may have room
            torch.cuda.synchronize()
            self.possible = False
            log.info("The network is called step by step, because it can't be recorded: %s", error)


def record(network: Network, *inputs: Tensor | None) -> Recording:
    """Raises RuntimeError where the network does what a recording can't hold."""
    places = tuple(None if value is None else value.clone() for value in inputs)
    aside = torch.cuda.Stream()
    aside.wait_stream(torch.cuda.current_stream())
    with torch.cuda.stream(aside):
        for _ in range(WARM_UPS):
            network(*places)
    torch.cuda.current_stream().wait_stream(aside)
    graph = torch.cuda.CUDAGraph()
    with torch.cuda.graph(graph, capture_error_mode="thread_local"):
        output = network(*places)
    return Recording(graph, places, output)
