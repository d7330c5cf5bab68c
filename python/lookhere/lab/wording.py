"""Figures in words, as reports and pages have them."""

from __future__ import annotations

from collections.abc import Sequence
from statistics import median

from .experiments import TITLES
from .figures import Figure, Value


def title_of(figure: Figure) -> str:
    """'dynamic narration, gaze heads'; what is never steered is named by its protocol alone."""
    title = TITLES[figure.protocol]
    return title if figure.protocol in ("ordinal", "order", "free") else f"{title}, {figure.arm}"


def draws_named(figures: Sequence[Figure]) -> str:
    """'random heads, 10 draws'; says so where some are the same heads, because the layers have no others."""
    different = len({dict(figure.setting).get("names") for figure in figures})
    name = f"random heads, {len(figures)} draws"
    return name if different == len(figures) else f"{name} ({different} different)"


def percent(value: Value | None) -> str:
    """'83.1% (79.0% to 87.2%)', or nothing."""
    return "" if value is None else f"{value.value:.1%} ({value.interval[0]:.1%} to {value.interval[1]:.1%})"


def number(value: Value | None) -> str:
    """'1.83 (1.70 to 2.01)', or nothing; large ones without decimals."""
    if value is None:
        return ""
    each, low, high = map(short, (value.value, *value.interval))
    return f"{each} ({low} to {high})"


def short(value: float) -> str:
    """'1.83', '2,687'."""
    return f"{value:.2f}" if abs(value) < 100 else f"{value:,.0f}"


def switch(figure: Figure) -> str:
    """'7 tokens (48 of 60 moves)'."""
    moves, arrived = figure.switches
    return f"{median(arrived):g} tokens ({len(arrived)} of {moves} moves)" if arrived else f"none of {moves} moves"
