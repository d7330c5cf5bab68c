"""Qwen2-VL to Qwen3.5: any size, M-RoPE, four patches become a token."""

from __future__ import annotations

from typing import Any

from torch import nn
from transformers import (
    Qwen2_5_VLConfig,
    Qwen2_5_VLForConditionalGeneration,
    Qwen2VLConfig,
    Qwen2VLForConditionalGeneration,
    Qwen3_5Config,
    Qwen3_5ForConditionalGeneration,
    Qwen3VLConfig,
    Qwen3VLForConditionalGeneration,
)

from .kit import Kit, Tensors
from .sizes import CLIP, FEED_FORWARD, HALF, HEADS, TOWER_LAYERS, WIDTH, text
from .templates import chatml
from .vocabulary import Vocabulary

IMAGE = "<|vision_start|><|image_pad|><|vision_end|>"
SPECIAL = ("<|im_start|>", "<|endoftext|>", "<|vision_start|>", "<|vision_end|>", "<|image_pad|>", "<|video_pad|>")
SECTIONS = [2, 3, 3]
NO_DRAFT = ("--no-mtp",)
"""The layers that guess several tokens at once are not in transformers' model."""
TOWER = {"depth": TOWER_LAYERS, "num_heads": HEADS, "spatial_merge_size": 2, "temporal_patch_size": 2}
PIXELS = {"patch_size": 14, "merge_size": 2, "temporal_patch_size": 2, "min_pixels": 3136, "max_pixels": 12845056}


def qwen2_vl(kit: Kit) -> None:
    vocabulary = _qwen2(kit)
    tower = {"embed_dim": WIDTH, "hidden_size": WIDTH, "mlp_ratio": FEED_FORWARD // WIDTH, "patch_size": 14, **TOWER}
    config = Qwen2VLConfig(text_config=_text(vocabulary), vision_config=tower, **_ids(vocabulary))
    kit.write(kit.model(Qwen2VLForConditionalGeneration(config)), vocabulary, {**PIXELS, **CLIP})


def qwen2_5_vl(kit: Kit) -> None:
    vocabulary = _qwen2(kit)
    kit.write(_qwen2_5(kit, vocabulary), vocabulary, {**PIXELS, **CLIP})


def _qwen2_5(kit: Kit, vocabulary: Vocabulary) -> nn.Module:
    tower = {"hidden_size": WIDTH, "intermediate_size": FEED_FORWARD, "out_hidden_size": WIDTH, "patch_size": 14,
             "window_size": 112, "fullatt_block_indexes": [1], **TOWER}  # fmt: skip
    config = Qwen2_5_VLConfig(text_config=_text(vocabulary), vision_config=tower, **_ids(vocabulary))
    return kit.model(Qwen2_5_VLForConditionalGeneration(config))


def qwen2_5_omni(kit: Kit) -> None:
    """What sees of Qwen2.5-Omni, which is Qwen2.5-VL's under another name; what hears is left out."""
    vocabulary = kit.vocabulary(
        "qwen2", (*SPECIAL, "<|vision_bos|>", "<|vision_eos|>", "<|IMAGE|>"),
        chatml("<|vision_bos|><|IMAGE|><|vision_eos|>"), bos="<|endoftext|>", eos="<|im_end|>",
    )  # fmt: skip
    kit.write(_qwen2_5(kit, vocabulary), vocabulary, {**PIXELS, **CLIP}, edit=_as_omni)


def _as_omni(config: dict[str, Any], tensors: Tensors) -> None:
    config["model_type"] = "qwen2_5_omni"
    config["thinker_config"] = {name: config[name] for name in ("text_config", "vision_config")}


def qwen3_vl(kit: Kit) -> None:
    vocabulary = _qwen2(kit)
    config = Qwen3VLConfig(
        text_config=_text(vocabulary, {"mrope_interleaved": True}),
        vision_config={**_tower3(), "deepstack_visual_indexes": [0]},
        **_ids(vocabulary),
    )
    kit.write(kit.model(Qwen3VLForConditionalGeneration(config)), vocabulary, {**PIXELS, "patch_size": 16, **HALF})


def qwen3_5(kit: Kit) -> None:
    """A hybrid: layers without heads keep a recurrent state."""
    vocabulary = vocabulary35(kit)
    config = Qwen3_5Config(text_config=language35(vocabulary), vision_config=_tower3(), **_ids(vocabulary))
    preprocessor = {**PIXELS, "patch_size": 16, **HALF}
    kit.write(kit.model(Qwen3_5ForConditionalGeneration(config)), vocabulary, preprocessor, options=NO_DRAFT)


def vocabulary35(kit: Kit, more: tuple[str, ...] = ()) -> Vocabulary:
    """Qwen3.5's, with its template."""
    special = (*SPECIAL, *more)
    return kit.vocabulary("qwen35", special, "Qwen3.5-4B.jinja", bos="<|endoftext|>", eos="<|im_end|>")


def language35(vocabulary: Vocabulary) -> dict[str, Any]:
    """A language model of four layers, two of which have heads."""
    layers = ["linear_attention", "full_attention"] * 2
    linear = {"key_head_dim": 16, "value_head_dim": 16, "num_key_heads": 2, "num_value_heads": 4, "conv_kernel_dim": 4}
    return _text(
        vocabulary, {"mrope_interleaved": True, "partial_rotary_factor": 0.5}, num_hidden_layers=len(layers),
        layer_types=layers, full_attention_interval=2, head_dim=32,
        **{f"linear_{name}": size for name, size in linear.items()},
    )  # fmt: skip


def _qwen2(kit: Kit) -> Vocabulary:
    return kit.vocabulary("qwen2", SPECIAL, chatml(IMAGE), bos="<|endoftext|>", eos="<|im_end|>")


def _text(vocabulary: Vocabulary, rope: dict[str, Any] | None = None, **more: Any) -> dict[str, Any]:
    parameters = {"rope_type": "default", "rope_theta": 1e6, "mrope_section": SECTIONS, **(rope or {})}
    return text(vocabulary, rope_parameters=parameters, tie_word_embeddings=True, **more)


def _tower3() -> dict[str, Any]:
    return {"hidden_size": WIDTH, "intermediate_size": FEED_FORWARD, "out_hidden_size": WIDTH, "patch_size": 16,
            "num_position_embeddings": 2304, **TOWER}  # fmt: skip


def _ids(vocabulary: Vocabulary) -> dict[str, Any]:
    return {
        "image_token_id": vocabulary.id("<|image_pad|>"), "video_token_id": vocabulary.id("<|video_pad|>"),
        "vision_start_token_id": vocabulary.id("<|vision_start|>"),
        "vision_end_token_id": vocabulary.id("<|vision_end|>"), "tie_word_embeddings": True,
    }  # fmt: skip
