"""Heads found on text alone: segments of a text in place of the panels of an image, so that no projector is needed.

The heads that look at what is being described are in the language model before it learns to see (Inherited Heads, arXiv
2609.14174). A ranking on text is a prior where there are no pictures that a model knows; it is not measured on images.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any, TypeAlias

import numpy as np
from numpy.typing import NDArray

from ..prompt.layout import lay_out
from ..prompt.message import Message
from ..prompt.stretches import read_stretches
from ..steering.head_set import HeadSet
from .attention import LOOK, SECONDS, forced_attention, read_through
from .calibration import head_counts
from .checkpoint import Checkpoint, file_hash
from .comparison import KEPT
from .corpus import captioned_strips, generated_strips
from .discovery_options import Options
from .evidence import all_scores, of_model, of_trust
from .forced import Reader, of_text
from .naming import Naming
from .ranking import PLACES, Place, Tally, Trust
from .scoring import READ_AT, default_heads, rank
from .settling import Settled, in_words, settling
from .slope_ranking import tally_slopes
from .verdict import Verdict
from .work import Progress, Silent

Array = NDArray[np.float64]
Texts: TypeAlias = Sequence[Sequence[str]]
"""Segments of each text, as many of each."""

NAMING = Naming("What happens in the {ordinal} sentence?")
"""The question about a segment. Small models do not count sentences; the answer's tokens find theirs by its words."""

PROMPT = "What is happening?"
"""The question that names no segment, after which captions are forced where heads are ranked by slopes."""

PRIOR = 1 / 12
"""Of all heads, at most so many are in a prior: the best numbers that Gaze Heads reports are 2 to 12 % of all heads,
and more of them break sentences."""

PREFERRED: tuple[Place, ...] = ("answer", "prompt")
"""The place where more heads are better than chance is taken; the first of these where they are as many."""


@dataclass(frozen=True)
class TextDiscovery:
    """What was found on text. heads, ranking, trust, verdict, attention: as of ``Discovery``; asked about, attended to
    are segments."""

    heads: HeadSet
    ranking: HeadSet
    trust: Trust
    verdict: Verdict
    attention: dict[str, Array]

    @property
    def none(self) -> bool:
        """True if no head looks at the segment that is asked about or being said."""
        return self.trust.gaze_heads == 0


def discover_text(
    model: Reader, options: Options | None = None, *, kept: Path | None = None, progress: Progress | None = None
) -> TextDiscovery:
    """Ranks the heads of a language model by where they look in texts: captions of generated strips, or those of
    ``options.comics``, one a line, and a question about each.

    Only strips, seed, rank, kind, place, floor, comics, prompt, question and ordinals of the options mean something
    here; by slopes, no question names a segment.
    ComicsError, OptionError, PromptError and those of asking the model.
    """
    options, progress = options or Options(), progress or Silent()
    naming = options.naming or NAMING
    texts, source = _texts(options)
    places = len(texts[0])
    key = {"what": "text 2", "model": file_hash(model.path), "texts": texts, "naming": str(naming),
           "seed": options.seed, "rank": options.rank, "prompt": options.prompt}  # fmt: skip
    checkpoint = Checkpoint(kept, key)
    by = _by_attention if options.rank == "attention" else _by_slopes
    ranked = by(model, options, texts, checkpoint, progress)
    ranking, found, facts = ranked.ranking, ranked.trust, model.facts
    heads = default_heads(ranking, found, PRIOR)
    if found.gaze_heads:
        verdict = Verdict(
            "prior", found.found_by.format(heads=found.gaze_heads),
            "With images that the model knows, lookhere discover finds better; lookhere evaluate tells what these do.",
        )  # fmt: skip
    else:
        verdict = Verdict("none", found.none_by)
    progress.note(verdict.told)
    settled = ranked.settling(sorted({*head_counts(len(facts.every_head)), len(heads.heads)}))
    tables = {**ranked.tables, "settling": [each.as_dict() for each in settled]}
    progress.note(in_words(settled, len(heads.heads)))
    words = f"lookhere discover --text, {len(texts)} texts of {places} {source}, seed {options.seed}"
    evidence = {
        "model": of_model(model.path, model.native), "corpus": "text", "strips": len(texts), "calibration_strips": 0,
        "panels": places, "seed": options.seed, **of_trust(options, ranked.place, found),
        "ranking": [list(head) for head in ranking.heads[:KEPT]], "settling": tables["settling"],
        "worth": verdict.as_dict(), "wording": naming.as_dict(),
    }  # fmt: skip
    checkpoint.remove()
    return TextDiscovery(
        replace(heads.pushed(queries="answer"), prompt=options.prompt, source=words, evidence=evidence),
        replace(ranking, evidence=tables, source=words), found, verdict, ranked.attention,
    )  # fmt: skip


