"""The user's files: what a command writes is never what it reads, and replaces nothing that it was not told to."""

import contextlib
import io
import json
import os
import signal
import subprocess
import sys
import time
from pathlib import Path

import fake_engine as fake
import lookhere
import numpy as np
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from lookhere import questions
from lookhere.cli import LONGEST, asked, one_line, outputs, picture
from lookhere.cli.progress import Bar
from lookhere.comics import generate_scene, generate_strip
from lookhere.comics.drawing import canvas
from lookhere.comics.drawn import PALETTE, drawn
from lookhere.errors import OptionError
from PIL import Image

WRITING = {
    "--heatmap": ("describe", "strip.png"),
    "--show-grid": ("describe", "strip.png"),
    "--output": ("demo",),
    "--strip": ("demo",),
}


def names_of(folder):
    """Ways to name the file s.png in a folder that is the current one: plain, spelled otherwise, by links."""
    (folder / "deep").mkdir(exist_ok=True)
    for link, make in (("soft.png", os.symlink), ("hard.png", os.link)):
        if not (folder / link).exists():
            make(folder / "s.png", folder / link)
    return ["s.png", "./s.png", "deep/../s.png", str(folder / "s.png"), "soft.png", "hard.png", f"deep/..//{'s.png'}"]


@settings(suppress_health_check=[HealthCheck.function_scoped_fixture], max_examples=25, deadline=None)
@given(data=st.data(), option=st.sampled_from(["--heatmap", "--show-grid"]), force=st.booleans())
def test_an_input_is_never_replaced(run, tmp_path, data, option, force):
    """By any name of the input and of the output, and --force does not change it."""
    content = Path("strip.png").read_bytes()
    Path("s.png").write_bytes(content)
    names = names_of(tmp_path)
    read, written = data.draw(st.sampled_from(names)), data.draw(st.sampled_from(names))
    as_mask = data.draw(st.booleans())
    where = ["strip.png", "--mask", read] if as_mask else [read]
    result = run("describe", *where, option, written, *(["--force"] if force else []))
    assert (result.exit_code, result.stdout) == (1, "")
    assert "name another file" in result.stderr
    assert Path("s.png").read_bytes() == content
    assert Path("hard.png").read_bytes() == content


@pytest.mark.parametrize(
    ("args", "name"),
    [
        (
            ("describe", "strip.png", "--model", "model.gguf", "--heads", "mine.png", "--show-grid", "mine.png"),
            "mine.png",
        ),
        (("discover", "model.gguf", "-o", "model.gguf"), "model.gguf"),
        (("discover", "model.gguf", "-o", "mmproj-model.gguf"), "mmproj-model.gguf"),
        (("discover", "model.gguf", "--save-ranking", "model.gguf"), "model.gguf"),
        (("discover", "--from-ranking", "mine.png", "--save-ranking", "mine.png"), "mine.png"),
        (("discover", "--comics", "comics", "-o", "comics/comic1/p1.png"), "comics/comic1/p1.png"),
        (("evaluate", "model.gguf", "--json", "model.gguf"), "model.gguf"),
        (("evaluate", "--heads", "mine.png", "--json", "mine.png"), "mine.png"),
        (("evaluate", "--coco", "mine.csv", "--csv", "mine.csv"), "mine.csv"),
    ],
)
def test_no_command_replaces_what_it_reads(run, args, name):
    Path("comics/comic1").mkdir(parents=True)
    for file in ("mine.png", "mine.csv", "comics/comic1/p1.png"):
        Path(file).write_bytes(b"mine")
    before = Path(name).read_bytes()
    result = run(*args, "--force")
    assert (result.exit_code, result.stdout) == (1, "")
    assert "would be lost; name another file" in result.stderr
    assert Path(name).read_bytes() == before


