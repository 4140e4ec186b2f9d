"""Everything that a run needs to resume bit for bit: saved to a checkpoint, restored from one."""

from __future__ import annotations

from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

import torch
from torch import Tensor, nn

from sparsedm.decimals import decimal
from sparsedm.report.curve import Curve
from sparsedm.sparsity.layers import MaskedLayers
from sparsedm.training.checkpoint import Checkpoint, CheckpointStore
from sparsedm.training.ema import Ema
from sparsedm.training.regression import Regression, StageEnd

LOSS_SMOOTHING = 0.95


@dataclass(frozen=True)
class Best:
    """The evaluation with the smallest distance so far, with its weights where the best are exported."""

    step: int
    distance: float
    weights: dict[str, Tensor] | None = None

    def status(self) -> dict[str, Any]:
        """`status.best`."""
        return {"step": self.step, "distance": decimal(self.distance, 2)}


class RunState:
    """Student, EMA, optimizer, loss scale, masks and random state, with the counters beside them.

    `step` steps are done. The position in the data is step * batch size; the learning rate, the stage and
    what a network's dropout draws follow from the step, so none of them is state of its own. `flips` are the
    weights that changed sides when the masks were last recomputed, `overflows` the gradients that fp16 could
    not hold. `good` is the last stage that ended well, and `regression` is set once one has not, which ends
    the training.
    """

    def __init__(
        self,
        student: nn.Module,
        ema: Ema,
        optimizer: torch.optim.Optimizer,
        scaler: torch.amp.GradScaler,
        layers: MaskedLayers,
        noise: torch.Generator,
    ) -> None:
        self.student = student
        self.ema = ema
        self.optimizer = optimizer
        self.scaler = scaler
        self.layers = layers
        self.noise = noise
        self.step = 0
        self.loss: float | None = None
        self.stage_sums: dict[str, list[float]] = {}
        self.flips = 0
        self.stage_flips: dict[str, int] = {}
        self.overflows = 0
        self.history: list[dict[str, Any]] = []
        self.curve = Curve()
        self.best: Best | None = None
        self.good: StageEnd | None = None
        self.regression: Regression | None = None
        self._refreshed: Tensor | None = None

    def after_refresh(self, flips: Tensor) -> None:
        """They are read after the step, which waits for the GPU anyway."""
        self._refreshed = flips

    def after_step(self, loss: float, stage: int) -> None:
        self.step += 1
        moved = 0
        if self._refreshed is not None:
            moved = self.flips = int(self._refreshed)
            self.stage_flips[str(stage)] = self.stage_flips.get(str(stage), 0) + moved
            self._refreshed = None
        self.curve.add(loss, self.optimizer.param_groups[0]["lr"], moved)
        self.loss = loss if self.loss is None else LOSS_SMOOTHING * self.loss + (1 - LOSS_SMOOTHING) * loss
        total, count = self.stage_sums.get(str(stage), [0.0, 0])
        self.stage_sums[str(stage)] = [total + loss, count + 1]

    def stage_losses(self) -> dict[int, float]:
        """Mean loss of each stage, by number."""
        return {int(stage): total / count for stage, (total, count) in self.stage_sums.items()}

    def stage_flip_rates(self) -> dict[int, float]:
        """Share of the masked weights that changed sides in a step, the mean of each stage, by number."""
        size = self.layers.size
        steps = {stage: count for stage, (_, count) in self.stage_sums.items()}
        known = [s for s in self.stage_flips if size and steps.get(s)]
        return {int(s): self.stage_flips[s] / (size * steps[s]) for s in known}

    def save(self, store: CheckpointStore) -> Path:
        """Raises ValueError, and writes nothing, where a mask does not keep its pattern."""
        self.layers.check()
        tensors = {f"student/{k}": v for k, v in self.student.state_dict().items()}
        tensors |= {f"ema/{k}": v for k, v in self.ema.weights.items()}
        for name, parameter in self.student.named_parameters():
            tensors |= {f"optimizer/{name}/{k}": v for k, v in self.optimizer.state[parameter].items()}
        tensors |= {f"mask/{k}": v for k, v in self.layers.masks().items()}
        if self.best is not None and self.best.weights is not None:
            tensors |= {f"best/{k}": v for k, v in self.best.weights.items()}
        tensors["random/noise"] = self.noise.get_state()
        state = {
            "step": self.step,
            "emaUpdates": self.ema.updates,
            "loss": self.loss,
            "stageSums": self.stage_sums,
            "history": self.history,
            "curve": self.curve.state(),
            "best": None if self.best is None else [self.best.step, self.best.distance],
            "good": None if self.good is None else asdict(self.good),
            "regression": None if self.regression is None else asdict(self.regression),
            "masks": self.layers.describe(),
            "flips": self.flips,
            "stageFlips": self.stage_flips,
            "overflows": self.overflows,
            "scaler": self.scaler.state_dict(),
            "device": self.noise.device.type,
        }
        return store.save(self.step, tensors, state)

    def restore(self, checkpoint: Checkpoint) -> None:
        groups: dict[str, dict[str, Tensor]] = {}
        for key, tensor in checkpoint.tensors.items():
            group, name = key.split("/", 1)
            groups.setdefault(group, {})[name] = tensor
        self.student.load_state_dict(groups["student"])
        for name, weight in self.ema.weights.items():
            weight.copy_(groups["ema"][name])
        self._restore_optimizer(groups["optimizer"])
        state = checkpoint.state
        self.layers.restore(groups.get("mask", {}), state["masks"])
        self.scaler.load_state_dict(state["scaler"])
        self.step = state["step"]
        self._restore_noise(groups["random"]["noise"], state["device"])
        self.ema.updates = state["emaUpdates"]
        self.loss = state["loss"]
        self.stage_sums = state["stageSums"]
        self.history = state["history"]
        self.curve.restore(state["curve"])
        self.best = Best(*state["best"], groups.get("best")) if state.get("best") else None
        self.good = StageEnd(**state["good"]) if state.get("good") else None
        self.regression = Regression.restored(state["regression"]) if state.get("regression") else None
        self.flips = state["flips"]
        self.stage_flips = state["stageFlips"]
        self.overflows = state["overflows"]

    def _restore_optimizer(self, tensors: dict[str, Tensor]) -> None:
        """Through the optimizer's own state dict, whose keys are the parameters' positions."""
        own = self.optimizer.state_dict()
        for position, (name, _) in enumerate(self.student.named_parameters()):
            prefix = f"{name}/"
            found = {k.removeprefix(prefix): v for k, v in tensors.items() if k.startswith(prefix)}
            own["state"][position] = found
        self.optimizer.load_state_dict(own)

    def _restore_noise(self, state: Tensor, device: str) -> None:
        """A generator's state is specific to a kind of device; on another kind the generator is seeded anew
        from the step."""
        if device == self.noise.device.type:
            self.noise.set_state(state)
        else:
            self.noise.manual_seed(self.noise.initial_seed() + self.step)
