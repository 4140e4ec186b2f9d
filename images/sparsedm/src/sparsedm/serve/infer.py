"""The Open Inference Protocol's tensors: a request for images, as JSON or with binary data after it.

Formats: the protocol's specification of REST, and Triton's extension for binary tensor data, by which
elements stand in little-endian order behind the JSON, texts each after its length in four bytes.
"""

from __future__ import annotations

import json
import math
import struct
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Annotated, Any

import numpy as np
from pydantic import BaseModel, ConfigDict, Field, ValidationError
from starlette.requests import Request
from starlette.responses import JSONResponse, Response

from sparsedm.serve.errors import bad_request, shown, validation_error
from sparsedm.serve.generation import LARGEST_SEED, MOST_IMAGES, GenerationRequest, read_body

EXTENSIONS = ["binary_tensor_data", "model_configuration", "statistics"]
HEADER_LENGTH = "Inference-Header-Content-Length"


@dataclass(frozen=True)
class Kind:
    """An input. dtype: None for texts. largest: elements at most."""

    datatype: str
    dtype: np.dtype | None = None
    largest: int = 1
    required: bool = False

    @property
    def shape(self) -> list[int]:
        """-1 is any number."""
        return [1] if self.largest == 1 else [-1]


INPUTS: dict[str, Kind] = {
    "prompt": Kind("BYTES", required=True),
    "negative_prompt": Kind("BYTES"),
    "seed": Kind("INT64", np.dtype("<i8"), MOST_IMAGES),
    "num_inference_steps": Kind("INT32", np.dtype("<i4")),
    "guidance_scale": Kind("FP32", np.dtype("<f4")),
}
"""As the parameters of /v1/images/generations, but `seed` has one for each image."""

TRITON_NAMES = {"BYTES": "TYPE_STRING", "INT64": "TYPE_INT64", "INT32": "TYPE_INT32", "FP32": "TYPE_FP32",
                "UINT8": "TYPE_UINT8"}  # fmt: skip


class _Part(BaseModel):
    """The protocol lets anybody add members, so unknown ones are passed over."""

    model_config = ConfigDict(strict=True, extra="ignore")
    parameters: dict[str, Any] = {}


class Input(_Part):
    name: str
    shape: list[Annotated[int, Field(ge=0)]]
    datatype: str
    data: list[Any] | None = None


class Output(_Part):
    name: str


class InferRequest(_Part):
    id: str | None = None
    inputs: Annotated[list[Input], Field(min_length=1, max_length=len(INPUTS))]
    outputs: list[Output] | None = None


def inputs() -> list[dict[str, Any]]:
    """For the model's metadata."""
    return [{"name": name, "datatype": kind.datatype, "shape": kind.shape} for name, kind in INPUTS.items()]


def outputs(image_shape: Sequence[int]) -> list[dict[str, Any]]:
    """image_shape: (C, H, W); the tensor is (N, H, W, C)."""
    channels, height, width = image_shape
    return [
        {"name": "images", "datatype": "UINT8", "shape": [-1, height, width, channels]},
        {"name": "seed", "datatype": "INT64", "shape": [-1]},
    ]


def configuration(name: str, image_shape: Sequence[int]) -> dict[str, Any]:
    """Triton's model configuration, where 0 means that the shapes say all of a batch."""

    def entries(tensors: Sequence[Mapping[str, Any]]) -> list[dict[str, Any]]:
        return [
            {"name": t["name"], "data_type": TRITON_NAMES[t["datatype"]], "dims": t["shape"]} for t in tensors
        ]

    given = [{**entry, "optional": not INPUTS[entry["name"]].required} for entry in entries(inputs())]
    return {
        "name": name, "platform": "sparsedm", "backend": "sparsedm", "max_batch_size": 0,
        "input": given, "output": entries(outputs(image_shape)),
    }  # fmt: skip


@dataclass(frozen=True)
class Asked:
    """What an inference request asks for."""

    request: InferRequest
    body: GenerationRequest
    seeds: list[int] | None

    def wants(self, name: str) -> bool:
        return self.request.outputs is None or any(each.name == name for each in self.request.outputs)

    def binary(self, name: str) -> bool:
        """Whether an output comes behind the JSON; by default it stands in it."""
        given = next((each for each in self.request.outputs or [] if each.name == name), None)
        everywhere = self.request.parameters.get("binary_data_output", False)
        return bool(everywhere if given is None else given.parameters.get("binary_data", everywhere))


class IndexRequest(_Part):
    ready: bool = False


async def read_index_request(request: Request) -> bool:
    """Whether only ready models are asked for. Raises ApiError, as `read_inference`."""
    body = await read_body(request)
    if not body:
        return False
    try:
        return IndexRequest.model_validate_json(body).ready
    except ValidationError as error:
        raise validation_error(error.errors()) from error


async def read_inference(request: Request) -> Asked:
    """Raises ApiError: 415, 413, 400, or 499 when the client disconnected."""
    body = await read_body(request)
    length = _header_length(request, len(body))
    try:
        asked = InferRequest.model_validate_json(body[:length])
    except ValidationError as error:
        raise validation_error(error.errors()) from error
    values = _values(asked.inputs, memoryview(body)[length:])
    _check_outputs(asked.outputs)
    seeds = values.pop("seed", None)
    if seeds is not None and not all(0 <= seed <= LARGEST_SEED for seed in seeds):
        raise bad_request(f"seed must lie between 0 and {LARGEST_SEED}.", "seed")
    fields = {name: value[0] for name, value in values.items()}
    try:
        wanted = GenerationRequest(**fields, n=1 if seeds is None else len(seeds))
    except ValidationError as error:
        raise validation_error(error.errors()) from error
    return Asked(asked, wanted, seeds)


