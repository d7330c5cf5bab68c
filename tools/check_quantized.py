"""Exactness of a quantized GGUF text model: its weights, dequantized, in the checkpoint's place.

    python tools/check_quantized.py CHECKPOINT MODEL.gguf [--strips 16]

Answers on held-out combinations that are exactly right when decoded greedily, and how many of them differ
from those of the checkpoint itself. (Activations stay float32 here; the engine's own kernels round them.)
"""

from __future__ import annotations

import argparse
from pathlib import Path

import gguf
import lookhere_source  # noqa: F401
import torch
from train import held_out
from transformers import AutoTokenizer, Qwen3VLForConditionalGeneration
from vlm import Packed

NAMES = {"attn_q": "self_attn.q_proj", "attn_k": "self_attn.k_proj", "attn_v": "self_attn.v_proj",
         "attn_output": "self_attn.o_proj", "attn_q_norm": "self_attn.q_norm", "attn_k_norm": "self_attn.k_norm",
         "attn_norm": "input_layernorm", "ffn_norm": "post_attention_layernorm", "ffn_gate": "mlp.gate_proj",
         "ffn_up": "mlp.up_proj", "ffn_down": "mlp.down_proj"}


def checkpoint_name(name: str) -> str:
    """blk.3.attn_q.weight -> layers.3.self_attn.q_proj.weight"""
    if name.startswith("blk."):
        _, layer, part, _ = name.split(".")
        return f"layers.{layer}.{NAMES[part]}.weight"
    return {"token_embd.weight": "embed_tokens.weight", "output_norm.weight": "norm.weight"}[name]


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("checkpoint", type=Path)
    parser.add_argument("gguf", type=Path)
    parser.add_argument("--strips", type=int, default=16)
    args = parser.parse_args()
    torch.set_num_threads(1)
    model = Qwen3VLForConditionalGeneration.from_pretrained(args.checkpoint, dtype=torch.float32)
    packed = Packed(model, AutoTokenizer.from_pretrained(args.checkpoint))
    print("checkpoint", held_out(packed, args.strips))
    text = dict(model.model.language_model.named_parameters())
    kinds: dict[str, int] = {}
    with torch.no_grad():
        for tensor in gguf.GGUFReader(args.gguf).tensors:
            if tensor.name == "output.weight":
                continue
            kinds[tensor.tensor_type.name] = kinds.get(tensor.tensor_type.name, 0) + 1
            values = gguf.quants.dequantize(tensor.data, tensor.tensor_type)
            target = text[checkpoint_name(tensor.name)]
            target.copy_(torch.from_numpy(values.copy()).reshape(target.shape))
    print(args.gguf.name, kinds, held_out(packed, args.strips))


if __name__ == "__main__":
    main()
