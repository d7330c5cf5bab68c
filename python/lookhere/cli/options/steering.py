"""How the heads look: options that commands which ask share."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, TypeVar

import click

from ...steering.push import MODES, QUERIES

Command = TypeVar("Command", bound=Callable[..., Any])


def steering_options(command: Command) -> Command:
    """--strength, --mode, --share and --queries; the names are those of ``lookhere.Steering``."""
    for option in (
        click.option(
            "--queries", type=click.Choice(QUERIES),
            help="Which tokens obey: all, the image's own too; those after_image; answer: from the last one of the "
            "prompt on, which chooses the first word; generated: only after that  [default: the head set's]",
        ),
        click.option(
            "--share", type=float, metavar="X",
            help="For --mode target_share: the share of a head's attention, from 0 to 1, that the target gets at least "
            "[default: the head set's]",
        ),
        click.option(
            "--mode", type=click.Choice(MODES),
            help="boost_suppress pulls to the target and pushes off the rest of the image; suppress_image only pushes, "
            "suppress_all off the prompt's text too, max_suppress_all off generated text as well; target_share moves "
            "as much attention as the target lacks, within_image only what the image has  [default: the head set's]",
        ),
        click.option(
            "--strength", type=float, metavar="X",
            help="How strongly, in nats from 0 to 10000; 5 is usual  [default: the head set's]",
        ),
    ):  # fmt: skip
        command = option(command)
    return command
