"""Tiny random language models as GGUF files: the shapes of real families, no training, no vocabulary."""

from __future__ import annotations

from pathlib import Path

import gguf
import numpy as np

VOCAB, EMBD, HEADS, HEADS_KV, HEAD_DIM, FF = 96, 64, 6, 2, 32, 96


def write(path: Path, arch: str, *, layers: int = 6, seed: int = 0) -> Path:
    """Writes a model of one of the architectures `qwen3vl`, `gemma3` (sliding window), `refact` (ALiBi) or `mamba`."""
    rng = np.random.default_rng(seed)
    out = gguf.GGUFWriter(path, arch)
    out.add_vocab_size(VOCAB)
    out.add_tokenizer_model("none")
    out.add_context_length(4096)
    out.add_embedding_length(EMBD)
    out.add_block_count(layers)
    out.add_layer_norm_rms_eps(1e-6)

    def weight(name: str, *shape: int, scale: float = 1.0) -> None:
        # rows of unit gain, so that scores spread over a few nats and attention is neither flat nor one-hot
        out.add_tensor(f"{name}.weight", (rng.standard_normal(shape) * scale / np.sqrt(shape[-1])).astype(np.float32))

    def ones(name: str, *shape: int, scale: float = 1.0) -> None:
        out.add_tensor(f"{name}.weight", (scale * (1 + 0.1 * rng.standard_normal(shape))).astype(np.float32))

    weight("token_embd", VOCAB, EMBD, scale=8.0)
    ones("output_norm", EMBD)
    if arch == "mamba":
        inner, state, rank = 2 * EMBD, 16, 4
        out.add_head_count(0)
        out.add_feed_forward_length(0)
        out.add_ssm_conv_kernel(4)
        out.add_ssm_inner_size(inner)
        out.add_ssm_state_size(state)
        out.add_ssm_time_step_rank(rank)
        for i in range(layers):
            ones(f"blk.{i}.attn_norm", EMBD)
            weight(f"blk.{i}.ssm_in", 2 * inner, EMBD)
            weight(f"blk.{i}.ssm_conv1d", inner, 4)
            out.add_tensor(f"blk.{i}.ssm_conv1d.bias", np.zeros(inner, np.float32))
            weight(f"blk.{i}.ssm_x", rank + 2 * state, inner)
            weight(f"blk.{i}.ssm_dt", inner, rank)
            out.add_tensor(f"blk.{i}.ssm_dt.bias", np.zeros(inner, np.float32))
            out.add_tensor(f"blk.{i}.ssm_a", -np.ones((inner, state), np.float32))
            out.add_tensor(f"blk.{i}.ssm_d", np.ones(inner, np.float32))
            weight(f"blk.{i}.ssm_out", EMBD, inner)
    else:
        out.add_head_count(HEADS)
        out.add_head_count_kv(HEADS_KV)
        out.add_key_length(HEAD_DIM)
        out.add_value_length(HEAD_DIM)
        out.add_feed_forward_length(FF)
        out.add_rope_freq_base(10000.0)
        out.add_rope_dimension_count(HEAD_DIM)
        if arch == "qwen3vl":
            out.add_rope_dimension_sections([8, 4, 4, 0])
            out.add_uint32("qwen3vl.n_deepstack_layers", 1)
        if arch == "gemma3":
            out.add_sliding_window(24)
        if arch == "refact":
            out.add_max_alibi_bias(8.0)
        normed = arch in ("qwen3vl", "gemma3")
        for i in range(layers):
            ones(f"blk.{i}.attn_norm", EMBD)
            weight(f"blk.{i}.attn_q", HEADS * HEAD_DIM, EMBD)
            weight(f"blk.{i}.attn_k", HEADS_KV * HEAD_DIM, EMBD)
            weight(f"blk.{i}.attn_v", HEADS_KV * HEAD_DIM, EMBD)
            weight(f"blk.{i}.attn_output", EMBD, HEADS * HEAD_DIM)
            if normed:
                ones(f"blk.{i}.attn_q_norm", HEAD_DIM)
                ones(f"blk.{i}.attn_k_norm", HEAD_DIM)
            if arch == "gemma3":
                ones(f"blk.{i}.post_attention_norm", EMBD)
                ones(f"blk.{i}.post_ffw_norm", EMBD)
            ones(f"blk.{i}.ffn_norm", EMBD)
            weight(f"blk.{i}.ffn_gate", FF, EMBD)
            weight(f"blk.{i}.ffn_up", FF, EMBD)
            weight(f"blk.{i}.ffn_down", EMBD, FF)
    out.write_header_to_file()
    out.write_kv_data_to_file()
    out.write_tensors_to_file()
    out.close()
    return path
