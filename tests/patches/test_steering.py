"""The steering patch: exact where nothing is asked, the closed form where something is, no rebuilt graphs."""

from __future__ import annotations

import ctypes as C
from collections import defaultdict
from pathlib import Path

import capi
import numpy as np
import pytest
from capi import Api, Context, Span, SteerError
from numpy.typing import NDArray
from scene import Scene
from tiny import HEAD_DIM, HEADS, HEADS_KV

FAMILIES = ["qwen3vl", "gemma3"]
SOME = [(1, 0), (1, 4), (2, 5), (4, 1), (4, 2), (4, 3), (5, 0)]
EVERY = [(layer, head) for layer in range(6) for head in range(HEADS)]

flash = pytest.mark.parametrize("flash", [True, False], ids=["flash", "plain"])
family = pytest.mark.parametrize("family", FAMILIES)


class Attention:
    """What one attention call of a run saw: float64 copies, taken while the operands were alive."""

    def __init__(self, tensor: capi.Tensor) -> None:
        q, k, v, mask = (tensor.src[i].contents for i in range(4))
        self.q = capi.array(q)[0]  # (heads, rows, dim)
        self.k = capi.array(k)[0]  # (kv heads, keys, dim)
        self.v = capi.array(v)[0]
        self.mask = capi.array(mask)[0, 0]  # (rows, keys)
        self.scale = float(np.array(tensor.op_params[0], np.int32).view(np.float32))

    def natural(self) -> NDArray[np.float64]:
        return self.softmax(np.where(np.isinf(self.mask), -np.inf, 0.0))

    def steered(self) -> NDArray[np.float64]:
        return self.softmax(self.mask)

    def softmax(self, mask: NDArray[np.float64]) -> NDArray[np.float64]:
        """(heads, rows, keys)."""
        group = len(self.q) // len(self.k)
        scores = self.scale * np.einsum("hrd,hkd->hrk", self.q, np.repeat(self.k, group, 0)) + mask
        p = np.exp(scores - scores.max(-1, keepdims=True))
        return p / p.sum(-1, keepdims=True)

    def out(self, p: NDArray[np.float64]) -> NDArray[np.float64]:
        """(rows, heads, dim)."""
        return np.einsum("hrk,hkd->rhd", p, np.repeat(self.v, len(self.q) // len(self.v), 0))


class Recorder:
    """Collects, per layer, the attention calls and their joint output, in the order of the decoded batches."""

    def __init__(self, api: Api) -> None:
        api.lib.ggml_op_name.restype = C.c_char_p
        self.name_of_op = api.lib.ggml_op_name
        self.pending: list[Attention] = []
        self.calls: dict[int, list[list[Attention]]] = defaultdict(list)
        self.out: dict[int, list[NDArray[np.float64]]] = defaultdict(list)
        self.soft_max: dict[int, list[NDArray[np.float64]]] = defaultdict(list)

    def __call__(self, name: str, tensor: capi.Tensor) -> None:
        if self.name_of_op(tensor.op) == b"FLASH_ATTN_EXT":
            self.pending.append(Attention(tensor))
        elif name.startswith("kqv_out-"):
            layer = int(name.split("-")[1])
            self.calls[layer].append(self.pending)
            self.pending = []
            self.out[layer].append(capi.array(tensor)[0, 0].reshape(-1, HEADS, HEAD_DIM))
        elif name.startswith("kq_soft_max-"):
            self.soft_max[int(name.split("-")[1])].append(capi.array(tensor)[0])


def heads_of(layer: int, heads: list[tuple[int, int]]) -> NDArray[np.bool_]:
    return np.array([(layer, h) in heads for h in range(HEADS)])


@family
@flash
@pytest.mark.parametrize("seed", range(3))
def test_nothing_set_is_bit_identical_to_stock(patched: Api, stock: Api, models: dict[str, Path], family: str, flash: bool, seed: int) -> None:
    runs = []
    for api in (stock, patched):
        with api.context(models[family], flash=flash, n_ubatch=32) as ctx:
            scene = Scene(ctx.n_pos, seed=seed, before=40, after=37, rows=3 + seed)
            runs.append(scene.run(ctx))
    assert not stock.patched and patched.patched
    assert np.array_equal(runs[0].view(np.uint32), runs[1].view(np.uint32))


@family
@flash
@pytest.mark.parametrize("heads", [SOME, EVERY], ids=["some", "every"])
def test_zero_bias_through_the_steered_path_changes_nothing(patched: Api, models: dict[str, Path], family: str, flash: bool, heads: list[tuple[int, int]]) -> None:
    with patched.context(models[family], flash=flash) as ctx:
        scene = Scene(ctx.n_pos)
        plain = scene.run(ctx)
        ctx.forget()
        ctx.set_heads(heads)
        ctx.steer([scene.target(0.0)])
        assert np.array_equal(scene.run(ctx), plain)  # == holds between +0 and -0
        ctx.forget()
        ctx.unsteer()
        assert np.array_equal(scene.run(ctx), plain)
        ctx.forget()
        ctx.set_heads([])
        assert np.array_equal(scene.run(ctx), plain)


@family
@pytest.mark.parametrize("strength", [1.0, 2.0, 5.0, 10000.0])
def test_attention_of_every_layer_is_the_closed_form(patched: Api, models: dict[str, Path], family: str, strength: float) -> None:
    """Flash attention on: outputs against a float64 attention over the run's own Q, K, V and mask."""
    recorders = []
    for steer in (False, True):
        recorder = Recorder(patched)
        with patched.context(models[family], capture=recorder) as ctx:
            scene = Scene(ctx.n_pos)
            if steer:
                ctx.set_heads(SOME)
                ctx.steer([scene.target(strength)])
            recorder.calls.clear(), recorder.out.clear()
            scene.run(ctx)
        recorders.append(recorder)
    plain, steered = recorders
    first = min(layer for layer, _ in SOME)
    for layer in range(6):
        chosen = heads_of(layer, SOME)
        for before, call, out in zip(plain.out[layer], steered.calls[layer], steered.out[layer]):
            assert len(call) == 1 + chosen.any()
            if layer < first:
                assert np.array_equal(out, before)
            if layer == first:  # same inputs in both runs: the other heads are untouched to the last bit
                assert np.array_equal(out[:, ~chosen], before[:, ~chosen])
                biased = (np.isfinite(call[-1].mask) & (call[-1].mask != 0)).any()
                assert np.array_equal(out[:, chosen], before[:, chosen]) != biased
            attention = call[-1]
            want = attention.out(attention.natural())
            want[:, chosen] = attention.out(attention.steered())[:, chosen]
            np.testing.assert_allclose(out, want, atol=4e-3 * np.abs(want).max())


@family
@pytest.mark.parametrize("strength", [1.0, 2.0, 5.0, 10000.0])
def test_mass_follows_the_closed_form(patched: Api, models: dict[str, Path], family: str, strength: float) -> None:
    """Flash attention off: m' = m_T e^b / (m_T e^b + m_O e^-b + m_text), with m the mass of the same run's own scores."""
    recorder = Recorder(patched)
    with patched.context(models[family], flash=False, capture=recorder) as ctx:
        scene = Scene(ctx.n_pos)
        layer = 1  # the first steered one
        scene.run(ctx)
        natural = [p[:, -1] for p in recorder.soft_max[layer][2:]]  # (heads, keys) of the last prompt row and every step
        recorder.soft_max.clear()
        ctx.forget()
        ctx.set_heads(SOME)
        recorder.soft_max.clear()
        ctx.steer([scene.target(strength)])
        scene.run(ctx)
        steered = [p[:, -1] for p in recorder.soft_max[layer][2:]]
        # the cells of a fresh cache are filled in order
        image = np.arange(scene.size).reshape(scene.rows, scene.cols) + scene.before
        target, others = image[:, :2].ravel(), image[:, 2:].ravel()
        chosen = heads_of(layer, SOME)
        checked = 0
        # steps attend to keys that steering changed in deeper layers only, so the first steered layer compares in all rows
        for p, got in zip(natural, steered):
            assert np.array_equal(got[~chosen], p[~chosen])
            if p[:, target].sum() == 0:  # outside the sliding window
                continue
            m_t, m_o = p[chosen][:, target].sum(-1), p[chosen][:, others].sum(-1)
            shift = min(strength, 300.0)  # e^10000 overflows; beyond 300 the rest is 0 in float64 as well
            want = m_t * np.exp(shift) / (m_t * np.exp(shift) + m_o * np.exp(-shift) + (1 - m_t - m_o))
            np.testing.assert_allclose(got[chosen][:, target].sum(-1), want, atol=2e-6)
            checked += 1
        assert checked >= 1


def test_rows_and_keys_obey_the_parameters(patched: Api, models: dict[str, Path]) -> None:
    """first_query, prompt_end and the two default biases, read from the mask that the steered pass used."""
    recorder = Recorder(patched)
    with patched.context(models["qwen3vl"], capture=recorder) as ctx:
        scene = Scene(ctx.n_pos)
        ctx.set_heads([(2, 1)])
        for first in (0, scene.after_pos, scene.answer_pos, scene.prompt_end):
            ctx.forget()
            ctx.steer([scene.target(3.0)], prompt_end=scene.prompt_end, bias_prompt=-1.5, bias_generated=-2.5, first_query=first)
            recorder.calls.clear()
            scene.run(ctx)
            before, image, after, *steps = [call[-1].mask for call in recorder.calls[2]]
            n = scene.before + scene.size + scene.after
            want = np.concatenate([np.full(scene.before, -1.5), scene.target(3.0).bias.ravel(), np.full(scene.after, -1.5), np.full(scene.steps, -2.5)])
            for i, row in enumerate(m[0] for m in steps):
                assert np.array_equal(row[: n + i + 1], want[: n + i + 1]) and np.isinf(row[n + i + 1 :]).all()
            for i, row in enumerate(after):
                seen = want[: scene.before + scene.size + i + 1]
                assert np.array_equal(row[: len(seen)], seen if scene.after_pos + i >= first else 0 * seen)
            for i, row in enumerate(image):
                seen = want[: scene.before + i + 1]
                assert np.array_equal(row[: len(seen)], seen if scene.image_pos >= first else 0 * seen)
            for i, row in enumerate(before):
                assert np.array_equal(row[: i + 1], want[: i + 1] if i >= first else 0 * want[: i + 1])


@flash
def test_sharpness_zero_attends_by_the_bias_alone(patched: Api, models: dict[str, Path], flash: bool) -> None:
    recorder = Recorder(patched)
    with patched.context(models["qwen3vl"], flash=flash, capture=recorder) as ctx:
        scene = Scene(ctx.n_pos)
        plain = scene.run(ctx)
        ctx.forget()
        ctx.set_heads([(0, 2), (3, 1)])
        ctx.steer([scene.target(capi_strength := 10000.0)], first_query=scene.answer_pos, sharpness=0.0)
        recorder.calls.clear(), recorder.soft_max.clear()
        scene.run(ctx)
        image = np.arange(scene.size).reshape(scene.rows, scene.cols) + scene.before
        uniform = 1 / image[:, :2].size
        if flash:
            p = recorder.calls[0][2][-1].softmax(recorder.calls[0][2][-1].mask)
            unsteered_q = recorder.calls[0][2][0].q
            assert np.array_equal(recorder.calls[0][2][1].q[:, :-1], unsteered_q[:, :-1])  # rows before first_query keep their scores
            assert not recorder.calls[0][2][1].q[:, -1].any()
        else:
            p = recorder.soft_max[0][2]
        np.testing.assert_allclose(p[2, -1, image[:, :2].ravel()], uniform, atol=1e-6)
        assert p[2, -1].sum() == pytest.approx(1, abs=1e-5)
        # back to 1
        ctx.forget()
        ctx.steer([scene.target(0.0)])
        assert np.array_equal(scene.run(ctx), plain)
        assert capi_strength == 10000.0


@family
@flash
def test_moving_the_target_reuses_the_graph_and_acts_at_once(patched: Api, models: dict[str, Path], family: str, flash: bool) -> None:
    with patched.context(models[family], flash=flash) as ctx:
        scene = Scene(ctx.n_pos, steps=12)
        ctx.set_heads(SOME)

        def reused(move: bool) -> tuple[int, NDArray[np.float32]]:
            ctx.forget()
            ctx.steer([scene.target(5.0)])
            scene.prefill(ctx)
            count, logits = ctx.graphs_reused(), []
            for i in range(scene.steps):
                if move:
                    ctx.steer([scene.target(5.0, cols=slice(i % 4, i % 4 + 1))])
                scene.step(ctx, i)
                logits.append(ctx.logits())
            return ctx.graphs_reused() - count, np.stack(logits)

        still, held = reused(False)
        moving, moved = reused(True)
        assert still == moving >= scene.steps - 1
        assert not np.array_equal(held[0], moved[0])

        ctx.set_heads([(0, 0)])  # another head set: one rebuild, then reuse again
        count = ctx.graphs_reused()
        reused(False)
        assert ctx.graphs_reused() - count >= scene.steps - 1


# llama.cpp refuses a quantized V cache without flash attention
@pytest.mark.parametrize(("flash", "type_kv"), [(True, capi.F16), (True, capi.Q8_0), (True, capi.F32), (False, capi.F16), (False, capi.F32)])
@pytest.mark.parametrize("n_ubatch", [7, 128])
def test_cache_types_and_ubatch_sizes_agree(patched: Api, models: dict[str, Path], flash: bool, type_kv: int, n_ubatch: int) -> None:
    """The same steered run in another layout differs no more than the unsteered one does."""
    def run(ubatch: int, steer: bool) -> NDArray[np.float32]:
        with patched.context(models["qwen3vl"], flash=flash, type_kv=type_kv, n_ubatch=ubatch) as ctx:
            scene = Scene(ctx.n_pos, before=30, after=20)
            if steer:
                ctx.set_heads(SOME)
                ctx.steer([scene.target(4.0)])
            return scene.run(ctx)

    base = np.abs(run(n_ubatch, False) - run(64, False)).max()
    steered = run(n_ubatch, True)
    assert np.abs(steered - run(64, True)).max() <= 3 * base + 2e-3 * np.abs(steered).max()
    assert np.abs(steered - run(n_ubatch, False)).max() > 0.05  # it does steer


@flash
@pytest.mark.parametrize("unified", [True, False], ids=["unified", "streams"])
def test_two_sequences_keep_their_own_targets(patched: Api, models: dict[str, Path], flash: bool, unified: bool) -> None:
    def together(steer: bool) -> NDArray[np.float32]:
        with patched.context(models["qwen3vl"], flash=flash, n_seq=2, unified=unified) as ctx:
            scenes = [Scene(ctx.n_pos, seed=0), Scene(ctx.n_pos, seed=0)]
            if steer:
                ctx.set_heads(SOME, 0)
                ctx.set_heads(SOME, 1)
                ctx.steer([scenes[0].target(5.0, cols=slice(0, 1))], seq=0)
                ctx.steer([scenes[1].target(5.0, cols=slice(3, 4))], seq=1)
            for seq, scene in enumerate(scenes):
                scene.prefill(ctx, seq=seq)
            out = []
            for i in range(scenes[0].steps):
                token = scenes[0].tokens[scenes[0].before + scenes[0].after + i]
                assert ctx.decode([token, token], pos=[scenes[0].prompt_end + i] * 2, seq=[0, 1], outputs=[0, 1]) == 0
                out.append([ctx.logits(0), ctx.logits(1)])
            return np.array(out)  # (steps, 2, vocabulary)

    def alone(cols: slice, steer: bool) -> NDArray[np.float32]:
        with patched.context(models["qwen3vl"], flash=flash) as ctx:
            scene = Scene(ctx.n_pos, seed=0)
            if steer:
                ctx.set_heads(SOME)
                ctx.steer([scene.target(5.0, cols=cols)])
            return scene.run(ctx)[1:]

    layouts = np.abs(together(False)[:, 0] - alone(slice(0, 1), False)).max()
    both = together(True)
    for seq, cols in enumerate([slice(0, 1), slice(3, 4)]):
        one = alone(cols, True)
        assert np.abs(both[:, seq] - one).max() <= 3 * layouts + 2e-3 * np.abs(one).max()
    assert np.abs(both[:, 0] - both[:, 1]).max() > 0.05


def test_what_cannot_be_steered_is_refused_by_name(patched: Api, models: dict[str, Path]) -> None:
    for arch, word in {"refact": "ALiBi", "mamba": "KV cache"}.items():
        with patched.context(models[arch]) as ctx:
            with pytest.raises(SteerError, match=f"{arch}.*{word}") as error:
                ctx.set_heads([(0, 0)])
            assert error.value.status == -3
            assert ctx.decode([1, 2], pos=[0, 1], outputs=[1]) == 0


@pytest.mark.parametrize(
    ("call", "status", "text"),
    [
        (lambda c: c.set_heads([(6, 0)]), -2, r"layer 6, head 0.*6 layers of 6 heads"),
        (lambda c: c.set_heads([(-1, 0)]), -2, r"layer -1"),
        (lambda c: c.set_heads([(0, HEADS)]), -2, r"head 6"),
        (lambda c: c.set_heads([(0, 0)], seq=1), -4, r"sequence 1"),
        (lambda c: c.set_heads([], seq=-1), -4, r"sequence -1"),
        (lambda c: c.steer([Span(0, np.full((1, 1), np.nan))]), -1, r"every bias"),
        (lambda c: c.steer([Span(0, np.full((1, 1), np.inf))]), -1, r"every bias"),
        (lambda c: c.steer([Span(0, np.full((1, 1), 2e4))]), -1, r"\+-10000"),
        (lambda c: c.steer([Span(-1, np.zeros((1, 1)))]), -1, r"pos -1"),
        (lambda c: c.steer([], bias_prompt=float("nan")), -1, r"bias_prompt nan"),
        (lambda c: c.steer([], bias_generated=1e9), -1, r"bias_generated 1e\+09"),
        (lambda c: c.steer([], sharpness=1.5), -1, r"sharpness 1.5"),
        (lambda c: c.steer([], seq=1), -4, r"sequence 1"),
        (lambda c: c.steer([], seq=-1), -4, r"sequence -1"),
    ],
)
def test_bad_values_leave_everything_as_it_was(patched: Api, models: dict[str, Path], call: object, status: int, text: str) -> None:
    with patched.context(models["qwen3vl"]) as ctx:
        scene = Scene(ctx.n_pos)
        ctx.set_heads(SOME)
        ctx.steer([scene.target(2.0)])
        want = scene.run(ctx)
        ctx.forget()
        with pytest.raises(SteerError, match=text) as error:
            call(ctx)  # type: ignore[operator]
        assert error.value.status == status
        assert np.array_equal(scene.run(ctx), want)


def test_stamp(patched: Api) -> None:
    assert patched.lib.llama_steer_api_version() == 3
    assert patched.lib.llama_steer_build().startswith(b"0c1e57098+lookhere.")


def test_grouped_heads_are_what_the_model_has(patched: Api, models: dict[str, Path]) -> None:
    """Heads of one KV group may be steered one by one: query heads count, not KV heads."""
    assert HEADS // HEADS_KV == 3
    recorder = Recorder(patched)

    def one(ctx: Context) -> NDArray[np.float64]:
        recorder.out.clear()
        scene.prefill(ctx)
        ctx.forget()
        return recorder.out[0][-1]

    with patched.context(models["qwen3vl"], capture=recorder) as ctx:
        scene = Scene(ctx.n_pos)
        plain = one(ctx)
        for head in range(HEADS):
            ctx.set_heads([(0, head)])
            ctx.steer([scene.target(5.0)])
            changed = (one(ctx) != plain).any((0, 2))
            assert changed.tolist() == [h == head for h in range(HEADS)]
