"""Kinds of heads side by side, as in the paper's main table: gaze, image, localization, random, all."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

from .figures import Figure, Value

if TYPE_CHECKING:
    from .evaluation import Evaluation

ARMS = ("gaze heads", "image heads", "localization heads", "random heads", "all heads")
PROTOCOLS = ("vqa", "static", "dynamic")


@dataclass(frozen=True)
class Kind:
    """One row. heads: how many; shared: how many of them are gaze heads too. vqa, static: share of right answers;
    vqa_moved: by the paper's rule, an unchanged answer being a miss. rho: Spearman's, of dynamic narrations.

    None where it was not measured. Of random heads: the mean over draws, and the lowest and the highest draw.
    """

    name: str
    heads: int
    shared: float
    vqa: Value | None
    vqa_moved: Value | None
    static: Value | None
    rho: Value | None


def kinds(evaluation: Evaluation) -> list[Kind]:
    """All rows, on the first strips, which all of them were asked about; [] without the two other kinds of heads."""
    found = {
        protocol: [each for each in evaluation.some(protocol=protocol) if each.group != "sweep" and each.setting]
        for protocol in PROTOCOLS
    }
    if not any(figure.arm == "image heads" for figures in found.values() for figure in figures):
        return []
    rows = []
    for arm in ARMS:
        by_protocol = {
            protocol: [each.first(_common(figures)) for each in figures if _is(arm, each)]
            for protocol, figures in found.items()
        }
        every = [each for figures in by_protocol.values() for each in figures]
        if not every:
            continue
        gaze = {name for figures in found.values() for each in figures if each.arm == ARMS[0] for name in _names(each)}
        shared = [len(gaze & _names(each)) for each in every]
        vqa, static, dynamic = (by_protocol[protocol] for protocol in PROTOCOLS)
        draws = len({each.arm for each in every})
        rows.append(Kind(
            arm if draws == 1 else f"{arm}, {draws} draws", len(_names(every[0])),
            sum(shared) / len(shared), _one([each.right for each in vqa]),
            _one([each.right_and_changed for each in vqa]), _one([each.right for each in static]),
            _one([each.rho for each in dynamic]),
        ))  # fmt: skip
    return rows


def _common(figures: Sequence[Figure]) -> int:
    return min((len(each.records) for each in figures), default=0)


def _is(arm: str, figure: Figure) -> bool:
    return figure.arm == arm or (arm == "random heads" and figure.arm.startswith("random heads"))


def _names(figure: Figure) -> set[str]:
    return set(str(dict(figure.setting).get("names", "")).split())


def _one(values: Sequence[Value | None]) -> Value | None:
    """A value as it is; of several the mean, from the lowest to the highest."""
    known = [each for each in values if each is not None]
    if len(known) <= 1:
        return known[0] if known else None
    numbers = [each.value for each in known]
    return Value(sum(numbers) / len(numbers), (min(numbers), max(numbers)))
