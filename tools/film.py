"""The film of the README: the page of `lookhere serve` as a person uses it, frame by frame.

    python tools/film.py docs/page.webp

The real page in headless Chromium, asked by a real server of the built-in model in this process. Two things are not as
they are for a person. The page's clock stands still between frames, so that a slow machine makes the same film. And the
model says a token only every few frames, at the pace of a larger model, since its own answers are over before a hand
moves. Needs `pip install '.[page-test]'` and a browser.
"""

from __future__ import annotations

import argparse
import io
import shutil
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import lookhere
from lookhere.answers.run import Run
from lookhere.server.answering import Answering, Said
from lookhere.server.desk import Desk
from lookhere.server.program import Program, listening
from lookhere.server.settings import Settings
from PIL import Image
from playwright.sync_api import Page, sync_playwright

RATE = 12
"""Frames a second."""

WIDTH, HEIGHT = 920, 560
QUALITY = 72
SETTLE = 0.15
"""Seconds in which what the server said reaches the page, at each frame."""

POINTER = """() => {
    const svg = (kind, values) => {
        const found = document.createElementNS('http://www.w3.org/2000/svg', kind);
        for (const [name, value] of Object.entries(values)) found.setAttribute(name, value);
        return found;
    };
    const arrow = svg('svg', { id: 'arrow', viewBox: '0 0 24 24', width: 30, height: 30 });
    arrow.append(svg('path', {
        d: 'M3 2v17.5l4.6-4.3 2.9 6.8 3.2-1.4-2.9-6.6h6.4z',
        fill: '#111', stroke: '#fff', 'stroke-width': 1.6, 'stroke-linejoin': 'round',
    }));
    Object.assign(arrow.style, {
        position: 'fixed', left: '-3.5px', top: '-2.5px', zIndex: 99, pointerEvents: 'none',
        filter: 'drop-shadow(0 1px 2px rgb(0 0 0 / 0.45))',
    });
    document.body.append(arrow);
}"""
HELD = ".status { visibility: hidden } * { transition: none !important }"
"""Times of a clock that stands still say nothing."""


class Pace:
    """Lets a run say a token only after some frames. every: so many; 0 while nothing is filmed."""

    def __init__(self) -> None:
        self.every = 0
        self._frame = 0
        self._changed = threading.Condition()
        plain = Answering._said

        def paced(answering: Answering, run: Run) -> Iterator[Said]:
            tokens = plain(answering, run)
            while True:
                self._wait()  # what is pointed at meanwhile counts for the next token
                said = next(tokens, None)
                if said is None:
                    return
                yield said

        Answering._said = paced  # type: ignore[method-assign]

    def _wait(self) -> None:
        with self._changed:
            begun = self._frame
            self._changed.wait_for(lambda: self._frame >= begun + self.every or not self.every)

    def frame(self) -> None:
        with self._changed:
            self._frame += 1
            self._changed.notify_all()

    def free(self) -> None:
        with self._changed:
            self.every = 0
            self._changed.notify_all()


