"""The text of an answer for a notebook, token by token, darker where the model looked at what it was pointed at."""

from __future__ import annotations

from collections.abc import Sequence
from html import escape

from ..errors import RegionError
from ..regions.region import Region
from ..tokens.coverage import coverage
from ..tokens.gaze import Gaze


def shaded(texts: Sequence[str], readings: Sequence[Gaze], regions: Sequence[Region]) -> str:
    """HTML; without a target, a gaze, or with several images the bare text.

    texts: what each token adds. readings: where the model looked for it. regions: the target.
    """
    shares = on_target(readings, regions)
    return "".join(
        f'<span style="background: rgba(245, 120, 40, {0.8 * share:.2f})">{escape(text)}</span>' if share is not None
        else escape(text)
        for text, share in zip(texts, shares, strict=True)
    )  # fmt: skip


def on_target(readings: Sequence[Gaze], regions: Sequence[Region]) -> list[float | None]:
    """The share of each gaze that lies on the regions; None where that is not known."""
    frame = next((gaze.frame for gaze in readings if gaze.frame is not None), None)
    if frame is None or not regions:
        return [None] * len(readings)
    try:
        target = coverage(frame.placed(regions), frame.grids)
    except RegionError:  # made for another image, by hand
        return [None] * len(readings)
    found: list[float | None] = []
    for gaze in readings:
        total = sum(float(each.sum()) for each in gaze) if gaze.frame == frame else 0.0
        on = sum(float((each * share).sum()) for each, share in zip(gaze, target, strict=False))
        found.append(min(max(on / total, 0.0), 1.0) if total > 0 else None)
    return found
