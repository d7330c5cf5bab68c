"""Answers as JSON, both ways, strictly: what ``--json`` prints."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, cast, get_args

import numpy as np

from ..answers.answer import Answer, Finish, Step
from ..errors import OptionError
from ..schedule import Walk
from ..steering.push import MODES, QUERIES
from ..steering.steering import Steering
from ..strict import Entry
from ..tokens.frame import Frame
from ..tokens.gaze import Gaze
from ..tokens.grid import Map
from ..tokens.readback import Where
from .frame import frame_json, read_frame, read_where, shown_as
from .region import read_region

_FAR = 1e308


@dataclass(frozen=True)
class WordRecord:
    """A word, its steps (start <= index < stop), and where the model looked for it."""

    text: str
    start: int
    stop: int
    where: Where | None


@dataclass(frozen=True, eq=False)
class AnswerRecord:
    """What of an answer is written as JSON.

    model: its name. prompt_tokens, cached_tokens, answer_tokens: how many. steering: the object that says what acted,
    None for nothing. gaze: the mean over the answer, rounded to 6 digits.
    """

    text: str
    finish: Finish
    prompt: str
    model: str
    prompt_tokens: int
    cached_tokens: int
    answer_tokens: int
    steering: dict[str, Any] | None
    frames: tuple[Frame, ...]
    gaze: Gaze
    where: Where | None
    words: tuple[WordRecord, ...]

    @classmethod
    def of(cls, answer: Answer, model: str, frames: tuple[Frame, ...]) -> AnswerRecord:
        """The record of an answer. model: the name of the one that gave it. frames: of the images that were shown."""
        return cls(
            answer.text,
            answer.finish,
            answer.prompt,
            model,
            answer.prompt_tokens,
            answer.cached_tokens,
            len(answer.steps),
            steering_json(answer.steering) if answer.steering else None,
            frames,
            Gaze([each.round(6) for each in answer.gaze], answer.gaze.frames),
            answer.where(),
            tuple(WordRecord(word.text, word.start, word.stop, word.where()) for word in answer.words()),
        )

    def as_json(self) -> dict[str, Any]:
        """With one image ``image`` and ``grids``, with a text ``document`` and ``grids``; with several ``images``, each
        with its grids."""
        images = [frame_json(frame) for frame in self.frames]
        return {
            "text": self.text,
            "finish": self.finish,
            "prompt": self.prompt,
            "model": self.model,
            "tokens": {"prompt": self.prompt_tokens, "cached": self.cached_tokens, "answer": self.answer_tokens},
            "steering": self.steering,
            **(images[0] if len(images) == 1 else {"images": images}),
            "gaze": [[[round(float(value), 6) for value in row] for row in each] for each in self.gaze],
            "where": self.where and self.where.as_json(),
            "words": [
                {
                    "text": each.text,
                    "start": each.start,
                    "stop": each.stop,
                    "where": each.where and each.where.as_json(),
                }
                for each in self.words
            ],
        }


def read_answer(data: Any, what: str = "The answer") -> AnswerRecord:
    """What ``AnswerRecord.as_json`` wrote; OptionError names what is wrong and where. what: begins the messages."""
    entry = Entry(what, "", data, OptionError)
    one = isinstance(data, dict) and "images" not in data
    shown = {shown_as(data), "grids"} if one else {"images"}
    entry.keys({"text", "finish", "prompt", "model", "tokens", "steering", "gaze", "where", "words", *shown}, set())
    images = [entry] if one else list(entry.children("images"))
    for image in () if one else images:
        image.keys({shown_as(image.data), "grids"}, set())
    frames = tuple(map(read_frame, images))
    tokens = entry.child("tokens")
    tokens.keys({"prompt", "cached", "answer"}, set())
    return AnswerRecord(
        entry.text("text"),
        cast("Finish", entry.one_of("finish", "", get_args(Finish))),
        entry.text("prompt"),
        entry.text("model"),
        tokens.whole("prompt", 0),
        tokens.whole("cached", 0),
        tokens.whole("answer", 0),
        _steering(entry.child("steering")) if entry.has("steering") else None,
        frames,
        _gaze(entry, frames),
        read_where(entry.child("where")) if entry.has("where") else None,
        tuple(_word(each) for each in entry.children("words")),
    )


def step_json(step: Step, target: int, coverage: tuple[Map, ...]) -> dict[str, Any]:
    """One token of a scheduled text. target: which of the schedule, from 0. coverage: of that target, empty for free.

    on_target: the share of the heads' natural attention to the image that lies on the target; None where none is known.
    """
    return {
        "index": step.index,
        "token": step.token,
        "text": step.text,
        "target": target,
        "on_target": _share(step.gaze, coverage),
    }


def schedule_json(answer: Answer, walk: Walk, model: str, frame: Frame) -> dict[str, Any]:
    """The whole of a scheduled text: facts of the answer, the targets, and what acted on all of them."""
    told = AnswerRecord.of(answer, model, (frame,)).as_json()
    steerings = [aim.steering for aim in walk.aims if aim]
    return {
        **{key: told[key] for key in ("text", "finish", "prompt", "model", shown_as(told), "tokens")},
        "every": walk.schedule.every,
        "targets": [None if target is None else target.as_json() for target in walk.schedule.targets],
        "steering": steering_json(steerings[0], regions=False) if steerings else None,
    }


def steering_json(steering: Steering, *, regions: bool = True) -> dict[str, Any]:
    """What acts: the push, how many heads, and where they look unless that is left out."""
    push = steering.push
    where = {"fingerprint": steering.fingerprint, "regions": [region.as_json() for region in steering.regions]}
    return {
        **(where if regions else {}),
        **push.number,
        "mode": push.mode,
        "sharpness": push.sharpness,
        "queries": push.queries,
        "heads": len(steering.head_set.heads),
    }


def _steering(entry: Entry) -> dict[str, Any]:
    entry.keys({"fingerprint", "regions", "mode", "sharpness", "queries", "heads"}, {"strength", "share"})
    entry.text("fingerprint")
    entry.one_of("mode", "", MODES)
    entry.one_of("queries", "", QUERIES)
    entry.number("sharpness", 1.0, 1.0)
    entry.number("strength", 0.0, _FAR)
    entry.number("share", 0.0, 1.0)
    entry.whole("heads", 1)
    for region in entry.children("regions"):
        if isinstance(region.data, dict) and region.data.get("kind") == "mask":  # told by its sha256, not its values
            region.keys({"kind", "width", "height", "area", "sha256"}, {"weight", "image"})
        else:
            read_region(region)
    return dict(entry.data)


def _gaze(entry: Entry, frames: tuple[Frame, ...]) -> Gaze:
    grids = [grid for frame in frames for grid in frame.grids]
    try:
        maps = [np.array(each, np.float32) for each in entry.items("gaze")]
    except (TypeError, ValueError):
        entry.wrong("gaze", "rows of numbers for each grid")
    if maps and [each.shape for each in maps] != [(grid.rows, grid.cols) for grid in grids]:
        entry.wrong("gaze", "a map of rows x cols for each grid, or none")
    return Gaze(maps, frames if maps else ())


def _word(entry: Entry) -> WordRecord:
    entry.keys({"text", "start", "stop", "where"}, set())
    where = read_where(entry.child("where")) if entry.has("where") else None
    return WordRecord(entry.text("text"), entry.whole("start", 0), entry.whole("stop", 0), where)


def _share(gaze: Gaze, coverage: tuple[Map, ...]) -> float | None:
    every = sum(float(each.sum()) for each in gaze)
    if not coverage or every <= 0:
        return None
    on = sum(float(np.sum(each * share)) for each, share in zip(gaze, coverage, strict=True))
    return round(on / every, 6)
