"""Patch 0003: the token grid and the rectangle of the image that it covers, by arithmetic and by brute force.

The pair has random weights: what a trained encoder makes of a cell may well be seen most elsewhere.
"""

from __future__ import annotations

import ctypes as C
import math
from dataclasses import dataclass
from pathlib import Path

import lookhere
import numpy as np
import pytest
import tiny_vision

engine = pytest.importorskip("lookhere._engine", reason="the engine is not built")


@pytest.fixture(scope="module")
def files(tmp_path_factory):
    folder = tmp_path_factory.mktemp("pair")
    return str(tiny_vision.write_model(folder / "model.gguf")), str(tiny_vision.write_projector(folder / "mmproj.gguf"))


@pytest.fixture(scope="module")
def model(files):
    return engine.Model(files[0])


@pytest.fixture
def cell():
    """Pixels of the prepared image per token, along one edge."""
    return tiny_vision.PATCH * 2


class Text(C.Structure):
    _fields_ = [("text", C.c_char_p), ("length", C.c_size_t), ("special", C.c_bool), ("parse", C.c_bool)]


class Geometry(C.Structure):
    _fields_ = [
        ("rows", C.c_uint32),
        ("cols", C.c_uint32),
        ("x0", C.c_float),
        ("y0", C.c_float),
        ("x1", C.c_float),
        ("y1", C.c_float),
    ]


@dataclass
class Mtmd:
    """libmtmd's own functions on a projector that the engine loaded."""

    lib: C.CDLL
    projector: object

    def geometry(self, width: int, height: int) -> Geometry:
        """Of a bitmap without pixels: nothing is encoded."""
        lib = self.lib
        bitmap = C.c_void_p(lib.mtmd_bitmap_init(width, height, None))
        chunks = C.c_void_p(lib.mtmd_input_chunks_init())
        try:
            text = Text(b"<__media__>", 11, False, True)
            context = C.c_void_p(self.projector.address)
            assert lib.mtmd_tokenize(context, chunks, C.byref(text), C.byref(bitmap), C.c_size_t(1)) == 0
            chunk = C.c_void_p(lib.mtmd_input_chunks_get(chunks, C.c_size_t(1)))
            tokens = C.c_void_p(lib.mtmd_input_chunk_get_tokens_image(chunk))
            out = Geometry()
            assert lib.mtmd_image_tokens_get_geometry(tokens, C.byref(out))
            assert lib.mtmd_image_tokens_get_n_tokens(tokens) == out.rows * out.cols
            self.loaded_chunk_has_none(chunk)
            return out
        finally:
            lib.mtmd_input_chunks_free(chunks)
            lib.mtmd_bitmap_free(bitmap)

    def loaded_chunk_has_none(self, chunk: C.c_void_p) -> None:
        """What was saved keeps its format, and so does not know its geometry."""
        copy = C.c_void_p(self.lib.mtmd_input_chunk_get_placeholder(chunk))
        out = Geometry(rows=7)
        assert not self.lib.mtmd_image_tokens_get_geometry(
            C.c_void_p(self.lib.mtmd_input_chunk_get_tokens_image(copy)), C.byref(out)
        )
        assert out.rows == 0
        self.lib.mtmd_input_chunk_free(copy)


def load_mtmd(projector) -> Mtmd:
    folder = Path(lookhere.__file__).parent / "lib"
    lib = C.CDLL(str(next(p for name in ("*lookhere*", "*mtmd*") for p in sorted(folder.glob(name)))))
    for name in (
        "mtmd_bitmap_init", "mtmd_input_chunks_init", "mtmd_input_chunks_get", "mtmd_input_chunk_get_tokens_image",
        "mtmd_input_chunk_get_placeholder",
    ):  # fmt: skip
        getattr(lib, name).restype = C.c_void_p
    lib.mtmd_image_tokens_get_geometry.restype = C.c_bool
    lib.mtmd_image_tokens_get_n_tokens.restype = C.c_size_t
    return Mtmd(lib, projector)


@pytest.fixture(scope="module")
def projector(model, files):
    return engine.Projector(files[1], model, threads=1)


