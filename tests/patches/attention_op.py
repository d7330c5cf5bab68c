"""One flash-attention node on the CPU, built and computed through ggml's C API, and the same in float64."""

from __future__ import annotations

import ctypes as C
from dataclasses import dataclass

import numpy as np
from capi import BF16, F16, F32, I32, Q4_0, Q8_0, Api, Tensor
from numpy.typing import NDArray

Floats = NDArray[np.float32]
BLOCK = {Q4_0: np.dtype([("d", "<f2"), ("q", "u1", 16)]), Q8_0: np.dtype([("d", "<f2"), ("q", "i1", 32)])}
OPTION, MASK, HEADS, KEYS = 15, 7, 8, 9
"""Where our options lie in a node, in op_params and src (ggml-flash-attn.h)."""


class InitParams(C.Structure):
    _fields_ = [("mem_size", C.c_size_t), ("mem_buffer", C.c_void_p), ("no_alloc", C.c_bool)]


def stored(values: Floats, kind: int) -> NDArray[np.generic]:
    """The bytes that a cache of this ggml type holds for `values` (..., n), as an array."""
    if kind == F32:
        return values
    if kind == F16:
        return values.astype(np.float16)
    if kind == BF16:
        return ((values.view(np.uint32) + 0x8000) >> 16).astype(np.uint16)
    rows = values.reshape(*values.shape[:-1], -1, 32)
    out = np.zeros(rows.shape[:-1], BLOCK[kind])
    if kind == Q8_0:
        out["d"] = np.abs(rows).max(-1) / 127
        scale = np.maximum(out["d"].astype(np.float32), 1e-12)
        out["q"] = np.clip(np.round(rows / scale[..., None]), -127, 127)
        return out
    out["d"] = np.abs(rows).max(-1) / 7
    scale = np.maximum(out["d"].astype(np.float32), 1e-12)
    quants = np.clip(np.round(rows / scale[..., None]) + 8, 0, 15).astype(np.uint8)
    out["q"] = quants[..., :16] | quants[..., 16:] << 4
    return out


def exact(data: NDArray[np.generic], kind: int) -> NDArray[np.float64]:
    """What stored() holds."""
    if kind == BF16:
        return (data.astype(np.uint32) << 16).view(np.float32).astype(np.float64)
    if kind in (F32, F16):
        return data.astype(np.float64)
    quants = (
        data["q"].astype(np.float64)
        if kind == Q8_0
        else np.concatenate([data["q"] & 15, data["q"] >> 4], -1).astype(np.float64) - 8
    )
    values = data["d"].astype(np.float64)[..., None] * quants
    return values.reshape(*values.shape[:-2], -1)


