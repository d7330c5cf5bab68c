"""The images of a request: data URIs, http(s) addresses where they are allowed, and never a file of this machine."""

from __future__ import annotations

from dataclasses import replace

from ... import checks
from ...answers.ask import Ask
from ...cancel import CancelFlag
from ...errors import CancelledError, ImageError, RequestError
from ...images.image import Image
from ...images.size import size_of
from ...images.source import read
from ...prompt.message import ImagePart, Message, MessagePart
from .address import Fetcher

MOST = 64
"""Images of a request."""


class Pictures:
    """Opens images of one request, within bounds. pixels: of all of them together. fetcher: None where addresses are
    not allowed."""

    def __init__(self, pixels: int, fetcher: Fetcher | None) -> None:
        self._pixels = self._left = pixels
        self._fetcher = fetcher

    def ready(self, ask: Ask, flag: CancelFlag) -> Ask:
        """The ask with its images opened; addresses are fetched. ImageError, RequestError, CancelledError."""
        if ask.images > MOST:
            raise RequestError(
                f"The messages hold {ask.images} images; expected {MOST} at most.", 400, "too_many_images"
            )

        def part(given: MessagePart) -> MessagePart:
            if not isinstance(given, ImagePart):
                return given
            if flag.is_set():
                raise CancelledError("Cancelled while reading the images.")
            return ImagePart(self.open(given.source))

        return replace(ask, messages=tuple(Message(each.role, tuple(map(part, each.parts))) for each in ask.messages))

    def open(self, source: object) -> Image:
        """One image. ImageError, RequestError."""
        data = self._bytes(source)
        size = size_of(data)
        if size is not None:
            self._take(*size)
        image = Image.open(data)
        if size is None:
            self._take(image.width, image.height)
        return image

    def _bytes(self, source: object) -> bytes:
        if isinstance(source, str):
            scheme = source[:8].lower()
            if scheme.startswith("data:"):
                return read(source)[0]
            if scheme.startswith(("http://", "https://")):
                if self._fetcher is None:
                    raise RequestError(
                        f"{checks.short(source)}: this server does not fetch images (--allow-url). Send a data URI: "
                        "data:image/png;base64,...",
                        400,
                        "no_addresses",
                    )
                return self._fetcher.fetch(source)
        raise ImageError(
            f"{checks.short(source)} is no image that a server takes; expected a data URI, data:image/png;base64,... "
            "Files of the server's machine are never opened."
        )

    def _take(self, width: int, height: int) -> None:
        self._left -= width * height
        if self._left < 0:
            raise RequestError(
                f"The images of this request have more than {self._pixels:,} pixels together (this one is {width} x "
                f"{height}). Scale them down.",
                413,
                "too_many_pixels",
            )
