"""Everything that a run needs to resume bit for bit: saved to a checkpoint, restored from one."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import asdict, dataclass
from typing import Any

import torch
from torch import Tensor, nn

from sparsedm.decimals import decimal
from sparsedm.report.curve import Curve
from sparsedm.sparsity.layers import MaskedLayers
from sparsedm.sparsity.ranking import CalibratedRanking
from sparsedm.training.checkpoint import Checkpoint
from sparsedm.training.ema import Ema
from sparsedm.training.regression import Regression, StageEnd
from sparsedm.training.sharding import Held

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
        held: Held,
        ema: Ema,
        optimizer: torch.optim.Optimizer,
        scaler: torch.amp.GradScaler,
        layers: MaskedLayers,
        noise: torch.Generator,
    ) -> None:
        self.held = held
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
        self._refreshed = self.held.total(flips)

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

    @property
    def student(self) -> nn.Module:
        return self.held.network

    @property
    def factors(self) -> dict[str, Tensor]:
        """What calibration found of each layer, or of this process's rows of it; empty without."""
        ranking = self.layers.ranking
        return ranking.factors if isinstance(ranking, CalibratedRanking) else {}

    def masks(self) -> dict[str, Tensor]:
        """Of all processes together, which call it alike."""
        return {k: self.held.whole(f"{k}.weight", mask) for k, mask in self.layers.masks().items()}

    def snapshot(self) -> tuple[dict[str, Tensor], dict[str, Any]]:
        """Tensors and state of a checkpoint, whole on rank 0; all processes call it. Raises ValueError where
        a mask does not keep its pattern."""
        self.layers.check()
        tensors = {}
        for key, name, own in self._tensors():
            tensors[key] = self.held.whole(name, own, everywhere=False)
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
        return tensors, state

    def _tensors(self) -> Iterator[tuple[str, str, Tensor]]:
        """(key in a checkpoint, parameter it belongs to, what this process holds of it)."""
        for name, own in self.held.state_dict().items():
            yield f"student/{name}", name, own
            yield f"ema/{name}", name, self.ema.weights[name]
        for name, parameter in self.held.named_parameters():
            for key, own in self.optimizer.state[parameter].items():
                yield f"optimizer/{name}/{key}", self._rows_of(name, key), own
        for name, mask in self.layers.masks().items():
            yield f"mask/{name}", f"{name}.weight", mask
        for name, factors in self.factors.items():
            yield f"factors/{name}", owner_of(name, factors), factors

    def restore(self, checkpoint: Checkpoint) -> None:
        groups: dict[str, dict[str, Tensor]] = {}
        for key, tensor in checkpoint.tensors.items():
            group, name = key.split("/", 1)
            groups.setdefault(group, {})[name] = tensor
        self.held.restore(groups["student"])
        for name, weight in self.ema.weights.items():
            weight.copy_(self.held.own(name, groups["ema"][name]))
        self._restore_optimizer(groups["optimizer"])
        state = checkpoint.state
        masks = {k: self.held.own(f"{k}.weight", v) for k, v in groups.get("mask", {}).items()}
        self.layers.restore(masks, state["masks"])
        for name, factors in groups.get("factors", {}).items():
            self.factors[name] = self.held.own(owner_of(name, factors), factors).to(self.noise.device)
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
        for position, (name, _) in enumerate(self.held.named_parameters()):
            prefix = f"{name}/"
            own["state"][position] = {
                key.removeprefix(prefix): self.held.own(self._rows_of(name, key.removeprefix(prefix)), tensor)
                if tensor.dim()
                else tensor
                for key, tensor in tensors.items()
                if key.startswith(prefix)
            }
        self.optimizer.load_state_dict(own)

    def _rows_of(self, name: str, key: str) -> str:
        """The parameter whose rows are those of the optimizer's state `key`; none of what has no rows."""
        return "" if key in getattr(self.optimizer, "shared", ()) else name

    def _restore_noise(self, state: Tensor, device: str) -> None:
        """A generator's state is specific to a kind of device; on another kind the generator is seeded anew
        from the step."""
        if device == self.noise.device.type:
            self.noise.set_state(state)
        else:
            self.noise.manual_seed(self.noise.initial_seed() + self.step)


def owner_of(name: str, factors: Tensor) -> str:
    """The parameter whose rows are those of a layer's factors; none where one row holds for all outputs."""
    return f"{name}.weight" if len(factors) > 1 else ""
