"""What `pip install` put there: notices, types, data, and dependencies for every import."""

from __future__ import annotations

import ast
import re
import sys
from importlib import metadata
from pathlib import Path

import stock

PACKAGE = stock.ROOT / "python" / "lookhere"
MODULES = {"PIL": "pillow", "llama_cpp": "llama-cpp-python", "prometheus_client": "prometheus-client"}
"""Import name -> package name, where they differ."""


def installed_files() -> set[str]:
    return {path.as_posix() for path in metadata.files("lookhere") or ()}


def test_notices_are_in_the_package() -> None:
    notices = {path.name for path in (stock.ROOT / "licenses").iterdir()} | {"LICENSE"}
    shipped = {Path(name).name for name in installed_files() if ".dist-info/licenses/" in name}
    assert shipped == notices
    about = metadata.metadata("lookhere")
    assert about["License-Expression"] == "MIT AND MIT-0 AND MIT-CMU AND BSD-2-Clause AND BSD-3-Clause"


def imported_by(module: Path) -> set[str]:
    """Modules of JavaScript that a module needs, those that they need included."""
    found: set[str] = set()
    left = [module]
    while left:
        new = set(re.findall(r'from "\./([\w.]+)"', left.pop().read_text(encoding="utf-8"))) - found
        found |= new
        left += [module.parent / name for name in new]
    return found


def test_entry_point() -> None:
    scripts = {script.name: script.value for script in metadata.distribution("lookhere").entry_points}
    assert scripts["lookhere"] == "lookhere.cli:main"


def test_data_and_types_are_in_the_package() -> None:
    files = installed_files()
    if not any(name.endswith("lookhere/__init__.py") for name in files):  # an editable install leaves sources in place
        files = {f"lookhere/{path.relative_to(PACKAGE).as_posix()}" for path in PACKAGE.rglob("*")}
    wanted = {"py.typed", "_engine.pyi"} | {
        path.relative_to(PACKAGE).as_posix()
        for pattern in ("data/models/*.gguf", "data/models/*.md", "data/heads/*.json")
        for path in PACKAGE.glob(pattern)
    }
    assert len(wanted) == 2 + 3 + 2 + 5
    pages = {"index.html", "style.css", "icon.svg", "main.js", *imported_by(PACKAGE / "server/page/main.js")}
    assert pages == {path.name for path in (PACKAGE / "server/page").iterdir() if path.suffix not in (".py", "")}
    wanted |= {f"server/page/{name}" for name in pages}
    assert {f"lookhere/{name}" for name in wanted} <= files
    assert not [
        name for name in files if name.startswith("lookhere/data/") and name.endswith((".jsonl", ".log", ".csv"))
    ]
    assert not [
        name for name in files if "__pycache__" in name and name.startswith("lookhere/") and name.endswith(".py")
    ]


def test_every_import_is_a_dependency() -> None:
    lines = metadata.requires("lookhere") or []
    names = {line: re.split(r"[<>=!~ ;\[]", line)[0].lower() for line in lines}
    always = {name for line, name in names.items() if "extra ==" not in line}
    imported: set[str] = set()
    for path in PACKAGE.rglob("*.py"):
        tree = ast.parse(path.read_text(encoding="utf-8"))
        for node in ast.walk(tree):
            if isinstance(node, ast.If) and ast.unparse(node.test) == "TYPE_CHECKING":
                node.body = [ast.Pass()]  # never run
        for node in ast.walk(tree):
            modules = [alias.name for alias in node.names] if isinstance(node, ast.Import) else []
            if isinstance(node, ast.ImportFrom) and node.level == 0 and node.module:
                modules = [node.module]
            imported |= {module.split(".")[0] for module in modules}
    foreign = {MODULES.get(name, name).lower() for name in imported - sys.stdlib_module_names - {"lookhere"}}
    assert always <= foreign, "required, but imported nowhere"
    assert foreign <= set(names.values()), "imported, but required nowhere"
