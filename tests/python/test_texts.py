"""Texts: their paragraphs, their bytes, and the places in them, against what a person would count by hand."""

import io
import itertools
import json
import re

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from lookhere import Box, LookhereError, Mask, OptionError, Paragraph, RegionError, Span, Text, TextError, Weighted
from lookhere.prompt.tokenized import tokenized
from lookhere.regions.text import read_region
from lookhere.tokens.coverage import coverage, target
from lookhere.tokens.frame import Frame
from lookhere.tokens.gaze import Gaze
from lookhere.tokens.text_frame import TextFrame
from lookhere.tokens.text_grid import TextGrid

documents = st.text(st.sampled_from("ab é漢🙂\n\r\t ."), min_size=1, max_size=40)
NOTES = "One is here.\n\nTwo  \nis\tlonger.\r\n \t\r\n\r\nÜber drei 🙂.\n"


class Pieces:
    """A tokenizer whose tokens are these bytes, whatever the text."""

    def __init__(self, pieces):
        self.pieces = pieces

    def tokenize(self, text, *, parse_special):
        assert not parse_special
        return list(range(len(self.pieces)))

    def piece(self, token):
        return self.pieces[token]


@st.composite
def cut(draw, lead=b""):
    """A text, and its bytes cut anywhere, empty tokens included."""
    document = draw(documents)
    whole = draw(st.sampled_from([b"", b" "])) + document.encode()
    cuts = sorted([0, len(whole), *draw(st.lists(st.integers(0, len(whole)), max_size=20))])
    return document, [whole[a:b] for a, b in itertools.pairwise(cuts)]


def held(document, pieces):
    """By brute force: of every token the share that it has of every character."""
    owner = [(k, 1 / len(each.encode())) for k, each in enumerate(document) for _ in each.encode()]
    lead = sum(map(len, pieces)) - len(owner)
    owner = [(None, 0.0)] * lead + owner
    shares, at = np.zeros((len(pieces), len(document))), 0
    for token, piece in enumerate(pieces):
        for character, part in owner[at : at + len(piece)]:
            if character is not None:
                shares[token, character] += part
        at += len(piece)
    return shares


@given(cut(), st.data())
def test_spans_are_tokens_by_the_characters_that_they_share(made, data):
    document, pieces = made
    text = Text(document)
    encoded = tokenized(Pieces(pieces), text)
    frame = TextFrame(len(text), 1, (encoded.grid,), text.paragraphs)
    start = data.draw(st.integers(0, len(document) - 1))
    span = Span(start, data.draw(st.integers(start + 1, len(document))))
    shares = held(document, pieces)
    every = shares.sum(axis=1)
    wanted = shares[:, span.start : span.end].sum(axis=1) / np.where(every > 0, every, 1)
    (found,) = coverage(frame.placed([span]), frame.grids)
    assert found.shape == (1, len(pieces))
    if wanted.max() >= 1 / 16 + 1e-4:
        np.testing.assert_allclose(found[0], wanted, atol=2e-5)
    else:
        assert found.sum() > 0  # never empty
    (aimed,) = target(frame.placed([Weighted(span, 0.5)]), frame.grids)
    assert (aimed <= found + 1e-6).all()
    np.testing.assert_allclose(encoded.grid.x_edges, np.cumsum([0, *every]), atol=2e-5)


@given(cut(), st.data())
def test_read_back_finds_the_tokens_that_have_the_attention(made, data):
    document, pieces = made
    text = Text(document)
    grid = tokenized(Pieces(pieces), text).grid
    frame = TextFrame(len(text), 1, (grid,), text.paragraphs)
    widths = np.diff(grid.x_edges)
    token = data.draw(st.sampled_from([k for k, width in enumerate(widths) if width > 0]))
    mass = np.zeros((1, len(pieces)), np.float32)
    mass[0, token] = 0.5
    where = Gaze([mass], [frame]).where()
    if (widths > 0).sum() > 1 and widths[token] < len(document) / 2:
        assert where.span.start <= grid.edges[token] + 1e-5
        assert where.span.end >= grid.edges[token + 1] - 1e-5
        assert where.span.end - where.span.start <= widths[token] + 2
    by_paragraph = [
        max(0, min(end, grid.edges[token + 1]) - max(start, grid.edges[token])) for start, end in text.paragraphs
    ]
    if by_paragraph and max(by_paragraph) > 1e-3:
        assert by_paragraph[where.paragraph - 1] == pytest.approx(max(by_paragraph), abs=1e-3)
    assert (where.paragraph is None) == (not text.paragraphs)
    assert json.loads(json.dumps(where.as_json()))["span"] == [where.span.start, where.span.end]


@given(st.text(st.sampled_from("ab \t\n\r\u2028\u3000"), min_size=1, max_size=40))
def test_paragraphs_against_lines_one_by_one(document):
    wanted, lines = [], []
    for line in re.split("\r\n|\r|\n", document):
        if line.strip():
            lines.append(line)
        elif lines:
            wanted, lines = [*wanted, lines], []
    wanted += [lines] if lines else []
    text = Text(document)
    found = [re.split("\r\n|\r|\n", document[start:end]) for start, end in text.paragraphs]
    assert [[each.strip() for each in lines] for lines in found] == [
        [each.strip() for each in lines] for lines in wanted
    ]
    for start, end in text.paragraphs:
        assert document[start:end] == document[start:end].strip() != ""
    ends = [end for pair in text.paragraphs for end in pair]
    assert ends == sorted(ends)


