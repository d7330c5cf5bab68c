"""fit="tile": an overview and tiles of a long image, on the families that see squares of one size.

As elsewhere here, pixels are changed and the tokens that move are compared with what coverage names.
"""

from __future__ import annotations

import os
import warnings

import lookhere
import numpy as np
import pytest
from lookhere import Box, HeadSet, Steering
from lookhere.families import family_of
from lookhere.images.tiles import count, rectangles
from pairs import RECIPES, Family, made
from spots import covered, moved, noise, painted, spots, views
from test_family_geometry import check
from test_family_steering import SHARE, by_token, layers

CONTEXT = 17 * 1024  # 13 views of the family with most tokens
SQUARES = [name for name, each in RECIPES.items() if family_of(each.projector).sees_squares and name != "llava-next"]
SIZES = {"wide": (900, 300), "odd": (311, 1000), "thin": (500, 1), "very long": (1900, 80)}
if os.environ.get("CI"):  # time: the others run wherever a person runs them
    SIZES, SQUARES = {"odd": SIZES["odd"]}, ["llava-1.5", "gemma3"]


@pytest.fixture(scope="module", params=SQUARES)
def family(request):
    pytest.importorskip("transformers", reason="pip install '.[reference]' makes the pairs")
    folder = made(request.param)
    return Family(request.param, folder / "model.gguf", folder / "mmproj.gguf")


@pytest.fixture(scope="module")
def model(family):
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", lookhere.UnverifiedFamilyWarning)
        loaded = lookhere.load(family.model_path, mmproj=family.projector_path, threads=1, fit="tile", context=CONTEXT)
    with loaded:
        yield loaded


def encoded(model, pixels):
    """The scene, its views and their embeddings."""
    scene = model.look(pixels)
    return scene, views(scene.encoded), scene.encoded.embeddings()


@pytest.mark.parametrize("size", SIZES)
def test_the_tokens_that_move_are_those_that_coverage_names(family, model, size):
    width, height = SIZES[size]
    rng = np.random.default_rng(3)
    pixels = noise(width, height)
    _, seen, before = encoded(model, pixels)
    tiles = rectangles(width, height, count(width, height))
    assert len(seen) == len(tiles) + 1 > 2
    for view, part in zip(seen, [(0, 0, width, height), *tiles], strict=True):
        assert (view.grid.x0, view.grid.y0, view.grid.x1, view.grid.y1) == pytest.approx(part)
    boxes = [box for part in tiles[::2] for box in within(part, seen, width, height, rng)]
    assert boxes
    check(family, seen, boxes, moved(before, encoded(model, painted(pixels, boxes, rng))[2]))


def within(part, seen, width, height, rng):
    """A spot of a tile that does not touch its neighbours: they see nothing of it, where else it would blur a pixel."""
    (view,) = (each for each in seen[1:] if (each.grid.x0, each.grid.y0) == pytest.approx(part[:2]))
    left, top = (place + 1 if place else 0 for place in part[:2])
    right, bottom = part[2] - (part[2] < width), part[3] - (part[3] < height)
    found = spots(view.grid, width, height, 20, rng)
    return [box for box in found if left <= box.x0 and top <= box.y0 and box.x1 <= right and box.y1 <= bottom][:1]


@pytest.mark.parametrize("where", ["within a tile", "across a border"])
def test_what_is_steered_lies_in_the_overview_and_in_all_tiles_that_show_it(model, family, where):
    width, height = 900, 300
    pixels = noise(width, height)
    box = Box(360, 90, 500, 220) if where == "within a tile" else Box(250, 90, 350, 220)
    scene, seen, before = encoded(model, pixels)
    distance = moved(before, encoded(model, painted(pixels, [box], np.random.default_rng(4)))[2])
    share = covered([box], seen)
    reached = [bool((each >= 0.25).any()) for each in share]
    assert reached == ([True, False, True, False] if where == "within a tile" else [True, True, True, False])
    heads = [(layer, head) for layer in layers(family) for head in (0, 2)]
    steering = Steering(HeadSet(model.facts, heads, mode="target_share", share=SHARE), box)
    answer = scene.describe("What is there?", at=steering, max_tokens=2, steered_gaze=True)
    for step in answer.steps:
        masses = [by_token(values, view) for values, view in zip(step.steered_gaze, seen, strict=True)]
        assert sum(mass[part >= 1 / 16].sum() for mass, part in zip(masses, share, strict=True)) > SHARE - 0.02
        assert all(mass.sum() > 0.01 for mass, there in zip(masses, reached, strict=True) if there)
        hit = np.concatenate([distance[view.rows] for view in seen]) > 0.1 * distance.max()
        assert np.concatenate(masses)[hit].sum() > 0.9 * SHARE
        place = step.steered_gaze.where().box
        assert place.x0 < box.x1
        assert place.x1 > box.x0


def test_fits_side_by_side_in_one_prompt(model, family):
    """Where each token lies in the prompt is known, whatever the images before it and after it take."""
    strip = noise(900, 300)
    scenes = [model.look(strip, fit=fit) for fit in ("stretch", "tile", "pad")]
    assert [len(scene.grids) for scene in scenes] == [1, 4, 1]
    content = [{"type": "image", "image": each} for each in scenes]
    messages = [{"role": "user", "content": [*content, {"type": "text", "text": "Which?"}]}]
    heads = [(layer, head) for layer in layers(family) for head in (0, 2)]
    at = Steering(
        HeadSet(model.facts, heads, mode="target_share", share=SHARE), lookhere.OnImage(Box(620, 0, 890, 300), 2)
    )
    answer = model.chat(messages, at=at, max_tokens=1, steered_gaze=True)
    (step,) = answer.steps
    assert [len(frame.grids) for frame in step.steered_gaze.frames] == [1, 4, 1]
    masses = [float(each.sum()) for each in step.steered_gaze]
    assert masses[1] + masses[4] > SHARE - 0.02  # the overview and the last tile
    assert step.steered_gaze.where().image == 2


def test_the_bound_on_tokens_holds(family, model):
    one = model.image_tokens(noise(300, 300))
    assert model.image_tokens(noise(900, 150)) == 7 * one
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", lookhere.UnverifiedFamilyWarning)
        bounded = lookhere.load(
            family.model_path, mmproj=family.projector_path, threads=1, fit="tile", max_image_tokens=5 * one - 1
        )
    with bounded:
        assert bounded.image_tokens(noise(900, 150)) == 4 * one
