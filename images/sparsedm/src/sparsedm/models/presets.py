"""Named architectures, and the names of their classes where a preset is tied to one data set."""

from __future__ import annotations

from sparsedm.diffusion.process import DiscreteBetas
from sparsedm.models.uvit import UViTConfig

STABLE_DIFFUSION = DiscreteBetas("scaled-linear", 0.00085, 0.012, 1000)
"""Betas of Stable Diffusion on n = 1..1000: train_ldm_discrete.py and train_t2i_discrete.py of U-ViT."""

PRESETS: dict[str, UViTConfig] = {
    "fashion-mnist-uvit-tiny": UViTConfig(
        image_size=32, patch_size=4, channels=1, width=128, depth=5, heads=4, num_classes=10,
        final_conv=False, prediction="v",
    ),
    "emoji-uvit-small": UViTConfig(
        image_size=32, patch_size=4, channels=3, width=192, depth=7, heads=6, num_classes=24,
        final_conv=False, prediction="v",
    ),
    "cifar10-uvit-small": UViTConfig(image_size=32, patch_size=2, channels=3, width=512, depth=13, heads=8),
    "celeba64-uvit-small": UViTConfig(image_size=64, patch_size=4, channels=3, width=512, depth=13, heads=8),
    "imagenet64-uvit-mid": UViTConfig(
        image_size=64, patch_size=4, channels=3, width=768, depth=17, heads=12, num_classes=1000,
        null_class=False, label_dropout=0.0,
    ),
    "imagenet64-uvit-large": UViTConfig(
        image_size=64, patch_size=4, channels=3, width=1024, depth=21, heads=16, num_classes=1000,
        null_class=False, label_dropout=0.0,
    ),
    # Those below work on latents: 32x32x4 of 256x256 images, 64x64x4 of 512x512 images.
    "imagenet256-uvit-large": UViTConfig(
        image_size=32, patch_size=2, channels=4, width=1024, depth=21, heads=16, num_classes=1000,
        label_dropout=0.15,
    ),
    "imagenet256-uvit-huge": UViTConfig(
        image_size=32, patch_size=2, channels=4, width=1152, depth=29, heads=16, num_classes=1000,
        final_conv=False, process=STABLE_DIFFUSION,
    ),
    "imagenet512-uvit-large": UViTConfig(
        image_size=64, patch_size=4, channels=4, width=1024, depth=21, heads=16, num_classes=1000,
        label_dropout=0.15,
    ),
    "imagenet512-uvit-huge": UViTConfig(
        image_size=64, patch_size=4, channels=4, width=1152, depth=29, heads=16, num_classes=1000,
        final_conv=False, process=STABLE_DIFFUSION,
    ),
    "mscoco256-uvit-small": UViTConfig(
        image_size=32, patch_size=2, channels=4, width=512, depth=13, heads=8,
        context_tokens=77, context_width=768, process=STABLE_DIFFUSION,
    ),
    "mscoco256-uvit-small-deep": UViTConfig(
        image_size=32, patch_size=2, channels=4, width=512, depth=17, heads=8,
        context_tokens=77, context_width=768, process=STABLE_DIFFUSION,
    ),
    # 8x8x4 of 32x32 images.
    "emoji-uvit-text": UViTConfig(
        image_size=8, patch_size=2, channels=4, width=128, depth=5, heads=4,
        context_tokens=16, context_width=64, final_conv=False, prediction="v",
    ),
}  # fmt: skip

CLASSES: dict[str, list[str]] = {
    "fashion-mnist-uvit-tiny": [
        "t-shirt", "trouser", "pullover", "dress", "coat", "sandal", "shirt", "sneaker", "bag", "ankle boot",
    ],
    "emoji-uvit-small": [
        f"{style} {category}"
        for style in ("fluent", "noto", "twemoji")
        for category in (
            "activities", "animals", "food", "objects", "people", "smileys", "symbols", "travel",
        )
    ],
    "cifar10-uvit-small": [],
    "celeba64-uvit-small": [],
}  # fmt: skip
"""Class names by label index; an empty list means that the model has no classes."""
