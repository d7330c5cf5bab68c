"""Regions on the command line: ``--box 40,60,220,300``, ``--point 120,90``, ``--panel 3/6``, an outline or a mask; in a
text ``--paragraph 3`` and ``--span 40:160``."""

from __future__ import annotations

import functools
from collections.abc import Callable
from typing import Any, TypeVar, cast

import click

from ...checks import short
from ...errors import RegionError
from ...regions.region import Region, is_region
from ...regions.text import FORMS
from ..outputs import note_input
from .sections import GIVEN

Command = TypeVar("Command", bound=Callable[..., Any])


class _RegionType(click.ParamType):  # type: ignore[type-arg,unused-ignore]  # generic from click 8.5 on
    """Text, made into a region."""

    def __init__(self, kind: str) -> None:
        self.name = kind
        self._form, self._read = FORMS[kind]

    def convert(self, value: Any, param: click.Parameter | None, ctx: click.Context | None) -> Region:
        if is_region(value):
            return cast(Region, value)
        try:
            region: Region = self._read(value)
        except RegionError as error:
            self.fail(str(error), param, ctx)
        except ValueError:
            self.fail(f"{short(value)} is not of the form {self._form}.", param, ctx)
        if self.name == "mask":
            note_input(ctx, value)
        return region

    def get_metavar(self, param: click.Parameter, ctx: click.Context | None = None) -> str:
        return self._form


TOGETHER = "Several regions are looked at together."

_BOX = "Look at a rectangle: left, top, right, bottom in pixels, or of the image: 10%,0,50%,100%."
_OPTIONS = (
    click.option(
        "--point",
        type=_RegionType("point"),
        multiple=True,
        help="Look at one place, in pixels from the top left corner, or of the image: 50%,20%.",
    ),
    click.option(
        "--panel",
        type=_RegionType("panel"),
        multiple=True,
        help="Look at the K-th of N panels side by side, or at one of a grid. Counted from 1.",
    ),
    click.option(
        "--polygon",
        type=_RegionType("polygon"),
        multiple=True,
        help="Look at what an outline encloses, in pixels, or of the image: 10%,0,90%,0,50%,80%.",
    ),
    click.option(
        "--mask",
        type=_RegionType("mask"),
        multiple=True,
        help="Look at what is white in an image as large as IMAGE; grey counts in part.",
    ),
    click.option(
        "--paragraph",
        type=_RegionType("paragraph"),
        multiple=True,
        help="In a text: look at the K-th of the parts between blank lines, counted from 1.",
    ),
    click.option(
        "--span",
        type=_RegionType("span"),
        multiple=True,
        help="In a text: look at the characters from START up to END, counted from 0.",
    ),
)


def region_options(several: str = TOGETHER) -> Callable[[Command], Command]:
    """--box, --point, --panel, --polygon, --mask, --paragraph and --span, each as often as wanted; the command, which
    is Sectioned, gets them all as regions, in their order. several: what the help says of more than one."""

    def decorate(command: Command) -> Command:
        @functools.wraps(command)
        def with_regions(**options: Any) -> Any:
            found = {kind: iter(options.pop(kind)) for kind in FORMS}
            given = click.get_current_context().meta[GIVEN]
            return command(regions=tuple(next(found[name]) for name in given if name in found), **options)

        first = click.option("--box", type=_RegionType("box"), multiple=True, help=f"{_BOX} {several}")
        for option in (*reversed(_OPTIONS), first):
            with_regions = option(with_regions)
        return cast(Command, with_regions)

    return decorate
