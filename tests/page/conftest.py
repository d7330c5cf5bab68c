"""A server of the built-in model and a headless browser; without either, these tests are skipped.

LOOKHERE_BROWSER=firefox or webkit runs them in that browser. The system's Firefox ESR 153 needs playwright==1.57: later
ones ask it for what it does not know yet. What no WebDriver can play is skipped.
"""

from __future__ import annotations

import shutil
from importlib.util import find_spec
from pathlib import Path

import pytest
from on_page import BROWSER, Served, answered

collect_ignore_glob = [] if find_spec("fastapi") and find_spec("playwright") else ["test_*.py"]

NAMES = {"chromium": ("chromium", "chromium-browser", "google-chrome"), "firefox": ("firefox", "firefox-esr")}
"""The system's; where it has none, the one that ``playwright install`` fetches is taken."""


@pytest.fixture(scope="session")
def served():
    found = Served("serve")
    yield found
    found.stop()


@pytest.fixture(scope="module")  # while it is open an event loop runs, which other tests may not find
def browser():
    from playwright.sync_api import Error, sync_playwright

    path = next(filter(None, map(shutil.which, NAMES.get(BROWSER, ()))), None)
    options = {"args": ["--no-sandbox"]} if BROWSER == "chromium" else {}
    if BROWSER == "firefox" and path:
        mouse = {"ui.primaryPointerCapabilities": 6, "ui.allPointerCapabilities": 6}  # none, while it has no window
        options |= {"channel": "moz-firefox", "firefox_user_prefs": mouse}  # over WebDriver BiDi
    with sync_playwright() as playwright:
        try:
            found = getattr(playwright, BROWSER).launch(executable_path=path, **options)
            found.new_context().close()
        except Error as error:
            pytest.skip(f"no browser: {error}")
        yield found
        found.close()


@pytest.fixture
def opened(browser, served, tmp_path):
    """Opens the page; what it says in the console, and where it fails, fails the test. script: what runs before it."""
    contexts, wrong = [], []

    def open_page(url=None, wait=True, expected=(), script="", timeout=15_000, **options):
        if BROWSER != "chromium" and {"has_touch", "is_mobile", "permissions"} & set(options):
            pytest.skip(f"Playwright cannot play a {BROWSER} of this kind")
        context = browser.new_context(**{"viewport": {"width": 1280, "height": 900}, **options})
        contexts.append(context)
        page = context.new_page()
        page.set_default_timeout(timeout)
        page.on("pageerror", lambda error: wrong.append(str(error)))
        page.on(
            "console",
            lambda told: (
                told.type in ("error", "warning")
                and not any(each in told.text for each in expected)
                and wrong.append(told.text)
            ),
        )
        page.add_init_script(script)
        page.goto(url or served.url)
        if wait:
            answered(page)
        return page

    yield open_page
    for context in contexts:
        context.close()
    assert wrong == []


@pytest.fixture(scope="session")
def photo(tmp_path_factory) -> Path:
    """An image of another shape than the demo's: two panels one above the other."""
    from lookhere.comics import generate_strip
    from PIL import Image

    drawn = generate_strip(3, panels=4, panel_size=64, split="held_out", style="colour").image
    half = drawn.width // 2
    image = Image.new("RGB", (half, 2 * drawn.height))
    image.paste(drawn.crop((0, 0, half, drawn.height)), (0, 0))
    image.paste(drawn.crop((half, 0, 2 * half, drawn.height)), (0, drawn.height))
    path = tmp_path_factory.mktemp("photo") / "it's mine $5.png"
    image.save(path)
    return path
