"""Data-parallel training of one model by several processes: each one's share of a batch, and the collectives.

Each process draws the noise, timesteps and dropped labels of the whole batch from the same generator and
takes its share of them and of the images. DistributedDataParallel averages the gradients while the backward
pass goes on, and one small all-reduce per step, of the loss and a stop flag, keeps the processes in step. So
the number of processes changes only the order of a sum, and a run may resume with another number. (A network
with dropout is the exception: each process draws its own dropout.)

The environment is that of torchrun (RANK, WORLD_SIZE, LOCAL_RANK, MASTER_ADDR, MASTER_PORT). Without it a
process is alone, and everything here is a no-op.
"""

from __future__ import annotations

import json
import os
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager, suppress
from datetime import timedelta
from typing import TypeVar

import torch
import torch.distributed as dist
from torch import Tensor, nn
from torch.distributed import TCPStore
from torch.distributed.device_mesh import DeviceMesh
from torch.nn.parallel import DistributedDataParallel

from sparsedm.errors import ConfigError, InputError, ProcessesDiffer, ProcessLost

T = TypeVar("T")

STEP_TIMEOUT = timedelta(minutes=10)
"""Timeout of a collective within a training step."""
RANK_ZERO_TIMEOUT = timedelta(days=30)
"""Timeout while a process draws images or saves: in effect none."""

OF_A_COLLECTIVE = ("gloo", "NCCL", "pair closure", "closed by peer", "reset by peer", "Timed out")
"""In the messages of errors that torch raises as plain RuntimeErrors when another process is gone."""

FINAL_ERROR = "sparsedm/final-error"
"""Key in the shared store under which a process reports an error that only it may have met."""


