"""How tokens are drawn and where an answer stops: options that commands which ask share."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, TypeVar

import click

Command = TypeVar("Command", bound=Callable[..., Any])


def sampling_options(longest: str) -> Callable[[Command], Command]:
    """--max-tokens, --stop, --temperature, --top-k, --top-p, --min-p, --repeat-penalty and --seed.

    The names are those of ``Scene.stream``, whose limits hold. longest: what the help says for no --max-tokens, which
    gives None.
    """
    options = (
        click.option(
            "--max-tokens", type=click.IntRange(1), metavar="N", help=f"Length of the answer  [default: {longest}]"
        ),
        click.option("--stop", multiple=True, help="A text that ends the answer; may be given several times."),
        _option("--temperature", click.FloatRange(0), 0.0, "Flatter odds above 1, 0 is greedy."),
        _option("--top-k", click.IntRange(0), 0, "Only the K likeliest tokens, 0 is off."),
        _option("--top-p", click.FloatRange(0, 1), 1.0, "Only the likeliest tokens that have P together, 1 is off."),
        _option("--min-p", click.FloatRange(0, 1), 0.0, "Only tokens of P times the likeliest one's odds, 0 is off."),
        _option("--repeat-penalty", click.FloatRange(0), 1.0, "Above 1, words said before get less likely; 1 is off."),
        _option("--seed", click.IntRange(0), 0, "For a temperature above 0."),
    )

    def add(command: Command) -> Command:
        for option in reversed(options):
            command = option(command)
        return command

    return add


def _option(
    name: str, kind: click.IntRange | click.FloatRange, default: float, text: str
) -> Callable[[Command], Command]:
    letter = {"--top-k": "K", "--top-p": "P", "--min-p": "P"}.get(
        name, "N" if isinstance(kind, click.IntRange) else "X"
    )
    return click.option(name, type=kind, metavar=letter, default=default, help=f"{text}  [default: {default:g}]")
