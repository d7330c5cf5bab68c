"""One image, many places: an answer about each, computed together."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any

from .. import checks
from ..answers.answer import Answer
from ..answers.ask import SAMPLING_OPTIONS
from ..cancel import CancelFlag
from ..errors import OptionError, RequestError
from ..model import Model
from ..regions.region import Region
from ..strict import Entry
from ..wire.attention import map_json
from ..wire.pointing import Place, read_place, read_pointing
from ..wire.told import answer_json
from .gate.picture import Pictures
from .reply import FINISH, usage
from .settings import Settings

MOST_PLACES = 64

_OWN = ("model", "image", "at", "prompt", "system")
_POINTING = (
    "mode", "strength", "share", "sharpness", "queries", "heads", "readers", "zoom", "where", "gaze", "encoding",
)  # fmt: skip


class Describing:
    """A request of ``/v1/lookhere/describe``: ``model.look(image).describe_all(at, prompt, ...)`` with the same names.

    OptionError, RegionError, PromptError, RequestError name what is wrong.
    """

    def __init__(self, data: Mapping[str, Any], settings: Settings) -> None:
        entry = Entry("The request", "", data, OptionError)
        entry.keys({"image", "at"}, {*_OWN, *SAMPLING_OPTIONS, *_POINTING})
        self.model = data.get("model")
        self.places = _places(entry, settings)
        self._image = data["image"]
        self._texts = {name: checks.text(name, data[name]) for name in ("prompt", "system") if entry.has(name)}
        self._pointing = read_pointing({name: data[name] for name in _POINTING if name in data}, "The request")
        self._sampling = {name: data[name] for name in SAMPLING_OPTIONS if name in data}
        tokens = self._sampling.setdefault("max_tokens", min(100, settings.default_tokens))
        if (checks.as_whole(tokens) or 0) > settings.tokens:
            raise RequestError(
                f"max_tokens is {tokens}; this server gives {settings.tokens} at most.",
                400,
                "too_many_tokens",
                "max_tokens",
            )
        if settings.fixed and (self._pointing.heads is not None or self._pointing.readers is not None):
            raise RequestError("This server's heads are fixed: leave out heads and readers.", 403, "fixed")

    def answers(self, model: Model, pictures: Pictures, flag: CancelFlag) -> Iterator[Answer]:
        """In the thread: the answers, in the order of the places."""
        pointing = self._pointing
        scene = model.look(pictures.open(self._image), cancel=flag)
        at = [pointing.place(place, model) for place in self.places]
        options = {**self._texts, **self._sampling, **pointing.options}
        if pointing.heads is not None:  # the push is in each steering
            options = {name: value for name, value in options.items() if name not in pointing.push.given}
        yield from scene.describe_all(at, cancel=flag, **options)

    def told(self, answer: Answer, name: str) -> dict[str, Any]:
        """One answer as JSON. name: of the model."""
        found = {
            "text": answer.text,
            "finish_reason": FINISH[answer.finish],
            "usage": usage(answer),
            **answer_json(answer, name, where=self._pointing.where),
        }
        if self._pointing.gaze:
            maps = answer.reading or answer.gaze
            found["gaze"] = [map_json(each, self._pointing.encoding) for each in maps]
        return found


def _places(entry: Entry, settings: Settings) -> list[Place]:
    """at: one for each place: a region, a list of regions that are looked at together, or null."""
    given = entry.items("at")
    if not 1 <= len(given) <= MOST_PLACES:
        raise OptionError(f"The request: at has {len(given)} places; expected 1 to {MOST_PLACES}.")
    found: list[tuple[Region, ...] | None] = []
    for index, each in enumerate(given):
        place = Entry(entry.what, f"at[{index}].", {"place": each}, entry.error)
        found.append(None if each is None else read_place(place, "place", pixels=settings.pixels))
    return found
