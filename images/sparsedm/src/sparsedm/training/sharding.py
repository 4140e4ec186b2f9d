"""What a process holds of a network: all of it, or the rows that are its share (`training.sharding: fsdp`).

FSDP2 (torch's fully_shard) cuts every parameter along dimension 0: its outputs. Groups of N:M run along
dimension 1, the inputs, of Linear and Conv2d weights alike (masks.py), and no other kind of layer is masked.
So a process ranks whole groups, and the masks are those of one process. Gradient, optimizer state, average
and mask lie beside the rows; what sums over weights is summed over the processes as well.

A block of the network is gathered for its forward and its backward pass, and let go after each. What is
gathered is the weight already masked: each process masks its own rows, so no mask travels, and autograd keeps
no masked copy of the whole weight. That gives the methods' gradient, dL/dW = dL/dW~, since all of them are
straight-through there.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import replace
from typing import TYPE_CHECKING, Any

import torch
from torch import Tensor, nn

from sparsedm.runtime.processes import ProcessGroup
from sparsedm.sparsity.layers import SCALING, MaskedLayers
from sparsedm.sparsity.masks import Masking, scale_parts
from sparsedm.sparsity.methods import Method
from sparsedm.sparsity.ranking import Ranking
from sparsedm.training.recompute import blocks

if TYPE_CHECKING:
    from torch.distributed.tensor import DTensor


class Held:
    """A network of which this process holds everything.

    Names are those of its state dict. `own` and `whole` turn a tensor that belongs to the parameter `name`
    (the parameter, its average, its mask) into this process's rows of it and back.
    """

    def __init__(self, network: nn.Module) -> None:
        self.network = network

    def state_dict(self) -> dict[str, Tensor]:
        """The tensors that training changes in place."""
        return self.network.state_dict()

    def named_parameters(self, remove_duplicate: bool = True) -> Iterator[tuple[str, nn.Parameter]]:
        return self.network.named_parameters(remove_duplicate=remove_duplicate)

    def parameters(self) -> list[nn.Parameter]:
        """For the optimizer."""
        return [parameter for _, parameter in self.named_parameters()]

    def own(self, name: str, whole: Tensor) -> Tensor:
        return whole

    def whole(self, name: str, own: Tensor, everywhere: bool = True) -> Tensor:
        """Of all processes together, which call it alike; rows that were gathered are on the CPU. Without
        `everywhere` only rank 0 needs it, and the others may get what is empty."""
        return own

    def whole_state(self, own: Mapping[str, Tensor] | None = None) -> dict[str, Tensor]:
        """A whole state dict: of the network, or of `own`, which has its names."""
        state = self.state_dict() if own is None else own
        return {name: self.whole(name, tensor) for name, tensor in state.items()}

    @torch.no_grad()
    def restore(self, whole: Mapping[str, Tensor]) -> None:
        """Takes the values of a whole state dict."""
        self.network.load_state_dict(whole)

    def total(self, own: Tensor) -> Tensor:
        """The sum over the processes of what each counted in its rows."""
        return own

    def take_gradients(self) -> None:
        """After the backward pass: puts the gradients where the optimizer looks for them."""

    def zero_grad(self) -> None:
        self.network.zero_grad(set_to_none=True)

    def clip(self, limit: float) -> Tensor:
        """Scales the gradient down to a norm of `limit` at most; returns the norm before."""
        return nn.utils.clip_grad_norm_(self.parameters(), limit)

    def mask(self, layers: MaskedLayers, method: Method) -> None:
        """Once, before the first step: the layers mask what this process holds."""

    def scaler(self, device: str, **settings: Any) -> torch.amp.GradScaler:
        return torch.amp.GradScaler(device, **settings)


class Shards(Held):
    """A network of which each process holds some rows of each parameter: as many as all others, but for the
    last ones. Buffers are whole everywhere.

    `parameters` are the rows, plain tensors that share their memory with what fully_shard gathers, so that
    optimizer, methods and average need not know of it.
    """

    def __init__(self, network: nn.Module, processes: ProcessGroup, device: torch.device) -> None:
        super().__init__(network)
        self.processes, self.device = processes, device
        self.shapes = {name: p.shape for name, p in network.named_parameters(remove_duplicate=False)}
        _shard(network, processes, device)
        self._sharded: dict[str, DTensor] = dict(network.named_parameters(remove_duplicate=False))
        rows = {id(p): _rows(p) for p in self._sharded.values()}
        self._rows = {name: rows[id(p)] for name, p in self._sharded.items()}
        self._state = {
            name: self._rows[name].detach() if name in self._rows else buffer
            for name, buffer in network.state_dict().items()
        }

    def state_dict(self) -> dict[str, Tensor]:
        return self._state

    def named_parameters(self, remove_duplicate: bool = True) -> Iterator[tuple[str, nn.Parameter]]:
        seen: set[int] = set()
        for name, rows in self._rows.items():
            if not remove_duplicate or id(rows) not in seen:
                seen.add(id(rows))
                yield name, rows

    def own(self, name: str, whole: Tensor) -> Tensor:
        if name not in self.shapes:
            return whole
        each = self._rows_of_one(name)
        # A view would keep the whole tensor.
        return whole[self.processes.rank * each : (self.processes.rank + 1) * each].clone()

    def whole(self, name: str, own: Tensor, everywhere: bool = True) -> Tensor:
        if name not in self.shapes or not own.dim():  # the optimizer's count of steps is no row
            return own
        filled = own.new_zeros(self._rows_of_one(name), *own.shape[1:])
        filled[: len(own)] = own
        gathered = self.processes.all_gather(filled)
        if not everywhere and not self.processes.is_rank_zero:
            return own.new_empty(0)
        return gathered[: self.shapes[name][0]].cpu()

    @torch.no_grad()
    def restore(self, whole: Mapping[str, Tensor]) -> None:
        for name, own in self._state.items():
            own.copy_(self.own(name, whole[name]))

    def total(self, own: Tensor) -> Tensor:
        total = own.to(self.device, copy=True)
        self.processes.all_reduce_sum(total)
        return total

    def take_gradients(self) -> None:
        for name, rows in self._rows.items():
            gradient = self._sharded[name].grad
            rows.grad = None if gradient is None else gradient._local_tensor

    def zero_grad(self) -> None:
        super().zero_grad()
        for rows in self.parameters():
            rows.grad = None

    def clip(self, limit: float) -> Tensor:
        parameters = self.parameters()
        own = nn.utils.get_total_norm([p.grad for p in parameters if p.grad is not None])
        norm = self.total(own.square()).sqrt()
        nn.utils.clip_grads_with_norm_(parameters, limit, norm)
        return norm

    def scaler(self, device: str, **settings: Any) -> torch.amp.GradScaler:
        return _SharedScaler(self.processes, device, **settings)

    def mask(self, layers: MaskedLayers, method: Method) -> None:
        """Has the rows of masked layers gathered as the method masks them."""
        method.total = self.total
        layers.hold(self._rows)
        if not layers.ranking.moves:
            layers.ranking = _RankedRows(layers.ranking, self)
        for name, module in layers.modules.items():
            _mask_before_gathering(
                self._sharded[f"{name}.weight"]._local_tensor, self._rows_of_one(f"{name}.weight"), method
            )
            # What is gathered is masked already.
            module.masked_weight = _scaled(module)

    def _rows_of_one(self, name: str) -> int:
        """Rows of a parameter for each process, as torch.chunk deals them out."""
        return -(-self.shapes[name][0] // self.processes.size)


class _SharedScaler(torch.amp.GradScaler):
    """An overflow in the rows of one process is one of all. (torch's ShardedGradScaler does not work on a
    CPU.)"""

    def __init__(self, processes: ProcessGroup, device: str, **settings: Any) -> None:
        super().__init__(device, **settings)
        self.processes = processes

    def _unscale_grads_(self, *given: Any) -> dict[torch.device, Tensor]:
        found = super()._unscale_grads_(*given)
        for overflows in found.values():
            self.processes.all_reduce_sum(overflows)
        return found


class _RankedRows:
    """The rows of a ranking by scores that do not move, which know the whole weight."""

    moves = False

    def __init__(self, ranking: Ranking, shards: Shards) -> None:
        self.ranking, self.shards = ranking, shards

    def __call__(self, name: str, weight: Tensor) -> Tensor:
        key = f"{name}.weight"
        like_the_whole = weight.detach().new_empty(()).expand(self.shards.shapes[key])
        return self.shards.own(key, self.ranking(name, like_the_whole))


def is_sharded(sharding: str, processes: ProcessGroup) -> bool:
    """One process holds everything, whatever it was asked for."""
    return sharding == "fsdp" and processes.size > 1


def hold(network: nn.Module, sharding: str, processes: ProcessGroup, device: torch.device) -> Held:
    """The network as this process is to hold it; in place."""
    return Shards(network, processes, device) if is_sharded(sharding, processes) else Held(network)


def _shard(network: nn.Module, processes: ProcessGroup, device: torch.device) -> None:
    """In place, block by block: the device never holds more than one whole block."""
    # Imported here: it takes a second, and most runs shard nothing.
    from torch.distributed.fsdp import fully_shard

    network.cpu()
    for parameter in network.parameters():
        parameter.data = parameter.data.contiguous()
    mesh = processes.mesh(device.type)
    for unit in [*(block for _, block in blocks(network)), network]:
        # The root too: a teacher has no backward pass after which it would let go.
        fully_shard(unit, mesh=mesh, reshard_after_forward=True)


def _rows(sharded: DTensor) -> nn.Parameter:
    return nn.Parameter(sharded._local_tensor.detach(), requires_grad=sharded.requires_grad)


def _mask_before_gathering(rows: Tensor, filled_up: int, method: Method) -> None:
    """Sets what fully_shard calls around the gathering of these rows; it takes such hooks until the first
    forward pass."""

    def before(
        mesh: Any, size: torch.Size, stride: tuple[int, ...], module: nn.Module, policy: Any
    ) -> tuple[tuple[Tensor], None]:
        # Not in the type of autocast: gradients are summed over the processes in float32, as everywhere.
        with torch.no_grad(), torch.autocast(rows.device.type, enabled=False):
            masked = method.masked_weight(rows, replace(module.masking, scaling=None))
        if len(rows) == filled_up:
            return (masked.contiguous(),), None
        filled = rows.new_zeros(filled_up, *rows.shape[1:])
        filled[: len(rows)] = masked
        return (filled,), None

    def after(
        gathered: tuple[Tensor, ...], metadata: None, dtype: torch.dtype, *, out: Tensor | None = None
    ) -> tuple[Tensor, tuple[Tensor, ...]] | None:
        return None if out is not None else (gathered[0], gathered)

    rows.fsdp_pre_all_gather, rows.fsdp_post_all_gather = before, after


def _scaled(module: nn.Module) -> Any:
    """`masked_weight` of a layer whose weight is masked when it arrives: its learned factors are left."""

    def weight_of(weight: Tensor, masking: Masking) -> Tensor:
        factors = module._parameters.get(SCALING)
        from_rows = hasattr(weight, "_local_tensor")  # fully_shard reads its own parameter
        return weight if factors is None or from_rows else scale_parts(weight, factors)

    return weight_of
