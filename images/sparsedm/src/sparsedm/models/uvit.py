"""U-ViT: a vision transformer with long skip connections as the network of a diffusion model.

Source: Bao et al., "All are Worth Words: A ViT Backbone for Diffusion Models" (arXiv 2209.12152), section 3.
The names of the parameters are those of the published checkpoints, so that these load with strict=True.
"""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import asdict, dataclass
from typing import Any

import torch
from torch import Tensor, nn
from torch.nn import functional as F

from sparsedm.diffusion.process import VP_LINEAR, NoiseProcess, Prediction, process_from


@dataclass(frozen=True)
class UViTConfig:
    """Architecture of a U-ViT. `depth` counts all blocks and is odd: (depth-1)/2 in, 1 middle, (depth-1)/2
    out.

    `num_classes` is 0 for a model without classes. Otherwise, with `null_class`, the label table has one more
    row, whose index `num_classes` stands for "no label" and is what classifier-free guidance samples with.
    `label_dropout` is the share of labels or texts that training replaces by "none"; 0 without a "none".
    `process` is the noise process that the network was trained under.
    `context_tokens` is 0 for a model without text; otherwise an image is drawn after that many vectors of
    `context_width` values, the last hidden states of a text encoder (CLIP: 77 of 768).
    `head_width` and `mlp_width` are 0 for the published shapes, width / heads and mlp_ratio * width; a
    network that lost whole heads or hidden channels (diff_prune.py) names its own.
    """

    image_size: int
    patch_size: int
    channels: int
    width: int
    depth: int
    heads: int
    num_classes: int = 0
    final_conv: bool = True
    prediction: Prediction = "noise"
    mlp_ratio: int = 4
    context_tokens: int = 0
    context_width: int = 0
    head_width: int = 0
    mlp_width: int = 0
    null_class: bool = True
    label_dropout: float = 0.1
    process: NoiseProcess = VP_LINEAR

    def __post_init__(self) -> None:
        if isinstance(self.process, Mapping):
            object.__setattr__(self, "process", process_from(self.process))
        for name in ("image_size", "patch_size", "channels", "width", "depth", "heads", "mlp_ratio"):
            if getattr(self, name) < 1:
                raise ValueError(f"{name} must be at least 1, and is {getattr(self, name)}.")
        if self.num_classes < 0:
            raise ValueError(f"num_classes must be at least 0, and is {self.num_classes}.")
        if self.image_size % self.patch_size:
            raise ValueError(
                f"image_size {self.image_size} is not a multiple of patch_size {self.patch_size}."
            )
        if self.head_width < 0 or self.mlp_width < 0:
            raise ValueError("head_width and mlp_width must be at least 0.")
        if self.width % self.heads and not self.head_width:
            raise ValueError(f"width {self.width} is not a multiple of heads {self.heads}.")
        if self.width % 2:
            raise ValueError(f"width {self.width} is odd: the time embedding needs pairs of cosine and sine.")
        if self.depth % 2 == 0:
            raise ValueError(f"depth {self.depth} is even: blocks come in pairs around one in the middle.")
        self._check_training()
        self._check_context()

    def _check_training(self) -> None:
        if self.prediction not in self.process.predictions:
            wanted, found = " or ".join(self.process.predictions), self.prediction
            raise ValueError(f"prediction must be {wanted} with {self.process.kind}, and is {found}.")
        if not 0 <= self.label_dropout < 1:
            raise ValueError(f"label_dropout must be at least 0 and below 1, and is {self.label_dropout}.")

    def _check_context(self) -> None:
        if (self.context_tokens > 0) != (self.context_width > 0) or self.context_tokens < 0:
            raise ValueError("context_tokens and context_width are both 0, or both at least 1.")
        if self.context_tokens and self.num_classes:
            raise ValueError(
                "A model takes classes or text, not both: set num_classes or context_tokens to 0."
            )

    @property
    def architecture(self) -> str:
        return "uvit"

    @property
    def attention_width(self) -> int:
        """Values of a query, over all heads. Published models: the width."""
        return self.heads * (self.head_width or self.width // self.heads)

    @property
    def hidden_width(self) -> int:
        """Channels between the two layers of an MLP."""
        return self.mlp_width or self.mlp_ratio * self.width

    @property
    def patches(self) -> int:
        """Number of image tokens."""
        return (self.image_size // self.patch_size) ** 2

    @property
    def extra_tokens(self) -> int:
        """Tokens before those of the image: time, and label or text where there is one."""
        return 1 + (1 if self.num_classes else self.context_tokens)

    @property
    def tokens(self) -> int:
        """Length of the sequence in every block. Worked example: CIFAR-10 S/2 has 16² + 1 = 257."""
        return self.patches + self.extra_tokens

    @property
    def null_label(self) -> int | None:
        """Index of the label that means "none"; None where there is none."""
        return self.num_classes if self.num_classes and self.null_class else None

    @property
    def context(self) -> tuple[int, int] | None:
        """Shape of the text that an image is drawn after: tokens and their width."""
        return (self.context_tokens, self.context_width) if self.context_tokens else None

    @property
    def guidable(self) -> bool:
        """Whether a condition can be "none", as classifier-free guidance needs."""
        return self.null_label is not None or self.context is not None

    @property
    def out_channels(self) -> int:
        return self.channels

    @property
    def guided_channels(self) -> int:
        """Channels of the output that classifier-free guidance changes: all of them."""
        return self.channels

    @property
    def label_rows(self) -> int:
        """Rows of the label table."""
        return self.num_classes + (1 if self.null_label is not None else 0)

    def to_dict(self) -> dict[str, Any]:
        """The fields by their own names (snake_case), as written to manifests."""
        return {**asdict(self), "process": self.process.to_dict()}


def timestep_embedding(t: Tensor, width: int) -> Tensor:
    """Sinusoidal embedding of `t` (B,) into (B, width): cosines, then sines, of frequencies 10000^(-i/half).

    Source: Vaswani et al. (arXiv 1706.03762), in the order that the published U-ViT weights expect.
    """
    half = width // 2
    frequencies = torch.exp(
        -math.log(10_000.0) / half * torch.arange(half, device=t.device, dtype=torch.float32)
    )
    angles = t.float()[:, None] * frequencies[None, :]
    return torch.cat([angles.cos(), angles.sin()], dim=1)


class PatchEmbed(nn.Module):
    """(B, C, H, W) -> (B, patches, width), row by row."""

    def __init__(self, config: UViTConfig) -> None:
        super().__init__()
        self.proj = nn.Conv2d(config.channels, config.width, config.patch_size, stride=config.patch_size)

    def forward(self, x: Tensor) -> Tensor:
        return self.proj(x).flatten(2).transpose(1, 2)


class Attention(nn.Module):
    """Multi-head self-attention, (B, L, D) -> (B, L, D); rows of `qkv` are ordered (q|k|v, head, channel).

    Tokens beyond the model's own (UViT.row_multiple) attend to those, and nothing attends to them.
    """

    def __init__(self, config: UViTConfig) -> None:
        super().__init__()
        self.heads = config.heads
        self.tokens = config.tokens
        self.qkv = nn.Linear(config.width, 3 * config.attention_width, bias=False)
        self.proj = nn.Linear(config.attention_width, config.width)

    def forward(self, x: Tensor) -> Tensor:
        batch, length, _ = x.shape
        qkv = self.qkv(x).reshape(batch, length, 3, self.heads, -1).permute(2, 0, 3, 1, 4)
        if x.device.type == "cpu":
            # torch's bf16 attention on CPUs is slower than fp32 (its backward four times), so only the
            # linear layers gain from bf16 there.
            with torch.autocast("cpu", enabled=False):
                q, k, v = qkv.float()
                mixed = self._mix(q, k, v).to(qkv.dtype)
        else:
            mixed = self._mix(qkv[0], qkv[1], qkv[2])
        return self.proj(mixed.transpose(1, 2).reshape(batch, length, -1))

    def _mix(self, q: Tensor, k: Tensor, v: Tensor) -> Tensor:
        if k.shape[2] > self.tokens:
            k, v = k[:, :, : self.tokens], v[:, :, : self.tokens]
        return F.scaled_dot_product_attention(q, k, v)


class Mlp(nn.Module):
    """(B, L, D) -> (B, L, D) through the hidden channels and the exact (erf) GELU."""

    def __init__(self, config: UViTConfig) -> None:
        super().__init__()
        self.fc1 = nn.Linear(config.width, config.hidden_width)
        self.fc2 = nn.Linear(config.hidden_width, config.width)

    def forward(self, x: Tensor) -> Tensor:
        return self.fc2(F.gelu(self.fc1(x)))


class Block(nn.Module):
    """Pre-norm transformer block; with `skip`, first a linear merge of its input and the long skip."""

    def __init__(self, config: UViTConfig, skip: bool = False) -> None:
        super().__init__()
        self.norm1 = nn.LayerNorm(config.width)
        self.attn = Attention(config)
        self.norm2 = nn.LayerNorm(config.width)
        self.mlp = Mlp(config)
        self.skip_linear = nn.Linear(2 * config.width, config.width) if skip else None

    def forward(self, x: Tensor, skip: Tensor | None = None) -> Tensor:
        if self.skip_linear is not None:
            x = self.skip_linear(torch.cat([x, skip], dim=-1))
        x = x + self.attn(self.norm1(x))
        return x + self.mlp(self.norm2(x))


class UViT(nn.Module):
    """Predicts noise, v or velocity (see `config.prediction`) of a noisy image.

    Token order is [label, time, patches] with classes, [time, text, patches] with text, else [time,
    patches]; a patch's values are ordered (row, column, channel).
    """

    row_multiple = 1
    """Of which the tokens of a batch, all its images together, are made a multiple: zeros behind each image's
    own, which change nothing in these. For products that take only such numbers of rows."""

    def __init__(self, config: UViTConfig) -> None:
        super().__init__()
        self.config = config
        self.pos_embed = nn.Parameter(torch.zeros(1, config.tokens, config.width))
        self.patch_embed = PatchEmbed(config)
        self.label_emb = nn.Embedding(config.label_rows, config.width) if config.num_classes else None
        self.context_embed = nn.Linear(config.context_width, config.width) if config.context_tokens else None
        half = config.depth // 2
        self.in_blocks = nn.ModuleList(Block(config) for _ in range(half))
        self.mid_block = Block(config)
        self.out_blocks = nn.ModuleList(Block(config, skip=True) for _ in range(half))
        self.norm = nn.LayerNorm(config.width)
        self.decoder_pred = nn.Linear(config.width, config.patch_size**2 * config.channels)
        self.final_layer = (
            nn.Conv2d(config.channels, config.channels, 3, padding=1) if config.final_conv else None
        )
        self._initialise()

    def _initialise(self) -> None:
        """Truncated normal of deviation 0.02 for linear weights and positions, zero biases."""
        if self.pos_embed.is_meta:
            return  # a model of shapes only; random functions on it would import half of torch's compiler
        nn.init.trunc_normal_(self.pos_embed, std=0.02)
        for module in self.modules():
            if isinstance(module, nn.Linear):
                nn.init.trunc_normal_(module.weight, std=0.02)
                if module.bias is not None:
                    nn.init.zeros_(module.bias)

    def forward(self, x: Tensor, t: Tensor, y: Tensor | None = None) -> Tensor:
        """x: (B, C, H, W) noisy images; t: (B,) float in [0, 1]; y: (B,) int64 labels, required with
        classes, or (B, context_tokens, context_width) text, required with text.

        Returns (B, C, H, W): the prediction.
        """
        tokens = self._filled_up(self._tokens(x, t, y))
        skips: list[Tensor] = []
        for block in self.in_blocks:
            tokens = block(tokens)
            skips.append(tokens)
        tokens = self.mid_block(tokens)
        for block in self.out_blocks:
            tokens = block(tokens, skips.pop())
        values = self.decoder_pred(self.norm(tokens))[:, self.config.extra_tokens : self.config.tokens]
        image = self._unpatchify(values)
        return image if self.final_layer is None else self.final_layer(image)

    def _tokens(self, x: Tensor, t: Tensor, y: Tensor | None) -> Tensor:
        patches = self.patch_embed(x)
        time = timestep_embedding(self.config.process.network_time(t), self.config.width).to(patches.dtype)
        parts = [time[:, None], patches]
        if self.label_emb is not None:
            if y is None:
                raise ValueError("This model is class-conditional: pass labels y, or null_label for none.")
            parts.insert(0, self.label_emb(y)[:, None].to(patches.dtype))
        if self.context_embed is not None:
            if y is None:
                raise ValueError("This model is text-conditional: pass text y, or the empty text's for none.")
            parts.insert(1, self.context_embed(y.to(self.context_embed.weight.dtype)).to(patches.dtype))
        return torch.cat(parts, dim=1) + self.pos_embed

    def _filled_up(self, tokens: Tensor) -> Tensor:
        """To `row_multiple`. Worked example: 2 images of 257 tokens get 3 more each for 520, 65 times 8."""
        batch, length, _ = tokens.shape
        missing = -length % (self.row_multiple // math.gcd(self.row_multiple, batch))
        return F.pad(tokens, (0, 0, 0, missing)) if missing else tokens

    def _unpatchify(self, values: Tensor) -> Tensor:
        """(B, patches, p·p·C) -> (B, C, H, W)."""
        config = self.config
        p, side = config.patch_size, config.image_size // config.patch_size
        grid = values.reshape(values.shape[0], side, side, p, p, config.channels)
        return grid.permute(0, 5, 1, 3, 2, 4).reshape(-1, config.channels, side * p, side * p)
