"""Llama 4: up to 3 x 3 tiles of 336, then an overview; experts."""

from __future__ import annotations

import re
from typing import Any

from torch import Tensor
from transformers import Llama4Config, Llama4ForConditionalGeneration

from .kit import Kit
from .sizes import FEED_FORWARD, HALF, WIDTH, text, tower
from .templates import turns


def llama4(kit: Kit) -> None:
    template = turns("<|header_start|>{role}<|header_end|>\n\n", "<|eot|>", "<|image|>",
                     "<|header_start|>assistant<|header_end|>\n\n", start="<|begin_of_text|>")  # fmt: skip
    special = ("<|header_start|>", "<|header_end|>", "<|image_start|>", "<|image_end|>", "<|image|>", "<|patch|>",
               "<|tile_x_separator|>", "<|tile_y_separator|>")  # fmt: skip
    vocabulary = kit.vocabulary("llama-bpe", special, template, bos="<|begin_of_text|>", eos="<|eot|>", pre="llama4")
    config = Llama4Config(
        text_config=text(
            vocabulary, num_hidden_layers=4, intermediate_size_mlp=FEED_FORWARD, num_local_experts=2,
            interleave_moe_layer_step=2, attention_chunk_size=8192,
        ),
        vision_config=tower(
            image_size=336, patch_size=14, pixel_shuffle_ratio=0.5, vision_output_dim=WIDTH,
            projector_input_dim=WIDTH, projector_output_dim=WIDTH, intermediate_size=4 * WIDTH,
        ),
        boi_token_index=vocabulary.id("<|image_start|>"), eoi_token_index=vocabulary.id("<|image_end|>"),
        image_token_index=vocabulary.id("<|patch|>"),
    )  # fmt: skip
    preprocessor = {"size": {"height": 336, "width": 336}, "max_patches": 16, **HALF}
    kit.write(kit.model(Llama4ForConditionalGeneration(config)), vocabulary, preprocessor, edit=_norms)


def _norms(config: dict[str, Any], tensors: dict[str, Tensor]) -> None:
    """Under the hub's name the converter takes the norm before the feed-forward part for Gemma 4's after attention."""
    for name in [name for name in tensors if name.startswith("vision_model.") and "post_attention_layernorm" in name]:
        layer, kind = re.search(r"layers\.(\d+)\.\w+\.(\w+)$", name).groups()
        tensors[f"vision_tower.vision_model.encoder.layers.{layer}.layer_norm2.{kind}"] = tensors.pop(name)
