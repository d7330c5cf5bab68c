"""Zoom: which window is enlarged, and that regions and gaze stay in pixels of the whole image."""

import lookhere
import numpy as np
import pytest
from hypothesis import assume, given
from hypothesis import strategies as st
from lookhere import Box, HeadSetMissingError, Mask, Panel, Point, Polygon, RegionError, Steering, Weighted
from lookhere.image import Image
from lookhere.lab.arms import Zoomed
from lookhere.lab.evaluation import Options, evaluate
from lookhere.lab.experiments import on_sheets
from lookhere.lab.judging import Exact
from lookhere.lab.page import page
from lookhere.lab.report import TOKEN_SIZES, markdown
from lookhere.lab.sheet import sheet
from lookhere.tokens.grid import TokenGrid
from lookhere.tokens.zoom import LEAST, MOST, enlarged, in_image, window
from planted_engine import GAZE

GRID = TokenGrid(9, 10, 0, 0, 160, 144)  # tokens of 16 x 16


def test_by_hand():
    # 24 wide is the lesser: 3 tokens of 16 are twice that
    assert window([Box(68, 60, 92, 84)], [GRID], 160, 144) == Box(40, 36, 120, 108)
    assert window([Box(0, 0, 24, 24)], [GRID], 160, 144) == Box(0, 0, 80, 72)  # moved into the image
    assert window([Box(136, 120, 160, 144)], [GRID], 160, 144) == Box(80, 72, 160, 144)
    assert window([Box(20, 20, 68, 68)], [GRID], 160, 144) is None  # 3 x 3 tokens
    assert window([Box(0, 60, 160, 64)], [GRID], 160, 144) is None  # nothing is narrower that holds it
    assert window([Point(80, 72)], [GRID], 160, 144).area == pytest.approx(160 * 144 / 9)  # as a token
    assert window([Box(80, 72, 80.1, 72.1)], [GRID], 160, 144).area == pytest.approx(160 * 144 / MOST**2)
    # the finest grid counts; together two far places are large
    assert window([Box(20, 20, 44, 44)], [GRID, TokenGrid(18, 20, 0, 0, 160, 144)], 160, 144) is None
    assert window([Box(0, 0, 8, 8), Box(120, 120, 128, 128)], [GRID], 160, 144) is None


def test_every_kind_of_region():
    mask = np.zeros((144, 160), bool)
    mask[60:84, 68:92] = True
    outline = Polygon([(68, 60), (92, 60), (80, 84)])
    for region in (Box(68, 60, 92, 84), Mask(mask), outline, Weighted(outline, 0.5)):
        assert window([region], [GRID], 160, 144) == Box(40, 36, 120, 108)


@given(st.integers(16, 500), st.integers(16, 500), st.integers(2, 30), st.integers(2, 30), st.data())
def test_windows_hold_the_region_and_have_the_shape_of_the_image(width, height, rows, cols, data):
    x0, x1 = sorted(data.draw(st.lists(st.floats(0, width), min_size=2, max_size=2)))
    y0, y1 = sorted(data.draw(st.lists(st.floats(0, height), min_size=2, max_size=2)))
    assume(x1 - x0 > 1e-3)
    assume(y1 - y0 > 1e-3)
    region = Box(x0, y0, x1, y1)
    grid = TokenGrid(rows, cols, 0, 0, width, height)
    part = window([region], [grid], width, height)
    if part is None:
        return
    part = part.on(width + 1e-6, height + 1e-6)
    assert part.x0 >= -1e-6
    assert part.x0 <= x0 + 1e-6
    assert x1 <= part.x1 + 1e-6
    assert part.y0 <= y0 + 1e-6
    assert y1 <= part.y1 + 1e-6
    times = width / (part.x1 - part.x0)
    assert height / (part.y1 - part.y0) == pytest.approx(times)
    assert LEAST <= times <= MOST + 1e-6
    # the region is as large as was wanted, or the window could not be smaller
    seen = in_image(grid, part, width, height)
    across, down = (x1 - x0) / seen.token_width, (y1 - y0) / seen.token_height
    full = max(1.2 * (x1 - x0) / (part.x1 - part.x0), 1.2 * (y1 - y0) / (part.y1 - part.y0))
    assert min(across, down) >= 3 - 1e-6 or full >= 1 - 1e-6 or times == pytest.approx(MOST)


def test_pixels_and_grids_of_a_window():
    pixels = np.zeros((40, 80, 3), np.uint8)
    pixels[10:30, 20:60] = 200
    found = enlarged(Image(pixels, "it"), Box(20, 10, 60, 30))
    assert found.shape == pixels.shape
    assert (found[4:-4, 4:-4] == 200).all()  # the edge is mixed with what is beyond it
    grid = in_image(TokenGrid(4, 8, -2, 0, 82, 40), Box(20, 10, 60, 30), 80, 40)
    assert grid == TokenGrid(4, 8, 19, 10, 61, 30)


