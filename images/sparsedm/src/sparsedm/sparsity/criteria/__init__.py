"""Criteria that judge weights by what their inputs are (`sparsity.maskType`), one file each."""

from __future__ import annotations

from sparsedm.sparsity.criteria.base import Criterion
from sparsedm.sparsity.criteria.energy import Energy
from sparsedm.sparsity.criteria.obs import Obs
from sparsedm.sparsity.criteria.wanda import Wanda

CRITERIA: dict[str, type[Criterion]] = {one.name: one for one in (Wanda, Obs, Energy)}

__all__ = ["CRITERIA", "Criterion", "Energy", "Obs", "Wanda"]
