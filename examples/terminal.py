"""An image in the terminal, and a box that the arrow keys move: the answer follows, in mid-sentence.

    python examples/terminal.py strip.png

Arrows move the box, + and - size it, q ends. Needs a terminal of 24-bit colours, as nearly all are (Linux and macOS).
"""

import argparse
import os
import re
import select
import sys
import termios
import textwrap
import tty

import lookhere
import numpy as np

MOVES = {"\x1b[A": (0, -1), "\x1b[B": (0, 1), "\x1b[C": (1, 0), "\x1b[D": (-1, 0)}


class Target:
    """A box of an image that is moved in steps of half its size."""

    def __init__(self, width, height):
        self.width, self.height = width, height
        self.side = min(width, height)
        self.x = self.y = 0

    def move(self, keys):
        """Whether the keys moved or sized it."""
        before = (self.x, self.y, self.side)
        for key in keys:
            scale = {"+": 1.25, "-": 0.8}.get(key, 1)
            self.side = max(8, min(self.width, self.height, round(self.side * scale)))
            dx, dy = MOVES.get(key, (0, 0))
            self.x = max(0, min(self.width - self.side, self.x + dx * self.side // 2))
            self.y = max(0, min(self.height - self.side, self.y + dy * self.side // 2))
        return before != (self.x, self.y, self.side)

    @property
    def box(self):
        return lookhere.Box(self.x, self.y, self.x + self.side, self.y + self.side)


def blocks(pixels, target, columns, lines):
    """The image as half blocks, two pixels in a character; dark where the box is not."""
    height, width = pixels.shape[:2]
    scale = max(width / columns, height / (2 * lines))
    across, down = int(width / scale), int(height / scale) // 2 * 2
    xs, ys = (np.arange(across) * scale).astype(int), (np.arange(down) * scale).astype(int)
    shown = pixels[ys][:, xs].astype(int)
    in_x = (xs >= target.x) & (xs < target.x + target.side)
    in_y = (ys >= target.y) & (ys < target.y + target.side)
    shown[~(in_y[:, None] & in_x)] //= 3
    rows = []
    for upper, lower in zip(shown[::2], shown[1::2], strict=True):
        cells = [
            f"\x1b[38;2;{r};{g};{b};48;2;{R};{G};{B}m▀"
            for (r, g, b), (R, G, B) in zip(upper.tolist(), lower.tolist(), strict=True)
        ]
        rows.append("".join(cells) + "\x1b[0m\x1b[K")
    return rows


def draw(pixels, target, text):
    columns, lines = os.get_terminal_size()
    rows = blocks(pixels, target, columns, lines - 4)
    words = textwrap.wrap(text, columns - 1)[-3:] or [""]
    sys.stdout.write("\x1b[H" + "\r\n".join([*rows, *(f"{line}\x1b[K" for line in words)]) + "\x1b[J")
    sys.stdout.flush()


def keys_pressed(seconds):
    """The keys that are pressed in time; one that is held down comes several times at once."""
    if not select.select([sys.stdin], [], [], seconds)[0]:
        return []
    return re.findall(r"\x1b\[[A-Z]|.", os.read(sys.stdin.fileno(), 1024).decode(errors="replace"))


def look(scene, target):
    """Until q is pressed: an answer, whose target moves with the keys; a new one for each move after its end."""
    pixels = np.asarray(scene.image.pixels)
    while True:
        text = ""
        with scene.stream(at=target.box) as run:
            for step in run:
                text += step.text
                draw(pixels, target, text)
                keys = keys_pressed(0)
                if "q" in keys:
                    return
                if target.move(keys) and run.finish is None:
                    run.look_at(target.box)  # the next word is about the new place
        draw(pixels, target, text)
        while True:
            keys = keys_pressed(None)
            if "q" in keys:
                return
            if target.move(keys):
                break


def main():
    parser = argparse.ArgumentParser(description="Point at an image in the terminal.")
    parser.add_argument("image")
    parser.add_argument("--model", help="a GGUF file or a name  [default: the built-in model]")
    args = parser.parse_args()
    with lookhere.load(args.model) as model:
        scene = model.look(args.image)
        before = termios.tcgetattr(sys.stdin)
        sys.stdout.write("\x1b[?1049h\x1b[?25l")  # another screen, no cursor
        try:
            tty.setcbreak(sys.stdin)
            look(scene, Target(scene.width, scene.height))
        except KeyboardInterrupt:
            pass
        finally:
            termios.tcsetattr(sys.stdin, termios.TCSADRAIN, before)
            sys.stdout.write("\x1b[?25h\x1b[?1049l")


if __name__ == "__main__":
    main()
