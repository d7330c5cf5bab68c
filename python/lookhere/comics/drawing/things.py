"""Things of free scenes, each drawn in a square of 100 units around (0, 0)."""

from __future__ import annotations

from collections.abc import Callable

from .canvas import INK, WHITE, Canvas, Colour, arc

TINTS: dict[str, Colour] = {
    "red": (226, 56, 50),
    "blue": (50, 100, 226),
    "green": (50, 170, 80),
    "yellow": (250, 212, 50),
}


def _ball(c: Canvas, k: Colour) -> None:
    c.oval(0, 0, 40, 40, k, 3.5)
    c.line(arc(-34, 0, 24, 38, -62, 62), 4.5, WHITE)
    c.line(arc(34, 0, 24, 38, 118, 242), 4.5, WHITE)
    c.oval(0, 0, 40, 40, None, 3.5)


def _car(c: Canvas, k: Colour) -> None:
    c.poly([(-46, 20), (-46, -2), (-28, -6), (-16, -30), (20, -30), (32, -6), (46, 0), (46, 20)], k, 3.5)
    c.poly([(-19, -7), (-11, -23), (0, -23), (0, -7)], (200, 230, 250), 2.5)
    c.poly([(6, -7), (6, -23), (16, -23), (24, -7)], (200, 230, 250), 2.5)
    for x in (-25, 25):
        c.oval(x, 20, 13, 13, (50, 50, 56), 3)
        c.oval(x, 20, 5, 5, WHITE, 0)


def _boat(c: Canvas, k: Colour) -> None:
    c.line([(0, 20), (0, -44)], 5)
    c.poly([(4, -42), (4, 12), (38, 12)], WHITE, 3)
    c.poly([(-4, -30), (-4, 12), (-28, 12)], WHITE, 3)
    c.poly([(-46, 18), (46, 18), (32, 40), (-32, 40)], k, 3.5)


def _house(c: Canvas, k: Colour) -> None:
    c.box(-34, -6, 34, 42, (250, 236, 206), 3.5)
    c.poly([(-46, -4), (0, -44), (46, -4)], k, 3.5)
    c.box(-8, 12, 8, 42, (130, 84, 48), 2.5)
    for x in (-22, 22):
        c.box(x - 7, 6, x + 7, 20, (160, 214, 250), 2.5)


def _balloon(c: Canvas, k: Colour) -> None:
    c.line([(0, 18), (6, 30), (-4, 40), (2, 48)], 3)
    c.poly([(-6, 24), (6, 24), (0, 14)], k, 2.5)
    c.oval(0, -14, 28, 32, k, 3.5)
    c.oval(-10, -26, 5, 9, WHITE, 0, 25)


def _flower(c: Canvas, k: Colour) -> None:
    c.line([(0, 0), (0, 47)], 6, (40, 130, 60))
    c.oval(13, 30, 13, 6, (70, 170, 80), 2.5, -30)
    for i in range(6):
        (x, y) = arc(0, -14, 20, 20, 60 * i, 60 * i + 1, steps=1)[0]
        c.oval(x, y, 12.5, 12.5, k, 3)
    c.oval(0, -14, 11, 11, (120, 70, 30), 2.5)


def _cup(c: Canvas, k: Colour) -> None:
    c.oval(32, 4, 13, 14, None, 8)
    c.poly([(-32, -22), (28, -22), (22, 36), (-26, 36)], k, 3.5)
    c.oval(-2, -22, 30, 7, (110, 66, 36), 3)
    for x in (-14, 4):
        c.line([(x, -32), (x + 4, -38), (x, -46)], 3.5, WHITE)


def _star(c: Canvas, k: Colour) -> None:
    pts = []
    for i in range(5):
        pts.append(arc(0, 2, 46, 46, -90 + 72 * i, -89 + 72 * i, steps=1)[0])
        pts.append(arc(0, 2, 19, 19, -54 + 72 * i, -53 + 72 * i, steps=1)[0])
    c.poly(pts, k, 4)


def _mushroom(c: Canvas, k: Colour) -> None:
    c.poly([(-12, 2), (12, 2), (17, 42), (-17, 42)], (250, 240, 220), 3.5)
    c.poly([*arc(0, 4, 44, 40, 180, 360)], k, 3.5)
    for x, y, r in ((-22, -10, 7), (2, -22, 9), (24, -8, 6)):
        c.oval(x, y, r, r, WHITE, 0)


def _umbrella(c: Canvas, k: Colour) -> None:
    c.line([(0, -6), (0, 40), (-6, 45), (-12, 40)], 5)
    c.poly([*arc(0, 0, 46, 42, 180, 360), (30, -7), (15, 0), (0, -7), (-15, 0), (-30, -7)], k, 3.5)
    c.line([(0, -42), (-15, 0)], 2.5)
    c.line([(0, -42), (15, 0)], 2.5)


THINGS: dict[str, Callable[[Canvas, Colour], None]] = {
    "ball": _ball,
    "car": _car,
    "boat": _boat,
    "house": _house,
    "balloon": _balloon,
    "flower": _flower,
    "cup": _cup,
    "star": _star,
    "mushroom": _mushroom,
    "umbrella": _umbrella,
}


def draw_thing(c: Canvas, thing: str, tint: str) -> None:
    THINGS[thing](c, TINTS[tint])


__all__ = ["INK", "THINGS", "TINTS", "draw_thing"]
