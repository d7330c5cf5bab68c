"""Products of quantized weights with several rows, beside stock's, in processor time, which others do not lengthen."""

from __future__ import annotations

import argparse
import ctypes as C
import sys
import time
from pathlib import Path

import numpy as np
import page
from ratio import median, ratio
from sides import by_turns

sys.path[:0] = [str(Path(__file__).resolve().parents[1] / "tests" / part) for part in (".", "patches")]

import capi  # noqa: E402
from attention_op import InitParams  # noqa: E402
from test_several_rows import Q4_K, Q5_K, Q6_K, Q8_0, Product, buffer_type  # noqa: E402

KINDS = {"Q4_K": Q4_K, "Q5_K": Q5_K, "Q6_K": Q6_K, "Q8_0": Q8_0}


class Timed:
    """A product that a library computes again and again. It is kept until the process ends."""

    def __init__(self, api: capi.Api, kind: int, width: int, columns: int, rows: int) -> None:
        lib = self.lib = api.lib
        made = Product(kind, width, columns, rows, seed=1)
        for name in ("ggml_new_tensor_2d", "ggml_mul_mat"):
            getattr(lib, name).restype = C.POINTER(capi.Tensor)
        for name in ("ggml_init", "ggml_new_graph", "ggml_backend_cpu_init", "ggml_backend_alloc_ctx_tensors",
                     "ggml_backend_alloc_ctx_tensors_from_buft"):  # fmt: skip
            getattr(lib, name).restype = C.c_void_p
        holds, context = (C.c_void_p(lib.ggml_init(InitParams(1 << 20, None, True))) for _ in range(2))
        self.backend = C.c_void_p(lib.ggml_backend_cpu_init())
        lib.ggml_backend_cpu_set_n_threads(self.backend, 1)
        weights = lib.ggml_new_tensor_2d(holds, kind, C.c_int64(width), C.c_int64(columns))
        lib.ggml_backend_alloc_ctx_tensors_from_buft(holds, buffer_type(api, self.backend, kind == Q4_K))
        data = np.ascontiguousarray(made.blocks)
        lib.ggml_backend_tensor_set(weights, data.ctypes.data_as(C.c_void_p), C.c_size_t(0), C.c_size_t(data.nbytes))
        activations = lib.ggml_new_tensor_2d(context, capi.F32, C.c_int64(width), C.c_int64(rows))
        self.graph = C.c_void_p(lib.ggml_new_graph(context))
        lib.ggml_build_forward_expand(self.graph, lib.ggml_mul_mat(context, weights, activations))
        lib.ggml_backend_alloc_ctx_tensors(context, self.backend)
        C.memmove(activations.contents.data, made.activations.ctypes.data, made.activations.nbytes)

    def __call__(self) -> float:
        """Seconds of this thread: the least of three."""
        return min(self._once() for _ in range(3))

    def _once(self) -> float:
        start = time.thread_time()
        assert self.lib.ggml_backend_graph_compute(self.backend, self.graph) == 0
        return time.thread_time() - start


def add_arguments(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("--rows", type=int, nargs="+", default=[1, 2, 4, 6, 7, 8, 9, 12, 14, 16, 17, 32, 64, 256])
    parser.add_argument("--width", type=int, default=2048)
    parser.add_argument("--columns", type=int, default=2048)


def run(args: argparse.Namespace) -> None:
    both = {side: capi.Api(getattr(args, side)) for side in ("stock", "ours")}
    tables = []
    for name, kind in KINDS.items():
        found = []
        for rows in args.rows:
            arms = {side: Timed(api, kind, args.width, args.columns, rows) for side, api in both.items()}
            measured = by_turns(arms, args.rounds)
            times = [f"{1e3 * median(measured[side]).middle:.3g}" for side in both]
            found.append((rows, *times, ratio(measured["stock"], measured["ours"])))
        tables.append(f"{name}\n\n" + page.table(("rows", "stock, ms", "ours, ms", "ratio of speed"), found))
    page.write(
        f"Products of {args.width} x {args.columns} weights with several rows",
        f"Processor time of one thread, {args.rounds} rounds.\n\n" + "\n\n".join(tables),
    )
