"""llama.cpp's C API through ctypes: just what the proofs need, for stock and for patched libraries alike.

Nothing of the project's own engine is used here, so that a fault in it cannot hide a fault in a patch.
"""

from __future__ import annotations

import ctypes as C
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

F32, F16, Q4_0, Q8_0, I32, BF16 = 0, 1, 2, 8, 26, 30  # enum ggml_type
FLASH_AUTO, FLASH_OFF, FLASH_ON = -1, 0, 1  # enum llama_flash_attn_type
BIAS, TARGET_SHARE, WITHIN_SPANS = 0, 1, 2  # enum llama_steer_kind


class ModelParams(C.Structure):
    _fields_ = [
        ("devices", C.c_void_p), ("tensor_buft_overrides", C.c_void_p), ("n_gpu_layers", C.c_int32),
        ("split_mode", C.c_int), ("load_mode", C.c_int), ("lazy_mode", C.c_int), ("main_gpu", C.c_int32),
        ("tensor_split", C.c_void_p), ("progress_callback", C.c_void_p), ("progress_user_data", C.c_void_p),
        ("kv_overrides", C.c_void_p), ("vocab_only", C.c_bool), ("check_tensors", C.c_bool),
        ("use_extra_bufts", C.c_bool), ("no_host", C.c_bool), ("no_alloc", C.c_bool), ("load_mtp", C.c_bool),
    ]


class ContextParams(C.Structure):
    _fields_ = [
        ("n_ctx", C.c_uint32), ("n_batch", C.c_uint32), ("n_ubatch", C.c_uint32), ("n_seq_max", C.c_uint32),
        ("n_rs_seq", C.c_uint32), ("n_outputs_max", C.c_uint32), ("n_outputs_max_per_seq", C.c_uint32),
        ("n_threads", C.c_int32), ("n_threads_batch", C.c_int32), ("ctx_type", C.c_int), ("rope_scaling_type", C.c_int),
        ("pooling_type", C.c_int), ("attention_type", C.c_int), ("flash_attn_type", C.c_int),
        ("rope_freq_base", C.c_float), ("rope_freq_scale", C.c_float), ("yarn_ext_factor", C.c_float),
        ("yarn_attn_factor", C.c_float), ("yarn_beta_fast", C.c_float), ("yarn_beta_slow", C.c_float),
        ("yarn_orig_ctx", C.c_uint32), ("defrag_thold", C.c_float), ("cb_eval", C.c_void_p),
        ("cb_eval_user_data", C.c_void_p), ("type_k", C.c_int), ("type_v", C.c_int), ("abort_callback", C.c_void_p),
        ("abort_callback_data", C.c_void_p), ("embeddings", C.c_bool), ("offload_kqv", C.c_bool), ("no_perf", C.c_bool),
        ("op_offload", C.c_bool), ("swa_full", C.c_bool), ("kv_unified", C.c_bool), ("samplers", C.c_void_p),
        ("n_samplers", C.c_size_t), ("ctx_other", C.c_void_p),
    ]


class Batch(C.Structure):
    _fields_ = [
        ("n_tokens", C.c_int32), ("token", C.POINTER(C.c_int32)), ("embd", C.POINTER(C.c_float)),
        ("pos", C.POINTER(C.c_int32)), ("n_seq_id", C.POINTER(C.c_int32)),
        ("seq_id", C.POINTER(C.POINTER(C.c_int32))), ("logits", C.POINTER(C.c_int8)),
    ]


class PerfData(C.Structure):
    _fields_ = [
        ("t_start_ms", C.c_double), ("t_load_ms", C.c_double), ("t_p_eval_ms", C.c_double), ("t_eval_ms", C.c_double),
        ("n_p_eval", C.c_int32), ("n_eval", C.c_int32), ("n_reused", C.c_int32),
    ]


class Tensor(C.Structure):
    pass


