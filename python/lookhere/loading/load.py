"""Loading: from the names of two files to a model."""

from __future__ import annotations

import logging
import os
from collections.abc import Mapping
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING

from .. import checks, limits, questions
from ..engine import compiled, default_threads, forward_log
from ..errors import ModelFileError, OptionError, ProjectorError
from ..families import family_of
from ..images.fit import FITS, checked_fit
from ..images.image_cache import ImageCache
from ..kv.cache import Cache
from ..kv.session import Session
from ..kv.size import KV_TYPES
from ..model import Model
from ..prompt.chat import ChatTemplate
from ..steering.head_set import HeadSet
from . import builtin
from .gguf import Header, read_header
from .pair import locate, pair_or_language, warn_if_alone
from .projector import projector_kind, warn_if_unverified

if TYPE_CHECKING:
    from .. import _engine
    from ..weights.weights import Held

_FLASH_ATTENTION = ("auto", "on", "off")
_log = logging.getLogger("lookhere.model")


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
    fit: str = "pad",
) -> Model:
    """Loads a vision-language model, or a language model for texts; without a name, the built-in one.

    model: a GGUF file, a folder with one model, or a name, as ``qwen3-vl-2b`` or ``owner/repo:Q4_K_M`` on Hugging Face:
    what has a name is fetched, unless it is on this machine. mmproj: its projector, None for the one beside it; a
    model without any looks at texts alone (``Text``);
    of a name also a quantization or a file of its repository. heads: a head set, its JSON file, or the name of a
    repository with one; None for the one that is known for the model. context: tokens that the KV cache holds, None to
    grow with what is asked. kv_budget: MiB up to which a growing cache keeps the prompts that were asked, 32 at most;
    beyond it the least recently used is evicted, and read again on demand. image_budget: MiB of encoded images that are
    kept for when the same pixels are looked at again, 0 for none. threads: None for all cores, 16 at most (1 for a
    small model). min_image_tokens, max_image_tokens: 0 for the model's own limits. kv_type: f32, f16, bf16, q8_0 or
    q4_0. flash_attention: auto, on or off. mmap: map the file instead of reading it. A mapped file loads sooner and is
    shared by processes, but weights that are rearranged for the processor are then resident twice, and the process dies
    if the file is cut short meanwhile. chat_template: Jinja2, None for the model's own. fit: for
    models that see squares of one size, pad keeps an image's shape and pads it, stretch fills the square with it, so
    that a long one takes all tokens, and tile gives an overview of a long one and pieces of it that are nearly square.

    ModelFileError, ProjectorError, HubError, HeadSetError, OptionError.
    """
    whole = {
        "context": (256 if context is None else context, limits.LEAST_CONTEXT, limits.CONTEXT),
        "kv_budget": (kv_budget, 0, limits.MEBIBYTES),
        "image_budget": (image_budget, 0, limits.MEBIBYTES),
        "threads": (1 if threads is None else threads, 1, limits.THREADS),
        "min_image_tokens": (min_image_tokens, 0, limits.IMAGE_TOKENS),
        "max_image_tokens": (max_image_tokens, 0, limits.IMAGE_TOKENS),
        "gpu_layers": (gpu_layers, 0, limits.GPU_LAYERS),
    }
    number = {name: checks.whole(name, *values) for name, values in whole.items()}
    least, most = number["min_image_tokens"], number["max_image_tokens"]
    if most and least > most:
        raise OptionError(f"min_image_tokens={least} is more than max_image_tokens={most}.")
    checks.flag("mmap", mmap)
    checks.one_of("kv_type", kv_type, KV_TYPES)
    checks.one_of("flash_attention", flash_attention, _FLASH_ATTENTION)
    checks.one_of("fit", fit, FITS)
    if chat_template is not None:
        checks.text("chat_template", chat_template)
    from .head_choice import given_heads, heads_of, warn_if_weak  # not at import, which stays light

    given = given_heads(heads)
    located = locate(model, mmproj)
    path, projector_path, blind = pair_or_language(located)
    header, square = None, None
    if projector_path is not None:
        header = read_header(projector_path)
        square = square_of(header)
        checked_fit(fit, projector_kind(header), square)
        warn_if_unverified(projector_path)
    else:
        warn_if_alone(path)
    native = _language_model(path, number["gpu_layers"], mmap)
    cores = default_threads(native.parameters) if threads is None else number["threads"]
    try:
        if model is not None:
            _check_attention(path, native)
        cache = Cache(
            native,
            context=None if context is None else number["context"],
            kv_budget=number["kv_budget"] * 2**20,
            threads=cores,
            kv_type=kv_type,
            flash_attention=flash_attention,
            on_gpu=number["gpu_layers"] > 0,
        )
        template = ChatTemplate(
            chat_template or native.chat_template or ChatTemplate.source,
            _special(native, native.bos_token),
            _special(native, native.eos_token),
            family_of(projector_kind(header)) if header else None,
        )
        stated = (0, 0) if header is None else _stated(native, header)
        loaded = Model(
            native,
            None if projector_path is None else _projector(projector_path, native, cores, number, stated),
            Session(cache),
            projector_path=projector_path,
            images=ImageCache(number["image_budget"] * 2**20),
            template=template,
            max_image_tokens=number["max_image_tokens"],
            fit=fit,
            square=square,
            blind=blind,
            again=lambda: _again(path, projector_path, mmap, cores, number, stated),
        )
        loaded.stated_tokens = stated[1]
        loaded.facts = replace(loaded.facts, aliases=tuple(dict.fromkeys(located.names)))
        loaded.head_set = given or (
            builtin.builtin_head_set() if model is None else heads_of(loaded.facts, path, located.names)
        )
        loaded.heads_as_given = None if heads is None or isinstance(heads, HeadSet) else os.fspath(heads)
        warn_if_weak(loaded.head_set, sees=loaded.sees)
        loaded.as_given = located.as_given or loaded.as_given
        if model is None or (header and builtin.knows_drawings_alone(header)):
            loaded.notice = builtin.warn_if_unknown
            loaded.question = questions.IMAGE
        elif not loaded.sees:
            loaded.question = questions.TEXT
        _log.info(
            "%r from %s with %s, %d threads, %s.",
            loaded,
            path,
            projector_path or "no projector",
            cores,
            _head_note(loaded.head_set),
        )
        return loaded
    except BaseException:
        native.close()
        raise


