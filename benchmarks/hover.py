"""From a pointer that rests on the page of `lookhere serve` to the first word, in headless Chromium.

    python benchmarks/hover.py [--rounds 50] [--page RESULTS.md]

The built-in model in a process of its own. Each round moves the mouse to another panel of the demo strip. The page
waits 150 ms for a pointer to rest; they are part of the time. Ten more rounds are traced: how long the page's longest
task had the processor, which must be less than 50 ms. Needs `pip install '.[page-test]'` and a browser.
"""

from __future__ import annotations

import argparse
import json
import random
import re
import shutil
import subprocess
import sys
from pathlib import Path
from typing import Any

import page as results
from playwright.sync_api import sync_playwright
from ratio import median

WATCH = """() => {
    const stage = document.querySelector('#stage');
    stage.addEventListener('pointermove', () => { window.rested = performance.now(); window.word = null; });
    new MutationObserver((changes) => {
        if (changes.some((change) => change.addedNodes.length)) window.word ??= performance.now();
    }).observe(document.querySelector('#steered .answer'), { childList: true, subtree: true });
}"""
PANELS = 6


def measured(page: Any, rounds: int, seed: int) -> list[float]:
    """Milliseconds."""
    rng, found, before = random.Random(seed), [], 0
    box = page.locator("#stage").bounding_box()
    page.evaluate(WATCH)
    for _ in range(rounds):
        before = number = rng.choice([each for each in range(PANELS) if each != before])
        x = box["x"] + box["width"] * (number + rng.uniform(0.2, 0.8)) / PANELS
        page.mouse.move(x, box["y"] + box["height"] / 2, steps=4)
        page.wait_for_function("() => window.word && document.querySelector('#stop').hidden")
        found.append(page.evaluate("() => window.word - window.rested"))
        page.wait_for_timeout(150)
    return found


def longest(browser: Any, page: Any, rounds: int) -> float:
    """Milliseconds of processor time of the page's longest task."""
    browser.start_tracing(page=page, categories=["disabled-by-default-devtools.timeline"])
    measured(page, rounds, 1)
    events = json.loads(browser.stop_tracing())["traceEvents"]
    threads = {(each["pid"], each["tid"]): each["args"]["name"] for each in events if each["name"] == "thread_name"}
    mine = [each for each in events if threads.get((each["pid"], each["tid"])) == "CrRendererMain"]
    return max(each["tdur"] for each in mine if each["name"] == "RunTask") / 1000


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--rounds", type=int, default=50)
    parser.add_argument("--page", type=Path, default=results.PAGE, help="that is written; default: RESULTS.md here")
    args = parser.parse_args()
    command = [sys.executable, "-m", "lookhere", "serve", "--port", "0"]
    with subprocess.Popen(command, stderr=subprocess.PIPE, text=True) as server, sync_playwright() as playwright:
        try:
            assert server.stderr is not None
            address = re.search(r"http://[\d.:]+", server.stderr.readline())
            assert address, "the server does not serve"
            path = next(filter(None, map(shutil.which, ("chromium", "chromium-browser", "google-chrome"))), None)
            browser = playwright.chromium.launch(executable_path=path, args=["--no-sandbox"])
            page = browser.new_page(viewport={"width": 1280, "height": 900})
            page.goto(address[0])
            page.wait_for_function("() => document.querySelector('#plain .status').textContent.includes('First')")
            found = measured(page, args.rounds, 0)
            most = longest(browser, page, 10)
            browser.close()
        finally:
            server.kill()
    middle = sorted(found)
    text = results.table(
        (
            "from the last move to the first word, ms",
            "nine of ten within, ms",
            "longest task of the page, CPU ms",
        ),
        [(median(found), f"{middle[int(0.9 * len(middle))]:.0f}", f"{most:.0f}")],
    )
    results.write(
        "built-in: a pointer that rests",
        f"{args.rounds} rounds, of which 150 ms each are the page's wait.\n\n{text}",
        args.page,
    )


if __name__ == "__main__":
    main()
