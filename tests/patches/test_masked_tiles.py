"""Attention by tiles, of 64 rows and more: what a tile does not see is passed over, and nothing else is."""

from __future__ import annotations

import numpy as np
import pytest
from attention_op import Case
from capi import F16, F32, Api

TILE = 64


def scattered(rows: int, keys: int, kind: int, seed: int, lowest: float = -65504) -> Case:
    """Each row sees keys of its own; whole tiles are hidden, or seen through a single entry, often at their border."""
    rng = np.random.default_rng(seed)
    case = Case(4, 2, 64, keys, rows=rows, streams=1 + seed % 2, kind=kind, seed=seed)
    hidden = rng.random(case.mask.shape) < rng.choice([0, 0.5, 0.98])
    for row in range(0, rows, TILE):
        for key in range(0, keys, TILE):
            if rng.random() < 0.6:
                part = hidden[:, row : row + TILE, key : key + TILE]
                part[:] = True
                if rng.random() < 0.5:
                    part[-1, rng.choice([0, part.shape[1] - 1]), rng.choice([0, part.shape[2] - 1])] = False
    if seed % 3:
        hidden[..., 0] = False  # else there are rows that see nothing
    case.mask = np.where(hidden, -np.inf, 0).astype(np.float16)
    # the smallest and the most negative numbers are not -inf
    finite = np.array([-5, 5, -0.0, lowest, 6e-8], np.float16)
    case.bias = np.where(hidden, -np.inf, rng.choice(finite, hidden.shape)).astype(np.float16)
    return case


@pytest.mark.parametrize("kind", [F16, F32], ids=["f16", "f32"])
@pytest.mark.parametrize(("rows", "keys"), [(64, 64), (64, 333), (130, 500), (200, 256)])
@pytest.mark.parametrize("seed", range(6))
def test_the_bits_are_those_of_stock(patched: Api, stock: Api, kind: int, rows: int, keys: int, seed: int) -> None:
    case = scattered(rows, keys, kind, seed)
    for mask in (case.mask, case.bias):
        ours, theirs = (case.run(api, grouped=False, threads=2, mask=mask) for api in (patched, stock))
        np.testing.assert_array_equal(ours.view(np.uint32), theirs.view(np.uint32))


@pytest.mark.parametrize("kind", [F16, F32], ids=["f16", "f32"])
@pytest.mark.parametrize("seed", range(8))
def test_each_row_and_head_sees_its_own_mask(patched: Api, kind: int, seed: int) -> None:
    case = scattered(130, 333, kind, seed, lowest=-99)  # beside more, scores lose their last bits
    case.head_mask = np.random.default_rng(seed).random((case.streams, 130, case.heads)) < 0.5
    ours = case.run(patched, grouped=False, threads=2)
    sees = ~np.isneginf(case.mask).all(-1)
    want = case.want()
    np.testing.assert_allclose(ours[sees], want[sees], atol=2e-4 * np.abs(want).max())


def test_a_hidden_tile_may_hold_anything(patched: Api) -> None:
    case = scattered(128, 256, F16, 1)
    case.mask[..., TILE : 2 * TILE] = -np.inf
    before = case.run(patched, grouped=False)
    case.k[:, TILE : 2 * TILE] = np.nan
    case.v[:, TILE : 2 * TILE] = np.inf
    np.testing.assert_array_equal(case.run(patched, grouped=False), before)


@pytest.mark.parametrize("rows", [1, 6, 20, 64, 130])
@pytest.mark.parametrize("grouped", [False, True])
@pytest.mark.parametrize("where", ["all keys", "one key"])
def test_scores_that_are_no_numbers_are_seen_in_the_result(patched: Api, rows: int, grouped: bool, where: str) -> None:
    """A damaged file must not be answered from as if its attention were 0: upstream passes over rows of NaN alone."""
    case = Case(4, 2, 64, 200, rows=rows, kind=F16, seed=rows)
    victims = np.arange(rows) % 3 == 0
    case.q[:, victims] = np.nan
    if where == "one key":
        case.q[:, victims] = 1.0
        case.k[:, 5] = np.nan
        victims[:] = True
    found = case.run(patched, grouped=grouped, threads=2)
    np.testing.assert_array_equal(np.isnan(found).all((-1, -2)), np.broadcast_to(victims, found.shape[:2]))