class ProcessGroup:
    """Process `rank` of `size`. Only rank 0 writes and reports."""

    def __init__(self, rank: int = 0, size: int = 1) -> None:
        self.rank = rank
        self.size = size
        self._untimed: dist.ProcessGroup | None = None
        self._worked = False

    @property
    def is_rank_zero(self) -> bool:
        return self.rank == 0

    def shard(self, whole: int) -> slice:
        """This process's share of a batch of `whole` images."""
        each = whole // self.size
        return slice(self.rank * each, (self.rank + 1) * each)

    def check_batch(self, batch_size: int) -> None:
        """Raises ConfigError where the batch can't be shared equally."""
        if batch_size % self.size:
            above = batch_size + self.size - batch_size % self.size
            raise ConfigError(
                [
                    f"training.batchSize {batch_size} is not a multiple of the {self.size} processes that "
                    f"train: write {above}, or start another number of processes (one for each GPU)."
                ]
            )

    def distributed(self, network: nn.Module) -> nn.Module:
        """The network for `backward`, with the same parameters, which are equal in all processes."""
        if self.size == 1:
            return network
        with self._collective():
            # A network may have parameters that this data does not use.
            return DistributedDataParallel(
                network, forward_sync_buffers=False, gradient_as_bucket_view=True, find_unused_parameters=True
            )

    @contextmanager
    def backward(self, network: nn.Module, last: bool) -> Iterator[None]:
        """Around the forward and backward pass of a part of the batch. Gradients add up, and after the `last`
        part they are the means over the processes."""
        if self.size == 1:
            yield
        elif isinstance(network, DistributedDataParallel) and not last:
            with network.no_sync():
                yield
        else:
            with self._collective():
                yield

    def all_reduce_mean(self, numbers: Tensor) -> None:
        """Replaces the numbers by their means over the processes."""
        if self.size == 1:
            return
        with self._collective():
            dist.all_reduce(numbers)
        self._worked = True
        numbers /= self.size

    def all_reduce_sum(self, numbers: Tensor) -> None:
        """Replaces the numbers by their sums over the processes."""
        with self._collective():
            dist.all_reduce(numbers)

    def all_gather(self, rows: Tensor) -> Tensor:
        """(R, ...) of each process as (R * size, ...), in the order of ranks."""
        # gloo knows no bool.
        own = rows.view(torch.uint8) if rows.dtype == torch.bool else rows
        whole = own.new_empty(len(own) * self.size, *own.shape[1:])
        with self._collective():
            dist.all_gather_into_tensor(whole, own)
        return whole.view(rows.dtype)

    def mesh(self, device: str) -> DeviceMesh:
        """All processes in a row, as fully_shard wants them."""
        return DeviceMesh.from_group(dist.group.WORLD, device)

    def on_rank_zero(self, work: Callable[[], T]) -> T | None:
        """Rank 0 does the work; the others wait until it is done and get None."""
        result = work() if self.is_rank_zero else None
        self.barrier()
        return result

    def barrier(self) -> None:
        """A barrier over all processes."""
        if self.size > 1:
            with self._collective():
                dist.barrier(group=self._untimed)

    def gather(self, value: T) -> list[T]:
        """Every process's value in the order of ranks, on rank 0; empty on the others."""
        if self.size == 1:
            return [value]
        values = [value] * self.size if self.is_rank_zero else None
        with self._collective():
            dist.gather_object(value, values, group=self._untimed)
        return values or []

    def broadcast(self, value: T) -> T:
        """Rank 0's value, broadcast to all processes."""
        if self.size == 1:
            return value
        values = [value]
        with self._collective():
            dist.broadcast_object_list(values, src=0, group=self._untimed)
        return values[0]

    def check_same(self, what: str, digest: str, step: int) -> None:
        """Raises ProcessesDiffer where a process has another digest."""
        if self.size == 1:
            return
        digests = [""] * self.size
        with self._collective():
            dist.all_gather_object(digests, digest, group=self._untimed)
        other = next((rank for rank, found in enumerate(digests) if found != digests[0]), None)
        if other is not None:
            raise ProcessesDiffer(what, other, step)

    @contextmanager
    def _collective(self) -> Iterator[None]:
        """Wraps a collective; raises ProcessLost where another process has ended or does not join in time."""
        cause = None
        try:
            yield
        except RuntimeError as error:
            if not _is_of_a_collective(error):
                raise
            cause = str(error)
        if cause is not None:  # raised here, so that no traceback refers to the process group (see leave)
            raise ProcessLost(self.rank, self.size, cause, self._worked)

    def join(self) -> None:
        """Creates the process groups: NCCL between GPUs, gloo between CPUs; barriers always use gloo."""
        if self.size == 1:
            return
        with self._collective():
            backend = "nccl" if torch.cuda.is_available() else "gloo"
            dist.init_process_group(backend, timeout=STEP_TIMEOUT)
            self._untimed = dist.new_group(backend="gloo", timeout=RANK_ZERO_TIMEOUT)

    def leave(self) -> None:
        """Destroys the process groups. The threads of a group that is still referenced when Python exits
        would abort the process and hide its exit code."""
        if self.size > 1 and dist.is_initialized():
            self._untimed = None
            dist.destroy_process_group()


def _is_of_a_collective(error: RuntimeError) -> bool:
    """And not of the network, in whose backward pass the collectives of gradients run."""
    return isinstance(error, dist.DistError) or any(words in str(error) for words in OF_A_COLLECTIVE)


SINGLE_PROCESS = ProcessGroup()
"""Of a run that is not spread over several."""


@contextmanager
def open_process_group(env: Mapping[str, str] = os.environ) -> Iterator[ProcessGroup]:
    """The group in which torchrun, or `sparsedm train` itself, started this process."""
    processes = ProcessGroup(int(env.get("RANK", "0")), int(env.get("WORLD_SIZE", "1")))
    processes.join()
    try:
        yield processes
    except InputError as error:
        if processes.size > 1:
            _pass_on(error, env)
        raise
    finally:
        processes.leave()


def _pass_on(error: InputError, env: Mapping[str, str]) -> None:
    """Passes the error to `launch`, which reports it: for example a file that only this share of a batch
    needs."""
    with suppress(RuntimeError):
        store = TCPStore(env["MASTER_ADDR"], int(env["MASTER_PORT"]), timeout=timedelta(seconds=5))
        store.set(FINAL_ERROR, json.dumps({"reason": error.reason, "message": error.message}))
