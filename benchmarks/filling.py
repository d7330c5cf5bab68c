"""A cache filled without computing: what a short prompt left there, its last tokens repeated.

What the keys and values are makes no difference to the time of a token, and every context would read the prompt anew.
"""

from __future__ import annotations

import ctypes as C
import struct

import numpy as np
from llama import Context, Prompt

READ = 64
"""Tokens of text that are read after the image; those are repeated."""


def fill(prompt: Prompt, context: Context) -> None:
    """An empty context holds as many tokens as the prompt has then, at the prompt's positions."""
    short = Prompt(prompt.rows, prompt.cols, prompt.total - prompt.after + min(READ, prompt.after), flat=prompt.flat)
    short.read(context)
    if short.total == prompt.total:
        return
    state = longer(state_of(context), prompt.total, short.after, extended=context.n_pos > 1)
    context.forget(0)
    function = context.lib.llama_state_seq_set_data
    function.restype = C.c_size_t
    if not function(context.handle, state.ctypes.data_as(C.c_void_p), C.c_size_t(state.nbytes), C.c_int32(0)):
        raise RuntimeError("the state was refused")


def longer(state: np.ndarray, cells: int, repeated: int, *, extended: bool) -> np.ndarray:
    """The state of a sequence, as llama.cpp writes it, with so many cells: the last ones again and again, their
    positions going on. extended: positions have more than one part."""
    at, parts = 0, []

    def take(form: str) -> tuple[int, ...]:
        nonlocal at
        size = struct.calcsize(form)
        found = state[at : at + size]
        parts.append(found)
        at += size
        return struct.unpack(form, found.tobytes())

    def block(*shape: int) -> np.ndarray:
        nonlocal at
        size = int(np.prod(shape))
        at += size
        return state[at - size : at].reshape(shape)

    magic_and_sequence, streams = take("<2I"), take("<I")
    (had,) = take("<I")
    assert streams == (1,), (magic_and_sequence, streams)
    parts[-1] = np.frombuffer(struct.pack("<I", cells), np.uint8)
    index = np.concatenate([np.arange(had), had - repeated + np.arange(cells - had) % repeated])
    about = block(had, 24 if extended else 12)[index].view(np.int32)
    positions = [0, 2, 3] if extended else [0]
    about[had:, positions] = about[had - 1, positions] + np.arange(1, cells - had + 1)[:, None]
    parts.append(about.view(np.uint8).ravel())
    transposed, layers = take("<2I")
    for each in range(2 * layers):
        if each < layers or not transposed:
            _, size = take("<iQ")
            parts.append(block(had, size)[index].ravel())
        else:
            _, element, width = take("<i2I")
            parts.append(block(width, had, element)[:, index].ravel())
    assert at == len(state), (at, len(state))
    return np.concatenate(parts)


def state_of(context: Context) -> np.ndarray:
    size, get = context.lib.llama_state_seq_get_size, context.lib.llama_state_seq_get_data
    size.restype = get.restype = C.c_size_t
    state = np.empty(size(context.handle, C.c_int32(0)), np.uint8)
    written = get(context.handle, state.ctypes.data_as(C.c_void_p), C.c_size_t(state.nbytes), C.c_int32(0))
    assert written == len(state)
    return state
