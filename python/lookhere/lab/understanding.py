"""Understanding: what a model answers before it is steered, in which words, and how its answers can be judged."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from functools import partial
from typing import TYPE_CHECKING, Any

from ..errors import UnknownPicturesError
from .bench import ENOUGH
from .familiarity import Familiarity, familiarity
from .intervals import over_strips
from .judging import JudgeName, exact, judge
from .naming import PROMPTS, Naming, wanted
from .protocols import ask_named, ask_once

if TYPE_CHECKING:
    from .bench import Bench, Said
    from .discovery_options import Options
    from .material import Material


@dataclass(frozen=True)
class Tried:
    """A wording that was asked unsteered. right, asked: answers about the place that is named, and all; per picture.
    judge: who counted them."""

    words: str
    right: tuple[int, ...]
    asked: tuple[int, ...]
    judge: JudgeName

    @property
    def share(self) -> float:
        """Of the answers, those about the place that the question names."""
        return sum(self.right) / max(sum(self.asked), 1)

    @property
    def told(self) -> str:
        """For people."""
        return f"{sum(self.right)} of {sum(self.asked)}"

    def as_dict(self) -> dict[str, Any]:
        """For evidence in JSON."""
        low, high = over_strips(self.right, self.asked)
        return {"question": self.words, "right": round(self.share, 4), "interval": [round(low, 4), round(high, 4)],
                "asked": sum(self.asked), "judge": self.judge}  # fmt: skip


@dataclass(frozen=True)
class Understanding:
    """naming: the wording that the model answers best, of those that were tried, and how often by ``tried``; empty
    where questions name what they ask for, so that any echo is right. prompt: the question that names no place.
    about: share of the unsteered answers to it that are about some place, word for word or by the label. judge: of
    steered answers. familiar: whether the answers are about the pictures at all, None where that cannot be told."""

    naming: Naming
    tried: tuple[Tried, ...]
    prompt: str
    about: float
    judge: JudgeName
    familiar: Familiarity | None

    @property
    def answers(self) -> bool:
        """Whether the model answers questions that name a panel, in one of the wordings."""
        return not self.tried or max(each.share for each in self.tried) >= ENOUGH

    @property
    def rightly(self) -> bool:
        """Whether half of the answers to a wording are right, or half of those to the prompt are captions word for
        word."""
        captions = self.judge == "exact" and self.about >= ENOUGH  # a label may be named without a look
        return captions or any(each.share >= ENOUGH for each in self.tried)

    @property
    def best(self) -> Tried | None:
        """Of what was tried."""
        return max(self.tried, key=lambda each: each.share, default=None)

    def as_dict(self) -> dict[str, Any]:
        """For evidence in JSON."""
        found: dict[str, Any] = {**self.naming.as_dict(), "unsteered": [each.as_dict() for each in self.tried]}
        return found if self.familiar is None else {**found, "familiar": self.familiar.as_dict()}


def understand(bench: Bench, options: Options, stuff: Material) -> Understanding:
    """What the model answers unsteered; what is wanted, where there are no pictures to ask about. LookhereError of the
    model; UnknownPicturesError where its answers have nothing to do with the pictures."""
    naming, prompt = options.naming or Naming(), options.prompt or stuff.prompt
    if not bench.pictures:
        return Understanding(naming, (), prompt, 0.0, "category" if stuff.labelled else "overlap", None)
    if stuff.labelled:
        found = _understand_labels(bench, naming, prompt)
    else:
        found = _understand(bench, options.naming, options.prompt)
    if found.familiar is not None and not found.familiar.known and not found.rightly:
        raise UnknownPicturesError(_unknown(found, found.familiar, stuff.words))
    return found


def _unknown(found: Understanding, familiar: Familiarity, pictures: str) -> str:
    best = found.best
    named = f", and {best.told} of those to questions that name a panel are right" if best else ""
    return (
        f"The model does not know these pictures ({pictures}): of {familiar.count} unsteered answers "
        f"{familiar.share:.0%} are nearer to the captions of their own picture than to another's, and chance is 50%"
        f"{named}. Give pictures of a kind that it knows, with captions or labels in its words and language: --comics "
        "FOLDER or --coco JSON. If it knows them, ask as it was trained to be asked: --question, --prompt. Without "
        "asking, heads are ranked by --calibration 0, or from text alone by --text."
    )


def _understand(bench: Bench, given: Naming | None, prompt: str | None) -> Understanding:
    """Asks strips unsteered: questions that name a panel, in the wording that is given and else in ours, until the
    model answers half of them; then the question that names none, which is taken as it is if it is given. What is
    tried is told by the bench's progress. LookhereError of the model."""
    tried: list[Tried] = []
    said: list[Said] = []
    namings = wanted(given)
    for naming in namings:
        answers = bench.said("ordinal", f"named/{naming.words}/{naming.ordinals}", partial(ask_named, naming=naming))
        said.append(answers)
        tried.append(_tried(naming.words, answers))
        bench.progress.note(f'Unsteered it answers {tried[-1].told} questions rightly: "{naming.words}"')
        if tried[-1].share >= ENOUGH:
            break
    best = max(range(len(tried)), key=lambda index: tried[index].share)
    if tried[best].share < ENOUGH:
        bench.progress.note(
            "It answers fewer than half of them in any wording. If it was trained on others, give them: --question, "
            "--prompt."
        )
    if len(tried) > 1:
        bench.progress.note(f'So it is asked: "{tried[best].words}"')
    asked, about, more = _prompt(bench, prompt)
    said += more
    # where panels are told apart word for word, a question that names none may be answered with a mixture of them
    mixed = about > 0 and max(_own(each) for each in said) >= ENOUGH
    name: JudgeName = "exact" if about >= ENOUGH or mixed else "overlap"
    return Understanding(namings[best], tuple(tried), asked, about, name, _familiar(said, labelled=False))


