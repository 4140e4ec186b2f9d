"""Which layers are masked, and the masked layer itself.

Selection is by glob over module names (`*` also matches dots). A Linear or Conv2d that is not masked is
listed with the reason. By default the attention, MLP and skip projections of the transformer blocks are
masked; never the patch embedding, the decoder and the final convolution, which see few tokens' worth of
work and hurt most. Embeddings and norms are no Linear or Conv2d and can't be selected.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from fnmatch import fnmatchcase
from functools import cache
from typing import Any

import torch
from torch import Tensor, nn

from sparsedm.sparsity.masks import (
    Masking,
    apply_mask,
    count_moved,
    group_counts,
    magnitude_mask,
    magnitude_masks,
    mask_digest,
)
from sparsedm.sparsity.pattern import Pattern
from sparsedm.sparsity.ranking import MagnitudeRanking, Ranking

SCALING = "scaling"
"""Name of a masked layer's parameter that holds its learned factors, where the method has them."""

DEFAULT_INCLUDE = ("*.attn.qkv", "*.attn.proj", "*.mlp.fc1", "*.mlp.fc2", "*.skip_linear")


@dataclass(frozen=True)
class SkippedLayer:
    """A layer that stays dense. `wanted` is True where the globs select it and only its shape doesn't fit."""

    name: str
    reason: str
    wanted: bool = False


@dataclass(frozen=True)
class Selection:
    """Names in the model's order; `unmatched` are include globs that match no layer at all."""

    selected: tuple[str, ...]
    skipped: tuple[SkippedLayer, ...]
    unmatched: tuple[str, ...]


def prunable_layers(model: nn.Module) -> Iterator[tuple[str, nn.Module]]:
    """Every Linear and Conv2d, subclasses included, with its name."""
    for name, module in model.named_modules():
        if isinstance(module, nn.Linear | nn.Conv2d):
            yield name, module


def select_layers(
    model: nn.Module, pattern: Pattern, include: Sequence[str] = DEFAULT_INCLUDE, exclude: Sequence[str] = ()
) -> Selection:
    """Layers whose name matches an include glob and no exclude glob, and whose input dimension M divides."""
    return select_wanted(model, pattern, lambda name: _reason_unwanted(name, include, exclude), include)


def select_wanted(
    model: nn.Module, pattern: Pattern, unwanted: Callable[[str], str | None], include: Sequence[str]
) -> Selection:
    """Layers for whose name `unwanted` gives no reason, and whose input dimension M divides. `include`: the
    globs of which the selection names those that no layer matches."""
    selected: list[str] = []
    skipped: list[SkippedLayer] = []
    layers = list(prunable_layers(model))
    for name, module in layers:
        inputs, why = module.weight.shape[1], unwanted(name)
        if why is not None:
            skipped.append(SkippedLayer(name, why))
        elif inputs % pattern.m:
            reason = f"input dimension {inputs} is not a multiple of {pattern.m}"
            skipped.append(SkippedLayer(name, reason, wanted=True))
        else:
            selected.append(name)
    unmatched = tuple(g for g in include if not any(fnmatchcase(name, g) for name, _ in layers))
    return Selection(tuple(selected), tuple(skipped), unmatched)


def _reason_unwanted(name: str, include: Sequence[str], exclude: Sequence[str]) -> str | None:
    if not any(fnmatchcase(name, glob) for glob in include):
        return "no include glob matches"
    excluded_by = next((glob for glob in exclude if fnmatchcase(name, glob)), None)
    return None if excluded_by is None else f"excluded by {excluded_by}"


class _Masked:
    """Mixed into a layer's class: reading `weight` gives the masked weight, with the method's own gradient.

    The parameter stays where it was under its own name, so state dict, optimizer and EMA see the dense
    weight. The mask is no buffer: run_state.py saves it.
    """

    masking: Masking
    masked_weight: Callable[[Tensor, Masking], Tensor]

    @property
    def weight(self) -> Tensor:
        return self.masked_weight(self._parameters["weight"], self.masking)


