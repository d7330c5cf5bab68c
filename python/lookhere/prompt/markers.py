"""Image markers: what a template writes for an image, and where in a rendered conversation it did."""

from __future__ import annotations

import re

from .. import checks
from ..errors import TemplateError
from ..families import Family, image_markers
from .content import image_sentinel

OTHER = "Give another template with load(chat_template=...)."
"""The end of every message about a template."""

_TOKEN = re.compile(r"<[^<>\s]+>|\[/?[A-Z_]+\]")
"""What looks like a special token. Where one stands beside a known marker, the two together are something else."""


def learned(plain: str, listed: str, family: Family | None) -> str | None:
    """What a template writes for an image; None if it writes nothing.

    listed, plain: a rendered conversation with one image, and the same without. TemplateError if what is written is
    not known.
    """
    written = [listed[start:end] for start, end in _insertions(plain, listed)]
    for pattern in map(re.compile, image_markers(family)):
        found = [(match[0], each) for each in written if (match := pattern.search(each))]
        if found and not any(_TOKEN.search(each.replace(marker, "", 1)) for marker, each in found):
            return max((marker for marker, _ in found), key=len)
    if written[0].strip():
        shown = next((each for each in written if each.startswith(("<", "["))), written[0])
        raise TemplateError(
            f"The model's chat template writes {checks.short(shown)} for an image, which is not known here; known is "
            f"what the families in docs/families.md write. {OTHER}"
        )
    return None


def marked(plain: str, listed: str, marker: str, count: int) -> str:
    """listed with a sentinel in place of each marker that plain, the same without images, does not have."""
    extra = listed.count(marker) - plain.count(marker)
    if extra != count or (count > 1 and marker in plain):
        raise TemplateError(
            f"The model's chat template writes {checks.short(marker)} {extra} times for {count} "
            f"image{'s' if count > 1 else ''}; expected once for each. {OTHER}"
        )
    if marker not in plain:
        for k in range(count):
            listed = listed.replace(marker, image_sentinel(k), 1)
        return listed
    found = next((each for each in _insertions(plain, listed) if marker in listed[each[0] : each[1]]), None)
    if found is None:
        raise TemplateError(
            f"The model's chat template writes {checks.short(marker)} for an image and elsewhere, too; which is which "
            f"is unknown. {OTHER}"
        )
    start = listed.index(marker, found[0])
    return listed[:start] + image_sentinel(0) + listed[start + len(marker) :]


def _insertions(plain: str, listed: str) -> list[tuple[int, int]]:
    """Where listed holds what plain does not: start and end in listed.

    Where the same characters stand at the beginning of what is inserted and after it, as in ``[IMG][/INST]``, there are
    several such places, one character apart.
    """
    most = min(len(plain), len(listed))
    start = next((k for k in range(most) if plain[k] != listed[k]), most)
    tail = next((k for k in range(most - start) if plain[-1 - k] != listed[-1 - k]), most - start)
    places = [(start, len(listed) - tail)]
    while places[0][0] > 0 and len(listed) - len(plain) == places[0][1] - places[0][0] > 0:
        first, end = places[0]
        if listed[first - 1] != listed[end - 1]:
            break
        places.insert(0, (first - 1, end - 1))
    return places
