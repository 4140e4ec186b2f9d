"""The processes that train one model together: whose share of a batch is whose, and what all agree on.

Each process draws the noise, times and dropped labels of the whole batch from the same generator and takes
its share of them and of the images. One sum over the processes per step, of all gradients with the loss and
a wish to stop beside them, makes all of them do the same. So the number of processes changes nothing but the
order of a sum, and a run may go on with another number. (A network with dropout is the exception: each
process draws its own.)

The environment is that of torchrun (RANK, WORLD_SIZE, LOCAL_RANK, MASTER_ADDR, MASTER_PORT). Without it a
process is alone, and nothing here does anything.
"""

from __future__ import annotations

import json
import os
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager, suppress
from datetime import timedelta
from typing import TypeVar

import torch
import torch.distributed as dist
from torch import Tensor
from torch.distributed import TCPStore

from sparsedm.errors import ConfigError, InputError, ProcessesDiffer, ProcessLost

T = TypeVar("T")

STEP_TIMEOUT = timedelta(minutes=10)
"""How long the processes of one step wait for each other before they give up."""
LEAD_TIMEOUT = timedelta(days=30)
"""How long they wait for a process that draws images or saves: as long as it lives."""

FINAL_ERROR = "sparsedm/final-error"
"""The key in the store of all processes under which one tells of an error that it alone may have met."""


class World:
    """Process `rank` of `size`. Process 0 leads: it alone writes and reports."""

    def __init__(self, rank: int = 0, size: int = 1) -> None:
        self.rank = rank
        self.size = size
        self._patient: dist.ProcessGroup | None = None

    @property
    def leads(self) -> bool:
        return self.rank == 0

    def share(self, whole: int) -> slice:
        """This process's part of a batch of `whole` images."""
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

    @torch.no_grad()
    def average(self, numbers: Tensor, gradients: Sequence[Tensor]) -> None:
        """Replaces `numbers` (1-D) and the gradients by their means over the processes, in one exchange."""
        if self.size == 1:
            return
        parts = [numbers.float(), *(gradient.flatten().float() for gradient in gradients)]
        flat = torch.cat(parts)
        with self._together():
            dist.all_reduce(flat)
        flat /= self.size
        means = flat.split([part.numel() for part in parts])
        for target, mean in zip([numbers, *gradients], means, strict=True):
            target.copy_(mean.view_as(target))

    def lead(self, work: Callable[[], T]) -> T | None:
        """Process 0 does the work; the others wait for its end and get None."""
        result = work() if self.leads else None
        self.wait()
        return result

    def wait(self) -> None:
        """Until all processes are here."""
        if self.size > 1:
            with self._together():
                dist.barrier(group=self._patient)

    def gathered(self, value: T) -> list[T]:
        """Every process's value in the order of their ranks, for the one that leads; none for the others."""
        if self.size == 1:
            return [value]
        values = [value] * self.size if self.leads else None
        with self._together():
            dist.gather_object(value, values, group=self._patient)
        return values or []

    def told(self, value: T) -> T:
        """Process 0's value, for all."""
        if self.size == 1:
            return value
        values = [value]
        with self._together():
            dist.broadcast_object_list(values, src=0, group=self._patient)
        return values[0]

    def check_same(self, what: str, digest: str, step: int) -> None:
        """Raises ProcessesDiffer where a process has another digest."""
        if self.size == 1:
            return
        digests = [""] * self.size
        with self._together():
            dist.all_gather_object(digests, digest, group=self._patient)
        other = next((rank for rank, found in enumerate(digests) if found != digests[0]), None)
        if other is not None:
            raise ProcessesDiffer(what, other, step)

    @contextmanager
    def _together(self) -> Iterator[None]:
        """An exchange; it fails where another process has ended, or does not come in time."""
        cause = None
        try:
            yield
        except RuntimeError as error:
            cause = str(error)
        if cause is not None:  # raised out here, so that no traceback holds on to the group (see leave)
            raise ProcessLost(self.rank, self.size, cause)

    def join(self) -> None:
        """Meets the others, over NCCL between GPUs and gloo between CPUs; waiting always goes over gloo."""
        if self.size == 1:
            return
        with self._together():
            backend = "nccl" if torch.cuda.is_available() else "gloo"
            dist.init_process_group(backend, timeout=STEP_TIMEOUT)
            self._patient = dist.new_group(backend="gloo", timeout=LEAD_TIMEOUT)

    def leave(self) -> None:
        """Ends the groups. One that is still referred to when Python ends would abort the process, since its
        threads still run then, and hide its exit code."""
        if self.size > 1 and dist.is_initialized():
            self._patient = None
            dist.destroy_process_group()


ALONE = World()
"""What a process is without others."""


@contextmanager
def open_world(env: Mapping[str, str] = os.environ) -> Iterator[World]:
    """The world that torchrun, or `sparsedm train` itself, has put this process into."""
    world = World(int(env.get("RANK", "0")), int(env.get("WORLD_SIZE", "1")))
    world.join()
    try:
        yield world
    except InputError as error:
        if world.size > 1:
            _tell(error, env)
        raise
    finally:
        world.leave()


def _tell(error: InputError, env: Mapping[str, str]) -> None:
    """To `launch`, which reports it: a file that only this process's share of a batch needs, say."""
    with suppress(RuntimeError):
        store = TCPStore(env["MASTER_ADDR"], int(env["MASTER_PORT"]), timeout=timedelta(seconds=5))
        store.set(FINAL_ERROR, json.dumps({"reason": error.reason, "message": error.message}))
