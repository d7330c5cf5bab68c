"""The arms of an evaluation: each is one way to point a model at a place, the controls and the baselines among them."""

from __future__ import annotations

import random
from collections.abc import Mapping
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Literal, Protocol, TypeAlias

from ..steering.head_set import Head, HeadSet
from ..steering.steering import Steering
from .comparison import Rival
from .edits import crop, dim, draw_box
from .picture import Edit, Picture, Place
from .view import View

if TYPE_CHECKING:
    from ..scenes.scene import Scene

Group: TypeAlias = Literal["main", "baseline", "control", "sweep", "mode", "reading"]

DRAWS = 10
"""Random controls are a distribution: single draws spanned .007 to .663 (Inherited Heads, arXiv 2609.14174)."""

OTHERS = 3
"""Draws of gaze heads that are not in the set: how much the choice among them matters."""

BOX_WORDS = "Look only at what is inside the red box."


class Arm(Protocol):
    """One way to point at a place."""

    @property
    def name(self) -> str: ...
    @property
    def group(self) -> Group: ...
    def view(self, picture: Picture, place: Place, prompt: str) -> View:
        """What the model is given; equal views get one answer."""
        ...


@dataclass(frozen=True)
class Unsteered:
    """Nobody says where to look."""

    name: str = "unsteered"
    group: Group = "main"

    def view(self, picture: Picture, place: Place, prompt: str) -> View:
        """The same for every place."""
        return View(picture.scene, prompt)


@dataclass(frozen=True)
class Steered:
    """Heads are told where to look."""

    name: str
    heads: HeadSet
    group: Group = "main"

    def view(self, picture: Picture, place: Place, prompt: str) -> View:
        """The whole image, the heads looking at the place."""
        return View(picture.scene, prompt, Steering(self.heads, place.box))


@dataclass(frozen=True)
class Zoomed:
    """Heads are told where to look in a window around the place, which is enlarged where the place is small."""

    heads: HeadSet
    name: str = "gaze heads, zoomed"
    group: Group = "main"

    def view(self, picture: Picture, place: Place, prompt: str) -> View:
        """The window as another image, the heads looking at the place."""
        return View(picture.zoomed(place.box), prompt, Steering(self.heads, place.box))


@dataclass(frozen=True)
class Edited:
    """The image is changed and encoded again. words: said before the question, if any."""

    name: str
    edit: Edit
    words: str = ""
    group: Group = "baseline"

    def view(self, picture: Picture, place: Place, prompt: str) -> View:
        """Another scene for every place."""
        scene: Scene = picture.edited(self.edit, place.box)
        return View(scene, f"{self.words} {prompt}".strip())


@dataclass(frozen=True)
class Named:
    """The place is named in the prompt."""

    name: str = "named in the prompt"
    group: Group = "baseline"

    def view(self, picture: Picture, place: Place, prompt: str) -> View:
        """The whole image, another prompt for every place."""
        return View(picture.scene, f"Look only at {place.words}. {prompt}")


UNSTEERED = Unsteered()


def gaze_arm(heads: HeadSet) -> Steered:
    """The head set as it stands."""
    return Steered("gaze heads", heads)


def baseline_arms() -> list[Arm]:
    """What needs no access to the heads."""
    return [
        Edited("cropped to the place", crop),
        Edited("dimmed outside", dim),
        Edited("box drawn", draw_box),
        Edited("box drawn and named", draw_box, BOX_WORDS),
        Named(),
    ]


def control_arms(heads: HeadSet, seed: int) -> list[Arm]:
    """Reported, never tuned: random draws, all heads, and all heads with the other image tokens suppressed."""
    every = replace(heads, heads=heads.model.every_head, scores=())
    return [
        *(Steered(f"random heads, draw {draw + 1}", random_heads(heads, seed, draw), "control")
          for draw in range(DRAWS)),
        *(Steered(f"other gaze heads, draw {draw + 1}", other, "control")
          for draw in range(OTHERS) if (other := other_gaze_heads(heads, seed, draw)) is not None),
        Steered("all heads", every, "control"),
        Steered("all heads, suppress_image", every.pushed(mode="suppress_image"), "control"),
    ]  # fmt: skip


def rival_arms(rivals: Mapping[Rival, HeadSet]) -> list[Arm]:
    """Other kinds of heads than gaze heads, as many of each and steered alike; controls too."""
    return [Steered(f"{rival} heads", heads, "control") for rival, heads in rivals.items()]


def random_heads(heads: HeadSet, seed: int, draw: int) -> HeadSet:
    """As many heads that are no gaze heads, drawn at random: each from the layer of one of the set, where one is left
    there, else from any. Which heads are gaze heads is told by the evidence of the set; without, those of the set."""
    return _drawn(heads, seed, draw, set(heads.model.every_head) - set(heads.heads) - known_gaze_heads(heads))


def other_gaze_heads(heads: HeadSet, seed: int, draw: int) -> HeadSet | None:
    """As many gaze heads that are not in the set, drawn alike; None if there are not so many."""
    free = known_gaze_heads(heads) - set(heads.heads)
    return _drawn(heads, seed, draw, free) if len(free) >= len(heads.heads) else None


def known_gaze_heads(heads: HeadSet) -> set[Head]:
    """The heads that the evidence of a set calls gaze heads, where it was found by the default score; else none."""
    found, listed = heads.evidence.get("gaze_heads"), heads.evidence.get("ranking")
    if heads.evidence.get("score") != "guarded" or not isinstance(found, int) or not isinstance(listed, list):
        return set()
    return {(layer, head) for layer, head in listed[:found]}


def _drawn(heads: HeadSet, seed: int, draw: int, free: set[Head]) -> HeadSet:
    rng = random.Random(f"{seed}/{draw}")
    drawn: list[Head] = []
    for layer, _ in sorted(heads.heads):
        if not free:
            break
        beside = sorted(head for head in free if head[0] == layer)
        chosen = rng.choice(beside or sorted(free))
        free.remove(chosen)
        drawn.append(chosen)
    return replace(heads, heads=tuple(drawn or heads.heads), scores=())
