"""The text of an answer as it grows: bytes of tokens in, valid text out, stop texts held back."""

from __future__ import annotations

import codecs
from collections.abc import Sequence


class Transcript:
    """Joins the bytes of tokens to text.

    What ``feed`` and ``finish`` return, joined, is the text of all bytes (malformed UTF-8 becomes U+FFFD) up to the
    stop text that is completed first. Bytes of an unfinished character and text that may begin a stop text wait for
    what follows.
    """

    def __init__(self, stop: Sequence[str] = ()) -> None:
        self._stop = tuple(stop)
        self._decoder = codecs.getincrementaldecoder("utf-8")(errors="replace")
        self._held = ""
        self._stopped = False

    @property
    def stopped(self) -> bool:
        """True once a stop text was met; nothing follows then."""
        return self._stopped

    def feed(self, piece: bytes) -> str:
        """The text that is certain after one more token; may be empty."""
        return self._release(self._decoder.decode(piece))

    def finish(self) -> str:
        """The text that was held back, at the end of an answer."""
        text = self._release(self._decoder.decode(b"", final=True))
        rest, self._held = self._held, ""
        return text + rest

    def _release(self, text: str) -> str:
        if self._stopped:
            return ""
        self._held += text
        found = [at for at in (self._held.find(stop) for stop in self._stop) if at >= 0]
        if found:
            self._stopped = True
            out, self._held = self._held[: min(found)], ""
            return out
        wait = max((_beginning(self._held, stop) for stop in self._stop), default=0)
        cut = len(self._held) - wait
        out, self._held = self._held[:cut], self._held[cut:]
        return out


def _beginning(text: str, stop: str) -> int:
    """How many characters at the end of text are the beginning of stop."""
    for length in range(min(len(stop) - 1, len(text)), 0, -1):
        if text.endswith(stop[:length]):
            return length
    return 0
