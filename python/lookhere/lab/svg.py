"""Charts as inline SVG: bars, heat maps and lines. Colours are those of the page, by class; no scripts, no fonts."""

from __future__ import annotations

import html
from collections.abc import Collection, Sequence
from dataclasses import dataclass

TEXT = 11
"""Height of the charts' text; they are drawn at their own size or smaller."""


@dataclass(frozen=True)
class Spot:
    """A value on a line, with its interval, all from 0 to 1. name: of the setting, below the axis."""

    name: str
    value: float
    low: float
    high: float


def bar(value: float, interval: tuple[float, float] | None, kind: str, dots: Sequence[float] = ()) -> str:
    """A bar from 0 to 1 that is as wide as there is room. interval: a whisker. dots: single values upon it."""
    parts = [
        '<rect class="track" x="0" y="4" width="100%" height="14" rx="2"/>',
        f'<rect class="{kind}" x="0" y="4" width="{_percent(value)}" height="14" rx="2"/>',
    ]
    if interval is not None:
        low, high = map(_percent, interval)
        parts += [f'<line class="{kind}" x1="{low}" x2="{high}" y1="11" y2="11"/>' for kind in ("halo", "whisker")]
        parts += [f'<line class="whisker" x1="{end}" x2="{end}" y1="8" y2="14"/>' for end in (low, high)]
    parts += [f'<circle class="dot" cx="{_percent(each)}" cy="11" r="2.5"/>' for each in dots]
    return f'<svg class="bar" width="100%" height="22" role="img" aria-label="{value:.1%}">{"".join(parts)}</svg>'


