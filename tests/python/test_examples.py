"""Every example runs, and says what it is there to say, with the built-in model."""

import contextlib
import fcntl
import io
import json
import os
import pty
import re
import runpy
import select
import struct
import subprocess
import sys
import termios
import time
from importlib.util import find_spec
from pathlib import Path
from types import SimpleNamespace

import lookhere
import numpy as np
import pytest
from lookhere.comics import generate_strip
from PIL import Image

EXAMPLES = Path(__file__).parents[2] / "examples"
NAMES = sorted(path.name for path in EXAMPLES.glob("*.py"))


@pytest.fixture(scope="module")
def strip():
    return generate_strip(7)


@pytest.fixture
def run(builtin, strip, tmp_path, monkeypatch, capsys):
    """Runs an example in a folder with strip.png, and gives what it prints. The model is loaded already."""
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("PATH", str(tmp_path / "bin"))
    monkeypatch.setattr(lookhere, "load", lambda model=None: contextlib.nullcontext(builtin))
    strip.image.save("strip.png")

    def main(name, *words):
        monkeypatch.setattr(sys, "argv", [name, *map(str, words)])
        runpy.run_path(str(EXAMPLES / name), run_name="__main__")
        return capsys.readouterr()

    return main


def test_the_page_lists_them():
    page = (EXAMPLES / "README.md").read_text()
    assert sorted(re.findall(r"^\| \[(\w+\.py)\]\(\1\)", page, re.MULTILINE)) == NAMES


@pytest.mark.parametrize("name", NAMES)
def test_each_is_a_page_long_and_says_how_it_is_run(name):
    text = (EXAMPLES / name).read_text()
    assert len(text.splitlines()) <= 135
    assert f"python examples/{name}" in text.split('"""')[1]


@pytest.fixture
def voice(tmp_path):
    """An espeak-ng that writes what it would say."""
    program, said = tmp_path / "bin/espeak-ng", tmp_path / "said"
    program.parent.mkdir()
    lines = ("#!/bin/sh", '[ "$1" = --stdin ] || exit', f"/bin/cat >> '{said}'", f"echo >> '{said}'", "")
    program.write_text("\n".join(lines))
    program.chmod(0o755)
    return said


def test_what_is_under_the_cursor_is_spoken(run, strip, voice):
    said = run("under_cursor.py", "strip.png", "96,32", "352,32").out
    assert said == f"96,32: {strip.captions[1]}\n352,32: {strip.captions[5]}\n"
    assert voice.read_text().splitlines() == [strip.captions[1], strip.captions[5]]


def test_the_newest_place_counts(run, strip, monkeypatch):
    monkeypatch.setattr(sys, "stdin", io.StringIO("10 10\n\n100 20\n160,32\n"))
    said = run("under_cursor.py", "strip.png").out  # and nothing speaks
    assert said.splitlines()[-1] == f"160,32: {strip.captions[2]}"


def test_captions_of_boxes(run, strip, tmp_path):
    boxes = [[x0, y0, x1 - x0 + 0.4, y1 - y0 + 0.4] for x0, y0, x1, y1 in strip.boxes]  # over the edge, as rounded ones
    annotations = [{"id": k, "image_id": 1, "bbox": box, "iscrowd": 0} for k, box in enumerate(boxes)]
    lost = {"id": 9, "image_id": 2, "bbox": [0, 0, 5, 5]}
    images = [{"id": 1, "file_name": "strip.png"}, {"id": 2, "file_name": "gone.png"}, {"id": 3, "file_name": "x.png"}]
    given = {"info": {"a": "ü"}, "images": images, "annotations": [*annotations, lost]}
    (tmp_path / "boxes.json").write_text(json.dumps(given))
    told = run("caption_boxes.py", "boxes.json", "--images", tmp_path, "-o", "out.json")
    found = json.loads((tmp_path / "out.json").read_text(encoding="utf-8"))
    assert [each.pop("caption", None) for each in found["annotations"]] == [*strip.captions, None]
    assert found == given
    assert "gone.png: There is no file" in told.err
    assert len(told.out.splitlines()) == 6


def test_alt_text(run, strip, tmp_path):
    page = (
        '<!doctype html>\r\n<h1>ü</h1>\n<!-- <img src="strip.png"> -->\n<p><IMG SRC="strip.png" width=3>'
        '<img src="strip.png" alt=""><img alt="mine" src="strip.png">\n <img\n class="a" src="strip.png"/></p>'
        '<img src="gone.png"><img>\n<script>"<img src=\'strip.png\'>"</script>\n'
    )
    (tmp_path / "page.html").write_bytes(page.encode())
    told = run("alt_text.py", "page.html", "-o", "new.html", "--panels", 6)
    new = (tmp_path / "new.html").read_bytes().decode()
    text = " ".join(f"Panel {k}: {caption}" for k, caption in enumerate(strip.captions, 1))
    assert new == page.replace("<IMG", f'<IMG alt="{text}"').replace("<img\n", f'<img alt="{text}"\n')
    assert "gone.png: There is no file" in told.err
    run("alt_text.py", "page.html", "-o", "one.html")
    (alone, other) = re.findall(r'<(?:IMG|img) alt="([^"]+)"(?! src)', (tmp_path / "one.html").read_text())
    assert alone == other
    assert alone in strip.captions


