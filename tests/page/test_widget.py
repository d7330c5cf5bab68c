"""The widget of notebooks in a real browser: what is drawn reaches Python, and what Python says is drawn."""

import threading

import lookhere
import pytest
from lookhere.comics import generate_strip

pytest.importorskip("anywidget")
from notebook_host import Host

VIEW = "document.querySelector('body > div > div').shadowRoot"
DONE = f"{VIEW}.querySelector('.status').textContent.includes('First word')"
STRIP = generate_strip(7)
WIDE, HIGH = STRIP.image.size


@pytest.fixture(scope="module")
def scene():
    with lookhere.load() as model:
        yield model.look(STRIP.image)


@pytest.fixture
def shown(browser, scene):
    """Shows a widget; what fails in the browser fails the test."""
    pages, wrong = [], []

    def show(style="", **options):
        page = browser.new_page(viewport={"width": 900, "height": 700})
        pages.append(page)
        page.set_default_timeout(15_000)
        page.on("pageerror", lambda error: wrong.append(str(error)))
        page.on("console", lambda told: told.type == "error" and wrong.append(told.text))
        return Host(page, lambda: lookhere.notebook.Widget(scene, max_tokens=30, **options), style)

    yield show
    for page in pages:
        page.close()
    assert wrong == []


def place(host, x, y):
    """On the screen, of a place in parts of the image."""
    box = host.page.locator("#stage").first.bounding_box()
    return box["x"] + box["width"] * x, box["y"] + box["height"] * y


def text(host, selector):
    return host.page.evaluate(f"{VIEW}.querySelector('{selector}').textContent").strip()


def test_a_click_is_a_panel_in_python_and_its_answer_comes_back(shown):
    host = shown(grid=(1, 6))
    assert host.widget.region is None
    host.page.mouse.click(*place(host, 1.5 / 6, 0.5))
    host.until(DONE)
    assert host.widget.region == lookhere.Panel(2, 6)
    assert host.widget.answer.text == STRIP.captions[1]
    assert text(host, ".answer") == STRIP.captions[1]
    words = host.page.locator(".word")
    assert any(
        "tint-" in each.get_attribute("class") and "tint-0" not in each.get_attribute("class") for each in words.all()
    )


def test_a_drag_is_a_box_of_the_same_pixels(shown):
    host = shown()
    host.page.mouse.move(*place(host, 0.5, 0.1))
    host.page.mouse.down()
    host.page.mouse.move(*place(host, 0.6, 0.5))
    host.page.mouse.move(*place(host, 4 / 6, 0.9))
    host.page.mouse.up()
    host.until(DONE)
    box = host.widget.region
    assert isinstance(box, lookhere.Box)
    found = (box.x0 / WIDE, box.y0 / HIGH, box.x1 / WIDE, box.y1 / HIGH)
    assert found == pytest.approx((0.5, 0.1, 4 / 6, 0.9), abs=0.01)
    assert host.widget.answer.steering.regions == (box,)
    assert text(host, ".answer") == STRIP.captions[3]


@pytest.mark.parametrize(
    ("region", "drawn", "told"),
    [
        (lookhere.Box(64, 0, 128, 64), "M64 0H128V64H64z", "Box 64, 0 to 128, 64"),
        (lookhere.Box.relative(0.5, 0, 1, 0.5), "M192 0H384V32H192z", "Box 192, 0 to 384, 32"),
        (lookhere.Panel(3, 6), "M128 0H192V64H128z", "Panel 3 of 6"),
        (lookhere.Polygon([(1, 2), (30, 4), (15, 50)]), "M1 2L30 4L15 50z", "Outline of 3 corners"),
        (lookhere.Point(70, 20), "M", "Point 70, 20"),
    ],
)
def test_a_region_of_python_is_drawn(shown, region, drawn, told):
    host = shown()
    host.widget.region = region
    host.until(f"told => {VIEW}.querySelector('#place').textContent === told", told)
    assert host.page.evaluate(f"{VIEW}.querySelector('.over').getAttribute('d')").startswith(drawn)
    host.until(DONE)


