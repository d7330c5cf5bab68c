"""Forced: captions that a model is made to say after one prompt, and where its heads could look meanwhile."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Protocol, TypeAlias

import numpy as np
from numpy.typing import NDArray

from ..engine import engine_errors
from ..kv.sequence import KvSequence
from ..prompt.layout import Layout, lay_out
from ..prompt.message import Message
from ..prompt.stretches import read_stretches
from ..regions.box import Box
from ..steering.aim import Aim
from ..steering.head_set import Head, HeadSet
from ..steering.steering import Steering
from ..tokens.grid import SMALLEST_SHARE
from .fluency import nats_of
from .view import View

if TYPE_CHECKING:
    from .. import _engine
    from ..kv.session import Session
    from ..model import Model
    from ..prompt.chat import ChatTemplate
    from ..steering.facts import ModelFacts
    from ..tokens.grid import Map
    from .item import Item

Nats: TypeAlias = "Callable[[int, Aim | None], NDArray[np.float64]]"
"""(place, aim) -> log-probability of each token of the place's caption, in nats."""


class Reader(Protocol):
    """What reads text: ``loading.language.LanguageModel`` or a ``Model``."""

    @property
    def native(self) -> _engine.Model: ...
    @property
    def session(self) -> Session: ...
    @property
    def template(self) -> ChatTemplate: ...
    @property
    def facts(self) -> ModelFacts: ...
    @property
    def path(self) -> str: ...


@dataclass(frozen=True, eq=False)
class Forced:
    """One prompt, which names no place, and the caption of each place as an answer to it.

    layout: the prompt without its last token, which is ``last``: that one is read with each caption, as the first row
    that a head's bias acts on. answers: the tokens of each caption. targets: by place, 1 on the place's tokens and 0 on
    the others, (rows, cols) float32 per token grid.
    """

    layout: Layout
    last: int
    answers: tuple[tuple[int, ...], ...]
    targets: tuple[tuple[Map, ...], ...]

    def fed(self, place: int) -> list[int]:
        """What is read so that every token of a caption is told: the prompt's last token, and all but the last of the
        caption."""
        return [self.last, *self.answers[place][:-1]]

    def aim(self, place: int, facts: ModelFacts, heads: Sequence[Head], bias: float) -> Aim:
        """So many nats on the place's tokens, as many less on all others, in some heads: what ``boost_suppress`` does
        where tokens are covered whole."""
        pushed = HeadSet(facts, heads, strength=bias, mode="boost_suppress", queries="generated")
        region = Box(place, 0, place + 1, 1)  # tells the places apart
        return Aim(Steering(pushed, region), self.targets[place], self.targets[place])

    def signs(self, place: int) -> NDArray[np.float32]:
        """(cells of all grids,) 1 on the place's tokens, -1 on the others."""
        return np.concatenate([np.where(each > 0, 1, -1).ravel() for each in self.targets[place]]).astype(np.float32)


def of_item(model: Model, item: Item, prompt: str) -> Forced:
    """An image and the captions of its places. ImageError, LabelsError, ContextError of the model."""
    scene = item.look(model)
    layout = View(scene, prompt).layout()
    targets = [tuple((each > 0).astype(np.float32) for each in scene.target(Box(*box))) for box in item.boxes]
    return _forced(model, layout, item.answers, targets)


def of_text(model: Reader, segments: Sequence[str], prompt: str) -> Forced:
    """A text, whose segments are its places and their own captions. PromptError."""
    message = Message("user", ("\n".join(segments) + "\n\n" + prompt,))
    layout, shares = read_stretches(model.native, lay_out(model.native, model.template, [message], []), segments)
    targets = [((row >= SMALLEST_SHARE).astype(np.float32)[None],) for row in shares]
    return _forced(model, layout, segments, targets)


def _forced(model: Reader, layout: Layout, captions: Sequence[str], targets: Sequence[tuple[Map, ...]]) -> Forced:
    last = layout.items[-1]
    assert isinstance(last, int), "a prompt ends with text"
    answers = tuple(tuple(model.native.tokenize(caption, parse_special=False)) for caption in captions)
    return Forced(replace(layout, items=layout.items[:-1]), last, answers, tuple(targets))


@contextmanager
def forcing(model: Reader, forced: Forced) -> Iterator[Nats]:
    """Forces captions on a model, as often as they are wanted; the prompt is read once. The model is the caller's until
    the block ends. LookhereError of the model."""
    session = model.session
    sequence = KvSequence(forced.layout, room=max(map(len, forced.answers)))

    def nats(place: int, aim: Aim | None) -> NDArray[np.float64]:
        sequence.rewind()
        sequence.aim = aim
        tokens = forced.answers[place]
        session.step(sequence, forced.fed(place))
        with engine_errors("reading logits"):
            return np.array([nats_of(session.native.logits(row), token) for row, token in enumerate(tokens)])

    try:
        with session.turn():
            yield nats
    finally:
        sequence.closed = True
