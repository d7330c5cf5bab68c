"""Muse Glimmer: any size, 4 patches become a token; windows in three of four layers."""

from __future__ import annotations

from transformers import MuseGlimmerConfig, MuseGlimmerForConditionalGeneration

from .kit import Kit
from .sizes import HALF, WIDTH, text, tower


def muse_glimmer(kit: Kit) -> None:
    special = ("<|image_start|>", "<|image_end|>", "<|patch|>", "<|video|>", "<|header_start|>", "<|header_end|>")
    vocabulary = kit.vocabulary(
        "llama-bpe", special, "muse-glimmer.jinja", bos="<|begin_of_text|>", eos="<|eot|>", pre="llama4"
    )
    config = MuseGlimmerConfig(
        text_config=text(vocabulary, num_hidden_layers=4),
        vision_config=tower(num_hidden_layers=4, patch_size=14, pos_emb_height=32, pos_emb_width=32, merge_size=2),
        image_token_id=vocabulary.id("<|patch|>"), video_token_id=vocabulary.id("<|video|>"),
        out_hidden_size=4 * WIDTH, projector_hidden_size=WIDTH,
    )  # fmt: skip
    preprocessor = {"patch_size": 14, "merge_size": 2, **HALF}
    kit.write(kit.model(MuseGlimmerForConditionalGeneration(config)), vocabulary, preprocessor)
