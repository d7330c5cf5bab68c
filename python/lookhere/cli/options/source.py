"""The IMAGE of a command, and how it is looked at."""

from __future__ import annotations

import sys
from typing import TYPE_CHECKING

import click

from ...errors import ImageError
from ...images.image import Image

if TYPE_CHECKING:
    from ...model import Model
    from ...scenes.scene import Scene

MANY_TOKENS = 1500
"""Image tokens from which on a person is told that they take long. A model of 2 billion parameters encodes and reads
1,024 of them in about a minute on two cores."""


def read_source(image: str) -> str | bytes:
    """The bytes of standard input for ``-``, else the path or address itself. ImageError."""
    if image != "-":
        return image
    data = sys.stdin.buffer.read()
    if not data:
        raise ImageError("There is nothing on standard input; expected an image, for instance: cat x.png | lookhere …")
    return data


def look(model: Model, source: str | bytes) -> Scene:
    """The scene; before a large image is encoded, a note that it takes long and what is faster. Errors as of
    ``Model.look``."""
    image = Image.open(source)
    tokens = model.image_tokens(image)
    if tokens > MANY_TOKENS:
        click.echo(
            f"Note: the image takes {tokens:,} tokens, which may take minutes to read. --max-image-tokens 1024 is "
            "faster and shows less detail.",
            err=True,
        )
    return model.look(image)
