"""A loaded model: the language model, its projector and the heads that can be steered."""

from __future__ import annotations

import logging
import os
import threading
from pathlib import Path
from types import TracebackType
from typing import TYPE_CHECKING

from .cancel import CancelFlag
from .engine import default_threads, engine_errors, forward_log
from .errors import CancelledError, ClosedError, ContextError, ImageError, ModelFileError, OptionError, ProjectorError
from .images.image import Image, ImageSource
from .images.image_cache import ImageCache
from .kv.cache import MOST_CONTEXT, Cache
from .kv.session import Session
from .loading import builtin as registry
from .loading.pair import find_pair
from .prompt.chat import ChatTemplate, checked_text
from .scene import Scene
from .steering.head_set import HeadSet

if TYPE_CHECKING:
    from . import _engine

_CACHE_TYPES = ("f32", "f16", "bf16", "q8_0", "q4_0")
_log = logging.getLogger("lookhere.model")

MOST_IMAGE_TOKENS = 2**16
"""Of one image; the engine's own limit."""
MOST_ELONGATED = 200
"""The Qwen-VL processors refuse images beyond this ratio of their sides."""
_FLASH_ATTENTION = ("auto", "on", "off")


class Model:
    """Made by ``load``; close it or use ``with``.

    May be used from several threads: answers are made one after the other, each whole, and are what one thread alone
    would get; who asks meanwhile waits. A run (``Scene.stream``) holds the model from its first step to its end, and
    belongs to the thread that began it; a second answer in that thread meanwhile is a BusyError. After ``close`` the
    runs of all threads meet a ClosedError at their next step.
    """

    def __init__(
        self,
        native: _engine.Model,
        projector: _engine.Projector,
        session: Session,
        *,
        projector_path: str | os.PathLike[str],
        images: ImageCache,
        heads: HeadSet | None,
        template: ChatTemplate,
        prompt: str,
    ) -> None:
        self._native: _engine.Model | None = native
        self._projector: _engine.Projector | None = projector
        self._encoding = threading.Lock()
        self._session = session
        self.images = images
        self.heads = heads
        self.template = template
        self.prompt = prompt
        self.path = native.path
        self.projector_path = os.fspath(projector_path)
        self.architecture = native.architecture
        self.layers = native.layers
        self.heads_per_layer = native.heads
        self.name = model_name(native)

    def __repr__(self) -> str:
        return f"<Model {self.name}, {self.architecture}, {self.layers} layers of {self.heads_per_layer} heads>"

    @property
    def native(self) -> _engine.Model:
        """The engine's model; ClosedError after close."""
        if self._native is None:
            raise ClosedError(f"The model {self.name!r} is closed; load it again.")
        return self._native

    @property
    def projector(self) -> _engine.Projector:
        """The engine's projector; ClosedError after close."""
        if self._projector is None:
            raise ClosedError(f"The model {self.name!r} is closed; load it again.")
        return self._projector

    @property
    def session(self) -> Session:
        """The KV cache; ClosedError after close."""
        if self._native is None:
            raise ClosedError(f"The model {self.name!r} is closed; load it again.")
        return self._session

    def look(self, image: ImageSource, *, cancel: CancelFlag | None = None) -> Scene:
        """Encodes an image, unless one of the same pixels was encoded before and is still kept (``images``).

        image: a path, an http(s) address, bytes, a Pillow image, or a uint8 array of shape (height, width), (height,
        width, 3) or (height, width, 4). EXIF orientation is applied, transparency laid over white. ImageError,
        ContextError, ClosedError.
        """
        opened = Image.open(image)
        long, short = max(opened.width, opened.height), min(opened.width, opened.height)
        if long > MOST_ELONGATED * short:
            raise ImageError(
                f"The image is {opened.width} x {opened.height} pixels; expected a long side of at most "
                f"{MOST_ELONGATED} times the short one. Cut it into pieces."
            )
        with self._encoding:
            encoded = self._encode(opened, cancel)
        limit = self._session.limit
        if encoded.tokens >= limit:
            raise ContextError(
                f"The image takes {encoded.tokens} tokens; the context holds {limit}. Load the model with a larger "
                "context= (--context), or limit the image with load(max_image_tokens=...)."
            )
        return Scene(self, opened, encoded)

    def _encode(self, image: Image, cancel: CancelFlag | None) -> _engine.EncodedImage:
        projector = self.projector
        found = self.images.find(image)
        if found is not None:
            if cancel is not None and cancel.is_set():
                raise CancelledError("Cancelled while encoding the image.")
            return found
        with engine_errors("encoding the image"):
            encoded = projector.encode(image.pixels, cancel.native if cancel else None)
        self.images.keep(image, encoded)
        return encoded

    def close(self) -> None:
        """Frees the model. May be called twice; scenes of it raise ClosedError from then on."""
        native, projector = self._native, self._projector
        self._native = self._projector = None
        if native is None or projector is None:
            return
        self._session.close()
        with self._encoding:
            projector.close()
            self.images.clear()
        native.close()

    def __enter__(self) -> Model:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()


