"""Generated comics with known captions, free scenes with known objects, and folders of real comics.

Everything here is a function of its seed: the same seed gives the same content in every process and on
every platform. Boxes are (x0, y0, x1, y1) in pixels of the image, half open.
"""

from __future__ import annotations

import hashlib
import random
from collections.abc import Callable
from dataclasses import dataclass
from typing import Literal, get_args

from PIL import Image

from .. import checks
from ..errors import OptionError
from .drawing.actions import ACTIONS, PAIRED, draw_action, draw_standing
from .drawing.canvas import STYLES, WHITE, Canvas
from .drawing.places import PLACES, draw_place
from .drawing.subjects import HEADS
from .drawing.subjects import TINTS as SUBJECT_TINTS
from .drawing.things import THINGS, draw_thing
from .drawing.things import TINTS as THING_TINTS

Split = Literal["train", "held_out", "any"]
BoxXY = tuple[int, int, int, int]

SUBJECTS = tuple(HEADS)
HELD_OUT_SHARE = 0.15
HELD_OUT_LAYOUTS = ((3, 2), (1, 5))  # (rows, cols) that no training image has
HELD_OUT_SIZES = (80, 160, 224)  # panel sizes in pixels that no training image was drawn at

MOST_PANELS = 100  # no two of a strip are alike, and in one style some 160 are held out
MOST_OBJECTS = 20
MOST_PIXELS = 2048  # of a panel's or a scene's side


@dataclass(frozen=True)
class Panel:
    """What one panel shows; its caption follows from it alone."""

    subject: str
    action: str
    place: str
    tint: str | None = None
    count: int = 1

    @property
    def parts(self) -> tuple[str, str, str]:
        """Who, what and where, as the caption words them."""
        words = [] if self.tint is None else [self.tint]
        one, many, _ = ACTIONS[self.action]
        words = [*words, self.subject] if self.count == 1 else ["two", *words, self.subject + "s"]
        who = " ".join(words)
        return who[0].upper() + who[1:], one if self.count == 1 else many, PLACES[self.place][0] + "."

    @property
    def caption(self) -> str:
        """One sentence that begins with content, never with an article."""
        return " ".join(self.parts)

    @property
    def held_out(self) -> bool:
        """Whether this (subject, action, place) is kept out of training."""
        return _share("combination", self.subject, self.action, self.place) < HELD_OUT_SHARE


@dataclass(frozen=True)
class Strip:
    """A comic of rows x cols panels in reading order.

    `image` is RGB; `captions` and `boxes` (pixels, half open) have rows * cols entries; `seed` is None
    for a strip that was loaded, where captions may be empty.
    """

    image: Image.Image
    captions: tuple[str, ...]
    boxes: tuple[BoxXY, ...]
    rows: int
    cols: int
    seed: int | None


@dataclass(frozen=True)
class FreeScene:
    """Objects anywhere on a backdrop: `objects` are (label, box in pixels, half open)."""

    image: Image.Image
    objects: tuple[tuple[str, BoxXY], ...]


def _share(*words: object) -> float:
    """A number in [0, 1) that depends on the words alone."""
    digest = hashlib.sha256("/".join(map(str, words)).encode()).digest()
    return int.from_bytes(digest[:8], "big") / 2**64


def rng_for(seed: int, purpose: str) -> random.Random:
    """A generator of its own for every (seed, purpose), the same in every process."""
    return random.Random(int.from_bytes(hashlib.sha256(f"{seed}/{purpose}".encode()).digest()[:8], "big"))


def _check_split(split: object) -> None:
    checks.one_of("split", split, get_args(Split))


def _seed(seed: object) -> int:
    return checks.whole("seed", seed, -(2**63), 2**63)


def draw_content(rng: random.Random, style: str, split: Split = "any") -> Panel:
    """A panel's content, drawn at random from a split; colours are named only where the style shows them."""
    _check_split(split)
    while True:
        subject = rng.choice(SUBJECTS)
        action = rng.choice(tuple(ACTIONS))
        place = rng.choice(tuple(PLACES))
        tint = None
        if subject in SUBJECT_TINTS:
            named = rng.choice(tuple(SUBJECT_TINTS[subject]))
            tint = named if style == "colour" else None
        count = 2 if rng.random() < 0.3 and action in PAIRED else 1
        panel = Panel(subject, action, place, tint, count)
        if split == "any" or panel.held_out == (split == "held_out"):
            return panel


def draw_panel(
    panel: Panel, size: int | tuple[int, int], style: str, rng: random.Random, oversample: int | None = None
) -> Image.Image:
    """One panel as RGB, `size` pixels wide and high; `rng` varies position, size and backdrop."""
    width, height = (size, size) if isinstance(size, int) else size
    over = oversample if oversample is not None else 4 if height < 100 else 2
    c = Canvas((width, height), style, over)
    draw_place(c, panel.place, rng)
    scale = rng.uniform(0.94, 1.04)
    flip = rng.random() < 0.5
    middle = c.width / 2
    if panel.count == 1:
        x = middle + rng.uniform(-4, 4)
        with c.at(x, 92 + rng.uniform(-2, 2) - 44 * scale, scale, flip=flip):
            draw_action(c, panel.action, panel.subject, panel.tint)
    else:
        for side in (-1, 1):
            with c.at(middle + side * 24.5, 91 + rng.uniform(-2, 2) - 27, 0.62 * scale, flip=flip):
                draw_action(c, panel.action, panel.subject, panel.tint)
    return c.finish()


