"""Backdrops. Each fills the whole canvas, whatever its width; the ground starts at y = 62 units."""

from __future__ import annotations

import random
from collections.abc import Callable

from .canvas import INK, WHITE, Canvas, Colour, arc

GROUND = 62.0


def _sky(c: Canvas, top: Colour, ground: Colour) -> None:
    c.box(-2, -2, c.width + 2, GROUND + 2, top, 0)
    c.box(-2, GROUND, c.width + 2, 102, ground, 0)


def _spread(c: Canvas, rng: random.Random, step: float) -> list[float]:
    """x positions from left to right, about `step` units apart."""
    out, x = [], rng.uniform(0, step)
    while x < c.width + step / 2:
        out.append(x)
        x += step * rng.uniform(0.75, 1.25)
    return out


def _beach(c: Canvas, rng: random.Random) -> None:
    _sky(c, (150, 215, 250), (250, 226, 160))
    c.oval(rng.uniform(70, 90), 15, 8.5, 8.5, (255, 225, 60))
    c.box(-2, 44, c.width + 2, GROUND, (40, 130, 210), 0)
    for y in (48.5, 55):
        pts = [(x, y + (1.5 if (x // 5) % 2 else -1.5)) for x in range(-5, int(c.width) + 10, 5)]
        c.line(pts, 1.6, WHITE)
    c.line([(-2, GROUND), (c.width + 2, GROUND)], 1.4)
    for x in _spread(c, rng, 100):
        base = x % 100
        base = x - base + (9 if base < 50 else 91)
        c.limb([(base, 74), (base + 2, 50), (base + 1, 28)], (160, 110, 60), 3.4)
        for dx, dy in ((-16, 5), (-11, -8), (11, -8), (17, 5)):
            c.poly([(base + 1, 26), (base + 1 + dx * 0.6, 26 + dy - 5), (base + 1 + dx, 27 + dy)], (50, 160, 70), 1.1)


def _forest(c: Canvas, rng: random.Random) -> None:
    _sky(c, (196, 226, 200), (94, 140, 74))
    for row, (dy, green) in enumerate(((-6, (92, 150, 96)), (4, (36, 104, 60)))):
        for start in _spread(c, rng, 25):
            x = start + row * 8
            h = rng.uniform(0, 6)
            c.box(x - 2, 56 + dy, x + 2, 66 + dy, (110, 74, 44), 1.0)
            for k in range(3):
                y = 14 + dy + 14 * k - h
                c.poly([(x, y), (x + 8 + 2.5 * k, y + 20), (x - 8 - 2.5 * k, y + 20)], green, 1.2)


def _city(c: Canvas, rng: random.Random) -> None:
    _sky(c, (34, 38, 86), (92, 92, 108))
    mx = rng.uniform(12, 88)
    c.oval(mx, 12, 7, 7, (250, 244, 200), 0)
    c.oval(mx + 3.6, 10.5, 6, 6, (34, 38, 86), 0)
    x = rng.uniform(-8, 0)
    while x < c.width:
        w, top = rng.uniform(15, 20), rng.uniform(16, 36)
        c.box(x, top, x + w, GROUND, (66, 66, 112), 1.2)
        for wy in range(int(top) + 4, 58, 8):
            for k in range(3):
                wx = x + 2.5 + k * (w - 4) / 3
                if rng.random() < 0.7:
                    c.box(wx, wy, wx + 3, wy + 4, (255, 220, 90), 0)
        x += w + rng.uniform(0, 2)
    c.line([(-2, GROUND), (c.width + 2, GROUND)], 1.6)
    for lx in range(5, int(c.width), 28):
        c.box(lx, 93, lx + 14, 96, (250, 240, 200), 0)


def _snow(c: Canvas, rng: random.Random) -> None:
    _sky(c, (176, 204, 232), (246, 250, 255))
    for x in _spread(c, rng, 46):
        peak = rng.uniform(8, 22)
        c.poly([(x - 34, GROUND + 2), (x, peak), (x + 34, GROUND + 2)], (112, 128, 160), 1.4)
        c.poly(
            [
                (x - 12, peak + 19),
                (x, peak),
                (x + 12, peak + 19),
                (x + 6, peak + 15),
                (x + 1, peak + 20),
                (x - 5, peak + 15),
            ],
            WHITE,
            0.9,
        )
    c.box(-2, GROUND, c.width + 2, 102, (246, 250, 255), 0)
    c.line([(-2, GROUND), (c.width + 2, GROUND)], 1.2, (150, 170, 200))
    for _ in range(int(26 * c.width / 100)):
        c.oval(rng.uniform(0, c.width), rng.uniform(0, 62), 1.7, 1.7, WHITE, 0)


def _kitchen(c: Canvas, rng: random.Random) -> None:
    _sky(c, (250, 232, 200), (214, 170, 130))
    for seam in range(-100, int(c.width) + 60, 16):
        c.line([(seam, 102), (seam + 12, GROUND)], 1.0, (160, 110, 80))
    for y in (70, 84):
        c.line([(-2, y), (c.width + 2, y)], 1.0, (160, 110, 80))
    c.line([(-2, GROUND), (c.width + 2, GROUND)], 1.8)
    for start in _spread(c, rng, 100):
        left = start % 100 < 50
        x = start - start % 100
        wx, fx = (6, 76) if left else (68, 2)
        c.box(x + wx, 8, x + wx + 26, 32, (160, 214, 250), 2.2)
        c.line([(x + wx + 13, 8), (x + wx + 13, 32)], 1.6)
        c.line([(x + wx, 20), (x + wx + 26, 20)], 1.6)
        c.box(x + fx, 16, x + fx + 22, 66, (226, 236, 240), 1.6)
        c.line([(x + fx, 36), (x + fx + 22, 36)], 1.4)
        c.line([(x + fx + 4, 24), (x + fx + 4, 32)], 1.8)
        c.line([(x + fx + 4, 40), (x + fx + 4, 50)], 1.8)


def _desert(c: Canvas, rng: random.Random) -> None:
    _sky(c, (252, 206, 130), (236, 170, 84))
    c.oval(rng.uniform(20, 80), 14, 9, 9, (250, 110, 50))
    for x in _spread(c, rng, 60):
        c.poly([*arc(x, GROUND + 4, 38, 13, 180, 360)], (222, 150, 70), 1.1)
    c.box(-2, GROUND + 3, c.width + 2, 102, (236, 170, 84), 0)
    for x in _spread(c, rng, 100):
        base = x - x % 100 + (11 if x % 100 < 50 else 89)
        for pts in (
            [(base, 72), (base, 30)],
            [(base - 8, 42), (base - 8, 52), (base, 54)],
            [(base + 8, 36), (base + 8, 47), (base, 49)],
        ):
            c.limb(pts, (50, 140, 70), 4.6)


def _moon(c: Canvas, rng: random.Random) -> None:
    _sky(c, (18, 16, 40), (186, 186, 196))
    for _ in range(int(24 * c.width / 100)):
        r = rng.uniform(0.7, 1.5)
        c.oval(rng.uniform(0, c.width), rng.uniform(0, 58), r, r, WHITE, 0)
    x = float(rng.choice((15, 84)))
    c.oval(x, 16, 11, 11, (50, 120, 220), 1.0)
    c.poly([(x - 6, 10), (x + 2, 8), (x + 4, 14), (x - 2, 19), (x - 7, 16)], (90, 190, 100), 0)
    c.oval(x + 6, 20, 3, 3, (90, 190, 100), 0)
    c.line([(-2, GROUND), (c.width + 2, GROUND)], 1.4)
    for x in _spread(c, rng, 30):
        y = rng.uniform(68, 96)
        r = rng.uniform(5, 9)
        c.oval(x, y, r, r * 0.4, (142, 142, 156), 1.1)


def _meadow(c: Canvas, rng: random.Random) -> None:
    _sky(c, (170, 220, 252), (130, 206, 90))
    for x in _spread(c, rng, 70):
        c.poly(arc(x, GROUND + 6, 46, 16, 180, 360), (160, 220, 120), 1.0)
    c.box(-2, GROUND + 4, c.width + 2, 102, (130, 206, 90), 0)
    for x in _spread(c, rng, 55):
        for dx, dy, r in ((-7, 1, 5), (0, -2, 7), (8, 1, 5)):
            c.oval(x + dx, 12 + dy, r * 1.3, r, WHITE, 0)
    for x in _spread(c, rng, 17):
        y = rng.choice((68, 76, 84, 92)) + rng.uniform(-2, 2)
        colour = rng.choice(((240, 70, 90), (250, 240, 250), (250, 220, 60), (190, 90, 210)))
        c.line([(x, y), (x, y + 6)], 1.4, (40, 120, 50))
        for px, py in ((-2.6, 0.0), (2.6, 0.0), (0.0, -2.6), (0.0, 2.6)):
            c.oval(x + px, y + py, 2.2, 2.2, colour, 0)
        c.oval(x, y, 1.5, 1.5, INK if colour[2] == 60 else (250, 200, 40), 0)


PLACES: dict[str, tuple[str, Callable[[Canvas, random.Random], None]]] = {
    "beach": ("on the beach", _beach),
    "forest": ("in the forest", _forest),
    "city": ("in the city at night", _city),
    "snow": ("in the snow", _snow),
    "kitchen": ("in the kitchen", _kitchen),
    "desert": ("in the desert", _desert),
    "moon": ("on the moon", _moon),
    "meadow": ("in the meadow", _meadow),
}


def draw_place(c: Canvas, place: str, rng: random.Random) -> None:
    PLACES[place][1](c, rng)
