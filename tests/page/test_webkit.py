"""A person's way through the page in WebKitGTK, Safari's nearest on Linux. Debian: webkit2gtk-driver, xvfb."""

import json
import os
import shutil
import subprocess
import time
import urllib.request

import pytest
from on_page import CAPTIONS, panel

pytestmark = pytest.mark.skipif(
    not (shutil.which("WebKitWebDriver") and shutil.which("Xvfb")), reason="WebKitWebDriver or Xvfb is not installed"
)

LISTEN = """
    window.wrong = [];
    addEventListener('error', (event) => wrong.push(event.message));
    addEventListener('unhandledrejection', (event) => wrong.push(`${event.reason}`));
    addEventListener('securitypolicyviolation', (event) => wrong.push(event.violatedDirective));
"""

RIGHT, ENTER = "\ue014", "\ue007"
DOWN, UP = {"type": "pointerDown", "button": 0}, {"type": "pointerUp", "button": 0}


class WebKit:
    """MiniBrowser on a display of its own, asked over WebDriver."""

    def __init__(self):
        command = ["Xvfb", "-displayfd", "1", "-nolisten", "tcp"]
        self._display = subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL, text=True)
        port = 20000 + os.getpid() % 20000
        self._address = f"http://127.0.0.1:{port}"
        display = {"DISPLAY": f":{self._display.stdout.readline().strip()}", "LIBGL_ALWAYS_SOFTWARE": "1"}
        environment = os.environ | display | {"WEBKIT_DISABLE_SANDBOX_THIS_IS_DANGEROUS": "1"}  # no user namespaces
        command = ["WebKitWebDriver", f"--port={port}"]
        self._driver = subprocess.Popen(command, env=environment, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)

    def begin(self):
        self.wait(self._is_up)
        self._session = f"/session/{self._send('POST', '/session', {'capabilities': {}})['sessionId']}"
        self.post("/window/rect", x=0, y=0, width=1200, height=860)

    def _is_up(self):
        try:
            return self._send("GET", "/status")
        except OSError:
            return False

    def _send(self, method, path, body=None):
        data = None if body is None else json.dumps(body).encode()
        request = urllib.request.Request(
            self._address + path, data, {"Content-Type": "application/json"}, method=method
        )
        with urllib.request.urlopen(request, timeout=60) as answer:
            return json.load(answer)["value"]

    def wait(self, done, seconds=90):
        end = time.monotonic() + seconds
        while not (found := done()):
            assert time.monotonic() < end, "it did not come to be"
            time.sleep(0.1)
        return found

    def post(self, path, **body):
        return self._send("POST", self._session + path, body)

    def run(self, code, *arguments):
        return self.post("/execute/sync", script=code, args=arguments)

    def until(self, code, *arguments):
        return self.wait(lambda: self.run(f"return {code}", *arguments))

    def pointer(self, *places, drag=False):
        """Moves over places of the image, given in parts of it; pressed from the first to the last where it drags."""
        code = "const { x, y, width, height } = arguments[0].getBoundingClientRect(); return [x, y, width, height]"
        box = self.run(code, self.find("#stage"))
        at = [(round(box[0] + box[2] * x), round(box[1] + box[3] * y)) for x, y in places]
        moves = [{"type": "pointerMove", "duration": 60, "x": x, "y": y, "origin": "viewport"} for x, y in at]
        steps = [moves[0], DOWN, *moves[1:], UP] if drag else moves
        self.post("/actions", actions=[{"type": "pointer", "id": "mouse", "actions": steps}])

    def keys(self, *keys):
        steps = [{"type": kind, "value": key} for key in keys for kind in ("keyDown", "keyUp")]
        self.post("/actions", actions=[{"type": "key", "id": "keys", "actions": steps}])

    def find(self, selector):
        return self.post("/element", using="css selector", value=selector)

    def text(self, selector):
        return self.run("return document.querySelector(arguments[0]).textContent", selector)

    def answered(self, text):
        self.until("document.querySelector('#steered .answer').textContent.includes(arguments[0])", text)
        self.until("document.querySelector('#steered .status').textContent.includes('First word')")
        return self.text("#steered .answer").strip()

    def close(self):
        self._driver.terminate()  # ends the browser, too
        self._driver.wait(20)
        self._display.terminate()
        self._display.communicate()


@pytest.fixture
def webkit():
    found = WebKit()
    try:
        found.begin()
        yield found
    finally:
        found.close()


def test_a_persons_way(webkit, served, photo):
    webkit.post("/url", url=served.url)
    webkit.run(LISTEN)
    assert webkit.answered("Frog") == CAPTIONS[0]
    webkit.pointer(panel(3))
    assert webkit.answered("Elephant") == CAPTIONS[2]
    webkit.run("document.querySelector('input[name=tool][value=box]').click()")
    webkit.pointer((0.51, 0.02), (0.6, 0.5), (0.66, 0.98), drag=True)
    assert webkit.answered("Rabbit") == CAPTIONS[3]
    assert webkit.text("#place").startswith("Box 19")
    webkit.run("document.querySelector('input[name=tool][value=panel]').click()")
    webkit.run("document.querySelector('#stage').focus()")
    webkit.keys(RIGHT, RIGHT, ENTER)
    assert webkit.answered("Panda") == CAPTIONS[5]
    assert webkit.run("return document.querySelectorAll('#history li').length") == 2
    dark = "document.querySelector('#light').getContext('2d').getImageData(20, 20, 1, 1).data[3]"
    webkit.until(f"{dark} > 60")  # the first panel
    field = next(iter(webkit.find("#file").values()))
    webkit.post(f"/element/{field}/value", text=str(photo))
    webkit.until("document.querySelector('#image').alt === arguments[0]", photo.name)
    webkit.until("document.querySelector('#place').textContent.startsWith('Box 48, 48')")
    webkit.until("document.querySelector('#steered .status').textContent.includes('First word')")
    webkit.run("arguments[0].value = ''", webkit.find("#question"))
    webkit.run("arguments[0].focus()", webkit.find("#question"))
    webkit.keys(*"why and why and " * 12)
    hidden = "const { clientHeight, scrollHeight } = arguments[0]; return scrollHeight - clientHeight"
    assert webkit.run(hidden, webkit.find("#question")) <= 1  # all of it is seen
    assert webkit.run("return wrong") == []
    webkit.run("document.head.append(Object.assign(document.createElement('style'), { textContent: 'p {}' }))")
    webkit.until("wrong.join().startsWith('style-src')")  # the policy holds, and what is wrong is heard
