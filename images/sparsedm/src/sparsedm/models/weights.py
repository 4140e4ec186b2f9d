"""Loads weights from a file into a network, strictly, and accepts the names that other programs give them."""

from __future__ import annotations

import hashlib
from collections.abc import Iterable, Mapping
from pathlib import Path

import torch
from torch import Tensor, nn

from sparsedm.errors import InputError
from sparsedm.files import OnRead, file_sha256
from sparsedm.models.weight_files import INDEX_SUFFIX, read_tensors, shards_of

FLOATS = (torch.float32, torch.float16, torch.bfloat16, torch.float64)
"""Types that are read as the network's float32. Others are codes, which mean nothing without their scales."""
WRAPPER_PARTS = {"_orig_mod", "_checkpoint_wrapped_module", "_fsdp_wrapped_module"}
"""What torch.compile, checkpointing and sharding insert into names, at any place."""
PREFIXES = ("module.", "model.", "net.", "network.", "ema_model.", "ema.", "model_ema.")
"""What training on several GPUs, Lightning and averaging put before every name."""
AVERAGE_PREFIXES = ("ema.", "ema_model.", "model_ema.", "averaged_model.", "ema/")
"""The last one is that of this trainer's own checkpoints."""
NAMED = 3
"""Names in one sentence; the others are counted."""


def weights_sha256(path: Path, on_read: OnRead | None = None) -> str:
    """Of a file; of shards, that of the list that `sha256sum` prints of them in the order of their names.
    on_read: of a single file."""
    if not path.name.endswith(INDEX_SUFFIX):
        return file_sha256(path, on_read)
    lines = (f"{file_sha256(shard)}  {shard.name}\n" for shard in shards_of(path))
    return hashlib.sha256("".join(lines).encode()).hexdigest()


def load_weights(
    model: nn.Module,
    path: str | Path,
    sha256: str | None = None,
    not_finite: str = "PretrainedNotFinite",
    on_read: OnRead | None = None,
) -> str:
    """Loads a file (or an index and its shards) into `model`, strictly, and returns its digest.

    Raises InputError, before anything is changed, when the file is missing, has another digest than
    `sha256`, is not readable, does not hold exactly the model's tensors in numbers, or holds NaN or infinity
    (with the reason `not_finite`).
    """
    path = Path(path)
    if not path.is_file():
        raise InputError(
            "PretrainedNotFound", f"There are no weights at {path}: check the path and the volume."
        )
    digest = weights_sha256(path, on_read)
    if sha256 is not None and digest != sha256.lower():
        raise InputError(
            "PretrainedDigestMismatch",
            f"The weights {path} have digest {digest}, not the expected {sha256.lower()}: "
            "correct the sha256 or fetch the file again.",
        )
    expected = model.state_dict()
    tensors = _under_own_names(model, read_tensors(path), expected)
    _check_types(tensors, expected, path)
    _check_tensors(tensors, expected, path)
    check_finite(((name, t.to(expected[name].dtype)) for name, t in tensors.items()), path, not_finite)
    model.load_state_dict(tensors, strict=True)
    return digest


def check_finite(
    tensors: Iterable[tuple[str, Tensor]], source: str | Path, reason: str = "PretrainedNotFinite"
) -> None:
    """The rule for all weights that are read: NaN or infinity in them is the file's fault, and no divergence
    of what is computed with them. Raises InputError, which names the first such tensor."""
    bad = next((name for name, t in tensors if t.dtype in FLOATS and not t.isfinite().all()), None)
    if bad is not None:
        raise InputError(
            reason,
            f"The weights {source} hold NaN or infinity in {bad}: their training diverged, or the file is "
            "damaged. Use other weights.",
        )


def without_wrappers(tensors: Mapping[str, Tensor]) -> dict[str, Tensor]:
    """Removes what compiling and training on several GPUs add to names."""
    named = {".".join(p for p in name.split(".") if p not in WRAPPER_PARTS): t for name, t in tensors.items()}
    return _without_prefix(named, PREFIXES[0]) if _all_start(named, PREFIXES[0]) else named


def _under_own_names(
    model: nn.Module, tensors: Mapping[str, Tensor], expected: Mapping[str, Tensor]
) -> dict[str, Tensor]:
    """Removes a prefix that all names have and none of the model's."""
    named = without_wrappers(tensors)
    for prefix in AVERAGE_PREFIXES:
        average = _without_prefix(named, prefix)
        if average.keys() == expected.keys():
            return average
    while not _all_known(named, expected):
        prefix = next((p for p in PREFIXES if _all_start(named, p) and not _all_start(expected, p)), None)
        if prefix is None:
            break
        named = _without_prefix(named, prefix)
    rename = getattr(model, "_fix_state_dict_keys_on_load", None)
    if rename is not None:  # diffusers' own rule for attention as it was named before 2023
        rename(named)
    return named


def _all_known(tensors: Mapping[str, Tensor], expected: Mapping[str, Tensor]) -> bool:
    return tensors.keys() <= expected.keys()


def _all_start(tensors: Mapping[str, Tensor], prefix: str) -> bool:
    return bool(tensors) and all(name.startswith(prefix) for name in tensors)


def _without_prefix(tensors: Mapping[str, Tensor], prefix: str) -> dict[str, Tensor]:
    return {name.removeprefix(prefix): t for name, t in tensors.items() if name.startswith(prefix)}


def _check_types(tensors: Mapping[str, Tensor], expected: Mapping[str, Tensor], path: Path) -> None:
    """Raises InputError for quantised weights, whose codes would load as if they were weights."""
    wrong = [
        f"{name} is {_type_of(tensor)}"
        for name, tensor in sorted(tensors.items())
        if name in expected and not _fits(tensor.dtype, expected[name].dtype)
    ]
    if wrong:
        raise InputError(
            "PretrainedMismatch",
            f"The weights {path} are no floating-point numbers of at least 16 bits: {_listed(wrong)}. Give "
            "the weights before they were quantised, as float32, bfloat16 or float16.",
        )


def _fits(found: torch.dtype, wanted: torch.dtype) -> bool:
    return found in FLOATS if wanted.is_floating_point else found == wanted


def _type_of(tensor: Tensor) -> str:
    return str(tensor.dtype).removeprefix("torch.")


def _check_tensors(tensors: Mapping[str, Tensor], expected: Mapping[str, Tensor], path: Path) -> None:
    """One sentence about the first differences instead of torch's page of names."""
    missing, unknown = sorted(expected.keys() - tensors.keys()), sorted(tensors.keys() - expected.keys())
    shapes = [
        f"{name} has shape {tuple(tensors[name].shape)} instead of {tuple(expected[name].shape)}"
        for name in sorted(expected.keys() & tensors.keys())
        if tensors[name].shape != expected[name].shape
    ]
    problems = [
        *([f"{_listed(missing)} {_is(missing)} missing"] if missing else []),
        *([f"{_listed(unknown)} {_is(unknown)} unknown"] if unknown else []),
        *([_listed(shapes)] if shapes else []),
    ]
    if problems:
        raise InputError(
            "PretrainedMismatch",
            f"The weights {path} do not fit the model: {'; '.join(problems)}. "
            "Choose the preset or config that they were trained with.",
        )


def _listed(texts: list[str]) -> str:
    more = f" and {len(texts) - NAMED} more" if len(texts) > NAMED else ""
    return ", ".join(texts[:NAMED]) + more


def _is(names: list[str]) -> str:
    return "is" if len(names) == 1 else "are"
