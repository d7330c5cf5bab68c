"""The models with a short name, beside this machine: whether they are here, whether they fit, which heads they have."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal, TypeAlias

from ...hub import known as table
from ...hub.fetch import find
from ...hub.known import KnownModel
from ...hub.name import HubName
from ...hub.telling import unheard
from ...kv import memory
from ...loading.head_choice import KnownHeads, known_heads
from ...loading.published import same_name
from ...steering.head_set import HeadSet

Heads: TypeAlias = Literal["published", "ours", "yours", "discover first"]


@dataclass(frozen=True)
class Overview:
    """fits: whether its memory is free now, None where one of the two is not known. here: its files are on this
    machine, whole. heads: where its head set comes from: others published it, we found it, or you have fetched it."""

    known: KnownModel
    fits: bool | None
    here: bool
    heads: Heads


def overview() -> list[Overview]:
    """All models with a short name. The network is not asked."""
    free, sets = memory.available(), known_heads()
    return [
        Overview(
            model,
            None if free is None or not model.memory else model.memory <= free,
            _is_here(model),
            _heads(model, sets),
        )
        for model in table.known_models()
    ]


def _is_here(model: KnownModel) -> bool:
    name = HubName(model.repository, model.quantization, revision=model.revision, known=model)
    with unheard():
        return find(name) is not None


def _heads(model: KnownModel, sets: list[KnownHeads]) -> Heads:
    for each in sets:
        facts = each.head_set.model
        if any(same_name(name, model.base) for name in (facts.name, *facts.aliases)):
            return origin(each.head_set, shipped=each.shipped)
    return "discover first"


def origin(head_set: HeadSet, *, shipped: bool) -> Heads:
    """Where a head set comes from."""
    if not shipped:
        return "yours"
    return "published" if "published" in head_set.evidence else "ours"
