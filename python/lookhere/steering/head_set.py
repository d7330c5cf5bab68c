"""Head sets: which attention heads a model is steered with, how, and the evidence for it; read and written as JSON.

A ranking is the same file with every head in it, best first; ``HeadSet.top`` makes a head set of it.
"""

from __future__ import annotations

import json
import os
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import TYPE_CHECKING, Any, Literal, Protocol, TypeAlias, get_args

from ..atomic import write_text
from ..errors import HeadSetError

if TYPE_CHECKING:
    from ..model import Model

FORMAT = "lookhere-head-set"
VERSION = 1
STRONGEST = 10_000.0
"""Nats; the strength of the paper. Larger values are lost in the F16 of an attention mask."""

BiasMode: TypeAlias = Literal["boost_suppress", "suppress_image", "suppress_all", "max_suppress_all"]
"""Modes that add nats to the attention scores."""
ShareMode: TypeAlias = Literal["target_share", "within_image"]
"""Modes that move attention until the target has a share of it."""
Mode: TypeAlias = BiasMode | ShareMode
BIAS_MODES: tuple[BiasMode, ...] = get_args(BiasMode)
MODES: tuple[Mode, ...] = (*BIAS_MODES, *get_args(ShareMode))
Queries: TypeAlias = Literal["all", "after_image", "answer", "generated"]
Head: TypeAlias = tuple[int, int]
"""(layer, head), zero based, query heads."""


class HasHeads(Protocol):
    """What a head set is checked against: a model, or anything that knows these three."""

    @property
    def architecture(self) -> str: ...
    @property
    def layers(self) -> int: ...
    @property
    def heads_per_layer(self) -> int: ...


@dataclass(frozen=True)
class ModelFacts:
    """The model that a head set was found on. heads: query heads per layer."""

    name: str
    architecture: str
    layers: int
    heads: int

    @classmethod
    def of(cls, model: Model) -> ModelFacts:
        """Those of a loaded model."""
        return cls(model.name, model.architecture, model.layers, model.heads_per_layer)

    @property
    def every_head(self) -> tuple[Head, ...]:
        """All of them, layer by layer."""
        return tuple((layer, head) for layer in range(self.layers) for head in range(self.heads))


@dataclass(frozen=True)
class HeadSet:
    """(layer, head) pairs, best first, and what suits them.

    strength: nats, 0..10000. mode, queries, sharpness, share: see ``Steering``. prompt: a question that suits the
    model, None for the general one. scores: one per head, or empty. evidence: free figures. readers: heads that look
    at what is being said, best first, for read-back; empty: those that are steered. HeadSetError where a value is
    wrong.
    """

    model: ModelFacts
    heads: tuple[Head, ...]
    strength: float = 5.0
    mode: Mode = "boost_suppress"
    queries: Queries = "all"
    sharpness: float = 1.0
    share: float = 0.3
    prompt: str | None = None
    scores: tuple[float, ...] = ()
    source: str = ""
    evidence: dict[str, Any] = field(default_factory=dict, hash=False)
    readers: tuple[Head, ...] = ()

    def __post_init__(self) -> None:
        checked = from_dict(to_dict(self), "HeadSet")
        object.__setattr__(self, "heads", checked.heads)
        object.__setattr__(self, "scores", checked.scores)
        object.__setattr__(self, "readers", checked.readers)

    @property
    def amount(self) -> str:
        """How strongly, for people: '5 nats' or 'share 0.3'."""
        if self.mode in BIAS_MODES:
            return f"{self.strength:g} nats"
        return f"share {self.share if self.mode == 'target_share' else 1:g}"

    def top(self, k: int) -> HeadSet:
        """The k best heads; HeadSetError if there are fewer."""
        if not 1 <= k <= len(self.heads):
            raise HeadSetError(f"top({k}) of a head set with {len(self.heads)} heads; expected 1 to {len(self.heads)}.")
        return replace(self, heads=self.heads[:k], scores=self.scores[:k])

    @property
    def layers(self) -> tuple[int, ...]:
        """The layers that hold a head of the set, ascending."""
        return tuple(sorted({layer for layer, _ in self.heads}))

    def check(self, model: HasHeads) -> None:
        """HeadSetError if the model is of another architecture or lacks a head."""
        for layer, head in (*self.heads, *self.readers):
            if layer >= model.layers or head >= model.heads_per_layer:
                raise HeadSetError(
                    f"The head set for {self.model.name!r} names layer {layer}, head {head}; the model has layers 0 to "
                    f"{model.layers - 1} with heads 0 to {model.heads_per_layer - 1}. Use the head set of this model."
                )
        if self.model.architecture != model.architecture:
            raise HeadSetError(
                f"The head set was found on {self.model.name!r} ({self.model.architecture}); this model is of the "
                f"architecture {model.architecture}. Use the head set of this model."
            )

    @classmethod
    def read(cls, path: str | os.PathLike[str]) -> HeadSet:
        """The head set in a JSON file; HeadSetError names the file and what is wrong in it."""
        try:
            text = Path(path).read_text(encoding="utf-8")
        except FileNotFoundError:
            raise HeadSetError(
                f"There is no file {os.fspath(path)!r}; expected a head set, as lookhere discover writes it."
            ) from None
        except (OSError, UnicodeDecodeError) as error:
            raise HeadSetError(f"The head set {os.fspath(path)!r} cannot be read: {error}.") from error
        try:
            data = json.loads(text, parse_constant=_not_a_number)
        except (ValueError, RecursionError) as error:
            name = os.fspath(path)
            raise HeadSetError(f"The head set {name!r} is not JSON ({error}). Was it half written?") from error
        return from_dict(data, f"The head set {os.fspath(path)!r}")

    def write(self, path: str | os.PathLike[str]) -> None:
        """Writes JSON, whole or not at all. HeadSetError if the folder does not take it."""
        text = json.dumps(to_dict(self), indent=1, ensure_ascii=False, allow_nan=False) + "\n"
        try:
            write_text(path, text)
        except (OSError, UnicodeEncodeError) as error:
            raise HeadSetError(f"The head set cannot be written to {os.fspath(path)!r}: {error}.") from error


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
        "model": dict(vars(head_set.model)),
        "strength": head_set.strength,
        "mode": head_set.mode,
        "queries": head_set.queries,
        "sharpness": head_set.sharpness,
        "share": head_set.share,
        "prompt": head_set.prompt,
        "heads": heads,
        "readers": [{"layer": layer, "head": head} for layer, head in head_set.readers] or None,
        "source": head_set.source,
        "evidence": head_set.evidence,
    }
    return {key: value for key, value in data.items() if value is not None}


