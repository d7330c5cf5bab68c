"""How a token is drawn, how long an answer may be and where it stops."""

from __future__ import annotations

from dataclasses import dataclass

from .. import checks, limits
from ..errors import PromptError


@dataclass(frozen=True)
class Sampling:
    """temperature 0 is greedy, and so is all below 1e-6, which becomes 0. top_k 0, top_p 1, min_p 0 and
    repeat_penalty 1 are off. max_tokens: generated tokens.

    stop: texts that end the answer; they are not part of it. OptionError, PromptError.
    """

    max_tokens: int = 100
    temperature: float = 0.0
    top_k: int = 0
    top_p: float = 1.0
    min_p: float = 0.0
    repeat_penalty: float = 1.0
    seed: int = 0
    stop: tuple[str, ...] = ()

    def __post_init__(self) -> None:
        checked = {
            "max_tokens": checks.whole("max_tokens", self.max_tokens, 1, limits.ANSWER_TOKENS),
            "temperature": _temperature(self.temperature),
            "top_k": checks.whole("top_k", self.top_k, 0, 2**30),
            "top_p": checks.number("top_p", self.top_p, 0.0, 1.0),
            "min_p": checks.number("min_p", self.min_p, 0.0, 1.0),
            "repeat_penalty": checks.number("repeat_penalty", self.repeat_penalty, 0.01, 100.0),
            "seed": checks.whole("seed", self.seed, 0, 2**32 - 2),
            "stop": _stops(self.stop),
        }
        for name, value in checked.items():
            object.__setattr__(self, name, value)


def _temperature(temperature: object) -> float:
    found = checks.number("temperature", temperature, 0.0, 100.0)
    return found if found >= limits.LEAST_TEMPERATURE else 0.0


def _stops(stop: object) -> tuple[str, ...]:
    """None counts as no stop text, as OpenAI's clients send it."""
    if stop is None:
        return ()
    stops = (stop,) if isinstance(stop, str) else checks.items(stop)
    if stops is None or not all(isinstance(each, str) and each for each in stops):
        raise PromptError(f"stop={checks.short(stop)}; expected a text or a list of texts, none of them empty.")
    return tuple(checks.text("stop", each) for each in stops)
