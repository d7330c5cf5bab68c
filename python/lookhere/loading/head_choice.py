"""Which known head set steers a model: the set of this very file, of this name, of another name that it goes by, or of
the model that it was made from. What is weak is told."""

from __future__ import annotations

import logging
import os
import warnings
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Literal, TypeAlias

from .. import checks
from ..errors import BaseHeadSetWarning, HeadSetError, WeakHeadSetWarning
from ..steering.head_set import HeadSet, ModelFacts
from . import builtin
from .gguf import Header, read_header
from .published import bases_of, names_of, plain, same_name

if TYPE_CHECKING:
    from ..hub.name import HubName

How: TypeAlias = Literal["file", "name", "alias", "base"]

_MOST_NAMED = 12
_LEAST = 6
"""Letters and digits of a name that says something."""
_log = logging.getLogger("lookhere.model")


@dataclass(frozen=True)
class KnownHeads:
    """A head set that loading may choose. file: where it lies. shipped: it comes with the package."""

    head_set: HeadSet
    file: Path
    shipped: bool


@dataclass(frozen=True)
class Match:
    """how: by what it was found. by: the name that decided, or the file's sha256."""

    head_set: HeadSet
    how: How
    by: str


def given_heads(heads: HeadSet | str | os.PathLike[str] | None) -> HeadSet | None:
    """A head set as ``load`` takes it: itself, a file, or a name. HeadSetError, HubError."""
    if heads is None or isinstance(heads, HeadSet):
        return heads
    return named_heads(heads) if isinstance(heads, str) else HeadSet.read(heads)


def named_heads(text: str) -> HeadSet:
    """The head set that a text means: a file, a known one by its own name or its model's, or the only one of a
    repository, which is fetched. HeadSetError, with the names that there are; HubError."""
    if os.path.exists(text) or not text.isprintable() or text.lower().endswith(".json"):
        return HeadSet.read(text)
    from ..hub.known import known_model
    from ..hub.name import repository_of

    known = known_heads()
    found = [each.head_set for each in known if each.file.stem == text]
    own = Path(builtin.BUILTIN_HEADS).stem
    if text == own:
        found = [each for each in (builtin.builtin_head_set(),) if each]
    if not found:
        model = known_model(text)
        called = model.base if model else text
        found = [each.head_set for each in known if any(same_name(called, name) for name in _known(each.head_set))]
    if found:
        return found[0]
    if (repository := repository_of(text)) is not None:
        return only_head_set(repository)
    there = ", ".join([*(each.file.stem for each in known[:_MOST_NAMED]), own])
    raise HeadSetError(
        f"{checks.short(text)} is no file and no known head set; expected a JSON file as lookhere discover writes it, "
        f"owner/repo on Hugging Face, or one of {there}."
    )


def only_head_set(name: HubName) -> HeadSet:
    """The head set of a repository that has one. HeadSetError."""
    found = [head_set for _, head_set in head_sets_of(name)]
    if len(found) > 1:
        named = ", ".join(f"{each.model.name} ({len(each.heads)} heads)" for each in found[:8])
        raise HeadSetError(
            f"{name.repository} has {len(found)} head sets: {named}. Fetch them with lookhere heads get "
            f"{name.repository}; loading then takes the one that is the model's."
        )
    return found[0]


def head_sets_of(name: HubName) -> list[tuple[Path, HeadSet]]:
    """The head sets of a repository, and where they lie in the cache. HeadSetError where none of its files is one."""
    from ..hub.head_files import download

    found, why = [], ""
    for file in download(name):
        try:
            found.append((file, HeadSet.read(file)))
        except HeadSetError as error:
            why = why or str(error)
    if not found:
        raise HeadSetError(f"{name.repository} has no head set: {why}")
    return found


def heads_of(facts: ModelFacts, path: Path, names: Sequence[str]) -> HeadSet | None:
    """The known head set of a model that is loaded, if there is one; a warning where it is the base model's."""
    found = match(facts, path, read_header(path, brief=True), names)
    if found is None:
        return None
    tell(found, facts)
    return found.head_set


def known_heads() -> list[KnownHeads]:
    """The user's head sets (``lookhere heads get``), then those that come with the package."""
    return [*_of_user(), *(KnownHeads(each, file, True) for file, each in builtin.shipped())]


def match(facts: ModelFacts, path: Path, header: Header, names: Sequence[str] = ()) -> Match | None:
    """The head set of a model, None where none is known. names: those that it was asked for by."""
    sets = [each.head_set for each in known_heads()]
    sets = [each for each in sets if _shape(each.model) == _shape(facts)]
    from ..hub.file_hash import file_hash

    own = builtin.builtin_head_set()
    hashed = [each for each in (*sets, own) if each and _hash(each) and _shape(each.model) == _shape(facts)]
    found = file_hash(path) if hashed else ""
    for head_set in hashed:
        if _hash(head_set) == found:
            return Match(head_set, "file", found)
    return _by_name(sets, facts, path, header, names)


def _by_name(
    sets: Sequence[HeadSet], facts: ModelFacts, path: Path, header: Header, names: Sequence[str]
) -> Match | None:
    for head_set in sets:
        if any(same_name(facts.name, known) for known in _known(head_set)):
            return Match(head_set, "name", facts.name)
    called = [facts.name, *names, *names_of(header, path)]
    for name in called:
        for head_set in sets:
            if len(plain(name)) >= _LEAST and any(same_name(name, known) for known in _known(head_set)):
                return Match(head_set, "alias", name)
    for head_set in sets:
        for base in bases_of(header):
            if any(plain(base) == plain(known) for known in _known(head_set)):
                return Match(head_set, "base", base)
        for name in called:
            if any(len(plain(known)) >= _LEAST and plain(known) in plain(name) for known in _known(head_set)):
                return Match(head_set, "base", name)
    return None


def tell(found: Match, facts: ModelFacts) -> None:
    """A BaseHeadSetWarning in the caller's name for the heads of a base model; a line in the log for another name."""
    if found.how == "base":
        warnings.warn(of_base(found, facts), BaseHeadSetWarning, stacklevel=builtin.caller())
    else:
        _log.debug("Head set of %s by %s %s.", found.head_set.model.name, found.how, found.by)


def of_base(found: Match, facts: ModelFacts) -> str:
    """What to know about the heads of a base model."""
    return (
        f"No head set is known for {facts.name!r}; it has the shape of {found.head_set.model.name} and seems to be "
        f"made from it ({found.by}), so that its heads are used. Fine-tuning may have moved them: look whether it "
        "describes the right place, or find its own with lookhere discover."
    )


def _known(head_set: HeadSet) -> tuple[str, ...]:
    return (head_set.model.name, *head_set.model.aliases)


def _shape(facts: ModelFacts) -> tuple[str, int, int]:
    return facts.architecture, facts.layers, facts.heads


def _hash(head_set: HeadSet) -> str:
    model = head_set.evidence.get("model")
    found = model.get("sha256") if isinstance(model, dict) else None
    return found if isinstance(found, str) else ""


def _of_user() -> Iterator[KnownHeads]:
    from ..hub.head_files import head_folder

    try:
        files = sorted(head_folder().glob("*.json"))
    except OSError:
        return
    for file in files:
        try:
            yield KnownHeads(HeadSet.read(file), file, False)
        except HeadSetError as error:
            _log.warning("%s", error)


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
        stacklevel=builtin.caller(),
    )
