"""PaddleOCR-VL and Janus-Pro: SigLIP's tower at any size, and at one."""

from __future__ import annotations

from typing import Any

from torch import Tensor
from transformers import (
    JanusConfig,
    JanusForConditionalGeneration,
    PaddleOCRVLConfig,
    PaddleOCRVLForConditionalGeneration,
)

from .kit import Kit
from .sizes import FEED_FORWARD, HALF, WIDTH, text, tower
from .templates import turns


def paddleocr(kit: Kit) -> None:
    image = "<|IMAGE_START|><|IMAGE_PLACEHOLDER|><|IMAGE_END|>"
    template = turns("{role}: ", "\n", image, "Assistant: ", roles="message.role.capitalize()",
                     start="<|begin_of_sentence|>")  # fmt: skip
    special = ("<|IMAGE_START|>", "<|IMAGE_PLACEHOLDER|>", "<|IMAGE_END|>", "<|video_pad|>")
    vocabulary = kit.vocabulary("gpt-2", special, template, bos="<|begin_of_sentence|>", eos="</s>", pre="default")
    rope = {"rope_type": "default", "rope_theta": 5e5, "mrope_section": [2, 3, 3]}
    config = PaddleOCRVLConfig(
        text_config=text(vocabulary, rope_parameters=rope, tie_word_embeddings=True),
        vision_config=tower(image_size=384, patch_size=14, spatial_merge_size=2),
        image_token_id=vocabulary.id("<|IMAGE_PLACEHOLDER|>"), video_token_id=vocabulary.id("<|video_pad|>"),
        vision_start_token_id=vocabulary.id("<|IMAGE_START|>"), vision_end_token_id=vocabulary.id("<|IMAGE_END|>"),
    )  # fmt: skip
    preprocessor = {"min_pixels": 147384, "max_pixels": 2822400, "patch_size": 14, "merge_size": 2, **HALF}

    def edit(config: dict[str, Any], tensors: dict[str, Tensor]) -> None:
        config["vision_config"]["architectures"] = ["PaddleOCRVisionModel"]  # as on the hub; transformers drops it

    kit.write(kit.model(PaddleOCRVLForConditionalGeneration(config)), vocabulary, preprocessor, edit=edit)


def janus_pro(kit: Kit) -> None:
    template = turns(
        "<|{role}|>: ",
        "\n\n",
        "<image_placeholder>\n",
        "<|Assistant|>:",
        roles="message.role.capitalize()",
        start="<bos>",
    )
    special = ("<|User|>", "<|Assistant|>", "<begin_of_image>", "<image_placeholder>", "<end_of_image>")
    vocabulary = kit.vocabulary("deepseek-llm", special, template, bos="<bos>", eos="<eos>")
    config = JanusConfig(
        text_config={"model_type": "llama", **text(vocabulary, tie_word_embeddings=False)},
        vision_config={
            **tower(image_size=384, patch_size=16, projection_dim=WIDTH, depth=2, mlp_ratio=FEED_FORWARD / WIDTH),
        },
        # makes pictures, and is not converted
        vq_config={"base_channels": 32, "channel_multiplier": [1, 1], "num_res_blocks": 1, "latent_channels": 32,
                   "num_embeddings": 16, "projection_dim": WIDTH, "image_token_embed_dim": WIDTH},
        image_token_id=vocabulary.id("<image_placeholder>"), tie_word_embeddings=False,
    )  # fmt: skip
    preprocessor = {"size": {"height": 384, "width": 384}, "min_size": 14, **HALF}
    kit.write(kit.model(JanusForConditionalGeneration(config)), vocabulary, preprocessor)
