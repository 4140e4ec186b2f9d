"""`sparsedm train-pipeline`: trains a small Stable Diffusion 3 pipeline on captioned images.

Its autoencoder and its text encoder come from the two commands before it; the transformer (Esser et al.,
arXiv 2403.03206) is trained here by flow matching. diffusers opens the folder, as any pipeline of the class
that has no T5 encoder: `DiffusionPipeline.from_pretrained(OUT, text_encoder_3=None, tokenizer_3=None)`.
"""

from __future__ import annotations

import argparse
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import torch
from torch import Tensor
from torch.nn import functional as F
from torch.overrides import TorchFunctionMode
from tqdm import tqdm

from sparsedm.data import Dataset, SampleOrder, open_dataset
from sparsedm.data.metadata import texts_of
from sparsedm.errors import InputError
from sparsedm.models.denoisers import library
from sparsedm.models.text_encoder import ENCODER_FOLDER, TOKENIZER_FOLDER, TextEncoder, TextTooLong
from sparsedm.models.text_encoder import library as text_library
from sparsedm.runtime.device import limit_threads
from sparsedm.training.ema import Ema
from sparsedm.training.fit import fit

IMAGE_SIDE = 32
HEAD_WIDTH = 32
TIMESTEPS = 1000
DROPPED = 0.1
"""Share of the captions that training replaces by the empty one, for classifier-free guidance."""
EMPTY_TOKENS = 256
"""The pipeline's default of max_sequence_length: tokens that stand for the T5 encoder that is not there."""
STEPS, GUIDANCE = 20, 2.0
"""With which the captions are drawn at the end."""


def add_arguments(parser: argparse.ArgumentParser) -> None:
    parser.add_argument(
        "--data", type=Path, required=True, help="folder of images with the column text in metadata.jsonl"
    )
    parser.add_argument("--autoencoder", type=Path, required=True, help="what train-autoencoder wrote")
    parser.add_argument("--text-encoder", type=Path, required=True, help="what train-text-encoder wrote")
    parser.add_argument("--layers", type=int, default=4, help="of the transformer")
    parser.add_argument("--heads", type=int, default=4, help=f"in each layer, of {HEAD_WIDTH} values")
    parser.add_argument("--steps", type=int, default=1000)
    parser.add_argument("--batch", type=int, default=32)
    parser.add_argument("--rate", type=float, default=1.5e-3, help="learning rate")
    parser.add_argument("--ema-decay", type=float, default=0.999)
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--out", type=Path, required=True, help="folder for the files and a checkpoint")


def run(args: argparse.Namespace) -> int:
    """An interrupted training goes on from its checkpoint."""
    limit_threads()
    torch.manual_seed(args.seed)
    data, texts = open_dataset("image-folder", args.data, IMAGE_SIDE, channels=3), texts_of(args.data)
    pipeline = new_pipeline(args.autoencoder, args.text_encoder, args.layers, args.heads)
    check_lengths(args, texts)
    means, deviations = latents_of(pipeline.vae, data)
    # One empty token: `CountedToken` lets it stand for any number of them.
    contexts, pooled = encoded(pipeline, [*texts, ""], empty_tokens=1)
    network, order = pipeline.transformer, SampleOrder(len(data), args.seed)

    def loss_of(step: int) -> Tensor:
        chosen = torch.as_tensor(order.indices(step * args.batch, args.batch))
        latents = means[chosen] + deviations[chosen] * torch.randn(means[chosen].shape)
        captions = torch.where(torch.rand(len(chosen)) < DROPPED, len(texts), chosen)
        with CountedToken(contexts.shape[1] + patches(network), drawn_count()):
            return flow_loss(network, latents, contexts[captions], pooled[captions])

    ema = Ema(network, args.ema_decay)
    fit(network, loss_of, args.steps, args.rate, args.seed, args.out / "checkpoints", ema)
    network.load_state_dict(ema.weights)
    network.eval().half()  # half the bytes; what is drawn below is drawn by what the file holds
    pipeline.save_pretrained(args.out)
    network.float()
    own = drawn_like_their_own(pipeline, data, texts)
    print(f"{own} of {len(texts)} captions draw the image nearest to their own, at {args.out}")
    return 0


