"""A job of an evaluation: experiments on pictures of one kind."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, field

from .arms import Group
from .checkpoint import Checkpoint
from .examiner import Examiner
from .experiments import Experiment, seconds
from .figures import Figure
from .judging import Judge
from .picture import Picture
from .reply import Record
from .work import Progress


@dataclass(frozen=True)
class Job:
    """All arms of a picture are run together, so that it is encoded once; what a checkpoint has is not done again.

    name: of the pictures, for people. prefix: theirs in the checkpoint. picture_of: makes one by its number. count: of
    pictures. fewer: of those that only some groups of experiments are run on.
    """

    name: str
    corpus: str
    prefix: str
    experiments: Sequence[Experiment]
    picture_of: Callable[[int], Picture]
    count: int
    examiner: Examiner
    fewer: Mapping[Group, int] = field(default_factory=dict)

    def run(self, checkpoint: Checkpoint, progress: Progress) -> list[Figure]:
        """The figures of the experiments."""
        got: dict[str, list[tuple[Record, ...]]] = {}
        for index in range(self.count):
            picture = None
            for each in self.experiments:
                if index >= self.pictures(each):
                    continue
                name = f"{self.prefix}/{index}/{each.key}"
                kept = name in checkpoint.done
                if not kept:
                    progress.now(f"{self.name}, {index + 1} of {self.count}", each.key)
                    picture = picture or self.picture_of(index)
                    checkpoint.put(name, [record.as_dict() for record in each.run(picture, self.examiner)])
                progress.step(self.kind(each), kept=kept)
                got.setdefault(each.key, []).append(tuple(map(Record.from_dict, checkpoint.done[name])))
        figures = []
        for each in self.experiments:
            records = got.get(each.key, [])
            judge = each.judge or next((one.name for one in self.examiner.judges if _told(one, records)), None)
            if records and judge is not None:
                figures.append(
                    Figure(each.protocol, each.arm, each.group, self.corpus, judge, tuple(records), each.setting)
                )
        return figures

    def pictures(self, experiment: Experiment) -> int:
        """How many an experiment is run on."""
        return min(self.count, self.fewer.get(experiment.group, self.count))

    def kind(self, experiment: Experiment) -> str:
        """Of its steps: generated pictures take alike, seen or not."""
        return experiment.key if self.corpus in ("fresh", "seen") else f"{self.corpus}/{experiment.key}"


def plan(jobs: Iterable[Job], progress: Progress) -> None:
    """Tells how much there is to do: a step is an experiment on a picture."""
    counts: dict[str, int] = {}
    for job in jobs:
        for each in job.experiments if job.count else ():
            kind = job.kind(each)
            counts[kind] = counts.get(kind, 0) + job.pictures(each)
            progress.plan(kind, counts[kind], seconds(each))


def _told(judge: Judge, records: Sequence[Sequence[Record]]) -> bool:
    """Whether a judge could tell about everything."""
    return all(judge.name in record.picks for strip in records for record in strip)
