"""Comics of one's own: folders in the layout comicN/p1 to p6, with captions or without."""

from __future__ import annotations

import re
from collections.abc import Iterator
from pathlib import Path

from PIL import Image

from .. import checks
from ..errors import ComicsError
from .drawing.canvas import WHITE
from .generate import Strip

_PANEL = re.compile(r"p\d{1,6}\.(png|jpe?g|webp)", re.IGNORECASE)


def load_folder(path: str | Path, *, gap: int | None = None) -> Iterator[Strip]:
    """Strips of a folder in the layout comicN/p1..p6 (PNG, JPEG or WebP), with optional captions.txt.

    Panels of any size are joined to one horizontal strip at the lowest panel's height, with a white gap
    (default: 1/64 of the height, at least 2 pixels). captions.txt has one line per panel.
    ComicsError where there is no such folder or no comic in it, where a panel cannot be read, or the number of captions
    is not that of the panels; OptionError.
    """
    root = checks.path("load_folder: path", path, error=ComicsError)
    gap = None if gap is None else checks.whole("gap", gap, 0, 1000)
    try:
        yield from _strips(root, gap)
    except (OSError, ValueError) as error:  # Pillow's are among them
        name = checks.short(str(root), 300)
        raise ComicsError(f"The comics in {name} cannot be read: {checks.reason(error)}.") from error


def _strips(root: Path, gap: int | None) -> Iterator[Strip]:
    name = checks.short(str(root), 300)
    if not root.is_dir():
        raise ComicsError(f"{name} is not a folder; expected one with comicN/p1 to p6 inside.")
    found = False
    for folder in sorted((p for p in root.iterdir() if p.is_dir()), key=lambda p: _natural(p.name)):
        files = {int(f.stem[1:]): f for f in folder.iterdir() if _PANEL.fullmatch(f.name)}
        if files:
            found = True
            yield _join(folder, [files[number] for number in sorted(files)], gap)
    if not found:
        raise ComicsError(f"{name} has no comic in it; expected comicN/p1.png (or .jpg, .webp).")


def _join(folder: Path, files: list[Path], gap: int | None) -> Strip:
    panels = []
    for file in files:
        with Image.open(file) as opened:
            panels.append(opened.convert("RGB"))
    height = min(p.height for p in panels)
    panels = [
        p
        if p.height == height
        else p.resize((max(1, round(p.width * height / p.height)), height), Image.Resampling.LANCZOS)
        for p in panels
    ]
    space = max(2, height // 64) if gap is None else gap
    image = Image.new("RGB", (sum(p.width for p in panels) + space * (len(panels) - 1), height), WHITE)
    boxes, x = [], 0
    for p in panels:
        image.paste(p, (x, 0))
        boxes.append((x, 0, x + p.width, height))
        x += p.width + space
    captions: tuple[str, ...] = ()
    text = folder / "captions.txt"
    if text.is_file():
        captions = tuple(line.strip() for line in text.read_text(encoding="utf-8").splitlines() if line.strip())
        if len(captions) != len(panels):
            name = checks.short(str(text), 300)
            raise ComicsError(
                f"{name} has {len(captions)} captions for {len(panels)} panels; expected one line for each panel."
            )
    return Strip(image, captions, tuple(boxes), 1, len(panels), None)


def _natural(name: str) -> tuple[int, str]:
    digits = "".join(ch for ch in name if ch.isdigit())
    return (int(digits) if digits else -1, name)
