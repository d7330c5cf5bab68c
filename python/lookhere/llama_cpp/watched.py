"""A watched Llama: who listens is told of each answer's prompt, of its tokens, and of its end."""

from __future__ import annotations

import ctypes
import threading
from collections.abc import Iterator
from dataclasses import replace
from typing import Any, Protocol

import numpy as np

from ..errors import BusyError, ClosedError, LlamaCppError
from ..images.fit import fitted
from ..images.image import Image
from .prompt import Prompt, tail


class Listener(Protocol):
    """Called by the thread that computes."""

    def begun(self, prompt: Prompt, messages: Any, stop: Any) -> None:
        """A prompt is about to be read."""

    def chosen(self, token: int, row: int) -> None:
        """A token was chosen from an output row of the last batch, -1 for the last."""

    def ended(self, finish: str | None) -> None:
        """The answer ended. finish: as OpenAI names it; None where it was given up, or never began."""


class Watched:
    """Stands in for the chat handler of a Llama while it is watched. LlamaCppError where that one sees no images.

    Only chat completions are watched. The images of their messages are decoded as lookhere does: upright, in its
    formats. limits: image tokens at least and at most, 0 for the projector's own. tails: whether a prompt's
    ``image_end`` comes after the text that belongs to the image.
    """

    def __init__(self, llama: Any, listener: Listener, limits: tuple[int, int]) -> None:
        self.handler = multimodal(llama)
        self.tails = False
        self._llama = llama
        self._listener = listener
        self._limits = limits
        self._mtmd = self.handler._mtmd_cpp
        self._turn = threading.RLock()
        self._number = 0  # of the answer that goes on; 0 for none
        self._count = 0
        self._open = False
        self._images: list[Image] = []
        self._bitmaps: list[Any] = []

    def open(self) -> None:
        """Watches from now on."""
        with self._turn:
            self._forget_projector()
            # what it keeps is found by text tokens alone, whatever image was shown and wherever the model looked
            self._cache, self._llama.cache = self._llama.cache, None
            self._llama.chat_handler = self
            self._llama.sample = self._sample
            self._open = True

    def close(self) -> None:
        """Leaves the Llama as it was before; waits for a step that is computed in another thread."""
        with self._turn:
            if not self._open:
                return
            self._open = False
            self._end(self._number, None)
            if self._llama.chat_handler is self:
                self._llama.chat_handler = self.handler
            del self._llama.sample
            if self._llama.cache is None:
                self._llama.cache = self._cache
            if is_open(self._llama):
                self._llama.reset()  # what was read under a steering must not be taken for a prefix
                self._forget_projector()

    def __call__(self, **arguments: Any) -> Any:
        """A chat completion, as the handler answers it."""
        with self._turn:
            self._check_open()
            self._end(self._number, None)
            self._count += 1
            number = self._number = self._count
            self._images, self._bitmaps = [], []
            handler = self.handler
            handler._mtmd_cpp = _Mtmd(
                self._mtmd,
                mtmd_tokenize=lambda *given: self._tokenize(arguments, *given),
                mtmd_context_params_default=self._parameters,
                mtmd_input_chunks_free=self._read,
            )
            handler._create_bitmap_from_bytes = self._bitmap
            try:
                answer = handler(**arguments)
            except BaseException:
                self._end(number, None)
                raise
            finally:
                handler._mtmd_cpp = self._mtmd
                del handler._create_bitmap_from_bytes
            if isinstance(answer, dict):
                self._end(number, answer["choices"][0]["finish_reason"])
                return answer
            return self._stream(number, answer)

    def _stream(self, number: int, chunks: Iterator[Any]) -> Iterator[Any]:
        finish = None
        try:
            while True:
                with self._turn:
                    if number != self._number:
                        raise ClosedError(
                            "This stream ended when its Llama was asked again, or was no longer steered: read it to "
                            "its end first, within the with block of steer()."
                        )
                    chunk = next(chunks, None)
                if chunk is None:
                    return
                finish = chunk["choices"][0]["finish_reason"] or finish
                yield chunk
        finally:
            self._end(number, finish)

    def _end(self, number: int, finish: str | None) -> None:
        if number and number == self._number:
            with self._turn:
                self._number = 0
                self._listener.ended(finish)

    def _check_open(self) -> None:
        if not self._open:
            raise ClosedError("This Llama is no longer steered; ask it by llm.create_chat_completion().")

    def _bitmap(self, data: bytes) -> Any:
        """The bitmap of an image in the messages, which bears its number. ImageError."""
        image = Image.open(data)
        fitted(image, "pad", 0, 1)  # too thin ones are refused
        pixels = np.ascontiguousarray(image.pixels)
        bitmap = self._mtmd.mtmd_bitmap_init(
            image.width, image.height, pixels.ctypes.data_as(ctypes.POINTER(ctypes.c_uint8))
        )
        self._images.append(image)
        self._bitmaps.append(bitmap)
        self._mtmd.mtmd_bitmap_set_id(bitmap, str(len(self._images)).encode())
        return bitmap

    def _tokenize(self, arguments: dict[str, Any], context: Any, chunks: Any, *given: Any) -> int:
        status = int(self._mtmd.mtmd_tokenize(context, chunks, *given))
        if status == 0:
            prompt = Prompt.read(self._mtmd, context, chunks, self._images)
            if self.tails and self._bitmaps:
                prompt = replace(prompt, image_end=prompt.image_end + tail(self._mtmd, context, self._bitmaps[-1]))
            self._listener.begun(prompt, arguments["messages"], arguments.get("stop"))
        return status

    def _parameters(self) -> Any:
        parameters = self._mtmd.mtmd_context_params_default()
        if any(self._limits):
            parameters.image_min_tokens, parameters.image_max_tokens = (each or -1 for each in self._limits)
        return parameters

    def _read(self, chunks: Any) -> None:
        """The prompt was read. With all logits wanted its last rows were too many to be probed: the last one is read
        again, by itself."""
        llama = self._llama
        if llama._logits_all and not llama._is_recurrent and not llama._is_hybrid:
            llama._requires_eval = True
        self._mtmd.mtmd_input_chunks_free(chunks)

    def _sample(self, *given: Any, **named: Any) -> int:
        llama = self._llama
        token = int(type(llama).sample(llama, *given, **named))
        if self._number:
            index = named.get("idx")
            self._listener.chosen(token, -1 if index is None else index - llama.n_tokens)
        return token

    def _forget_projector(self) -> None:
        """With limits that it was not made with it sees images otherwise; the handler makes it again."""
        if any(self._limits) and self.handler.mtmd_ctx is not None:
            self._mtmd.mtmd_free(self.handler.mtmd_ctx)
            self.handler.mtmd_ctx = None


