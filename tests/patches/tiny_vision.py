"""A tiny random Qwen3-VL pair as GGUF files: language model with a byte vocabulary, vision encoder with DeepStack."""

from __future__ import annotations

from pathlib import Path

import gguf
import numpy as np

EMBD, HEADS, HEADS_KV, HEAD_DIM, FF, LAYERS = 64, 6, 2, 32, 96, 2
V_EMBD, V_HEADS, V_FF, V_LAYERS, PATCH, SIDE = 48, 4, 96, 2, 8, 8
SPECIAL = ["<|endoftext|>", "<|im_end|>", "<|vision_start|>", "<|vision_end|>", "<|image_pad|>"]


class Weights:
    """Random tensors of unit gain."""

    def __init__(self, path: Path, arch: str) -> None:
        self.rng = np.random.default_rng(0)
        self.out = gguf.GGUFWriter(path, arch)

    def matrix(self, name: str, *shape: int, scale: float = 1.0) -> None:
        values = self.rng.standard_normal(shape) * scale / np.sqrt(np.prod(shape[1:]))
        self.out.add_tensor(name, values.astype(np.float32))

    def norm(self, name: str, size: int, *, bias: bool = False) -> None:
        self.out.add_tensor(f"{name}.weight", np.ones(size, np.float32))
        if bias:
            self.out.add_tensor(f"{name}.bias", np.zeros(size, np.float32))

    def linear(self, name: str, to: int, of: int) -> None:
        self.matrix(f"{name}.weight", to, of)
        self.out.add_tensor(f"{name}.bias", np.zeros(to, np.float32))

    def close(self) -> None:
        self.out.write_header_to_file()
        self.out.write_kv_data_to_file()
        self.out.write_tensors_to_file()
        self.out.close()


def byte_tokens() -> list[str]:
    """The 256 bytes as byte-level BPE writes them."""
    plain = [*range(33, 127), *range(161, 173), *range(174, 256)]
    odd = [b for b in range(256) if b not in plain]
    return [chr(b) if b in plain else chr(256 + odd.index(b)) for b in range(256)]


def write_model(path: Path) -> Path:
    w = Weights(path, "qwen3vl")
    out = w.out
    tokens = [*byte_tokens(), "th", *SPECIAL]
    out.add_tokenizer_model("gpt2")
    out.add_tokenizer_pre("qwen2")
    out.add_token_list(tokens)
    out.add_token_types([3 if token in SPECIAL else 1 for token in tokens])
    out.add_token_merges(["t h"])
    out.add_eos_token_id(tokens.index("<|im_end|>"))
    out.add_context_length(2048)
    out.add_embedding_length(EMBD)
    out.add_block_count(LAYERS)
    out.add_layer_norm_rms_eps(1e-6)
    out.add_head_count(HEADS)
    out.add_head_count_kv(HEADS_KV)
    out.add_key_length(HEAD_DIM)
    out.add_value_length(HEAD_DIM)
    out.add_feed_forward_length(FF)
    out.add_rope_freq_base(10000.0)
    out.add_rope_dimension_count(HEAD_DIM)
    out.add_rope_dimension_sections([8, 4, 4, 0])
    out.add_uint32("qwen3vl.n_deepstack_layers", 1)
    w.matrix("token_embd.weight", len(tokens), EMBD)
    w.norm("output_norm", EMBD)
    for i in range(LAYERS):
        for name, size in {
            "attn_norm": EMBD,
            "attn_q_norm": HEAD_DIM,
            "attn_k_norm": HEAD_DIM,
            "ffn_norm": EMBD,
        }.items():
            w.norm(f"blk.{i}.{name}", size)
        for name, to, of in [
            ("attn_q", HEADS * HEAD_DIM, EMBD), ("attn_k", HEADS_KV * HEAD_DIM, EMBD),
            ("attn_v", HEADS_KV * HEAD_DIM, EMBD), ("attn_output", EMBD, HEADS * HEAD_DIM),
            ("ffn_gate", FF, EMBD), ("ffn_up", FF, EMBD), ("ffn_down", EMBD, FF),
        ]:  # fmt: skip
            w.matrix(f"blk.{i}.{name}.weight", to, of)
    w.close()
    return path


def write_projector(path: Path, *, width: int = EMBD, deepstack: bool = True) -> Path:
    """width: of the language model's embeddings."""
    w = Weights(path, "clip")
    out = w.out
    out.add_bool("clip.has_vision_encoder", True)
    out.add_bool("clip.use_gelu", True)
    out.add_string("clip.projector_type", "qwen3vl_merger")
    for key, value in {
        "embedding_length": V_EMBD, "feed_forward_length": V_FF, "block_count": V_LAYERS, "projection_dim": width,
        "image_size": PATCH * SIDE, "patch_size": PATCH, "spatial_merge_size": 2, "attention.head_count": V_HEADS,
    }.items():  # fmt: skip
        out.add_uint32(f"clip.vision.{key}", value)
    out.add_float32("clip.vision.attention.layer_norm_epsilon", 1e-6)
    out.add_array("clip.vision.image_mean", [0.5] * 3)
    out.add_array("clip.vision.image_std", [0.5] * 3)
    for name in ("v.patch_embd.weight", "v.patch_embd.weight.1"):
        w.matrix(name, V_EMBD, 3, PATCH, PATCH)
    out.add_tensor("v.patch_embd.bias", np.zeros(V_EMBD, np.float32))
    w.matrix("v.position_embd.weight", SIDE * SIDE, V_EMBD)
    for i in range(V_LAYERS):
        w.norm(f"v.blk.{i}.ln1", V_EMBD, bias=True)
        w.norm(f"v.blk.{i}.ln2", V_EMBD, bias=True)
        w.linear(f"v.blk.{i}.attn_qkv", 3 * V_EMBD, V_EMBD)
        w.linear(f"v.blk.{i}.attn_out", V_EMBD, V_EMBD)
        w.linear(f"v.blk.{i}.ffn_up", V_FF, V_EMBD)
        w.linear(f"v.blk.{i}.ffn_down", V_EMBD, V_FF)
    w.norm("v.post_ln", V_EMBD, bias=True)
    if deepstack:
        w.norm("v.deepstack.0.norm", 4 * V_EMBD, bias=True)
        w.linear("v.deepstack.0.fc1", 4 * V_EMBD, 4 * V_EMBD)
        w.linear("v.deepstack.0.fc2", width, 4 * V_EMBD)
    w.linear("mm.0", 4 * V_EMBD, 4 * V_EMBD)
    w.linear("mm.2", width, 4 * V_EMBD)
    w.close()
    return path
