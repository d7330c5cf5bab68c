"""What is told beside the text of an answer that is streamed: what acted, on what, and where the model looked."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from ..answers.answer import Answer
from ..tokens.frame import Frame
from ..tokens.gaze import Gaze
from .answer import AnswerRecord

_KEPT = ("finish", "steering", "where", "words")


def answer_json(answer: Answer, model: str, *, where: bool = True) -> dict[str, Any]:
    """Why an answer ended, what acted, on which images, and, unless that is left out, where the model looked.

    The values are those of ``AnswerRecord.as_json``; ``images`` is a list whatever their number. model: its name.
    """
    record = AnswerRecord.of(answer, model, (answer.reading or answer.gaze).frames).as_json()
    kept = {key: record[key] for key in _KEPT[: None if where else 2]}
    return {**kept, "images": _images(record)}


def images_json(frames: Sequence[Frame]) -> list[dict[str, Any]]:
    """Of each image its size, and its token grids with what each covers."""
    record = AnswerRecord("", "end", "", "", 0, 0, 0, None, tuple(frames), Gaze(), None, ())
    return _images(record.as_json())


def _images(record: dict[str, Any]) -> list[dict[str, Any]]:
    if "images" in record:
        return list(record["images"])
    return [{key: record[key] for key in ("image", "document", "grids") if key in record}]
