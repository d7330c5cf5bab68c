"""Chat templates of families that are not in the pinned source's archive, and what transformers makes of an image.

PUBLISHED: templates by the kind of the projector. Those called "published" are the family's own; "transformers", that
package's (Apache-2.0), read from it or written here as its tests have them; "excerpt", short ones that say only how the
family's own marks turns and images, as public sources tell it. Those of no origin are made up.
"""

from __future__ import annotations

from collections.abc import Callable
from types import SimpleNamespace
from typing import Any, NamedTuple

import numpy as np
import pytest
from pinned import PIXELS
from transformers import processing_utils
from transformers.models.smolvlm import processing_smolvlm


class Published(NamedTuple):
    """origin: published, transformers, excerpt or ''. source: Jinja2."""

    origin: str
    source: str


def chatml(image: str) -> str:
    """Turns of ChatML with lists of parts, or texts."""
    return (
        "{% for message in messages %}<|im_start|>{{ message['role'] }}\n"
        "{% if message['content'] is string %}{{ message['content'] }}{% else %}{% for content in message['content'] %}"
        "{% if content['type'] == 'image' %}" + image + "{% elif 'text' in content %}{{ content['text'] }}{% endif %}"
        "{% endfor %}{% endif %}<|im_end|>\n{% endfor %}"
        "{% if add_generation_prompt %}<|im_start|>assistant\n{% endif %}"
    )


def turns(image: str, user: str, assistant: str, end: str) -> str:
    """Turns with lists of parts from everybody, or texts; the system text before the first."""
    return (
        "{% for m in messages %}{% if m.role == 'user' %}" + user + "{% elif m.role == 'assistant' %}" + assistant +
        "{% endif %}{% if m.content is string %}{{ m.content }}{% else %}{% for c in m.content %}"
        "{% if c.type == 'image' %}" + image + "{% else %}{{ c.text }}{% endif %}{% endfor %}{% endif %}" + end +
        "{% endfor %}{% if add_generation_prompt %}" + assistant + "{% endif %}"
    )  # fmt: skip


GEMMA3 = (
    "{{ bos_token }}\n{%- if messages[0]['role'] == 'system' -%}\n    {%- set first_user_prefix = "
    "messages[0]['content'][0]['text'] + '\n\n' -%}\n    {%- set loop_messages = messages[1:] -%}\n{%- else -%}\n"
    '    {%- set first_user_prefix = "" -%}\n    {%- set loop_messages = messages -%}\n{%- endif -%}\n'
    "{%- for message in loop_messages -%}\n    {%- if (message['role'] == 'user') != (loop.index0 % 2 == 0) -%}\n"
    '        {{ raise_exception("Conversation roles must alternate user/assistant/user/assistant/...") }}\n'
    "    {%- endif -%}\n    {%- if (message['role'] == 'assistant') -%}\n        {%- set role = \"model\" -%}\n"
    "    {%- else -%}\n        {%- set role = message['role'] -%}\n    {%- endif -%}\n"
    "    {{ '<start_of_turn>' + role + '\n' + (first_user_prefix if loop.first else \"\") }}\n"
    "    {%- if message['content'] is string -%}\n        {{ message['content'] | trim }}\n"
    "    {%- elif message['content'] is iterable -%}\n        {%- for item in message['content'] -%}\n"
    "            {%- if item['type'] == 'image' -%}\n                {{ '<start_of_image>' }}\n"
    "            {%- elif item['type'] == 'text' -%}\n                {{ item['text'] | trim }}\n"
    "            {%- endif -%}\n        {%- endfor -%}\n    {%- else -%}\n"
    "        {{ raise_exception(\"Invalid content type\") }}\n    {%- endif -%}\n    {{ '<end_of_turn>\n' }}\n"
    "{%- endfor -%}\n{%- if add_generation_prompt -%}\n    {{'<start_of_turn>model\n'}}\n{%- endif -%}\n"
)
"""tests/models/gemma3/test_processing_gemma3.py of transformers."""

