"""Shape: sizes that the three models share."""

from __future__ import annotations

from typing import Any

from words import Words

SIDE = 96
"""Pixels of a vision tower's square."""
WIDTH, HEADS, HEADS_KV, HEAD, FEED_FORWARD = 96, 8, 4, 16, 256
TOWER_WIDTH, TOWER_LAYERS = 64, 3
IMAGE = -1
"""Stands for an image token in a prompt."""


def text(words: Words, layers: int, **more: Any) -> dict[str, Any]:
    """Of a language model."""
    vocabulary = words.vocabulary
    return {
        "vocab_size": vocabulary.size, "hidden_size": WIDTH, "intermediate_size": FEED_FORWARD,
        "num_hidden_layers": layers, "num_attention_heads": HEADS, "num_key_value_heads": HEADS_KV, "head_dim": HEAD,
        "max_position_embeddings": 2048, "initializer_range": 0.05, "bos_token_id": words.id(vocabulary.bos),
        "eos_token_id": words.id(vocabulary.eos), "pad_token_id": None, "tie_word_embeddings": True, **more,
    }  # fmt: skip


def tower(patch: int, **more: Any) -> dict[str, Any]:
    """Of a vision tower."""
    return {
        "image_size": SIDE, "patch_size": patch, "hidden_size": TOWER_WIDTH, "intermediate_size": 4 * TOWER_WIDTH,
        "num_hidden_layers": TOWER_LAYERS, "num_attention_heads": 4, **more,
    }  # fmt: skip
