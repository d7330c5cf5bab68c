"""Which files of a repository make the model: its quantization, all parts of a split one, and the projector."""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import PurePosixPath

from ..errors import HubError
from .telling import size

DEFAULT = "Q4_K_M"
PROJECTORS = ("F16", "FP16", "BF16", "F32", "FP32", "Q8_0")
"""Quantizations of a projector, the preferred first."""
_LEAST_BITS = 4
_MOST_NAMED = 12

_QUANTIZATION = re.compile(
    r"(?:^|[-._/ ])((?:UD-)?(?:I?Q\d(?:_[A-Z0-9]+)*|TQ\d_\d|BF16|FP?16|FP?32|MXFP4(?:_MOE)?|NVFP4))(?=$|[-._/ ])",
    re.IGNORECASE,
)
_SPLIT = re.compile(r"(?P<stem>.*)-(?P<number>\d{5})-of-(?P<count>\d{5})$")
_OTHERS = re.compile(r"^(mtp|draft|dflash|eagle3?)[-._]|imatrix", re.IGNORECASE)
"""Of a repository's GGUF files, those that are no model by themselves."""


@dataclass(frozen=True)
class HubFile:
    """A file of a repository. size: bytes, 0 where it is not known. sha256: '' where it is not known."""

    path: str
    size: int = 0
    sha256: str = ""

    @property
    def name(self) -> str:
        """Without its folder."""
        return PurePosixPath(self.path).name


@dataclass(frozen=True)
class Quantization:
    """One language model of a repository. name: as Q4_K_M, '' where its files do not say. files: all, in order."""

    name: str
    stem: str
    files: tuple[HubFile, ...]

    @property
    def size(self) -> int:
        """Bytes; 0 where they are not known."""
        return sum(file.size for file in self.files)

    @property
    def bits(self) -> int:
        """About how many a weight takes; 0 where the name does not say."""
        found = re.search(r"(\d+)", self.name)
        return int(found[1]) if found else 0


@dataclass(frozen=True)
class Chosen:
    """projector: None where there is none. why: what a person did not ask for and was chosen, as the end of a
    sentence; '' where all was asked for."""

    model: Quantization
    projector: HubFile | None
    why: str = ""


def choose(
    files: Sequence[HubFile], repository: str, *, quantization: str = "", file: str = "", mmproj: str | None = None
) -> Chosen:
    """What is wanted of a repository's files. mmproj: a quantization or a file name, None for the preferred one.

    HubError where there is no such file, with those that there are.
    """
    projectors = projectors_of(files)
    known = quantizations(files)
    if not known:
        others = sorted({PurePosixPath(each.path).suffix for each in files} - {"", ".md", ".json", ".txt"})
        held = f"; it holds {', '.join(others[:_MOST_NAMED])} files" if others else ""
        raise HubError(
            f"{repository} has no GGUF file of a language model{held}. Most models are published as GGUF, too, in "
            "repositories whose names end in -GGUF."
        )
    model, why = (_of_file(known, file, repository), "") if file else _of_tag(known, quantization, repository)
    projector, told = _projector(projectors, model, repository, mmproj)
    return Chosen(model, projector, "; ".join(filter(None, (why, told))))


def projectors_of(files: Sequence[HubFile]) -> list[HubFile]:
    """Those whose names say so; the header of the file has the last word.

    Older repositories have no mmproj but a file that ends in vision, beside those of the language model.
    """
    ggufs = [each for each in files if each.path.lower().endswith(".gguf") and not _OTHERS.search(each.name)]
    named = [each for each in ggufs if "mmproj" in each.name.lower()]
    seeing = [
        each for each in ggufs if re.search(r"[-_.]vision$", _QUANTIZATION.sub("", each.path[:-5]), re.IGNORECASE)
    ]
    return named or (seeing if len(seeing) < len(ggufs) else [])


def choose_projector(files: Sequence[HubFile], repository: str, wanted: str = "") -> HubFile:
    """One projector of a repository, that of a file name or a quantization if one is wanted. HubError."""
    projectors = projectors_of(files)
    if not projectors:
        raise HubError(f"{repository} has no projector (mmproj-*.gguf). Name the repository or the file that has one.")
    return _preferred(_wanted(projectors, wanted, repository) if wanted else projectors)


