"""Whether a picture is one that is drawn here: told by its colours, of which the drawings have 113."""

from __future__ import annotations

from typing import Literal, TypeAlias

import numpy as np
from numpy.typing import NDArray

from .drawing.canvas import STYLES, Colour, restyle

Kind: TypeAlias = Literal["strip", "scene"]

_HEX = """
121028 1c1820 1e283c 1e5ac8 222656 24683c 287832 28823c 2882d2 323238 3264e2 3278dc 3282dc 328c46 32a046 32aa50 34303c
3c2414 3c6edc 424270 46aa50 46b450 5a3c28 5abe64 5c5c6c 5c9660 5e8c4a 603a1e 60c04c 683e22 6e4224 6e4a2c 70401e 7080a0
782846 78461e 787882 78788c 78f0fa 7a48aa 825430 82ce5a 8c9cbe 8e8e9c 966038 96a0b2 96aac8 96d7fa a06432 a0683c a06e3c
a06e50 a0d6fa a0dc78 aa6e32 aa6e3c aadcfc ac6e3c b05418 b0cce8 babac4 be5ad2 c4283c c4e2c8 c8e6fa ce965c d6aa82 de3a34
de8232 de9646 deaa6e e23832 e2a454 e2ecf0 e2f096 e6323c ec7896 ecaa54 ecf0f4 ee606e ee82a0 f0465a f05a8c f09632 f0aa8c
f0b48c f6f0f0 f6faff f8c85a fa5a28 fa6e32 fa8c28 faa5b9 fac828 fad0aa fad23c fad432 fadc3c fae2a0 fae4be fae8c8 faecce
faf0c8 faf0dc faf0fa faf4c8 faf4dc faf6f0 fcacbe fcce82 ffdc5a ffe13c ffffff
"""
PALETTE: tuple[Colour, ...] = tuple((int(c[:2], 16), int(c[2:4], 16), int(c[4:], 16)) for c in _HEX.split())
"""Every colour that something is drawn in, before the style."""

LEAST = {"colour": 0.055, "ink": 0.22, "sepia": 0.25}
"""By style: the share of a picture's pixels that have one of its colours, white and black aside. Drawings have more, as
PNG and as JPEG. Of 27 photographs in colour none has as much; a grey one of few tones may have."""

_NEAR = 4  # what JPEG does to flat colours
_ACROSS = 128  # pixels that are looked at, in each direction
_MARGIN = 221  # mean brightness of all four edges; strips have a white margin


def drawn(pixels: NDArray[np.uint8]) -> Kind | None:
    """What the picture is if it was drawn here, else None. pixels: (height, width, 3), RGB.

    A picture of one colour shows nothing to tell it by, and counts as drawn.
    """
    if not _has_our_colours(pixels):
        return None
    edges = (pixels[0], pixels[-1], pixels[:, 0], pixels[:, -1])
    return "strip" if min(float(edge.mean()) for edge in edges) >= _MARGIN else "scene"


def _has_our_colours(pixels: NDArray[np.uint8]) -> bool:
    height, width = pixels.shape[:2]
    some = pixels[:: -(-height // _ACROSS), :: -(-width // _ACROSS)].reshape(-1, 3).astype(np.int16)
    if (some == some[0]).all():
        return True
    coloured = some[(some.min(axis=1) < 244) & (some.max(axis=1) > 11)]
    if not len(coloured):
        return True
    for style in STYLES:
        near = np.zeros(len(coloured), bool)
        for colour in {restyle(each, style) for each in PALETTE}:
            near |= (np.abs(coloured - np.array(colour, np.int16)) <= _NEAR).all(axis=1)
        if near.mean() >= LEAST[style]:
            return True
    return False
