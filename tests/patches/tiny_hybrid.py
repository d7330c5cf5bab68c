"""Tiny random language models whose layers are in part recurrent: Qwen3.5 (gated delta net) and LFM2 (short convolutions);
and one of DeepSeek-V2's, whose attention is compressed (MLA)."""

from __future__ import annotations

from pathlib import Path

import gguf
import numpy as np
from tiny import FF, HEAD_DIM, HEADS, HEADS_KV, VOCAB
from tiny_vision import SPECIAL, byte_tokens

EMBD, LAYERS = HEADS * HEAD_DIM, 6  # LFM2's heads have no width of their own
ATTENTION = {"qwen35": (2, 5), "lfm2": (1, 3, 4)}
STATE, GROUPS, V_HEADS, CONV = 16, 2, 4, 4  # of the delta net: values per head, key and value heads, width of the convolution


TEMPLATE = (
    "{% for message in messages %}{% if message['content'] is string %}{{ message['content'] }}{% else %}"
    "{% for part in message['content'] %}{% if part['type'] == 'image' %}<|vision_start|><|image_pad|><|vision_end|>"
    "{% else %}{{ part['text'] }}{% endif %}{% endfor %}{% endif %}<|im_end|>{% endfor %}"
    "{% if add_generation_prompt %}>{% endif %}"
)


def write(path: Path, arch: str, *, seed: int = 0, words: bool = False, sliding_window: int = 0) -> Path:
    """words: with a byte vocabulary and a chat template, as the engine needs them. sliding_window: of LFM2's attention."""
    rng = np.random.default_rng(seed)
    out = gguf.GGUFWriter(path, arch)
    vocabulary = VOCAB
    if words:
        tokens = [*byte_tokens(), "th", *SPECIAL]
        vocabulary = len(tokens)
        out.add_tokenizer_model("gpt2")
        out.add_tokenizer_pre("qwen2")
        out.add_token_list(tokens)
        out.add_token_types([3 if token in SPECIAL else 1 for token in tokens])
        out.add_token_merges(["t h"])
        out.add_eos_token_id(tokens.index("<|im_end|>"))
        out.add_chat_template(TEMPLATE)
    else:
        out.add_vocab_size(vocabulary)
        out.add_tokenizer_model("none")

    def weight(name: str, *shape: int, scale: float = 1.0) -> None:
        out.add_tensor(f"{name}.weight", (rng.standard_normal(shape) * scale / np.sqrt(shape[-1])).astype(np.float32))

    def ones(name: str, *shape: int, suffix: str = ".weight") -> None:
        out.add_tensor(f"{name}{suffix}", (1 + 0.1 * rng.standard_normal(shape)).astype(np.float32))

    out.add_context_length(4096)
    out.add_embedding_length(EMBD)
    out.add_block_count(LAYERS)
    out.add_feed_forward_length(FF)
    out.add_layer_norm_rms_eps(1e-6)
    out.add_rope_freq_base(10000.0)
    weight("token_embd", vocabulary, EMBD, scale=8.0)
    if arch == "deepseek2":
        _deepseek2(out, weight, ones)
    else:
        out.add_head_count(HEADS)
        out.add_key_length(HEAD_DIM)
        out.add_value_length(HEAD_DIM)
        out.add_rope_dimension_count(HEAD_DIM)
        if arch == "qwen35":
            out.add_head_count_kv(HEADS_KV)
            out.add_rope_dimension_sections([8, 4, 4, 0])
            out.add_full_attention_interval(3)
            out.add_ssm_conv_kernel(CONV)
            out.add_ssm_inner_size(V_HEADS * STATE)
            out.add_ssm_state_size(STATE)
            out.add_ssm_time_step_rank(V_HEADS)
            out.add_ssm_group_count(GROUPS)
        else:
            out.add_head_count_kv([HEADS_KV if layer in ATTENTION[arch] else 0 for layer in range(LAYERS)])
            out.add_shortconv_l_cache(3)
            if sliding_window:
                out.add_sliding_window(sliding_window)
        ones("output_norm" if arch == "qwen35" else "token_embd_norm", EMBD)
        twice = 2 if arch == "qwen35" else 1  # a gate of its own for each head
        for i in range(LAYERS):
            ones(f"blk.{i}.attn_norm", EMBD)
            ones(f"blk.{i}.post_attention_norm" if arch == "qwen35" else f"blk.{i}.ffn_norm", EMBD)
            if i in ATTENTION[arch]:
                weight(f"blk.{i}.attn_q", twice * HEADS * HEAD_DIM, EMBD)
                weight(f"blk.{i}.attn_k", HEADS_KV * HEAD_DIM, EMBD)
                weight(f"blk.{i}.attn_v", HEADS_KV * HEAD_DIM, EMBD)
                weight(f"blk.{i}.attn_output", EMBD, HEADS * HEAD_DIM)
                ones(f"blk.{i}.attn_q_norm", HEAD_DIM)
                ones(f"blk.{i}.attn_k_norm", HEAD_DIM)
            elif arch == "qwen35":
                channels = (2 * GROUPS + V_HEADS) * STATE
                weight(f"blk.{i}.attn_qkv", channels, EMBD)
                weight(f"blk.{i}.attn_gate", V_HEADS * STATE, EMBD)
                weight(f"blk.{i}.ssm_conv1d", channels, CONV)
                out.add_tensor(f"blk.{i}.ssm_dt.bias", rng.standard_normal(V_HEADS).astype(np.float32))
                out.add_tensor(f"blk.{i}.ssm_a", -rng.uniform(0.02, 0.5, V_HEADS).astype(np.float32))
                weight(f"blk.{i}.ssm_beta", V_HEADS, EMBD)
                weight(f"blk.{i}.ssm_alpha", V_HEADS, EMBD)
                ones(f"blk.{i}.ssm_norm", STATE)
                weight(f"blk.{i}.ssm_out", EMBD, V_HEADS * STATE)
            else:
                weight(f"blk.{i}.shortconv.conv", EMBD, 3)
                weight(f"blk.{i}.shortconv.in_proj", 3 * EMBD, EMBD)
                weight(f"blk.{i}.shortconv.out_proj", EMBD, EMBD)
            weight(f"blk.{i}.ffn_gate", FF, EMBD)
            weight(f"blk.{i}.ffn_up", FF, EMBD)
            weight(f"blk.{i}.ffn_down", EMBD, FF)
    out.write_header_to_file()
    out.write_kv_data_to_file()
    out.write_tensors_to_file()
    out.close()
    return path


