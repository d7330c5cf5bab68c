"""Schedules: where the gaze goes while one text is written."""

import fake_engine as fake
import lookhere
import numpy as np
import pytest
from lookhere import Box, OptionError, Panel, Point, Polygon, RegionError
from lookhere.schedule import Schedule, Walk

STRIP = np.full((32, 96, 3), 200, np.uint8)  # 2 x 6 tokens of the fake engine


@pytest.fixture
def scene(model):
    return model.look(STRIP)


@pytest.fixture
def lines(monkeypatch):
    """The fake engine tells three lines, each of its target's column."""
    monkeypatch.setattr(fake, "steered_text", lambda row, col: f"This is {col}. Now\n" * 3)


def walk(scene, schedule, **options):
    return Walk.begin(scene, schedule, **options)


@pytest.mark.parametrize(
    ("text", "targets"),
    [
        ("4,2,1", (Panel(4, 6), Panel(2, 6), Panel(1, 6))),
        (" 3 ", (Panel(3, 6),)),
        ("1 free 2", (Panel(1, 6), None, Panel(2, 6))),
        ("2/3; 2,1/2,2;panel:1/4", (Panel(2, 3), Panel(2, 1, 2, 2), Panel(1, 4))),
        ("polygon:0,0,9,0,9,9", (Polygon([(0, 0), (9, 0), (9, 9)]),)),
        ("box:0,1,20.5,30 point:5,6 panel:6", (Box(0, 1, 20.5, 30), Point(5, 6), Panel(6, 6))),
    ],
)
def test_text_becomes_targets(text, targets):
    assert Schedule.parse(text).targets == targets


def test_panels_of_a_grid_are_counted_row_by_row():
    assert Schedule.parse("1,4,6", rows=2, cols=3).targets == (Panel(1, 1, 2, 3), Panel(2, 1, 2, 3), Panel(2, 3, 2, 3))


@pytest.mark.parametrize(
    "text",
    ["", ",", "1,,2", "one", "7", "0", "-1", "1.5", "7/6", "free,1", "box:1,2,3", "box:5,0,0,5", "box:nan,0,1,1",
     "point:1", "circle:1,2", "polygon:1,2,3,4", "polygon:1,2,3,4,5"],
)  # fmt: skip
def test_what_is_no_schedule(text):
    with pytest.raises(RegionError, match="expected"):
        Schedule.parse(text)


@pytest.mark.parametrize("every", [0, -1, 1.5, True, "word", None, 10_001])
def test_what_is_no_pace(every):
    with pytest.raises(OptionError, match=r"expected a whole number of tokens"):
        Schedule((None,), every)


def test_a_schedule_needs_targets():
    with pytest.raises(OptionError, match="expected 1 to"):
        Schedule(())


def test_the_gaze_moves_every_n_tokens(scene):
    found = list(walk(scene, Schedule.parse("6,2,1", every=7)))
    assert [target for target, _ in found] == [0] * 7 + [1] * 7 + [2] * 7
    texts = [fake.steered_text(0, col) for col in (5, 1, 0)]
    said = b"".join(text.encode()[7 * k : 7 * k + 7] for k, text in enumerate(texts))
    assert "".join(step.text for _, step in found) == said.decode(errors="replace")


def test_it_ends_with_the_schedule_or_before(scene):
    through = walk(scene, Schedule.parse("6,2", every=3))
    assert through.finish is None
    assert len(through.answer().steps) == 6
    assert through.finish == "length"
    ended = walk(scene, Schedule.parse("6,2", every=500)).answer()
    assert (ended.finish, ended.text) == ("end", fake.steered_text(0, 5))
    assert walk(scene, Schedule.parse("6,2", every=3), max_tokens=4).answer().finish == "length"
    stopped = walk(scene, Schedule.parse("6,2", every=3), stop="w").answer()
    assert (stopped.finish, stopped.text) == ("stop", "ro")
    assert scene.describe().text == fake.UNSTEERED  # the model is free again


def test_free_lets_the_model_look_where_it_wants(scene):
    answer = walk(scene, Schedule.parse("free 6 free", every=4)).answer()
    assert answer.text == fake.UNSTEERED[:4] + fake.steered_text(0, 5)[4:8] + fake.UNSTEERED[8:12]


def test_lines_and_sentences(scene, lines):
    by_line = walk(scene, Schedule.parse("4,2,1", every="line")).answer()
    assert by_line.text == "This is 3. Now\nThis is 1. Now\nThis is 0. Now\n"
    assert by_line.finish == "stop"
    assert len(by_line.gaze) == 1
    by_sentence = walk(scene, Schedule.parse("4,2,1", every="sentence")).answer()
    assert by_sentence.text == "This is 3. Now\nThis is 0."


def test_a_break_gives_the_model_back(scene):
    for _ in walk(scene, Schedule.parse("6,2", every=3)):
        break
    unfinished = walk(scene, Schedule.parse("6,2", every=3))
    with pytest.raises(lookhere.CancelledError):
        unfinished.said()
    assert scene.describe().text == fake.UNSTEERED


def test_how_it_looks_is_kept_from_target_to_target(scene):
    schedule = Schedule.parse("free 1 2", every=2)
    found = walk(scene, schedule, strength=2, mode="suppress_image", queries="generated")
    assert found.aims[0] is None
    kept = {(each.push.strength, each.push.mode, each.push.queries) for each in found.aims[1:]}
    assert kept == {(2, "suppress_image", "generated")}
    answer = found.answer()
    assert answer.steering == found.aims[2].steering
    assert answer.prompt == lookhere.questions.POINTED
    assert walk(scene, schedule, prompt=None).answer().prompt == scene.model.prompt


def test_targets_are_checked_before_the_first_token(scene):
    with pytest.raises(RegionError, match="leaves the image"):
        walk(scene, Schedule.parse("1 box:0,0,97,32"))
