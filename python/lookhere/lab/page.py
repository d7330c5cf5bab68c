"""An evaluation as one HTML page that needs nothing beside itself: no scripts, no fonts, no network."""

from __future__ import annotations

import datetime
from collections.abc import Callable, Sequence
from pathlib import Path
from statistics import median
from typing import Any

import numpy as np

from . import svg
from .arms import UNSTEERED
from .charts import CHART_STYLE
from .evaluation import Evaluation
from .experiments import TITLES
from .figures import CORPORA, Figure
from .ranking import FLOOR
from .readtable import COLUMNS, read_tables
from .report import NOTES, TOKEN_SIZES, agreements, compared, draws, modes, sizes, token_sizes, unknown
from .staircase import matrix
from .wording import draws_named, number, percent, short, switch, title_of

TEMPLATE = Path(__file__).parent / "page.html.jinja"
_READ = {"prompt": "at the final prompt token", "answer": "over the tokens of the right answer"}


def page(evaluation: Evaluation) -> str:
    """The whole page, UTF-8."""
    import jinja2
    from markupsafe import Markup

    environment = jinja2.Environment(autoescape=True, trim_blocks=True, lstrip_blocks=True)
    template = environment.from_string(TEMPLATE.read_text(encoding="utf-8"))
    arms = [
        {"title": _capital(TITLES[protocol]), "strips": len(figures[0].records), "corpus": corpus,
         "rows": [{**row, "bar": Markup(row["bar"])} for row in _rows(figures)]}
        for corpus, *_ in CORPORA
        for protocol in dict.fromkeys(each.protocol for each in evaluation.some(corpus=corpus))
        if protocol not in ("ordinal", "order", "move", "free") and (figures := compared(evaluation, protocol, corpus))
    ]  # fmt: skip
    if found := modes(evaluation):
        rows = [{**row, "bar": Markup(row["bar"])} for row in _rows(found)]
        arms.append({"title": "Modes", "strips": len(found[0].records), "corpus": "fresh", "rows": rows})
    charts = [
        {**each, "svg": Markup(each["svg"])}
        for each in sorted((*_maps(evaluation), *_stairs(evaluation)), key=lambda each: "wide" in each)
    ]
    sweeps = [{**each, "svg": Markup(each["svg"])} for each in _sweeps(evaluation)]
    return template.render(
        chart_style=Markup(CHART_STYLE),
        name=evaluation.model["name"], headline=_headline(evaluation), arms=arms, charts=charts, sweeps=sweeps,
        read_columns=COLUMNS, readings=_readings(evaluation),
        main=_main(evaluation), dynamic=_dynamic(evaluation), sizes=sizes(evaluation),
        token_sizes=token_sizes(evaluation), token_columns=[name for name, *_ in TOKEN_SIZES],
        examples=evaluation.examples, facts=_facts(evaluation), agreements=agreements(evaluation), notes=NOTES,
        judges=evaluation.judges,
        taught="lookhere built-in" in evaluation.model["name"], unknown=unknown(evaluation),
    )  # fmt: skip


def _headline(evaluation: Evaluation) -> list[dict[str, str]]:
    """Up to four numbers that say most."""
    found = []
    gaze = evaluation.find("vqa", "gaze heads")
    if gaze is not None:
        low, high = gaze.interval
        found.append({"value": f"{gaze.share():.0%}", "words": "of steered answers are about the panel that was "
                      "pointed at", "more": f"{low:.0%} to {high:.0%}, {gaze.asked} answers"})  # fmt: skip
    random, _ = draws(evaluation.some(protocol="vqa", group="control"))
    if random:
        shares = [figure.share() for figure in random]
        found.append({
            "value": f"{sum(shares) / len(shares):.0%}", "words": "with as many random heads that are no gaze heads",
            "more": f"{len(shares)} draws, {min(shares):.0%} to {max(shares):.0%}",
        })  # fmt: skip
    dynamic = evaluation.find("dynamic", "gaze heads")
    if dynamic is not None and dynamic.rho is not None:
        found.append({"value": f"{dynamic.rho.value:.2f}", "words": "Spearman's rho between the schedule and what a "
                      "running narration describes", "more": number(dynamic.rho).partition(" ")[2]})  # fmt: skip
        moves, arrived = dynamic.switches
        if arrived:
            found.append({"value": f"{median(arrived):g}", "words": "tokens until a caption about the new panel "
                          "begins, median", "more": f"{len(arrived)} of {moves} moves"})  # fmt: skip
    return found