@pytest.mark.parametrize("option", WRITING)
def test_a_file_that_is_there_stays(run, option):
    Image.new("RGB", (3, 3), "red").save("mine.png")
    before = Path("mine.png").read_bytes()
    result = run(*WRITING[option], option, "mine.png")
    assert (result.exit_code, result.stdout) == (1, "")
    assert "--force" in result.stderr
    assert Path("mine.png").read_bytes() == before
    assert run(*WRITING[option], option, "mine.png", "--force").exit_code == 0
    assert Path("mine.png").read_bytes() != before


@pytest.mark.parametrize(
    "args",
    [
        ("discover", "-o", "x"), ("discover", "--save-ranking", "x"), ("evaluate", "--json", "x"),
        ("evaluate", "--report", "x.html"), ("evaluate", "--csv", "x.csv"), ("evaluate", "--csv", "tables"),
        ("evaluate", "--json", "x.png"),
    ],
)  # fmt: skip
def test_other_files_that_are_there_stay(run, args):
    """Even a picture of ours is no place for figures."""
    Path("tables").mkdir()
    Path("tables/answers.csv").write_text("mine")
    for name in ("x", "x.html", "x.csv"):
        Path(name).write_text("mine")
    picture.save_picture(Image.new("RGB", (3, 3)), Path("x.png"))
    before = {path: path.read_bytes() for path in Path().rglob("*") if path.is_file()}
    result = run(*args)
    assert (result.exit_code, result.stdout) == (1, "")
    assert "is there already" in result.stderr
    assert before == {path: path.read_bytes() for path in Path().rglob("*") if path.is_file()}


@pytest.mark.parametrize("option", WRITING)
def test_a_picture_of_ours_is_replaced_until_somebody_changes_it(run, option):
    command = (*WRITING[option], option, "where.png")
    assert [run(*command).exit_code for _ in range(2)] == [0, 0]
    with Image.open("where.png") as saved:
        changed, mark = saved.convert("RGB"), saved.info[picture.MARK]
    changed.putpixel((0, 0), (1, 2, 3))
    from PIL.PngImagePlugin import PngInfo

    info = PngInfo()
    info.add_text(picture.MARK, mark)
    changed.save("where.png", pnginfo=info)
    assert run(*command).exit_code == 1


def test_two_outputs_are_two_files(run, tmp_path):
    result = run("describe", "strip.png", "--heatmap", "a.png", "--show-grid", tmp_path / "a.png")
    assert result.exit_code == 1
    assert "name the same file" in result.stderr


def test_what_resumes_goes_on_over_its_files(tmp_path):
    path = tmp_path / "x.json"
    path.write_text("{}")
    with pytest.raises(OptionError, match="--force"):
        outputs.check_outputs({"--json": path}, ())
    outputs.check_outputs({"--json": path}, (), replace=True)
    outputs.check_outputs({"--json": Path("/dev/null")}, ())


def test_a_report_is_a_page(run):
    result = run("evaluate", "--report", "x.pdf")
    assert (result.exit_code, result.stdout) == (2, "")
    assert ".html" in result.stderr
    assert not Path("x.pdf").exists()


# the answer first


def test_the_answer_comes_before_the_picture(run, monkeypatch):
    """Word by word, and all of it before the picture is drawn."""
    said = []
    monkeypatch.setattr("click.echo", lambda text="", **options: said.append(text))
    monkeypatch.setattr(sys.modules["lookhere.cli.describe"], "save_picture", lambda *args: said.append("picture"))
    assert run("describe", "strip.png", "--panel", "2/6", "--heatmap", "x.png").exit_code == 0
    assert "".join(said[:-1]) == fake.steered_text(0, 1)
    assert len(said) > 5
    assert said[-1] == "picture"


def test_where_a_picture_was_saved_is_said_to_a_person(run, monkeypatch):
    assert run("describe", "strip.png", "--heatmap", "x.png").stderr == ""
    monkeypatch.setattr("lookhere.cli.terminal.shown", lambda stream: True)
    result = run("describe", "strip.png", "--heatmap", "x.png", "--show-grid", "y.png")
    assert result.stderr == "Heat map: x.png\nGrid: y.png\n"


