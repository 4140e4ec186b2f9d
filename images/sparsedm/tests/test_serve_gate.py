"""What a server judges of qualityGate before it is ready."""

from __future__ import annotations

import asyncio
import json
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
import torch
from torch import nn

from serve_tools import CONFIG, write_artifact
from sparsedm.artifact.artifact import read_manifest, write_manifest
from sparsedm.errors import ConfigError, InputError
from sparsedm.serve.backend import Choice
from sparsedm.serve.config import EngineSpec, ServeConfig, read_config
from sparsedm.serve.drawer import Measured
from sparsedm.serve.engine import Engine
from sparsedm.serve.gate import Gate, judge_gate, judge_manifest, judge_speedup, parse_gate
from sparsedm.serve.service import Service

CASES = json.loads((Path(__file__).parent / "gate_cases.json").read_text())
SPEC = EngineSpec(steps=1, max_batch_size=1, max_batch_delay_milliseconds=0)


@pytest.fixture(scope="module")
def model(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Its distance is 1 without an increase, as serve_tools writes it; here the increase is 1."""
    directory = write_artifact(tmp_path_factory.mktemp("gate"), replace(CONFIG, depth=1))
    manifest = read_manifest(directory)
    manifest["fid"] |= {"increase": "1", "precision": "fp32"}
    write_manifest(directory, manifest)
    return directory


class Reports:
    """Stands for the client that posts reports."""

    def __init__(self) -> None:
        self.state: dict[str, Any] = {}

    def update(self, urgent: bool = False, **parts: Any) -> None:
        self.state |= parts

    def close(self, timeout: float = 0.0, **last: Any) -> None:
        self.state |= last


def start(model: Path, gate: dict[str, Any]) -> tuple[Service, dict[str, Any]]:
    """The service once it is ready, and what it reported. Raises what its start raises."""
    text, reports = json.dumps(gate), Reports()
    config = ServeConfig(model, "clothes", SPEC, None, "", 0, False, gate=parse_gate(text), gate_text=text)

    async def main() -> Service:
        service = Service(config, reports)  # type: ignore[arg-type]
        try:
            await service.start()
            assert service.ready
            await asyncio.sleep(0)  # the first report is a task of its own
        finally:
            service.close()
            start.reported = reports.state  # type: ignore[attr-defined]
        return service

    return asyncio.run(main()), reports.state


@pytest.mark.parametrize("case", CASES, ids=lambda case: case["message"])
def test_the_rule_is_the_operator_s(case: dict[str, Any]) -> None:
    verdict = judge_gate(Gate.model_validate(case["gate"]), case["figures"], case.get("served", []))
    assert (verdict.passed, verdict.message) == (case["passed"], case["message"])


def test_the_distance_in_the_precision_that_is_served_counts() -> None:
    served = [{"precision": "bf16", "increase": "4"}]
    manifest = {
        "fid": {"metric": "fd-x", "dense": "9", "increase": "1", "precision": "fp32", "served": served}
    }
    gate = Gate(max_fid_increase=2.0)
    assert judge_manifest(gate, manifest, "fp32").passed is True
    in_bf16 = judge_manifest(gate, manifest, "bf16")
    assert (in_bf16.passed, in_bf16.reason) == (False, "OutOfBounds")
    assert in_bf16.message == "The increase of fd-x in bf16 is 4, above 2."
    in_fp16 = judge_manifest(gate, manifest, "fp16")
    assert in_fp16.passed is True
    assert "evaluation.servedPrecisions: [fp16]" in in_fp16.message


@pytest.mark.parametrize(
    ("gate", "speedup", "want"),
    [
        ({}, 1.4, (True, "WithinBounds")),
        ({}, 1.2, (True, "WithinBounds")),
        ({}, 1.1, (True, "FellBack")),
        ({"onSlow": "Refuse"}, 1.1, (False, "TooSlow")),
    ],
)
def test_a_slow_engine_falls_back_or_is_refused(
    gate: dict[str, str], speedup: float, want: tuple[bool, str]
) -> None:
    verdict = judge_speedup(Gate.model_validate({"minSpeedup": "1.2", **gate}), speedup, "Why.")
    assert (verdict.passed, verdict.reason) == want
    assert f"is {speedup:.2f}, " in verdict.message


def test_a_model_within_the_gate_serves_and_says_so(model: Path) -> None:
    _, reported = start(model, {"maxFidIncrease": "1"})
    assert reported["gate"] == {
        "uri": model.as_uri(),
        "bounds": '{"maxFidIncrease": "1"}',
        "passed": True,
        "reason": "WithinBounds",
        "message": "The increase of fd-test in fp32 is 1, within 1.",
    }


def test_a_model_beyond_the_gate_is_refused_before_it_is_ready(model: Path) -> None:
    with pytest.raises(InputError) as refused:
        start(model, {"maxFidIncreasePercent": 50})
    want = "The relative increase of fd-test in fp32 is 100 %, above 50 %."
    assert (refused.value.reason, refused.value.message) == ("OutOfBounds", want)
    gate = start.reported["gate"]  # type: ignore[attr-defined]
    assert (gate["passed"], gate["reason"], gate["message"]) == (False, "OutOfBounds", want)


def test_a_manifest_without_figures_is_refused_by_its_field(tmp_path: Path) -> None:
    with pytest.raises(InputError, match=r"no fid\.increase .* remove maxFidIncrease") as refused:
        start(write_artifact(tmp_path, replace(CONFIG, depth=1)), {"maxFidIncrease": "1"})
    assert refused.value.reason == "FiguresMissing"


def test_without_sparse_kernels_the_dense_one_serves_and_says_so(model: Path) -> None:
    service, reported = start(model, {"minSpeedup": "1.2"})
    assert (reported["gate"]["passed"], reported["gate"]["reason"]) == (True, "FellBack")
    assert (
        "below qualityGate.minSpeedup 1.2: Dense, because there is no CUDA GPU."
        in reported["gate"]["message"]
    )
    assert reported["engine"]["backend"] == "dense"
    assert "onSlow is Fallback" in reported["engine"]["reason"]
    assert service.gate_status == reported["gate"]


def test_without_sparse_kernels_refuse_ends_the_server(model: Path) -> None:
    with pytest.raises(
        InputError, match=r"The speed-up over dense is 1\.00, below .* no CUDA GPU"
    ) as refused:
        start(model, {"minSpeedup": "1.2", "onSlow": "Refuse", "maxFidIncrease": "1"})
    assert refused.value.reason == "TooSlow"
    assert start.reported["gate"]["passed"] is False  # type: ignore[attr-defined]


def test_falling_back_puts_the_dense_layers_back(model: Path) -> None:
    """With a stand-in for a sparse layer, since its kernel needs a GPU."""
    engine = Engine.load(model, SPEC, device=torch.device("cpu"))
    engine.warm_up()
    want = engine.draw([0], [7])[0]
    name = engine.manifest["layers"][0]["name"]
    dense = engine._model.get_submodule(name)
    engine._model.set_submodule(name, nn.Linear(dense.in_features, dense.out_features))
    engine.choice, engine.measured = (
        Choice("Sparse.", 1, {name: dense}, {name: "cusparselt"}),
        Measured({1: 1.0}, 1.1),
    )
    assert (engine.draw([0], [7])[0] != want).any()
    measured = engine.fall_back("Too slow.")
    assert measured.speedup == 1.0
    assert (engine.status()["backend"], engine.status()["reason"]) == ("dense", "Too slow.")
    assert (engine.draw([0], [7])[0] == want).all()


def test_a_wrong_gate_is_named_by_its_field() -> None:
    with pytest.raises(ConfigError, match=r"qualityGate\.onSlow"):
        parse_gate('{"onSlow": "Ignore"}')
    with pytest.raises(ConfigError, match=r"qualityGate\.minSpeedup"):
        parse_gate('{"minSpeedup": "1"}')


def test_the_environment_gives_the_gate(tmp_path: Path) -> None:
    text = '{"minSpeedup":"1.3"}'
    env = {"SPARSEDM_MODEL": str(tmp_path), "SPARSEDM_QUALITY_GATE": text}
    config = read_config(None, None, None, "", 0, None, env)
    assert config.gate == Gate(min_speedup=1.3)
    assert config.gate_text == text
    without = read_config(None, None, None, "", 0, None, {"SPARSEDM_MODEL": str(tmp_path)})
    assert without.gate is None
