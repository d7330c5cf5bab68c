"""What one sequence of the KV cache holds: a prompt that may be asked again."""

from __future__ import annotations

import weakref
from typing import TYPE_CHECKING

from ..prompt.layout import Layout

if TYPE_CHECKING:
    from .. import _engine


class Prepared:
    """A prompt in the cache. used_at: when it was last asked, larger is later.

    steered_from: first position whose rows obey the steering of the fingerprint, infinity without steering. whole:
    False if nothing after the image is held.
    """

    def __init__(
        self, layout: Layout, steered_from: float, fingerprint: str | None, used_at: int, *, whole: bool = True
    ) -> None:
        # weak: a scene that nobody holds any more frees its image
        self._image: weakref.ref[_engine.EncodedImage] = weakref.ref(layout.image)
        self._prefix, self._image_end = layout.prefix, layout.image_end
        self._suffix = layout.suffix if whole else ()
        self._steered_from, self._fingerprint = steered_from, fingerprint
        self.used_at = used_at

    @property
    def wanted(self) -> bool:
        """False once its scene is gone: nobody can ask it again."""
        return self._image() is not None

    def valid_until(self, layout: Layout, steered_from: float, fingerprint: str | None) -> int:
        """Up to which position the cache is what a cold prefill of another prompt would make it; 0 for nowhere."""
        if self._image() is not layout.image or self._prefix != layout.prefix:
            return 0
        same = 0
        for old, new in zip(self._suffix, layout.suffix, strict=False):
            if old != new:
                break
            same += 1
        until: float = self._image_end + same
        if (self._fingerprint, self._steered_from) != (fingerprint, steered_from):
            until = min(until, self._steered_from, steered_from)
        # a cache is never cut inside an image; before it there is next to nothing to save
        return min(int(until), layout.prompt_end - 1) if until >= self._image_end else 0
