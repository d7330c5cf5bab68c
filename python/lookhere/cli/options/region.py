"""Regions on the command line: ``--box 40,60,220,300``, ``--point 120,90``, ``--panel 3/6``, an outline or a mask."""

from __future__ import annotations

import functools
import re
from collections.abc import Callable
from typing import Any, TypeVar, cast

import click

from ...errors import RegionError
from ...regions.region import Box, Mask, Panel, Point, Polygon, Region

Command = TypeVar("Command", bound=Callable[..., Any])


class _RegionType(click.ParamType):  # type: ignore[type-arg,unused-ignore]  # generic from click 8.5 on
    """Text, made into a region."""

    def __init__(self, name: str, form: str, make: Callable[[str], Region]) -> None:
        self.name = name
        self._form = form
        self._make = make

    def convert(self, value: Any, param: click.Parameter | None, ctx: click.Context | None) -> Region:
        if isinstance(value, (Box, Mask, Panel, Point, Polygon)):
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


def _polygon(text: str) -> Polygon:
    numbers = [float(part) for part in text.split(",")]
    if len(numbers) % 2:
        raise ValueError(text)
    return Polygon(list(zip(numbers[::2], numbers[1::2], strict=True)))


_OPTIONS = (
    click.option(
        "--box",
        type=_RegionType("box", "X0,Y0,X1,Y1", _box),
        multiple=True,
        help="Look at a rectangle: left, top, right, bottom in pixels. Several regions are looked at together.",
    ),
    click.option(
        "--point",
        type=_RegionType("point", "X,Y", _point),
        multiple=True,
        help="Look at one place, in pixels from the top left corner.",
    ),
    click.option(
        "--panel",
        type=_RegionType("panel", "K/N|ROW,COL/ROWS,COLS", _panel),
        multiple=True,
        help="Look at the K-th of N panels side by side, or at one of a grid. Counted from 1.",
    ),
    click.option(
        "--polygon",
        type=_RegionType("polygon", "X,Y,X,Y,X,Y...", _polygon),
        multiple=True,
        help="Look at what an outline encloses, in pixels.",
    ),
    click.option(
        "--mask",
        type=_RegionType("mask", "FILE", Mask.open),
        multiple=True,
        help="Look at what is white in an image as large as IMAGE; grey counts in part.",
    ),
)


def region_options(command: Command) -> Command:
    """--box, --point, --panel, --polygon and --mask, each as often as wanted; the command gets them all as regions."""

    @functools.wraps(command)
    def with_regions(
        *,
        box: tuple[Region, ...],
        point: tuple[Region, ...],
        panel: tuple[Region, ...],
        polygon: tuple[Region, ...],
        mask: tuple[Region, ...],
        **options: Any,
    ) -> Any:
        return command(regions=(*box, *point, *panel, *polygon, *mask), **options)

    for option in reversed(_OPTIONS):
        with_regions = option(with_regions)
    return cast(Command, with_regions)
