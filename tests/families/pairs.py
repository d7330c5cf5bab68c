"""Pairs: those that tools/families makes, made once and kept in the user's cache folder."""

from __future__ import annotations

import hashlib
import re
import subprocess
import sys
import tarfile
import tempfile
from dataclasses import dataclass
from functools import cache, cached_property
from importlib.metadata import version
from pathlib import Path

import pytest
import stock

sys.path.append(str(stock.ROOT / "tools"))
from families.table import NOT_MADE, RECIPES

__all__ = ["NOT_MADE", "RECIPES", "Family", "converter", "engine", "made"]

engine = pytest.importorskip("lookhere._engine", reason="the engine is not built")


@dataclass(frozen=True)
class Family:
    """A pair in the engine."""

    name: str
    model_path: Path
    projector_path: Path

    @cached_property
    def model(self):
        return engine.Model(str(self.model_path))

    @cached_property
    def projector(self):
        return engine.Projector(str(self.projector_path), self.model, threads=1)


def made(name: str) -> Path:
    """The folder of a family's pair; made first if its recipe has changed."""
    kept = stock.cache_folder() / "families" / f"{name}-{_key(name)}"
    if kept.is_dir():
        return kept
    kept.parent.mkdir(parents=True, exist_ok=True)
    with tempfile.TemporaryDirectory(dir=kept.parent) as part:
        pair = Path(part, "pair")
        command = [
            sys.executable,
            str(stock.ROOT / "tools" / "families"),
            name,
            str(pair),
            "--llama",
            str(converter()),
        ]
        done = subprocess.run(command, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True, check=False)
        assert done.returncode == 0, f"{' '.join(command)} failed:\n{done.stdout[-4000:]}"
        try:
            pair.rename(kept)
        except OSError:
            assert kept.is_dir()  # another process was faster
    return kept


def _key(name: str) -> str:
    """Of all that a pair depends on."""
    packages = [version(each) for each in ("torch", "transformers")]
    recipe = RECIPES[name]
    base = [recipe.source.with_name(f"{each}.py") for each in ("kit", "__main__")]
    text = "".join(path.read_text() for path in sorted(_imported([recipe.source, *base])))
    return hashlib.sha256(repr([recipe.made_by, packages, _digest(), text]).encode()).hexdigest()[:16]


def _imported(paths: list[Path]) -> set[Path]:
    """Source files, and those beside them that they import."""
    found: set[Path] = set()
    left = list(paths)
    while left:
        path = left.pop()
        if path not in found:
            found.add(path)
            names = re.findall(r"^from \.(\w+) import", path.read_text(), re.M)
            left += [path.with_name(f"{name}.py") for name in names]
    return found


def _digest() -> str:
    """Of the archive that lookhere is built from."""
    found = re.search(r"LOOKHERE_LLAMA_SHA256\s+(\w+)", stock.UPSTREAM.read_text())
    assert found
    return found[1]


@cache
def converter() -> Path:
    """The converter and the vocabularies of that archive, unpacked once."""
    folder = stock.cache_folder() / "families" / f"converter-{_digest()[:16]}"
    if folder.is_dir():
        return folder
    found = sorted((stock.cache_folder() / _digest()).glob("*.tar.gz"))
    assert found, "the source package is fetched by the build into the cache folder"
    folder.parent.mkdir(parents=True, exist_ok=True)
    wanted = re.compile(r"[^/]+/vendor/llama\.cpp/((?:conversion|gguf-py|models)/.*|convert_hf_to_gguf\.py)")
    with tempfile.TemporaryDirectory(dir=folder.parent) as part, tarfile.open(found[0]) as archive:
        for member in archive:
            inside = wanted.fullmatch(member.name)
            content = archive.extractfile(member) if inside else None
            if inside and content:
                path = Path(part, "llama.cpp", inside[1])
                path.parent.mkdir(parents=True, exist_ok=True)
                path.write_bytes(content.read())
        try:
            Path(part, "llama.cpp").rename(folder)
        except OSError:
            assert folder.is_dir()  # another process was faster
    return folder
