"""Images that rows ask about one after another: each is looked at once."""

from __future__ import annotations

import threading
from collections import OrderedDict
from concurrent.futures import Future
from dataclasses import replace

from ..answers.ask import Ask
from ..cancel import CancelFlag
from ..kv.reader import ROWS
from ..model import Model
from ..prompt.message import ImagePart, Message
from ..scenes.scene import Scene

_KEPT = ROWS // 2 + 1
"""Images that are held although nobody may ask about them now: the rows of an image come together, and of those that
are answered at a time, so many images may have a second one."""


class Looked:
    """Scenes by the name of their image, for any thread."""

    def __init__(self, model: Model, flag: CancelFlag) -> None:
        self._model, self._flag = model, flag
        self._lock = threading.Lock()
        self._kept: OrderedDict[str, Future[Scene]] = OrderedDict()

    def ready(self, ask: Ask) -> Ask:
        """The ask with its image looked at, where it has one image with a name. Errors of ``Model.look``."""
        shown = [part for message in ask.messages for part in message.shown]
        if len(shown) != 1 or not isinstance(shown[0], ImagePart) or not isinstance(shown[0].source, str):
            return ask
        scene = ImagePart(self._scene(shown[0].source))
        messages = [
            Message(each.role, tuple(scene if part is shown[0] else part for part in each.parts))
            for each in ask.messages
        ]
        return replace(ask, messages=tuple(messages))

    def _scene(self, name: str) -> Scene:
        with self._lock:
            future = self._kept.get(name)
            mine = future is None
            if future is None:
                future = self._kept[name] = Future()
                while len(self._kept) > _KEPT:
                    self._kept.popitem(last=False)
        if mine:
            try:
                future.set_result(Scene.of(self._model, name, self._flag))
            except BaseException as error:  # goes to each row that asks about it
                future.set_exception(error)
        return future.result()