def _header_length(request: Request, size: int) -> int:
    text = request.headers.get(HEADER_LENGTH)
    if text is None:
        return size
    if not (text.isascii() and text.isdigit() and int(text) <= size):
        raise bad_request(
            f"{HEADER_LENGTH} must be the number of bytes of the JSON, at most {size} here.", HEADER_LENGTH
        )
    return int(text)


def _values(given: Sequence[Input], binary: memoryview) -> dict[str, list[Any]]:
    """By the names of inputs. Raises ApiError."""
    values: dict[str, list[Any]] = {}
    for tensor in given:
        kind = INPUTS.get(tensor.name)
        if kind is None:
            raise bad_request(
                f"inputs has no {shown(tensor.name)}: this model takes {', '.join(INPUTS)}.", "inputs"
            )
        if tensor.name in values:
            raise bad_request(f"inputs has {tensor.name} twice.", "inputs")
        count = _count(tensor, kind)
        size = tensor.parameters.get("binary_data_size")
        if size is None:
            values[tensor.name] = _from_json(tensor, kind, count)
            continue
        if type(size) is not int or not 0 <= size <= len(binary):
            raise bad_request(
                f"binary_data_size of {tensor.name} must be the number of its bytes after the JSON, of which "
                f"{len(binary)} are left.", tensor.name,
            )  # fmt: skip
        values[tensor.name] = _from_bytes(tensor.name, bytes(binary[:size]), kind, count)
        binary = binary[size:]
    if len(binary):
        raise bad_request(f"{len(binary)} bytes after the JSON belong to no input.", "inputs")
    if missing := [name for name, kind in INPUTS.items() if kind.required and name not in values]:
        raise bad_request(f"inputs lacks {missing[0]}.", "inputs", "missing_required_parameter")
    return values


def _count(tensor: Input, kind: Kind) -> int:
    if tensor.datatype != kind.datatype:
        raise bad_request(f"{tensor.name} must be {kind.datatype}.", tensor.name)
    count = math.prod(tensor.shape)
    if not 1 <= count <= kind.largest:
        most = "1 element" if kind.largest == 1 else f"1 to {kind.largest} elements"
        raise bad_request(f"{tensor.name} must have {most} by its shape.", tensor.name)
    return count


def _from_json(tensor: Input, kind: Kind, count: int) -> list[Any]:
    data = list(_flat(tensor.data or []))
    if len(data) != count:
        raise bad_request(f"{tensor.name} has {len(data)} elements, and {count} by its shape.", tensor.name)
    wanted = {"BYTES": str, "FP32": (int, float)}.get(kind.datatype, int)
    if any(isinstance(value, bool) or not isinstance(value, wanted) for value in data):
        raise bad_request(f"data of {tensor.name} must be {kind.datatype}.", tensor.name)
    return data


def _flat(data: Sequence[Any]) -> Any:
    """Elements in row-major order, whether nested or not."""
    for value in data:
        if isinstance(value, list):
            yield from _flat(value)
        else:
            yield value


def _from_bytes(name: str, data: bytes, kind: Kind, count: int) -> list[Any]:
    if kind.dtype is not None:
        if len(data) != count * kind.dtype.itemsize:
            raise bad_request(f"{name} has {len(data)} bytes, which are not {count} {kind.datatype}.", name)
        return np.frombuffer(data, kind.dtype).tolist()
    (length,) = struct.unpack("<I", data[:4]) if len(data) >= 4 else (-1,)
    if length != len(data) - 4:
        raise bad_request(f"{name} must be a text after its length in 4 bytes, little-endian.", name)
    try:
        return [data[4:].decode("utf-8")]
    except UnicodeDecodeError as error:
        raise bad_request(f"{name} is not UTF-8.", name) from error


def _check_outputs(given: Sequence[Output] | None) -> None:
    names = ("images", "seed")
    for each in given or []:
        if each.name not in names:
            raise bad_request(
                f"outputs has no {shown(each.name)}: this model gives {' and '.join(names)}.", "outputs"
            )


def inference_answer(
    model: str, version: str, asked: Asked, tensors: Mapping[str, np.ndarray], headers: Mapping[str, str]
) -> Response:
    """tensors: by the names of outputs."""
    listed, behind = [], []
    for name, tensor in tensors.items():
        if not asked.wants(name):
            continue
        entry: dict[str, Any] = {
            "name": name, "datatype": tensor.dtype.name.upper(), "shape": list(tensor.shape)
        }  # fmt: skip
        if asked.binary(name):
            data = tensor.astype(tensor.dtype.newbyteorder("<")).tobytes()
            behind.append(data)
            entry["parameters"] = {"binary_data_size": len(data)}
        else:
            entry["data"] = tensor.ravel().tolist()
        listed.append(entry)
    answer: dict[str, Any] = {"model_name": model, "model_version": version, "outputs": listed}
    if asked.request.id is not None:
        answer["id"] = asked.request.id
    if not behind:
        return JSONResponse(answer, headers=dict(headers))
    head = json.dumps(answer, separators=(",", ":")).encode()
    return Response(
        head + b"".join(behind),
        media_type="application/octet-stream",
        headers={**headers, HEADER_LENGTH: str(len(head))},
    )