def _deepseek2(out: gguf.GGUFWriter, weight, ones) -> None:  # type: ignore[no-untyped-def]
    rank, rope, nope = 32, 16, 16
    out.add_head_count(HEADS)
    out.add_head_count_kv(1)
    out.add_key_length(rank + rope)
    out.add_value_length(rank)
    out.add_key_length_mla(nope + rope)
    out.add_value_length_mla(nope)
    out.add_rope_dimension_count(rope)
    out.add_q_lora_rank(rank)
    out.add_kv_lora_rank(rank)
    out.add_leading_dense_block_count(LAYERS)
    out.add_expert_feed_forward_length(FF)
    out.add_expert_count(0)
    out.add_expert_shared_count(0)
    ones("output_norm", EMBD)
    for i in range(LAYERS):
        ones(f"blk.{i}.attn_norm", EMBD)
        ones(f"blk.{i}.attn_q_a_norm", rank)
        ones(f"blk.{i}.attn_kv_a_norm", rank)
        weight(f"blk.{i}.attn_q_a", rank, EMBD)
        weight(f"blk.{i}.attn_q_b", HEADS * (nope + rope), rank)
        weight(f"blk.{i}.attn_kv_a_mqa", rank + rope, EMBD)
        weight(f"blk.{i}.attn_k_b", HEADS, rank, nope)
        weight(f"blk.{i}.attn_v_b", HEADS, nope, rank)
        weight(f"blk.{i}.attn_output", EMBD, HEADS * nope)
        ones(f"blk.{i}.ffn_norm", EMBD)
        weight(f"blk.{i}.ffn_gate", FF, EMBD)
        weight(f"blk.{i}.ffn_up", FF, EMBD)
        weight(f"blk.{i}.ffn_down", EMBD, FF)
