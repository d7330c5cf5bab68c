"""The grouped attention kernel: nearer to float64 than upstream's, one pass for steered heads, off by default."""

from __future__ import annotations

import ctypes as C
from collections import defaultdict
from pathlib import Path

import capi
import numpy as np
import pytest
from attention_op import HEADS, KEYS, MASK, OPTION, Case, InitParams
from capi import BF16, F16, F32, Q4_0, Q8_0, Api, Context, Tensor
from numpy.typing import NDArray
from scene import Scene

SOME = [(1, 0), (1, 4), (2, 5), (4, 1), (4, 2), (4, 3), (5, 0)]
GPU = 1  # enum ggml_backend_dev_type

kinds = pytest.mark.parametrize("kind", [F32, F16, BF16, Q8_0, Q4_0], ids=["f32", "f16", "bf16", "q8_0", "q4_0"])


def rms(x: NDArray[np.float64]) -> float:
    return float(np.sqrt(np.mean(x**2)))


def sinks(heads: int) -> NDArray[np.float32]:
    """Some that weigh, some that silence their head, some that do nothing."""
    return np.resize(np.array([2.0, -3e4, 0.0, 3e4], np.float32), heads)


@kinds
@pytest.mark.parametrize("group", [1, 2, 4, 7])
@pytest.mark.parametrize("dim", [64, 80, 128])
def test_nearer_to_float64_than_upstream(patched: Api, kind: int, group: int, dim: int) -> None:
    """K and V are read without rounding, so that only float32 sums are left to differ."""
    if kind in (Q8_0, Q4_0) and dim % 32:
        pytest.skip("rows of whole blocks only")
    for rows, keys, options in [
        (1, 600, {}),
        (1, 517, {"sinks": sinks(2 * group)}),
        (3, 333, {"hidden": 0.4, "softcap": 5.0}),
        (8, 96, {"hidden": 0.5, "sinks": sinks(2 * group)}),
    ]:
        case = Case(2 * group, 2, dim, keys, rows=rows, kind=kind, seed=dim + group, **options)
        want = case.want()
        scale = np.abs(want).max()
        got = case.run(patched, grouped=True)
        np.testing.assert_allclose(got, want, atol=5e-6 * scale)
        if kind != F32:
            assert rms(got - want) < 0.01 * rms(case.run(patched, grouped=False) - want)


def test_nearer_to_float64_than_upstream_on_average_where_both_are_float32(patched: Api) -> None:
    errors = np.zeros(2)
    for seed in range(8):
        for dim, rows, keys in [(64, 1, 600), (64, 8, 96), (128, 1, 600), (128, 8, 96)]:
            case = Case(4, 2, dim, keys, rows=rows, kind=F32, seed=seed)
            want = case.want()
            errors += [rms(case.run(patched, grouped=grouped) - want) for grouped in (True, False)]
    assert errors[0] <= errors[1]


@pytest.mark.parametrize("dim", [1, 7, 36, 100, 576])
def test_odd_head_sizes(patched: Api, dim: int) -> None:
    case = Case(6, 3, dim, 150, rows=2, kind=F16)
    want = case.want()
    np.testing.assert_allclose(case.run(patched, grouped=True), want, atol=5e-6 * np.abs(want).max())


@kinds
@pytest.mark.parametrize("threads", [1, 3])
def test_probabilities_that_are_read(patched: Api, kind: int, threads: int) -> None:
    """The result is the same to the bit; what is read, in any order, are the probabilities of float64."""
    for rows, masks, options in [
        (1, 1, {}), (1, 2, {}), (5, 2, {"hidden": 0.4, "softcap": 5.0}), (2, 2, {"streams": 3, "hidden": 0.3}),
    ]:  # fmt: skip
        case = Case(6, 2, 64, 517, rows=rows, kind=kind, **options)
        second = (np.arange(6) + np.arange(rows)[:, None]) % 3 == 1
        case.head_mask = second if masks == 2 else None
        case.sinks = sinks(6)
        keys = np.random.default_rng(rows).integers(0, 517, (case.streams, rows, 200), np.int32)
        out, found = case.run_and_read(patched, keys, threads)
        np.testing.assert_array_equal(out, case.run(patched, grouped=True, threads=threads))
        natural, biased = case.probabilities(case.mask), case.probabilities(case.bias)
        assert len(found) == masks
        for got, want in zip(found, [natural, np.where(second[:, None], biased, natural)], strict=False):
            np.testing.assert_allclose(got, np.take_along_axis(want, keys[..., None].astype(np.int64), 2), atol=2e-5)


