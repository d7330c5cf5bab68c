"""``lookhere try``: the page of a server in the browser, with an image of one's own."""

from __future__ import annotations

import webbrowser
from functools import partial
from pathlib import Path
from typing import Any

import click

from ..image import Image
from ..loading.load import load
from ..loading.pair import Given
from .options.model import model_options
from .serve import name_of, server


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
    settings, run = server()
    given: Given | None = loading["model"]
    show = (lambda url: None) if no_browser else webbrowser.open
    with load(**loading) as model:
        made = settings(False, {"port": port})
        run(model, made, name_of(given), partial(click.echo, err=True), photo=photo, show=show)
