"""Which model, and how it is loaded: options that several commands share."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any, TypeVar

import click

Command = TypeVar("Command", bound=Callable[..., Any])

FILE = click.Path(path_type=Path)

_OPTIONS = (
    click.option("--model", type=FILE, metavar="GGUF", help="A vision-language model  [default: the built-in one]"),
    click.option("--mmproj", type=FILE, metavar="GGUF", help="Its projector  [default: mmproj*.gguf beside it]"),
    click.option("--heads", type=FILE, metavar="JSON", help="The heads to steer  [default: the known head set]"),
    click.option(
        "--context", type=click.IntRange(16, 2**22), metavar="N",
        help="Tokens that the context holds  [default: as many as needed]",
    ),
    click.option(
        "--threads", type=click.IntRange(1, 512), metavar="N", help="Threads to use  [default: by the model's size]"
    ),
)  # fmt: skip


def model_options(command: Command) -> Command:
    """--model, --mmproj, --heads, --context and --threads; the names are those of ``lookhere.load``."""
    for option in reversed(_OPTIONS):
        command = option(command)
    return command