def load(
    model: str | os.PathLike[str] | None = None,
    *,
    mmproj: str | os.PathLike[str] | None = None,
    heads: HeadSet | str | os.PathLike[str] | None = None,
    context: int | None = None,
    kv_budget: int = 1024,
    image_budget: int = 256,
    threads: int | None = None,
    min_image_tokens: int = 0,
    max_image_tokens: int = 0,
    kv_type: str = "f16",
    flash_attention: str = "auto",
    gpu_layers: int = 0,
    mmap: bool = False,
    chat_template: str | None = None,
) -> Model:
    """Loads a vision-language model; without a name, the built-in one.

    model: a GGUF file. mmproj: its projector, None for the ``mmproj*.gguf`` beside it. heads: a head set or its JSON
    file, None for the one that comes with the package. context: tokens that the KV cache holds, None to grow with what
    is asked. kv_budget: MiB up to which a growing cache keeps the scenes that were asked, 16 at most; beyond it the one
    that was not asked for longest goes, and is read again when it is asked again. image_budget: MiB of encoded images
    that are kept for when the same pixels are looked at again, 0 for none. threads: None for all cores, 16 at most (1
    for a small model). min_image_tokens, max_image_tokens: 0 for the model's own limits. kv_type: f32, f16, bf16, q8_0
    or q4_0. flash_attention: auto, on or off. mmap: map the file instead of reading it. A mapped file loads sooner and
    is shared by processes, but weights that are rearranged for the processor are then resident twice, and the process
    dies if the file is cut short meanwhile. chat_template: Jinja2, None for the model's own.

    ModelFileError, ProjectorError, HeadSetError, OptionError.
    """
    _check_options(
        context, kv_budget, image_budget, threads, min_image_tokens, max_image_tokens, gpu_layers, kv_type,
        flash_attention, mmap,
    )  # fmt: skip
    if chat_template is not None:
        checked_text("chat_template", chat_template)
    builtin = model is None
    path, projector_path = find_pair(model, mmproj)
    given = heads if isinstance(heads, HeadSet) or heads is None else HeadSet.read(heads)

    from lookhere import _engine

    if gpu_layers and not _engine.sees_gpu():
        raise OptionError(
            f"gpu_layers={gpu_layers}, but llama.cpp sees no GPU, only {_engine.build_info()['devices']}. Expected 0, or "
            "a build for the GPU (pip install . -C cmake.define.GGML_CUDA=ON) and its driver."
        )
    forward_log()
    try:
        native = _engine.Model(os.fspath(path), gpu_layers=gpu_layers, mmap=mmap)
    except (_engine.EngineError, MemoryError) as error:
        raise ModelFileError(
            f"The model does not load: {_reason(error, path)}. Expected a whole GGUF file of a model that llama.cpp "
            "knows."
        ) from error
    cores = default_threads(native.parameters) if threads is None else threads
    try:
        projector = _projector(projector_path, native, cores, min_image_tokens, max_image_tokens, gpu_layers)
        cache = Cache(
            native,
            context=context,
            kv_budget=kv_budget * 2**20,
            threads=cores,
            kv_type=kv_type,
            flash_attention=flash_attention,
            on_gpu=gpu_layers > 0,
        )
        template = ChatTemplate(
            chat_template or native.chat_template or ChatTemplate.source,
            _special(native, native.bos_token),
            _special(native, native.eos_token),
        )
        images = ImageCache(image_budget * 2**20)
        loaded = Model(
            native,
            projector,
            Session(cache),
            projector_path=projector_path,
            images=images,
            heads=None,
            template=template,
            prompt=registry.PROMPT,
        )
        loaded.heads = given or (registry.builtin_head_set() if builtin else registry.find_head_set(loaded))
        if loaded.heads is not None:
            loaded.heads.check(loaded)
            loaded.prompt = loaded.heads.prompt or registry.PROMPT
        _log.info("%r from %s with %s, %d threads, %s.", loaded, path, projector_path, cores, _head_note(loaded.heads))
        return loaded
    except BaseException:
        native.close()
        raise


