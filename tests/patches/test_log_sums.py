"""The sum of a row's exponentials beside its attention, and heads that are left out, in each of the CPU's kernels."""

from __future__ import annotations

import numpy as np
import pytest
from attention_op import Case
from capi import BF16, F16, F32, Q4_0, Q8_0, Api

kinds = pytest.mark.parametrize("kind", [F32, F16, BF16, Q8_0, Q4_0], ids=["f32", "f16", "bf16", "q8_0", "q4_0"])
# one row, one row in chunks of a long cache, several rows, more than are grouped, a tile of rows
shapes = pytest.mark.parametrize(("rows", "keys"), [(1, 200), (1, 700), (5, 300), (20, 300), (70, 130)])
grouping = pytest.mark.parametrize("grouped", [True, False])


@kinds
@shapes
@grouping
@pytest.mark.parametrize("streams", [1, 2])
def test_the_logarithm_of_the_sum(patched: Api, kind: int, rows: int, keys: int, grouped: bool, streams: int) -> None:
    """That of float64; and the result has the bits that it has without."""
    case = Case(6, 2, 64, keys, rows=rows, streams=streams, kind=kind, hidden=0.2, softcap=10.0 * (streams - 1))
    case.mask[:, 1:2] = -np.inf
    out, sums = case.run_and_sum(patched, grouped=grouped, threads=2)
    np.testing.assert_array_equal(out, case.run(patched, grouped=grouped, threads=2))
    # upstream's kernel for less than a tile, and for what tiles do not take, rounds the query to the cache's type
    exact = (grouped and rows <= 16) or kind == F32 or (kind == F16 and rows >= 64)
    want = case.want_and_sums()[1]
    np.testing.assert_allclose(sums, want, atol=1e-4 if exact else 0.2)
    assert np.isneginf(want[:, 1:2]).all()
    assert np.isfinite(want[:, 0]).all()


@kinds
@shapes
@grouping
@pytest.mark.parametrize("streams", [1, 2])
def test_heads_that_are_left_out(patched: Api, kind: int, rows: int, keys: int, grouped: bool, streams: int) -> None:
    """Their result is 0, and the others have the bits that they have without, whatever the heads of a row are."""
    rng = np.random.default_rng(rows)
    case = Case(6, 2, 64, keys, rows=rows, streams=streams, kind=kind, hidden=0.2)
    every, all_sums = case.run_and_sum(patched, grouped=grouped, threads=2)
    for only in (np.arange(6) == 4, rng.random((streams, rows, 6)) < 0.4, np.zeros(6, bool)):
        case.only = only
        out, sums = case.run_and_sum(patched, grouped=grouped, threads=2)
        here = np.broadcast_to(only, sums.shape)
        np.testing.assert_array_equal(out, np.where(here[..., None], every, 0))
        np.testing.assert_array_equal(sums, np.where(here, all_sums, -np.inf))
