"""What became of an answer: which caption it was taken for, and whether that is right."""

from __future__ import annotations

from typing import Literal, TypeAlias

Pick: TypeAlias = int | Literal["none", "junk"]
"""Index of the caption that a text was taken for; none: it fits no caption, or several alike; junk: no language."""

Outcome: TypeAlias = Literal["right", "other", "none", "junk"]
"""The target; another caption of the picture; not to be attributed; no language."""

OUTCOMES: tuple[Outcome, ...] = ("right", "other", "none", "junk")


def outcome(pick: Pick, target: int) -> Outcome:
    """A pick, measured by the caption that would be right."""
    if isinstance(pick, str):
        return pick
    return "right" if pick == target else "other"
