"""Where two networks must agree for one to follow the other: both get one batch of noisy images, timesteps
and conditions, and their outputs are compared value by value. Sizes inside are each network's own."""

from __future__ import annotations

import json
from collections.abc import Iterator
from dataclasses import replace

from sparsedm.diffusion.network import NetworkConfig
from sparsedm.diffusion.process import DiscreteBetas, NoiseProcess, VPLinear


def differences(first: NetworkConfig, second: NetworkConfig) -> Iterator[tuple[str, str, str]]:
    """(field as the API names it, what `first` has, what `second` has), in a fixed order."""
    pairs = zip(_space(first).items(), _space(second).values(), strict=True)
    return ((name, one, other) for (name, one), other in pairs if one != other)


def _space(config: NetworkConfig) -> dict[str, str]:
    tokens, width = config.context or ("none", "none")
    fields = {
        "imageSize": config.image_size,
        "channels": config.channels,
        "outputs": config.out_channels,
        "prediction": config.prediction,
        "noiseProcess": json.dumps(_bare(config.process).to_dict()),
        "numClasses": config.num_classes,
        "nullClass": "true" if config.null_label is not None else "false",
        "contextTokens": tokens,
        "contextWidth": width,
    }
    return {name: str(value) for name, value in fields.items()}


def _bare(process: NoiseProcess) -> NoiseProcess:
    """Without the scale on which a network takes the time: each converts it for itself."""
    if isinstance(process, DiscreteBetas):
        return replace(process, time_offset=0)
    return replace(process, time_scale=VPLinear.time_scale) if isinstance(process, VPLinear) else process
