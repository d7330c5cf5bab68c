"""Regions as JSON, both ways: an object with its kind and its numbers."""

from __future__ import annotations

import base64
import binascii
import zlib
from collections.abc import Callable
from typing import Any

import numpy as np

from ..errors import RegionError
from ..regions.box import Box, Panel, Point, RelativeBox, RelativePoint
from ..regions.mask import Mask
from ..regions.polygon import Polygon, RelativePolygon
from ..regions.region import OnImage, Plain, Region, Weighted
from ..regions.span import FARTHEST, Paragraph, Span
from ..strict import Entry


def region_json(region: Region) -> dict[str, Any]:
    """A region as its kind and its numbers, a mask with its values; ``read_region`` takes it back."""
    if isinstance(region, OnImage):
        return {**region_json(region.region), "image": region.image}
    if isinstance(region, Weighted):
        return {**region_json(region.region), "weight": region.weight}
    if isinstance(region, Mask):
        packed = zlib.compress(region.values.astype("<f4").tobytes())
        return {
            "kind": "mask", "width": region.width, "height": region.height, "values": base64.b64encode(packed).decode(),
        }  # fmt: skip
    return region.as_json()


def read_region(entry: Entry) -> Region:
    """A region from its object. The error of the entry where a key is wrong, RegionError where it is no region.

    kinds: box (x0, y0, x1, y1), point (x, y), polygon (corners, a list of [x, y]), relative_box, relative_point and
    relative_polygon (the same from 0 to 1), panel (row, col, rows, cols), mask (width, height, values: base64 of zlib
    of little-endian float32; or file: a path, an address or a data URI); in a text span (start, end: characters) and
    paragraph (number, from 1). Each may have a weight, and an image, its
    number among several.
    """
    entry.keys({"kind"}, set(entry.data) if isinstance(entry.data, dict) else set())
    kind = entry.one_of("kind", "", tuple(_KINDS))
    required, read = _KINDS[kind]
    if kind == "mask" and "file" in entry.data:
        required = {"file"}
    entry.keys({"kind", *required}, {"weight", "image"})
    plain = read(entry)
    region: Plain | Weighted = plain
    if entry.has("weight"):
        region = Weighted(plain, entry.number("weight", 1.0, 1.0))
    return OnImage(region, entry.whole("image", 1)) if entry.has("image") else region


def _box(entry: Entry) -> Box:
    x0, y0, x1, y1 = (entry.number(name, 0.0, _FAR, -_FAR) for name in ("x0", "y0", "x1", "y1"))
    return Box(x0, y0, x1, y1)


def _point(entry: Entry) -> Point:
    return Point(*(entry.number(name, 0.0, _FAR, -_FAR) for name in ("x", "y")))


def _relative_box(entry: Entry) -> RelativeBox:
    x0, y0, x1, y1 = (entry.number(name, 0.0, 1.0) for name in ("x0", "y0", "x1", "y1"))
    return RelativeBox(x0, y0, x1, y1)


def _relative_point(entry: Entry) -> RelativePoint:
    return RelativePoint(entry.number("x", 0.0, 1.0), entry.number("y", 0.0, 1.0))


def _panel(entry: Entry) -> Panel:
    return Panel(*(entry.whole(name, 1) for name in ("row", "col", "rows", "cols")))


def _polygon(entry: Entry) -> Polygon:
    return Polygon(entry.items("corners"))


def _relative_polygon(entry: Entry) -> RelativePolygon:
    return RelativePolygon(entry.items("corners"))


def _mask(entry: Entry) -> Mask:
    if "file" in entry.data:
        return Mask.open(entry.text("file"))
    width, height = entry.whole("width", 1, 2**20), entry.whole("height", 1, 2**20)
    size = width * height * 4
    try:
        unpacked = zlib.decompressobj().decompress(base64.b64decode(entry.text("values"), validate=True), size + 1)
    except (binascii.Error, ValueError, zlib.error) as error:
        raise RegionError(f"{entry.what}: {entry.path}values is not base64 of zlib data: {error}.") from error
    if len(unpacked) != size:
        raise RegionError(
            f"{entry.what}: {entry.path}values has not the {size} bytes of {width} x {height} float32 values."
        )
    return Mask(np.frombuffer(unpacked, "<f4").reshape(height, width))


def _span(entry: Entry) -> Span:
    return Span(entry.whole("start", 0, FARTHEST), entry.whole("end", 0, FARTHEST))


def _paragraph(entry: Entry) -> Paragraph:
    return Paragraph(entry.whole("number", 1, FARTHEST))


_FAR = 1e308
_KINDS: dict[str, tuple[set[str], Callable[[Entry], Plain]]] = {
    "box": ({"x0", "y0", "x1", "y1"}, _box),
    "point": ({"x", "y"}, _point),
    "relative_box": ({"x0", "y0", "x1", "y1"}, _relative_box),
    "relative_point": ({"x", "y"}, _relative_point),
    "panel": ({"row", "col", "rows", "cols"}, _panel),
    "polygon": ({"corners"}, _polygon),
    "relative_polygon": ({"corners"}, _relative_polygon),
    "mask": ({"width", "height", "values"}, _mask),
    "span": ({"start", "end"}, _span),
    "paragraph": ({"number"}, _paragraph),
}
