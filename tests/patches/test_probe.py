"""The probe patch: the attention that it reads is the attention that was."""

from __future__ import annotations

import ctypes as C
from pathlib import Path

import capi
import numpy as np
import pytest
from capi import Api, Span, SteerError
from scene import Scene
from test_steering import SOME, Recorder, family, flash, heads_of
from tiny import HEADS

LAYERS = [0, 1, 4, 5]

grouped = pytest.mark.parametrize("grouped", [False, True], ids=["beside", "on_its_way"])
"""Read beside the attention, or on its way by the grouped kernel."""


def image_cells(scene: Scene) -> np.ndarray:
    return np.arange(scene.size) + scene.before  # a fresh cache is filled in order


@family
@pytest.mark.parametrize("steer", [False, True])
def test_without_flash_attention_equal_to_the_run_s_own_softmax(patched: Api, models: dict[str, Path], family: str, steer: bool) -> None:
    recorder = Recorder(patched)
    with patched.context(models[family], flash=False, capture=recorder) as ctx:
        scene = Scene(ctx.n_pos)
        if steer:
            ctx.set_heads(SOME)
            ctx.steer([scene.target(3.0)])
        ctx.probe_layers(LAYERS)
        ctx.probe_spans([scene.target(0)])
        recorder.soft_max.clear()
        scene.prefill(ctx, outputs=(1, 3, 4))
        cells = image_cells(scene)
        for layer in LAYERS:
            own = recorder.soft_max[layer][-1]  # (heads, rows, keys)
            for row in (1, 3, 4):
                got = ctx.probe(row, layer, steered=True)
                assert got is not None and got.shape == (HEADS, scene.size)
                np.testing.assert_allclose(got, own[:, row, cells], atol=1e-6)
            assert np.array_equal(ctx.probe(-1, layer, steered=True), ctx.probe(4, layer, steered=True))
            assert np.array_equal(ctx.probe(-3, layer, steered=True), ctx.probe(1, layer, steered=True))
        for i in range(scene.steps):
            scene.step(ctx, i)
            for layer in LAYERS:
                np.testing.assert_allclose(ctx.probe(0, layer, steered=True), recorder.soft_max[layer][-1][:, 0, cells], atol=1e-6)


@family
@pytest.mark.parametrize("type_kv", [capi.F16, capi.Q8_0], ids=["f16", "q8_0"])
def test_with_flash_attention_equal_to_float64(patched: Api, models: dict[str, Path], family: str, type_kv: int) -> None:
    """Natural and steered, against a float64 softmax of the run's own Q, K and mask."""
    recorder = Recorder(patched)
    with patched.context(models[family], type_kv=type_kv, capture=recorder) as ctx:
        scene = Scene(ctx.n_pos)
        ctx.set_heads(SOME)
        ctx.steer([scene.target(2.0)])
        ctx.probe_layers(LAYERS)
        ctx.probe_spans([scene.target(0)])
        recorder.calls.clear()
        scene.prefill(ctx)
        cells = image_cells(scene)
        # the CPU rounds the query to the type that the product with the keys is made in: half precision, or 8 bits. Newer Arm
        # processors add up in half precision, too
        patched.lib.llama_print_system_info.restype = C.c_char_p
        halves = b"FP16_VA = 1" in patched.lib.llama_print_system_info()
        atol = (2e-4 if halves else 1e-5) if type_kv == capi.F16 else 2e-2
        for i in range(scene.steps + 1):
            for layer in LAYERS:
                attention, chosen = recorder.calls[layer][-1][-1], heads_of(layer, SOME)
                attention.q = attention.q.astype(np.float16).astype(np.float64)
                natural = attention.natural()[:, -1, cells]
                steered = np.where(chosen[:, None], attention.steered()[:, -1, cells], natural)
                np.testing.assert_allclose(ctx.probe(-1, layer), natural, atol=atol)
                np.testing.assert_allclose(ctx.probe(-1, layer, steered=True), steered, atol=atol)
                if not chosen.any():
                    assert np.array_equal(ctx.probe(-1, layer), ctx.probe(-1, layer, steered=True))
            if i < scene.steps:
                scene.step(ctx, i)


