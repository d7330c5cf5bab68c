"""Steering on trained models of three architectures: to the panel pointed at, by few heads, which discovery finds.

The models are of tools/tiny, made for these tests. Their figures on 50 strips stand in docs/families.md.
"""

from __future__ import annotations

import sys

import numpy as np
import pytest
import stock

sys.path.append(str(stock.ROOT / "tools" / "tiny"))
from lookhere.lab.discovery import Options, discover
from measure import FOLDER, SIZES, Looked, loaded
from world import write_comics

STRIPS = 8
"""Of six panels, so that 48 answers are counted in each arm."""


@pytest.fixture(scope="module", params=SIZES)
def looked(request):
    with loaded(request.param) as model:
        yield request.param, Looked(model, request.param, STRIPS)


def test_a_model_and_its_projector_are_small(looked):
    name, _ = looked
    assert sum(path.stat().st_size for path in (FOLDER / name).glob("*.gguf")) < 1.5e6


def test_few_heads_steer_to_the_panel_pointed_at_and_others_do_not(looked):
    _, seen = looked
    heads = seen.model.heads
    assert len(heads.heads) <= len(heads.model.every_head) / 4
    steered, draws = seen.steered(heads), seen.random(heads)
    assert steered > 0.85
    assert np.max(draws) < 0.3
    assert seen.every(heads) <= steered + 0.05
    assert seen.unsteered() <= 1 / 6


def test_the_heads_look_where_they_are_pointed(looked):
    _, seen = looked
    natural, acted = seen.mass(seen.model.heads)
    assert acted > max(0.6, natural + 0.3)


def test_the_head_set_says_what_it_is_worth(looked):
    _, seen = looked
    evidence = seen.model.heads.evidence
    assert evidence["worth"]["verdict"] == "found"
    assert evidence["verdict"].startswith("found")


def test_discovery_finds_the_heads_again(looked, tmp_path):
    name, seen = looked
    write_comics(tmp_path, 3, 8, *SIZES[name], fresh=False)
    found = discover(seen.model, Options(comics=tmp_path, strips=8, calibration=0, readers=0))
    assert found.trust is not None
    assert found.trust.verdict.startswith("found")
    gaze = set(found.ranking.heads[: found.trust.gaze_heads])
    assert gaze <= set(seen.model.heads.heads)
