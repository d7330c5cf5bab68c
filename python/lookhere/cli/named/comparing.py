"""Two head sets beside each other, and one beside a model."""

from __future__ import annotations

import os
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from ...errors import HeadSetError
from ...loading.gguf import read_header
from ...loading.head_choice import match
from ...loading.pair import locate, model_path
from ...loading.published import same_name
from ...steering.head_set import HeadSet, ModelFacts

_KS = (1, 2, 5, 10, 20, 50, 100, 200, 500)


@dataclass(frozen=True)
class Overlap:
    """both: heads that are in both sets. by_k: share of the best k heads, as they are ranked, that both have. chance:
    what the smaller set would have in common with the other if both were drawn at random."""

    first: HeadSet
    second: HeadSet
    both: int
    by_k: dict[int, float]
    chance: float

    def as_dict(self) -> dict[str, Any]:
        """For JSON."""
        return {
            "models": [self.first.model.name, self.second.model.name],
            "heads": [len(self.first.heads), len(self.second.heads)],
            "both": self.both,
            "overlap": {str(k): round(share, 4) for k, share in self.by_k.items()},
            "chance": round(self.chance, 4),
        }


def compare(first: HeadSet, second: HeadSet) -> Overlap:
    """HeadSetError where the two are of models of another shape."""
    shapes = [(each.model.layers, each.model.heads) for each in (first, second)]
    if shapes[0] != shapes[1]:
        raise HeadSetError(
            f"{first.model.name} has {shapes[0][0]} layers of {shapes[0][1]} heads, {second.model.name} {shapes[1][0]} "
            f"of {shapes[1][1]}: their heads cannot be compared. Give two head sets of models of one shape."
        )
    ranked = [each.ranked for each in (first, second)]
    most = min(map(len, ranked))
    by_k = {k: len(set(ranked[0][:k]) & set(ranked[1][:k])) / k for k in sorted({*_KS, most}) if k <= most}
    larger = max(len(first.heads), len(second.heads))
    return Overlap(first, second, len({*first.heads} & {*second.heads}), by_k, larger / len(first.model.every_head))


def fits(head_set: HeadSet, model: str | os.PathLike[str]) -> str:
    """A sentence about a head set and a model. HeadSetError where it does not fit; ModelFileError, HubError."""
    located = locate(model, None)
    path = model_path(located.path)
    header = read_header(path)
    facts = ModelFacts(
        header.name or Path(path).stem,
        header.architecture,
        header.of_model("block_count"),
        header.of_model("attention.head_count"),
    )
    head_set.check(facts)
    own = match(facts, path, header, located.names)
    if same_name(facts.name, head_set.model.name):
        return f"It fits {facts.name}, the model that it was found on."
    known = f" Known for it are the heads of {own.head_set.model.name}." if own else ""
    return (
        f"{facts.name} has the heads that it names, but it was found on {head_set.model.name}: it steers {facts.name} "
        f"only if the one was made from the other.{known}"
    )
