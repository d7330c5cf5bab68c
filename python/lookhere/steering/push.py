"""A push: how strongly heads are told where to look, in which way, and from which query on."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, Literal, TypeAlias, cast, get_args

import numpy as np

from .. import checks, limits
from ..errors import OptionError
from ..tokens.grid import Map

BiasMode: TypeAlias = Literal["boost_suppress", "suppress_image", "suppress_all", "max_suppress_all"]
"""Modes that add nats to the attention scores."""
ShareMode: TypeAlias = Literal["target_share", "within_image"]
"""Modes that move attention until the target has a share of it."""
Mode: TypeAlias = BiasMode | ShareMode
BIAS_MODES: tuple[BiasMode, ...] = get_args(BiasMode)
MODES: tuple[Mode, ...] = (*BIAS_MODES, *get_args(ShareMode))
Queries: TypeAlias = Literal["all", "after_image", "answer", "generated"]
QUERIES: tuple[Queries, ...] = get_args(Queries)
Kind: TypeAlias = Literal["bias"] | ShareMode
"""What the engine is told: to add a bias, or how to move attention."""


@dataclass(frozen=True)
class Push:
    """How steered heads act.

    mode: ``boost_suppress`` raises the target's image tokens and lowers the others, ``suppress_image`` only lowers the
    other image tokens, ``suppress_all`` the prompt's text too, ``max_suppress_all`` the generated text as well (Gaze
    Heads, arXiv 2606.14703). Two modes have no strength: ``target_share`` moves so much of a head's attention that the
    target gets at least the share of it, ``within_image`` moves all that the head gives the image, and leaves the text
    its own. strength: nats, 0..10000. share: 0..1. sharpness: factor on the head's own scores in steered rows, 1
    natural, 0 uniform over the target. queries: which query rows obey: ``all``, ``after_image``, ``answer`` (the last
    prompt token and every generated one) or ``generated``. OptionError where a value is wrong.

    With p a head's attention by itself, T the target's weights (coverage times weight of the region, from a coverage of
    1/16 on) and s = sum p T, a key gets p + g (p T / s - p), g = max(0, share - s) / (1 - s), in ``target_share``; in
    ``within_image`` an image token gets m p T / s, m being what all of them had. A query that sees no target stays.
    """

    mode: Mode = "boost_suppress"
    strength: float = 5.0
    share: float = 0.3
    sharpness: float = 1.0
    queries: Queries = "all"

    def __post_init__(self) -> None:
        checked = {
            "mode": checks.one_of("mode", self.mode, MODES),
            "strength": checks.number("strength", self.strength, 0, limits.STRENGTH, unit="nats", hint="5 is usual"),
            "share": _part("share", self.share, "none", "all"),
            "sharpness": _part("sharpness", self.sharpness, "uniform", "natural"),
            "queries": checks.one_of("queries", self.queries, QUERIES),
        }
        for name, value in checked.items():
            object.__setattr__(self, name, value)

    @property
    def kind(self) -> Kind:
        """What the engine is told: to add a bias, or how to move attention."""
        return "bias" if self.mode in BIAS_MODES else cast("ShareMode", self.mode)

    @property
    def number(self) -> dict[str, float]:
        """The number that the mode takes, by its name: the strength, the share, or none."""
        if self.kind == "bias":
            return {"strength": self.strength}
        return {"share": self.share} if self.kind == "target_share" else {}

    @property
    def amount(self) -> str:
        """How strongly, for people: '5 nats' or 'share 0.3'."""
        if self.kind == "bias":
            return f"{self.strength:g} {'nat' if self.strength == 1 else 'nats'}"
        return f"share {self.share if self.mode == 'target_share' else 1:g}"

    def as_json(self) -> dict[str, Any]:
        """All that acts: mode and its number, sharpness and queries."""
        return {**self.number, "mode": self.mode, "sharpness": self.sharpness, "queries": self.queries}

    def image_values(self, target: Map) -> Map:
        """(rows, cols) float32 for a target of the same shape: the bias; where attention is moved, the target."""
        return self.image_bias(target) if self.kind == "bias" else _floats(target)

    def image_bias(self, target: Map) -> Map:
        """(rows, cols) float32 nats for a target of the same shape: coverage times weight, 0 for what is not covered.

        ``boost_suppress``: beta + ln(coverage * weight) where covered, -beta elsewhere. The others:
        ln(coverage * weight) where covered, -beta elsewhere. ``Aim.target`` says what is covered: 1/16 of a token.
        """
        target = _floats(target)
        boost = self.strength if self.mode == "boost_suppress" else 0.0
        covered = target > 0
        inside = boost + np.log(target, where=covered, out=np.zeros_like(target))
        return np.where(covered, inside, -self.strength).astype(np.float32)

    @property
    def prompt_bias(self) -> float:
        """Nats on the prompt's text tokens."""
        return -self.strength if self.mode in ("suppress_all", "max_suppress_all") else 0.0

    @property
    def generated_bias(self) -> float:
        """Nats on the generated tokens."""
        return -self.strength if self.mode == "max_suppress_all" else 0.0

    def first_query(self, *, image_end: int, prompt_end: int) -> int:
        """First position that is steered. image_end: the position after the last image and the text that belongs to
        it; prompt_end: the position of the first generated token."""
        image_end = checks.whole("image_end", image_end, 0, 2**31)
        prompt_end = checks.whole("prompt_end", prompt_end, 0, 2**31)
        return {"all": 0, "after_image": image_end, "answer": prompt_end - 1, "generated": prompt_end}[self.queries]


