"""The sampler, beside llama.cpp's own chain and beside the same arithmetic in NumPy."""

import threading
import time

import numpy as np
import pytest
from chain import Chain
from harness import engine
from hypothesis import assume, example, given, settings
from hypothesis import strategies as st

QWEN = 151_936


def reference(logits, *, temperature=0.0, top_k=0, top_p=1.0, min_p=0.0, repeat_penalty=1.0, drawn=(), **_):
    """-> (tokens in the order of the draw, their probabilities, how near a cut was to a sum that rounding changes)."""
    x = np.asarray(logits, np.float32).copy()
    for token in set(drawn):
        x[token] *= np.float32(repeat_penalty) if x[token] <= 0 else 1 / np.float32(repeat_penalty)
    x = x.astype(np.float64)
    order = np.arange(len(x)) if top_k == 0 and top_p == 1 else np.argsort(-x, kind="stable")
    order = order[: top_k or None]
    near = 1.0
    if top_p < 1:
        likelihood = np.exp(x[order] - x.max())
        sums = likelihood.cumsum() / likelihood.sum()
        near = min(near, np.abs(sums - top_p).min())
        order = order[: np.searchsorted(sums, top_p) + 1]
    if min_p:
        least = x.max() + np.log(min_p)
        if min_p < 1:
            near = min(near, np.abs(x[order] - least).min())
        order = order[x[order] >= least]
    weights = np.exp((x[order] - x.max()) / temperature)
    return order, weights / weights.sum(), near


def options_of(temperature, top_k, top_p, min_p):
    return {"temperature": temperature, "top_k": top_k, "top_p": top_p, "min_p": min_p}


OPTIONS = st.builds(
    options_of,
    st.sampled_from([0.2, 0.7, 1.0, 2.5]),
    st.sampled_from([0, 0, 1, 5, 40, 1000]),
    st.sampled_from([1.0, 1.0, 0.9, 0.3, 1e-9, 0.0, 0.999]),
    st.sampled_from([0.0, 0.0, 0.05, 0.7, 1.0]),
)


def test_greedy(session, prompt):
    session.decode(prompt, outputs=range(len(prompt)))
    for row in range(len(prompt)):
        assert engine.Sampler().sample(session, row) == session.logits(row).argmax()


