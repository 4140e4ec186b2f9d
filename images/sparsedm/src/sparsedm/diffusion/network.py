"""What the diffusion mathematics needs to know of a network, whichever library built it."""

from __future__ import annotations

from typing import Protocol

from torch import Tensor

from sparsedm.diffusion.process import NoiseProcess, Prediction


class Network(Protocol):
    """(B,C,H,W), t (B,) in [0, 1], labels (B,), text (B,L,D) or None -> (B,C,H,W), or (B,2C,H,W) with the
    variance."""

    def __call__(self, x: Tensor, t: Tensor, y: Tensor | None = None) -> Tensor: ...


class NetworkConfig(Protocol):
    """Shape, conditions and noise process of a network; every configuration in models/ is one.

    `null_label` stands for no class, and is None where the network has no row for it. `context` is the shape
    (L, D) of its text, or None. Guidance acts on the first `guided_channels` of the output.
    """

    @property
    def channels(self) -> int: ...
    @property
    def out_channels(self) -> int: ...
    @property
    def image_size(self) -> int: ...
    @property
    def num_classes(self) -> int: ...
    @property
    def null_label(self) -> int | None: ...
    @property
    def label_dropout(self) -> float: ...
    @property
    def context(self) -> tuple[int, int] | None: ...
    @property
    def guidable(self) -> bool: ...
    @property
    def guided_channels(self) -> int: ...
    @property
    def prediction(self) -> Prediction: ...
    @property
    def process(self) -> NoiseProcess: ...