def test_open_shows_what_was_saved(run, monkeypatch):
    opened = []
    monkeypatch.setattr("click.launch", lambda path: opened.append(path) or len(opened) > 1)
    assert run("describe", "strip.png", "--heatmap", "x.png", "--open").stderr == ""
    assert opened == [str(Path("x.png").absolute())]
    assert "No viewer was found" in run("demo", "--open").stderr
    assert run("describe", "strip.png", "--open").exit_code == 2


def test_no_heat_map_is_said_before_the_answer(run, pair):
    result = run("describe", "strip.png", "--model", pair[0], "--heatmap", "x.png")
    assert (result.exit_code, result.stdout) == (1, "")
    assert "--heads" in result.stderr


# no silent nonsense


def as_jpeg(image, quality):
    file = io.BytesIO()
    image.save(file, "JPEG", quality=quality)
    return np.asarray(Image.open(file))


@pytest.mark.parametrize("style", canvas.STYLES)
def test_what_is_drawn_here_is_known(style):
    """No false alarm, for any style and size, as PNG and as JPEG."""
    for seed in range(12):
        for size in (24, 64, 128):
            strip = generate_strip(seed, panel_size=size, style=style).image
            assert drawn(np.asarray(strip)) == "strip"
            if size == 64:
                assert drawn(as_jpeg(strip, 75)) == "strip"
        scene = generate_scene(seed, style=style).image
        assert drawn(np.asarray(scene)) == "scene"
        assert drawn(as_jpeg(scene, 75)) == "scene"


def test_every_colour_of_the_drawings_is_listed(monkeypatch):
    used = set()
    plain = canvas.restyle
    monkeypatch.setattr(canvas, "restyle", lambda colour, style: used.add(colour) or plain(colour, style))
    for seed in range(60):
        generate_strip(seed, panel_size=16)
        generate_scene(seed)
    assert used <= set(PALETTE)
    assert len(used) > 0.95 * len(PALETTE)


def photograph(seed, noise, grain):
    """What a camera sees, roughly: light that falls off smoothly in every direction, blurred shapes, noise."""
    rng = np.random.default_rng(seed)
    coarse = rng.uniform(0, 255, (*rng.integers(3, grain, 2), 3)).astype(np.uint8)
    smooth = np.asarray(Image.fromarray(coarse).resize((240, 160), Image.Resampling.BICUBIC), dtype=float)
    return np.clip(smooth + rng.normal(0, noise, smooth.shape), 0, 255).astype(np.uint8)


@settings(max_examples=25, deadline=None)
@given(seed=st.integers(0, 2**32 - 1), noise=st.floats(0, 30), grain=st.integers(4, 40), quality=st.integers(40, 100))
def test_what_a_camera_takes_is_not_known(seed, noise, grain, quality):
    taken = photograph(seed, noise, grain)
    assert drawn(taken) is None
    assert drawn(as_jpeg(Image.fromarray(taken), quality)) is None


def test_the_built_in_model_says_that_it_does_not_know(run, pair):
    Image.fromarray(photograph(0, 5, 8)).save("photo.png")
    Image.fromarray(np.asarray(generate_strip(1).image)).save("drawn.png")
    for command in (("describe", "photo.png"), ("narrate", "photo.png", "--schedule", "free")):
        result = run(*command)
        assert result.exit_code == 0
        assert result.stderr == asked.UNKNOWN + "\n"
        assert "--model" in result.stderr
        assert run(*command, "--model", pair[0]).stderr == ""
    assert run("describe", "drawn.png").stderr == ""


