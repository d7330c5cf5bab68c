"""The figures of a model: generated strips and scenes that it has never seen, every panel, greedy."""

from __future__ import annotations

import time
from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any

from .arms import SceneArm, StripArm, control_arms, main_arms, scene_arms, sweep_arms
from .checkpoint import Checkpoint, file_hash
from .corpus import Purpose, generated_scene, generated_strip, panel_size_for
from .discovery import Progress, Silent
from .errors import OptionError
from .heads import HeadSet, to_dict
from .intervals import over_strips
from .judging import OUTCOMES, JudgeName, Outcome

if TYPE_CHECKING:
    from .model import Model

FORMAT = "lookhere-evaluation"


@dataclass(frozen=True)
class Options:
    """strips: fresh strips and scenes, of combinations that were never trained on. seen: others, of combinations that
    were. controls, sweeps: on how many of the fresh strips these are measured too; 0 leaves them out. OptionError."""

    strips: int = 200
    seen: int = 50
    controls: int = 20
    sweeps: int = 0
    seed: int = 0
    judge: JudgeName = "exact"
    panel_size: int | None = None

    def __post_init__(self) -> None:
        for name, value, least, most in (
            ("strips", self.strips, 1, 100_000), ("seen", self.seen, 0, 100_000),
            ("controls", self.controls, 0, 100_000), ("sweeps", self.sweeps, 0, 100_000), ("seed", self.seed, 0, 999),
            ("panel_size", self.panel_size or 64, 16, 1024),
        ):  # fmt: skip
            if not least <= value <= most:
                raise OptionError(f"{name}={value!r}; expected a whole number from {least} to {most}.")


@dataclass(frozen=True)
class Figure:
    """One arm: outcomes per strip, each a list with one outcome per question."""

    name: str
    group: str
    outcomes: tuple[tuple[Outcome, ...], ...]

    @property
    def asked(self) -> int:
        """How many questions."""
        return sum(map(len, self.outcomes))

    def share(self, outcome: Outcome = "right") -> float:
        """Share of the questions with an outcome."""
        return sum(strip.count(outcome) for strip in self.outcomes) / max(self.asked, 1)

    @property
    def interval(self) -> tuple[float, float]:
        """95 %, of the share that is right, over strips."""
        return over_strips([strip.count("right") for strip in self.outcomes], [len(strip) for strip in self.outcomes])

    def as_dict(self) -> dict[str, Any]:
        """For JSON; outcomes as one word of first letters per strip (right, other, invented, junk)."""
        return {
            "group": self.group, "strips": len(self.outcomes), "asked": self.asked,
            **{outcome: round(self.share(outcome), 5) for outcome in OUTCOMES},
            "interval": [round(value, 5) for value in self.interval],
            "outcomes": ["".join(each[0] for each in strip) for strip in self.outcomes],
        }  # fmt: skip


@dataclass(frozen=True)
class Evaluation:
    """All figures by name. fresh: on combinations never trained on; seen: the same on combinations that were."""

    fresh: dict[str, Figure]
    seen: dict[str, Figure]
    model: dict[str, Any]
    heads: HeadSet | None
    options: Options
    seconds: float = field(compare=False)

    def group(self, name: str) -> list[Figure]:
        """The figures of main, control or sweep, in order."""
        return [figure for figure in self.fresh.values() if figure.group == name]

    def as_dict(self) -> dict[str, Any]:
        """For machines."""
        heads = None
        if self.heads is not None:
            heads = {key: value for key, value in to_dict(self.heads).items() if key != "evidence"}
        return {
            "format": FORMAT, "version": 1, "model": self.model, "heads": heads, "options": dict(vars(self.options)),
            "seconds": round(self.seconds, 1),
            "fresh": {name: figure.as_dict() for name, figure in self.fresh.items()},
            "seen": {name: figure.as_dict() for name, figure in self.seen.items()},
        }  # fmt: skip


