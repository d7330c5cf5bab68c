"""A head set by what a person calls it: a file, a known one's name, or a repository."""

from __future__ import annotations

from pathlib import Path

from ...checks import short
from ...errors import HeadSetError
from ...hub.known import known_model
from ...hub.name import repository_of
from ...loading.builtin import BUILTIN_HEADS, builtin_head_set
from ...loading.head_choice import known_heads, only_head_set
from ...loading.published import same_name
from ...steering.head_set import HeadSet

_MOST_NAMED = 12


def named_heads(text: str) -> HeadSet:
    """The head set that is meant. HeadSetError with the names that there are; HubError."""
    if Path(text).exists() or text.lower().endswith(".json"):
        return HeadSet.read(text)
    known = known_heads()
    for each in known:
        if each.file.stem == text:
            return each.head_set
    if text == Path(BUILTIN_HEADS).stem and (own := builtin_head_set()) is not None:
        return own
    model = known_model(text)
    found = [
        each for each in known
        if any(same_name(model.base if model else text, name) for name in (each.head_set.model.name,))
    ]  # fmt: skip
    if len(found) == 1:
        return found[0].head_set
    if (name := repository_of(text)) is not None:
        return only_head_set(name)
    there = ", ".join(each.file.stem for each in (found or known)[:_MOST_NAMED])
    raise HeadSetError(
        f"{short(text)} is no file and no known head set; expected a JSON file, owner/repo on Hugging Face, or one of "
        f"{there or 'none'}, {Path(BUILTIN_HEADS).stem}."
    )
