"""Which files an agent can reach: those in the allowed folders, and no others by any path."""

import base64
import os
import socket
import sys
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st
from lookhere import ImageError, OptionError
from lookhere.comics import generate_strip
from lookhere.mcp import folders as module
from lookhere.mcp.folders import Folders
from lookhere.mcp.pictures import Pictures

MOST = 1000
SECRET = b"secret"


@pytest.fixture(scope="module")
def tree(tmp_path_factory):
    """Two allowed folders, and files beside them; links of every kind from one to the other."""
    root = Path(os.path.realpath(tmp_path_factory.mktemp("tree")))
    for name in ("open/inner", "also", "closed", "open2"):
        (root / name).mkdir(parents=True)
    for name in ("open/a.png", "open/inner/b.png", "open/ü ö.png", "also/c.png"):
        (root / name).write_bytes(name.encode())
    for name in ("closed/a.png", "open2/a.png", "a.png"):
        (root / name).write_bytes(SECRET)
    links = {
        "open/near": "inner",
        "open/far": "../also",
        "open/out": "../closed",
        "open/up": "..",
        "open/a": "a.png",
        "open/secret.png": "../closed/a.png",
        "open/absolute.png": str(root / "closed/a.png"),
        "open/chain.png": "up/open/secret.png",
        "open/void.png": "../closed/b.png",
        "open/loop": "loop",
        "open/gone.png": "nothing.png",
        "closed/back": "../open",
    }
    for name, target in links.items():
        (root / name).symlink_to(target)
    return root


@pytest.fixture(scope="module")
def allowed(tree):
    return Folders([tree / "open", tree / "also"])


@pytest.mark.parametrize(
    ("path", "held"),
    [
        ("a.png", "open/a.png"),
        ("./inner/../a.png", "open/a.png"),
        ("inner/b.png", "open/inner/b.png"),
        ("near/b.png", "open/inner/b.png"),
        ("a", "open/a.png"),
        ("far/c.png", "also/c.png"),
        ("c.png", "also/c.png"),
        ("out/back/a.png", "open/a.png"),
        ("{root}/open/a.png", "open/a.png"),
        ("{root}/closed/../open/a.png", "open/a.png"),
        ("{root}/closed/back/a.png", "open/a.png"),
        ("file://{root}/open/a.png", "open/a.png"),
        ("file://localhost{root}/open/%C3%BC%20%C3%B6.png", "open/ü ö.png"),
        ("ü ö.png", "open/ü ö.png"),
    ],
)
def test_what_is_inside_is_read(tree, allowed, path, held):
    assert allowed.read(path.format(root=tree), MOST) == held.encode()


OUTSIDE = (
    "../a.png", "../closed/a.png", "inner/../../a.png", "out/a.png", "up/a.png", "up/closed/a.png", "secret.png",
    "absolute.png", "chain.png", "{root}/a.png", "{root}/closed/a.png", "{root}/open2/a.png", "{root}/open/../a.png",
    "file://{root}/a.png", "file://{root}/open/%2e%2e/a.png", "FILE://{root}/a.png", "/etc/passwd", "~/a.png",
    "~root/x", "/proc/self/environ", "/proc/self/cwd/x", "/dev/stdin", "/dev/fd/0", "..", "/",
)  # fmt: skip


@pytest.mark.parametrize("path", OUTSIDE)
def test_what_is_outside_is_refused(tree, allowed, path):
    with pytest.raises(ImageError, match="is outside of the folders that this server may read"):
        allowed.read(path.format(root=tree), MOST)


@pytest.mark.parametrize(
    ("there", "missing"),
    [("../a.png", "../b.png"), ("out/a.png", "out/b.png"), ("secret.png", "void.png"),
     ("{root}/closed/a.png", "{root}/closed/b.png"), ("/etc/passwd", "/etc/passwt")],
)  # fmt: skip
def test_nothing_is_told_of_what_is_outside(tree, allowed, there, missing):
    told = []
    for path in (there.format(root=tree), missing.format(root=tree)):
        with pytest.raises(ImageError) as error:
            allowed.read(path, MOST)
        told.append(str(error.value).replace(path, "PATH"))
    assert told[0] == told[1]
    assert "closed" not in told[0]


NAMES = ("a.png", "inner", "near", "far", "out", "up", "back", "secret.png", "void.png", "absolute.png", "loop",
         "gone.png", "open", "also", "closed", "open2", "c.png", "b.png", "..", ".", "", "nothing")  # fmt: skip


@given(st.lists(st.sampled_from(NAMES), max_size=7), st.booleans())
def test_no_path_leads_out(tree, allowed, parts, absolute):
    path = "/".join(([str(tree), "open"] if absolute else []) + parts)
    try:
        found = allowed.read(path, MOST)
    except ImageError:
        starts = [path] if absolute else [os.path.join(folder, path) for folder in allowed.paths]
        inside = [real for real in map(os.path.realpath, starts) if real.startswith((f"{tree}/open/", f"{tree}/also/"))]
        assert not any(os.path.isfile(each) for each in inside[:1])  # what could be read is read
    else:
        assert found != SECRET
        assert (tree / found.decode()).read_bytes() == found


