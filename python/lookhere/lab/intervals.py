"""How sure a share is: 95 % intervals over strips."""

from __future__ import annotations

import math
from collections.abc import Sequence

import numpy as np

RESAMPLES = 2000


def wilson(right: float, total: int, z: float = 1.959964) -> tuple[float, float]:
    """The Wilson score interval of a share; (0, 1) of nothing. Formula: E. B. Wilson, 1927."""
    if total == 0:
        return 0.0, 1.0
    share = right / total
    scale = 1 + z * z / total
    middle = (share + z * z / (2 * total)) / scale
    half = z * math.sqrt(share * (1 - share) / total + z * z / (4 * total * total)) / scale
    return max(0.0, middle - half), min(1.0, middle + half)


def over_strips(right: Sequence[int], total: Sequence[int], seed: int = 0) -> tuple[float, float]:
    """The bootstrap interval of sum(right) / sum(total) with strips drawn again.

    right, total: one number per strip; answers about one strip are not independent. Where all strips agree a bootstrap
    knows no doubt: there the Wilson interval with one answer per strip stands in.
    """
    hits, asked = np.asarray(right, float), np.asarray(total, float)
    known = asked > 0
    hits, asked = hits[known], asked[known]
    if len(asked) == 0:
        return 0.0, 1.0
    shares = hits / asked
    if np.ptp(shares) == 0:
        return wilson(float(shares.sum()), len(shares))
    drawn = np.random.default_rng(seed).integers(len(asked), size=(RESAMPLES, len(asked)))
    low, high = np.quantile(hits[drawn].sum(axis=1) / asked[drawn].sum(axis=1), (0.025, 0.975))
    return float(low), float(high)


def ratio_over_strips(parts: Sequence[float], wholes: Sequence[float], seed: int = 0) -> tuple[float, float]:
    """The bootstrap interval of sum(parts) / sum(wholes) for values that are no shares, with strips drawn again.

    (nan, nan) of nothing. One strip, or strips that agree, give an interval without width: it knows no doubt.
    """
    above, below = np.asarray(parts, float), np.asarray(wholes, float)
    known = below > 0
    above, below = above[known], below[known]
    if len(below) == 0:
        return math.nan, math.nan
    drawn = np.random.default_rng(seed).integers(len(below), size=(RESAMPLES, len(below)))
    low, high = np.quantile(above[drawn].sum(axis=1) / below[drawn].sum(axis=1), (0.025, 0.975))
    return float(low), float(high)
