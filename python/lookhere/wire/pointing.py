"""Where an answer looks, how, and what is told of it, as JSON, both ways, strictly: a request's field ``lookhere``."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import Any, Literal, TypeAlias, cast

from .. import checks, limits
from ..answers.ask import PUSH_OPTIONS, HeadGaze
from ..errors import HeadSetError, HeadSetMissingError, OptionError, RegionError
from ..images.size import size_of
from ..images.source import read
from ..loaded import LoadedModel
from ..regions.region import Region
from ..regions.text import read_region as read_text
from ..schedule import Schedule
from ..steering.head_set import Head, HeadSet, as_heads, from_dict, to_dict
from ..steering.push import PushChange
from ..steering.steering import Steering
from ..strict import Entry
from .attention import ENCODINGS, Encoding
from .region import read_region, region_json

Heads: TypeAlias = "int | Literal['all'] | tuple[Head, ...] | HeadSet"
"""The best so many of the model's head set; every head; (layer, head) pairs; or a whole head set."""
Place: TypeAlias = "tuple[Region, ...] | None"

MOST_REGIONS = 256
"""Of one place, and targets of a schedule."""
MOST_CORNERS = 10_000

_FLAGS = ("where", "gaze", "steered_gaze", "zoom")
_KEYS = {"at", *PUSH_OPTIONS, "heads", "readers", "schedule", *_FLAGS, "head_gaze", "encoding"}


@dataclass(frozen=True)
class Pointing:
    """at: where to look, None for where the model wants. push: what differs from the head set's. heads: others than the
    model's. readers: heads that tell where the model looked. schedule: targets in turn, in place of at. zoom: whether
    small regions are enlarged first. where: whether places are told, of the answer and of its words. gaze,
    steered_gaze, head_gaze: which maps are told, in which encoding.
    """

    at: Place = None
    push: PushChange = PushChange()
    heads: Heads | None = None
    readers: tuple[Head, ...] | None = None
    schedule: Schedule | None = None
    zoom: bool = False
    where: bool = True
    gaze: bool = False
    steered_gaze: bool = False
    head_gaze: HeadGaze = False
    encoding: Encoding = "float16"

    @property
    def options(self) -> dict[str, Any]:
        """What an ``Ask`` is told of it; ``at`` aside."""
        return {
            **self.push.given,
            "readers": self.readers,
            "zoom": self.zoom,
            "gaze": self.gaze or self.where,
            "steered_gaze": self.steered_gaze,
            "head_gaze": self.head_gaze,
        }

    def place(self, at: Place, model: LoadedModel) -> Place | Steering:
        """A place as ``at=`` takes it: regions, or a steering where other heads than the model's look there.

        HeadSetError, HeadSetMissingError, OptionError.
        """
        if at is None or self.heads is None:
            return at
        return Steering(self._head_set(model), at, push=self.push.on(self._head_set(model).push))

    def _head_set(self, model: LoadedModel) -> HeadSet:
        heads = self.heads
        if isinstance(heads, HeadSet):
            heads.check(model.facts)
            return heads
        known = model.head_set
        if isinstance(heads, int):
            if known is None:
                raise HeadSetMissingError(f"heads={heads}: no head set is known for {model.name!r}; give its heads.")
            return known.top(heads)
        pairs = model.facts.every_head if heads == "all" else cast("tuple[Head, ...]", heads)
        return HeadSet(model.facts, pairs) if known is None else replace(known, heads=pairs, scores=())


def pointing_json(pointing: Pointing) -> dict[str, Any]:
    """What differs from the defaults; ``read_pointing`` takes it back."""
    default = Pointing()
    heads, schedule = pointing.heads, pointing.schedule
    written: dict[str, Any] = {**pointing.push.given}
    if pointing.at is not None:
        written["at"] = [region_json(each) for each in pointing.at]
    if heads is not None:
        packed = [list(each) for each in heads] if isinstance(heads, tuple) else heads
        written["heads"] = to_dict(heads) if isinstance(heads, HeadSet) else packed
    if pointing.readers is not None:
        written["readers"] = [list(each) for each in pointing.readers]
    if schedule is not None:
        targets = [None if each is None else region_json(each) for each in schedule.targets]
        written["schedule"] = {"targets": targets, "every": schedule.every}
    for name in (*_FLAGS, "head_gaze", "encoding"):
        if getattr(pointing, name) != getattr(default, name):
            written[name] = getattr(pointing, name)
    return written


