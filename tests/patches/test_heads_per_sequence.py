"""Heads, kinds and targets per sequence: rows of a batch get what each gets alone, and graphs are not built in vain."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

import numpy as np
import pytest
from capi import BIAS, TARGET_SHARE, WITHIN_SPANS, Api, Context
from hypothesis import given, settings
from hypothesis import strategies as st
from numpy.typing import NDArray
from scene import Scene
from test_decode_attention import Nodes
from test_steering import Recorder, heads_of

Heads = tuple[tuple[int, int], ...]

LAYERS = 6
WAYS = {"flash": (True, False), "plain": (False, False), "grouped": (True, True)}
ways = pytest.mark.parametrize("way", WAYS)
unified = pytest.mark.parametrize("unified", [True, False], ids=["unified", "streams"])


@dataclass(frozen=True)
class Want:
    """What one sequence is told."""

    heads: Heads = ()
    how: str = "none"  # none | bias | sharp | share | within
    col: int = 0
    late: bool = False  # from the last prompt token on

    @property
    def acts(self) -> bool:
        return bool(self.heads) and self.how != "none"

    def tell(self, ctx: Context, scene: Scene, seq: int) -> None:
        ctx.set_heads(self.heads, seq)
        first = scene.answer_pos if self.late else 0
        cols = slice(self.col, self.col + 1)
        if self.how == "none":
            ctx.unsteer(seq)
        elif self.how in ("bias", "sharp"):
            ctx.steer(
                [scene.target(4.0, cols=cols)],
                seq=seq,
                first_query=first,
                sharpness=0.4 if self.how == "sharp" else 1.0,
            )
        else:
            kind, share = (TARGET_SHARE, 0.8) if self.how == "share" else (WITHIN_SPANS, 1.0)
            ctx.steer([scene.weights(*[0] * self.col, 1.0)], seq=seq, kind=kind, share=share, first_query=first)


NOTHING = Want()
SAME_LAYER = (
    Want(((1, 0), (4, 2)), "bias"),
    Want(((1, 5), (1, 1)), "bias", col=3),
    NOTHING,
    Want(((1, 3), (4, 2)), "bias", col=1, late=True),
)
MIXED = (
    Want(((1, 0), (1, 4)), "share"),
    Want(((2, 2), (1, 4)), "bias", col=2),
    Want(((5, 1),), "within", col=1),
    Want(((1, 1),), "none"),
    Want(((1, 2), (4, 4)), "sharp", col=3),
    Want((), "bias"),
)
CHOSEN = {"same layer": SAME_LAYER, "mixed": MIXED}
chosen = pytest.mark.parametrize("wants", CHOSEN.values(), ids=CHOSEN)

heads = st.lists(st.tuples(st.integers(0, LAYERS - 1), st.integers(0, 5)), max_size=4, unique=True).map(tuple)
wanted = st.builds(
    Want, heads, st.sampled_from(["none", "bias", "sharp", "share", "within"]), st.integers(0, 3), st.booleans()
)


def scenes(ctx: Context, count: int) -> list[Scene]:
    """Different prompts and images."""
    return [Scene(ctx.n_pos, seed=seq, before=4 + 3 * seq, rows=2 + seq % 2) for seq in range(count)]


def batches(ctx: Context, told: tuple[Want, ...]) -> NDArray[np.float32]:
    """Logits of each sequence's steps, computed in one batch, and of a batch in which the first has three rows, the
    last of them its output: (steps + 1, sequences, vocabulary)."""
    every = scenes(ctx, len(told))
    for seq, (scene, want) in enumerate(zip(every, told, strict=True)):
        if ctx.api.patched:
            want.tell(ctx, scene, seq)
    for seq, scene in enumerate(every):
        scene.prefill(ctx, seq=seq)
    out, rows = [], range(len(told))
    for i in range(every[0].steps):
        tokens = [scene.tokens[scene.before + scene.after + i] for scene in every]
        assert ctx.decode(tokens, pos=[scene.prompt_end + i for scene in every], seq=rows, outputs=rows) == 0
        out.append([ctx.logits(row) for row in rows])
    positions = [scene.prompt_end + scene.steps for scene in every]
    positions = [positions[0], positions[0] + 1, positions[0] + 2, *positions[1:]]
    rows = [0, 0, *rows]
    assert ctx.decode([3, 5, 7, *[11] * (len(told) - 1)], pos=positions, seq=rows, outputs=range(2, len(rows))) == 0
    out.append([ctx.logits(row) for row in range(2, len(rows))])
    return np.array(out)


def run(
    api: Api, model: Path, way: str, told: tuple[Want, ...], *, shared: bool = True, capture: object = None
) -> NDArray[np.float32]:
    flash, grouped = WAYS[way]
    count = len(told)
    with api.context(model, flash=flash, n_seq=count, n_ctx=128 * count, unified=shared, capture=capture) as ctx:
        if api.patched:
            assert ctx.set_grouped(grouped) == grouped
        return batches(ctx, told)


def only(told: tuple[Want, ...], seq: int) -> tuple[Want, ...]:
    return tuple(want if i == seq else NOTHING for i, want in enumerate(told))


def check(api: Api, model: Path, way: str, told: tuple[Want, ...], shared: bool) -> None:
    """In one layout each row is the same whatever the other sequences are told: to the bit, but for a bias in a batch
    with a share, which takes the same passes and adds their difference."""
    together = run(api, model, way, told, shared=shared)
    shares = any(want.acts and want.how in ("share", "within") for want in told)
    for seq, want in enumerate(told):
        alone = run(api, model, way, only(told, seq), shared=shared)[:, seq]
        if want.acts and want.how in ("bias", "sharp") and shares:
            np.testing.assert_allclose(together[:, seq], alone, atol=2e-3 * np.abs(alone).max())
        else:
            np.testing.assert_array_equal(together[:, seq], alone, err_msg=f"sequence {seq}: {want}")


@chosen
@ways
@unified
@pytest.mark.parametrize("family", ["qwen3vl", "gemma3"])
def test_a_row_gets_what_it_gets_beside_sequences_that_are_told_nothing(
    patched: Api, models: dict[str, Path], wants: tuple[Want, ...], way: str, unified: bool, family: str
) -> None:
    check(patched, models[family], way, wants, unified)
    plain = run(patched, models[family], way, (NOTHING,) * len(wants), shared=unified)
    steered = run(patched, models[family], way, wants, shared=unified)
    for seq, want in enumerate(wants):
        moved = np.abs(steered[:, seq] - plain[:, seq]).max()
        assert moved > 0.05 if want.acts else moved == 0, want


@ways
@settings(max_examples=30, deadline=None)
@given(told=st.lists(wanted, min_size=2, max_size=4).map(tuple), shared=st.booleans())
def test_a_row_gets_what_it_gets_beside_others_whatever_they_are_told(
    patched: Api, models: dict[str, Path], way: str, told: tuple[Want, ...], shared: bool
) -> None:
    check(patched, models["qwen3vl"], way, told, shared)


@chosen
@ways
def test_a_row_differs_from_the_same_alone_no_more_than_stock_does(
    patched: Api, stock: Api, models: dict[str, Path], wants: tuple[Want, ...], way: str
) -> None:
    """Alone in its context. Stock has no grouped kernel: with it, unsteered rows of our own say how layouts differ."""
    model = models["qwen3vl"]
    flash, grouped = WAYS[way]

    def alone(api: Api, want: Want, seq: int, count: int) -> NDArray[np.float32]:
        with api.context(model, flash=flash) as ctx:
            scene = scenes(ctx, count)[seq]
            if api.patched:
                assert ctx.set_grouped(grouped) == grouped
                want.tell(ctx, scene, 0)
            return scene.run(ctx)[1:]

    def layouts(api: Api) -> float:
        both = run(api, model, way, (NOTHING,) * len(wants))
        return max(np.abs(both[:-1, seq] - alone(api, NOTHING, seq, len(wants))).max() for seq in range(len(wants)))

    noise = layouts(patched if grouped else stock)
    together = run(patched, model, way, wants)
    for seq, want in enumerate(wants):
        one = alone(patched, want, seq, len(wants))
        assert np.abs(together[:-1, seq] - one).max() <= 3 * noise + 2e-3 * np.abs(one).max(), want


def test_attention_of_every_row_is_the_closed_form(patched: Api, models: dict[str, Path]) -> None:
    """Each row's own heads against float64 attention over the run's own Q, K, V and mask."""
    recorder = Recorder(patched)
    run(patched, models["qwen3vl"], "flash", SAME_LAYER, capture=recorder)
    owners = [[0, 1, 2, 3], [0, 0, 0, 1, 2, 3]]  # of the rows of a step, and of the last batch
    for layer in (1, 4):
        for batch, rows in zip((-2, -1), owners, strict=True):
            attention, out = recorder.calls[layer][batch][-1], recorder.out[layer][batch]
            natural, steered = attention.out(attention.natural()), attention.out(attention.steered())
            took = np.array([heads_of(layer, list(SAME_LAYER[seq].heads)) for seq in rows])
            assert took.any(1).tolist() == [(seq, layer) not in ((1, 4), (2, 1), (2, 4)) for seq in rows]
            want = np.where(took[..., None], steered, natural)
            np.testing.assert_allclose(out, want, atol=4e-3 * np.abs(want).max())
            assert np.abs(natural - steered).max() > 0.1 * np.abs(want).max()


@ways
def test_the_probe_reads_each_row_as_its_own_heads_acted(patched: Api, models: dict[str, Path], way: str) -> None:
    """Natural and steered, beside sequences that are told something and beside ones that are not."""
    flash, grouped = WAYS[way]

    def read(told: tuple[Want, ...]) -> list[dict[tuple[int, bool], NDArray[np.float32]]]:
        with patched.context(models["qwen3vl"], flash=flash, n_seq=len(told), n_ctx=128 * len(told)) as ctx:
            assert ctx.set_grouped(grouped) == grouped
            ctx.probe_layers(range(LAYERS))
            every = scenes(ctx, len(told))
            for seq, scene in enumerate(every):
                told[seq].tell(ctx, scene, seq)
                ctx.probe_spans([scene.target(0)], seq=seq)
                scene.prefill(ctx, seq=seq)
            tokens = [scene.tokens[-1] for scene in every]
            rows = range(len(told))
            assert ctx.decode(tokens, pos=[scene.prompt_end for scene in every], seq=rows, outputs=rows) == 0
            for seq in rows:  # what was read stays
                ctx.set_heads([(0, seq)], seq)
            kinds = [(layer, steered) for layer in range(LAYERS) for steered in (False, True)]
            return [
                {(layer, steered): ctx.probe(row, layer, steered=steered) for layer, steered in kinds} for row in rows
            ]

    for told in CHOSEN.values():
        together = read(told)
        for seq, want in enumerate(told):
            alone = read(only(told, seq))[seq]
            for layer in range(LAYERS):
                natural, steered = together[seq][layer, False], together[seq][layer, True]
                np.testing.assert_allclose(natural, alone[layer, False], atol=1e-3)
                np.testing.assert_allclose(steered, alone[layer, True], atol=1e-3)
                took = heads_of(layer, list(want.heads)) & want.acts
                assert np.array_equal(steered[~took], natural[~took])
                assert (np.abs(steered - natural).max(1)[took] > 1e-3).all()


@ways
def test_graphs_are_built_anew_only_where_the_layers_change(patched: Api, models: dict[str, Path], way: str) -> None:
    flash, grouped = WAYS[way]
    nodes = Nodes(patched)
    with patched.context(models["qwen3vl"], flash=flash, n_seq=3, n_ctx=1024, capture=nodes) as ctx:
        assert ctx.set_grouped(grouped) == grouped
        every = [Scene(ctx.n_pos, seed=seq, steps=4) for seq in range(3)]
        for seq, scene in enumerate(every):
            scene.prefill(ctx, seq=seq)

        def built(change: object = None) -> int:
            """Graphs that are built in four steps after a change."""
            if change is not None:
                change()  # type: ignore[operator]
            before = ctx.graphs_reused()
            for seq, scene in enumerate(every):
                ctx.forget(seq, scene.prompt_end)
            for at in range(4):
                tokens = [scene.tokens[scene.before + scene.after + at] for scene in every]
                assert (
                    ctx.decode(tokens, pos=[scene.prompt_end + at for scene in every], seq=range(3), outputs=range(3))
                    == 0
                )
            return 4 - (ctx.graphs_reused() - before)

        def bias(seq: int, col: int = 0, kind: int = BIAS) -> None:
            scene = every[seq]
            span = scene.target(3.0, cols=slice(col, col + 1)) if kind == BIAS else scene.weights(*[0] * col, 1.0)
            ctx.steer([span], seq=seq, kind=kind, share=0.8)

        built()
        assert built() == 0
        assert built(lambda: ctx.set_heads([(1, 0), (4, 2)], 0)) == 1  # reserved, and not yet told anything
        assert built(lambda: bias(0)) == 1
        for col in range(4):
            assert built(lambda col=col: bias(0, col)) == 0  # another target
        assert built(lambda: ctx.set_heads([(1, 3), (4, 0), (4, 5)], 0)) == 0  # other heads of these layers
        assert built(lambda: (ctx.set_heads([(4, 1)], 1), bias(1))) == 0  # another sequence in them
        assert built(lambda: (ctx.set_heads([(2, 1)], 1), bias(1))) == 1  # a further layer
        assert built(lambda: ctx.set_heads([(4, 1)], 1)) == 1  # which leaves again
        assert built(lambda: ctx.unsteer(1)) == 0
        assert built(lambda: ctx.set_heads([(2, 3), (5, 1)], 2)) == 1  # reserved, and not yet told anything
        assert built(lambda: ctx.set_heads([(2, 3)], 2)) == 0  # stays reserved
        assert built(lambda: bias(0, kind=TARGET_SHARE)) == 1
        assert built(lambda: bias(0, 2, kind=TARGET_SHARE)) == 0
        assert built(lambda: bias(0)) == 1
        assert built(lambda: bias(0, kind=TARGET_SHARE)) == 1  # still reserved, but another graph
        assert built(lambda: ctx.unsteer(0)) == 1
        nodes.seen.clear()
        assert built(lambda: bias(1)) == 1
        built(lambda: ctx.unsteer(1))
        if flash:  # heads are set, no row is steered: the graph of upstream
            nodes.seen.clear()
            assert built() == 0
            assert {tuple(each) for layer in nodes.seen.values() for each in layer} == {((grouped, False),)}