def test_a_box_that_moves_in_a_video(run, tmp_path):
    imageio = pytest.importorskip("imageio.v3")
    strips = [generate_strip(seed) for seed in range(7, 13)]  # all different: a GIF leaves out what does not change
    frames = [np.asarray(each.image) for each in strips]
    imageio.imwrite(tmp_path / "film.gif", frames, duration=500)
    keys = ("--at", "0:0,0,64,64", "--at", "4:256,0,320,64")
    said = run("moving_box.py", "film.gif", *keys, "--every", 2, "-o", "told.gif").out.splitlines()
    boxes = ("0, 0, 64, 64", "128, 0, 192, 64", "256, 0, 320, 64")
    expected = [f"frame {2 * k}, box {boxes[k]}: {strips[2 * k].captions[2 * k]}" for k in range(3)]
    assert said == expected
    with Image.open(tmp_path / "told.gif") as told:
        assert told.n_frames == 3
        told.seek(1)
        assert told.convert("RGB").getpixel((128, 30)) == (255, 0, 0)
        assert told.height > 64


@pytest.mark.skipif(find_spec("gradio") is None, reason="gradio is not installed")
def test_a_web_app(builtin, strip, tmp_path):
    """In a process of its own: Gradio leaves sockets open. A click into the third panel."""
    code = """
import runpy, sys, types
import lookhere, numpy, PIL.Image
with lookhere.load() as model:
    app = runpy.run_path(sys.argv[1])["make_app"](model)
    (function,) = (each.fn for each in app.fns.values())
    event = types.SimpleNamespace(index=(160, 30))
    for text, looked in function(numpy.asarray(PIL.Image.open(sys.argv[2])), 8, event):
        print(text, "|", looked and looked.width / looked.height)
"""
    strip.image.save(tmp_path / "strip.png")
    command = [sys.executable, "-c", code, str(EXAMPLES / "gradio_app.py"), str(tmp_path / "strip.png")]
    *growing, last = subprocess.run(command, check=True, capture_output=True, text=True).stdout.splitlines()
    assert last == f"{strip.captions[2]} | 6.0"
    assert len(growing) > 3
    assert all(strip.captions[2].startswith(line.removesuffix(" | None")) for line in growing)


@pytest.fixture
def terminal(builtin, strip, tmp_path):
    """terminal.py in a terminal of 80 x 24: a function that presses keys and gives the text once it is as expected."""
    strip.image.save(tmp_path / "strip.png")
    ours, theirs = pty.openpty()
    fcntl.ioctl(theirs, termios.TIOCSWINSZ, struct.pack("HHHH", 24, 80, 0, 0))
    command = [sys.executable, str(EXAMPLES / "terminal.py"), str(tmp_path / "strip.png")]
    with subprocess.Popen(command, stdin=theirs, stdout=theirs) as process:
        screen = b""

        def press(keys, wanted):
            nonlocal screen
            os.write(ours, keys)
            until = time.monotonic() + 120
            while time.monotonic() < until:
                if select.select([ours], [], [], 0.2)[0]:
                    screen += os.read(ours, 2**16)
                    shown = screen.decode(errors="replace").rpartition("\x1b[J")[0].rpartition("\x1b[H")[2]
                    text = re.sub(r"\x1b\[[^A-Za-z]*[A-Za-z]|[▀\r\n]", "", shown)
                    if text == wanted:
                        return shown
            raise AssertionError(f"{text!r} is shown, and not {wanted!r}")

        def end(key):
            """The exit code after a key; what is shown meanwhile is read, else the process waits for that."""
            os.write(ours, key)
            until = time.monotonic() + 120
            while process.poll() is None and time.monotonic() < until:
                if select.select([ours], [], [], 0.2)[0]:
                    os.read(ours, 2**16)
            return process.poll()

        try:
            yield SimpleNamespace(press=press, end=end)
        finally:
            process.kill()
            os.close(ours)
            os.close(theirs)


def test_arrow_keys_move_the_box(terminal, strip):
    def bright(screen):
        """The columns of the first line where the box is: it starts with the white edge of the strip."""
        line = screen.split("\r\n")[0]
        upper = [int(each) for each in re.findall(r"38;2;(\d+);\d+;\d+;48", line)]
        return [column for column, red in enumerate(upper) if red == 255]

    first = terminal.press(b"", strip.captions[0])
    second = terminal.press(b"\x1b[C\x1b[C", strip.captions[1])
    assert max(bright(first)) < 16
    assert bright(second)
    assert min(bright(second)) >= 13
    assert terminal.end(b"q") == 0
