"""A language model as a judge, behind an OpenAI-compatible address that the user names."""

from __future__ import annotations

import http.client
import json
import re
import time
import urllib.error
import urllib.request
from collections.abc import Sequence
from typing import Any

from ..errors import JudgeError
from .judging import degenerate
from .outcome import Pick
from .reply import Reply

TRIES = 3
TIMEOUT = 60.0
"""Seconds for one question."""
_BUSY = {408, 409, 429, 500, 502, 503, 504}

_TASK = (
    "You match an answer to the caption that it describes. Reply with one number and nothing else: the number of the "
    "caption, or 0 if the answer fits none of them, or fits several equally well."
)


class Endpoint:
    """Asks ``address``/chat/completions, temperature 0, once per different answer.

    address: http or https, with or without /chat/completions at its end. model: the name to ask for. key: sent as a
    bearer token, None for none. pause: seconds before the first repetition where the server is busy, doubled each time.
    """

    def __init__(self, address: str, model: str, key: str | None = None, *, pause: float = 1.0) -> None:
        if not re.match(r"https?://[^/]", address):
            raise JudgeError(f"The judge {address!r} is no address; expected http:// or https:// and a host.")
        base = address.rstrip("/")
        self.address = base if base.endswith("/chat/completions") else f"{base}/chat/completions"
        self.name = f"{model} at {base}"
        self._model, self._key, self._pause = model, key, pause
        self._known: dict[tuple[str, tuple[str, ...]], Pick] = {}

    def picks(self, replies: Sequence[Reply], captions: Sequence[str]) -> list[Pick | None]:
        """One per reply. JudgeError where the endpoint does not answer, or not with a number."""
        picks: list[Pick | None] = []
        for reply in replies:
            key = (reply.text, tuple(captions))
            if key not in self._known:
                self._known[key] = "junk" if degenerate(reply.text) else self._ask(reply.text, captions)
            picks.append(self._known[key])
        return picks

    def _ask(self, answer: str, captions: Sequence[str]) -> Pick:
        listed = "\n".join(f"{number}. {caption}" for number, caption in enumerate(captions, 1))
        said = self._post(f"Captions:\n{listed}\n\nAnswer: {answer.strip()}\n\nNumber:")
        found = re.search(r"\d+", said)
        if found is None or int(found[0]) > len(captions):
            raise JudgeError(
                f"{self.name} said {said[:80]!r}; expected a number from 0 to {len(captions)}. Use a model that "
                "follows instructions."
            )
        return "none" if int(found[0]) == 0 else int(found[0]) - 1

    def _post(self, question: str) -> str:
        body = {
            "model": self._model, "temperature": 0, "max_tokens": 16,
            "messages": [{"role": "system", "content": _TASK}, {"role": "user", "content": question}],
        }  # fmt: skip
        headers = {"Content-Type": "application/json", "User-Agent": "lookhere"}
        if self._key:
            headers["Authorization"] = f"Bearer {self._key}"
        request = urllib.request.Request(self.address, json.dumps(body).encode(), headers)
        for attempt in range(TRIES):
            try:
                with urllib.request.urlopen(request, timeout=TIMEOUT) as response:
                    return _content(json.load(response), self.name)
            except urllib.error.HTTPError as error:
                with error:
                    words = error.read(300).decode(errors="replace").strip()
                if error.code not in _BUSY or attempt == TRIES - 1:
                    raise JudgeError(
                        f"The judge {self.address} answers {error.code} {error.reason}: {words or 'no reason given'}. "
                        "Check the address, --judge-model and --judge-key-env."
                    ) from error
            except (OSError, http.client.HTTPException) as error:
                if attempt == TRIES - 1:
                    raise JudgeError(f"The judge {self.address} cannot be reached: {error}.") from error
            except ValueError as error:
                raise JudgeError(f"The judge {self.address} does not answer in JSON: {error}.") from error
            time.sleep(self._pause * 2**attempt)
        raise JudgeError(f"The judge {self.address} was not asked.")  # TRIES is at least 1


def _content(data: Any, name: str) -> str:
    try:
        return str(data["choices"][0]["message"]["content"] or "")
    except (KeyError, IndexError, TypeError) as error:
        raise JudgeError(f"{name} does not answer as OpenAI's chat completions do: {str(data)[:80]!r}.") from error