LLAVA = (
    "{% for message in messages %}{% if message['role'] != 'system' %}{{ message['role'].upper() + ': '}}{% endif %}"
    "{# Render all images first #}{% for content in message['content'] | selectattr('type', 'equalto', 'image') %}"
    "{{ '<image>\n' }}{% endfor %}{# Render all text next #}{% if message['role'] != 'assistant' %}"
    "{% for content in message['content'] | selectattr('type', 'equalto', 'text') %}{{ content['text'] + ' '}}"
    "{% endfor %}{% else %}{% for content in message['content'] | selectattr('type', 'equalto', 'text') %}"
    "{% generation %}{{ content['text'] + ' '}}{% endgeneration %}{% endfor %}{% endif %}{% endfor %}"
    "{% if add_generation_prompt %}{{ 'ASSISTANT:' }}{% endif %}"
)
"""tests/models/llava/test_processing_llava.py of transformers."""

IDEFICS3 = (
    "<|im_start|>{% for message in messages %}{{message['role'] | capitalize}}{% if message['content'][0]['type'] == "
    "'image' %}{{':'}}{% else %}{{': '}}{% endif %}{% for line in message['content'] %}{% if line['type'] == 'text' %}"
    "{{line['text']}}{% elif line['type'] == 'image' %}{{ '<image>' }}{% endif %}{% endfor %}<end_of_utterance>\n"
    "{% endfor %}{% if add_generation_prompt %}{{ 'Assistant:' }}{% endif %}"
)
"""tests/models/idefics3 and tests/models/smolvlm of transformers."""

PADDLE = (
    "{{ '<|begin_of_sentence|>' }}{% for m in messages %}{% if m.role == 'user' %}User: {% for c in m.content %}"
    "{% if c.type == 'image' %}<|IMAGE_START|><|IMAGE_PLACEHOLDER|><|IMAGE_END|>{% endif %}{% endfor %}"
    "{% for c in m.content %}{% if c.type == 'text' %}{{ c.text }}{% endif %}{% endfor %}{{ '\n' }}"
    "{% elif m.role == 'assistant' %}Assistant:\n{% for c in m.content %}{% if c.type == 'text' %}"
    "{{ c.text }}{% endif %}{% endfor %}</s>{% else %}{% for c in m.content %}{% if c.type == 'text' %}"
    "{{ c.text + '\n' }}{% endif %}{% endfor %}{% endif %}{% endfor %}"
    "{% if add_generation_prompt %}Assistant:\n{% endif %}"
)
_HY = "<\uff5chy_place\u2581holder\u2581no\u2581{}\uff5c>"
HUNYUAN = "".join(_HY.format(k) for k in (100, 102, 101))

QWEN = (
    "{% set image_count = namespace(value=0) %}{% set video_count = namespace(value=0) %}{% for message in messages %}"
    "{% if loop.first and message['role'] != 'system' %}<|im_start|>system\nYou are a helpful assistant.<|im_end|>\n"
    "{% endif %}<|im_start|>{{ message['role'] }}\n{% if message['content'] is string %}{{ message['content'] }}"
    "<|im_end|>\n{% else %}{% for content in message['content'] %}{% if content['type'] == 'image' or 'image' in "
    "content or 'image_url' in content %}{% set image_count.value = image_count.value + 1 %}{% if add_vision_id %}"
    "Picture {{ image_count.value }}: {% endif %}<|vision_start|><|image_pad|><|vision_end|>"
    "{% elif content['type'] == 'video' or 'video' in content %}{% set video_count.value = video_count.value + 1 %}"
    "{% if add_vision_id %}Video {{ video_count.value }}: {% endif %}<|vision_start|><|video_pad|><|vision_end|>"
    "{% elif 'text' in content %}{{ content['text'] }}{% endif %}{% endfor %}<|im_end|>\n{% endif %}{% endfor %}"
    "{% if add_generation_prompt %}<|im_start|>assistant\n{% endif %}"
)
"""Of Qwen/Qwen2.5-VL-7B-Instruct (Apache-2.0)."""