def test_an_answer_about_a_window(model):
    """The fake model says which of its tokens is looked at; tokens are 16 pixels of what it is given."""
    scene = model.look(np.random.default_rng(0).integers(0, 255, (64, 96, 3), np.uint8))
    small = Box(60, 36, 76, 44)
    assert scene.describe(at=small).text.startswith("row 2, column 4")  # token 4 takes most of it
    zoomed = scene.zoom(small)
    assert zoomed.part.area == pytest.approx(19.2 * 12.8)  # 5 times: 16 pixels and a margin are the width
    assert (zoomed.width, zoomed.height) == (96, 64)
    assert "96 x 64 pixels, 58,34,78,46 of it, 4 x 6 tokens" in repr(zoomed)
    answer = scene.describe(at=small, zoom=True)
    assert answer.text == zoomed.describe(at=small).text != scene.describe(at=small).text
    assert answer.frame == zoomed.frame
    assert answer.where().box.on(96, 64).area < zoomed.part.area
    assert zoomed.part.x0 <= answer.where().box.x0 < answer.where().box.x1 <= zoomed.part.x1 + 1e-9
    assert model.projector.encoded == 2  # the window is found again by its pixels


def test_where_nothing_is_enlarged(model):
    scene = model.look(np.zeros((64, 96, 3), np.uint8))
    assert scene.zoom(Box(0, 0, 60, 60)) is scene
    large = scene.describe(at=Box(0, 0, 60, 60), zoom=True)
    assert large.frame == scene.frame
    assert scene.describe(zoom=True).frame == scene.frame  # no region, nothing to enlarge
    zoomed = scene.zoom(Point(48, 32))
    assert zoomed.zoom(Point(48, 32)) is zoomed


def test_several_windows_and_a_steering(model):
    scene = model.look(np.zeros((64, 96, 3), np.uint8))
    at = [Box(0, 0, 8, 8), Box(0, 0, 60, 60), Steering(model.heads, Box(80, 50, 90, 60)), None]
    together = scene.describe_all(at, zoom=True)
    single = [scene.describe(at=each, zoom=True) for each in at]
    assert [each.text for each in together] == [each.text for each in single]
    assert [each.frame for each in together] == [each.frame for each in single]
    assert len({each.frame for each in together}) == 3


def test_places_that_a_window_does_not_show(model):
    scene = model.look(np.zeros((64, 96, 3), np.uint8)).zoom(Box(0, 0, 8, 8))
    for wrong in (Box(80, 50, 90, 60), Point(90, 60), Panel(6, 6)):
        for ask in (scene.coverage, scene.target, lambda region: scene.stream(at=region)):
            with pytest.raises(RegionError, match="outside"):
                ask(wrong)
    with scene.stream(at=Box(0, 0, 8, 8)) as run:
        next(run)
        with pytest.raises(RegionError, match="outside"):
            run.look_at(Box(80, 50, 90, 60))
    with pytest.raises(RegionError, match="leaves the image"):
        scene.zoom(Box(80, 50, 100, 60))
    model.heads = None
    with pytest.raises(HeadSetMissingError):
        scene.describe(at=Box(0, 0, 8, 8), zoom=True)


def test_the_builtin_model_sees_a_small_object_better(builtin):
    """An image of four scenes is reduced to the model's tokens: objects of one or two; enlarged they have three."""
    from lookhere.comics import generate_scene
    from lookhere.questions import OBJECT
    from PIL import Image as pillow

    sheet = pillow.new("RGB", (320, 288))
    boxes = []
    for k in range(4):
        free = generate_scene(900 + k, split="train")
        x, y = k % 2 * 160, k // 2 * 144
        sheet.paste(free.image, (x, y))
        for label, box in free.objects[:2]:
            boxes.append((label, Box(box[0] + x, box[1] + y, box[2] + x, box[3] + y)))
    scene = builtin.look(sheet)
    whole, zoomed = (
        sum(scene.describe(OBJECT, at=box, zoom=zoom, max_tokens=12, gaze=False).text == label for label, box in boxes)
        for zoom in (False, True)
    )
    assert zoomed >= max(whole, len(boxes) // 3)  # by chance it would be about one; the figures are by evaluate
    assert isinstance(scene.zoom(boxes[0][1]), lookhere.Scene)


def test_sheets_and_the_arm_that_zooms(planted_model):
    picture = sheet(planted_model, 0, 0)
    assert (picture.scene.width, picture.scene.height) == (320, 288)
    assert len(picture.places) == 8
    assert all(1 < picture.image_tokens(place.box) < 20 for place in picture.places)
    place = picture.places[0]
    view = Zoomed(GAZE).view(picture, place, "What?")
    assert view.scene is Zoomed(GAZE).view(picture, place, "Who?").scene is picture.zoomed(place.box)
    assert view.at.regions == (place.box,)
    assert [each.arm for each in on_sheets(GAZE, ("small",))] == [
        "unsteered", "gaze heads", "gaze heads, zoomed", "cropped to the place",
    ]  # fmt: skip
    assert [each.arm for each in on_sheets(None, ("small",))] == ["unsteered", "cropped to the place"]
    assert on_sheets(GAZE, ("boxes",)) == []


def test_small_objects_in_an_evaluation(planted_model):
    """The planted model knows no sheets: everything is something else, of one size or the other."""
    small = Options(strips=1, seen=0, controls=0, maps=0, examples=0, panel_size=64, protocols=("small",))
    found = evaluate(planted_model, small, judges=[Exact()])
    gaze = found.find("small", "gaze heads, zoomed")
    assert gaze.asked == 8
    assert sum(gaze.of_tokens(least, most).asked for _, least, most in TOKEN_SIZES) == 8
    assert "## Boxes by size in image tokens" in markdown(found)
    assert "| box on a small object, gaze heads, zoomed |" in markdown(found)
    assert "in image tokens" in page(found)
