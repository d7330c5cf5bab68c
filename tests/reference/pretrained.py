"""The published SmolLM2-135M-Instruct in transformers: the numbers of its GGUF file as float32, and where the file is."""

from __future__ import annotations

import os
from pathlib import Path

import gguf
import numpy as np
import torch
from checkpoint import TEXT
from lookhere.hub import very_file
from lookhere.hub.known import known_model
from lookhere.hub.name import HubName
from transformers import LlamaConfig, LlamaForCausalLM
from unquantized import fields, tensors

SHA256 = "b179c9523d0e6a0f98a330c7562b682750a6f8c8c15e5bc70ea373728110db53"
NAME = "smollm2-eyes"
FILE, EYES = "LOOKHERE_TEST_SMOLLM2", "LOOKHERE_TEST_EYES"
"""Environment variables that name its file, and a projector for it."""


def language_file() -> Path | None:
    """The file that is named, or is on this machine already; nothing is fetched."""
    if named := os.environ.get(FILE):
        return Path(named)
    known = known_model(NAME)
    return known and very_file.find(HubName(known.repository, known=known), known)


def eyes_file() -> Path | None:
    """The projector that is named, or comes with lookhere."""
    if named := os.environ.get(EYES):
        return Path(named)
    known = known_model(NAME)
    return known.eyes if known and known.eyes and known.eyes.is_file() else None


def load(file: Path) -> LlamaForCausalLM:
    """A model of llama's architecture in transformers, float32."""
    reader = gguf.GGUFReader(file)
    facts, weights = fields(reader), tensors(reader)
    heads, kv = int(facts["llama.attention.head_count"]), int(facts["llama.attention.head_count_kv"])  # type: ignore[call-overload]
    vocabulary, hidden = weights["token_embd.weight"].shape
    config = LlamaConfig(
        vocab_size=vocabulary, hidden_size=hidden, intermediate_size=facts["llama.feed_forward_length"],
        num_hidden_layers=facts["llama.block_count"], num_attention_heads=heads, num_key_value_heads=kv,
        max_position_embeddings=facts["llama.context_length"], rms_norm_eps=facts["llama.attention.layer_norm_rms_epsilon"],
        rope_parameters={"rope_type": "default", "rope_theta": facts["llama.rope.freq_base"]},
        tie_word_embeddings="output.weight" not in weights,
    )
    state = {
        "model.embed_tokens.weight": weights["token_embd.weight"], "model.norm.weight": weights["output_norm.weight"],
        "lm_head.weight": weights.get("output.weight", weights["token_embd.weight"]),
    }
    for name, value in weights.items():
        if name.startswith("blk."):
            _, layer, part, kind = name.split(".")
            turned = {"attn_q": heads, "attn_k": kv}.get(part)
            state[f"model.layers.{layer}.{TEXT[part]}.{kind}"] = halves(value, turned) if turned else value
    with torch.device("meta"):
        reference = LlamaForCausalLM(config).eval()
    reference.model.rotary_emb = type(reference.model.rotary_emb)(config)  # it computes its frequencies, which no file has
    loaded = reference.load_state_dict({name: torch.from_numpy(value) for name, value in state.items()}, strict=True, assign=True)
    assert not loaded.unexpected_keys
    assert not loaded.missing_keys
    reference.tie_weights()
    import steered_attention  # noqa: F401 - registers it

    reference.config._attn_implementation = "lookhere_reference"
    return reference


def halves(weight: np.ndarray, heads: int) -> np.ndarray:
    """Rotary pairs as transformers has them, a channel of each half; the file has neighbours."""
    rows, columns = weight.shape
    return weight.reshape(heads, rows // heads // 2, 2, columns).swapaxes(1, 2).reshape(rows, columns).copy()
