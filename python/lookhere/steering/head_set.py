"""Head sets: which attention heads a model is steered with, how, and the evidence for it; read and written as JSON.

A ranking is the same file with every head in it, best first; ``HeadSet.top`` makes a head set of it, or of the ranking
that a head set lists in its evidence.
"""

from __future__ import annotations

import json
import os
from collections.abc import Sequence
from dataclasses import dataclass, field, replace
from typing import Any

from .. import checks, limits
from ..atomic import write_text
from ..errors import HeadSetError, OptionError
from ..strict import Entry
from .facts import Head, ModelFacts, as_heads
from .head_grid import head_grid
from .push import MODES, QUERIES, Mode, Push, PushChange, Pushed, Queries

__all__ = ["FORMAT", "Head", "HeadSet", "ModelFacts", "as_heads", "from_dict", "to_dict"]

FORMAT = "lookhere-head-set"
VERSION = 1


@dataclass(frozen=True, init=False, repr=False)
class HeadSet(Pushed):
    """(layer, head) pairs, best first, and what suits them.

    model: the facts of the one that they were found on. push: how they act; its values may be given one by one
    (strength, mode, queries, sharpness, share). prompt: a question that suits the model, None for the general one.
    scores: one per head, or empty. evidence: free figures. readers: heads that look at what is being said, best first,
    for read-back; empty: those that are steered. HeadSetError, OptionError where a value is wrong.
    """

    model: ModelFacts
    heads: tuple[Head, ...]
    push: Push = Push()
    prompt: str | None = None
    scores: tuple[float, ...] = ()
    source: str = ""
    evidence: dict[str, Any] = field(default_factory=dict, hash=False)
    readers: tuple[Head, ...] = ()

    def __init__(
        self,
        model: ModelFacts,
        heads: Sequence[Head],
        strength: float | None = None,
        mode: Mode | None = None,
        queries: Queries | None = None,
        sharpness: float | None = None,
        share: float | None = None,
        prompt: str | None = None,
        scores: Sequence[float] = (),
        source: str = "",
        evidence: dict[str, Any] | None = None,
        readers: Sequence[Head] = (),
        *,
        push: Push | None = None,
    ) -> None:
        if not isinstance(model, ModelFacts):
            raise HeadSetError(
                f"HeadSet: model={checks.short(model)}; expected the ModelFacts of a model, as model.facts."
            )
        if push is not None and not isinstance(push, Push):
            raise HeadSetError(f"HeadSet: push={checks.short(push)}; expected a Push, as Push(strength=5).")
        try:
            change = PushChange(mode=mode, strength=strength, share=share, sharpness=sharpness, queries=queries)
        except OptionError as error:
            raise HeadSetError(f"HeadSet: {error}") from error
        values = {
            "model": model,
            "heads": as_heads("HeadSet: heads", heads),
            "push": change.on(push or Push(), fitting=False),
            "prompt": prompt,
            "scores": _scores(scores),
            "source": source,
            "evidence": {} if evidence is None else evidence,
            "readers": as_heads("HeadSet: readers", readers),
        }
        for name, value in values.items():
            object.__setattr__(self, name, value)
        checked = from_dict(to_dict(self), "HeadSet")
        for name in ("model", "heads", "scores", "readers"):
            object.__setattr__(self, name, getattr(checked, name))

    def __repr__(self) -> str:
        name, count = checks.label(self.model.name, 44), len(self.heads)
        return f"<HeadSet of {count} head{'s' * (count > 1)} of {name}, {self.mode}, {self.amount}, {self.queries}>"

    def _repr_html_(self) -> str:
        """For a notebook: the heads in a grid of layers and heads."""
        return head_grid(repr(self), self.model.layers, self.model.heads, self.heads, self.readers)

    @property
    def amount(self) -> str:
        """How strongly, for people: '5 nats' or 'share 0.3'."""
        return self.push.amount

    def pushed(self, **changes: Any) -> HeadSet:
        """The same heads with another push; changes: some of its values by name. OptionError."""
        return replace(self, push=replace(self.push, **changes))

    def top(self, k: int) -> HeadSet:
        """The k best heads of ``ranked``; HeadSetError if there are fewer. Scores stay where all of them have one."""
        found = checks.as_whole(k) or 0
        if 1 <= found <= len(self.heads):
            return replace(self, heads=self.heads[:found], scores=self.scores[:found])
        ranked = self.ranked
        if not 1 <= found <= len(ranked):
            raise HeadSetError(
                f"top({checks.short(k)}) of a head set with {len(self.heads)} heads, {len(ranked)} with those that its "
                f"ranking lists; expected 1 to {len(ranked)}. lookhere discover --save-ranking writes a file with "
                "every head, which HeadSet.read reads."
            )
        return replace(self, heads=ranked[:found], scores=())

    @property
    def ranked(self) -> tuple[Head, ...]:
        """Every head that is known, best first: those of the set, then the others that ``evidence["ranking"]`` lists.

        HeadSetError where that is not a list of heads.
        """
        name = f"The ranking in the evidence of {checks.label(self.model.name, 48)}"
        return tuple(dict.fromkeys((*self.heads, *as_heads(name, self.evidence.get("ranking", ())))))

    @property
    def layers(self) -> tuple[int, ...]:
        """The layers that hold a head of the set, ascending."""
        return tuple(sorted({layer for layer, _ in self.heads}))

    def check(self, model: ModelFacts) -> None:
        """HeadSetError if the model is of another architecture or lacks a head."""
        if not isinstance(model, ModelFacts):
            raise HeadSetError(f"check({checks.short(model)}); expected the ModelFacts of a model, as model.facts.")
        for layer, head in (*self.heads, *self.readers):
            if lack := model.lacks(layer):
                raise HeadSetError(
                    f"The head set for {self.model.name!r} names layer {layer}, head {head}; {lack}. Use the head set "
                    "of this model."
                )
            if layer >= model.layers or head >= model.heads:
                raise HeadSetError(
                    f"The head set for {self.model.name!r} names layer {layer}, head {head}; the model has layers 0 to "
                    f"{model.layers - 1} with heads 0 to {model.heads - 1}. Use the head set of this model."
                )
        if self.model.architecture != model.architecture:
            raise HeadSetError(
                f"The head set was found on {self.model.name!r} ({self.model.architecture}); this model is of the "
                f"architecture {model.architecture}. Use the head set of this model."
            )

    @classmethod
    def read(cls, path: str | os.PathLike[str]) -> HeadSet:
        """The head set in a JSON file; HeadSetError names the file and what is wrong in it."""
        file = checks.path("HeadSet.read: path", path, error=HeadSetError)
        name = f"The head set {checks.short(str(file), 300)}"
        try:
            text = file.read_text(encoding="utf-8")
        except FileNotFoundError:
            raise HeadSetError(f"{name} is not there; expected a file as lookhere discover writes it.") from None
        except (OSError, UnicodeDecodeError) as error:
            raise HeadSetError(f"{name} cannot be read: {checks.reason(error)}.") from error
        try:
            data = json.loads(text, parse_constant=_not_a_number)
        except (ValueError, RecursionError) as error:
            raise HeadSetError(f"{name} is not JSON ({error}). Was it half written?") from error
        return from_dict(data, name)

    def write(self, path: str | os.PathLike[str]) -> None:
        """Writes JSON, whole or not at all. HeadSetError if the folder does not take it, or the evidence has
        no form in JSON."""
        file = checks.path("HeadSet.write: path", path, error=HeadSetError)
        try:
            text = json.dumps(to_dict(self), indent=1, ensure_ascii=False, allow_nan=False) + "\n"
        except (TypeError, ValueError, RecursionError) as error:
            raise HeadSetError(f"The evidence of the head set has no form in JSON: {checks.reason(error)}.") from error
        try:
            write_text(file, text)
        except (OSError, UnicodeEncodeError) as error:
            name = checks.short(str(file), 300)
            raise HeadSetError(f"The head set cannot be written to {name}: {checks.reason(error)}.") from error


