"""Read-back as tables: whose gaze, over what, and how often it finds the place."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from .experiments import TITLES
from .figures import CORPORA, Figure, Value

if TYPE_CHECKING:
    from .evaluation import Evaluation

COLUMNS = ("", "looks", "peak in the box", "centre in the box", "overlap (IoU)")


@dataclass(frozen=True)
class ReadTable:
    """One question. rows: an arm, how many looks (answers or words), and three values with their intervals."""

    title: str
    rows: tuple[tuple[str, int, Value, Value | None, Value | None], ...]


def read_tables(evaluation: Evaluation) -> list[ReadTable]:
    """In the order in which they were asked: corpus by corpus."""
    found = []
    for corpus, _, where in CORPORA:
        figures = evaluation.some(group="reading", corpus=corpus)
        for protocol in dict.fromkeys(figure.protocol for figure in figures):
            rows = tuple(_row(figure) for figure in figures if figure.protocol == protocol and figure.asked)
            if rows:
                found.append(ReadTable(f"{TITLES[protocol].capitalize()}{where}", rows))
    return found


def _row(figure: Figure) -> tuple[str, int, Value, Value | None, Value | None]:
    return figure.arm, figure.asked, figure.right, figure.centred, figure.iou
