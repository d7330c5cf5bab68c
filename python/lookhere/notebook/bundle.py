"""The widget's code as one ES module: the modules of the page that ``serve`` shows, and ``widget.js``, joined as text.

Each module becomes a function that returns what it exports, so that their names do not meet. Nothing is compiled: what
the page draws with is what the widget draws with.
"""

from __future__ import annotations

import json
import re
from pathlib import Path

from ..errors import OptionError

HERE = Path(__file__).parent
PAGE = HERE.parent / "server" / "page"

_IMPORT = re.compile(r'^import \{([^}]*)\} from "\./([\w-]+)\.js";\n', re.MULTILINE)
_EXPORT = re.compile(r"^export (?=(?:async )?(?:const|let|class|function\*?) (\w+))", re.MULTILINE)


def esm() -> str:
    """The whole, whose default export is the widget's."""
    order: list[str] = []
    parts: dict[str, str] = {}
    _add("widget", parts, order, ())
    style = (PAGE / "style.css").read_text(encoding="utf-8").replace(":root", ":host")
    own = (HERE / "widget.css").read_text(encoding="utf-8")
    head = f"const $style = {json.dumps(style + own)};\n"
    return head + "".join(parts[name] for name in order) + "export default $widget.widget;\n"


def _add(name: str, parts: dict[str, str], order: list[str], within: tuple[str, ...]) -> None:
    """A module after those that it imports."""
    if name in parts:
        return
    if name in within:
        raise OptionError(f"The page's modules import each other in a circle: {' -> '.join((*within, name))}.")
    text = _read(name)
    for match in _IMPORT.finditer(text):
        _add(match[2], parts, order, (*within, name))
    inner = _IMPORT.sub(lambda match: f"const {{{match[1].replace(' as ', ': ')}}} = ${match[2]};\n", text)
    exported = [match[1] for match in _EXPORT.finditer(inner)]
    inner = _EXPORT.sub("", inner)
    parts[name] = f"const ${name} = (() => {{\n{inner}\nreturn {{ {', '.join(exported)} }};\n}})();\n"
    order.append(name)


def _read(name: str) -> str:
    for folder in (HERE, PAGE):
        path = folder / f"{name}.js"
        if path.is_file():
            return path.read_text(encoding="utf-8")
    raise OptionError(f"{name}.js is missing beside the page of lookhere serve; install lookhere again.")
