"""Regions on the command line reach the model, alone and together."""

import json
import re
from pathlib import Path

import fake_engine as fake
import numpy as np
import pytest
from lookhere import Mask
from PIL import Image

DOCS = (Path(__file__).parents[2] / "docs/regions.md").read_text()
CORNER = np.zeros((32, 96), bool)
CORNER[16:, 80:] = True


@pytest.fixture
def run(run):
    """Describes a strip.png of 96 x 32 pixels, 2 x 6 tokens, with the fake engine; beside it lie masks."""
    Image.fromarray(CORNER).save("corner.png")
    Image.fromarray(np.zeros((32, 96), np.uint8)).save("black.png")
    Image.fromarray(np.full((96, 32), 255, np.uint8)).save("turned.png")
    Image.fromarray(np.full((32, 96, 3), (255, 0, 0), np.uint8)).save("red.png")
    return lambda *args: run("describe", "strip.png", *args)


@pytest.mark.parametrize(
    "where",
    [
        ("--box", "80,16,96,32"),
        ("--point", "90,20"),
        ("--panel", "2,6/2,6"),
        ("--box", "83.4%,50%,100%,100%"),
        ("--point", "95%,60%"),
        ("--polygon", "80,16,96,16,96,32,80,32"),
        ("--polygon", "81,17, 95,17, 88,31"),
        ("--polygon", "83.4%,50%,100%,50%,100%,100%,83.4%,100%"),
        ("--mask", "corner.png"),
        ("--mask", "corner.png", "--polygon", "80,16,96,16,96,32", "--box", "84,16,96,32", "--point", "95,31"),
    ],
)
def test_each_names_the_same_token(run, where):
    result = run(*where)
    assert (result.exit_code, result.stderr) == (0, "")
    assert result.stdout == fake.steered_text(1, 5) + "\n"


def test_json_and_heat_map(run):
    where = ("--mask", "corner.png", "--polygon", "0,0,16,0,0,16", "--box", "0,0,96,32")
    result = run(*where, "--json", "--heatmap", "where.png")
    mask, polygon, box = json.loads(result.stdout)["steering"]["regions"]  # as they are given
    assert box == {"kind": "box", "x0": 0, "y0": 0, "x1": 96, "y1": 32}
    assert polygon == {"kind": "polygon", "corners": [[0, 0], [16, 0], [0, 16]]}
    assert mask == Mask(CORNER).as_json()
    with Image.open("where.png") as picture:
        assert picture.width == 3 * picture.height


@pytest.mark.parametrize(
    ("args", "code", "message"),
    [
        (("--box", "10%,0,50,100%"), 2, "mixes percent and pixels: 50 has no percent sign"),
        (("--box", "10%,0,150%,100%"), 2, "x1 is 1.5; expected a number from 0 to 1"),
        (("--box", "0.1,0,0.5,1"), 1, "Box.relative(0.1, 0, 0.5, 1), on the command line --box 10%,0%,50%,100%"),
        (("--box", "167,0,333,1000"), 1, "Box.thousandths(167, 0, 333, 1000)"),
        (("--polygon", "10%,0,50,0,0,50%"), 2, "mixes percent and pixels: 50 has no percent sign"),
        (("--polygon", "0%,0,150%,0,0,50%"), 2, "expected a number from 0 to 1"),
        (("--polygon", "0,0,5,5"), 2, "2 corners; expected at least 3"),
        (("--polygon", "0,0,5,0,5"), 2, "not of the form X,Y,X,Y,X,Y..."),
        (("--polygon", "0,0,5,0,a,b"), 2, "not of the form"),
        (("--polygon", "0,0,5,5,9,9"), 2, "no area"),
        (("--polygon", "0,0,nan,5,9,9"), 2, "finite"),
        (("--polygon", "0,0,97,0,5,5"), 1, "leaves the image, which is 96 x 32 pixels"),
        (("--mask", "none.png"), 1, "no file 'none.png'"),
        (("--mask", "model.gguf"), 1, "not an image"),
        (("--mask", "black.png"), 2, "nowhere to look"),
        (("--mask", "red.png"), 2, "has colours"),
        (("--mask", "turned.png"), 1, "shape (96, 32), the image (32, 96)"),
    ],
)
def test_errors(run, args, code, message):
    result = run(*args)
    assert result.exit_code == code
    assert message in " ".join(result.stderr.split())
    assert result.stdout == ""


def test_the_example_in_the_docs(run, capsys):
    Image.fromarray(np.full((320, 240, 3), 200, np.uint8)).save("street.jpg")
    code, small = re.findall(r"^```python\n(.*?)^```", DOCS, re.MULTILINE | re.DOTALL)
    names = {}
    exec(compile(code, "regions.md", "exec"), names)
    assert capsys.readouterr().out != fake.UNSTEERED + "\n"
    assert names["shares"].max() == 1
    exec(compile(small, "regions.md", "exec"), names)
    assert names["near"].part.area < 240 * 320 / 4


@pytest.mark.parametrize("option", ["--box", "--point", "--panel", "--polygon", "--mask"])
def test_the_docs_name_each_option_as_it_is(run, option):
    (example,) = re.findall(f"`{option} ([^`]+)`", DOCS)[:1]
    Image.fromarray(np.full((320, 240, 3), 200, np.uint8)).save("strip.png")
    Image.fromarray(np.full((320, 240), 255, np.uint8)).save("mask.png")
    assert run(option, example).exit_code == 0
