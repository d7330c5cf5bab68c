"""The sampler."""

import numpy as np
import pytest
from harness import engine


def test_greedy(session, prompt):
    session.decode(prompt, outputs=range(len(prompt)))
    for row in range(len(prompt)):
        assert engine.Sampler().sample(session, row) == session.logits(row).argmax()


def draws(session, n=40, **options):
    sampler = engine.Sampler(**options)
    first = [sampler.sample(session) for _ in range(n)]
    sampler.reset()
    assert [sampler.sample(session) for _ in range(n)] == first
    return first


def test_a_seed_draws_the_same_tokens(session, prompt):
    session.decode(prompt, outputs=[0])
    assert draws(session, temperature=1.5, seed=1) == draws(session, temperature=1.5, seed=1)
    assert draws(session, temperature=1.5, seed=1) != draws(session, temperature=1.5, seed=2)


def test_cuts_and_the_penalty(session, prompt):
    session.decode(prompt, outputs=[0])
    best = np.argsort(session.logits())[::-1]
    assert set(draws(session, temperature=5, top_k=3)) <= set(best[:3])
    assert set(draws(session, temperature=1, top_p=1e-6)) == {best[0]}
    assert set(draws(session, temperature=1, min_p=1.0)) == {best[0]}
    assert len(set(draws(session, n=10, repeat_penalty=100.0))) > 1


@pytest.mark.parametrize(
    "options",
    [{"temperature": -1}, {"temperature": np.nan}, {"top_k": -1}, {"top_p": 1.1}, {"top_p": -0.1}, {"min_p": 2},
     {"seed": -1}, {"seed": 2**32 - 1}, {"repeat_penalty": 0}, {"repeat_last": -1}],
)  # fmt: skip
def test_sampler_options(options):
    with pytest.raises(engine.EngineError, match="expected"):
        engine.Sampler(**options)


def test_nothing_to_sample(session):
    with pytest.raises(engine.EngineError, match="row -1 is not among the 0"):
        engine.Sampler().sample(session)