def evaluate(
    model: Model,
    options: Options | None = None,
    *,
    kept: Path | None = None,
    resume: bool = False,
    progress: Progress | None = None,
) -> Evaluation:
    """Measures a model with its head set (``model.heads``); without one, only what needs no steering.

    kept: a file for the progress; resume: go on from it, if it is of the same work. OptionError and those of asking.
    """
    options, progress = options or Options(), progress or Silent()
    started = time.monotonic()
    heads = model.heads
    facts = _facts(model)
    acting = None if heads is None else {k: v for k, v in to_dict(heads).items() if k != "evidence"}
    key = {"what": "evaluation", "model": facts, "heads": acting, "seed": options.seed, "judge": options.judge,
           "panel_size": options.panel_size}  # fmt: skip
    if kept is not None and not resume:
        kept.unlink(missing_ok=True)
    work = _Work(model, options, Checkpoint(kept, key), progress)
    if heads is None:
        progress.note(f"No head set is known for {model.name!r}: only unsteered answers are measured. Give --heads.")
    main = main_arms(heads, options.judge)
    controls = control_arms(heads, options.seed, options.judge) if heads and options.controls else []
    sweeps = sweep_arms(heads, options.judge) if heads and options.sweeps else []
    progress.stage("fresh strips", options.strips)
    fresh = work.strips("evaluation", main, controls, sweeps, options.strips)
    seen: dict[str, Figure] = {}
    free = scene_arms(heads)
    if free:
        progress.stage("fresh scenes", options.strips)
        fresh |= work.scenes("evaluation", free, options.strips)
    if options.seen:
        progress.stage("seen strips", options.seen)
        seen = work.strips("seen", main, [], [], options.seen)
        if free:
            progress.stage("seen scenes", options.seen)
            seen |= work.scenes("seen", free, options.seen)
    work.checkpoint.write()
    return Evaluation(fresh, seen, facts, heads, options, time.monotonic() - started)


class _Work:
    """Goes over strips, all arms of a strip together, so that it is encoded once; what is done is not done again."""

    def __init__(self, model: Model, options: Options, checkpoint: Checkpoint, progress: Progress) -> None:
        self._model, self._options, self._progress = model, options, progress
        self.checkpoint = checkpoint

    def strips(
        self,
        purpose: Purpose,
        main: Sequence[StripArm],
        controls: Sequence[StripArm],
        sweeps: Sequence[StripArm],
        count: int,
    ) -> dict[str, Figure]:
        size = self._options.panel_size or panel_size_for(self._model)
        got: dict[str, list[tuple[Outcome, ...]]] = {}
        for index in range(count):
            arms = [
                *main,
                *(controls if index < self._options.controls else ()),
                *(sweeps if index < self._options.sweeps else ()),
            ]
            scene, strip = None, None
            for arm in arms:
                name = f"{purpose}/{index}/{arm.name}"
                if name not in self.checkpoint.done:
                    if scene is None or strip is None:
                        strip = generated_strip(purpose, self._options.seed, index, panel_size=size)
                        scene = self._model.look(strip.image)
                    self.checkpoint.put(name, arm.ask(scene, strip, index))
                got.setdefault(arm.name, []).append(tuple(self.checkpoint.done[name]))
            self._progress.done(index + 1)
        groups = {arm.name: arm.group for arm in (*main, *controls, *sweeps)}
        return {name: Figure(name, group, tuple(got[name])) for name, group in groups.items() if name in got}

    def scenes(self, purpose: Purpose, arms: Sequence[SceneArm], count: int) -> dict[str, Figure]:
        got: dict[str, list[tuple[Outcome, ...]]] = {arm.name: [] for arm in arms}
        for index in range(count):
            free, scene = None, None
            for arm in arms:
                name = f"{purpose}/scene/{index}/{arm.name}"
                if name not in self.checkpoint.done:
                    if scene is None or free is None:
                        free = generated_scene(purpose, self._options.seed, index)
                        scene = self._model.look(free.image)
                    self.checkpoint.put(name, arm.ask(scene, free))
                got[arm.name].append(tuple(self.checkpoint.done[name]))
            self._progress.done(index + 1)
        return {name: Figure(name, "main", tuple(outcomes)) for name, outcomes in got.items()}


def _facts(model: Model) -> dict[str, Any]:
    native = model.native
    return {
        "name": model.name, "file": Path(model.path).name, "sha256": file_hash(model.path),
        "architecture": model.architecture, "layers": model.layers, "heads": model.heads_per_layer,
        "parameters": native.parameters, "bytes": native.size_bytes,
        "file_type": native.metadata.get("general.file_type"),
    }  # fmt: skip
