"""The cast. Every subject has a head of its own, drawn around (0, 0) with a radius of about 15 units."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

from .canvas import INK, WHITE, Canvas, Colour, arc

ORANGE: Colour = (240, 150, 50)
BLACK: Colour = (52, 48, 60)
RED: Colour = (222, 58, 52)
BLUE: Colour = (60, 110, 220)
GREEN: Colour = (70, 180, 80)
YELLOW: Colour = (250, 210, 60)
PINK: Colour = (250, 165, 185)
GREY: Colour = (150, 160, 178)
BROWN: Colour = (150, 96, 56)
CREAM: Colour = (250, 228, 190)
SKIN: Colour = (250, 208, 170)
PURPLE: Colour = (122, 72, 170)


@dataclass(frozen=True)
class Look:
    """What a subject wears: colours of head and limbs, of the body and of the belly (None: no patch)."""

    fur: Colour
    body: Colour
    belly: Colour | None = None


def _eyes(c: Canvas, shut: bool, x: float = 5.6, y: float = -2.0, r: float = 2.3) -> None:
    for side in (-1, 1):
        if shut:
            c.line(arc(side * x, y - 1, r + 0.6, r, 20, 160), 1.6)
        else:
            c.oval(side * x, y, r, r * 1.25, INK, 0)
            c.oval(side * x + 0.7, y - 1.0, r * 0.36, r * 0.36, WHITE, 0)


def _smile(c: Canvas, y: float = 6.0, r: float = 4.0) -> None:
    c.line(arc(0, y - 1, r, r * 0.7, 20, 160), 1.3)


def _cat(c: Canvas, look: Look, shut: bool) -> None:
    for s in (-1, 1):
        c.poly([(s * 14, -4), (s * 14.5, -23), (s * 2, -13)], look.fur)
        c.poly([(s * 12, -9), (s * 12.5, -18), (s * 6.5, -13)], PINK, 0)
    c.oval(0, 0, 16.5, 14, look.fur)
    pale = look.fur == BLACK
    if pale:
        for s in (-1, 1):
            c.oval(s * 5.6, -2, 3.6, 4, YELLOW, 0)
    _eyes(c, shut)
    c.poly([(-2.4, 3), (2.4, 3), (0, 5.6)], PINK, 0.8)
    c.line(arc(-2.4, 6, 2.4, 2.4, 0, 150), 1.1, WHITE if pale else INK)
    c.line(arc(2.4, 6, 2.4, 2.4, 30, 180), 1.1, WHITE if pale else INK)
    for s in (-1, 1):
        for dy in (-1.5, 2.5):
            c.line([(s * 9, 5), (s * 21, 4 + 2 * dy)], 1.0)


def _dog(c: Canvas, look: Look, shut: bool) -> None:
    c.oval(0, 0, 14.5, 14.5, look.fur)
    c.oval(0, 6, 9.5, 7.5, CREAM, 0.9)
    for s in (-1, 1):
        c.poly(arc(s * 16, 3, 5.5, 14, 0, 360, s * -14), (104, 62, 34))
    _eyes(c, shut, y=-4)
    c.oval(0, 2.2, 4, 2.8, INK, 0)
    c.line([(0, 4), (0, 7.5)], 1.2)
    c.poly([(-2.6, 8), (2.6, 8), (2.4, 14), (0, 15.5), (-2.4, 14)], (238, 96, 110), 0.9)


def _rabbit(c: Canvas, look: Look, shut: bool) -> None:
    for s in (-1, 1):
        c.oval(s * 6.5, -24, 4.8, 15, look.fur, angle=s * 9)
        c.oval(s * 6.5, -24, 2.2, 11, PINK, 0, angle=s * 9)
    c.oval(0, 0, 14, 13.5, look.fur)
    _eyes(c, shut)
    c.oval(0, 3.4, 2.2, 1.6, PINK, 0.8)
    for s in (-1, 1):
        c.oval(s * 9, 5, 2.6, 1.8, PINK, 0)
    c.box(-2.6, 6.5, 2.6, 11.5, WHITE, 1.0)
    c.line([(0, 6.5), (0, 11.5)], 0.9)


def _bear(c: Canvas, look: Look, shut: bool) -> None:
    for s in (-1, 1):
        c.oval(s * 12, -12, 6, 6, look.fur)
        c.oval(s * 12, -12, 3, 3, CREAM, 0)
    c.oval(0, 0, 16, 14.5, look.fur)
    c.oval(0, 6, 7.5, 6, CREAM, 0.9)
    _eyes(c, shut, y=-3)
    c.oval(0, 3.6, 3.6, 2.6, INK, 0)
    _smile(c, 8.5, 2.6)


def _frog(c: Canvas, look: Look, shut: bool) -> None:
    for s in (-1, 1):
        c.oval(s * 9.5, -12, 7, 7, look.fur)
    c.oval(0, 1, 18, 13, look.fur)
    for s in (-1, 1):
        if shut:
            c.line(arc(s * 9.5, -13, 4, 3, 20, 160), 1.6)
        else:
            c.oval(s * 9.5, -12.5, 4.6, 4.6, WHITE, 0.9)
            c.oval(s * 9.5, -12, 2.3, 2.6, INK, 0)
    c.line(arc(0, 0, 13, 8.5, 10, 170), 1.8)


def _penguin(c: Canvas, look: Look, shut: bool) -> None:
    c.oval(0, 0, 14.5, 14.5, look.fur)
    for s in (-1, 1):
        c.oval(s * 4.6, 0, 6, 8, WHITE, 0)
    c.oval(0, 6, 8, 7, WHITE, 0)
    _eyes(c, shut, 4.6, -1.5, 2.0)
    c.poly([(-5.5, 3), (5.5, 3), (0, 11)], ORANGE, 1.0)


def _robot(c: Canvas, look: Look, shut: bool) -> None:
    c.line([(0, -13), (0, -22)], 1.8)
    c.oval(0, -23, 3, 3, YELLOW)
    for s in (-1, 1):
        c.box(s * 16 - 2.5, -5, s * 16 + 2.5, 5, GREY)
    c.box(-15, -13, 15, 13, look.fur)
    c.box(-11.5, -8, 11.5, 2, (30, 40, 60), 1.0)
    for s in (-1, 1):
        if shut:
            c.line([(s * 5.5 - 3, -2.5), (s * 5.5 + 3, -2.5)], 1.8, (120, 240, 250))
        else:
            c.box(s * 5.5 - 2.8, -6, s * 5.5 + 2.8, -0.4, (120, 240, 250), 0)
    c.box(-8, 5.5, 8, 10, WHITE, 1.0)
    for x in (-4, 0, 4):
        c.line([(x, 5.5), (x, 10)], 1.0)


def _girl(c: Canvas, look: Look, shut: bool) -> None:
    hair = (112, 64, 30)
    for s in (-1, 1):
        c.oval(s * 20, 1, 6, 9, hair, angle=s * -20)
        c.oval(s * 15, -5, 3, 3, RED, 0.8)
    c.oval(0, -1, 15, 15, hair)
    c.oval(0, 2, 12.5, 12, look.fur, 0.8)
    c.poly([*arc(0, -1, 14.5, 14.5, 190, 350), (6, -7), (0, -4), (-6, -7)], hair, 0.6)
    _eyes(c, shut, 5, 2.5, 2.1)
    for s in (-1, 1):
        c.oval(s * 8, 7, 2.2, 1.6, PINK, 0)
    _smile(c, 8.5, 3.2)


def _king(c: Canvas, look: Look, shut: bool) -> None:
    beard = (172, 110, 60)
    c.oval(0, 0, 13.5, 14, look.fur)
    c.poly([*arc(0, 2, 14.5, 15, 0, 180), (-9, 2), (0, 5), (9, 2)], beard)
    c.poly([(-14, -8), (-17, -25), (-8, -16), (0, -27), (8, -16), (17, -25), (14, -8)], YELLOW)
    c.oval(0, -12.5, 2.4, 2.4, RED, 0.7)
    for s in (-1, 1):
        c.oval(s * 8.5, -12, 1.6, 1.6, BLUE, 0)
    _eyes(c, shut, 5, -2.5, 2.1)
    c.oval(0, 2, 2.6, 2.2, (240, 180, 140), 0.8)
    c.line(arc(0, 6.5, 3.5, 2.5, 20, 160), 1.4)


def _elephant(c: Canvas, look: Look, shut: bool) -> None:
    for s in (-1, 1):
        c.oval(s * 19, -1, 10.5, 14, look.fur, angle=s * -8)
        c.oval(s * 19, 0, 6.5, 9.5, PINK, 0, angle=s * -8)
    c.oval(0, -1, 14, 14, look.fur)
    _eyes(c, shut, 6, -4)
    c.limb([(0, 3), (0, 14), (3, 20), (9, 21)], look.fur, 6.5)
    for s in (-1, 1):
        c.poly([(s * 4.6, 9), (s * 8.6, 8), (s * 9, 16)], WHITE, 0.9)


def _pig(c: Canvas, look: Look, shut: bool) -> None:
    for s in (-1, 1):
        c.poly([(s * 4, -12), (s * 16, -21), (s * 15, -4)], (238, 130, 160))
    c.oval(0, 0, 16, 14, look.fur)
    _eyes(c, shut, 7.5, -3.5)
    c.oval(0, 4, 7, 5.4, (236, 120, 150), 1.2)
    for s in (-1, 1):
        c.oval(s * 2.6, 4, 1.3, 2.1, (120, 40, 70), 0)
    _smile(c, 12, 2.6)


def _lion(c: Canvas, look: Look, shut: bool) -> None:
    mane = (176, 84, 24)
    pts = []
    for i in range(16):
        pts.append(arc(0, 0, 23.5, 22.5, i * 22.5, i * 22.5 + 1, steps=1)[0])
        pts.append(arc(0, 0, 18, 17.5, i * 22.5 + 11.25, i * 22.5 + 12, steps=1)[0])
    c.poly(pts, mane)
    c.oval(0, 0, 12.8, 12.2, look.fur, 1.0)
    _eyes(c, shut, 5, -2.5, 2.1)
    c.poly([(-3, 2.4), (3, 2.4), (0, 5.8)], INK, 0)
    c.line([(0, 5), (0, 7)], 1.1)
    _smile(c, 8, 3.6)


def _panda(c: Canvas, look: Look, shut: bool) -> None:
    for s in (-1, 1):
        c.oval(s * 12.5, -12, 6.4, 6.4, INK)
    c.oval(0, 0, 16.5, 14.5, WHITE)
    for s in (-1, 1):
        c.oval(s * 6.6, -1, 4.6, 5.8, INK, 0, angle=s * 28)
        if shut:
            c.line([(s * 6.4 - 2.4, -1), (s * 6.4 + 2.4, -1)], 1.3, WHITE)
        else:
            c.oval(s * 6.2, -1.6, 1.9, 2.1, WHITE, 0)
    c.oval(0, 5, 3, 2.1, INK, 0)
    _smile(c, 8.5, 2.8)


def _wizard(c: Canvas, look: Look, shut: bool) -> None:
    c.oval(0, 0, 12.5, 13, look.fur)
    c.poly([(-13, 0), (-7, 3), (0, 5), (7, 3), (13, 0), (11, 15), (0, 28), (-11, 15)], WHITE)
    c.poly([(-11, -7), (3, -34), (11, -7)], PURPLE)
    c.oval(0, -8, 19, 4.2, PURPLE)
    c.poly(
        [
            (1, -22),
            (2.6, -18),
            (6, -17.5),
            (3.4, -15),
            (4, -11.5),
            (1, -13.5),
            (-2, -11.5),
            (-1.4, -15),
            (-4, -17.5),
            (-0.6, -18),
        ],
        YELLOW,
        0,
    )
    _eyes(c, shut, 5, -1, 2.0)
    c.oval(0, 3, 2.6, 2.4, (240, 170, 140), 0.8)


HEADS: dict[str, Callable[[Canvas, Look, bool], None]] = {
    "cat": _cat,
    "dog": _dog,
    "rabbit": _rabbit,
    "bear": _bear,
    "frog": _frog,
    "penguin": _penguin,
    "robot": _robot,
    "girl": _girl,
    "king": _king,
    "elephant": _elephant,
    "pig": _pig,
    "lion": _lion,
    "panda": _panda,
    "wizard": _wizard,
}

LOOKS: dict[str, Look] = {
    "cat": Look(ORANGE, ORANGE, CREAM),
    "dog": Look((206, 150, 92), (206, 150, 92), CREAM),
    "rabbit": Look((246, 240, 240), (246, 240, 240), PINK),
    "bear": Look(BROWN, BROWN, CREAM),
    "frog": Look((96, 192, 76), (96, 192, 76), (226, 240, 150)),
    "penguin": Look(BLACK, BLACK, WHITE),
    "robot": Look(GREY, GREY),
    "girl": Look(SKIN, (240, 90, 140)),
    "king": Look(SKIN, (196, 40, 60)),
    "elephant": Look((140, 156, 190), (140, 156, 190)),
    "pig": Look((252, 172, 190), (252, 172, 190)),
    "lion": Look((248, 200, 90), (248, 200, 90), CREAM),
    "panda": Look(BLACK, WHITE),
    "wizard": Look(SKIN, PURPLE),
}

# Colours that a caption names; only where the style shows colours.
TINTS: dict[str, dict[str, Colour]] = {
    "cat": {"black": BLACK, "white": (250, 246, 240), "orange": ORANGE},
    "robot": {"red": RED, "blue": BLUE, "green": GREEN},
}


def look_of(subject: str, tint: str | None) -> Look:
    """The look of a subject, in the tint that its caption names (None: its usual colours)."""
    look = LOOKS[subject]
    if tint is None:
        return look
    colour = TINTS[subject][tint]
    return Look(colour, colour, look.belly)


def draw_head(c: Canvas, subject: str, tint: str | None, x: float, y: float, shut: bool = False) -> None:
    with c.at(x, y):
        HEADS[subject](c, look_of(subject, tint), shut)


def draw_body(
    c: Canvas,
    subject: str,
    tint: str | None,
    hands: tuple[tuple[float, float], tuple[float, float]],
    feet: tuple[tuple[float, float], tuple[float, float]],
) -> None:
    """Trunk, legs and arms below a head at (0, 0); hands and feet in units relative to the head."""
    look = look_of(subject, tint)
    skin = look.body if subject == "wizard" else look.fur
    foot = ORANGE if subject == "penguin" else (90, 60, 40) if subject in ("girl", "king", "wizard") else skin
    for (fx, fy), s in zip(feet, (-1, 1), strict=True):
        c.limb([(s * 5, 30), (fx, fy - 1)], skin, 5.5)
        c.oval(fx + 1.2, fy, 5.2, 3.2, foot, 1.2)
    if subject == "robot":
        c.box(-11, 13, 11, 34, look.body)
        c.box(-6, 18, 6, 27, WHITE, 1.0)
        c.oval(-2.5, 22.5, 1.8, 1.8, RED, 0)
        c.oval(2.8, 22.5, 1.8, 1.8, GREEN, 0)
    elif subject in ("girl", "king", "wizard"):
        c.poly([(-6, 12), (6, 12), (14, 37), (-14, 37)], look.body)
        if subject == "king":
            c.poly([(-14, 33), (14, 33), (14.6, 38), (-14.6, 38)], WHITE, 1.0)
    else:
        c.oval(0, 23, 11.5, 13, look.body)
        if look.belly is not None:
            c.oval(0, 25, 7, 8.5, look.belly, 0)
    draw_arms(c, subject, tint, hands)


def draw_arms(
    c: Canvas, subject: str, tint: str | None, hands: tuple[tuple[float, float], tuple[float, float]]
) -> None:
    look = look_of(subject, tint)
    sleeve = look.body if subject in ("girl", "king", "wizard") else look.fur
    for (hx, hy), s in zip(hands, (-1, 1), strict=True):
        c.limb([(s * 9, 17), (hx, hy)], sleeve, 4.6)
        c.oval(hx, hy, 3.4, 3.4, look.fur, 1.1)