class Pushed:
    """Anything with a push; the push's values can be read from it."""

    push: Push

    @property
    def strength(self) -> float:
        """Nats, of the push."""
        return self.push.strength

    @property
    def mode(self) -> Mode:
        """Of the push."""
        return self.push.mode

    @property
    def sharpness(self) -> float:
        """Of the push."""
        return self.push.sharpness

    @property
    def queries(self) -> Queries:
        """Of the push."""
        return self.push.queries

    @property
    def share(self) -> float:
        """Of the push."""
        return self.push.share


@dataclass(frozen=True)
class PushChange:
    """What a caller says of a push; None for what the head set says."""

    mode: Mode | None = None
    strength: float | None = None
    share: float | None = None
    sharpness: float | None = None
    queries: Queries | None = None

    def __post_init__(self) -> None:
        checked = self.on(Push(), fitting=False)  # a wrong value is an error whatever it is a change of
        for name in self.given:
            object.__setattr__(self, name, getattr(checked, name))

    @property
    def given(self) -> dict[str, Any]:
        """What is said, by name."""
        return {name: value for name, value in vars(self).items() if value is not None}

    def on(self, push: Push, *, fitting: bool = True) -> Push:
        """The push with these changes. OptionError if a number is given that the mode does not take."""
        given = self.given
        changed = Push(**{**vars(push), **given}) if given else push
        for name in ("strength", "share"):
            if fitting and name in given and name not in changed.number:
                raise OptionError(
                    f"{name}={given[name]!r} with mode={changed.mode!r}; expected "
                    f"{' or '.join(changed.number) or 'neither'}: target_share takes a share, within_image no number, "
                    "every other mode a strength."
                )
        return changed


def _floats(target: object) -> Map:
    if not isinstance(target, np.ndarray) or target.dtype.kind != "f" or target.ndim != 2:
        raise OptionError(f"target={checks.short(target)}; expected an array of floats, (rows, cols).")
    return target


def _part(name: str, value: float, least: str, most: str) -> float:
    found = checks.as_float(value)
    if found is None or not 0 <= found <= 1:
        raise OptionError(f"{name}={checks.short(value)}; expected a number from 0 ({least}) to 1 ({most}).")
    return found
