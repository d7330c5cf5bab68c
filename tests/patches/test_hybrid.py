"""Models of attention and recurrent layers side by side: the attention layers are steered and read as anywhere else, the
others are refused by name."""

from __future__ import annotations

import ctypes as C
from pathlib import Path

import capi
import numpy as np
import pytest
import tiny_hybrid
from capi import Api, Context, SteerError
from numpy.typing import NDArray
from scene import Scene
from test_steering import Recorder, flash, heads_of
from tiny import HEADS, HEADS_KV
from tiny_hybrid import ATTENTION, LAYERS

SLIDING = "lfm2 sliding"
"""LFM2 with a sliding window: another memory, and other inputs of the graph."""

family = pytest.mark.parametrize("family", ["qwen35", "lfm2", SLIDING])


@pytest.fixture(scope="module")
def hybrids(tmp_path_factory: pytest.TempPathFactory) -> dict[str, Path]:
    folder = tmp_path_factory.mktemp("hybrids")
    found = {arch: tiny_hybrid.write(folder / f"{arch}.gguf", arch) for arch in (*ATTENTION, "deepseek2")}
    found[SLIDING] = tiny_hybrid.write(folder / "sliding.gguf", "lfm2", sliding_window=24)
    return found


def layers_of(family: str) -> tuple[int, ...]:
    return ATTENTION[family.split()[0]]


def some(family: str) -> list[tuple[int, int]]:
    """Some heads of every attention layer, others in each."""
    return [(layer, head) for i, layer in enumerate(layers_of(family)) for head in (i, i + 2, i + 3)]


@family
@flash
@pytest.mark.parametrize("seed", range(2))
def test_nothing_set_is_bit_identical_to_stock(patched: Api, stock: Api, hybrids: dict[str, Path], family: str, flash: bool, seed: int) -> None:
    runs = []
    for api in (stock, patched):
        with api.context(hybrids[family], flash=flash, n_ubatch=32) as ctx:
            runs.append(Scene(ctx.n_pos, seed=seed, before=40, after=37, rows=3 + seed).run(ctx))
    assert np.isfinite(runs[0]).all() and np.ptp(runs[0]) > 1
    assert np.array_equal(runs[0].view(np.uint32), runs[1].view(np.uint32))


@family
@flash
def test_zero_bias_through_the_steered_path_changes_nothing(patched: Api, hybrids: dict[str, Path], family: str, flash: bool) -> None:
    with patched.context(hybrids[family], flash=flash) as ctx:
        scene = Scene(ctx.n_pos)
        plain = scene.run(ctx)
        ctx.forget(0)
        ctx.set_heads(some(family))
        ctx.steer([scene.target(0.0)])
        assert np.array_equal(scene.run(ctx), plain)
        ctx.forget(0)
        ctx.steer([scene.target(4.0)])
        assert np.abs(scene.run(ctx) - plain).max() > 0.05  # it does steer
        ctx.forget(0)
        ctx.set_heads([])
        assert np.array_equal(scene.run(ctx), plain)


@family
@pytest.mark.parametrize("strength", [2.0, 10000.0])
def test_attention_of_every_layer_is_the_closed_form(patched: Api, hybrids: dict[str, Path], family: str, strength: float) -> None:
    """Flash attention on: outputs against a float64 attention over the run's own Q, K, V and mask."""
    recorder = Recorder(patched)

    def capture(name: str, tensor: capi.Tensor) -> None:
        recorder(name.replace("attn_pregate-", "kqv_out-"), tensor)  # Qwen3.5 names it anew

    with patched.context(hybrids[family], capture=capture) as ctx:
        scene = Scene(ctx.n_pos)
        ctx.set_heads(some(family))
        ctx.steer([scene.target(strength)])
        recorder.calls.clear(), recorder.out.clear()
        scene.run(ctx)
    assert sorted(recorder.out) == list(layers_of(family))
    for layer in layers_of(family):
        chosen = heads_of(layer, some(family))
        assert len(recorder.out[layer]) == 3 + scene.steps
        for call, out in zip(recorder.calls[layer], recorder.out[layer]):
            assert len(call) == 2
            want = call[-1].out(call[-1].natural())
            want[:, chosen] = call[-1].out(call[-1].steered())[:, chosen]
            np.testing.assert_allclose(out, want, atol=4e-3 * np.abs(want).max())


