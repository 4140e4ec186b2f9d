"""Where a configuration comes from: a file, a manifest, or the operator's environment variable."""

from __future__ import annotations

import json
import os
from collections.abc import Mapping
from dataclasses import replace
from pathlib import Path
from typing import Any

import yaml

from sparsedm.errors import ConfigError
from sparsedm.training.config.parse import parse_config
from sparsedm.training.config.reader import Problems, Reader, shown
from sparsedm.training.config.spec import OutputSpec, TrainConfig


def with_output(config: TrainConfig, uri: str) -> TrainConfig:
    """The same run with results elsewhere. Raises ConfigError."""
    problems = Problems()
    output = Reader({"--output": uri}, "", problems).uri("--output", output=True)
    if output is None:
        raise ConfigError(list(problems))
    given = {**config.given, "output": {"uri": uri}} if config.given else {}
    return replace(config, output=OutputSpec(output), given=given)


def load_config(file: str | None, env: Mapping[str, str] = os.environ) -> TrainConfig:
    """From `file` (YAML or JSON; an artifact's manifest.json too), else from SPARSEDM_CONFIG. Raises
    ConfigError."""
    if file is not None:
        try:
            text = Path(file).read_text(encoding="utf-8")
        except (OSError, UnicodeDecodeError) as error:
            raise ConfigError([f"the configuration file {file} can't be read: {error}."]) from error
        value = _decode(text, file)
        if isinstance(value, Mapping) and "schemaVersion" in value:
            return _of_manifest(value, file)
        return parse_config(value)
    if not env.get("SPARSEDM_CONFIG"):
        raise ConfigError(
            ["no configuration: give --config FILE, or JSON in the environment variable SPARSEDM_CONFIG."]
        )
    return parse_config(_decode(env["SPARSEDM_CONFIG"], "SPARSEDM_CONFIG"))


def _of_manifest(manifest: Mapping[str, Any], file: str) -> TrainConfig:
    if "settings" not in manifest:
        raise ConfigError([f"{file} is a manifest without settings, as an earlier version wrote it."])
    config = TrainConfig.from_settings(manifest["settings"])
    return replace(config, given=manifest["provenance"].get("configuration", {}))


def _decode(text: str, source: str) -> Any:
    """JSON, else YAML; of several documents, as kubectl applies them, the one SparseFinetune."""
    try:
        return json.loads(text)
    except json.JSONDecodeError:
        pass
    try:
        documents = [document for document in yaml.safe_load_all(text) if document is not None]
    except yaml.YAMLError as error:
        raise ConfigError([f"{source} is neither JSON nor YAML: {' '.join(str(error).split())}."]) from error
    if len(documents) <= 1:
        return documents[0] if documents else None
    finetunes = [d for d in documents if isinstance(d, Mapping) and d.get("kind") == "SparseFinetune"]
    if len(finetunes) != 1:
        raise ConfigError([_which_of(documents, finetunes, source)])
    return finetunes[0]


def _which_of(documents: list[Any], finetunes: list[Any], source: str) -> str:
    if not finetunes:
        kinds = [str(d.get("kind", "no kind")) if isinstance(d, Mapping) else shown(d) for d in documents]
        return f"{source} holds {', '.join(kinds)} and no SparseFinetune: give the file of one."
    names = [str(_name_of(finetune)) for finetune in finetunes]
    return (
        f"{source} holds {len(finetunes)} SparseFinetunes ({', '.join(names)}), and one is trained at a "
        "time: give a file with one of them."
    )


def _name_of(finetune: Mapping[str, Any]) -> Any:
    metadata = finetune.get("metadata")
    return metadata.get("name") if isinstance(metadata, Mapping) else None
