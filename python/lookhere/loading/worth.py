"""What a head set is worth, told to whoever loads it: weak ones, and those that were never tried on images."""

from __future__ import annotations

import warnings

from .. import checks
from ..errors import WeakHeadSetWarning
from ..steering.head_set import HeadSet
from .builtin import caller

_WHY = {
    "weak": "hardly steers this model",
    "prior": "was found on text alone, and was not tried on images",
}


def warn_if_weak(heads: HeadSet | None, *, sees: bool = True) -> None:
    """A WeakHeadSetWarning, in the caller's name, with what lookhere discover marked the head set with.

    sees: whether the model looks at images; a head set that was found on texts is right for one that does not.
    """
    worth = heads.evidence.get("worth") if heads is not None else None
    if heads is None or not isinstance(worth, dict) or worth.get("verdict") not in _WHY:
        return
    if worth["verdict"] == "prior" and not sees:
        return
    why, advice = (checks.label(str(worth.get(key, "")), 400) for key in ("why", "advice"))
    warnings.warn(
        f"The head set for {checks.label(heads.model.name, 48)} {_WHY[worth['verdict']]}: {why}. {advice}".strip(),
        WeakHeadSetWarning,
        stacklevel=caller(),
    )
