"""Gemma 3 (a square of 896) and Gemma 4 (any size): tokens that see one another in both directions, sliding windows."""

from __future__ import annotations

from typing import Any

from torch import Tensor
from transformers import Gemma3Config, Gemma3ForConditionalGeneration, Gemma4Config, Gemma4ForConditionalGeneration

from .kit import Kit, siglip_as_on_the_hub
from .sizes import HALF, HEAD, HEADS_KV, text, tower
from .templates import turns
from .weights import MIXING

GEMMA_3_LAYERS = 6  # the last one of six sees all, the others a window


def gemma3(kit: Kit) -> None:
    template = turns("<start_of_turn>{role}\n", "<end_of_turn>\n", "<start_of_image>", "<start_of_turn>model\n",
                     roles="'model' if message.role == 'assistant' else 'user'", start="<bos>")  # fmt: skip
    special = ("<start_of_turn>", "<start_of_image>", "<end_of_image>", "<image_soft_token>")
    vocabulary = kit.vocabulary("llama-spm", special, template, bos="<bos>", eos="<end_of_turn>", add_bos=True)
    model = Gemma3ForConditionalGeneration(
        Gemma3Config(
            text_config=text(
                vocabulary, num_hidden_layers=GEMMA_3_LAYERS, query_pre_attn_scalar=16, sliding_window=1024
            ),
            vision_config={"model_type": "siglip_vision_model", **tower(image_size=896, patch_size=14)},
            mm_tokens_per_image=256,
            boi_token_index=vocabulary.id("<start_of_image>"),
            eoi_token_index=vocabulary.id("<end_of_image>"),
            image_token_index=vocabulary.id("<image_soft_token>"),
        )
    )
    preprocessor = {"image_seq_length": 256, "size": {"height": 896, "width": 896}, **HALF}
    kit.write(kit.model(model), vocabulary, preprocessor, edit=as_on_the_hub)


def as_on_the_hub(config: dict[str, Any], tensors: dict[str, Tensor]) -> None:
    siglip_as_on_the_hub(tensors)


def gemma4(kit: Kit) -> None:
    special = ("<|turn>", "<|image>", "<image|>", "<|image|>", "<|video|>", "<|audio>", "<audio|>", "<|audio|>",
               "<|channel>", "<channel|>", "<|think|>")  # fmt: skip
    template = "google-gemma-4-31B-it.jinja"
    vocabulary = kit.vocabulary("gemma-4", special, template, bos="<bos>", eos="<turn|>", add_bos=True)
    config = Gemma4Config(
        text_config=text(
            vocabulary, num_hidden_layers=4, sliding_window=1024,
            layer_types=["sliding_attention", "full_attention"] * 2,
            global_head_dim=2 * HEAD, num_global_key_value_heads=HEADS_KV, hidden_size_per_layer_input=0,
            use_bidirectional_attention="vision", tie_word_embeddings=True,
            vocab_size_per_layer_input=vocabulary.size,
        ),
        vision_config=tower(patch_size=16, head_dim=HEAD, num_key_value_heads=4, pooling_kernel_size=3,
                            position_embedding_size=1024),
        audio_config=None, boi_token_id=vocabulary.id("<|image>"), eoi_token_id=vocabulary.id("<image|>"),
        image_token_id=vocabulary.id("<|image|>"), video_token_id=vocabulary.id("<|video|>"),
        boa_token_id=vocabulary.id("<|audio>"), eoa_token_index=vocabulary.id("<audio|>"),
        audio_token_id=vocabulary.id("<|audio|>"),
    )  # fmt: skip
    preprocessor = {"patch_size": 16, "pooling_kernel_size": 3, "max_soft_tokens": 280, "image_mean": [0.0] * 3,
                    "image_std": [1.0] * 3}  # fmt: skip
    kit.write(kit.model(Gemma4ForConditionalGeneration(config)), vocabulary, preprocessor, edit=_hardly_mixed)


def _hardly_mixed(config: dict[str, Any], tensors: dict[str, Tensor]) -> None:
    """What attention adds has one size here, that of the norm after it."""
    for name, values in tensors.items():
        if "vision_tower" in name and "post_attention_layernorm" in name:
            values.mul_(MIXING)