Tensor._fields_ = [
    ("type", C.c_int), ("buffer", C.c_void_p), ("ne", C.c_int64 * 4), ("nb", C.c_size_t * 4), ("op", C.c_int),
    ("op_params", C.c_int32 * 16), ("flags", C.c_int32), ("src", C.POINTER(Tensor) * 10), ("view_src", C.c_void_p),
    ("view_offs", C.c_size_t), ("data", C.c_void_p), ("name", C.c_char * 64), ("extra", C.c_void_p), ("padding", C.c_char * 8),
]
EvalCallback = C.CFUNCTYPE(C.c_bool, C.POINTER(Tensor), C.c_bool, C.c_void_p)
LogCallback = C.CFUNCTYPE(None, C.c_int, C.c_char_p, C.c_void_p)


class Head(C.Structure):
    _fields_ = [("layer", C.c_int32), ("head", C.c_int32)]


class SpanStruct(C.Structure):
    _fields_ = [("pos", C.c_int32), ("n_cols", C.c_int32), ("n_rows", C.c_int32), ("bias", C.POINTER(C.c_float))]


class SteerParams(C.Structure):
    _fields_ = [
        ("spans", C.POINTER(SpanStruct)), ("n_spans", C.c_size_t), ("prompt_end", C.c_int32), ("bias_prompt", C.c_float),
        ("bias_generated", C.c_float), ("first_query", C.c_int32), ("sharpness", C.c_float), ("kind", C.c_int), ("share", C.c_float),
    ]


def array(tensor: Tensor) -> NDArray[np.float64]:
    """A tensor's values as float64, shape reversed to numpy's order (ne3, ne2, ne1, ne0)."""
    dtype, block = {F32: (np.float32, 1), F16: (np.float16, 1), Q8_0: (np.dtype([("d", "<f2"), ("q", "i1", 32)]), 32)}[tensor.type]
    ne, nb = list(tensor.ne), list(tensor.nb)
    ne0, itemsize = ne[0] // block, np.dtype(dtype).itemsize
    size = sum((n - 1) * b for n, b in zip(ne[1:], nb[1:])) + ne0 * itemsize
    raw = (C.c_uint8 * size).from_address(tensor.data)
    # a permuted view may have nb[0] != itemsize
    strides = (nb[3], nb[2], nb[1], nb[0] if block == 1 else itemsize)
    if block == 1 and nb[0] != itemsize:
        size = sum((n - 1) * b for n, b in zip(ne, nb)) + itemsize
        raw = (C.c_uint8 * size).from_address(tensor.data)
    values = np.ndarray((ne[3], ne[2], ne[1], ne0), dtype, buffer=raw, strides=strides)
    if tensor.type == Q8_0:
        return (values["d"].astype(np.float64)[..., None] * values["q"]).reshape(ne[3], ne[2], ne[1], ne[0])
    return values.astype(np.float64)


@dataclass
class Span:
    """Image tokens in the cache: position, bias or weights (rows, cols)."""

    pos: int
    bias: NDArray[np.float32]


_LOGS: list[object] = []
"""Callbacks that live as long as the libraries, which call the last one."""