class _Mtmd:
    """llama_cpp.mtmd_cpp, some of whose functions are others."""

    def __init__(self, module: Any, **own: Any) -> None:
        self._module = module
        self.__dict__.update(own)

    def __getattr__(self, name: str) -> Any:
        return getattr(self._module, name)


def is_open(llama: Any) -> bool:
    """Whether a Llama has not been closed."""
    return llama._ctx.ctx is not None and llama._model.model is not None


def multimodal(llama: Any) -> Any:
    """The chat handler of a Llama that sees images. LlamaCppError where it has none; BusyError."""
    from llama_cpp import llama_chat_format as formats

    handler = llama.chat_handler
    if isinstance(handler, Watched):
        raise BusyError(
            "This Llama is steered already; leave that with block first, or move its target: steered.look_at(region)."
        )
    if not isinstance(handler, (formats.Llava15ChatHandler, formats.MTMDChatHandler)):
        named = type(handler).__name__ if handler is not None else f"the text format {llama.chat_format}"
        raise LlamaCppError(
            f"This Llama answers with {named}, which sees no images. Give it one of llama-cpp-python's handlers for "
            "its model: Llama(..., chat_handler=MTMDChatHandler(clip_model_path='mmproj.gguf')), of "
            "llama_cpp.llama_chat_format."
        )
    return handler
