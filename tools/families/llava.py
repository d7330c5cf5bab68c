"""LLaVA-1.5 and LLaVA-NeXT: CLIP's tower, one layer of which is not used, and two matrices."""

from __future__ import annotations

import gguf
import numpy as np
from torch import Tensor, nn
from transformers import LlavaConfig, LlavaForConditionalGeneration, LlavaNextConfig, LlavaNextForConditionalGeneration

from .kit import Kit
from .sizes import CLIP, TOWER_LAYERS, text, tower
from .templates import turns

SIDE, PATCH = 336, 14
PINPOINTS = [[336, 672], [672, 336], [672, 672], [1008, 336], [336, 1008]]

_NAMES = {
    "embeddings.class_embedding": "v.class_embd",
    "embeddings.patch_embedding.weight": "v.patch_embd.weight",
    "embeddings.position_embedding.weight": "v.position_embd.weight",
    "pre_layrnorm": "v.pre_ln",
    "encoder.layers": "v.blk",
    "self_attn.q_proj": "attn_q",
    "self_attn.k_proj": "attn_k",
    "self_attn.v_proj": "attn_v",
    "self_attn.out_proj": "attn_out",
    "layer_norm1": "ln1",
    "layer_norm2": "ln2",
    "mlp.fc1": "ffn_up",
    "mlp.fc2": "ffn_down",
    "linear_1": "mm.0",
    "linear_2": "mm.2",
}
"""The hub's names and llama.cpp's, as tools/mtmd/legacy-models/convert_image_encoder_to_gguf.py has them."""


def llava(kit: Kit) -> None:
    _make(kit, LlavaForConditionalGeneration, LlavaConfig, {})


def llava_next(kit: Kit) -> None:
    _make(kit, LlavaNextForConditionalGeneration, LlavaNextConfig, {"image_grid_pinpoints": PINPOINTS})


def _make(kit: Kit, model: type, config: type, more: dict[str, list[list[int]]]) -> None:
    template = turns("{role}: ", " ", "<image>\n", "ASSISTANT:", roles="message.role.upper()")
    vocabulary = kit.vocabulary(
        "llama-spm", ("<image>", "<pad>"), template, bos="<s>", eos="</s>", add_bos=True, keep=None
    )
    made = kit.model(
        model(
            config(
                text_config={"model_type": "llama", **text(vocabulary, tie_word_embeddings=True)},
                vision_config={
                    "model_type": "clip_vision_model", "image_size": SIDE, "patch_size": PATCH,
                    "hidden_act": "quick_gelu", **tower(num_hidden_layers=TOWER_LAYERS + 1),
                },
                image_token_index=vocabulary.id("<image>"), tie_word_embeddings=True, **more,
            )
        )
    )  # fmt: skip
    kit.write(made, vocabulary, CLIP, projector=False, edit=as_llama)
    projector(kit, made, more.get("image_grid_pinpoints"))


def as_llama(config: dict, tensors: dict[str, Tensor]) -> None:
    """The converter knows LLaVA-NeXT's language model by that name only."""
    config["architectures"] = ["LlavaForConditionalGeneration"]
    config["model_type"] = "llava"


def projector(kit: Kit, model: nn.Module, pinpoints: list[list[int]] | None = None) -> None:
    """The converter has none of these; the older one needs the original repository's files. The tower's last layer is
    left out, as in LLaVA."""
    sizes = model.config.vision_config
    layers = sizes.num_hidden_layers - 1
    out = gguf.GGUFWriter(kit.out / "mmproj.gguf", "clip")
    out.add_type("mmproj")
    out.add_file_type(gguf.LlamaFileType.MOSTLY_F16)
    out.add_clip_has_vision_encoder(True)
    out.add_string("clip.projector_type", "mlp")
    out.add_vision_image_size(sizes.image_size)
    out.add_vision_patch_size(sizes.patch_size)
    out.add_vision_embedding_length(sizes.hidden_size)
    out.add_vision_feed_forward_length(sizes.intermediate_size)
    out.add_vision_projection_dim(model.config.text_config.hidden_size)
    out.add_vision_head_count(sizes.num_attention_heads)
    out.add_vision_attention_layernorm_eps(sizes.layer_norm_eps)
    out.add_vision_block_count(layers)
    out.add_array("clip.vision.feature_layer", [layers])
    out.add_vision_image_mean(CLIP["image_mean"])
    out.add_vision_image_std(CLIP["image_std"])
    out.add_vision_use_gelu(False)
    if pinpoints:
        out.add_array("clip.vision.image_grid_pinpoints", [side for pair in pinpoints for side in pair])
        out.add_string("clip.vision.mm_patch_merge_type", "spatial_unpad")
    for name, tensor in model.named_parameters():
        if any(each in name for each in ("language_model", "lm_head", "post_layernorm", f"layers.{layers}.")):
            continue
        if "image_newline" in name:
            out.add_tensor("model.image_newline", tensor.detach().numpy().astype(np.float32))
            continue
        short = name.split("vision_tower.")[-1].split("vision_model.")[-1].split("multi_modal_projector.")[-1]
        for theirs, ours in _NAMES.items():
            short = short.replace(theirs, ours)
        values = tensor.detach().numpy().squeeze()
        half = values.ndim > 1 and "position" not in short
        out.add_tensor(short, values.astype(np.float16 if half else np.float32))
    out.write_header_to_file()
    out.write_kv_data_to_file()
    out.write_tensors_to_file()
    out.close()
