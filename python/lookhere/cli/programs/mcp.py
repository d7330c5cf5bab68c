"""``lookhere mcp``: tools for agents, over the Model Context Protocol."""

from __future__ import annotations

from functools import partial
from pathlib import Path
from typing import Any

import click

from ...loading.load import load
from ...loading.pair import Given
from ..asked import question, unknown
from ..options.model import FILE_OR_NAME, model_options
from ..options.sections import Sectioned


@click.command(cls=Sectioned, short_help="Give agents tools that look at parts of images.")
@click.argument("given", metavar="[MODEL]", type=FILE_OR_NAME, required=False)
@click.option(
    "--allow", multiple=True, metavar="FOLDER", type=click.Path(path_type=Path),
    help="A folder whose images agents may read, with all below it; several times for several.",
)  # fmt: skip
@model_options
def mcp(given: Given | None, allow: tuple[Path, ...], loading: dict[str, Any]) -> None:
    """Give agents tools that look at parts of images, over the Model Context Protocol.

    A host such as Claude Desktop, VS Code or LM Studio starts this command, and talks to it over standard input and
    output. MODEL is a GGUF file, a folder or a name; without one, the built-in model. Agents read images in the
    folders of --allow and nowhere else, and may send images as data.

    \b
      lookhere mcp --allow ~/Pictures
      lookhere mcp qwen3-vl-2b --allow ~/Pictures
    """
    if given is not None and loading["model"] is not None:
        raise click.UsageError("The model is given twice; leave out --model.")
    loading["model"] = given if given is not None else loading["model"]
    for name in ("model", "mmproj", "heads"):  # hosts start commands without a shell, which would do that
        if isinstance(loading[name], Path):
            loading[name] = loading[name].expanduser()
    try:
        from ...mcp.program import serve
    except ImportError as error:
        raise click.ClickException(
            f"Tools for agents need more packages ({error}). Install them: pip install 'lookhere[mcp]'"
        ) from error
    serve(partial(load, **loading), allow, question, unknown, partial(click.echo, err=True))
