"""The diffusion process and its samplers; they know nothing of the network's architecture."""

from sparsedm.diffusion.sde import VPSDE

__all__ = ["VPSDE"]
