"""Reads a recording: calls of a denoiser, in batches of those that can be made together."""

from __future__ import annotations

import json
from collections.abc import Iterator
from functools import lru_cache
from pathlib import Path
from typing import Any

import numpy as np
import torch
from safetensors import safe_open
from torch import Tensor

from sparsedm.errors import InputError
from sparsedm.files import file_sha256
from sparsedm.pipelines.record import INDEX_FILE, SCHEMA_VERSION, Call
from sparsedm.pipelines.tree import Tree, keys, of_tree

OPEN_SHARDS = 16


class Recording:
    """Raises InputError where the folder is no whole recording."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        try:
            self.index = json.loads((folder / INDEX_FILE).read_text(encoding="utf-8"))
            if self.index["schemaVersion"] != SCHEMA_VERSION:
                raise ValueError(f"schema version {self.index['schemaVersion']}")
            found = [
                (shard["file"], entry)
                for shard in self.index["shards"]
                for entry in json.loads((folder / shard["file"]).with_suffix(".json").read_text())["calls"]
            ]
        except (OSError, ValueError, KeyError, TypeError) as error:
            raise InputError(
                "DatasetUnreadable",
                f"{folder} is no whole recording ({type(error).__name__}: {error}): make one with `sparsedm "
                "record`, which goes on where it was stopped.",
            ) from error
        self._entries = found
        self._opened = lru_cache(maxsize=OPEN_SHARDS)(lambda path: safe_open(path, "pt"))
        self._shapes: dict[str, dict[str, tuple[str, tuple[int, ...]]]] = {}
        self.groups = self._grouped()

    def __len__(self) -> int:
        return len(self._entries)

    def check_digests(self) -> None:
        """Raises InputError where a file is not the one that was recorded."""
        for shard in self.index["shards"]:
            path = self.folder / shard["file"]
            if not path.is_file() or file_sha256(path) != shard["sha256"]:
                raise InputError(
                    "DatasetUnreadable",
                    f"{path} is missing, or not the file that was recorded: record it again with `sparsedm "
                    "record`, or fetch it again.",
                )

    def call(self, number: int) -> Call:
        """On the CPU, as it was recorded."""
        file, entry = self._entries[number]
        opened = self._opened(self.folder / file)
        return Call(
            of_tree({"dict": entry["arguments"]}, opened.get_tensor),
            of_tree(entry["output"], opened.get_tensor),
        )

    def position(self, number: int) -> int:
        """Which call of its trajectory it is, from 0 on."""
        return self._entries[number][1]["call"]

    def batch(self, numbers: np.ndarray, join: bool) -> list[Call]:
        """The calls of one group: one with all their rows where they may be joined, else each alone."""
        calls = [self.call(int(number)) for number in numbers]
        if not join or len(calls) == 1:
            return calls
        return [joined(calls)]

    def _grouped(self) -> list[np.ndarray]:
        """Numbers of the calls that can be joined: equal in structure, in shapes, and in all that has no row
        of its own for each image."""
        groups: dict[str, list[int]] = {}
        for number, (file, entry) in enumerate(self._entries):
            groups.setdefault(self._signature(file, entry), []).append(number)
        return [np.array(group) for group in groups.values()]

    def _signature(self, file: str, entry: dict[str, Any]) -> str:
        shapes = self._shapes_of(file)
        rows = shapes[next(keys(entry["output"]))][1][0]

        def told(key: str) -> Any:
            dtype, shape = shapes[key]
            return [dtype, *shape] if has_rows(shape, rows) else [dtype, *shape, key]

        trees: list[Tree] = [{"dict": entry["arguments"]}, entry["output"]]
        return json.dumps([_marked(tree, told) for tree in trees], sort_keys=True)

    def _shapes_of(self, file: str) -> dict[str, tuple[str, tuple[int, ...]]]:
        if file not in self._shapes:
            with safe_open(self.folder / file, "pt") as opened:
                names = list(opened.keys())
                slices = map(opened.get_slice, names)
                found = [(one.get_dtype(), tuple(one.get_shape())) for one in slices]
                self._shapes[file] = dict(zip(names, found, strict=True))
        return self._shapes[file]


def _marked(tree: Tree, told: Any) -> Any:
    ((kind, content),) = tree.items()
    if kind == "tensor":
        return told(content)
    if kind == "dict":
        return {name: _marked(part, told) for name, part in content.items()}
    if kind == "value":
        return {"value": content}
    return [kind, *(_marked(part, told) for part in content)]


def has_rows(shape: tuple[int, ...] | torch.Size, rows: int) -> bool:
    """Whether a tensor has one row for each of the output's, or one number that holds for all, such as a
    timestep."""
    return not shape or shape[0] == rows


def joined(calls: list[Call]) -> Call:
    """The rows of all calls, one after the other. What has no rows is equal in all of them."""
    rows = calls[0].rows

    def join(parts: list[Any]) -> Any:
        first = parts[0]
        if isinstance(first, Tensor):
            if not has_rows(first.shape, rows):
                return first
            return torch.cat([part.expand(rows) if part.ndim == 0 else part for part in parts])
        if isinstance(first, dict):
            return {name: join([part[name] for part in parts]) for name in first}
        if isinstance(first, list | tuple):
            return type(first)(join(list(each)) for each in zip(*parts, strict=True))
        return first

    return Call(join([call.arguments for call in calls]), join([call.output for call in calls]))


class BatchOrder:
    """Which calls a step sees: a function of the step alone, so that a run that resumes goes on as one that
    was never stopped. In each epoch all groups are shuffled and cut into batches of `size`, each of one
    group, whose last one is filled from the group's beginning; then the batches are shuffled."""

    def __init__(self, groups: list[np.ndarray], size: int, seed: int) -> None:
        self.groups, self.size, self.seed = groups, size, seed
        self._per_epoch = sum(-(-len(group) // size) for group in groups)
        self._epoch = lru_cache(maxsize=2)(self._batches)

    def batch(self, step: int) -> np.ndarray:
        """(size,) numbers of calls."""
        epoch, number = divmod(step, self._per_epoch)
        return self._epoch(epoch)[number]

    def _batches(self, epoch: int) -> list[np.ndarray]:
        random = np.random.default_rng([self.seed, epoch])
        batches = [batch for group in self.groups for batch in self._of_group(group, random)]
        return [batches[i] for i in random.permutation(len(batches))]

    def _of_group(self, group: np.ndarray, random: np.random.Generator) -> Iterator[np.ndarray]:
        mixed = random.permutation(group)
        for start in range(0, len(mixed), self.size):
            yield np.resize(np.roll(mixed, -start), self.size)
