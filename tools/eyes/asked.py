"""Several questions about one image and several answers to each, in one sequence: each sees what it would alone."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import torch
from language import AFTER, END, Language

IMAGE = -1  # stands for an id
STEP = 32  # lengths are multiples: a matrix product in bfloat16 is compiled for each shape, in seconds and megabytes


@dataclass
class Asked:
    """prompt: the question. answers: texts, each with the region that it tells, -1 where it tells several."""

    prompt: str
    answers: Sequence[tuple[str, int]]


@dataclass
class Batch:
    """x (n, l, width); positions (n, l); mask (n, 1, l, prefix + l); of each token to predict: image, place in the
    sequence, id, region, question (by number within the image), answer, and whether it is an answer's first."""

    x: torch.Tensor
    positions: torch.Tensor
    mask: torch.Tensor
    told: torch.Tensor


class _Sequence:
    def __init__(self) -> None:
        self.ids: list[int] = []
        self.positions: list[int] = []
        self.part: list[int] = []
        self.sees: list[list[int]] = []
        self.told: list[tuple[int, ...]] = []

    def add(self, ids: Sequence[int], after: Sequence[int], start: int) -> int:
        """A part that sees itself and the parts `after` which it stands -> its number."""
        me = len(self.sees)
        begin = start + sum(1 for part in self.part if part in after)
        self.ids += ids
        self.positions += range(begin, begin + len(ids))
        self.part += [me] * len(ids)
        self.sees.append([*after, me])
        return me


def _sequence(lm: Language, count: int, asked: Sequence[Asked]) -> _Sequence:
    s, start = _Sequence(), len(lm.before)
    image = s.add([IMAGE] * count, [], start)
    for number, question in enumerate(asked):
        prompt = s.add([*lm.tokens(END), *lm.tokens(question.prompt), *lm.tokens(AFTER)], [image], start)
        last = len(s.ids) - 1
        for which, (text, region) in enumerate(question.answers):
            body = [*lm.tokens(text), lm.end]
            first = len(s.ids)
            s.add(body[:-1], [image, prompt], start)
            for j, target in enumerate(body):
                s.told.append((last if j == 0 else first + j - 1, target, region, number, which, int(j == 0)))
    return s


def batch(lm: Language, image: torch.Tensor, asked: Sequence[Sequence[Asked]]) -> Batch:
    """image (n, count, width), of the eyes; asked[i]: about image i."""
    n, count, _ = image.shape
    rows = [_sequence(lm, count, each) for each in asked]
    length, before = -(-max(len(s.ids) for s in rows) // STEP) * STEP, len(lm.before)
    ids = torch.zeros(n, length, dtype=torch.long)
    positions = torch.zeros(n, length, dtype=torch.long)
    mask = torch.zeros(n, 1, length, before + length, dtype=torch.bool)
    mask[..., :before] = True
    told = []
    causal = torch.ones(length, length, dtype=torch.bool).tril()
    for i, s in enumerate(rows):
        k = len(s.ids)
        ids[i, :k], positions[i, :k] = torch.tensor(s.ids).clamp(min=0), torch.tensor(s.positions)
        sees = torch.zeros(len(s.sees), len(s.sees), dtype=torch.bool)
        for part, others in enumerate(s.sees):
            sees[part, others] = True
        part = torch.tensor(s.part)
        mask[i, 0, :k, before:before + k] = sees[part][:, part] & causal[:k, :k]
        told += [(i, *row) for row in s.told]
    x = torch.cat((image.to(lm.dtype), lm.embed[ids[:, count:]]), 1)
    return Batch(x, positions, mask, torch.tensor(told))
