"""Pipelines of diffusers with random weights, small enough for tests: every part is there, and nothing is
downloaded. `write_pipeline(folder, name)` writes what save_pretrained does."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import torch

from text_tools import vocabulary

TOKENS, WIDTH, SIDE = 12, 16, 32
HEADS = {"num_attention_heads": 2, "attention_head_dim": 8}
PIPELINES: dict[str, Callable[[], Any]] = {}


def pipeline(build: Callable[[], Any]) -> Callable[[], Any]:
    PIPELINES[build.__name__] = build
    return build


def write_pipeline(folder: Path, name: str) -> Path:
    """With larger weights in the blocks than a network begins with, so that it matters which are zero."""
    import diffusers
    import transformers

    diffusers.utils.logging.set_verbosity_error()
    transformers.utils.logging.disable_progress_bar()
    torch.manual_seed(0)
    made = PIPELINES[name]()
    denoiser = made.components.get("transformer") or made.components["unet"]
    with torch.no_grad():
        for place, weight in denoiser.named_parameters():
            if weight.ndim > 1 and "block" in place and "norm" not in place:
                weight.mul_(2.5)
    made.save_pretrained(folder)
    return folder


def words() -> dict[str, int]:
    return {token: i for i, token in enumerate(["<pad>", "</s>", "<unk>", *vocabulary([])])}


def fast_tokenizer(**settings: Any) -> Any:
    """Of single bytes, as T5's and others' classes of it are used: padding and an end."""
    import tokenizers
    import transformers

    own = words()
    model = tokenizers.Tokenizer(tokenizers.models.BPE(vocab=own, merges=[], unk_token="<unk>"))
    model.pre_tokenizer = tokenizers.pre_tokenizers.ByteLevel(add_prefix_space=False)
    model.post_processor = tokenizers.processors.TemplateProcessing(
        single="$A </s>", special_tokens=[("</s>", own["</s>"])]
    )
    return transformers.PreTrainedTokenizerFast(
        tokenizer_object=model, pad_token="<pad>", eos_token="</s>", unk_token="<unk>",
        model_max_length=TOKENS, **settings,
    )  # fmt: skip


def clip(projection: bool) -> tuple[Any, Any]:
    """A text encoder and its tokenizer."""
    import transformers

    own = vocabulary([])
    start, end = len(own) - 2, len(own) - 1
    config = transformers.CLIPTextConfig(
        vocab_size=len(own), hidden_size=WIDTH, intermediate_size=WIDTH, num_hidden_layers=2,
        num_attention_heads=2, max_position_embeddings=TOKENS, projection_dim=WIDTH,
        bos_token_id=start, eos_token_id=end, pad_token_id=end,
    )  # fmt: skip
    kind = transformers.CLIPTextModelWithProjection if projection else transformers.CLIPTextModel
    tokenizer = transformers.CLIPTokenizer(vocab=own, merges=[], model_max_length=TOKENS)
    return kind(config).eval(), tokenizer


def t5(kind: str = "T5EncoderModel") -> tuple[Any, Any]:
    import transformers

    cls = getattr(transformers, kind)
    config = cls.config_class(
        vocab_size=len(words()), d_model=WIDTH, d_kv=8, d_ff=WIDTH, num_layers=1, num_heads=2
    )
    return cls(config).eval(), fast_tokenizer()


def vae(channels: int = 4, **changes: Any) -> Any:
    from diffusers import AutoencoderKL

    settings: dict[str, Any] = {
        "in_channels": 3, "out_channels": 3, "latent_channels": channels, "sample_size": SIDE,
        "block_out_channels": (4, 4), "norm_num_groups": 2,
        "down_block_types": ("DownEncoderBlock2D",) * 2, "up_block_types": ("UpDecoderBlock2D",) * 2,
    }  # fmt: skip
    return AutoencoderKL(**{**settings, **changes}).eval()


def flow() -> Any:
    from diffusers import FlowMatchEulerDiscreteScheduler

    return FlowMatchEulerDiscreteScheduler()


def ddim() -> Any:
    from diffusers import DDIMScheduler

    return DDIMScheduler(steps_offset=1, clip_sample=False)


def unet(width: int, **changes: Any) -> Any:
    from diffusers import UNet2DConditionModel

    settings: dict[str, Any] = {
        "sample_size": 16, "in_channels": 4, "out_channels": 4, "block_out_channels": (8, 16),
        "layers_per_block": 1, "norm_num_groups": 4, "attention_head_dim": 2, "cross_attention_dim": width,
        "down_block_types": ("DownBlock2D", "CrossAttnDownBlock2D"),
        "up_block_types": ("CrossAttnUpBlock2D", "UpBlock2D"),
    }  # fmt: skip
    return UNet2DConditionModel(**{**settings, **changes})


@pipeline
def StableDiffusionPipeline() -> Any:
    import diffusers

    encoder, tokenizer = clip(projection=False)
    return diffusers.StableDiffusionPipeline(
        vae(), encoder, tokenizer, unet(WIDTH), ddim(), None, None, requires_safety_checker=False
    )


@pipeline
def StableDiffusionXLPipeline() -> Any:
    import diffusers

    (first, tokenizer), (second, other) = clip(projection=False), clip(projection=True)
    network = unet(
        2 * WIDTH, addition_embed_type="text_time", addition_time_embed_dim=8,
        projection_class_embeddings_input_dim=6 * 8 + WIDTH,
    )  # fmt: skip
    return diffusers.StableDiffusionXLPipeline(vae(), first, second, tokenizer, other, network, ddim())


@pipeline
def StableDiffusion3Pipeline() -> Any:
    import diffusers

    (first, a), (second, b), (third, c) = clip(projection=True), clip(projection=True), t5()
    network = diffusers.SD3Transformer2DModel(
        sample_size=16, patch_size=2, in_channels=4, out_channels=4, num_layers=2, **HEADS,
        joint_attention_dim=2 * WIDTH, caption_projection_dim=16, pooled_projection_dim=2 * WIDTH,
        pos_embed_max_size=16,
    )  # fmt: skip
    third.config.d_model = 2 * WIDTH
    third = type(third)(third.config).eval()
    return diffusers.StableDiffusion3Pipeline(
        network, flow(), vae(shift_factor=0.0609), first, a, second, b, third, c
    )


@pipeline
def FluxPipeline() -> Any:
    import diffusers

    (first, a), (second, b) = clip(projection=False), t5()
    network = diffusers.FluxTransformer2DModel(
        patch_size=1, in_channels=16, num_layers=2, num_single_layers=2, **HEADS, joint_attention_dim=WIDTH,
        pooled_projection_dim=WIDTH, guidance_embeds=True, axes_dims_rope=(2, 2, 4),
    )  # fmt: skip
    return diffusers.FluxPipeline(flow(), vae(shift_factor=0.1), first, a, second, b, network)


@pipeline
def PixArtSigmaPipeline() -> Any:
    import diffusers

    encoder, tokenizer = t5()
    network = diffusers.PixArtTransformer2DModel(
        **HEADS, in_channels=4, out_channels=8, num_layers=2, sample_size=16, patch_size=2,
        cross_attention_dim=16, caption_channels=WIDTH, use_additional_conditions=False,
    )  # fmt: skip
    return diffusers.PixArtSigmaPipeline(tokenizer, encoder, vae(), network, ddim())


@pipeline
def SanaPipeline() -> Any:
    import diffusers
    import transformers

    config = transformers.Gemma2Config(
        vocab_size=len(words()), hidden_size=WIDTH, intermediate_size=WIDTH, num_hidden_layers=1,
        num_attention_heads=2, num_key_value_heads=2, head_dim=8, pad_token_id=0, eos_token_id=1,
        bos_token_id=1,
    )  # fmt: skip
    autoencoder = diffusers.AutoencoderDC(
        in_channels=3, latent_channels=4, attention_head_dim=2, encoder_block_types=("ResBlock",) * 2,
        decoder_block_types=("ResBlock",) * 2, encoder_block_out_channels=(8, 8),
        decoder_block_out_channels=(8, 8), encoder_layers_per_block=(1, 1), decoder_layers_per_block=(1, 1),
        encoder_qkv_multiscales=((), ()), decoder_qkv_multiscales=((), ()), scaling_factor=0.4,
        downsample_block_type="conv", upsample_block_type="interpolate",
        decoder_norm_types="rms_norm", decoder_act_fns="silu",
    )  # fmt: skip
    network = diffusers.SanaTransformer2DModel(
        patch_size=1, in_channels=4, out_channels=4, num_layers=2, **HEADS, num_cross_attention_heads=2,
        cross_attention_head_dim=8, cross_attention_dim=16, caption_channels=WIDTH, sample_size=16,
        mlp_ratio=2.0,
    )  # fmt: skip
    return diffusers.SanaPipeline(
        fast_tokenizer(), transformers.Gemma2Model(config).eval(), autoencoder.eval(), network, flow()
    )


@pipeline
def AuraFlowPipeline() -> Any:
    import diffusers

    encoder, tokenizer = t5("UMT5EncoderModel")
    network = diffusers.AuraFlowTransformer2DModel(
        sample_size=16, patch_size=2, in_channels=4, num_mmdit_layers=2, num_single_dit_layers=2, **HEADS,
        joint_attention_dim=WIDTH, caption_projection_dim=16, pos_embed_max_size=64,
    )  # fmt: skip
    return diffusers.AuraFlowPipeline(tokenizer, encoder, vae(), network, flow())


@pipeline
def HunyuanDiTPipeline() -> Any:
    import diffusers
    import transformers

    config = transformers.BertConfig(
        vocab_size=len(words()), hidden_size=WIDTH, num_hidden_layers=1, num_attention_heads=2,
        intermediate_size=WIDTH, max_position_embeddings=80,
    )  # fmt: skip
    second, other = t5("MT5EncoderModel")
    eighth = vae(  # as that of the positions, which the pipeline has fixed
        block_out_channels=(4,) * 4, down_block_types=("DownEncoderBlock2D",) * 4,
        up_block_types=("UpDecoderBlock2D",) * 4,
    )  # fmt: skip
    network = diffusers.HunyuanDiT2DModel(
        **HEADS, in_channels=4, patch_size=2, sample_size=16, hidden_size=16, num_layers=4, mlp_ratio=2.0,
        learn_sigma=True, cross_attention_dim=WIDTH, cross_attention_dim_t5=WIDTH, pooled_projection_dim=16,
        text_len=77, text_len_t5=256, norm_type="layer_norm", activation_fn="gelu-approximate",
    )  # fmt: skip
    return diffusers.HunyuanDiTPipeline(
        eighth, transformers.BertModel(config).eval(), fast_tokenizer(), network, ddim(), None, None,
        requires_safety_checker=False, text_encoder_2=second, tokenizer_2=other,
    )  # fmt: skip


@pipeline
def QwenImagePipeline() -> Any:
    import diffusers
    import transformers

    text = {
        "vocab_size": len(words()), "hidden_size": WIDTH, "intermediate_size": WIDTH, "num_hidden_layers": 1,
        "num_attention_heads": 2, "num_key_value_heads": 2, "max_position_embeddings": 512,
        "rope_scaling": {"type": "default", "rope_type": "default", "mrope_section": [1, 1, 2]},
    }  # fmt: skip
    vision = {
        "depth": 1,
        "hidden_size": 16,
        "intermediate_size": 16,
        "num_heads": 2,
        "out_hidden_size": WIDTH,
    }
    config = transformers.Qwen2_5_VLConfig(text_config=text, vision_config=vision)
    autoencoder = diffusers.AutoencoderKLQwenImage(
        base_dim=8, z_dim=4, dim_mult=[1, 1], num_res_blocks=1, temperal_downsample=[False],
        latents_mean=[0.0] * 4, latents_std=[1.0] * 4,
    )  # fmt: skip
    network = diffusers.QwenImageTransformer2DModel(
        patch_size=2, in_channels=16, out_channels=4, num_layers=2, **HEADS, joint_attention_dim=WIDTH,
        axes_dims_rope=(2, 2, 4),
    )  # fmt: skip
    return diffusers.QwenImagePipeline(
        flow(),
        autoencoder.eval(),
        transformers.Qwen2_5_VLForConditionalGeneration(config).eval(),
        fast_tokenizer(),
        network,
    )


@pipeline
def ZImagePipeline() -> Any:
    """Its transformer takes and gives lists of images, whose calls can't be joined."""
    import diffusers
    import transformers

    config = transformers.Qwen3Config(
        vocab_size=len(words()), hidden_size=WIDTH, intermediate_size=WIDTH, num_hidden_layers=2,
        num_attention_heads=2, num_key_value_heads=2, head_dim=8,
    )  # fmt: skip
    tokenizer = fast_tokenizer()
    tokenizer.chat_template = "{{ messages[0]['content'] }}"
    network = diffusers.ZImageTransformer2DModel(
        all_patch_size=(2,), all_f_patch_size=(1,), in_channels=4, dim=16, n_layers=2, n_refiner_layers=2,
        n_heads=2, n_kv_heads=2, cap_feat_dim=WIDTH, axes_dims=[2, 2, 4], axes_lens=[64, 32, 32],
    )  # fmt: skip
    return diffusers.ZImagePipeline(
        flow(), vae(shift_factor=0.1), transformers.Qwen3Model(config).eval(), tokenizer, network
    )


@pipeline
def WanPipeline() -> Any:
    """Of videos, of which one frame is drawn."""
    import diffusers

    encoder, tokenizer = t5("UMT5EncoderModel")
    autoencoder = diffusers.AutoencoderKLWan(
        base_dim=8, z_dim=4, dim_mult=[1, 1], num_res_blocks=1, temperal_downsample=[False],
        latents_mean=[0.0] * 4, latents_std=[1.0] * 4, scale_factor_temporal=1, scale_factor_spatial=2,
    )  # fmt: skip
    network = diffusers.WanTransformer3DModel(
        **HEADS, in_channels=4, out_channels=4, text_dim=WIDTH, freq_dim=16, ffn_dim=32, num_layers=2,
        rope_max_seq_len=64,
    )  # fmt: skip
    return diffusers.WanPipeline(tokenizer, encoder, autoencoder.eval(), flow(), network)