@family
@pytest.mark.parametrize("how", ["bias", "sharp", "share"])
def test_the_same_is_read_beside_the_attention_and_on_its_way(patched: Api, models: dict[str, Path], family: str, how: str) -> None:
    """With outputs of some tokens (never on its way) and of all; layers that sharpen or share are read beside, the others not."""
    read = []
    for on in (False, True):
        with patched.context(models[family], type_kv=capi.F32) as ctx:
            assert ctx.set_grouped(on) == on
            scene = Scene(ctx.n_pos)
            ctx.set_heads(SOME)
            if how == "share":
                ctx.steer([scene.weights(1.0)], kind=capi.TARGET_SHARE, share=0.7)
            else:
                ctx.steer([scene.target(2.0)], sharpness=0.5 if how == "sharp" else 1.0)
            ctx.probe_layers(range(6))
            ctx.probe_spans([scene.target(0)])
            scene.prefill(ctx, outputs=(1, 3, 4))
            for i in range(scene.steps + 1):
                rows = (1, 3, 4) if i == 0 else (0,)
                read += [ctx.probe(row, layer, steered=steered) for row in rows for layer in range(6) for steered in (False, True)]
                if i < scene.steps:
                    scene.step(ctx, i)
    half = len(read) // 2
    assert all(each is not None and each.sum() > 0.1 for each in read)
    np.testing.assert_allclose(read[half:], read[:half], atol=5e-3)  # upstream's attention rounds F32 to F16


@flash
def test_reading_changes_nothing(patched: Api, models: dict[str, Path], flash: bool) -> None:
    with patched.context(models["qwen3vl"], flash=flash) as ctx:
        scene = Scene(ctx.n_pos)
        plain = scene.run(ctx)
        ctx.forget()
        ctx.probe_layers(range(6))
        ctx.probe_spans([scene.target(0)])
        assert np.array_equal(scene.run(ctx), plain)
        count = ctx.graphs_reused()
        ctx.forget()
        scene.run(ctx)
        assert ctx.graphs_reused() - count >= scene.steps - 1
        ctx.forget()
        ctx.probe_layers([])
        assert np.array_equal(scene.run(ctx), plain)
        assert ctx.probe(-1, 0) is None


@grouped
def test_what_was_read_stays_what_it_was_when_the_heads_change(patched: Api, models: dict[str, Path], grouped: bool) -> None:
    layer = SOME[0][0]
    with patched.context(models["qwen3vl"]) as ctx:
        assert ctx.set_grouped(grouped) == grouped
        scene = Scene(ctx.n_pos)
        ctx.set_heads(SOME)
        ctx.steer([scene.target(5.0)], prompt_end=scene.prompt_end)
        ctx.probe_layers([layer])
        ctx.probe_spans([scene.target(0)])
        scene.run(ctx)
        before = ctx.probe(-1, layer, steered=True)
        ctx.set_heads([])
        assert np.array_equal(ctx.probe(-1, layer, steered=True), before)
        ctx.forget()
        scene.run(ctx)
        ctx.set_heads(SOME)  # that batch was not steered
        assert np.array_equal(ctx.probe(-1, layer, steered=True), ctx.probe(-1, layer))


@grouped
def test_more_tokens_can_be_read_later(patched: Api, models: dict[str, Path], grouped: bool) -> None:
    with patched.context(models["qwen3vl"]) as ctx:
        assert ctx.set_grouped(grouped) == grouped
        few, many = Scene(ctx.n_pos, rows=2, cols=2), Scene(ctx.n_pos, rows=8, cols=8)
        ctx.probe_layers(range(6))
        for scene in (few, many, few):
            ctx.forget()
            ctx.probe_spans([scene.target(0)])
            scene.run(ctx)
            read = ctx.probe(-1, 3)
            assert read is not None
            assert read.shape == (HEADS, scene.rows * scene.cols)
            assert (read.sum(-1) > 0).all()