def test_paragraphs():
    text = Text(NOTES)
    assert [NOTES[start:end] for start, end in text.paragraphs] == [
        "One is here.", "Two  \nis\tlonger.", "Über drei 🙂.",
    ]  # fmt: skip
    assert Text(" \n ").paragraphs == ()
    assert (len(text), str(text)) == (len(NOTES), NOTES)
    assert repr(Text("a" * 99)).startswith("<Text 'aaa")
    assert Text("a", "one.txt") == Text("a", "other.txt") != Text("b")


def placed(region, document=NOTES):
    text = Text(document)
    return TextFrame(len(text), 1, (TextGrid.of(range(len(text) + 1)),), text.paragraphs).placed([region])


@pytest.mark.parametrize(
    ("make", "told"),
    [
        (lambda: Span(3, 3), "empty or inverted"),
        (lambda: Span(-1, 3), "Span: start=-1; expected a whole number"),
        (lambda: Span(0, 2.5), "Span: end=2.5"),
        (lambda: Paragraph(0), "Paragraph: number=0"),
        (lambda: placed(Span(0, len(NOTES) + 1)), f"leaves the text, which has {len(NOTES)} characters"),
        (lambda: placed(Paragraph(4)), "the text has 3 paragraphs, which blank lines part; .* from 1 to 3"),
        (lambda: placed(Paragraph(2), "one"), "the text has 1 paragraph, "),
        (lambda: placed(Paragraph(1), " \n"), "white space alone"),
        (lambda: placed(Box(0, 0, 5, 5)), r"Box\(0, 0, 5, 5\) is a place in an image, and this is a text"),
        (lambda: placed(Weighted(Mask(np.ones((2, 2))), 0.5)), "is a place in an image"),
        (lambda: Frame(96, 32, ()).placed([Span(0, 5)]), "is a place in a text, and this is an image"),
        (lambda: Frame(96, 32, ()).placed([Weighted(Paragraph(1), 0.5)]), "is a place in a text"),
    ],
)  # fmt: skip
def test_places_that_are_none(make, told):
    with pytest.raises(RegionError, match=told):
        make()


def test_places_as_people_write_them():
    assert read_region("paragraph:3") == Paragraph(3)
    assert read_region("span:10:25") == Span(10, 25)
    for wrong in ("span:10", "span:10:", "paragraph:", "paragraph:a", "span:1:2:3", "paragraph:³"):
        with pytest.raises(ValueError, match=re.escape(wrong.partition(":")[2]) + "$"):
            read_region(wrong)
    with pytest.raises(RegionError):
        read_region("span:25:10")


@pytest.mark.parametrize(
    ("data", "text"),
    [
        ("One\r\nté".encode(), "One\r\nté"),
        ("té".encode("utf-8-sig"), "té"),
        ("té 🙂".encode("utf-16"), "té 🙂"),
        ("té".encode("utf-32"), "té"),
        (b"\x1b[1mbold", "\x1b[1mbold"),
    ],
)
def test_files_of_text(tmp_path, data, text):
    path = tmp_path / "notes.txt"
    path.write_bytes(data)
    for source in (path, str(path), data, io.BytesIO(data), f"file://{path}"):
        assert Text.open(source).document == text
    assert Text.open(path).name == str(path)


@pytest.mark.parametrize(
    ("data", "told"),
    [
        (b"", "is empty"),
        (b"\xef\xbb\xbf", "is empty"),
        (b"caf\xe9 noir", "no text in UTF-8: the bytes at 3 cannot be read"),
        (b"\xff\xfea", "no text in UTF-16"),
        (b"a\0b", "a zero character at 1"),
    ],
)
def test_files_that_are_no_text(tmp_path, data, told):
    path = tmp_path / "notes.txt"
    path.write_bytes(data)
    for source in (path, data):
        with pytest.raises(TextError, match=told):
            Text.open(source)
    with pytest.raises(TextError, match="no file"):
        Text.open(tmp_path / "none.txt")


@pytest.mark.parametrize(
    ("document", "told"),
    [
        ("", "is empty"), (None, "expected a str"), (b"abc", r"Text.open reads files and bytes"),
        ("a\ud800", "lone surrogate at character 1"), ("é" * (2**23 + 1), "16.0 MiB; expected at most 16 MiB"),
    ],
)  # fmt: skip
def test_texts_that_are_none(document, told):
    with pytest.raises(TextError, match=told):
        Text(document)


def test_a_tokenizer_that_changes_the_text():
    for pieces in ([b"the cut"], [b"the ca"], [b"  the cat"], [b"the cat "], [], [b"the \xffat"]):
        with pytest.raises(TextError, match="changes the text at character") as caught:
            tokenized(Pieces(pieces), Text("the cat"))
        assert isinstance(caught.value, LookhereError)
    assert not issubclass(TextError, OptionError)
