"""How an answer is told: OpenAI's objects, with a field ``lookhere`` where the request has one."""

from __future__ import annotations

import re
import time
from collections.abc import AsyncIterator, Sequence
from typing import Any

import lookhere

from ..answers.answer import Answer, Finish
from ..errors import CancelledError
from ..tokens.gaze import GridMaps
from ..wire.attention import map_json
from ..wire.told import answer_json, images_json
from .answering import Answering, Said
from .events import DONE, SILENCE, event
from .fault import Fault
from .metrics import Metrics

EVERY = 15.0
"""Seconds of silence after which a comment is sent."""

FINISH = {"end": "stop", "stop": "stop", "length": "length", "context": "length", "cancelled": "stop"}
"""OpenAI's words for ours."""


class Reply:
    """Tells one answer. model: its name. told: whether the request has the field ``lookhere``. with_usage: whether a
    stream ends with the numbers of tokens. ignored: fields of the request that nobody knows."""

    def __init__(
        self,
        answering: Answering,
        model: str,
        metrics: Metrics,
        *,
        told: bool,
        with_usage: bool = False,
        ignored: Sequence[str] = (),
    ) -> None:
        self._answering = answering
        self._pointing = answering.pointing
        self._metrics = metrics
        self._told, self._with_usage = told, with_usage
        self.headers = {"x-lookhere-ignored": _names(ignored)} if ignored else {}
        self._begun = time.monotonic()
        self._model = model
        self._head = {
            "id": answering.id,
            "object": "chat.completion",
            "created": int(time.time()),
            "model": model,
            "system_fingerprint": f"lookhere-{lookhere.__version__}",
        }

    async def whole(self) -> dict[str, Any]:
        """The answer in one object. Raises what it ended with."""
        async for said in self._read(None):
            assert said is not None
        answer = self._answered()
        message = {"role": "assistant", "content": answer.text, "refusal": None}
        choice = {"index": 0, "message": message, "logprobs": None, "finish_reason": FINISH[answer.finish]}
        told = {"lookhere": self._summary(answer, gaze=True)} if self._told else {}
        return {**self._head, "choices": [choice], "usage": usage(answer), **told}

    async def chunks(self) -> AsyncIterator[dict[str, Any] | None]:
        """The answer in pieces; None after some time of silence. Raises what it ended with."""
        yield self._chunk({"role": "assistant", "content": ""})
        async for said in self._read(EVERY):
            if said is None:
                yield None
            elif self._told:
                yield self._chunk({"content": said.step.text}, told=self._token(said))
            elif said.step.text:
                yield self._chunk({"content": said.step.text})
        answer = self._answered()
        told = self._summary(answer, gaze=False) if self._told else None
        yield self._chunk({}, finish=answer.finish, told=told)
        if self._with_usage:
            yield {**self._head, "object": "chat.completion.chunk", "choices": [], "usage": usage(answer)}

    async def events(self) -> AsyncIterator[str]:
        """The pieces as server-sent events; an error is the last one."""
        try:
            async for chunk in self.chunks():
                yield SILENCE if chunk is None else event(chunk)
            yield DONE
        except Exception as error:  # the response has begun: its status cannot say it
            fault = Fault.of(error)
            self._metrics.failed(fault, error)
            yield event(fault.as_json())

    async def _read(self, every: float | None) -> AsyncIterator[Said | None]:
        first = True
        async for said in self._answering.read(every):
            if said is not None and first:
                first = False
                self._metrics.first_word(time.monotonic() - self._begun)
            yield said
        self._metrics.answered(self._answered(), time.monotonic() - self._begun)

    def _answered(self) -> Answer:
        if self._answering.answer is None:
            raise CancelledError("The answer was cancelled before its end.")
        return self._answering.answer

    def _chunk(
        self, delta: dict[str, Any], finish: Finish | None = None, told: dict[str, Any] | None = None
    ) -> dict[str, Any]:
        reason = None if finish is None else FINISH[finish]
        choice = {"index": 0, "delta": delta, "logprobs": None, "finish_reason": reason}
        return {
            **self._head,
            "object": "chat.completion.chunk",
            "choices": [choice],
            **({"usage": None} if self._with_usage else {}),
            **({} if told is None else {"lookhere": told}),
        }

    def _token(self, said: Said) -> dict[str, Any]:
        """What is told of one token."""
        step, pointing = said.step, self._pointing
        found: dict[str, Any] = {"index": step.index, "token": step.token, "move": said.move}
        if pointing.schedule is not None:
            found["target"] = said.target
        maps: dict[str, GridMaps] = {
            "gaze": step.reading or step.gaze, "steered_gaze": step.steered_gaze, "head_gaze": step.head_gaze,
        }  # fmt: skip
        for name, value in maps.items():
            if getattr(pointing, name):
                found[name] = [map_json(each, pointing.encoding) for each in value]
        if step.index == 0 and (frames := next((each.frames for each in maps.values() if each), ())):
            found["images"] = images_json(frames)
        if pointing.where:
            where = step.where()
            found["where"] = where and where.as_json()
        return found

    def _summary(self, answer: Answer, *, gaze: bool) -> dict[str, Any]:
        """What is told of the whole answer. gaze: whether with its mean map."""
        pointing = self._pointing
        found = answer_json(answer, self._model, where=pointing.where)
        if gaze and pointing.gaze:
            found["gaze"] = [map_json(each, pointing.encoding) for each in answer.reading or answer.gaze]
        return found


def _names(fields: Sequence[str]) -> str:
    """What a caller has written, as far as a header takes it."""
    plain = [re.sub(r"[^\w.-]", "?", name, flags=re.ASCII)[:64] for name in fields[:20]]
    return ", ".join(plain)


def usage(answer: Answer) -> dict[str, Any]:
    """Numbers of tokens."""
    return {
        "prompt_tokens": answer.prompt_tokens,
        "completion_tokens": len(answer.steps),
        "total_tokens": answer.prompt_tokens + len(answer.steps),
        "prompt_tokens_details": {"cached_tokens": answer.cached_tokens},
    }