@family
@pytest.mark.parametrize("steer", [False, True])
def test_the_probe_reads_the_run_s_own_softmax(patched: Api, hybrids: dict[str, Path], family: str, steer: bool) -> None:
    recorder = Recorder(patched)
    with patched.context(hybrids[family], flash=False, capture=recorder) as ctx:
        scene = Scene(ctx.n_pos, steps=4)
        if steer:
            ctx.set_heads(some(family))
            ctx.steer([scene.target(3.0)])
        ctx.probe_layers(layers_of(family))
        ctx.probe_spans([scene.target(0)])
        recorder.soft_max.clear()
        scene.prefill(ctx, outputs=(1, 3, 4))
        for layer in layers_of(family):
            for row in (1, 3, 4):
                got = ctx.probe(row, layer, steered=True)
                assert got is not None and got.shape == (HEADS, scene.size) and got.sum() > 0.1
                np.testing.assert_allclose(got, recorder.soft_max[layer][-1][:, row, scene.image_cells], atol=1e-6)
        for i in range(scene.steps):  # graphs are reused here, if the recorder lets them be
            scene.step(ctx, i)
            for layer in layers_of(family):
                np.testing.assert_allclose(
                    ctx.probe(0, layer, steered=True), recorder.soft_max[layer][-1][:, 0, scene.image_cells], atol=1e-6)