@cache
def _masked_class(cls: type[nn.Module]) -> type[nn.Module]:
    return type(f"Masked{cls.__name__}", (_Masked, cls), {})


class MaskedLayers:
    """The masked layers of one model: installs the masks, recomputes them, and takes them away again.

    `masked_weight(weight, masking)` is the method's forward, `ranking` says which weights stay. A stage
    pattern whose M does not divide a layer's input dimension leaves that layer dense for the stage (7:8 on a
    layer of 12 inputs with the target 2:4). `pattern` is the one in force, None while all masks are open.
    `scaling(weight)` makes the factors that are learned beside a layer's weight, None for none.
    """

    def __init__(
        self,
        model: nn.Module,
        names: Sequence[str],
        masked_weight: Callable[[Tensor, Masking], Tensor],
        ranking: Ranking | None = None,
        scaling: Callable[[Tensor], Tensor | None] = lambda weight: None,
    ) -> None:
        self.modules: dict[str, nn.Module] = {}
        self._weights: dict[str, nn.Parameter] = {}
        self.ranking = ranking or MagnitudeRanking()
        self.pattern: Pattern | None = None
        self.frozen = False
        modules = dict(model.named_modules())
        for name in names:
            module = modules[name]
            factors = scaling(module.weight.detach())
            if factors is not None:
                module.register_parameter(SCALING, nn.Parameter(factors))
            self._weights[name] = module._parameters["weight"]
            module.masking = _open(self._weights[name], module._parameters.get(SCALING))
            module.masked_weight = masked_weight
            module.__class__ = _masked_class(type(module))
            self.modules[name] = module
        self.size = sum(weight.numel() for weight in self._weights.values())
        """Number of weights under a mask."""

    def hold(self, rows: Mapping[str, nn.Parameter]) -> None:
        """From here on works on these rows of the weights and factors, by their names in a state dict; opens
        all masks."""
        for name, module in self.modules.items():
            self._weights[name] = rows[f"{name}.weight"]
            module.masking = _open(self._weights[name], rows.get(f"{name}.{SCALING}"))

    def weights(self) -> Iterator[tuple[str, nn.Parameter, Masking]]:
        """(name, dense weight, masking) of each layer."""
        for name, module in self.modules.items():
            yield name, self._weights[name], module.masking

    def parameters(self) -> Iterator[tuple[nn.Parameter, Tensor]]:
        """(dense weight, mask) of each layer."""
        for _, weight, masking in self.weights():
            yield weight, masking.mask

    @torch.no_grad()
    def refresh(self, pattern: Pattern) -> Tensor:
        """Recomputes every mask: once per optimizer step at most, however often the model is called.

        Returns the number of weights that changed sides, on their device, so that only a caller that reads
        it waits for it; 0 where the pattern itself is another one.
        """
        weights, own, before = {}, {}, {}
        for name, weight, masking in self.weights():
            weights[name], own[name], before[name] = weight, masking, masking.mask
        for name, masking in self._maskings(weights, pattern, own).items():
            own[name].mask, own[name].group = masking.mask, masking.group
        moving = pattern == self.pattern
        self.pattern = pattern
        if not moving or not weights:
            return torch.zeros((), dtype=torch.int64)
        return count_moved([before[name] for name in weights], [own[name].mask for name in weights])[0]

    def left_dense(self, pattern: Pattern) -> list[str]:
        """Layers that a stage of this pattern leaves dense, because its M does not divide their inputs."""
        return [name for name, weight, _ in self.weights() if weight.shape[1] % pattern.m]

    def fitting(self, selection: Selection, pattern: Pattern) -> Selection:
        """The selection under a stage's pattern: without the layers that it leaves dense."""
        inputs = {name: weight.shape[1] for name, weight, _ in self.weights()}
        dense = [
            SkippedLayer(
                name, f"input dimension {inputs[name]} is not a multiple of {pattern.m}", wanted=True
            )
            for name in self.left_dense(pattern)
        ]
        unfit = {layer.name for layer in dense}
        selected = tuple(name for name in selection.selected if name not in unfit)
        return replace(selection, selected=selected, skipped=(*selection.skipped, *dense))

    def _maskings(
        self, weights: Mapping[str, Tensor], pattern: Pattern, before: Mapping[str, Masking]
    ) -> dict[str, Masking]:
        """Other masks; what is learned or fixed beside them stays."""
        fitting = {name: weight for name, weight in weights.items() if weight.shape[1] % pattern.m == 0}
        after = {
            name: Masking(torch.ones_like(weight, dtype=torch.bool), scaling=before[name].scaling)
            for name, weight in weights.items()
            if name not in fitting
        }
        scores = [self.ranking(name, weight) for name, weight in fitting.items()]
        for name, mask in zip(fitting, magnitude_masks(scores, pattern.n, pattern.m), strict=True):
            after[name] = Masking(mask, pattern.m, before[name].scale, scaling=before[name].scaling)
        return after

    @torch.no_grad()
    def maskings_of(self, weights: Mapping[str, Tensor], pattern: Pattern) -> dict[str, Masking]:
        """How a state dict is masked: as the layers are where they are frozen, else by its own ranking."""
        own = {
            name: replace(masking, scaling=weights.get(f"{name}.{SCALING}"))
            for name, _, masking in self.weights()
        }
        if self.frozen:
            return own
        return self._maskings({name: weights[f"{name}.weight"] for name in own}, pattern, own)

    def freeze(self) -> None:
        """From here on the masks do not move."""
        self.frozen = True
        for _, _, masking in self.weights():
            masking.frozen = True

    def masks(self) -> dict[str, Tensor]:
        return {name: masking.mask for name, _, masking in self.weights()}

    def describe(self) -> dict[str, Any]:
        """What belongs to the masks besides their bits, as JSON."""
        return {
            "pattern": str(self.pattern) if self.pattern else None,
            "frozen": self.frozen,
            "scales": {name: masking.scale for name, _, masking in self.weights()},
        }

    def restore(self, masks: Mapping[str, Tensor], described: Mapping[str, Any]) -> None:
        """The masks as `masks` and `describe` gave them. Raises ValueError where one does not keep the
        pattern."""
        self.pattern = Pattern.parse(described["pattern"]) if described["pattern"] else None
        self.frozen = described["frozen"]
        for name, module in self.modules.items():
            weight = self._weights[name]
            fits = self.pattern is not None and weight.shape[1] % self.pattern.m == 0
            module.masking = Masking(
                masks[name].to(weight.device),
                self.pattern.m if fits else 1,
                described["scales"][name],
                self.frozen,
                module.masking.scaling,
            )
        self.check()

    def check(self) -> None:
        """Raises ValueError where a mask has not exactly N in every group of the pattern in force."""
        for name, masking in ((name, masking) for name, _, masking in self.weights() if masking.group > 1):
            if not torch.all(group_counts(masking.mask, masking.group) == self.pattern.n):
                raise ValueError(f"the mask of {name} does not keep {self.pattern} in every group.")

    def open(self) -> None:
        """All masks True: the model computes what the dense model does."""
        self.pattern, self.frozen = None, False
        for name, module in self.modules.items():
            module.masking = _open(self._weights[name], module.masking.scaling)

    def digest(self) -> str:
        return mask_digest(self.masks())


def _open(weight: Tensor, scaling: Tensor | None) -> Masking:
    return Masking(torch.ones_like(weight, dtype=torch.bool), scaling=scaling)


def bake_masks(weights: Mapping[str, Tensor], masks: Mapping[str, Tensor]) -> dict[str, Tensor]:
    """A state dict with +0.0 where a layer's mask is False; other tensors are the given ones themselves."""
    baked = dict(weights)
    for name, mask in masks.items():
        weight = baked[f"{name}.weight"]
        baked[f"{name}.weight"] = apply_mask(weight, mask.to(weight.device))
    return baked


def masks_for(weights: Mapping[str, Tensor], names: Sequence[str], pattern: Pattern) -> dict[str, Tensor]:
    """The magnitude masks of the named layers, from a state dict."""
    return {name: magnitude_mask(weights[f"{name}.weight"], pattern.n, pattern.m) for name in names}