def _understand_labels(bench: Bench, naming: Naming, prompt: str) -> Understanding:
    """The same for labelled pictures, whose questions name the object: only whether the answers to the question that
    names none are about the pictures."""
    said = bench.said("open", f"open/{prompt}", partial(ask_once, prompt=prompt))
    about = sum(
        judge("category", text, each.captions, 0) in ("right", "other") for each in said for text in each.texts
    )  # fmt: skip
    asked = sum(len(each.texts) for each in said)
    bench.progress.note(f'Unsteered {about} of {asked} answers to "{prompt}" name an object of the picture.')
    share = about / max(asked, 1)
    return Understanding(naming, (), prompt, share, "category", _familiar([said], labelled=True))


def _prompt(bench: Bench, given: str | None) -> tuple[str, float, list[Said]]:
    """The first of the questions that is answered with a caption word for word, else the first of all."""
    said: list[Said] = []
    for prompt in (given,) if given else PROMPTS:
        said.append(bench.said("open", f"open/{prompt}", partial(ask_once, prompt=str(prompt))))
        if _own(said[-1]) >= ENOUGH:
            break
    shares = [_own(each) for each in said]
    best = max(range(len(shares)), key=lambda index: shares[index])
    prompt = given or PROMPTS[best]
    if not given and best:
        bench.progress.note(
            f'Its answers are captions when it is asked: "{prompt}". The head set is for that question.'
        )
    return prompt, shares[best], said


def _tried(words: str, said: Said) -> Tried:
    """By the judge that finds more right; exact match where that is enough."""
    found = {}
    names: tuple[JudgeName, ...] = ("exact", "overlap")
    for name in names:
        outcomes = [
            [judge(name, text, each.captions, target) for text, target in zip(each.texts, each.targets, strict=True)]
            for each in said
        ]
        found[name] = tuple(each.count("right") for each in outcomes)
    asked = tuple(len(each.texts) for each in said)
    name = "exact" if sum(found["exact"]) >= ENOUGH * sum(asked) else "overlap"
    return Tried(words, found[name], asked, name)


def _own(said: Said) -> float:
    """Share of the answers that are a caption of their picture, word for word."""
    texts = [(text, each.captions) for each in said for text in each.texts]
    return sum(isinstance(exact(text, captions), int) for text, captions in texts) / max(len(texts), 1)


def _familiar(said: Sequence[Said], *, labelled: bool) -> Familiarity | None:
    pictures = range(len(said[0])) if said else range(0)
    texts = [[text for answers in said for text in answers[index].texts] for index in pictures]
    return familiarity(texts, [said[0][index].captions for index in pictures], labelled=labelled)
