"""What is under the cursor, spoken: for a screen reader, or for whoever points and listens.

    python examples/under_cursor.py strip.png 96,32 352,32    # these places, one after another
    python examples/under_cursor.py strip.png                 # lines "x y" of standard input: the newest counts

Speaks with espeak-ng where it is installed, and prints in any case.
"""

import argparse
import shutil
import subprocess
import sys
import threading

import lookhere


def around(scene, x, y):
    """A box around a place, a twelfth of the image's longer side wide, cut at its edges."""
    reach = max(scene.width, scene.height) / 24
    return lookhere.Box(max(0, x - reach), max(0, y - reach), min(scene.width, x + reach), min(scene.height, y + reach))


def speak(text):
    """Begins to speak; None where nothing can."""
    program = shutil.which("espeak-ng")
    if program is None or not text:
        return None
    voice = subprocess.Popen([program, "--stdin"], stdin=subprocess.PIPE)
    voice.stdin.write(text.encode())
    voice.stdin.close()
    return voice


def place(text):
    """(x, y) from 'x,y' or 'x y'."""
    x, y = text.replace(",", " ").split()
    return float(x), float(y)


class Pointer:
    """Where a pointer is, told by lines "x y"; only the newest counts."""

    def __init__(self, lines):
        self.now, self.ended = None, False
        self.changed = threading.Condition()
        threading.Thread(target=self.follow, args=(lines,), daemon=True).start()

    def follow(self, lines):
        for line in lines:
            if line.strip():
                with self.changed:
                    self.now = place(line)
                    self.changed.notify()
        with self.changed:
            self.ended = True
            self.changed.notify()

    def places(self):
        """Each place that is new by the time it is asked for."""
        while True:
            with self.changed:
                self.changed.wait_for(lambda: self.now or self.ended)
                found, self.now = self.now, None
            if found is None:
                return
            yield found


def main():
    parser = argparse.ArgumentParser(description="Say what is under the cursor.")
    parser.add_argument("image")
    parser.add_argument("places", nargs="*", type=place, metavar="X,Y", help="in pixels; without any, lines of stdin")
    parser.add_argument("--model", help="a GGUF file or a name  [default: the built-in model]")
    args = parser.parse_args()
    pointer = None if args.places else Pointer(sys.stdin)

    with lookhere.load(args.model) as model:
        scene, voice = model.look(args.image), None
        for x, y in pointer.places() if pointer else args.places:
            if voice and pointer:
                voice.terminate()  # the pointer went on: nobody wants to hear the rest
            elif voice:
                voice.wait()
            text = ""
            with scene.stream(at=around(scene, x, y)) as run:
                for step in run:
                    text += step.text
                    if pointer and pointer.now:
                        break
            print(f"{x:g},{y:g}: {text}", flush=True)
            voice = speak(text)
        if voice:
            voice.wait()


if __name__ == "__main__":
    main()