GLM4V = (
    "[gMASK]<sop>\n{%- for msg in messages %}\n    {%- if msg.role == 'system' %}\n<|system|>\n{{ msg.content }}\n"
    "    {%- elif msg.role == 'user' %}\n<|user|>{{ '\\n' }}\n\n        {%- if msg.content is string %}\n"
    "{{ msg.content }}\n        {%- else %}\n            {%- for item in msg.content %}\n"
    "                {%- if item.type == 'video' or 'video' in item %}\n<|begin_of_video|><|video|><|end_of_video|>\n"
    "                {%- elif item.type == 'image' or 'image' in item %}\n<|begin_of_image|><|image|><|end_of_image|>\n"
    "                {%- elif item.type == 'text' %}\n{{ item.text }}\n                {%- endif %}\n"
    "            {%- endfor %}\n        {%- endif %}\n    {%- elif msg.role == 'assistant' %}\n"
    "        {%- if msg.metadata %}\n<|assistant|>{{ msg.metadata }}\n{{ msg.content }}\n        {%- else %}\n"
    "<|assistant|>\n{{ msg.content }}\n        {%- endif %}\n    {%- endif %}\n{%- endfor %}\n"
    "{% if add_generation_prompt %}<|assistant|>\n{% endif %}"
)
"""Of zai-org/GLM-4.1V-9B-Thinking (MIT)."""

DIGESTS = {
    QWEN: "4df95d05455c2a6f762616492bba63d0f9bef904ef47daabad35f5715d6d2e4e",
    GLM4V: "5232dbe7ee947df4d2009f2b262b70a22d4f2d2f0590e2af4ef2a78096171e90",
}
"""SHA-256 of the published templates as JSON texts, as a public record of them says."""

_HEADER = "<|header_start|>{}<|header_end|>\n\n"
LLAMA4 = turns("<|image|>", _HEADER.format("user"), _HEADER.format("assistant"), "<|eot|>")
KIMI = turns(
    "<|media_start|>image<|media_content|><|media_pad|><|media_end|>",
    "<|im_user|>user<|im_middle|>", "<|im_assistant|>assistant<|im_middle|>", "<|im_end|>",
)  # fmt: skip

PUBLISHED = {
    "qwen2vl_merger": Published("published", QWEN),
    "qwen2.5vl_merger": Published("published", QWEN),
    "gemma3": Published("transformers", GEMMA3),
    "gemma3nv": Published("excerpt", GEMMA3.replace("<start_of_image>", "<image_soft_token>")),
    "mlp": Published("transformers", LLAVA),
    "idefics3": Published("transformers", IDEFICS3),
    "smolvlm": Published("transformers", processing_smolvlm.DEFAULT_CHAT_TEMPLATE),
    "internvl": Published("excerpt", chatml("<IMG_CONTEXT>\n")),
    "glm4v": Published("published", GLM4V),
    "paddleocr": Published("excerpt", PADDLE),
    "hunyuanvl": Published("excerpt", turns(HUNYUAN, "", _HY.format(3), "")),
    "llama4": Published("excerpt", "<|begin_of_text|>" + LLAMA4),
    "janus_pro": Published("excerpt", turns("<image_placeholder>\n", "<|User|>: ", "<|Assistant|>: ", "\n\n")),
    "dots_ocr": Published("excerpt", turns("<|img|><|imgpad|><|endofimg|>", "<|user|>", "<|assistant|>", "<|endof|>")),
    "kimivl": Published("excerpt", KIMI),
    "minicpmv4_6": Published("", chatml("<|image_pad|>")),
    "exaone4_5": Published(
        "", turns("<vision><|image_pad|></vision>", "<|user|>\n", "<|assistant|>\n", "<|eot|>\n")
    ),
}  # fmt: skip


