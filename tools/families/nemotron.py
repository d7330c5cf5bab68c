"""Nemotron Nano V2 VL: RADIO's tower on a square of 512, four patches become a token; a hybrid language model."""

from __future__ import annotations

from transformers import NemotronHConfig, NemotronHForCausalLM

from .kit import Kit
from .projector import Projector
from .sizes import CLIP, FEED_FORWARD, HEAD, HEADS, WIDTH, text
from .templates import turns

SIDE, PATCH, MERGE, REGISTERS = 512, 16, 2, 10


def nemotron_v2_vl(kit: Kit) -> None:
    template = turns("<SPECIAL_11>{role}\n", "\n<SPECIAL_12>\n", "<image>", "<SPECIAL_11>assistant\n")
    special = ("<image>", "<img>", "</img>", "<SPECIAL_11>", "<SPECIAL_12>")
    vocabulary = kit.vocabulary("gpt-2", special, template, bos="<s>", eos="<SPECIAL_12>", pre="tekken")
    sizes = text(vocabulary, tie_word_embeddings=False)
    sizes.pop("num_hidden_layers")
    language = NemotronHConfig(
        **sizes, layers_block_type=["mamba", "attention", "moe", "attention"], ssm_state_size=16,
        mamba_num_heads=HEADS, mamba_head_dim=HEAD, n_groups=2, chunk_size=16, n_routed_experts=4,
        moe_intermediate_size=FEED_FORWARD, moe_shared_expert_intermediate_size=FEED_FORWARD, use_mamba_kernels=False,
    )  # fmt: skip
    kit.write(kit.model(NemotronHForCausalLM(language)), vocabulary, {}, projector=False)
    out = Projector(kit.out / "mmproj.gguf", "nemotron_v2_vl", SIDE, PATCH, CLIP, seed=kit.seed)
    out.out.add_vision_use_gelu(True)
    out.out.add_vision_projector_scale_factor(MERGE)
    out.embeddings("v.class_embd", REGISTERS, WIDTH, 1.0)
    out.places((SIDE // PATCH) ** 2)
    out.layers(last_norm=False)
    merged = MERGE**2 * WIDTH
    out.vector("mm.model.mlp.0.weight", merged, 1.0)
    out.matrix("mm.model.mlp.1.weight", FEED_FORWARD, merged)
    out.matrix("mm.model.mlp.3.weight", WIDTH, FEED_FORWARD)
    out.close()
