"""A model: what is loaded, with images to look at and conversations to answer."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from functools import partial
from typing import TYPE_CHECKING, Any

from . import checks
from .answers.ahead import Ahead
from .answers.answer import Answer
from .answers.ask import Ask, AskOptions, known_options
from .answers.group import Group
from .answers.run import Run
from .cancel import CancelFlag, checked_flag
from .errors import OptionError, PromptError
from .images.image import ImageSource
from .loaded import LoadedModel
from .prompt.message import Message
from .regions.region import Region
from .scenes.conversation import Conversation
from .scenes.scene import Scene
from .scenes.seen import SeenImage
from .steering.steering import Steering

if TYPE_CHECKING:
    from typing_extensions import Unpack


_ARGUMENTS = ("messages", "at", "cancel")


class Model(LoadedModel):
    """Made by ``load``; close it or use ``with``.

    May be used from several threads and for several runs at a time: what is wanted at the same time is computed in one
    batch, first come, first served, and every answer is what it would be alone, but for rounding. After ``close`` all
    runs meet a ClosedError at their next step.
    """

    def look(self, image: ImageSource, *, fit: str | None = None, cancel: CancelFlag | None = None) -> Scene:
        """Encodes an image, unless one of the same pixels was encoded before and is still kept (``images``).

        image: a path, a file:// or http(s) address, a data URI, bytes, an open file, a Pillow image, or an array or
        tensor: uint8 of shape (height, width), (height, width, 1), (height, width, 3) or (height, width, 4). The
        orientation tag is applied, colours are turned into sRGB, transparency is laid over white. Pillow's ``rotate``
        keeps the tag: a photo that was turned by hand is turned again, unless ``ImageOps.exif_transpose`` came first.
        fit: pad, stretch or tile, as in ``load``; None for what it was loaded with.
        ImageError, ContextError, OptionError, ClosedError.
        """
        return Scene.of(self, image, cancel, fit=fit)

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
        """Looks at an image and describes it: ``look(image).describe(prompt, ...)``, whose arguments it takes."""
        known_options("Model.describe", options, ("image", "prompt", "at", "system", "cancel"))
        return self.look(image, cancel=cancel).describe(prompt, at=at, system=system, cancel=cancel, **options)

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
        model. at: where to look; with several images, which one is said by ``OnImage``. What an earlier turn read is
        not read again. The other arguments are those of ``Scene.stream``. Images are encoded here, and errors of the
        arguments raised; all other errors come from the steps.
        """
        known_options("Model.stream_chat", options, _ARGUMENTS)
        return self._run(Ask.of(messages, at, **options), cancel)

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

    def stream_asks(
        self, asks: Iterable[Ask], *, cancel: CancelFlag | None = None, return_errors: bool = False
    ) -> Group:
        """Answers about any images, prompts and places, token by token: (number of the ask, Step), as they come.

        asks: as ``scene.ask`` or ``Ask.of`` make them. Up to 16 answers go on in the same batches, each as it would be
        alone but for rounding; as one ends, the next begins. Images are encoded meanwhile in a thread of their own, at
        most two ahead. return_errors: an ask that fails does not end the others; its error is in ``group.errors``.
        Errors of the arguments are raised here, all others by the steps.
        """
        given = checks.items(asks)
        if given is None or not all(isinstance(ask, Ask) for ask in given):
            raise OptionError(
                f"asks={checks.short(asks)}; expected a list of Ask values, as scene.ask(prompt) makes them."
            )
        flag = checked_flag(cancel) or CancelFlag()
        ahead = Ahead([partial(self._run, ask, flag) for ask in given])
        return Group(self, ahead, flag, return_errors=checks.flag("return_errors", return_errors))

    def ask_all(
        self, asks: Iterable[Ask], *, cancel: CancelFlag | None = None, return_errors: bool = False
    ) -> list[Answer]:
        """The whole answers, in the order of the asks; the arguments are those of ``stream_asks``.

        return_errors: where an ask fails, its error stands in the list in place of the answer. CancelledError.
        """
        with self.stream_asks(asks, cancel=cancel, return_errors=return_errors) as group:
            return group.answers()

    def _run(self, ask: Ask, cancel: CancelFlag | None) -> Run:
        images: list[SeenImage] = []
        for part in (part for message in ask.messages for part in message.images):
            images.append(self._seen(part.source, cancel, sum(image.tokens for image in images)))
        return Conversation(self, images).run(ask, cancel)

    def _seen(self, image: Any, cancel: CancelFlag | None, beside: int) -> SeenImage:
        """beside: tokens that the images before it take."""
        if not isinstance(image, SeenImage):
            return Scene.of(self, image, cancel, beside=beside)
        if image.model is not self:
            raise PromptError(
                f"{image!r} was made by another model; give the image itself, or look at it with this one."
            )
        return image
