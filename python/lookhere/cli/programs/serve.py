"""``lookhere serve``: answers over HTTP, as OpenAI's clients ask for them, with a place to look at; and
``lookhere try``: its page in the browser."""

from __future__ import annotations

import os
import webbrowser
from collections.abc import Callable
from functools import partial
from pathlib import Path
from typing import Any

import click

from ...image import Image
from ...loading.load import load
from ...loading.pair import Given
from ..options.model import FILE_OR_NAME, model_options
from ..options.sections import Sectioned

BUILT_IN = "lookhere"
"""What requests call the built-in model."""


@click.command(cls=Sectioned, short_help="Answer over HTTP, as OpenAI's clients ask.")
@click.argument("given", metavar="[MODEL]", type=FILE_OR_NAME, required=False)
@click.option("--host", default="127.0.0.1", show_default=True, help="Where to listen; elsewhere a token is needed.")
@click.option("--port", type=click.IntRange(0, 65535), default=8000, show_default=True, help="0 for any free one.")
@click.option(
    "--token", envvar="LOOKHERE_TOKEN", metavar="TEXT",
    help="What callers have to bring, as api_key; better in the environment variable LOOKHERE_TOKEN.",
)  # fmt: skip
@click.option(
    "--allow-host", "hosts", multiple=True, metavar="NAME",
    help="Another name that requests may be for, as that of a proxy before it.",
)  # fmt: skip
@click.option("--allow-url", is_flag=True, help="Fetch images from http(s) addresses on the open internet.")
@click.option("--any-model-name", is_flag=True, help="Take requests whatever model they name.")
@click.option("--parallel", "together", type=click.IntRange(1, 256), help="Answers made at a time  [default: 16]")
@click.option("--queue", type=click.IntRange(0), help="Requests that may wait beside them  [default: 32]")
@click.option("--max-body", type=click.IntRange(1, 2047), metavar="MIB", help="Of a request  [default: 32]")
@click.option("--max-pixels", "pixels", type=click.IntRange(1), help="Of a request's images  [default: 50000000]")
@click.option("--max-tokens", "tokens", type=click.IntRange(1), help="Of an answer at most  [default: 4096]")
@click.option("--timeout", "seconds", type=click.FloatRange(0.001), help="Seconds for an answer  [default: 600]")
@click.option("--demo-limits", is_flag=True, help="Small limits and fixed heads, for a demo that strangers use.")
@model_options
def serve(
    given: Given | None, loading: dict[str, Any], demo_limits: bool, max_body: int | None, **options: Any
) -> None:
    """Answer over HTTP, as OpenAI's clients ask, with one more field that says where to look.

    MODEL is a GGUF file, a folder or a name; without one, the built-in model. Only this machine can ask, unless --host
    says otherwise. Ctrl-C once lets running answers end, twice ends at once.

    \b
      lookhere serve
      lookhere serve qwen3-vl-2b --port 8080
      LOOKHERE_TOKEN=... lookhere serve qwen3-vl-2b --host 0.0.0.0
    """
    if given is not None and loading["model"] is not None:
        raise click.UsageError("The model is given twice; leave out --model.")
    loading["model"] = given if given is not None else loading["model"]
    settings, run = _server()
    limits = {name: value for name, value in options.items() if value is not None}
    if max_body is not None:
        limits["body"] = max_body * 2**20
    made = settings(demo_limits, limits)
    with load(**loading) as model:
        run(model, made, _name(loading["model"]), partial(click.echo, err=True))


@click.command("try", short_help="Point with the mouse: open an image in the browser.")
@click.argument("photo", metavar="IMAGE", type=click.Path(path_type=Path, exists=True, dir_okay=False))
@click.option("--port", type=click.IntRange(0, 65535), default=0, help="Where to listen  [default: any free one]")
@click.option("--no-browser", is_flag=True, help="Print the address alone.")
@model_options
def try_(photo: Path, port: int, no_browser: bool, loading: dict[str, Any]) -> None:
    """Open IMAGE in the browser, and point at it with the mouse.

    A server runs on this machine alone until the page is closed, or Ctrl-C.

    \b
      lookhere try photo.jpg --model qwen3-vl-2b
    """
    Image.open(photo)  # what is no image is refused before a model is loaded
    settings, run = _server()
    show: Callable[[str], object] = (lambda url: None) if no_browser else webbrowser.open
    with load(**loading) as model:
        made = settings(False, {"port": port})
        run(model, made, _name(loading["model"]), partial(click.echo, err=True), photo=photo, show=show)


def _server() -> tuple[Callable[[bool, dict[str, Any]], Any], Callable[..., None]]:
    """What makes settings, and what serves. click.ClickException where the extra is not installed."""
    try:
        from ...server.program import serve as run
        from ...server.settings import DEMO, Settings
    except ImportError as error:
        raise click.ClickException(
            f"The server needs more packages ({error}). Install them: pip install 'lookhere[server]'"
        ) from error
    return lambda demo, limits: Settings(**{**(DEMO if demo else {}), **limits}), run


def _name(model: Given | None) -> str:
    """What requests call it: its name, or its file's without the ending."""
    if model is None:
        return BUILT_IN
    if isinstance(model, Path):
        return model.stem or model.name
    text = os.fspath(model)
    return Path(text).stem if text.endswith(".gguf") else text
