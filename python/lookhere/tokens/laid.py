"""Maps and what they lie on, in all ways that a caller gives them: a gaze alone, or maps with a frame or grids."""

from __future__ import annotations

import numpy as np

from .. import checks
from ..errors import OptionError
from .frame import Frame
from .grid import Map, TokenGrid


def frame_of(what: str, maps: object, frame: object = None) -> Frame:
    """The frame that was given, or that of a gaze on one image. what: the start of a message. OptionError."""
    if isinstance(frame, Frame):
        return frame
    if frame is not None:
        raise OptionError(f"{what}: frame={checks.short(frame)}; expected scene.frame, or a gaze alone.")
    known = getattr(maps, "frames", ())
    if isinstance(known, tuple) and len(known) == 1 and isinstance(known[0], Frame):
        return known[0]
    if isinstance(known, tuple) and len(known) > 1:
        raise OptionError(f"{what}: maps of {len(known)} images; expected those of one, as answer.gaze.on(1).")
    raise OptionError(f"{what}: the maps do not say what they lie on; give a gaze, as answer.gaze, or scene.frame too.")


def grids_of(what: str, maps: object, on: object = None) -> tuple[TokenGrid, ...]:
    """As ``frame_of``, but token grids alone are fine, too. OptionError."""
    if on is None or isinstance(on, Frame):
        return frame_of(what, maps, on).grids
    grids: tuple[TokenGrid, ...] = checks.items(on) or ()
    if not grids or not all(isinstance(each, TokenGrid) for each in grids):
        raise OptionError(f"{what}: grids={checks.short(on)}; expected scene.grids, scene.frame, or a gaze alone.")
    return grids


def laid(what: str, maps: object, grids: tuple[TokenGrid, ...]) -> tuple[Map, ...]:
    """The maps as (rows, cols) float32, one for each grid, not finite values as 0. OptionError."""
    given = checks.items(maps)
    try:
        found = [np.asarray(each) for each in ((None,) if given is None else given)]
    except Exception:  # rows of several lengths, or of an object that nobody here made
        found = [np.array(None)]
    if not found:
        raise OptionError(
            f"{what}: no maps, for nothing was read: the answer is empty, or no gaze was asked for. Ask with gaze=True "
            "of a model with a head set."
        )
    wanted = [(grid.rows, grid.cols) for grid in grids]
    if any(each.dtype.kind not in "buif" for each in found) or [each.shape for each in found] != wanted:
        shapes = [each.shape for each in found] if found[0].dtype.kind != "O" else maps
        raise OptionError(
            f"{what}: maps={checks.short(shapes)} on grids of {checks.short(wanted)}; expected one map of numbers, "
            "(rows, cols), for each token grid."
        )
    with np.errstate(over="ignore"):
        return tuple(np.nan_to_num(each.astype(np.float32), nan=0.0, posinf=0.0, neginf=0.0) for each in found)
