"""Errors that end a command, each with the exit code and the reason that the operator reads.

The operator's pod failure policy distinguishes a wrong spec from a lost node by these codes:
2, 3 and 4 are never retried; 5, 143 and everything else are. 6, of one of several pods, is not counted: the
pod that has ended first is.
"""

from __future__ import annotations

import errno
import os
from collections.abc import Iterator
from contextlib import contextmanager

from safetensors import SafetensorError

from sparsedm.uris import with_uris

FULL = (errno.ENOSPC, errno.EDQUOT)
"""A full volume, and an exhausted quota."""


class SparseDMError(Exception):
    """An error that a user can act on: `reason` is one CamelCase word, the message one sentence, in which
    paths are as the manifest has them."""

    exit_code = 1

    def __init__(self, reason: str, message: str) -> None:
        self.reason = reason
        self.message = with_uris(message)
        super().__init__(self.message)


class ConfigError(SparseDMError):
    """The configuration is wrong: every problem found, one sentence each."""

    exit_code = 2

    def __init__(self, problems: list[str]) -> None:
        super().__init__("ConfigurationInvalid", " ".join(problems))
        self.problems = [with_uris(problem) for problem in problems]


class InputError(SparseDMError):
    """Weights, data, a digest or the output directory are not what the configuration says."""

    exit_code = 3


@contextmanager
def storage_explained() -> Iterator[None]:
    """A sentence for what the system forbids, naming the file and who runs here, and for a full volume.

    Weights are written for their owner alone by the libraries that write them, and pods run as another user.
    """
    try:
        yield
    except PermissionError as error:
        raise InputError(
            "PermissionDenied",
            f"{error.filename or error} may not be opened by user {os.geteuid()} of group {os.getegid()}, "
            "who runs here: give them access, for example by chmod -R a+rX of its folder.",
        ) from error
    except (OSError, SafetensorError) as error:
        if not _tells_of_full_volume(error):
            raise
        raise SparseDMError(
            "VolumeFull",
            f"A volume is full ({error}): make room on it, or enlarge its claim. The next attempt goes on "
            "from the last checkpoint.",
        ) from error


def _tells_of_full_volume(error: OSError | SafetensorError) -> bool:
    """safetensors gives the error number only in its message."""
    return getattr(error, "errno", None) in FULL or any(f"(os error {code})" in str(error) for code in FULL)


class Diverged(SparseDMError):
    """The loss or the gradient is no longer a number."""

    exit_code = 4

    def __init__(self, step: int, what: str) -> None:
        super().__init__(
            "Diverged",
            f"{what} is not finite at step {step}: "
            "lower training.learningRate, or raise training.warmupSteps.",
        )
        self.step = step


class Regressed(SparseDMError):
    """A stage of the schedule has made the model worse than the configuration allows."""

    exit_code = 4

    def __init__(self, message: str) -> None:
        super().__init__("QualityRegressed", message)


class Interrupted(SparseDMError):
    """SIGTERM (143) or SIGINT (130) stopped the process; a retry resumes where it stopped."""

    def __init__(self, message: str, signal_number: int = 15) -> None:
        super().__init__("Interrupted", message)
        self.exit_code = 128 + signal_number


class Superseded(SparseDMError):
    """Another trainer has taken over the output. The run itself goes on there: this is not its end, and
    nothing is reported to the operator."""

    exit_code = 5

    def __init__(self, message: str) -> None:
        super().__init__("Superseded", message)


class ProcessLost(SparseDMError):
    """One of several processes has ended, or no longer answers. Where they have already `worked` together,
    that alone is what is wrong."""

    pod_exit_code = 6

    def __init__(self, rank: int, size: int, cause: str, worked: bool = False) -> None:
        super().__init__(
            "ProcessLost",
            f"Process {rank} of {size} waits for another one that has ended or does not answer "
            f"({' '.join(cause.split())[:200]}): a retry goes on from the last checkpoint.",
        )
        if worked:
            self.exit_code = self.pod_exit_code


class ProcessesDiffer(SparseDMError):
    """Processes whose state must be equal differ."""

    def __init__(self, what: str, rank: int, step: int) -> None:
        super().__init__(
            "ProcessesDiffer",
            f"At step {step} the {what} of rank {rank} differ from those of rank 0: this checkpoint is "
            "not written, and a retry goes on from the last one.",
        )
