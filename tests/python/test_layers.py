"""The order of the house: what may import what. Declared once, here; every folder and every file has its floor."""

from __future__ import annotations

import ast
from collections.abc import Iterator
from pathlib import Path

import lookhere
import pytest

PACKAGE = Path(lookhere.__file__).parent

FLOORS = (
    ("errors", "limits", "families", "questions", "process", "_start"),
    ("_engine",),
    ("checks", "atomic", "engine"),
    ("cancel", "strict", "hub"),
    ("images",),
    ("image", "texts"),  # the first is a public name of images
    ("regions",),
    ("tokens",),
    ("pictures", "steering"),
    ("heatmap", "prompt"),  # the first is a public name of pictures
    ("kv",),
    ("weights",),
    ("loaded",),
    ("answers",),
    ("aio",),
    ("scenes",),
    ("model", "schedule"),
    ("comics",),
    ("wire", "loading"),
    ("notebook",),
    ("",),  # the public names
    ("lab",),
    ("batch",),
    ("ray",),
    ("server", "mcp", "llama_cpp"),
    ("cli",),
    ("__main__",),
)
"""Folders and files of the package from the ground up. An import goes down, or stays within a folder."""

MOST_FILES = 15
"""Of a folder without an order of its own."""

FLOOR_OF = {name: floor for floor, names in enumerate(FLOORS) for name in names}


def modules(package: Path) -> dict[str, Path]:
    """Every module by its dotted name within the package, "" for the package itself."""
    found = {}
    for path in sorted(package.rglob("*.py")):
        parts = path.relative_to(package).with_suffix("").parts
        found[".".join(parts[:-1] if parts[-1] == "__init__" else parts)] = path
    return found


def imports(name: str, path: Path, known: dict[str, Path]) -> Iterator[str]:
    """The modules of the package that a module imports, at the top, within functions and for types alone."""
    is_package = path.name == "__init__.py"
    for node in ast.walk(ast.parse(path.read_text())):
        if isinstance(node, ast.Import):
            for each in node.names:
                if each.name.split(".")[0] == "lookhere":
                    yield each.name.partition(".")[2]
        elif isinstance(node, ast.ImportFrom):
            base = (node.module or "").split(".") if node.module else []
            if node.level:
                here = name.split(".") if name else []
                here = here if is_package else here[:-1]
                base = here[: len(here) - (node.level - 1)] + base
            elif base[:1] == ["lookhere"]:
                base = base[1:]
            else:
                continue
            for each in node.names:
                inner = ".".join([*base, each.name])
                yield inner if inner in known or each.name == "_engine" else ".".join(base)


def graph(package: Path) -> dict[str, set[str]]:
    known = modules(package)
    return {name: {each for each in imports(name, path, known) if each != name} for name, path in known.items()}


def faults(edges: dict[str, set[str]]) -> list[str]:
    """What goes up, what has no floor, and what goes in a circle."""
    found = []
    for name, targets in edges.items():
        top = name.split(".")[0]
        if top not in FLOOR_OF:
            found.append(f"{name} has no floor")
            continue
        for target in targets:
            other = target.split(".")[0]
            if other not in FLOOR_OF:
                found.append(f"{name} imports {target}, which has no floor")
            elif other != top and FLOOR_OF[other] >= FLOOR_OF[top]:
                found.append(f"{name} imports {target}, which is not below it")
    return found + [f"a circle: {' -> '.join(circle)}" for circle in circles(edges)]


def circles(edges: dict[str, set[str]]) -> list[list[str]]:
    """One circle for each module that can reach itself by way of others."""
    found, done = [], set()

    def walk(name: str, path: list[str]) -> None:
        if name in path:
            found.append([*path[path.index(name) :], name])
            return
        if name in done:
            return
        for target in sorted(edges.get(name, ())):
            walk(target, [*path, name])
        done.add(name)

    for name in sorted(edges):
        walk(name, [])
    return found


def test_imports_go_down_and_never_in_a_circle() -> None:
    assert faults(graph(PACKAGE)) == []


@pytest.mark.parametrize(
    ("name", "text", "told"),
    [
        ("images/image.py", "from ..model import Model", "which is not below it"),
        ("images/image.py", "def f():\n    from lookhere.cli import main", "which is not below it"),
        ("images/image.py", "import lookhere.lab.page", "which is not below it"),
        ("cellar.py", "", "has no floor"),
        ("images/image.py", "from .image_cache import ImageCache", "a circle"),
    ],
)
def test_the_test_sees_what_it_is_for(tmp_path: Path, name: str, text: str, told: str) -> None:
    for file in ("images/image.py", "images/__init__.py", "model.py", "cli/__init__.py", "lab/page.py"):
        (tmp_path / file).parent.mkdir(exist_ok=True)
        (tmp_path / file).write_text("")
    (tmp_path / "images/image_cache.py").write_text("from .image import Image")
    assert faults(graph(tmp_path)) == []
    (tmp_path / name).write_text(text)
    assert any(told in fault for fault in faults(graph(tmp_path)))


def test_every_floor_is_in_use() -> None:
    known = {name.split(".")[0] for name in modules(PACKAGE)} | {"_engine"}
    assert set(FLOOR_OF) == known


def test_no_folder_is_a_heap() -> None:
    """About a dozen files, or an order that one can see: the lab's, told in its __init__ file by file."""
    for folder in {path.parent for path in PACKAGE.rglob("*.py")}:
        names = [path.stem for path in folder.glob("*.py") if not path.stem.startswith("_")]
        if folder.name == "lab":
            order = (folder / "__init__.py").read_text()
            assert [name for name in names if f"``{name}``" not in order] == []
        else:
            assert len(names) <= MOST_FILES, folder


def test_the_engine_has_one_door() -> None:
    """The compiled module is imported in engine.py alone; elsewhere only its types are."""
    for name, path in modules(PACKAGE).items():
        tree = ast.parse(path.read_text())
        typing_only = [
            inner for node in ast.walk(tree) if isinstance(node, ast.If) and "TYPE_CHECKING" in ast.dump(node.test)
            for inner in ast.walk(node)
        ]  # fmt: skip
        for node in ast.walk(tree):
            if isinstance(node, ast.ImportFrom) and any(each.name == "_engine" for each in node.names):
                assert node in typing_only or name == "engine", f"{name} imports the engine by itself"
