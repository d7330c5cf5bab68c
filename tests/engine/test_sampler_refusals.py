"""What no token can be drawn from, and what no sampler can be made of."""

import numpy as np
import pytest
from harness import engine
from hypothesis import given
from hypothesis import strategies as st


@given(st.integers(1, 3000), st.data())
def test_logits_that_are_no_numbers_are_refused_and_nothing_is_drawn(n, data):
    logits = np.zeros(n, np.float32)
    bad = logits.copy()
    bad[data.draw(st.integers(0, n - 1))] = data.draw(st.sampled_from([np.nan, -np.nan]))
    for options in ({}, {"temperature": 1.0}, {"temperature": 1.0, "top_p": 0.5, "repeat_penalty": 2.0}):
        sampler, other = engine.Sampler(**options), engine.Sampler(**options)
        with pytest.raises(engine.EngineError, match="logits are not numbers"):
            sampler.sample_from(bad)
        assert [sampler.sample_from(logits) for _ in range(5)] == [other.sample_from(logits) for _ in range(5)]


def test_logits_without_a_likeliest_are_refused():
    for options in ({"temperature": 1.0}, {"temperature": 1.0, "top_k": 2}):
        with pytest.raises(engine.EngineError, match="is infinite"):
            engine.Sampler(**options).sample_from(np.float32([0, np.inf, 1]))
        with pytest.raises(engine.EngineError, match="minus infinity"):
            engine.Sampler(**options).sample_from(np.float32([-np.inf] * 3))


def test_logits_of_another_shape():
    sampler = engine.Sampler(temperature=1.0)
    for wrong in (np.zeros((2, 3), np.float32), np.zeros(0, np.float32), np.float32(1)):
        with pytest.raises(engine.EngineError, match="logits"):
            sampler.sample_from(wrong)
    sampler.sample_from(np.zeros(9))
    with pytest.raises(engine.EngineError, match="vocabulary of 9 cannot draw from 8"):
        sampler.sample_from(np.zeros(8, np.float32))


@pytest.mark.parametrize(
    "options",
    [{"temperature": -1}, {"temperature": np.nan}, {"top_k": -1}, {"top_p": 1.1}, {"top_p": -0.1}, {"min_p": 2},
     {"seed": -1}, {"seed": 2**32 - 1}, {"repeat_penalty": 0}, {"repeat_last": -1}],
)  # fmt: skip
def test_sampler_options(options):
    with pytest.raises(engine.EngineError, match="expected"):
        engine.Sampler(**options)
