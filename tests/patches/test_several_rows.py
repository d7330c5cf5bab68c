"""Products of quantized weights with several rows: right, and a row has the bits of stock's product of it alone."""

from __future__ import annotations

import ctypes as C
from dataclasses import dataclass, field

import numpy as np
import pytest
from attention_op import InitParams
from capi import F32, Api, Tensor
from hypothesis import assume, example, given, settings
from hypothesis import strategies as st
from numpy.typing import NDArray

Q8_0, Q4_K, Q5_K, Q6_K = 8, 12, 13, 14
BYTES = {Q8_0: 272, Q4_K: 144, Q5_K: 176, Q6_K: 210}  # of 256 weights
kinds = pytest.mark.parametrize("kind", BYTES, ids=["q8_0", "q4_k", "q5_k", "q6_k"])
BOUND = 1e-7
"""Of the sum of the magnitudes of what is added up: how far from float64, with activations that 8 bits hold."""


@dataclass
class Product:
    """Weights (columns, width) of a type, activations (planes, rows, width)."""

    kind: int
    width: int
    columns: int
    rows: int
    seed: int = 0
    planes: int = 1
    extreme: bool = False  # the largest weights, scales and activations there are
    whole: bool = False  # activations that 8 bits hold: whole numbers up to 127, which each 32 have
    blocks: NDArray[np.uint8] = field(init=False)
    activations: NDArray[np.float32] = field(init=False)

    def __post_init__(self) -> None:
        rng = np.random.default_rng(self.seed)
        shape = self.columns, self.width // 256, BYTES[self.kind]
        self.blocks = np.full(shape, 255, np.uint8) if self.extreme else rng.integers(0, 256, shape, np.uint8)
        halves = rng.uniform(-0.01, 0.01, (*shape[:2], 2)).astype(np.float16)
        if self.kind == Q8_0:  # eight times d, 32 weights
            of_32 = self.blocks.reshape(*shape[:2], 8, 34)
            of_32[..., :2] = rng.uniform(-0.01, 0.01, of_32.shape[:3]).astype(np.float16)[..., None].view(np.uint8)
            if self.extreme:
                of_32[..., 2:] = 128
        elif self.kind in (Q4_K, Q5_K):  # d, dmin, 12 bytes of scales, of Q5_K 32 of high bits, 128 of weights
            self.blocks[..., :4] = halves.view(np.uint8)
        else:  # 192 bytes of weights, 16 scales, d
            self.blocks[..., 208:] = halves[..., :1].copy().view(np.uint8)
            if self.extreme:
                self.blocks[..., 192:208] = 128
        self.activations = rng.standard_normal((self.planes, self.rows, self.width)).astype(np.float32)
        if self.extreme:
            self.activations = np.sign(self.activations)
        if self.whole:
            self.activations = np.clip(np.round(32 * self.activations), -127, 127)
            self.activations[..., ::32] = 127 * rng.choice(np.float32([-1, 1]), self.activations[..., ::32].shape)
        self.activations[..., :256] *= self.seed % 3  # sometimes a block of zeros

    def want(self) -> NDArray[np.float64]:
        """(planes, rows, columns) in float64, of the weights as they are stored."""
        quants, offsets = self._weights()
        return self.activations.astype(np.float64) @ (quants - offsets).T

    def magnitude(self) -> NDArray[np.float64]:
        """The same of all that may be added up, without its signs."""
        quants, offsets = self._weights()
        return np.abs(self.activations.astype(np.float64)) @ (np.abs(quants) + np.abs(offsets)).T

    def _weights(self) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
        """The weights as they are stored, and what is subtracted from them, (columns, width) each."""
        quants, offsets = {Q8_0: self._q8_0, Q4_K: self._q4_k, Q5_K: self._q4_k, Q6_K: self._q6_k}[self.kind]()
        return quants.reshape(self.columns, self.width), offsets.reshape(self.columns, self.width)

    def _q8_0(self) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
        of_32 = self.blocks.reshape(*self.blocks.shape[:2], 8, 34)
        d = of_32[..., :2].copy().view(np.float16).astype(np.float64)
        quants = d * of_32[..., 2:].view(np.int8)
        return quants, np.zeros_like(quants)

    def _q4_k(self) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
        d, dmin = np.moveaxis(self.blocks[..., :4].copy().view(np.float16).astype(np.float64), -1, 0)
        packed = self.blocks[..., 4:16]
        low, middle, high = packed[..., :4], packed[..., 4:8], packed[..., 8:]
        scales = np.concatenate([low & 63, high & 15 | (low >> 6) << 4], -1)
        mins = np.concatenate([middle & 63, high >> 4 | (middle >> 6) << 4], -1)
        nibbles = self.blocks[..., -128:].reshape(*d.shape, 4, 1, 32)
        quants = np.concatenate([nibbles & 15, nibbles >> 4], -2).reshape(*d.shape, 8, 32)
        if self.kind == Q5_K:
            quants |= (self.blocks[..., None, 16:48] >> np.arange(8, dtype=np.uint8)[:, None] & 1) << 4
        offsets = np.broadcast_to((dmin[..., None] * mins)[..., None], quants.shape)
        return d[..., None, None] * scales[..., None] * quants, offsets

    def _q6_k(self) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
        low = self.blocks[..., :128].reshape(*self.blocks.shape[:2], 2, 2, 32)
        high = self.blocks[..., 128:192].reshape(*self.blocks.shape[:2], 2, 1, 32)
        bits = np.concatenate([low & 15, low >> 4], -2) | (high >> np.array([[0], [2], [4], [6]], np.uint8) & 3) << 4
        scales = self.blocks[..., 192:208].view(np.int8).astype(np.float64)
        d = self.blocks[..., 208:].copy().view(np.float16).astype(np.float64)
        unit = (d * scales)[..., None]
        return unit * bits.reshape(*scales.shape, 16), np.broadcast_to(32 * unit, (*scales.shape, 16))

    def run(self, api: Api, *, repacked: bool, threads: int = 1) -> NDArray[np.float32]:
        """(planes, rows, columns) as ggml computes it; repacked: weights that are rearranged, as at loading."""
        lib = api.lib
        for name in ("ggml_new_tensor_2d", "ggml_new_tensor_3d", "ggml_mul_mat"):
            getattr(lib, name).restype = C.POINTER(Tensor)
        for name in ("ggml_init", "ggml_new_graph", "ggml_backend_cpu_init", "ggml_backend_alloc_ctx_tensors",
                     "ggml_backend_alloc_ctx_tensors_from_buft"):  # fmt: skip
            getattr(lib, name).restype = C.c_void_p
        holds = C.c_void_p(lib.ggml_init(InitParams(1 << 20, None, True)))
        context = C.c_void_p(lib.ggml_init(InitParams(1 << 20, None, True)))
        backend = C.c_void_p(lib.ggml_backend_cpu_init())
        lib.ggml_backend_cpu_set_n_threads(backend, threads)
        memory = []
        try:
            weights = lib.ggml_new_tensor_2d(holds, self.kind, C.c_int64(self.width), C.c_int64(self.columns))
            memory.append(lib.ggml_backend_alloc_ctx_tensors_from_buft(holds, buffer_type(api, backend, repacked)))
            data = np.ascontiguousarray(self.blocks)
            lib.ggml_backend_tensor_set(
                weights, data.ctypes.data_as(C.c_void_p), C.c_size_t(0), C.c_size_t(data.nbytes)
            )
            shape = self.activations.shape
            rows = lib.ggml_new_tensor_3d(context, F32, *(C.c_int64(n) for n in reversed(shape)))
            out = lib.ggml_mul_mat(context, weights, rows)
            graph = C.c_void_p(lib.ggml_new_graph(context))
            lib.ggml_build_forward_expand(graph, out)
            memory.append(lib.ggml_backend_alloc_ctx_tensors(context, backend))
            C.memmove(rows.contents.data, self.activations.ctypes.data, self.activations.nbytes)
            assert lib.ggml_backend_graph_compute(backend, graph) == 0
            found = C.cast(out.contents.data, C.POINTER(C.c_float))
            return np.ctypeslib.as_array(found, (*shape[:2], self.columns)).copy()
        finally:
            for each in memory:
                lib.ggml_backend_buffer_free(C.c_void_p(each))
            lib.ggml_backend_free(backend)
            lib.ggml_free(context)
            lib.ggml_free(holds)