def _rows(figures: Sequence[Figure]) -> list[dict[str, Any]]:
    """Bars: main arms, baselines, random draws as one, controls."""
    random, others = draws(figures)
    rows = [_row(figure) for figure in others if figure.group != "control"]
    if random:
        shares = [figure.share() for figure in random]
        mean = sum(shares) / len(shares)
        rows.append({
            "name": draws_named(random), "kind": "control", "value": f"{mean:.1%}",
            "more": f"{min(shares):.1%} to {max(shares):.1%}", "bar": svg.bar(mean, None, "control", shares),
            "junk": f"{sum(figure.share('junk') for figure in random) / len(random):.1%}",
            "none": f"{sum(figure.share('none') for figure in random) / len(random):.1%}",
            "unchanged": _mean([figure.unchanged.value for figure in random if figure.unchanged]),
            "moved": _mean([each.right_and_changed.value for each in random if each.right_and_changed]),
            "perplexity": _mean([figure.perplexity.value for figure in random if figure.perplexity], short),
            "taken": _mean([figure.taken.value for figure in random if figure.taken], "{:+.1%}".format),
        })  # fmt: skip
    return rows + [_row(figure) for figure in others if figure.group == "control"]


def _row(figure: Figure) -> dict[str, Any]:
    kind = _kind(figure)
    low, high = figure.interval
    return {
        "name": figure.arm, "kind": kind, "value": f"{figure.share():.1%}", "more": f"{low:.1%} to {high:.1%}",
        "bar": svg.bar(figure.share(), figure.interval, kind),
        "junk": f"{figure.share('junk'):.1%}", "none": f"{figure.share('none'):.1%}",
        "unchanged": percent(figure.unchanged).partition(" ")[0],
        "moved": percent(figure.right_and_changed).partition(" ")[0],
        "perplexity": number(figure.perplexity), "taken": f"{figure.taken.value:+.1%}" if figure.taken else "",
    }  # fmt: skip


def _kind(figure: Figure) -> str:
    """Which colour a bar has. A baseline may be a main arm, as the crop is for small objects."""
    if figure.arm == UNSTEERED.name:
        return "plain"
    if figure.arm.startswith("gaze heads") or figure.group == "mode":
        return "gaze"
    return "control" if figure.group == "control" else "baseline"


def _mean(values: Sequence[float], written: Callable[[float], str] = "{:.1%}".format) -> str:
    return written(sum(values) / len(values)) if values else ""


def _main(evaluation: Evaluation) -> list[dict[str, str]]:
    """One row per main arm, with the seen combinations beside it."""
    rows = []
    for figure in evaluation.some(group="main"):
        if figure.protocol == "free":
            continue
        seen = evaluation.find(figure.protocol, figure.arm, "seen")
        rows.append({
            "name": _capital(title_of(figure)), "asked": str(figure.asked), "right": percent(figure.right),
            "other": f"{figure.share('other'):.1%}", "none": f"{figure.share('none'):.1%}",
            "junk": f"{figure.share('junk'):.1%}", "seen": percent(seen.right if seen else None),
        })  # fmt: skip
    return rows


def _dynamic(evaluation: Evaluation) -> list[dict[str, str]]:
    return [
        {"name": figure.arm, "match": percent(figure.right), "rho": number(figure.rho), "switch": switch(figure)}
        for figure in evaluation.some(protocol="dynamic")
    ]


def _readings(evaluation: Evaluation) -> list[dict[str, Any]]:
    return [
        {"title": table.title,
         "rows": [(arm, str(asked), percent(peak), percent(centre), number(iou))
                  for arm, asked, peak, centre, iou in table.rows]}
        for table in read_tables(evaluation)
    ]  # fmt: skip


def _maps(evaluation: Evaluation) -> list[dict[str, str]]:
    """All heads, and what the head set attends to when each panel is asked about."""
    maps, charts = evaluation.maps, []
    if maps is None:
        return []
    guarded = np.where(np.asarray(maps.mass) > FLOOR, np.asarray(maps.selectivity), 0.0)
    chosen = evaluation.heads.heads if evaluation.heads else ()
    charts.append({
        "title": "Every head",
        "svg": svg.heat(guarded.tolist(), rows="layer", cols="head", outlined=chosen, span=(1 / 6, 1.0)),
        "words": f"Share of a head's attention to panels that falls on the panel asked about, where it gives the image "
                 f"more than {FLOOR:g}; read {_READ[maps.place]} on {_strips(maps.strips)}. Empty: "
                 f"chance, {1 / 6:.2f}, or less; full: 1. Most: {guarded.max():.2f}."
                 + (" Framed: the head set." if chosen else ""),
    })  # fmt: skip
    if maps.matrix:
        charts.append({
            "title": "Asked about, attended to",
            "svg": svg.heat(maps.matrix, rows="asked", cols="attended", first=1, cell=42, numbers=True),
            "words": f"Attention mass of the head set on each panel, read {_READ[maps.place]}, while each panel is "
                     "asked about in words. Nothing is steered.",
        })  # fmt: skip
    return charts