def to_dict(head_set: HeadSet) -> dict[str, Any]:
    """The head set as it stands in JSON."""
    heads: list[dict[str, Any]] = [{"layer": layer, "head": head} for layer, head in head_set.heads]
    if head_set.scores:
        if len(head_set.scores) != len(head_set.heads):
            raise HeadSetError(f"{len(head_set.scores)} scores for {len(head_set.heads)} heads; expected one per head.")
        heads = [{**head, "score": score} for head, score in zip(heads, head_set.scores, strict=True)]
    data: dict[str, Any] = {
        "format": FORMAT,
        "version": VERSION,
        "model": head_set.model.as_dict(),
        **{name: getattr(head_set.push, name) for name in ("strength", "mode", "queries", "sharpness", "share")},
        "prompt": head_set.prompt,
        "heads": heads,
        "readers": [{"layer": layer, "head": head} for layer, head in head_set.readers] or None,
        "source": head_set.source,
        "evidence": head_set.evidence,
    }
    return {key: value for key, value in data.items() if value is not None}


def from_dict(data: Any, what: str) -> HeadSet:
    """A head set out of parsed JSON; ``what`` begins the message of the HeadSetError."""
    entry = Entry(what, "", data, HeadSetError)
    if isinstance(data, list) or (
        isinstance(data, dict) and "format" not in data and isinstance(data.get("heads"), list)
    ):
        raise HeadSetError(
            f"{what}: format is missing. It looks like a ranking, which says which heads, and not how many of them to "
            "push and how: lookhere discover --from-ranking FILE makes a head set of it."
        )
    entry.keys(
        {"format", "version", "model", "heads"},
        {"strength", "mode", "queries", "sharpness", "share", "prompt", "readers", "source", "evidence"},
    )
    if data["format"] != FORMAT:
        entry.wrong("format", f"{FORMAT!r}")
    if data["version"] != VERSION:
        entry.wrong("version", f"{VERSION}; a newer lookhere may read it")
    facts = ModelFacts.read(entry.child("model"))
    heads, scores = _heads(what, "heads", data["heads"], facts)
    readers = _heads(what, "readers", data["readers"], facts)[0] if "readers" in data else ()
    evidence = data.get("evidence", {})
    if not isinstance(evidence, dict):
        entry.wrong("evidence", "an object")
    head_set = object.__new__(HeadSet)
    values = {
        "model": facts,
        "heads": heads,
        "scores": scores,
        "readers": readers,
        "push": Push(
            mode=entry.one_of("mode", "boost_suppress", MODES),  # type: ignore[arg-type]
            strength=entry.number("strength", 5.0, limits.STRENGTH),
            share=entry.number("share", 0.3, 1.0),
            sharpness=entry.number("sharpness", 1.0, 1.0),
            queries=entry.one_of("queries", "all", QUERIES),  # type: ignore[arg-type]
        ),
        "prompt": entry.text("prompt") if "prompt" in data else None,
        "source": entry.text("source") if "source" in data else "",
        "evidence": evidence,
    }
    for name, value in values.items():
        object.__setattr__(head_set, name, value)
    return head_set


