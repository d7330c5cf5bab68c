"""What the page costs: no task takes the processor for so long that drawing and pointer stop.

Counted in processor time, as the browser's trace tells it; time on the wall says more of what else runs.
"""

import json

from on_page import SOCKET, answered, panel, spot

LONG = 50  # milliseconds, which browsers call long
WORDS = 1000

ENDLESS = """
    const cells = 32 * 32;
    const bytes = new Uint8Array(2 * cells).map((_, i) => (i % 2 ? 32 + (i % 7) : i % 251));
    const gaze = [{ shape: [32, 32], float16: btoa(String.fromCharCode(...bytes)) }];
    const grid = { rows: 32, cols: 32, rectangle: [0, 0, 384, 64] };
    const told = (index) => ({ index, move: 0, gaze, ...(index ? {} : { images: [{ grids: [grid] }] }) });
    answers.ask = (socket) => {
      clearInterval(socket.timer);
      socket.tell({ type: 'begun', id: 'x' });
      let index = 0;
      socket.timer = setInterval(() => {
        socket.token(index % 17 ? ` word${index}` : '\\n\\nWell,', told(index++));
        if (index < WORDS) return;
        clearInterval(socket.timer);
        socket.tell({ type: 'ended', id: 'x' });
      });
    };
"""
"""A server whose answers are long and have large maps; a model would take its time for them."""


def tasks(browser, page, act):
    """Milliseconds of processor time of each task of the page while something is done."""
    browser.start_tracing(page=page, categories=["disabled-by-default-devtools.timeline"])
    act()
    events = json.loads(browser.stop_tracing())["traceEvents"]
    names = {(each["pid"], each["tid"]): each["args"]["name"] for each in events if each["name"] == "thread_name"}
    found = [
        each["tdur"] / 1000
        for each in events
        if each["name"] == "RunTask" and names.get((each["pid"], each["tid"])) == "CrRendererMain" and "tdur" in each
    ]
    assert len(found) > 50
    return found


def test_the_pointer_moves(browser, opened):
    page = opened()

    def act():
        for number in (2, 5, 1, 6, 3, 4):
            page.mouse.move(*spot(page, *panel(number)), steps=6)
            page.wait_for_timeout(350)

    assert max(tasks(browser, page, act)) < LONG


def test_a_long_answer(browser, opened):
    page = opened(wait=False, timeout=120_000, script=SOCKET + ENDLESS.replace("WORDS", str(WORDS)))
    page.wait_for_function("() => document.querySelectorAll('#steered .word').length > 10")

    def act():
        for k in range(20):
            page.mouse.move(*spot(page, (k + 0.5) / 20, 0.5))
            page.wait_for_timeout(100)
        page.mouse.click(*spot(page, *panel(3)))
        page.wait_for_function("n => document.querySelectorAll('#steered .word').length === n", arg=WORDS)
        answered(page)
        page.locator("#markers button").click()  # opens it again

    found = tasks(browser, page, act)
    assert max(found) < LONG, sorted(found)[-10:]
