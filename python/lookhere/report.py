"""An evaluation as Markdown tables."""

from __future__ import annotations

from collections.abc import Sequence

from .evaluation import Evaluation, Figure


def markdown(evaluation: Evaluation) -> str:
    """The whole report; ends with a newline."""
    parts = [_head(evaluation), _main(evaluation)]
    if evaluation.group("control"):
        parts.append(_controls(evaluation))
    if evaluation.group("sweep"):
        parts.append(_sweeps(evaluation))
    parts.append(_notes(evaluation))
    return "\n".join(parts)


def _head(evaluation: Evaluation) -> str:
    facts, heads, options = evaluation.model, evaluation.heads, evaluation.options
    lines = [
        f"# {facts['name']}\n",
        f"{facts['file']}, {facts['bytes'] / 1e6:.1f} MB, {facts['parameters'] / 1e6:.1f} million parameters, "
        f"sha256 {facts['sha256'][:12]}.",
    ]
    if heads is not None:
        every = heads.model.layers * heads.model.heads
        lines.append(
            f"{len(heads.heads)} of {every} heads, {heads.strength:g} nats, `{heads.mode}`, queries `{heads.queries}`."
        )
    lines.append(f"Seed {options.seed}, greedy, judged by {options.judge}; {evaluation.seconds:.0f} s.\n")
    return "\n".join(lines)


def _main(evaluation: Evaluation) -> str:
    rows = []
    for figure in evaluation.group("main"):
        seen = evaluation.seen.get(figure.name)
        rows.append([*_figure(figure), "" if seen is None else f"{seen.share():.1%} ({_interval(seen)})"])
    columns = ["", "questions", "right", "95 %", "another panel", "invented", "junk", "seen combinations"]
    return _table(columns, rows)


def _controls(evaluation: Evaluation) -> str:
    figures = evaluation.group("control")
    draws = [figure for figure in figures if figure.name.startswith("random")]
    gaze = evaluation.fresh.get("ambiguous question, gaze heads")
    rows = []
    if gaze is not None:
        same = Figure(gaze.name, gaze.group, gaze.outcomes[: evaluation.options.controls])
        rows.append(_figure(same))
    if draws:
        shares = sorted(draw.share() for draw in draws)
        junk = sorted(draw.share("junk") for draw in draws)
        rows.append([
            f"random heads, {len(draws)} draws", str(sum(draw.asked for draw in draws)),
            f"{sum(shares) / len(shares):.1%}", f"draws {shares[0]:.1%} to {shares[-1]:.1%}",
            f"{sum(draw.share('other') for draw in draws) / len(draws):.1%}",
            f"{sum(draw.share('invented') for draw in draws) / len(draws):.1%}",
            f"{sum(junk) / len(junk):.1%} ({junk[0]:.1%} to {junk[-1]:.1%})",
        ])  # fmt: skip
    rows += [_figure(figure) for figure in figures]
    columns = ["", "questions", "right", "95 %", "another panel", "invented", "junk"]
    title = f"\n## Controls: the ambiguous question on the first {evaluation.options.controls} strips\n\n"
    return title + _table(columns, rows)


def _sweeps(evaluation: Evaluation) -> str:
    columns = ["", "questions", "right", "95 %", "another panel", "invented", "junk"]
    title = f"\n## Sweeps: the ambiguous question on the first {evaluation.options.sweeps} strips\n\n"
    return title + _table(columns, [_figure(figure) for figure in evaluation.group("sweep")])


def _notes(evaluation: Evaluation) -> str:
    return (
        "\nRight: the answer is the target's caption. Another panel: that of another panel of the strip. Invented: a "
        "well-formed caption of no panel. Junk: anything else. Intervals: bootstrap over strips (Wilson over strips "
        "where all agree). Controls are reported, never tuned.\n"
    )


def _figure(figure: Figure) -> list[str]:
    return [
        figure.name, str(figure.asked), f"{figure.share():.1%}", _interval(figure), f"{figure.share('other'):.1%}",
        f"{figure.share('invented'):.1%}", f"{figure.share('junk'):.1%}",
    ]  # fmt: skip


def _interval(figure: Figure) -> str:
    low, high = figure.interval
    return f"{low:.1%} to {high:.1%}"


def _table(columns: Sequence[str], rows: Sequence[Sequence[str]]) -> str:
    lines = [columns, ["---", *["---:"] * (len(columns) - 1)], *rows]
    return "".join(f"| {' | '.join(line)} |\n" for line in lines)