def check_lengths(args: argparse.Namespace, texts: list[str]) -> None:
    """Raises InputError for a caption that the pipeline would cut in silence."""
    try:
        TextEncoder(args.text_encoder).tokens(texts)
    except TextTooLong as error:
        raise InputError("DatasetUnreadable", f"{args.data}: {error} Shorten the captions.") from error


class CountedToken(TorchFunctionMode):
    """Within it the last of `length` keys of each attention counts `count` times, as do `count` equal keys.

    The pipeline pads a text with max_sequence_length tokens of zeros. They have no positions, so that they
    stay equal through the network: one of them with log(count) added to its scores gives the same, at an
    eighth of the work. Worked example: scores (0, s, s) have the softmax terms 1, 2 exp(s) of (0, s + log 2).
    """

    def __init__(self, length: int, count: int) -> None:
        super().__init__()
        self._bias = torch.zeros(length)
        self._bias[-1] = torch.tensor(float(count)).log()

    def __torch_function__(self, func: Any, types: Any, args: Any = (), kwargs: Any = None) -> Any:
        kwargs = kwargs or {}
        if func is F.scaled_dot_product_attention:
            kwargs = {**kwargs, "attn_mask": self._bias.expand(1, 1, len(self._bias), -1)}
        return func(*args, **kwargs)


def drawn_count() -> int:
    """1, 2, 4, ... or EMPTY_TOKENS: whatever max_sequence_length a caller takes, the images are alike."""
    return 2 ** int(torch.randint(EMPTY_TOKENS.bit_length(), ()))


