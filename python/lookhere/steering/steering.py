"""A steering: which heads look where, how strongly, and from which query on. A frozen value with a fingerprint."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Sequence
from dataclasses import dataclass
from numbers import Real
from typing import Literal, cast, get_args

import numpy as np

from ..errors import OptionError
from ..regions.region import Region, as_regions
from ..tokens.grid import Map
from .head_set import BIAS_MODES, MODES, STRONGEST, HeadSet, Mode, Queries, ShareMode


@dataclass(frozen=True)
class Steering:
    """Heads, regions and how they act.

    strength: nats, 0..10000. mode: ``boost_suppress`` raises the target's image tokens and lowers the others,
    ``suppress_image`` only lowers the other image tokens, ``suppress_all`` the prompt's text too, ``max_suppress_all``
    the generated text as well (Gaze Heads, arXiv 2606.14703). Two modes have no strength: ``target_share`` moves so
    much of a head's attention that the target gets at least the share (0..1) of it, ``within_image`` moves what the
    head gives the image, all of it, and leaves the text its own. sharpness: factor on the head's own scores in steered
    rows, 1 natural, 0 uniform over the target. queries: which query rows obey: ``all``, ``after_image``, ``answer``
    (the last prompt token and every generated one) or ``generated``. None takes the head set's value. OptionError
    where a value is wrong or a number is given that the mode does not take; RegionError.

    With p a head's attention by itself, T the target's weights (coverage times weight of the region, from a coverage of
    1/16 on) and s = sum p T, a key gets p + g (p T / s - p), g = max(0, share - s) / (1 - s), in ``target_share``; in
    ``within_image`` an image token gets m p T / s, m being what all of them had. A query that sees no target stays.
    """

    heads: HeadSet
    regions: tuple[Region, ...]
    strength: float
    mode: Mode
    sharpness: float
    queries: Queries
    share: float

    def __init__(
        self,
        heads: HeadSet,
        at: Region | Sequence[Region],
        *,
        strength: float | None = None,
        mode: Mode | None = None,
        sharpness: float | None = None,
        queries: Queries | None = None,
        share: float | None = None,
    ) -> None:
        values = {
            "heads": heads,
            "regions": as_regions(at),
            "strength": checked_strength(heads.strength if strength is None else strength),
            "mode": _one_of("mode", heads.mode if mode is None else mode, MODES),
            "sharpness": _part("sharpness", heads.sharpness if sharpness is None else sharpness, "uniform", "natural"),
            "queries": _one_of("queries", heads.queries if queries is None else queries, get_args(Queries)),
            "share": _part("share", heads.share if share is None else share, "none", "all"),
        }
        for name, value in values.items():
            object.__setattr__(self, name, value)
        for name, given in (("strength", strength), ("share", share)):
            if given is not None and name not in self.number:
                raise OptionError(
                    f"{name}={given!r} with mode={self.mode!r}; expected {' or '.join(self.number) or 'neither'}: "
                    "target_share takes a share, within_image no number, every other mode a strength."
                )

    def looking_at(self, at: Region | Sequence[Region]) -> Steering:
        """The same steering with another target."""
        return Steering(self.heads, at, mode=self.mode, sharpness=self.sharpness, queries=self.queries, **self.number)

    @property
    def kind(self) -> Literal["bias"] | ShareMode:
        """What the engine is told: to add a bias, or how to move attention."""
        return "bias" if self.mode in BIAS_MODES else cast("ShareMode", self.mode)

    @property
    def number(self) -> dict[str, float]:
        """The number that the mode takes, by its name: the strength, the share, or none."""
        if self.kind == "bias":
            return {"strength": self.strength}
        return {"share": self.share} if self.kind == "target_share" else {}

    @property
    def fingerprint(self) -> str:
        """sha256, hexadecimal, of all that acts: heads, regions, mode and its number, sharpness and queries."""
        acts = {
            "heads": sorted(self.heads.heads),
            "regions": [region.as_json() for region in self.regions],
            **self.number,
            "mode": self.mode,
            "sharpness": float(self.sharpness),
            "queries": self.queries,
        }
        canonical = json.dumps(acts, sort_keys=True, separators=(",", ":"), allow_nan=False)
        return hashlib.sha256(canonical.encode()).hexdigest()

    def image_values(self, target: Map) -> Map:
        """(rows, cols) float32 for a target of the same shape: the bias; where attention is moved, the target."""
        return self.image_bias(target) if self.kind == "bias" else target

    def image_bias(self, target: Map) -> Map:
        """(rows, cols) float32 nats for a target of the same shape: coverage times weight, 0 for what is not covered.

        ``boost_suppress``: beta + ln(coverage * weight) where covered, -beta elsewhere. The others:
        ln(coverage * weight) where covered, -beta elsewhere. ``Scene.target`` says what is covered: 1/16 of a token.
        """
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
        """First position that is steered. image_end: the position after the image and the text that belongs to it;
        prompt_end: the position of the first generated token."""
        return {"all": 0, "after_image": image_end, "answer": prompt_end - 1, "generated": prompt_end}[self.queries]


def checked_strength(strength: float) -> float:
    """The strength in nats as a float; OptionError outside of 0..10000."""
    if isinstance(strength, bool) or not isinstance(strength, Real) or not 0 <= strength <= STRONGEST:
        raise OptionError(f"strength={strength!r}; expected a number of nats from 0 to {STRONGEST:g} (5 is usual).")
    return float(strength)


def _part(name: str, value: float, least: str, most: str) -> float:
    if isinstance(value, bool) or not isinstance(value, Real) or not 0 <= value <= 1:
        raise OptionError(f"{name}={value!r}; expected a number from 0 ({least}) to 1 ({most}).")
    return float(value)


def _one_of(name: str, value: str, allowed: tuple[str, ...]) -> str:
    if value not in allowed:
        raise OptionError(f"{name}={value!r}; expected one of {', '.join(allowed)}.")
    return value