def square_of(projector: Header) -> int | None:
    """Pixels of the square that a model sees, as the file says; None where it takes images of other shapes."""
    family = family_of(projector_kind(projector))
    if family is None or not family.sees_squares or "clip.vision.image_grid_pinpoints" in projector.values:
        return None
    return projector.whole("clip.vision.image_size")


def _head_note(heads: HeadSet | None) -> str:
    return f"{len(heads.heads)} heads to steer, found on {heads.model.name}" if heads else "no heads known to steer"


def _language_model(path: Path, gpu_layers: int, mmap: bool) -> _engine.Model:
    engine = compiled()
    if gpu_layers and not engine.sees_gpu():
        raise OptionError(
            f"gpu_layers={gpu_layers}, but llama.cpp sees no GPU, only {engine.build_info()['devices']}. Expected 0, "
            "or a build for the GPU (pip install . -C cmake.define.GGML_CUDA=ON) and its driver."
        )
    forward_log()
    try:
        native: _engine.Model = engine.Model(os.fspath(path), gpu_layers=gpu_layers, mmap=mmap)
    except (engine.EngineError, MemoryError) as error:
        raise ModelFileError(
            f"The model does not load: {_reason(error, path)}. Expected a whole GGUF file of a model that llama.cpp "
            "knows."
        ) from error
    return native


def _check_attention(path: Path, native: _engine.Model) -> None:
    """ModelFileError where no head can be steered: the engine is asked, with the smallest cache that there is."""
    engine = compiled()
    try:
        session = engine.Session(native, context=1, threads=1, batch=1, grouped=False)
        try:
            session.set_heads([(next(iter(native.attention_layers), 0), 0)])
        finally:
            session.close()
    except (engine.EngineError, MemoryError) as error:
        raise ModelFileError(
            f"{path.name!r}: {_reason(error, path)}. Expected a model whose attention keeps plain keys and values, as "
            "Qwen3-VL, Qwen3.5, InternVL and Gemma do."
        ) from error


def _again(
    path: Path,
    projector_path: Path | None,
    mmap: bool,
    threads: int,
    number: Mapping[str, int],
    stated: tuple[int, int],
) -> Held:
    _log.info("%s is loaded again.", path)
    native = _language_model(path, number["gpu_layers"], mmap)
    return native, None if projector_path is None else _projector(projector_path, native, threads, number, stated)


def _projector(
    path: Path, native: _engine.Model, threads: int, number: Mapping[str, int], stated: tuple[int, int]
) -> _engine.Projector:
    engine = compiled()
    least, most = number["min_image_tokens"], number["max_image_tokens"]
    stated_least, stated_most = stated  # what a person asks for counts more
    # a small image is enlarged to the least, rounded up to whole tokens: a quarter of the most leaves room for that
    least = least or min(stated_least, max(1, most // 4) if most else stated_least)
    most = most or (max(stated_most, least) if stated_most else 0)
    try:
        projector: _engine.Projector = engine.Projector(
            os.fspath(path),
            native,
            threads=threads,
            min_tokens=least,
            max_tokens=most,
            gpu=number["gpu_layers"] > 0,
        )
    except (engine.EngineError, MemoryError) as error:
        raise ProjectorError(
            f"The projector does not work with this model: {_reason(error, path)}. Use the mmproj file that was "
            "published with the model."
        ) from error
    return projector


def _reason(error: Exception, path: Path) -> str:
    """What the engine says, which names the file; a lack of memory does not."""
    return str(error).rstrip(".") or f"no memory for {str(path)!r}"


def _stated(native: _engine.Model, projector: Header) -> tuple[int, int]:
    """Image tokens at least and at most, as the projector's file states them, or else the model's own; 0 where neither
    states one that can be."""
    found = []
    for key in ("lookhere.image_min_tokens", "lookhere.image_max_tokens"):
        text = str(projector.whole(key) or native.metadata.get(key, ""))
        found.append(int(text) if text.isdecimal() and int(text) <= limits.IMAGE_TOKENS else 0)
    return found[0], found[1]


def _special(native: _engine.Model, token: int) -> str:
    return native.special_piece(token).decode(errors="replace") if token >= 0 else ""
