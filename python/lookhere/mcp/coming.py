"""A model that a thread loads, while the host already talks to us."""

from __future__ import annotations

import threading
from collections.abc import Callable
from concurrent.futures import Future
from concurrent.futures import TimeoutError as NotYet

from ..model import Model


class ComingModel:
    """Loads at once, and once. Hosts give a server seconds to start, and a large model takes longer."""

    def __init__(self, load: Callable[[], Model], say: Callable[[str], object] = lambda text: None) -> None:
        """say: told why the model cannot be loaded."""
        self._found: Future[Model] = Future()
        # a daemon: nothing can call off a download, and the process ends all the same
        threading.Thread(target=self._load, args=(load, say), daemon=True, name="lookhere-load").start()

    def get(self, seconds: float) -> Model | None:
        """The model; None where it is not loaded after so many seconds. The error that loading it ended with."""
        try:
            return self._found.result(seconds)
        except NotYet:
            if self._found.done():  # loading it took too long for something else
                raise
            return None

    def close(self) -> None:
        """Frees it, if it is loaded."""
        if self._found.done() and self._found.exception() is None:
            self._found.result().close()

    def _load(self, load: Callable[[], Model], say: Callable[[str], object]) -> None:
        try:
            self._found.set_result(load())
        except BaseException as error:  # goes to whoever asks for the model
            say(f"Error: {error}")
            self._found.set_exception(error)
