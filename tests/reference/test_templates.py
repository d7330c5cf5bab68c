"""Chat templates against transformers itself, on those in the pinned llama.cpp source."""

from __future__ import annotations

import re
from functools import cache
from pathlib import Path

import pinned
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from lookhere import ImagePart, Message, TemplateError
from lookhere.families import image_markers
from lookhere.prompt.chat import ChatTemplate
from lookhere.prompt.environment import compiled
from transformers.utils.chat_template_utils import _compile_jinja_template, render_jinja_template

TOKENS = {"bos_token": "<BOS>", "eos_token": "<EOS>"}
IMAGE = ImagePart(None)

KIMI = "<|media_start|>image<|media_content|><|media_pad|><|media_end|>"
MARKERS = {
    "Apriel-1.6-15b-Thinker-fixed": "[IMG]",
    "Kimi-K2-Instruct": KIMI,
    "Kimi-K2-Thinking": KIMI,
    "LFM2.5-8B-A1B": "<image>",
    "MiniMax-M3": "]<]image[>[",
    "Mistral-Small-3.2-24B-Instruct-2506": "[IMG]",
    "Qwen3.5-4B": "<|vision_start|><|image_pad|><|vision_end|>",
    "Reka-Edge": "<image>" + "<REKA_IMG_TOKEN>" * 64 + "</image>",
    "StepFun3.5-Flash": "<im_patch>",
    "google-gemma-4-31B-it": "<|image|>",
    "google-gemma-4-31B-it-interleaved": "<|image|>",
    "mistralai-Ministral-3-14B-Reasoning-2512": "[IMG]",
    "moonshotai-Kimi-K2": KIMI,
    "muse-glimmer": "<|patch|>",
    "unsloth-Apriel-1.5": "[IMG]",
    "unsloth-mistral-Devstral-Small-2507": "[IMG]",
}
"""What the templates that take images write for one."""

UNKNOWN = {"Cohere2MoE": "<|IMG_PATCH|>", "Kimi-K3": "<|kimi_image_placeholder|>"}
"""What is written for an image by families that are not known here."""


@cache
def templates() -> dict[str, str]:
    """The templates in the archive that lookhere is built from, by their names."""
    found = {Path(name).stem: text for name, text in pinned.texts(r"/models/templates/[^/]*\.jinja$").items()}
    assert len(found) > 60
    return found


def in_transformers(source, messages, form, marker):
    """The same messages as transformers renders them, or what it raises. form: what is given as a list of parts."""
    given = []
    for message in messages:
        if message.role in {"lists": ("user", "assistant"), "users' lists": ("user",), "texts": ()}[form]:
            content = [
                {"type": "text", "text": part} if isinstance(part, str) else {"type": "image"} for part in message.parts
            ]
        else:
            content = "".join(part if isinstance(part, str) else marker for part in message.parts)
        given.append({"role": message.role, "content": content})
    try:
        rendered, _ = render_jinja_template([given], chat_template=source, add_generation_prompt=True, **TOKENS)
    except Exception as error:
        return error
    return rendered[0]


def ours(source, messages, marker):
    """Our pieces, joined, with the marker for each image."""
    pieces = ChatTemplate(source, **TOKENS).pieces(messages)
    return "".join(marker if piece.kind == "image" else piece.text for piece in pieces)


def check(name, messages):
    """As transformers renders it in one of the forms, or an error that says what is wrong."""
    source = templates()[name]
    images = any(message.images for message in messages)
    marker = MARKERS.get(name, "<marker>")
    try:
        rendered, said = ours(source, messages, marker), ""
    except TemplateError as error:
        rendered, said = None, str(error)
    if images and name in UNKNOWN:
        assert UNKNOWN[name] in said
        assert "is not known here" in said
        return
    if rendered is None:
        expected = in_transformers(source, messages, "texts", marker)
        assert isinstance(expected, Exception), (name, said)
        assert f"cannot be rendered: {type(expected).__name__}: {str(expected)[:100]}" in said
        return
    forms = ("users' lists", "lists") if images and name in MARKERS else ("texts", "users' lists", "lists")
    expected = [in_transformers(source, messages, form, marker) for form in forms]
    assert rendered in expected


def say(*turns):
    """A conversation from what the user and the model say, by turns."""
    return [Message("assistant" if k % 2 else "user", turn) for k, turn in enumerate(turns)]


CONVERSATIONS = {
    "text": say(("Hello there",)),
    "image first": say((IMAGE, "What is it?")),
    "image last": say(("What is it?", IMAGE)),
    "system": [Message("system", ("Be brief.",)), *say((IMAGE, "What is it?"))],
    "two images": say((IMAGE, IMAGE, "Compare.")),
    "turns": say((IMAGE, "What is it?"), ("A dog.",), ("And here?", IMAGE)),
    "later": say(("Hi",), ("Hello",), (IMAGE, "What is it?")),
    "white space": say(("  What is\n it? \n", IMAGE, " And\n"), ("\n\nA dog.\n",), (IMAGE, "\tHm?\n")),
}


@pytest.mark.parametrize("conversation", CONVERSATIONS)
def test_as_transformers_renders(conversation):
    for name in templates():
        check(name, CONVERSATIONS[conversation])


SPACE = st.text(" \t\n\u3000", max_size=2)
TEXT = st.builds(
    lambda a, text, b: a + text + b, SPACE, st.text("aé {}<|'\"\n", min_size=1, max_size=8).filter(str.strip), SPACE
)
USER = st.lists(TEXT | st.just(IMAGE), min_size=1, max_size=4).filter(lambda parts: parts != [IMAGE] * len(parts))


