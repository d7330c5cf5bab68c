"""The files of the page: what lies in this folder, the demo strip, and the image that ``lookhere try`` was given."""

from __future__ import annotations

import io
import mimetypes
from functools import cached_property
from pathlib import Path

from starlette.requests import Request
from starlette.responses import Response

from ...checks import short
from ...comics import generate_strip
from ...errors import RequestError
from ...model import Model
from ..settings import Settings
from .facts import facts

KINDS = {
    ".html": "text/html; charset=utf-8",
    ".css": "text/css; charset=utf-8",
    ".js": "text/javascript; charset=utf-8",
    ".svg": "image/svg+xml",
}

POLICY = "; ".join(
    (
        "default-src 'none'",
        "script-src 'self'",
        "style-src 'self'",
        "img-src 'self' data: blob:",
        "connect-src 'self'",
        "base-uri 'none'",
        "form-action 'none'",
        "frame-ancestors 'none'",
        "require-trusted-types-for 'script'",
    )
)
"""The Content-Security-Policy: nothing from elsewhere, and no code or style within the HTML."""

HEADERS = {
    "cache-control": "no-cache",
    "content-security-policy": POLICY,
    "cross-origin-opener-policy": "same-origin",
    "referrer-policy": "no-referrer",
    "x-content-type-options": "nosniff",
}

SEED, PANELS, PANEL, SHOWN = 20, 6, 64, 384
"""The strip of ``lookhere demo``: pixels of a panel as the model sees it, and as people do."""


class Page:
    """Answers requests for the page. name: what requests call the model. photo: the image that it opens with."""

    def __init__(self, model: Model, settings: Settings, name: str, photo: Path | None = None) -> None:
        self._model, self._settings, self._name, self._photo = model, settings, name, photo
        folder = Path(__file__).parent
        self._files = {each.name: each for each in folder.iterdir() if each.suffix in KINDS}

    async def index(self, request: Request) -> Response:
        return self._file("index.html")

    async def file(self, request: Request) -> Response:
        return self._file(request.path_params["name"])

    async def facts(self, request: Request) -> Response:
        found = facts(self._model, self._settings, self._name, self._photo)
        return Response(found, headers=HEADERS, media_type="application/json")

    async def strip(self, request: Request) -> Response:
        return Response(self._strip, headers=HEADERS, media_type="image/png")

    async def large_strip(self, request: Request) -> Response:
        return Response(self._large_strip, headers=HEADERS, media_type="image/png")

    async def photo(self, request: Request) -> Response:
        if self._photo is None:
            raise RequestError("The page was not given an image; lookhere try IMAGE gives it one.", 404, "not_found")
        kind = mimetypes.guess_type(self._photo.name)[0] or "application/octet-stream"
        return Response(self._photo.read_bytes(), headers=HEADERS, media_type=kind)

    def _file(self, name: str) -> Response:
        path = self._files.get(name)
        if path is None:
            raise RequestError(f"The page has no file {short(name)}.", 404, "not_found")
        return Response(path.read_bytes(), headers=HEADERS, media_type=KINDS[path.suffix])

    @cached_property
    def _strip(self) -> bytes:
        return _drawn(PANEL)

    @cached_property
    def _large_strip(self) -> bytes:
        return _drawn(SHOWN)


def _drawn(pixels: int) -> bytes:
    file = io.BytesIO()
    strip = generate_strip(SEED, panels=PANELS, panel_size=pixels, split="held_out", style="colour")
    strip.image.save(file, "PNG")
    return file.getvalue()
