"""Inf and NaN in what a query row does not see: the grouped attention kernel computes as if they were not there."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import pytest
from attention_op import Case
from capi import BF16, F16, F32, Q4_0, Q8_0, Api
from numpy.typing import NDArray

FLOATS = (F32, F16, BF16)
HEADS = 6
TAKING = np.array([False, True, True, False, False, True])  # the second mask


@dataclass(frozen=True)
class Way:
    """How it is computed, and the row that is looked at."""

    dim: int
    threads: int
    read: bool
    victim: int

    def case(self, kind: int, rows: int) -> Case:
        """Each row sees keys of its own: some here and there, a block of 32 that all see, one that none does, one that
        every other row does."""
        sinks = np.zeros(HEADS, np.float32)
        case = Case(HEADS, 2, self.dim, 333, rows=rows, streams=2, kind=kind, seed=self.dim + rows, sinks=sinks)
        rng = np.random.default_rng(rows)
        hidden = rng.random(case.mask.shape) < 0.4
        hidden[..., 32:64] = False
        hidden[..., 64:96] = True
        hidden[:, ::2, 96:128] = True
        case.mask = np.where(hidden, -np.inf, 0).astype(np.float16)
        case.bias = np.where(hidden, -np.inf, rng.choice([-5, 0, 5], hidden.shape)).astype(np.float16)
        case.head_mask = TAKING
        return case

    def run(self, case: Case, api: Api) -> list[NDArray[np.float32]]:
        """(streams, rows, heads, ...): the result, then what is read of all keys under the first mask and as taken."""
        if not self.read:
            return [case.run(api, grouped=True, threads=self.threads)]
        keys = np.broadcast_to(np.arange(case.keys, dtype=np.int32), case.mask.shape)
        out, found = case.run_and_read(api, keys, self.threads)
        return [out, *(np.moveaxis(each, -1, 2) for each in found)]


def poison(kind: int, data: NDArray[np.generic], where: NDArray[np.bool_], value: float) -> None:
    """Puts the value into some places, at least one, of each vector of the keys that are chosen, (streams, keys)."""
    part = data if kind in FLOATS else data["d"]  # a block's scale
    rng = np.random.default_rng(0)
    places = rng.random(part.shape) < 0.2
    np.put_along_axis(places, rng.integers(0, part.shape[-1], (*part.shape[:-1], 1)), True, -1)
    stored = np.float32(value).view(np.uint32) >> 16 if kind == BF16 else value
    part[places & where[..., None, None]] = stored


def seen(mask: NDArray[np.float16], value: float) -> NDArray[np.float16]:
    """The mask with the value wherever it does not hide."""
    return np.where(np.isneginf(mask), mask, np.float16(value))


@pytest.mark.parametrize("kind", [*FLOATS, Q8_0, Q4_0], ids=["f32", "f16", "bf16", "q8_0", "q4_0"])
@pytest.mark.parametrize("rows", [1, 2, 16])
@pytest.mark.parametrize("value", [np.inf, np.nan])
@pytest.mark.parametrize("what", ["k", "v", "q", "masks", "second mask", "first mask", "sinks"])
def test_the_bits_are_those_without_it(patched: Api, kind: int, rows: int, value: float, what: str) -> None:
    ways = [Way(64, 1, False, 0), Way(64, 3, True, rows - 1)]
    if kind in FLOATS:
        ways.append(Way(36, 2, True, rows // 2))
    for way in ways:
        case = way.case(kind, rows)
        want = way.run(case, patched)
        np.testing.assert_allclose(want[0], case.want(), atol=5e-6 * np.abs(want[0]).max())
        others = np.arange(rows) != way.victim
        heads = np.ones(HEADS, bool)
        if what in ("k", "v"):
            poison(kind, getattr(case, what), np.isneginf(case.mask[:, way.victim]), value)
        elif what == "q":
            case.q[:, others] = value
        elif what == "masks":
            for mask in (case.mask, case.bias):
                mask[:, others] = seen(mask[:, others], value)
        elif what == "second mask":
            case.bias, heads = seen(case.bias, value), ~TAKING
        elif what == "first mask":
            case.mask, heads = seen(case.mask, value), TAKING
        else:
            case.sinks = np.where(TAKING, 0, value).astype(np.float32)
            heads = TAKING
        got = way.run(case, patched)
        assert (rows == 1 and len(heads) == heads.sum()) or not np.array_equal(got[0], want[0]), "others see it"
        for index in range(len(want)):
            if (what, index) == ("first mask", 1):
                continue  # read under the first mask
            ours, clean = (np.ascontiguousarray(each[index][:, way.victim][:, heads]) for each in (got, want))
            assert np.isfinite(clean).all()
            np.testing.assert_array_equal(ours.view(np.uint32), clean.view(np.uint32))
