"""Arguments of a call as a tree of dicts, lists and tuples, whose leaves are tensors and what JSON holds."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator
from typing import Any

from torch import Tensor

Tree = Any
"""As JSON: {"tensor": KEY}, {"value": V}, {"dict": {name: Tree}}, {"list": [Tree]} or {"tuple": [Tree]}."""


def to_tree(value: Any, keep: Callable[[Tensor], str], path: str) -> Tree:
    """`keep` stores a tensor, and returns its key. Raises TypeError, which names the argument, for what no
    file can hold."""
    if isinstance(value, Tensor):
        return {"tensor": keep(value)}
    if isinstance(value, dict):
        return {"dict": {str(k): to_tree(v, keep, f"{path}.{k}") for k, v in value.items()}}
    if isinstance(value, list | tuple):
        kind = "tuple" if isinstance(value, tuple) else "list"
        return {kind: [to_tree(v, keep, f"{path}[{i}]") for i, v in enumerate(value)]}
    try:
        json.dumps(value, allow_nan=False)
    except (TypeError, ValueError) as error:
        raise TypeError(f"{path} is {type(value).__name__}") from error
    return {"value": value}


def of_tree(tree: Tree, tensor: Callable[[str], Tensor]) -> Any:
    """The arguments again, with a tensor for each key."""
    ((kind, content),) = tree.items()
    if kind == "tensor":
        return tensor(content)
    if kind == "dict":
        return {name: of_tree(part, tensor) for name, part in content.items()}
    if kind == "value":
        return content
    parts = [of_tree(part, tensor) for part in content]
    return tuple(parts) if kind == "tuple" else parts


def keys(tree: Tree) -> Iterator[str]:
    """Of its tensors, in the order of the tree."""
    ((kind, content),) = tree.items()
    if kind == "tensor":
        yield content
    elif kind in ("list", "tuple", "dict"):
        for part in content.values() if kind == "dict" else content:
            yield from keys(part)


def tensors_of(value: Any) -> Iterator[Tensor]:
    """Of arguments or an output, in their order."""
    if isinstance(value, Tensor):
        yield value
    elif isinstance(value, dict):
        for part in value.values():
            yield from tensors_of(part)
    elif isinstance(value, list | tuple):
        for part in value:
            yield from tensors_of(part)
