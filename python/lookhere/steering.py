"""A steering: which heads look where, how strongly, and from which query on. A frozen value with a fingerprint."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Sequence
from dataclasses import dataclass
from numbers import Real
from typing import get_args

import numpy as np

from .errors import OptionError
from .grid import Map
from .heads import STRONGEST, HeadSet, Mode, Queries
from .region import Region, as_regions


@dataclass(frozen=True)
class Steering:
    """Heads, regions and how they act.

    strength: nats, 0..10000. mode: ``boost_suppress`` raises the target's image tokens and lowers the others,
    ``suppress_image`` only lowers the other image tokens, ``suppress_all`` the prompt's text too, ``max_suppress_all``
    the generated text as well (Gaze Heads, arXiv 2606.14703). sharpness: factor on the head's own scores in steered
    rows, 1 natural, 0 uniform over the target. queries: which query rows obey: ``all``, ``after_image``, ``answer``
    (the last prompt token and every generated one) or ``generated``. None takes the head set's value. OptionError,
    RegionError.
    """

    heads: HeadSet
    regions: tuple[Region, ...]
    strength: float
    mode: Mode
    sharpness: float
    queries: Queries

    def __init__(
        self,
        heads: HeadSet,
        at: Region | Sequence[Region],
        *,
        strength: float | None = None,
        mode: Mode | None = None,
        sharpness: float | None = None,
        queries: Queries | None = None,
    ) -> None:
        values = {
            "heads": heads,
            "regions": as_regions(at),
            "strength": checked_strength(heads.strength if strength is None else strength),
            "mode": _one_of("mode", heads.mode if mode is None else mode, get_args(Mode)),
            "sharpness": _sharpness(heads.sharpness if sharpness is None else sharpness),
            "queries": _one_of("queries", heads.queries if queries is None else queries, get_args(Queries)),
        }
        for name, value in values.items():
            object.__setattr__(self, name, value)

    def looking_at(self, at: Region | Sequence[Region]) -> Steering:
        """The same steering with another target."""
        return Steering(
            self.heads, at, strength=self.strength, mode=self.mode, sharpness=self.sharpness, queries=self.queries
        )

    @property
    def fingerprint(self) -> str:
        """sha256, hexadecimal, of all that acts: heads, regions, strength, mode, sharpness and queries."""
        acts = {
            "heads": sorted(self.heads.heads),
            "regions": [region.as_json() for region in self.regions],
            "strength": float(self.strength),
            "mode": self.mode,
            "sharpness": float(self.sharpness),
            "queries": self.queries,
        }
        canonical = json.dumps(acts, sort_keys=True, separators=(",", ":"), allow_nan=False)
        return hashlib.sha256(canonical.encode()).hexdigest()

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


def _sharpness(sharpness: float) -> float:
    if isinstance(sharpness, bool) or not isinstance(sharpness, Real) or not 0 <= sharpness <= 1:
        raise OptionError(f"sharpness={sharpness!r}; expected a number from 0 (uniform) to 1 (natural).")
    return float(sharpness)


def _one_of(name: str, value: str, allowed: tuple[str, ...]) -> str:
    if value not in allowed:
        raise OptionError(f"{name}={value!r}; expected one of {', '.join(allowed)}.")
    return value
