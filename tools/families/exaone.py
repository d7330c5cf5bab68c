"""EXAONE 4.5: Qwen2.5-VL's way of seeing, a language model of windows and whole views."""

from __future__ import annotations

from transformers import Exaone4_5_Config, Exaone4_5_ForConditionalGeneration

from .kit import Kit
from .qwen import PIXELS, TOWER
from .sizes import CLIP, FEED_FORWARD, HEADS_KV, WIDTH, text
from .templates import turns


def exaone4_5(kit: Kit) -> None:
    template = turns("<|{role}|>\n", "<|endofturn|>\n", "<vision><|image_pad|></vision>", "<|assistant|>\n")
    special = ("<|system|>", "<|user|>", "<|assistant|>", "<vision>", "</vision>", "<|image_pad|>", "<|video_pad|>")
    vocabulary = kit.vocabulary("gpt-2", special, template, bos="[BOS]", eos="<|endofturn|>", pre="exaone4")
    language = text(vocabulary, num_hidden_layers=4, sliding_window=1024, sliding_window_pattern=4)
    language.pop("head_dim")
    tower = {
        "hidden_size": WIDTH, "intermediate_size": FEED_FORWARD, "out_hidden_size": WIDTH, "patch_size": 14,
        "num_key_value_heads": HEADS_KV, "window_size": 112, "fullatt_block_indexes": [1], **TOWER,
    }  # fmt: skip
    config = Exaone4_5_Config(
        text_config={"model_type": "exaone4", **language}, vision_config=tower,
        image_token_id=vocabulary.id("<|image_pad|>"), video_token_id=vocabulary.id("<|video_pad|>"),
    )  # fmt: skip
    kit.write(kit.model(Exaone4_5_ForConditionalGeneration(config)), vocabulary, {**PIXELS, **CLIP})