def generate_strip(
    seed: int,
    *,
    panels: int = 6,
    rows: int = 1,
    panel_size: int = 64,
    gap: int | None = None,
    split: Split = "any",
    style: str | None = None,
) -> Strip:
    """A strip or grid of `panels` panels in `rows` rows.

    Every panel takes a square of `panel_size` pixels (16 or more) that includes a white margin of half a
    `gap` on each side (default: 1/32 of the panel size, at least 2), so that panels of 64 pixels begin on
    multiples of 16. No two panels of a strip have the same caption. OptionError for impossible layouts.
    """
    _check_split(split)
    seed, panels = _seed(seed), checks.whole("panels", panels, 1, MOST_PANELS)
    rows = checks.whole("rows", rows, 1, panels)
    panel_size = checks.whole("panel_size", panel_size, 16, MOST_PIXELS)
    if panels % rows:
        raise OptionError(f"panels={panels} in rows={rows}; expected a whole number of panels in each row.")
    if style is not None:
        checks.one_of("style", style, STYLES)
    cols = panels // rows
    if split == "train" and ((rows, cols) in HELD_OUT_LAYOUTS or panel_size in HELD_OUT_SIZES):
        raise OptionError(
            f"{rows} x {cols} panels of {panel_size} pixels are kept out of training; expected split='held_out' or "
            "'any', or another layout and size."
        )
    gap = max(2, panel_size // 32) if gap is None else checks.whole("gap", gap, 0, panel_size // 2)
    rng = rng_for(seed, f"strip/{split}")
    shown = style if style is not None else rng.choice(("colour", "colour", "ink", "sepia"))
    contents: list[Panel] = []
    while len(contents) < panels:
        panel = draw_content(rng, shown, split)
        if all(panel.caption != other.caption for other in contents):
            contents.append(panel)
    image = Image.new("RGB", (cols * panel_size, rows * panel_size), WHITE)
    boxes = []
    near, inner = gap // 2, panel_size - gap
    for k, panel in enumerate(contents):
        x, y = (k % cols) * panel_size + near, (k // cols) * panel_size + near
        image.paste(draw_panel(panel, inner, shown, rng_for(seed, f"panel/{k}")), (x, y))
        boxes.append((x, y, x + inner, y + inner))
    return Strip(image, tuple(p.caption for p in contents), tuple(boxes), rows, cols, seed)


def _label(name: str, tint: str | None) -> str:
    text = name if tint is None else f"{tint} {name}"
    return text[0].upper() + text[1:] + "."


def generate_scene(
    seed: int,
    *,
    size: tuple[int, int] = (160, 144),
    split: Split = "any",
    objects: int | None = None,
    style: str = "colour",
    backdrop: Callable[[Canvas, random.Random], None] | None = None,
) -> FreeScene:
    """A backdrop of `size` (width, height) pixels with 3 to 5 objects that hardly overlap.

    Labels are short and begin with content ("Red car.", "Penguin."). Every label is there once. Held out
    are (object, place) pairs, 15 % of them, chosen by a stable hash. `backdrop` draws something else than
    one of the places; any object may stand there. OptionError.
    """
    _check_split(split)
    checks.one_of("style", style, STYLES)
    seed = _seed(seed)
    sides = [checks.as_whole(side) or 0 for side in checks.items(size) or ()]
    if len(sides) != 2 or min(sides) < 48 or max(sides) > MOST_PIXELS:
        raise OptionError(
            f"size={checks.short(size)}; expected (width, height) from 48 x 48 to {MOST_PIXELS} x {MOST_PIXELS} pixels."
        )
    if backdrop is not None and not callable(backdrop):
        raise OptionError(f"backdrop={checks.short(backdrop)}; expected a function of a canvas and a random.Random.")
    size = width, height = sides[0], sides[1]
    rng = rng_for(seed, f"scene/{split}")
    place = rng.choice(tuple(PLACES))
    c = Canvas(size, style, 4 if height < 200 else 2)
    if backdrop is None:
        draw_place(c, place, rng)
    else:
        backdrop(c, rng)
    wanted = rng.randint(3, 5) if objects is None else checks.whole("objects", objects, 1, MOST_OBJECTS)
    found: list[tuple[str, BoxXY]] = []
    short = min(size)
    for _ in range(60 * wanted):
        if len(found) == wanted:
            break
        kind = rng.choice(SUBJECTS) if rng.random() < 0.5 else rng.choice(tuple(THINGS))
        is_thing = rng.random() < 0.5 if kind in SUBJECTS and kind in THINGS else kind in THINGS
        tint = (
            rng.choice(tuple(THING_TINTS))
            if is_thing
            else rng.choice(tuple(SUBJECT_TINTS[kind]))
            if kind in SUBJECT_TINTS
            else None
        )
        tint = tint if style == "colour" else None
        out = _share("object", kind, place) < HELD_OUT_SHARE
        if backdrop is None and split != "any" and out != (split == "held_out"):
            continue
        label = _label(kind, tint)
        side = short * rng.uniform(0.26, 0.42)  # height in pixels
        wide = side if is_thing else side * 0.7
        x = rng.uniform(1, width - wide - 1)
        y = rng.uniform(1, height - side - 1)
        box = (round(x), round(y), round(x + wide), round(y + side))
        if any(label == other or _overlap(box, b) for other, b in found):
            continue
        found.append((label, box))
        unit = side / (height / 100)  # units of the canvas
        flip = rng.random() < 0.5
        with c.at((x + wide / 2) * 100 / height, (y + side / 2) * 100 / height, unit / 100, flip=flip):
            if is_thing:
                draw_thing(c, kind, tint or "red")
            else:
                with c.at(0, -2, 1.1):
                    draw_standing(c, kind, tint)
    return FreeScene(c.finish(), tuple(found))


def _overlap(a: BoxXY, b: BoxXY, margin: int = 3) -> bool:
    return a[0] < b[2] + margin and b[0] < a[2] + margin and a[1] < b[3] + margin and b[1] < a[3] + margin
