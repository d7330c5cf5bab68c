"""Shares: attention that is moved to the target is the closed form, and all other attention is untouched to the bit."""

from __future__ import annotations

from pathlib import Path

import capi
import gguf
import numpy as np
import pytest
from capi import TARGET_SHARE, WITHIN_SPANS, Api, Context, Span, SteerError
from numpy.typing import NDArray
from scene import Scene
from test_steering import EVERY, SOME, Recorder, family, heads_of
from tiny import HEADS, write

SETTINGS = [(TARGET_SHARE, 0.4), (TARGET_SHARE, 0.9), (TARGET_SHARE, 1.0), (WITHIN_SPANS, 1.0), (WITHIN_SPANS, 0.8)]
setting = pytest.mark.parametrize(("kind", "share"), SETTINGS, ids=["share40", "share90", "share100", "within", "within80"])
WEIGHTS = (1.0, 0.5)  # of the first two columns: the second is covered by half
ROUNDED = (1.0, float(np.exp(float(np.float16(np.log(0.5))))))  # as the mask holds them in half precision

Way = dict[str, bool]
FLASH: Way = {}
GROUPED: Way = {"grouped": True}
PLAIN: Way = {"flash": False}
ways = pytest.mark.parametrize("way", [FLASH, GROUPED, PLAIN], ids=["flash", "grouped", "plain"])
flash = pytest.mark.parametrize("way", [FLASH, GROUPED], ids=["flash", "grouped"])


def moved(
    p: NDArray[np.float64], scene: Scene, kind: int, share: float, weights: tuple[float, ...] = WEIGHTS, sharpened: NDArray[np.float64] | None = None
) -> NDArray[np.float64]:
    """The definition in float64. p (..., keys); `sharpened`: the same, as the target's tokens share what they get."""
    target, taken = np.zeros(p.shape[-1]), np.ones(p.shape[-1])
    target[scene.image_cells] = scene.weights(*weights).bias.ravel()
    if kind == WITHIN_SPANS:
        taken[:] = 0
        taken[scene.image_cells] = 1
    s, m = (p * target).sum(-1, keepdims=True), (p * taken).sum(-1, keepdims=True)
    fraction = np.divide(np.maximum(share * m - s, 0), m - s, out=np.zeros_like(s), where=m > s)
    among = (p if sharpened is None else sharpened) * target
    among = np.divide(among, among.sum(-1, keepdims=True), out=np.zeros_like(p), where=s > 0)
    return np.where(s > 0, p * (1 - fraction * taken) + fraction * m * among, p)


def record(api: Api, model: Path, settings: tuple[int, float] | None, *, heads: list[tuple[int, int]] = SOME, **options: object) -> tuple[Recorder, Scene, NDArray[np.float32]]:
    """A run from an empty cache; None is unsteered."""
    recorder = Recorder(api)
    steer = {name: options.pop(name) for name in ("first_query", "sharpness") if name in options}
    shape = {name: options.pop(name) for name in ("before", "after", "steps") if name in options}
    with api.context(model, capture=recorder, **options) as ctx:
        scene = Scene(ctx.n_pos, **shape)
        if settings:
            ctx.set_heads(heads)
            ctx.steer([scene.weights(*WEIGHTS)], kind=settings[0], share=settings[1], **steer)
        recorder.calls.clear(), recorder.out.clear(), recorder.soft_max.clear()
        logits = scene.run(ctx)
    return recorder, scene, logits


