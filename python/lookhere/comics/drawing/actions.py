"""What a subject does: a pose and its props, drawn around the subject's head at (0, 0).

The subject is about 88 units tall and stands on y = 44. Props reach from -46 to 46 units sideways.
"""

from __future__ import annotations

from collections.abc import Callable

from .canvas import INK, WHITE, Canvas, arc
from .subjects import BLUE, GREEN, PINK, RED, YELLOW, draw_arms, draw_body, draw_head

FEET = ((-6.0, 43.0), (6.0, 43.0))
Draw = Callable[[Canvas, str, "str | None"], None]


def _stand(c: Canvas, who: str, tint: str | None) -> None:
    draw_body(c, who, tint, ((-16, 29), (16, 29)), FEET)
    draw_head(c, who, tint, 0, 0)


def _sleep(c: Canvas, who: str, tint: str | None) -> None:
    c.box(-42, 12, -38, 44, (130, 84, 48))
    c.box(38, 22, 42, 44, (130, 84, 48))
    c.box(-42, 32, 42, 39, (160, 104, 60))
    c.oval(-22, 22, 19, 9, WHITE, angle=-8)
    draw_head(c, who, tint, -20, 12, shut=True)
    c.poly([(-12, 35), (-8, 20), (0, 17), (26, 17), (30, 11), (37, 11), (40, 20), (40, 35)], BLUE)
    for x in (2, 14, 26):
        c.line([(x, 18), (x - 2, 34)], 2.0, WHITE)
    for x, y, s in ((6, 6, 3.4), (17, -6, 4.6), (30, -20, 6.0)):
        z = [(x - s, y - s), (x + s, y - s), (x - s, y + s), (x + s, y + s)]
        c.line(z, 4.0, WHITE)
        c.line(z, 2.0)


def _read(c: Canvas, who: str, tint: str | None) -> None:
    draw_body(c, who, tint, ((-22, 26), (22, 26)), FEET)
    draw_head(c, who, tint, 0, -2)
    c.poly([(0, 19), (-25, 14), (-25, 37), (0, 42), (25, 37), (25, 14)], RED)
    for s in (-1, 1):
        c.poly([(0, 18), (s * 12, 13), (s * 22.5, 13), (s * 22.5, 33), (s * 12, 33), (0, 38)], WHITE, 1.1)
        for k in range(3):
            c.line([(s * 4, 22 + 5 * k), (s * 19, 18.5 + 5 * k)], 1.2, (120, 120, 140))
    c.line([(0, 18), (0, 40)], 1.5)


def _ice_cream(c: Canvas, who: str, tint: str | None) -> None:
    draw_body(c, who, tint, ((-15, 30), (24, 22)), FEET)
    draw_head(c, who, tint, 0, 0)
    c.poly([(17, 6), (37, 6), (27, 36)], (226, 164, 84))
    for k in (-5, 0, 5):
        c.line([(27 + k - 3, 8), (27 + k * 0.3 + 2, 24)], 1.0, (160, 100, 50))
    c.oval(27, 2, 11, 8, PINK)
    c.oval(27, -8, 9, 7.5, (250, 244, 220))
    c.oval(27, -17, 3.6, 3.6, RED)
    draw_arms(c, who, tint, ((-15, 30), (25, 27)))


def _bicycle(c: Canvas, who: str, tint: str | None) -> None:
    for x in (-26, 26):
        c.oval(x, 28, 16, 16, None, 3.6)
        c.oval(x, 28, 13, 13, (236, 240, 244), 0.8)
        for k in range(4):
            (px, py), (qx, qy) = arc(x, 28, 13, 13, 45 * k, 45 * k + 180, steps=1)
            c.line([(px, py), (qx, qy)], 0.9, (120, 120, 130))
    with c.at(0, -9, 0.92):
        draw_body(c, who, tint, ((-4, 26), (23, 21)), ((-8, 45), (8, 50)))
    frame = (250, 90, 40)
    for pts in ([(-26, 28), (-8, 14), (16, 14), (0, 33), (-26, 28)], [(-8, 14), (0, 33)], [(26, 28), (17, 6)]):
        c.line(pts, 4.6)
        c.line(pts, 2.6, frame)
    c.line([(17, 6), (25, 4)], 3.4)
    c.line([(-14, 13), (-3, 13)], 4.0)
    draw_head(c, who, tint, 0, -11)