@dataclass
class Case:
    """Operands of an attention: streams, query rows per stream, keys per stream."""

    heads: int
    heads_kv: int
    dim: int
    keys: int
    rows: int = 1
    streams: int = 1
    kind: int = F16
    softcap: float = 0.0
    seed: int = 0
    hidden: float = 0.0  # share of the keys, from the front, that no row sees
    sinks: Floats | None = None  # (heads,)
    head_mask: NDArray[np.bool_] | None = None  # (heads,) or (streams, rows, heads): heads that take the second mask
    only: NDArray[np.bool_] | None = None  # likewise, without a second mask: heads that see any key
    spread: float = 3.0  # standard deviation of the scores, about

    def __post_init__(self) -> None:
        rng = np.random.default_rng(self.seed)
        self.q = rng.standard_normal((self.streams, self.rows, self.heads, self.dim)).astype(np.float32)
        self.k = stored(
            self.spread * rng.standard_normal((self.streams, self.keys, self.heads_kv, self.dim)).astype(np.float32),
            self.kind,
        )
        self.v = stored(
            rng.standard_normal((self.streams, self.keys, self.heads_kv, self.dim)).astype(np.float32), self.kind
        )
        self.mask = np.zeros((self.streams, self.rows, self.keys), np.float16)
        self.mask[..., : int(self.hidden * self.keys)] = -np.inf
        for row in range(self.rows):  # causal, and what is left of a padded cache
            self.mask[:, row, max(1, self.keys - 20 - self.rows + row) :] = -np.inf
        self.bias = np.where(np.isinf(self.mask), self.mask, rng.choice([-5, 0, 5], self.mask.shape).astype(np.float16))

    @property
    def biased(self) -> NDArray[np.bool_]:
        """(streams, rows, heads): who takes the second mask."""
        shape = (self.streams, self.rows, self.heads)
        return np.broadcast_to(False if self.head_mask is None else self.head_mask, shape)

    def want(self) -> NDArray[np.float64]:
        """The output in float64, (streams, rows, heads, dim)."""
        return self.want_and_sums()[0]

    def want_and_sums(self) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
        """The output, and the logarithms of the sums (streams, rows, heads), in float64."""
        group = self.heads // self.heads_kv
        k, v = (np.repeat(exact(x, self.kind), group, 2) for x in (self.k, self.v))
        scores = np.einsum("srhd,skhd->srhk", self.q.astype(np.float64), k) / np.sqrt(self.dim)
        if self.softcap:
            scores = self.softcap * np.tanh(scores / self.softcap)
        scores = scores + np.where(
            self.biased[..., None], self.bias[:, :, None].astype(np.float64), self.mask[:, :, None]
        )
        if self.only is not None:
            scores[~np.broadcast_to(self.only, scores.shape[:3])] = -np.inf
        sinks = np.full(self.heads, -np.inf) if self.sinks is None else self.sinks.astype(np.float64)
        top = np.maximum(scores.max(-1), sinks)[..., None]
        top = np.where(np.isinf(top), 0, top)
        p = np.exp(scores - top)
        total = p.sum(-1) + np.exp(sinks - top[..., 0])
        out = np.einsum("srhk,skhd->srhd", p, v) / np.where(total == 0, 1, total)[..., None]
        with np.errstate(divide="ignore"):
            return out, top[..., 0] + np.log(total)

    def probabilities(self, mask: NDArray[np.float16]) -> NDArray[np.float64]:
        """With a mask (streams, rows, keys), in float64: (streams, rows, keys, heads)."""
        k = np.repeat(exact(self.k, self.kind), self.heads // self.heads_kv, 2)
        scores = np.einsum("srhd,skhd->srkh", self.q.astype(np.float64), k) / np.sqrt(self.dim)
        if self.softcap:
            scores = self.softcap * np.tanh(scores / self.softcap)
        scores = scores + mask[..., None].astype(np.float64)
        sinks = np.full(self.heads, -np.inf) if self.sinks is None else self.sinks.astype(np.float64)
        total = np.logaddexp(np.logaddexp.reduce(scores, 2, keepdims=True), sinks)
        return np.exp(scores - np.where(np.isinf(total), 0, total))

    def run(self, api: Api, *, grouped: bool, threads: int = 1, mask: Floats | None = None) -> NDArray[np.float32]:
        """The output as ggml computes it, (streams, rows, heads, dim); `mask` replaces the first mask."""
        return self._run(api, grouped, threads, mask)[0]

    def run_and_sum(self, api: Api, *, grouped: bool, threads: int = 1) -> tuple[Floats, Floats]:
        """The output, and the logarithms of the sums (streams, rows, heads)."""
        both = self._run(api, grouped, threads, sums=True)[0]
        return both[..., :-1], both[..., -1]

    def run_and_read(self, api: Api, read: NDArray[np.int32], threads: int = 1) -> tuple[Floats, list[Floats]]:
        """The output of the grouped kernel, and the probabilities (streams, rows, n, heads) of the keys `read`
        (streams, rows, n) under the first mask and, if there is a second, under the mask that each head takes."""
        return self._run(api, True, threads, read=read)

    def _run(
        self,
        api: Api,
        grouped: bool,
        threads: int,
        mask: Floats | None = None,
        read: NDArray[np.int32] | None = None,
        sums: bool = False,
    ) -> tuple[Floats, list[Floats]]:
        lib = api.lib
        for name in ("ggml_new_tensor_4d", "ggml_permute", "ggml_flash_attn_ext", "ggml_flash_attn_ext_read"):
            if hasattr(lib, name):
                getattr(lib, name).restype = C.POINTER(Tensor)
        for name in ("ggml_init", "ggml_new_graph", "ggml_backend_cpu_init", "ggml_backend_alloc_ctx_tensors"):
            getattr(lib, name).restype = C.c_void_p
        context = C.c_void_p(lib.ggml_init(InitParams(1 << 20, None, True)))
        backend = C.c_void_p(lib.ggml_backend_cpu_init())
        lib.ggml_backend_cpu_set_n_threads(backend, threads)
        operands = []

        def tensor(data: NDArray[np.generic], kind: int, *shape: int) -> object:
            made = lib.ggml_new_tensor_4d(context, kind, *(C.c_int64(n) for n in shape))
            operands.append((made, np.ascontiguousarray(data)))
            return made

        def permuted(data: NDArray[np.generic], kind: int, *shape: int) -> object:
            return lib.ggml_permute(context, tensor(data, kind, *shape), 0, 2, 1, 3)

        def values(node: object, *shape: int) -> NDArray[np.float32]:
            return np.ctypeslib.as_array(C.cast(node.contents.data, C.POINTER(C.c_float)), shape).copy()

        memory = None
        try:
            node = lib.ggml_flash_attn_ext(
                context,
                permuted(self.q, F32, self.dim, self.heads, self.rows, self.streams),
                permuted(self.k, self.kind, self.dim, self.heads_kv, self.keys, self.streams),
                permuted(self.v, self.kind, self.dim, self.heads_kv, self.keys, self.streams),
                tensor(self.mask if mask is None else mask, F16, self.keys, self.rows, 1, self.streams),
                C.c_float(1 / np.sqrt(self.dim)),
                C.c_float(0.0),
                C.c_float(self.softcap),
            )
            node.contents.op_params[3] = 10  # GGML_PREC_F32
            if self.sinks is not None:
                lib.ggml_flash_attn_ext_add_sinks(node, tensor(self.sinks.astype(np.float32), F32, self.heads, 1, 1, 1))
            if grouped:
                lib.ggml_flash_attn_ext_set_grouped(node)
            if self.head_mask is not None:
                lib.ggml_flash_attn_ext_add_head_mask(
                    node,
                    tensor(self.bias, F16, self.keys, self.rows, 1, self.streams),
                    tensor(self.biased.astype(np.float32), F32, self.heads, self.rows, self.streams, 1),
                )
            if self.only is not None:
                only = np.broadcast_to(self.only, (self.streams, self.rows, self.heads)).astype(np.float32)
                heads = tensor(only, F32, self.heads, self.rows, self.streams, 1)
                lib.ggml_flash_attn_ext_add_head_mask(node, None, heads)
            if sums:
                lib.ggml_flash_attn_ext_add_log_sum(context, node, C.byref(C.POINTER(Tensor)()))
            graph = C.c_void_p(lib.ggml_new_graph(context))
            out, found = node, [C.POINTER(Tensor)() for _ in range(1 if self.head_mask is None else 2)]
            if read is not None:
                keys = tensor(read.astype(np.int32), I32, *reversed(read.shape), 1)
                out = lib.ggml_flash_attn_ext_read(
                    context, node, keys, *map(C.byref, found), *[None] * (2 - len(found))
                )
            lib.ggml_build_forward_expand(graph, out)
            memory = C.c_void_p(lib.ggml_backend_alloc_ctx_tensors(context, backend))
            for made, data in operands:
                C.memmove(made.contents.data, data.ctypes.data, data.nbytes)
            assert lib.ggml_backend_graph_compute(backend, graph) == 0
            result = values(out, self.streams, self.rows, self.heads, self.dim + sums)
            return result, [] if read is None else [values(each, *read.shape, self.heads) for each in found]
        finally:
            if memory:
                lib.ggml_backend_buffer_free(memory)
            lib.ggml_backend_free(backend)
            lib.ggml_free(context)
