"""A scene: one image prepared for one model, encoded once, ready to be asked many times."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

from ..answers.answer import Answer
from ..answers.ask import Ask, AskOptions, known_options
from ..answers.group import Group
from ..answers.run import Run
from ..cancel import CancelFlag, checked_flag
from ..checks import as_number, items, text
from ..prompt.message import ImagePart, Message
from ..regions.region import Region, as_regions, is_region
from ..steering.aim import Aim
from ..steering.push import PushChange
from ..steering.steering import Steering
from .conversation import Conversation
from .seen import SeenImage

if TYPE_CHECKING:
    from typing_extensions import Unpack


_ARGUMENTS = ("prompt", "at", "system", "cancel")


class Scene(SeenImage):
    """One image as a model sees it. Made by ``Model.look``. All pixels are those of the upright original image.

    part: what of the image was enlarged and encoded (``zoom``), None for all of it. fit: how it was given to the model.
    """

    def zoom(self, at: Region | Sequence[Region], *, cancel: CancelFlag | None = None) -> Scene:
        """A window around small regions, enlarged until they are 3 tokens wide and high; for larger ones the scene.

        The window has the image's shape and is encoded as another image of its size; the model does not see what is
        outside. Regions and what comes back stay in pixels of the whole image. RegionError and those of ``Model.look``.
        """
        seen = self.zoomed(at, cancel)
        return self if seen is None else Scene(self.model, self.image, seen.encoded, seen.part, seen.fit)

    def steering(
        self, at: Region | Sequence[Region] | Steering | None, *, strength: float | None = None
    ) -> Steering | None:
        """What ``at=`` means here: the model's head set looking at the region. None stays None.

        RegionError; HeadSetMissingError if no head set is known for the model; HeadSetError if a Steering brings heads
        that the model does not have; OptionError.
        """
        return self._conversation.steering(at, PushChange(strength=strength))

    def aim(self, at: Region | Sequence[Region] | Steering | None, change: PushChange | None = None) -> Aim | None:
        """A steering and what it covers of each token grid, to be carried to ``Run.aim_with``. None stays None.

        RegionError, HeadSetMissingError, HeadSetError, OptionError.
        """
        return self._conversation.aim(at, change)

    def stream(
        self,
        prompt: str | None = None,
        *,
        at: Region | Sequence[Region] | Steering | None = None,
        system: str | None = None,
        cancel: CancelFlag | None = None,
        **options: Unpack[AskOptions],
    ) -> Run:
        """An answer, token by token.

        prompt: None for the model's own question. at: where to look, None for where the model wants. system: a system
        text. cancel: a flag that ends it from another thread. options: ``AskOptions`` names them all (max_tokens,
        temperature, strength, gaze, zoom, ...). Errors of the arguments are raised here, all others by the steps.
        """
        known_options("Scene.stream", options, _ARGUMENTS)
        return self.run(self.ask(prompt, at=at, system=system, **options), cancel=cancel)

    def describe(
        self,
        prompt: str | None = None,
        *,
        at: Region | Sequence[Region] | Steering | None = None,
        system: str | None = None,
        cancel: CancelFlag | None = None,
        **options: Unpack[AskOptions],
    ) -> Answer:
        """The whole answer; the arguments are those of ``stream``, whose steps it joins. CancelledError."""
        known_options("Scene.describe", options, _ARGUMENTS)
        return self.stream(prompt, at=at, system=system, cancel=cancel, **options).join()

    def describe_all(
        self,
        at: Sequence[Region | Sequence[Region] | Steering | None] | Region | Steering | None,
        prompt: str | None = None,
        *,
        system: str | None = None,
        cancel: CancelFlag | None = None,
        **options: Unpack[AskOptions],
    ) -> list[Answer]:
        """One answer for each place, in their order; the arguments are those of ``stream_all``, whose steps it joins.

        CancelledError.
        """
        known_options("Scene.describe_all", options, _ARGUMENTS)
        with self.stream_all(at, prompt, system=system, cancel=cancel, **options) as group:
            return group.answers()

    def stream_all(
        self,
        at: Sequence[Region | Sequence[Region] | Steering | None] | Region | Steering | None,
        prompt: str | None = None,
        *,
        system: str | None = None,
        cancel: CancelFlag | None = None,
        **options: Unpack[AskOptions],
    ) -> Group:
        """One answer for each place, token by token: (number of the place, Step), those of several places by turns.

        A list within ``at`` is looked at together; one region alone is one place. The other arguments are those of
        ``stream``. A token of each is computed at once, 16 at most: faster than one after another, and equal but for
        rounding. What the answers have in common is read once; where the steering begins after the image (queries
        ``after_image``, ``answer`` or ``generated``), that is the image. Errors of the arguments are raised here, all
        others by the steps.
        """
        known_options("Scene.stream_all", options, _ARGUMENTS)
        flag = checked_flag(cancel) or CancelFlag()
        asks = [self.ask(prompt, at=each, system=system, **options) for each in _places(at)]
        runs = [self.run(ask, cancel=flag) for ask in asks]
        return Group(self.model, runs, flag)

    def ask(
        self,
        prompt: str | None = None,
        *,
        at: Region | Sequence[Region] | Steering | None = None,
        system: str | None = None,
        **options: Unpack[AskOptions],
    ) -> Ask:
        """What ``stream`` would ask with these arguments, as a value. PromptError, RegionError, OptionError."""
        known_options("Scene.ask", options, _ARGUMENTS[:-1])
        asked = self.model.prompt if prompt is None else text("prompt", prompt)
        messages = [Message("user", (ImagePart(self), asked))]
        if system is not None:
            messages.insert(0, Message("system", (text("system", system),)))
        return Ask.of(messages, at, **options)

    def run(self, ask: Ask, *, aim: Aim | None = None, cancel: CancelFlag | None = None) -> Run:
        """An answer to an ask about this image alone. aim: that of ``ask.at``, where it was made before."""
        return self._conversation.run(ask, cancel, aim=aim)

    @property
    def _conversation(self) -> Conversation:
        return Conversation(self.model, (self,))


def _places(at: object) -> Sequence[Any]:
    """The places of several answers. RegionError for what is neither a place nor a list of them."""
    if at is None or isinstance(at, Steering) or is_region(at):
        return (at,)
    places = items(at)
    if places is None or any(as_number(each) is not None for each in places):
        return (as_regions(at),)  # which says what to write
    return places
