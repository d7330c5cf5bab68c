"""Whatever a person gives by mistake: one clear line that says what was given and what to do, and nothing on stdout.

With the compiled engine and the built-in model's own files, whole, cut and changed.
"""

import json
import os
import shutil
import struct
import subprocess
import sys
import zlib
from pathlib import Path

import lookhere
import numpy as np
import pytest
from click.testing import CliRunner
from lookhere import Box
from lookhere.cli import main
from lookhere.comics import generate_strip
from lookhere.loading import builtin as registry
from lookhere.steering.head_set import to_dict
from PIL import Image


def png(width, height):
    """A PNG file that says to be of a size, without its pixels."""
    chunks = (b"IHDR" + struct.pack(">IIBBBBB", width, height, 8, 2, 0, 0, 0), b"IDAT" + zlib.compress(b"\0" * 9))
    packed = (struct.pack(">I", len(c) - 4) + c + struct.pack(">I", zlib.crc32(c)) for c in chunks)
    return b"\x89PNG\r\n\x1a\n" + b"".join(packed)


def changed(data, key, value):
    """A GGUF file with another 32-bit number for a key."""
    at = data.index(key.encode()) + len(key) + 4  # past the type
    return data[:at] + struct.pack("<I", value) + data[at + 4 :]


def write_models(folder, model, projector):
    """Models and projectors, each wrong in one way, each with a whole partner beside it."""
    rng = np.random.default_rng(0)
    pattern = {
        "empty": lambda data: b"",
        "random": lambda data: rng.bytes(5000),
        "letters": lambda data: b"GGUF" + rng.bytes(5000),
        "header": lambda data: data[:1000],
        "half": lambda data: data[: len(data) // 2],
        "short": lambda data: data[:-1000],
    }
    for name, change in pattern.items():
        (folder / f"{name}.gguf").write_bytes(change(model))
        (folder / f"{name}-vision.gguf").write_bytes(change(projector))
    for name, key, value in (
        ("layers", "qwen3vl.block_count", 2**31 - 1), ("width", "qwen3vl.embedding_length", 2**32 - 1),
        ("heads", "qwen3vl.attention.head_count", 0), ("kv", "qwen3vl.attention.head_count_kv", 2**31 - 1),
        ("other", "qwen3vl.n_deepstack_layers", 3), ("deep", "qwen3vl.n_deepstack_layers", 2**31 - 1),
        ("base", "qwen3vl.rope.freq_base", 0x7FC00000),
    ):  # fmt: skip
        (folder / f"{name}.gguf").write_bytes(changed(model, key, value))
    for name, key, value in (
        ("depth", "clip.vision.block_count", 2**32 - 1), ("patch", "clip.vision.patch_size", 0),
        ("odd", "clip.vision.attention.head_count", 3),
    ):  # fmt: skip
        (folder / f"{name}-vision.gguf").write_bytes(changed(projector, key, value))
    entries = (2**60).to_bytes(8, "little")
    (folder / "entries.gguf").write_bytes(model[:16] + entries + model[24:])
    (folder / "text.gguf").write_text("a letter, and no model")


def write_images(folder):
    strip = generate_strip(0, panels=3, panel_size=32, style="colour").image
    assert strip.size == (96, 32)
    strip.save(folder / "strip.png")
    whole = (folder / "strip.png").read_bytes()
    (folder / "strip.jpg").write_bytes(whole)  # a suffix that lies
    (folder / "strip.txt").write_bytes(whole)  # a wrong one
    (folder / "cut.png").write_bytes(whole[: len(whole) // 2])
    (folder / "empty.png").write_bytes(b"")
    (folder / "letter.png").write_text("a letter, and no image")
    (folder / "none.png").write_bytes(png(0, 5))
    (folder / "huge.png").write_bytes(png(50_000, 20_000))
    Image.new("RGB", (500, 1)).save(folder / "thread.png")
    turned = Image.Exif()
    turned[0x0112] = 6  # to be turned by 90 degrees clockwise
    strip.save(folder / "turned.png", exif=turned)


def write_head_sets(folder):
    whole = to_dict(registry.builtin_head_set())
    facts = whole["model"]

    def write(name, **changes):
        (folder / f"{name}.json").write_text(json.dumps({**whole, **changes}))

    write("whole")
    write("outside", model={**facts, "layers": 99}, heads=[{"layer": 98, "head": 0}])
    write("family", model={**facts, "architecture": "gemma3"})
    write("version", version=2)
    write("unknown", colour="red")
    text = (folder / "whole.json").read_text()
    (folder / "half.json").write_text(text[: len(text) // 2])
    (folder / "empty.json").write_text("")


@pytest.fixture(scope="module")
def folder(builtin, tmp_path_factory):
    folder = tmp_path_factory.mktemp("bad")
    files = registry.builtin_files()
    write_models(folder, *(path.read_bytes() for path in files))
    for path, name in zip(files, ("good.gguf", "good-vision.gguf"), strict=True):
        shutil.copy(path, folder / name)
    write_images(folder)
    write_head_sets(folder)
    return folder


@pytest.fixture
def run(folder, monkeypatch):
    """Runs a command in the folder of bad files."""
    monkeypatch.chdir(folder)
    return lambda *args, **options: CliRunner().invoke(main, list(args), **options)


def model(name, vision="good"):
    return ("describe", "strip.png", "--model", f"{name}.gguf", "--mmproj", f"{vision}-vision.gguf")


def heads(name):
    return ("describe", "strip.png", "--point", "1,1", "--heads", f"{name}.json")


LONG = "word " * 5000
WRONG = [
    # what is given, exit code, what was given in the message, what to do in the message
    # files that are missing
    (("describe", "missing.png"), 1, "'missing.png'", "expected an image"),
    (model("missing"), 1, "'missing.gguf'", "expected a GGUF file"),
    (model("good", "missing"), 1, "'missing-vision.gguf'", "Give the mmproj file"),
    (("describe", "strip.png", "--model", "good.gguf"), 1, "'good.gguf'", "Name it with mmproj= (--mmproj)"),
    (heads("missing"), 1, "'missing.json'", "as lookhere discover writes it"),
    (("info", "missing.gguf"), 1, "'missing.gguf'", "expected a GGUF file"),
    (("discover", "half.gguf", "--mmproj", "good-vision.gguf"), 1, "half.gguf", "Fetch it again"),
    (("evaluate", "good.gguf", "--mmproj", "half-vision.gguf"), 1, "half-vision.gguf", "Use the mmproj file"),
    (("describe", "."), 1, "'.' is a folder", "expected an image"),
    (("describe", "strip.png", "--model", "."), 1, "'.' is a folder with", "Name the one that is meant"),
    # files in the wrong place
    (model("good-vision"), 1, "'good-vision.gguf' is a projector", "give it as mmproj="),
    (("describe", "strip.png", "--model", "good.gguf", "--mmproj", "good.gguf"), 1, "'good.gguf' is a language model",
     "expected the mmproj file"),
    (model("other"), 1, "good-vision.gguf", "Use the mmproj file that was published with the model"),
    # damaged models
    (model("empty"), 1, "'empty.gguf' is not a GGUF file, it is empty", "expected a whole one"),
    (model("random"), 1, "'random.gguf' is not a GGUF file", "expected a whole one"),
    (model("text"), 1, "'text.gguf' is not a GGUF file", "expected a whole one"),
    (model("letters"), 1, "'letters.gguf' is a broken GGUF file", "Was the download cut off?"),
    (model("header"), 1, "header.gguf", "Was the download cut off?"),
    (model("half"), 1, "half.gguf", "is cut off"),
    (model("short"), 1, "1,000 are missing", "Fetch it again"),
    (model("good", "empty"), 1, "'empty-vision.gguf' is not a GGUF file, it is empty", "Give the mmproj file"),
    (model("good", "random"), 1, "'random-vision.gguf' is not a GGUF file", "Give the mmproj file"),
    (model("good", "header"), 1, "header-vision.gguf", "mmproj"),
    (model("good", "half"), 1, "half-vision.gguf", "Use the mmproj file"),
    (model("good", "short"), 1, "short-vision.gguf", "cut off"),
    # metadata with absurd sizes
    (model("entries"), 1, f"{2**60} entries", "Was the download cut off?"),
    (model("layers"), 1, "layers.gguf", "Expected a whole GGUF file"),
    (model("width"), 1, "rows of 4294967295", "Use the mmproj file"),
    (model("heads"), 1, "heads.gguf", "Expected a whole GGUF file"),
    (model("kv"), 1, "kv.gguf", "Expected a whole GGUF file"),
    (model("deep"), 1, "the model expects 2147483647", "Use the mmproj file"),
    (model("base"), 1, "not numbers", "is the file damaged?"),
    (model("good", "depth"), 1, "clip.vision.block_count", "Use the mmproj file"),
    (model("good", "patch"), 1, "clip.vision.patch_size", "Use the mmproj file"),
    (model("good", "odd"), 1, "encoding the image", "Fetch the model files again"),
    # images that are none
    (("describe", "letter.png"), 1, "'letter.png'", "expected for instance a PNG or JPEG"),
    (("describe", "good.gguf"), 1, "'good.gguf'", "expected for instance a PNG or JPEG"),
    (("describe", "empty.png"), 1, "'empty.png'", "expected an image"),
    (("describe", "cut.png"), 1, "'cut.png': broken image", "Give a whole one"),
    (("describe", "none.png"), 1, "'none.png'", "expected for instance a PNG or JPEG"),
    (("describe", "huge.png"), 1, "'huge.png'", "scale it down"),
    (("describe", "thread.png"), 1, "500 x 1 pixels", "Cut it into pieces"),
    (("describe", "http://127.0.0.1:9/x.png"), 1, "http://127.0.0.1:9/x.png", "Check the address"),
    # regions
    (("describe", "strip.png", "--box", "0,0,97,32"), 1, "Box(0, 0, 97, 32)", "x1 <= 96"),
    (("describe", "strip.png", "--box", "-1,0,9,9"), 1, "Box(-1, 0, 9, 9)", "expected 0 <= x0"),
    (("describe", "strip.png", "--box", "5,5,5,9"), 2, "Box(5, 5, 5, 9)", "expected x0 < x1"),
    (("describe", "strip.png", "--box", "9,5,5,9"), 2, "Box(9, 5, 5, 9)", "expected x0 < x1"),
    (("describe", "strip.png", "--box", "0,nan,5,9"), 2, "y0 is nan", "expected a finite number"),
    (("describe", "strip.png", "--box", "0,0,inf,9"), 2, "x1 is inf", "expected a finite number"),
    (("describe", "strip.png", "--box", "1,2,3"), 2, "'1,2,3'", "of the form X0,Y0,X1,Y1"),
    (("describe", "strip.png", "--box", "1,2,3,x"), 2, "'1,2,3,x'", "of the form X0,Y0,X1,Y1"),
    (("describe", "strip.png", "--point", "96,0"), 1, "Point(96, 0)", "expected 0 <= x < 96"),
    (("describe", "strip.png", "--panel", "7/6"), 2, "Panel(7, 6)", "expected 1 <= k <= 6"),
    (("describe", "strip.png", "--panel", "0/6"), 2, "k is 0", "expected a whole number from 1"),
    (("narrate", "strip.png", "--schedule", "1,7"), 2, "panel 7", "expected 1 to 6"),
    # head sets
    (heads("outside"), 1, "layer 98, head 0", "Use the head set of this model"),
    (heads("family"), 1, "gemma3", "Use the head set of this model"),
    (heads("version"), 1, "version is 2", "expected 1"),
    (heads("unknown"), 1, "unknown key colour", "expected only"),
    (heads("half"), 1, "'half.json' is not JSON", "Was it half written?"),
    (heads("empty"), 1, "'empty.json' is not JSON", "Was it half written?"),
    # more than fits
    (("describe", "strip.png", "--context", "16"), 1, "the context holds 16", "larger context="),
    (("describe", "strip.png", "--context", "256", "--prompt", LONG), 1, "context holds 256", "Give a shorter prompt"),
    (("describe", "strip.png", "--prompt", LONG), 1, "the context holds", "Give a shorter prompt"),
    (("describe", "strip.png", "--context", "99999999"), 2, "99999999", "16<=x<=4194304"),
    # options
    (("describe", "strip.png", "--max-tokens", "0"), 2, "0 is not in the range", "x>=1"),
    (("describe", "strip.png", "--max-tokens", "99999999999"), 1, "max_tokens=99999999999", "expected a whole number"),
    (("describe", "strip.png", "--seed", "-1"), 2, "-1 is not in the range", "x>=0"),
    (("describe", "strip.png", "--seed", str(2**32 - 1)), 1, "seed=4294967295", "expected a whole number"),
    (("describe", "strip.png", "--temperature", "-0.1"), 2, "-0.1 is not in the range", "x>=0"),
    (("describe", "strip.png", "--temperature", "101"), 1, "temperature=101.0", "expected a number from 0 to 100"),
    (("describe", "strip.png", "--temperature", "nan"), 1, "temperature=nan", "expected a number from 0 to 100"),
    (("describe", "strip.png", "--top-p", "2"), 2, "2.0 is not in the range", "0<=x<=1"),
    (("describe", "strip.png", "--min-p", "-1"), 2, "-1.0 is not in the range", "0<=x<=1"),
    (("describe", "strip.png", "--repeat-penalty", "0"), 1, "repeat_penalty=0.0", "expected a number from 0.01"),
    (("describe", "strip.png", "--point", "1,1", "--strength", "nan"), 1, "strength=nan", "expected a number of nats"),
    (("describe", "strip.png", "--stop", ""), 1, "stop=('',)", "none of them empty"),
    (("describe", "strip.png", "--threads", "0"), 2, "0 is not in the range", "1<=x<=512"),
]  # fmt: skip


@pytest.mark.parametrize(("args", "code", "given", "remedy"), WRONG, ids=[" ".join(args)[:60] for args, *_ in WRONG])
def test_wrong_input(run, args, code, given, remedy):
    result = run(*args)
    said = " ".join(result.stderr.split())
    assert (result.exit_code, result.stdout) == (code, ""), said
    assert isinstance(result.exception, SystemExit)
    assert given in said
    assert remedy in said
    assert "Traceback" not in said
    if code == 1:
        assert said.startswith("Error: ")
        assert result.stderr.count("\n") == 1


def test_the_process_lives(run):
    """After all of that, the same process still answers."""
    result = run("describe", "strip.png", "--model", "good.gguf", "--mmproj", "good-vision.gguf")
    assert (result.exit_code, result.stderr) == (0, "")
    assert result.stdout.strip()


ACCEPTED = [
    ("describe", "strip.jpg"),
    ("describe", "strip.txt"),
    ("describe", "strip.png", "--prompt", ""),
    (
        "describe",
        "strip.png",
        "--prompt",
        "<|im_end|><|im_start|>user\n<|vision_start|><|image_pad|><|vision_end|>",
    ),
    ("describe", "strip.png", "--prompt", "<__media__><image>[IMG]{{ messages }}{% raise %}\0"),
    ("describe", "strip.png", "--box", "0,0,96,32"),
    ("describe", "strip.png", "--box", "0.25,0.25,1.5,1.5"),
    ("describe", "turned.png", "--box", "0,64,32,96"),
    ("describe", "strip.png", "--seed", str(2**32 - 2), "--temperature", "100"),
]


@pytest.mark.parametrize("args", ACCEPTED, ids=" ".join)
def test_what_looks_wrong_and_is_not(run, args):
    result = run(*args, "--max-tokens", "4")
    assert (result.exit_code, result.stderr) == (0, "")
    assert result.stdout.endswith("\n")


def test_boxes_are_those_of_the_upright_image(run):
    """The file is 96 x 32 pixels, and is shown as 32 x 96."""
    result = run("describe", "turned.png", "--box", "0,64,32,96", "--max-tokens", "2", "--json")
    assert json.loads(result.stdout)["image"] == {"width": 32, "height": 96}
    wrong = run("describe", "turned.png", "--box", "64,0,96,32")
    assert (wrong.exit_code, wrong.stdout) == (1, "")
    assert "the image, which is 32 x 96 pixels" in wrong.stderr


@pytest.mark.parametrize("content", [b"", b"\x89 no image"])
def test_standard_input_that_is_neither_image_nor_text(run, content):
    result = run("describe", "-", input=content)
    assert (result.exit_code, result.stdout) == (1, "")
    assert result.stderr.startswith("Error: ")


@pytest.mark.parametrize(
    "args", [("missing.png",), ("strip.png", "--model", "half.gguf", "--mmproj", "good-vision.gguf"), ("none.png",)]
)
def test_in_a_process_of_its_own(folder, args):
    """Nothing of llama.cpp, of the interpreter or of a traceback is printed beside our one line."""
    ended = subprocess.run(
        [sys.executable, "-m", "lookhere", "describe", *args], cwd=folder, check=False, capture_output=True, timeout=300
    )
    assert (ended.returncode, ended.stdout) == (1, b"")
    assert ended.stderr.startswith(b"Error: ")
    assert ended.stderr.count(b"\n") == 1


@pytest.mark.skipif(not Path("/dev/full").exists(), reason="needs Linux")
def test_a_full_disk(folder):
    with open("/dev/full", "wb") as full:
        command = [sys.executable, "-m", "lookhere", "describe", "strip.png", "--max-tokens", "2"]
        ended = subprocess.run(command, cwd=folder, check=False, stdout=full, stderr=subprocess.PIPE, timeout=300)
    assert ended.returncode == 1
    assert ended.stderr.startswith(b"Error: Reading or writing failed: [Errno 28]")
    assert ended.stderr.count(b"\n") == 1


def test_a_reader_that_goes(folder):
    """``lookhere narrate … | head -c 5`` ends in silence."""
    command = [sys.executable, "-m", "lookhere", "narrate", "strip.png", "--schedule", "1", "--every", "3000"]
    command += ["--temperature", "50"]  # an answer that hardly ever ends
    with subprocess.Popen(command, cwd=folder, stdout=subprocess.PIPE, stderr=subprocess.PIPE) as process:
        assert len(process.stdout.read(5)) == 5
        process.stdout.close()
        assert process.stderr.read() == b""
    assert process.returncode == 1


NO_MEMORY = """
import re, resource, sys
from pathlib import Path
import lookhere
model = lookhere.load(context=int(sys.argv[1]), kv_type="f32")
scene = model.look("strip.png")
size = int(re.search(r"VmSize:\\s+(\\d+)", Path("/proc/self/status").read_text())[1]) * 1024
resource.setrlimit(resource.RLIMIT_AS, (size + 200 * 2**20,) * 2)
try:
    scene.describe()
except lookhere.ContextError as error:
    print("refused:", error)
"""


@pytest.mark.skipif(not Path("/proc/self/status").exists(), reason="needs Linux")
@pytest.mark.skipif("asan" in os.environ.get("LD_PRELOAD", ""), reason="AddressSanitizer reserves terabytes of addresses")
def test_no_memory_for_the_context(folder):
    """The process may take 200 MiB more, and the context would take a multiple of it."""
    code = [sys.executable, "-c", NO_MEMORY, "60000"]
    ended = subprocess.run(code, cwd=folder, check=False, capture_output=True, text=True, timeout=300)
    assert (ended.returncode, ended.stderr) == (0, "")
    assert ended.stdout.startswith("refused: A context of 60000 tokens with kv_type='f32' cannot be made")
    assert "Use a smaller context=" in ended.stdout


@pytest.mark.skipif(sys.platform == "win32", reason="an open file cannot be removed there")
def test_model_files_may_go_while_they_are_loaded(folder, tmp_path):
    files = [Path(shutil.copy(folder / name, tmp_path)) for name in ("good.gguf", "good-vision.gguf")]
    pixels = np.random.default_rng(1).integers(0, 256, (64, 192, 3), np.uint8)
    with lookhere.load() as untouched:
        expected = untouched.look(pixels).describe(at=Box(0, 0, 64, 64), max_tokens=12).text
        heads = untouched.heads
    with lookhere.load(files[0], mmproj=files[1], heads=heads) as model:
        for path in files:
            path.unlink()
        assert model.look(pixels).describe(at=Box(0, 0, 64, 64), max_tokens=12).text == expected
    with pytest.raises(lookhere.ModelFileError, match="no file"):
        lookhere.load(files[0], mmproj=files[1])


def test_a_closed_model(folder):
    model = lookhere.load()
    scene = model.look(folder / "strip.png")
    run = scene.stream()
    next(run)
    model.close()
    for use in (lambda: model.look(folder / "strip.png"), scene.describe, scene.stream, lambda: next(run)):
        with pytest.raises(lookhere.ClosedError, match="load it again"):
            use()
    assert list(run) == []
