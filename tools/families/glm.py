"""GLM-4.1V: any size, M-RoPE, four patches become a token."""

from __future__ import annotations

from transformers import Glm4vConfig, Glm4vForConditionalGeneration

from .kit import Kit
from .sizes import CLIP, FEED_FORWARD, HEADS, TOWER_LAYERS, WIDTH, text
from .templates import turns


def glm4v(kit: Kit) -> None:
    template = turns("<|{role}|>\n", "", "<|begin_of_image|><|image|><|end_of_image|>", "<|assistant|>\n",
                     start="[gMASK]<sop>")  # fmt: skip
    special = ("[gMASK]", "<sop>", "<|system|>", "<|user|>", "<|assistant|>", "<|begin_of_image|>", "<|end_of_image|>",
               "<|image|>", "<|begin_of_video|>", "<|end_of_video|>", "<|video|>")  # fmt: skip
    vocabulary = kit.vocabulary("gpt-2", special, template, bos="<|endoftext|>", eos="<|endoftext|>", pre="glm4")
    rope = {"rope_type": "default", "rope_theta": 1e4, "partial_rotary_factor": 0.5, "mrope_section": [1, 1, 2]}
    language = text(vocabulary, rope_parameters=rope, tie_word_embeddings=False)
    language.pop("head_dim")
    config = Glm4vConfig(
        text_config=language,
        vision_config={
            "depth": TOWER_LAYERS, "hidden_size": WIDTH, "num_heads": HEADS, "image_size": 336, "patch_size": 14,
            "spatial_merge_size": 2, "temporal_patch_size": 2, "out_hidden_size": WIDTH,
            "intermediate_size": FEED_FORWARD,
        },
        image_token_id=vocabulary.id("<|image|>"), video_token_id=vocabulary.id("<|video|>"),
        image_start_token_id=vocabulary.id("<|begin_of_image|>"), image_end_token_id=vocabulary.id("<|end_of_image|>"),
        video_start_token_id=vocabulary.id("<|begin_of_video|>"), video_end_token_id=vocabulary.id("<|end_of_video|>"),
    )  # fmt: skip
    preprocessor = {"patch_size": 14, "merge_size": 2, "temporal_patch_size": 2,
                    "size": {"shortest_edge": 12544, "longest_edge": 9633792}, **CLIP}  # fmt: skip
    kit.write(kit.model(Glm4vForConditionalGeneration(config)), vocabulary, preprocessor)
