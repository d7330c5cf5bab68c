"""What the README shows is executed: with the fake engine always, with the real one where it is built."""

import re
import shlex
from pathlib import Path

import fake_engine as fake
import lookhere
import numpy as np
import pytest
from click.testing import CliRunner
from lookhere.cli import main
from lookhere.comics import generate_strip
from lookhere.hub import fetch
from lookhere.loading import builtin as registry
from PIL import Image

README = (Path(__file__).parents[2] / "README.md").read_text()
PYTHON = re.findall(r"^```python\n(.*?)^```", README, re.MULTILINE | re.DOTALL)
COMMANDS = [line for block in re.findall(r"^```sh\n(.*?)^```", README, re.MULTILINE | re.DOTALL)
            for line in block.splitlines() if line.startswith("lookhere ")]  # fmt: skip


@pytest.fixture
def fake_builtin(engine, pair, head_set, monkeypatch):
    monkeypatch.setattr(registry, "builtin_files", lambda: pair)
    monkeypatch.setattr(registry, "builtin_head_set", lambda: head_set)


def test_there_is_something_to_test():
    assert len(PYTHON) == 1
    assert len(COMMANDS) == 9
    assert len(PYTHON[0].splitlines()) <= 12


def test_python_with_the_fake_engine(fake_builtin, capsys):
    exec(compile(PYTHON[0], "README.md", "exec"), {})
    described, streamed = capsys.readouterr().out.split("\n")
    assert described == fake.steered_text(0, 4)
    assert streamed == fake.steered_text(0, 0)[:1] + fake.steered_text(0, 16)[1:]


def test_python_with_the_built_in_model(builtin, capsys):
    exec(compile(PYTHON[0], "README.md", "exec"), {})
    described, streamed = capsys.readouterr().out.split("\n", 1)
    for said in (described, streamed):  # what the README says that it prints
        assert f"`{said}`" in README.replace("\n", " ")
    captions = generate_strip(7).captions
    assert described == captions[1]
    assert streamed.split()[0] == captions[0].split()[0]
    assert streamed.split()[1:] == captions[4].split()[-len(streamed.split()) + 1 :]


@pytest.mark.parametrize("command", COMMANDS)
def test_commands(fake_builtin, head_set, command, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    for image in {"strip.png", "street.jpg"} - ({"strip.png"} if "--strip" in command else set()):
        Image.fromarray(np.full((320, 240, 3), 200, np.uint8)).save(image)
    (tmp_path / "mmproj-model.gguf").unlink()
    fake.write_gguf("mine.gguf")
    fake.write_gguf("Qwen3-VL-2B-Instruct-Q4_K_M.gguf")
    fake.write_gguf("mmproj-mine.gguf", "clip")
    head_set.write("my-heads.json")
    monkeypatch.setattr("lookhere.loading.head_choice.heads_of", lambda *_: head_set)
    by_name = fetch.Fetched(tmp_path / "mine.gguf", tmp_path / "mmproj-mine.gguf", ())
    monkeypatch.setattr(fetch, "get", lambda *_, **__: by_name)
    monkeypatch.setattr(registry, "builtin_files", lambda: (tmp_path / "mine.gguf", tmp_path / "mmproj-mine.gguf"))
    result = CliRunner().invoke(main, shlex.split(command, comments=True)[1:])
    assert result.exit_code == 0, result.output
    assert result.stdout
    assert Path("where.png").exists() == ("--heatmap" in command)


def test_the_head_sets_that_it_names_come_along():
    known = {path.name for path in registry.package_folder("heads").glob("*.json")}
    assert {"qwen3-vl-2b.json", "qwen2-vl-7b.json", "schema.json"} <= known
    assert lookhere.HeadSet.read(registry.package_folder("heads") / "qwen3-vl-2b.json").heads[0] == (19, 5)


PAGES = [README, *((Path(__file__).parents[2] / "docs" / f"{name}.md").read_text() for name in (
    "agents", "batch", "cluster", "command-line", "llama-cpp-python", "notebooks", "python", "server", "tutorial"
))]  # fmt: skip


@pytest.mark.parametrize("page", PAGES, ids=lambda page: page.splitlines()[0])
def test_a_person_with_a_clone_can_follow_a_page(page):
    """Where its strip comes from is said, and nothing is installed from an index that does not have it."""
    assert "strip.png" not in page or "lookhere demo --strip strip.png" in page
    assert not re.search(r"pip install '?lookhere(?!\[)", page)
