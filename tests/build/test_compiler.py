"""A machine without a compiler: the first second says what to install."""

from __future__ import annotations

import os
import shutil
import subprocess
from pathlib import Path

import pytest
import stock

ROOT = Path(__file__).parents[2]


def processor_time() -> float:
    """Seconds of the processes that have ended."""
    used = os.times()
    return used.children_user + used.children_system


@pytest.mark.parametrize("missing", [("CC", "CXX"), ("CXX",)])
def test_what_to_install(tmp_path: Path, missing: tuple[str, ...]) -> None:
    source = tmp_path / "source"
    (source / "cmake").mkdir(parents=True)
    for name in ("CMakeLists.txt", "cmake/compiler.cmake"):
        shutil.copy(ROOT / name, source / name)
    nowhere = {name: str(tmp_path / "no" / name) for name in missing}
    ninja = ["-G", "Ninja", f"-DCMAKE_MAKE_PROGRAM={stock.tool('ninja')}"]
    begun = processor_time()
    done = subprocess.run(
        [stock.tool("cmake"), *ninja, "-S", source, "-B", tmp_path / "b"],
        capture_output=True,
        text=True,
        check=False,
        env=os.environ | nowhere,
    )
    assert done.returncode != 0
    assert processor_time() - begun < 20
    said = done.stderr
    assert f"no working compiler for {'C and C++' if 'CC' in missing else 'C++'} was found" in said
    for name, words in {
        "Debian": "apt install build-essential", "Fedora": "dnf install gcc-c++", "Arch": "pacman -S base-devel",
        "macOS": "xcode-select --install", "Windows": "winget install",
    }.items():  # fmt: skip
        assert any(name in line and words in line for line in said.splitlines()), name
    for value in nowhere.values():
        assert value in said
