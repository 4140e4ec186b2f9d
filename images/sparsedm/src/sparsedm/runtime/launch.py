"""Launches one process per GPU of this pod: `sparsedm train` starts itself again, as torchrun would.

Unlike torchrun, it exits with the code of the failed process, which the operator needs (errors.py), and sets
no deadline of its own after SIGTERM.
"""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from queue import Empty, Queue
from threading import Thread
from typing import Any

import torch

from sparsedm.errors import ConfigError, InputError, ProcessLost, Superseded
from sparsedm.runtime.nodes import Node
from sparsedm.runtime.processes import FINAL_ERROR
from sparsedm.runtime.report_client import ReportClient

GRACE_SECONDS = 15.0
"""Once a process has failed: seconds for the others to notice and to end by themselves."""
FINAL = (2, 3, 4)
LOOK_SECONDS = 1.0
"""Pause between two looks at whether another pod has failed."""
TELLING = (*FINAL, Superseded.exit_code)
"""Exit codes with a known cause; 1 may only mean that another process is gone."""
STOPPED = 128 + signal.SIGTERM


def processes_to_start(wanted: int | None, env: Mapping[str, str] = os.environ) -> int:
    """1 where torchrun, or this module, has started this process; else what is wanted, by default one for
    each GPU that is visible. Raises ConfigError where the GPUs are fewer."""
    if "RANK" in env:
        return 1
    gpus = torch.cuda.device_count()
    if wanted is not None and 0 < gpus < wanted:
        raise ConfigError(
            [
                f"--processes {wanted} is more than the GPUs that are visible, {gpus}, and each process "
                "takes one: write less, or set CUDA_VISIBLE_DEVICES to nothing to train on the CPUs."
            ]
        )
    return wanted if wanted is not None else max(1, gpus)


def launch(
    count: int,
    command: Sequence[str],
    node: Node | None = None,
    is_finished: Callable[[], bool] = lambda: False,
) -> int:
    """Runs the command in `count` processes of this pod, together with those of the other pods; returns the
    exit code for all of them, 0 where `is_finished` finds that there is nothing left to do."""
    node = node or Node()
    store = node.meet(count, is_finished)
    if store is None:
        return 0
    children = [_start(node, rank, count, store.port, command) for rank in range(count)]
    with _passed_on(children) as told:
        code, broken = _exit_code(children, lambda: node.is_broken(store))
    if code:
        node.fail(store)
    if code == 0:
        node.leave(store)
    elif node.number == 0 and children[0].returncode not in FINAL and store.check([FINAL_ERROR]):
        # Where another rank alone met an error, rank 0, which reports, knows only that it is gone.
        ReportClient.from_environment().close(error=json.loads(store.get(FINAL_ERROR)))
        return InputError.exit_code
    elif code == STOPPED and node.count > 1 and not told:
        return ProcessLost.pod_exit_code  # because another pod is told to stop
    elif broken and code not in (*TELLING, STOPPED):
        return ProcessLost.pod_exit_code
    return code


def _start(node: Node, rank: int, count: int, port: int, command: Sequence[str]) -> subprocess.Popen[bytes]:
    place = {
        "RANK": node.number * count + rank, "LOCAL_RANK": rank,
        "WORLD_SIZE": node.count * count, "LOCAL_WORLD_SIZE": count,
        "MASTER_ADDR": node.host if node.number else "127.0.0.1", "MASTER_PORT": port,
        "TORCHELASTIC_USE_AGENT_STORE": True,
    }  # fmt: skip
    # torch's C++ part would warn in each process that a network without unused parameters was looked through
    # for them.
    ours = {"TORCH_CPP_LOG_LEVEL": "ERROR", "NCCL_DEBUG": "WARN"}
    if node.count == 1:  # all are on this machine, and its own name need not resolve
        ours["GLOO_SOCKET_IFNAME"] = "lo"
    env = {**ours, **os.environ, **{name: str(value) for name, value in place.items()}}
    return subprocess.Popen(command, env=env)


@contextmanager
def _passed_on(children: Sequence[subprocess.Popen[bytes]]) -> Iterator[list[int]]:
    """Forwards SIGTERM to every process, and each stops after a checkpoint. A terminal sends SIGINT to all of
    them itself, and a second one would end them at once. Yields the signals that have come."""
    told: list[int] = []

    def pass_on(number: int, frame: Any) -> None:
        told.append(number)
        for child in children:
            if number == signal.SIGTERM and child.poll() is None:
                child.send_signal(number)

    before = {number: signal.signal(number, pass_on) for number in (signal.SIGTERM, signal.SIGINT)}
    try:
        yield told
    finally:
        for number, handler in before.items():
            signal.signal(number, handler)


def _exit_code(
    children: Sequence[subprocess.Popen[bytes]], is_broken: Callable[[], bool]
) -> tuple[int, bool]:
    """Waits for all; once one has failed, here or in another pod, with a timeout. Returns the exit code for
    all, and whether another pod was the first."""
    ended: Queue[tuple[int, int]] = Queue()
    for rank, child in enumerate(children):
        Thread(target=lambda r=rank, c=child: ended.put((r, c.wait())), daemon=True).start()
    failures: list[int] = []
    broken = False
    for _ in children:
        until = None
        while True:
            broken = broken or (not failures and is_broken())
            if until is None and (failures or broken):
                until = time.monotonic() + GRACE_SECONDS
            try:
                rank, status = ended.get(timeout=LOOK_SECONDS)
                break
            except Empty:
                if until is not None and time.monotonic() >= until:
                    for child in children:
                        child.kill()
        code = status if status >= 0 else 128 - status
        if code and not failures:
            print(f"Process {rank} of {len(children)} ended with {code}; all end.", file=sys.stderr)
        failures += [code] if code else []
    return next((code for code in failures if code in TELLING), failures[0] if failures else 0), broken
