"""The line of an answer: what is kept of it."""

from __future__ import annotations

import json
from typing import Any

from ..answers.answer import Answer
from ..answers.ask import Ask
from ..steering.steering import Steering
from ..wire.answer import AnswerRecord
from .row import Row


def answer_line(row: Row, ask: Ask, answer: Answer, model: str, *, full: bool) -> dict[str, Any]:
    """id, image, regions, prompt, text, finish, tokens, where, and in ``ask`` the row's digest.

    full: with ``answer``, all that ``lookhere describe --json`` prints, which ``read_answer`` of the wire reads.
    """
    regions = ask.at.regions if isinstance(ask.at, Steering) else ask.at or ()
    where = answer.where()
    line: dict[str, Any] = {
        "id": row.name,
        "image": row.image,
        "regions": [each.as_json() for each in regions],
        "prompt": answer.prompt,
        "text": answer.text,
        "finish": answer.finish,
        "tokens": {"prompt": answer.prompt_tokens, "answer": len(answer.steps)},
        "where": where and where.as_json(),
        "ask": row.digest,
    }
    if full:
        frames = (answer.reading or answer.gaze).frames
        line["answer"] = AnswerRecord.of(answer, model, frames).as_json()
    return line


def packed(line: dict[str, Any]) -> bytes:
    """As a line of JSON Lines in UTF-8."""
    return json.dumps(line, ensure_ascii=False).encode(errors="backslashreplace") + b"\n"
