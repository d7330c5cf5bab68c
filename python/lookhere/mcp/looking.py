"""What the tools do: from the arguments of a call to its result, with the model."""

from __future__ import annotations

import json
import time
from collections.abc import Callable, Sequence
from contextlib import suppress
from functools import partial
from typing import Any, TypeAlias

from .. import checks
from ..answers.answer import Answer
from ..cancel import CancelFlag
from ..errors import OptionError, RegionError
from ..model import Model
from ..regions.box import Panel
from ..regions.region import Region
from ..scenes.scene import Scene
from ..strict import Entry
from ..tokens.readback import Where
from ..wire.pointing import read_place
from .pictures import Pictures
from .tools import MOST_REGIONS, MOST_TOKENS, TOKENS, TOOLS

Question: TypeAlias = Callable[[Scene, Sequence[Region]], str]
"""What is asked about these places of an image where a call does not say."""

Tell: TypeAlias = Callable[[float, int], object]
"""Told how many answers are made, parts of one included, and of how many."""

Note: TypeAlias = Callable[[Scene], "str | None"]
"""What is to be known about answers of a model to an image, as that it does not know such images."""

EVERY = 1.0
"""Seconds from one word about progress to the next."""

_Asking: TypeAlias = Callable[..., "list[Answer]"]
"""Takes regions, a prompt and whether to zoom."""


