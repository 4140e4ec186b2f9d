"""One set of weights at several N:M patterns, without further training: the mask of each pattern is the
magnitude mask of the weights as they are.

Of dense weights this is pruning in one shot; of weights that a method with moving masks trained dense under
one pattern, the inference at other patterns of SparseDM (arXiv 2404.10445). An artifact has only the weights
that its own mask kept, so that a looser pattern than its own takes nothing more from them.
"""

from __future__ import annotations

import copy
from collections.abc import Sequence

from torch import Tensor, nn

from sparsedm.decimals import decimal
from sparsedm.measure.macs import count_macs
from sparsedm.models import config_of
from sparsedm.sparsity.layers import bake_masks, masks_for
from sparsedm.sparsity.pattern import Pattern


def misfits(weights: dict[str, Tensor], names: Sequence[str], pattern: Pattern) -> list[str]:
    """The named layers whose input dimension is not a multiple of the pattern's M, with that dimension."""
    inputs = {name: weights[f"{name}.weight"].shape[1] for name in names}
    return [f"{name} with {inputs[name]} inputs" for name in names if inputs[name] % pattern.m]


def at_pattern(model: nn.Module, names: Sequence[str], pattern: Pattern) -> nn.Module:
    """A copy whose named layers are masked by magnitude. Raises ValueError where the pattern does not fit."""
    weights = model.state_dict()
    masked = copy.deepcopy(model)
    masked.load_state_dict(bake_masks(weights, masks_for(weights, names, pattern)))
    return masked


def pattern_figures(
    model: nn.Module, names: Sequence[str], pattern: Pattern, distance: float
) -> dict[str, object]:
    """Of a model that `at_pattern` made. `sparsity` is counted from the weights of the named layers, `macs`
    as in `status.macs`."""
    layers = [model.get_submodule(name).weight for name in names]
    zeros = sum(int((weight == 0).sum()) for weight in layers)
    return {
        "pattern": str(pattern),
        "distance": decimal(distance, 2),
        "sparsity": decimal(zeros / sum(weight.numel() for weight in layers)),
        "macs": count_macs(config_of(model), names, pattern).status(),
    }
