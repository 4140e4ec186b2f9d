"""Training of the dense model that sparse fine-tuning starts from.

One folder holds everything of a run: `checkpoint.pt` (replaced atomically), sample grids and `log.jsonl`.
The same command on the folder resumes the run. It trains on the GPU where there is one; random numbers are
drawn on the CPU, so a run sees the same noise on every device.
"""

from __future__ import annotations

import io
import json
import math
import time
from dataclasses import asdict, dataclass, replace
from pathlib import Path

import torch
from torch import Tensor
from torch.nn import functional as F
from tqdm import tqdm

from sparsedm.data import Dataset, SampleOrder
from sparsedm.data.images import image_grid
from sparsedm.diffusion.process import stratified_times
from sparsedm.diffusion.samplers import sample
from sparsedm.errors import Diverged, InputError
from sparsedm.files import write_atomically
from sparsedm.models import PRESETS, UViT, UViTConfig, build_model, load_weights
from sparsedm.runtime.device import pick_device
from sparsedm.runtime.stop import StopSignal


@dataclass(frozen=True)
class PretrainConfig:
    """Settings of a run; it ends after `steps`, or after `minutes` of training summed over resumes.

    `width` in place of the preset's gives the smaller (or larger) model of the same family: half the width is
    the dense model that a sparse one has to beat. With `teacher`, a file with weights of the preset's own
    width, the loss is |target - out|^2 + distillation_weight * |out_T - out|^2, as in sparse fine-tuning.
    """

    preset: str = "fashion-mnist-uvit-tiny"
    width: int | None = None
    dataset: str = "fashion-mnist"
    steps: int | None = None
    minutes: float | None = None
    batch_size: int = 64
    learning_rate: float = 1e-3
    betas: tuple[float, float] = (0.9, 0.99)
    weight_decay: float = 0.03
    warmup_steps: int = 200
    gradient_clip: float = 1.0
    ema_decay: float = 0.9995
    label_dropout: float = 0.1
    precision: str = "bf16"
    seed: int = 0
    teacher: str | None = None
    distillation_weight: float = 0.1

    @property
    def architecture(self) -> UViTConfig:
        """Raises InputError where the preset's heads do not divide the width."""
        preset = PRESETS[self.preset]
        try:
            return replace(preset, width=self.width or preset.width)
        except ValueError as error:
            raise InputError(
                "ModelInvalid", f"--width {self.width} gives no {self.preset}: {error}"
            ) from error

    @property
    def name(self) -> str:
        return f"{self.preset}-width-{self.width}" if self.width else self.preset

    def progress(self, step: int, seconds: float) -> float:
        """Share of the run that is done, in [0, 1]."""
        by_step = step / self.steps if self.steps else 0.0
        by_time = seconds / (60.0 * self.minutes) if self.minutes else 0.0
        return min(1.0, max(by_step, by_time))

    def learning_rate_at(self, step: int, progress: float) -> float:
        """Linear warm-up, then a cosine from the full rate down to 1 % of it at the end of the run."""
        warmup = min(1.0, (step + 1) / self.warmup_steps) if self.warmup_steps else 1.0
        return self.learning_rate * warmup * (0.01 + 0.99 * 0.5 * (1.0 + math.cos(math.pi * progress)))


