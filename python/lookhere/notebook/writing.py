"""An answer in the making, in a thread of its own, that tells a widget what it says as it goes."""

from __future__ import annotations

import sys
import threading
from collections.abc import Callable, Mapping
from typing import Any, TypeAlias

from ..answers.answer import Answer, Step
from ..answers.run import Run
from ..cancel import CancelFlag
from ..errors import CancelledError, LookhereError
from ..regions.region import Region
from ..scenes.scene import Scene
from ..wire.attention import map_json
from ..wire.region import region_json
from ..wire.told import answer_json, images_json

Message: TypeAlias = dict[str, Any]
"""What the widget's JavaScript takes: begun, chunk, moved, ended or error, each with the id of the answer."""


class Writing:
    """Begins at once. tell: takes each message. options: those of ``Scene.stream``.

    answer: once it is finished. error: what it ended with instead. story: every message up to now.
    """

    def __init__(
        self,
        number: int,
        scene: Scene,
        question: str,
        region: Region | None,
        options: Mapping[str, Any],
        tell: Callable[[Writing, Message], None],
    ) -> None:
        self.number = number
        self.answer: Answer | None = None
        self.error: Exception | None = None
        self.story: list[Message] = []
        self._scene, self._question, self._region, self._options = scene, question, region, options
        self._tell_widget = tell
        self._flag = CancelFlag()
        self._lock = threading.Lock()
        self._moves: list[Region | None] = []
        self._moved = 0
        self._over = False
        self._done = threading.Event()
        _thread_kind()(target=self._work, name="lookhere-widget", daemon=True).start()

    def look_at(self, region: Region | None) -> bool:
        """Moves the gaze: the next token obeys. False where the answer has ended."""
        with self._lock:
            if not self._over:
                self._moves.append(region)
            return not self._over

    def stop(self) -> None:
        """Ends it within one batch."""
        self._flag.set()

    def wait(self, seconds: float | None = None) -> bool:
        """Until it has ended; False where it takes longer."""
        return self._done.wait(seconds)

    def _work(self) -> None:
        try:
            self._tell("begun", question=self._question, region=_json(self._region))
            try:
                self._write()
            finally:
                with self._lock:
                    self._over = True
        except CancelledError:
            self._tell("ended", stopped=True)
        except Exception as error:  # shown where the answer would stand; ``wait`` raises it
            self.error = error
            self._tell("error", message=str(error) if isinstance(error, LookhereError) else repr(error))
        finally:
            self._over = True
            self._done.set()

    def _write(self) -> None:
        steps: list[Step] = []
        with self._scene.stream(self._question, at=self._region, cancel=self._flag, **self._options) as run:
            while run.finish is None:
                self._move(run)
                step = next(run, None)
                if step is None:
                    break
                steps.append(step)
                self._tell("chunk", chunk=_chunk(step, self._moved))
        if run.finish == "cancelled":
            self._tell("ended", stopped=True)
            return
        self.answer = run.answer(steps)
        told = answer_json(self.answer, self._scene.model.name, where=False)
        self._tell("chunk", chunk={"choices": [], "lookhere": told})
        self._tell("ended", stopped=False)

    def _move(self, run: Run) -> None:
        """To the last of the places that were named since the token before."""
        with self._lock:
            named, self._moves = self._moves, []
        if named:
            run.look_at(named[-1])
            self._moved += 1
            self._tell("moved", region=_json(named[-1]))

    def _tell(self, kind: str, **more: Any) -> None:
        message = {"type": kind, "id": self.number, **more}
        self.story.append(message)
        self._tell_widget(self, message)


def _chunk(step: Step, move: int) -> Message:
    """A token, as the server's streams tell it."""
    gaze = step.reading or step.gaze
    told: Message = {"index": step.index, "move": move, "gaze": [map_json(each, "float16") for each in gaze]}
    if step.index == 0 and gaze:
        told["images"] = images_json(gaze.frames)
    return {"choices": [{"delta": {"content": step.text}}], "lookhere": told}


def _json(region: Region | None) -> Message | None:
    return None if region is None else region_json(region)


def _thread_kind() -> Any:
    """marimo's own threads, where it runs: what they tell reaches its page."""
    marimo = sys.modules.get("marimo")
    return marimo.Thread if marimo is not None and marimo.running_in_notebook() else threading.Thread
