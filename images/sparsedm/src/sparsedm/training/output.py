"""The output directory: whose it is, who writes to it, and whether its run has finished."""

from __future__ import annotations

import errno
import json
import os
import tempfile
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

from sparsedm.artifact.artifact import MANIFEST_FILE, WEIGHTS_FILE, read_manifest
from sparsedm.artifact.output_lock import OutputLock
from sparsedm.artifact.pipeline import load_any
from sparsedm.errors import InputError
from sparsedm.files import write_atomically
from sparsedm.sources.settings import Settings
from sparsedm.training.config import TrainConfig
from sparsedm.uris import fetched, is_remote, remember_output, resolve_uri

if TYPE_CHECKING:
    from sparsedm.sources.bucket import Bucket

RUN_FILE = "run.json"
_NEVER_WRITABLE = (errno.EACCES, errno.EPERM, errno.EROFS)


def run_name(env: Mapping[str, str] = os.environ) -> str:
    """NAMESPACE/NAME in the cluster."""
    return env.get("SPARSEDM_RUN") or "local/run"


def claim_output(config: TrainConfig, env: Mapping[str, str] = os.environ) -> Path:
    """The directory, made where there is none. Raises InputError where another configuration has it."""
    if is_remote(config.output.uri) and config.output.uri not in fetched(env):
        _mirror(config.output.uri)
    directory = resolve_uri(config.output.uri, env)
    try:
        directory.mkdir(parents=True, exist_ok=True)
        signed = (directory / RUN_FILE).exists()
    except OSError as error:
        raise _not_writable(config, error) from error
    if signed:
        _owner(directory, config)
    else:
        _refuse_foreign_files(directory, config.output.uri)
    return directory


@contextmanager
def hold_output(
    config: TrainConfig, directory: Path, env: Mapping[str, str] = os.environ
) -> Iterator[Output]:
    """The right to write to a claimed directory, which from now on is this run's own: one of another name
    that is the same experiment goes on where that one stopped. Raises InputError while a trainer of another
    run writes there, and Superseded once another trainer of this run does."""
    try:
        lock = OutputLock.take(directory, run_name(env), config.output.uri)
    except OSError as error:
        if error.errno not in _NEVER_WRITABLE:
            raise
        raise _not_writable(config, error) from error
    with lock.held():
        bucket = _bucket(config.output.uri) if is_remote(config.output.uri) else None
        if bucket is not None:
            bucket.take()
            bucket.pull()
        if not (directory / RUN_FILE).exists() or _owner(directory, config) != run_name(env):
            claim = {"run": run_name(env), "configDigest": config.digest()}
            write_atomically(directory / RUN_FILE, (json.dumps(claim) + "\n").encode(), lock.staging)
        _owner(directory, config)
        yield Output(lock, bucket)


@dataclass(frozen=True)
class Output:
    """An output that is held, and the bucket that mirrors it, where there is one."""

    lock: OutputLock
    bucket: Bucket | None = None

    def publish(self) -> None:
        """After each step that others may see. Raises Superseded."""
        if self.bucket is not None:
            self.bucket.push()


def _bucket(uri: str) -> Bucket:
    # Imported here: few outputs are in a bucket.
    from sparsedm.sources.bucket import Bucket

    return Bucket(uri, resolve_uri(uri), Settings.from_environment())


def _mirror(uri: str) -> None:
    folder = Path(tempfile.mkdtemp(prefix="sparsedm-output-"))
    remember_output(uri, folder)
    _bucket(uri).pull()


def _not_writable(config: TrainConfig, error: OSError) -> InputError:
    return InputError(
        "OutputNotWritable",
        f"output.uri {config.output.uri} can't be written ({error}): check the volume.",
    )


def _refuse_foreign_files(directory: Path, uri: str) -> None:
    found = next((name for name in (MANIFEST_FILE, WEIGHTS_FILE) if (directory / name).exists()), None)
    if found:
        raise InputError(
            "OutputInUse",
            f"output.uri {uri} holds a {found} that no run of this kind wrote: choose an empty directory.",
        )


def _owner(directory: Path, config: TrainConfig) -> str:
    """The run that last wrote there. Raises InputError where its configuration is another one."""
    try:
        owner = json.loads((directory / RUN_FILE).read_text())
        owner_run, owner_digest = owner["run"], owner["configDigest"]
    except (OSError, ValueError, KeyError, TypeError) as error:
        raise InputError(
            "OutputInUse",
            f"{directory / RUN_FILE} is not readable ({error}): choose another output.uri, or empty it.",
        ) from error
    if owner_digest != config.digest():
        raise InputError(
            "OutputInUse",
            f"output.uri {config.output.uri} is already used by run {owner_run} with another configuration: "
            "choose another path, or empty it.",
        )
    return str(owner_run)


def finished_manifest(directory: Path, config_digest: str) -> dict[str, Any] | None:
    """The manifest of this very configuration, proven against its weights; None where work is left."""
    try:
        manifest = read_manifest(directory)
        if manifest["provenance"]["configDigest"] != config_digest:
            return None
        load_any(directory)
    except (InputError, KeyError, TypeError):
        return None
    return manifest
