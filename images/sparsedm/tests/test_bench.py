"""The benchmarks of a training step and of a server, on a tiny model: their output can be parsed."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path
from typing import Any

import numpy as np
import pytest

PACKAGE = Path(__file__).parents[1]


def run(program: str, *options: str) -> tuple[list[dict[str, Any]], str]:
    """The list of the last line, and the output before it."""
    environment = {**os.environ, "PYTHONPATH": str(PACKAGE / "src")}
    command = [sys.executable, str(PACKAGE / "bench" / program), *options]
    done = subprocess.run(command, env=environment, capture_output=True, text=True, timeout=300, check=True)
    return json.loads(done.stdout.splitlines()[-1]), done.stderr


def measured(program: str, *options: str) -> tuple[dict[str, Any], str]:
    """The only entry of the last line, of a tiny model."""
    (result,), shown = run(program, "--models", "smoke", "--batch", "2", *options)
    return result, shown


def test_the_last_line_is_a_list_with_one_entry_for_each_model() -> None:
    result, shown = measured("train_step.py", "--steps", "1", "--compiled", "no")
    names = ["model", "batch", "compiled", "dense_s", "masked_s", "ratio", "cpu_ratio", "memory_ratio"]
    assert list(result) == names
    assert (result["model"], result["batch"], result["compiled"]) == ("smoke", 2, False)
    assert result["dense_s"] > 0
    assert abs(result["ratio"] - result["masked_s"] / result["dense_s"]) < 0.01
    assert result["cpu_ratio"] > 0
    assert result["memory_ratio"] > 0
    assert "smoke" in shown, "progress is shown"


def test_a_server_s_batch_is_timed_called_recorded_and_sparse() -> None:
    result, shown = measured("serve_batch.py", "--steps", "2", "--compiled", "no")
    assert (result["model"], result["batch"], result["layers"]) == ("smoke", 2, 13)
    assert min(result[name] for name in ("called_s", "recorded_s", "sparse_s")) > 0
    assert (
        abs(result["images_per_second"] - 2 / result["sparse_s"]) < 0.5 + 0.01 * result["images_per_second"]
    )
    assert (result["sparse_layers"], result["sparse_gain"], result["compiled_s"]) == (0, None, None)
    assert "1/1" in shown, "progress is shown"


def test_each_bucket_is_timed_and_its_images_compared() -> None:
    results, _ = run("serve_buckets.py", "--precisions", "fp32", "--largest", "2", "--seeds", "1")
    assert [(r["precision"], r["images"]) for r in results] == [("fp32", 1), ("fp32", 2)]
    assert min(r["batch_s"] for r in results) > 0
    assert results[0]["pixel"] == 0, "the same batch twice"
    assert [r["ssim"] for r in results] == [pytest.approx(1.0)] * 2


def test_images_that_differ_are_less_similar(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.syspath_prepend(str(PACKAGE / "bench"))
    from serve_buckets import ssim

    flat = np.full((16, 16, 1), 100, np.uint8)
    # Without variance what is left is the term of the means: (2 * 100 * 150 + C) / (100^2 + 150^2 + C).
    assert ssim(flat, flat + 50) == pytest.approx((30_000 + 6.5025) / (32_500 + 6.5025))


def test_clients_of_the_server_of_one_shape_and_of_a_loop_are_measured() -> None:
    results, shown = run(
        "serve_clients.py", "--clients", "1", "2", "--images", "1", "--rounds", "1", "--steps", "1"
    )
    ways = ["loop", "server", "padded"]
    assert [(r["clients"], r["way"]) for r in results] == [(n, way) for n in (1, 2) for way in ways]
    for result in results:
        assert result["images"] == 4
        assert 0 < result["p50_s"] <= result["p99_s"]
        assert result["images_per_second"] > 0
    assert "2/2" in shown, "progress is shown"


def test_a_second_replica_s_load_is_measured_beside_the_first_one_s() -> None:
    first, second = run("serve_load.py", "--preset", "fashion-mnist-uvit-tiny")[0]
    assert (first["replica"], second["replica"]) == (1, 2)
    assert second["disk_mb"] < 1, "the first one has read all of it"
    for one in (first, second):
        assert min(one[name] for name in ("reading_s", "checking_s", "memory_mb")) > 0
