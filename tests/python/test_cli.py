"""The command line: stdout carries the answer alone, errors are one line, exit codes are 0, 1 and 2."""

import json
import re
from pathlib import Path

import fake_engine as fake
import numpy as np
import pytest
from lookhere.cli import main
from lookhere.cli.options.sections import SECTIONS, Sectioned
from lookhere.comics import generate_strip
from lookhere.steering.head_set import HeadSet
from PIL import Image


def test_describe(run):
    result = run("describe", "strip.png")
    assert (result.exit_code, result.stdout, result.stderr) == (0, fake.UNSTEERED + "\n", "")
    for where in (("--box", "80,16,96,32"), ("--point", "90,20"), ("--panel", "2,6/2,6")):
        assert run("describe", "strip.png", *where).stdout == fake.steered_text(1, 5) + "\n"
    assert run("describe", "strip.png", "--panel", "3/6").stdout == fake.steered_text(0, 2) + "\n"
    assert run("describe", "-", input=Path("strip.png").read_bytes()).stdout == fake.UNSTEERED + "\n"
    assert run("describe", "strip.png", "--max-tokens", 3, "--prompt", "Hm?").stdout == fake.UNSTEERED[:3] + "\n"
    assert run("describe", "strip.png", "--stop", " in").stdout == "nothing\n"


def test_describe_with_another_model(run, pair, head_set, tmp_path):
    result = run("describe", "strip.png", "--model", pair[0], "--mmproj", pair[1], "--point", "0,0")
    assert result.exit_code == 1
    assert "No head set is known" in result.stderr
    head_set.write("mine.json")
    result = run("describe", "strip.png", "--model", pair[0], "--heads", "mine.json", "--point", "0,0", "--strength", 3)
    assert result.stdout == fake.steered_text(0, 0) + "\n"
    assert HeadSet.read("mine.json") == head_set


def test_json_and_heat_map(run):
    result = run("describe", "strip.png", "--panel", "6/6", "--json", "--heatmap", "where.png")
    answer = json.loads(result.stdout)
    assert answer["text"] == fake.steered_text(0, 5)
    assert answer["image"] == {"width": 96, "height": 32}
    assert answer["steering"]["regions"] == [{"kind": "panel", "row": 1, "col": 6, "rows": 1, "cols": 6}]
    assert answer["grids"] == [{"rows": 2, "cols": 6, "rectangle": [0, 0, 96, 32]}]
    assert np.shape(answer["gaze"]) == (1, 2, 6)
    assert answer["where"]["box"] == [16, 0, 32, 16]
    assert [word["text"] for word in answer["words"]] == ["row", "0", "column", "5", "é"]
    assert answer["words"][1] == {"text": "0", "start": 4, "stop": 5, "where": answer["where"]}
    with Image.open("where.png") as picture:
        assert picture.width == 3 * picture.height


@pytest.mark.parametrize(
    ("args", "code", "message"),
    [
        (("describe", "missing.png"), 1, "no file 'missing.png'"),
        (("describe", "model.gguf"), 1, "not an image"),
        (("describe", "strip.png", "--model", "none.gguf"), 1, "no file 'none.gguf'"),
        (("describe", "strip.png", "--heads", "none.json"), 1, "'none.json' is not there"),
        (("describe", "strip.png", "--box", "0,0,97,32"), 1, "leaves the image, which is 96 x 32 pixels"),
        (("describe", "strip.png", "--point", "0,0", "--strength", "-1"), 1, "strength=-1.0"),
        (("describe", "strip.png", "--heatmap", "none/where.png", "--point", "0,0"), 1, "no folder 'none'"),
        (("describe", "strip.png", "--show-grid", "none/grid.png"), 1, "no folder 'none'"),
        (("describe", "strip.png", "--show-grid", "grid.psd"), 2, ".png"),
        (("demo", "-o", "demo"), 2, ".png"),
        (("describe", "strip.png", "--repeat-penalty", "-1"), 2, "repeat-penalty"),
        (("describe", "-"), 1, "nothing on standard input"),
        (("describe",), 2, "Missing argument"),
        (("describe", "strip.png", "--box", "0,0,5"), 2, "not of the form X0,Y0,X1,Y1"),
        (("describe", "strip.png", "--box", "5,0,0,5"), 2, "empty or inverted"),
        (("describe", "strip.png", "--box", "0,0,nan,5"), 2, "finite"),
        (("describe", "strip.png", "--panel", "7/6"), 2, "only 6 panels"),
        (("describe", "strip.png", "--panel", "6"), 2, "not of the form K/N"),
        (("describe", "strip.png", "--point", "a,b"), 2, "not of the form X,Y"),
        (("describe", "strip.png", "--strength", "3"), 2, "need a region"),
        (("describe", "strip.png", "--share", "0.5"), 2, "need a region"),
        (("describe", "strip.png", "--point", "0,0", "--share", "0.5"), 1, "share=0.5 with mode='boost_suppress'"),
        (("describe", "strip.png", "--point", "0,0", "--mode", "target_share", "--share", "2"), 1, "share=2.0"),
        (("describe", "strip.png", "--every", "20"), 2, "need a --schedule"),
        (("describe", "strip.png", "--panels", "6", "--panel", "2/6"), 2, "need a --schedule"),
        (("describe", "strip.png", "--gpu-layers", "-1"), 2, "gpu-layers"),
        (("demo", "--strip", "strip"), 2, ".png"),
        (("demo", "--strip", "none/strip.png"), 1, "no folder 'none'"),
        (("discover", "--floor", "1"), 2, "0<=x<1"),
        (("describe", "strip.png", "--heatmap", "where.txt"), 2, ".png"),
        (("describe", "strip.png", "--max-tokens", "0"), 2, "max-tokens"),
        (("describe", "strip.png", "--colour", "red"), 2, "No such option"),
        (("paint",), 2, "No such command"),
        (("info", "none.gguf"), 1, "no file 'none.gguf'"),
    ],
)
def test_errors(run, args, code, message):
    result = run(*args)
    assert result.exit_code == code
    assert message in " ".join(result.stderr.split())
    assert result.stdout == ""
    if code == 1:
        assert result.stderr.startswith("Error: ")
        assert result.stderr.count("\n") == 1


