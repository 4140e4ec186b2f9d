"""`sparsedm train-autoencoder`: trains a small AutoencoderKL on a folder of colour images of 32x32 pixels.

Mean absolute error, and a weak pull of the latents towards the normal distribution (Kingma and Welling,
arXiv 1312.6114): with it the decoder learns to bear the errors of a network that draws latents.
"""

from __future__ import annotations

import argparse
from collections.abc import Iterator
from pathlib import Path

import torch
from torch import Tensor

from sparsedm.data import Dataset, SampleOrder, open_dataset
from sparsedm.models.autoencoder import new_autoencoder, standardise
from sparsedm.runtime.device import limit_threads
from sparsedm.training.fit import fit

IMAGE_SIDE = 32
PULL = 3e-4
"""Of the mean Kullback-Leibler divergence per value of a latent."""


def add_arguments(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("--data", type=Path, required=True, help="folder of images, as format image-folder")
    parser.add_argument("--steps", type=int, default=1000)
    parser.add_argument("--batch", type=int, default=16)
    parser.add_argument("--rate", type=float, default=4e-3, help="learning rate")
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--out", type=Path, required=True, help="folder for the files and a checkpoint")


def run(args: argparse.Namespace) -> int:
    """An interrupted training goes on from its checkpoint."""
    limit_threads()
    torch.manual_seed(args.seed)
    data = open_dataset("image-folder", args.data, IMAGE_SIDE, channels=3)
    network = new_autoencoder(IMAGE_SIDE).to(memory_format=torch.channels_last)
    order = SampleOrder(len(data), args.seed)

    def loss_of(step: int) -> Tensor:
        images, _ = data.training_batch(order, step * args.batch, args.batch)
        latents = network.encode(images).latent_dist
        error = (network.decode(latents.sample()).sample - images).abs().mean()
        return error + PULL * latents.kl().mean() / latents.mean[0].numel()

    fit(network, loss_of, args.steps, args.rate, args.seed, args.out / "checkpoints")
    network.eval().requires_grad_(False)
    standardise(network, torch.cat([network.encode(x).latent_dist.mean for x in _batches(data)]))
    network.save_pretrained(args.out)
    errors = [(network(x).sample.clamp(-1, 1) - x).abs().mean((1, 2, 3)) for x in _batches(data)]
    print(f"mean error of a pixel {127.5 * torch.cat(errors).mean():.2f} of 255, at {args.out}")
    return 0


def _batches(data: Dataset, size: int = 100) -> Iterator[Tensor]:
    """All images, in order."""
    for start in range(0, len(data), size):
        yield data.batch(range(start, min(start + size, len(data))))[0]
