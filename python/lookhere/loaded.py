"""What is loaded of a model: language model, projector, KV cache, chat template and head set."""

from __future__ import annotations

import os
from collections.abc import Callable
from contextlib import suppress
from pathlib import Path
from types import TracebackType
from typing import TYPE_CHECKING, NoReturn, TypeVar

from . import checks, limits, questions
from .cancel import CancelFlag, checked_flag
from .engine import engine_errors
from .errors import CancelledError, ContextError, HeadSetError, ImageError, ProjectorError
from .images.fit import Fitted, checked_fit, fitted
from .images.image import Image, ImageSource
from .images.image_cache import ImageCache
from .images.tiles import MOST
from .kv.session import Session
from .kv.turns import Turns
from .prompt.chat import ChatTemplate
from .prompt.tokenized import TokenizedText, tokenized
from .steering.head_set import HeadSet, ModelFacts
from .texts.text import Text
from .tokens.tiled import TiledImage
from .weights.unloading import Unloading
from .weights.weights import Weights

if TYPE_CHECKING:
    from . import _engine
    from .tokens.tiled import Encoded
    from .weights.weights import Held

Self = TypeVar("Self", bound="LoadedModel")


class LoadedModel:
    """The parts of a model that answers are made with, and what holds for all of them.

    facts: name, architecture, layers and heads. images: the cache of encoded images. max_image_tokens: an image that
    would take more is refused; 0 for no bound. fit: how images are given where nothing else is said: pad, stretch or
    tile. square: pixels of the square that the model sees; None where it sees other shapes, too. question: asked where
    the head set brings none. as_given: the model as commands of lookhere take it, by its name or its paths.
    heads_as_given: the same of the head set; None for the one that is known for the model.
    sees: whether it has a projector; without one it looks at texts alone. stated_tokens: of an image at most, as the
    files of a model of ours state; 0 where they do not.
    """

    def __init__(
        self,
        native: _engine.Model,
        projector: _engine.Projector | None,
        session: Session,
        *,
        projector_path: str | os.PathLike[str] | None,
        images: ImageCache[Encoded],
        template: ChatTemplate,
        head_set: HeadSet | None = None,
        max_image_tokens: int = 0,
        fit: str = "pad",
        square: int | None = None,
        blind: str = "",
        again: Callable[[], Held],
    ) -> None:
        """blind: why there is no projector, for who looks at an image. again: loads both once more."""
        name = native.metadata.get("general.name") or Path(native.path).stem
        paths = (native.path, *(() if projector_path is None else (os.fspath(projector_path),)))
        self._weights = Weights(name, (native, projector), again, paths)
        session.loads_with(self._weights)
        self.sees = projector is not None
        self._blind = blind
        self._encoding = Turns()
        self._session = session
        self._unloading = Unloading(self._weights, session, self._encoding)
        self.images = images
        self.template = template
        self.max_image_tokens = max_image_tokens
        self.fit = fit
        self.square = square
        self.stated_tokens = 0
        self.question = questions.GENERAL
        self.notice: Callable[[Image], None] = lambda image: None  # called with each image that a caller gives
        self.path = native.path
        self._projector_path = None if projector_path is None else os.fspath(projector_path)
        eyes = () if self._projector_path is None else ("--mmproj", self._projector_path)
        self.as_given: tuple[str, ...] = (self.path, *eyes)
        self.facts = ModelFacts.of(name, native.architecture, native.layers, native.heads, native.attention_layers)
        self.head_set = head_set

    def __repr__(self) -> str:
        facts = self.facts
        name, architecture = checks.label(facts.name, 50), checks.label(facts.architecture, 20)
        return f"<Model {name}, {architecture}, {facts.layers} layers of {facts.heads} heads>"

    def __reduce__(self) -> NoReturn:
        raise TypeError(
            "A Model belongs to this process, so that it can be neither copied nor pickled; load it in each process. "
            "Threads may share one."
        )

    @property
    def name(self) -> str:
        """general.name of the file, or the file's own name."""
        return self.facts.name

    @property
    def architecture(self) -> str:
        """As the file names it, for instance 'qwen3vl'."""
        return self.facts.architecture

    @property
    def layers(self) -> int:
        """Of the language model."""
        return self.facts.layers

    @property
    def heads_per_layer(self) -> int:
        """Query heads."""
        return self.facts.heads

    @property
    def head_set(self) -> HeadSet | None:
        """The heads that it is steered with; may be set. HeadSetError where it is none, or is of another model."""
        return self._head_set

    @head_set.setter
    def head_set(self, heads: HeadSet | None) -> None:
        if heads is not None and not isinstance(heads, HeadSet):
            raise HeadSetError(
                f"head_set={checks.short(heads)}; expected a HeadSet, as HeadSet.read('heads.json') or "
                "HeadSet(model.facts, [(layer, head), ...]), or None."
            )
        if heads is not None:
            heads.check(self.facts)
        self._head_set = heads
        self.heads_as_given: str | None = None

    @property
    def heads(self) -> HeadSet | None:
        """The head set, by its old name."""
        return self.head_set

    @heads.setter
    def heads(self, heads: HeadSet | None) -> None:
        self.head_set = heads

    @property
    def prompt(self) -> str:
        """The question that is asked where none is given: the head set's, or else the model's own or a general one."""
        return (self.head_set and self.head_set.prompt) or self.question

    @property
    def native(self) -> _engine.Model:
        """The engine's model; loaded again where it was freed. ClosedError after close."""
        return self._weights.native

    @property
    def projector(self) -> _engine.Projector:
        """The engine's projector, likewise; ProjectorError where there is none."""
        found = self._weights.projector
        if found is None:
            raise ProjectorError(self._blind)
        return found

    @property
    def projector_path(self) -> str:
        """The projector's file; ProjectorError where there is none."""
        if self._projector_path is None:
            raise ProjectorError(self._blind)
        return self._projector_path

    @property
    def session(self) -> Session:
        """The KV cache and its turns; ClosedError after close."""
        self._weights.check_open()
        return self._session

    @property
    def loaded(self) -> bool:
        """Whether its weights are in memory."""
        return self._weights.loaded

    def unload_after(self, seconds: float | None) -> None:
        """Frees weights and KV cache whenever nobody used the model for so long; None: never, as it is without this.

        The next use loads the files again. Scenes, and answers that have begun, stay good: what they had in the cache
        is read again. No batch is cut. OptionError, ClosedError; a later use may raise ModelFileError.
        """
        self._weights.check_open()
        self._unloading.after(None if seconds is None else checks.number("seconds", seconds, *limits.IDLE))

    def encode(
        self, image: Image, cancel: CancelFlag | None = None, *, beside: int = 0, fit: str | None = None
    ) -> Encoded:
        """Encodes an image, unless one of the same pixels was encoded before and is still kept (``images``).

        What takes too many tokens is refused before it is encoded. beside: tokens that other images of the same
        conversation take. fit: None for the model's own. ImageError, ContextError, OptionError, ClosedError,
        ProjectorError, CancelledError; BusyError from inside a step.
        """
        cancel, projector = checked_flag(cancel), self.projector
        fit = self.fit if fit is None else checked_fit(fit, projector.kind, self.square)
        if cancel is not None and cancel.is_set():
            raise CancelledError("Cancelled while encoding the image.")
        with self._encoding.take(cancel.native if cancel else None):
            return self._encode(image, fit, cancel, beside)

    def image_tokens(self, image: ImageSource) -> int:
        """Tokens that an image takes, given in any form, without encoding it. ImageError, ClosedError; BusyError from
        inside a step."""
        _, opened = self.projector, Image.open(image)
        with self._encoding.take(), engine_errors("measuring the image"):
            return self._measure(self._fitted(opened, self.fit))[0]

    def tokenized(self, text: Text, *, beside: int = 0) -> TokenizedText:
        """A text as tokens. beside: tokens that what stands before it takes. TextError, ContextError, ClosedError."""
        found, limit = tokenized(self.native, text), self.session.limit
        if found.tokens + beside >= limit:
            others = f", and what stands before it {beside}" if beside else ""
            raise ContextError(
                f"The text of {len(text)} characters takes {found.tokens} tokens{others}; the context holds {limit}. "
                "Load the model with a larger context= (--context) if it can have one, or look at a part of the text."
            )
        return found

    def _fitted(self, image: Image, fit: str) -> Fitted:
        """ImageError if it is too thin."""
        side, most = self.square or 0, MOST
        if fit == "tile" and self.max_image_tokens:
            most = self.max_image_tokens // self.projector.measure(side, side)[0] - 1  # beside the overview
        return fitted(image, fit, side, most)

    def _measure(self, given: Fitted) -> tuple[int, int]:
        """-> image tokens of all views, and all tokens."""
        sizes = [self.projector.measure(view.image.width, view.image.height) for view in given.views]
        return sum(each for each, _ in sizes), sum(each for _, each in sizes)

    def _encode(self, image: Image, fit: str, cancel: CancelFlag | None, beside: int) -> Encoded:
        projector = self.projector
        with engine_errors("encoding the image"):
            given = self._fitted(image, fit)
        found = self.images.find(given)
        if found is not None:
            return found
        with engine_errors("encoding the image"):
            image_tokens, tokens = self._measure(given)
        self._check_size(image, image_tokens, tokens, beside)
        with engine_errors("encoding the image"):
            views = [
                (projector.encode(view.image.pixels, cancel.native if cancel else None), view.part)
                for view in given.views
            ]
        encoded = views[0][0] if len(views) == 1 else TiledImage(image.width, image.height, views)
        self._weights.touch()  # it may have taken long
        self.images.keep(given, encoded)
        return encoded

    def _check_size(self, image: Image, image_tokens: int, tokens: int, beside: int) -> None:
        """tokens: all, those of the text around the image included."""
        most = self.max_image_tokens
        if most and image_tokens > most:
            taken = (
                f"The image of {image.width} x {image.height} pixels takes {image_tokens} tokens, and max_image_tokens "
                f"is {most}: this model cannot make fewer of "
            )
            if self.square:
                raise ImageError(f"{taken}any image. Allow {image_tokens} or more.")
            aspect = -(-max(image.width, image.height) // min(image.width, image.height))
            raise ImageError(
                f"{taken}such a shape. Allow {max(most + 1, aspect)} or more, or cut the image into pieces that are "
                "nearer to a square."
            )
        limit = self._session.limit
        if tokens + beside >= limit:
            others = f", and the images before it {beside}" if beside else ""
            raise ContextError(
                f"The image takes {tokens} tokens{others}; the context holds {limit}. Load the model with a larger "
                "context= (--context), or limit the image with load(max_image_tokens=...)."
            )

    def close(self) -> None:
        """Frees the model. May be called twice; whatever was made with it raises ClosedError from then on."""
        if self._weights.closed:
            return
        held = self._weights.close()
        self._unloading.stop()
        self._session.close()
        native, projector = held or (None, None)
        if projector is not None and not self._encoding.mine:  # else it goes with the last reference
            with suppress(CancelledError), self._encoding.take():  # at the end of the program it may never come
                projector.close()
        self.images.clear()
        if native is not None:
            native.close()

    def __enter__(self: Self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()
