"""How far long work is: what is planned is what is done, and the time left follows from what was timed."""

from dataclasses import replace

import lookhere
import pytest
from hypothesis import given
from hypothesis import strategies as st
from lookhere.lab.discovery import Options as DiscoveryOptions
from lookhere.lab.discovery import discover
from lookhere.lab.evaluation import Options, evaluate
from lookhere.lab.work import Work

SMALL = Options(strips=1, seen=1, controls=1, maps=1, examples=1)


class Told:
    """Takes down what is planned and what is done."""

    def __init__(self):
        self.planned, self.plans, self.done, self.kept, self.parts, self.late = {}, {}, {}, 0, [], []

    def plan(self, kind, count, seconds):
        assert seconds > 0
        if count > self.planned.get(kind, 0) and set(self.done) - {"compare"}:
            self.late.append(kind)
        self.planned[kind] = count
        self.plans.setdefault(kind, []).append(count)

    def now(self, part, what=""):
        self.parts.append(part)

    def step(self, kind, *, kept=False):
        assert self.parts or kept, "it is said what is done"
        self.done[kind] = self.done.get(kind, 0) + 1
        self.kept += kept

    def note(self, text):
        pass


kinds = st.lists(st.tuples(st.integers(0, 20), st.floats(0.001, 100)), min_size=1, max_size=5)


@given(kinds, st.floats(0.001, 1000))
def test_on_a_slower_machine_the_time_left_is_right_from_the_first_step(kinds, slower):
    work = Work()
    for number, (count, seconds) in enumerate(kinds):
        work.plan(str(number), count, seconds)
    assert work.left is None
    whole = left = sum(count * seconds * slower for count, seconds in kinds)
    for number, (count, seconds) in enumerate(kinds):
        for _ in range(count):
            work.step(str(number), seconds * slower)
            left -= seconds * slower
            assert work.left == pytest.approx(left, abs=1e-6 * whole)
            assert work.share == pytest.approx(1 - left / whole, abs=1e-6)


@given(kinds, st.lists(st.tuples(st.integers(0, 6), st.none() | st.floats(0, 1e6)), max_size=60))
def test_whatever_happens_the_share_is_one(kinds, steps):
    """More steps than were planned, of kinds that were not, in any time."""
    work = Work()
    for number, (count, seconds) in enumerate(kinds):
        work.plan(str(number), count, seconds)
    for number, seconds in steps:
        work.step(str(number), seconds)
        assert 0 <= work.share <= 1 + 1e-9
        assert work.left is None or work.left >= 0
    for number in range(7):
        work.plan(str(number), 0, 1)
    assert work.left in (None, 0)


def test_an_evaluation_does_what_it_planned(planted_model):
    told = Told()
    evaluate(planted_model, SMALL, progress=told)
    assert told.done == told.planned
    assert told.late == []


def test_a_resumed_evaluation_counts_what_was_kept(planted_model, tmp_path):
    few = replace(SMALL, protocols=("vqa",))
    kept = tmp_path / "kept"
    first, again = Told(), Told()
    one = evaluate(planted_model, few, kept=kept, progress=first)
    other = evaluate(planted_model, few, kept=kept, resume=True, progress=again)
    assert again.done == first.done
    assert first.kept == 0
    assert again.kept == sum(count for kind, count in first.done.items() if kind != "compare")
    assert other.seconds >= one.seconds > 0  # the whole time


@pytest.mark.parametrize("calibration", [0, 2])
def test_a_discovery_does_what_it_planned(planted, planted_files, calibration):
    """Its number of settings is known about: it depends on what is found."""
    told = Told()
    with lookhere.load(planted_files[0]) as model:
        discover(model, DiscoveryOptions(strips=3, calibration=calibration, readers=2), progress=told)
    assert (told.done["look"], told.done["read"]) == (told.planned["look"], told.planned["read"]) == (3 * 6, 2 * 2)
    assert told.done.get("ordinal", 0) == calibration
    for kind in ("ask", "move", "box"):
        assert told.done.get(kind, 0) <= 1.2 * max(told.plans.get(kind, [0]))
        assert told.planned[kind] == 0  # no more than was done, it says at the end
