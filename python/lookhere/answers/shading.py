"""The text of an answer for a notebook, word by word, tinted by how much the model looked at what it was pointed at."""

from __future__ import annotations

import re
from collections.abc import Sequence
from html import escape

from ..errors import RegionError
from ..images import markup
from ..regions.region import Region
from ..steering.steering import Steering
from ..tokens.coverage import coverage
from ..tokens.gaze import Gaze

_BEGINS = re.compile(r"[\s\u3040-\u30ff\u3400-\u9fff\uf900-\ufaff]")
"""What a token begins with that begins a word: a space, or a kana or Han character."""


def answer_html(
    text: str, texts: Sequence[str], readings: Sequence[Gaze], steering: Steering | None, finish: str
) -> str:
    """HTML: the text, tinted where it was steered, and a line about how it came to be.

    texts: what each token adds. readings: where the model looked for it.
    """
    told = f"{len(texts)} tokens, {finish}"
    words = escape(text)
    if steering is not None:
        told += f", {steering!r}; a word is the deeper tinted the more of its gaze fell there"
        words = shaded(texts, readings, steering.regions) if "".join(texts) == text else words
    return markup.prose(words) + markup.small(told)


def shaded(texts: Sequence[str], readings: Sequence[Gaze], regions: Sequence[Region]) -> str:
    """HTML; without a target, a gaze, or with several images the bare text.

    texts: what each token adds. readings: where the model looked for it. regions: the target.
    """
    words: list[tuple[str, list[Gaze]]] = []
    for text, reading in zip(texts, readings, strict=True):
        if not words or _BEGINS.match(text):
            words.append(("", []))
        before, gazes = words[-1]
        words[-1] = before + text, [*gazes, reading]
    target = _target(readings, regions)
    return "".join(markup.tinted(text, _share(gazes, target) or 0.0) for text, gazes in words)


def on_target(readings: Sequence[Gaze], regions: Sequence[Region]) -> list[float | None]:
    """The share of each gaze that lies on the regions; None where that is not known."""
    target = _target(readings, regions)
    return [_share([gaze], target) for gaze in readings]


def _target(readings: Sequence[Gaze], regions: Sequence[Region]) -> Gaze | None:
    """What the regions cover of each token grid; None where that is not known."""
    frame = next((gaze.frame for gaze in readings if gaze.frame is not None), None)
    if frame is None or not regions:
        return None
    try:
        return Gaze(coverage(frame.placed(regions), frame.grids), (frame,))
    except RegionError:  # made for another image, by hand
        return None


def _share(gazes: Sequence[Gaze], target: Gaze | None) -> float | None:
    """Of several gazes together."""
    if target is None:
        return None
    known = [gaze for gaze in gazes if gaze and gaze.frames == target.frames]
    total = sum(float(each.sum()) for gaze in known for each in gaze)
    on = sum(float((each * share).sum()) for gaze in known for each, share in zip(gaze, target, strict=True))
    return min(max(on / total, 0.0), 1.0) if total > 0 else None