def test_a_link_that_comes_between_is_not_followed(tree, allowed, monkeypatch):
    """The path is exchanged after it was checked: the folder, and the file."""
    real = os.path.realpath
    for name, target in (("swapped/a.png", None), ("swap.png", tree / "closed/a.png")):
        folder = tree / "open" / name.split("/", maxsplit=1)[0]
        if target is None:
            folder.symlink_to(tree / "closed")
        else:
            folder.symlink_to(target)
        monkeypatch.setattr(module.os.path, "realpath", os.path.abspath)
        with pytest.raises(ImageError, match=r"There is no file|cannot be read"):
            allowed.read(name, MOST)
        monkeypatch.setattr(module.os.path, "realpath", real)
        folder.unlink()


def test_what_is_no_file(tree, allowed, monkeypatch):
    os.mkfifo(tree / "open/pipe.png")
    monkeypatch.chdir(tree / "open")  # the path of a socket must be short
    with socket.socket(socket.AF_UNIX) as server:
        server.bind("socket.png")
    for name in ("pipe.png", "socket.png"):
        with pytest.raises(ImageError, match=r"a device or a pipe|cannot be read"):
            allowed.read(name, MOST)
        (tree / "open" / name).unlink()
    with pytest.raises(ImageError, match=r"'inner' is a folder; .* Images there: 'b.png'"):
        allowed.read("inner", MOST)
    with pytest.raises(ImageError, match=r"cannot be read: Too many levels|There is no file"):
        allowed.read("loop/x.png", MOST)
    for wrong in ("a\0.png", "\ud800.png", "x" * 5000, "a/" * 3000):
        with pytest.raises(ImageError):
            allowed.read(wrong, MOST)
    with pytest.raises(ImageError, match="larger than 0 MiB"):
        allowed.read("a.png", 3)


def test_a_wrong_name_is_answered_with_the_right_one(tree, allowed):
    with pytest.raises(ImageError, match=r"There is no file 'inner/c.png'\. Images there: 'b.png'"):
        allowed.read("inner/c.png", MOST)
    with pytest.raises(ImageError, match=r"There is no file 'aa.png'\. Images there: 'a.png', "):
        allowed.read("aa.png", MOST)
    with pytest.raises(ImageError, match=r"There is no file 'inner/none/x\.png'"):
        allowed.read("inner/none/x.png", MOST)


def test_an_allowed_folder_that_is_gone_tells_nothing_of_its_neighbours(tmp_path):
    (tmp_path / "gone").mkdir()
    (tmp_path / "neighbour.png").touch()
    folders = Folders([tmp_path / "gone"])
    (tmp_path / "gone").rmdir()
    for path in ("x.png", str(tmp_path / "gone"), "."):
        with pytest.raises(ImageError, match="There is no file") as told:
            folders.read(path, MOST)
        assert "neighbour" not in str(told.value)


def test_folders_are_resolved_once(tree):
    assert Folders([tree / "closed/back", tree / "open"]).paths == (tree / "open",)
    for wrong in (tree / "open/a.png", tree / "nothing", "a\0b"):
        with pytest.raises(OptionError, match=r"no folder|the path of a file"):
            Folders([wrong])
    with pytest.raises(ImageError, match="started without --allow FOLDER"):
        Folders([]).read("a.png", MOST)


@pytest.mark.skipif(sys.platform != "linux" or os.geteuid() == 0, reason="root may read everything")
def test_a_file_without_permission(tree, allowed):
    (tree / "open/mine.png").write_bytes(b"x")
    (tree / "open/mine.png").chmod(0)
    with pytest.raises(ImageError, match="cannot be read: Permission denied"):
        allowed.read("mine.png", MOST)


@pytest.fixture(scope="module")
def strip(tree):
    generate_strip(7).image.save(tree / "open/strip.png")
    return tree / "open/strip.png"


def test_every_form_is_the_same_image(strip, allowed):
    pictures = Pictures(allowed)
    data = base64.b64encode(strip.read_bytes()).decode()
    lines = "\n".join(data[k : k + 76] for k in range(0, len(data), 76))
    forms = ("strip.png", f" {strip}\n", strip.as_uri(), f"data:image/png;base64,{data}", data, lines)
    assert {pictures.open(form).pixels.tobytes() for form in forms} == {generate_strip(7).image.tobytes()}


def test_bounds(strip, allowed):
    data = base64.b64encode(strip.read_bytes()).decode()
    for form in ("strip.png", data, f"data:;base64,{data}"):
        with pytest.raises(ImageError, match="expected 100 at most"):
            Pictures(allowed, pixels=100).open(form)
        with pytest.raises(ImageError, match=r"larger than|more than"):
            Pictures(allowed, most=100).open(form if len(form) < 100 else form + "A" * 2000)


def test_addresses_are_not_fetched(allowed):
    for address in ("http://127.0.0.1:9/a.png", "HTTPS://example.org/a.png"):
        with pytest.raises(ImageError, match="fetches nothing"):
            Pictures(allowed).open(address)
    for wrong in ("ftp://x/a.png", "data:image/png", "a" * 5000, "", "\0"):
        with pytest.raises(ImageError):
            Pictures(allowed).open(wrong)


def test_what_is_no_image_tells_nothing_of_what_it_holds(tree, allowed):
    (tree / "open/notes.txt").write_bytes(b"the password")
    with pytest.raises(ImageError, match="not an image") as told:
        Pictures(allowed).open("notes.txt")
    assert "password" not in str(told.value)
