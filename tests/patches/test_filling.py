"""A cache that a benchmark fills without reading holds what the real prompt would, but for the values."""

import sys
from pathlib import Path

import numpy as np
import pytest
from stock import our_libraries

ROOT = Path(__file__).parents[2]
sys.path.append(str(ROOT / "benchmarks"))

from filling import fill, state_of
from llama import Llama, Prompt

CELLS, HEAD = 300, 16  # bytes before the cells: what it is, its sequence, streams, their number


@pytest.mark.parametrize("flash", ["on", "off"])
def test_a_filled_cache_is_as_long_as_a_read_one(flash):
    llama = Llama(our_libraries(), ROOT / "python/lookhere/data/models/model.gguf", threads=1)
    prompt = Prompt(4, 8, CELLS)
    states = []
    for name, how in (("read", prompt.read), ("filled", lambda context: fill(prompt, context))):
        context = llama.open(name, tokens=CELLS + 8, flash=flash)
        how(context)
        states.append(state_of(context))
        assert prompt.answer(context, 3) > 0
        assert len(state_of(context)) == len(states[-1])
        llama.shut(name)
    read, filled = states
    assert len(read) == len(filled)
    assert np.array_equal(read[:HEAD], filled[:HEAD])
    cells = [state[HEAD : HEAD + 24 * CELLS].view(np.int32).reshape(CELLS, 6) for state in states]
    kept = [0, 1, 2, 3, 5]  # positions and sequence; 4 is the token, another one where it is repeated
    assert np.array_equal(cells[0][:, kept], cells[1][:, kept])