def test_info(run, pair):
    result = run("info")
    assert result.exit_code == 0
    for fact in (
        "llama.cpp",
        "Fake (built in)",
        "4",
        "fake_merger",
        "2 of 8, in layers 1, 3",
        "5 nats",
        "once per group",
    ):
        assert fact in result.stdout
    assert "give one with --heads" in run("info", pair[0]).stdout


def test_demo(run):
    result = run("demo")
    assert result.exit_code == 0, result.output
    lines = result.stdout.splitlines()
    assert lines[0] == f"unsteered  {fake.UNSTEERED}"
    assert len(lines) == 7
    assert all(line.startswith(f"panel {k + 1}") for k, line in enumerate(lines[1:]))
    with Image.open("lookhere-demo.png") as poster:
        assert poster.width == 1680
    assert run("demo", "-o", "none/x.png").exit_code == 1
    assert "--strip" in result.stderr


def test_a_model_that_says_nothing(run, engine, monkeypatch):
    """Nothing is read of an answer without a token."""
    monkeypatch.setattr(engine.Session, "_row", lambda self: (b"", b""))
    result = run("demo")
    assert result.exit_code == 0, result.output
    assert result.stdout.split() == ["unsteered", *(word for k in range(1, 7) for word in ("panel", str(k)))]
    assert Path("lookhere-demo.png").exists()
    result = run("describe", "strip.png", "--panel", "2/6", "--heatmap", "where.png")
    assert (result.exit_code, result.stdout.strip()) == (1, "")
    assert "nothing was read: the answer is empty, or" in result.stderr


def test_the_strip_of_the_demo(run):
    result = run("demo", "--seed", 3, "--panels", 4, "--strip", "mine.png")
    assert result.exit_code == 0, result.output
    assert "lookhere describe mine.png --panel 2/4" in result.stderr
    strip = generate_strip(3, panels=4, panel_size=64, split="held_out", style="colour")
    with Image.open("mine.png") as saved:
        assert np.array_equal(np.asarray(saved.convert("RGB")), np.asarray(strip.image))


@pytest.mark.parametrize("command", [("describe", "strip.png"), ("narrate", "strip.png", "--schedule", "2")])
def test_layers_on_the_gpu(run, monkeypatch, command):
    given = []
    model = fake.Model
    monkeypatch.setattr(fake, "Model", lambda path, **options: given.append(options) or model(path, **options))
    monkeypatch.setattr(fake, "sees_gpu", lambda: True)
    assert run(*command).exit_code == 0
    assert run(*command, "--gpu-layers", 99).exit_code == 0
    assert [options["gpu_layers"] for options in given] == [0, 99]


@pytest.mark.parametrize("command", [[], ["demo"], ["describe"], ["narrate"], ["discover"], ["evaluate"], ["info"]])
def test_help(run, command):
    result = run(*command, "--help")
    assert result.exit_code == 0
    assert "Usage:" in result.stdout
    assert max(map(len, result.stdout.splitlines())) <= 100


@pytest.mark.parametrize("command", [name for name, each in main.commands.items() if isinstance(each, Sectioned)])
def test_help_in_sections(run, command):
    """Every option stands under one title; under Output, only what is printed, saved or said."""
    lines = run(command, "--help").stdout.splitlines()
    lines = lines[next(number for number, line in enumerate(lines) if re.match(r"\w.*:$", line)) :]
    shown = [word for line in lines if re.match(r"  -", line) for word in re.findall(r"--[a-z-]+", line.split("  ")[1])]
    options = [param for param in main.commands[command].params if param.param_type_name == "option"]
    assert sorted(shown) == sorted([*(option.opts[-1] for option in options), "--help"])
    titles = [line[:-1] for line in lines if re.match(r"\w.*:$", line)]
    assert titles == [title for title in (*SECTIONS, "Output") if title in titles]
    last = {option.name for option in options} - {name for names in SECTIONS.values() for name in names}
    assert last <= {"output", "full", "heatmap", "show_grid", "as_json", "opened", "force", "verbose"}


def test_every_name_of_a_section_is_that_of_an_option():
    known = {param.name for each in main.commands.values() if isinstance(each, Sectioned) for param in each.params}
    assert known.issuperset(name for names in SECTIONS.values() for name in names)


def test_zoom(run):
    plain = json.loads(run("describe", "strip.png", "--box", "40,4,48,12", "--json").stdout)
    zoomed = json.loads(
        run("describe", "strip.png", "--box", "40,4,48,12", "--zoom", "--json", "--heatmap", "z.png").stdout
    )
    assert plain["grids"][0]["rectangle"] == [0, 0, 96, 32]
    left, _, right, _ = zoomed["grids"][0]["rectangle"]
    assert 0 <= left <= 40
    assert 48 <= right <= 96
    assert right - left < 48
    assert left <= zoomed["where"]["box"][0] < zoomed["where"]["box"][2] <= right
    with Image.open("z.png") as picture:
        assert picture.width == 3 * picture.height
    assert "needs a region" in run("describe", "strip.png", "--zoom").stderr
