"""Seen: throw-away classifiers that teach a vision tower, and one that teaches the language model where to look."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np
import torch
import world
from asked import Slot
from PIL import Image
from shape import SIDE, WIDTH
from torch import Tensor, nn
from torch.nn import functional as F

COLUMNS = 6
KINDS = (list(world.COLOURS), list(world.SHAPES), list(world.PLACES))


def view_pixels(pixels: Tensor, view: tuple[int, int, int, int]) -> Tensor:
    """(n, height, width, 3) uint8 -> (n, side, side, 3) uint8: the part of a strip that a tower gets, made square."""
    x0, y0, x1, y1 = view
    part = pixels[:, y0:y1, x0:x1]
    if part.shape[1:3] == (SIDE, SIDE):
        return part
    images = [Image.fromarray(each.numpy()).resize((SIDE, SIDE), Image.Resampling.LANCZOS) for each in part]
    return torch.from_numpy(np.stack([np.asarray(each) for each in images]))


class Seen(nn.Module):
    """What a token belongs to: its panel's words and number, and its own column. Read from every token by itself, of
    each of the family's readings: a token that says all this can be found by what it says."""

    def __init__(self, family: Any) -> None:
        super().__init__()
        self.family = [family]  # not a part of this module
        self.sizes = [*map(len, KINDS), COLUMNS, world.PANELS]
        self.heads = nn.ModuleList([nn.Linear(width, sum(self.sizes)) for width in family.read_widths])

    def loss(self, pixels: Tensor, strips: Sequence[tuple[world.Parts, ...]]) -> dict[str, Tensor]:
        """Nats per token, by name."""
        family, panels = self.family[0], len(strips[0])
        words = torch.tensor([[[kinds.index(part) for kinds, part in zip(KINDS, each, strict=True)] for each in strip]
                               for strip in strips])  # fmt: skip
        total: dict[str, Tensor] = {}
        for view, cells in zip(family.views, family.cells, strict=True):
            told = family.read(family.see(view_pixels(pixels, view)))
            owner, column = places(view, cells, family.side, family.size[0], panels)
            kept = owner >= 0
            whole = view[2] - view[0] == family.size[0]  # only there can it be told which panel it is
            for head, each in zip(self.heads, told, strict=True):
                out = head(each[:, kept]).split(self.sizes, -1)
                mine = words[:, owner[kept]]
                losses = {name: F.cross_entropy(out[k].flatten(0, 1), mine[..., k].flatten())
                          for k, name in enumerate(("colour", "shape", "place"))}  # fmt: skip
                repeat = len(strips)
                losses["column"] = F.cross_entropy(out[3].flatten(0, 1), column[kept].repeat(repeat))
                if whole:
                    losses["panel"] = F.cross_entropy(out[4].flatten(0, 1), owner[kept].repeat(repeat))
                for name, value in losses.items():
                    total[name] = total.get(name, torch.zeros(())) + value / len(self.heads) / len(family.views)
        return total


def places(view: tuple[int, int, int, int], cells: Tensor, side: int, width: int, panels: int) -> tuple[Tensor, Tensor]:
    """Of each token of a view: its panel, -1 where it shows none, and its column of the view."""
    column = cells % side
    x = view[0] + (column + 0.5) / side * (view[2] - view[0])
    owner = (x / width * panels).long()
    return torch.where(cells >= 0, owner, -1), (column * COLUMNS // side).clamp(0, COLUMNS - 1)


class Where(nn.Module):
    """After half of the layers every token of an answer must tell the panel that the next word is about. Without it the
    place that a question names is forgotten at the next word, which finds its panel by the word just said."""

    def __init__(self) -> None:
        super().__init__()
        self.read = nn.Linear(WIDTH, world.PANELS)

    def loss(self, half: Sequence[Tensor], slots: Sequence[Slot]) -> Tensor:
        """Nats per token."""
        told, wanted = [], []
        for hidden, slot in zip(half, slots, strict=True):
            known = slot.panel >= 0
            told.append(hidden[known])
            wanted.append(slot.panel[known])
        return F.cross_entropy(self.read(F.rms_norm(torch.cat(told), (WIDTH,))), torch.cat(wanted))
