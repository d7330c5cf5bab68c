"""Files are written whole or not at all, whoever writes them."""

import json
import os
import stat
import subprocess
import sys

import numpy as np
import pytest
from lookhere import HeadSet, HeadSetError, OptionError
from lookhere.atomic import replacing, write_text
from lookhere.cli.picture import save_picture
from lookhere.lab.checkpoint import Checkpoint
from lookhere.steering import head_set as heads
from PIL import Image


class Crash(Exception):
    pass


def names(folder):
    return sorted(path.name for path in folder.iterdir())


def test_a_new_file_and_a_replaced_one(tmp_path):
    path = tmp_path / "a.txt"
    for text in ("first", "zweite Fassung: ä"):
        write_text(path, text)
        assert path.read_text(encoding="utf-8") == text
    assert names(tmp_path) == ["a.txt"]


def test_a_crash_in_the_midst_leaves_the_old_file(tmp_path):
    path = tmp_path / "a.txt"
    path.write_text("old")

    def write_half(path):
        with replacing(path) as file:
            file.write(b"half of the n")
            file.flush()
            assert (tmp_path / "a.txt").read_text() == "old"
            raise Crash

    for each in (path, tmp_path / "b.txt"):
        with pytest.raises(Crash):
            write_half(each)
        assert path.read_text() == "old"
        assert names(tmp_path) == ["a.txt"]


KILLED = """
import os, signal, sys
from lookhere.atomic import replacing
with replacing(sys.argv[1]) as file:
    file.write(b"half of the new")
    file.flush()
    os.kill(os.getpid(), signal.SIGKILL)
"""


@pytest.mark.skipif(not hasattr(os, "fork"), reason="no SIGKILL")
def test_a_killed_process_leaves_the_old_file(tmp_path):
    path = tmp_path / "a.txt"
    path.write_text("old")
    killed = subprocess.run([sys.executable, "-c", KILLED, path], check=False, timeout=120)
    assert killed.returncode == -9
    assert path.read_text() == "old"
    assert any(name.startswith(".a.txt.") for name in names(tmp_path))
    write_text(path, "new")  # what the killed one left behind is not in the way
    assert path.read_text() == "new"


def test_rights_and_links_stay(tmp_path):
    path = tmp_path / "a.txt"
    before = os.umask(0o027)
    try:
        write_text(path, "x")
    finally:
        os.umask(before)
    assert stat.S_IMODE(path.stat().st_mode) == 0o640
    path.chmod(0o604)
    (tmp_path / "link").symlink_to("a.txt")
    write_text(tmp_path / "link", "y")
    assert (tmp_path / "link").is_symlink()
    assert path.read_text() == "y"
    assert stat.S_IMODE(path.stat().st_mode) == 0o604


def test_what_is_no_plain_file_is_written_directly(tmp_path):
    write_text(os.devnull, "x")
    assert not os.path.isfile(os.devnull)
    with pytest.raises(IsADirectoryError):
        write_text(tmp_path, "x")
    with pytest.raises(FileNotFoundError):
        write_text(tmp_path / "none" / "a.txt", "x")


def fail_on_rename(monkeypatch):
    """The disk is full at the last moment."""

    def replace(source, target):
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(os, "replace", replace)


def test_head_sets(head_set, tmp_path, monkeypatch):
    path = tmp_path / "heads.json"
    head_set.write(path)
    fail_on_rename(monkeypatch)
    with pytest.raises(HeadSetError, match="No space left"):
        HeadSet(head_set.model, ((0, 0),)).write(path)
    assert HeadSet.read(path) == head_set
    assert names(tmp_path) == ["heads.json"]


def test_checkpoints(tmp_path, monkeypatch):
    kept = Checkpoint(tmp_path / "kept", {"model": "a"})
    kept.done["x"] = 1
    kept.arrays["y"] = np.arange(3)
    kept.write()
    fail_on_rename(monkeypatch)
    kept.done["x"] = 2
    with pytest.raises(OptionError, match="cannot be kept"):
        kept.write()
    again = Checkpoint(tmp_path / "kept", {"model": "a"})
    assert again.done == {"x": 1}
    assert again.arrays["y"].tolist() == [0, 1, 2]
    assert names(tmp_path) == ["kept"]


@pytest.mark.parametrize("suffix", ["png", "jpg"])
def test_pictures(tmp_path, monkeypatch, suffix):
    path = tmp_path / f"a.{suffix}"
    save_picture(Image.new("RGB", (4, 3), "red"), path)
    old = path.read_bytes()
    fail_on_rename(monkeypatch)
    with pytest.raises(OptionError, match="cannot be saved"):
        save_picture(Image.new("RGB", (9, 9)), path)
    assert path.read_bytes() == old
    assert names(tmp_path) == [path.name]


def test_a_head_set_is_read_while_it_is_written(head_set, tmp_path):
    """Whoever reads meanwhile sees the old or the new one, never a part."""
    path = tmp_path / "heads.json"
    head_set.write(path)
    other = HeadSet(head_set.model, ((0, 0),), evidence={"long": "x" * 100_000})
    with replacing(path) as file:
        file.write(json.dumps(heads.to_dict(other)).encode()[:5000])
        file.flush()
        assert HeadSet.read(path) == head_set
        file.seek(0)
        file.truncate()
        file.write(json.dumps(heads.to_dict(other)).encode())
    assert HeadSet.read(path) == other
