"""Files of weights in the formats that users have: the first bytes decide the format, not the name.

Read are safetensors (one file, or an index and its shards) and torch's files of tensors in plain containers.
No code in a file is run. Anything else is refused with what it is and what to do.
"""

from __future__ import annotations

import json
import pickle
import re
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

import torch
from safetensors import SafetensorError
from safetensors.torch import load_file
from torch import Tensor

from sparsedm.errors import InputError

INDEX_SUFFIX = ".index.json"
AVERAGES = ("ema", "ema_state_dict", "state_dict_ema", "model_ema", "ema_model", "ema_params", "params_ema")
WRAPPERS = ("state_dict", "model_state_dict", "model", "module", "network", "net", "params", "weights")
"""Where a training's checkpoint keeps its weights: the moving average is taken where there is one, as it is
what a diffusion model's figures are of, else the first of the others."""

_LFS = b"version https://git-lfs"
_ARCHIVES = ((b"\x1f\x8b", "gzip"), (b"7z\xbc\xaf", "7z"), (b"\xfd7zXZ", "xz"), (b"\x28\xb5\x2f\xfd", "zstd"))
_OTHERS = ((b"GGUF", "a GGUF file"), (b"\x89HDF", "an HDF5 file"), (b"\x93NUMPY", "a NumPy array"))
_FETCH = "fetch the file itself again, for example with huggingface-cli download"
_HEAD = 512


def read_tensors(path: Path) -> dict[str, Tensor]:
    """The tensors of a file by their names in it. Raises InputError."""
    if path.name.endswith(INDEX_SUFFIX):
        return _read_shards(path)
    if not path.is_file():
        raise InputError("PretrainedNotFound", f"There are no weights at {path}: check the path.")
    size = path.stat().st_size
    with path.open("rb") as file:
        head = file.read(_HEAD)
    if problem := _no_weights(head, size):
        raise unreadable(path, problem)
    if _is_safetensors(head):
        return _read_safetensors(path, size)
    if head[:1] == b"\x80" or head[:2] == b"PK":
        return _unwrapped(_unpickled(path), path)
    raise unreadable(path, f"it is neither safetensors nor a file of torch.save: {_FETCH}")


def shards_of(index: Path) -> list[Path]:
    """The files that an index names, beside it."""
    try:
        names = sorted(set(json.loads(index.read_text(encoding="utf-8"))["weight_map"].values()))
        strange = [name for name in names if Path(name).name != name]
    except (OSError, ValueError, KeyError, TypeError, AttributeError) as error:
        raise unreadable(
            index, f"it is no index of shards ({type(error).__name__}: {error}): {_FETCH}"
        ) from error
    if strange or not names:
        raise unreadable(index, f"it names {', '.join(strange) or 'no files'}: shards lie beside their index")
    missing = [name for name in names if not (index.parent / name).is_file()]
    if missing:
        raise InputError(
            "PretrainedNotFound",
            f"{index} names {len(names)} files, and {_some(missing)} {_is(missing)} missing: fetch all of "
            "them.",
        )
    return [index.parent / name for name in names]


def unreadable(path: Path, problem: str) -> InputError:
    return InputError("PretrainedUnreadable", f"The weights {path} can't be read: {problem}.")


def _some(names: list[str]) -> str:
    more = f" and {len(names) - 3} more" if len(names) > 3 else ""
    return ", ".join(names[:3]) + more


def _is(names: list[str]) -> str:
    return "is" if len(names) == 1 else "are"


def _no_weights(head: bytes, size: int) -> str | None:
    """What the file is instead, and the remedy."""
    if not head:
        return f"the file is empty: {_FETCH}"
    if head.startswith(_LFS):
        return (
            f"it is a Git LFS pointer of {size} bytes that stands for the file: run git lfs pull where it "
            "was cloned, and copy the file again"
        )
    if head.lstrip()[:1] == b"<":
        return (
            "it is a web page or an XML answer (a sign-in page, an expired link): fetch the file itself, "
            "with a token where the model asks for one"
        )
    if head.lstrip()[:1] in (b"{", b"["):
        return f"it is JSON text: {_FETCH}"
    archive = next((name for magic, name in _ARCHIVES if head.startswith(magic)), None)
    if archive or head[257:262] == b"ustar":
        return f"it is a {archive or 'tar'} archive: unpack it and give the file in it"
    return next(
        (f"it is {name}: convert it to safetensors" for magic, name in _OTHERS if head.startswith(magic)),
        None,
    )


def _is_safetensors(head: bytes) -> bool:
    return head[8:9] == b"{"


def _read_safetensors(path: Path, size: int) -> dict[str, Tensor]:
    try:
        return load_file(path)
    except SafetensorError as error:
        wanted = _wanted_size(path)
        if wanted is not None and wanted > size:
            problem = f"it is cut off, with {size:,} of {wanted:,} bytes: {_FETCH}"
        else:
            problem = f"it is no valid safetensors file ({error}): {_FETCH}"
        raise unreadable(path, problem) from error


def _wanted_size(path: Path) -> int | None:
    """What the header says, where that is whole."""
    with path.open("rb") as file:
        length = int.from_bytes(file.read(8), "little")
        if length > path.stat().st_size:
            return 8 + length
        try:
            header = json.loads(file.read(length))
            return 8 + length + max(v["data_offsets"][1] for k, v in header.items() if k != "__metadata__")
        except (ValueError, KeyError, TypeError, IndexError, AttributeError):
            return None


def _read_shards(index: Path) -> dict[str, Tensor]:
    tensors: dict[str, Tensor] = {}
    for shard in shards_of(index):
        tensors |= read_tensors(shard)
    return tensors


def _unpickled(path: Path) -> Any:
    """torch's restricted unpickler builds tensors and plain containers, and calls nothing else."""
    try:
        with path.open("rb") as file:  # of a path, torch would judge by the ending
            return torch.load(file, map_location="cpu", weights_only=True)
    except pickle.UnpicklingError as error:
        raise InputError(
            "PretrainedUnreadable",
            f"The weights {path} hold more than tensors ({_culprit(error)}), and unpickling that could run "
            "code: where you trust the file, save its state dict alone with torch.save or as safetensors.",
        ) from error
    except (OSError, RuntimeError, EOFError, ValueError, KeyError) as error:
        raise unreadable(
            path, f"it is no whole file of torch.save ({' '.join(str(error).split())[:200]}): {_FETCH}"
        ) from error


def _culprit(error: Exception) -> str:
    """The name that torch refused, out of its page of advice: "GLOBAL argparse.Namespace was not ..."."""
    found = re.search(r"GLOBAL (\S+)", str(error))
    return found[1] if found else "an object"


def _unwrapped(value: Any, path: Path) -> dict[str, Tensor]:
    """The state dict in a checkpoint of a training, the moving average first."""
    found = next(_state_dicts(value), None)
    if found is None:
        held = _some([str(name) for name in value]) if isinstance(value, Mapping) else type(value).__name__
        raise InputError(
            "PretrainedUnreadable",
            f"The weights {path} hold no state dict (found: {held or 'nothing'}): save the state dict of the "
            "model (its moving average, where there is one) alone.",
        )
    return dict(found)


def _state_dicts(value: Any) -> Iterator[Mapping[str, Tensor]]:
    if not isinstance(value, Mapping) or not value:
        return
    if all(isinstance(tensor, Tensor) for tensor in value.values()):
        yield value
        return
    for name in (*AVERAGES, *WRAPPERS):
        yield from _state_dicts(value.get(name))
