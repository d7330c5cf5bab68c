"""How the heads look: options that commands which ask share."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, TypeVar, get_args

import click

from ..heads import Mode, Queries

Command = TypeVar("Command", bound=Callable[..., Any])


def steering_options(command: Command) -> Command:
    """--strength, --mode and --queries; the names are those of ``lookhere.Steering``."""
    for option in (
        click.option(
            "--queries", type=click.Choice(get_args(Queries)), help="Which queries obey  [default: the head set's]"
        ),
        click.option("--mode", type=click.Choice(get_args(Mode)), help="What the bias does  [default: the head set's]"),
        click.option(
            "--strength", type=float, metavar="X", help="How strongly to look, in nats  [default: the head set's]"
        ),
    ):
        command = option(command)
    return command
