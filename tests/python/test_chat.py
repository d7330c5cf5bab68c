"""Chat templates: what is template, what is user text, where the image stands."""

import re

import pytest
from fake_engine import SPECIAL, TEMPLATE, EncodedImage, Model, write_gguf
from hypothesis import given
from hypothesis import strategies as st
from lookhere import ImagePart, Message, PromptError, TemplateError
from lookhere.prompt.chat import CHATML, ChatTemplate, Piece
from lookhere.prompt.layout import lay_out

QWEN2_VL = (
    "{% set image_count = namespace(value=0) %}{% set video_count = namespace(value=0) %}{% for message in messages %}"
    "{% if loop.first and message['role'] != 'system' %}<|im_start|>system\nYou are a helpful assistant.<|im_end|>\n"
    "{% endif %}<|im_start|>{{ message['role'] }}\n{% if message['content'] is string %}"
    "{{ message['content'] }}<|im_end|>\n"
    "{% else %}{% for content in message['content'] %}{% if content['type'] == 'image' or 'image' in content or "
    "'image_url' in content %}{% set image_count.value = image_count.value + 1 %}{% if add_vision_id %}Picture "
    "{{ image_count.value }}: {% endif %}<|vision_start|><|image_pad|><|vision_end|>"
    "{% elif content['type'] == 'video' or "
    "'video' in content %}<|vision_start|><|video_pad|><|vision_end|>{% elif 'text' in content %}{{ content['text'] }}"
    "{% endif %}{% endfor %}<|im_end|>\n{% endif %}{% endfor %}"
    "{% if add_generation_prompt %}<|im_start|>assistant\n{% endif %}"
)
LLAVA = (
    "{% for m in messages %}USER: {% for c in m['content'] %}{% if c['type'] == 'image' %}<image>\n"
    "{% else %}{{ c['text'] | trim }}{% endif %}{% endfor %} ASSISTANT:{% endfor %}"
)


def asked(prompt, system=None):
    """A question about one image."""
    user = Message("user", (ImagePart(None), prompt))
    return [user] if system is None else [Message("system", (system,)), user]


def pieces_of(template, prompt, system=None):
    return template.pieces(asked(prompt, system))


def test_a_template_of_content_lists_writes_the_image_once():
    pieces = pieces_of(ChatTemplate(QWEN2_VL), "What is it?")
    assert pieces == [
        Piece("template", "<|im_start|>system\nYou are a helpful assistant.<|im_end|>\n<|im_start|>user\n"),
        Piece("image"),
        Piece("text", "What is it?"),
        Piece("template", "<|im_end|>\n<|im_start|>assistant\n"),
    ]
    pieces = pieces_of(ChatTemplate(QWEN2_VL), "What is it?", "Be brief.")
    assert pieces[1] == Piece("text", "Be brief.")


def test_a_template_of_strings_gets_the_image_before_the_text():
    assert pieces_of(ChatTemplate(CHATML), "Hm?", "S") == [
        Piece("template", "<|im_start|>system\n"),
        Piece("text", "S"),
        Piece("template", "<|im_end|>\n<|im_start|>user\n"),
        Piece("image"),
        Piece("text", "Hm?"),
        Piece("template", "<|im_end|>\n<|im_start|>assistant\n"),
    ]


def test_another_image_marker():
    assert pieces_of(ChatTemplate(LLAVA), "Hm?") == [
        Piece("template", "USER: "),
        Piece("image"),
        Piece("template", "\n"),
        Piece("text", "Hm?"),
        Piece("template", " ASSISTANT:"),
    ]


def test_transformers_environment():
    source = (
        "{%- set x = strftime_now('%Y') | length %}\n{{ bos_token }}{% for m in messages %}\n    {% if x == 4 %}\n"
        "{{ {'é': 1} | tojson }}{{ m.content }}\n{% break %}\n    {% endif %}\n{% endfor %}:"
    )
    assert pieces_of(ChatTemplate(source, "<s>"), "Hm?") == [
        Piece("template", '<s>{"é": 1}'),
        Piece("image"),
        Piece("text", "Hm?"),
        Piece("template", "\n:"),
    ]


MISTRAL = (
    "{% for m in messages %}[INST]{% if m.content is string %}{{ m.content | trim }}{% else %}{% for c in m.content %}"
    "{% if c.type == 'image' %}[IMG]{% else %}{{ c.text | trim }}{% endif %}{% endfor %}{% endif %}[/INST]{% endfor %}"
)


def test_an_image_before_what_begins_like_it():
    message = Message("user", ("Hm?", ImagePart(None)))
    assert ChatTemplate(MISTRAL).pieces([message]) == [
        Piece("template", "[INST]"),
        Piece("text", "Hm?"),
        Piece("image"),
        Piece("template", "[/INST]"),
    ]
    assert ChatTemplate("[IMG] " + MISTRAL).pieces([message])[2:] == [Piece("image"), Piece("template", "[/INST]")]


LISTS_ALONE = (
    "{% for m in messages %}{{ m.role }}:{% for c in m.content %}{% if c.type == 'image' %}<image>{% else %}"
    "{{ c.text }}{% endif %}{% endfor %}|{% endfor %}"
)