def test_a_row_that_sees_nothing_reads_nothing(patched: Api) -> None:
    case = Case(4, 2, 64, 100, rows=3)
    case.mask[:, 1] = -np.inf
    _, [found] = case.run_and_read(patched, np.broadcast_to(np.arange(100, dtype=np.int32), (1, 3, 100)))
    assert not found[:, 1].any()
    np.testing.assert_allclose(found[:, ::2].sum(2), 1, atol=1e-5)


@kinds
def test_streams_and_threads(patched: Api, kind: int) -> None:
    """Every stream has its own cache; threads share the work in another way and agree."""
    case = Case(4, 2, 64, 1100, rows=2, streams=3, kind=kind, hidden=0.3)
    want = case.want()
    for threads in (1, 2, 5):
        np.testing.assert_allclose(
            case.run(patched, grouped=True, threads=threads), want, atol=5e-6 * np.abs(want).max()
        )


def test_rows_that_see_nothing_are_zero(patched: Api) -> None:
    case = Case(4, 2, 64, 256, rows=3)
    case.mask[0, 1] = -np.inf
    got = case.run(patched, grouped=True)
    assert not got[0, 1].any()
    np.testing.assert_allclose(got, case.want(), atol=5e-6)


@kinds
@pytest.mark.parametrize(("rows", "keys"), [(1, 200), (1, 700), (5, 300), (70, 130)])
def test_off_is_bit_identical_to_stock(patched: Api, stock: Api, kind: int, rows: int, keys: int) -> None:
    """Upstream's four ways: one row, one row in chunks of a long cache, several rows, a tile of rows."""
    case = Case(6, 2, 80 if kind in (F32, F16, BF16) else 64, keys, rows=rows, kind=kind)
    got, want = (case.run(api, grouped=False, threads=2) for api in (patched, stock))
    assert np.array_equal(got.view(np.uint32), want.view(np.uint32))


@pytest.mark.parametrize("grouped", [True, False])
@pytest.mark.parametrize(("rows", "keys"), [(1, 200), (1, 700), (5, 300), (70, 130)])
@pytest.mark.parametrize("streams", [1, 2])
def test_each_head_takes_its_mask_in_each_row(patched: Api, grouped: bool, rows: int, keys: int, streams: int) -> None:
    """To the bit what two runs with one mask each give, in all kernels."""
    rng = np.random.default_rng(rows)
    for chosen in (np.arange(6) % 3 == 1, rng.random((streams, rows, 6)) < 0.4):
        case = Case(6, 2, 64, keys, rows=rows, streams=streams, head_mask=chosen)
        second = case.biased
        both = case.run(patched, grouped=grouped)
        np.testing.assert_allclose(both, case.want(), atol=5e-6 if grouped and rows < 70 else 2e-2)
        case.head_mask = None
        plain = case.run(patched, grouped=grouped)
        biased = case.run(patched, grouped=grouped, mask=case.bias)
        assert np.array_equal(both, np.where(second[..., None], biased, plain))
        assert not np.array_equal(plain, biased)


def test_a_device_that_is_not_the_cpu_is_never_given_a_second_mask(patched: Api) -> None:
    """It would say that it supports flash attention, and compute it with the first mask."""
    supports = C.CFUNCTYPE(C.c_bool, C.c_void_p, C.POINTER(Tensor))(lambda device, node: True)
    kind = C.CFUNCTYPE(C.c_int, C.c_void_p)(lambda device: GPU)
    device = (C.c_void_p * 32)()  # struct ggml_backend_device: its functions first
    device[3] = C.cast(kind, C.c_void_p)
    device[9] = C.cast(supports, C.c_void_p)
    patched.lib.ggml_backend_dev_supports_op.restype = C.c_bool
    patched.lib.ggml_op_name.restype = C.c_char_p
    node = Tensor()
    node.op = next(i for i in range(200) if patched.lib.ggml_op_name(i) == b"FLASH_ATTN_EXT")
    node.src[2] = C.pointer(Tensor())
    assert patched.lib.ggml_backend_dev_supports_op(device, C.byref(node))
    node.src[HEADS] = C.pointer(Tensor())
    assert not patched.lib.ggml_backend_dev_supports_op(device, C.byref(node))
    node.src[HEADS] = None
    node.ne[0] += 1  # more than the result
    assert not patched.lib.ggml_backend_dev_supports_op(device, C.byref(node))


