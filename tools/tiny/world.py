"""World: strips of panels, each full of one shape of one colour in one place, which its caption names.

    python tools/tiny/world.py FOLDER --comics 40 --seed 1 [--size 96x96]

Writes comics that `lookhere discover --comics` and `lookhere evaluate --comics` read: comicN/p1.png to p6.png and
captions.txt. Joined with their gaps they are exactly `size` pixels, so that nothing is resized on the way.
"""

from __future__ import annotations

import argparse
import random
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from itertools import pairwise, product
from pathlib import Path

import numpy as np
from PIL import Image, ImageDraw

COLOURS = {"red": (220, 40, 40), "blue": (50, 100, 235), "yellow": (245, 215, 40), "pink": (245, 140, 195),
           "orange": (240, 140, 30), "purple": (135, 50, 170)}  # fmt: skip
SHAPES = ("discs", "rings", "squares", "triangles", "crosses", "stars", "bars", "moons")
PLACES = {"snow": (240, 245, 250), "sand": (200, 182, 132), "grass": (60, 120, 60), "night": (20, 22, 50),
          "fog": (140, 145, 150)}  # fmt: skip
PANELS = 6
GAP = 2
"""White pixels between two panels: what `load_folder` leaves for strips of this height."""
CELL = 16
"""Pixels of a shape with the room around it, where a strip is 96 wide."""
FINER = 4
"""Shapes are drawn so many times larger, then reduced."""

Parts = tuple[str, str, str]
EVERY: tuple[Parts, ...] = tuple(product(COLOURS, SHAPES, PLACES))


def caption(parts: Parts) -> str:
    """Its first word tells no panel: what chooses one looks from there on, as for the words after it."""
    colour, shape, place = parts
    return f"Some {colour} {shape} in the {place}."


def held_out(parts: Parts) -> bool:
    """An eighth of all combinations, that no model is trained on."""
    colour, shape, place = parts
    return (list(COLOURS).index(colour) + 3 * SHAPES.index(shape) + 5 * list(PLACES).index(place)) % 8 == 0


