"""Two processes that share the weights train as one does, each with half of everything."""

from __future__ import annotations

import pytest

from process_tools import Together
from tiny_run import Workplace

STEPS_OF_TWO = '''
import copy
import sys
from dataclasses import replace
from pathlib import Path

import torch
from torch import nn

from sparsedm.diffusion.objective import Batch, Objective
from sparsedm.runtime.processes import SINGLE_PROCESS, open_process_group
from sparsedm.sparsity.layers import select_layers
from sparsedm.sparsity.masks import mask_digest
from sparsedm.sparsity.methods import METHODS, build_method
from sparsedm.sparsity.pattern import Pattern
from sparsedm.training.checkpoint import Checkpoint
from sparsedm.training.learner import Learner, begin
from sparsedm.training.config.parts import read_training
from sparsedm.training.config.reader import Reader
from sparsedm.training.sharding import Shards, hold

PATTERN, SIZE = Pattern(2, 4), 8


class Block(nn.Module):
    """13 outputs: one process has 7 rows of them, the other 6."""

    def __init__(self):
        super().__init__()
        self.widen, self.mix = nn.Conv2d(4, 13, 3, padding=1), nn.Conv2d(13, 16, 1)
        self.gate, self.back = nn.Linear(16, 16), nn.Conv2d(16, 4, 1, bias=False)

    def forward(self, x):
        y = torch.relu(self.mix(torch.relu(self.widen(x))))
        y = torch.sigmoid(self.gate(y.mean((2, 3))))[:, :, None, None] * y
        return x + self.back(y)


class Network(nn.Module):
    def __init__(self):
        super().__init__()
        self.shift = nn.Parameter(torch.randn(1, 4, 1, 1))  # one row: the second process has none
        self.blocks = nn.ModuleList(Block() for _ in range(2))
        self.register_buffer("table", torch.arange(4.0))

    def forward(self, x, t, labels):
        x = x + self.shift + self.table[:, None, None] * t[:, None, None, None]
        for block in self.blocks:
            x = block(x)
        return x


class Run:
    def __init__(self, method, mask_type, training, processes):
        torch.manual_seed(3)
        dense = Network().requires_grad_(False)
        self.selection = select_layers(dense, PATTERN, ("*",))
        self.method = build_method(method, METHODS[method].default_regularization, 0.01)
        self.state = begin(dense, self.selection, self.method, training, mask_type, processes)
        hold(dense, training.sharding, processes, torch.device("cpu"))
        objective = Objective(self.state.student, dense, 0.5, "fp32")

        def draw(step):
            generator = torch.Generator().manual_seed(step)
            x, target = torch.randn(2, SIZE, 4, 6, 6, generator=generator)
            share = processes.shard(SIZE)
            return Batch(x[share], torch.rand(SIZE, generator=generator)[share], None, target[share])

        self.learner = Learner(
            self.state, objective, self.method, training, draw, processes=processes
        )

    def train(self, first, last):
        state, layers = self.state, self.state.layers
        for step in range(first, last):
            if step == 0 or step < 4 and self.method.moves_mask:
                state.after_refresh(layers.refresh(Pattern(3, 4) if step < 2 else PATTERN))
            if step in (0, 2):
                for _, weight, masking in layers.weights():
                    self.method.begin_stage(weight, masking)
            if step == 4:
                for name, weight, masking in layers.weights():
                    self.method.freeze(weight, masking)
                    self.method.freeze(state.ema.weights[f"{name}.weight"], masking)
                layers.freeze()
            loss, _ = self.learner.step(step, 0.01, min(1.0, step / 4))
            state.after_step(loss, 0)
        return self

    def bytes(self):
        """Of what this process keeps from step to step."""
        tensors = {}
        for group in (self.state.held.state_dict(), self.state.ema.weights, self.state.layers.masks()):
            tensors |= {id(tensor): tensor for tensor in group.values()}
        for own in self.state.optimizer.state.values():
            tensors |= {id(tensor): tensor for tensor in own.values()}
        return sum(tensor.numel() * tensor.itemsize for tensor in tensors.values())


def close(one, other, what):
    assert list(one) == list(other), what
    for name, tensor in one.items():
        if name.startswith("mask/") or tensor.dtype == torch.uint8:
            assert torch.equal(tensor, other[name]), (what, name)
        else:
            assert torch.allclose(tensor, other[name], rtol=1e-3, atol=1e-5), (what, name)


def compare(processes, method, mask_type, parts, optimizer="adamw"):
    what = (method, mask_type, optimizer)
    given = {"steps": 8, "batchSize": SIZE // parts, "gradientAccumulationSteps": parts}
    given |= {"gradientClip": "0.5", "optimizer": optimizer}
    training = read_training(Reader(given, "training", []))
    sharded = replace(training, sharding="fsdp")
    alone = Run(method, mask_type, training, SINGLE_PROCESS).train(0, 6)
    run = Run(method, mask_type, sharded, processes).train(0, 6)
    assert isinstance(run.state.held, Shards)
    assert run.state.flips == alone.state.flips, what
    assert run.state.layers.size == alone.state.layers.size
    assert mask_digest(run.state.masks()) == mask_digest(alone.state.masks()), what
    halves = torch.tensor([run.bytes(), alone.bytes()], dtype=torch.float64)
    tensors, state = run.state.snapshot()
    if processes.is_rank_zero:
        close(alone.state.snapshot()[0], tensors, what)
        # What can't be halved: rows that are odd in number, the buffer, the shift and the counts of steps;
        # Adafactor's means of columns.
        assert halves[0] / halves[1] < (0.53 if optimizer == "adamw" else 0.54), halves
    # Goes on from what rank 0 wrote: bit by bit as without a pause.
    written = processes.broadcast((tensors, state))
    read = [Checkpoint(6, Path(), *copy.deepcopy(written)) for _ in range(2)]
    resumed = Run(method, mask_type, sharded, processes)
    resumed.state.restore(read[0])
    got, want = resumed.train(6, 8).state.snapshot()[0], run.train(6, 8).state.snapshot()[0]
    unequal = {n: float((want[n] - got[n]).abs().max()) for n in want if not torch.equal(want[n], got[n])}
    assert not unequal, (what, unequal)
    # And one process alone from the same.
    single = Run(method, mask_type, training, SINGLE_PROCESS)
    single.state.restore(read[1])
    if processes.is_rank_zero:
        close(single.train(6, 8).state.snapshot()[0], want, what)


def overflow(processes):
    """In the rows of one process."""
    training = read_training(Reader({"precision": "fp16", "sharding": "fsdp"}, "training", []))
    run = Run("ste", "magnitude", training, processes)
    take, taken = run.state.held.take_gradients, []

    def spoilt():
        take()
        taken.append(processes.rank)
        if taken == [1]:
            run.state.held.parameters()[1].grad[0] = torch.inf

    run.state.held.take_gradients = spoilt
    run.train(0, 1)
    assert (run.state.overflows, len(taken)) == (1, 2)
    assert run.state.scaler.get_scale() == 2.0**15


with open_process_group() as processes:
    overflow(processes)
    for number, method in enumerate(name for name, method in METHODS.items() if method.trains):
        compare(processes, method, "magnitude", 1 + number % 2)
    for mask_type in ("random", "fixed"):
        compare(processes, "sr-ste", mask_type, 1)
    compare(processes, "sr-ste", "magnitude", 2, "adafactor")
sys.exit(0)
'''


def test_every_method_trains_goes_on_and_is_gathered_as_in_one_process(
    place: Workplace, together: Together
) -> None:
    """Convolutions and linear layers, one with an odd number of outputs; a stage before the target, masks
    that move and freeze, several parts of a batch, clipping."""
    script = place.directory / "steps_of_two.py"
    script.write_text(STEPS_OF_TWO)
    ended = together(2, {}, (str(script),))
    assert ended.code == 0, ended.err


def test_one_process_holds_everything_and_says_so(
    place: Workplace, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    spec = place.spec("alone", training__steps=1, training__warmupSteps=0, checkpoint__everySteps=1)
    code, _ = place.command({**spec, "training": {**spec["training"], "sharding": "fsdp"}}, monkeypatch)
    assert code == 0
    assert "this one is alone: it holds all of it. Give the pod several GPUs" in capsys.readouterr().out