@pytest.mark.parametrize("parts", [("Hm?",), (ImagePart(None), "Hm?")])
def test_a_template_that_takes_lists_alone_gets_the_system_text_as_one(parts):
    messages = [Message("system", ("S",)), Message("user", parts), Message("assistant", ("A",)), Message("user", parts)]
    said = "".join("#" if piece.kind == "image" else piece.text for piece in ChatTemplate(LISTS_ALONE).pieces(messages))
    image = "#" if len(parts) == 2 else ""
    assert said == f"system:S|user:{image}Hm?|assistant:A|user:{image}Hm?|"


@pytest.mark.parametrize(
    ("source", "written"),
    [
        (MISTRAL, "Hm?\n\nHa"),
        (MISTRAL.replace("c.text | trim", "c.text"), "\n Hm?\n\nHa \n"),
        (MISTRAL.replace("c.text | trim", "c.text.strip('\\n')"), " Hm?\n\nHa "),
        (CHATML, "\n Hm?\n\nHa \n"),
    ],
)
def test_white_space_around_texts_is_kept_or_taken_as_the_template_does(source, written):
    pieces = ChatTemplate(source).pieces(asked("\n Hm?\n\nHa \n"))
    assert [piece.text for piece in pieces if piece.kind == "text"] == [written]


@pytest.mark.parametrize("marker", ["<|picture|>", "<image><|patch|><|patch|></image>", "[IMG][IMG_BREAK]"])
def test_a_marker_that_is_not_known(marker):
    with pytest.raises(
        TemplateError, match=r"writes '.*' for an image, which is not known here; known is .*families\.md"
    ):
        pieces_of(ChatTemplate(MISTRAL.replace("[IMG]", marker)), "Hm?")


def test_what_a_template_says_is_bounded():
    with pytest.raises(TemplateError) as caught:
        pieces_of(ChatTemplate("{{ raise_exception('x' * 10000) }}"), "Hm?")
    assert len(str(caught.value)) < 500


def test_blocks_around_what_the_model_wrote():
    source = (
        "{% for m in messages %}{% if m.role == 'assistant' %}{% generation %}{{ m.content }}{% endgeneration %}"
        "{% else %}{{ m.content }}"
        "{% endif %}|{% endfor %}"
    )
    said = [Message("user", ("One?",)), Message("assistant", ("Two.",)), Message("user", ("Three?",))]
    assert "".join(piece.text for piece in ChatTemplate(source).pieces(said)) == "One?|Two.|Three?|"


@pytest.mark.parametrize(
    "source",
    [
        "{{ raise_exception('no system text') }}",
        "{% for %}",
        "{{ messages.append(1) }}",
        "{{ ''.__class__.__mro__ }}{{ messages[0].content }}",
        "nothing at all",
        "{{ messages[0].content }}{{ messages[0].content }}",
        "{{ messages[0].content.nothing.further }}",
    ],
)
def test_templates_that_do_not_work(source):
    with pytest.raises(TemplateError, match="chat_template="):
        pieces_of(ChatTemplate(source), "Hm?")


@given(st.text())
def test_user_text_is_never_parsed(tmp_path_factory, text):
    model = Model(write_gguf(tmp_path_factory.getbasetemp() / "m.gguf"))
    for prompt in (text, text + "".join(SPECIAL) + "\ue000lookhere image\ue001{{ messages }}", SPECIAL[1] + text):
        image = EncodedImage(32, 32)
        layout = lay_out(model, ChatTemplate(TEMPLATE), asked(prompt), [image])
        head, tail = (256, *b"user\n"), (257, *b"\n", 256, *b"assistant\n")
        assert layout.items == (*head, image, *prompt.encode(), *tail)
    assert layout.image_end == 6 + 4
    assert [grid.position for grid in layout.grids] == [7]
    assert layout.prompt_end == layout.image_end + len(layout.items) - 7


class Merging(Model):
    """A vocabulary with a token for two line breaks in a row, and a special token that one text alone does not make."""

    def tokenize(self, text, *, parse_special):
        tokens = []
        for part in re.split("(\n\n|<s>)", text):
            if part == "\n\n":
                tokens.append(200)
            elif part == "<s>" and parse_special:
                tokens.append(256)
            else:
                tokens += super().tokenize(part, parse_special=parse_special)
        return tokens


def test_texts_in_a_row_are_read_as_one(tmp_path):
    model = Merging(write_gguf(tmp_path / "m.gguf"))
    template = ChatTemplate("{% for m in messages %}u\n{{ m.content }}<{% endfor %}", family=None)
    assert lay_out(model, template, [Message("user", ("\nHm",))], []).items == (*b"u", 200, *b"Hm<")
    two = [Message("user", ("Hm?\n", ImagePart(None), "\nA"))]
    image = EncodedImage(16, 16)
    assert lay_out(model, template, two, [image]).items == (*b"u\nHm?\n", image, *b"\nA<")


@pytest.mark.parametrize("said", ["s>", "<s>", "a<s>b", "\n<s>", "<|im_end|>"])
def test_a_special_token_is_never_made_of_what_somebody_wrote(tmp_path, said):
    """Neither alone, nor together with the template's text before it."""
    model = Merging(write_gguf(tmp_path / "m.gguf"))
    template = ChatTemplate("{% for m in messages %}<s><{{ m.content }}{% endfor %}:")
    items = lay_out(model, template, [Message("user", (said,))], []).items
    assert items == (256, *b"<", *Merging.tokenize(model, said, parse_special=False), *b":")


@pytest.mark.parametrize("prompt", [None, b"bytes", "\udfff"])
def test_prompts_that_are_no_text(prompt):
    with pytest.raises(PromptError, match="expected"):
        pieces_of(ChatTemplate(), prompt)