@family
@flash
@setting
@pytest.mark.parametrize("type_kv", [capi.F16, capi.Q8_0], ids=["f16", "q8_0"])
def test_flash_attention_of_every_layer(patched: Api, models: dict[str, Path], family: str, way: Way, kind: int, share: float, type_kv: int) -> None:
    """Against float64 attention over the run's own Q, K and V, in prefill and decode. The grouped kernel rounds nothing."""
    plain, _, _ = record(patched, models[family], None, type_kv=type_kv, **way)
    steered, scene, _ = record(patched, models[family], (kind, share), type_kv=type_kv, **way)
    atol = 1e-5 if way is GROUPED else 4e-3 if type_kv == capi.F16 else 2e-2
    for layer in range(6):
        chosen = heads_of(layer, SOME)
        for before, call, out in zip(plain.out[layer], steered.calls[layer], steered.out[layer], strict=True):
            assert len(call) == 1 + chosen.any() * (1 + (kind == WITHIN_SPANS))
            if layer < 1:
                assert np.array_equal(out, before)
            if layer == 1:  # the first steered one: other heads are untouched to the last bit
                assert np.array_equal(out[:, ~chosen], before[:, ~chosen])
            attention = call[0]
            p = attention.natural()
            want = attention.out(p)
            want[:, chosen] = attention.out(moved(p, scene, kind, share, ROUNDED))[:, chosen]
            np.testing.assert_allclose(out, want, atol=atol * np.abs(want).max())


@flash
@setting
def test_a_long_prompt_is_taken_in_parts(patched: Api, models: dict[str, Path], way: Way, kind: int, share: float) -> None:
    """Scores are held for 64 rows at once: here for 128 rows of a batch, and for 22. Upstream's kernel for the 22 rounds."""
    steered, scene, _ = record(patched, models["qwen3vl"], (kind, share), after=150, **way)
    chosen = heads_of(1, SOME)
    assert {len(out) for out in steered.out[1]} >= {128, 22}
    for call, out in zip(steered.calls[1], steered.out[1], strict=True):
        p = call[0].natural()
        want = call[0].out(p)
        want[:, chosen] = call[0].out(moved(p, scene, kind, share, ROUNDED))[:, chosen]
        np.testing.assert_allclose(out, want, atol=(1e-5 if way is GROUPED and len(out) != 22 else 8e-3) * np.abs(want).max())


@flash
@setting
@pytest.mark.parametrize("sharpness", [0.0, 0.5])
def test_a_sharpened_share(patched: Api, models: dict[str, Path], way: Way, kind: int, share: float, sharpness: float) -> None:
    """How much moves is told by the head's own scores, to which of the target's tokens by the sharpened ones."""
    steered, scene, _ = record(patched, models["qwen3vl"], (kind, share), sharpness=sharpness, **way)
    chosen = heads_of(1, SOME)
    for call, out in zip(steered.calls[1], steered.out[1], strict=True):
        attention = call[0]
        p = attention.natural()
        attention.scale *= sharpness
        want = attention.out(p)
        want[:, chosen] = attention.out(moved(p, scene, kind, share, ROUNDED, attention.natural()))[:, chosen]
        np.testing.assert_allclose(out, want, atol=(1e-5 if way is GROUPED else 4e-3) * np.abs(want).max())