def read_pointing(data: Any, what: str = "lookhere", *, pixels: int = limits.IMAGE_PIXELS) -> Pointing:
    """What ``pointing_json`` wrote; a region may also be a text, as ``panel:2/6``, and one region stand alone.

    Opens no file and no address, whatever is written. pixels: of a mask at most. OptionError, RegionError, HeadSetError
    name what is wrong.
    """
    entry = Entry(what, "", data, OptionError)
    entry.keys(set(), _KEYS)
    default = Pointing()
    schedule = None
    if entry.has("schedule"):
        if entry.has("at"):
            raise OptionError(f"{what}: at and schedule; expected one of them: a schedule names the targets itself.")
        child = entry.child("schedule")
        child.keys({"targets"}, {"every"})
        targets = child.items("targets")
        _few(child, "targets", targets)
        found = [
            None if each is None else _region(child, f"targets[{k}].", each, pixels) for k, each in enumerate(targets)
        ]
        schedule = Schedule(tuple(found), child.data.get("every", 20))
    head_gaze = entry.data.get("head_gaze", default.head_gaze)
    if head_gaze != "all" and not isinstance(head_gaze, bool):
        entry.wrong("head_gaze", "true, false or 'all'")
    flags = {name: entry.flag(name, getattr(default, name)) for name in _FLAGS}
    if schedule is not None and flags["zoom"]:
        raise OptionError(f"{what}: zoom and schedule; expected one of them: what is enlarged has one place.")
    return Pointing(
        at=read_place(entry, "at", pixels=pixels) if entry.has("at") else None,
        push=PushChange(**{name: entry.data[name] for name in PUSH_OPTIONS if name in entry.data}),
        heads=_heads(entry) if entry.has("heads") else None,
        readers=as_heads(f"{what}: readers", entry.data["readers"]) if entry.has("readers") else None,
        schedule=schedule,
        head_gaze=cast("HeadGaze", head_gaze),
        encoding=cast("Encoding", entry.one_of("encoding", default.encoding, ENCODINGS)),
        **flags,
    )


def read_place(entry: Entry, key: str, *, pixels: int = limits.IMAGE_PIXELS) -> tuple[Region, ...]:
    """One region, or a list of regions that are looked at together, under a key. RegionError, OptionError."""
    given = entry.data[key]
    if not isinstance(given, list):
        return (_region(entry, f"{key}.", given, pixels),)
    _few(entry, key, given)
    return tuple(_region(entry, f"{key}[{k}].", each, pixels) for k, each in enumerate(given))


def _few(entry: Entry, key: str, given: Sequence[object]) -> None:
    if not 1 <= len(given) <= MOST_REGIONS:
        raise RegionError(f"{entry.what}: {entry.path}{key} has {len(given)} entries; expected 1 to {MOST_REGIONS}.")


def _region(entry: Entry, path: str, given: object, pixels: int) -> Region:
    """A region that opens no file, is not larger than is allowed, and unpacks to no more than it says."""
    where = f"{entry.path}{path}"
    if isinstance(given, str):
        try:
            return read_text(given)
        except ValueError as error:
            raise RegionError(
                f"{entry.what}: {where.rstrip('.')} is {checks.short(given)}; expected a region, as panel:2/6, "
                "box:40,60,220,300, point:120,90, or an object with its kind."
            ) from error
    child = Entry(entry.what, where, given, entry.error)
    if isinstance(given, dict):
        if "file" in given:
            _check_mask_file(child, pixels)
        sides = [checks.as_whole(given.get(side, 1)) for side in ("width", "height")]
        if all(sides) and sides[0] * sides[1] > pixels:  # type: ignore[operator]
            raise RegionError(f"{entry.what}: {where}width x height is {sides[0]} x {sides[1]}; {_most(pixels)}")
        if isinstance(given.get("corners"), list) and len(given["corners"]) > MOST_CORNERS:
            raise RegionError(
                f"{entry.what}: {where}corners are {len(given['corners'])}; expected {MOST_CORNERS} at most."
            )
    return read_region(child)


def _check_mask_file(entry: Entry, pixels: int) -> None:
    """RegionError unless it is a data URI of an image that is not too large."""
    file = entry.text("file")
    if not file[:5].lower() == "data:":
        raise RegionError(f"{entry.what}: {entry.path}file is {checks.short(file)}; expected a data URI of the mask.")
    size = size_of(read(file)[0])
    if size is not None and size[0] * size[1] > pixels:
        raise RegionError(f"{entry.what}: {entry.path}file has {size[0]} x {size[1]} pixels; {_most(pixels)}")


def _most(pixels: int) -> str:
    return f"expected {pixels:,} pixels at most."


def _heads(entry: Entry) -> Heads:
    given = entry.data["heads"]
    if given == "all":
        return "all"
    if isinstance(given, dict):
        return from_dict(given, f"{entry.what}: heads")
    if isinstance(given, list):
        return as_heads(f"{entry.what}: heads", given)
    count = checks.as_whole(given)
    if count is None or count < 1:
        raise HeadSetError(
            f"{entry.what}: heads is {checks.short(given)}; expected how many of the model's best, 'all', a list of "
            "[layer, head], or a head set."
        )
    return count
