"""A request for an answer, as OpenAI's clients send it."""

from __future__ import annotations

import difflib
import secrets
from collections.abc import Mapping
from typing import Any

from pydantic import BaseModel, ConfigDict, Field, ValidationError

from .. import checks
from ..answers.ask import Ask
from ..errors import ContextError, RequestError
from ..model import Model
from ..wire.pointing import Pointing, read_pointing
from .gate.messages import as_ask_messages
from .settings import Settings

MOST_STOPS, LONGEST_STOP = 16, 1000
MOST_MESSAGES = 2000
CHARACTERS = 64
"""Of a token at most, nearly: a text of more than so many for each token of the context is refused unread."""

HABITS = (
    "user", "metadata", "store", "service_tier", "safety_identifier", "prompt_cache_key", "prompt_cache_retention",
    "parallel_tool_calls", "prediction", "reasoning_effort", "verbosity", "cache_prompt", "id_slot", "slot_id",
    "timings_per_token", "return_progress", "keep_alive", "top_a", "typical_p", "tfs", "tfs_z", "mirostat",
    "mirostat_tau", "mirostat_eta", "add_generation_prompt", "skip_special_tokens", "spaces_between_special_tokens",
    "chat_template_kwargs", "samplers", "ignore_eos", "return_token_ids", "request_id", "priority", "enable_thinking",
)  # fmt: skip
"""Fields that clients send by habit; they are accepted, and do nothing."""

NEUTRAL: Mapping[str, tuple[Any, ...]] = {
    "logprobs": (False,),
    "top_logprobs": (0,),
    "n": (1,),
    "best_of": (1,),
    "presence_penalty": (0,),
    "frequency_penalty": (0,),
    "logit_bias": ({},),
    "response_format": ({"type": "text"},),
    "modalities": (["text"],),
    "tools": ([],),
    "functions": ([],),
    "tool_choice": ("none", "auto"),
    "function_call": ("none", "auto"),
    "audio": (),
    "web_search_options": (),
    "grammar": ("",),
}
"""Fields that would change the answer, and the values beside null that change nothing; others are refused."""


class StreamOptions(BaseModel):  # type: ignore[misc,unused-ignore]  # where pydantic is not installed
    """What beside the words a stream brings."""

    model_config = ConfigDict(extra="allow", strict=True)

    include_usage: bool | None = None


