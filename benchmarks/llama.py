"""A model in llama.cpp's C API, stock or ours: a prompt with an image of random embeddings, and tokens one by one.

Both are driven alike: the model loaded as llama.cpp loads it, a pool of threads, batches of 512.
"""

from __future__ import annotations

import ctypes as C
import sys
import time
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path

import numpy as np

sys.path[:0] = [str(Path(__file__).resolve().parents[1] / "tests" / part) for part in (".", "patches")]

import capi  # noqa: E402

BATCH = 512
FLASH = {"off": 0, "on": 1, "auto": -1}


class _PoolParams(C.Structure):
    _fields_ = [("cpumask", C.c_bool * 512), ("n_threads", C.c_int), ("prio", C.c_int), ("poll", C.c_uint32),
                ("strict_cpu", C.c_bool), ("paused", C.c_bool)]  # fmt: skip


class Context(capi.Context):
    """capi's, made for timing."""

    def __init__(self, api: capi.Api, model: C.c_void_p, *, tokens: int, threads: int, flash: str) -> None:
        self.api, self.lib, self.model = api, api.lib, model
        params = self.lib.llama_context_default_params()
        params.n_ctx, params.n_batch, params.n_ubatch, params.n_seq_max = tokens, BATCH, BATCH, 1
        params.n_threads = params.n_threads_batch = threads
        params.flash_attn_type, params.kv_unified, params.no_perf = FLASH[flash], True, False
        self.handle = C.c_void_p(self.lib.llama_init_from_model(model, params))
        if not self.handle:
            raise MemoryError("".join(api.log[-5:]))
        self.n_vocab = self.lib.llama_vocab_n_tokens(C.c_void_p(self.lib.llama_model_get_vocab(model)))
        self.n_embd_inp = self.lib.llama_model_n_embd_inp(model)
        self.n_pos = 4 if self.lib.llama_model_rope_type(model) in (8, 40) else 1


