"""A canvas in units of its own (0..100 across the height) on which everything is a polygon or a line."""

from __future__ import annotations

import math
from collections.abc import Iterable, Iterator, Sequence
from contextlib import contextmanager

from PIL import Image, ImageDraw

Colour = tuple[int, int, int]
XY = tuple[float, float]

STYLES = ("colour", "ink", "sepia")
INK: Colour = (28, 24, 32)
WHITE: Colour = (255, 255, 255)


def restyle(colour: Colour, style: str) -> Colour:
    """The colour that a drawing style shows for `colour` (all values 0..255)."""
    if style == "colour":
        return colour
    grey = (299 * colour[0] + 587 * colour[1] + 114 * colour[2]) / 1000
    if style == "ink":
        level = (20, 95, 165, 215, 255)[min(4, int(grey / 51.2))]
        return (level, level, level)
    light = grey / 255
    return (int(60 + 195 * light), int(34 + 204 * light), int(16 + 188 * light))


class Canvas:
    """Pixels behind an affine transform.

    `size` is (width, height) in pixels of the finished picture; drawing happens `oversample` times
    larger and is reduced at the end. One unit is 1/100 of `unit` pixels (default: the height).
    """

    def __init__(
        self, size: tuple[int, int], style: str = "colour", oversample: int = 3, unit: float | None = None
    ) -> None:
        self.size = size
        self.style = style
        self.oversample = oversample
        self.image = Image.new("RGB", (size[0] * oversample, size[1] * oversample), WHITE)
        self.draw = ImageDraw.Draw(self.image)
        self.scale = (unit if unit is not None else size[1]) * oversample / 100
        # (a, b, c, d, e, f): x' = a x + b y + c, y' = d x + e y + f, in oversampled pixels
        self.matrix = (self.scale, 0.0, 0.0, 0.0, self.scale, 0.0)

    @property
    def width(self) -> float:
        """Width in units."""
        return self.size[0] * self.oversample / self.scale

    @property
    def height(self) -> float:
        """Height in units."""
        return self.size[1] * self.oversample / self.scale

    @contextmanager
    def at(self, x: float, y: float, scale: float = 1.0, angle: float = 0.0, flip: bool = False) -> Iterator[None]:
        """Draw relative to (x, y), scaled, turned clockwise by `angle` degrees, mirrored if `flip`."""
        saved = self.matrix
        a, b, c, d, e, f = saved
        cos, sin = math.cos(math.radians(angle)) * scale, math.sin(math.radians(angle)) * scale
        m = -1.0 if flip else 1.0
        p, q, r, s = cos * m, -sin, sin * m, cos
        self.matrix = (a * p + b * r, a * q + b * s, a * x + b * y + c, d * p + e * r, d * q + e * s, d * x + e * y + f)
        try:
            yield
        finally:
            self.matrix = saved

    def pixels(self, points: Iterable[XY]) -> list[XY]:
        a, b, c, d, e, f = self.matrix
        return [(a * x + b * y + c, d * x + e * y + f) for x, y in points]

    def _width(self, units: float) -> int:
        a, _, _, d, _, _ = self.matrix
        return max(1, round(units * math.hypot(a, d)))

    def line(self, points: Sequence[XY], width: float = 1.6, colour: Colour = INK) -> None:
        """A polyline with round ends, `width` in units."""
        shown = restyle(colour, self.style)
        px = self.pixels(points)
        w = self._width(width)
        self.draw.line(px, fill=shown, width=w, joint="curve")
        if w > 2:
            for x, y in (px[0], px[-1]):
                self.draw.ellipse((x - w / 2, y - w / 2, x + w / 2, y + w / 2), fill=shown)

    def poly(self, points: Sequence[XY], fill: Colour | None, edge: float = 1.4, colour: Colour = INK) -> None:
        """A filled polygon with an outline of `edge` units (0: none)."""
        px = self.pixels(points)
        if fill is not None:
            self.draw.polygon(px, fill=restyle(fill, self.style))
        if edge > 0:
            self.draw.line(
                [*px, px[0], px[1]], fill=restyle(colour, self.style), width=self._width(edge), joint="curve"
            )

    def oval(
        self, x: float, y: float, rx: float, ry: float, fill: Colour | None, edge: float = 1.4, angle: float = 0.0
    ) -> None:
        """An ellipse around (x, y), turned clockwise by `angle` degrees."""
        self.poly(arc(x, y, rx, ry, 0, 360, angle), fill, edge)

    def box(self, x0: float, y0: float, x1: float, y1: float, fill: Colour | None, edge: float = 1.4) -> None:
        self.poly([(x0, y0), (x1, y0), (x1, y1), (x0, y1)], fill, edge)

    def limb(self, points: Sequence[XY], colour: Colour, width: float = 6.0) -> None:
        """An arm or a leg: a thick line with an outline."""
        self.line(points, width + 2.4)
        self.line(points, width, colour)

    def finish(self) -> Image.Image:
        """The picture at its final size (RGB)."""
        return self.image.reduce(self.oversample) if self.oversample > 1 else self.image


def arc(
    x: float, y: float, rx: float, ry: float, start: float, end: float, angle: float = 0.0, steps: int = 28
) -> list[XY]:
    """Points of an elliptic arc, degrees clockwise from the right."""
    cos, sin = math.cos(math.radians(angle)), math.sin(math.radians(angle))
    out = []
    full = end - start >= 360
    for i in range(steps if full else steps + 1):
        t = math.radians(start + (end - start) * i / steps)
        u, v = rx * math.cos(t), ry * math.sin(t)
        out.append((x + u * cos - v * sin, y + u * sin + v * cos))
    return out
