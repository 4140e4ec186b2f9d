"""What a study is made on: a data set, and the dense model of it that the rows make sparse."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path


@dataclass(frozen=True)
class Subject:
    """`extractor` and the preset name files of the folder of weights (`--weights`). `dense` says what the
    dense model is, `dense_steps` its training in steps of the study's batch. `half_width` is the width whose
    multiply-accumulates come closest to those of 2:4."""

    title: str
    format: str
    preset: str
    extractor: str
    dense: str
    dense_steps: int
    width: int
    half_width: int

    @property
    def reference(self) -> str:
        """Beginning of the names of its files of statistics. Fashion-MNIST's was there first."""
        return "reference" if self is FASHION_MNIST else f"reference-{self.preset}"

    def images(self, data: Path, split: str) -> Path:
        """The folder of the split's images; Fashion-MNIST has both in one."""
        return data / split if self.format == "image-folder" else data


FASHION_MNIST = Subject(
    "Fashion-MNIST",
    "fashion-mnist",
    "fashion-mnist-uvit-tiny",
    "fashion-mnist-extractor.safetensors",
    dense="the shipped dense model, which had had 8,293 steps",
    dense_steps=8293,
    width=128,
    half_width=92,
)
EMOJI = Subject(
    "emoji in colour",
    "image-folder",
    "emoji-uvit-small",
    "emoji-extractor.safetensors",
    dense="the dense model that `npm run models -- --only emoji-classes` makes in 8,000 steps of 32 images",
    dense_steps=4000,
    width=192,
    half_width=138,
)
