"""A language model alone: the projector beside it is not loaded, nor looked for."""

from __future__ import annotations

import os
from dataclasses import replace

from .. import checks, limits
from ..engine import default_threads
from ..images.image_cache import ImageCache
from ..kv.cache import Cache
from ..kv.session import Session
from ..model import Model
from ..prompt.chat import ChatTemplate
from .load import _check_attention, _language_model, _special
from .pair import locate_language

BLIND = "The model was loaded without its projector, for texts alone; load it with lookhere.load to look at images."


def load_language_model(
    model: str | os.PathLike[str] | None = None, *, threads: int | None = None, gpu_layers: int = 0
) -> Model:
    """The language model of a GGUF file, of a folder with one, or of a name; without one, the built-in one's.

    It has no head set, and looks at texts alone. threads, gpu_layers: as in ``load``. ModelFileError, HubError,
    OptionError.
    """
    if threads is not None:
        threads = checks.whole("threads", threads, 1, limits.THREADS)
    layers = checks.whole("gpu_layers", gpu_layers, 0, limits.GPU_LAYERS)
    located = locate_language(model)
    path = located.path
    native = _language_model(path, layers, mmap=False)
    try:
        _check_attention(path, native)
        cache = Cache(
            native, context=None, kv_budget=2**30, threads=threads or default_threads(native.parameters),
            kv_type="f16", flash_attention="auto", on_gpu=layers > 0,
        )  # fmt: skip
        source = native.chat_template or ChatTemplate.source
        template = ChatTemplate(source, _special(native, native.bos_token), _special(native, native.eos_token))
        loaded = Model(
            native, None, Session(cache), projector_path=None, images=ImageCache(0), template=template, blind=BLIND,
            again=lambda: (_language_model(path, layers, mmap=False), None),
        )  # fmt: skip
        loaded.facts = replace(loaded.facts, aliases=tuple(dict.fromkeys(located.names)))
        loaded.as_given = located.as_given or loaded.as_given
        return loaded
    except BaseException:
        native.close()
        raise
