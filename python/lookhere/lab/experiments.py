"""What an evaluation consists of: protocols, the arms that each is run with, and how a picture becomes records."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import Any, Literal, TypeAlias

from .. import questions
from ..steering.head_set import HeadSet
from . import protocols
from .arms import UNSTEERED, Arm, Edited, Group, Steered, Zoomed, baseline_arms, control_arms, gaze_arm, rival_arms
from .comparison import Rival
from .edits import crop
from .examiner import Examiner
from .naming import Naming
from .narration import captions_of, derangement, narrate_pointed, segments
from .picture import Picture
from .reply import Record, Reply
from .staircase import watch_narration
from .sweeps import mode_arms, sweep_arms

Protocol: TypeAlias = Literal[
    "ordinal", "order", "vqa", "static", "move", "dynamic", "boxes", "small", "free", "readback"
]
PROTOCOLS: tuple[Protocol, ...] = (
    "ordinal", "order", "vqa", "static", "move", "dynamic", "boxes", "small", "free", "readback",
)  # fmt: skip

TITLES = {
    "ordinal": "the panel is named in the question, unsteered",
    "order": "narration in order, unsteered",
    "vqa": "question that names no panel",
    "own": "the head set's own question",
    "static": "static narration",
    "move": "first caption after a move of the gaze",
    "dynamic": "dynamic narration",
    "boxes": "box on an object",
    "small": "box on a small object",
    "free": "free narration",
    "readback panel": "where it looked: the panel that is named in the question and described",
    "readback panel steered": "where it looked: the panel that it is told to look at",
    "readback object": "where it looked: the object that it names, unsteered",
    "readback object steered": "where it looked: the object that it is told to look at",
}

SECONDS = {
    "ordinal": 0.87, "order": 0.39, "vqa": 0.2, "own": 0.2, "static": 0.25, "move": 1.0, "dynamic": 1.6, "free": 0.42,
    "boxes": 0.34, "small": 0.45, "vqa/dimmed outside": 1.3, "vqa/box drawn": 1.1, "vqa/box drawn and named": 0.64,
    "vqa/named in the prompt": 0.56, "boxes/gaze heads, zoomed": 1.1, "boxes/cropped to the place": 0.72,
    "boxes/dimmed outside": 2.1, "boxes/box drawn": 2.4, "boxes/box drawn and named": 1.2,
    "boxes/named in the prompt": 1.0, "small/gaze heads, zoomed": 4.8, "small/cropped to the place": 1.5,
    "readback panel/gaze heads, whole answer": 1.4, "readback panel steered/gaze heads, whole answer": 0.53,
    "readback object/gaze heads, whole answer": 0.14, "readback object steered/gaze heads, whole answer": 0.27,
}  # fmt: skip
"""Of a picture with all its places, by the built-in model on two busy cores (``lookhere evaluate``): of an arm, else of
its protocol. What was asked before is only read back."""
READ_BACK = 0.015

VQA_TOKENS, STATIC_TOKENS, BOX_TOKENS = 15, 100, 15
"""New tokens, as in the paper; an answer may be longer where the captions are."""


@dataclass(frozen=True)
class Experiment:
    """One arm of one protocol. run: a picture becomes its records. setting: of the heads, for reports. judge: whose
    picks count, None for the first of the evaluation's."""

    protocol: str
    arm: str
    group: Group
    run: Callable[[Picture, Examiner], list[Record]]
    setting: tuple[tuple[str, Any], ...] = ()
    judge: str | None = None

    @property
    def key(self) -> str:
        """Name within an evaluation."""
        return f"{self.protocol}/{self.arm}"


def seconds(experiment: Experiment) -> float:
    """That the built-in model takes for a picture; of a long run each kind of step is timed as it goes."""
    return SECONDS.get(experiment.key, SECONDS.get(experiment.protocol, READ_BACK))


@dataclass(frozen=True)
class Beside:
    """Which arms are run beside the main ones. everywhere: for static and dynamic narration and boxes too, not for
    the question alone. seed: of random heads and of schedules. rivals: other kinds of heads, run where controls are."""

    seed: int = 0
    controls: bool = True
    sweeps: bool = False
    everywhere: bool = False
    modes: bool = False
    rivals: Mapping[Rival, HeadSet] = field(default_factory=dict)

    def control_arms(self, heads: HeadSet) -> list[Arm]:
        """All that steers other heads than the head set."""
        return [*rival_arms(self.rivals), *control_arms(heads, self.seed)]


