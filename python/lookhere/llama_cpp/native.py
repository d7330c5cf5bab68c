"""What our patches add to llama.cpp, called on a context that llama-cpp-python made (``llama-steer.h``, ``mtmd.h``)."""

from __future__ import annotations

import ctypes as C
from collections.abc import Iterable, Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray

from ..errors import EngineFailure
from ..prompt.layout import PlacedGrid
from ..steering.aim import Aim
from ..steering.head_set import Head
from ..tokens.grid import TokenGrid
from .libraries import ours

_KINDS = {"bias": 0, "target_share": 1, "within_image": 2}
_NATURAL = 0
_Floats = C.POINTER(C.c_float)


class _Span(C.Structure):
    _fields_ = (("pos", C.c_int32), ("n_cols", C.c_int32), ("n_rows", C.c_int32), ("bias", _Floats))


class _Told(C.Structure):
    _fields_ = (
        ("spans", C.POINTER(_Span)),
        ("n_spans", C.c_size_t),
        ("prompt_end", C.c_int32),
        ("bias_prompt", C.c_float),
        ("bias_generated", C.c_float),
        ("first_query", C.c_int32),
        ("sharpness", C.c_float),
        ("kind", C.c_int),
        ("share", C.c_float),
    )


class _Head(C.Structure):
    _fields_ = (("layer", C.c_int32), ("head", C.c_int32))


class _Geometry(C.Structure):
    _fields_ = (
        *((name, C.c_uint32) for name in ("n_rows", "n_cols")),
        *((name, C.c_float) for name in ("x0", "y0", "x1", "y1")),
    )


def layers_with_heads(model: Any, layers: int) -> dict[int, int]:
    """Query heads of each layer of a model whose attention can be steered."""
    function = ours().llama_steer_n_head
    found = {layer: int(function(C.c_void_p(model), C.c_int32(layer))) for layer in range(layers)}
    return {layer: heads for layer, heads in found.items() if heads > 0}


def geometry(tokens: Any, count: int) -> tuple[TokenGrid, NDArray[np.int32]] | None:
    """Where the tokens of an image chunk lie in the image, and which cell each shows, -1 for none; None where that is
    not known."""
    found = _Geometry()
    ours().mtmd_image_tokens_get_geometry.restype = C.c_bool
    if not ours().mtmd_image_tokens_get_geometry(C.c_void_p(tokens), C.byref(found)):
        return None
    cell = ours().mtmd_image_tokens_get_cell
    cells = np.array([cell(C.c_void_p(tokens), C.c_size_t(i)) for i in range(count)], np.int32)
    blind = set(range(found.n_rows * found.n_cols)) - set(cells.tolist())
    grid = TokenGrid(found.n_rows, found.n_cols, found.x0, found.y0, found.x1, found.y1, tuple(sorted(blind)))
    return grid, cells


