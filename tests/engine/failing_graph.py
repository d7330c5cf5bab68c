"""Graphs in which an assertion of ggml fails on a chosen thread: python failing_graph.py THREADS POOL.

A row that get_rows is told to take does not exist; each thread takes its share of the rows.
"""

import ctypes as C
import sys
from pathlib import Path

import lookhere
import numpy as np
from lookhere import _engine as engine
from lookhere.loading import builtin

ROWS, WIDTH, F32, I32 = 64, 32, 0, 26


class InitParams(C.Structure):
    _fields_ = [("size", C.c_size_t), ("buffer", C.c_void_p), ("no_alloc", C.c_bool)]


class PoolParams(C.Structure):
    _fields_ = [
        ("cpumask", C.c_bool * 512), ("n_threads", C.c_int), ("prio", C.c_int), ("poll", C.c_uint32),
        ("strict_cpu", C.c_bool), ("paused", C.c_bool),
    ]  # fmt: skip


def library():
    (path,) = (Path(lookhere.__file__).parent / "lib").glob("*lookhere*")
    lib = C.CDLL(str(path))
    for name in (
        "ggml_init", "ggml_new_graph", "ggml_new_tensor_1d", "ggml_new_tensor_2d", "ggml_get_rows", "ggml_mul_mat",
        "ggml_get_data", "ggml_backend_cpu_init", "ggml_threadpool_new",
    ):  # fmt: skip
        getattr(lib, name).restype = C.c_void_p
    lib.ggml_threadpool_params_default.restype = PoolParams
    return lib


def compute(lib, backend, wrong):
    """-> status and result of a graph that takes ROWS rows, those at the indices in ``wrong`` from nowhere."""
    context = C.c_void_p(lib.ggml_init(InitParams(1 << 22, None, False)))

    def tensor(values):
        kind = F32 if values.dtype == np.float32 else I32
        if values.ndim == 1:
            made = lib.ggml_new_tensor_1d(context, kind, C.c_int64(len(values)))
        else:
            made = lib.ggml_new_tensor_2d(context, kind, C.c_int64(values.shape[1]), C.c_int64(values.shape[0]))
        made = C.c_void_p(made)
        C.memmove(lib.ggml_get_data(made), values.ctypes.data, values.nbytes)
        return made

    taken = np.arange(ROWS, dtype=np.int32)[::-1].copy()
    taken[list(wrong)] = ROWS + 7
    table = np.random.default_rng(0).normal(size=(ROWS, WIDTH)).astype(np.float32)
    rows = C.c_void_p(lib.ggml_get_rows(context, tensor(table), tensor(taken)))
    node = C.c_void_p(lib.ggml_mul_mat(context, tensor(np.eye(WIDTH, dtype=np.float32)), rows))
    graph = C.c_void_p(lib.ggml_new_graph(context))
    lib.ggml_build_forward_expand(graph, node)
    status = lib.ggml_backend_graph_compute(backend, graph)
    buffer = C.cast(C.c_void_p(lib.ggml_get_data(node)), C.POINTER(C.c_float))
    result = np.ctypeslib.as_array(buffer, (ROWS, WIDTH)).copy()
    lib.ggml_free(context)
    return status, np.allclose(result, table[::-1], atol=1e-3)


def main(threads, pool):
    lines = []
    engine.Model(str(builtin.builtin_files()[0]))  # after it, failed assertions are thrown
    engine.set_log(lambda level, text: lines.append(text), 40)
    lib = library()
    backend = C.c_void_p(lib.ggml_backend_cpu_init())
    lib.ggml_backend_cpu_set_n_threads(backend, threads)
    if pool:
        params = lib.ggml_threadpool_params_default(threads)
        made = C.c_void_p(lib.ggml_threadpool_new(C.byref(params)))
        lib.ggml_backend_cpu_set_threadpool(backend, made)
    share = ROWS // threads
    for wrong in [*([thread * share] for thread in range(threads)), range(ROWS), [ROWS - 1, 0]] * 20:
        lines.clear()
        status, _ = compute(lib, backend, wrong)
        assert status == -1, status  # GGML_STATUS_FAILED
        assert any("i01 >= 0" in line for line in lines), lines
        assert compute(lib, backend, []) == (0, True)  # all can be used on
    if pool:
        lib.ggml_threadpool_free(made)
    print("survived")


if __name__ == "__main__":
    main(int(sys.argv[1]), sys.argv[2] == "pool")