@grouped
def test_a_batch_of_several_ubatches_is_read_whole(patched: Api, models: dict[str, Path], grouped: bool) -> None:
    read = []
    for n_ubatch in (128, 2):
        with patched.context(models["qwen3vl"], n_ubatch=n_ubatch) as ctx:
            assert ctx.set_grouped(grouped) == grouped
            scene = Scene(ctx.n_pos)
            ctx.set_heads(SOME)
            ctx.steer([scene.target(2.0)])
            ctx.probe_layers(LAYERS)
            ctx.probe_spans([scene.target(0)])
            for outputs in ((4,), (1, 3, 4)):  # more than the batch before
                ctx.forget()
                scene.prefill(ctx, outputs=outputs)
                read += [ctx.probe(row, layer, steered=s) for row in outputs for layer in LAYERS for s in (False, True)]
    half = len(read) // 2
    np.testing.assert_allclose(read[half:], read[:half], atol=1e-3)


@grouped
def test_each_sequence_reads_its_own_spans(patched: Api, models: dict[str, Path], grouped: bool) -> None:
    with patched.context(models["qwen3vl"], n_seq=2) as ctx:
        assert ctx.set_grouped(grouped) == grouped
        wide, small = Scene(ctx.n_pos, seed=1), Scene(ctx.n_pos, seed=2, rows=2, cols=2, before=9)
        ctx.probe_layers(LAYERS)
        ctx.probe_spans([wide.target(0)], seq=0)
        ctx.probe_spans([small.target(0)], seq=1)
        alone = {}
        for seq, scene in enumerate((wide, small)):
            scene.prefill(ctx, seq=seq)
            scene.step(ctx, 0, seq=seq)
            alone[seq] = [ctx.probe(0, layer) for layer in LAYERS]
            ctx.forget(seq, scene.prompt_end)
        tokens = [s.tokens[s.before + s.after] for s in (wide, small)]
        assert ctx.decode(tokens, pos=[wide.prompt_end, small.prompt_end], seq=[0, 1], outputs=[0, 1]) == 0
        for seq, scene in enumerate((wide, small)):
            for layer, want in zip(LAYERS, alone[seq]):
                got = ctx.probe(seq, layer)
                assert got.shape == (HEADS, scene.size)
                np.testing.assert_allclose(got, want, atol=1e-3)


@grouped
def test_tokens_that_are_not_in_the_cache_read_zero(patched: Api, models: dict[str, Path], grouped: bool) -> None:
    with patched.context(models["qwen3vl"]) as ctx:
        assert ctx.set_grouped(grouped) == grouped
        scene = Scene(ctx.n_pos)
        ctx.probe_layers([0])
        ctx.probe_spans([Span(300, np.zeros((2, 2), np.float32)), scene.target(0)])
        scene.prefill(ctx)
        got = ctx.probe(-1, 0)
        assert got.shape == (HEADS, 4 + scene.size)
        assert not got[:, :4].any() and (got[:, 4:] > 0).all()


@grouped
def test_more_rows_than_the_stated_maximum_are_not_read(patched: Api, models: dict[str, Path], grouped: bool) -> None:
    with patched.context(models["qwen3vl"]) as ctx:
        assert ctx.set_grouped(grouped) == grouped
        scene = Scene(ctx.n_pos, after=20)
        ctx.probe_layers([0])
        ctx.probe_spans([scene.target(0)])
        scene.prefill(ctx, outputs=tuple(range(17)))
        assert ctx.probe(-1, 0) is None and np.isfinite(ctx.logits()).all()
        ctx.forget()
        scene.prefill(ctx, outputs=tuple(range(4, 20)))
        assert all(ctx.probe(row, 0) is not None for row in range(4, 20))
        assert ctx.probe(3, 0) is None and ctx.probe(20, 0) is None and ctx.probe(-17, 0) is None and ctx.probe(4, 1) is None


def test_refusals(patched: Api, models: dict[str, Path]) -> None:
    with patched.context(models["mamba"]) as ctx, pytest.raises(SteerError, match="cannot probe mamba"):
        ctx.probe_layers([0])
    with patched.context(models["qwen3vl"], n_seq=2, unified=False) as ctx, pytest.raises(SteerError, match="unified"):
        ctx.probe_layers([0])
    with patched.context(models["qwen3vl"]) as ctx:
        with pytest.raises(SteerError, match="layer 6"):
            ctx.probe_layers([6])
        with pytest.raises(SteerError, match="sequence 3"):
            ctx.probe_spans([], seq=3)
        with pytest.raises(SteerError, match="100 columns"):
            ctx.probe_spans([Span(0, np.zeros((100, 100), np.float32))])