def from_dict(data: Any, what: str) -> HeadSet:
    """A head set out of parsed JSON; ``what`` begins the message of the HeadSetError."""
    entry = _Entry(what, "", data)
    entry.keys(
        {"format", "version", "model", "heads"},
        {"strength", "mode", "queries", "sharpness", "share", "prompt", "readers", "source", "evidence"},
    )
    if data["format"] != FORMAT:
        entry.wrong("format", f"{FORMAT!r}")
    if data["version"] != VERSION:
        entry.wrong("version", f"{VERSION}; a newer lookhere may read it")
    model = _Entry(what, "model.", data["model"])
    model.keys({"name", "architecture", "layers", "heads"}, set())
    facts = ModelFacts(
        model.text("name"), model.text("architecture"), model.whole("layers", 1), model.whole("heads", 1)
    )
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
        "strength": entry.number("strength", 5.0, STRONGEST),
        "mode": entry.one_of("mode", "boost_suppress", MODES),
        "queries": entry.one_of("queries", "all", get_args(Queries)),
        "sharpness": entry.number("sharpness", 1.0, 1.0),
        "share": entry.number("share", 0.3, 1.0),
        "prompt": entry.text("prompt") if "prompt" in data else None,
        "source": entry.text("source") if "source" in data else "",
        "evidence": evidence,
    }
    for name, value in values.items():
        object.__setattr__(head_set, name, value)
    return head_set


def _heads(what: str, key: str, items: Any, facts: ModelFacts) -> tuple[tuple[Head, ...], tuple[float, ...]]:
    if not isinstance(items, list) or not items:
        raise HeadSetError(f"{what}: '{key}' is {_short(items)}; expected a list with at least one head.")
    heads: list[Head] = []
    scores: list[float] = []
    for index, item in enumerate(items):
        entry = _Entry(what, f"{key}[{index}].", item)
        entry.keys({"layer", "head"}, {"score"} if key == "heads" else set())
        pair = entry.whole("layer", 0), entry.whole("head", 0)
        if pair[0] >= facts.layers or pair[1] >= facts.heads:
            raise HeadSetError(
                f"{what}: {key}[{index}] is layer {pair[0]}, head {pair[1]}; its own model facts allow layers 0 to "
                f"{facts.layers - 1} and heads 0 to {facts.heads - 1}."
            )
        heads.append(pair)
        if "score" in item:
            scores.append(entry.number("score", 0.0, float("inf"), float("-inf")))
    if len(set(heads)) != len(heads):
        raise HeadSetError(f"{what}: a head is listed twice in '{key}'; expected each once.")
    if scores and len(scores) != len(heads):
        raise HeadSetError(f"{what}: {len(scores)} of {len(heads)} heads have a score; expected all or none.")
    return tuple(heads), tuple(scores)


@dataclass(frozen=True)
class _Entry:
    """A JSON object and where it stands, for messages."""

    what: str
    path: str
    data: Any

    def keys(self, required: set[str], optional: set[str]) -> None:
        if not isinstance(self.data, dict):
            raise HeadSetError(f"{self.what}: {self.path or 'it '}is {_short(self.data)}; expected an object.")
        missing, unknown = required - self.data.keys(), self.data.keys() - required - optional
        if missing:
            raise HeadSetError(f"{self.what}: {self.path}{min(missing)} is missing.")
        if unknown:
            allowed = ", ".join(sorted(required | optional))
            raise HeadSetError(f"{self.what}: unknown key {self.path}{min(unknown)}; expected only {allowed}.")

    def wrong(self, key: str, expected: str) -> None:
        raise HeadSetError(f"{self.what}: {self.path}{key} is {_short(self.data[key])}; expected {expected}.")

    def text(self, key: str) -> str:
        text = self.data[key]
        if not isinstance(text, str) or any("\ud800" <= each <= "\udfff" for each in text):
            self.wrong(key, "text in valid Unicode")
        return str(text)

    def whole(self, key: str, least: int) -> int:
        value = self.data[key]
        if isinstance(value, bool) or not isinstance(value, int) or value < least:
            self.wrong(key, f"a whole number from {least} on")
        return int(value)

    def number(self, key: str, default: float, most: float, least: float = 0.0) -> float:
        value = self.data.get(key, default)
        if isinstance(value, bool) or not isinstance(value, (int, float)) or not least <= value <= most:
            self.wrong(key, f"a number from {least:g} to {most:g}")
        return float(value)

    def one_of(self, key: str, default: str, allowed: tuple[str, ...]) -> str:
        value = self.data.get(key, default)
        if value not in allowed:
            self.wrong(key, f"one of {', '.join(allowed)}")
        return str(value)


def _short(value: Any) -> str:
    text = repr(value)
    return text if len(text) <= 60 else text[:57] + "..."


def _not_a_number(name: str) -> float:
    raise ValueError(f"{name} is not a number")
