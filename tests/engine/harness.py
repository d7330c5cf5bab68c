"""What the tests of the engine share."""

import ctypes
import threading

import lookhere._engine as engine
import numpy as np

BATCH = 64


def grid_of(image):
    (grid,) = (part.grid for part in image.parts if part.grid)
    return grid


def image_position(image, start):
    """Position of the image part of an image that is decoded from position start on."""
    return start + image.parts[0].positions


def span(image, start, bias=None):
    grid = grid_of(image)
    return engine.Span(image_position(image, start), grid.rows, grid.cols, bias)


def ask(session, image, prompt):
    """Prefills an image and a prompt, keeps the last row."""
    session.decode_image(image)
    session.decode(prompt, outputs=[len(prompt) - 1])
    return session.logits()


def same_logits(one, other):
    """Equal but for rounding: other batches and processors add in another order, and one part in a thousand of the
    logits' length is what that makes of quantized products (at most 0.005 in two builds, six images and four layouts).
    One token of the prompt twice makes 0.02, one patch of the image changed 0.14."""
    return np.linalg.norm(one - other) < 0.01 * np.linalg.norm(other)


def same_attention(one, other):
    """Equal but for rounding: in every head at most a hundredth of the mass lies elsewhere."""
    return np.abs(one - other).sum(axis=-1).max() < 0.02


def boost(image, strength, where):
    grid = grid_of(image)
    bias = np.full((grid.rows, grid.cols), -strength, np.float32)
    bias[where] = strength
    return bias


def after(seconds, action):
    timer = threading.Timer(seconds, action)
    timer.start()
    return timer


class Batch(ctypes.Structure):
    _fields_ = [
        ("n_tokens", ctypes.c_int32),
        *((name, ctypes.c_void_p) for name in ["token", "embd", "pos", "n_seq", "seq", "logits"]),
    ]


class Text(ctypes.Structure):
    _fields_ = [
        ("text", ctypes.c_char_p),
        ("length", ctypes.c_size_t),
        ("special", ctypes.c_bool),
        ("parse", ctypes.c_bool),
    ]


def state(native, session):
    """All that the KV cache holds for sequence 0: cells, positions, keys and values."""
    context = ctypes.c_void_p(session.address)
    size = native.llama_state_seq_get_size(context, 0)
    buffer = ctypes.create_string_buffer(size)
    assert native.llama_state_seq_get_data(context, buffer, ctypes.c_size_t(size), 0) == size
    return buffer.raw
