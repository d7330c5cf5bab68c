"""Where the files of a model are published, told by what its own file says of itself."""

from __future__ import annotations

import re
from pathlib import Path
from typing import TYPE_CHECKING

from .gguf import Header

if TYPE_CHECKING:
    from ..hub.known import KnownModel

_ENDING = re.compile(
    r"(instruct|it|chat|hf|gguf|imatrix|imat|i1|ud)*((i?q|tq)\d\w*|bf16|fp?16|fp?32|mxfp4\w*|nvfp4)?(gguf)?(\d{5}of\d{5})?"
)
"""Of a plain name: what may follow the model's own."""
_LEAST = 6
"""Letters and digits of a name that says something."""


def plain(name: str) -> str:
    """'Qwen/Qwen3-VL-2B-Instruct' as 'qwen3vl2binstruct'."""
    return re.sub(r"[^a-z0-9]", "", name.rsplit("/", 1)[-1].lower())


def same_name(name: str, known: str) -> bool:
    """Whether two names are one: without case and punctuation, and one may go on where the other ends, with what says
    how a model was made into a file (``-Instruct``, ``-Q4_K_M``). Fine-tunes go on otherwise."""
    shorter, longer = sorted((plain(name), plain(known)), key=len)
    return bool(shorter) and longer.startswith(shorter) and bool(_ENDING.fullmatch(longer[len(shorter) :]))


def bases_of(header: Header) -> tuple[str, ...]:
    """The models that a file says it was made from, by name and by repository."""
    found = []
    for index in range(min(header.whole("general.base_model.count") or 1, 8)):
        for key in ("name", "repo_url"):
            if text := header.text(f"general.base_model.{index}.{key}"):
                found.append(text.rstrip("/"))
    return tuple(found)


def names_of(header: Header, path: Path) -> tuple[str, ...]:
    """What a model may be called: by its file, by the file's name, and by the folder of a hub that it is in."""
    parts = [header.text("general.basename"), header.text("general.size_label"), header.text("general.finetune")]
    made = "-".join(filter(None, parts)) if parts[0] else ""
    folders = [part.rpartition("--")[2] for part in path.parts if part.startswith("models--")]
    stems = (path.stem, path.stem.partition("_")[2])  # some put the owner before the name: Qwen_Qwen3.5-2B-Q4_K_M
    return tuple(dict.fromkeys(filter(None, (header.name, *stems, made, path.parent.name, *folders))))


def known_model_of(header: Header, path: Path) -> KnownModel | None:
    """The entry of the table that a file is a quantization of, as far as names tell."""
    from ..hub.known import known_models

    names = [plain(name) for name in (*names_of(header, path), *bases_of(header))]
    for model in known_models():
        title = plain(model.base)
        if any(len(name) >= _LEAST and same_name(name, title) for name in names):
            return model
    return None


def terms_of(header: Header, path: Path) -> tuple[str, str]:
    """-> the licence of a model, and where it comes from: as its own file says, or else the table of short names; ''
    where neither does."""
    known = known_model_of(header, path)
    licence = header.text("general.license") or (known.licence if known else "")
    if known is not None:
        return licence, f"{known.base}, as {known.repository} publishes it"
    stated = [header.text(f"general.{key}") for key in ("repo_url", "source.url", "source.repo_url", "organization")]
    return licence, next(filter(None, (*stated, *bases_of(header))), "")


def usual_place(header: Header, path: Path) -> str:
    """Where the projector of a model is published, as a clause."""
    known = known_model_of(header, path)
    if known is None:
        bases = [base for base in bases_of(header) if base.startswith("http")]
        made = f", for instance a GGUF repository of {bases[0]}" if bases else ""
        return f"it is published where the model is{made}"
    if known.shipped:
        return f"lookhere has eyes for it: mmproj={known.name!r} (--mmproj {known.name}), or load({known.name!r})"
    named = f" as {known.mmproj.name}" if known.mmproj else ""
    return f"it is published in {known.repository}{named}, and load({known.name!r}) (--model {known.name}) fetches both"