class Film:
    """Frames, and where the pointer is."""

    def __init__(self, page: Page, pace: Pace) -> None:
        self.frames: list[tuple[Image.Image, int]] = []  # and milliseconds
        self._page, self._pace = page, pace
        self._x, self._y = WIDTH * 0.84, HEIGHT * 0.8

    def move(self, x: float, y: float, seconds: float, dip: float = 0.0) -> None:
        """As a hand does: it sets out and arrives slowly. dip: pixels that it goes below the straight line."""
        count, left, top = max(1, round(seconds * RATE)), self._x, self._y
        for k in range(1, count + 1):
            part = k / count
            part = part * part * (3 - 2 * part)
            self._x, self._y = left + (x - left) * part, top + (y - top) * part + 4 * dip * part * (1 - part)
            self._page.mouse.move(self._x, self._y)
            self._shoot()

    def rest(self, seconds: float) -> None:
        for _ in range(round(seconds * RATE)):
            self._shoot()

    def until(self, said: str, most: float = 5.0) -> None:
        """Until this is said."""
        answer = self._page.locator("#steered .answer")
        for _ in range(round(most * RATE)):
            found = answer.text_content() or ""
            if said in found:
                return
            self._shoot()
        raise SystemExit(f"{said!r} was not said within {most} s of film, but {found!r}")

    def _shoot(self) -> None:
        self._page.evaluate(
            "([x, y]) => { document.querySelector('#arrow').style.translate = `${x}px ${y}px`; }", [self._x, self._y]
        )
        self._pace.frame()
        time.sleep(SETTLE)
        self._page.clock.run_for(1000 // RATE)
        shot = Image.open(io.BytesIO(self._page.screenshot())).convert("RGB")
        if self.frames and self.frames[-1][0].tobytes() == shot.tobytes():
            shot, before = self.frames.pop()
        else:
            before = 0
        self.frames.append((shot, before + 1000 // RATE))


@contextmanager
def serving() -> Iterator[str]:
    """Where a server of the built-in model is."""
    settings = Settings(port=0)
    with lookhere.load(threads=1) as model, listening(settings) as listener:
        desk = Desk(model, settings, "lookhere")
        program = Program(desk)
        thread = threading.Thread(target=program.run, kwargs={"sockets": [listener]}, daemon=True)
        thread.start()
        try:
            yield f"http://127.0.0.1:{listener.getsockname()[1]}"
        finally:
            program.should_exit = program.force_exit = True
            thread.join(30)
            desk.close()


def play(page: Page, film: Film, pace: Pace) -> None:
    """What is seen."""
    stage = page.locator("#stage").bounding_box()
    assert stage is not None

    def panel(number: float, down: float = 0.6) -> tuple[float, float]:
        return stage["x"] + stage["width"] * (number - 0.5) / 6, stage["y"] + stage["height"] * down

    def word(text: str) -> tuple[float, float]:
        box = page.locator("#steered .word", has_text=text).bounding_box()
        assert box is not None, text
        return box["x"] + box["width"] * 0.5, box["y"] + box["height"] * 0.7

    pace.every = 2
    film.rest(0.3)
    film.move(*panel(6), 0.8)
    film.until("Panda paints a picture in the city at night.")
    film.rest(0.5)
    pace.every = 6
    film.move(*panel(1.3), 1.0, dip=stage["height"])  # below the other panels
    film.until("Frog")
    film.move(*panel(1.75), 0.2)  # mid-sentence
    film.move(*panel(2), 0.2)
    film.until("kicks")
    pace.every = 2
    film.until("Frog kicks a ball in the snow.")
    film.rest(0.5)
    film.move(*word("kicks"), 0.8)
    film.rest(0.5)
    film.move(*word("ball"), 0.3)
    film.rest(0.6)
    film.move(*word("snow"), 0.5)
    film.rest(1.4)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("out", type=Path)
    parser.add_argument("--frames", type=Path, metavar="FOLDER", help="keep them, to be looked at")
    args = parser.parse_args()
    pace = Pace()
    path = next(filter(None, map(shutil.which, ("chromium", "chromium-browser", "google-chrome"))), None)
    with serving() as url, sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=path, args=["--no-sandbox"])
        page = browser.new_page(viewport={"width": WIDTH, "height": HEIGHT}, bypass_csp=True)
        page.set_default_timeout(120_000)
        page.clock.install(time=0)
        page.goto(url)
        answered = "of => document.querySelector(of + ' .status').textContent.includes('First')"
        for each in ("#steered", "#plain"):
            page.wait_for_function(answered, arg=each)
        page.locator("input[name=follow][value=on]").evaluate("each => { each.checked = true; }")
        page.add_style_tag(content=HELD)
        page.evaluate(POINTER)
        page.clock.pause_at(3_600_000)
        film = Film(page, pace)
        try:
            play(page, film, pace)
        finally:
            pace.free()
            browser.close()
            if args.frames:
                args.frames.mkdir(parents=True, exist_ok=True)
                for number, (picture, _) in enumerate(film.frames):
                    picture.save(args.frames / f"{number:03}.png")
    pictures, times = [each for each, _ in film.frames], [each for _, each in film.frames]
    pictures[0].save(
        args.out, save_all=True, append_images=pictures[1:], duration=times, loop=0, quality=QUALITY, method=6
    )
    print(f"{args.out}: {sum(times) / 1000:.1f} s, {len(pictures)} frames, {args.out.stat().st_size / 2**20:.2f} MiB")


if __name__ == "__main__":
    main()
