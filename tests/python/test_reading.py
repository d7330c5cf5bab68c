"""Whether read-back finds what an answer is about, on a model with planted gaze heads; and which heads tell it."""

import csv
import json
from dataclasses import replace

import numpy as np
import pytest
from lookhere import Box, OptionError
from lookhere.lab import item
from lookhere.lab.corpus import generated_scene, generated_strip
from lookhere.lab.evaluation import Options, evaluate
from lookhere.lab.examiner import Examiner
from lookhere.lab.intersection import overlap
from lookhere.lab.judging import Exact, content_words
from lookhere.lab.page import page
from lookhere.lab.picture import of_objects, of_scene, of_strip
from lookhere.lab.readers import find_readers
from lookhere.lab.reading import read_boxes, read_strips
from lookhere.lab.report import markdown
from lookhere.lab.tables import write_csv
from PIL import Image
from planted_engine import GAZE, PLANTED

OTHER = (0, 2)  # a head that looks nowhere in particular


@pytest.fixture
def strip_picture(planted_model):
    strip = generated_strip("evaluation", 0, 0)
    return of_strip(planted_model.look(strip.image), strip, 0)


def records_of(experiments, key, picture):
    return next(each for each in experiments if each.key == key).run(picture, Examiner([Exact()]))


def shares(records):
    return [np.mean([record.outcome(name) == "right" for record in records]) for name in ("peak", "centre")]


def test_planted_heads_are_read_back_as_the_panel_that_is_asked_about(strip_picture):
    found = read_strips(replace(GAZE, readers=(OTHER,)), ("readback",))
    whole = records_of(found, "readback panel/gaze heads, whole answer", strip_picture)
    assert [record.target for record in whole] == list(range(6))
    assert shares(whole) == [1, 1]
    # panels are 4 x 4 tokens with a gap of 2 pixels around 62
    assert all(record.more["iou"] == pytest.approx(62 * 62 / 64**2, abs=0.01) for record in whole)
    words = records_of(found, "readback panel/gaze heads, each word", strip_picture)
    assert len(words) == sum(len(content_words(caption)) for caption in strip_picture.captions)
    assert shares(words) == [1, 1]
    assert shares(records_of(found, "readback panel/readers, whole answer", strip_picture))[0] <= 1 / 6
    centre = records_of(found, "readback panel/centre of the image", strip_picture)
    assert {record.picks["peak"] for record in centre} <= {3, "none"}


def test_the_natural_gaze_of_planted_heads_does_not_follow_the_target(strip_picture):
    """They look where a question says, and nowhere else: the steering is another matter."""
    found = read_strips(GAZE, ("readback",))
    steered = records_of(found, "readback panel steered/gaze heads, whole answer", strip_picture)
    assert [record.text for record in steered] == list(strip_picture.captions)
    assert len({record.picks["peak"] for record in steered}) == 1
    assert shares(steered)[0] <= 1 / 6


def test_objects(planted_model):
    free = generated_scene("evaluation", 0, 0)
    picture = of_scene(planted_model.look(free.image), free)
    found = read_boxes(GAZE, ("readback",))
    (named,) = records_of(found, "readback object/all heads, first token", picture)
    assert (named.target, named.text) == (0, picture.captions[0])  # the planted model names the first one
    told = records_of(found, "readback object steered/all heads, whole answer", picture)
    assert [record.target for record in told] == list(range(len(picture.places)))


def test_an_answer_that_fits_two_objects_tells_nothing(planted_model):
    scene = planted_model.look(Image.new("RGB", (96, 64)))
    boxes = [("Something else entirely.", (0, 0, 20, 20)), ("Something else entirely.", (70, 0, 90, 20))]
    experiments = read_boxes(GAZE, ("readback",))
    assert records_of(experiments, "readback object/all heads, whole answer", of_objects(scene, boxes, 0)) == []
    alone = of_objects(scene, boxes[:1], 0)
    assert len(records_of(experiments, "readback object/all heads, whole answer", alone)) == 1


def test_which_arms_there_are():
    assert read_strips(GAZE, ("vqa",)) == read_boxes(GAZE, ("boxes",)) == []
    without = {each.key for each in (*read_strips(None, ("readback",)), *read_boxes(None, ("readback",)))}
    assert all("steered" not in key and "gaze heads" not in key for key in without)
    assert len(without) == 8
    keys = [each.key for each in read_strips(replace(GAZE, readers=(OTHER,)), ("readback",))]
    assert len(keys) == len(set(keys)) == 20


def test_in_an_evaluation_and_its_reports(planted_model, tmp_path):
    small = Options(strips=1, seen=1, controls=1, maps=0, examples=0, panel_size=64, protocols=("readback",))
    found = evaluate(planted_model, small, judges=[Exact()])
    gaze = found.find("readback panel", "gaze heads, whole answer")
    assert (gaze.share(), gaze.centred.value) == (1, 1)
    assert gaze.iou.value == pytest.approx(0.938, abs=0.01)
    assert found.some(corpus="seen") == []
    text = markdown(found)
    assert "## Where it looked: the panel that is named in the question and described\n" in text
    assert "| gaze heads, whole answer | 6 | 100.0%" in text
    assert "Judges" not in text
    assert "Where did it look?" in page(found)
    data = json.loads(json.dumps(found.as_dict(), allow_nan=False))
    by_name = {(each["protocol"], each["arm"]): each for each in data["figures"]}
    assert by_name["readback panel", "gaze heads, whole answer"]["iou"][0] == pytest.approx(0.938, abs=0.01)
    assert by_name["readback panel", "gaze heads, whole answer"]["judge"] == "peak"
    write_csv(tmp_path / "figures.csv", found)
    with open(tmp_path / "figures.csv", newline="") as file:
        rows = {(row["protocol"], row["arm"]): row for row in csv.DictReader(file)}
    assert float(rows["readback panel", "gaze heads, whole answer"]["centred"]) == 1


def test_readers_are_the_heads_that_look_at_the_right_place(planted_model):
    strips = [item.of_strip(generated_strip("discovery", 0, index)) for index in range(2)]
    told = []
    found = find_readers(planted_model, [strips, []], lambda: told.append(1))
    assert set(found.heads) <= set(PLANTED)
    assert found.pointing[PLANTED[0]] == 1
    assert found.pointing[OTHER] < 1 / 2
    assert max(found.iou) > 0.9
    assert found.answers == (12,)
    assert told == [1, 1]
    json.dumps(found.as_evidence())
    with pytest.raises(OptionError, match="answer"):
        find_readers(planted_model, [[]])


def test_overlap():
    assert overlap(Box(0, 0, 10, 10), Box(5, 0, 15, 10)) == pytest.approx(1 / 3)
    assert overlap(Box(0, 0, 10, 10), Box(20, 20, 30, 30)) == 0
    assert overlap(Box(1, 2, 3, 4), Box(1, 2, 3, 4)) == 1
