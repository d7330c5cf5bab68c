"""What a discovery writes beside the heads: where they come from, and the figures behind them."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np

from .calibration import Choice
from .checkpoint import file_hash
from .comparison import KEPT
from .discovery_options import Options
from .ranking import Scores, Trust

if TYPE_CHECKING:
    from .. import _engine
    from ..model import Model
    from ..steering.head_set import HeadSet
    from .material import Material


def source_of(options: Options, stuff: Material) -> str:
    """A sentence for people."""
    if options.ranking is not None:
        return f"lookhere discover, from the ranking {options.ranking.name}"
    return f"lookhere discover, {stuff.count} {stuff.words}, seed {options.seed}"


def evidence_of(
    model: Model,
    options: Options,
    stuff: Material,
    ranking: HeadSet,
    place: str,
    trusted: Trust | None,
    choice: Choice | None,
) -> dict[str, Any]:
    """For a head set; see docs/heads.md."""
    evidence: dict[str, Any] = {
        "model": {**of_model(model.path, model.native), "projector": model.projector.kind},
        "corpus": stuff.words, "strips": stuff.count, "calibration_strips": len(stuff.pictures), "panels": stuff.places,
        "seed": options.seed,
    }  # fmt: skip
    if trusted is not None:
        evidence |= of_trust(options, place, trusted)
    if choice is not None:
        evidence |= {"chosen_by": choice.measured.as_dict(), "sweeps": choice.sweeps}
    evidence["ranking"] = [list(head) for head in ranking.heads[:KEPT]]
    return evidence


def of_model(path: str, native: _engine.Model) -> dict[str, Any]:
    """What tells the language model apart from others."""
    return {
        "sha256": file_hash(path), "parameters": native.parameters, "bytes": native.size_bytes,
        "key_value_heads": native.heads_kv,
    }  # fmt: skip


def of_trust(options: Options, place: str, trusted: Trust) -> dict[str, Any]:
    """What speaks for a ranking."""
    return {
        **({"score": options.kind, "read_at": place, "floor": options.floor} if options.rank == "attention"
           else {"score": options.rank, "read_at": "answer"}), "chance": round(trusted.chance, 4),
        "verdict": trusted.verdict, "gaze_heads": trusted.gaze_heads,
        "shuffled_best": [round(value, 4) for value in trusted.baseline],
        "split_half_overlap": {str(k): round(value, 4) for k, value in trusted.overlap.items()},
    }  # fmt: skip


def all_scores(scores: dict[str, Scores]) -> dict[str, Any]:
    """(layers, heads) tables of every score at both places."""
    return {
        place: {name: np.round(table, 5).tolist() for name, table in vars(each).items()}
        for place, each in scores.items()
    }
