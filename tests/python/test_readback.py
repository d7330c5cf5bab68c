"""Read-back: from attention to a box, by arithmetic, by properties, and through answers."""

import json
from dataclasses import replace

import numpy as np
import pytest
from hypothesis import assume, given
from hypothesis import strategies as st
from lookhere import Box, HeadSetError, OptionError, Point, Where, read_back
from lookhere.answers.word import words_of
from lookhere.steering.head_set import HeadSet, ModelFacts, from_dict, to_dict
from lookhere.tokens.coverage import coverage
from lookhere.tokens.frame import Frame
from lookhere.tokens.gaze import Gaze
from lookhere.tokens.grid import TokenGrid

SQUARE = Frame(60, 40, (TokenGrid(4, 6, 0, 0, 60, 40),))  # tokens of 10 x 10


def corners(box):
    return np.array([box.x0, box.y0, box.x1, box.y1])


def test_by_hand():
    gaze = np.full((4, 6), 0.01, np.float32)
    gaze[1, 2:4] = 0.11, 0.31
    gaze[3, 5] = 0.2  # brighter than one of the two, a patch of its own, and less in all
    found = read_back([gaze], SQUARE)
    assert found.box == Box(20, 10, 40, 20)
    assert found.peak == Point(35, 15)
    assert found.centre.centre == pytest.approx((25 + 10 * 0.3 / 0.4, 15))
    assert found.share == pytest.approx(0.42 / 0.83)
    # the second spot is 0.19 / 0.3 of the highest rise above the background of 0.01; the first is 1/3 beside it
    assert read_back([gaze], SQUARE, threshold=0.5).box == Box(30, 10, 40, 20)
    assert found.as_json() == {"box": [20, 10, 40, 20], "peak": [35, 15], "centre": [32.5, 15], "share": 0.506}


def test_the_heaviest_patch_wins_not_the_highest():
    gaze = np.zeros((4, 6), np.float32)
    gaze[0, 0] = 0.3
    gaze[2:4, 3:6] = 0.1
    found = read_back([gaze], SQUARE)
    assert found.box == Box(30, 20, 60, 40)
    assert found.centre == Point(45, 30)


def test_touching_at_a_corner_is_not_touching():
    gaze = np.zeros((4, 6), np.float32)
    gaze[0, 0], gaze[1, 1] = 0.2, 0.3
    assert read_back([gaze], SQUARE).box == Box(10, 10, 20, 20)


def test_padding_is_cut_off():
    frame = Frame(50, 30, (TokenGrid(4, 6, -5, -5, 55, 35),))
    gaze = np.zeros((4, 6), np.float32)
    gaze[3, 5] = 1
    found = read_back([gaze], frame)
    assert found.box == Box(45, 25, 50, 30)
    assert found.peak == Point(47.5, 27.5)


@pytest.mark.parametrize("value", [0, 0.25])
def test_a_flat_map_gives_the_whole_image(value):
    found = read_back([np.full((4, 6), value, np.float32)], SQUARE)
    assert found.box == Box(0, 0, 60, 40)
    assert found.centre.centre == pytest.approx((30, 20))
    assert found.share == pytest.approx(1)


def test_grids_add_their_attention_per_pixel():
    """Two tiles side by side and an overview: an object across the border of the tiles is one place."""
    grids = (TokenGrid(4, 4, 0, 0, 40, 40), TokenGrid(4, 4, 40, 0, 80, 40), TokenGrid(2, 4, 0, 0, 80, 40))
    first, second, all_over = (np.zeros((grid.rows, grid.cols), np.float32) for grid in grids)
    first[1, 3], second[1, 0] = 0.2, 0.2
    all_over[0, 0] = 0.3  # as much as the others, over four times the area
    found = read_back([first, second, all_over], Frame(80, 40, grids))
    assert found.box == Box(30, 10, 50, 20)
    assert found.share == pytest.approx(0.4 / 0.7)


@pytest.mark.parametrize("threshold", [-0.1, 1.01, float("nan")])
def test_thresholds_that_are_none(threshold):
    with pytest.raises(OptionError, match="threshold"):
        read_back([np.ones((4, 6), np.float32)], SQUARE, threshold=threshold)


