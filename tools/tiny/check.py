"""Compares a tiny model in torch, as it is trained, with its GGUF pair in the engine: tokens, embeddings, logits
and answers.

python tools/tiny/check.py llava RUN PAIR       (lookhere must be installed)
"""

from __future__ import annotations

import argparse
import sys
import warnings
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import lookhere

sys.path.append(str(Path(__file__).resolve().parents[1]))

import asked
import numpy as np
import torch
import world
from kinds import KINDS
from lookhere.engine import compiled
from lookhere.lab.view import View
from lookhere.questions import ordinal
from packed import Packed
from seen import view_pixels
from shape import IMAGE


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("family", choices=KINDS)
    parser.add_argument("run", type=Path)
    parser.add_argument("pair", type=Path)
    parser.add_argument("--strips", type=int, default=6)
    args = parser.parse_args()
    torch.set_num_threads(1)
    family = KINDS[args.family]()
    family.model.load_state_dict(torch.load(args.run / "state.pt")["model"])
    family.model.eval()
    packed = Packed(family)
    warnings.simplefilter("ignore", lookhere.UnverifiedFamilyWarning)
    model = lookhere.load(args.pair / "model.gguf", mmproj=args.pair / "mmproj.gguf", threads=1)
    off, apart, right, agree = [], [], 0, 0
    for number, strip in zip(range(args.strips), world.strips(99, *family.size), strict=False):
        scene = model.look(strip.pixels)
        k = number % world.PANELS
        text = ordinal(k, world.PANELS)
        items = View(scene, text).layout().items
        theirs = [token for item in items for token in ([item] if isinstance(item, int) else _tokens(item))]
        ours = [*family.before, *family.words.tokens(text), *family.after]
        if theirs != ours:
            shown = [t if t == IMAGE else family.words.vocabulary.tokens[t] for t in theirs if t != IMAGE]
            wanted = [family.words.vocabulary.tokens[t] for t in ours if t != IMAGE]
            raise SystemExit(f"other tokens:\n{shown}\nexpected\n{wanted}\n{len(theirs)} {len(ours)}")
        with torch.no_grad():
            pixels = torch.from_numpy(strip.pixels)[None]
            image = family.connect(torch.cat([family.see(view_pixels(pixels, v)) for v in family.views], 1))
            slot = asked._slot(family.words, family.after, family.end, _Never(), [text], [strip.parts], [k], True)
            hidden = packed.hidden(image, [slot], blind=False)[0][0]
            logits = family.logits(hidden[0])[slot.start :]
            said = logits.argmax(-1)
        embedded = scene.encoded.embeddings()
        own = image[0].numpy()
        off.append((float(np.abs(embedded - own).max()), float(np.abs(own).max())))
        theirs_logits = _logits(model, items)
        apart.append((float(np.abs(theirs_logits - logits[0].numpy()).max()), float(logits[0].abs().max())))
        answer = scene.describe(text, max_tokens=12, gaze=False).text
        mine = slot.targets[0, slot.start :]
        right += answer == strip.captions[k]
        agree += (answer == strip.captions[k]) == bool((said == mine).all())
        if number < 3:
            print(repr(answer), strip.captions[k], " ".join(family.words.vocabulary.tokens[t] for t in said))
    print(f"embeddings differ by at most {max(a for a, _ in off):.4f} of {max(b for _, b in off):.2f}")
    print(f"logits after the prompt differ by at most {max(a for a, _ in apart):.3f} of {max(b for _, b in apart):.1f}")
    print(f"{right} of {args.strips} answers right; torch and engine agree on {agree}")


def _logits(model: lookhere.LoadedModel, items: Sequence[Any]) -> np.ndarray:
    """The engine's, at the last token of a prompt."""
    session = compiled().Session(model.native, context=512, threads=1)
    try:
        last = len(items) - 1
        for number, item in enumerate(items):
            if isinstance(item, int):
                session.decode([item], outputs=[0] if number == last else [])
            else:
                session.decode_image(item)
        return np.array(session.logits()).reshape(-1)
    finally:
        session.close()


def _tokens(image: object) -> list[int]:
    parts = image.parts  # type: ignore[attr-defined]
    return [token for part in parts for token in (part.text if part.kind == "text" else [IMAGE] * part.tokens)]


class _Never:
    """A random number generator by which no word is led astray."""

    def random(self) -> float:
        return 1.0


if __name__ == "__main__":
    main()
