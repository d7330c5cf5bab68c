"""``lookhere narrate`` and ``lookhere describe --schedule``: one text while the gaze moves."""

import json
import os
import subprocess
import sys

import click
import fake_engine as fake
import numpy as np
import pytest
from lookhere import questions
from PIL import Image


def mixed(every, *cols):
    """What the fake engine says while the gaze is for so many tokens on each column of row 0."""
    texts = [fake.steered_text(0, col) for col in cols]
    return "".join(text[every * k : every * (k + 1)] for k, text in enumerate(texts))


def test_the_text_runs_while_the_gaze_moves(run):
    result = run("narrate", "strip.png", "--schedule", "6,2,1", "--every", 5)
    assert (result.exit_code, result.stdout, result.stderr) == (0, mixed(5, 5, 1, 0) + "\n", "")
    result = run("narrate", "strip.png", "--schedule", "box:80,0,96,16;1/6", "--every", 5, "--max-tokens", 7)
    assert result.stdout == mixed(5, 5, 0)[:7] + "\n"
    result = run("narrate", "strip.png", "--schedule", "1,2", "--panels", "1x2", "--every", 2)
    assert result.stdout == mixed(2, 0, 3) + "\n"


def test_lines(run, monkeypatch):
    monkeypatch.setattr(fake, "steered_text", lambda row, col: f"{col} is told\n" * 6)
    result = run("narrate", "strip.png", "--schedule", "4,2,1", "--every", "line")
    assert result.stdout == "3 is told\n1 is told\n0 is told\n"


def test_json_is_a_line_per_token(run):
    result = run("narrate", "strip.png", "--schedule", "6 free", "--every", 3, "--json", "--strength", 7)
    *steps, last = map(json.loads, result.stdout.splitlines())
    assert "".join(step["text"] for step in steps) == last["text"]
    assert [step["target"] for step in steps] == [0, 0, 0, 1, 1, 1]
    assert [step["index"] for step in steps] == list(range(6))
    # the fake heads look at tokens 1 and 4, panel 6 has tokens 5 and 11; free has no target
    assert {step["on_target"] for step in steps} == {0.0, None}
    assert last["targets"] == [{"kind": "panel", "row": 1, "col": 6, "rows": 1, "cols": 6}, None]
    assert (last["every"], last["finish"]) == (3, "length")
    assert last["steering"]["strength"] == 7
    on = run("narrate", "strip.png", "--schedule", "box:16,0,32,16 5", "--every", 1, "--json").stdout.splitlines()
    assert [json.loads(line).get("on_target") for line in on[:2]] == [0.5, 0.5]


def test_describe_takes_a_schedule(run):
    told = run("narrate", "strip.png", "--schedule", "6,2", "--every", 5, "--prompt", "Hm?")
    said = run("describe", "strip.png", "--schedule", "6,2", "--every", 5, "--prompt", "Hm?", "--heatmap", "x.png")
    assert said.stdout == told.stdout
    with Image.open("x.png") as picture:
        assert picture.width == 3 * picture.height
    answer = json.loads(run("describe", "strip.png", "--schedule", "6,2", "--every", 5, "--json").stdout)
    assert [target["col"] for target in answer["targets"]] == [6, 2]
    assert answer["text"] == mixed(5, 5, 1)
    assert np.shape(answer["gaze"]) == (1, 2, 6)


def test_describe_asks_what_narrate_asks(run):
    told = run("narrate", "strip.png", "--schedule", "6,2", "--every", 5, "--json").stdout.splitlines()[-1]
    said = run("describe", "strip.png", "--schedule", "6,2", "--every", 5, "--json").stdout
    assert json.loads(said)["prompt"] == json.loads(told)["prompt"] == questions.POINTED
    without = json.loads(run("describe", "strip.png", "--json").stdout)
    assert without["prompt"] not in ("", questions.POINTED)


def test_moves_are_noted_where_a_person_sits(run, monkeypatch):
    """Both streams of the test runner play a terminal."""
    monkeypatch.setattr("lookhere.cli.terminal.shown", lambda stream: True)
    result = run("narrate", "strip.png", "--schedule", "6 free", "--every", 3)
    assert result.stdout == mixed(3, 5) + fake.UNSTEERED[3:6] + "\n"
    assert click.unstyle(result.stderr) == "[panel 6 of 6]  [free]"
    result = run("narrate", "strip.png", "--schedule", "6,1", "--every", 300)
    assert "1 of 2 targets were not reached" in result.stderr


WRITES = """
import sys, fake_engine, lookhere
sys.modules["lookhere._engine"] = lookhere._engine = fake_engine
from lookhere.cli import main
sample, session = fake_engine.Sampler.sample, [0]
def slow(self, native, row=-1):
    session[0] += 1
    if session[0] == 4:
        assert sys.stdin.readline() == "three words were read\\n"
    return sample(self, native, row)
fake_engine.Sampler.sample = slow
main(["narrate", "strip.png", "--model", "model.gguf", "--schedule", "free", "--every", "5"])
"""


def test_words_appear_as_they_are_made(pair, tmp_path):
    """The fourth token is only made after the first three were read at the other end of a pipe."""
    Image.fromarray(np.full((32, 96, 3), 200, np.uint8)).save(tmp_path / "strip.png")
    known = {**os.environ, "PYTHONPATH": os.pathsep.join(filter(None, sys.path))}
    with subprocess.Popen(
        [sys.executable, "-c", WRITES],
        cwd=tmp_path,
        env=known,
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        text=True,
    ) as process:
        assert process.stdout.read(3) == fake.UNSTEERED[:3]
        process.stdin.write("three words were read\n")
        process.stdin.flush()
        assert process.stdout.read() == fake.UNSTEERED[3:5] + "\n"
    assert process.returncode == 0


@pytest.mark.parametrize(
    ("args", "message"),
    [
        ((), "Missing option '--schedule'"),
        (("--schedule", "4,7"), "panel 7; expected 1 to 6"),
        (("--schedule", "4,x"), "names '4,x'; expected panel numbers"),
        (("--schedule", "2", "--panels", "0"), "expected N panels side by side"),
        (("--schedule", "2", "--panels", "2x"), "expected N panels side by side"),
        (("--schedule", "2", "--every", "0"), "expected a number of tokens"),
        (("--schedule", "2", "--every", "word"), "expected a number of tokens"),
        (("--schedule", "box:4,0,2,9"), "empty or inverted"),
    ],
)
def test_wrong_use(run, args, message):
    for command in ("narrate", "describe") if args else ("narrate",):
        result = run(command, "strip.png", *args)
        assert (result.exit_code, result.stdout) == (2, "")
        assert message in " ".join(result.stderr.split())


def test_a_schedule_and_a_region(run):
    result = run("describe", "strip.png", "--schedule", "2", "--point", "1,1")
    assert (result.exit_code, result.stdout) == (2, "")
    assert "leave --box and the other regions out" in " ".join(result.stderr.split())
    result = run("narrate", "strip.png", "--schedule", "1 point:99,1")
    assert (result.exit_code, result.stdout) == (1, "")
    assert "Point(99, 1) leaves the image" in result.stderr
