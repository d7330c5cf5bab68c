"""Regions on the command line: ``--box 40,60,220,300``, ``--point 120,90``, ``--panel 3/6``."""

from __future__ import annotations

import re
from collections.abc import Callable
from typing import Any, TypeVar

import click

from ..errors import RegionError
from ..region import Box, Panel, Point, Region

Command = TypeVar("Command", bound=Callable[..., Any])


class _RegionType(click.ParamType):  # type: ignore[type-arg,unused-ignore]  # generic from click 8.5 on
    """Numbers between commas, made into a region."""

    def __init__(self, name: str, form: str, make: Callable[[str], Region]) -> None:
        self.name = name
        self._form = form
        self._make = make

    def convert(self, value: Any, param: click.Parameter | None, ctx: click.Context | None) -> Region:
        if isinstance(value, (Box, Point, Panel)):
            return value
        try:
            return self._make(value)
        except RegionError as error:
            self.fail(str(error), param, ctx)
        except ValueError:
            self.fail(f"{value!r} is not of the form {self._form}.", param, ctx)

    def get_metavar(self, param: click.Parameter, ctx: click.Context | None = None) -> str:
        return self._form


def _numbers(text: str, count: int) -> list[float]:
    numbers = [float(part) for part in text.split(",")]
    if len(numbers) != count:
        raise ValueError(text)
    return numbers


def _box(text: str) -> Box:
    return Box(*_numbers(text, 4))


def _point(text: str) -> Point:
    return Point(*_numbers(text, 2))


def _panel(text: str) -> Panel:
    match = re.fullmatch(r"(\d+)/(\d+)|(\d+),(\d+)/(\d+),(\d+)", text.strip())
    if not match:
        raise ValueError(text)
    numbers = [int(part) for part in match.groups() if part is not None]
    return Panel(*numbers)


def region_options(command: Command) -> Command:
    """--box, --point and --panel, each as often as wanted."""
    for option in (
        click.option(
            "--panel",
            "panels",
            multiple=True,
            type=_RegionType("panel", "K/N", _panel),
            help="Look at the K-th of N panels side by side; ROW,COL/ROWS,COLS for a grid. Counted from 1.",
        ),
        click.option(
            "--point",
            "points",
            multiple=True,
            type=_RegionType("point", "X,Y", _point),
            help="Look at one place, in pixels from the top left corner.",
        ),
        click.option(
            "--box",
            "boxes",
            multiple=True,
            type=_RegionType("box", "X0,Y0,X1,Y1", _box),
            help="Look at a rectangle: left, top, right, bottom in pixels. Several regions are looked at together.",
        ),
    ):
        command = option(command)
    return command