def on_strips(heads: HeadSet | None, wanted: Sequence[str], beside: Beside) -> list[Experiment]:
    """All that is asked about strips; without a head set, what needs none."""
    found: list[Experiment] = []
    if "ordinal" in wanted:
        naming = Naming.of_evidence(heads.evidence if heads else {})  # in the words that heads were found with
        found.append(
            Experiment("ordinal", "unsteered", "main", _plain(lambda p: protocols.ask_named(p, naming)))
        )  # fmt: skip
    if "order" in wanted:
        found.append(Experiment("order", "unsteered", "main", _plain(protocols.narrate)))
    arms: list[Arm] = [UNSTEERED, *([gaze_arm(heads)] if heads else [])]
    others: list[Arm] = []
    if beside.controls:
        others = [*baseline_arms(), *(beside.control_arms(heads) if heads else [])]
    if "vqa" in wanted:
        found += [_question("vqa", questions.AMBIGUOUS, VQA_TOKENS, arm) for arm in (*arms, *others)]
        if heads and heads.prompt not in (None, questions.AMBIGUOUS):
            beside_own = others if "wording" in heads.evidence else []  # it may understand no other question
            found += [_question("own", str(heads.prompt), VQA_TOKENS, arm) for arm in (*arms, *beside_own)]
        if heads and beside.sweeps:
            found += [_question("vqa", questions.AMBIGUOUS, VQA_TOKENS, arm) for arm in sweep_arms(heads)]
        if heads and beside.modes:
            found += [_question("vqa", questions.AMBIGUOUS, VQA_TOKENS, arm) for arm in mode_arms(heads)]
    if "static" in wanted:
        narrating = (*arms, *(others if beside.everywhere else ()))
        found += [_question("static", questions.PANEL, STATIC_TOKENS, arm) for arm in narrating]
    if "move" in wanted and heads:
        found.append(Experiment("move", "gaze heads", "main", _plain(lambda p: protocols.move_gaze(p, heads))))
    if "dynamic" in wanted:
        moving = [arm for arm in others if isinstance(arm, Steered)] if beside.everywhere else []
        found += [_dynamic(arm, beside.seed) for arm in (*arms, *moving)]
    if "free" in wanted and heads:
        found.append(Experiment("free", "unsteered", "main", _free))
    return found


def on_boxes(heads: HeadSet | None, wanted: Sequence[str], beside: Beside) -> list[Experiment]:
    """All that is asked about labelled boxes."""
    if "boxes" not in wanted:
        return []
    arms: list[Arm] = [UNSTEERED]
    if heads:
        arms += [gaze_arm(heads), Zoomed(heads)]
    if beside.controls:
        arms += baseline_arms()
    if heads and beside.controls and beside.everywhere:
        arms += beside.control_arms(heads)
    return [_question("boxes", questions.OBJECT, BOX_TOKENS, arm) for arm in arms]


def on_sheets(heads: HeadSet | None, wanted: Sequence[str]) -> list[Experiment]:
    """All that is asked about small objects; the crop is what zoom competes with."""
    if "small" not in wanted:
        return []
    arms: list[Arm] = [UNSTEERED]
    if heads:
        arms += [gaze_arm(heads), Zoomed(heads)]
    arms += [replace(arm, group="main") for arm in baseline_arms() if isinstance(arm, Edited) and arm.edit is crop]
    return [_question("small", questions.OBJECT, BOX_TOKENS, arm) for arm in arms]


def _setting(arm: Arm) -> tuple[tuple[str, Any], ...]:
    if not isinstance(arm, Steered):
        return ()
    heads = arm.heads
    number = {"target_share": (("share", heads.share),), "within_image": ()}.get(
        heads.mode, (("strength", heads.strength),)
    )
    return (
        ("heads", len(heads.heads)), *number, ("mode", heads.mode), ("queries", heads.queries),
        ("names", " ".join(f"{layer}.{head}" for layer, head in sorted(heads.heads))),
    )  # fmt: skip


def _question(protocol: str, prompt: str, least: int, arm: Arm) -> Experiment:
    def run(picture: Picture, examiner: Examiner) -> list[Record]:
        replies = protocols.ask_places(picture, arm, prompt, least=least, watch=True)
        limit = protocols.answer_tokens(picture.model, picture.captions, least)
        return examiner.measured(picture, replies, prompt, limit)

    return Experiment(protocol, arm.name, arm.group, run, _setting(arm))


def _plain(ask: Callable[[Picture], list[Reply]]) -> Callable[[Picture, Examiner], list[Record]]:
    return lambda picture, examiner: examiner.judged(picture, ask(picture))


def _dynamic(arm: Arm, seed: int) -> Experiment:
    def run(picture: Picture, examiner: Examiner) -> list[Record]:
        schedule = derangement(len(picture.places), seed * 1_000_000 + picture.index)
        said = captions_of(narrate_pointed(picture, arm, schedule))
        picks = examiner.picks(picture, [Reply(each.text, 0) for each in said])
        by_judge = {
            judge.name: [each[judge.name] for each in picks] for judge in examiner.judges
            if all(judge.name in each for each in picks)
        }  # fmt: skip
        return [
            Record(each.text, each.target, each.described, more={"switch": each.switch})
            for each in segments(said, by_judge, schedule)
        ]

    return Experiment("dynamic", arm.name, arm.group, run, _setting(arm))


def _free(picture: Picture, examiner: Examiner) -> list[Record]:
    """One record per caption that was said; its target is the panel that is to be narrated then."""
    said, mass = watch_narration(picture)
    said = said[: len(picture.places)]
    picks = examiner.picks(picture, [Reply(each.text, 0) for each in said])
    return [
        Record(each.text, turn, picks[turn], more={"gaze": mass[each.start : each.stop].round(4).tolist()})
        for turn, each in enumerate(said)
    ]
