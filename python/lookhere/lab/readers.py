"""Readers: the heads that look at what is being said, which tell where a model looked.

Gaze heads decide where an answer comes from, mostly where it begins; in a model that does not look there again while it
goes on, other heads do. They are found on pictures with known answers and boxes, and never steered.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from ..errors import OptionError
from ..regions.box import Box
from ..steering.head_set import Head
from ..tokens.readback import read_back
from .attention import prefilled
from .intersection import overlap

if TYPE_CHECKING:
    from ..model import Model
    from ..scenes.scene import Scene
    from ..tokens.frame import Frame
    from .item import Item

MOST = 12
"""Readers at most."""


@dataclass(frozen=True)
class Readers:
    """heads: best first. pointing: (layers, heads) share of the answers during which a head's largest attention lies in
    the right box, mean over the corpora. iou: by number of the best heads read together, from 1, the mean overlap of
    the box that is read back with the right one. answers: how many, by corpus."""

    heads: tuple[Head, ...]
    pointing: NDArray[np.float64]
    iou: tuple[float, ...]
    answers: tuple[int, ...]

    def as_evidence(self) -> dict[str, Any]:
        """For a head set."""
        points = [round(float(self.pointing[head]), 4) for head in self.heads]
        return {"answers": list(self.answers), "pointing": points, "iou": [round(each, 4) for each in self.iou]}


@dataclass(frozen=True, eq=False)
class _Look:
    """What all heads looked at during one answer. maps: (layers, heads, image tokens) float16. box: the right one."""

    maps: NDArray[np.float16]
    box: Box
    frame: Frame


def find_readers(model: Model, corpora: Sequence[Iterable[Item]], asked: Callable[[], None] = lambda: None) -> Readers:
    """The heads that look at the place whose answer is forced on the model, as many as read best together.

    corpora: items with answers; each corpus counts alike. A head's score is how often its largest attention, averaged
    over the queries that choose the answer's tokens, lies in the place's box; of the best 1 to 12 heads that number is
    taken whose mean map is read back with the largest overlap, the smallest within 0.01 of it. asked: called after each
    item. OptionError where nothing is known; LookhereError of the model.
    """
    looks: list[list[_Look]] = []
    for corpus in corpora:
        found: list[_Look] = []
        for item in corpus:
            found += _looks(model, item)
            asked()
        if found:
            looks.append(found)
    if not looks:
        raise OptionError("There is no picture with a known answer; expected captions or labels to find readers on.")
    pointing = np.mean([np.mean([_hits(look) for look in corpus], axis=0) for corpus in looks], axis=0)
    missing = [layer for layer in range(len(pointing)) if layer not in model.facts.layers_with_heads]
    pointing[missing] = 0
    order = [divmod(int(each), pointing.shape[1]) for each in np.argsort(-pointing, axis=None, kind="stable")[:MOST]]
    order = [head for head in order if head[0] not in missing]
    ious = tuple(
        float(np.mean([np.mean([_overlap(look, order[:count]) for look in corpus]) for corpus in looks]))
        for count in range(1, len(order) + 1)
    )
    count = next(count for count, iou in enumerate(ious, 1) if iou >= max(ious) - 0.01)
    return Readers(tuple(order[:count]), pointing, ious, tuple(map(len, looks)))


def _looks(model: Model, item: Item) -> list[_Look]:
    scene = item.look(model)
    return [
        _Look(answer_attention(scene, item.forced_after or question, answer), Box(*box), scene.frame)
        for question, answer, box in zip(item.questions, item.answers, item.boxes, strict=True)
    ]


def answer_attention(scene: Scene, prompt: str, answer: str) -> NDArray[np.float16]:
    """(layers, heads, image tokens) natural mass, mean over the queries that choose the tokens of a forced answer."""
    forced = scene.model.native.tokenize(answer, parse_special=False)
    with prefilled(scene, prompt, len(forced)) as asked:
        total = asked.attention().astype(np.float64)
        for token in forced[:-1]:  # what the last one chooses is no part of the answer
            asked.append([token])
            total += asked.attention()
    return (total / len(forced)).astype(np.float16)


def _hits(look: _Look) -> NDArray[np.bool_]:
    """(layers, heads): whether the token with most attention has its middle in the box."""
    inside = []
    for grid in look.frame.grids:
        x, y = (grid.x_edges[1:] + grid.x_edges[:-1]) / 2, (grid.y_edges[1:] + grid.y_edges[:-1]) / 2
        across, down = (look.box.x0 <= x) & (x < look.box.x1), (look.box.y0 <= y) & (y < look.box.y1)
        inside.append(np.outer(down, across).ravel())
    found: NDArray[np.bool_] = np.concatenate(inside)[look.maps.argmax(axis=-1)]
    return found


def _overlap(look: _Look, heads: Sequence[Head]) -> float:
    layers, numbers = zip(*heads, strict=True)
    mass = look.maps[list(layers), list(numbers)].astype(np.float32).mean(axis=0)
    maps, start = [], 0
    for grid in look.frame.grids:
        maps.append(mass[start : start + grid.tokens].reshape(grid.rows, grid.cols))
        start += grid.tokens
    return overlap(read_back(maps, look.frame).box, look.box)
