"""Threads that wait for others sleep (ggml_patches/0010): many more of them than processors compute, and cheaply."""

from __future__ import annotations

import os
import time
from pathlib import Path

import numpy as np
from capi import Api
from numpy.typing import NDArray

STEPS = 6


def steps(api: Api, model: Path, threads: int) -> tuple[NDArray[np.float32], float]:
    """The logits of a prompt and of tokens one after another, and the processor time of the tokens in all threads."""
    with api.context(model, threads=threads) as ctx:
        assert ctx.decode(range(1, 40), pos=range(39), outputs=[38]) == 0
        out = [ctx.logits().copy()]
        start = time.process_time()
        for step in range(STEPS):
            assert ctx.decode([3 + step], pos=[39 + step], outputs=[0]) == 0
            out.append(ctx.logits().copy())
        return np.array(out), time.process_time() - start


def test_many_more_threads_than_processors(patched: Api, models: dict[str, Path]) -> None:
    """Threads that only look burn the processors that the others wait for."""
    want, _ = steps(patched, models["refact"], 1)
    got, seconds = steps(patched, models["refact"], 8 * (os.cpu_count() or 1))
    np.testing.assert_allclose(got, want, atol=1e-4 * np.abs(want).max())
    assert seconds < 15  # 1.5 on two processors; with threads that only look, minutes
