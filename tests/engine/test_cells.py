"""Tokens that are no raster: which cell of a grid each shows, and tokens that show none. Text stands in for an image of
a model that counts its image tokens one by one; the tokens of whole families are in tests/families."""

import numpy as np
import pytest
from harness import engine, grid_of, span
from hypothesis import given, settings
from hypothesis import strategies as st

LAYER, HEAD = 4, 1


@pytest.fixture(scope="module")
def words(model):
    return model.tokenize("A red fox runs in the snow, two dogs sit.", parse_special=False)


@pytest.fixture(scope="module")
def line(model):
    session = engine.Session(model, context=256, threads=1, batch=64)
    session.set_probe([LAYER])
    yield session
    session.close()


def masses(session, words, rows, cols, cells):
    """(cells,) of one head, of the last token, where the span begins with the second token."""
    session.clear()
    session.set_probe_spans([engine.Span(1, rows, cols, cells=np.array(cells, np.int32))])
    session.decode(words, outputs=[len(words) - 1])
    return session.attention()[0, HEAD]


@settings(max_examples=30, deadline=None)
@given(data=st.data())
def test_a_cell_has_the_mass_of_the_tokens_that_show_it(line, words, data):
    n = len(words) - 2
    each = masses(line, words, 1, n, range(n))
    assert (each > 0).all()
    rows, cols = data.draw(st.tuples(st.integers(1, 4), st.integers(1, 4)))
    cells = data.draw(st.lists(st.integers(-1, rows * cols - 1), min_size=n, max_size=n))
    expected = np.zeros(rows * cols)
    for mass, cell in zip(each, cells, strict=True):
        if cell >= 0:
            expected[cell] += mass
    assert np.allclose(masses(line, words, rows, cols, cells), expected, atol=1e-6)


@settings(max_examples=30, deadline=None)
@given(data=st.data())
def test_the_bias_reaches_the_tokens_of_its_cell_alone(line, words, data):
    n = len(words) - 2
    cells = data.draw(st.lists(st.integers(-1, 3), min_size=n, max_size=n).filter(lambda found: 2 in found))
    bias = np.zeros((2, 2), np.float32)
    bias[1, 0] = 30
    line.clear()
    line.set_probe_spans([engine.Span(1, 1, n, cells=np.arange(n, dtype=np.int32))])
    line.set_heads([(LAYER, HEAD)])
    line.steer([engine.Span(1, 2, 2, bias, np.array(cells, np.int32))], prompt_end=len(words))
    try:
        line.decode(words, outputs=[len(words) - 1])
        natural, steered = (line.attention(steered=acted)[0, HEAD] for acted in (False, True))
    finally:
        line.unsteer()
        line.set_heads([])
    aimed = np.array(cells) == 2
    assert steered[aimed].sum() > 0.999
    assert np.allclose(steered[aimed] / steered[aimed].sum(), natural[aimed] / natural[aimed].sum(), atol=1e-3)


def test_a_plane_and_a_line_in_one_sequence(session, model, image, words):
    """An image whose tokens share a position, then text as a line: each is read as it lies."""
    grid = grid_of(image)
    tokens = grid.rows * grid.cols
    session.set_probe([LAYER])
    plane = span(image, 0)
    text = engine.Span(image.positions, 2, 2, cells=np.array([3, -1, 0, 0], np.int32))
    session.set_probe_spans([plane, text])
    session.decode_image(image)
    session.decode(words, outputs=[len(words) - 1])
    both = session.attention()[0]
    session.clear()
    session.set_probe_spans([plane])
    session.decode_image(image)
    session.decode(words, outputs=[len(words) - 1])
    assert np.allclose(both[:, :tokens], session.attention()[0], atol=1e-6)
    assert (both[:, tokens + 3] > 0).all()
    assert (both[:, tokens] > 0).all()
    assert not both[:, tokens + 1 : tokens + 3].any()


@pytest.mark.parametrize("cells", [[], [[0]], [-2, 0], [0, 4]])
def test_cells_that_cannot_be(session, cells):
    with pytest.raises(engine.EngineError, match=r"cells|cell -2|cell 4"):
        session.set_probe_spans([engine.Span(0, 2, 2, cells=np.array(cells, np.int32))])


def test_a_raster_needs_no_cells(image):
    (part,) = (part for part in image.parts if part.grid)
    assert part.cells is None
