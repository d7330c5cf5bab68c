"""An evaluation as tables, in Python and as CSV: one row per figure, and one row per answer."""

from __future__ import annotations

import csv
import io
import json
from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path
from typing import Any

from ..atomic import write_text
from .evaluation import Evaluation
from .figures import Figure
from .outcome import OUTCOMES

_VALUES = ("right", "unchanged", "right_and_changed", "perplexity", "taken", "rho", "centred", "iou")
FIGURES = (
    "corpus", "protocol", "arm", "group", "judge", "heads", "strength", "share", "mode", "queries", "strips", "asked",
    *OUTCOMES, *(f"{name}_{end}" for name in _VALUES for end in ("low", "high")), *_VALUES[1:], "moves", "arrived",
    "median_tokens",
)  # fmt: skip
ANSWERS = ("corpus", "protocol", "arm", "picture", "question", "target", "text", "outcome", "picks", "unchanged",
           "nats", "counted", "taken", "area", "image_tokens")  # fmt: skip


def write_csv(path: Path, evaluation: Evaluation) -> None:
    """A name that ends in .csv becomes the table of figures; any other a folder with figures.csv and answers.csv.

    OSError where that cannot be written.
    """
    if path.suffix.lower() == ".csv":
        write_text(path, _text(FIGURES, figure_rows(evaluation)))
        return
    path.mkdir(exist_ok=True)
    write_text(path / "figures.csv", _text(FIGURES, figure_rows(evaluation)))
    write_text(path / "answers.csv", _text(ANSWERS, answer_rows(evaluation)))


def figure_rows(evaluation: Evaluation) -> list[dict[str, Any]]:
    """A row for each figure, with all columns of ``FIGURES``, None where something was not measured."""
    return [_row(FIGURES, _figure(figure)) for figure in evaluation.figures]


def answer_rows(evaluation: Evaluation) -> list[dict[str, Any]]:
    """A row for each answer, with all columns of ``ANSWERS``, None where something was not measured: what was said,
    about which place, and its outcome (right, other, none, junk). picks: JSON, by judge."""
    return [_row(ANSWERS, row) for figure in evaluation.figures for row in _answers(figure)]


def _row(columns: Sequence[str], values: Mapping[str, Any]) -> dict[str, Any]:
    return {name: values.get(name) for name in columns}


def _figure(figure: Figure) -> dict[str, Any]:
    data = figure.as_dict()
    row = {name: data[name] for name in FIGURES if name in data and not isinstance(data[name], (list, dict))}
    row |= {name: value for name, value in data["setting"].items() if name in FIGURES}
    row["right_low"], row["right_high"] = data["interval"]
    for name in _VALUES[1:]:
        if name in data:
            row[name], row[f"{name}_low"], row[f"{name}_high"] = data[name]
    return row


def _answers(figure: Figure) -> Iterable[dict[str, Any]]:
    for picture, strip in enumerate(figure.records):
        for question, record in enumerate(strip):
            yield {
                "corpus": figure.corpus, "protocol": figure.protocol, "arm": figure.arm, "picture": picture,
                "question": question, "target": record.target, "text": record.text,
                "outcome": record.outcome(figure.judge), "picks": json.dumps(dict(record.picks)),
                "unchanged": record.unchanged, "nats": record.nats, "counted": record.counted, "taken": record.taken,
                "area": record.area, "image_tokens": record.image_tokens,
            }  # fmt: skip


def _text(columns: Sequence[str], rows: Iterable[Mapping[str, Any]]) -> str:
    file = io.StringIO()
    writer = csv.DictWriter(file, columns, lineterminator="\n")
    writer.writeheader()
    writer.writerows(rows)
    return file.getvalue()