class Looking:
    """The tools by their names. Blocks, and may be called from several threads: answers share batches."""

    def __init__(self, pictures: Pictures, question: Question, note: Note) -> None:
        self._pictures, self._question, self._note = pictures, question, note
        self._facts = {tool.name: tool for tool in TOOLS}
        self._does = {
            "describe_region": self._describe_region,
            "describe_regions": self._describe_regions,
            "where_is": self._where_is,
            "look_around": self._look_around,
        }

    def call(
        self,
        name: str,
        arguments: dict[str, Any],
        model: Model,
        flag: CancelFlag,
        tell: Tell = lambda done, total: None,
    ) -> dict[str, Any]:
        """The result of a call, as JSON. Errors of ours say what is wrong."""
        entry = self.read(name, arguments)
        scene = model.look(self._pictures.open(entry.text("image")), cancel=flag)
        ask = partial(_ask, scene, flag, tell, _tokens(entry))
        found = self._does[name](scene, entry, ask)
        return {**found, "image": {"width": scene.width, "height": scene.height}, "note": self._note(scene)}

    def read(self, name: str, arguments: dict[str, Any]) -> Entry:
        """The arguments; null stands for what is left out. OptionError for a tool or an argument that there is not."""
        facts = self._facts.get(name)
        if facts is None:
            raise OptionError(f"There is no tool {checks.short(name)}; expected one of {', '.join(self._facts)}.")
        given = {key: value for key, value in arguments.items() if value is not None or key in facts.needs}
        entry = Entry(name, "", given, OptionError)
        entry.keys(set(facts.needs), set(facts.takes))
        return entry

    def _describe_region(self, scene: Scene, entry: Entry, ask: _Asking) -> dict[str, Any]:
        region = self._region(entry, "region", entry.data["region"]) if entry.has("region") else None
        return self._answers(scene, [region], entry, ask)[0]

    def _describe_regions(self, scene: Scene, entry: Entry, ask: _Asking) -> dict[str, Any]:
        given = entry.items("regions")
        if not 1 <= len(given) <= MOST_REGIONS:
            raise RegionError(f"{entry.what}: regions are {len(given)}; expected 1 to {MOST_REGIONS}.")
        regions = [self._region(entry, f"regions[{index}]", each) for index, each in enumerate(given)]
        return {"answers": self._answers(scene, regions, entry, ask)}

    def _look_around(self, scene: Scene, entry: Entry, ask: _Asking) -> dict[str, Any]:
        rows, cols = (entry.whole(name, 1, MOST_REGIONS) if entry.has(name) else 3 for name in ("rows", "cols"))
        if rows * cols > MOST_REGIONS:
            raise RegionError(
                f"{entry.what}: {rows} rows of {cols} cells are {rows * cols}; expected {MOST_REGIONS} cells at most. "
                "Divide the image more coarsely, then look around in one cell with describe_regions."
            )
        panels = [Panel(row, col, rows, cols) for row in range(1, rows + 1) for col in range(1, cols + 1)]
        answers = self._answers(scene, panels, entry, ask)
        cells = []
        for panel, answer in zip(panels, answers, strict=True):
            box = panel.on(scene.width, scene.height)
            cells.append({
                "row": panel.row,
                "col": panel.col,
                "region": f"panel:{panel.row},{panel.col}/{rows},{cols}",
                "box": [round(value, 2) for value in (box.x0, box.y0, box.x1, box.y1)],
                **answer,
            })  # fmt: skip
        return {"cells": cells}

    def _where_is(self, scene: Scene, entry: Entry, ask: _Asking) -> dict[str, Any]:
        what = entry.text("what").strip().rstrip(".?!")
        if not what:
            entry.wrong("what", "what to find, as 'the red car'")
        scene.steering(Panel(1, 1))  # HeadSetMissingError, says what to do: without heads nothing tells where it looked
        prompt = entry.text("prompt") if entry.has("prompt") else f"Describe {what}."
        (answer,) = ask([None], prompt)
        words = [(word.text, word.where()) for word in answer.words()]
        return {
            **_said(answer),
            "words": [{"text": text, "box": where.as_json()["box"]} for text, where in words if where is not None],
        }

    def _answers(
        self, scene: Scene, regions: Sequence[Region | None], entry: Entry, ask: _Asking
    ) -> list[dict[str, Any]]:
        places = [region for region in regions if region is not None]
        prompt = entry.text("prompt") if entry.has("prompt") else self._question(scene, places)
        zoom = entry.flag("zoom", False)
        if zoom and None in regions:
            raise OptionError(f"{entry.what}: zoom enlarges what is around a region; give a region, or leave zoom out.")
        return [_said(answer) for answer in ask(regions, prompt, zoom=zoom)]

    def _region(self, entry: Entry, path: str, given: object) -> Region:
        """A region, as a text or an object; an object may come as the text of its JSON, as some hosts send it."""
        if isinstance(given, str) and given.lstrip().startswith("{"):
            with suppress(ValueError):
                given = json.loads(given)
        if not isinstance(given, (str, dict)):
            raise RegionError(
                f"{entry.what}: {path} is {checks.short(given)}; expected a text, as box:40,60,220,300 (left, top, "
                "right, bottom), box:10%,0%,50%,100%, point:120,90 or panel:3/6."
            )
        return read_place(Entry(entry.what, "", {path: given}, entry.error), path, pixels=self._pictures.pixels)[0]


def _ask(
    scene: Scene,
    flag: CancelFlag,
    tell: Tell,
    tokens: int,
    regions: Sequence[Region | None],
    prompt: str,
    *,
    zoom: bool = False,
) -> list[Answer]:
    """An answer for each region. Tells once a second how far they are, so that a host does not give up."""
    said, told = [0] * len(regions), time.monotonic()
    with scene.stream_all(regions, prompt, cancel=flag, zoom=zoom, max_tokens=tokens) as group:
        for place, step in group:
            said[place] = step.index + 1
            if time.monotonic() > told + EVERY:
                told = time.monotonic()
                parts = zip(group.finishes, said, strict=True)
                tell(sum(1.0 if finish else count / tokens for finish, count in parts), len(regions))
        return group.answers()


def _tokens(entry: Entry) -> int:
    return entry.whole("max_tokens", 1, MOST_TOKENS) if entry.has("max_tokens") else TOKENS


def _said(answer: Answer) -> dict[str, Any]:
    return {"text": answer.text, "finish": answer.finish, "looked_at": _place(answer.where())}


def _place(where: Where | None) -> dict[str, Any] | None:
    return None if where is None else where.as_json()
