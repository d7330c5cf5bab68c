"""Kimi-VL: any size, 4 patches become a token; a language model with latent attention (MLA)."""

from __future__ import annotations

import torch
from torch import Tensor
from transformers import DeepseekV3Config, DeepseekV3ForCausalLM

from .kit import Kit
from .sizes import FEED_FORWARD, HALF, TOWER_LAYERS, WIDTH, text, tower
from .templates import turns
from .weights import MIXING, PLACES

PATCH, PLACES_SIDE = 14, 64


def kimi_vl(kit: Kit) -> None:
    image = "<|media_start|>image<|media_content|><|media_pad|><|media_end|>"
    template = turns("<|im_{role}|>", "<|im_end|>", image, "<|im_assistant|>assistant<|im_middle|>")
    special = ("<|im_user|>", "<|im_assistant|>", "<|im_system|>", "<|im_middle|>", "<|media_start|>",
               "<|media_content|>", "<|media_pad|>", "<|media_end|>")  # fmt: skip
    vocabulary = kit.vocabulary("gpt-2", special, template, bos="[BOS]", eos="<|im_end|>", pre="kimi-k2")
    language = text(
        vocabulary, tie_word_embeddings=False, q_lora_rank=32, kv_lora_rank=32, qk_rope_head_dim=16,
        qk_nope_head_dim=16, v_head_dim=16, n_routed_experts=4, num_experts_per_tok=2, first_k_dense_replace=1,
        n_shared_experts=1, moe_intermediate_size=WIDTH, n_group=1, topk_group=1,
    )  # fmt: skip
    language.pop("head_dim")
    language["num_key_value_heads"] = language["num_attention_heads"]
    config, tensors = kit.saved(kit.model(DeepseekV3ForCausalLM(DeepseekV3Config(**language))))
    whole = {
        "architectures": ["KimiVLForConditionalGeneration"], "model_type": "kimi_vl",
        "text_config": {key: value for key, value in config.items() if key != "architectures"},
        "vision_config": tower(patch_size=PATCH, init_pos_emb_height=PLACES_SIDE, init_pos_emb_width=PLACES_SIDE,
                               merge_kernel_size=[2, 2]),
    }  # fmt: skip
    tensors = {f"language_model.{name}": tensor for name, tensor in tensors.items()} | _tower(kit)
    preprocessor = {"patch_size": PATCH, "in_token_limit": 4096, "merge_kernel_size": [2, 2], **HALF}
    kit.write(tensors, vocabulary, preprocessor, config=whole)


def _tower(kit: Kit) -> dict[str, Tensor]:
    """Under the names of moonshotai's checkpoints, which no class of transformers reads."""
    at = "vision_tower.patch_embed"
    found = {
        f"{at}.proj.weight": kit.matrix(WIDTH, 3, PATCH, PATCH), f"{at}.proj.bias": torch.zeros(WIDTH),
        f"{at}.pos_emb.weight": PLACES * torch.randn(PLACES_SIDE, PLACES_SIDE, WIDTH, generator=kit.random),
        **kit.norm("vision_tower.encoder.final_layernorm", WIDTH),
        **kit.norm("multi_modal_projector.pre_norm", WIDTH),
        **kit.linear("multi_modal_projector.linear_1", 4 * WIDTH, 4 * WIDTH),
        **kit.linear("multi_modal_projector.linear_2", WIDTH, 4 * WIDTH),
    }  # fmt: skip
    for layer in range(TOWER_LAYERS):
        at = f"vision_tower.encoder.blocks.{layer}"
        found |= kit.norm(f"{at}.norm0", WIDTH) | kit.norm(f"{at}.norm1", WIDTH)
        found |= kit.linear(f"{at}.wqkv", 3 * WIDTH, WIDTH) | kit.linear(f"{at}.wo", WIDTH, WIDTH, MIXING)
        found |= kit.linear(f"{at}.mlp.fc0", FEED_FORWARD, WIDTH) | kit.linear(f"{at}.mlp.fc1", WIDTH, FEED_FORWARD)
    return found