def test_a_comic_strip_is_only_spoken_of_where_there_is_one(run, pair, monkeypatch):
    monkeypatch.setattr("lookhere.model.Model.prompt", property(lambda model: questions.AMBIGUOUS))
    Image.fromarray(photograph(0, 5, 8)).save("photo.png")
    generate_scene(1).image.save("scene.png")
    generate_strip(1).image.save("drawn.png")

    def question(*args):
        return json.loads(run("describe", *args, "--json").stdout)["prompt"]

    assert question("photo.png") == question("photo.png", "--box", "0,0,99,99") == questions.IMAGE
    assert question("photo.png", "--model", str(pair[0])) == questions.GENERAL
    assert question("photo.png", "--panel", "1/2") == question("drawn.png") == questions.AMBIGUOUS
    assert question("scene.png", "--box", "0,0,99,99") == questions.OBJECT
    assert question("photo.png", "--schedule", "box:0,0,99,99") == questions.POINTED_PLACES
    assert question("photo.png", "--schedule", "1,2") == questions.POINTED
    assert question("drawn.png", "--schedule", "box:0,0,60,60") == questions.POINTED


# long work


def test_a_line_now_and_then(monkeypatch, capsys):
    now = [0.0]
    monkeypatch.setattr(time, "monotonic", lambda: now[0])
    with Bar() as bar:
        bar.plan("look", 100, 0.1)
        bar.plan("ask", 50, 0.4)
        for kind, count, seconds in (("look", 100, 7), ("ask", 50, 28)):
            bar.now(f"{kind}ing")
            for _ in range(count):
                now[0] += seconds
                bar.step(kind)
    told = capsys.readouterr()
    assert told.out == ""
    lines = told.err.splitlines()
    assert lines[0] == "35 s: looking, 2% of all is done, about 34 min left."
    assert lines[20] == "13 min: asking, 36% of all is done, about 22 min left."
    assert len(lines) == 700 // 35 + 1400 // 56


def test_what_was_kept_is_done_and_tells_nothing_of_the_time(monkeypatch, capsys):
    now = [0.0]
    monkeypatch.setattr(time, "monotonic", lambda: now[0])
    with Bar() as bar:
        bar.plan("look", 100, 0.1)
        for _ in range(60):
            bar.step("look", kept=True)
        now[0] += 40
        bar.step("look")
    assert capsys.readouterr().err == "40 s: 61% of all is done, about 26 min left.\n"


INTERRUPTED = """
import sys, fake_engine, lookhere
sys.modules["lookhere._engine"] = lookhere._engine = fake_engine
fake_engine.end = lambda: None
from lookhere.cli import main
import lookhere.lab.discovery as lab
def wait(*args, kept, **options):
    if kept_already:
        kept.write_bytes(b"x")
    print("working", file=sys.stderr, flush=True)
    raise KeyboardInterrupt
kept_already = sys.argv[1] == "kept"
lab.discover = wait
main(["discover", "model.gguf"])
"""


@pytest.mark.parametrize(("state", "words"), [("kept", ".heads.json.progress. The same command"), ("new", "Nothing")])
def test_after_ctrl_c_it_says_what_is_kept(pair, tmp_path, state, words):
    known = {**os.environ, "PYTHONPATH": os.pathsep.join(filter(None, sys.path))}
    ended = subprocess.run(
        [sys.executable, "-c", INTERRUPTED, state], cwd=tmp_path, env=known, capture_output=True, text=True, check=False
    )
    assert (ended.returncode, ended.stdout) == (130, "")
    assert words in ended.stderr
    assert "Traceback" not in ended.stderr


@pytest.mark.skipif(os.name != "posix", reason="signals")
@pytest.mark.parametrize("after", [0.06, 0.12, 0.2, 0.3, 0.5])
def test_ctrl_c_at_the_start_is_no_traceback(tmp_path, after):
    """Once Python itself is up, which takes a moment of its own."""
    known = {**os.environ, "PYTHONPATH": os.pathsep.join(filter(None, sys.path))}
    with subprocess.Popen(
        [sys.executable, "-X", "importtime", "-m", "lookhere", "discover", "none.gguf"], cwd=tmp_path, env=known,
        stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True,
    ) as process:  # fmt: skip
        for line in process.stderr:
            if "lookhere._start" in line:
                break
        time.sleep(after - 0.05)
        with contextlib.suppress(ProcessLookupError):
            process.send_signal(signal.SIGINT)
        rest = process.stderr.read()
    # 1: it had ended by itself; the signal's own: it was ending, when Python has given Ctrl-C back to the system
    assert process.returncode in (130, 1, -signal.SIGINT)
    assert "Traceback" not in rest