def patches(network: Any) -> int:
    return (network.config.sample_size // network.config.patch_size) ** 2


def flow_loss(network: Any, latents: Tensor, contexts: Tensor, pooled: Tensor) -> Tensor:
    """Mean square error of the velocity (arXiv 2403.03206, section 2), at times drawn from the logit-normal
    distribution (section 3.1).

    (B, 4, H, W) latents, (B, L, D) contexts, (B, P) pooled texts.
    """
    time, noise = torch.randn(len(latents)).sigmoid(), torch.randn_like(latents)
    share = time[:, None, None, None]
    (velocity,) = network(
        hidden_states=(1 - share) * latents + share * noise,
        timestep=time * TIMESTEPS,
        encoder_hidden_states=contexts,
        pooled_projections=pooled,
        return_dict=False,
    )
    return F.mse_loss(velocity, noise - latents)


def new_pipeline(autoencoder: Path, text_encoder: Path, layers: int, heads: int) -> Any:
    """A StableDiffusion3Pipeline whose transformer has random weights. Both of its CLIP encoders are the one
    of `text_encoder`; it has no T5 encoder."""
    diffusers = library()
    _, width = TextEncoder(text_encoder).shape  # refuses a folder that holds none
    encoders = [projected(text_encoder / ENCODER_FOLDER) for _ in range(2)]
    tokenizers = [
        text_library().CLIPTokenizer.from_pretrained(text_encoder / TOKENIZER_FOLDER) for _ in range(2)
    ]
    # The pipeline adds shift_factor, which the autoencoder's own latents don't need.
    vae = diffusers.AutoencoderKL.from_pretrained(autoencoder, shift_factor=0.0).requires_grad_(False)
    vae.register_to_config(_name_or_path="")  # a path of this machine says nothing elsewhere
    factor = 2 ** (len(vae.config.block_out_channels) - 1)
    transformer = diffusers.SD3Transformer2DModel(
        sample_size=IMAGE_SIDE // factor, patch_size=2, in_channels=vae.config.latent_channels,
        out_channels=vae.config.latent_channels, num_layers=layers, num_attention_heads=heads,
        attention_head_dim=HEAD_WIDTH, caption_projection_dim=heads * HEAD_WIDTH,
        joint_attention_dim=2 * width, pooled_projection_dim=2 * width,
        pos_embed_max_size=IMAGE_SIDE // factor // 2, qk_norm="rms_norm",
    )  # fmt: skip
    start_as_identity(transformer)
    pipeline = diffusers.StableDiffusion3Pipeline(
        transformer=transformer, vae=vae, scheduler=diffusers.FlowMatchEulerDiscreteScheduler(),
        text_encoder=encoders[0], text_encoder_2=encoders[1], text_encoder_3=None,
        tokenizer=tokenizers[0], tokenizer_2=tokenizers[1], tokenizer_3=None,
    )  # fmt: skip
    pipeline.set_progress_bar_config(disable=True)
    return pipeline


def projected(folder: Path) -> Any:
    """CLIPTextModelWithProjection, which the pipeline wants, whose projection changes nothing."""
    transformers = text_library()
    config = transformers.CLIPTextConfig.from_pretrained(folder)
    config.projection_dim = config.hidden_size
    encoder = transformers.CLIPTextModelWithProjection.from_pretrained(
        folder, config=config, dtype=torch.float32
    )
    torch.nn.init.eye_(encoder.text_projection.weight.data)
    return encoder.eval().requires_grad_(False)


@torch.no_grad()
def start_as_identity(transformer: Any) -> None:
    """Every block begins as the identity, and the network with 0 (adaLN-Zero of DiT, arXiv 2212.09748)."""
    last = [transformer.norm_out.linear, transformer.proj_out]
    norms = [n for block in transformer.transformer_blocks for n in (block.norm1, block.norm1_context)]
    for layer in [*last, *(norm.linear for norm in norms)]:
        layer.weight.zero_()
        layer.bias.zero_()


@torch.no_grad()
def encoded(pipeline: Any, texts: list[str], empty_tokens: int) -> tuple[Tensor, Tensor]:
    """(T, L + empty_tokens, D) contexts and (T, P) pooled, as the pipeline encodes them."""
    contexts, _, pooled, _ = pipeline.encode_prompt(
        texts, None, None, do_classifier_free_guidance=False, max_sequence_length=empty_tokens
    )
    return contexts, pooled


@torch.no_grad()
def latents_of(vae: Any, data: Dataset) -> tuple[Tensor, Tensor]:
    """Mean and deviation of the latents of all images: (N, 4, H, W) each."""
    found = [vae.encode(images).latent_dist for images in batches(data)]
    return torch.cat([one.mean for one in found]), torch.cat([one.std for one in found])


def batches(data: Dataset, size: int = 50) -> Iterator[Tensor]:
    """All images, in order."""
    for start in range(0, len(data), size):
        yield data.batch(range(start, min(start + size, len(data))))[0]


@torch.no_grad()
def drawn_like_their_own(pipeline: Any, data: Dataset, texts: list[str]) -> int:
    """How many captions draw an image that is nearer to their own than to any other of the data, by the
    mean square of the pixels' differences; one seed each."""
    images, near = torch.cat(list(batches(data))).flatten(1), 0
    for start in tqdm(range(0, len(texts), 50), unit="batch"):
        part = texts[start : start + 50]
        seeds = [torch.Generator().manual_seed(start + i) for i in range(len(part))]
        drawn = pipeline(
            part, generator=seeds, num_inference_steps=STEPS, guidance_scale=GUIDANCE, output_type="pt",
            max_sequence_length=1,
        ).images  # fmt: skip
        distances = torch.cdist(2 * drawn.flatten(1) - 1, images)
        near += int((distances.argmin(1) == torch.arange(start, start + len(part))).sum())
    return near