def test_upstream_has_not_taken_the_places_of_our_options(stock: Api) -> None:
    """A node with all that upstream's own functions put into it today: call a new one here, too."""
    lib = stock.lib
    for name in ("ggml_new_tensor_4d", "ggml_flash_attn_ext"):
        getattr(lib, name).restype = C.POINTER(Tensor)
    lib.ggml_init.restype = C.c_void_p
    context = C.c_void_p(lib.ggml_init(InitParams(1 << 20, None, True)))
    try:
        q, k, v, mask, sinks = (
            lib.ggml_new_tensor_4d(context, kind, *map(C.c_int64, shape))
            for kind, shape in (
                *[(F32, (64, 3, 4, 1)), (F16, (64, 50, 2, 1)), (F16, (64, 50, 2, 1))],
                *[(F16, (50, 3, 1, 1)), (F32, (4, 1, 1, 1))],
            )
        )
        node = lib.ggml_flash_attn_ext(context, q, k, v, mask, C.c_float(0.5), C.c_float(2.0), C.c_float(30.0))
        lib.ggml_flash_attn_ext_add_sinks(node, sinks)
        lib.ggml_flash_attn_ext_set_n_kv_max(node, 50)
        lib.ggml_prec_set_acc(node, 10)  # GGML_PREC_F32
        assert node.contents.src[4]
        assert node.contents.op_params[4] == 50
        assert not any(node.contents.src[k] for k in (MASK, HEADS, KEYS))
        assert node.contents.op_params[OPTION] == 0
    finally:
        lib.ggml_free(context)


class Nodes:
    """Counts the attention nodes per layer's output, and whether they ask for the kernel and carry a second mask."""

    def __init__(self, api: Api) -> None:
        api.lib.ggml_op_name.restype = C.c_char_p
        self.name_of_op = api.lib.ggml_op_name
        self.pending: list[tuple[bool, bool]] = []
        self.seen: dict[int, list[list[tuple[bool, bool]]]] = defaultdict(list)

    def __call__(self, name: str, tensor: Tensor) -> None:
        if self.name_of_op(tensor.op) == b"FLASH_ATTN_EXT":
            self.pending.append((bool(tensor.op_params[OPTION]), bool(tensor.src[MASK])))
        elif name.startswith("kqv_out-"):
            self.seen[int(name.split("-")[1])].append(self.pending)
            self.pending = []


def test_the_graph_has_one_node_per_layer_where_it_is_on_and_stock_ones_where_it_is_off(
    patched: Api, models: dict[str, Path]
) -> None:
    nodes = Nodes(patched)
    steered = {layer for layer, _ in SOME}
    with patched.context(models["qwen3vl"], capture=nodes, threads=1) as ctx:
        scene = Scene(ctx.n_pos, steps=1)
        for on in (False, True, False):
            assert ctx.set_grouped(on) is on
            ctx.set_heads(SOME)
            ctx.steer([scene.target(1.0)])
            ctx.forget()
            nodes.seen.clear()
            scene.run(ctx)
            for layer in range(6):
                want = [(on, on and layer in steered)] if on or layer not in steered else [(False, False)] * 2
                assert nodes.seen[layer] == [want] * 4
    with patched.context(models["qwen3vl"], flash=False, threads=1) as ctx:
        assert ctx.set_grouped(True) is False


@pytest.mark.parametrize("family", ["qwen3vl", "gemma3"])
@pytest.mark.parametrize("type_kv", [F16, Q8_0])
def test_a_model_steered_in_one_pass_agrees_with_two(
    patched: Api, models: dict[str, Path], family: str, type_kv: int
) -> None:
    with patched.context(models[family], type_kv=type_kv, threads=1) as ctx:
        scene = Scene(ctx.n_pos)

        def run(grouped: bool, strength: float | None, sharpness: float = 1.0) -> NDArray[np.float32]:
            ctx.forget()
            ctx.set_grouped(grouped)
            ctx.set_heads([] if strength is None else SOME)
            if strength is not None:
                ctx.steer([scene.target(strength)], sharpness=sharpness)
            return scene.run(ctx)

        plain = run(False, None)
        noise = np.abs(run(True, None) - plain).max()
        assert 0 < noise < 2e-2 * np.abs(plain).max()
        assert np.array_equal(run(True, 0.0), run(True, None))
        two, one = run(False, 5.0), run(True, 5.0)
        assert np.abs(one - two).max() <= 3 * noise + 2e-3 * np.abs(two).max()
        assert np.abs(one - run(True, None)).max() > 0.05
        # a sharpened query has a pass of its own
        two, one = run(False, 5.0, 0.5), run(True, 5.0, 0.5)
        assert np.abs(one - two).max() <= 3 * noise + 2e-3 * np.abs(two).max()


@pytest.mark.parametrize("strength", [None, 5.0], ids=["unsteered", "steered"])
def test_an_f32_cache_is_used_as_it_is(patched: Api, models: dict[str, Path], strength: float | None) -> None:
    """Against attention without flash attention in F32; upstream's flash attention rounds such a cache to F16."""
    errors = {}
    with patched.context(models["qwen3vl"], type_kv=F32, flash=False, threads=1) as ctx:
        exact = _long(ctx, strength)
    for grouped in (False, True):
        with patched.context(models["qwen3vl"], type_kv=F32, threads=1) as ctx:
            assert ctx.set_grouped(grouped) is grouped
            errors[grouped] = np.abs(_long(ctx, strength) - exact).max() / np.abs(exact).max()
    assert errors[True] < 2e-5
    assert errors[True] < errors[False] / 10


