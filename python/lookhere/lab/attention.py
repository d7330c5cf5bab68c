"""Reading where all heads look, place by place, while a model is asked about an image."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, TypeAlias

import numpy as np
from numpy.typing import NDArray

from ..engine import compiled, engine_errors
from ..kv.sequence import KvSequence
from ..regions.region import Box
from .checkpoint import Checkpoint
from .comparison import Comparison, ImageTally
from .components import spatial_entropy
from .item import Item, of_strip
from .ranking import Tally
from .view import View
from .work import Progress, Silent

if TYPE_CHECKING:
    from .. import _engine
    from ..comics import Strip
    from ..kv.session import Session
    from ..model import Model
    from ..prompt.layout import Layout
    from ..scenes.scene import Scene
    from ..steering.facts import ModelFacts

Array: TypeAlias = NDArray[np.float64]

LOOK, COMPARE = "look", "compare"
"""Kinds of steps: a question whose attention is read, with its answer and without."""
SECONDS = {LOOK: 0.06, COMPARE: 0.04}
"""Of one step, by the built-in model."""

GENERATED_TOKENS = 24
"""Length of an answer of the model's own, where a place's caption is not known."""

_CHUNK_VALUES = 1 << 24
"""Attention values of a teacher-forced chunk of the answer, at most."""


@dataclass(frozen=True)
class Attended:
    """Natural attention of all heads to one item.

    at_prompt, over_answer: (layers, heads, places asked about, places attended to) mass, at the final token of a
    question that names the place, and over the tokens of the answer about it. image: (layers, heads, places asked
    about) mass on all image tokens, entropy: how scattered it is, ``components.spatial_entropy``; both at the final
    token of the question.
    """

    at_prompt: Array
    over_answer: Array
    image: Array
    entropy: Array


def tally_attention(
    model: Model,
    items: Iterable[Item],
    places: int,
    *,
    seed: int = 0,
    checkpoint: Checkpoint | None = None,
    progress: Progress | None = None,
) -> Tally:
    """Attention of all heads over items of so many places each, one prefill per (item, place); where answers are
    forced after another question, one more per item.

    An image is encoded and read once. With a checkpoint of the same work the items that are in it are drawn, but not
    asked again. LookhereError of the model.
    """
    layers = model.facts.attention_layers
    tally = Tally(model.layers, model.heads_per_layer, places, seed=seed, attention_layers=layers)
    if checkpoint is not None and "halves" in checkpoint.arrays:
        tally.restore(checkpoint.arrays)
    done = tally.strips
    progress = progress or Silent()
    for _ in range(done * places):
        progress.step(LOOK, kept=True)
    for index, item in enumerate(items):
        if index < done:
            continue
        seen = attend(item.look(model), item, asked=lambda: progress.step(LOOK))
        for place in range(places):
            tally.image.add(seen.image[:, :, place], seen.entropy[:, :, place])
        tally.add(seen.at_prompt, seen.over_answer)
        if checkpoint is not None:
            checkpoint.arrays = {**checkpoint.arrays, **tally.arrays()}
            checkpoint.touch()
    if checkpoint is not None:
        checkpoint.arrays = {**checkpoint.arrays, **tally.arrays()}
        checkpoint.write()
    return tally


def compare_heads(model: Model, items: Iterable[Item], progress: Progress | None = None) -> Comparison:
    """Scores of image heads and localization heads alone: questions without answers, see ``tally_attention``."""
    tally = ImageTally(model.layers, model.heads_per_layer, model.facts.attention_layers)
    progress = progress or Silent()
    for item in items:
        seen = attend(item.look(model), item, answers=False, asked=lambda: progress.step(COMPARE))
        for place in range(len(item.boxes)):
            tally.add(seen.image[:, :, place], seen.entropy[:, :, place])
    return tally.comparison()


def strip_attention(scene: Scene, strip: Strip) -> tuple[Array, Array]:
    """(layers, heads, panels asked about, panels attended to) mass at the final prompt token and over the answer."""
    seen = attend(scene, of_strip(strip))
    return seen.at_prompt, seen.over_answer


def attend(scene: Scene, item: Item, *, answers: bool = True, asked: Callable[[], None] = lambda: None) -> Attended:
    """Reads the attention to an item. answers: False leaves out what is read over answers; ``at_prompt`` stands in.
    asked: called after each question."""
    shares = panel_shares(scene, item.boxes)
    found = []
    for place, question in enumerate(item.questions):
        answer = item.answers[place] if item.answers else None
        if answers and item.forced_after is None:
            found.append(question_attention(scene, question, shares, answer))
        else:
            found.append(question_attention(scene, question, shares, answers=False))
            if answers:
                over = question_attention(scene, str(item.forced_after), shares, answer)
                found[-1] = replace(found[-1], over_answer=over.over_answer)
        asked()
    parts = ("at_prompt", "over_answer", "image", "entropy")
    return Attended(*(np.stack([getattr(each, part) for each in found], axis=2) for part in parts))


def panel_shares(scene: Scene, boxes: Sequence[tuple[float, float, float, float]]) -> Array:
    """(places, image tokens): the coverage of every panel or box."""
    maps = [scene.coverage(Box(*box)) for box in boxes]
    return np.stack([np.concatenate([each.ravel() for each in grids]) for grids in maps]).astype(np.float64)


@dataclass(frozen=True)
class Prefilled:
    """A model that has read an image and a question, all layers probed. It belongs to the caller while a turn lasts."""

    session: Session
    sequence: KvSequence
    facts: ModelFacts

    def append(self, tokens: Sequence[int]) -> None:
        """Reads tokens of an answer; each has a row of attention then."""
        self.session.step(self.sequence, tokens)

    def attention(self, row: int = -1) -> NDArray[np.float32]:
        """(layers, heads, image tokens) natural mass of a row of the last step; 0 in layers without heads."""
        return self.facts.on_every_layer(self.session.native.attention(row))


@contextmanager
def prefilled(scene: Scene, prompt: str, room: int) -> Iterator[Prefilled]:
    """Reads an image and a question. room: tokens that may follow. The model is the caller's until the block ends."""
    model = scene.model
    with read_through(model.session, model.facts, View(scene, prompt).layout(), room) as asked:
        yield asked


