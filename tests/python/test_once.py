"""Nothing is computed only to be checked: what comes from the command line is read once, and covered once."""

import json
from collections import Counter

import pytest
from click.testing import CliRunner
from lookhere.cli import main
from lookhere.images.image import Image
from lookhere.kv.session import Session
from lookhere.prompt.chat import ChatTemplate
from lookhere.regions import box, region
from lookhere.scenes import seen
from lookhere.steering.push import Push
from lookhere.tokens import coverage
from lookhere.tokens.frame import Frame


@pytest.fixture
def counts(monkeypatch):
    """How often each of these is called: a box made, a region placed, its shares computed, its bias made, ..."""
    found = Counter()

    def count(owner, name, key=None):
        plain = getattr(owner, name)

        def counted(*args, **options):
            found[key or name] += 1
            return plain(*args, **options)

        monkeypatch.setattr(owner, name, counted)

    count(box.Box, "__post_init__", "boxes")
    count(Frame, "placed")
    count(seen, "coverage")
    count(seen, "target")
    count(coverage, "shares")
    count(Push, "image_bias")
    count(ChatTemplate, "pieces")
    count(Session, "compute", "step")
    plain = Image.open.__func__

    def opened(cls, source, *args, **options):
        if not isinstance(source, Image):  # one that is open stays as it is
            found["open"] += 1
        return plain(cls, source, *args, **options)

    monkeypatch.setattr(Image, "open", classmethod(opened))
    assert region.Box is box.Box
    return found


def test_a_box_from_the_command_line(run, counts, tmp_path):
    result = run("describe", "strip.png", "--box", "16,0,48,16", "--max-tokens", 3, "--show-grid", "grid.png")
    assert result.exit_code == 0, result.stderr
    assert {key: counts[key] for key in ("placed", "coverage", "target", "shares", "image_bias", "pieces", "open")} == {
        "placed": 1, "coverage": 1, "target": 1, "shares": 1, "image_bias": 1, "pieces": 1, "open": 1,
    }  # fmt: skip
    assert counts["boxes"] == 1
    assert counts["step"] == 3


def test_a_schedule_from_the_command_line(run, counts):
    """Three boxes, one of them twice."""
    targets = "box:16,0,48,16 box:0,0,16,16 free box:16,0,48,16 box:48,0,64,16"
    result = run("narrate", "strip.png", "--schedule", targets, "--every", 2)
    assert result.exit_code == 0, result.stderr
    assert (counts["boxes"], counts["coverage"], counts["shares"]) == (4, 3, 3)
    assert counts["image_bias"] == 3


def test_moves(model, counts):
    import lookhere
    import numpy as np

    scene = model.look(np.full((32, 96, 3), 200, np.uint8))
    with scene.stream(at=lookhere.Box(0, 0, 16, 16), max_tokens=6) as answer:
        for step in answer:
            if step.index < 5:
                answer.look_at(lookhere.Box(16 * step.index, 0, 16 * step.index + 16, 16))
    assert counts["coverage"] == counts["shares"] == counts["image_bias"] == 6


def test_the_printed_answer_is_the_wires(run):
    from lookhere.wire.answer import read_answer

    result = run("describe", "strip.png", "--box", "16,0,48,16", "--json")
    data = json.loads(result.stdout)
    assert read_answer(data).as_json() == data
    assert CliRunner().invoke(main, ["describe", "--help"]).exit_code == 0
