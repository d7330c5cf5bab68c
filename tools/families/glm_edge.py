"""GLM-Edge-V: SigLIP's tower on a square of 672, four patches become a token; a begin and an end within."""

from __future__ import annotations

from typing import Any

from transformers import GlmConfig, GlmForCausalLM

from .kit import Kit, Tensors
from .projector import Projector
from .sizes import FEED_FORWARD, HALF, WIDTH, text
from .templates import turns

SIDE, PATCH = 672, 14


def glm_edge_v(kit: Kit) -> None:
    template = turns("<|{role}|>\n", "", "<|begin_of_image|>", "<|assistant|>\n")
    special = ("<|system|>", "<|user|>", "<|assistant|>", "<|begin_of_image|>", "<|endoftext|>")
    vocabulary = kit.vocabulary("gpt-2", special, template, bos="<|endoftext|>", eos="<|endoftext|>", pre="glm4")
    language = GlmConfig(**text(vocabulary, tie_word_embeddings=False))
    kit.write(kit.model(GlmForCausalLM(language)), vocabulary, {}, projector=False, edit=_as_on_the_hub)
    out = Projector(kit.out / "mmproj.gguf", "adapter", SIDE, PATCH, HALF, seed=kit.seed)
    out.out.add_vision_use_gelu(True)
    out.places((SIDE // PATCH) ** 2)
    out.layers()
    out.matrix("adapter.conv.weight", WIDTH, WIDTH, 2, 2)
    out.vector("adapter.conv.bias", WIDTH)
    out.matrix("adapter.linear.linear.weight", WIDTH, WIDTH)
    out.norm("adapter.linear.norm1")
    for name in ("gate", "dense_h_to_4h"):
        out.matrix(f"adapter.linear.{name}.weight", FEED_FORWARD, WIDTH)
    out.matrix("adapter.linear.dense_4h_to_h.weight", WIDTH, FEED_FORWARD)
    for name in ("boi", "eoi"):
        out.embeddings(f"adapter.{name}", 1, WIDTH, 1.0)
    out.close()


def _as_on_the_hub(config: dict[str, Any], tensors: Tensors) -> None:
    """The converter takes the width for the context where this is not said."""
    config["seq_length"] = config["max_position_embeddings"]