@contextmanager
def read_through(session: Session, facts: ModelFacts, layout: Layout, room: int) -> Iterator[Prefilled]:
    """The same of any prompt, whose attention is read at its grids."""
    sequence = KvSequence(layout, room=room, layers=facts.layers_with_heads)
    try:
        with session.turn():
            session.step(sequence)
            with engine_errors("reading attention"):
                yield Prefilled(session, sequence, facts)
    finally:
        sequence.closed = True


def forced_attention(asked: Prefilled, forced: Sequence[int], shares: Array) -> Array:
    """(layers, heads, places) mass, averaged over the queries of an answer's tokens that are forced on the model."""
    facts = asked.facts
    at_once = max(1, min(16, _CHUNK_VALUES // (facts.layers * facts.heads * shares.shape[1])))
    over = np.zeros((facts.layers, facts.heads, len(shares)))
    for start in range(0, len(forced), at_once):
        chunk = forced[start : start + at_once]
        asked.append(chunk)
        for row in range(len(chunk)):
            over += asked.attention(row).astype(np.float64) @ shares.T
    return over / max(len(forced), 1)


def question_attention(
    scene: Scene, prompt: str, shares: Array, answer: str | None = None, *, answers: bool = True
) -> Attended:
    """(layers, heads, places) mass of one question: of its last token, and averaged over the answer's tokens.

    shares: (places, image tokens). answer: what is forced on the model, None for its own greedy answer. answers: False
    reads none. Every row is reduced to places as soon as it is read.
    """
    model = scene.model
    forced = model.native.tokenize(answer, parse_special=False) if answer else []

    with prefilled(scene, prompt, len(forced) or GENERATED_TOKENS) as asked:
        mass = asked.attention().astype(np.float64)
        at_prompt, image = np.asarray(mass @ shares.T), mass.sum(axis=-1)
        grids = [(grid.rows, grid.cols) for grid in scene.grids]
        entropy = spatial_entropy(mass.reshape(-1, mass.shape[-1]), grids).reshape(image.shape)
        over = at_prompt
        if answers and forced:
            over = forced_attention(asked, forced, shares)
        elif answers:
            over = _own_attention(asked, model.native, shares, at_prompt)
    return Attended(at_prompt, over, image, entropy)


def _own_attention(asked: Prefilled, native: _engine.Model, shares: Array, at_prompt: Array) -> Array:
    """The same over the model's own greedy answer; where it says nothing, that of the prompt."""
    over, read = np.zeros_like(at_prompt), 0
    sampler: _engine.Sampler = compiled().Sampler()
    while read < GENERATED_TOKENS and not native.is_end(token := sampler.sample(asked.session.native)):
        asked.append([token])
        over += asked.attention().astype(np.float64) @ shares.T
        read += 1
    return over / read if read else at_prompt