def processor(name: str, **attributes: Any) -> Any:
    """A processor of transformers without a tokenizer's files and an image processor. name: module.class."""
    module, _, kind = name.partition(".")
    loaded = __import__(f"transformers.models.{module}.processing_{module}", fromlist=[kind])
    made = object.__new__(getattr(loaded, kind))
    vars(made).update({"image_processor": SimpleNamespace(merge_size=2, spatial_patch_size=1), **attributes})
    return made


def initialized(name: str, tokenizer: dict[str, Any], **options: Any) -> Any:
    """As ``processor``, made by its own __init__ but for what all processors have in common."""
    module, _, kind = name.partition(".")
    loaded = __import__(f"transformers.models.{module}.processing_{module}", fromlist=[kind])
    common = processing_utils.ProcessorMixin.__init__
    processing_utils.ProcessorMixin.__init__ = lambda self, *_, **__: None  # type: ignore[method-assign]
    try:
        return getattr(loaded, kind)(image_processor=None, tokenizer=SimpleNamespace(**tokenizer), **options)
    finally:
        processing_utils.ProcessorMixin.__init__ = common  # type: ignore[method-assign]


GRID = {"image_grid_thw": np.array([[1, 4, 6]])}
SIZE = {"image_sizes": [(56, 84)]}


def grid(module: str, token: str) -> tuple[str, Callable[[], str]]:
    """Of the processors that count tokens by image_grid_thw."""
    made = processor(module, image_token=token, cat_extra_token=1)
    return token, lambda: made.replace_image_token(GRID, 0)


def _gemma(name: str, image: str) -> tuple[str, Callable[[], str]]:
    tokens = {"boi_token": "<start_of_image>", "eoi_token": "<end_of_image>", "image_token": "<image_soft_token>",
              "boi_token_id": 1, "image_token_id": 2, "boa_token": "", "audio_token": "", "eoa_token": ""}  # fmt: skip
    more = {"feature_extractor": None} if name.startswith("gemma3n") else {}
    made = initialized(name, {**tokens, "audio_token_id": 3}, **more)
    return image, lambda: made.replace_image_token({"num_crops": [0]}, 0)


def _janus() -> tuple[str, Callable[[], str]]:
    made = processor("janus.JanusProcessor", image_token="<image_placeholder>", num_image_tokens=9,
                     image_start_token="<begin_of_image>", image_end_token="<end_of_image>")  # fmt: skip
    return "<image_placeholder>", lambda: made.replace_image_token({}, 0)


def _internvl() -> tuple[str, Callable[[], str]]:
    made = processor("internvl.InternVLProcessor", image_token="<IMG_CONTEXT>", image_seq_length=4,
                     start_image_token="<img>", end_image_token="</img>")  # fmt: skip
    return "<IMG_CONTEXT>", lambda: made.replace_image_token({"num_patches": [1]}, 0)


def _pixtral() -> tuple[str, Callable[[], str]]:
    pytest.importorskip("torchvision", reason="transformers' Pixtral needs torchvision")
    made = processor("pixtral.PixtralProcessor", image_token="[IMG]", image_break_token="[IMG_BREAK]",
                     image_end_token="[IMG_END]", patch_size=14, spatial_merge_size=2)  # fmt: skip
    return "[IMG]", lambda: made.replace_image_token(SIZE, 0).replace("[IMG_BREAK]", "[IMG]")


def _gemma4() -> tuple[str, Callable[[], str]]:
    made = processor("gemma4.Gemma4Processor", image_token="<|image|>", boi_token="<|image>", eoi_token="<image|>")
    return "<|image|>", lambda: made.replace_image_token({"num_soft_tokens_per_image": [9]}, 0)


def _llava() -> tuple[str, Callable[[], str]]:
    made = processor("llava.LlavaProcessor", image_token="<image>", patch_size=14, num_additional_image_tokens=1,
                     vision_feature_select_strategy="default")  # fmt: skip
    return "<image>", lambda: made.replace_image_token({"pixel_values": [np.zeros((3, 56, 84))]}, 0)