def _umbrella(c: Canvas, who: str, tint: str | None) -> None:
    for k in range(17):
        x = -50 + 6.6 * k
        for j in range(3):
            y = -38 + 32 * j + 13 * (k % 3)
            if abs(x) > 32 or y < -32:
                c.line([(x, y), (x - 2.4, y + 8)], 2.6, WHITE)
                c.line([(x, y), (x - 2.4, y + 8)], 1.5, (30, 90, 200))
    c.line([(21, -22), (21, 31)], 2.6)
    with c.at(0, 7, 0.86):
        draw_body(c, who, tint, ((-16, 29), (24, 22)), FEET)
        draw_head(c, who, tint, 0, 0)
    top = arc(4, -14, 37, 25, 180, 360)
    c.poly([*top, (29, -18), (17, -13), (4, -18), (-9, -13), (-21, -18)], (230, 50, 60), 1.8)
    c.poly([*arc(4, -14, 13, 25, 180, 360), (4, -18)], YELLOW, 1.2)
    c.line([(4, -39), (4, -43)], 2.4)


def _kite(c: Canvas, who: str, tint: str | None) -> None:
    with c.at(-14, 4, 0.9):
        draw_body(c, who, tint, ((-17, 28), (20, 8)), FEET)
        draw_head(c, who, tint, 0, 0)
    c.line([(4, 11), (16, 2), (27, -22)], 2.6, WHITE)
    c.line([(4, 11), (16, 2), (27, -22)], 1.2)
    tail = [(33, -14), (40, -6), (34, 2), (41, 9), (36, 16)]
    c.line(tail, 1.6)
    for x, y in tail[1:]:
        c.poly([(x, y), (x - 4, y - 3), (x - 4, y + 3)], RED, 0.8)
        c.poly([(x, y), (x + 4, y - 3), (x + 4, y + 3)], RED, 0.8)
    tip, right, low, left = (26, -42), (42, -28), (34, -12), (14, -26)
    c.poly([tip, right, low, left], YELLOW, 2.0)
    mid = (28, -27)
    c.poly([tip, right, mid], RED, 1.0)
    c.poly([left, mid, low], BLUE, 1.0)


def _guitar(c: Canvas, who: str, tint: str | None) -> None:
    draw_body(c, who, tint, ((-10, 31), (25, 15)), FEET)
    draw_head(c, who, tint, -2, -2)
    with c.at(-5, 29, 1.0, -32):
        c.poly([(6, -2.4), (38, -2.4), (38, 2.4), (6, 2.4)], (96, 58, 30))
        c.poly([(37, -4), (45, -4), (45, 4), (37, 4)], (60, 36, 20))
        wood = (222, 130, 50)
        c.oval(-9, 0, 12, 12, wood)
        c.oval(6, 0, 9, 9, wood)
        c.oval(-6, 0, 8, 10, wood, 0)
        c.oval(2, 0, 5, 4.4, INK, 0)
        c.line([(-12, -5), (-12, 5)], 2.2)
        c.line([(-12, 0), (38, 0)], 1.0, WHITE)
    c.oval(-8, 31, 3.6, 3.6, WHITE, 1.1)
    for x, y in ((31, -18), (-32, -8)):
        for w, colour in ((4.4, WHITE), (1.8, INK)):
            c.line([(x, y), (x, y - 13), (x + 8, y - 15), (x + 8, y - 2)], w, colour)
        c.oval(x - 2.4, y, 3.4, 2.6, INK, 0)
        c.oval(x + 5.6, y - 2, 3.4, 2.6, INK, 0)


