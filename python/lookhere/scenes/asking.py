"""What can be asked about whatever is looked at: aims at places in it, and answers."""

from __future__ import annotations

from abc import abstractmethod
from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

from ..aio.group import AsyncGroup
from ..aio.run import AsyncRun
from ..answers.answer import Answer
from ..answers.ask import Ask, AskOptions, known_options
from ..answers.group import Group
from ..answers.run import Run
from ..cancel import CancelFlag, checked_flag
from ..checks import as_number, items, text
from ..prompt.message import Message, Shown
from ..regions.region import Region, as_regions, is_region
from ..steering.aim import Aim
from ..steering.push import PushChange
from ..steering.steering import Steering
from .conversation import Conversation
from .seen import Seen

if TYPE_CHECKING:
    from typing_extensions import Unpack


_ARGUMENTS = ("prompt", "at", "system", "cancel")


class Asking(Seen):
    """An image or a text that one model was shown: ``Scene`` and ``TextScene``."""

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
        known_options(f"{type(self).__name__}.stream", options, _ARGUMENTS)
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
        known_options(f"{type(self).__name__}.describe", options, _ARGUMENTS)
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
        known_options(f"{type(self).__name__}.describe_all", options, _ARGUMENTS)
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
        known_options(f"{type(self).__name__}.stream_all", options, _ARGUMENTS)
        flag = checked_flag(cancel) or CancelFlag()
        asks = [self.ask(prompt, at=each, system=system, **options) for each in _places(at)]
        runs = [self.run(ask, cancel=flag) for ask in asks]
        return Group(self.model, runs, flag)

    def astream(
        self,
        prompt: str | None = None,
        *,
        at: Region | Sequence[Region] | Steering | None = None,
        system: str | None = None,
        cancel: CancelFlag | None = None,
        **options: Unpack[AskOptions],
    ) -> AsyncRun:
        """``stream`` for a task: ``async for step in scene.astream(...)``.

        Options that are none are refused here; all other errors come from the steps.
        """
        known_options(f"{type(self).__name__}.astream", options, _ARGUMENTS)
        return self.arun(self.ask(prompt, at=at, system=system, **options), cancel=cancel)

    async def adescribe(
        self,
        prompt: str | None = None,
        *,
        at: Region | Sequence[Region] | Steering | None = None,
        system: str | None = None,
        cancel: CancelFlag | None = None,
        **options: Unpack[AskOptions],
    ) -> Answer:
        """``describe`` for a task, whose cancellation ends it within one batch."""
        known_options(f"{type(self).__name__}.adescribe", options, _ARGUMENTS)
        return await self.astream(prompt, at=at, system=system, cancel=cancel, **options).join()

    async def adescribe_all(
        self,
        at: Sequence[Region | Sequence[Region] | Steering | None] | Region | Steering | None,
        prompt: str | None = None,
        *,
        system: str | None = None,
        cancel: CancelFlag | None = None,
        **options: Unpack[AskOptions],
    ) -> list[Answer]:
        """``describe_all`` for a task, whose cancellation ends it within one batch."""
        known_options(f"{type(self).__name__}.adescribe_all", options, _ARGUMENTS)
        async with self.astream_all(at, prompt, system=system, cancel=cancel, **options) as group:
            return await group.answers()

    def astream_all(
        self,
        at: Sequence[Region | Sequence[Region] | Steering | None] | Region | Steering | None,
        prompt: str | None = None,
        *,
        system: str | None = None,
        cancel: CancelFlag | None = None,
        **options: Unpack[AskOptions],
    ) -> AsyncGroup:
        """``stream_all`` for a task: ``async for place, step in scene.astream_all(...)``. Errors as of ``astream``."""
        known_options(f"{type(self).__name__}.astream_all", options, _ARGUMENTS)
        asks = [self.ask(prompt, at=each, system=system, **options) for each in _places(at)]
        return AsyncGroup(len(asks), lambda flag: [self.run(ask, cancel=flag) for ask in asks], cancel)

    def ask(
        self,
        prompt: str | None = None,
        *,
        at: Region | Sequence[Region] | Steering | None = None,
        system: str | None = None,
        **options: Unpack[AskOptions],
    ) -> Ask:
        """What ``stream`` would ask with these arguments, as a value. PromptError, RegionError, OptionError."""
        known_options(f"{type(self).__name__}.ask", options, _ARGUMENTS[:-1])
        asked = self.question if prompt is None else text("prompt", prompt)
        messages = [Message("user", (self._part, asked))]
        if system is not None:
            messages.insert(0, Message("system", (text("system", system),)))
        return Ask.of(messages, at, **options)

    def run(self, ask: Ask, *, aim: Aim | None = None, cancel: CancelFlag | None = None) -> Run:
        """An answer to an ask about this alone. aim: that of ``ask.at``, where it was made before."""
        return self._conversation.run(ask, cancel, aim=aim)

    def arun(self, ask: Ask, *, aim: Aim | None = None, cancel: CancelFlag | None = None) -> AsyncRun:
        """``run`` for a task. Errors as of ``astream``."""
        return AsyncRun(ask, lambda flag: self.run(ask, aim=aim, cancel=flag), cancel)

    @property
    @abstractmethod
    def question(self) -> str:
        """What is asked where nothing else is said."""

    @property
    @abstractmethod
    def _part(self) -> Shown:
        """How a message shows it."""

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
