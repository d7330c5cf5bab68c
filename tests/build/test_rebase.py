"""tools/rebase.py on a tiny source and a series of three patches: no network, no compiler but in the last test."""

from __future__ import annotations

import difflib
import os
import random
import shutil
import subprocess
import sys
import tarfile
from pathlib import Path

import pytest
import stock

sys.path.insert(0, str(stock.ROOT / "ggml_patches"))

import source_tree

pytestmark = pytest.mark.skipif(shutil.which("git") is None, reason="tools/rebase.py needs git")

FUNCTIONS = [f"int f{n}() {{\n    return {n};\n    // end of f{n}\n}}\n\n" for n in range(8)]
BASE = "".join(FUNCTIONS)
OTHER = "int other() {\n    return 1;\n}\n"
CHANGES = {"0001-one": ("return 1;", "return 100;"), "0002-four": ("return 4;", "return 400;")}
SAID = "What the patch does.\n\n"


def difference(name: str, old: str, new: str) -> str:
    lines = difflib.unified_diff(
        old.splitlines(True), new.splitlines(True), f"a/{name}" if old else "/dev/null", f"b/{name}"
    )
    return "".join(lines)


def changed(text: str, *names: str) -> str:
    for name in names or CHANGES:
        text = text.replace(*CHANGES[name])
    return text


def write_source(folder: Path, text: str = BASE, other: str | None = OTHER) -> Path:
    files = {"CMakeLists.txt": "project(llama)\n", "src/llama.cpp": text, "src/other.cpp": other}
    for name, content in files.items():
        (folder / name).parent.mkdir(parents=True, exist_ok=True)
        if content is not None:
            (folder / name).write_text(content)
    return folder


@pytest.fixture
def patches(tmp_path: Path) -> Path:
    folder = tmp_path / "patches"
    folder.mkdir()
    one = changed(BASE, "0001-one")
    (folder / "0001-one.patch").write_text(SAID + difference("src/llama.cpp", BASE, one))
    (folder / "0002-four.patch").write_text(SAID + difference("src/llama.cpp", one, changed(one, "0002-four")))
    (folder / "0003-new.patch").write_text(
        difference("src/new.h", "", "int n;\n")
        + difference("src/other.cpp", OTHER, OTHER.replace("return 1", "return 7"))
    )
    write_source(tmp_path / "old")
    return folder


def rebase(patches: Path, *arguments: str | Path, code: int = 0, build: bool = False) -> str:
    """Runs the command and gives what it said; no index can be reached."""
    no_index = {"PIP_CONFIG_FILE": os.devnull, "PIP_NO_INDEX": "1", "PIP_FIND_LINKS": ""}
    command = [sys.executable, stock.ROOT / "tools" / "rebase.py", "--work", patches.parent / "work", *arguments]
    if "--continue" not in arguments:
        command += ["--patches", patches, "--from", patches.parent / "old", *([] if build else ["--no-build"])]
    clean = {name: value for name, value in os.environ.items() if not name.startswith("LOOKHERE_")}
    done = subprocess.run(command, capture_output=True, text=True, check=False, env=clean | no_index)
    assert done.returncode == code, done.stdout + done.stderr
    return done.stdout + done.stderr


def outcome(said: str) -> list[str]:
    """What was said of each patch."""
    lines = [line.split(maxsplit=1) for line in said.splitlines() if line.startswith("  000")]
    return [how for _, how in lines]


def applied(source: Path, folder: Path) -> dict[str, str]:
    """The new series on the new source, as the build applies it."""
    files = source_tree.patched(source_tree.read_source(source), sorted(folder.glob("*.patch")))
    return {name: content.decode() for name, content in files.items()}


def test_the_same_source_gives_the_same_series(tmp_path: Path, patches: Path) -> None:
    said = rebase(patches, tmp_path / "old", "-o", tmp_path / "out")
    assert outcome(said) == ["as is", "as is", "as is"]
    for patch in patches.iterdir():
        assert (tmp_path / "out" / patch.name).read_bytes() == patch.read_bytes()


@pytest.mark.parametrize("seed", [1, 2, 3])
def test_moved_wherever_lines_were_inserted(tmp_path: Path, patches: Path, seed: int) -> None:
    """Lines before and between functions, in an archive whose llama.cpp lies in a folder of another name."""
    drawn = random.Random(seed)
    text = "// first\n" + "".join("// more\n\n" * drawn.randrange(3) + one for one in FUNCTIONS)
    new = write_source(tmp_path / "new", text)
    archive = tmp_path / "other-1.0.tar.gz"
    with tarfile.open(archive, "w:gz") as file:
        file.add(new, "other-1.0/thirdparty/llama.cpp")
    before = {patch.name: patch.read_bytes() for patch in patches.iterdir()}
    said = rebase(patches, archive, "-o", tmp_path / "out")
    assert outcome(said) == ["moved", "moved", "as is"]
    files = applied(new, tmp_path / "out")
    assert files["src/llama.cpp"] == changed(text)
    assert files["src/new.h"] == "int n;\n"
    assert (tmp_path / "out" / "0001-one.patch").read_text().startswith(SAID + "diff --git ")
    assert before == {patch.name: patch.read_bytes() for patch in patches.iterdir()}


