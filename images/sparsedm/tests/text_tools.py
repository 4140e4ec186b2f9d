"""A small CLIP text encoder with its tokenizer, and a small autoencoder, in the files of their libraries."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import torch
from safetensors.torch import save_file

START, END = "<|startoftext|>", "<|endoftext|>"


def vocabulary(merges: list[tuple[str, str]]) -> dict[str, int]:
    """Every byte, alone and at the end of a word, then what the merges make."""
    printable = [*range(33, 127), *range(161, 173), *range(174, 256)]
    others = [byte for byte in range(256) if byte not in printable]
    letters = [chr(byte) for byte in printable] + [chr(256 + i) for i in range(len(others))]
    tokens = [*letters, *(f"{letter}</w>" for letter in letters), *("".join(pair) for pair in merges)]
    return {token: number for number, token in enumerate([*tokens, START, END])}


def write_text_encoder(directory: Path, tokens: int = 77, width: int = 768, **changes: Any) -> Path:
    """As a pipeline of diffusers has them: text_encoder and tokenizer."""
    import transformers

    merges = [("r", "e"), ("re", "d</w>")]
    words = vocabulary(merges)
    (directory / "tokenizer").mkdir(parents=True)
    (directory / "tokenizer/vocab.json").write_text(json.dumps(words))
    lines = ["#version: 0.2", *(" ".join(pair) for pair in merges)]
    (directory / "tokenizer/merges.txt").write_text("\n".join(lines) + "\n")
    settings = {"tokenizer_class": "CLIPTokenizer", "bos_token": START, "eos_token": END, "pad_token": END,
                "unk_token": END, "model_max_length": tokens}  # fmt: skip
    (directory / "tokenizer/tokenizer_config.json").write_text(json.dumps(settings))
    torch.manual_seed(3)
    config = transformers.CLIPTextConfig(
        vocab_size=len(words), hidden_size=width, intermediate_size=32, num_hidden_layers=2,
        num_attention_heads=2, max_position_embeddings=tokens, bos_token_id=words[START],
        eos_token_id=words[END], pad_token_id=words[END], **changes,
    )  # fmt: skip
    transformers.CLIPTextModel(config).save_pretrained(directory / "text_encoder")
    return directory


def write_clip(directory: Path) -> Path:
    """A whole CLIP model with its processor and its tokenizer, of images of 16x16."""
    import transformers

    words = vocabulary([])
    torch.manual_seed(5)
    config = transformers.CLIPConfig(
        text_config={
            "vocab_size": len(words), "hidden_size": 16, "intermediate_size": 16, "num_hidden_layers": 1,
            "num_attention_heads": 2, "max_position_embeddings": 12, "bos_token_id": words[START],
            "eos_token_id": words[END], "pad_token_id": words[END],
        },
        vision_config={
            "hidden_size": 16, "intermediate_size": 16, "num_hidden_layers": 1, "num_attention_heads": 2,
            "image_size": 16, "patch_size": 8,
        },
        projection_dim=3,
    )  # fmt: skip
    transformers.CLIPModel(config).save_pretrained(directory)
    transformers.CLIPTokenizer(vocab=words, merges=[], model_max_length=12).save_pretrained(directory)
    side = {"height": 16, "width": 16}
    processor = transformers.CLIPImageProcessor(size={"shortest_edge": 16}, crop_size=side)
    processor.save_pretrained(directory)
    return directory


def write_autoencoder(directory: Path) -> Path:
    """An AutoencoderKL as diffusers writes it, which doubles height and width."""
    from sparsedm.models.denoisers import CONFIG_FILE, WEIGHTS_FILE, library

    settings = {
        "_class_name": "AutoencoderKL", "in_channels": 3, "out_channels": 3, "latent_channels": 4,
        "block_out_channels": [4, 4], "norm_num_groups": 2, "sample_size": 64,
        "down_block_types": ["DownEncoderBlock2D"] * 2, "up_block_types": ["UpDecoderBlock2D"] * 2,
    }  # fmt: skip
    torch.manual_seed(2)
    network = library().AutoencoderKL.from_config(settings)
    directory.mkdir(parents=True)
    save_file(network.state_dict(), directory / WEIGHTS_FILE)
    (directory / CONFIG_FILE).write_text(json.dumps(settings))
    return directory
