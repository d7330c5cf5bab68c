"""A model: what is loaded, with images to look at and conversations to answer."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from functools import partial
from types import TracebackType
from typing import TYPE_CHECKING, Any, overload

from . import checks
from .aio.group import AsyncGroup
from .aio.loop import in_thread
from .aio.run import AsyncRun
from .answers.ahead import Ahead
from .answers.answer import Answer
from .answers.ask import Ask, AskOptions, known_options
from .answers.group import Group
from .answers.run import Run
from .cancel import CancelFlag, checked_flag, child_flag
from .errors import OptionError, PromptError
from .images.image import ImageSource
from .loaded import LoadedModel
from .prompt.message import DocumentPart, Message, Shown
from .regions.region import Region
from .scenes.conversation import Conversation
from .scenes.scene import Scene
from .scenes.seen import Seen
from .scenes.text_scene import TextScene
from .steering.steering import Steering
from .texts.text import Text

if TYPE_CHECKING:
    from typing_extensions import Unpack


_ARGUMENTS = ("messages", "at", "cancel")


class Model(LoadedModel):
    """Made by ``load``; close it or use ``with``.

    May be used from several threads and for several runs at a time: what is wanted at the same time is computed in one
    batch, first come, first served, and every answer is what it would be alone, but for rounding. After ``close`` all
    runs meet a ClosedError at their next step. Methods with an ``a`` in front are those of the same name for tasks of
    asyncio or trio, with the same arguments.
    """

    @overload
    def look(self, image: Text, *, fit: None = None, cancel: CancelFlag | None = None) -> TextScene: ...
    @overload
    def look(self, image: ImageSource, *, fit: str | None = None, cancel: CancelFlag | None = None) -> Scene: ...
    def look(
        self, image: ImageSource, *, fit: str | None = None, cancel: CancelFlag | None = None
    ) -> Scene | TextScene:
        """Encodes an image, unless one of the same pixels was encoded before and is still kept (``images``).

        image: a path, a file:// or http(s) address, a data URI, bytes, an open file, a Pillow image, or an array or
        tensor: uint8 of shape (height, width), (height, width, 1), (height, width, 3) or (height, width, 4). The
        orientation tag is applied, colours are turned into sRGB, transparency is laid over white. Pillow's ``rotate``
        keeps the tag: a photo that was turned by hand is turned again, unless ``ImageOps.exif_transpose`` came first.
        fit: pad, stretch or tile, as in ``load``; None for what it was loaded with. A ``Text`` in place of the image is
        looked at as a text, by any model. ImageError, TextError, ContextError, OptionError, ClosedError; ProjectorError
        where a model without a projector is given an image.
        """
        if isinstance(image, Text):
            if fit is not None:
                raise OptionError(f"fit={checks.short(fit)} is for images; a text is given as it is.")
            checked_flag(cancel)
            return TextScene.of(self, image)
        return Scene.of(self, image, cancel, fit=fit)

    @overload
    async def alook(self, image: Text, *, fit: None = None, cancel: CancelFlag | None = None) -> TextScene: ...
    @overload
    async def alook(self, image: ImageSource, *, fit: str | None = None, cancel: CancelFlag | None = None) -> Scene: ...
    async def alook(
        self, image: ImageSource, *, fit: str | None = None, cancel: CancelFlag | None = None
    ) -> Scene | TextScene:
        """``look`` for a task, whose cancellation ends it within one layer of the encoder."""
        flag = child_flag(cancel)
        return await in_thread(lambda: self.look(image, fit=fit, cancel=flag), flag, images=True)

    def describe(
        self,
        image: ImageSource,
        prompt: str | None = None,
        *,
        at: Region | Sequence[Region] | Steering | None = None,
        system: str | None = None,
        cancel: CancelFlag | None = None,
        **options: Unpack[AskOptions],
    ) -> Answer:
        """Looks at an image or a ``Text`` and describes it: ``look(image).describe(prompt, ...)``, whose arguments it
        takes."""
        known_options("Model.describe", options, ("image", "prompt", "at", "system", "cancel"))
        return self.look(image, cancel=cancel).describe(prompt, at=at, system=system, cancel=cancel, **options)

    async def adescribe(
        self,
        image: ImageSource,
        prompt: str | None = None,
        *,
        at: Region | Sequence[Region] | Steering | None = None,
        system: str | None = None,
        cancel: CancelFlag | None = None,
        **options: Unpack[AskOptions],
    ) -> Answer:
        """``describe`` for a task."""
        known_options("Model.adescribe", options, ("image", "prompt", "at", "system", "cancel"))
        scene = await self.alook(image, cancel=cancel)
        return await scene.adescribe(prompt, at=at, system=system, cancel=cancel, **options)

    def stream_chat(
        self,
        messages: Sequence[Mapping[str, Any] | Message],
        *,
        at: Region | Sequence[Region] | Steering | None = None,
        cancel: CancelFlag | None = None,
        **options: Unpack[AskOptions],
    ) -> Run:
        """An answer to a conversation, token by token.

        messages: lists of roles and parts as OpenAI's clients and the chat templates of transformers take them, or
        ``Message`` values; any number of turns and images. An image is what ``look`` takes, or a ``Scene`` of this
        model; a text to look at is a ``Text``, or content of the type document.
        at: where to look; with several images, which one is said by ``OnImage``. What an earlier turn read is
        not read again. The other arguments are those of ``Scene.stream``. Images are encoded here, and errors of the
        arguments raised; all other errors come from the steps.
        """
        known_options("Model.stream_chat", options, _ARGUMENTS)
        return self.run(Ask.of(messages, at, **options), cancel=cancel)

    def astream_chat(
        self,
        messages: Sequence[Mapping[str, Any] | Message],
        *,
        at: Region | Sequence[Region] | Steering | None = None,
        cancel: CancelFlag | None = None,
        **options: Unpack[AskOptions],
    ) -> AsyncRun:
        """``stream_chat`` for a task: ``async for step in model.astream_chat(...)``. Images are encoded by its first
        step, from which come all errors but those of the arguments' types."""
        known_options("Model.astream_chat", options, _ARGUMENTS)
        return self.arun(Ask.of(messages, at, **options), cancel=cancel)

    def run(self, ask: Ask, *, cancel: CancelFlag | None = None) -> Run:
        """An answer to an ask about any images, token by token; ``stream_chat`` with all of its arguments as a value.

        Images are encoded here. Errors as those of ``stream_chat``.
        """
        if not isinstance(ask, Ask):
            raise OptionError(f"ask={checks.short(ask)}; expected an Ask, as scene.ask(prompt) or Ask.of makes it.")
        cancel = checked_flag(cancel)
        seen: list[Seen] = []
        for part in (part for message in ask.messages for part in message.shown):
            seen.append(self._seen(part, cancel, sum(each.tokens for each in seen)))
        return Conversation(self, seen).run(ask, cancel)

    def arun(self, ask: Ask, *, cancel: CancelFlag | None = None) -> AsyncRun:
        """``run`` for a task. Errors as of ``astream_chat``."""
        return AsyncRun(ask, lambda flag: self.run(ask, cancel=flag), cancel, images=True)

    def chat(
        self,
        messages: Sequence[Mapping[str, Any] | Message],
        *,
        at: Region | Sequence[Region] | Steering | None = None,
        cancel: CancelFlag | None = None,
        **options: Unpack[AskOptions],
    ) -> Answer:
        """The whole answer; the arguments are those of ``stream_chat``, whose steps it joins. CancelledError."""
        known_options("Model.chat", options, _ARGUMENTS)
        return self.stream_chat(messages, at=at, cancel=cancel, **options).join()

    async def achat(
        self,
        messages: Sequence[Mapping[str, Any] | Message],
        *,
        at: Region | Sequence[Region] | Steering | None = None,
        cancel: CancelFlag | None = None,
        **options: Unpack[AskOptions],
    ) -> Answer:
        """``chat`` for a task."""
        known_options("Model.achat", options, _ARGUMENTS)
        return await self.astream_chat(messages, at=at, cancel=cancel, **options).join()

    def stream_asks(
        self, asks: Iterable[Ask], *, cancel: CancelFlag | None = None, return_errors: bool = False
    ) -> Group:
        """Answers about any images, prompts and places, token by token: (number of the ask, Step), as they come.

        asks: as ``scene.ask`` or ``Ask.of`` make them. Up to 16 answers go on in the same batches, each as it would be
        alone but for rounding; as one ends, the next begins. Images are encoded meanwhile in a thread of their own, at
        most two ahead. return_errors: an ask that fails does not end the others; its error is in ``group.errors``.
        Errors of the arguments are raised here, all others by the steps.
        """
        given = _asks(asks)
        flag = checked_flag(cancel) or CancelFlag()
        return Group(self, self._ahead(given, flag), flag, return_errors=checks.flag("return_errors", return_errors))

    def astream_asks(
        self, asks: Iterable[Ask], *, cancel: CancelFlag | None = None, return_errors: bool = False
    ) -> AsyncGroup:
        """``stream_asks`` for a task: ``async for number, step in model.astream_asks(...)``."""
        given = _asks(asks)
        return AsyncGroup(
            len(given),
            lambda flag: self._ahead(given, flag),
            cancel,
            return_errors=checks.flag("return_errors", return_errors),
        )

    def ask_all(
        self, asks: Iterable[Ask], *, cancel: CancelFlag | None = None, return_errors: bool = False
    ) -> list[Answer]:
        """The whole answers, in the order of the asks; the arguments are those of ``stream_asks``.

        return_errors: where an ask fails, its error stands in the list in place of the answer. CancelledError.
        """
        with self.stream_asks(asks, cancel=cancel, return_errors=return_errors) as group:
            return group.answers()

    async def aask_all(
        self, asks: Iterable[Ask], *, cancel: CancelFlag | None = None, return_errors: bool = False
    ) -> list[Answer]:
        """``ask_all`` for a task."""
        async with self.astream_asks(asks, cancel=cancel, return_errors=return_errors) as group:
            return await group.answers()

    async def aimage_tokens(self, image: ImageSource) -> int:
        """``image_tokens`` for a task."""
        return await in_thread(lambda: self.image_tokens(image), CancelFlag(), images=True)

    async def aclose(self) -> None:
        """``close`` for a task: the batch that others compute is not waited for in the event loop."""
        await in_thread(self.close, CancelFlag())

    async def __aenter__(self) -> Model:
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        await self.aclose()

    def _ahead(self, asks: Sequence[Ask], flag: CancelFlag) -> Ahead:
        return Ahead([partial(self.run, ask, cancel=flag) for ask in asks])

    def _seen(self, part: Shown, cancel: CancelFlag | None, beside: int) -> Seen:
        """beside: tokens that what stands before it takes."""
        source = part.source
        if not isinstance(source, Seen):
            if isinstance(part, DocumentPart):
                return TextScene.of(self, source, beside=beside)
            return Scene.of(self, source, cancel, beside=beside)
        if source.model is not self:
            what = "text" if isinstance(part, DocumentPart) else "image"
            raise PromptError(
                f"{source!r} was made by another model; give the {what} itself, or look at it with this one."
            )
        if isinstance(part, DocumentPart) != isinstance(source, TextScene):
            raise PromptError(f"{source!r} is no text; give it as ImagePart, or as content of the type image.")
        return source


def _asks(asks: object) -> Sequence[Ask]:
    given = checks.items(asks)
    if given is None or not all(isinstance(ask, Ask) for ask in given):
        raise OptionError(f"asks={checks.short(asks)}; expected a list of Ask values, as scene.ask(prompt) makes them.")
    return given