def _llama4() -> tuple[str, Callable[[], str]]:
    made = processor("llama4.Llama4Processor", patch_size=14, downsample_ratio=4)
    inputs = {"pixel_values": [np.zeros((3, 56, 56))], "aspect_ratios": [(1, 1)]}
    # the overview's own token before it is one that llama.cpp does not write; see Family.limits
    return (
        "<|image|>",
        lambda: made.replace_image_token(inputs, 0).replace("<|image|>", "").replace("<|patch|>", "<|image|>"),
    )


EXPANSIONS: dict[str, Callable[[], tuple[str, Callable[[], str]]]] = {
    "qwen2vl_merger": lambda: grid("qwen2_vl.Qwen2VLProcessor", "<|image_pad|>"),
    "qwen2.5vl_merger": lambda: grid("qwen2_5_vl.Qwen2_5_VLProcessor", "<|image_pad|>"),
    "qwen3vl_merger": lambda: grid("qwen3_vl.Qwen3VLProcessor", "<|image_pad|>"),
    "glm4v": lambda: grid("glm46v.Glm46VProcessor", "<|image|>"),
    "paddleocr": lambda: grid("paddleocr_vl.PaddleOCRVLProcessor", "<|IMAGE_PLACEHOLDER|>"),
    "hunyuanvl": lambda: grid("hunyuan_vl.HunYuanVLProcessor", _HY.format(102)),
    "exaone4_5": lambda: grid("exaone4_5.Exaone4_5_Processor", "<|image_pad|>"),
    "dots_ocr": lambda: grid("dots3_note.Dots3NoteProcessor", "<|imgpad|>"),
    "gemma3": lambda: _gemma("gemma3.Gemma3Processor", "<start_of_image>"),
    "gemma3nv": lambda: _gemma("gemma3n.Gemma3nProcessor", "<image_soft_token>"),
    "gemma4v": _gemma4,
    "internvl": _internvl,
    "janus_pro": _janus,
    "llama4": _llama4,
    "mlp": _llava,
    "pixtral": _pixtral,
}
"""By the kind: the token that transformers expands in what a template wrote, and its expansion for one grid."""


def in_tiles(kind: str, rows: int, cols: int) -> str:
    """What transformers makes of an image of so many tiles, PIXELS for each run of image tokens."""
    if kind == "idefics3":
        made = processor("idefics3.Idefics3Processor", image_token=PIXELS, image_seq_len=1,
                         global_image_tag="<global-img>", fake_image_token="<fake_token_around_image>")  # fmt: skip
        return made.replace_image_token({"rows": [[rows]], "cols": [[cols]]}, 0)
    if kind == "smolvlm":
        made = processor("smolvlm.SmolVLMProcessor", image_token=PIXELS, image_seq_len=1,
                         global_image_token="<global-img>", fake_image_token="<fake_token_around_image>")  # fmt: skip
        return made.replace_image_token({"rows": [[rows]], "cols": [[cols]]}, 0)
    if kind == "lfm2":
        made = processor("lfm2_vl.Lfm2VlProcessor", image_token=PIXELS, image_start_token="<|image_start|>",
                         image_end_token="<|image_end|>", image_thumbnail_token="<|img_thumbnail|>")  # fmt: skip
        return made._build_image_tokens(rows, cols, 1, 1, True, True)
    if kind == "minicpmv4_6":
        made = processor("minicpmv4_6.MiniCPMV4_6Processor", image_token=PIXELS, slice_mode=True,
                         image_start_token="<image>", image_end_token="</image>", slice_start_token="<slice>",
                         slice_end_token="</slice>", image_id_start_token="<image_id>",
                         image_id_end_token="</image_id>")  # fmt: skip
        sizes = {
            "grids": [(rows, cols)],
            "num_patches_per_image": [rows * cols + 1],
            "target_sizes": np.full((rows * cols + 1, 2), 4),
        }
        return made._prepend_local_ids(["*"], [made.replace_image_token(sizes, 0, image_token_divisor=16)], "*")[0]
    assert kind == "internvl"
    made = _internvl()[1]
    return made().replace("<IMG_CONTEXT>" * 4, PIXELS * (rows * cols + 1))
