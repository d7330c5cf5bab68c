"""The bias reaches the right cells: what heads see, and what follows from it, is what the pixels move."""

from __future__ import annotations

import os
import re
import warnings

import lookhere
import numpy as np
import pytest
from lookhere import HeadSet, Steering
from lookhere.families import family_of
from pairs import RECIPES, engine
from spots import covered, moved, noise, painted, spots, views

SIZES = {"square": (500, 500), "wide": (900, 300), "tiled": (1100, 800)}
if os.environ.get("CI"):  # time: the third runs wherever a person runs them
    SIZES.pop("square")
SHARE = 0.9
ATTENTION_LAYERS = {"qwen35": (1, 3), "lfm2": (1, 3), "nemotron_h_moe": (1, 3), "mimo2": (0, 2)}
"""Layers whose heads are steered, where they are not the first two. The others of these models remember all that they
read, or have sinks."""


def layers(family):
    """Two layers that have heads."""
    return ATTENTION_LAYERS.get(RECIPES[family.name].architecture, (0, 1))


def refused(family):
    """Why a family does not load; empty where it does."""
    known = family_of(RECIPES[family.name].projector)
    assert known is not None
    return known.refused


@pytest.fixture(scope="module")
def loaded(family):
    if refused(family):
        pytest.skip("it does not load")
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", lookhere.UnverifiedFamilyWarning)  # these tests are what verifies
        model = lookhere.load(family.model_path, mmproj=family.projector_path, threads=1)
    with model:
        yield model


def test_the_layers_that_it_names_are_those_that_can_be_steered(family, loaded):
    """No other one: whoever chooses heads is told by their place, before anything is computed."""
    session = engine.Session(family.model, context=64, threads=1)
    try:
        for layer in range(family.model.layers):
            if layer in family.model.attention_layers:
                session.set_heads([(layer, 0)])
            else:
                with pytest.raises(engine.EngineError, match=f"layer {layer}"):
                    session.set_heads([(layer, 0)])
                with pytest.raises(lookhere.HeadSetError, match="attention layers"):
                    HeadSet(loaded.facts, [(layer, 0)])
    finally:
        session.close()


def test_what_cannot_be_steered_is_refused_by_name_while_it_loads(family):
    if not refused(family):
        pytest.skip("it is steered, as the other tests show")
    with pytest.raises(lookhere.ProjectorError, match=re.escape(refused(family))):
        lookhere.load(family.model_path, mmproj=family.projector_path, threads=1)


def a_spot(seen, width, height, rng, number=0):
    """Pixels of a cell of one grid, or of the last one where it shows padding alone."""
    found = list(spots(seen[number].grid, width, height, 1, rng))
    return found[0] if found else next(iter(spots(seen[-1].grid, width, height, 1, rng)))


@pytest.mark.parametrize("size", SIZES)
def test_the_probes_steered_mass_lies_on_the_tokens_that_the_pixels_move(family, loaded, size):
    width, height = SIZES[size]
    rng = np.random.default_rng(1)
    pixels = noise(width, height)
    image = family.projector.encode(pixels)
    seen = views(image)
    box = a_spot(seen, width, height, rng)
    distance = moved(image.embeddings(), family.projector.encode(painted(pixels, [box], rng)).embeddings())
    heads = [(layer, head) for layer in layers(family) for head in (0, 2)]
    steering = Steering(HeadSet(loaded.facts, heads, mode="target_share", share=SHARE), box)
    answer = loaded.look(pixels).describe("What is there?", at=steering, max_tokens=2, steered_gaze=True)
    share = covered([box], seen)
    for step in answer.steps:
        assert len(step.steered_gaze) == len(seen)
        masses = [by_token(values, view) for values, view in zip(step.steered_gaze, seen, strict=True)]
        aimed = sum(mass[part >= 1 / 16].sum() for mass, part in zip(masses, share, strict=True))
        assert aimed > SHARE - 0.02
        # the tokens that the pixels moved, whatever coverage says
        hit = np.concatenate([distance[view.rows] for view in seen]) > 0.1 * distance.max()
        assert np.concatenate(masses)[hit].sum() > 0.9 * SHARE


def by_token(values, view):
    """(tokens,) the mass that each token's cell got. Tokens that share a cell get as much each."""
    values = np.asarray(values, np.float64).reshape(-1)
    count = np.bincount(view.cells[view.cells >= 0], minlength=view.grid.tokens)
    return np.where(view.cells >= 0, values[view.cells] / np.maximum(count[view.cells], 1), 0.0)


@pytest.mark.parametrize("size", SIZES)
def test_an_answer_that_sees_the_target_alone_depends_on_its_pixels_alone(family, size):
    """All heads move all attention to the target: what is changed elsewhere then leaves the logits as they are."""
    if RECIPES[family.name].architecture in ATTENTION_LAYERS:
        pytest.skip("its other layers see everything")
    if refused(family):
        pytest.skip("it does not load")
    width, height = SIZES[size]
    rng = np.random.default_rng(2)
    pixels = noise(width, height)
    image = family.projector.encode(pixels)
    seen = views(image)
    box = a_spot(seen, width, height, rng)
    elsewhere = noise(width, height, 1) // 2
    margin = [2 * max(getattr(view.grid, f"token_{side}") for view in seen) for side in ("width", "height")]
    rows = slice(max(0, int(box.y0 - margin[1])), int(box.y1 + margin[1]) + 1)
    cols = slice(max(0, int(box.x0 - margin[0])), int(box.x1 + margin[0]) + 1)
    elsewhere[rows, cols] = pixels[rows, cols]
    here = painted(pixels, [box], rng)
    same, other, changed = (target_only(family, each, box) for each in (pixels, elsewhere, here))
    assert np.linalg.norm(changed - same) > 0.1 * np.linalg.norm(same)
    assert np.linalg.norm(other - same) < 0.2 * np.linalg.norm(changed - same)


def target_only(family, pixels, box):
    """The logits after an image and a question of which every head sees the target alone."""
    image = family.projector.encode(pixels)
    seen = views(image)
    question = family.model.tokenize("What is there?", parse_special=False)
    session = engine.Session(family.model, context=image.tokens + len(question) + 64, threads=1)
    try:
        session.set_heads([(layer, head) for layer in range(family.model.layers) for head in range(family.model.heads)])
        session.steer(list(targets(image, box, seen)), kind="target_share", share=1.0)
        session.decode_image(image)
        session.decode(question, outputs=[len(question) - 1])
        return session.logits()
    finally:
        session.close()


def targets(image, box, seen):
    """The spans of an image that is decoded first, weighted by what the box covers."""
    position, number = 0, 0
    for part in image.parts:
        if part.kind == "image":
            grid = seen[number].grid
            weights = lookhere.tokens.coverage.coverage([box], [each.grid for each in seen])[number]
            yield engine.Span(position, grid.rows, grid.cols, weights, part.cells)
            number += 1
        position += part.positions