def test_words_tell_where_they_came_from(shown):
    host = shown(region=lookhere.Panel(4, 6))
    host.widget.ask()
    host.until(DONE)

    def dark(x):
        return host.page.evaluate(
            f"x => {{ const canvas = {VIEW}.querySelector('canvas');"
            "return canvas.getContext('2d').getImageData(x * canvas.width, canvas.height / 2, 1, 1).data[3]; }",
            x,
        )

    host.until(f"{VIEW}.querySelector('canvas').width > 0")
    host.page.wait_for_timeout(600)
    assert dark(3.5 / 6) < dark(0.5 / 6)  # the panel that was looked at lies in the light
    before = dark(0.5 / 6)
    host.page.locator(".word").last.hover()
    host.page.wait_for_timeout(600)
    assert dark(0.5 / 6) > before


def test_a_move_mid_sentence_goes_on_with_the_same_answer(shown, scene):
    host = shown(grid=(1, 6), region=lookhere.Panel(1, 6), follow="on")
    at_first, go = threading.Event(), threading.Event()
    send = host.widget.send

    def slow(content, buffers=None):
        send(content, buffers)
        if content["type"] == "chunk" and content["chunk"]["lookhere"].get("index") == 0:
            at_first.set()
            assert go.wait(20)

    host.widget.send = slow
    host.widget.ask()
    assert at_first.wait(20)
    host.until(f"{VIEW}.querySelectorAll('.word').length > 0")
    assert not host.page.locator("#stop").is_hidden()
    host.page.mouse.click(*place(host, 4.5 / 6, 0.5))
    host.page.wait_for_timeout(100)
    go.set()
    host.until(DONE)
    answer = host.widget.answer
    assert answer.steering.regions == (host.widget.region,) == (lookhere.Panel(5, 6),)
    assert text(host, ".answer") == answer.text.strip()
    before, after = STRIP.captions[0].split(), STRIP.captions[4].split()
    assert answer.text.split()[0] == before[0]
    assert answer.text.split()[-4:] == after[-4:]
    assert "moved once" in text(host, ".status")
    assert host.page.locator(".word.moved").count() == 1


def test_stop_keys_and_what_goes_wrong(shown):
    host = shown(grid=(1, 6), region=lookhere.Panel(1, 6))
    host.page.locator("#stage").focus()
    host.page.keyboard.press("ArrowRight")
    host.until(DONE)
    assert host.widget.region == lookhere.Panel(2, 6)
    host.widget.question = ""
    host.until(f"{VIEW}.querySelector('#question').value === ''")
    host.page.locator("#question").fill("What is it?")
    host.page.keyboard.press("Enter")
    host.until("model.get('question') === 'What is it?'")
    assert host.widget.wait(20).prompt == "What is it?"
    host.widget._options = {"temperature": -1}
    host.page.locator("#go").click()
    host.until(f"{VIEW}.querySelector('.status').classList.contains('wrong')")
    assert "temperature" in text(host, ".status")
    with pytest.raises(lookhere.OptionError, match="temperature"):
        host.widget.wait(1)


def test_a_second_view_shows_the_answer_that_was_made_before(shown):
    host = shown(style="body { background: #111; color: #eee }", region=lookhere.Panel(6, 6))
    host.widget.ask()
    host.until(DONE)
    host.render()
    second = "document.querySelectorAll('body > div')[1].firstChild.shadowRoot"
    host.until(f"{second}.querySelector('.answer').textContent.trim() === {host.widget.answer.text.strip()!r}")
    host.widget.region = lookhere.Panel(1, 6)  # both follow
    for view in (VIEW, second):
        host.until(f"{view}.querySelector('#place').textContent === 'Panel 1 of 6'")
        host.until(f"{view}.querySelector('.answer').textContent.trim() === {STRIP.captions[0]!r}")
    ink = host.page.evaluate(f"getComputedStyle({VIEW}.querySelector('.widget')).color")
    assert ink == "rgb(243, 239, 234)"  # dark, as the notebook is, though the system is light


def test_typing_is_no_command_of_the_notebook(shown):
    """JupyterLab would delete the cell at the second d, unless the element that it takes for the target forbids it."""
    host = shown()
    host.page.evaluate("document.addEventListener('keydown', (event) => (globalThis.target = event.target), true)")
    host.page.locator("#question").press("d")
    assert host.page.evaluate("target.dataset.lmSuppressShortcuts") == "true"
