"""What was shown, and places in it, as JSON, both ways, strictly."""

from __future__ import annotations

from itertools import pairwise
from typing import Any

from ..regions.box import Box, Point
from ..regions.span import Span
from ..strict import Entry
from ..tokens.frame import Frame
from ..tokens.grid import TokenGrid
from ..tokens.readback import Where
from ..tokens.text_frame import TextFrame
from ..tokens.text_grid import TextGrid

FAR = 1e308


def shown_as(data: Any) -> str:
    """Which key of an object says what was shown: ``image`` or ``document``."""
    return "document" if isinstance(data, dict) and "document" in data else "image"


def frame_json(frame: Frame) -> dict[str, Any]:
    """``image`` or ``document``, and its ``grids``."""
    if isinstance(frame, TextFrame):
        found: dict[str, Any] = {"characters": frame.width, "paragraphs": [list(each) for each in frame.paragraphs]}
        return {"document": found, "grids": [_grid_json(grid) for grid in frame.grids]}
    found = {"width": frame.width, "height": frame.height}
    return {"image": found, "grids": [_grid_json(grid) for grid in frame.grids]}


def _grid_json(grid: TokenGrid) -> dict[str, Any]:
    if isinstance(grid, TextGrid):
        return {"rows": 1, "cols": grid.cols, "edges": list(grid.edges)}
    return {"rows": grid.rows, "cols": grid.cols, "rectangle": [grid.x0, grid.y0, grid.x1, grid.y1]}


def read_frame(entry: Entry) -> Frame:
    """What ``frame_json`` wrote."""
    if shown_as(entry.data) == "document":
        return _text_frame(entry)
    image = entry.child("image")
    image.keys({"width", "height"}, set())
    return Frame(image.whole("width", 1), image.whole("height", 1), tuple(map(_grid, entry.children("grids"))))


def _text_frame(entry: Entry) -> TextFrame:
    document = entry.child("document")
    document.keys({"characters", "paragraphs"}, set())
    characters, paragraphs, at = document.whole("characters", 1), [], 0
    for each in document.items("paragraphs"):
        if not (isinstance(each, list) and len(each) == 2 and all(type(end) is int for end in each)):
            document.wrong("paragraphs", "pairs of start and end")
        if not at <= each[0] < each[1] <= characters:
            document.wrong("paragraphs", "the start and end of each within the text, in their order")
        at = each[1]
        paragraphs.append((each[0], each[1]))
    grids = tuple(map(_text_grid, entry.children("grids")))
    if len(grids) != 1 or grids[0].x1 != characters:
        entry.wrong("grids", "one grid, whose last edge is the number of characters")
    return TextFrame(characters, 1, grids, tuple(paragraphs))


def _text_grid(entry: Entry) -> TextGrid:
    entry.keys({"rows", "cols", "edges"}, set())
    cols = entry.whole("cols", 1)
    edges = _numbers(entry, "edges", cols + 1)
    if entry.whole("rows", 1, 1) and (edges[0] != 0 or any(one > other for one, other in pairwise(edges))):
        entry.wrong("edges", "numbers from 0 on, ascending")
    return TextGrid.of(edges)


def _grid(entry: Entry) -> TokenGrid:
    entry.keys({"rows", "cols", "rectangle"}, set())
    x0, y0, x1, y1 = _numbers(entry, "rectangle", 4)
    return TokenGrid(entry.whole("rows", 1), entry.whole("cols", 1), x0, y0, x1, y1)


def read_where(entry: Entry) -> Where:
    """What ``Where.as_json`` wrote."""
    if isinstance(entry.data, dict) and "span" in entry.data:
        return _where_in_text(entry)
    entry.keys({"box", "peak", "centre", "share"}, {"image"})
    box, peak, centre = (_numbers(entry, key, count) for key, count in (("box", 4), ("peak", 2), ("centre", 2)))
    image = entry.whole("image", 1) if entry.has("image") else None
    return Where(Box(*box), Point(*peak), Point(*centre), entry.number("share", 0.0, 1.0), image)


def _where_in_text(entry: Entry) -> Where:
    entry.keys({"span", "paragraph", "peak", "centre", "share"}, {"image"})
    ends = entry.items("span")
    if len(ends) != 2 or not all(type(end) is int for end in ends) or not 0 <= ends[0] < ends[1]:
        entry.wrong("span", "start and end in characters")
    peak, centre = (entry.number(key, 0.0, FAR) for key in ("peak", "centre"))
    return Where(
        Box(ends[0], 0, ends[1], 1), Point(peak, 0.5), Point(centre, 0.5), entry.number("share", 0.0, 1.0),
        entry.whole("image", 1) if entry.has("image") else None, Span(*ends),
        entry.whole("paragraph", 1) if entry.has("paragraph") else None,
    )  # fmt: skip


def _numbers(entry: Entry, key: str, count: int) -> list[float]:
    values = entry.items(key)
    if len(values) != count or not all(isinstance(each, (int, float)) and abs(each) <= FAR for each in values):
        entry.wrong(key, f"{count} numbers")
    return [float(each) for each in values]