class Context:
    """The first sequence of a llama.cpp context, which is the one that llama-cpp-python uses for answers."""

    def __init__(self, handle: Any) -> None:
        self._handle = C.c_void_p(handle)
        self._library = library = ours()
        library.llama_steer_error.restype = C.c_char_p
        library.llama_attn_set_grouped.restype = C.c_bool
        library.llama_probe_get_ith.restype = _Floats
        self._order = np.zeros(0, np.intp)  # the cell that each probed token shows
        self._cells = 0

    def group(self, on: bool) -> bool:
        """Turns our faster attention on or off; returns whether it is on, which needs flash attention on the CPU."""
        return bool(self._library.llama_attn_set_grouped(self._handle, C.c_bool(on)))

    def heads(self, heads: Sequence[Head]) -> None:
        """Those that are steered; none of them stops it. EngineFailure."""
        native = (_Head * len(heads))(*[_Head(layer, head) for layer, head in heads])
        self._check(self._library.llama_steer_set_heads(self._handle, 0, native, C.c_size_t(len(heads))))

    def steer(self, aim: Aim | None, grids: Sequence[PlacedGrid], prompt_end: int, first_query: int) -> None:
        """What the heads are told from the next token on; None for nothing. EngineFailure."""
        if aim is None:
            self._check(self._library.llama_steer_set(self._handle, 0, None))
            return
        runs = [run for grid, values in zip(grids, aim.values, strict=True) for run in _runs(grid, values)]
        push = aim.push
        told = _Told(
            _spans(runs), len(runs), prompt_end, push.prompt_bias, push.generated_bias, first_query, push.sharpness,
            _KINDS[push.kind], push.share if push.kind == "target_share" else 1.0,
        )  # fmt: skip
        self._check(self._library.llama_steer_set(self._handle, 0, C.byref(told)))

    def read(self, layers: Iterable[int], grids: Sequence[PlacedGrid]) -> None:
        """The layers and image tokens whose attention is read from the next token on. EngineFailure."""
        numbers = sorted(set(layers))
        native = (C.c_int32 * len(numbers))(*numbers)
        self._check(self._library.llama_probe_set_layers(self._handle, native, C.c_size_t(len(numbers))))
        runs, order, cells = [], [], 0
        for grid in grids:
            runs += _runs(grid)
            shown = np.arange(grid.rows * grid.cols) if grid.cells is None else grid.cells[grid.cells >= 0]
            order.append(shown + cells)
            cells += grid.rows * grid.cols
        self._check(self._library.llama_probe_set_spans(self._handle, 0, _spans(runs), C.c_size_t(len(runs))))
        self._order, self._cells = np.concatenate(order, dtype=np.intp) if order else self._order[:0], cells

    def attention(self, heads: Sequence[Head], row: int) -> NDArray[np.float32] | None:
        """(heads, cells of all grids) natural attention of an output row, -1 for the last; None where it was not
        read."""
        mass = np.zeros((len(heads), self._cells), np.float32)
        n_head, n_tokens = C.c_int32(), C.c_int32()
        for layer in {layer for layer, _ in heads}:
            data = self._library.llama_probe_get_ith(
                self._handle, C.c_int32(row), C.c_int32(layer), _NATURAL, C.byref(n_head), C.byref(n_tokens)
            )
            if not data or n_tokens.value != len(self._order):
                return None
            read = np.ctypeslib.as_array(data, (n_head.value, n_tokens.value))
            for index, (_, head) in enumerate(heads):
                if heads[index][0] == layer:
                    np.add.at(mass[index], self._order, read[head])
        return mass

    def _check(self, status: int) -> None:
        if status:
            why = self._library.llama_steer_error(self._handle).decode(errors="replace")
            raise EngineFailure(f"This Llama cannot be steered: {why}.")


_Run = tuple[int, int, int, "NDArray[np.float32] | None"]
"""position, rows (0 for a line), cols, and the values, as llama.cpp takes them."""


def _runs(grid: PlacedGrid, values: NDArray[np.float32] | None = None) -> list[_Run]:
    """A grid as spans of llama.cpp: itself, or a line for each run of tokens that show a cell."""
    if grid.cells is None:
        return [(grid.position, grid.rows, grid.cols, values)]
    shown = np.concatenate([[False], grid.cells >= 0, [False]])
    edges = np.flatnonzero(shown[1:] != shown[:-1]).tolist()
    runs: list[_Run] = []
    for begin, end in zip(edges[::2], edges[1::2], strict=True):
        own = None if values is None else values.ravel()[grid.cells[begin:end]]
        runs.append((grid.position + begin, 0, end - begin, own))
    return runs


def _spans(runs: Sequence[_Run]) -> Any:
    """An array of spans, which keeps the values that it points to."""
    kept = [None if values is None else np.ascontiguousarray(values, np.float32) for *_, values in runs]
    spans: Any = (_Span * len(runs))(
        *[
            _Span(position, cols, rows, None if values is None else values.ctypes.data_as(_Floats))
            for (position, rows, cols, _), values in zip(runs, kept, strict=True)
        ]
    )
    spans.kept = kept
    return spans