@family
@pytest.mark.parametrize("way", ["flash", "plain", "grouped"])
def test_a_graph_that_is_used_again_sees_the_cache_of_now(
    patched: Api, hybrids: dict[str, Path], family: str, way: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Forty steps under a target that moves and with a probe: to the bit as with graphs that are built anew each time."""

    def run() -> tuple[int, list[NDArray[np.float32]]]:
        with patched.context(hybrids[family], flash=way != "plain", n_seq=2) as ctx:
            assert ctx.set_grouped(way == "grouped") == (way == "grouped")
            scene = Scene(ctx.n_pos, steps=40)
            ctx.set_heads(some(family))
            ctx.probe_layers(layers_of(family))
            ctx.probe_spans([scene.target(0)])
            ctx.steer([scene.target(5.0)])
            scene.prefill(ctx)
            count, found = ctx.graphs_reused(), []
            for i in range(scene.steps):
                if i == 20:  # the cells that follow are others
                    assert ctx.decode([7] * 9, pos=range(9), seq=1) == 0
                ctx.steer([scene.target(5.0, cols=slice(i % 4, i % 4 + 1))])
                scene.step(ctx, i)
                found.append(ctx.logits())
                for layer in layers_of(family):
                    found += [ctx.probe(0, layer, steered=True), ctx.probe(0, layer)]
            return ctx.graphs_reused() - count, found

    reused, found = run()
    monkeypatch.setenv("LLAMA_GRAPH_REUSE_DISABLE", "1")
    anew, want = run()
    assert anew == 0
    assert reused >= 36  # but the first, and those around the other sequence's batch
    assert all(np.array_equal(one, other) for one, other in zip(found, want, strict=True))


LENGTHS = (5, 3, 9, 1)
"""Tokens that each of four sequences reads in one batch; it is split where some have ended."""


def questions(ctx: Context, family: str, order: tuple[int, ...], steer: tuple[int, ...]) -> dict[int, list[NDArray[np.float32]]]:
    """Sequences that hold the same image read texts of their lengths, together, and then a token each. -> logits of the
    last token and of that one, and what it reads. steer: those that are steered, each at a column of its own, from its
    last but one token on."""
    scene = Scene(ctx.n_pos, steps=12)
    ctx.probe_layers(layers_of(family))
    for seq in order:
        scene.prefill(ctx, seq=seq)
        ctx.probe_spans([scene.target(0)], seq=seq)
        if seq in steer:
            ctx.set_heads([(layer, head) for layer in layers_of(family) for head in (seq, seq + 1)], seq)
            ctx.steer([scene.target(5.0, cols=slice(seq, seq + 1))], seq=seq, first_query=scene.prompt_end + LENGTHS[seq] - 2)
    tokens, pos, seqs, outputs = [], [], [], []
    for seq in order:
        tokens += scene.tokens[-LENGTHS[seq] :]
        pos += range(scene.prompt_end, scene.prompt_end + LENGTHS[seq])
        seqs += [seq] * LENGTHS[seq]
        outputs.append(len(tokens) - 1)
    assert ctx.decode(tokens, pos=pos, seq=seqs, outputs=outputs) == 0
    found = {seq: [ctx.logits(row), *(ctx.probe(row, layer, steered=True) for layer in layers_of(family))] for seq, row in zip(order, outputs)}
    ends = [scene.prompt_end + LENGTHS[seq] for seq in order]
    assert ctx.decode([11 + seq for seq in order], pos=ends, seq=order, outputs=range(len(order))) == 0
    for row, seq in enumerate(order):
        found[seq] += [ctx.logits(row), *(ctx.probe(row, layer, steered=True) for layer in layers_of(family))]
    return found


@family
@pytest.mark.parametrize("way", ["flash", "plain", "grouped"])
def test_sequences_of_several_lengths_in_one_batch(patched: Api, hybrids: dict[str, Path], family: str, way: str) -> None:
    """Masks, gates, first queries and spans are each sequence's own, wherever the batch is split."""

    def run(order: tuple[int, ...], steer: tuple[int, ...]) -> dict[int, list[NDArray[np.float32]]]:
        with patched.context(hybrids[family], flash=way != "plain", n_seq=4, type_kv=capi.F32) as ctx:
            ctx.set_grouped(way == "grouped")
            return questions(ctx, family, order, steer)

    every, steer = (2, 0, 3, 1), (0, 1, 3)
    together, plain = run(every, steer), run(every, ())
    for seq in every:
        alone, unsteered = run((seq,), steer), run((seq,), ())
        layouts = max(np.abs(one - other).max() for one, other in zip(plain[seq], unsteered[seq]))
        for one, other in zip(together[seq], alone[seq], strict=True):
            assert np.abs(one - other).max() <= 3 * layouts + 2e-3 * np.abs(other).max()
        moved = max(np.abs(one - other).max() for one, other in zip(alone[seq], unsteered[seq]))
        assert moved > 0.05 if seq in steer else moved == 0


@pytest.mark.parametrize("family", ATTENTION)
def test_recurrent_layers_are_refused_by_name(patched: Api, hybrids: dict[str, Path], family: str) -> None:
    with patched.context(hybrids[family]) as ctx:
        listed = ", ".join(map(str, ATTENTION[family]))
        scene = Scene(ctx.n_pos)
        ctx.set_heads(some(family))
        ctx.steer([scene.target(2.0)])
        want = scene.run(ctx)
        for call in (lambda: ctx.set_heads([*some(family), (0, 1)]), lambda: ctx.probe_layers([0, ATTENTION[family][0]])):
            with pytest.raises(SteerError, match=f"layer 0 of {family} has no attention; its attention layers are {listed}$") as error:
                call()
            assert error.value.status == -2
        ctx.forget(0)
        assert np.array_equal(scene.run(ctx), want)
        with pytest.raises(SteerError, match=f"layer {LAYERS}, head 0"):
            ctx.set_heads([(LAYERS, 0)])


def test_compressed_attention_is_refused_by_name(patched: Api, hybrids: dict[str, Path]) -> None:
    with patched.context(hybrids["deepseek2"]) as ctx:
        for call in (lambda: ctx.set_heads([(0, 0)]), lambda: ctx.probe_layers([0])):
            with pytest.raises(SteerError, match=r"deepseek2: multi-head latent attention \(MLA\)") as error:
                call()
            assert error.value.status == -3
        assert ctx.decode([1, 2], pos=[0, 1], outputs=[1]) == 0


@family
def test_which_layers_have_heads(patched: Api, hybrids: dict[str, Path], models: dict[str, Path], family: str) -> None:
    lib = patched.lib
    lib.llama_steer_state_bytes.restype = C.c_size_t
    with patched.context(hybrids[family]) as ctx, patched.context(models["qwen3vl"]) as plain:
        for layer in range(-1, LAYERS + 1):
            has = layer in layers_of(family)
            assert lib.llama_steer_n_head(ctx.model, layer) == (HEADS if has else 0)
            assert lib.llama_steer_n_head_kv(ctx.model, layer) == (HEADS_KV if has else 0)
            assert lib.llama_steer_n_head(plain.model, layer) == (HEADS if 0 <= layer < LAYERS else 0)
        assert lib.llama_steer_state_bytes(plain.model) == 0
        # a state is what the memory writes of a sequence that has been read, but for a few words about it
        assert ctx.decode([1, 2, 3], pos=range(3)) == 0
        if family != SLIDING:  # whose keys and values count there, too
            lib.llama_state_seq_get_size_ext.restype = C.c_size_t
            written = lib.llama_state_seq_get_size_ext(ctx.handle, 0, 1)
            assert 0 < written - lib.llama_steer_state_bytes(ctx.model) < 256
