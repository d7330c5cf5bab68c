"""Pointing on the page: with the mouse, a finger, the keyboard."""

import pytest
from on_page import CAPTIONS, SOCKET, answered, panel, spot


def test_the_answer_follows_the_pointer(opened):
    page = opened()
    assert page.locator("#place").text_content() == "Panel 1 of 6"
    assert answered(page) == CAPTIONS[0]
    assert page.locator("#hint").text_content() == "Move over the image: the answer follows."
    for number in (3, 6, 2):
        page.mouse.move(*spot(page, *panel(number)), steps=3)
        assert answered(page, CAPTIONS[number - 1][:5]) == CAPTIONS[number - 1]
    assert page.locator("#hint").is_hidden()
    assert page.locator("#plain .answer").text_content().strip() in CAPTIONS


def test_a_pointer_that_passes_asks_nothing(opened, served):
    import urllib.request

    def count():
        with urllib.request.urlopen(f"{served.url}/metrics") as answer:
            text = answer.read().decode()
        return sum(float(line.split()[-1]) for line in text.splitlines() if line.startswith("lookhere_answers_total"))

    page = opened()
    page.wait_for_function("() => document.querySelector('#plain .status').textContent")
    before = count()
    page.mouse.move(*spot(page, 0.01, 0.5))
    page.mouse.move(*spot(page, 0.99, 0.5), steps=30)
    assert answered(page, "Panda") == CAPTIONS[5]
    page.wait_for_timeout(400)
    assert count() - before <= 2


def test_a_click_pins_and_lets_go(opened):
    page = opened()
    page.mouse.click(*spot(page, *panel(4)))
    answered(page, "Rabbit")
    page.mouse.move(*spot(page, *panel(2)))
    page.wait_for_timeout(500)
    assert answered(page) == CAPTIONS[3]
    assert page.locator("#history li").count() == 1
    page.mouse.click(*spot(page, *panel(4)))
    page.mouse.move(*spot(page, *panel(2)))
    assert answered(page, "Dog") == CAPTIONS[1]


@pytest.mark.parametrize("tool", ["panel", "spot", "box"])
def test_a_box_is_dragged(opened, tool):
    page = opened()
    page.locator(f"input[name=tool][value={tool}]").check()
    page.mouse.move(*spot(page, 0.34, 0.02))
    page.mouse.down()
    page.mouse.move(*spot(page, 0.49, 0.98), steps=5)
    page.mouse.up()
    assert answered(page, "Elephant") == CAPTIONS[2]
    assert page.locator("#place").text_content().startswith("Box 130")


def test_an_outline_is_drawn(opened):
    page = opened()
    page.locator("input[name=tool][value=outline]").check()
    page.mouse.move(*spot(page, 0.52, 0.05))
    page.mouse.down()
    for x, y in ((0.65, 0.05), (0.65, 0.95), (0.52, 0.95), (0.52, 0.1)):
        page.mouse.move(*spot(page, x, y), steps=12)
    page.mouse.up()
    assert answered(page, "Rabbit") == CAPTIONS[3]
    assert 4 <= int(page.locator("#place").text_content().split()[2]) <= 8


def test_a_point_is_tapped(opened):
    page = opened(has_touch=True)
    page.locator("input[name=tool][value=point]").check()
    page.touchscreen.tap(*spot(page, *panel(6)))
    answered(page)
    assert page.locator("#place").text_content().startswith("Point 352, 32 ")


def test_a_finger_picks_a_panel(opened):
    page = opened(has_touch=True, viewport={"width": 390, "height": 844})
    page.touchscreen.tap(*spot(page, *panel(5)))
    assert answered(page, "Two") == CAPTIONS[4]


def test_the_keyboard_alone(opened):
    page = opened()
    page.locator("#stage").focus()
    for _ in range(2):
        page.keyboard.press("ArrowRight")
    page.keyboard.press("Enter")
    assert answered(page, "Elephant") == CAPTIONS[2]
    page.wait_for_function("() => document.querySelector('#live').textContent.includes('Panel 3 of 6: Elephant')")
    page.locator("input[name=tool]:checked").focus()
    page.keyboard.press("ArrowRight")  # to the spot
    page.locator("#stage").focus()
    before = page.locator("#place").text_content()
    page.keyboard.press("Shift+ArrowRight")
    sized = page.locator("#place").text_content()
    page.keyboard.press("ArrowRight")
    moved = page.locator("#place").text_content()
    assert len({before, sized, moved}) == 3
    assert all(each.startswith("Box ") for each in (before, sized, moved))


