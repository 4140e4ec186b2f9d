"""The server's configuration, from the environment (the operator sets it) or flags (for people)."""

from __future__ import annotations

import math
import os
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Annotated, Literal

from pydantic import (
    BaseModel,
    BeforeValidator,
    ConfigDict,
    Field,
    ValidationError,
    ValidationInfo,
    field_validator,
)
from pydantic.alias_generators import to_camel
from pydantic_core import PydanticCustomError

from sparsedm.errors import ConfigError
from sparsedm.serve.gate import Gate, parse_gate
from sparsedm.sources.fetch import local_name
from sparsedm.uris import is_remote, resolve_uri

DEFAULT_PORT = 8080
SAMPLER = "dpm-solver++"
"""The sampler of servers."""

ORIGIN = r"^(\*|https?://[A-Za-z0-9.\[\]:-]+)$"
"""A scheme, a host and a port, as browsers send it; "*" is every one."""

Decimal = Annotated[float, BeforeValidator(lambda value: float(value) if isinstance(value, str) else value)]


class EngineSpec(BaseModel):
    """`spec.engine` of a SparseInferenceService, with the same names and defaults."""

    model_config = ConfigDict(alias_generator=to_camel, populate_by_name=True, extra="forbid", frozen=True)

    backend: Literal["auto", "dense", "cusparselt", "cutlass"] = "auto"
    precision: Literal["auto", "fp32", "bf16", "fp16"] = "auto"
    steps: int = Field(20, ge=1, le=1000)
    guidance: Decimal = Field(0.5, ge=0, le=20, allow_inf_nan=False)
    max_batch_size: int = Field(8, ge=1, le=1024)
    max_batch_delay_milliseconds: int = Field(5, ge=0, le=60_000)
    max_queue: int = Field(64, ge=1, le=100_000)
    max_steps: int | None = Field(None, ge=1, le=1000)
    """Most steps that a client may ask for; None means `steps`."""
    deterministic: bool = False
    """One shape for every batch, so that an image's bytes do not depend on the others of its batch."""

    cors_allowed_origins: tuple[Annotated[str, Field(pattern=ORIGIN)], ...] = ()
    """Sites whose pages may read answers in a browser; "*" is every site."""

    @field_validator("max_steps")
    @classmethod
    def _holds_steps(cls, value: int | None, info: ValidationInfo) -> int | None:
        steps = info.data.get("steps", 1)
        if value is not None and value < steps:
            raise PydanticCustomError(
                "max_steps", "must be at least engine.steps, {steps}: raise it", {"steps": steps}
            )
        return value

    @property
    def most_steps(self) -> int:
        return self.max_steps or self.steps

    @property
    def buckets(self) -> list[int]:
        """Sizes of batches, ascending: 1, 2, 4, 8 ... and the largest."""
        if self.deterministic:
            return [self.max_batch_size]
        powers = range((self.max_batch_size - 1).bit_length())
        return [*(2**power for power in powers), self.max_batch_size]


class QualitySpec(BaseModel):
    """What of `spec.qualityMonitor` the server does, with the same names and defaults."""

    model_config = ConfigDict(alias_generator=to_camel, populate_by_name=True, extra="forbid", frozen=True)

    sample_percent: int = Field(10, ge=1, le=100)


@dataclass(frozen=True)
class ServeConfig:
    model: Path
    """Directory of the artifact; of one that lies elsewhere, once it is fetched."""
    name: str
    """How clients call the model."""
    engine: EngineSpec
    sha256: str | None
    """Expected digest of the weights; None trusts the manifest."""
    host: str
    """Address to listen on; "" is every address, IPv4 and IPv6."""
    port: int
    access_log: bool
    drain_delay: float = 0.0
    """Seconds after SIGTERM in which requests are at least accepted, while traffic moves elsewhere."""
    grace: float | None = None
    """Seconds from SIGTERM until SIGKILL; None where none comes."""
    gate: Gate | None = None
    """What of `spec.qualityGate` the server judges."""
    gate_text: str = ""
    """The gate as it was given: the report repeats it, so that the operator knows what was judged."""
    remote: str | None = None
    """URI of an artifact that has to be fetched."""
    quality: QualitySpec | None = None
    """How the quality of what is served is watched; None where it is not."""


def sentences(error: ValidationError, prefix: str) -> list[str]:
    """One sentence for each problem, with the name of its field."""
    return [
        f"{'.'.join([prefix, *map(str, problem['loc'])])}: {problem['msg'][:1].lower()}{problem['msg'][1:]}."
        for problem in error.errors()
    ]


def parse_engine(text: str) -> EngineSpec:
    """Raises ConfigError with a sentence for each wrong field."""
    try:
        return EngineSpec.model_validate_json(text)
    except ValidationError as error:
        raise ConfigError(sentences(error, "engine")) from error


def parse_quality(text: str) -> QualitySpec:
    """Raises ConfigError with a sentence for each wrong field."""
    try:
        return QualitySpec.model_validate_json(text)
    except ValidationError as error:
        raise ConfigError(sentences(error, "qualityMonitor")) from error


def read_config(
    model: str | None,
    name: str | None,
    engine: str | None,
    host: str,
    port: int,
    access_log: bool | None,
    env: Mapping[str, str] = os.environ,
) -> ServeConfig:
    """Flags win over the environment. Raises ConfigError."""
    where = model or env.get("SPARSEDM_MODEL")
    if not where:
        raise ConfigError(
            ["No model is given: set SPARSEDM_MODEL or pass --model with an artifact's directory."]
        )
    remote = where if "://" in where and is_remote(where) else None
    directory = resolve_uri(where, env) if "://" in where and not remote else Path(where)
    gate = env.get("SPARSEDM_QUALITY_GATE", "")
    quality = env.get("SPARSEDM_QUALITY_MONITOR", "")
    delay, grace = _seconds(env, "SPARSEDM_DRAIN_DELAY_SECONDS"), _seconds(env, "SPARSEDM_GRACE_SECONDS")
    if grace is not None and grace <= (delay or 0.0):
        raise ConfigError(["SPARSEDM_GRACE_SECONDS must be more than SPARSEDM_DRAIN_DELAY_SECONDS."])
    return ServeConfig(
        model=directory,
        remote=remote,
        name=name or env.get("SPARSEDM_MODEL_NAME") or local_name(where),
        engine=parse_engine(engine or env.get("SPARSEDM_ENGINE") or "{}"),
        sha256=env.get("SPARSEDM_MODEL_SHA256", "").removeprefix("sha256:").lower() or None,
        host=host,
        port=port,
        access_log=_access_log(env) if access_log is None else access_log,
        drain_delay=delay or 0.0,
        grace=grace,
        gate=parse_gate(gate) if gate else None,
        gate_text=gate,
        quality=parse_quality(quality) if quality else None,
    )


def _access_log(env: Mapping[str, str]) -> bool:
    return env.get("SPARSEDM_ACCESS_LOG", "1").lower() not in ("0", "false")


def _seconds(env: Mapping[str, str], name: str) -> float | None:
    """None where the variable is not set. Raises ConfigError."""
    text = env.get(name)
    if not text:
        return None
    try:
        value = float(text)
    except ValueError:
        value = math.nan
    if not 0 <= value < math.inf:
        raise ConfigError([f"{name} must be a number of seconds, not {text}."])
    return value