@st.composite
def frames(draw):
    width, height = draw(st.integers(20, 400)), draw(st.integers(20, 400))
    rows, cols = draw(st.integers(2, 24)), draw(st.integers(2, 24))
    pad_x, pad_y = draw(st.floats(0, 5)), draw(st.floats(0, 5))
    return Frame(width, height, (TokenGrid(rows, cols, -pad_x, -pad_y, width + pad_x, height + pad_y),))


@st.composite
def looks(draw):
    """A frame and a box in it: at least as large as a token, for smaller ones become a whole token, and less than half
    of the image, for more is the background itself."""
    frame = draw(frames())
    grid = frame.grids[0]
    wide = draw(st.floats(grid.token_width, max(frame.width, grid.token_width)))
    high = draw(st.floats(grid.token_height, max(0.4 * frame.height, grid.token_height)))
    assume(wide <= frame.width)
    assume(high <= frame.height)
    x0, y0 = draw(st.floats(0, 1)) * (frame.width - wide), draw(st.floats(0, 1)) * (frame.height - high)
    box = Box(x0, y0, min(x0 + wide, frame.width), min(y0 + high, frame.height))
    assume((coverage([box], frame.grids)[0] > 0).mean() < 0.4)
    return frame, box


@given(looks())
def test_a_gaze_on_a_box_is_read_back_as_about_that_box(look):
    """What coverage makes of a box, read-back makes to that box, but for a token at each side."""
    frame, box = look
    grid = frame.grids[0]
    found = read_back(coverage([box], frame.grids), frame)
    apart = np.abs(corners(found.box) - corners(box))
    assert (apart <= 1.001 * np.array([grid.token_width, grid.token_height] * 2)).all()
    assert found.box.x0 <= found.centre.x <= found.box.x1
    assert found.box.y0 <= found.peak.y <= found.box.y1


@given(frames(), st.integers(0, 2**32 - 1), st.just(0.0) | st.floats(1e-9, 1))
def test_it_is_never_empty_and_never_leaves_the_image(frame, seed, threshold):
    gaze = np.random.default_rng(seed).random((frame.grids[0].rows, frame.grids[0].cols)).astype(np.float32) ** 4
    found = read_back([gaze], frame, threshold=threshold)
    assert found.box.on(frame.width, frame.height).area > 0
    for point in (found.peak, found.centre):
        assert found.box.x0 <= point.x <= found.box.x1
        assert found.box.y0 <= point.y <= found.box.y1
    assert 0 <= found.share <= 1 + 1e-6
    # how much attention there is in all does not matter
    assert corners(read_back([gaze * 8], frame, threshold=threshold).box) == pytest.approx(corners(found.box))


@given(frames(), st.integers(0, 2**32 - 1), st.integers(2, 5))
def test_a_larger_image_has_a_larger_box(frame, seed, times):
    grid = frame.grids[0]
    gaze = np.random.default_rng(seed).random((grid.rows, grid.cols)).astype(np.float32)
    larger = TokenGrid(grid.rows, grid.cols, *(times * each for each in (grid.x0, grid.y0, grid.x1, grid.y1)))
    one = read_back([gaze], frame)
    other = read_back([gaze], Frame(times * frame.width, times * frame.height, (larger,)))
    assert corners(other.box) == pytest.approx(times * corners(one.box))
    assert other.centre.x == pytest.approx(times * one.centre.x)
    assert other.share == pytest.approx(one.share)


def steps_of(*texts):
    """Texts of steps, and readings that are on the token of their number."""
    maps = np.eye(len(texts), 24, dtype=np.float32)
    return texts, [Gaze([maps[index].reshape(4, 6)], [SQUARE]) for index in range(len(texts))]


def test_tokens_become_words():
    words = words_of(*steps_of("Red", " umb", "rella", ". A", " cat", "'s well", "-known", "!"))
    assert [(word.text, word.start, word.stop) for word in words] == [
        ("Red", 0, 1), ("umbrella", 1, 3), ("A", 3, 4), ("cat's", 4, 6), ("well-known", 5, 7),
    ]  # fmt: skip
    # from the query that chose its first token to the query of its last token
    expected = np.zeros(24, np.float32)
    expected[1:4] = 1 / 3
    np.testing.assert_allclose(words[1].reading[0].ravel(), expected)
    assert words[1].where().box == Box(10, 0, 40, 10)


