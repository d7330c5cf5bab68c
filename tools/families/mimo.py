"""MiMo-VL: any size, four patches become a token; windows along rows and along columns, with sinks."""

from __future__ import annotations

from typing import Any

from transformers import MiMoV2FlashConfig, MiMoV2FlashForCausalLM

from .kit import Kit, Tensors
from .projector import Projector
from .qwen import NO_DRAFT
from .sizes import CLIP, FEED_FORWARD, HEAD, HEADS, HEADS_KV, TOWER_LAYERS, WIDTH, text
from .weights import MIXING

PATCH, MERGE = 16, 2
WINDOWS = [-1, 0, 1]
"""Of the tower's layers: the whole image, along rows, along columns."""


def mimo_vl(kit: Kit) -> None:
    special = ("<|im_start|>", "<|endoftext|>", "<|vision_start|>", "<|vision_end|>", "<|image_pad|>", "<|video_pad|>")
    vocabulary = kit.vocabulary("qwen2", special, "MiMo-VL.jinja", bos="<|endoftext|>", eos="<|im_end|>")
    language = MiMoV2FlashConfig(
        **text(vocabulary, tie_word_embeddings=False, num_hidden_layers=4), v_head_dim=HEAD,
        layer_types=["full_attention", "sliding_attention"] * 2, sliding_window=128, n_routed_experts=4,
        num_experts_per_tok=2, moe_intermediate_size=FEED_FORWARD,
    )  # fmt: skip
    model = kit.model(MiMoV2FlashForCausalLM(language))
    kit.write(model, vocabulary, {}, projector=False, options=NO_DRAFT, edit=_as_on_the_hub)
    out = Projector(kit.out / "mmproj.gguf", "mimovl", 560, PATCH, CLIP, seed=kit.seed)
    out.out.add_vision_use_silu(True)
    out.out.add_vision_head_count_kv(HEADS_KV)
    out.out.add_vision_spatial_merge_size(MERGE)
    out.out.add_uint32("clip.vision.window_size", 64)
    out.out.add_vision_wa_pattern_mode(WINDOWS)
    out.out.add_vision_min_pixels(8192)
    out.out.add_vision_max_pixels(8388608)
    for name in ("v.patch_embd.weight", "v.patch_embd.weight.1"):
        out.matrix(name, WIDTH, 3, PATCH, PATCH)
    for layer in range(TOWER_LAYERS):
        at = f"v.blk.{layer}"
        for name in ("ln1", "ln2"):
            out.vector(f"{at}.{name}.weight", WIDTH, 1.0)
        out.linear(f"{at}.attn_qkv", (HEADS + 2 * HEADS_KV) * HEAD, WIDTH)
        out.linear(f"{at}.attn_out", WIDTH, HEADS * HEAD, MIXING)
        out.vector(f"{at}.attn_sinks", HEADS)
        for name in ("gate", "up"):
            out.linear(f"{at}.ffn_{name}", FEED_FORWARD, WIDTH)
        out.linear(f"{at}.ffn_down", WIDTH, FEED_FORWARD)
    out.norm("v.post_ln")
    out.matrix("mm.0.weight", FEED_FORWARD, MERGE**2 * WIDTH)
    out.matrix("mm.2.weight", WIDTH, FEED_FORWARD)
    out.close()


def _as_on_the_hub(config: dict[str, Any], tensors: Tensors) -> None:
    """transformers has other names for what layers with a window have, or none, and reads its own where it knows the
    type."""
    config["model_type"] = "mimo_v2"
    for name in ("head_dim", "v_head_dim", "num_attention_heads"):
        config[f"swa_{name}"] = config[name]
    windows = config["layer_types"].index("sliding_attention")
    config["swa_num_key_value_heads"] = len(tensors[f"model.layers.{windows}.self_attn.k_proj.weight"]) // HEAD
    config["topk_method"] = "noaux_tc"
    config.pop("rope_parameters", None)
    config |= {"rope_theta": 1e6, "swa_rope_theta": 1e4, "partial_rotary_factor": 0.5}
    config["hybrid_layer_pattern"] = [int("sliding" in each) for each in config["layer_types"]]