def _fish(c: Canvas, who: str, tint: str | None) -> None:
    c.oval(30, 40, 24, 8, (50, 130, 220), 1.4)
    c.line(arc(28, 40, 12, 3, 0, 180), 1.2, WHITE)
    with c.at(-18, 4, 0.9):
        draw_body(c, who, tint, ((4, 27), (17, 22)), FEET)
        draw_head(c, who, tint, 0, 0)
    for w, colour in ((4.6, INK), (2.4, (170, 110, 50))):
        c.line([(-14, 30), (8, 12), (32, -34)], w, colour)
    c.line([(32, -34), (32, 8)], 2.6, WHITE)
    c.line([(32, -34), (32, 8)], 1.2)
    with c.at(32, 17, 1.1, 90):
        c.poly([(7, 0), (16, -7), (16, 7)], (250, 140, 40), 1.2)
        c.oval(0, 0, 10.5, 6.5, (250, 140, 40), 1.5)
        c.oval(-5.5, -1.5, 1.5, 1.5, INK, 0)
        c.line(arc(-4, 0, 3, 5, -70, 70), 1.1)


def _paint(c: Canvas, who: str, tint: str | None) -> None:
    for pts in ([(14, 10), (6, 44)], [(34, 10), (43, 44)], [(24, -26), (24, 40)]):
        c.line(pts, 4.2)
        c.line(pts, 2.2, (170, 110, 60))
    c.box(6, -22, 44, 14, WHITE, 2.0)
    c.oval(17, -11, 5, 5, YELLOW, 0.8)
    c.poly([(8, 12), (22, -6), (32, 4), (36, 0), (42, 12)], GREEN, 0.9)
    with c.at(-21, 3, 0.9):
        draw_body(c, who, tint, ((-14, 29), (24, 8)), FEET)
        draw_head(c, who, tint, 0, 0)
    c.line([(-2, 12), (11, -1)], 2.2)
    c.line([(9, 1), (12, -3)], 4.4, RED)
    c.oval(-32, 31, 10, 6.5, (222, 170, 110), 1.3, -15)
    for x, y, colour in ((-37, 32, RED), (-32, 28.5, BLUE), (-27, 30, YELLOW)):
        c.oval(x, y, 2.0, 2.0, colour, 0)


def _ball(c: Canvas, who: str, tint: str | None) -> None:
    with c.at(-16, 2, 0.92, 6):
        draw_body(c, who, tint, ((-22, 18), (20, 12)), ((-6, 43), (25, 36)))
        draw_head(c, who, tint, 0, 0)
    x, y = 30, 16
    c.oval(x, y, 12.5, 12.5, WHITE, 1.8)
    c.poly(arc(x, y, 5, 5, -90, 270, steps=5), INK, 0)
    for k in range(5):
        ((px, py),) = arc(x, y, 12, 12, -90 + 72 * k, -89 + 72 * k, steps=1)[:1]
        ((qx, qy),) = arc(x, y, 5, 5, -90 + 72 * k, -89 + 72 * k, steps=1)[:1]
        c.line([(px, py), (qx, qy)], 1.3)
        c.poly(arc(x + (px - x) * 0.9, y + (py - y) * 0.9, 2.6, 2.6, 0, 360, steps=8), INK, 0)
    for dy in (-8, 0, 8):
        c.line([(x + 4, y - 18 + dy * 0.4), (x + 14, y - 21 + dy)], 1.6, WHITE)


ACTIONS: dict[str, tuple[str, str, Draw]] = {
    # name: what one does, what two do, how it looks
    "sleep": ("sleeps", "sleep", _sleep),
    "read": ("reads a book", "read a book", _read),
    "ice_cream": ("eats ice cream", "eat ice cream", _ice_cream),
    "bicycle": ("rides a bicycle", "ride a bicycle", _bicycle),
    "umbrella": ("holds an umbrella", "hold an umbrella", _umbrella),
    "kite": ("flies a kite", "fly a kite", _kite),
    "guitar": ("plays the guitar", "play the guitar", _guitar),
    "fish": ("catches a fish", "catch a fish", _fish),
    "paint": ("paints a picture", "paint a picture", _paint),
    "ball": ("kicks a ball", "kick a ball", _ball),
}

# Actions that stay readable when two share a panel.
PAIRED = ("read", "ice_cream", "umbrella", "guitar", "bicycle")


def draw_action(c: Canvas, action: str, subject: str, tint: str | None) -> None:
    ACTIONS[action][2](c, subject, tint)


def draw_standing(c: Canvas, subject: str, tint: str | None) -> None:
    _stand(c, subject, tint)
