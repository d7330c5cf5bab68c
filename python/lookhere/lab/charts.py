"""Charts for notebooks: the report's own, drawn of plain numbers."""

from __future__ import annotations

import re
from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass
from html import escape
from pathlib import Path

import numpy as np
from numpy.typing import ArrayLike

from .. import checks
from ..errors import OptionError
from ..images.markup import themed
from ..steering.facts import Head
from . import svg
from .intervals import over_strips

CHART_STYLE = (Path(__file__).parent / "chart.css").read_text(encoding="utf-8")
"""Colours of a light and of a dark ground, and the rules that use them."""

Scores = Mapping[str, Sequence[int]]
"""By name, how many answers were right on each strip."""

_GAZE = "gaze heads"
"""The arm that has the colour of the head set."""


@dataclass(frozen=True)
class Chart:
    """A figure. title, words: above and below it. svg: as HTML, in colours that ``CHART_STYLE`` knows."""

    title: str
    svg: str
    words: str = ""

    def __repr__(self) -> str:
        return f"<Chart {checks.short(self.title, 60)}>"

    def _repr_html_(self) -> str:
        """For a notebook, light or dark."""
        below = f"<div><small>{escape(self.words)}</small></div>" if self.words else ""
        head = f'<div style="font-weight: 600; margin-bottom: 0.5em">{escape(self.title)}</div>'
        return f'<div class="lookhere-chart"><style>{_STYLE}</style>{head}{self.svg}{below}</div>'


def bars(title: str, scores: Scores, asked: int, words: str = "") -> Chart:
    """A bar for each way of asking: the share of right answers, with its 95 % interval over strips.

    scores: right answers by name and strip. asked: questions per strip. OptionError.
    """
    rows = []
    for name, right in _counts(scores, asked).items():
        share, interval = _share(right, asked)
        kind = "gaze" if name == _GAZE else "plain" if name == "unsteered" else "control"
        rows.append(
            f'<div style="padding-right: 1em">{escape(name)}</div><div>{svg.bar(share, interval, kind)}</div>'
            f'<div style="padding-left: 1em">{share:.0%}</div>'
        )
    grid = "display: grid; grid-template-columns: max-content minmax(8em, 26em) max-content; align-items: center"
    return Chart(title, f'<div style="{grid}">{"".join(rows)}</div>', words)


def lines(title: str, scores: Scores, asked: int, axis: str, words: str = "") -> Chart:
    """A line over settings: the share of right answers at each, with its 95 % interval over strips. axis: what the
    settings are. The rest as in ``bars``."""
    spots = []
    for name, right in _counts(scores, asked).items():
        share, interval = _share(right, asked)
        spots.append(svg.Spot(name, share, *interval))
    return Chart(title, svg.lines([("", spots)], axis), words)


def heads(title: str, values: ArrayLike, framed: Collection[Head] = (), words: str = "") -> Chart:
    """Every head as a cell, darker where its value is larger. values: (layers, heads). framed: (layer, head) pairs.
    OptionError."""
    found = _table("heads", values)
    return Chart(title, svg.heat(found, rows="layer", cols="head", outlined=tuple(framed)), words)


def staircase(title: str, mass: ArrayLike, ends: Sequence[int] = (), words: str = "") -> Chart:
    """Attention on each panel, token by token. mass: (tokens, panels). ends: where a line is drawn: after so many
    tokens. OptionError."""
    return Chart(title, svg.stairs(_table("staircase", mass), [*ends, 0]), words)


def _counts(scores: Scores, asked: int) -> Scores:
    checks.whole("asked", asked, 1, 10**6)
    if not isinstance(scores, Mapping) or not scores:
        raise OptionError(
            f"scores={checks.short(scores)}; expected right answers per strip by name, {{'all': [3, 4]}}."
        )
    for name, right in scores.items():
        counts = checks.items(right)
        known = counts and all(checks.as_whole(each) in range(asked + 1) for each in counts)
        if not isinstance(name, str) or not known:
            raise OptionError(
                f"scores[{checks.short(name)}]={checks.short(right)}; expected a whole number from 0 to {asked} for "
                "each strip, under a name."
            )
    return scores


def _share(right: Sequence[int], asked: int) -> tuple[float, tuple[float, float]]:
    total = [asked] * len(right)
    return sum(right) / sum(total), over_strips(right, total)


def _table(name: str, values: ArrayLike) -> list[list[float]]:
    try:
        found = np.asarray(values, np.float64)
    except (TypeError, ValueError):
        found = np.zeros(())
    if found.ndim != 2 or not found.size or not np.isfinite(found).all():
        raise OptionError(f"{name}: the values are {checks.short(values)}; expected rows of numbers, of two axes.")
    rows: list[list[float]] = found.tolist()
    return rows


def _themed() -> str:
    """The style for a class, so that it reaches nothing else on the page: notebooks have one page for all cells."""
    light, dark = re.findall(r":root \{\s*(.*?)\s*\}", CHART_STYLE, re.DOTALL)
    rules = re.sub(r"/\*.*?\*/", "", CHART_STYLE[CHART_STYLE.index("svg {") :], flags=re.DOTALL)
    scoped = re.sub(r"(?m)(^|(?<=\} ))(?=[.a-z])", ".lookhere-chart ", rules)
    return themed("lookhere-chart", light, dark) + scoped


_STYLE = _themed()