class Pretraining:
    """The state of a run: network, its moving average, optimizer, position in the data, random state."""

    def __init__(self, config: PretrainConfig, data: Dataset, folder: Path) -> None:
        self.config = config
        self.data = data
        self.folder = folder
        self.device = pick_device()
        torch.manual_seed(config.seed)
        self.model = build_model(config.architecture).to(self.device)
        self.ema = {name: value.detach().clone() for name, value in self.model.state_dict().items()}
        self.optimizer = torch.optim.AdamW(
            self.model.parameters(),
            lr=config.learning_rate,
            betas=config.betas,
            weight_decay=config.weight_decay,
            fused=True,
        )
        self.random = torch.Generator().manual_seed(config.seed)
        self.order = SampleOrder(len(data), config.seed)
        self.teacher = self._frozen_teacher()
        self.step = 0
        self.seconds = 0.0

    @property
    def architecture(self) -> UViTConfig:
        return self.model.config

    def _frozen_teacher(self) -> UViT | None:
        """Raises InputError where the file does not hold the preset's weights."""
        if self.config.teacher is None:
            return None
        teacher = build_model(PRESETS[self.config.preset])
        load_weights(teacher, self.config.teacher)
        return teacher.to(self.device).eval().requires_grad_(False)

    @property
    def checkpoint_path(self) -> Path:
        return self.folder / "checkpoint.pt"

    def save(self) -> None:
        state = {
            "config": json.dumps(asdict(self.config)),
            "model": self.model.state_dict(),
            "ema": self.ema,
            "optimizer": self.optimizer.state_dict(),
            "random": self.random.get_state(),
            "step": self.step,
            "seconds": self.seconds,
        }
        data = io.BytesIO()
        torch.save(state, data)
        write_atomically(self.checkpoint_path, data.getvalue())

    def resume(self) -> bool:
        """Loads the folder's checkpoint; false when there is none."""
        if not self.checkpoint_path.exists():
            return False
        state = torch.load(self.checkpoint_path, map_location="cpu", weights_only=True)
        self._check_same_run(json.loads(state["config"]))
        self.model.load_state_dict(state["model"])
        self.ema = {name: value.to(self.device) for name, value in state["ema"].items()}
        self.optimizer.load_state_dict(state["optimizer"])
        self.random.set_state(state["random"])
        self.step, self.seconds = state["step"], state["seconds"]
        return True

    def _check_same_run(self, saved: dict) -> None:
        """Only the length of a run may change between attempts. A setting that an older version did not save
        had its default value."""
        mine = json.loads(json.dumps(asdict(self.config)))
        saved = json.loads(json.dumps(asdict(PretrainConfig()))) | saved
        changed = sorted(k for k in mine if k not in ("steps", "minutes") and mine[k] != saved[k])
        if changed:
            raise InputError(
                "CheckpointMismatch",
                f"{self.checkpoint_path} was made with another {', '.join(changed)}: "
                "choose another --out folder.",
            )

    def batch(self) -> tuple[Tensor, Tensor | None]:
        """The step's images and labels; a share of the labels becomes null, for guidance."""
        size = self.config.batch_size
        x, y = self.data.training_batch(self.order, self.step * size, size)
        x = x.to(self.device)
        if not self.architecture.num_classes:
            return x, None
        if y is None:
            raise InputError(
                "DatasetMismatch", "This model is class-conditional and the data set has no labels."
            )
        if self.architecture.null_label is None:
            return x, y.to(self.device)
        dropped = torch.rand(size, generator=self.random) < self.config.label_dropout
        return x, torch.where(dropped, self.architecture.null_label, y).to(self.device)

    def loss(self) -> Tensor:
        """Mean squared error of the step's prediction, per pixel (dimensionless), and of its distance from
        the teacher's where there is one."""
        x, y = self.batch()
        process = self.architecture.process
        t = process.training_time(stratified_times(len(x), self.random)).to(self.device)
        eps = torch.randn(x.shape, generator=self.random).to(self.device)
        x_t = process.q_sample(x, t, eps)
        out = self._predict(self.model, x_t, t, y)
        loss = F.mse_loss(out, process.target(x, eps, t, self.architecture.prediction))
        if self.teacher is None:
            return loss
        with torch.no_grad():
            taught = self._predict(self.teacher, x_t, t, y)
        return loss + self.config.distillation_weight * F.mse_loss(out, taught)

    def _predict(self, model: UViT, x_t: Tensor, t: Tensor, y: Tensor | None) -> Tensor:
        with torch.autocast(self.device.type, torch.bfloat16, enabled=self.config.precision == "bf16"):
            return model(x_t, t, y).float()

    def advance(self) -> float:
        """One optimizer step; returns its loss."""
        config = self.config
        rate = config.learning_rate_at(self.step, config.progress(self.step, self.seconds))
        for group in self.optimizer.param_groups:
            group["lr"] = rate
        loss = self.loss()
        self.optimizer.zero_grad(set_to_none=True)
        loss.backward()
        norm = torch.nn.utils.clip_grad_norm_(self.model.parameters(), config.gradient_clip)
        if not torch.isfinite(norm):
            raise Diverged(self.step, "The gradient")
        self.optimizer.step()
        self._update_ema()
        self.step += 1
        return loss.item()

    @torch.no_grad()
    def _update_ema(self) -> None:
        """A shorter average at first, to forget the random initialisation: decay min(d, (1+n)/(10+n))."""
        decay = min(self.config.ema_decay, (1 + self.step) / (10 + self.step))
        values = self.model.state_dict()
        torch._foreach_lerp_([self.ema[name] for name in values], list(values.values()), 1.0 - decay)

    def ema_model(self) -> UViT:
        """A copy of the network with the averaged weights, in evaluation mode."""
        model = build_model(self.architecture)
        model.load_state_dict(self.ema)
        return model.to(self.device).eval()

    def write_samples(self, rows: int = 6) -> Path:
        """A grid with one column per class and one seed per row, as `samples-STEP.png`."""
        count = max(1, self.architecture.num_classes)
        labels = torch.arange(count).repeat(rows) if self.architecture.num_classes else None
        seeds = [row * count + column for row in range(rows) for column in range(count)]
        images = sample(
            self.ema_model(), self.architecture, labels, seeds, guidance=0.5, batch_size=32,
            device=self.device,
        )  # fmt: skip
        path = self.folder / f"samples-{self.step:06d}.png"
        image_grid(images, columns=count, scale=2).save(path)
        return path


class _Clock:
    """True once per interval of training, in minutes."""

    def __init__(self, minutes: float, seconds: float) -> None:
        self.interval = 60.0 * minutes
        self.last = seconds

    def due(self, seconds: float) -> bool:
        if seconds - self.last < self.interval:
            return False
        self.last = seconds
        return True


def train(run: Pretraining, save_minutes: float, sample_minutes: float) -> None:
    """Trains to the end of the budget; saves by the clock, at the end, and when interrupted."""
    save, grid = _Clock(save_minutes, run.seconds), _Clock(sample_minutes, run.seconds)
    average: float | None = None
    with (
        StopSignal() as stop,
        open(run.folder / "log.jsonl", "a", buffering=1) as log,
        tqdm(total=100, bar_format="{l_bar}{bar}| {elapsed}<{remaining} {postfix}", mininterval=5) as bar,
    ):
        try:
            while (progress := run.config.progress(run.step, run.seconds)) < 1.0:
                started = time.monotonic()
                loss = run.advance()
                run.seconds += time.monotonic() - started
                average = loss if average is None else 0.99 * average + 0.01 * loss
                bar.set_postfix_str(f"step {run.step} loss {average:.4f}", refresh=False)
                bar.update(100 * progress - bar.n)
                if run.step % 50 == 0:
                    line = {"step": run.step, "seconds": round(run.seconds, 1), "loss": average}
                    log.write(json.dumps(line) + "\n")
                if save.due(run.seconds):
                    run.save()
                if grid.due(run.seconds):
                    run.write_samples()
                stop.check(f"the run goes on from step {run.step} when the command is repeated.")
        finally:
            run.save()
