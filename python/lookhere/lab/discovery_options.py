"""What a discovery depends on, apart from the model."""

from __future__ import annotations

from dataclasses import dataclass, field
from pathlib import Path
from typing import get_args

from .. import checks
from ..errors import ComicsError, HeadSetError, LabelsError, OptionError
from ..questions import ORDINALS
from .naming import Naming
from .ranking import FLOOR, PLACES, RANKS, Kind, Place, Rank


@dataclass(frozen=True)
class Options:
    """What a discovery depends on, apart from the model.

    Generated strips, or one of: comics, a folder in the authors' layout; scenes, generated ones with objects; coco,
    labelled boxes in COCO's format, and images, the folder of their images (None: beside the file). strips,
    calibration: how many of these to find heads on, how many others to choose K, strength, mode and queries on (0: not
    chosen). place: which ranking to use, None for the better one. ranking: a published one to start from, so that only
    the choice is made. prompt: the question that the head set is for; None for the paper's, or another of ours where
    the model answers that one with captions. question, ordinals: how a panel or an object is named, see ``Naming``;
    None for the paper's words, or others of ours where the model answers those. panel_size: pixels of a generated
    panel, None for one that suits the model. readers: how many of the strips or images the heads for read-back are
    found on, and as many generated scenes beside generated strips (0: none are looked for). controls: draws of random
    heads that the chosen ones are measured beside, and all heads, on other strips where these are generated (0: not
    measured). rank: what heads are ranked by, see ``slope_ranking``; kind, floor and place are of attention.
    OptionError.
    """

    comics: Path | None = None
    strips: int = 24
    calibration: int = 12
    seed: int = 0
    kind: Kind = "guarded"
    place: Place | None = None
    floor: float = FLOOR
    ranking: Path | None = None
    prompt: str | None = None
    panel_size: int | None = None
    scenes: bool = False
    coco: Path | None = None
    images: Path | None = None
    readers: int = 12
    question: str | None = None
    ordinals: tuple[str, ...] | None = None
    controls: int = 0
    rank: Rank = "attention"
    naming: Naming | None = field(init=False, compare=False, default=None)

    def __post_init__(self) -> None:
        paths = {"comics": ComicsError, "coco": LabelsError, "images": LabelsError, "ranking": HeadSetError}
        for name, kind in paths.items():
            if getattr(self, name) is not None:
                object.__setattr__(self, name, checks.path(name, getattr(self, name), error=kind))
        object.__setattr__(self, "scenes", checks.flag("scenes", self.scenes))
        given = [name for name in ("comics", "scenes", "coco") if getattr(self, name)]
        if len(given) > 1:
            raise OptionError(f"{' and '.join(given)} are given; expected one of them, or none for generated strips.")
        if self.images is not None and self.coco is None:
            raise OptionError(f"images={checks.file(self.images)} is given without coco, the labels of the images.")
        for name, least, most in (
            ("strips", 2, 100_000), ("calibration", 0, 10_000), ("seed", 0, 999), ("panel_size", 16, 1024),
            ("readers", 0, 10_000), ("controls", 0, 100),
        ):  # fmt: skip
            if name != "panel_size" or self.panel_size is not None:
                object.__setattr__(self, name, checks.whole(name, getattr(self, name), least, most))
        object.__setattr__(self, "floor", checks.number("floor", self.floor, 0, 1, hint="a share of attention"))
        if self.floor == 1:
            raise OptionError("floor=1; expected a share of attention from 0 to less than 1.")
        checks.one_of("kind", self.kind, get_args(Kind))
        if self.place is not None:
            checks.one_of("place", self.place, PLACES)
        checks.one_of("rank", self.rank, RANKS)
        given = [name for name in ("place", "ranking") if getattr(self, name) is not None]
        if given and self.rank != "attention":
            raise OptionError(f"{given[0]} is given with rank={self.rank!r}; expected it with rank='attention' alone.")
        if self.prompt is not None:
            checks.text("prompt", self.prompt)
        if self.question is not None or self.ordinals is not None:
            self._check_naming()

    def _check_naming(self) -> None:
        naming = Naming(self.question, ORDINALS if self.ordinals is None else self.ordinals)
        if self.labelled and not naming.names_labels:
            raise OptionError(
                f"question={checks.short(self.question)} names no object; expected {{label}} in it where labelled "
                "objects are asked about."
            )
        if not self.labelled and not naming.names_panels:
            raise OptionError(
                f"question={checks.short(self.question)} names no panel; expected {{ordinal}} or {{number}} in it."
            )
        if self.ordinals is not None:
            object.__setattr__(self, "ordinals", naming.ordinals)
        object.__setattr__(self, "naming", naming)

    @property
    def labelled(self) -> bool:
        """Whether objects are asked about by their labels."""
        return self.scenes or self.coco is not None
