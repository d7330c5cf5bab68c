"""The shipped GGUF pair as a transformers checkpoint: the numbers that are left after its quantization."""

from __future__ import annotations

from pathlib import Path

import gguf
import numpy as np
import torch
from transformers import Qwen3VLConfig, Qwen3VLForConditionalGeneration
from unquantized import fields, tensors

TEXT = {
    "attn_norm": "input_layernorm", "attn_q": "self_attn.q_proj", "attn_k": "self_attn.k_proj", "attn_v": "self_attn.v_proj",
    "attn_output": "self_attn.o_proj", "attn_q_norm": "self_attn.q_norm", "attn_k_norm": "self_attn.k_norm",
    "ffn_norm": "post_attention_layernorm", "ffn_gate": "mlp.gate_proj", "ffn_up": "mlp.up_proj", "ffn_down": "mlp.down_proj",
}
VISION = {
    "ln1": "norm1", "ln2": "norm2", "attn_qkv": "attn.qkv", "attn_out": "attn.proj", "ffn_up": "mlp.linear_fc1",
    "ffn_down": "mlp.linear_fc2",
}


def load(model: Path, mmproj: Path) -> Qwen3VLForConditionalGeneration:
    """The pair in transformers, float32, eager attention."""
    text, vision = gguf.GGUFReader(model), gguf.GGUFReader(mmproj)
    t, v = fields(text), fields(vision)
    weights_t, weights_v = tensors(text), tensors(vision)
    names = list(t["tokenizer.ggml.tokens"])  # type: ignore[call-overload]
    hidden, layers = int(t["qwen3vl.embedding_length"]), int(t["qwen3vl.block_count"])  # type: ignore[call-overload]
    depth = int(v["clip.vision.block_count"])  # type: ignore[call-overload]
    patch, merge = int(v["clip.vision.patch_size"]), int(v["clip.vision.spatial_merge_size"])  # type: ignore[call-overload]
    deepstack = [i for i in range(depth) if f"v.deepstack.{i}.fc1.weight" in weights_v]
    config = Qwen3VLConfig(
        text_config={
            "vocab_size": len(names), "hidden_size": hidden, "intermediate_size": t["qwen3vl.feed_forward_length"],
            "num_hidden_layers": layers, "num_attention_heads": t["qwen3vl.attention.head_count"],
            "num_key_value_heads": t["qwen3vl.attention.head_count_kv"], "head_dim": t["qwen3vl.attention.key_length"],
            "max_position_embeddings": t["qwen3vl.context_length"], "rms_norm_eps": t["qwen3vl.attention.layer_norm_rms_epsilon"],
            "tie_word_embeddings": "output.weight" not in weights_t,
            "rope_parameters": {
                "rope_type": "default", "rope_theta": t["qwen3vl.rope.freq_base"], "mrope_interleaved": True,
                "mrope_section": list(t["qwen3vl.rope.dimension_sections"])[:3],  # type: ignore[call-overload]
            },
        },
        vision_config={
            "depth": depth, "hidden_size": v["clip.vision.embedding_length"], "intermediate_size": v["clip.vision.feed_forward_length"],
            "num_heads": v["clip.vision.attention.head_count"], "patch_size": patch, "spatial_merge_size": merge,
            "temporal_patch_size": 2, "out_hidden_size": hidden,
            "num_position_embeddings": len(weights_v["v.position_embd.weight"]), "deepstack_visual_indexes": deepstack,
        },
        image_token_id=names.index("<|image_pad|>"), video_token_id=names.index("<|video_pad|>"),
        vision_start_token_id=names.index("<|vision_start|>"), vision_end_token_id=names.index("<|vision_end|>"),
        tie_word_embeddings="output.weight" not in weights_t, attn_implementation="eager",
    )
    state: dict[str, np.ndarray] = {
        "model.language_model.embed_tokens.weight": weights_t["token_embd.weight"],
        "model.language_model.norm.weight": weights_t["output_norm.weight"],
        "lm_head.weight": weights_t.get("output.weight", weights_t["token_embd.weight"]),
        "model.visual.pos_embed.weight": weights_v["v.position_embd.weight"],
        "model.visual.patch_embed.proj.weight": np.stack([weights_v["v.patch_embd.weight"], weights_v["v.patch_embd.weight.1"]], 2),
        "model.visual.patch_embed.proj.bias": weights_v["v.patch_embd.bias"],
    }
    for name, value in weights_t.items():
        if name.startswith("blk."):
            _, layer, part, kind = name.split(".")
            state[f"model.language_model.layers.{layer}.{TEXT[part]}.{kind}"] = value
    for name, value in weights_v.items():
        parts = name.split(".")
        if name.startswith("v.blk."):
            state[f"model.visual.blocks.{parts[2]}.{VISION[parts[3]]}.{parts[4]}"] = value
        elif name.startswith("v.deepstack."):
            part = {"norm": "norm", "fc1": "linear_fc1", "fc2": "linear_fc2"}[parts[3]]
            state[f"model.visual.deepstack_merger_list.{deepstack.index(int(parts[2]))}.{part}.{parts[4]}"] = value
        elif name.startswith(("v.post_ln", "mm.0", "mm.2")):
            part = {"v.post_ln": "norm", "mm.0": "linear_fc1", "mm.2": "linear_fc2"}[".".join(parts[:2])]
            state[f"model.visual.merger.{part}.{parts[-1]}"] = value
    reference = Qwen3VLForConditionalGeneration(config).eval()
    loaded = reference.load_state_dict({name: torch.from_numpy(value.copy()) for name, value in state.items()}, strict=False)
    assert not loaded.unexpected_keys, loaded.unexpected_keys
    assert not loaded.missing_keys, loaded.missing_keys
    return reference
