"""Pretraining: it learns, resumes bit for bit, and refuses a folder of another run."""

import json
import math
import os
import signal
from dataclasses import replace

import numpy as np
import pytest
import torch
from safetensors.torch import save_file

from sparsedm.cli import main
from sparsedm.data import ArrayDataset
from sparsedm.errors import Diverged, InputError
from sparsedm.models import PRESETS, UViTConfig, build_model, load_weights
from sparsedm.training import pretraining as pretrain
from sparsedm.training.pretraining import PretrainConfig, Pretraining, train

TINY = UViTConfig(
    image_size=8, patch_size=4, channels=1, width=16, depth=3, heads=2, num_classes=2,
    final_conv=False, prediction="v",
)  # fmt: skip


@pytest.fixture(autouse=True)
def tiny(monkeypatch):
    monkeypatch.setitem(PRESETS, "tiny", TINY)
    images = np.zeros((20, 1, 8, 8), np.uint8)
    images[10:] = 255
    data = ArrayDataset(images, np.repeat([0, 1], 10))
    monkeypatch.setattr(pretrain, "open_dataset", lambda *a, **k: data)
    return data


def config(**change) -> PretrainConfig:
    return PretrainConfig(**{"preset": "tiny", "steps": 8, "batch_size": 6, "precision": "fp32", **change})


def test_a_resumed_run_equals_an_undisturbed_one(tmp_path, tiny) -> None:
    for name in ("whole", "parts"):
        (tmp_path / name).mkdir()
    whole = Pretraining(config(), tiny, tmp_path / "whole")
    train(whole, 1, 1)
    part = Pretraining(config(), tiny, tmp_path / "parts")
    for _ in range(3):
        part.advance()
    part.save()
    rest = Pretraining(config(), tiny, tmp_path / "parts")
    assert rest.resume()
    assert rest.step == 3
    train(rest, 1, 1)
    for name, value in whole.model.state_dict().items():
        assert torch.equal(value, rest.model.state_dict()[name]), name
        assert torch.equal(whole.ema[name], rest.ema[name]), name


def test_the_loss_falls(tmp_path, tiny) -> None:
    run = Pretraining(config(steps=150, batch_size=20, warmup_steps=10, label_dropout=0.1), tiny, tmp_path)
    losses = [run.advance() for _ in range(150)]
    assert np.mean(losses[-20:]) < 0.5 * np.mean(losses[:20])


def test_a_share_of_labels_is_dropped_for_guidance(tmp_path, tiny) -> None:
    run = Pretraining(config(batch_size=4000, label_dropout=0.25), tiny, tmp_path)
    _, y = run.batch()
    assert (y == TINY.null_label).float().mean() == pytest.approx(0.25, abs=0.03)


def test_the_rate_warms_up_and_falls_along_a_cosine() -> None:
    c = config(learning_rate=1.0, warmup_steps=4)
    assert c.learning_rate_at(0, 0.0) == pytest.approx(0.25)
    assert c.learning_rate_at(4, 0.0) == pytest.approx(1.0)
    assert c.learning_rate_at(4, 0.5) == pytest.approx(0.505)
    assert c.learning_rate_at(4, 1.0) == pytest.approx(0.01)


def test_steps_or_minutes_end_a_run_whichever_is_first() -> None:
    c = config(steps=100, minutes=2)
    assert c.progress(50, 12) == 0.5
    assert c.progress(10, 90) == 0.75
    assert c.progress(10, 999) == 1.0


def test_another_run_in_the_folder_is_refused(tmp_path, tiny) -> None:
    Pretraining(config(), tiny, tmp_path).save()
    assert Pretraining(config(steps=99), tiny, tmp_path).resume()
    with pytest.raises(InputError, match=r"another batch_size, seed: choose another --out"):
        Pretraining(config(seed=1, batch_size=7), tiny, tmp_path).resume()


def test_divergence_is_reported_with_the_step(tmp_path, tiny) -> None:
    run = Pretraining(config(), tiny, tmp_path)
    run.advance()
    with torch.no_grad():
        run.model.norm.weight.fill_(math.nan)
    with pytest.raises(Diverged, match="at step 1"):
        run.advance()


def test_the_command_trains_draws_and_goes_on(tmp_path, capsys) -> None:
    arguments = ["pretrain", "--preset", "tiny", "--data", "x", "--out", str(tmp_path), "--batch-size", "4"]
    before = signal.getsignal(signal.SIGTERM)
    assert main([*arguments, "--steps", "50"]) == 0
    assert (tmp_path / "samples-000050.png").is_file()
    assert main([*arguments, "--steps", "51"]) == 0
    assert "Resuming at step 50" in capsys.readouterr().out
    assert [json.loads(line)["step"] for line in (tmp_path / "log.jsonl").read_text().splitlines()] == [50]
    assert signal.getsignal(signal.SIGTERM) == before


def test_sigterm_saves_the_state(tmp_path, monkeypatch) -> None:
    advance = Pretraining.advance

    def advance_and_stop(self):
        loss = advance(self)
        if self.step == 5:
            os.kill(os.getpid(), signal.SIGTERM)
        return loss

    monkeypatch.setattr(Pretraining, "advance", advance_and_stop)
    arguments = ["pretrain", "--preset", "tiny", "--data", "x", "--out", str(tmp_path), "--batch-size", "4"]
    assert main([*arguments, "--steps", "50"]) == 143
    assert torch.load(tmp_path / "checkpoint.pt", weights_only=True)["step"] == 5


