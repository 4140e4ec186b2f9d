"""The diffusion process and its samplers."""

from sparsedm.diffusion.process import (
    VP_LINEAR,
    DiscreteBetas,
    NoiseProcess,
    RectifiedFlow,
    VPLinear,
    process_from,
)

__all__ = ["VP_LINEAR", "DiscreteBetas", "NoiseProcess", "RectifiedFlow", "VPLinear", "process_from"]
