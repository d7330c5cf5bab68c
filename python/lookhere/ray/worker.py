"""What a worker does: it loads the model once, and answers groups of rows."""

from __future__ import annotations

import json
from collections.abc import Iterable, Mapping
from dataclasses import asdict, dataclass
from typing import Any

from ..answers.ask import Ask
from ..batch.answering import Outcome, answer_each
from ..batch.failure import Failure
from ..batch.line import answer_line, packed
from ..batch.row import Row
from ..batch.settings import settings_of
from ..loading.load import load
from .opener import opener


@dataclass(frozen=True)
class Task:
    """What is the same for all rows. loading: arguments of ``lookhere.load``. images: the folder of the images.
    prompt: for rows without one, None for the model's own. options: of asks that do not say otherwise. full: whether
    all of an answer is kept."""

    loading: Mapping[str, Any]
    images: str
    prompt: str | None
    options: Mapping[str, Any]
    full: bool


@dataclass(frozen=True)
class Told:
    """What came of a group: (number of the row, its line) each, what failed, and what it was made with."""

    answers: tuple[tuple[int, str], ...]
    failures: tuple[Failure, ...]
    settings: Mapping[str, str]

    def packed(self) -> str:
        """As text, to be sent."""
        return json.dumps(asdict(self))

    @classmethod
    def of(cls, text: str) -> Told:
        """What ``packed`` gave."""
        data = json.loads(text)
        answers = tuple((number, line) for number, line in data["answers"])
        return cls(answers, tuple(Failure(**each) for each in data["failures"]), data["settings"])


def group(rows: Iterable[Row]) -> str:
    """Rows as text, to be sent."""
    return json.dumps([[each.number, each.what, each.data] for each in rows])


class Worker:
    """An actor of Ray Data: one model that stays loaded."""

    def __init__(self, task: Task) -> None:
        self._task = task
        self._model = load(**task.loading)
        self._question = self._model.prompt if task.prompt is None else task.prompt
        self._settings = settings_of(self._model, self._question, task.options, full=task.full)
        self._opened = opener(task.images)

    def __call__(self, batch: Mapping[str, Any]) -> dict[str, list[str]]:
        """group: texts of ``group``. -> told: as many of ``Told``."""
        return {"told": [self._told(str(each)).packed() for each in batch["group"]]}

    def _told(self, text: str) -> Told:
        rows = {number: Row.of(number, what, data) for number, what, data in json.loads(text)}
        answers: list[tuple[int, str]] = []
        failures: list[Failure] = []

        def ask_of(row: Row) -> Ask:
            return row.ask(self._question, self._task.options, self._opened)

        def take(outcomes: list[Outcome]) -> None:
            for each in outcomes:
                if each.error is None:
                    line = answer_line(*each.whole, self._model.name, full=self._task.full)
                    answers.append((each.number, packed(line).decode()))
                else:
                    row = rows[each.number]
                    failures.append(Failure.of(row.number, row.what, row.name, each.error))

        answer_each(self._model, rows, rows.__getitem__, ask_of, take)
        return Told(tuple(sorted(answers)), tuple(sorted(failures, key=lambda each: each.number)), self._settings)
