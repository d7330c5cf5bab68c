"""CogVLM: a square of fixed size, a begin and an end within; images have experts of their own in every layer."""

from __future__ import annotations

import torch

from .kit import Kit, Tensors
from .sizes import CLIP, FEED_FORWARD, HEADS, TOWER_LAYERS, WIDTH, text, tower
from .templates import turns
from .weights import MIXING, PLACES

SIDE, PATCH = 490, 14


def cogvlm(kit: Kit) -> None:
    template = turns("{role}: ", "\n", "", "Answer:", roles="'Question' if message.role == 'user' else 'Answer'")
    vocabulary = kit.vocabulary("llama-spm", (), template, bos="<s>", eos="</s>", add_bos=True, keep=None)
    sizes = text(vocabulary, num_key_value_heads=HEADS, rms_norm_eps=1e-5, hidden_act="silu")
    vision = tower(image_size=SIDE, patch_size=PATCH, layer_norm_eps=1e-6, num_heads=HEADS)
    config = {"architectures": ["CogVLMForCausalLM"], "model_type": "cogvlm", "vision_config": vision, **sizes}
    kit.write({**_language(kit, vocabulary.size), **_tower(kit)}, vocabulary, CLIP, config=config)


def _language(kit: Kit, tokens: int) -> Tensors:
    """Under the names of THUDM's checkpoint, which no class of transformers reads."""
    found: Tensors = {
        "model.embed_tokens.weight": kit.matrix(tokens, WIDTH, gain=WIDTH**0.5),
        "lm_head.weight": kit.matrix(tokens, WIDTH),
        "model.norm.weight": torch.ones(WIDTH),
    }
    for layer in range(2):
        at = f"model.layers.{layer}"
        for name in ("input_layernorm", "post_attention_layernorm"):
            found[f"{at}.{name}.weight"] = torch.ones(WIDTH)
        for ours, theirs in _EXPERTS.items():
            shape = (3 * WIDTH if "qkv" in ours else FEED_FORWARD if ours in ("gate", "up") else WIDTH,
                     FEED_FORWARD if ours == "down" else WIDTH)  # fmt: skip
            found[f"{at}.{theirs}.weight"] = kit.matrix(*shape)
            found[f"blk.{layer}.vis_{ours}.weight"] = kit.matrix(*shape)
    return found


_EXPERTS = {
    "attn_qkv": "self_attn.language_expert_query_key_value",
    "attn_output": "self_attn.language_expert_dense",
    **{each: f"mlp.language_mlp.{each}_proj" for each in ("gate", "up", "down")},
}
"""Those for text by THUDM's names. The converter drops those for images by their names, and takes llama.cpp's."""


def _tower(kit: Kit) -> Tensors:
    at, inner = "model.vision.", "model.vision.linear_proj"
    places = (SIDE // PATCH) ** 2 + 1
    found: Tensors = {
        f"{at}patch_embedding.cls_embedding": kit.matrix(1, WIDTH, gain=WIDTH**0.5),
        f"{at}patch_embedding.proj.weight": kit.matrix(WIDTH, 3, PATCH, PATCH),
        f"{at}patch_embedding.proj.bias": torch.zeros(WIDTH),
        f"{at}patch_embedding.position_embedding.weight": kit.matrix(places, WIDTH, gain=PLACES * WIDTH**0.5),
        f"{at}boi": kit.matrix(1, 1, WIDTH, gain=WIDTH**0.5),
        f"{at}eoi": kit.matrix(1, 1, WIDTH, gain=WIDTH**0.5),
        f"{inner}.linear_proj.weight": kit.matrix(WIDTH, WIDTH),
        **kit.norm(f"{inner}.norm1", WIDTH),
        f"{inner}.dense_h_to_4h.weight": kit.matrix(FEED_FORWARD, WIDTH),
        f"{inner}.gate_proj.weight": kit.matrix(FEED_FORWARD, WIDTH),
        f"{inner}.dense_4h_to_h.weight": kit.matrix(WIDTH, FEED_FORWARD),
    }
    for layer in range(TOWER_LAYERS):
        block = f"{at}transformer.layers.{layer}"
        found |= {
            **kit.linear(f"{block}.attention.query_key_value", 3 * WIDTH, WIDTH),
            **kit.linear(f"{block}.attention.dense", WIDTH, WIDTH),
            **kit.linear(f"{block}.mlp.fc1", FEED_FORWARD, WIDTH),
            **kit.linear(f"{block}.mlp.fc2", WIDTH, FEED_FORWARD),
            **kit.norm(f"{block}.input_layernorm", WIDTH),
            **kit.norm(f"{block}.post_attention_layernorm", WIDTH),
        }
        found[f"{block}.input_layernorm.weight"] *= MIXING  # it comes after the attention
    return found
