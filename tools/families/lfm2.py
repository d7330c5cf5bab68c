"""LFM2-VL: small images are one grid, large ones tiles of 512 and a thumbnail; a hybrid language model."""

from __future__ import annotations

from typing import Any

from torch import Tensor
from transformers import Lfm2VlConfig, Lfm2VlForConditionalGeneration

from .kit import Kit, siglip_as_on_the_hub
from .sizes import HALF, WIDTH, text, tower
from .templates import turns


def lfm2_vl(kit: Kit) -> None:
    tiles = tuple(f"<|img_row_{row}_col_{col}|>" for row in range(1, 11) for col in range(1, 11))
    template = turns("<|im_start|>{role}\n", "<|im_end|>\n", "<image>", "<|im_start|>assistant\n",
                     start="<|startoftext|>")  # fmt: skip
    special = ("<|im_start|>", "<|image_start|>", "<|image_end|>", "<|img_thumbnail|>", "<image>", *tiles)
    vocabulary = kit.vocabulary("gpt-2", special, template, bos="<|startoftext|>", eos="<|im_end|>", pre="lfm2")
    language = text(
        vocabulary, layer_types=["conv", "full_attention"] * 2, num_hidden_layers=4, tie_word_embeddings=True,
        block_auto_adjust_ff_dim=False, block_ff_dim=2 * WIDTH, conv_L_cache=3,
    )  # fmt: skip
    language.pop("head_dim")
    config = Lfm2VlConfig(
        text_config={"model_type": "lfm2", **language},
        vision_config={
            "model_type": "siglip2_vision_model", "vision_use_head": False, **tower(patch_size=16, num_patches=256)
        },
        image_token_id=vocabulary.id("<image>"), downsample_factor=2, projector_hidden_size=2 * WIDTH,
    )  # fmt: skip
    preprocessor = {
        "tile_size": 512, "min_tiles": 2, "max_tiles": 10, "use_thumbnail": True, "encoder_patch_size": 16,
        "downsample_factor": 2, "min_image_tokens": 64, "max_image_tokens": 256, **HALF,
    }  # fmt: skip
    kit.write(kit.model(Lfm2VlForConditionalGeneration(config)), vocabulary, preprocessor, edit=_as_on_the_hub)


def _as_on_the_hub(config: dict[str, Any], tensors: dict[str, Tensor]) -> None:
    """Names that transformers does not save."""
    config["text_config"]["architectures"] = ["Lfm2ForCausalLM"]
    siglip_as_on_the_hub(tensors)
