"""What one image token is to say, from the drawing's own labels: one word, the mean of its pieces' embeddings.

Where the subject is drawn, the words of who it is and what it does; elsewhere the words of the place. A sum of all of a
panel's words in each token is not read by the language model.
"""

from __future__ import annotations

import json
import random
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import torch
from language import Language
from lookhere.comics import draw_content, draw_panel, rng_for
from lookhere.comics.drawing.canvas import Canvas
from lookhere.comics.drawing.places import draw_place
from make_data import STYLES
from PIL import Image
from vlm import CELL

SMALL = {"a", "an", "the", "in", "on", "at", "with", "of", "under", "from", "to", "and", "two", "by"}
DRAWN = 0.3  # share of a token's pixels that the subject must cover


def covers(count: int, size: int = 62) -> np.ndarray:
    """(count, size, size) of the first panels of make_data.py: where they differ from their place alone."""
    out = np.zeros((count, size, size), bool)
    for seed in range(count):
        rng = rng_for(seed, "training panel")
        style = STYLES[seed % 4]
        panel = draw_content(rng, style, "train")
        size_drawn = size * rng.choice((2, 3, 4)) if seed % 5 == 0 else size
        state = rng.getstate()
        image = draw_panel(panel, size_drawn, style, rng)
        rng.setstate(state)
        canvas = Canvas((size_drawn, size_drawn), style, 4 if size_drawn < 100 else 2)
        draw_place(canvas, panel.place, rng)
        differs = np.abs(np.asarray(image, int) - np.asarray(canvas.finish(), int)).max(-1) > 12
        out[seed] = np.asarray(Image.fromarray(differs).resize((size, size), Image.Resampling.NEAREST))
    return out


@dataclass
class Lesson:
    """pixels (n, height, width, 3) uint8; wanted (n, tokens, width); counts (n, tokens): whether anything is wanted."""

    pixels: torch.Tensor
    wanted: torch.Tensor
    counts: torch.Tensor


class Lessons:
    def __init__(self, lm: Language, folder: Path, panels: int = 3000) -> None:
        self.embed, self.tokens = lm.embed.float(), lm.tokens
        kept = folder / f"covers_{panels}.npy"
        if not kept.exists():
            np.save(kept, covers(panels))
        self.covers = np.load(kept)
        self.pixels = np.load(folder / "small.npy", mmap_mode="r")[:panels]
        self.parts = [tuple(p) for p in json.loads((folder / "small.json").read_text())["parts"][:panels]]
        self.scenes = {}
        for key, found in json.loads((folder / "scenes.json").read_text()).items():
            self.scenes[key] = np.load(folder / f"scenes_{key}.npy", mmap_mode="r"), found
        self._known: dict[str, torch.Tensor] = {}

    def word(self, word: str) -> torch.Tensor:
        if word not in self._known:
            self._known[word] = self.embed[self.tokens(" " + word)].mean(0)
        return self._known[word]

    def words(self, text: str) -> list[torch.Tensor]:
        found = [w for w in text.lower().rstrip(".").split(" ") if w not in SMALL]
        return [self.word(w) for w in found]

    def strip(self, rng: random.Random, count: int, panels: int) -> Lesson:
        side = 64 // CELL
        pixels = np.full((count, 64, 64 * panels, 3), 255, np.uint8)
        wanted = torch.zeros(count, side, side * panels, self.embed.shape[1])
        for i in range(count):
            for k in range(panels):
                n = rng.randrange(len(self.pixels))
                pixels[i, 1:63, 64 * k + 1:64 * k + 63] = self.pixels[n]
                covered = np.zeros((64, 64))
                covered[1:63, 1:63] = self.covers[n]
                share = covered.reshape(side, CELL, side, CELL).mean((1, 3))
                who, what, where = self.parts[n]
                actor, place = [*self.words(who), *self.words(what)], self.words(where)
                drawn = np.argwhere(share >= DRAWN)
                for number, (y, x) in enumerate(drawn):  # from top to bottom: who, then what
                    wanted[i, y, side * k + x] = actor[number * len(actor) // len(drawn)]
                for number, (y, x) in enumerate(np.argwhere(share < DRAWN)):
                    wanted[i, y, side * k + x] = place[number % len(place)]
        flat = wanted.flatten(1, 2)
        return Lesson(torch.from_numpy(pixels), flat, torch.ones(flat.shape[:2], dtype=torch.bool))

    def scene(self, rng: random.Random, count: int) -> Lesson:
        """Objects on any backdrop: what lies in an object's box says what it is, the rest nothing."""
        images, found = self.scenes[rng.choice(list(self.scenes))]
        picks = [rng.randrange(len(images)) for _ in range(count)]
        rows, cols = images.shape[1] // CELL, images.shape[2] // CELL
        wanted = torch.zeros(count, rows, cols, self.embed.shape[1])
        counts = torch.zeros(count, rows, cols, dtype=torch.bool)
        for i, n in enumerate(picks):
            for label, (x0, y0, x1, y1) in found[n]:
                words = self.words(label)
                inside = [(y, x) for y in range(rows) for x in range(cols)
                          if x0 <= (x + 0.5) * CELL < x1 and y0 <= (y + 0.5) * CELL < y1]  # fmt: skip
                for number, (y, x) in enumerate(inside):
                    wanted[i, y, x], counts[i, y, x] = words[number * len(words) // len(inside)], True
        return Lesson(torch.from_numpy(images[picks]), wanted.flatten(1, 2), counts.flatten(1, 2))
