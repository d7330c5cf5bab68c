"""A conversation about images and texts: aims at places in them, and the answers to what is asked."""

from __future__ import annotations

import shlex
from collections.abc import Sequence

import numpy as np

from .. import checks
from ..answers.ask import Ask
from ..answers.run import Run
from ..cancel import CancelFlag, checked_flag
from ..errors import HeadSetMissingError, OptionError, RegionError
from ..loaded import LoadedModel
from ..prompt.layout import lay_out
from ..regions.region import OnImage, Region, as_regions
from ..steering.aim import Aim
from ..steering.head_set import HeadSet
from ..steering.push import PushChange
from ..steering.steering import Steering
from ..tokens.grid import Map
from .seen import Seen
from .seen_image import SeenImage


class Conversation:
    """The images of a conversation with one model, in the order in which its messages show them; a text that can be
    looked at counts as one."""

    def __init__(self, model: LoadedModel, images: Sequence[Seen]) -> None:
        self.model = model
        self.images = tuple(images)

    def steering(
        self, at: Region | Sequence[Region] | Steering | None, change: PushChange | None = None
    ) -> Steering | None:
        """What ``at=`` means here: the model's head set looking at the regions. None stays None.

        RegionError; HeadSetMissingError if no head set is known for the model; HeadSetError if a Steering brings heads
        that the model does not have; OptionError.
        """
        if at is None:
            return None
        if change is None:
            change = PushChange()
        elif not isinstance(change, PushChange):
            raise OptionError(f"change={checks.short(change)}; expected a PushChange, as PushChange(strength=3).")
        if isinstance(at, Steering):
            at.head_set.check(self.model.facts)
            return at.changed(change)
        regions = as_regions(at)
        if self.model.head_set is None:
            facts, files = self.model.facts, shlex.join(self.model.as_given)
            files += "" if self.model.sees else " --text"
            raise HeadSetMissingError(
                f"No head set is known for {facts.name!r} ({facts.architecture}, {facts.layers} layers of "
                f"{facts.heads} heads), so that its gaze cannot be steered. Find one: lookhere discover {files} -o "
                "heads.json; then give it with load(heads='heads.json') or --heads heads.json. Or ask without a region."
            )
        return Steering(self.model.head_set, regions, push=change.on(self.model.head_set.push))

    def aim(self, at: Region | Sequence[Region] | Steering | None, change: PushChange | None = None) -> Aim | None:
        """A steering with what it covers of each token grid of all images. Errors as those of ``steering``."""
        if at is None:
            return None
        maps = self.cover(at.regions if isinstance(at, Steering) else at)
        steering = self.steering(at, change)
        assert steering is not None, "there is a place to look at"
        return Aim(steering, *maps)

    def cover(self, at: Region | Sequence[Region]) -> tuple[tuple[Map, ...], tuple[Map, ...]]:
        """-> coverage and target, one (rows, cols) float32 map per token grid of all images; 0 on images that no region
        is on. RegionError."""
        placed = by_image(as_regions(at), len(self.images))
        covered: list[Map] = []
        targets: list[Map] = []
        for number, image in enumerate(self.images, 1):
            if number in placed:
                shares, weighted = image.cover(placed[number])
            else:
                shares = weighted = tuple(np.zeros((grid.rows, grid.cols), np.float32) for grid in image.grids)
            covered += shares
            targets += weighted
        return tuple(covered), tuple(targets)

    def run(self, ask: Ask, cancel: CancelFlag | None = None, *, aim: Aim | None = None) -> Run:
        """An answer to what is asked. All errors of the arguments are raised here; only zoomed images are computed.

        aim: that of ``ask.at``, where it was made before and nothing is zoomed. RegionError, HeadSetError, OptionError,
        TemplateError, ClosedError.
        """
        if not isinstance(ask, Ask):
            raise OptionError(f"ask={checks.short(ask)}; expected an Ask, as scene.ask(prompt, at=...) makes it.")
        if aim is not None and not isinstance(aim, Aim):
            raise OptionError(f"aim={checks.short(aim)}; expected an Aim, as scene.aim(region) makes it, or None.")
        model, cancel = self.model, checked_flag(cancel)
        if ask.readers:
            HeadSet(model.facts, ask.readers)  # HeadSetError if the model lacks one of them
        seen, at, push = self, ask.at, ask.push
        if ask.zoom and at is not None:
            placed = by_image(at.regions if isinstance(at, Steering) else at, len(self.images))
            seen = Conversation(
                model,
                [
                    _zoomed(image, placed[number], cancel) if number in placed else image
                    for number, image in enumerate(self.images, 1)
                ],
            )
        aim = seen.aim(at, push) if aim is None or seen is not self else aim
        layout = lay_out(model.native, model.template, ask.messages, [image.encoded for image in seen.images])
        return Run(
            model,
            ask,
            layout,
            [image.frame for image in seen.images],
            aim,
            aim_at=lambda at: seen.aim(at, PushChange() if isinstance(at, Steering) else push),
            cancel=cancel,
        )


def by_image(regions: Sequence[Region], count: int) -> dict[int, list[Region]]:
    """The regions by the image that they are on, counted from 1. count: of the images. RegionError."""
    found: dict[int, list[Region]] = {}
    for region in regions:
        if isinstance(region, OnImage):
            number = region.image
            if number > count:
                raise RegionError(f"{region} names image {number}; the conversation has {count}, counted from 1.")
        elif count == 1:
            number = 1
        elif count == 0:
            raise RegionError(f"{region} has no image to lie on: the conversation has none. Leave at= out.")
        else:
            raise RegionError(
                f"{region} does not say on which of the {count} images it lies; write lookhere.OnImage({region}, "
                f"{count}) for the last one."
            )
        found.setdefault(number, []).append(region)
    return found


def _zoomed(image: Seen, regions: Sequence[Region], cancel: CancelFlag | None) -> Seen:
    """OptionError for a text."""
    if not isinstance(image, SeenImage):
        raise OptionError("zoom=True enlarges a part of an image, and this is a text; leave it out.")
    return image.zoomed(regions, cancel) or image