class Api:
    """The libraries of one folder."""

    def __init__(self, folder: Path) -> None:
        path = next(p for p in sorted(folder.iterdir()) if p.name.endswith(("llama.so", "llama.dylib")))
        self.lib = lib = C.CDLL(str(path))
        for name, res in {
            "llama_model_default_params": ModelParams, "llama_context_default_params": ContextParams,
            "llama_model_load_from_file": C.c_void_p, "llama_init_from_model": C.c_void_p, "llama_get_logits_ith": C.POINTER(C.c_float),
            "llama_get_memory": C.c_void_p, "llama_model_get_vocab": C.c_void_p, "llama_vocab_n_tokens": C.c_int32,
            "llama_model_n_embd_inp": C.c_int32, "llama_perf_context": PerfData, "llama_memory_seq_rm": C.c_bool,
            "llama_model_rope_type": C.c_int, "llama_decode": C.c_int32,
        }.items():
            getattr(lib, name).restype = res
        lib.llama_perf_context.argtypes = [C.c_void_p]
        self.log: list[str] = []
        callback = LogCallback(lambda level, text, _: self.log.append(text.decode(errors="replace")))
        lib.llama_log_set(callback, None)
        _LOGS.append(callback)
        lib.llama_backend_init()
        self.patched = hasattr(lib, "llama_steer_set_heads")
        if self.patched:
            lib.llama_steer_error.restype = C.c_char_p
            lib.llama_steer_build.restype = C.c_char_p
            lib.llama_steer_error.argtypes = [C.c_void_p]
            lib.llama_steer_set_heads.argtypes = [C.c_void_p, C.c_int32, C.c_void_p, C.c_size_t]
            lib.llama_steer_set.argtypes = [C.c_void_p, C.c_int32, C.c_void_p]
            lib.llama_steer_compute_bytes.argtypes = [C.c_void_p]
            lib.llama_steer_compute_bytes.restype = C.c_size_t
            lib.llama_attn_set_grouped.argtypes = [C.c_void_p, C.c_bool]
            lib.llama_attn_set_grouped.restype = C.c_bool
            lib.llama_probe_set_layers.argtypes = [C.c_void_p, C.c_void_p, C.c_size_t]
            lib.llama_probe_set_spans.argtypes = [C.c_void_p, C.c_int32, C.c_void_p, C.c_size_t]
            lib.llama_probe_get_ith.argtypes = [C.c_void_p, C.c_int32, C.c_int32, C.c_int, C.c_void_p, C.c_void_p]
            lib.llama_probe_get_ith.restype = C.POINTER(C.c_float)

    @contextmanager
    def context(self, model: Path, *, gpu_layers: int = 0, **options: object) -> Iterator[Context]:
        params = self.lib.llama_model_default_params()
        params.n_gpu_layers = gpu_layers
        params.use_extra_bufts = False  # no repacked weights: one arithmetic for all batch sizes
        handle = self.lib.llama_model_load_from_file(str(model).encode(), params)
        assert handle, "".join(self.log[-20:])
        context = None
        try:
            context = Context(self, C.c_void_p(handle), **options)
            yield context
        finally:
            if context:
                self.lib.llama_free(context.handle)
            self.lib.llama_model_free(C.c_void_p(handle))


class SteerError(RuntimeError):
    def __init__(self, status: int, text: str) -> None:
        super().__init__(text)
        self.status = status