@setting
@flash
def test_only_the_rows_up_to_the_last_steered_one_take_further_passes(
    patched: Api, models: dict[str, Path], kind: int, share: float, way: Way
) -> None:
    """A prompt of another sequence in the same batch, behind or before, is not computed again and stays to the bit."""
    def last(steer: bool, first: int) -> tuple[list[int], NDArray[np.float64]]:
        recorder = Recorder(patched)
        with patched.context(models["qwen3vl"], n_seq=2, capture=recorder, **way) as ctx:
            scene = Scene(ctx.n_pos)
            scene.prefill(ctx)
            if steer:
                ctx.set_heads(SOME, 0)
                ctx.steer([scene.weights(*WEIGHTS)], kind=kind, share=share)
            seq = [1] * 40
            seq.insert(first, 0)
            pos = list(range(40))
            pos.insert(first, scene.prompt_end)
            assert ctx.decode(range(5, 46), pos=pos, seq=seq, outputs=[first]) == 0
        return [attention.q.shape[1] for attention in recorder.calls[1][-1]], recorder.out[1][-1]

    for first in (0, 1, 15, 16, 39, 40):
        _, plain = last(False, first)
        passes, steered = last(True, first)
        rows = min(41, 16 * (first // 16 + 1))  # by 16
        assert passes == [41] + [rows] * (1 + (kind == WITHIN_SPANS))
        others = np.arange(41) != first
        assert np.array_equal(steered[others], plain[others])
        chosen = heads_of(1, SOME)
        assert np.array_equal(steered[first, ~chosen], plain[first, ~chosen])
        assert (np.abs(steered[first, chosen] - plain[first, chosen]).max(-1) > 1e-3).all()


@setting
@ways
def test_a_prompt_before_the_steered_rows_has_the_graph_of_upstream(
    patched: Api, models: dict[str, Path], way: Way, kind: int, share: float
) -> None:
    nodes: list[str] = []

    def note(name: str, tensor: capi.Tensor) -> None:
        nodes.append(name)

    with patched.context(models["qwen3vl"], **way, capture=note) as ctx:
        scene = Scene(ctx.n_pos)
        seen = []
        for steer in (False, True):
            if steer:
                ctx.set_heads(SOME)
                ctx.steer([scene.weights(*WEIGHTS)], kind=kind, share=share, first_query=scene.prompt_end)
            ctx.forget()
            nodes.clear()
            scene.prefill(ctx)
            seen.append(list(nodes))
            nodes.clear()
            scene.step(ctx, 0)
            seen.append(list(nodes))
        assert seen[0] == seen[2]
        assert len(seen[1]) < len(seen[3])


@flash
@setting
def test_compute_buffers_are_told_and_freed(patched: Api, models: dict[str, Path], way: Way, kind: int, share: float) -> None:
    """A share needs less than the scores of a batch, and nothing once no sequence has a head."""
    with patched.context(models["qwen3vl"], n_ctx=8192, n_ubatch=512, **way) as ctx:
        scene = Scene(ctx.n_pos)
        plain = ctx.compute_bytes()
        ctx.steer([scene.weights(1.0)], kind=kind, share=share)
        assert ctx.compute_bytes() == plain > 0
        ctx.set_heads(SOME)
        added = ctx.compute_bytes() - plain
        assert 0 < added < 4 * HEADS * 8192 * 512
        ctx.unsteer()
        ctx.set_heads([(0, 0)])
        assert ctx.compute_bytes() >= plain + added
        scene.run(ctx)
        ctx.set_heads([])
        assert ctx.compute_bytes() == plain


@family
@setting
def test_attention_without_flash_attention(patched: Api, models: dict[str, Path], family: str, kind: int, share: float) -> None:
    plain, _, _ = record(patched, models[family], None, flash=False)
    steered, scene, _ = record(patched, models[family], (kind, share), flash=False)
    chosen = heads_of(1, SOME)
    seen = 0
    for p, got in zip(plain.soft_max[1][:3], steered.soft_max[1][:3], strict=True):  # later keys are those of steered rows
        assert np.array_equal(got[~chosen], p[~chosen])
        want = moved(p[chosen], scene, kind, share)
        np.testing.assert_allclose(got[chosen], want, atol=2e-6)
        assert (got >= 0).all()
        np.testing.assert_allclose(got.sum(-1), 1, atol=1e-5)
        if kind == WITHIN_SPANS:  # text keeps its own
            text = np.setdiff1d(np.arange(p.shape[-1]), scene.image_cells)
            assert np.array_equal(got[..., text], p[..., text])
        seen += (want != p[chosen]).any()
    assert seen == 2  # the image and the text after it


@family
@ways
@setting
def test_rows_that_are_not_steered_are_untouched_to_the_bit(patched: Api, models: dict[str, Path], family: str, way: Way, kind: int, share: float) -> None:
    """Those before first_query in all layers; a first_query beyond all rows leaves the whole run as it was."""
    with patched.context(models[family]) as ctx:
        scene = Scene(ctx.n_pos)
    plain, _, logits = record(patched, models[family], None, **way, heads=EVERY)
    late, _, same = record(patched, models[family], (kind, share), **way, heads=EVERY, first_query=1000)
    assert np.array_equal(same, logits)
    steered, _, changed = record(patched, models[family], (kind, share), **way, heads=EVERY, first_query=scene.answer_pos)
    assert not np.array_equal(changed, logits)
    for layer in range(6):
        before, got = plain.out[layer], steered.out[layer]
        assert np.array_equal(got[0], before[0]) and np.array_equal(got[1], before[1])
        assert np.array_equal(got[2][:-1], before[2][:-1])
        assert not np.array_equal(got[2][-1], before[2][-1])


@family
@ways
def test_a_share_of_nothing_changes_nothing(patched: Api, models: dict[str, Path], family: str, way: Way) -> None:
    """Share 0, and a share that every head gives already."""
    with patched.context(models[family], **way) as ctx:
        scene = Scene(ctx.n_pos)
        plain = scene.run(ctx)
        ctx.set_heads(EVERY)
        for kind in (TARGET_SHARE, WITHIN_SPANS):
            ctx.forget()
            ctx.steer([scene.weights(*WEIGHTS)], kind=kind, share=0.0)
            assert np.array_equal(scene.run(ctx), plain)
        ctx.forget()
        ctx.steer([scene.weights(1, 1, 1, 1)], kind=WITHIN_SPANS, share=1.0)
        assert np.abs(scene.run(ctx) - plain).max() <= 1e-4 * np.abs(plain).max()


@ways
def test_rows_that_see_no_target_stay(patched: Api, models: dict[str, Path], way: Way) -> None:
    """The text before the image, and text after it from where a sliding window has left the image."""
    options = {**way, "heads": [(0, 0)], "after": 40}
    plain, _, _ = record(patched, models["gemma3"], None, **options)
    steered, scene, logits = record(patched, models["gemma3"], (TARGET_SHARE, 0.9), **options)
    assert np.isfinite(logits).all()
    before, image, after = (np.array_equal(a, b) for a, b in zip(plain.out[0][:3], steered.out[0][:3], strict=True))
    assert before and not image and not after
    far = slice(24, None)  # the window of layer 0 has 24 tokens
    assert np.array_equal(plain.out[0][2][far], steered.out[0][2][far])
    assert np.array_equal(plain.out[0][3], steered.out[0][3])


@ways
@pytest.mark.parametrize("kind", [TARGET_SHARE, WITHIN_SPANS])
def test_a_target_whose_attention_underflows(patched: Api, tmp_path: Path, way: Way, kind: int) -> None:
    """Scores of hundreds of nats: the head's own attention to the target is 0 in float32."""
    model = write(tmp_path / "sharp.gguf", "qwen3vl")
    reader = gguf.GGUFReader(model, "r+")
    for tensor in reader.tensors:
        if "attn_q_norm" in tensor.name:
            tensor.data[:] *= 60
    reader.data.flush()
    share = 0.8 if kind == TARGET_SHARE else 1.0
    steered, scene, logits = record(patched, model, (kind, share), heads=EVERY, type_kv=capi.F16, **way)
    assert np.isfinite(logits).all()
    if way is PLAIN:
        return
    gone = 0
    for call, out in zip(steered.calls[0], steered.out[0], strict=True):
        if way is FLASH:
            call[0].q = call[0].q.astype(np.float16).astype(np.float64)  # what the kernel makes of it
        p = call[0].natural()
        target = p[..., scene.image_cells[np.repeat([[True, True, False, False]], 3, 0).ravel()]].sum(-1)
        gone += ((target > 0) & (target < 1e-45)).sum()
        want = call[0].out(moved(p, scene, kind, share))
        np.testing.assert_allclose(out, want, atol=(2e-3 if way is GROUPED else 3e-2) * np.abs(want).max())
    assert gone > 0


@ways
def test_sharpness_zero_is_uniform_within_the_target(patched: Api, models: dict[str, Path], way: Way) -> None:
    with patched.context(models["qwen3vl"], **way) as ctx:
        scene = Scene(ctx.n_pos)
        ctx.set_heads([(0, 2)])
        ctx.steer([scene.weights(1, 0.5)], kind=TARGET_SHARE, share=1.0, sharpness=0.0)
        ctx.probe_layers([0])
        ctx.probe_spans([scene.target(0)])
        scene.prefill(ctx)
        got = ctx.probe(-1, 0, steered=True)[2].reshape(scene.rows, scene.cols)
        np.testing.assert_allclose(got, np.tile([2 / 9, 1 / 9, 0, 0], (3, 1)), atol=1e-4)


@family
@ways
def test_moving_the_target_or_the_share_reuses_the_graph(patched: Api, models: dict[str, Path], family: str, way: Way) -> None:
    with patched.context(models[family], **way) as ctx:
        scene = Scene(ctx.n_pos, steps=10)
        ctx.set_heads(SOME)

        def reused(kinds: list[int]) -> tuple[int, NDArray[np.float32]]:
            ctx.forget()
            ctx.steer([scene.weights(1.0)], kind=kinds[0], share=0.8)
            scene.prefill(ctx)
            count, logits = ctx.graphs_reused(), []
            for i in range(scene.steps):
                if len(kinds) > 1:
                    ctx.steer([scene.weights(*[0] * (i % 3), 1.0)], kind=kinds[i % 2], share=0.5 + 0.05 * i)
                scene.step(ctx, i)
                logits.append(ctx.logits())
            return ctx.graphs_reused() - count, np.stack(logits)

        still, held = reused([TARGET_SHARE])
        moving, other = reused([TARGET_SHARE, TARGET_SHARE])
        assert still == moving >= scene.steps - 1
        assert not np.array_equal(held[0], other[0])
        assert reused([WITHIN_SPANS, WITHIN_SPANS])[0] == still
        assert reused([TARGET_SHARE, WITHIN_SPANS])[0] == 0  # each kind has a graph of its own


@ways
def test_other_kinds_after_a_share_are_what_they_were(patched: Api, models: dict[str, Path], way: Way) -> None:
    with patched.context(models["qwen3vl"], **way) as ctx:
        scene = Scene(ctx.n_pos)
        plain = scene.run(ctx)
        ctx.set_heads(SOME)
        ctx.forget()
        ctx.steer([scene.target(3.0)])
        biased = scene.run(ctx)
        for kind in (TARGET_SHARE, WITHIN_SPANS):
            ctx.forget()
            ctx.steer([scene.weights(*WEIGHTS)], kind=kind, share=0.9)
            assert np.abs(scene.run(ctx) - plain).max() > 0.05
            ctx.forget()
            ctx.unsteer()
            assert np.array_equal(scene.run(ctx), plain)
            ctx.forget()
            ctx.steer([scene.target(3.0)])
            assert np.array_equal(scene.run(ctx), biased)


@ways
@pytest.mark.parametrize("unified", [True, False], ids=["unified", "streams"])
def test_sequences_keep_their_own_kind_target_and_share(patched: Api, models: dict[str, Path], way: Way, unified: bool) -> None:
    def steer(ctx: Context, scene: Scene, which: int, seq: int) -> None:
        if which == 0:
            ctx.steer([scene.weights(1.0)], seq=seq, kind=TARGET_SHARE, share=0.6)
        elif which == 1:
            ctx.steer([scene.weights(0, 0, 0.5, 1.0)], seq=seq, kind=TARGET_SHARE, share=0.95)
        elif which == 2:
            ctx.steer([scene.weights(0, 1.0)], seq=seq, kind=WITHIN_SPANS, share=1.0)
        elif which in (3, 5):
            ctx.steer([scene.target(3.0 if which == 3 else 1e4)], seq=seq)

    def together(wanted: list[int]) -> NDArray[np.float32]:
        with patched.context(models["qwen3vl"], **way, n_seq=len(wanted), unified=unified, n_ctx=512 * len(wanted)) as ctx:
            scene = Scene(ctx.n_pos)
            for seq, which in enumerate(wanted):
                ctx.set_heads(SOME, seq)
                steer(ctx, scene, which, seq)
            for seq in range(len(wanted)):
                scene.prefill(ctx, seq=seq)
            out = []
            for i in range(scene.steps):
                token = scene.tokens[scene.before + scene.after + i]
                every = range(len(wanted))
                assert ctx.decode([token] * len(wanted), pos=[scene.prompt_end + i] * len(wanted), seq=every, outputs=every) == 0
                out.append([ctx.logits(row) for row in every])
            return np.array(out)

    def alone(which: int) -> NDArray[np.float32]:
        with patched.context(models["qwen3vl"], **way) as ctx:
            scene = Scene(ctx.n_pos)
            ctx.set_heads(SOME)
            steer(ctx, scene, which, 0)
            return scene.run(ctx)[1:]

    layouts = np.abs(together([4, 4])[:, 0] - alone(4)).max()
    for wanted in ([0, 1], [0, 2, 3, 4], [5, 2]):
        got = together(wanted)
        for seq, which in enumerate(wanted):
            one = alone(which)
            assert np.abs(got[:, seq] - one).max() <= 3 * layouts + 2e-3 * np.abs(one).max(), which
        assert np.abs(got[:, 0] - got[:, 1]).max() > 0.05


@family
@setting
@pytest.mark.parametrize(
    ("way", "type_kv"), [(PLAIN, capi.F16), (FLASH, capi.F16), (FLASH, capi.Q8_0), (GROUPED, capi.F16)], ids=["plain", "flash", "q8_0", "grouped"]
)
def test_the_probe_reads_it_as_it_acted(patched: Api, models: dict[str, Path], family: str, kind: int, share: float, way: Way, type_kv: int) -> None:
    recorder = Recorder(patched)
    with patched.context(models[family], **way, type_kv=type_kv, capture=recorder) as ctx:
        scene = Scene(ctx.n_pos)
        ctx.set_heads(SOME)
        ctx.steer([scene.weights(*WEIGHTS)], kind=kind, share=share)
        ctx.probe_layers([0, 1, 4])
        ctx.probe_spans([scene.target(0)])
        recorder.calls.clear(), recorder.soft_max.clear()
        scene.prefill(ctx)
        # with flash attention the mask holds ln(1/2) in half precision; a quantized cache rounds the query to 8 bits
        atol = {capi.F16: 2e-4, capi.Q8_0: 6e-2}[type_kv] if way is not PLAIN else 1e-6
        for i in range(scene.steps + 1):
            for layer in (0, 1, 4):
                chosen = heads_of(layer, SOME)
                if way is not PLAIN:
                    attention = recorder.calls[layer][-1][0]
                    attention.q = attention.q.astype(np.float16).astype(np.float64)
                    p = attention.natural()[:, -1]
                    want = np.where(chosen[:, None], moved(p, scene, kind, share), p)
                else:
                    want = recorder.soft_max[layer][-1][:, -1]
                got = ctx.probe(-1, layer, steered=True)
                np.testing.assert_allclose(got, want[:, scene.image_cells], atol=atol)
                assert (got >= 0).all()
                assert np.array_equal(got[~chosen], ctx.probe(-1, layer)[~chosen])
            if i < scene.steps:
                scene.step(ctx, i)


@pytest.mark.parametrize(
    ("values", "text"),
    [
        ({"share": -0.1}, "share -0.1 must"),
        ({"share": 1.01}, "share 1.01 must"),
        ({"share": float("nan")}, "share"),
        ({"kind": 3}, "kind 3"),
        ({"weights": 1.5}, "every weight"),
        ({"weights": -0.5}, "every weight"),
        ({"weights": np.nan}, "every weight"),
        ({"weights": 0.0}, "every weight is 0"),
    ],
)
def test_bad_values_leave_everything_as_it_was(patched: Api, models: dict[str, Path], values: dict[str, float], text: str) -> None:
    with patched.context(models["qwen3vl"]) as ctx:
        scene = Scene(ctx.n_pos)
        ctx.set_heads(SOME)
        ctx.steer([scene.weights(1.0)], kind=TARGET_SHARE, share=0.7)
        want = scene.run(ctx)
        ctx.forget()
        given = {"kind": TARGET_SHARE, "share": 0.7, "weights": 1.0} | values
        span = Span(scene.image_pos, np.full((3, 4), given.pop("weights"), np.float32))
        with pytest.raises(SteerError, match=text) as error:
            ctx.steer([span], **given)
        assert error.value.status == -1
        assert np.array_equal(scene.run(ctx), want)
