"""An evaluation as Markdown tables."""

from __future__ import annotations

import itertools
import math
import re
from collections.abc import Callable, Sequence

from .coco import SIZES
from .evaluation import Evaluation
from .experiments import TITLES
from .figures import CORPORA, Figure, Value
from .kinds import kinds
from .outcome import Outcome
from .readtable import COLUMNS, read_tables
from .wording import draws_named, number, percent, short, switch, title_of

NOTES = (
    "Right: the answer is about the target. Another: about another panel or object of the picture. None: fits no "
    "caption. Junk: no language (judged word for word: anything that is no caption). Unchanged: the unsteered answer "
    "again (more than 0.9 of the words in common); right and changed: such answers count as misses, the paper's rule. "
    "Perplexity: of the answer under the unsteered model. Taken from text: attention of the steered heads that went "
    "from text to the image. Intervals: 95 %, bootstrap over strips (Wilson over strips where all agree). Controls "
    "are reported, never tuned."
)


UNKNOWN = 0.9
"""Share of junk and of answers that fit no caption from which on a model does not know the pictures."""
KNOWN = 0.5
"""Share of right answers to questions that name a panel from which on it knows them, whatever else it says."""


def markdown(evaluation: Evaluation) -> str:
    """The whole report; ends with a newline."""
    parts = [_head(evaluation), _main(evaluation), unknown(evaluation)]
    for corpus, what, _ in CORPORA:
        for protocol in dict.fromkeys(figure.protocol for figure in evaluation.some(corpus=corpus)):
            figures = compared(evaluation, protocol, corpus)
            if len(figures) > (2 if corpus == "fresh" else 0):
                count = len(figures[0].records)
                those = what if count == 1 else re.sub("picture|comic|image", r"\g<0>s", what)
                parts.append(f"\n## {TITLES[protocol].capitalize()}: the arms on {count} {those}\n\n" + _arms(figures))
    sweeps = evaluation.some(group="sweep")
    if sweeps:
        columns = ["", "questions", "right", "95 %", "another", "none", "junk"]
        title = f"\n## Sweeps: {TITLES['vqa']}, the first {evaluation.options.sweeps} strips\n\n"
        parts.append(title + _table(columns, [[figure.arm, *_shares(figure)] for figure in sweeps]))
    if evaluation.some(group="mode"):
        title = f"\n## Modes: {TITLES['vqa']}, the first {evaluation.options.modes} strips\n\n"
        parts.append(title + _arms(modes(evaluation)))
    parts += [part(evaluation) for part in (_kinds, _token_sizes, _sizes, _narrations, _free, _reading, _judges)]
    parts.append(f"\n{NOTES}\n")
    return "\n".join(part.strip("\n") + "\n" for part in parts if part)


def compared(evaluation: Evaluation, protocol: str, corpus: str = "fresh") -> list[Figure]:
    """The arms of a protocol on the pictures that all of them were run on: main arms, baselines, controls."""
    every = evaluation.some(protocol=protocol, corpus=corpus)
    figures = [each for each in every if each.group not in ("sweep", "mode", "reading")]
    common = min((len(each.records) for each in figures), default=0)
    return [each.first(common) for each in figures]


def modes(evaluation: Evaluation) -> list[Figure]:
    """Every mode with its numbers, after the unsteered answers to the same strips."""
    figures = evaluation.some(group="mode")
    unsteered = evaluation.find("vqa", "unsteered")
    count = min((len(each.records) for each in figures), default=0)
    return [*([unsteered.first(count)] if unsteered and figures else []), *figures]


def draws(figures: Sequence[Figure]) -> tuple[list[Figure], list[Figure]]:
    """Random draws, and the rest."""
    found = [figure for figure in figures if figure.arm.startswith("random")]
    return found, [figure for figure in figures if figure not in found]


def agreements(evaluation: Evaluation) -> list[tuple[str, str, float, int]]:
    """Two judges, the share of answers that they take for the same, and of how many answers."""
    found = []
    names = dict.fromkeys(
        name
        for figure in evaluation.figures if figure.group != "reading"
        for strip in figure.records for record in strip for name in record.picks
    )  # fmt: skip
    for one, other in itertools.combinations(names, 2):
        shares = [(figure.agreement(one, other), figure.asked) for figure in evaluation.figures]
        known = [(share, asked) for share, asked in shares if share is not None]
        asked = sum(each for _, each in known)
        if asked:
            found.append((one, other, sum(share * each for share, each in known) / asked, asked))
    return found


