"""HunyuanVL: any size, stretched; begin, row breaks and end are tokens of the image."""

from __future__ import annotations

from transformers import HunYuanVLConfig, HunYuanVLForConditionalGeneration

from .kit import Kit
from .sizes import CLIP, WIDTH, text, tower
from .templates import turns

_HOLDER = "<\uff5chy_place\u2581holder\u2581no\u2581{}\uff5c>"


def hunyuan_vl(kit: Kit) -> None:
    begin, image, end, line = (_HOLDER.format(number) for number in (100, 102, 101, 103))
    user, eos = "<\uff5chy_User\uff5c>", "<\uff5chy_Assistant\uff5c>"
    bos = "<\uff5chy_begin\u2581of\u2581sentence\uff5c>"
    template = turns("{role}", "", f"{begin}{image}{end}", user, roles="''", start=bos)
    special = (user, begin, image, end, line)
    vocabulary = kit.vocabulary("gpt-2", special, template, bos=bos, eos=eos, pre="hunyuan-dense")
    rope = {"rope_type": "dynamic", "rope_theta": 1e4, "alpha": 1000.0, "factor": 1.0, "mrope_section": [2, 2, 2, 2]}
    config = HunYuanVLConfig(
        text_config=text(vocabulary, rope_parameters=rope, tie_word_embeddings=True),
        vision_config=tower(
            patch_size=16, spatial_merge_size=2, max_image_size=2048, out_hidden_size=WIDTH, text_hidden_size=WIDTH
        ),
        image_token_id=vocabulary.id(image), im_start_id=vocabulary.id(begin), im_end_id=vocabulary.id(end),
        im_newline_id=vocabulary.id(line),
    )  # fmt: skip
    preprocessor = {"min_pixels": 512 * 512, "max_pixels": 2048 * 2048, "patch_size": 16, "merge_size": 2, **CLIP}
    kit.write(kit.model(HunYuanVLForConditionalGeneration(config)), vocabulary, preprocessor)
