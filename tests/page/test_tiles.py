"""Models that see an image in tiles, with an overview: several maps of one image on the page."""

import json
import sys
from pathlib import Path

import numpy as np
import pytest
from on_page import Served, answered, panel, spot

ROOT = Path(__file__).resolve().parents[2]
TRAINED = ROOT / "tests/families/trained"

DARK = """() => {
    const { width, height } = document.querySelector('#light');
    const { data } = document.querySelector('#light').getContext('2d').getImageData(0, 0, width, height);
    const found = Array.from({ length: width * height }, (_, i) => data[4 * i + 3]);
    return [Math.min(...found), Math.max(...found)];
}"""
"""What the light leaves, from its brightest to its darkest place, in 255ths."""

READ = """async ([grids, maps, places]) => {
    const { Heat } = await import('/page/heat.js');
    const heat = new Heat(grids, maps);
    return places.map(([x, y]) => heat.at(x, y) / heat.most);
}"""


@pytest.fixture
def tiled(opened, tmp_path, request):
    """The page of a trained tiny model with a strip that it knows, its third panel pointed at; and what is there."""
    sys.path.append(str(ROOT / "tools/tiny"))
    from PIL import Image
    from world import strips

    name, size, options = request.param
    strip = next(strips(7, *size))
    path = tmp_path / "strip of mine.png"
    Image.fromarray(strip.pixels).save(path)
    model = TRAINED / name
    served = Served("serve", str(model / "model.gguf"), "--heads", str(model / "heads.json"), *options)
    try:
        page = opened(served.url, expected=("willReadFrequently",))  # of this test, which reads the canvas
        question = page.evaluate("async () => (await (await fetch('/page/facts.json')).json()).question")
        page.locator("#file").set_input_files(path)
        page.wait_for_function("name => document.querySelector('#image').alt === name", arg=path.name)
        page.locator("#question").fill(question)
        page.locator("#rows").fill("1")
        page.locator("#cols").fill("6")
        page.locator("input[name=tool][value=panel]").check()
        page.mouse.click(*spot(page, *panel(3)))
        page.wait_for_selector("#history li")
        yield page, strip.captions[2]
    finally:
        served.stop()


def kept(page):
    """Of the last answer that is kept, as the page saves it: the image's token grids, and the maps of each word."""
    with page.expect_download() as told:
        page.locator("#save-json").click()
    answer = json.loads(Path(told.value.path()).read_text())["answers"][-1]
    return answer["images"][0]["grids"], [word["maps"] for word in answer["gaze"]]


def as_in_python(page, grids, maps, width, height):
    """What the page makes of maps that overlap is what Python makes of them."""
    from lookhere.tokens.grid import TokenGrid
    from lookhere.tokens.joined import joined

    across, down = np.arange(width) + 0.5, np.arange(height) + 0.5
    known = [TokenGrid(each["rows"], each["cols"], *each["rectangle"]) for each in grids]
    values = [np.reshape(each["values"], (each["rows"], each["cols"])) for each in maps]
    wanted = joined(values, known, across, down)
    places = [[float(x), float(y)] for x in across[::7] for y in down[::5]]
    found = page.evaluate(READ, [grids, maps, places])
    wanted = [wanted[int(y), int(x)] / wanted.max() for x, y in places]
    assert found == pytest.approx(wanted, abs=1e-3)
    return found


@pytest.mark.parametrize("tiled", [("smolvlm", (192, 96), ())], indirect=True, ids=["smolvlm"])
def test_tiles_and_an_overview(tiled):
    page, caption = tiled
    assert answered(page) == caption
    grids, words = kept(page)
    assert len(grids) == 3  # two tiles and the overview
    for maps in words:
        found = as_in_python(page, grids, maps, 192, 96)
        assert max(found) > 5 * min(found)


@pytest.mark.parametrize("tiled", [("gemma3", (192, 64), ("--fit", "tile"))], indirect=True, ids=["gemma3"])
def test_tiles_that_were_asked_for(tiled):
    """The model was not trained to see tiles, so that only what the page makes of them can be right."""
    page, _ = tiled
    assert answered(page)
    grids, words = kept(page)
    assert len(grids) > 1
    as_in_python(page, grids, words[0], 192, 64)
    page.wait_for_timeout(600)  # the light comes to rest
    brightest, darkest = page.evaluate(DARK)
    assert brightest < 20
    assert darkest > 70
    page.locator("#copy").evaluate("details => { details.open = true; }")
    for language, told in (("python", 'fit="tile"'), ("shell", "--fit tile")):
        page.locator(f"input[name=language][value={language}]").check()
        code = page.locator("#code").text_content()
        assert told in code
        assert "heads.json" in code
