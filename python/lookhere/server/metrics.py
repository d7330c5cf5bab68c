"""What a server counts, as Prometheus reads it."""

from __future__ import annotations

import logging

from prometheus_client import CollectorRegistry, Counter, Gauge, Histogram, generate_latest

from ..answers.answer import Answer
from ..model import Model
from .fault import Fault
from .places import Places

_log = logging.getLogger("lookhere.server")

_SECONDS = (0.05, 0.1, 0.2, 0.3, 0.5, 1, 2, 5, 10, 20, 60, 120, 300, 600)


class Metrics:
    """Of one server. Called in its event loop."""

    content_type = "text/plain; version=0.0.4; charset=utf-8"

    def __init__(self, places: Places, model: Model) -> None:
        self._registry = registry = CollectorRegistry()
        self._answers = Counter("lookhere_answers", "Answers that ended, by why.", ["finish"], registry=registry)
        self._tokens = Counter("lookhere_tokens", "Tokens of prompts, those among them that were read before, and of "
                               "answers.", ["kind"], registry=registry)  # fmt: skip
        self._faults = Counter("lookhere_errors", "Requests that failed, by HTTP status and code.", ["status", "code"],
                               registry=registry)  # fmt: skip
        self._gone = Counter("lookhere_gone", "Callers that went before their answer.", registry=registry)
        self._first = Histogram("lookhere_first_token_seconds", "From a place to the first token.", buckets=_SECONDS,
                                registry=registry)  # fmt: skip
        self._whole = Histogram("lookhere_answer_seconds", "From a place to the end of the answer.", buckets=_SECONDS,
                                registry=registry)  # fmt: skip
        for name, text, value in (
            ("lookhere_answers_running", "Answers that are being made.", lambda: places.running),
            ("lookhere_requests_waiting", "Requests that wait for a place.", lambda: places.waiting),
            ("lookhere_images_kept_bytes", "Of encoded images that are kept.", lambda: model.images.nbytes),
            (
                "lookhere_context_tokens",
                "That the KV cache holds at most, as large as it is now.",
                lambda: model.session.context,
            ),
        ):
            Gauge(name, text, registry=registry).set_function(value)

    def text(self) -> bytes:
        """All of it."""
        found: bytes = generate_latest(self._registry)
        return found

    def first_word(self, seconds: float) -> None:
        """An answer has its first token."""
        self._first.observe(seconds)

    def answered(self, answer: Answer, seconds: float | None) -> None:
        """An answer has ended. seconds: None where it was one of several."""
        self._answers.labels(answer.finish).inc()
        if seconds is not None:
            self._whole.observe(seconds)
        self._tokens.labels("prompt").inc(answer.prompt_tokens)
        self._tokens.labels("cached").inc(answer.cached_tokens)
        self._tokens.labels("answer").inc(len(answer.steps))

    def failed(self, fault: Fault, error: BaseException) -> None:
        """A request has failed. What is nobody's fault but ours is logged whole."""
        self._faults.labels(str(fault.status), fault.code or "").inc()
        if fault.status >= 500 and fault.status not in (503, 504):
            _log.error("A request failed.", exc_info=error)
        else:
            _log.info("%d: %s", fault.status, fault.message)

    def gone(self) -> None:
        """A caller has gone."""
        self._gone.inc()