def _long(ctx: Context, strength: float | None) -> NDArray[np.float32]:
    """A scene with 150 tokens of text after the image, read at once, and some steps."""
    scene = Scene(ctx.n_pos, after=150)
    ctx.set_heads([] if strength is None else SOME)
    if strength is not None:
        ctx.steer([scene.target(strength)])
    return scene.run(ctx)


def test_a_sharpness_that_is_over_costs_nothing_any_more(patched: Api, models: dict[str, Path]) -> None:
    nodes = Nodes(patched)
    with patched.context(models["qwen3vl"], capture=nodes, threads=1) as ctx:
        scene = Scene(ctx.n_pos, steps=1)
        ctx.set_grouped(True)
        ctx.set_heads(SOME)
        for sharpness, passes in ((0.5, 2), (1.0, 1)):
            ctx.steer([scene.target(5.0)], sharpness=sharpness)
            ctx.forget()
            nodes.seen.clear()
            scene.run(ctx)
            assert {len(each) for each in nodes.seen[SOME[0][0]]} == {passes}


def test_moving_the_target_reuses_the_graph(patched: Api, models: dict[str, Path]) -> None:
    with patched.context(models["qwen3vl"], threads=1) as ctx:
        scene = Scene(ctx.n_pos, steps=8)
        ctx.set_grouped(True)
        ctx.set_heads(SOME)
        ctx.steer([scene.target(5.0)])
        scene.prefill(ctx)
        count = ctx.graphs_reused()
        for i in range(scene.steps):
            ctx.steer([scene.target(5.0, cols=slice(i % 4, i % 4 + 1))])
            scene.step(ctx, i)
        assert ctx.graphs_reused() - count >= scene.steps - 1


@pytest.mark.parametrize("unified", [True, False], ids=["unified", "streams"])
def test_two_sequences_keep_their_own_targets(patched: Api, models: dict[str, Path], unified: bool) -> None:
    def run(grouped: bool) -> NDArray[np.float32]:
        with patched.context(models["qwen3vl"], n_seq=2, unified=unified, threads=1) as ctx:
            scene = Scene(ctx.n_pos)
            ctx.set_grouped(grouped)
            for seq in range(2):
                ctx.set_heads(SOME, seq)
                ctx.steer([scene.target(5.0, cols=slice(3 * seq, 3 * seq + 1))], seq=seq)
                scene.prefill(ctx, seq=seq)
            out = []
            for i in range(scene.steps):
                token = scene.tokens[scene.before + scene.after + i]
                assert ctx.decode([token] * 2, pos=[scene.prompt_end + i] * 2, seq=[0, 1], outputs=[0, 1]) == 0
                out.append([ctx.logits(0), ctx.logits(1)])
            return np.array(out)

    two, one = run(False), run(True)
    assert np.abs(one - two).max() <= 2e-2 * np.abs(two).max()
    assert np.abs(one[:, 0] - one[:, 1]).max() > 0.05


def test_what_the_kernel_cannot_do_is_left_to_upstream(patched: Api, stock: Api, models: dict[str, Path]) -> None:
    """ALiBi: the flag is set and changes nothing."""
    runs = []
    for api in (stock, patched):
        with api.context(models["refact"], threads=1) as ctx:
            if api is patched:
                assert ctx.set_grouped(True)
            assert ctx.decode(range(1, 40), pos=range(39), outputs=[38]) == 0
            out = [ctx.logits()]
            assert ctx.decode([3], pos=[39], outputs=[0]) == 0
            runs.append([*out, ctx.logits()])
    assert np.array_equal(runs[0], runs[1])


@pytest.mark.parametrize("kind", [capi.TARGET_SHARE, capi.WITHIN_SPANS])
def test_shares_are_what_they_are_without_it(patched: Api, models: dict[str, Path], kind: int) -> None:
    with patched.context(models["qwen3vl"], threads=1) as ctx:
        scene = Scene(ctx.n_pos)
        target = scene.target(0.0)
        out = []
        for grouped in (False, True):
            ctx.forget()
            ctx.set_grouped(grouped)
            ctx.set_heads(SOME)
            target.bias[:, :2], target.bias[:, 2:] = 1.0, 0.0
            ctx.steer([target], kind=kind, share=0.8)
            out.append(scene.run(ctx))
    assert np.abs(out[0] - out[1]).max() <= 2e-2 * np.abs(out[0]).max()