@pytest.fixture(scope="module")
def mtmd(projector):
    return load_mtmd(projector)


@pytest.mark.parametrize(("rows", "cols"), [(4, 4), (3, 8), (10, 2), (7, 9)])
def test_an_image_of_whole_cells_is_taken_as_it_is(mtmd, cell, rows, cols):
    g = mtmd.geometry(cols * cell, rows * cell)
    assert (g.rows, g.cols) == (rows, cols)
    assert (g.x0, g.y0, g.x1, g.y1) == (0, 0, cols * cell, rows * cell)


@pytest.mark.parametrize(
    "size", [(100, 70), (70, 100), (1, 1), (1, 199), (333, 17), (640, 480), (1920, 1080), (4000, 3000), (5000, 50)]
)
def test_the_canvas_keeps_the_aspect_ratio_and_pads_in_the_middle(mtmd, cell, size):
    width, height = size
    g = mtmd.geometry(width, height)
    canvas = g.cols * cell, g.rows * cell
    scale = min(np.float32(canvas[0]) / np.float32(width), np.float32(canvas[1]) / np.float32(height))
    for low, high, edge, length in ((g.x0, g.x1, width, canvas[0]), (g.y0, g.y1, height, canvas[1])):
        content = min(math.ceil(np.float32(edge) * scale), length)  # pixels that the image is stretched to
        before = (length - content) // 2
        assert low == pytest.approx(-before * edge / content)
        assert high == pytest.approx((length - before) * edge / content)
        assert low <= 0 <= edge <= high * (1 + 1e-6)  # all of the image is covered
    assert min(-g.x0, -g.y0) == pytest.approx(0, abs=1e-6)  # padded on one axis only


def test_token_limits_reach_the_geometry(model, files):
    few = engine.Projector(files[1], model, threads=1, min_tokens=4, max_tokens=12)
    g = load_mtmd(few).geometry(1000, 1000)
    assert 4 <= g.rows * g.cols <= 12
    assert (g.x0, g.y0, g.x1, g.y1) == (0, 0, 1000, 1000)


def grid_of(image):
    (grid,) = (part.grid for part in image.parts if part.grid)
    return grid


@pytest.mark.parametrize("size", [(96, 96), (128, 48), (100, 70), (53, 131), (160, 104), (211, 37)])
def test_painting_a_cell_moves_its_token_most(projector, size):
    """Resize, padding and the merge of patches included: the token that a cell belongs to is the one that sees it."""
    width, height = size
    rng = np.random.default_rng(width)
    plain = rng.integers(96, 160, (height, width, 3), dtype=np.uint8)
    base = projector.encode(plain)
    grid = grid_of(base)
    edges_x = np.linspace(grid.x0, grid.x1, grid.cols + 1)
    edges_y = np.linspace(grid.y0, grid.y1, grid.rows + 1)
    tried = 0
    for index in rng.permutation(grid.rows * grid.cols)[:10]:
        row, col = divmod(int(index), grid.cols)
        x0, x1 = np.clip(np.rint(edges_x[col : col + 2]), 0, width).astype(int)
        y0, y1 = np.clip(np.rint(edges_y[row : row + 2]), 0, height).astype(int)
        whole = (edges_x[1] - edges_x[0]) * (edges_y[1] - edges_y[0])
        if (x1 - x0) * (y1 - y0) < 0.5 * whole:
            continue  # mostly padding
        painted = plain.copy()
        painted[y0:y1, x0:x1] = rng.choice([0, 255], size=3).astype(np.uint8)
        moved = np.abs(projector.encode(painted).embeddings() - base.embeddings()).sum(axis=1)
        assert divmod(int(moved.argmax()), grid.cols) == (row, col)
        tried += 1
    assert tried >= 3


def test_the_engine_tells_the_same(mtmd, projector):
    grid = grid_of(projector.encode(np.zeros((70, 100, 3), np.uint8)))
    g = mtmd.geometry(100, 70)
    assert (grid.rows, grid.cols, grid.x0, grid.y0, grid.x1, grid.y1) == (g.rows, g.cols, g.x0, g.y0, g.x1, g.y1)
