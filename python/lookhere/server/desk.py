"""The desk: where requests for answers come to, and from which threads set out to make them."""

from __future__ import annotations

import asyncio
from collections.abc import Coroutine
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

from .. import checks
from ..answers.answer import Answer
from ..answers.ask import Ask
from ..errors import OptionError, RequestError
from ..model import Model
from ..strict import Entry
from ..wire.pointing import Place, Pointing, read_place
from .answering import Answering
from .caller import Caller
from .describing import Describing
from .gate.address import Fetcher
from .gate.picture import Pictures
from .metrics import Metrics
from .places import Places, Ticket
from .reply import Reply
from .request import ChatRequest
from .settings import Settings
from .work import Work

_QUIET = Pointing(where=False)
"""Of a request that does not say where to look: nothing but its words is told."""


class Desk:
    """One model, and what is made with it now. name: what requests call the model."""

    def __init__(self, model: Model, settings: Settings, name: str) -> None:
        self.model, self.settings, self.name = model, settings, name
        self.places = Places(settings.together, settings.queue)
        self.metrics = Metrics(self.places, model)
        self._pool = ThreadPoolExecutor(settings.together, thread_name_prefix="lookhere-answer")
        self._answerings: dict[str, Answering] = {}
        self._works: set[Work[Answer]] = set()
        self._fetcher = Fetcher(settings.body) if settings.allow_url else None
        known = {name, model.name, Path(model.path).stem, model.as_given[0]}
        self._names = {each.lower() for each in known}

    def close(self) -> None:
        """Ends every answer; returns once no thread computes any more."""
        for answering in list(self._answerings.values()):
            answering.stop()
        for work in list(self._works):
            work.stop()
        self._pool.shutdown(wait=True, cancel_futures=True)

    async def answer(self, data: dict[str, Any], ticket: Ticket, caller: Caller | None) -> tuple[Answering, Reply]:
        """An answer that is being made, once there is a place for it; it leaves the ticket when it ends.

        caller: whose going ends the wait. Errors of the request, and CancelledError.
        """
        asked, pointing, ask = await asyncio.to_thread(self._read, data)
        await _unless_gone(caller, ticket.begin())
        pictures = Pictures(self.settings.pixels, self._fetcher)
        answering = Answering(self.model, ask, pointing or _QUIET, pictures.ready, self.settings.seconds)
        reply = Reply(
            answering,
            self.name,
            self.metrics,
            told=pointing is not None,
            with_usage=asked.with_usage,
            ignored=asked.ignored,
        )
        self._answerings[answering.id] = answering

        def ended() -> None:
            self._answerings.pop(answering.id, None)
            ticket.leave()

        answering.begin(self._pool, ended)
        return answering, reply

    async def describe(self, data: dict[str, Any], ticket: Ticket, caller: Caller) -> dict[str, Any]:
        """Answers about many places of one image, once there is a place for them and they are made."""
        described = await asyncio.to_thread(Describing, data, self.settings)
        self.check_name(described.model)
        await caller.unless_gone(ticket.begin())
        work: Work[Answer] = Work(self.settings.seconds)
        self._works.add(work)
        pictures = Pictures(self.settings.pixels, self._fetcher)

        def ended() -> None:
            self._works.discard(work)
            ticket.leave()

        work.begin(self._pool, lambda: described.answers(self.model, pictures, work.flag), ended)
        try:
            answers = await caller.unless_gone(_all(work))
        finally:
            work.stop()
        for each in answers:
            self.metrics.answered(each, None)
        told = [described.told(each, self.name) for each in answers]
        return {"object": "lookhere.answers", "model": self.name, "answers": told}

    def answering(self, name: str) -> Answering:
        """The answer of this id that is being made. RequestError."""
        found = self._answerings.get(name)
        if found is None:
            raise RequestError(
                "No answer with this id is being made: it has ended, or never was. The id is that of the chunks.",
                404,
                "not_found",
            )
        return found

    def read_target(self, data: dict[str, Any]) -> Place:
        """{"at": ...}, null for none. RegionError, OptionError."""
        entry = Entry("The request", "", data, OptionError)
        entry.keys({"at"}, set())
        return read_place(entry, "at", pixels=self.settings.pixels) if entry.has("at") else None

    def check_name(self, name: object) -> None:
        """RequestError unless it is what the model is called."""
        if name is None or self.settings.any_model_name:
            return
        if not isinstance(name, str) or name.lower() not in self._names:
            raise RequestError(
                f"There is no model {checks.short(name)} here; this server has {self.name!r}. It takes any name with "
                "--any-model-name.",
                404,
                "model_not_found",
                "model",
            )

    def _read(self, data: dict[str, Any]) -> tuple[ChatRequest, Pointing | None, Ask]:
        asked = ChatRequest.read(data)
        self.check_name(asked.model)
        pointing = asked.pointing(self.settings)
        return asked, pointing, asked.ask(self.model, pointing or _QUIET, self.settings)


async def _unless_gone(caller: Caller | None, wanted: Coroutine[Any, Any, None]) -> None:
    await (wanted if caller is None else caller.unless_gone(wanted))


async def _all(work: Work[Answer]) -> list[Answer]:
    return [each async for each in work.read() if each is not None]
