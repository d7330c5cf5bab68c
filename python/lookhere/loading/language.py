"""A language model alone, without a projector: for what is read of its attention to text."""

from __future__ import annotations

import os
from pathlib import Path
from types import TracebackType
from typing import TYPE_CHECKING

from .. import checks, limits
from ..engine import default_threads
from ..kv.cache import Cache
from ..kv.session import Session
from ..prompt.chat import ChatTemplate
from ..steering.facts import ModelFacts
from .builtin import builtin_files
from .load import _check_attention, _language_model, _special
from .pair import language_path

if TYPE_CHECKING:
    from .. import _engine


class LanguageModel:
    """Made by ``load_language_model``; close it or use ``with``. facts: name, architecture, layers and heads."""

    def __init__(self, native: _engine.Model, session: Session, template: ChatTemplate) -> None:
        self.native = native
        self.session = session
        self.template = template
        self.path = native.path
        name = native.metadata.get("general.name") or Path(native.path).stem
        self.facts = ModelFacts.of(name, native.architecture, native.layers, native.heads, native.attention_layers)

    def close(self) -> None:
        """Frees it. May be called twice."""
        self.session.close()
        self.native.close()

    def __enter__(self) -> LanguageModel:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()


def load_language_model(
    model: str | os.PathLike[str] | None = None, *, threads: int | None = None, gpu_layers: int = 0
) -> LanguageModel:
    """The language model of a GGUF file, of a folder with one, or of a name; without one, the built-in one's.

    threads, gpu_layers: as in ``load``. ModelFileError, HubError, OptionError.
    """
    if threads is not None:
        threads = checks.whole("threads", threads, 1, limits.THREADS)
    layers = checks.whole("gpu_layers", gpu_layers, 0, limits.GPU_LAYERS)
    path = builtin_files()[0] if model is None else language_path(model)
    native = _language_model(path, layers, mmap=False)
    try:
        _check_attention(path, native)
        cache = Cache(
            native, context=None, kv_budget=2**30, threads=threads or default_threads(native.parameters),
            kv_type="f16", flash_attention="auto", on_gpu=layers > 0,
        )  # fmt: skip
        source = native.chat_template or ChatTemplate.source
        template = ChatTemplate(source, _special(native, native.bos_token), _special(native, native.eos_token))
        return LanguageModel(native, Session(cache), template)
    except BaseException:
        native.close()
        raise
