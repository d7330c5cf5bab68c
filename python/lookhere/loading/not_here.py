"""A model that was given by name and is not on this machine: what fetching it would take."""

from __future__ import annotations

import os
from dataclasses import dataclass
from pathlib import Path

from ..errors import ModelFileError, ProjectorError
from ..hub.fetch import find, find_for_texts, find_projector
from ..hub.name import HubName
from ..hub.telling import size, unheard
from ..kv import memory
from .pair import Given
from .place import placed


@dataclass(frozen=True)
class NotHere:
    """why: a sentence. steps: what to do next."""

    why: str
    steps: tuple[str, ...]


def not_here(model: Given | None, mmproj: Given | None = None) -> NotHere | None:
    """What to know of a name whose files are not on this machine; None for what is here, and for paths.

    ModelFileError, ProjectorError.
    """
    name = None if model is None else placed(model, "model", ModelFileError)
    eyes = None if mmproj is None else placed(mmproj, "mmproj", ProjectorError)
    if isinstance(eyes, HubName) and find_projector(eyes) is None:
        return NotHere(f"The projector {eyes.text} is not on this machine.", ("Loading it by this name fetches it.",))
    if name is None or isinstance(name, Path):
        return None
    own = os.fspath(eyes) if isinstance(eyes, Path) and not eyes.exists() else None
    with unheard():
        if find(name, own, vision=eyes is None or own is not None) is not None or find_for_texts(name, own) is not None:
            return None
    known = getattr(name, "known", None)
    why = f"{name.text} is not on this machine, or not all of it."
    if known and known.size:
        free = memory.available()
        fits = "" if free is None else f"; {size(free)} are free now" + ("" if free >= known.memory else ", too few")
        why += (
            f" It is {known.repository} ({known.licence}), {size(known.to_fetch)} to fetch, and needs about "
            f"{size(known.memory)} of memory{fits}."
        )
    return NotHere(why, (f"Fetch it: lookhere models get {name.text}. Loading it by this name fetches it, too.",))
