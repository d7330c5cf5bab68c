"""Bytes of tokens become valid text, and stop texts never leak."""

import itertools

from hypothesis import given
from hypothesis import strategies as st
from lookhere.answers.transcript import Transcript


def pieces_of(data, cuts):
    edges = sorted({0, len(data), *(cut % (len(data) + 1) for cut in cuts)})
    return [data[a:b] for a, b in itertools.pairwise(edges)]


@given(st.one_of(st.binary(), st.text().map(str.encode)), st.lists(st.integers(0, 200)))
def test_joined_text_is_what_all_bytes_decode_to(data, cuts):
    transcript = Transcript()
    texts = [transcript.feed(piece) for piece in pieces_of(data, cuts)]
    for text in texts:
        text.encode()  # valid on its own
    assert "".join(texts) + transcript.finish() == data.decode("utf-8", errors="replace")
    assert not transcript.stopped


@given(
    st.text("abc\n", max_size=30),
    st.lists(st.text("abc\n", min_size=1, max_size=4), max_size=3),
    st.lists(st.integers(0, 30)),
)
def test_stop_texts_end_the_answer_wherever_the_tokens_are_cut(text, stops, cuts):
    transcript = Transcript(stops)
    out = "".join([transcript.feed(piece) for piece in pieces_of(text.encode(), cuts)] + [transcript.finish()])
    assert transcript.stopped == any(stop in text for stop in stops)
    assert text.startswith(out)
    assert transcript.stopped or out == text
    assert not any(stop in out for stop in stops)


def test_a_stop_text_over_several_tokens():
    transcript = Transcript(["\n\nUser:"])
    assert transcript.feed(b"Hello\n") == "Hello"
    assert transcript.feed(b"\nUs") == ""
    assert transcript.feed(b"ed") == "\n\nUsed"
    assert transcript.feed(b"\n\nUser: hi") == ""
    assert transcript.stopped
    assert transcript.feed(b"more") == transcript.finish() == ""


def test_a_character_over_several_tokens():
    transcript = Transcript()
    assert [transcript.feed(bytes([byte])) for byte in "é…".encode()] == ["", "é", "", "", "…"]
    assert transcript.feed(b"\xe2\x80") == ""
    assert transcript.finish() == "\ufffd"
