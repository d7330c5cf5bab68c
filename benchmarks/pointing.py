"""Asking about one paragraph of a text: pointing at it beside cropping the text, naming the paragraph, and PASTA.

    lookhere discover smollm2.gguf --text -o found.json --save-ranking ranking.json
    python benchmarks/pointing.py smollm2.gguf ranking.json

An item is a text of six paragraphs, captions of a generated strip of held-out combinations, and one of them that is
asked about. Numbers of heads, strengths and the wording that names a paragraph are chosen on other items.
"""

from __future__ import annotations

import argparse
import json
import math
import random
import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TypeAlias

import lookhere
from lookhere import Ask, HeadSet, Message, Paragraph, Push, Steering, Text
from lookhere.atomic import write_text
from lookhere.comics import generate_strip
from lookhere.kv.sequence import KvSequence
from lookhere.lab.arms import random_heads
from lookhere.lab.fluency import nats_of
from lookhere.lab.intervals import wilson
from lookhere.lab.judging import nearest
from lookhere.prompt.layout import lay_out
from lookhere.questions import NUMBERS, ORDINALS

QUESTION = "Repeat one of the sentences above."
"""It names no paragraph."""
NAMINGS = (
    "Repeat the {ordinal} of the sentences above.",
    "Repeat paragraph {number}.",
    "Repeat only sentence number {digit}.",
)
COUNTS = (4, 8, 16, 32)
STRENGTHS = (3.0, 5.0, 8.0)
PASTA = Push(mode="suppress_all", strength=-math.log(0.01), queries="all")
"""All of the prompt but the span counts a hundredth, at every query (arXiv 2311.02262: alpha 0.01, "exclude")."""
PANELS, TOKENS = 6, 16

Arm: TypeAlias = "Callable[[int, Item], Ask]"
"""What is asked about an item; its number says which draw of random heads."""


@dataclass(frozen=True)
class Item:
    """captions: one a paragraph. target: the one that is asked about, from 0."""

    captions: tuple[str, ...]
    target: int

    @property
    def text(self) -> Text:
        """All of it."""
        return Text("\n\n".join(self.captions))


@dataclass(frozen=True)
class Said:
    """An answer: whether its first line is the paragraph, it quotes that one alone, and it is nearest by rare words."""

    exact: bool
    quoted: bool
    nearest: bool
    text: str


def items(first: int, count: int) -> list[Item]:
    """Items of held-out combinations, each of another strip."""
    found = []
    for seed in range(first, first + count):
        strip = generate_strip(seed, split="held_out", panels=PANELS, panel_size=16)
        found.append(Item(tuple(strip.captions), random.Random(seed).randrange(PANELS)))
    return found


def judged(item: Item, answer: str) -> Said:
    """Of an answer about the item's target."""
    text, wanted = answer.strip(), item.captions[item.target]
    first = text.partition("\n")[0]
    quoted = [caption for caption in item.captions if caption in text]
    return Said(first == wanted, quoted == [wanted], nearest(text, item.captions) == item.target, text)


def perplexity(model: lookhere.Model, texts: Sequence[str]) -> float:
    """Of texts as answers to the question without any document, unsteered: e to the nats per token."""
    layout = lay_out(model.native, model.template, [Message("user", (QUESTION,))], [])
    sequence = KvSequence(layout, room=128)
    nats, count = 0.0, 0
    with model.session.turn():
        for text in filter(None, texts):
            tokens = model.native.tokenize(text, parse_special=False)
            sequence.rewind()
            model.session.step(sequence)
            nats += nats_of(model.session.native.logits(), tokens[0])
            if len(tokens) > 1:
                model.session.step(sequence, tokens[:-1])
                rows = range(len(tokens) - 1)
                nats += sum(nats_of(model.session.native.logits(row), tokens[row + 1]) for row in rows)
            count += len(tokens)
    sequence.closed = True
    return math.exp(-nats / count) if count else math.nan


def asked(text: Text, question: str, at: Steering | None = None) -> Ask:
    """One question about a text."""
    return Ask.of([Message("user", (text, question))], at, max_tokens=TOKENS, gaze=False)


class Kept:
    """The answers that were given already, in a file if there is one, so that the same command goes on."""

    def __init__(self, path: Path | None) -> None:
        self._path = path
        self._texts: dict[str, list[str]] = json.loads(path.read_text()) if path and path.exists() else {}

    def answers(self, key: str, make: Callable[[], list[str]]) -> list[str]:
        """Those under a key; made where there are none."""
        if key not in self._texts:
            self._texts[key] = make()
            if self._path:
                write_text(self._path, json.dumps(self._texts))
        return self._texts[key]


def tried(
    model: lookhere.Model, given: Sequence[Item], arms: Mapping[str, Arm], what: str, kept: Kept
) -> dict[str, list[Said]]:
    """What each arm says about each item; all arms of an item are computed together, so that its text is read once."""
    found: dict[str, list[Said]] = {name: [] for name in arms}
    for k, item in enumerate(given):
        texts = kept.answers(
            f"{what} {k}",
            lambda k=k, item=item: [each.text for each in model.ask_all([arm(k, item) for arm in arms.values()])],
        )
        for said, text in zip(found.values(), texts, strict=True):
            said.append(judged(item, text))
    return found


def score(said: Sequence[Said]) -> tuple[int, int, int]:
    """How many are quoted, nearest by rare words, and exact."""
    return sum(each.quoted for each in said), sum(each.nearest for each in said), sum(each.exact for each in said)


