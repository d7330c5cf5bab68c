"""A figure: one arm of one protocol, all its answers strip by strip, and the numbers that are made of them."""

from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import dataclass, replace
from functools import cached_property
from statistics import median
from typing import Any, TypeAlias

import numpy as np

from .coco import SIZES, Size, size_of
from .intervals import over_strips, ratio_over_strips
from .narration import spearman
from .outcome import OUTCOMES, Outcome
from .reply import Record

Interval: TypeAlias = tuple[float, float]

CORPORA = (("fresh", "generated picture", ""), ("comics", "comic", ", comics"),
           ("coco", "image with labelled boxes", ", labelled boxes"))  # fmt: skip
"""What is reported by itself: a corpus, what one of it is called, what is added to a title. Seen strips stand beside
fresh ones."""


@dataclass(frozen=True)
class Value:
    """A number and its 95 % interval over strips."""

    value: float
    interval: Interval

    def as_list(self) -> list[float]:
        """Value, low, high; for JSON."""
        return [round(each, 5) for each in (self.value, *self.interval)]


@dataclass(frozen=True)
class Figure:
    """records: per strip, one per question. judge: whose picks count. corpus: seen, or one of CORPORA.

    setting: of the heads that were steered, empty for other arms.
    """

    protocol: str
    arm: str
    group: str
    corpus: str
    judge: str
    records: tuple[tuple[Record, ...], ...]
    setting: tuple[tuple[str, Any], ...] = ()

    @cached_property
    def outcomes(self) -> tuple[tuple[Outcome, ...], ...]:
        """By strip and question."""
        return tuple(tuple(each.outcome(self.judge) for each in strip) for strip in self.records)

    @property
    def asked(self) -> int:
        """How many questions."""
        return sum(map(len, self.records))

    def first(self, strips: int) -> Figure:
        """The same on the first strips alone."""
        return replace(self, records=self.records[:strips])

    def of_size(self, size: Size) -> Figure:
        """The same about places of one size alone, as COCO counts sizes."""
        kept = tuple(
            tuple(each for each in strip if each.area is not None and size_of(each.area) == size)
            for strip in self.records
        )
        return replace(self, records=kept)

    def of_tokens(self, least: float, most: float) -> Figure:
        """The same about places of least to less than most image tokens alone."""
        kept = tuple(
            tuple(each for each in strip if each.image_tokens is not None and least <= each.image_tokens < most)
            for strip in self.records
        )
        return replace(self, records=kept)

    def share(self, outcome: Outcome = "right") -> float:
        """Share of the questions with an outcome."""
        return sum(strip.count(outcome) for strip in self.outcomes) / max(self.asked, 1)

    @property
    def interval(self) -> Interval:
        """95 %, of the share that is right, over strips."""
        return over_strips([strip.count("right") for strip in self.outcomes], [len(strip) for strip in self.outcomes])

    @property
    def right(self) -> Value:
        """Share of right answers."""
        return Value(self.share(), self.interval)

    @property
    def unchanged(self) -> Value | None:
        """Share of answers that are the unsteered one again."""
        return self._share(lambda record: record.unchanged, lambda record: bool(record.unchanged))

    @property
    def right_and_changed(self) -> Value | None:
        """Share that is right where an answer that is the unsteered one counts as a miss (the paper's rule)."""
        judge = self.judge
        return self._share(
            lambda record: record.unchanged, lambda record: record.outcome(judge) == "right" and not record.unchanged
        )

    @property
    def perplexity(self) -> Value | None:
        """Of the answers under the unsteered model that is asked the same question about the whole image, per token."""
        nats = [sum(record.nats for record in strip if record.nats is not None) for strip in self.records]
        counts = [sum(record.counted for record in strip if record.nats is not None) for strip in self.records]
        if not sum(counts):
            return None
        low, high = ratio_over_strips(nats, counts)
        return Value(_exp(sum(nats) / sum(counts)), (_exp(low), _exp(high)))

    @property
    def taken(self) -> Value | None:
        """Attention that steering took from text, mean over answers."""
        known = [[record.taken for record in strip if record.taken is not None] for strip in self.records]
        if not any(known):
            return None
        sums, counts = [sum(strip) for strip in known], [len(strip) for strip in known]
        return Value(sum(sums) / sum(counts), ratio_over_strips(sums, counts))

    @property
    def rho(self) -> Value | None:
        """Spearman's rho of a dynamic narration, mean over strips."""
        if self.protocol != "dynamic" or not self.records:
            return None
        each = [
            spearman([record.target for record in strip], [record.picks[self.judge] for record in strip])
            for strip in self.records
        ]
        return Value(sum(each) / len(each), ratio_over_strips(each, [1] * len(each)))

    @property
    def followed(self) -> Value | None:
        """Share of the captions of a free narration during which the natural gaze is most on the panel that the caption
        is about, of those that can be attributed."""
        if self.protocol != "free":
            return None
        return self._share(
            lambda record: True if isinstance(record.picks[self.judge], int) and record.more.get("gaze") else None,
            lambda record: int(np.mean(record.more["gaze"], axis=0).argmax()) == record.picks[self.judge],
        )

    @property
    def centred(self) -> Value | None:
        """Read-back: share whose centre lies in the box."""
        return self._share(
            lambda record: "centre" in record.picks or None, lambda record: record.outcome("centre") == "right"
        )

    @property
    def iou(self) -> Value | None:
        """Read-back: intersection over union of the box that was read and the right one, mean."""
        known = [[record.more["iou"] for record in strip if "iou" in record.more] for strip in self.records]
        if not any(known):
            return None
        sums, counts = [sum(strip) for strip in known], [len(strip) for strip in known]
        return Value(sum(sums) / sum(counts), ratio_over_strips(sums, counts))

    @property
    def switches(self) -> tuple[int, list[int]]:
        """Moves of the gaze in dynamic narrations, and the tokens that each arrival took."""
        moves = [
            record.more["switch"][self.judge]
            for strip in self.records
            for record in strip[1:]
            if "switch" in record.more
        ]
        return len(moves), [tokens for tokens in moves if tokens is not None]

    def agreement(self, one: str, other: str) -> float | None:
        """Share of the answers that two judges take for the same caption (or both for none or junk)."""
        pairs = [
            (record.picks[one], record.picks[other])
            for strip in self.records for record in strip if one in record.picks and other in record.picks
        ]  # fmt: skip
        return sum(first == second for first, second in pairs) / len(pairs) if pairs else None

    def as_dict(self) -> dict[str, Any]:
        """For JSON; outcomes as one word of first letters per strip (right, other, none, junk)."""
        known = {
            name: getattr(self, name)
            for name in ("unchanged", "right_and_changed", "perplexity", "taken", "rho", "followed", "centred", "iou")
        }
        moves, arrived = self.switches
        return {
            "protocol": self.protocol, "arm": self.arm, "group": self.group, "corpus": self.corpus,
            "judge": self.judge, "setting": dict(self.setting), "strips": len(self.records), "asked": self.asked,
            **{outcome: round(self.share(outcome), 5) for outcome in OUTCOMES},
            "interval": [round(value, 5) for value in self.interval],
            **{name: value.as_list() for name, value in known.items() if value is not None},
            **({"moves": moves, "arrived": len(arrived), "median_tokens": median(arrived) if arrived else None}
               if moves else {}),
            **({"sizes": {size: [round(self.of_size(size).share(), 5), self.of_size(size).asked] for size in SIZES}}
               if self.corpus == "coco" else {}),
            "outcomes": ["".join(each[0] for each in strip) for strip in self.outcomes],
        }  # fmt: skip

    def _share(self, known: Callable[[Record], bool | None], hit: Callable[[Record], bool]) -> Value | None:
        strips = [[record for record in strip if known(record) is not None] for strip in self.records]
        counts = [len(strip) for strip in strips]
        if not sum(counts):
            return None
        hits = [sum(map(hit, strip)) for strip in strips]
        return Value(sum(hits) / sum(counts), over_strips(hits, counts))


def _exp(nats: float) -> float:
    return math.exp(min(nats, 700.0))
