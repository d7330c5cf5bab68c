"""Verdict: what a head set that was found is worth, in a word, and what to do where that is not much."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Literal, TypeAlias

from .intervals import over_strips

if TYPE_CHECKING:
    from .bench import Measured
    from .understanding import Understanding

Word: TypeAlias = Literal["found", "unmeasured", "prior", "weak", "none"]
"""found: the heads steer. unmeasured: they were not tried. prior: they were found on text alone. weak: they hardly
steer. none: no head looks at what is asked about."""

GAIN = 0.2
"""Steered answers must go this part of the way from chance to all right; else the heads are weak."""

OWN_WORDS = (
    "Ask in the words that it was trained on, as --question 'What happens in panel {number}?' --prompt 'Describe this "
    "image.' (in Python Options(question=..., prompt=...))."
)


@dataclass(frozen=True)
class Verdict:
    """why: what was measured. advice: what to do, empty where nothing need be done."""

    word: Word
    why: str
    advice: str = ""

    @property
    def told(self) -> str:
        """For people."""
        return f"The verdict is {self.word}: {self.why}. {self.advice}".strip()

    def as_dict(self) -> dict[str, str]:
        """For evidence in JSON; whoever loads a weak head set, or a prior, is told."""
        return {"verdict": self.word, "why": self.why, **({"advice": self.advice} if self.advice else {})}


def of_measured(measured: Measured, places: int, understood: Understanding) -> Verdict:
    """By the answers that heads were chosen by. places: of a picture; chance is 1 of them."""
    chance = 1 / places
    right, asked = measured.answers
    low, _ = over_strips(right, asked)
    share = f"{measured.accuracy:.1%} of {sum(asked)} steered answers are the target's (chance {chance:.1%})"
    if measured.accuracy >= chance + GAIN * (1 - chance) and low > chance:
        return Verdict("found", share)
    if measured.accuracy >= chance + GAIN * (1 - chance):
        return Verdict(
            "weak", f"{share}, which {len(asked)} pictures are too few to tell from chance",
            "Choose on more pictures (--calibration), or measure it: lookhere evaluate --heads.",
        )  # fmt: skip
    if not understood.answers and (best := understood.best) is not None:
        why = f'{share}, and unsteered the model answers {best.told} of the questions "{best.words}"'
        return Verdict("weak", why, OWN_WORDS)
    return Verdict(
        "weak", share,
        "Try more of the same pictures (--strips, --calibration), pictures that the model knows better (--comics, "
        "--coco), or its own words (--question, --prompt). lookhere evaluate tells what these heads are worth beside "
        "random ones.",
    )  # fmt: skip
