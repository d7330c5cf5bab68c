"""What the tests of the page share."""

import os
import re
import subprocess
import sys

BROWSER = os.environ.get("LOOKHERE_BROWSER", "chromium")

CAPTIONS = (
    "Frog paints a picture on the beach.",
    "Dog kicks a ball in the snow.",
    "Elephant reads a book in the meadow.",
    "Rabbit eats ice cream in the desert.",
    "Two black cats eat ice cream in the snow.",
    "Panda paints a picture in the city at night.",
)

SOCKET = """
    const answers = {}; // what is done with each type of message: (socket, data) => ...
    window.sent = [];
    window.WebSocket = class extends EventTarget {
      static OPEN = 1;
      readyState = 1;
      constructor() {
        super();
        setTimeout(() => this.dispatchEvent(new Event('open')));
      }
      tell(data) {
        this.dispatchEvent(new MessageEvent('message', { data: JSON.stringify(data) }));
      }
      token(content, lookhere) {
        this.tell({ type: 'chunk', chunk: { choices: [{ delta: { content } }], lookhere } });
      }
      send(text) {
        const data = JSON.parse(text);
        sent.push(data);
        answers[data.type]?.(this, data);
      }
    };
"""
"""A connection within the page, whose server a test plays."""


class Served:
    """A process of ``lookhere``, and where it serves. arguments: of the command line."""

    def __init__(self, *arguments: str, **environment: str) -> None:
        self._command = [sys.executable, "-m", "lookhere", *arguments]
        self._environment = {**os.environ, **environment}
        self.start(0)

    def start(self, port: int) -> None:
        self.process = subprocess.Popen(
            [*self._command, "--port", str(port)], stderr=subprocess.PIPE, text=True, env=self._environment
        )
        assert self.process.stderr is not None
        told, found = "", None
        for line in self.process.stderr:  # warnings may stand before it
            told += line
            if found := re.search(r"http://127\.0\.0\.1:(\d+)", line):
                break
        assert found, told
        self.url, self.port = found[0], int(found[1])

    def stop(self) -> None:
        self.process.kill()
        self.process.communicate()


def answered(page, text=None):
    """Waits until an answer is whole, and gives it."""
    page.wait_for_function(
        "text => { const box = document.querySelector('#steered .answer');"
        "const status = document.querySelector('#steered .status').textContent;"
        "return status.includes('First word') && !box.classList.contains('waiting')"
        "&& (text === null || box.textContent.includes(text)); }",
        arg=text,
    )
    return page.locator("#steered .answer").text_content().strip()


def spot(page, x, y):
    """A place of the image on the screen, given in parts of it."""
    page.locator("#stage").scroll_into_view_if_needed()
    box = page.locator("#stage").bounding_box()
    return box["x"] + box["width"] * x, box["y"] + box["height"] * y


def panel(number):
    return (number - 0.5) / 6, 0.5
