"""The grids of an image of a size, without its pixels: what libmtmd's functions say of a projector of the engine."""

from __future__ import annotations

import ctypes as C
from functools import cache
from pathlib import Path

import lookhere


class Text(C.Structure):
    _fields_ = [("text", C.c_char_p), ("length", C.c_size_t), ("special", C.c_bool), ("parse", C.c_bool)]


class Geometry(C.Structure):
    _fields_ = [("rows", C.c_uint32), ("cols", C.c_uint32), *((edge, C.c_float) for edge in ("x0", "y0", "x1", "y1"))]


@cache
def library() -> C.CDLL:
    folder = Path(lookhere.__file__).parent / "lib"
    lib = C.CDLL(str(next(path for name in ("*lookhere*", "*mtmd*") for path in sorted(folder.glob(name)))))
    for name in (
        "mtmd_bitmap_init",
        "mtmd_input_chunks_init",
        "mtmd_input_chunks_get",
        "mtmd_input_chunk_get_tokens_image",
    ):
        getattr(lib, name).restype = C.c_void_p
    lib.mtmd_input_chunks_size.restype = C.c_size_t
    lib.mtmd_image_tokens_get_geometry.restype = C.c_bool
    return lib


def layout(projector: object, width: int, height: int) -> list[tuple[int, int]]:
    """(rows, cols) of each grid, in the order of the prompt."""
    lib = library()
    bitmap = C.c_void_p(lib.mtmd_bitmap_init(width, height, None))
    chunks = C.c_void_p(lib.mtmd_input_chunks_init())
    try:
        text = Text(b"<__media__>", 11, False, True)
        context = C.c_void_p(projector.address)
        assert lib.mtmd_tokenize(context, chunks, C.byref(text), C.byref(bitmap), C.c_size_t(1)) == 0
        found = []
        for index in range(lib.mtmd_input_chunks_size(chunks)):
            chunk = C.c_void_p(lib.mtmd_input_chunks_get(chunks, C.c_size_t(index)))
            tokens = lib.mtmd_input_chunk_get_tokens_image(chunk)
            if tokens:
                geometry = Geometry()
                assert lib.mtmd_image_tokens_get_geometry(C.c_void_p(tokens), C.byref(geometry))
                found.append((geometry.rows, geometry.cols))
        return found
    finally:
        lib.mtmd_input_chunks_free(chunks)
        lib.mtmd_bitmap_free(bitmap)