def test_half_the_width_is_a_model_of_its_own(tmp_path, tiny) -> None:
    file = tmp_path / "half.safetensors"
    arguments = ["--preset", "tiny", "--width", "8", "--data", "x", "--out", str(tmp_path / "run")]
    length = ["--steps", "2", "--batch-size", "4", "--export", str(file)]
    assert main(["pretrain", *arguments, *length]) == 0
    manifest = json.loads(file.with_suffix(".json").read_text())
    assert (manifest["name"], manifest["config"]["width"]) == ("tiny-width-8", 8)
    assert "--preset tiny --width 8 --dataset" in manifest["training"]["command"]
    assert {k: v for k, v in manifest["config"].items() if k != "width"} == {
        k: v for k, v in TINY.to_dict().items() if k != "width"
    }


def test_a_width_that_the_heads_do_not_divide_is_refused() -> None:
    with pytest.raises(InputError, match="--width 15 gives no tiny: width 15 is not a multiple of heads 2"):
        _ = config(width=15).architecture


@pytest.fixture
def teacher(tmp_path) -> str:
    torch.manual_seed(5)
    path = tmp_path / "teacher.safetensors"
    save_file(build_model(TINY).state_dict(), path)
    return str(path)


def test_a_teacher_adds_its_weighted_distance_to_the_loss(tmp_path, tiny, teacher) -> None:
    def loss(**change) -> float:
        return Pretraining(config(width=8, **change), tiny, tmp_path).loss().item()

    alone = loss()
    followed = [loss(teacher=teacher, distillation_weight=weight) for weight in (0.0, 1.0, 3.0)]
    assert followed[0] == alone
    assert followed[1] > alone
    assert followed[2] - alone == pytest.approx(3 * (followed[1] - alone), rel=1e-4)


def test_a_followed_model_stays_closer_to_its_teacher(tmp_path, tiny, teacher) -> None:
    x, t, y = torch.randn(16, 1, 8, 8), torch.linspace(0.05, 0.95, 16), torch.arange(16) % 2
    guide = build_model(TINY)
    load_weights(guide, teacher)

    def distance_after(**change) -> float:
        fast = {"steps": 40, "warmup_steps": 5, "learning_rate": 5e-3, "width": 8}
        run = Pretraining(config(**fast, **change), tiny, tmp_path)
        for _ in range(40):
            run.advance()
        if run.teacher is not None:
            assert all(torch.equal(v, guide.state_dict()[n]) for n, v in run.teacher.state_dict().items())
        with torch.no_grad():
            return (run.model(x, t, y) - guide(x, t, y)).square().mean().item()

    assert distance_after(teacher=teacher, distillation_weight=100.0) < 0.5 * distance_after()


def test_the_command_names_its_teacher_in_the_manifest(tmp_path, teacher) -> None:
    file = tmp_path / "half.safetensors"
    arguments = ["--preset", "tiny", "--width", "8", "--data", "x", "--out", str(tmp_path / "run")]
    length = ["--steps", "2", "--batch-size", "4", "--warmup-steps", "1", "--export", str(file)]
    assert main(["pretrain", *arguments, *length, "--teacher", teacher, "--distillation-weight", "10"]) == 0
    command = json.loads(file.with_suffix(".json").read_text())["training"]["command"]
    assert "--warmup-steps 1 " in command
    assert command.endswith(f"--teacher {teacher} --distillation-weight 10")


def test_a_teacher_of_another_width_is_refused(tmp_path, tiny) -> None:
    path = tmp_path / "narrow.safetensors"
    save_file(build_model(replace(TINY, width=8)).state_dict(), path)
    with pytest.raises(InputError, match="do not fit the model"):
        Pretraining(config(teacher=str(path)), tiny, tmp_path)


def test_a_folder_of_an_older_version_goes_on(tmp_path, tiny) -> None:
    run = Pretraining(config(), tiny, tmp_path)
    run.save()
    state = torch.load(run.checkpoint_path, weights_only=True)
    saved = json.loads(state["config"])
    state["config"] = json.dumps(
        {k: v for k, v in saved.items() if k not in ("teacher", "distillation_weight")}
    )
    torch.save(state, run.checkpoint_path)
    assert Pretraining(config(), tiny, tmp_path).resume()


@pytest.mark.gpu
def test_a_gpu_sees_the_noise_of_a_cpu_and_its_run_goes_on_on_either(tmp_path, tiny, monkeypatch) -> None:
    there = Pretraining(config(), tiny, tmp_path)
    assert there.device.type == "cuda"
    losses = [there.advance() for _ in range(3)]
    there.save()
    again = Pretraining(config(), tiny, tmp_path)
    assert again.resume()
    monkeypatch.setattr(pretrain, "pick_device", lambda: torch.device("cpu"))
    here = Pretraining(config(), tiny, tmp_path / "unused")
    assert [here.advance() for _ in range(3)] == pytest.approx(losses, rel=1e-3)
    resumed = Pretraining(config(), tiny, tmp_path)
    assert resumed.resume()
    assert resumed.advance() == pytest.approx(again.advance(), rel=1e-3)