def buffer_type(api: Api, backend: C.c_void_p, repacked: bool) -> C.c_void_p:
    """Of plain weights, or the first of those that rearrange them."""
    lib = api.lib
    for name in ("ggml_backend_get_device", "ggml_backend_dev_backend_reg", "ggml_backend_reg_get_proc_address",
                 "ggml_backend_get_default_buffer_type", "ggml_backend_buft_name"):  # fmt: skip
        getattr(lib, name).restype = C.c_char_p if name.endswith("name") else C.c_void_p
    if not repacked:
        return C.c_void_p(lib.ggml_backend_get_default_buffer_type(backend))
    device = C.c_void_p(lib.ggml_backend_get_device(backend))
    registry = C.c_void_p(lib.ggml_backend_dev_backend_reg(device))
    address = lib.ggml_backend_reg_get_proc_address(registry, b"ggml_backend_dev_get_extra_bufts")
    extra = C.CFUNCTYPE(C.POINTER(C.c_void_p), C.c_void_p)(address)(device)
    for index in range(9):
        if extra[index] is None:
            break
        if lib.ggml_backend_buft_name(C.c_void_p(extra[index])) == b"CPU_REPACK":
            return C.c_void_p(extra[index])
    pytest.skip("weights are not rearranged in this build")


shapes = given(rows=st.integers(1, 40), blocks=st.integers(1, 5), groups=st.integers(1, 7), seed=st.integers(0, 99),
               planes=st.sampled_from([1, 1, 1, 3]), threads=st.integers(1, 3), repacked=st.booleans(),
               extreme=st.booleans())  # fmt: skip


