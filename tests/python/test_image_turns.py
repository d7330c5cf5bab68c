"""Image and region are turned, flipped or scaled together: the coverage follows; and photographs come upright."""

import io

import numpy as np
import pytest
from hypothesis import assume, given, settings
from hypothesis import strategies as st
from lookhere import Box, Mask, Polygon
from lookhere.images.image import Image
from lookhere.tokens.coverage import coverage
from lookhere.tokens.grid import TokenGrid
from PIL import Image as pillow

STORED = {
    1: lambda upright: upright,
    2: lambda upright: upright[:, ::-1],
    3: lambda upright: upright[::-1, ::-1],
    4: lambda upright: upright[::-1],
    5: lambda upright: upright.swapaxes(0, 1),
    6: np.rot90,
    7: lambda upright: np.rot90(upright.swapaxes(0, 1), 2),
    8: lambda upright: np.rot90(upright, -1),
}
"""How a camera of each orientation stores what is seen upright."""

FORMATS = {
    "PNG": {}, "JPEG": {"quality": 95, "subsampling": 0}, "WEBP": {"lossless": True}, "TIFF": {},
}  # fmt: skip


@st.composite
def places(draw):
    """(width, height, box) of a white box of whole pixels on black."""
    width, height = draw(st.integers(2, 60)), draw(st.integers(2, 60))
    x0, y0 = draw(st.integers(0, width - 1)), draw(st.integers(0, height - 1))
    return width, height, Box(x0, y0, draw(st.integers(x0 + 1, width)), draw(st.integers(y0 + 1, height)))


def drawn(width, height, box):
    pixels = np.zeros((height, width), np.uint8)
    pixels[int(box.y0) : int(box.y1), int(box.x0) : int(box.x1)] = 255
    return pixels


def file_of(pixels, kind, orientation):
    exif = pillow.Exif()
    exif[0x0112] = orientation
    file = io.BytesIO()
    pillow.fromarray(np.ascontiguousarray(pixels)).save(file, kind, exif=exif, **FORMATS[kind])
    return file.getvalue()


def grid_of(width, height, rows, cols):
    return TokenGrid(rows, cols, 0, 0, width, height)


def grid_for(place, rows, cols):
    """A grid whose tokens are not far larger than the box. Of one that covers less than 1/16 of each token, a single
    token is taken; which of several equal ones is another question."""
    width, height, box = place
    grid = grid_of(width, height, rows, cols)
    assume(box.x1 - box.x0 >= grid.token_width / 2 and box.y1 - box.y0 >= grid.token_height / 2)
    return grid


@settings(max_examples=40)
@given(
    places(), st.sampled_from(sorted(STORED)), st.sampled_from(sorted(FORMATS)), st.integers(1, 5), st.integers(1, 5)
)
def test_a_box_on_the_upright_picture_covers_what_is_seen_there(place, orientation, kind, rows, cols):
    """The box is given as seen; the mask is read out of the picture as stored. Both cover the same tokens."""
    width, height, box = place
    grid = grid_for(place, rows, cols)
    data = file_of(STORED[orientation](drawn(width, height, box)), kind, orientation)
    taken = pillow.open(io.BytesIO(data))
    for source in (data, io.BytesIO(data), taken, *([taken.convert("RGB")] if kind != "TIFF" else [])):
        image = Image.open(source)
        assert (image.width, image.height) == (width, height)
        seen = Mask(image.pixels[:, :, 1] > 127)
        assert (seen.bounds.x0, seen.bounds.y0, seen.bounds.x1, seen.bounds.y1) == (box.x0, box.y0, box.x1, box.y1)
        assert Mask.open(source).bounds.corners == box.corners or kind == "JPEG"
        (of_box,), (of_mask,) = coverage([box], [grid]), coverage([seen], [grid])
        np.testing.assert_allclose(of_box, of_mask, atol=1e-5)


TURNS = {
    "flipped": (lambda a: a[:, ::-1], lambda x, y, w, h: (w - x, y)),
    "upside down": (lambda a: a[::-1], lambda x, y, w, h: (x, h - y)),
    "half a turn": (lambda a: a[::-1, ::-1], lambda x, y, w, h: (w - x, h - y)),
    "anticlockwise": (np.rot90, lambda x, y, w, h: (y, w - x)),
    "clockwise": (lambda a: np.rot90(a, -1), lambda x, y, w, h: (h - y, x)),
}


@given(places(), st.sampled_from(sorted(TURNS)), st.integers(1, 6), st.integers(1, 6))
def test_turned_together_the_coverage_is_turned(place, turn, rows, cols):
    width, height, box = place
    values, where = TURNS[turn]
    pixels = values(drawn(width, height, box))
    (before,) = coverage([box], [grid_for(place, rows, cols)])
    image = Image.open(pixels)
    xs, ys = zip(*(where(x, y, width, height) for x, y in ((box.x0, box.y0), (box.x1, box.y1))), strict=True)
    moved = Box(min(xs), min(ys), max(xs), max(ys))
    outline = Polygon([where(x, y, width, height) for x, y in box.corners])
    grid = grid_of(image.width, image.height, *values(before).shape)
    for region in (moved, outline, Mask(image.pixels[:, :, 0] > 0)):
        (after,) = coverage([region], [grid])
        np.testing.assert_allclose(after, values(before), atol=1e-5)


@given(places(), st.integers(1, 5), st.integers(1, 6), st.integers(1, 6))
def test_scaled_together_the_coverage_stays(place, times, rows, cols):
    width, height, box = place
    large = pillow.fromarray(drawn(width, height, box)).resize(
        (width * times, height * times), pillow.Resampling.NEAREST
    )
    image = Image.open(large)
    scaled = Box(*(each * times for each in (box.x0, box.y0, box.x1, box.y1)))
    (before,) = coverage([box], [grid_for(place, rows, cols)])
    for region in (scaled, Mask(image.pixels[:, :, 0] > 0)):
        (after,) = coverage([region], [grid_of(image.width, image.height, rows, cols)])
        np.testing.assert_allclose(after, before, atol=1e-5)


@pytest.mark.parametrize("orientation", sorted(STORED))
def test_a_scene_covers_the_same_tokens_whichever_way_it_was_stored(model, orientation):
    upright = np.zeros((32, 96), np.uint8)
    upright[:16, 64:] = 255
    scene = model.look(file_of(STORED[orientation](upright), "PNG", orientation))
    (covered,) = scene.coverage(Box(64, 0, 96, 16))
    assert np.argwhere(covered).tolist() == [[0, 4], [0, 5]]


def test_a_photo_turned_by_hand_keeps_its_tag():
    """Pillow's rotate keeps the tag, so that it is turned again, as viewers would; the docs say so."""
    upright = drawn(40, 20, Box(0, 0, 10, 10))
    taken = pillow.open(io.BytesIO(file_of(STORED[6](upright), "JPEG", 6)))
    assert Image.open(taken.rotate(-90, expand=True)).height == 40
    turned = taken.rotate(-90, expand=True)
    del turned.getexif()[0x0112]
    assert Image.open(turned).height == 20