def _heads(what: str, key: str, items: Any, facts: ModelFacts) -> tuple[tuple[Head, ...], tuple[float, ...]]:
    if not isinstance(items, list) or not items:
        raise HeadSetError(f"{what}: '{key}' is {checks.short(items)}; expected a list with at least one head.")
    heads: list[Head] = []
    scores: list[float] = []
    for index, item in enumerate(items):
        entry = Entry(what, f"{key}[{index}].", item, HeadSetError)
        entry.keys({"layer", "head"}, {"score"} if key == "heads" else set())
        pair = entry.whole("layer", 0), entry.whole("head", 0)
        if pair[0] >= facts.layers or pair[1] >= facts.heads:
            raise HeadSetError(
                f"{what}: {key}[{index}] is layer {checks.short(pair[0])}, head {checks.short(pair[1])}; its own model "
                f"facts allow layers 0 to {facts.layers - 1} and heads 0 to {facts.heads - 1}."
            )
        if lack := facts.lacks(pair[0]):
            raise HeadSetError(f"{what}: {key}[{index}] is layer {pair[0]}, head {pair[1]}; {lack}.")
        heads.append(pair)
        if "score" in item:
            scores.append(entry.number("score", 0.0, float("inf"), float("-inf")))
    if len(set(heads)) != len(heads):
        raise HeadSetError(f"{what}: a head is listed twice in '{key}'; expected each once.")
    if scores and len(scores) != len(heads):
        raise HeadSetError(f"{what}: {len(scores)} of {len(heads)} heads have a score; expected all or none.")
    return tuple(heads), tuple(scores)


def _scores(scores: object) -> tuple[float, ...]:
    given = checks.items(scores)
    found = [checks.as_float(each) for each in given or ()]
    if given is None or None in found:
        raise HeadSetError(f"HeadSet: scores={checks.short(scores)}; expected a number for each head, or none.")
    return tuple(each for each in found if each is not None)


def _not_a_number(name: str) -> float:
    raise ValueError(f"{name} is not a number")