def alone(kind: int, rows: int, planes: int, repacked: bool) -> bool:
    """Whether a row has the bits of stock's product of it alone: with our kernels, and in Q8_0 with stock's too."""
    return kind == Q8_0 or (repacked if kind == Q4_K else rows <= 16 and planes == 1)


def can(api: Api, kind: int = Q6_K) -> bool:
    """Whether our kernels of this type run on this processor."""
    wide = ("avx512", "avx512_vnni") if kind == Q8_0 else ()
    return all(getattr(api.lib, f"ggml_cpu_has_{what}")() for what in ("avx2", "fma", "f16c", *wide))


def columns(kind: int, groups: int, seed: int, repacked: bool) -> int:
    """Eights, as weights need that are rearranged, or any number."""
    return 8 * groups - (0 if repacked and kind == Q4_K else seed % 8)


@kinds
@settings(max_examples=60, deadline=None)
@shapes
@example(rows=6, blocks=4, groups=5, seed=1, planes=1, threads=1, repacked=True, extreme=True)
@example(rows=7, blocks=4, groups=5, seed=1, planes=1, threads=1, repacked=False, extreme=True)
@example(rows=17, blocks=4, groups=5, seed=1, planes=1, threads=2, repacked=False, extreme=False)
@example(rows=39, blocks=4, groups=3, seed=1, planes=1, threads=2, repacked=True, extreme=True)
@example(rows=16, blocks=4, groups=5, seed=1, planes=3, threads=2, repacked=False, extreme=False)
def test_a_row_has_the_bits_of_stock_for_it_alone(
    patched: Api, stock: Api, kind: int, rows: int, blocks: int, groups: int, seed: int, planes: int, threads: int,
    repacked: bool, extreme: bool,
) -> None:  # fmt: skip
    """Whatever the number of rows, of columns and of threads that share them."""
    if not can(patched):
        pytest.skip("our kernels are for AVX2: this processor has upstream's")
    product = Product(kind, 256 * blocks, columns(kind, groups, seed, repacked), rows, seed, planes, extreme)
    repacked = repacked and kind == Q4_K  # the only one of them that x86 rearranges
    assume(alone(kind, rows, planes, repacked))
    ours = product.run(patched, repacked=repacked, threads=threads)
    whole = product.activations
    for row in range(rows):
        product.activations = np.ascontiguousarray(whole[:, row : row + 1])
        want = product.run(stock, repacked=repacked, threads=threads)
        np.testing.assert_array_equal(ours[:, row].view(np.uint32), want[:, 0].view(np.uint32))


@kinds
@settings(max_examples=60, deadline=None)
@shapes
def test_the_others_have_the_bits_of_stock(
    patched: Api, stock: Api, kind: int, rows: int, blocks: int, groups: int, seed: int, planes: int, threads: int,
    repacked: bool, extreme: bool,
) -> None:  # fmt: skip
    product = Product(kind, 256 * blocks, columns(kind, groups, seed, repacked), rows, seed, planes, extreme)
    repacked = repacked and kind == Q4_K
    assume(kind == Q8_0 or not (can(patched) and alone(kind, rows, planes, repacked)))
    ours, theirs = (product.run(api, repacked=repacked, threads=threads) for api in (patched, stock))
    np.testing.assert_array_equal(ours.view(np.uint32), theirs.view(np.uint32))