def best(what: str, found: Mapping[str, Sequence[Said]]) -> str:
    """The setting with most quotes, by rare words among equals, then the first."""
    for name, said in found.items():
        print(f"  {what}, {name}: {score(said)} quoted, nearest, exact of {len(said)}", flush=True)
    return max(found, key=lambda name: score(found[name])[:2])


def pointed(steering: Steering) -> Arm:
    """An arm that points at the item's paragraph."""
    return lambda _, item: asked(item.text, QUESTION, steering.looking_at(Paragraph(item.target + 1)))


def at_random(steering: Steering, draws: int) -> Arm:
    """An arm that points with as many other heads of the same layers, another draw for each item in turn."""
    drawn = [Steering(random_heads(steering.heads, 0, k), Paragraph(1), push=steering.push) for k in range(draws)]
    return lambda k, item: pointed(drawn[k % draws])(k, item)


def named(wording: str) -> Arm:
    """An arm that names the paragraph in the question."""

    def ask(_: int, item: Item) -> Ask:
        k = item.target
        return asked(item.text, wording.format(ordinal=ORDINALS[k], number=NUMBERS[k], digit=k + 1))

    return ask


def settings(heads: HeadSet, pushes: Sequence[Push]) -> dict[str, Steering]:
    """Every number of heads with every push, the fewest heads first."""
    return {
        f"{count} heads, {push.strength:.3g} nats": Steering(heads.top(count), Paragraph(1), push=push)
        for count in COUNTS for push in pushes
    }  # fmt: skip


def chosen_arms(
    model: lookhere.Model, given: Sequence[Item], rankings: Sequence[Path], draws: int, kept: Kept
) -> dict[str, Arm]:
    """All arms, with what is chosen on the given items. The first ranking serves PASTA and the random heads, too."""
    wording = best("named", tried(model, given, {wording: named(wording) for wording in NAMINGS}, "named", kept))
    arms: dict[str, Arm] = {
        "unsteered": lambda _, item: asked(item.text, QUESTION),
        "cropped to the paragraph": lambda _, item: asked(Text(item.captions[item.target]), QUESTION),
        f"named: {wording}": named(wording),
    }
    pushes = [Push(strength=strength, queries="answer") for strength in STRENGTHS]
    for index, path in enumerate(rankings):
        heads = HeadSet.read(path)
        ways = {"pointed at": pushes, **({} if index else {"PASTA": [PASTA]})}
        for way, pushed in reversed(ways.items()):
            every = settings(heads, pushed)
            what = f"{way}, {path.stem}"
            name = best(what, tried(model, given, {key: pointed(each) for key, each in every.items()}, what, kept))
            arms[f"{what}, {name}"] = pointed(every[name])
        if not index:
            arms[f"random heads of the same layers, {draws} draws"] = at_random(every[name], draws)
    return arms


def seconds(model: lookhere.Model, arms: Mapping[str, Arm], count: int) -> dict[str, float]:
    """Median seconds of processor time for an answer alone, to a text that was not read before; arms by turns."""
    taken: dict[str, list[float]] = {name: [] for name in arms}
    texts = iter(items(970_000, count * len(arms)))
    for _ in range(count):
        for name, arm in arms.items():
            ask, start = arm(0, next(texts)), time.process_time()
            model.ask_all([ask])
            taken[name].append(time.process_time() - start)
    return {name: sorted(each)[len(each) // 2] for name, each in taken.items()}


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("model", type=Path, help="a language model (GGUF)")
    parser.add_argument("rankings", type=Path, nargs="+", help="rankings or head sets; the first one serves PASTA, too")
    parser.add_argument("--items", type=int, default=200)
    parser.add_argument("--choose", type=int, default=12, help="items to choose heads, strengths and wording on")
    parser.add_argument("--draws", type=int, default=10, help="of random heads, an item each in turn")
    parser.add_argument("--timed", type=int, default=5, help="answers of each arm that are timed")
    parser.add_argument("--fluent", type=int, default=50, help="answers of each arm whose perplexity is taken")
    parser.add_argument("--kept", type=Path, help="a file to keep answers in; the same command then goes on")
    parser.add_argument("--threads", type=int, default=1)
    options = parser.parse_args()
    tested, kept = items(950_000, options.items), Kept(options.kept)
    with lookhere.load(options.model, threads=options.threads) as model:
        arms = chosen_arms(model, items(960_000, options.choose), options.rankings, options.draws, kept)
        found = tried(model, tested, arms, "tested", kept)
        taken = seconds(model, arms, options.timed)
        print(f"\n{options.items} items, {model.name}, threads: {options.threads}\n")
        print("| arm | exact | quoted | by rare words | perplexity | seconds |\n|---|---:|---:|---:|---:|---:|")
        for name, said in found.items():
            quoted, near, exact = (share(right, len(said)) for right in score(said))
            fluent = perplexity(model, [each.text for each in said[: options.fluent]])
            print(f"| {name} | {exact} | {quoted} | {near} | {fluent:.1f} | {taken[name]:.2f} |", flush=True)
        captions = [item.captions[item.target] for item in tested[: options.fluent]]
        print(f"\nThe paragraphs themselves have a perplexity of {perplexity(model, captions):.1f}.\n")
        for name, said in found.items():
            print(f"{name}: {[each.text for each in said[:3]]}")


def share(right: int, total: int) -> str:
    """In per cent, with its interval."""
    low, high = wilson(right, total)
    return f"{right / total:.1%} ({low:.0%} to {high:.0%})"


if __name__ == "__main__":
    main()