def _head_note(heads: HeadSet | None) -> str:
    return f"{len(heads.heads)} heads to steer, found on {heads.model.name}" if heads else "no heads known to steer"


def model_name(native: _engine.Model) -> str:
    """general.name of the file, or the file's own name."""
    return native.metadata.get("general.name") or Path(native.path).stem


def _projector(
    path: Path, native: _engine.Model, threads: int, least: int, most: int, gpu_layers: int
) -> _engine.Projector:
    from lookhere import _engine

    # what a person asks for counts more than what the file states
    stated_least, stated_most = (_stated(native, f"lookhere.image_{which}_tokens") for which in ("min", "max"))
    least = least or min(stated_least, most or stated_least)
    most = most or (max(stated_most, least) if stated_most else 0)
    try:
        return _engine.Projector(
            os.fspath(path),
            native,
            threads=threads,
            min_tokens=least,
            max_tokens=most,
            gpu=gpu_layers > 0,
        )
    except (_engine.EngineError, MemoryError) as error:
        raise ProjectorError(
            f"The projector does not work with this model: {_reason(error, path)}. Use the mmproj file that was "
            "published with the model."
        ) from error


def _reason(error: Exception, path: Path) -> str:
    """What the engine says, which names the file; a lack of memory does not."""
    return str(error).rstrip(".") or f"no memory for {str(path)!r}"


def _stated(native: _engine.Model, key: str) -> int:
    """A number of image tokens among the model's own metadata; 0 where it states none that can be."""
    text = native.metadata.get(key, "")
    return int(text) if text.isdecimal() and int(text) <= MOST_IMAGE_TOKENS else 0


def _special(native: _engine.Model, token: int) -> str:
    return native.special_piece(token).decode(errors="replace") if token >= 0 else ""


def _check_options(
    context: int | None,
    kv_budget: int,
    image_budget: int,
    threads: int | None,
    min_image_tokens: int,
    max_image_tokens: int,
    gpu_layers: int,
    kv_type: str,
    flash_attention: str,
    mmap: bool,
) -> None:
    for name, value, least, most in (
        ("context", 256 if context is None else context, 16, MOST_CONTEXT),
        ("kv_budget", kv_budget, 0, 2**24),
        ("image_budget", image_budget, 0, 2**24),
        ("threads", 1 if threads is None else threads, 1, 512),
        ("min_image_tokens", min_image_tokens, 0, MOST_IMAGE_TOKENS),
        ("max_image_tokens", max_image_tokens, 0, MOST_IMAGE_TOKENS),
        ("gpu_layers", gpu_layers, 0, 2**16),
    ):
        if isinstance(value, bool) or not isinstance(value, int) or not least <= value <= most:
            raise OptionError(f"{name}={value!r}; expected a whole number from {least} to {most}.")
    if max_image_tokens and min_image_tokens > max_image_tokens:
        raise OptionError(f"min_image_tokens={min_image_tokens} is more than max_image_tokens={max_image_tokens}.")
    if not isinstance(mmap, bool):
        raise OptionError(f"mmap={mmap!r}; expected True or False.")
    if kv_type not in _CACHE_TYPES:
        raise OptionError(f"kv_type={kv_type!r}; expected one of {', '.join(_CACHE_TYPES)}.")
    if flash_attention not in _FLASH_ATTENTION:
        raise OptionError(f"flash_attention={flash_attention!r}; expected one of {', '.join(_FLASH_ATTENTION)}.")
