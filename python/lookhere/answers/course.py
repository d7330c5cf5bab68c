"""When a gaze that follows a schedule moves on."""

from __future__ import annotations

import re
from collections.abc import Callable
from typing import Literal, TypeAlias

from .answer import Finish, Step

Pace: TypeAlias = "int | Literal['line', 'sentence']"
"""When the gaze moves on: after so many tokens, or where a line or a sentence ends."""

_LINE = re.compile(r"\S[^\n]*\n")
_SENTENCE = re.compile(r"""\w.*?[.!?]['")\]’”]*\s*$|\w.*\n""", re.DOTALL)

_DONE: dict[str, Callable[[str], bool]] = {
    "line": lambda said: _LINE.search(said) is not None,
    "sentence": lambda said: _SENTENCE.search(said) is not None,
}


class Course:
    """Where a text is on its schedule. target: the index of the target that it looks at now."""

    def __init__(self, targets: int, every: Pace) -> None:
        """targets: how many there are."""
        self.target = 0
        self._targets, self._every = targets, every
        self._since, self._said = 0, ""

    def moves(self, step: Step) -> bool:
        """Whether the gaze moves on after a step."""
        self._since, self._said = self._since + 1, self._said + step.text
        if not (_DONE[self._every](self._said) if isinstance(self._every, str) else self._since == self._every):
            return False
        self.target, self._since, self._said = self.target + 1, 0, ""
        return True

    def over(self, finish: Finish | None) -> Finish | None:
        """Why the text ends here, if it does; finish: why the run ended."""
        if self.target < self._targets:
            return None
        return finish or ("stop" if isinstance(self._every, str) else "length")