def quantizations(files: Sequence[HubFile]) -> list[Quantization]:
    """The whole language models among files, the smallest first; split ones that lack a part are left out."""
    parts: dict[tuple[str, int], dict[int, HubFile]] = {}
    projectors = projectors_of(files)
    for each in files:
        if not each.path.lower().endswith(".gguf") or each in projectors or _OTHERS.search(each.name):
            continue
        stem = each.path[: -len(".gguf")]
        split = _SPLIT.fullmatch(stem)
        key, number = ((split["stem"], int(split["count"])), int(split["number"])) if split else ((stem, 1), 1)
        parts.setdefault(key, {})[number] = each
    found = []
    for (stem, count), numbered in parts.items():
        if set(numbered) == set(range(1, count + 1)):
            ordered = tuple(numbered[number] for number in range(1, count + 1))
            found.append(Quantization(_quantization(stem), stem, ordered))
    return sorted(found, key=lambda each: (each.size, each.bits, each.stem))


def _quantization(stem: str) -> str:
    named = _QUANTIZATION.findall(stem)
    return named[-1].upper() if named else ""


def _of_file(known: Sequence[Quantization], file: str, repository: str) -> Quantization:
    for each in known:
        if file in [part.path for part in each.files]:
            return each
    raise HubError(f"{repository} has no whole model in a file {file!r}; it has {_listed(known)}.")


def _of_tag(known: Sequence[Quantization], tag: str, repository: str) -> tuple[Quantization, str]:
    """-> the model, and why this one where none was named."""
    if tag:
        wanted = tag.upper()
        found = [each for each in known if each.name == wanted] or [
            each for each in known if each.name.removeprefix("UD-") == wanted.removeprefix("UD-")
        ]
        if not found:
            raise HubError(f"{repository} has no {tag}; it has {_listed(known)}.")
        return _only(found, repository), ""
    found = [each for each in known if each.name == DEFAULT]
    if found:
        return _only(found, repository), "" if len(known) == 1 else f"{DEFAULT}, the usual one of {len(known)}"
    large = [each for each in known if each.bits >= _LEAST_BITS]
    if large:
        chosen = large[0]
        why = f"{chosen.name}, the smallest with {_LEAST_BITS} bits or more; it has no {DEFAULT}"
        return chosen, "" if len(known) == 1 else why
    return known[-1], "" if len(known) == 1 else f"{known[-1].name or known[-1].stem}, the largest that there is"


def _only(found: Sequence[Quantization], repository: str) -> Quantization:
    if len(found) > 1:
        raise HubError(
            f"{repository} has {len(found)} models of this quantization: {_listed(found, files=True)}. Name the file: "
            f"{repository}/{found[0].files[0].path}."
        )
    return found[0]


def _projector(
    known: Sequence[HubFile], model: Quantization, repository: str, wanted: str | None
) -> tuple[HubFile | None, str]:
    """-> the projector, and why this one where none was named."""
    if wanted is not None:
        return _preferred(_nearest(_wanted(known, wanted, repository), model)), ""
    if not known:
        return None, ""
    chosen = _preferred(_nearest(known, model))
    return chosen, "" if len(known) == 1 else f"the projector {chosen.name} (of {len(known)})"


def _wanted(known: Sequence[HubFile], wanted: str, repository: str) -> list[HubFile]:
    found = [
        each for each in known if wanted in (each.path, each.name) or _quantization(each.path[:-5]) == wanted.upper()
    ]
    if not found:
        there = ", ".join(each.path for each in known[:_MOST_NAMED]) or "none"
        raise HubError(f"{repository} has no projector {wanted!r}; of projectors it has {there}.")
    return found


def _preferred(projectors: Sequence[HubFile]) -> HubFile:
    order = {name: place for place, name in enumerate(PROJECTORS)}
    return min(
        projectors, key=lambda each: (order.get(_quantization(each.path[:-5]), len(order)), each.size, each.path)
    )


def _nearest(projectors: Sequence[HubFile], model: Quantization) -> list[HubFile]:
    """Those whose name is the model's, where there are any: some repositories hold those of other sizes, too."""
    own = _bare(model.stem)
    return [each for each in projectors if _bare(each.path[:-5]) == own] or list(projectors)


def _bare(stem: str) -> str:
    name = re.sub(r"mmproj|model", "", PurePosixPath(_QUANTIZATION.sub("", stem)).name, flags=re.IGNORECASE)
    return re.sub(r"[^a-z0-9]", "", name.lower())


def _listed(known: Sequence[Quantization], *, files: bool = False) -> str:
    names = []
    for each in known[:_MOST_NAMED]:
        name = each.files[0].path if files or not each.name else each.name
        names.append(name + (f" ({size(each.size)})" if each.size else ""))
    return ", ".join(names) + (f" and {len(known) - _MOST_NAMED} more" if len(known) > _MOST_NAMED else "")
