"""Texts on the command line: told from images by their content, their places, and every way that they can be wrong."""

import json

import fake_engine as fake
import pytest

NOTES = "A cat sleeps.\n\nA dog eats.\n"
DOG = NOTES.index("A dog")


@pytest.fixture
def notes(run, tmp_path, head_set):
    """Runs a command in a folder with notes.txt, and a model without a projector as blind/text.gguf."""
    (tmp_path / "notes.txt").write_text(NOTES)
    (tmp_path / "blind").mkdir()
    fake.write_gguf(tmp_path / "blind/text.gguf")
    head_set.write(tmp_path / "heads.json")
    return lambda *args, **options: run(*args, "--model", "blind/text.gguf", "--heads", "heads.json", **options)


def test_describe(notes):
    result = notes("describe", "notes.txt", "--paragraph", "2")
    assert (result.exit_code, result.stdout, result.stderr) == (0, f"{fake.steered_text(0, DOG)}\n", "")
    assert notes("describe", "notes.txt", "--span", "3:6").stdout == f"{fake.steered_text(0, 3)}\n"
    assert notes("describe", "-", "--paragraph", "2", input=NOTES.encode()).stdout == result.stdout
    assert notes("describe", "notes.txt").stdout == f"{fake.UNSTEERED}\n"


def test_told_by_its_content(notes, tmp_path):
    for name in ("notes", "notes.md", "notes.dat"):
        (tmp_path / name).write_bytes(NOTES.encode("utf-16"))
        assert notes("describe", name, "--paragraph", "2").stdout == f"{fake.steered_text(0, DOG)}\n"


def test_json(notes):
    told = json.loads(notes("describe", "notes.txt", "--paragraph", "2", "--json").stdout)
    assert told["steering"]["regions"] == [{"kind": "paragraph", "number": 2}]
    assert told["document"] == {"characters": len(NOTES), "paragraphs": [[0, 13], [DOG, len(NOTES) - 1]]}
    assert told["grids"] == [{"rows": 1, "cols": len(NOTES), "edges": list(range(len(NOTES) + 1))}]
    assert set(told["where"]) == {"span", "paragraph", "peak", "centre", "share"}
    assert [word["where"]["span"] for word in told["words"]]
    assert "image" not in told


def test_narrate(notes):
    plan = ["--schedule", "paragraph:2 span:0:5 free", "--every", "3"]
    result = notes("narrate", "notes.txt", *plan)
    assert result.exit_code == 0
    lines = notes("narrate", "notes.txt", *plan, "--json").stdout.splitlines()
    assert [json.loads(line)["target"] for line in lines[:-1]] == [0, 0, 0, 1, 1, 1, 2, 2, 2]
    assert json.loads(lines[-1])["document"]["characters"] == len(NOTES)
    assert notes("describe", "notes.txt", *plan).stdout == result.stdout


@pytest.mark.parametrize(
    ("content", "args", "code", "message"),
    [
        (b"", (), 1, "is empty; expected a text"),
        (b"caf\xe9 noir", (), 1, "no text in UTF-8: the bytes at 3"),
        (NOTES.encode(), ("--paragraph", "3"), 1, "the text has 2 paragraphs"),
        (b" \n \n", ("--paragraph", "1"), 1, "white space alone"),
        (NOTES.encode(), ("--paragraph", "0"), 2, "number=0"),
        (NOTES.encode(), ("--paragraph", "two"), 2, "not of the form K"),
        (NOTES.encode(), ("--span", "20:99"), 1, "leaves the text, which has 27 characters"),
        (NOTES.encode(), ("--span", "9:9"), 2, "empty or inverted"),
        (NOTES.encode(), ("--span", "9"), 2, "not of the form START:END"),
        (NOTES.encode(), ("--box", "0,0,5,5"), 1, "place in an image, and this is a text"),
        (NOTES.encode(), ("--panel", "1/2"), 1, "place in an image, and this is a text"),
        (b"a" * 5000, (), 1, "takes 5000 tokens; the context holds 4096"),
        (NOTES.encode(), ("--heatmap", "where.png"), 1, "--heatmap is for images, and notes.txt is a text"),
        (NOTES.encode(), ("--show-grid", "grid.png"), 1, "--show-grid is for images"),
        (NOTES.encode(), ("--zoom", "--span", "0:3"), 1, "--zoom is for images"),
    ],
)
def test_errors(notes, tmp_path, content, args, code, message):
    (tmp_path / "notes.txt").write_bytes(content)
    result = notes("describe", "notes.txt", *args)
    assert (result.exit_code, result.stdout) == (code, "")
    assert message in " ".join(result.stderr.split())


@pytest.mark.parametrize(
    ("name", "content"),
    [
        ("broken.png", b"not an image"),
        ("page.svg", b"<svg xmlns='http://www.w3.org/2000/svg'/>"),
        ("page", b"<?xml version='1.0'?><svg/>"),
        ("cut", b"\x89PNG\r\n\x1a\n\0\0"),
    ],
)
def test_what_is_meant_as_an_image_stays_one(notes, tmp_path, name, content):
    (tmp_path / name).write_bytes(content)
    result = notes("describe", name)
    assert result.exit_code == 1
    assert "image" in result.stderr
    assert "text" not in result.stderr.replace("context", "")


def test_images(notes, run):
    assert "none is beside it" in notes("describe", "strip.png").stderr
    assert "place in a text, and this is an image" in run("describe", "strip.png", "--paragraph", "1").stderr
    assert "no file 'none.txt'" in notes("describe", "none.txt").stderr


def test_the_model_that_never_learned_to_read(run, tmp_path, monkeypatch):
    from lookhere.cli import asked

    (tmp_path / "notes.txt").write_text(NOTES)
    result = run("describe", "notes.txt", "--paragraph", "2")
    assert (result.exit_code, result.stderr) == (0, "")
    monkeypatch.setattr(asked, "package_folder", lambda name: tmp_path)  # where the fake built-in model lies
    result = run("describe", "notes.txt", "--paragraph", "2")
    assert result.stdout == f"{fake.steered_text(0, DOG)}\n"
    assert "never to read" in result.stderr
