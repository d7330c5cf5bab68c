"""Schedules on the command line: ``--schedule 4,2,1 --every 20 --panels 6``."""

from __future__ import annotations

import re
from collections.abc import Callable
from typing import Any, TypeVar

import click

from ... import limits
from ...errors import LookhereError
from ...schedule import Pace, Schedule

Command = TypeVar("Command", bound=Callable[..., Any])

EVERY, PANELS = 20, 6
"""Tokens on a target, and panels side by side, where nothing is said. The options are None then, so that a command can
tell that they were not given."""


class _Every(click.ParamType):  # type: ignore[type-arg,unused-ignore]  # generic from click 8.5 on
    """A number of tokens, or line or sentence."""

    name = "every"

    def convert(self, value: Any, param: click.Parameter | None, ctx: click.Context | None) -> Pace:
        if value in ("line", "sentence"):
            return value  # type: ignore[no-any-return]
        if not re.fullmatch(r"\d{1,9}", str(value)) or not 1 <= int(value) <= limits.SCHEDULE:
            self.fail(
                f"{value!r}; expected a number of tokens from 1 to {limits.SCHEDULE}, line or sentence.", param, ctx
            )
        return int(value)

    def get_metavar(self, param: click.Parameter, ctx: click.Context | None = None) -> str:
        return "N|line|sentence"


class Grid(click.ParamType):  # type: ignore[type-arg,unused-ignore]
    """Rows and columns of panels."""

    name = "grid"

    def convert(self, value: Any, param: click.Parameter | None, ctx: click.Context | None) -> tuple[int, int]:
        if isinstance(value, tuple):
            return value
        match = re.fullmatch(r"(?:(\d{1,4})x)?(\d{1,4})", value)
        rows, cols = (int(match[1] or 1), int(match[2])) if match else (0, 0)
        if rows < 1 or cols < 1:
            self.fail(f"{value!r}; expected N panels side by side, or ROWSxCOLS, for instance 6 or 2x3.", param, ctx)
        return rows, cols

    def get_metavar(self, param: click.Parameter, ctx: click.Context | None = None) -> str:
        return "N|ROWSxCOLS"


def schedule_options(*, required: bool) -> Callable[[Command], Command]:
    """--schedule, --every and --panels."""

    def add(command: Command) -> Command:
        for option in (
            click.option(
                "--panels", "panel_grid", type=Grid(),
                help=f"The panels that a schedule numbers, row by row  [default: {PANELS}, side by side]",
            ),
            click.option(
                "--every", type=_Every(),
                help=f"Tokens until the gaze moves on, or where a line or a sentence ends  [default: {EVERY}]",
            ),
            click.option(
                "--schedule", metavar="TARGETS", required=required,
                help="Where to look in turn: panel numbers such as 4,2,1; or, between spaces, K/N, "
                "ROW,COL/ROWS,COLS, box:X0,Y0,X1,Y1, point:X,Y, polygon:X,Y,X,Y,X,Y, in a text paragraph:K and "
                "span:START:END, and free (wherever the model "
                "looks by itself). No masks.",
            ),
        ):  # fmt: skip
            command = option(command)
        return command

    return add


def schedule_from(text: str, every: Pace | None, panel_grid: tuple[int, int] | None) -> Schedule:
    """The schedule that the options describe, None for what was not given; what is wrong in it is wrong use."""
    rows, cols = panel_grid or (1, PANELS)
    try:
        return Schedule.parse(text, every=every or EVERY, rows=rows, cols=cols)
    except LookhereError as error:
        raise click.BadParameter(str(error), param_hint="'--schedule'") from error