def test_an_app_keeps_its_own_ctrl_c():
    code = "import signal; its = signal.getsignal(2); import lookhere; print(signal.getsignal(2) is its)"
    known = {**os.environ, "PYTHONPATH": os.pathsep.join(filter(None, sys.path))}
    assert subprocess.run(
        [sys.executable, "-c", code], env=known, capture_output=True, text=True, check=True
    ).stdout == ("True\n")


# messages


@given(st.text())
def test_a_message_is_one_bounded_line(text):
    line = one_line(text * 40)
    assert len(line) <= LONGEST
    assert "\n" not in line
    assert one_line("short and\nclear") == "short and clear"
    assert one_line("a" * 5000 + " do this").endswith(" do this")


@pytest.mark.skipif(sys.platform != "linux", reason="names of bytes")
@settings(suppress_health_check=[HealthCheck.function_scoped_fixture], max_examples=20, deadline=None)
@given(name=st.binary(min_size=1, max_size=12).filter(lambda name: not set(name) & {0, 47}))
def test_paths_that_are_no_utf8(run, pair, name):
    """As an image, as a model and as an output: a result or one clear line."""
    name = b"made-" + name  # no other file of the folder begins so
    picture_name = os.fsdecode(name + b".png")
    Path(picture_name).write_bytes(Path("strip.png").read_bytes())
    path = Path(picture_name).absolute()
    assert run("describe", path).exit_code == 0
    assert run("describe", "strip.png", "--heatmap", f"{path}.png", "--force").exit_code == 0
    for args in (("describe", f"{path}x"), ("describe", path, "--heatmap", path), ("info", f"{path}.gguf")):
        result = run(*args)
        assert result.exit_code == 1
        assert result.stderr.startswith("Error: ")
        assert result.stderr.count("\n") == 1
    for made in Path().glob("*"):
        if os.fsencode(made.name).startswith(name):
            made.unlink()


def test_version(run):
    assert run("--version").stdout == f"lookhere, version {lookhere.__version__}\n"
    told = json.loads(run("info", "--json").stdout)
    assert told["lookhere"]["version"] == lookhere.__version__
    assert told["model"]["built_in"] is True
    assert told["model"]["heads"] == 2
    assert told["head_set"]["heads"]


def test_an_evaluation_says_what_the_model_does_not_know():
    from lookhere.lab.evaluation import Evaluation, Options
    from lookhere.lab.figures import Figure
    from lookhere.lab.report import unknown

    def figure(corpus, outcome):
        class Told(Figure):
            asked = 20

            def share(self, wanted="right"):
                return float(wanted == outcome)

        return Told("vqa", "gaze heads", "main", corpus, "exact", ())

    def told(*figures):
        return unknown(Evaluation(figures, {}, None, Options(), ("exact",), None, (), 1.0))

    assert told(figure("fresh", "right"), figure("comics", "other")) == ""
    words = told(figure("fresh", "right"), figure("comics", "junk"))
    assert words.startswith("100% of the answers about each comic fit no caption")
    assert "say nothing about steering" in words


def test_a_large_image_is_said_to_take_long(run, monkeypatch):
    monkeypatch.setattr("lookhere.cli.options.source.MANY_TOKENS", 3)
    result = run("describe", "strip.png", "--max-tokens", 2)
    assert result.exit_code == 0, result.stderr
    assert "tokens, which may take minutes to read. --max-image-tokens 1024" in result.stderr
    monkeypatch.undo()
    assert "minutes" not in run("describe", "strip.png", "--max-tokens", 2).stderr
