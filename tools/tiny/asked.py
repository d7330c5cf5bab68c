"""Asked: questions about strips and their answers, as tokens."""

from __future__ import annotations

import random
from collections.abc import Sequence
from dataclasses import dataclass

import lookhere_source  # noqa: F401
import torch
import world
from lookhere import questions
from torch import Tensor
from words import OPEN, SHORT, Words

ASTRAY = 0.4
"""Share of the answers to questions that name a panel in which a word of another panel stands in the place of its own.
It is given, not learned, so that the words said last cannot be what decides where to look next."""


@dataclass(frozen=True)
class Slot:
    """One question about each of n images, all of one length. ids, targets (n, length): what is read, and what is to be
    predicted there, -100 where nothing is; panel (n, length): that the next word tells, -1 where that is open. start:
    the question's last token. sure: whether one answer is right."""

    ids: Tensor
    targets: Tensor
    panel: Tensor
    start: int
    sure: bool


def ordinals(
    words: Words,
    after: Sequence[int],
    end: int,
    rng: random.Random,
    strips: Sequence[tuple[world.Parts, ...]],
    count: int,
    *,
    long: bool,
) -> list[Slot]:
    """Questions that name a panel; count: of each image, about different panels."""
    panels = len(strips[0])
    order = [rng.sample(range(panels), panels) for _ in strips]
    found = []
    for number in range(min(count, panels)):
        chosen = [each[number] for each in order]
        texts = [questions.ordinal(k, panels) if long else SHORT.format(k=questions.ORDINALS[k]) for k in chosen]
        found.append(_slot(words, after, end, rng, texts, strips, chosen, True))
    return found


def open_questions(words: Words, after: Sequence[int], end: int, rng: random.Random,
                   strips: Sequence[tuple[world.Parts, ...]], count: int) -> list[Slot]:  # fmt: skip
    """Questions that name none, each answered with a panel drawn at random: what chooses is the gaze."""
    panels = len(strips[0])
    return [
        _slot(
            words, after, end, rng, [text] * len(strips), strips, [rng.randrange(panels) for _ in strips], panels == 1
        )
        for text in (rng.choice(OPEN) for _ in range(count))
    ]


def _slot(words: Words, after: Sequence[int], end: int, rng: random.Random, texts: Sequence[str],
          strips: Sequence[tuple[world.Parts, ...]], chosen: Sequence[int], sure: bool) -> Slot:  # fmt: skip
    rows = []
    for text, parts, k in zip(texts, strips, chosen, strict=True):
        head = [*words.tokens(text), *after]
        body, given = _answer(words, rng, parts, k, ASTRAY if sure else 0.0)
        body = [*body, end]
        targets = [-100] * (len(head) - 1) + [-100 if each in given else token for each, token in enumerate(body)]
        panel = [-1] * (len(head) - 1) + [k] * len(body)
        if not sure:  # the first two words are told before a panel is chosen
            panel[len(head) - 1 : len(head) + 1] = [-1, -1]
        rows.append(([*head, *body[:-1]], targets, panel))
    ids, targets, panel = (torch.tensor([row[each] for row in rows]) for each in range(3))
    return Slot(ids, targets, panel, ids.shape[1] - len(body), sure)


def _answer(
    words: Words, rng: random.Random, parts: Sequence[world.Parts], k: int, astray: float
) -> tuple[list[int], set[int]]:
    """A caption's tokens, and the places of words that are given. Its words are tokens 1, 2 and 5."""
    own, given = list(parts[k]), set()
    if len(parts) > 1 and rng.random() < astray:
        place = rng.choice((0, 0, 1))
        other = [each[place] for each in parts if each[place] != own[place]]
        if other:
            own[place] = rng.choice(other)
            given.add(place + 1)
    colour, shape, place_name = own
    return words.tokens(world.caption((colour, shape, place_name))), given