def _head(evaluation: Evaluation) -> str:
    facts, heads, options = evaluation.model, evaluation.heads, evaluation.options
    lines = [
        f"# {facts['name']}\n",
        f"{facts['file']}, {facts['bytes'] / 1e6:.1f} MB, {facts['parameters'] / 1e6:.1f} million parameters, "
        f"sha256 {facts['sha256'][:12]}.",
    ]
    if heads is not None:
        every = len(heads.model.every_head)
        lines.append(f"{len(heads.heads)} of {every} heads, {heads.amount}, `{heads.mode}`, queries `{heads.queries}`.")
        worth = heads.evidence.get("worth")
        if isinstance(worth, dict) and worth.get("verdict") in ("weak", "prior"):
            lines.append(f"lookhere discover marked them: {worth['verdict']}, {worth.get('why')}.")
    lines.append(f"Seed {options.seed}, greedy, judged by {evaluation.judges[0]}; {evaluation.seconds:.0f} s.\n")
    return "\n".join(lines)


def _main(evaluation: Evaluation) -> str:
    rows = []
    for figure in evaluation.some(group="main"):
        if figure.protocol == "free":
            continue
        seen = evaluation.find(figure.protocol, figure.arm, "seen")
        rows.append([title_of(figure), *_shares(figure), "" if seen is None else percent(seen.right)])
    columns = ["", "questions", "right", "95 %", "another", "none", "junk", "seen combinations"]
    return _table(columns, rows) if rows else ""


def unknown(evaluation: Evaluation) -> str:
    """A line for each kind of pictures that the model does not seem to know, or nothing."""
    lines = []
    for corpus, what, _ in CORPORA:
        figures = evaluation.some(group="main", corpus=corpus)
        asked = sum(figure.asked for figure in figures)
        lost = sum((figure.share("junk") + figure.share("none")) * figure.asked for figure in figures)
        familiar = evaluation.familiar.get(corpus)
        named = evaluation.find("ordinal", "unsteered", corpus)
        if familiar is not None and not familiar.known and (named is None or named.share() < KNOWN):
            right = "" if named is None else f" Of those to questions that name a panel {named.share():.0%} are right."
            lines.append(
                f"The model does not know such pictures ({what}): of {familiar.count} unsteered answers "
                f"{familiar.share:.0%} are nearer to the captions of their own picture than to another's, and chance "
                f"is 50%.{right} These figures say nothing about steering; give pictures with captions in the model's "
                "own words and language, or ask in its own words: lookhere discover --question, --prompt."
            )
        elif asked and lost >= UNKNOWN * asked:
            lines.append(
                f"{lost / asked:.0%} of the answers about each {what} fit no caption: the model does not seem to know "
                "such pictures, or the judge does not understand its words (--judge). These figures say nothing about "
                "steering."
            )
    return "\n".join(lines)


def _arms(figures: Sequence[Figure]) -> str:
    random, others = draws(figures)
    rows = [_arm(figure.arm, figure) for figure in others if figure.group in ("main", "baseline", "mode")]
    if random:
        rows.append(_spread(random))
    rows += [_arm(figure.arm, figure) for figure in others if figure.group == "control"]
    columns = ["", "questions", "right", "95 %", "another", "none", "junk", "unchanged", "right and changed",
               "perplexity", "taken from text"]  # fmt: skip
    return _table(columns, rows)


def _arm(name: str, figure: Figure) -> list[str]:
    return [
        name, *_shares(figure), _share(figure.unchanged), _share(figure.right_and_changed),
        "" if figure.perplexity is None else short(figure.perplexity.value), _share(figure.taken),
    ]  # fmt: skip


def _spread(figures: Sequence[Figure]) -> list[str]:
    """One row for all draws: the mean, and the lowest and the highest."""

    def mean(of: Callable[[Figure], float | None], written: Callable[[float], str] = "{:.1%}".format) -> str:
        known = [value for value in map(of, figures) if value is not None]
        return written(sum(known) / len(known)) if known else ""

    def share(name: Outcome) -> str:
        return mean(lambda figure: figure.share(name))

    shares = sorted(figure.share() for figure in figures)
    return [
        draws_named(figures), str(sum(figure.asked for figure in figures)), share("right"),
        f"draws {shares[0]:.1%} to {shares[-1]:.1%}", share("other"), share("none"), share("junk"),
        mean(lambda figure: _value(figure.unchanged)), mean(lambda figure: _value(figure.right_and_changed)),
        mean(lambda figure: _value(figure.perplexity), short), mean(lambda figure: _value(figure.taken)),
    ]  # fmt: skip


def _value(value: Value | None) -> float | None:
    return None if value is None else value.value


