"""What a run reads from elsewhere, fetched before it starts."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

from sparsedm.artifact.output_lock import OutputLock
from sparsedm.errors import InputError
from sparsedm.files import write_atomically
from sparsedm.runtime.progress import Console
from sparsedm.runtime.report_client import ReportClient
from sparsedm.sources.fetch import Meter, Use, fetch_all
from sparsedm.sources.settings import Settings
from sparsedm.training.config import TrainConfig
from sparsedm.training.output import finished_manifest
from sparsedm.uris import fetched, is_remote, sources_status

SOURCES_FILE = "sources.json"
"""In the output: `status.sources` of the run's first trainer. Later ones read the same content or none."""


def uses(config: TrainConfig) -> list[Use]:
    """Every URI that the run reads, by its field."""
    model, evaluation, held_out = config.model, config.evaluation, config.evaluation.dataset
    teacher = model.teacher
    given = [
        _weights("model.pretrained.uri", model.pretrained_uri, model.pretrained_sha256, model.architecture),
        teacher
        and _weights(
            "model.teacher.pretrained.uri",
            teacher.pretrained_uri,
            teacher.pretrained_sha256,
            teacher.architecture,
        ),
        _use("model.textEncoderUri", model.text_encoder_uri),
        _use("dataset.uri", config.dataset.uri),
        held_out and _use("evaluation.dataset.uri", held_out.uri),
        _use("evaluation.extractorUri", evaluation.extractor_uri),
        _use("evaluation.referenceStatsUri", evaluation.reference_stats_uri),
        _use("evaluation.autoencoderUri", evaluation.autoencoder_uri),
        _use("evaluation.clipUri", evaluation.clip_uri),
    ]
    return [use for use in given if use]


def _use(field: str, uri: str | None, sha256: str | None = None) -> Use | None:
    return Use(field, uri, sha256) if uri else None


def _weights(field: str, uri: str | None, sha256: str | None, architecture: str) -> Use | None:
    """Of a folder the digest is that of a file in it, which is checked when it is read."""
    return _use(field, uri, sha256 if architecture == "uvit" else None)


def fetch_inputs(config: TrainConfig, client: ReportClient, console: Console, output: Path | None) -> None:
    """Fetches what is remote, unless the run has finished or another process has. `output` None is nobody's.
    Raises SparseDMError with a sentence."""
    wanted = [use for use in uses(config) if is_remote(use.uri) and use.uri not in fetched()]
    if not wanted or (output and finished_manifest(output, config.digest()) is not None):
        return

    def show(progress: dict[str, Any], urgent: bool) -> None:
        console.show_fetching(progress, force=urgent)
        client.update(urgent=urgent, progress=progress)

    pinned = {each["uri"]: each for each in _earlier(output)} if output else {}
    fetch_all(wanted, Settings.from_environment(), Meter(show), pinned)
    client.update(urgent=True, sources=sources_status())


def _earlier(output: Path) -> list[dict[str, Any]]:
    try:
        return json.loads((output / SOURCES_FILE).read_text(encoding="utf-8"))
    except FileNotFoundError:
        return []
    except (OSError, ValueError) as error:
        raise InputError(
            "OutputInUse",
            f"{output / SOURCES_FILE} is not readable ({error}): choose another output.uri, or empty it.",
        ) from error


def pin_inputs(output: Path, lock: OutputLock) -> None:
    """Keeps what was fetched for the attempts that follow. The caller holds the output."""
    found = sources_status()
    if found and not (output / SOURCES_FILE).exists():
        write_atomically(output / SOURCES_FILE, (json.dumps(found) + "\n").encode(), lock.staging)
