"""Alt text for the images of a web page that have none.

    python examples/alt_text.py page.html -o new.html --model qwen3-vl-2b
    python examples/alt_text.py comics.html -o new.html --panels 6     # strips: what happens in each panel

The rest of the page stays as it is, byte for byte. An empty alt stays, too: it says that an image is for decoration.
"""

import argparse
import html
import sys
from html.parser import HTMLParser
from pathlib import Path
from urllib.parse import unquote, urlsplit

import lookhere


class Images(HTMLParser):
    """Finds images without alt: (where the tag begins, its src)."""

    def __init__(self, page):
        super().__init__()
        self.found = []
        self._starts = [0]
        for line in page.split("\n"):
            self._starts.append(self._starts[-1] + len(line) + 1)
        self.feed(page)
        self.close()

    def handle_starttag(self, tag, attrs):
        names = dict(attrs)
        if tag == "img" and names.get("src") and "alt" not in names:
            line, column = self.getpos()
            self.found.append((self._starts[line - 1] + column, names["src"]))


def source(src, page):
    """What the model looks at: a file beside the page, or an address as it is."""
    parts = urlsplit(src)
    return src if parts.scheme else page.parent / unquote(parts.path)


def alt_text(model, image, panels):
    """What is in an image, or in each panel of it."""
    scene = model.look(image)
    if panels == 1:
        return scene.describe().text
    answers = scene.describe_all([lookhere.Panel(k, panels) for k in range(1, panels + 1)])
    return " ".join(f"Panel {k}: {answer.text}" for k, answer in enumerate(answers, 1))


def main():
    parser = argparse.ArgumentParser(description="Fill in the alt text that a web page lacks.")
    parser.add_argument("page", type=Path)
    parser.add_argument("-o", "--output", type=Path, required=True)
    parser.add_argument("--panels", type=int, default=1, help="panels side by side in each image")
    parser.add_argument("--model", help="a GGUF file or a name  [default: the built-in model]")
    args = parser.parse_args()

    page = args.page.read_bytes().decode("utf-8")
    parts, at = [], 0
    with lookhere.load(args.model) as model:
        for start, src in Images(page).found:
            try:
                text = alt_text(model, source(src, args.page), args.panels)
            except lookhere.LookhereError as error:  # this image goes without, the others get theirs
                print(f"{src[:80]}: {error}", file=sys.stderr)
                continue
            print(f"{src[:80]}: {text}", flush=True)
            end = start + len("<img")
            parts += [page[at:end], f' alt="{html.escape(text)}"']
            at = end
    args.output.write_bytes("".join([*parts, page[at:]]).encode("utf-8"))


if __name__ == "__main__":
    main()
