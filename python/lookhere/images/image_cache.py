"""Encoded images of one model, found again by what they show."""

from __future__ import annotations

from collections import OrderedDict
from typing import Generic, NoReturn, Protocol, TypeVar


class Shown(Protocol):
    """What an encoded image shows. fingerprint: equal for equal pixels that are given in the same way."""

    @property
    def fingerprint(self) -> str: ...


class Sized(Protocol):
    """What was made of it. nbytes: of its embeddings."""

    @property
    def nbytes(self) -> int: ...


Encoded = TypeVar("Encoded", bound=Sized)


class ImageCache(Generic[Encoded]):
    """Images that a model's projector has encoded, by the sha256 of their size and upright pixels; a window of a zoom
    and what is stretched or cut into tiles by its image and how.

    One cache belongs to one projector, whose limits of size and preprocessing never change; so equal pixels mean equal
    embeddings. Beyond the budget, the image that was not looked at for longest goes. A scene keeps its own image
    whatever happens here, and two scenes of one image share what is read of it in the KV cache.

    budget: bytes of embeddings, 0 to keep none. hits, misses: how often an image was found, and not.
    """

    def __init__(self, budget: int) -> None:
        self.budget = budget
        self.hits = self.misses = 0
        self._nbytes = 0
        self._kept: OrderedDict[str, Encoded] = OrderedDict()

    def __repr__(self) -> str:
        return (
            f"<ImageCache of {len(self)} images, {self._nbytes / 2**20:.1f} of {self.budget / 2**20:.1f} MiB, "
            f"{self.hits} hits, {self.misses} misses>"
        )

    def __reduce__(self) -> NoReturn:
        raise TypeError(
            "An ImageCache belongs to the model of this process, so that it can be neither copied nor pickled; load "
            "the model in each process."
        )

    def __len__(self) -> int:
        return len(self._kept)

    @property
    def nbytes(self) -> int:
        """Bytes of embeddings that it keeps."""
        return self._nbytes

    def find(self, image: Shown) -> Encoded | None:
        """The image if it was encoded before; counts."""
        found = self._kept.get(image.fingerprint) if self._kept else None
        if found is None:
            self.misses += 1
            return None
        self.hits += 1
        self._kept.move_to_end(image.fingerprint)
        return found

    def keep(self, image: Shown, encoded: Encoded) -> None:
        """Remembers an image; one that is larger than the whole budget is not kept."""
        if encoded.nbytes > self.budget:
            return
        self._drop(image.fingerprint)
        self._kept[image.fingerprint] = encoded
        self._nbytes += encoded.nbytes
        while self._nbytes > self.budget:
            self._drop(next(iter(self._kept)))

    def clear(self) -> None:
        """Forgets all images; the counts stay."""
        self._kept.clear()
        self._nbytes = 0

    def _drop(self, fingerprint: str) -> None:
        gone = self._kept.pop(fingerprint, None)
        self._nbytes -= gone.nbytes if gone is not None else 0