def _narrations(evaluation: Evaluation) -> str:
    figures = [
        figure
        for corpus in ("fresh", "seen", "comics")
        for figure in evaluation.some(protocol="dynamic", corpus=corpus)
    ]
    rows = [
        [f"{figure.arm}, {figure.corpus} strips", str(figure.asked), percent(figure.right), number(figure.rho),
         switch(figure)]
        for figure in figures
    ]  # fmt: skip
    if not rows:
        return ""
    columns = ["", "segments", "match", "Spearman's rho", "a switch takes, median"]
    return "\n## Dynamic narration: the gaze moves on after every 50 tokens\n\n" + _table(columns, rows)


def sizes(evaluation: Evaluation) -> list[list[str]]:
    """Labelled boxes: an arm, and how many of small, medium and large objects are named rightly."""
    figures = compared(evaluation, "boxes", "coco")
    return [
        [figure.arm, *(f"{part.share():.1%} of {part.asked}" if part.asked else "" for part in parts)]
        for figure in figures
        if (parts := [figure.of_size(size) for size in SIZES])
    ]


TOKEN_SIZES = (("less than 2 x 2", 0.0, 4.0), ("2 x 2 to 3 x 3", 4.0, 9.0), ("3 x 3 and more", 9.0, math.inf))
"""Places by their area in image tokens."""


def token_sizes(evaluation: Evaluation) -> list[list[str]]:
    """An arm that looks at objects, and how many of each size in image tokens are named rightly."""
    found = []
    for corpus, _, where in CORPORA:
        figures = [each for name in ("boxes", "small") for each in compared(evaluation, name, corpus)]
        for figure in figures:
            parts = [figure.of_tokens(least, most) for _, least, most in TOKEN_SIZES]
            if figure.group in ("main", "baseline") and any(part.asked for part in parts):
                shares = [f"{percent(part.right)} of {part.asked}" if part.asked else "" for part in parts]
                found.append([f"{TITLES[figure.protocol]}, {figure.arm}{where}", *shares])
    return found


def _token_sizes(evaluation: Evaluation) -> str:
    rows = token_sizes(evaluation)
    columns = ["", *(name for name, *_ in TOKEN_SIZES)]
    return "\n## Boxes by size in image tokens\n\n" + _table(columns, rows) if rows else ""


def _kinds(evaluation: Evaluation) -> str:
    rows = [
        [each.name, str(each.heads), f"{each.shared:g}", percent(each.vqa), percent(each.vqa_moved),
         percent(each.static), number(each.rho)]
        for each in kinds(evaluation)
    ]  # fmt: skip
    columns = ["", "heads", "of them gaze heads", "question that names no panel", "the same, unchanged is a miss",
               "static narration", "dynamic narration, rho"]  # fmt: skip
    title = "\n## Kinds of heads, as many of each\n\nOf random draws: mean, lowest and highest draw.\n\n"
    return title + _table(columns, rows) if rows else ""


def _sizes(evaluation: Evaluation) -> str:
    rows = sizes(evaluation)
    return "\n## Labelled boxes by size, as COCO counts\n\n" + _table(["", *SIZES], rows) if rows else ""


def _free(evaluation: Evaluation) -> str:
    figure = evaluation.find("free", "unsteered")
    if figure is None or figure.followed is None:
        return ""
    return (
        "\n## Free narration\n\nThe natural gaze of the head set is most on the panel that is being described during "
        f"{percent(figure.followed)} of the captions.\n"
    )


def _reading(evaluation: Evaluation) -> str:
    return "".join(
        f"\n## {table.title}\n\n"
        + _table(COLUMNS, [[arm, str(asked), percent(peak), percent(centre), number(iou)]
                           for arm, asked, peak, centre, iou in table.rows])
        for table in read_tables(evaluation)
    )  # fmt: skip


def _judges(evaluation: Evaluation) -> str:
    rows = [[f"{one}, {other}", str(asked), f"{share:.1%}"] for one, other, share, asked in agreements(evaluation)]
    return "\n## Judges\n\n" + _table(["", "answers", "agree"], rows) if rows else ""


def _shares(figure: Figure) -> list[str]:
    low, high = figure.interval
    return [
        str(figure.asked), f"{figure.share():.1%}", f"{low:.1%} to {high:.1%}", f"{figure.share('other'):.1%}",
        f"{figure.share('none'):.1%}", f"{figure.share('junk'):.1%}",
    ]  # fmt: skip


def _share(value: Value | None) -> str:
    return "" if value is None else f"{value.value:.1%}"


def _table(columns: Sequence[str], rows: Sequence[Sequence[str]]) -> str:
    lines = [columns, ["---", *["---:"] * (len(columns) - 1)], *rows]
    return "".join(f"| {' | '.join(line)} |\n" for line in lines)
