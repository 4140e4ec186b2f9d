"""What was measured of products before, on the same GPU with the same driver and libraries, in a file.

A pod's /tmp, an emptyDir, keeps it for containers that start again; $SPARSEDM_TUNING_DIR names another
folder. A file that is missing, damaged or not writable costs a measurement and nothing else.
"""

from __future__ import annotations

import json
import logging
import os
import tempfile
from collections.abc import Mapping
from dataclasses import asdict, dataclass
from pathlib import Path

import torch

from sparsedm.files import json_digest, write_atomically

log = logging.getLogger("sparsedm.serve")

DRIVER_FILE = Path("/proc/driver/nvidia/version")


@dataclass(frozen=True)
class Tuned:
    """The fastest product of a shape: its kernel, None where that is the dense one, and its algorithm."""

    kernel: str | None
    algorithm: int = 0


def tuning_folder(env: Mapping[str, str] = os.environ) -> Path:
    return Path(env.get("SPARSEDM_TUNING_DIR") or Path(tempfile.gettempdir()) / "sparsedm-tuning")


def circumstances(device: torch.device, dtype: torch.dtype) -> dict[str, str]:
    """All that a measurement depends on, besides the shape."""
    try:
        driver = DRIVER_FILE.read_text().splitlines()[0]
    except (OSError, IndexError):
        driver = "unknown"
    return {
        "gpu": torch.cuda.get_device_name(device) if device.type == "cuda" else "cpu",
        "driver": driver,
        "torch": torch.__version__,
        "cusparselt": str(torch.backends.cusparselt.version()),
        "precision": str(dtype).removeprefix("torch."),
    }


class Tuning:
    """`found` before measuring, `add` after it, `save` at the end."""

    def __init__(self, folder: Path, of: Mapping[str, str]) -> None:
        """of: circumstances."""
        self._of = dict(of)
        self._file = folder / f"{json_digest(self._of).removeprefix('sha256:')[:16]}.json"
        self._choices = self._read()
        self._changed = False

    def _read(self) -> dict[str, Tuned]:
        try:
            kept = json.loads(self._file.read_text(encoding="utf-8"))
            if kept["of"] != self._of:
                return {}
            return {shape: Tuned(**choice) for shape, choice in kept["choices"].items()}
        except FileNotFoundError:
            return {}
        except (OSError, ValueError, KeyError, TypeError, AttributeError) as error:
            log.warning("Products are measured anew: %s can't be read (%s).", self._file, error)
            return {}

    def found(self, shape: str) -> Tuned | None:
        return self._choices.get(shape)

    def add(self, shape: str, choice: Tuned) -> None:
        self._choices[shape], self._changed = choice, True

    def save(self) -> None:
        if not self._changed:
            return
        choices = {shape: asdict(choice) for shape, choice in self._choices.items()}
        try:
            self._file.parent.mkdir(parents=True, exist_ok=True)
            write_atomically(self._file, json.dumps({"of": self._of, "choices": choices}).encode())
        except OSError as error:
            log.info("What was measured of products is not kept: %s.", error)
