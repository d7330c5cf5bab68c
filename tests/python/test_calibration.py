"""What calibration chooses, on a bench whose answers follow a rule that is known."""

import pytest
from lookhere.lab.calibration import CHANGES, Measured, choose
from lookhere.steering.head_set import HeadSet, ModelFacts

FACTS = ModelFacts("Fake", "fake", 8, 4)
EVERY = [(layer, head) for layer in (5, 6, 7, 4, 3, 2, 1, 0) for head in range(4)]
RANKING = HeadSet(FACTS, tuple(EVERY), scores=tuple(1 - index / 100 for index in range(32)))
GOING_ON = HeadSet(FACTS, ((1, 0), (1, 1), (5, 0), (1, 2), (0, 3), (0, 0)), scores=(0.9, 0.8, 0.7, 0.6, 0.5, 0.4))


class Bench:
    """Of 1,000 questions: what `rule` says of a head set is answered rightly."""

    thorough = True

    def __init__(self, rule):
        self.rule, self.asked = rule, []

    def measure(self, heads, values, thorough=True):
        self.asked.append(heads)
        return Measured(values, ((round(1000 * self.rule(heads)),), (1000,)))


def helped(best, each):
    """A rule: the heads that rank first do most, more of them a little more, and `each` head adds what it says."""
    return lambda heads: min(best, 0.1 * len(heads.heads)) + sum(each.get(head, 0) for head in heads.heads)


def test_heads_that_help_are_added_one_by_one():
    bench = Bench(helped(0.5, {(1, 1): 0.2, (0, 3): 0.1, (1, 0): -0.1}))
    chosen = choose(bench, {"prompt": RANKING}, going_on=GOING_ON)
    assert set(chosen.heads.heads) == {*EVERY[:5], (1, 1), (0, 3)}
    assert dict(zip(chosen.heads.heads, chosen.heads.scores, strict=True))[1, 1] == 0.8
    assert chosen.heads.queries == "answer"
    assert chosen.measured.accuracy == pytest.approx(0.8)
    assert chosen.sweeps["changed"][0]["changed"] == []
    assert max(chosen.sweeps["changed"], key=lambda each: each["accuracy"])["changed"] == [[1, 1], [0, 3]]


def test_a_head_that_does_harm_is_taken_out():
    chosen = choose(Bench(helped(0.5, {EVERY[2]: -0.15})), {"prompt": RANKING}, going_on=GOING_ON)
    assert EVERY[2] not in chosen.heads.heads
    assert chosen.measured.accuracy == pytest.approx(0.5)


def test_no_set_is_larger_than_a_quarter_of_all_heads():
    """A quarter of 32 is 8."""
    bench = Bench(helped(0.8, {(1, 1): 0.2, (0, 3): 0.19}))
    choose(bench, {"prompt": RANKING}, going_on=GOING_ON)
    assert max(len(heads.heads) for heads in bench.asked) == 8


def test_nothing_is_changed_that_does_not_help():
    chosen = choose(Bench(helped(0.5, {(1, 1): -0.005})), {"prompt": RANKING}, going_on=GOING_ON)
    assert chosen.heads.heads == tuple(EVERY[:5])
    # no change; each candidate that is not in the set, (5, 0) is; each head taken out
    assert len(chosen.sweeps["changed"]) == 1 + len(GOING_ON.heads) - 1 + 5


def test_no_more_than_six_changes_are_made():
    gains = {head: 0.01 * (index + 1) for index, head in enumerate(GOING_ON.heads)} | dict.fromkeys(EVERY[:3], -0.15)
    chosen = choose(Bench(helped(0.3, gains)), {"prompt": RANKING}, going_on=GOING_ON)
    assert max(len(each["changed"]) for each in chosen.sweeps["changed"]) == CHANGES


def test_the_set_without_stays_where_cheap_queries_cost_too_much():
    def rule(heads):
        return 0.9 if heads.queries == "all" else 0.6 + 0.2 * ((1, 1) in heads.heads)

    chosen = choose(Bench(rule), {"prompt": RANKING}, going_on=GOING_ON)
    assert chosen.heads.queries == "all"
    assert (1, 1) not in chosen.heads.heads
    assert chosen.measured.accuracy == pytest.approx(0.9)


def test_the_strength_is_the_middle_of_the_plateau():
    chosen = choose(Bench(lambda heads: 0.9 if 3 <= heads.strength <= 12 else 0.2), {"prompt": RANKING})
    assert chosen.heads.strength == 5
    assert "changed" not in chosen.sweeps