def test_conflict_mended_and_continued(tmp_path: Path, patches: Path) -> None:
    text = "// first\n" + BASE.replace("return 4;", "return 44;")
    new = write_source(tmp_path / "new", text)
    said = rebase(patches, new, "-o", tmp_path / "out", code=1)
    assert outcome(said) == ["moved", "conflicts", "as is"]
    assert "src/llama.cpp:23 in f4" in said, said
    assert not (tmp_path / "out").exists()
    marked = tmp_path / "work" / "tree" / "src" / "llama.cpp"
    assert "<<<<<<<" in marked.read_text()
    assert "return 100;" in marked.read_text()

    assert "Still to be mended" in rebase(patches, "--continue", code=2)
    assert "waits to be mended" in rebase(patches, new, code=2)  # nothing mended is lost
    marked.write_text(changed(text, "0001-one").replace("return 44;", "return 444;"))
    said = rebase(patches, "--continue")
    assert outcome(said) == ["moved", "conflicts, mended", "as is"]
    assert applied(new, tmp_path / "out")["src/llama.cpp"] == marked.read_text()

    # what does not compile is mended in the commit, and the series written again
    marked.write_text(marked.read_text() + "int late;\n")
    git = ["git", "-C", tmp_path / "work" / "tree", "-c", "user.name=a", "-c", "user.email=a@b"]
    subprocess.run([*git, "commit", "-q", "-a", "--amend", "--no-edit"], check=True)
    assert outcome(rebase(patches, "--continue"))[2] == "changed by an edit"
    assert applied(new, tmp_path / "out")["src/llama.cpp"] == marked.read_text()


def test_file_that_is_gone_is_decided_by_hand(tmp_path: Path, patches: Path) -> None:
    new = write_source(tmp_path / "new", other=None)
    said = rebase(patches, new, code=1)
    assert outcome(said) == ["as is", "as is", "conflicts"]
    assert "src/other.cpp: gone from the new source" in said
    assert "git rm src/other.cpp" in rebase(patches, "--continue", code=2)
    tree = tmp_path / "work" / "tree"
    subprocess.run(["git", "-C", tree, "rm", "-q", "src/other.cpp"], check=True, capture_output=True)
    rebase(patches, "--continue")
    assert "src/other.cpp" not in applied(new, tmp_path / "work" / "patches")


def test_what_the_new_source_has_already_is_left_out(tmp_path: Path, patches: Path) -> None:
    new = write_source(tmp_path / "new", changed(BASE, "0001-one"))
    said = rebase(patches, new)
    assert outcome(said) == ["already there", "as is", "as is"]
    late = patches / "0004-late.patch"
    late.write_text("another's")
    assert "changed in the meantime" in rebase(patches, "--continue", "--write", code=2)
    late.unlink()
    rebase(patches, "--continue", "--write")
    assert sorted(patch.name for patch in patches.iterdir()) == ["0002-four.patch", "0003-new.patch"]
    assert applied(new, patches)["src/llama.cpp"] == changed(BASE)


def test_what_is_no_source(tmp_path: Path, patches: Path) -> None:
    before = {patch.name: patch.read_bytes() for patch in patches.iterdir()}
    (tmp_path / "bad.tar.gz").write_bytes(b"\x1f\x8b\x08 not an archive")
    with tarfile.open(tmp_path / "empty.tar.gz", "w:gz") as file:
        file.add(patches, "package-1.0/patches")
    with tarfile.open(tmp_path / "good.tar.gz", "w:gz") as file:
        file.add(tmp_path / "old", "package-1.0/vendor/llama.cpp")
    cut = tmp_path / "cut.tar.gz"
    cut.write_bytes((tmp_path / "good.tar.gz").read_bytes()[:-40])
    for source, message in {
        "bad.tar.gz": "cannot be read as an archive",
        "cut.tar.gz": "cannot be read as an archive",
        "empty.tar.gz": "holds no llama.cpp",
        "patches": "holds no llama.cpp",
        "nothing": "neither a file or folder nor a version",
    }.items():
        said = rebase(patches, tmp_path / source, "--write", code=2)
        assert message in said, said
        assert "What to do" in said
    said = rebase(patches, tmp_path / "good.tar.gz", "--sha256", "0" * 64, code=2)
    assert "expected sha256 0000" in said
    assert "nothing was made from it" in said
    assert "could not be downloaded" in rebase(patches, "0.0.1", code=2)
    assert before == {patch.name: patch.read_bytes() for patch in patches.iterdir()}


def test_folders_that_are_not_its_own_are_left_alone(tmp_path: Path, patches: Path) -> None:
    (tmp_path / "work").mkdir()
    (tmp_path / "work" / "mine.txt").write_text("mine")
    assert "not of this command" in rebase(patches, tmp_path / "old", code=2)
    assert (tmp_path / "work" / "mine.txt").read_text() == "mine"
    shutil.rmtree(tmp_path / "work")
    assert "--write" in rebase(patches, tmp_path / "old", "-o", patches, code=2)
    assert "nothing to continue" in rebase(patches, "--continue", code=2)


def test_series_of_another_source(tmp_path: Path, patches: Path) -> None:
    write_source(tmp_path / "old", "// another\n" + BASE)
    said = rebase(patches, write_source(tmp_path / "new"), code=2)
    assert "does not fit the source" in said
    assert "0001-one.patch: src/llama.cpp: hunk 1" in said


def test_build_that_fails(tmp_path: Path, patches: Path) -> None:
    pytest.importorskip("pybind11", reason="the build needs it")
    said = rebase(patches, tmp_path / "old", "--write", code=3, build=True)
    assert "failed" in said
    assert "configure.log" in said
    assert len(list(patches.iterdir())) == 3