def test_words_without_spaces_and_in_pieces():
    assert [word.text for word in words_of(*steps_of("日本", "の海", " 3", ".", "5"))] == [*"日本の海", "3", "5"]
    pieces = words_of(*steps_of("a ", "", "", "é", "t", "é"))
    assert [(word.text, word.start, word.stop) for word in pieces] == [("a", 0, 1), ("été", 1, 6)]
    assert words_of([], []) == ()
    assert words_of(*steps_of("...")) == ()


def test_answers_say_where(model):
    scene = model.look(np.zeros((32, 96, 3), np.uint8))
    answer = scene.describe()
    assert [word.text for word in answer.words()] == ["nothing", "in", "particular"]
    # the fake heads 1.0 and 3.1 look at tokens 1 and 4 of 2 x 6, half of their attention each
    np.testing.assert_allclose(answer.reading[0], answer.gaze[0])
    assert answer.where() == read_back(answer.gaze, scene.frame)
    assert answer.where().box == Box(16, 0, 32, 16)
    assert answer.steps[0].where() == answer.words()[0].where() == answer.where()
    assert isinstance(answer.where(), Where)
    blind = scene.describe(gaze=False)
    assert blind.where() is None
    assert blind.steps[0].where() is None
    assert blind.words()[0].where() is None


def test_readers_are_read_instead(model, engine):
    model.heads = replace(model.heads, readers=((2, 1),))
    scene = model.look(np.zeros((32, 96, 3), np.uint8))
    answers = [scene.describe(), *scene.describe_all([Box(0, 0, 16, 16), Box(80, 0, 96, 16)])]
    for answer in answers:
        assert answer.where().box == Box(48, 0, 64, 16)  # head 2.1 looks at token 3
        assert answer.gaze[0].argmax() == 1
        assert answer.steps[0].reading[0][0, 3] == 0.5
    assert scene.describe(gaze=False, steered_gaze=True).where() is None
    assert model.session.native.layers == [1, 3]  # nothing more is read then
    assert scene.describe(readers=[(0, 1), (0, 0)]).reading[0].ravel()[:2].tolist() == [0.25, 0.25]
    assert scene.describe(readers=[]).where().box == Box(16, 0, 32, 16)
    for wrong in ([(4, 0)], [(0, 2)], [(0, 0), (0, 0)], [(0.5, 0)]):
        with pytest.raises(HeadSetError):
            scene.describe(readers=wrong)
    model.heads = None  # any model can be read
    assert scene.describe(readers=[(2, 1)]).where().box == Box(48, 0, 64, 16)
    assert scene.describe().where() is None


def test_readers_in_a_file(head_set, tmp_path):
    assert "readers" not in to_dict(head_set)
    both = replace(head_set, readers=((0, 1), (2, 0)))
    both.write(tmp_path / "heads.json")
    read = HeadSet.read(tmp_path / "heads.json")
    assert read == both
    assert read.top(1).readers == both.readers
    json.loads((tmp_path / "heads.json").read_text())
    data = to_dict(both)
    for wrong in ([], [{"layer": 9, "head": 0}], [{"layer": 0, "head": 0}] * 2, [{"layer": 0, "head": 0, "score": 1}]):
        with pytest.raises(HeadSetError, match="readers"):
            from_dict({**data, "readers": wrong}, "It")
    small = replace(both, heads=((0, 0),), model=replace(both.model, name="other"))
    with pytest.raises(HeadSetError, match="layer 2"):
        small.check(ModelFacts("it", "fake", 1, 2))


def test_the_builtin_model_looks_at_the_panel_that_it_is_asked_about(builtin):
    """Nobody steers; the right half of a strip of six is told from the left one."""
    from lookhere.comics import generate_strip
    from lookhere.questions import ordinal

    sides = []
    for seed in (7, 11, 12):
        scene = builtin.look(generate_strip(seed, split="held_out", style="colour").image)
        for panel in (0, 5):
            step = next(scene.stream(ordinal(panel, 6)))
            sides.append((read_back(step.gaze, scene.frame).centre.x < scene.width / 2) == (panel == 0))
    assert np.mean(sides) > 2 / 3  # chance is 1/2
