"""The server's configuration."""

from __future__ import annotations

from pathlib import Path

import pytest

from sparsedm.errors import ConfigError
from sparsedm.serve.config import EngineSpec, ServeConfig, parse_engine, read_config


def read(**env: str) -> ServeConfig:
    return read_config(
        None, None, None, "", 8080, None, {f"SPARSEDM_{name}": text for name, text in env.items()}
    )


def test_defaults_are_the_custom_resource_s() -> None:
    want = EngineSpec(
        backend="auto", precision="auto", steps=20, guidance=0.5, max_batch_size=8,
        max_batch_delay_milliseconds=5, max_queue=64, deterministic=False,
    )  # fmt: skip
    assert parse_engine("{}") == want


def test_the_operator_s_environment_is_understood() -> None:
    engine = '{"steps": 30, "guidance": "0.7", "maxBatchSize": 4, "deterministic": true}'
    config = read(MODEL="pvc://claim/models/a", MOUNTS="/data", MODEL_NAME="clothes", ENGINE=engine)
    assert config.model == Path("/data/claim/models/a")
    assert config.name == "clothes"
    assert (config.engine.steps, config.engine.guidance, config.engine.max_batch_size) == (30, 0.7, 4)
    assert config.engine.deterministic
    assert config.sha256 is None


def test_a_directory_names_the_model_when_nobody_else_does() -> None:
    assert read(MODEL="/models/boots").name == "boots"


@pytest.mark.parametrize(
    ("engine", "want"),
    [
        ('{"corsAllowedOrigins": ["shop.example"]}', "engine.corsAllowedOrigins.0: string should match"),
        ('{"steps": 0}', "engine.steps: input should be greater than or equal to 1"),
        ('{"guidance": "much"}', "engine.guidance: "),
        ('{"guidance": "nan"}', "engine.guidance: "),
        ('{"backend": "cuda"}', "engine.backend: input should be 'auto', 'dense', 'cusparselt' or 'cutlass'"),
        ('{"maxBatch": 4}', "engine.maxBatch: extra inputs are not permitted"),
        ('{"steps": 30, "maxSteps": 20}', "engine.maxSteps: must be at least engine.steps, 30: raise it."),
        ("{", "engine: invalid JSON"),
    ],
)
def test_a_wrong_engine_is_told_with_its_field(engine: str, want: str) -> None:
    with pytest.raises(ConfigError) as error:
        parse_engine(engine)
    assert want in error.value.message


def test_clients_may_ask_for_no_more_than_the_steps_unless_told_otherwise() -> None:
    assert parse_engine('{"steps": 30}').most_steps == 30
    assert parse_engine('{"steps": 30, "maxSteps": 100}').most_steps == 100


def test_every_problem_is_told_at_once() -> None:
    with pytest.raises(ConfigError) as error:
        parse_engine('{"steps": 0, "maxQueue": 0}')
    assert len(error.value.problems) == 2


def test_a_model_must_be_given() -> None:
    with pytest.raises(ConfigError, match="SPARSEDM_MODEL"):
        read()


def test_without_a_kubelet_nothing_is_bounded_by_time() -> None:
    config = read(MODEL="/models/boots")
    assert (config.drain_delay, config.grace) == (0.0, None)


def test_the_time_to_stop_comes_from_the_operator() -> None:
    config = read(MODEL="/models/boots", DRAIN_DELAY_SECONDS="5", GRACE_SECONDS="90.5")
    assert (config.drain_delay, config.grace) == (5.0, 90.5)


@pytest.mark.parametrize(
    ("env", "want"),
    [
        ({"GRACE_SECONDS": "soon"}, "SPARSEDM_GRACE_SECONDS must be a number of seconds, not soon"),
        ({"GRACE_SECONDS": "inf"}, "SPARSEDM_GRACE_SECONDS must be a number of seconds, not inf"),
        ({"DRAIN_DELAY_SECONDS": "-1"}, "SPARSEDM_DRAIN_DELAY_SECONDS must be a number of seconds, not -1"),
        ({"DRAIN_DELAY_SECONDS": "9", "GRACE_SECONDS": "9"}, "must be more than SPARSEDM_DRAIN_DELAY"),
    ],
)
def test_a_time_to_stop_that_makes_no_sense_is_refused(env: dict[str, str], want: str) -> None:
    with pytest.raises(ConfigError, match=want):
        read(MODEL="/models/boots", **env)


@pytest.mark.parametrize(("value", "want"), [("", True), ("1", True), ("0", False), ("false", False)])
def test_requests_are_logged_unless_told_otherwise(value: str, want: bool) -> None:
    assert read(MODEL="/models/boots", ACCESS_LOG=value).access_log == want
