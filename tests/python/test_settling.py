"""How soon a ranking stands still: against brute force, over a kill, and what discovery says of it."""

from pathlib import Path

import numpy as np
import pytest
from lookhere.lab.ranking import Scores, Tally, is_mark
from lookhere.lab.settling import in_words, settling
from lookhere.loading import builtin as registry

SIZES = (1, 2, 5)


def tallied(strips, panels=6, seed=0):
    rng = np.random.default_rng(seed)
    tally = Tally(3, 4, panels, seed=seed, shuffles=2)
    liking = rng.random((3, 4))  # how well a head follows the question
    added = []
    for _ in range(strips):
        looks = rng.random((2, 3, 4, panels, panels)) + liking[..., None, None] * np.eye(panels)
        tally.add(*looks)
        added.append(looks)
    return tally, np.array(added)


def best(attention, k):
    return set(Scores.of(attention, 0).order("selectivity")[:k])


def test_marks():
    assert [strips for strips in range(1, 40) if is_mark(strips, 6)] == [1, 2, 4, 8, 15, 16, 32]
    assert [strips for strips in range(1, 70) if is_mark(strips, 4)] == [1, 2, 4, 8, 16, 23, 32, 64]
    tally, _ = tallied(21)
    assert tally.marks == (1, 2, 4, 8, 15, 16, 21)
    assert tallied(16)[0].marks == (1, 2, 4, 8, 15, 16)
    assert Tally(1, 1, 2).marks == ()


@pytest.mark.parametrize(("place", "index"), [("prompt", 0), ("answer", 1)])
def test_overlap_by_brute_force(place, index):
    tally, added = tallied(21)
    found = settling(tally, place, "selectivity", SIZES, floor=0)
    assert [each.strips for each in found] == [1, 2, 4, 8, 15, 16, 21]
    assert [each.prefills for each in found] == [6, 12, 24, 48, 90, 96, 126]
    for each in found:
        early = added[: each.strips, index]
        for k in SIZES:
            last = best(added[:, index].mean(axis=0), k)
            assert each.overlap[k] == len(best(early.mean(axis=0), k) & last) / k
            if each.strips > 1:
                halves = best(early[::2].mean(axis=0), k), best(early[1::2].mean(axis=0), k)
                assert each.halves[k] == len(halves[0] & halves[1]) / k
    assert set(found[-1].overlap.values()) == {1}
    assert found[0].halves == {}
    assert min(found[0].overlap.values()) < 1  # noise alone decides the first ones


def test_it_survives_a_kill():
    whole, added = tallied(9)
    first, _ = tallied(5)
    again = Tally(3, 4, 6, seed=0, shuffles=2)
    again.restore({name: each.copy() for name, each in first.arrays().items()})
    for looks in added[5:]:
        again.add(*looks)
    assert settling(again, "prompt", "mass", SIZES) == settling(whole, "prompt", "mass", SIZES)


def test_one_line_and_json():
    tally, _ = tallied(3)
    found = settling(tally, "prompt", "selectivity", (2,), floor=0)
    words = in_words(found, 2)
    assert words.startswith("Of the best 2 heads of all 3, the first so many name: 1 (6 prefills) ")
    assert words.endswith("3 (18 prefills) 100%.")
    data = found[-1].as_dict()
    assert (data["strips"], data["prefills"], data["overlap"]) == (3, 18, {"2": 1})
    assert set(data["split_half"]) == {"2"}


def test_the_table_in_the_docs_is_of_the_built_in_model():
    heads = registry.builtin_head_set()
    settled = heads.evidence.get("settling") if heads else None
    if not settled:
        pytest.skip("the built-in model's head set does not say how it settled")
    k = str(len(heads.heads))
    page = (Path(__file__).parents[2] / "docs/heads.md").read_text()
    rows = [
        f"| {each['strips']} | {each['prefills']} | {each['overlap'][k]:.0%} | "
        + (f"{each['split_half'][k]:.0%} |" if each["split_half"] else "|")
        for each in settled
    ]
    assert "\n".join(rows) in page, "\n".join(["the table should be", *rows])
    assert f"the best {k} heads of the built-in model" in page
