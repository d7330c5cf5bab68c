"""Results as files that other code reads: attention of all heads as arrays, and a ranking in the authors' format."""

from __future__ import annotations

import json
from collections.abc import Mapping
from pathlib import Path
from typing import Any, Protocol

import numpy as np
from numpy.typing import NDArray

from ..atomic import replacing, write_text
from ..errors import OptionError
from ..steering.head_set import HeadSet
from .controls import table

ATTENTION, RANKING, PAPER_RANKING, TABLE = "attention.npz", "ranking.json", "gaze_head_ranking.json", "table.md"
"""Files of a folder of results."""


class Found(Protocol):
    """A ``Discovery`` or a ``TextDiscovery``."""

    @property
    def heads(self) -> HeadSet: ...
    @property
    def ranking(self) -> HeadSet: ...
    @property
    def attention(self) -> Mapping[str, NDArray[np.float64]]: ...


_SCORES = {
    "mass": "raw attention mass",
    "selectivity": "selectivity (row-normalised attention)",
    "guarded": "selectivity (row-normalised attention), 0 below a floor of mass",
    "gradient": "gradient of the captions' log-probability by the head's bias",
    "difference": "difference of the captions' log-probability under a bias on the head",
}
_READ_AT = {"prompt": "at the final prompt token", "answer": "over the answer's tokens"}


def paper_ranking(ranking: HeadSet, evidence: Mapping[str, Any] | None = None) -> dict[str, Any]:
    """As the authors of Gaze Heads publish rankings: best first, each head with its score. evidence: of the head set,
    which says what the scores are."""
    told = evidence or {}
    score = ", ".join(filter(None, (_SCORES.get(told.get("score", "")), _READ_AT.get(told.get("read_at", "")))))
    facts = ranking.model
    scores: tuple[float | None, ...] = ranking.scores or (None,) * len(ranking.heads)
    heads = [
        {"layer": layer, "head": head, **({} if score is None else {"score": score})}
        for (layer, head), score in zip(ranking.heads, scores, strict=True)
    ]
    return {
        "model": facts.name, "layers": facts.layers, "heads_per_layer": facts.heads,
        **({"score": score} if score else {}), "source": ranking.source, "heads": heads,
    }  # fmt: skip


def write_results(folder: Path, found: Found) -> list[str]:
    """Writes what there is of: attention, ranking in both formats, table; the names of the files. OptionError,
    HeadSetError where the folder does not take them."""
    written = [RANKING, PAPER_RANKING]
    try:
        found.ranking.write(folder / RANKING)
        write_text(
            folder / PAPER_RANKING, json.dumps(paper_ranking(found.ranking, found.heads.evidence), indent=1) + "\n"
        )
        if found.attention:
            arrays = {f"attention_{place}": each.astype(np.float32) for place, each in found.attention.items()}
            scores = {
                f"{name}_{place}": np.array(values, np.float32)
                for place in found.attention
                for name, values in found.ranking.evidence.get(place, {}).items()
            }
            with replacing(folder / ATTENTION) as file:
                np.savez_compressed(file, **arrays, **scores)  # type: ignore[arg-type]
            written.append(ATTENTION)
        if controls := found.heads.evidence.get("controls"):
            write_text(folder / TABLE, table(found.heads, controls))
            written.append(TABLE)
    except OSError as error:
        raise OptionError(f"The results cannot be written to {str(folder)!r}: {error}.") from error
    return written