@dataclass(frozen=True)
class _Ranked:
    """A ranking and what is told about it. place: where attention was read. tables: of all heads' scores."""

    ranking: HeadSet
    trust: Trust
    place: str
    tables: dict[str, Any]
    settling: Callable[[Sequence[int]], list[Settled]]
    attention: dict[str, Array]


def _by_attention(model: Reader, options: Options, texts: Texts, checkpoint: Checkpoint, progress: Progress) -> _Ranked:
    tally = tally_texts(model, texts, options.naming or NAMING, options.seed, checkpoint, progress)
    rankings, scores, trusted = rank(model.facts, tally, options)
    for place, each in trusted.items():
        progress.note(f"{READ_AT[place]}: {each.verdict}.")
    place = options.place or max(PREFERRED, key=lambda each: trusted[each].gaze_heads)
    return _Ranked(
        rankings[place], trusted[place], place, all_scores(scores),
        lambda sizes: settling(tally, place, options.kind, sizes, options.floor),
        {str(each): tally.attention(each) for each in PLACES},
    )  # fmt: skip


def _by_slopes(model: Reader, options: Options, texts: Texts, checkpoint: Checkpoint, progress: Progress) -> _Ranked:
    prompt = options.prompt or PROMPT
    slopes = tally_slopes(
        model, options.rank, texts, lambda text: of_text(model, text, prompt), len(texts), len(texts[0]),
        seed=options.seed, checkpoint=checkpoint, progress=progress,
    )  # fmt: skip
    trust = slopes.trust(head_counts(len(model.facts.every_head)))
    progress.note(f"By {options.rank}: {trust.verdict}.")
    tables = {"slope": np.round(slopes.mean(), 5).tolist()}
    return _Ranked(slopes.ranking(), trust, "answer", tables, slopes.settling, {})


def tally_texts(
    model: Reader,
    texts: Iterable[Sequence[str]],
    naming: Naming,
    seed: int = 0,
    checkpoint: Checkpoint | None = None,
    progress: Progress | None = None,
) -> Tally:
    """Attention of all heads over texts of as many segments each, as ``attention.tally_attention`` sums it over images;
    one prefill per (text, segment). LookhereError of the model."""
    texts, facts, progress = list(texts), model.facts, progress or Silent()
    checkpoint = checkpoint or Checkpoint(None, {})
    tally = Tally(facts.layers, facts.heads, len(texts[0]), seed=seed, attention_layers=facts.attention_layers)
    if checkpoint.arrays:
        tally.restore(checkpoint.arrays)
    done = tally.strips
    progress.plan(LOOK, sum(map(len, texts)), SECONDS[LOOK])
    progress.now("looking for heads in texts")
    for _ in range(done * tally.panels):
        progress.step(LOOK, kept=True)
    for segments in texts[done:]:
        seen = []
        for k in range(len(segments)):
            seen.append(segment_attention(model, segments, naming.of_panel(k, len(segments)), segments[k]))
            progress.step(LOOK)
        tally.add(np.stack([each[0] for each in seen], axis=2), np.stack([each[1] for each in seen], axis=2))
        checkpoint.arrays = tally.arrays()
        checkpoint.touch()
    return tally


def segment_attention(model: Reader, segments: Sequence[str], question: str, answer: str) -> tuple[Array, Array]:
    """(layers, heads, segments) mass that all heads put on each segment of a text, at the last token of a question and
    over the tokens of an answer that is forced on the model."""
    message = Message("user", ("\n".join(segments) + "\n\n" + question,))
    layout, shares = read_stretches(model.native, lay_out(model.native, model.template, [message], []), segments)
    forced = model.native.tokenize(answer, parse_special=False)
    with read_through(model.session, model.facts, layout, len(forced)) as asked:
        at_prompt = asked.attention().astype(np.float64) @ shares.T
        return at_prompt, forced_attention(asked, forced, shares)


def _texts(options: Options) -> tuple[list[tuple[str, ...]], str]:
    """Segments of each text, and what they are. ComicsError."""
    if options.comics is not None:
        strips = captioned_strips(options.comics, options.strips)
        source = f"captions of {options.comics.name}"
    else:
        strips = list(generated_strips("discovery", options.seed, options.strips, panel_size=16))
        source = "captions of generated strips"
    return [tuple(strip.captions) for strip in strips], source
