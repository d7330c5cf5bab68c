"""Models that see an image in tiles, with an overview: several maps of one image on the page."""

import json
import sys
from pathlib import Path

import pytest
from on_page import Served, answered, panel, spot

ROOT = Path(__file__).resolve().parents[2]
TRAINED = ROOT / "tests/families/trained"

LIT = """() => {
    const { width, height } = document.querySelector('#light');
    const { data } = document.querySelector('#light').getContext('2d').getImageData(0, 0, width, height);
    const sums = Array(6).fill(0);
    for (let i = 0; i < width * height; i++) sums[Math.floor(((i % width) / width) * 6)] += data[4 * i + 3];
    return sums.map((each) => each / ((width * height) / 6));
}"""
"""How dark each of six panels is, in 255ths."""


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
    """The last answer that is kept, as the page saves it."""
    with page.expect_download() as told:
        page.locator("#save-json").click()
    return json.loads(Path(told.value.path()).read_text())["answers"][-1]


@pytest.mark.parametrize("tiled", [("smolvlm", (192, 96), ())], indirect=True, ids=["smolvlm"])
def test_tiles_and_an_overview(tiled):
    page, caption = tiled
    assert answered(page) == caption
    answer = kept(page)
    assert len(answer["gaze"][0]["maps"]) == 3  # two tiles and the overview
    page.wait_for_timeout(600)  # the light comes to rest
    dark = page.evaluate(LIT)
    assert min(dark) == dark[2]
    assert dark[2] < dark[0] - 20
    assert page.locator("#steered .word").evaluate_all("all => all.map(each => each.className)") != []
    page.mouse.move(*spot(page, *panel(3)))
    page.wait_for_function("() => document.querySelectorAll('#steered [data-here]').length >= 3")
    page.mouse.move(*spot(page, *panel(6)))
    page.wait_for_function("() => document.querySelectorAll('#steered [data-here]').length === 0")


@pytest.mark.parametrize("tiled", [("gemma3", (192, 64), ("--fit", "tile"))], indirect=True, ids=["gemma3"])
def test_tiles_that_were_asked_for(tiled):
    """The model was not trained to see tiles, so that only what the page makes of them can be right."""
    page, _ = tiled
    assert answered(page)
    assert len(kept(page)["gaze"][0]["maps"]) > 1
    page.wait_for_timeout(600)
    assert max(page.evaluate(LIT)) > 40
    page.locator("#copy").evaluate("details => { details.open = true; }")
    for language, told in (("python", 'fit="tile"'), ("shell", "--fit tile")):
        page.locator(f"input[name=language][value={language}]").check()
        code = page.locator("#code").text_content()
        assert told in code
        assert "heads.json" in code