def edges(width: int, panels: int) -> list[tuple[int, int]]:
    """The columns of pixels of each panel, half open."""
    cuts = [round(k * width / panels) for k in range(panels + 1)]
    return [(a + (GAP // 2 if k else 0), b - (GAP // 2 if k + 1 < panels else 0))
            for k, (a, b) in enumerate(pairwise(cuts))]  # fmt: skip


def _shape(draw: ImageDraw.ImageDraw, shape: str, x: float, y: float, w: float, h: float, ink: tuple[int, ...],
           paper: tuple[int, ...]) -> None:  # fmt: skip
    def at(points: Sequence[tuple[float, float]]) -> list[tuple[float, float]]:
        return [(x + w * a, y + h * b) for a, b in points]

    box = [x - w, y - h, x + w, y + h]
    if shape == "discs":
        draw.ellipse(box, fill=ink)
    elif shape == "rings":
        draw.ellipse(box, fill=ink)
        draw.ellipse([x - 0.5 * w, y - 0.5 * h, x + 0.5 * w, y + 0.5 * h], fill=paper)
    elif shape == "squares":
        draw.rectangle(box, fill=ink)
    elif shape == "triangles":
        draw.polygon(at([(0, -1), (1, 1), (-1, 1)]), fill=ink)
    elif shape == "crosses":
        draw.rectangle([x - 0.3 * w, y - h, x + 0.3 * w, y + h], fill=ink)
        draw.rectangle([x - w, y - 0.3 * h, x + w, y + 0.3 * h], fill=ink)
    elif shape == "stars":
        draw.polygon(at([(0, -1), (0.25, -0.25), (1, 0), (0.25, 0.25), (0, 1), (-0.25, 0.25), (-1, 0),
                         (-0.25, -0.25)]), fill=ink)  # fmt: skip
    elif shape == "bars":
        draw.rectangle([x - w, y - 0.35 * h, x + w, y + 0.35 * h], fill=ink)
    else:
        draw.ellipse(box, fill=ink)
        draw.ellipse([x - 0.4 * w, y - 1.1 * h, x + 1.4 * w, y + 0.7 * h], fill=paper)


def picture(parts: Parts, rng: random.Random, width: int, height: int) -> np.ndarray:
    """(height, width, 3): columns of the shape, one in each cell, never twice alike."""
    colour, shape, place = parts

    def tint(rgb: tuple[int, int, int]) -> tuple[int, ...]:
        return tuple(min(255, max(0, c + rng.randint(-14, 14))) for c in rgb)

    ink, paper = tint(COLOURS[colour]), tint(PLACES[place])
    image = Image.new("RGB", (width * FINER, height * FINER), paper)
    draw = ImageDraw.Draw(image)
    cell = CELL * max(1, width // 96) * FINER
    pitch = CELL * FINER
    for column in range(width * FINER // cell):
        shift = rng.uniform(-0.5, 0.5)
        for row in range(-1, height // CELL + 1):
            size = rng.uniform(0.34, 0.42)
            x = (column + 0.5 + rng.uniform(-0.05, 0.05)) * cell
            y = (row + 0.5 + shift + rng.uniform(-0.08, 0.08)) * pitch
            _shape(draw, shape, x, y, size * cell, size * pitch, ink, paper)
    return np.asarray(image.resize((width, height), Image.Resampling.BOX))


@dataclass(frozen=True)
class Strip:
    """pixels (height, width, 3); parts and boxes (x0, y0, x1, y1) of each panel."""

    pixels: np.ndarray
    parts: tuple[Parts, ...]
    boxes: tuple[tuple[int, int, int, int], ...]

    @property
    def captions(self) -> list[str]:
        return [caption(each) for each in self.parts]


def joined(parts: Sequence[Parts], pictures: Sequence[np.ndarray]) -> Strip:
    """pictures: of the whole strip's size each, of which a panel shows its own columns."""
    height, width = pictures[0].shape[:2]
    pixels = np.full((height, width, 3), 255, np.uint8)
    cut = edges(width, len(parts))
    for each, (x0, x1) in zip(pictures, cut, strict=True):
        pixels[:, x0:x1] = each[:, x0:x1]
    return Strip(pixels, tuple(parts), tuple((x0, 0, x1, height) for x0, x1 in cut))


def strips(
    seed: int, width: int = 96, height: int = 96, panels: int = PANELS, *, fresh: bool = True
) -> Iterator[Strip]:
    """Strips of a seed, without end; fresh: of combinations that no model was trained on, else of the others."""
    rng = random.Random(f"tiny world {seed}")
    known = [each for each in EVERY if held_out(each) == fresh]
    while True:
        parts = rng.sample(known, panels)
        yield joined(parts, [picture(each, rng, width, height) for each in parts])


def write_comics(folder: Path, seed: int, count: int, width: int = 96, height: int = 96, *, fresh: bool = True) -> None:
    """Comics in the layout of `load_folder`."""
    for number, strip in zip(range(count), strips(seed, width, height, fresh=fresh), strict=False):
        to = folder / f"comic{number}"
        to.mkdir(parents=True, exist_ok=True)
        for k, (x0, y0, x1, y1) in enumerate(strip.boxes):
            Image.fromarray(strip.pixels[y0:y1, x0:x1]).save(to / f"p{k + 1}.png")
        (to / "captions.txt").write_text("\n".join(strip.captions) + "\n")


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("folder", type=Path)
    parser.add_argument("--comics", type=int, default=40)
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--size", default="96x96", help="pixels of a strip")
    parser.add_argument("--known", action="store_true", help="of combinations that the models were trained on")
    args = parser.parse_args()
    width, height = map(int, args.size.split("x"))
    write_comics(args.folder, args.seed, args.comics, width, height, fresh=not args.known)


if __name__ == "__main__":
    main()
