"""Long answers taken apart: which caption begins at which token; narrations whose gaze is moved by a schedule."""

from __future__ import annotations

import bisect
import itertools
import random
import re
from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass

import numpy as np

from .. import questions
from .arms import Arm
from .outcome import Pick
from .picture import Picture
from .protocols import answer_tokens

EVERY = 50
"""Tokens between two moves of the gaze, as in the paper."""


@dataclass(frozen=True)
class Said:
    """A caption of a narration: tokens start to stop (from 0, half open). whole: it came to its end."""

    text: str
    start: int
    stop: int
    whole: bool


@dataclass(frozen=True)
class Segment:
    """What was said while the gaze was on one panel.

    described: by judge, the panel that most whole captions which begin in it were taken for. switch: by judge, tokens
    from the move to the beginning of the first caption about the new panel, None where there is none.
    """

    target: int
    text: str
    described: Mapping[str, Pick]
    switch: Mapping[str, int | None]


def captions_of(pieces: Sequence[str]) -> list[Said]:
    """The captions in the texts of tokens: each ends with its line, or with a full stop before a space."""
    text = "".join(pieces)
    ends = list(itertools.accumulate(map(len, pieces)))
    found = []
    for match in re.finditer(r"\S[^\n]*?(?:[.!?](?=\s)|(?=\n)|$)", text):
        if re.search(r"[^\W\d_]{2}", match[0]):
            start = bisect.bisect_right(ends, match.start())
            stop = bisect.bisect_right(ends, match.end() - 1) + 1
            whole = match.end() < len(text) or match[0][-1] in ".!?"
            found.append(Said(match[0].strip(), start, stop, whole))
    return found


def derangement(panels: int, seed: int) -> tuple[int, ...]:
    """A random order of panels in which none stands at its own place; (0,) for one panel."""
    rng = random.Random(f"schedule/{seed}")
    order = list(range(panels))
    while panels > 1 and any(place == panel for place, panel in enumerate(order)):
        rng.shuffle(order)
    return tuple(order)


def narrate_pointed(picture: Picture, arm: Arm, schedule: Sequence[int], *, every: int = EVERY) -> list[str]:
    """The texts of the tokens of a narration; after each ``every`` tokens the gaze goes on in the schedule.

    The last panel gets some tokens more, so that the caption under way can end. The arm must point by steering, or not
    at all.
    """
    views = [arm.view(picture, picture.places[panel], questions.POINTED) for panel in schedule]
    pieces = []
    limit = every * len(views) + answer_tokens(picture.model, picture.captions)
    with picture.scene.stream(views[0].prompt, at=views[0].at, max_tokens=limit, gaze=False) as run:
        for step in run:
            pieces.append(step.text)
            turn, rest = divmod(step.index + 1, every)
            if rest == 0 and turn < len(views) and run.finish is None:
                run.look_at(views[turn].at)
    return pieces


def segments(
    said: Sequence[Said], picks: Mapping[str, Sequence[Pick]], schedule: Sequence[int], *, every: int = EVERY
) -> list[Segment]:
    """One per panel of the schedule. picks: by judge, one per caption in ``said``."""
    found = []
    for turn, target in enumerate(schedule):
        begun = [index for index, each in enumerate(said) if each.start // every == turn]
        whole = [index for index in begun if said[index].whole]
        described: dict[str, Pick] = {}
        switch: dict[str, int | None] = {}
        for judge, named in picks.items():
            described[judge] = _most(named[index] for index in whole)
            arrived = (said[index].start - turn * every for index in begun if named[index] == target)
            switch[judge] = next(arrived, None)
        found.append(Segment(target, "\n".join(said[index].text for index in begun), described, switch))
    return found


def spearman(schedule: Sequence[int], described: Sequence[Pick]) -> float:
    """Rank correlation of the panels that were to be described with those that were, over the segments where the
    latter is known; 0 where these are fewer than two or all the same. Formula: Pearson's of average ranks."""
    pairs = [(want, got) for want, got in zip(schedule, described, strict=True) if isinstance(got, int)]
    if len(pairs) < 2:
        return 0.0
    wanted, got = (_ranks([pair[side] for pair in pairs]) for side in (0, 1))
    if np.ptp(wanted) == 0 or np.ptp(got) == 0:
        return 0.0
    return float(np.corrcoef(wanted, got)[0, 1])


def _ranks(values: Sequence[int]) -> np.ndarray[tuple[int, ...], np.dtype[np.float64]]:
    array = np.asarray(values)
    return np.asarray([(array < value).sum() + ((array == value).sum() - 1) / 2 for value in values], float)


def _most(picks: Iterable[Pick]) -> Pick:
    """The panel that is named most often, the first of equals; else junk if all is junk; else none."""
    listed = list(picks)
    panels = Counter(pick for pick in listed if isinstance(pick, int))
    if panels:
        return panels.most_common(1)[0][0]
    return "junk" if listed and all(pick == "junk" for pick in listed) else "none"