def _stairs(evaluation: Evaluation) -> list[dict[str, str]]:
    """Free narration: the first strip token by token, and all strips caption by caption."""
    figure = evaluation.find("free", "unsteered")
    if figure is None or not any(figure.records):
        return []
    charts = []
    first = next(strip for strip in figure.records if strip)
    rows = [row for record in first for row in record.more.get("gaze", [])]
    if rows:
        ends = np.cumsum([len(record.more["gaze"]) for record in first]).tolist()
        charts.append({
            "title": "The staircase", "svg": svg.stairs(rows, ends), "wide": "yes",
            "words": "Natural gaze of the head set on each panel while the model narrates the first strip in order; "
                     "nobody steers. Lines: ends of captions.",
        })  # fmt: skip
    said = [(record.target, np.asarray(record.more["gaze"])) for strip in figure.records for record in strip
            if record.more.get("gaze")]  # fmt: skip
    if said:
        means = matrix(said, said[0][1].shape[1]).tolist()
        charts.append({
            "title": "Caption by caption",
            "svg": svg.heat(means, rows="caption", cols="panel", first=1, cell=42, numbers=True),
            "words": f"Natural gaze over {_strips(len(figure.records))}: mean attention mass on each panel during the "
                     "first, second, third caption of a narration."
                     + (f" It is most on the panel that is being described during {figure.followed.value:.0%} of them."
                        if figure.followed else ""),
        })  # fmt: skip
    return charts


def _sweeps(evaluation: Evaluation) -> list[dict[str, str]]:
    """Strength, number of heads and queries: measured here where there are sweeps, else the head set's evidence."""
    figures, heads = evaluation.some(group="sweep"), evaluation.heads
    if heads is None:
        return []
    charts = []
    strengths: dict[str, list[svg.Spot]] = {}
    counts: dict[str, list[svg.Spot]] = {}
    for figure in figures:
        setting = dict(figure.setting)
        if figure.arm.startswith("queries"):
            strengths.setdefault(setting["queries"], []).append(_spot(f"{setting['strength']:g}", figure))
        else:
            counts.setdefault(setting["mode"], []).append(_spot(str(setting["heads"]), figure))
    where = f"{_strips(evaluation.options.sweeps)}, not those that the head set was chosen on"
    if not figures:
        where = "the strips that the head set was chosen on, by lookhere discover"
        sweeps = heads.evidence.get("sweeps", {})
        for name, found, key in (("strength", strengths, "strength"), ("heads", counts, "heads")):
            for each in sweeps.get(name, []):
                low, high = each["interval"]
                series = f"ranked at {each['place']}" if "place" in each else ""
                found.setdefault(series, []).append(svg.Spot(f"{each[key]:g}", each["accuracy"], low, high))
    for title, found, axis in (("Strength", strengths, "nats"), ("Number of heads", counts, "heads")):
        if found:
            words = f"Share of right answers to the question that names no panel, on {where}."
            charts.append({"title": title, "svg": svg.lines(list(found.items()), axis), "words": words})
    return charts


def _spot(name: str, figure: Figure) -> svg.Spot:
    return svg.Spot(name, figure.share(), *figure.interval)


def _facts(evaluation: Evaluation) -> list[tuple[str, str]]:
    facts, heads, options = evaluation.model, evaluation.heads, evaluation.options
    found = [
        ("Model", f"{facts['name']} ({facts['architecture']}), {facts['parameters'] / 1e6:.1f} million parameters"),
        ("File", f"{facts['file']}, {facts['bytes'] / 1e6:.1f} MB, sha256 {facts['sha256'][:16]}"),
    ]
    if heads is not None:
        every = len(heads.model.every_head)
        found.append(("Head set", f"{len(heads.heads)} of {every} heads, {heads.amount}, {heads.mode}, "
                      f"queries {heads.queries}"))  # fmt: skip
        if heads.source:
            found.append(("Its source", heads.source))
    return [
        *found,
        ("Pictures", f"{options.strips} fresh strips and scenes, {options.seen} seen, {options.controls} for controls, "
         f"{options.sweeps} for sweeps, {options.modes} for modes; seed {options.seed}"),
        ("Decoding", "greedy"), ("Judged by", evaluation.judges[0]), ("Seconds", f"{evaluation.seconds:.0f}"),
        ("Date", datetime.date.today().isoformat()),
    ]  # fmt: skip


def _strips(count: int) -> str:
    return "1 strip" if count == 1 else f"{count} strips"


def _capital(text: str) -> str:
    return text[:1].upper() + text[1:]