def heat(
    values: Sequence[Sequence[float]],
    *,
    rows: str,
    cols: str,
    first: int = 0,
    outlined: Collection[tuple[int, int]] = (),
    cell: int = 0,
    numbers: bool = False,
    span: tuple[float, float] | None = None,
) -> str:
    """Cells that are darker where a value is larger. span: the values of an empty and a full cell, None for 0 and the
    largest.

    rows, cols: what they are, written at the axes. first: number of the first row and column. outlined: (row, col).
    cell: side in pixels, 0 for one that suits. numbers: whether the values stand in the cells.
    """
    height, width = len(values), len(values[0]) if values else 0
    side = cell or max(7, min(24, 300 // max(width, 1)))
    low, high = span or (0.0, max((value for row in values for value in row), default=0.0) or 1.0)
    left, above = 36, 30
    parts = []
    for r, row in enumerate(values):
        for c, value in enumerate(row):
            x, y, share = left + c * side, above + r * side, min(max((value - low) / (high - low), 0.0), 1.0)
            told = f"{rows} {r + first}, {cols} {c + first}: {value:.3f}"
            parts.append(
                f'<rect class="cell" x="{x}" y="{y}" width="{side - 1}" height="{side - 1}" '
                f'fill-opacity="{0.04 + 0.96 * share:.3f}"><title>{html.escape(told)}</title></rect>'
            )
            if numbers:
                kind = "on" if share > 0.55 else "off"
                parts.append(_text(x + side / 2, y + side / 2 + 4, f"{value:.2f}".lstrip("0"), "middle", kind))
    parts += [
        f'<rect class="outline" x="{left + c * side - 0.5}" y="{above + r * side - 0.5}" width="{side}" '
        f'height="{side}"/>'
        for r, c in outlined if r < height and c < width
    ]  # fmt: skip
    step = max(1, -(-18 // side))
    parts += [_text(left - 6, above + r * side + side / 2 + 4, str(r + first), "end") for r in range(0, height, step)]
    parts += [_text(left + c * side + side / 2, above - 5, str(c + first), "middle") for c in range(0, width, step)]
    parts.append(_text(left, 11, f"{cols} →   {rows} ↓"))
    return _chart(left + max(width * side, 110) + 2, above + height * side + 2, parts)


def stairs(mass: Sequence[Sequence[float]], ends: Sequence[int]) -> str:
    """Tokens from left to right, panels from top to bottom, darker where more attention is. ends: of captions."""
    tokens, panels = len(mass), len(mass[0]) if mass else 0
    wide, high, left, above = max(2.0, min(14.0, 600 / max(tokens, 1))), 20, 36, 22
    top = max((value for row in mass for value in row), default=0.0) or 1.0
    parts = [
        f'<rect class="cell" x="{left + t * wide:.1f}" y="{above + p * high}" width="{wide:.1f}" height="{high - 1}" '
        f'fill-opacity="{0.03 + 0.97 * max(value, 0.0) / top:.3f}"/>'
        for t, row in enumerate(mass) for p, value in enumerate(row)
    ]  # fmt: skip
    bottom = above + panels * high
    for end in ends[:-1]:
        x = left + end * wide
        parts.append(f'<line class="rule" x1="{x:.1f}" x2="{x:.1f}" y1="{above - 4}" y2="{bottom}"/>')
    parts += [_text(left - 6, above + p * high + 14, str(p + 1), "end") for p in range(panels)]
    parts.append(_text(left, 11, "tokens →   panel ↓"))
    return _chart(left + tokens * wide + 2, bottom + 2, parts)


def lines(series: Sequence[tuple[str, Sequence[Spot]]], axis: str) -> str:
    """Values from 0 to 100 % with their intervals, one line per series, settings side by side. axis: what is varied."""
    names = list(dict.fromkeys(spot.name for _, spots in series for spot in spots))
    left, above, wide, high = 40, 12, 300, 160
    apart = wide / max(len(names), 1)

    def place(name: str, value: float, number: int) -> tuple[float, float]:
        aside = (number - (len(series) - 1) / 2) * min(7, apart / 6)
        return left + (names.index(name) + 0.5) * apart + aside, above + (1 - value) * high

    parts = []
    for share in (0, 0.25, 0.5, 0.75, 1):
        y = above + (1 - share) * high
        parts.append(f'<line class="grid" x1="{left}" x2="{left + wide}" y1="{y:g}" y2="{y:g}"/>')
        parts.append(_text(left - 6, y + 4, f"{share:.0%}", "end"))
    for number, (_, spots) in enumerate(series):
        points = [place(spot.name, spot.value, number) for spot in spots]
        path = " ".join(f"{x:.1f},{y:.1f}" for x, y in points)
        parts.append(f'<polyline class="line s{number}" points="{path}"/>')
        for spot, (x, y) in zip(spots, points, strict=True):
            low, up = place(spot.name, spot.low, number)[1], place(spot.name, spot.high, number)[1]
            told = html.escape(f"{spot.name}: {spot.value:.1%} ({spot.low:.1%} to {spot.high:.1%})")
            parts.append(f'<line class="line s{number}" x1="{x:.1f}" x2="{x:.1f}" y1="{low:.1f}" y2="{up:.1f}"/>')
            parts.append(_mark(x, y, number, told))
    parts += [_text(left + (i + 0.5) * apart, above + high + 16, name, "middle") for i, name in enumerate(names)]
    parts.append(_text(left + wide / 2, above + high + 32, axis, "middle"))
    y = above + high + 50
    for number, (name, _) in enumerate(series):
        if name:
            parts.append(_mark(left + 8 + number % 2 * 150, y + number // 2 * 16 - 4, number, html.escape(name)))
            parts.append(_text(left + 18 + number % 2 * 150, y + number // 2 * 16, name))
    legend = 16 * -(-len(series) // 2) if any(name for name, _ in series) else 0
    return _chart(left + wide + 8, y + legend - 10, parts)


def _mark(x: float, y: float, number: int, told: str) -> str:
    """Series differ in shape, too, not in colour alone."""
    title, kind = f"<title>{told}</title>", f'class="mark s{number}"'
    if number % 2:
        return f'<rect {kind} x="{x - 3.2:.1f}" y="{y - 3.2:.1f}" width="6.4" height="6.4">{title}</rect>'
    return f'<circle {kind} cx="{x:.1f}" cy="{y:.1f}" r="3.6">{title}</circle>'


def _text(x: float, y: float, text: str, anchor: str = "start", kind: str = "") -> str:
    named = f' class="{kind}"' if kind else ""
    return f'<text{named} x="{x:g}" y="{y:g}" text-anchor="{anchor}" font-size="{TEXT}">{html.escape(text)}</text>'


def _chart(width: float, height: float, parts: Sequence[str]) -> str:
    size = f"{width:.0f}", f"{height:.0f}"
    return (
        f'<svg class="chart" viewBox="0 0 {size[0]} {size[1]}" width="{size[0]}" height="{size[1]}" role="img">'
        f"{''.join(parts)}</svg>"
    )


def _percent(share: float) -> str:
    return f"{100 * min(max(share, 0.0), 1.0):.2f}%"
