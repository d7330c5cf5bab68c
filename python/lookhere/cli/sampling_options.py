"""How tokens are drawn and where an answer stops: options that commands which ask share."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, TypeVar

import click

Command = TypeVar("Command", bound=Callable[..., Any])


def sampling_options(longest: str) -> Callable[[Command], Command]:
    """--max-tokens, --temperature, --top-k, --top-p, --min-p, --repeat-penalty, --seed and --stop.

    The names are those of ``Scene.stream``. longest: what the help says for no --max-tokens, which gives None.
    """

    def add(command: Command) -> Command:
        for option in (
            click.option("--stop", multiple=True, help="A text that ends the answer; may be given several times."),
            click.option(
                "--seed", type=click.IntRange(0), default=0, show_default=True,
                help="For a temperature above 0.",
            ),
            click.option(
                "--repeat-penalty", type=click.FloatRange(0), default=1.0, show_default=True,
                help="Divides the odds of tokens said before; 1 is off.",
            ),
            click.option(
                "--min-p", type=click.FloatRange(0, 1), default=0.0, show_default=True,
                help="Least probability beside the likeliest token's; 0 is off.",
            ),
            click.option("--top-p", type=click.FloatRange(0, 1), default=1.0, show_default=True, help="1 is off."),
            click.option("--top-k", type=click.IntRange(0), default=0, show_default=True, help="0 is off."),
            click.option(
                "--temperature", type=click.FloatRange(0), default=0.0, show_default=True, help="0 is greedy."
            ),
            click.option(
                "--max-tokens", type=click.IntRange(1), help=f"Length of the answer  [default: {longest}]"
            ),
        ):  # fmt: skip
            command = option(command)
        return command

    return add
