"""Ours and a stock llama.cpp in one process: neither answers the other's calls, and both compute."""

from __future__ import annotations

import os
import re
import subprocess
import sys
from pathlib import Path

import pytest
import stock

pytestmark = pytest.mark.skipif(not sys.platform.startswith("linux"), reason="reads the dynamic linker's own report")

HERE = Path(__file__).parent
BINDING = re.compile(r"binding file (\S+) \[\d+\] to (\S+) \[\d+\]: \S+ symbol `([^']+)'")


@pytest.fixture(scope="module")
def model(tmp_path_factory: pytest.TempPathFactory) -> Path:
    sys.path.insert(0, str(HERE.parent / "patches"))
    import tiny

    return tiny.write(tmp_path_factory.mktemp("model") / "tiny.gguf", "qwen3vl", layers=2)


def side(path: str, ours: Path, stocks: Path) -> str | None:
    """Whose file it is: "ours", "stock" or None."""
    file = Path(path)
    if file.parent == ours or file.name.startswith("_engine."):
        return "ours"
    return "stock" if file.parent == stocks else None


@pytest.mark.parametrize(
    "order", ["ours,stock", "stock,ours", "ours,stock+", "stock+,ours", "ours+,stock", "ours+,stock+"]
)
def test_both_compute_and_no_call_crosses(order: str, model: Path, tmp_path: Path) -> None:
    ours, stocks = stock.our_libraries(), stock.stock_libraries()
    report = tmp_path / "report"
    done = subprocess.run(
        [sys.executable, str(HERE / "coexist.py"), str(stocks), str(ours), str(model), order],
        capture_output=True, text=True, check=False,
        # bind everything at once, so that the report is complete
        env=os.environ | {"LD_DEBUG": "bindings", "LD_DEBUG_OUTPUT": str(report), "LD_BIND_NOW": "1"},
    )  # fmt: skip
    assert done.returncode == 0, done.stderr[-3000:]
    assert "same logits" in done.stdout

    inside, crossing = dict.fromkeys(("ours", "stock"), 0), set()
    for path in tmp_path.glob("report.*"):
        with path.open(errors="replace") as lines:
            for line in lines:
                if match := BINDING.search(line):
                    user, giver = side(match[1], ours, stocks), side(match[2], ours, stocks)
                    if user and giver and user != giver:
                        crossing.add(f"{match[1]} -> {match[2]}: {match[3]}")
                    elif user and giver:
                        inside[user] += 1
    assert min(inside.values()) > 10, inside  # the report was understood
    assert not crossing, sorted(crossing)[:20]


def dynamic(path: Path) -> str:
    return subprocess.run(["readelf", "-dW", str(path)], capture_output=True, text=True, check=True).stdout


def symbols(path: Path, *options: str) -> list[list[str]]:
    done = subprocess.run(["nm", "-D", *options, str(path)], capture_output=True, text=True, check=True)
    return [line.split() for line in done.stdout.splitlines()]


def test_names_and_search_paths() -> None:
    library = stock.our_libraries() / "liblookhere-llama.so"
    module = next(stock.our_libraries().parent.glob("_engine*.so"))
    assert "soname: [liblookhere-llama.so]" in dynamic(library)
    assert "SYMBOLIC" in dynamic(library)
    assert "runpath: [$ORIGIN]" in dynamic(library)
    assert "runpath: [$ORIGIN/lib]" in dynamic(module)
    for path in (library, module):
        needed = re.findall(r"NEEDED.*\[(.*)\]", dynamic(path))
        assert not [name for name in needed if re.search("ggml|llama|mtmd", name.replace("liblookhere-llama.so", ""))]
        # a unique symbol is one for the whole process, whatever the linker was told
        assert not [fields for fields in symbols(path, "--defined-only") if "u" in fields[:-1]]
    assert sorted(path.name for path in stock.our_libraries().iterdir()) == ["build.json", "liblookhere-llama.so"]


def test_module_uses_the_engine_only() -> None:
    """A call of llama.cpp's C API from the extension module would be looked up in the whole process."""
    module = next(stock.our_libraries().parent.glob("_engine*.so"))
    undefined = [fields[-1] for fields in symbols(module, "--undefined-only")]
    assert [name for name in undefined if "8lookhere" in name]
    assert not [name for name in undefined if re.match("(llama|ggml|gguf|mtmd|clip)_", name)]
    exported = [fields[-1] for fields in symbols(module, "--defined-only")]
    assert exported == ["PyInit__engine"]


def test_llama_cpp_python_finds_every_function(tmp_path: Path) -> None:
    """llama-cpp-python of the pinned version could be given our library: all that it looks up is there."""
    archive = stock.cache_folder() / stock.our_build()["llama_cpp_python_sha256"] / "llama-cpp-python-0.3.36.tar.gz"
    if not archive.is_file():
        pytest.skip("the package was built from LOOKHERE_LLAMA_SOURCE: nothing in the cache")
    import tarfile

    exported = {fields[-1] for fields in symbols(stock.our_libraries() / "liblookhere-llama.so", "--defined-only")}
    wanted: set[str] = set()
    with tarfile.open(archive) as file:
        for name in ("llama_cpp.py", "mtmd_cpp.py"):
            member = file.extractfile(f"llama_cpp_python-0.3.36/llama_cpp/{name}")
            assert member is not None
            wanted |= set(re.findall(r'@ctypes_function(?:_for_shared_library)?\(\s*"(\w+)"', member.read().decode()))
    found = {name for name in wanted if re.match("(llama|mtmd|ggml|gguf)_", name)}
    assert len(found) > 200
    assert not found - exported


def test_a_link_of_the_usual_name_is_the_same_library(tmp_path: Path) -> None:
    """How llama-cpp-python is given our library (ggml_patches/README.md)."""
    library = stock.our_libraries() / "liblookhere-llama.so"
    (tmp_path / "libllama.so").symlink_to(library)
    code = (
        "import ctypes, lookhere; lookhere._engine.build_info()\n"
        f"a, b = ctypes.CDLL({str(library)!r}), ctypes.CDLL({str(tmp_path / 'libllama.so')!r})\n"
        "assert a._handle == b._handle\n"
        "assert sum('liblookhere-llama' in line and ' r-xp ' in line for line in open('/proc/self/maps')) == 1\n"
    )
    subprocess.run([sys.executable, "-c", code], check=True)