class Llama:
    """One model of one library; contexts by name. mmap: as llama.cpp does, not as lookhere does."""

    def __init__(self, folder: Path, model: Path, threads: int, *, mmap: bool = True) -> None:
        self.api = capi.Api(folder)
        lib = self.api.lib
        self.handle = C.c_void_p(lib.llama_model_load_from_file(str(model).encode(), _on_the_cpu(lib, mmap=mmap)))
        if not self.handle:
            raise OSError("".join(self.api.log[-5:]))
        self.threads = threads
        self._pool = _pool(folder, lib, threads)
        self._contexts: dict[str, Context] = {}
        self.layers = int(lib.llama_model_n_layer(self.handle))
        self.heads = int(lib.llama_model_n_head(self.handle))

    def open(self, name: str, *, tokens: int, flash: str) -> Context:
        """A context under a name; `flash` "auto" is ours as the engine sets it up, grouped attention and all."""
        context = self._contexts[name] = Context(
            self.api, self.handle, tokens=-(-tokens // 256) * 256, threads=self.threads, flash=flash
        )
        if flash == "auto" and self.api.patched:
            context.set_grouped(True)
        if self._pool:
            context.lib.llama_attach_threadpool(context.handle, self._pool, self._pool)
        return context

    def context(self, name: str) -> Context:
        return self._contexts[name]

    def shut(self, name: str) -> None:
        context = self._contexts.pop(name)
        context.lib.llama_free(context.handle)


class Prompt:
    """10 tokens of text, an image of rows x cols tokens, text up to so many tokens in all; then an answer.

    flat: each image token has a position of its own; else the image is a plane of rows and columns (M-RoPE).
    """

    before = 10

    def __init__(self, rows: int, cols: int, total: int, seed: int = 0, *, flat: bool = False) -> None:
        self.rows, self.cols, self.total, self.flat = rows, cols, total, flat
        self.after = total - self.before - rows * cols
        if self.after < 1:
            raise ValueError(f"{total} tokens do not hold an image of {rows} x {cols}")
        self._rng = np.random.default_rng(seed)
        self.text = self._rng.integers(0, 900, self.before + self.after).tolist()
        self.image_end = self.before + (rows * cols if flat else max(rows, cols))
        self.end = self.image_end + self.after

    def read(self, context: Context) -> None:
        """Prefills an empty context; the last token is an output."""
        context.forget(0)
        _check(context.decode(self.text[: self.before], pos=range(self.before)))
        values = np.random.default_rng(1).standard_normal((self.rows * self.cols, context.n_embd_inp), np.float32)
        row, col = np.divmod(np.arange(self.rows * self.cols), self.cols)
        for at in range(0, len(values), BATCH):
            part = slice(at, at + BATCH)
            start = np.full(len(values[part]), self.before)
            plane = np.concatenate([start, start + row[part], start + col[part], 0 * start])
            pos = start + at + np.arange(len(start)) if self.flat else plane
            _check(context.decode(embd=values[part], pos=pos))
        rest = self.text[self.before :]
        for at in range(0, len(rest), BATCH):
            part = rest[at : at + BATCH]
            last = [len(part) - 1] if at + BATCH >= len(rest) else []
            _check(context.decode(part, pos=range(self.image_end + at, self.image_end + at + len(part)), outputs=last))

    def answer(self, context: Context, tokens: int) -> float:
        """Seconds for so many tokens, each asked for its logits; the prompt is as before then."""
        drawn = np.random.default_rng(2).integers(0, 900, tokens).tolist()
        start = time.perf_counter()
        for index, token in enumerate(drawn):
            _check(context.decode([token], pos=[self.end + index], outputs=[0]))
            context.lib.llama_get_logits_ith(context.handle, C.c_int32(-1))  # waits until it is there
        seconds = time.perf_counter() - start
        context.forget(0, self.end)
        return seconds

    def batch(self, context: Context, rows: int, times: int) -> float:
        """Seconds of a batch of so many tokens, all of them outputs, over so many; the prompt is as before then."""
        drawn = np.random.default_rng(2).integers(0, 900, rows).tolist()
        seconds = 0.0
        for _ in range(times):
            start = time.perf_counter()
            _check(context.decode(drawn, pos=range(self.end, self.end + rows), outputs=list(range(rows))))
            context.lib.llama_get_logits_ith(context.handle, C.c_int32(-1))
            seconds += time.perf_counter() - start
            context.forget(0, self.end)
        return seconds / times

    def span(self, strength: float) -> capi.Span:
        """The left third of the image against the rest."""
        bias = np.full((self.rows, self.cols), -strength, np.float32)
        bias[:, : max(1, self.cols // 3)] = strength
        return capi.Span(self.before, bias)


def _on_the_cpu(lib: C.CDLL, *, mmap: bool) -> capi.ModelParams:
    params = lib.llama_model_default_params()
    params.n_gpu_layers = 0
    params.load_mode = int(mmap)  # LLAMA_LOAD_MODE_NONE, LLAMA_LOAD_MODE_MMAP
    return params


def _check(status: int) -> None:
    if status:
        raise RuntimeError(f"llama_decode: {status}")


def _pool(folder: Path, lib: C.CDLL, threads: int) -> C.c_void_p | None:
    """Threads that stay; without, every token makes its own."""
    for path in (None, *sorted(folder.glob("libggml-cpu.so"))):
        cpu = lib if path is None else C.CDLL(str(path))
        if hasattr(cpu, "ggml_threadpool_new"):
            break
    else:
        return None
    base = next((C.CDLL(str(path)) for path in folder.glob("libggml-base.so")), lib)
    base.ggml_threadpool_params_default.restype = _PoolParams
    params = base.ggml_threadpool_params_default(threads)
    cpu.ggml_threadpool_new.restype = C.c_void_p
    return C.c_void_p(cpu.ggml_threadpool_new(C.byref(params)))


@contextmanager
def steered(
    context: Context, prompt: Prompt, heads: Sequence[tuple[int, int]], read: Sequence[int] = ()
) -> Iterator[None]:
    """Heads steered towards a part of the image, layers read; nothing of either afterwards."""
    span = prompt.span(5.0)
    context.set_heads(heads)
    context.steer([span], prompt_end=prompt.end, first_query=0)
    context.probe_layers(read)
    if read:
        context.probe_spans([span])
    try:
        yield
    finally:
        context.probe_layers([])
        context.unsteer()
        context.set_heads([])
