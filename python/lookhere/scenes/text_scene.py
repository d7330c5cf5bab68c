"""A text prepared for one model, ready to be asked many times."""

from __future__ import annotations

from html import escape

from .. import checks, questions
from ..errors import TextError
from ..images import markup
from ..loaded import LoadedModel
from ..prompt.message import DocumentPart
from ..prompt.tokenized import TokenizedText
from ..texts.text import OfText, Text
from ..tokens.text_frame import TextFrame
from .asking import Asking

_SHOWN = 2000
"""Characters of a text in a notebook."""


class TextScene(Asking, OfText):
    """A text as a model reads it. Made by ``Model.look(Text(document))``; its places are ``Span`` and ``Paragraph``.

    text: what is looked at. tokens: what it takes of the context.
    """

    _what = "text"

    def __init__(self, model: LoadedModel, text: Text, encoded: TokenizedText) -> None:
        super().__init__(model, TextFrame(len(text), 1, (encoded.grid,), text.paragraphs), encoded)
        self.text = text

    @classmethod
    def of(cls, model: LoadedModel, text: Text, *, beside: int = 0) -> TextScene:
        """A text that was given. beside: tokens that what stands before it takes. TextError, ContextError,
        ClosedError."""
        if not isinstance(text, Text):
            raise TextError(f"{checks.short(text)} is no text to look at; expected a Text, as Text(document).")
        return cls(model, text, model.tokenized(text, beside=beside))

    def __repr__(self) -> str:
        return f"<TextScene {checks.short(self.text.document, 30)}, {len(self.text)} characters, {self.tokens} tokens>"

    def _repr_html_(self) -> str:
        """For a notebook: the text, its beginning if it is long, and what it is."""
        whole = self.text.document
        shown = whole if len(whole) <= _SHOWN else whole[:_SHOWN] + " …"
        return markup.block(markup.prose(escape(shown)), markup.small(repr(self)))

    @property
    def question(self) -> str:
        """What is asked where nothing else is said: the head set's own if it was found on texts, or a general one."""
        heads = self.model.head_set
        own = heads.prompt if heads is not None and heads.evidence.get("corpus") == "text" else None
        return own or questions.TEXT

    @property
    def _part(self) -> DocumentPart:
        return DocumentPart(self)
