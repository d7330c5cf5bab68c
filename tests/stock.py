"""Stock llama.cpp to compare with: built once from the unpatched source, with the same options as ours.

    stock_libraries()   folder with libllama.so, libmtmd.so and libggml*.so
    source(FOLDER)      its source alone
    our_libraries()     folder with the installed package's liblookhere-llama.so

The libraries are kept in the user's cache folder (LOOKHERE_CACHE_DIR), keyed by source, options and compiler. Building
takes some minutes the first time; ccache is used if the machine has it.
"""

from __future__ import annotations

import fcntl
import hashlib
import importlib.util
import json
import os
import shutil
import subprocess
import sys
import sysconfig
from collections.abc import Iterator
from contextlib import contextmanager
from functools import cache
from pathlib import Path
from typing import Any

ROOT = Path(__file__).resolve().parents[1]
UPSTREAM = ROOT / "ggml_patches" / "upstream.cmake"
SUFFIX, BESIDE = (".dylib", "@loader_path") if sys.platform == "darwin" else (".so", "$ORIGIN")
LIBRARIES = tuple(f"lib{name}{SUFFIX}" for name in ("ggml-base", "ggml-cpu", "ggml", "llama", "mtmd"))


def our_libraries() -> Path:
    """The folder of the installed package's library, found without importing the package.

    The environment variable LOOKHERE_PATCHED_LIBRARIES names another one.
    """
    if named := os.environ.get("LOOKHERE_PATCHED_LIBRARIES"):
        return Path(named)
    for folder in (*map(Path, sys.path), Path(sysconfig.get_path("platlib"))):
        if (folder / "lookhere" / "lib" / "build.json").is_file():
            return folder / "lookhere" / "lib"
    raise FileNotFoundError("lookhere is not installed for this Python: pip install '.[test]' first")


def our_build() -> dict[str, Any]:
    """How the installed library was built: llama.cpp's version, compiler, flags and GGML options."""
    build: dict[str, Any] = json.loads((our_libraries() / "build.json").read_text())
    return build


def tool(name: str) -> str:
    """cmake or ninja: beside this Python (the test extra installs them), else on the PATH."""
    found = shutil.which(name, path=sysconfig.get_path("scripts")) or shutil.which(name)
    if found is None:
        raise FileNotFoundError(f"{name} not found: pip install {name}")
    return found


def cache_folder() -> Path:
    """The same folder as upstream.cmake's."""
    if named := os.environ.get("LOOKHERE_CACHE_DIR"):
        return Path(named).absolute()
    if sys.platform == "darwin":
        return Path.home() / "Library" / "Caches" / "lookhere"
    return Path(os.environ.get("XDG_CACHE_HOME") or Path.home() / ".cache") / "lookhere"


@cache
def stock_libraries() -> Path:
    """Folder of the unpatched libraries under their usual names; built first if need be."""
    build = our_build()
    options = {name: value for name, value in sorted(build["options"].items()) if name}
    flags = {
        "CMAKE_BUILD_TYPE": build["build_type"],
        "CMAKE_C_COMPILER": build["c_compiler"],
        "CMAKE_CXX_COMPILER": build["cxx_compiler"],
        "CMAKE_C_FLAGS": build["c_flags"],
        "CMAKE_CXX_FLAGS": build["cxx_flags"],
        "BUILD_SHARED_LIBS": "ON",
        "LLAMA_BUILD_MTMD": "ON",
        **{f"LLAMA_BUILD_{part}": "OFF" for part in ("COMMON", "TOOLS", "EXAMPLES", "TESTS", "SERVER", "APP")},
        "LLAMA_OPENSSL": "OFF",
        "LLAMA_SUBPROCESS": "OFF",
        "LLAMA_ALL_WARNINGS": "OFF",
        "LLAMA_BUILD_NUMBER": "1",
        "LLAMA_BUILD_COMMIT": "stock",
        # as a stock build has it: libraries find each other by their file's folder
        "CMAKE_BUILD_WITH_INSTALL_RPATH": "ON",
        "CMAKE_INSTALL_RPATH": BESIDE,
        **options,
    }
    key = json.dumps([build["llama_cpp_python_sha256"], build["compiler"], _processor(options), flags])
    folder = cache_folder() / "stock" / hashlib.sha256(key.encode()).hexdigest()[:16]
    done = folder / "done"
    with _lock(folder):
        if not done.is_file():
            _build(folder, flags)
            done.write_text(key)
    return folder / "lib"


def source(folder: Path) -> None:
    """Unpacks the unpatched source there."""
    _run(
        tool("cmake"), f"-DLOOKHERE_LLAMA_INTO={folder}", "-DLOOKHERE_LLAMA_PATCHES=OFF",
        f"-DPython_EXECUTABLE={sys.executable}", "-P", UPSTREAM,
    )  # fmt: skip


def _build(folder: Path, flags: dict[str, str]) -> None:
    tree, build = folder / "llama.cpp", folder / "build"
    print(f"\nBuilding stock llama.cpp in {folder}, once; this takes some minutes", file=sys.stderr, flush=True)
    source(tree)
    launchers = {}
    if ccache := shutil.which("ccache"):
        launchers = {"CMAKE_C_COMPILER_LAUNCHER": ccache, "CMAKE_CXX_COMPILER_LAUNCHER": ccache}
    defines = [f"-D{name}={value}" for name, value in {**flags, "GGML_CCACHE": "OFF", **launchers}.items()]
    _run(tool("cmake"), "-S", tree, "-B", build, "-G", "Ninja", f"-DCMAKE_MAKE_PROGRAM={tool('ninja')}", *defines)
    _run(tool("cmake"), "--build", build, "--target", "llama", "mtmd")
    shutil.copytree(build / "bin", folder / "lib", symlinks=True, dirs_exist_ok=True)
    missing = [name for name in LIBRARIES if not (folder / "lib" / name).exists()]
    assert not missing, f"the stock build lacks {missing}"
    shutil.rmtree(build)
    shutil.rmtree(tree)


def _run(*command: str | Path) -> None:
    done = subprocess.run(
        [str(part) for part in command], stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True, check=False
    )
    if done.returncode:
        raise RuntimeError(f"{' '.join(map(str, command))} failed:\n{done.stdout[-4000:]}")


def _processor(options: dict[str, str]) -> str:
    """What GGML_NATIVE depends on: a cache folder that moves to another machine must not be believed."""
    if options.get("GGML_NATIVE") != "ON":
        return ""
    try:
        lines = Path("/proc/cpuinfo").read_text().splitlines()
    except OSError:
        return ""
    return hashlib.sha256(
        "".join(sorted({x for x in lines if x.startswith(("flags", "Features", "model name"))})).encode()
    ).hexdigest()


@contextmanager
def _lock(folder: Path) -> Iterator[None]:
    folder.mkdir(parents=True, exist_ok=True)
    with (folder / "lock").open("w") as file:
        fcntl.flock(file, fcntl.LOCK_EX)
        yield


def installed() -> bool:
    """Whether the compiled package can be found."""
    return importlib.util.find_spec("lookhere") is not None


if __name__ == "__main__":
    print(stock_libraries())
