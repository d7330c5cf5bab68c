"""A steering: which heads look where, and the push that makes them. A frozen value with a fingerprint."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from .. import checks
from ..errors import HeadSetError, OptionError
from ..regions.region import Region, as_regions
from .head_set import HeadSet
from .push import Mode, Push, PushChange, Pushed, Queries


@dataclass(frozen=True, init=False, repr=False)
class Steering(Pushed):
    """Heads, regions and the push (``Push`` says what its values do).

    push: a whole one instead of the head set's; strength, mode, sharpness, queries, share: what differs from it.
    OptionError where a value is wrong or a number is given that the mode does not take; RegionError; HeadSetError.
    """

    head_set: HeadSet
    regions: tuple[Region, ...]
    push: Push

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
        push: Push | None = None,
    ) -> None:
        if not isinstance(heads, HeadSet):
            raise HeadSetError(
                f"Steering: heads={checks.short(heads)}; expected a HeadSet, as model.head_set, "
                "HeadSet.read('heads.json') or HeadSet(model.facts, [(layer, head), ...])."
            )
        if push is not None and not isinstance(push, Push):
            raise OptionError(f"Steering: push={checks.short(push)}; expected a Push, as Push(strength=5).")
        change = PushChange(mode=mode, strength=strength, share=share, sharpness=sharpness, queries=queries)
        object.__setattr__(self, "head_set", heads)
        object.__setattr__(self, "regions", as_regions(at))
        object.__setattr__(self, "push", change.on(push or heads.push))

    def __repr__(self) -> str:
        count = len(self.head_set.heads)
        return f"<Steering of {count} head{'s' * (count > 1)} at {self.place}, {self.push.mode}, {self.push.amount}>"

    @property
    def place(self) -> str:
        """The regions, for people, in 54 characters."""
        return checks.short(self.regions[0] if len(self.regions) == 1 else list(self.regions), 54)

    @property
    def heads(self) -> HeadSet:
        """The head set, by its old name."""
        return self.head_set

    def looking_at(self, at: Region | Sequence[Region]) -> Steering:
        """The same heads and push with another target. RegionError."""
        return Steering(self.head_set, at, push=self.push)

    def changed(self, change: PushChange) -> Steering:
        """The same heads and target with another push. OptionError."""
        if not isinstance(change, PushChange):
            raise OptionError(f"changed({checks.short(change)}); expected a PushChange, as PushChange(strength=3).")
        return Steering(self.head_set, self.regions, push=change.on(self.push)) if change.given else self

    @property
    def fingerprint(self) -> str:
        """sha256, hexadecimal, of all that acts: heads, regions, mode and its number, sharpness and queries."""
        acts: dict[str, Any] = {
            "heads": sorted(self.head_set.heads),
            "regions": [region.as_json() for region in self.regions],
            **self.push.as_json(),
        }
        canonical = json.dumps(acts, sort_keys=True, separators=(",", ":"), allow_nan=False)
        return hashlib.sha256(canonical.encode()).hexdigest()