class Context:
    """A llama_context with numpy at its border."""

    def __init__(
        self, api: Api, model: C.c_void_p, *, n_ctx: int = 512, n_ubatch: int = 128, n_seq: int = 1, flash: bool | None = True,
        type_kv: int = F16, unified: bool = True, threads: int = 1, grouped: bool = False,
        capture: Callable[[str, Tensor], None] | None = None,
    ) -> None:
        self.api, self.lib, self.model = api, api.lib, model
        params = self.lib.llama_context_default_params()
        params.n_ctx, params.n_batch, params.n_ubatch, params.n_seq_max = n_ctx, n_ctx, n_ubatch, n_seq
        params.n_threads = params.n_threads_batch = threads
        params.flash_attn_type = FLASH_AUTO if flash is None else FLASH_ON if flash else FLASH_OFF
        params.type_k = params.type_v = type_kv
        params.kv_unified, params.no_perf = unified, False
        if capture:
            def on_eval(tensor: object, ask: bool, _: object) -> bool:
                if not ask:
                    capture(tensor.contents.name.decode(), tensor.contents)  # type: ignore[attr-defined]
                return True
            self._callback = EvalCallback(on_eval)
            params.cb_eval = C.cast(self._callback, C.c_void_p)
        self.handle = C.c_void_p(self.lib.llama_init_from_model(model, params))
        assert self.handle, "".join(api.log[-20:])
        self.n_vocab = self.lib.llama_vocab_n_tokens(C.c_void_p(self.lib.llama_model_get_vocab(model)))
        self.n_embd_inp = self.lib.llama_model_n_embd_inp(model)
        self.n_pos = 4 if self.lib.llama_model_rope_type(model) in (8, 40) else 1  # M-RoPE, interleaved M-RoPE
        if grouped:
            assert self.set_grouped(True)

    def decode(
        self, tokens: Sequence[int] | None = None, *, embd: NDArray[np.float32] | None = None, pos: Sequence[int] | NDArray[np.int32],
        seq: int | Sequence[int] = 0, outputs: Sequence[int] = (),
    ) -> int:
        n = len(tokens) if tokens is not None else len(embd)  # type: ignore[arg-type]
        seqs = [seq] * n if isinstance(seq, int) else list(seq)
        ids = (C.c_int32 * n)(*seqs)
        rows = (C.POINTER(C.c_int32) * n)(*[C.cast(C.addressof(ids) + 4 * i, C.POINTER(C.c_int32)) for i in range(n)])
        position = np.ascontiguousarray(pos, np.int32)
        wanted = np.zeros(n, np.int8)
        wanted[list(outputs)] = 1
        batch = Batch(n, None, None, position.ctypes.data_as(C.POINTER(C.c_int32)), (C.c_int32 * n)(*[1] * n), rows,
                      wanted.ctypes.data_as(C.POINTER(C.c_int8)))
        if tokens is not None:
            batch.token = (C.c_int32 * n)(*tokens)
        else:
            rows_in = np.ascontiguousarray(embd, np.float32)
            batch.embd = rows_in.ctypes.data_as(C.POINTER(C.c_float))
        return int(self.lib.llama_decode(self.handle, batch))

    def logits(self, i: int = -1) -> NDArray[np.float32]:
        return np.ctypeslib.as_array(self.lib.llama_get_logits_ith(self.handle, C.c_int32(i)), (self.n_vocab,)).copy()

    def forget(self, seq: int = -1, start: int = -1) -> None:
        assert self.lib.llama_memory_seq_rm(C.c_void_p(self.lib.llama_get_memory(self.handle)), C.c_int32(seq), C.c_int32(start), C.c_int32(-1))

    def graphs_reused(self) -> int:
        return int(self.lib.llama_perf_context(self.handle).n_reused)

    def _check(self, status: int) -> None:
        if status:
            raise SteerError(status, self.lib.llama_steer_error(self.handle).decode())

    def set_heads(self, heads: Sequence[tuple[int, int]], seq: int = 0) -> None:
        self._check(self.lib.llama_steer_set_heads(self.handle, seq, (Head * len(heads))(*heads), len(heads)))

    def compute_bytes(self) -> int:
        return int(self.lib.llama_steer_compute_bytes(self.handle))

    def set_grouped(self, grouped: bool) -> bool:
        """Whether the grouped attention kernel is on now."""
        return bool(self.lib.llama_attn_set_grouped(self.handle, grouped))

    def _spans(self, spans: Sequence[Span]) -> object:
        self._kept = [np.ascontiguousarray(s.bias, np.float32) for s in spans]
        return (SpanStruct * len(spans))(*[
            SpanStruct(s.pos, b.shape[1], b.shape[0], b.ctypes.data_as(C.POINTER(C.c_float))) for s, b in zip(spans, self._kept)])

    def steer(
        self, spans: Sequence[Span], *, seq: int = 0, prompt_end: int = 0, bias_prompt: float = 0.0, bias_generated: float = 0.0,
        first_query: int = 0, sharpness: float = 1.0, kind: int = BIAS, share: float = 0.0,
    ) -> None:
        params = SteerParams(self._spans(spans), len(spans), prompt_end, bias_prompt, bias_generated, first_query, sharpness, kind, share)
        self._check(self.lib.llama_steer_set(self.handle, seq, C.byref(params)))

    def unsteer(self, seq: int = 0) -> None:
        self._check(self.lib.llama_steer_set(self.handle, seq, None))

    def probe_layers(self, layers: Sequence[int]) -> None:
        self._check(self.lib.llama_probe_set_layers(self.handle, (C.c_int32 * len(layers))(*layers), len(layers)))

    def probe_spans(self, spans: Sequence[Span], seq: int = 0) -> None:
        self._check(self.lib.llama_probe_set_spans(self.handle, seq, self._spans(spans), len(spans)))

    def probe(self, i: int, layer: int, *, steered: bool = False) -> NDArray[np.float32] | None:
        """(heads, tokens of the spans) or None."""
        n_head, n_tokens = C.c_int32(), C.c_int32()
        data = self.lib.llama_probe_get_ith(self.handle, i, layer, int(steered), C.byref(n_head), C.byref(n_tokens))
        return np.ctypeslib.as_array(data, (n_head.value, n_tokens.value)).copy() if data else None
