"""Whole prompts against transformers: each family's template, and what its processor makes of an image in it."""

from __future__ import annotations

import hashlib
import json
import re

import pytest
from lookhere import ImagePart, Message
from lookhere.families import Family, family_of
from lookhere.prompt.chat import ChatTemplate
from pinned import PIXELS, all_around, brought, texts
from published import DIGESTS, EXPANSIONS, PUBLISHED, in_tiles
from transformers.utils.chat_template_utils import render_jinja_template

TOKENS = {"bos_token": "<BOS>", "eos_token": "<EOS>"}
IMAGE = ImagePart(None)
ARCHIVED = {
    "qwen3vl_merger": "Qwen3.5-4B.jinja",
    "gemma4v": "google-gemma-4-31B-it.jinja",
    "pixtral": "Mistral-Small-3.2-24B-Instruct-2506.jinja",
    "minimax_m3": "MiniMax-M3.jinja",
}
"""Templates of the pinned source's archive."""


def say(*turns, system=None):
    first = [] if system is None else [Message("system", (system,))]
    return first + [Message("assistant" if k % 2 else "user", turn) for k, turn in enumerate(turns)]


CONVERSATIONS = {
    "text": say(("Hello there",)),
    "system": say(("Hello there",), system="Be brief."),
    "image": say((IMAGE, "What is it?")),
    "system and image": say((IMAGE, "What is it?"), system="Be brief."),
    "two images": say((IMAGE, IMAGE, "Compare them.")),
    "two turns": say((IMAGE, "What is it?"), ("A dog.",), (IMAGE, "And here?")),
}


def family(kind: str) -> Family:
    found = family_of({"smolvlm": "idefics3"}.get(kind, kind))
    assert found is not None
    return found


def source_of(kind: str) -> str:
    if kind in ARCHIVED:
        return texts(r"/models/templates/[^/]*\.jinja$")[ARCHIVED[kind]]
    return PUBLISHED[kind].source


def ours(kind, messages):
    """Our pieces, joined, with all that libmtmd gives for each image."""
    known = family(kind)
    pieces = ChatTemplate(source_of(kind), **TOKENS, family=known).pieces(messages)
    image = known.begin + PIXELS + known.end
    return "".join(image if piece.kind == "image" else piece.text for piece in pieces)


def in_transformers(source, messages):
    """As transformers renders it, given lists of parts; texts alone where that is all that the template takes."""
    for listed in (("system", "user", "assistant"), ("user", "assistant"), ("user",), ()):
        given = []
        for message in messages:
            parts = [{"type": "text", "text": x} if isinstance(x, str) else {"type": "image"} for x in message.parts]
            given.append({"role": message.role, "content": parts if message.role in listed else message.text})
        try:
            rendered, _ = render_jinja_template([given], chat_template=source, add_generation_prompt=True, **TOKENS)
        except Exception:
            continue
        if "'type'" not in rendered[0] and all(message.text in rendered[0] for message in messages):
            return rendered[0]
    raise AssertionError("the template takes none of these forms")


@pytest.mark.parametrize("conversation", CONVERSATIONS)
@pytest.mark.parametrize("kind", EXPANSIONS)
def test_a_whole_prompt_is_as_transformers_makes_it(kind, conversation):
    messages = CONVERSATIONS[conversation]
    token, expansion = EXPANSIONS[kind]()
    collapsed = re.sub(rf"(?:{re.escape(token)}|<image_soft_token>)+", PIXELS, expansion())
    if kind == "gemma3":  # there the token before the image is the one that stands for it
        collapsed = re.sub("<image_soft_token>|" + PIXELS, "#", expansion())
        collapsed = re.sub("#+", PIXELS, collapsed)
    theirs = in_transformers(source_of(kind), messages).replace(token, collapsed)
    assert ours(kind, messages) == theirs
    assert theirs.count(PIXELS) == sum(len(message.images) for message in messages)


def test_published_templates_are_those_that_were_published():
    for source, digest in DIGESTS.items():
        assert hashlib.sha256(json.dumps(source).encode()).hexdigest() == digest


def test_the_table_says_where_templates_are_from():
    for kind in {*PUBLISHED, *ARCHIVED} - {"smolvlm"}:
        assert family(kind).template == ("llama.cpp" if kind in ARCHIVED else PUBLISHED[kind].origin), kind


@pytest.mark.parametrize("kind", PUBLISHED)
def test_every_published_template_takes_every_conversation(kind):
    for messages in CONVERSATIONS.values():
        images = sum(len(message.images) for message in messages)
        assert ours(kind, messages).count(PIXELS) == images
        assert [piece.kind for piece in ChatTemplate(source_of(kind), family=family(kind)).pieces(messages)].count(
            "image"
        ) == images


@pytest.mark.parametrize("kind", ["idefics3", "smolvlm", "lfm2", "minicpmv4_6", "internvl"])
@pytest.mark.parametrize("tiles", [(1, 2), (2, 2), (3, 1)])
def test_the_words_between_tiles_are_those_of_transformers(kind, tiles):
    known = family(kind)
    name = known.projectors[0]
    made = brought(name, *tiles)
    assert made.startswith(known.begin)
    assert made.endswith(known.end)
    assert known.before.replace("{index}", "0") + made + known.after == in_tiles(kind, *tiles)


def test_what_is_not_as_transformers_has_it_is_said():
    """The words within Kimi's marker, which libmtmd leaves out."""
    known = family("kimivl")
    written = known.markers[0]
    assert "<|media_start|>" in written.partition("image")[0]
    assert written.replace("image<|media_content|><|media_pad|>", "") == known.begin + known.end
    assert "image<|media_content|>" in known.limits
    assert all_around()["kimivl"].begins == {known.begin}