def test_greedy_takes_the_first_of_equals():
    for logits in ([0, 3, 3, 1], [-np.inf] * 3, [-0.0, 0.0], [1, np.inf, np.inf], np.arange(5000) // 2):
        assert engine.Sampler().sample_from(np.float32(logits)) == np.argmax(np.float32(logits))


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
    cut = {"temperature": 1.5, "top_k": 50, "top_p": 0.9, "repeat_penalty": 1.3}
    assert draws(session, seed=1, **cut) == draws(session, seed=1, **cut)


def test_cuts_and_the_penalty(session, prompt):
    session.decode(prompt, outputs=[0])
    best = np.argsort(session.logits())[::-1]
    assert set(draws(session, temperature=5, top_k=3)) <= set(best[:3])
    assert set(draws(session, temperature=1, top_p=1e-6)) == {best[0]}
    assert set(draws(session, temperature=1, min_p=1.0)) == {best[0]}
    assert len(set(draws(session, n=10, repeat_penalty=100.0))) > 1


def same_tokens(native, logits, n, **options):
    """Draws beside the chain. Sums that are rounded otherwise may move a draw to the next token of the order."""
    chain, sampler, drawn = Chain(native, len(logits), **options), engine.Sampler(**options), []
    for _ in range(n):
        window = drawn[max(0, len(drawn) - options.get("repeat_last", 64)) :]
        if options["temperature"]:
            order, _, near = reference(logits, drawn=window, **options)
            if near < 1e-5:
                return  # which tokens are left is a matter of rounding
        theirs, ours = chain.sample(logits), sampler.sample_from(logits)
        if theirs != ours:
            assert options["temperature"], "greedy has one answer"
            assert abs(list(order).index(theirs) - list(order).index(ours)) == 1
            assert len(order) > 10_000, "so few tokens leave no room for rounding"
            return
        drawn.append(ours)


@given(OPTIONS, st.integers(2, 400), st.sampled_from([0.05, 1.0, 6.0]), st.integers(0, 2**32 - 2))
def test_tokens_are_those_of_the_chain(native, options, n, spread, seed):
    logits = (np.random.default_rng(seed).normal(size=n) * spread).astype(np.float32)
    assume(len(set(logits)) == n)  # the chain orders equals as it likes
    same_tokens(native, logits, 30, seed=seed, **options)


@given(
    OPTIONS | st.just({"temperature": 0.0}),
    st.sampled_from([0.5, 1.1, 2.0]),
    st.sampled_from([1, 3, 64]),
    st.integers(0, 2**32 - 2),
)
def test_the_penalty_is_that_of_the_chain(native, options, penalty, last, seed):
    logits = np.random.default_rng(seed).normal(size=60).astype(np.float32)
    same_tokens(native, logits, 40, seed=seed, repeat_penalty=penalty, repeat_last=last, **options)


@pytest.fixture(scope="module")
def shares(native):
    """The first random number of each seed, 0 to 1, to a millionth: where it falls among a million equals."""
    equal = np.zeros(1 << 20, np.float32)
    return [Chain(native, equal.size, temperature=1.0, seed=seed).sample(equal) / equal.size for seed in range(20)]


@pytest.mark.parametrize("options", [{}, {"top_p": 0.9}, {"top_k": 40}, {"top_k": 5000, "top_p": 0.6}, {"min_p": 0.05}])
@pytest.mark.parametrize("spread", [0.0, 0.05, 1.0, 3.0, 1e6])
def test_a_large_vocabulary(shares, options, spread):
    logits = (np.random.default_rng(3).normal(size=QWEN) * spread).astype(np.float32)
    order, p, _ = reference(logits, temperature=0.7, **options)
    place, before = {token: i for i, token in enumerate(order.tolist())}, np.append(0, p.cumsum())
    for seed, share in enumerate(shares):
        i = place[engine.Sampler(temperature=0.7, seed=seed, **options).sample_from(logits)]
        assert before[i] - 3e-6 <= share <= before[i + 1] + 3e-6


LOGIT = st.sampled_from([-np.inf, -3e38, -1e4, -100.0, -3.0, -0.0, 0.0, 1.0, 2.0, 2.0000002, 50.0, 3e38])
EXTREME = st.builds(
    options_of,
    st.sampled_from([1e-300, 1e-6, 0.01, 1.0, 100.0]),
    st.sampled_from([0, 0, 1, 2, 7, 2**30]),
    st.sampled_from([1.0, 0.0, 1e-9, 0.5, 1 - 1e-16]),
    st.sampled_from([0.0, 1e-300, 1e-9, 0.5, 1.0]),
)


@settings(max_examples=300)
@given(EXTREME, st.lists(LOGIT, min_size=1, max_size=12), st.sampled_from([1, 1, 100, 3000]), st.integers(0, 99))
@example(options_of(0.7, 0, 0.9, 0.0), [0.0], 3000, 0)
@example(options_of(100.0, 3, 0.5, 1.0), [0.0], 1, 0)
def test_only_what_the_cuts_leave_is_drawn(options, some, times, seed):
    logits = np.tile(np.float32(some), times)
    assume(np.isfinite(logits.max()))
    with np.errstate(over="ignore"):
        order, p, near = reference(logits, **options)
    assume(near > 1e-12 or times == 1)
    sampler = engine.Sampler(seed=seed, **options)
    drawn = [sampler.sample_from(logits) for _ in range(20)]
    likely = dict(zip(order.tolist(), p.tolist(), strict=True))
    if near > 1e-12:
        assert all(token in likely for token in drawn)
    assert all(logits[token] > -np.inf for token in drawn)
    certain = [token for token, each in likely.items() if each > 1 - 1e-9]
    if certain and near > 1e-12:
        assert set(drawn) == set(certain)


def test_of_equals_the_lower_tokens_stay():
    equal = np.zeros(10, np.float32)
    for options, left in (
        ({"top_k": 3}, 3),
        ({"top_p": 0.5}, 5),
        ({"top_k": 4, "top_p": 0.5}, 2),
        ({"min_p": 1.0}, 10),
    ):
        sampler = engine.Sampler(temperature=1.0, **options)
        assert {sampler.sample_from(equal) for _ in range(300)} == set(range(left))


@pytest.mark.parametrize(
    "options",
    [
        {"temperature": 0.7},
        {"temperature": 1.5, "top_p": 0.8},
        {"temperature": 0.7, "top_k": 12},
        {"temperature": 2.0, "top_k": 30, "top_p": 0.9, "min_p": 0.1},
        {"temperature": 1.0, "min_p": 0.2},
    ],
)
@pytest.mark.parametrize("n", [40, 3000])
def test_how_often_each_token_is_drawn(options, n):
    logits = np.random.default_rng(5).normal(size=n).round(1).astype(np.float32)  # with ties
    order, p, _ = reference(logits, **options)
    sampler, times = engine.Sampler(seed=11, **options), 20_000
    counts = np.bincount([sampler.sample_from(logits) for _ in range(times)], minlength=n)
    assert counts.sum() == counts[order].sum()
    few = p * times < 20  # together, so that each count is large
    expected = np.append(p[~few], p[few].sum()) * times
    seen = np.append(counts[order][~few], counts[order][few].sum())
    seen, expected = seen[expected > 0], expected[expected > 0]
    chi, freedom = ((seen - expected) ** 2 / expected).sum(), len(seen) - 1
    assert freedom >= 5
    assert chi < freedom + 5 * np.sqrt(2 * freedom)


def test_nothing_to_sample(session):
    with pytest.raises(engine.EngineError, match="row -1 is not among the 0"):
        engine.Sampler().sample(session)


def test_other_threads_go_on_meanwhile():
    """A thread that held the GIL would let none of these in before it ends."""
    sampler = engine.Sampler(temperature=1.0, top_p=0.9)
    many = np.random.default_rng(0).standard_normal(20_000_000, np.float32)
    begun = threading.Event()
    ends = []

    def long():
        begun.set()
        sampler.sample_from(many)
        ends.append(time.perf_counter())

    thread = threading.Thread(target=long)
    thread.start()
    begun.wait()
    refused = []
    while not ends:
        time.sleep(0.001)
        try:
            sampler.reset()
        except engine.EngineError as error:
            assert "in use by another thread" in str(error)  # noqa: PT017
            refused.append(time.perf_counter())
    thread.join()
    assert len(refused) >= 3
