"""Sizes of every tiny model, and pixel statistics that many families share."""

from __future__ import annotations

from typing import Any

from .vocabulary import Vocabulary

WIDTH, LAYERS, HEADS, HEADS_KV, HEAD, FEED_FORWARD = 64, 2, 4, 2, 16, 128
TOWER_LAYERS = 3
"""Of vision towers. The converter knows the matrices of a projector by numbers below that of the tower's layers."""

CLIP = {"image_mean": [0.48145466, 0.4578275, 0.40821073], "image_std": [0.26862954, 0.26130258, 0.27577711]}
HALF = {"image_mean": [0.5, 0.5, 0.5], "image_std": [0.5, 0.5, 0.5]}
IMAGENET = {"image_mean": [0.485, 0.456, 0.406], "image_std": [0.229, 0.224, 0.225]}


def text(vocabulary: Vocabulary, **more: Any) -> dict[str, Any]:
    """Of a language model, under the names that most configurations of transformers use."""
    return {
        "vocab_size": vocabulary.size,
        "hidden_size": WIDTH,
        "intermediate_size": FEED_FORWARD,
        "num_hidden_layers": LAYERS,
        "num_attention_heads": HEADS,
        "num_key_value_heads": HEADS_KV,
        "head_dim": HEAD,
        "max_position_embeddings": 8192,
        "bos_token_id": vocabulary.id(vocabulary.bos),
        "eos_token_id": vocabulary.id(vocabulary.eos),
        "pad_token_id": None,
        **more,
    }


def tower(**more: Any) -> dict[str, Any]:
    """Of a vision tower."""
    return {
        "hidden_size": WIDTH,
        "intermediate_size": FEED_FORWARD,
        "num_hidden_layers": TOWER_LAYERS,
        "num_attention_heads": HEADS,
        **more,
    }