def test_words_and_places_tell_of_each_other(opened):
    page = opened(expected=("willReadFrequently",))  # of this test, which reads the canvas
    page.mouse.click(*spot(page, *panel(3)))
    answered(page, "Elephant")
    tints = page.locator("#steered .word").evaluate_all("all => all.map(each => each.className)")
    assert sum("tint-8" in each or "tint-7" in each for each in tints) >= 4
    page.mouse.move(*spot(page, *panel(3)))
    page.wait_for_function("() => document.querySelectorAll('#steered [data-here]').length >= 4")
    page.mouse.move(*spot(page, *panel(6)))
    page.wait_for_function("() => !document.querySelector('#steered [data-here]')")
    dark = "() => document.querySelector('#light').getContext('2d').getImageData({}, 40, 1, 1).data[3]"
    page.locator("#steered .word", has_text="book").hover()
    page.wait_for_timeout(900)
    width = page.evaluate("() => document.querySelector('#light').width")
    assert page.evaluate(dark.format(int(width * 0.9))) > 150
    assert page.evaluate(dark.format(int(width * 0.42))) < 90


@pytest.mark.parametrize("follow", ["on", "again"])
def test_the_place_moves_mid_sentence(opened, follow):
    """All heads never come to an end, which gives a pointer the time to move."""
    page = opened()
    page.locator(f"input[name=follow][value={follow}]").check()
    page.locator("#tokens").fill("3000")
    page.locator("input[name=arm][value=all]").check()
    page.wait_for_function("() => document.querySelectorAll('#steered .word').length > 20")
    page.mouse.move(*spot(page, *panel(5)))
    page.wait_for_timeout(1500)
    assert page.locator("#stop").is_visible()
    page.locator("#stop").click()
    page.wait_for_function("() => document.querySelector('#steered .status').textContent.includes('stopped')")
    status = page.locator("#steered .status").text_content()
    moved = page.locator("#steered .word.moved")
    assert ("the place moved once" in status) == (follow == "on")
    assert moved.count() == (1 if follow == "on" else 0)
    page.locator("#copy").evaluate("details => { details.open = true; }")
    assert ("run.look_at(" in page.locator("#code").text_content()) == (follow == "on")


LATE = """
    const gaze = [{ shape: [1, 1], float16: 'ADw=' }];
    const images = [{ grids: [{ rows: 1, cols: 1, rectangle: [0, 0, 384, 64] }] }];
    answers.ask = (socket, data) => {
      socket.tell({ type: 'begun', id: 'x' });
      socket.token('One', { index: 0, move: 0, gaze, images });
      socket.token(' two', { index: 1, move: 0, gaze });
      socket.left = () => socket.tell({ type: 'ended', id: 'x' });
    };
    answers.look_at = (socket) => {
      socket.tell({ type: 'moved', id: 'x', move: ++socket.moves || (socket.moves = 1) });
      if (socket.moves === 1) return;
      if (TOO_LATE) socket.left();
      else for (const index of [2, 3]) socket.token(' more', { index, move: socket.moves, gaze });
    };
"""


@pytest.mark.parametrize("late", [True, False])
def test_a_move_that_comes_too_late_is_asked_about(opened, late):
    """Two moves between two tokens, the second one too late where no token obeys."""
    page = opened(wait=False, script=SOCKET + LATE.replace("TOO_LATE", str(late).lower()))
    page.wait_for_function("() => document.querySelectorAll('#steered .word').length === 2")
    page.evaluate("() => { document.querySelector('input[name=follow][value=on]').checked = true; }")
    for number in (2, 5):
        page.mouse.move(*spot(page, *panel(number)))
        page.wait_for_function("n => sent.filter((each) => each.type === 'look_at').length === n", arg=number // 2)
    places = "() => sent.filter((each) => each.type === 'ask' && each.lookhere.at).map((each) => each.lookhere.at.col)"
    if late:
        page.wait_for_function(f"() => ({places})().length === 2")
        assert page.evaluate(places) == [1, 5]
    else:
        page.wait_for_function("() => document.querySelectorAll('#steered .word').length === 4")
        assert page.locator("#steered .word.moved").count() == 1
        assert page.locator("#steered .status").text_content().count("the place moved once") == 1
        assert page.evaluate(places) == [1]
