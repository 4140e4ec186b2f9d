"""The benchmark of the training step, on a model of no size: what it prints can be read by a program."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path

PROGRAM = Path(__file__).parents[1] / "bench/train_step.py"


def test_the_last_line_is_a_list_with_one_entry_for_each_model() -> None:
    environment = {**os.environ, "PYTHONPATH": str(PROGRAM.parents[1] / "src")}
    command = [sys.executable, str(PROGRAM), "--models", "smoke", "--batch", "2", "--steps", "2"]
    command += ["--compiled", "no"]
    done = subprocess.run(command, env=environment, capture_output=True, text=True, timeout=300, check=True)
    (result,) = json.loads(done.stdout.splitlines()[-1])
    names = ["model", "batch", "compiled", "dense_s", "masked_s", "ratio", "cpu_ratio", "memory_ratio"]
    assert list(result) == names
    assert (result["model"], result["batch"], result["compiled"]) == ("smoke", 2, False)
    assert result["dense_s"] > 0
    assert abs(result["ratio"] - result["masked_s"] / result["dense_s"]) < 0.01
    assert result["cpu_ratio"] > 0
    assert result["memory_ratio"] > 0
    assert "smoke" in done.stderr, "progress is shown"
