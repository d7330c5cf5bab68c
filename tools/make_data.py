"""Draws the training pool once: panels, large panels and free scenes, as arrays in a folder.

    python tools/make_data.py OUT [--panels 24000] [--large 2400] [--scenes 32000]

Only the training split: held-out (subject, action, place) combinations are never drawn here, nor an object on a place
that it is held out for. Half of the scenes have no place but a made-up backdrop, on which every object is drawn: what a
thing is must not be told from where it stands.
"""

from __future__ import annotations

import argparse
import json
import random
from multiprocessing import Pool
from pathlib import Path

import lookhere_source  # noqa: F401
import numpy as np
from lookhere.comics import draw_content, draw_panel, generate_scene, rng_for
from lookhere.comics.drawing.canvas import Canvas
from PIL import Image

STYLES = ("colour", "colour", "ink", "sepia")
SCENE_SIZES = ((160, 144), (160, 144), (192, 128), (128, 128), (256, 96), (144, 144))


def _panel(job: tuple[int, int]) -> tuple[np.ndarray, tuple[str, str, str], str]:
    seed, size = job
    rng = rng_for(seed, "training panel")
    style = STYLES[seed % 4]
    panel = draw_content(rng, style, "train")
    if seed % 5 == 0:  # drawn larger, then reduced, as a large image is on its way into the model
        image = draw_panel(panel, size * rng.choice((2, 3, 4)), style, rng).resize((size, size), Image.Resampling.BICUBIC)
    else:
        image = draw_panel(panel, size, style, rng)
    return np.asarray(image), panel.parts, style


def _made_up(c: Canvas, rng: random.Random) -> None:
    """A backdrop that is no place: a sky and a ground of any colours, with shapes of any kind on them."""

    def colour() -> tuple[int, int, int]:
        return rng.randrange(256), rng.randrange(256), rng.randrange(256)

    c.box(-2, -2, c.width + 2, 102, colour(), 0)
    if rng.random() < 0.7:
        c.box(-2, rng.uniform(20, 80), c.width + 2, 102, colour(), 0)
    shades = [colour() for _ in range(rng.randint(1, 4))]
    for _ in range(int(rng.choice((0, 3, 6, 12, 25)) * c.width / 100)):
        x, y, r, edge = rng.uniform(0, c.width), rng.uniform(0, 100), rng.uniform(1.5, 18), rng.choice((0, 1.2))
        with c.at(x, y, r, rng.uniform(0, 360)):
            shade, edge = rng.choice(shades), edge / r
            kind = rng.randrange(4)
            if kind == 0:
                c.oval(0, 0, 1, rng.uniform(0.4, 1), shade, edge)
            elif kind == 1:
                c.box(-1, -rng.uniform(0.3, 1), 1, 1, shade, edge)
            elif kind == 2:
                c.poly([(-1, 1), (rng.uniform(-1, 1), -1), (1, 1)], shade, edge)
            else:
                c.line([(-3, 0), (0, rng.uniform(-1, 1)), (3, 0)], rng.uniform(0.8, 2.5) / r, shade)


def _scene(seed: int) -> tuple[np.ndarray, list[tuple[str, tuple[int, int, int, int]]]]:
    size, style = SCENE_SIZES[seed % len(SCENE_SIZES)], STYLES[seed // len(SCENE_SIZES) % len(STYLES)]
    scene = generate_scene(seed, size=size, split="train", style=style, backdrop=_made_up if seed // 24 % 2 else None)
    return np.asarray(scene.image), list(scene.objects)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("out", type=Path)
    parser.add_argument("--panels", type=int, default=24000)
    parser.add_argument("--large", type=int, default=2400)
    parser.add_argument("--scenes", type=int, default=32000)
    args = parser.parse_args()
    args.out.mkdir(parents=True, exist_ok=True)
    with Pool(2) as pool:
        for name, count, size, start in (("small", args.panels, 62, 0), ("large", args.large, 140, 10**6)):
            pixels = np.empty((count, size, size, 3), np.uint8)
            parts, styles = [], []
            jobs = ((start + i, size) for i in range(count))
            for i, (image, worded, style) in enumerate(pool.imap(_panel, jobs, chunksize=64)):
                pixels[i] = image
                parts.append(worded)
                styles.append(style)
            np.save(args.out / f"{name}.npy", pixels)
            (args.out / f"{name}.json").write_text(json.dumps({"parts": parts, "styles": styles}))
        by_size: dict[str, list[np.ndarray]] = {}
        objects: dict[str, list[object]] = {}
        for image, found in pool.imap(_scene, range(args.scenes), chunksize=32):
            key = f"{image.shape[1]}x{image.shape[0]}"
            by_size.setdefault(key, []).append(image)
            objects.setdefault(key, []).append(found)
        for key, images in by_size.items():
            np.save(args.out / f"scenes_{key}.npy", np.stack(images))
        (args.out / "scenes.json").write_text(json.dumps(objects))


if __name__ == "__main__":
    main()