@kinds
@settings(max_examples=60, deadline=None)
@shapes
@example(rows=8, blocks=40, groups=5, seed=1, planes=1, threads=1, repacked=False, extreme=False)
@example(rows=16, blocks=40, groups=5, seed=1, planes=1, threads=2, repacked=False, extreme=False)
@example(rows=16, blocks=4, groups=5, seed=1, planes=1, threads=1, repacked=False, extreme=True)
def test_within_the_bound_of_float64_and_of_stock(
    patched: Api, stock: Api, kind: int, rows: int, blocks: int, groups: int, seed: int, planes: int, threads: int,
    repacked: bool, extreme: bool,
) -> None:  # fmt: skip
    """With activations that 8 bits hold, nothing but the rounding of float32 sums is left."""
    product = Product(
        kind, 256 * blocks, columns(kind, groups, seed, repacked), rows, seed, planes, extreme, whole=True
    )
    repacked = repacked and kind == Q4_K
    ours, theirs = (product.run(api, repacked=repacked, threads=threads) for api in (patched, stock))
    bound = BOUND * product.magnitude()
    assert np.all(np.abs(ours - product.want()) <= bound)
    assert np.all(np.abs(ours - theirs.astype(np.float64)) <= bound)


@kinds
@pytest.mark.parametrize("rows", [*range(1, 18), 35])
def test_the_result_is_the_same_in_batches_of_any_size(patched: Api, kind: int, rows: int) -> None:
    """To the bound; what an answer says may not depend on how many others are computed beside it."""
    product = Product(kind, 1024, 40, rows, seed=1)
    want = product.run(patched, repacked=kind == Q4_K)
    scale = product.magnitude()
    whole = product.activations
    for row in range(rows):
        product.activations = np.ascontiguousarray(whole[:, row : row + 1])
        one = product.run(patched, repacked=kind == Q4_K)
        assert np.all(np.abs(one[:, 0].astype(np.float64) - want[:, row]) <= BOUND * scale[:, row])


@kinds
@pytest.mark.parametrize("rows", [*range(1, 18), 35])
def test_against_float64(patched: Api, kind: int, rows: int) -> None:
    """What is left is the rounding of activations to 8 bits, which is the same for any number of rows."""
    product = Product(kind, 1024, 40, rows, seed=1)
    want = product.want()
    got = product.run(patched, repacked=kind == Q4_K)
    assert np.sqrt(np.mean((got - want) ** 2)) < 0.01 * np.sqrt(np.mean(want**2))


@pytest.mark.parametrize("kind", [Q8_0, Q5_K, Q6_K], ids=["q8_0", "q5_k", "q6_k"])
@pytest.mark.parametrize("planes", [1, 2])
@pytest.mark.parametrize("rows", [1, 2, 16, 17])
def test_few_rows_are_taken(patched: Api, kind: int, planes: int, rows: int) -> None:
    lib = patched.lib
    for name in ("ggml_new_tensor_2d", "ggml_new_tensor_3d", "ggml_mul_mat"):
        getattr(lib, name).restype = C.POINTER(Tensor)
    lib.ggml_init.restype, lib.ggml_mul_mat_rows_takes.restype = C.c_void_p, C.c_bool
    context = C.c_void_p(lib.ggml_init(InitParams(1 << 16, None, True)))
    weights = lib.ggml_new_tensor_2d(context, kind, C.c_int64(256), C.c_int64(8))
    activations = lib.ggml_new_tensor_3d(context, F32, C.c_int64(256), C.c_int64(rows), C.c_int64(planes))
    takes = lib.ggml_mul_mat_rows_takes(lib.ggml_mul_mat(context, weights, activations))
    lib.ggml_free(context)
    assert takes == (can(patched, kind) and 2 <= rows <= 16 and planes == 1)


def test_rearranged_weights_are_taken(patched: Api) -> None:
    """Called as ggml calls it, with activations of zero: it says that it did it, and writes all."""
    rows, columns = 6, 8
    weights = np.ascontiguousarray(Product(Q4_K, 256, columns, 1).blocks)
    zeros = np.zeros(rows * 292, np.uint8)
    out = np.full((rows, columns), np.nan, np.float32)
    x, y, s = (array.ctypes.data_as(C.c_void_p) for array in (weights, zeros, out))
    kernel = patched.lib.ggml_mul_mat_rows_q4_K_8x8_q8_K
    kernel.restype = C.c_bool
    assert kernel(256, s, C.c_size_t(columns), x, y, rows, columns) == can(patched)
    assert np.all(out == 0) if can(patched) else np.all(np.isnan(out))
