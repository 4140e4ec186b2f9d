"""Which files of a model's folder are read. On a hub the same weights lie beside each other in several
formats and precisions, and a pipeline's once more in one file at the top: tens of gigabytes that nothing
here reads.
"""

from __future__ import annotations

import re
from collections.abc import Iterable
from pathlib import PurePosixPath

PIPELINE_INDEX = "model_index.json"
MANIFEST = "manifest.json"
_VARIANT = re.compile(r"\.(fp16|bf16|fp32|non_ema|ema)\b")
_OTHER_FORMATS = (
    ".bin", ".msgpack", ".onnx", ".onnx_data", ".ckpt", ".h5", ".xml", ".gguf", ".ot", ".tflite",
)  # fmt: skip
_WEIGHTS = (".safetensors", *_OTHER_FORMATS)


def read_ones(paths: Iterable[str]) -> list[str]:
    """`paths` of all files of a folder and below it, in their order, without

    - variants and other formats of weights, wherever plain safetensors lie beside them;
    - weights beside a pipeline's index, whose parts have theirs in folders of their own. An artifact of this
      package, which has a manifest there, keeps all.
    """
    files = [PurePosixPath(path) for path in paths]
    plain = {
        file.parent for file in files if file.suffix == ".safetensors" and not _VARIANT.search(file.name)
    }
    named = {
        name: {file.parent for file in files if file.name == name} for name in (PIPELINE_INDEX, MANIFEST)
    }
    pipelines = named[PIPELINE_INDEX] - named[MANIFEST]

    def is_read(file: PurePosixPath) -> bool:
        if file.parent in pipelines and file.name.endswith(_WEIGHTS):
            return False
        double = _VARIANT.search(file.name) or file.name.endswith(_OTHER_FORMATS)
        return file.parent not in plain or not double

    return [str(file) for file in files if is_read(file)]
