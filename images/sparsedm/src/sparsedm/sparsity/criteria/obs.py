"""`obs`: the optimal brain surgeon for N:M, with what is left of a row making up for what goes.

For an output's weights w (d) and its inputs' moments H = E[x x^T] (d, d), taken over the denoising steps with
weights that fall from the first to the last as in OBS-Diff (arXiv 2510.06751), the pruned weights v minimise

    (v - w)^T H' (v - w),   H' = H + 0.01 mean(diag H) I

1. The mask, group by group along the inputs, as SparseGPT (arXiv 2301.00774) goes column by column. With A
   (M, M) the group's block of the inverse of H' over what is not decided yet, and P the M - N that would go,
   the least error, all later weights free to make up for it, is w_P^T (A_PP)^-1 w_P. All choices of P are
   tried, the least error taken, and the later weights moved by what makes up for it (Hassibi and Stork 1993).
2. The values: with the mask K decided, v_K = (H'_KK)^-1 (H' w)_K, the least squares of each row by itself,
   which also lets the earlier weights make up for the later ones.

The factors, for masks that are made again in fine-tuning, are 1 / sqrt of the diagonal of H'^-1: the root of
the error that one weight alone would leave, w_j^2 / [H'^-1]_jj. Pruned weights begin at 0 and score 0, so
that the first mask of the fine-tuning is this one.

Everything but H is float64. The work is O d^2 for the mask and O (d N / M)^3 / 3 for the values.
Worked example (repeated in test_criteria.py): H' = [[2, 1], [1, 2]] and w = [3, 2] at 1:2. Its inverse has
2/3 on the diagonal, so that to lose w_1 costs 13.5 and to lose w_2 6: w_2 goes, and w_1 becomes (2 * 3 + 1 *
2) / 2 = 4.
"""

from __future__ import annotations

from itertools import combinations
from math import comb

import torch
from torch import Tensor

from sparsedm.sparsity.criteria.base import Criterion
from sparsedm.sparsity.pattern import Pattern

DAMPING = 0.01
LARGEST_GROUP = 12
"""M up to which a group's masks are tried one by one: 6 at 2:4, 70 at 4:8, 924 at 6:12."""
VALUES = 1 << 25
"""Of float64 that are worked on at a time."""


class Obs(Criterion):
    name = "obs"
    correlates = True
    weighted = True

    def factors(self, moments: Tensor) -> Tensor:
        return _inverse(damped(moments)).diagonal(dim1=-2, dim2=-1).rsqrt()

    def start(self, weight: Tensor, moments: Tensor, pattern: Pattern) -> Tensor:
        made = []
        for rows, hessian in zip(weight.double(), damped(moments), strict=True):
            mask = choose(rows, hessian, pattern)
            made.append(refit(rows, hessian, mask))
        return torch.stack(made)


def damped(moments: Tensor) -> Tensor:
    """H' (G, d, d), float64. Inputs that are always 0 get the identity."""
    hessian = moments.double()
    damping = DAMPING * hessian.diagonal(dim1=-2, dim2=-1).mean(-1)
    damping = torch.where(damping > 0, damping, torch.ones_like(damping))
    return hessian + torch.diag_embed(damping[:, None].expand(hessian.shape[:-1]))


def _inverse(hessian: Tensor) -> Tensor:
    return torch.cholesky_inverse(torch.linalg.cholesky(hessian))


def choose(weight: Tensor, hessian: Tensor, pattern: Pattern) -> Tensor:
    """The mask (O, d), bool, of weights (O, d) under H' (d, d); among equal choices the first."""
    # The inverse over what is left from an input on is U^T U of the triangle's lower right part.
    triangle = torch.linalg.cholesky(_inverse(hessian), upper=True)
    weight, mask = weight.clone(), torch.empty(weight.shape, dtype=torch.bool, device=weight.device)
    kept = _choices(pattern, weight.device)
    for start in range(0, weight.shape[1], pattern.m):
        group = slice(start, start + pattern.m)
        rows = triangle[group, group].T @ triangle[group, start:]
        solvers = _solvers(rows[:, : pattern.m], kept)
        best = torch.cat([_least(part, solvers) for part in weight[:, group].split(_rows_at_a_time(solvers))])
        mask[:, group] = kept[best]
        correction = torch.einsum("om,omk->ok", weight[:, group], solvers[best])
        weight[:, start:] -= correction @ rows
    return mask


def _choices(pattern: Pattern, device: torch.device) -> Tensor:
    """(choices, M), bool: every mask of a group."""
    kept = torch.zeros(comb(pattern.m, pattern.n), pattern.m, dtype=torch.bool)
    for row, places in zip(kept, combinations(range(pattern.m), pattern.n), strict=True):
        row[list(places)] = True
    return kept.to(device)


def _solvers(block: Tensor, kept: Tensor) -> Tensor:
    """(choices, M, M): for each choice (A_PP)^-1 in the places of the pruned P, 0 elsewhere."""
    pruned = (~kept).to(block.dtype)
    both = pruned[:, :, None] * pruned[:, None, :]
    # With ones for the kept ones, the inverse of the whole has that of the part in its places.
    return torch.linalg.inv(block * both + torch.diag_embed(kept.to(block.dtype))) * both


def _least(weight: Tensor, solvers: Tensor) -> Tensor:
    """(O,): for each row of a group's weights (O, M) the choice that leaves the least error."""
    return torch.einsum("om,cmk,ok->oc", weight, solvers, weight).argmin(1)


def _rows_at_a_time(solvers: Tensor) -> int:
    return max(1, VALUES // (solvers.shape[0] * solvers.shape[1]))


def refit(weight: Tensor, hessian: Tensor, mask: Tensor) -> Tensor:
    """(O, d): for each row the least squares under its mask, in which all rows keep as many."""
    places = mask.nonzero()[:, 1].reshape(len(mask), -1)
    wanted = (weight @ hessian).gather(1, places)
    fitted = torch.zeros_like(weight)
    step = max(1, VALUES // places.shape[1] ** 2)
    for rows in torch.arange(len(weight), device=weight.device).split(step):
        own = places[rows]
        lower = torch.linalg.cholesky(hessian[own[:, :, None], own[:, None, :]])
        values = torch.cholesky_solve(wanted[rows, :, None], lower)[:, :, 0]
        fitted[rows] = torch.zeros_like(fitted[rows]).scatter(1, own, values)
    return fitted
