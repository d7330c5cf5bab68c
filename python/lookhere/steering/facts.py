"""What of a model a head set depends on."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass, replace
from typing import Any, TypeAlias, TypeVar

import numpy as np
from numpy.typing import NDArray

from .. import checks
from ..errors import HeadSetError
from ..strict import Entry

Head: TypeAlias = tuple[int, int]
"""(layer, head), zero based, query heads."""

Number = TypeVar("Number", bound=np.generic)


@dataclass(frozen=True)
class ModelFacts:
    """What of a model a head set depends on. heads: query heads per layer. attention_layers: the layers that have
    heads, where others are recurrent; empty where all have. aliases: other names that the model goes by."""

    name: str
    architecture: str
    layers: int
    heads: int
    attention_layers: tuple[int, ...] = ()
    aliases: tuple[str, ...] = ()

    @classmethod
    def of(cls, name: str, architecture: str, layers: int, heads: int, attention_layers: Iterable[int]) -> ModelFacts:
        """attention_layers: all that have heads."""
        found = tuple(attention_layers)
        return cls(name, architecture, layers, heads, () if found == tuple(range(layers)) else found)

    @classmethod
    def read(cls, entry: Entry) -> ModelFacts:
        """Out of parsed JSON; the entry's error says what is wrong."""
        entry.keys({"name", "architecture", "layers", "heads"}, {"attention_layers", "aliases"})
        facts = cls(entry.text("name"), entry.text("architecture"), entry.whole("layers", 1), entry.whole("heads", 1))
        given = entry.data.get("attention_layers", [])
        known = isinstance(given, list) and all(type(each) is int and 0 <= each < facts.layers for each in given)
        if not known or given != sorted(set(given)):
            entry.wrong("attention_layers", "layers of the model, ascending")
        aliases = entry.data.get("aliases", [])
        if not isinstance(aliases, list) or not all(isinstance(each, str) and each for each in aliases):
            entry.wrong("aliases", "names of the model")
        return replace(facts, attention_layers=tuple(given), aliases=tuple(aliases))

    @property
    def layers_with_heads(self) -> tuple[int, ...]:
        """Ascending."""
        return self.attention_layers or tuple(range(self.layers))

    @property
    def every_head(self) -> tuple[Head, ...]:
        """All of them, layer by layer."""
        return tuple((layer, head) for layer in self.layers_with_heads for head in range(self.heads))

    def lacks(self, layer: int) -> str:
        """Why a layer has no heads that can be steered, for a message; "" where it has."""
        if not self.attention_layers or layer >= self.layers or layer in self.attention_layers:
            return ""
        known = ", ".join(map(str, self.attention_layers))
        return f"layer {layer} of {self.architecture} has no attention to steer; its attention layers are {known}"

    def as_dict(self) -> dict[str, Any]:
        """As they stand in JSON."""
        facts = {"name": self.name, "architecture": self.architecture, "layers": self.layers, "heads": self.heads}
        lists = {"attention_layers": list(self.attention_layers), "aliases": list(self.aliases)}
        return {**facts, **{name: values for name, values in lists.items() if values}}

    def on_every_layer(self, mass: NDArray[Number]) -> NDArray[Number]:
        """(layers, heads, ...) of what was read in the layers with heads alone, 0 in the others."""
        if not self.attention_layers:
            return mass
        whole = np.zeros((self.layers, *mass.shape[1:]), mass.dtype)
        whole[list(self.attention_layers)] = mass
        return whole


def as_heads(name: str, heads: object) -> tuple[Head, ...]:
    """(layer, head) pairs of whole numbers. HeadSetError."""
    pairs = checks.items(heads)
    found = [tuple(checks.as_whole(each) for each in checks.items(pair) or ()) for pair in pairs or ()]
    if pairs is None or not all(len(pair) == 2 and all(n is not None and n >= 0 for n in pair) for pair in found):
        raise HeadSetError(f"{name}={checks.short(heads)}; expected (layer, head) pairs, counted from 0.")
    return tuple(found)  # type: ignore[arg-type]  # pairs of numbers, as was seen
