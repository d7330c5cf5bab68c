"""The Jinja2 environment that chat templates are written for: that of transformers, name for name.

Sandboxed and immutable, with trim_blocks and lstrip_blocks, loop controls, ``{% generation %}`` blocks,
``raise_exception``, ``strftime_now``, and its own ``tojson``, ``dict`` and ``namespace``. A test compares the two on
real templates.
"""

from __future__ import annotations

import datetime
import json
from functools import lru_cache
from typing import TYPE_CHECKING, Any, NoReturn

if TYPE_CHECKING:
    import jinja2


@lru_cache(maxsize=16)
def compiled(source: str) -> jinja2.Template:
    """The template of a source. jinja2.TemplateSyntaxError; RecursionError where it is nested too deep."""
    return _environment().from_string(source)


@lru_cache(maxsize=1)
def _environment() -> jinja2.Environment:
    from jinja2 import nodes
    from jinja2.exceptions import SecurityError, TemplateError
    from jinja2.ext import Extension, loopcontrols
    from jinja2.parser import Parser
    from jinja2.sandbox import ImmutableSandboxedEnvironment
    from jinja2.utils import Namespace

    class Generation(Extension):
        """Blocks around what a model wrote; here they mean their content."""

        tags = {"generation"}  # noqa: RUF012 - Jinja2's name and kind

        def parse(self, parser: Parser) -> nodes.Node:
            line = next(parser.stream).lineno
            body = parser.parse_statements(("name:endgeneration",), drop_needle=True)
            # a call block, as transformers has it: what is set inside is not seen outside
            return nodes.CallBlock(self.call_method("_content"), [], [], body).set_lineno(line)

        def _content(self, caller: Any) -> Any:
            return caller()

    class Dict:
        """``dict`` without its attributes."""

        def __call__(self, *values: Any, **named: Any) -> dict[Any, Any]:
            return dict(*values, **named)

        def fromkeys(self, *values: Any) -> dict[Any, Any]:
            return dict.fromkeys(*values)

    class GuardedNamespace(Namespace):
        """A namespace without names that begin with an underscore."""

        def __init__(*args: Any, **named: Any) -> None:  # the first one is self, so that ``self`` may be a name
            self, values = args[0], dict(*args[1:], **named)
            for name in values:
                _public(name)
            Namespace.__init__(self, values)

        def __setitem__(self, name: str, value: Any) -> None:
            _public(name)
            Namespace.__setitem__(self, name, value)

    def _public(name: Any) -> None:
        if isinstance(name, str) and name.startswith("_"):
            raise SecurityError(f"a namespace stores no name that begins with an underscore ({name!r})")

    def raise_exception(message: Any) -> NoReturn:
        raise TemplateError(message)

    environment = ImmutableSandboxedEnvironment(
        trim_blocks=True, lstrip_blocks=True, extensions=[Generation, loopcontrols]
    )
    environment.filters["tojson"] = _tojson
    environment.globals["raise_exception"] = raise_exception
    environment.globals["strftime_now"] = _strftime_now
    environment.globals["dict"] = Dict()
    environment.globals["namespace"] = GuardedNamespace
    return environment


# The names of arguments are transformers': templates give them by name.
def _tojson(
    x: Any, ensure_ascii: bool = False, indent: Any = None, separators: Any = None, sort_keys: bool = False
) -> str:
    return json.dumps(x, ensure_ascii=ensure_ascii, indent=indent, separators=separators, sort_keys=sort_keys)


def _strftime_now(format: str) -> str:  # noqa: A002
    return datetime.datetime.now().strftime(format)
