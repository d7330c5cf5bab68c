"""The pinned llama.cpp source, as far as tests read it: the kinds of projectors, and what libmtmd writes around images.

text(PATTERN)     the files of the source whose path matches, by their names
kinds()           every kind of projector, by its name in the source
around(KIND)      what libmtmd writes around an image
brought(KIND, R, C)  an image of R x C tiles as libmtmd gives it, PIXELS in place of each grid of embeddings
"""

from __future__ import annotations

import re
import tarfile
from dataclasses import dataclass, field
from functools import cache
from pathlib import Path

import pytest
import stock

PIXELS = "\N{WHITE SQUARE}"
MTMD = r"/tools/mtmd/(mtmd\.cpp|clip-impl\.h)$"


@cache
def texts(pattern: str) -> dict[str, str]:
    """Skips where the build has not fetched the source into the cache folder."""
    digest = re.search(r"LOOKHERE_LLAMA_SHA256\s+(\w+)", stock.UPSTREAM.read_text())
    assert digest
    found = sorted((stock.cache_folder() / digest[1]).glob("*.tar.gz"))
    if not found:
        pytest.skip("the source package is not in the cache folder; the build fetches it")
    read = {}
    with tarfile.open(found[0]) as archive:
        for member in archive:
            if re.search(pattern, member.name):
                content = archive.extractfile(member)
                assert content is not None
                read[Path(member.name).name] = content.read().decode()
    return read


@cache
def kinds() -> dict[str, str]:
    """Name in the source -> kind, as projector files name it."""
    named = dict(re.findall(r'\{\s*PROJECTOR_TYPE_(\w+),\s*"([^"]+)"\s*\}', texts(MTMD)["clip-impl.h"]))
    assert len(named) > 50
    return named


@dataclass
class Around:
    """begins, ends: what may stand before and after all of it. lists: texts of the source's token lists, by name.
    overview_first: of images in tiles."""

    begins: set[str] = field(default_factory=set)
    ends: set[str] = field(default_factory=set)
    lists: dict[str, str] = field(default_factory=dict)
    overview_first: bool = False


def _unescaped(text: str) -> str:
    return text.replace("\\n", "\n")


@cache
def all_around() -> dict[str, Around]:
    """For each kind that sees."""
    source = texts(MTMD)["mtmd.cpp"]
    body = source[source.index("void init_vision()") : source.index("void init_audio()")]
    found: dict[str, Around] = {}
    for block in body.split("break;"):
        names = re.findall(r"case PROJECTOR_TYPE_(\w+):", block)
        strings = r'\s*=\s*"((?:[^"\\]|\\.)*)"'
        around = Around(
            {_unescaped(each) for each in re.findall("img_beg" + strings, block)},
            {_unescaped(each) for each in re.findall("img_end" + strings, block)},
            {
                name: "".join(_unescaped(each) for each in re.findall(r'lookup_token\("((?:[^"\\]|\\.)*)"\)', values))
                for name, values in re.findall(r"(tok_\w+)\s*=\s*\{(.*?)\};", block)
            },
            re.search(r"ov_img_first\s*=\s*true", block) is not None,
        )
        around.lists |= dict(re.findall(r'(sli_img_start_tmpl)\s*=\s*"([^"]+)"', block))
        for name in names:
            if name in kinds():
                found[kinds()[name]] = around
    assert len(found) > 35
    return found


def brought(kind: str, rows: int, cols: int) -> str:
    """As mtmd_tokenizer::add_media does it; rows and cols 0 for an overview alone."""
    around = all_around()[kind]
    lists = around.lists
    overview = lists.get("tok_ov_img_start", "") + PIXELS + lists.get("tok_ov_img_end", "")
    tiles = ""
    for row in range(rows):
        for col in range(cols):
            start = lists.get("sli_img_start_tmpl", "").replace("%d", str(row + 1), 1).replace("%d", str(col + 1), 1)
            tiles += lists.get("tok_sli_img_start", start) + PIXELS + lists.get("tok_sli_img_end", "")
        if row + 1 < rows:
            tiles += lists.get("tok_row_end", "")
    if rows:
        tiles = lists.get("tok_slices_start", "") + tiles + lists.get("tok_slices_end", "")
    inner = overview + tiles if around.overview_first else tiles + overview
    return "".join(around.begins) + inner + "".join(around.ends)
