"""`sparsedm convert WHAT SOURCE OUT`: pickled files, once, into safetensors, which run no code when read.

weights: a .pth with a state dict.
imagenet256-features, imagenet512-features: {i}.npy, each the pickled pair of moments and label.
mscoco256-features: {i}.npy with moments, {i}_{k}.npy with the text's hidden states, empty_context.npy.
"""

from __future__ import annotations

import argparse
import json
import re
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import numpy as np
import torch
from safetensors.torch import save
from torch import Tensor
from tqdm import tqdm

from sparsedm.data.features import EMPTY_FILE, INDEX_FILE, TEXTS, moments_shape
from sparsedm.data.layouts import contents, folders_of
from sparsedm.data.pickles import ArraysOnly
from sparsedm.errors import ConfigError, InputError
from sparsedm.files import write_atomically
from sparsedm.models.weight_files import read_tensors
from sparsedm.models.weights import check_finite, without_wrappers

SHARD_SAMPLES = 2000
TEXT = TEXTS["mscoco256-features"]
EMPTY_SOURCE = "empty_context.npy"
_NUMBERED = re.compile(r"(\d+)\.npy")
_TEXT = re.compile(r"(\d+)_(\d+)\.npy")


def add_arguments(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("what", choices=sorted(CONVERSIONS))
    parser.add_argument("source", type=Path, help="a .pth file, or a folder of .npy files")
    parser.add_argument("out", type=Path, help="a .safetensors file, or a new folder")
    parser.add_argument("--shard-samples", type=int, default=SHARD_SAMPLES, help="samples in a file")


def run(args: argparse.Namespace) -> int:
    """An interrupted conversion goes on at its first missing file."""
    if args.shard_samples < 1:
        raise ConfigError(["--shard-samples must be at least 1."])
    print(CONVERSIONS[args.what](args.source, args.out, args.shard_samples))
    return 0


def convert_weights(source: Path, out: Path, shard_samples: int) -> str:
    if not source.is_file():
        raise InputError("PretrainedNotFound", f"There are no weights at {source}: check the path.")
    tensors = {
        name: value.contiguous() for name, value in sorted(without_wrappers(read_tensors(source)).items())
    }
    check_finite(tensors.items(), source)
    out.parent.mkdir(parents=True, exist_ok=True)
    write_atomically(out, save(tensors))
    return f"{len(tensors)} tensors: {out}"


def convert_imagenet(format: str) -> Callable[[Path, Path, int], str]:
    """The conversion of one resolution."""

    def convert(source: Path, out: Path, shard_samples: int) -> str:
        shape = moments_shape(format)
        return _write_shards(format, source, out, shard_samples, lambda files: _imagenet_shard(files, shape))

    return convert


def convert_mscoco(source: Path, out: Path, shard_samples: int) -> str:
    empty = {"context": _tensor(_array(source / EMPTY_SOURCE), TEXT, source / EMPTY_SOURCE)}
    out.mkdir(parents=True, exist_ok=True)
    write_atomically(out / EMPTY_FILE, save(empty))
    return _write_shards("mscoco256-features", source, out, shard_samples, _mscoco_shard)


CONVERSIONS: dict[str, Callable[[Path, Path, int], str]] = {
    "weights": convert_weights,
    "imagenet256-features": convert_imagenet("imagenet256-features"),
    "imagenet512-features": convert_imagenet("imagenet512-features"),
    "mscoco256-features": convert_mscoco,
}


def _write_shards(
    format: str,
    source: Path,
    out: Path,
    shard_samples: int,
    make: Callable[[list[Path]], dict[str, Tensor]],
) -> str:
    """The index comes last: a folder that has one is whole."""
    files, gaps = _numbered(source)
    out.mkdir(parents=True, exist_ok=True)
    parts = [files[start : start + shard_samples] for start in range(0, len(files), shard_samples)]
    shards = []
    for number, part in enumerate(tqdm(parts, unit="file")):
        path = out / f"shard-{number:05d}-of-{len(parts):05d}.safetensors"
        if not path.exists():
            write_atomically(path, save(make(part)))
        shards.append({"file": path.name, "samples": len(part)})
    index: dict[str, Any] = {"format": format, "samples": len(files), "shards": shards}
    write_atomically(out / INDEX_FILE, (json.dumps(index, indent=2) + "\n").encode())
    return f"{len(files)} samples in {len(parts)} files: {out}{gaps}"


def _numbered(source: Path) -> tuple[list[Path], str]:
    """{i}.npy, in the order of their numbers, and a sentence about numbers that are missing between them."""
    if not source.is_dir():
        raise InputError("DatasetNotFound", f"There is no folder {source}: check the path.")
    numbers = {int(m[1]): f for f in source.iterdir() if (m := _NUMBERED.fullmatch(f.name))}
    if not numbers:
        inner = next(
            (f for f in folders_of(source) if any(_NUMBERED.fullmatch(e.name) for e in f.iterdir())), None
        )
        remedy = f": name {inner}, which does." if inner else f"; {contents(source)}."
        raise InputError("DatasetEmpty", f"{source} holds no files named 0.npy, 1.npy and so on{remedy}")
    missing = sorted(set(range(max(numbers) + 1)) - numbers.keys())
    gaps = f"\nMissing below {max(numbers)}.npy: {len(missing)} ({missing[0]}.npy first)." if missing else ""
    return [numbers[i] for i in sorted(numbers)], gaps


def _imagenet_shard(files: list[Path], shape: tuple[int, ...]) -> dict[str, Tensor]:
    moments, labels = zip(*(_pair(file, shape) for file in files), strict=True)
    return {"moments": torch.stack(moments), "labels": torch.tensor(labels, dtype=torch.int64)}


def _pair(file: Path, shape: tuple[int, ...]) -> tuple[Tensor, int]:
    array = _array(file, pickled=True)
    try:
        moments, label = array
        return _tensor(np.asarray(moments), shape, file), int(label)
    except (TypeError, ValueError) as error:
        raise _unreadable(file, f"it is no pair of moments and label: {error}") from error


def _mscoco_shard(files: list[Path]) -> dict[str, Tensor]:
    contexts, first = [], [0]
    for file in files:
        contexts += [_tensor(_array(text), TEXT, text) for text in _texts(file)]
        first.append(len(contexts))
    shape = moments_shape("mscoco256-features")
    moments = torch.stack([_tensor(_array(file), shape, file) for file in files])
    return {"moments": moments, "contexts": torch.stack(contexts), "firstText": torch.tensor(first)}


def _texts(file: Path) -> Iterator[Path]:
    """{i}_0.npy, {i}_1.npy, ... of {i}.npy: at least one."""
    number = 0
    while (text := file.with_name(f"{file.stem}_{number}.npy")).is_file():
        yield text
        number += 1
    if not number:
        raise _unreadable(text, "it is missing, and each image has at least one text")


def _array(file: Path, pickled: bool = False) -> np.ndarray:
    """An array of numbers; with `pickled` also one of objects, which builds arrays and numbers alone."""
    try:
        with file.open("rb") as stream:
            if not pickled:
                return np.load(stream, allow_pickle=False)
            version = np.lib.format.read_magic(stream)
            headers = {
                (1, 0): np.lib.format.read_array_header_1_0,
                (2, 0): np.lib.format.read_array_header_2_0,
            }
            if not headers[version](stream)[2].hasobject:
                raise ValueError("it holds numbers alone")
            return ArraysOnly(stream).load()
    # A damaged file or pickle fails in many ways; whatever it is, the file is not usable.
    except Exception as error:
        raise _unreadable(file, f"{type(error).__name__}: {error}") from error


def _tensor(array: np.ndarray, shape: tuple[int, ...], file: Path) -> Tensor:
    if array.shape != shape or array.dtype.kind != "f":
        raise _unreadable(file, f"its array is {array.dtype} of {array.shape}, not of {shape}")
    return torch.from_numpy(np.ascontiguousarray(array))


def _unreadable(file: Path, problem: str) -> InputError:
    return InputError(
        "DatasetUnreadable", f"{file} can't be converted ({problem}): make it again or remove it."
    )
