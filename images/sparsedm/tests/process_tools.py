"""Runs Python in several processes, as `sparsedm train` starts them."""

from __future__ import annotations

import json
import os
import runpy
import signal
import sys
import traceback
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest
import torch

from sparsedm.runtime import launch
from tiny_run import Workplace

SOURCES = Path(__file__).parents[1] / "src"


@dataclass(frozen=True)
class Ended:
    code: int
    out: str
    err: str


class Copy:
    """In the place of a `Popen` of this Python: a copy of this process that runs the same program, because
    another interpreter would take seconds to import torch."""

    def __init__(self, command: Sequence[str], env: dict[str, str]) -> None:
        self.returncode: int | None = None
        self.pid = os.fork()
        if self.pid == 0:
            os._exit(self._run(list(command[1:]), env))

    def _run(self, arguments: list[str], env: dict[str, str]) -> int:
        code: Any = 1
        os.closerange(3, 256)
        os.environ.clear()
        os.environ.update(env)
        with open(1, "w", closefd=False) as sys.stdout, open(2, "w", closefd=False) as sys.stderr:
            try:
                if arguments[0] == "-m":
                    sys.argv = arguments[1:]
                    runpy.run_module(arguments[1], run_name="__main__", alter_sys=True)
                else:
                    sys.argv = arguments
                    runpy.run_path(arguments[0], run_name="__main__")
            except SystemExit as end:
                code = end.code
            except BaseException:
                traceback.print_exc()
        return code

    def wait(self) -> int:
        """For one thread: the launcher's, of this child."""
        _, status = os.waitpid(self.pid, 0)
        self.returncode = os.waitstatus_to_exitcode(status)
        return self.returncode

    def poll(self) -> int | None:
        return self.returncode

    def send_signal(self, number: int) -> None:
        if self.returncode is None:
            os.kill(self.pid, number)

    def kill(self) -> None:
        self.send_signal(signal.SIGKILL)


Together = Callable[..., Ended]
CLI = ("-m", "sparsedm.cli", "train")


@pytest.fixture
def together(
    place: Workplace, monkeypatch: pytest.MonkeyPatch, capfd: pytest.CaptureFixture[str]
) -> Together:
    """Starts Python with the arguments in `processes` processes, as `sparsedm train` does. anew: not as
    copies of this one."""

    def run(
        processes: int, spec: dict[str, Any], arguments: Sequence[str] = CLI, anew: bool = False
    ) -> Ended:
        for name, value in environment(place, spec).items():
            monkeypatch.setenv(name, value)
        if not anew and not torch.cuda.is_initialized():
            monkeypatch.setattr(launch, "subprocess", SimpleNamespace(Popen=Copy))
        monkeypatch.setattr(launch, "GRACE_SECONDS", 5.0)
        code = launch.launch(processes, [sys.executable, *arguments])
        return Ended(code, *capfd.readouterr())

    return run


def environment(place: Workplace, spec: dict[str, Any]) -> dict[str, str]:
    return {
        "OMP_NUM_THREADS": "1",
        "CUDA_VISIBLE_DEVICES": "",
        "PYTHONPATH": str(SOURCES),
        "SPARSEDM_CONFIG": json.dumps(spec),
        "SPARSEDM_TERMINATION_LOG": str(place.directory / "termination.json"),
    }