class ChatRequest(BaseModel):  # type: ignore[misc,unused-ignore]
    """The fields that act. Values are checked where they are used, with the names that they have there."""

    model_config = ConfigDict(extra="allow", strict=True)

    model: str | None = None
    messages: list[Any] = Field(min_length=1, max_length=MOST_MESSAGES)
    stream: bool | None = None
    stream_options: StreamOptions | None = None
    max_tokens: int | None = None
    max_completion_tokens: int | None = None
    temperature: float | None = None
    top_p: float | None = None
    top_k: int | None = None
    min_p: float | None = None
    repeat_penalty: float | None = None
    repetition_penalty: float | None = None
    seed: int | None = None
    stop: str | list[str] | None = None
    lookhere: dict[str, Any] | None = None

    @classmethod
    def read(cls, data: Mapping[str, Any]) -> ChatRequest:
        """RequestError names the field that is wrong."""
        try:
            found: ChatRequest = cls.model_validate(data)
        except ValidationError as error:
            first = error.errors()[0]
            field = str(first["loc"][0])
            given = "" if first["type"] == "missing" else f" is {checks.short(first['input'])};"
            raise RequestError(f"{field}{given} {first['msg']}.", 400, "invalid_value", field) from error
        found._check()
        return found

    @property
    def ignored(self) -> tuple[str, ...]:
        """Fields that do nothing, and that no client sends by habit, as far as is known."""
        return tuple(
            sorted(
                name for name, value in self._others.items() if value is not None and name not in (*HABITS, *NEUTRAL)
            )
        )

    @property
    def with_usage(self) -> bool:
        """Whether a stream ends with the numbers of tokens."""
        return bool(self.stream_options and self.stream_options.include_usage)

    def pointing(self, settings: Settings) -> Pointing | None:
        """Where to look; None where the request does not say. RegionError, OptionError, HeadSetError, RequestError."""
        if self.lookhere is None:
            return None
        found = read_pointing(self.lookhere, pixels=settings.pixels)
        if settings.fixed and (found.heads is not None or found.readers is not None or found.head_gaze):
            raise RequestError(
                "This server's heads are fixed: leave out heads, readers and head_gaze.", 403, "fixed", "lookhere"
            )
        if found.head_gaze and not self.stream:
            raise RequestError(
                "lookhere: head_gaze is told token by token alone; ask with stream=true.",
                400,
                "invalid_value",
                "lookhere",
            )
        return found

    def ask(self, model: Model, pointing: Pointing, settings: Settings) -> Ask:
        """The ask, its images as they came, without the place. PromptError, OptionError, RequestError, ContextError."""
        messages = as_ask_messages(self.messages)
        letters = sum(len(part) for each in messages for part in each.parts if isinstance(part, str))
        if letters > CHARACTERS * model.session.limit:
            raise ContextError(
                f"The messages have {letters} characters; the context holds {model.session.limit} tokens. Send less."
            )
        return Ask.of(messages, **self._sampling(settings, pointing), **pointing.options)

    def _sampling(self, settings: Settings, pointing: Pointing) -> dict[str, Any]:
        given = {
            "temperature": self.temperature,
            "top_p": self.top_p,
            "top_k": self.top_k,
            "min_p": self.min_p,
            "repeat_penalty": self.repeat_penalty if self.repetition_penalty is None else self.repetition_penalty,
            "stop": self.stop,
        }
        # an answer drawn at random differs each time, unless a seed is given; OpenAI's may be any whole number
        seed = secrets.randbelow(2**32 - 1) if self.seed is None and self.temperature else (self.seed or 0)
        tokens = self.max_tokens if self.max_completion_tokens is None else self.max_completion_tokens
        if tokens is not None and tokens > settings.tokens:
            raise RequestError(
                f"max_tokens is {tokens}; this server gives {settings.tokens} at most.",
                400,
                "too_many_tokens",
                "max_tokens",
            )
        most = min(settings.default_tokens, settings.tokens) if tokens is None else tokens
        if pointing.schedule is not None:
            most = min(most, pointing.schedule.max_tokens)
        chosen = {name: value for name, value in given.items() if value is not None}
        return {**chosen, "seed": seed % (2**32 - 1), "max_tokens": most}

    @property
    def _others(self) -> dict[str, Any]:
        return self.model_extra or {}

    def _check(self) -> None:
        for name, value in self._others.items():
            if value is not None and name in NEUTRAL and not _is_among(value, NEUTRAL[name]):
                error = _refused(name, value)
                raise error
        for name in self.ignored:
            near = difflib.get_close_matches(name, type(self).model_fields, 1, 0.8)
            if near:
                raise RequestError(
                    f"{name} is no field of a request; did you mean {near[0]}?", 400, "unknown_field", name
                )
        stops = [self.stop] if isinstance(self.stop, str) else self.stop or []
        if len(stops) > MOST_STOPS or any(len(each) > LONGEST_STOP for each in stops):
            raise RequestError(
                f"stop has {len(stops)} texts; expected {MOST_STOPS} at most, of {LONGEST_STOP} characters at most.",
                400,
                "invalid_value",
                "stop",
            )


def _is_among(value: object, neutral: tuple[object, ...]) -> bool:
    return any(type(value) in (type(each), float, int) and value == each for each in neutral)


_WHY = {
    "n": "one answer for each request; send it again, or use /v1/lookhere/describe",
    "logprobs": "no probabilities of tokens",
    "top_logprobs": "no probabilities of tokens",
    "presence_penalty": "repeat_penalty instead",
    "frequency_penalty": "repeat_penalty instead",
    "tools": "no tools",
    "functions": "no tools",
    "response_format": "answers in plain text",
}


def _refused(name: str, value: object) -> RequestError:
    why = _WHY.get(name)
    has = f" It has {why}." if why else ""
    return RequestError(
        f"{name}={checks.short(value)} is not what this server can do.{has} Leave {name} out.", 400, "unsupported", name
    )