@settings(max_examples=300, deadline=None, suppress_health_check=list(HealthCheck))
@given(
    name=st.deferred(lambda: st.sampled_from(sorted(templates()))),
    system=st.none() | TEXT,
    before=st.lists(st.tuples(USER, TEXT), max_size=2),
    last=USER,
)
def test_any_conversation(name, system, before, last):
    turns = [turn for user, assistant in before for turn in (user, (assistant,))]
    check(name, [*([] if system is None else [Message("system", (system,))]), *say(*turns, last)])


def test_templates_that_take_images_are_known():
    """Every template that writes something of its own for an image is in one of the lists above."""
    found = set()
    for name, source in templates().items():
        with_image, without = (in_transformers(source, say(parts), "lists", "") for parts in ((IMAGE, "?"), ("?",)))
        both = isinstance(with_image, str) and isinstance(without, str)
        if both and with_image != without and not re.search("['\"]type['\"]", with_image):
            found.add(name)
    assert found == {*MARKERS, *UNKNOWN}
    assert all(any(re.fullmatch(each, marker) for each in image_markers()) for marker in MARKERS.values())


def test_the_environment_is_the_same():
    mine, theirs = compiled("").environment, _compile_jinja_template("").environment
    assert type(mine) is type(theirs)
    for name in ("trim_blocks", "lstrip_blocks", "keep_trailing_newline", "autoescape", "undefined", "policies"):
        assert getattr(mine, name) == getattr(theirs, name), name
    for name in ("filters", "tests", "globals"):
        assert set(getattr(mine, name)) == set(getattr(theirs, name)), name
    tags = [{tag for extension in each.extensions.values() for tag in extension.tags} for each in (mine, theirs)]
    assert tags[0] == tags[1] == {"generation", "break", "continue"}


VALUES = '{"b": [1, 2.5, none, true], "a": {"é": "<&>\'"}}'


@pytest.mark.parametrize(
    "source",
    [
        "{{ v | tojson }}",
        "{{ v | tojson(indent=2) }}",
        "{{ v | tojson(true) }}",
        "{{ v | tojson(false, 4, (',', ':'), true) }}",
        "{{ v | tojson(ensure_ascii=true, separators=(', ', ' : '), sort_keys=true) }}",
        "{{ v | tojson(sort_keys=true, indent='\t') }}",
        "{{ v | tojson(nothing=1) }}",
        "{{ missing | tojson }}",
        "{{ strftime_now('%Y-%m') }}{{ strftime_now(format='%d') }}",
        "{{ strftime_now() }}",
        "{{ raise_exception('no') }}",
        "{{ raise_exception(message='no') }}",
        "a{% generation %}b{{ v.b }}{% endgeneration %}c",
        "a\n  {%- generation -%}\n  b\n  {%- endgeneration %}\nc",
        "{% set x = 1 %}{% generation %}{% set x = 2 %}{{ x }}{% endgeneration %}{{ x }}",
        "{% for i in range(3) %}{% generation %}{{ loop.index }}{% endgeneration %}{% endfor %}",
        "{% generation %}{% generation %}b{% endgeneration %}{% endgeneration %}",
        "{% generation %}b",
        "{% macro f() %}{% generation %}m{% endgeneration %}{% endmacro %}{{ f() ~ f() }}",
        "{% for i in range(9) %}{% if i == 2 %}{% continue %}{% endif %}{{ i }}{% if i > 4 %}{% break %}{% endif %}"
        "{% endfor %}",
        "{{ dict(a=1, b=2) }}{{ dict([('a', 1)]) }}{{ dict.fromkeys(['a'], 2) }}",
        "{{ dict.__class__ }}",
        "{{ dict.mro() }}",
        "{% set n = namespace(x=1, self=2) %}{% set n.x = 3 %}{{ n.x }}{{ n.self }}",
        "{% set n = namespace(_x=1) %}",
        "{% set n = namespace() %}{% set n._x = 1 %}",
        "{% set n = namespace(v) %}{{ n.b }}",
        "{{ [1].append(2) }}",
        "{{ v.update({'c': 1}) }}",
        "{{ v.items() | list }}{{ v | dictsort }}",
        "{{ cycler.__init__ }}{{ joiner('x') }}",
        "{{ bos_token is defined }}{{ pad_token is defined }}{{ tools is none }}{{ documents is none }}",
        "  {% if true %}\n  x\n  {% endif %}\n\n",
        "{% include 'x' %}",
        "{% import 'x' as y %}",
        "{{ 'a' ~ 1 // 0 }}",
        "{{ range(10**6) | length }}",
        "{% if %}",
        "{{ '%s' | format(v.a) }}{{ ''.format }}",
        "{{ '{0.__class__}'.format(v) }}",
    ],
)
def test_what_templates_may_write(source):
    source = f"{{% set v = {VALUES} %}}{source}"
    results = []
    for compile_template in (compiled, _compile_jinja_template):
        try:
            results.append(compile_template(source).render(bos_token="<s>", tools=None, documents=None))
        except Exception as error:
            results.append(type(error))
    if isinstance(results[0], str):
        results = [re.sub(r"0x\w+|\w+\.<locals>\.\w+|<[^<>]* object at [^<>]*>", "", each) for each in results]
    assert results[0] == results[1]
