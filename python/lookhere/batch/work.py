"""The whole of a batch: what is answered already stays, the rest is answered, and what failed is told."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

from .. import checks
from ..answers.ask import Ask
from ..errors import HeadSetMissingError, JobsError
from ..model import Model
from .answering import Outcome, answer_each
from .failure import Failure, Failures
from .kept import Kept
from .line import answer_line, packed
from .plan import Plan
from .row import Opener, Row
from .settings import check_settings, keep_settings, settings_of


@dataclass(frozen=True)
class Files:
    """output: of the answers, by its ending JSON Lines or Parquet. Beside it lie the others, named after it."""

    output: Path

    @property
    def parquet(self) -> bool:
        """Whether the lines are only written into a table at the end."""
        return self.output.suffix.lower() == ".parquet"

    @property
    def lines(self) -> Path:
        """Where answers are appended."""
        return self.output.with_name(f".{self.output.name}.jsonl") if self.parquet else self.output

    @property
    def settings(self) -> Path:
        """What they were made with."""
        return self.output.with_name(f".{self.output.name}.batch")

    @property
    def errors(self) -> Path:
        """Which rows failed, and why."""
        return self.output.with_name(f"{self.output.stem}.errors.jsonl")


@dataclass(frozen=True)
class Summary:
    """Rows in all, those answered by earlier runs, those answered now, and those that failed."""

    rows: int
    before: int
    answered: int
    failed: int


@dataclass(frozen=True)
class Batch:
    """plan: what is asked. files: where answers go. opened: finds images. prompt: for rows without one; None for the
    model's own. full: whether lines hold all of an answer. force: whether answers that are there go."""

    plan: Plan
    files: Files
    opened: Opener
    prompt: str | None = None
    full: bool = False
    force: bool = False

    def run(
        self,
        model: Model,
        *,
        begun: Callable[[int, int], None] = lambda before, left: None,
        step: Callable[[], None] = lambda: None,
        failed: Callable[[Failure], None] = lambda failure: None,
    ) -> Summary:
        """Answers what is not answered yet.

        begun: told how many rows were answered before, and how many are left. step: called after each. failed: told of
        each that failed. JobsError where the answers that are there are of other jobs or another model;
        HeadSetMissingError; OSError.
        """
        question = model.prompt if self.prompt is None else self.prompt
        if self.plan.points and model.head_set is None:
            raise HeadSetMissingError(
                f"Rows name regions, and no head set is known for {checks.short(model.name)}. Give one with --heads, "
                "find one with lookhere discover, or leave the regions out."
            )
        with self._kept(settings_of(model, question, self.plan.options, full=self.full)) as kept:
            before, failures = kept.count, Failures(self.files.errors)

            def fail(failure: Failure) -> None:
                failures.add(failure)
                failed(failure)

            def ask_of(row: Row) -> Ask:
                return row.ask(question, self.plan.options, self.opened)

            def take(outcomes: list[Outcome]) -> None:
                lines = [(each.number, self._line(each, model.name)) for each in outcomes if each.answer is not None]
                if lines:
                    kept.add(lines)
                for each in outcomes:
                    if each.error is not None:
                        fail(_failure(each))
                    step()

            try:
                for failure in self.plan.bad:
                    fail(failure)
                left = [number for number in self.plan.by_image() if not kept.has(number)]
                begun(before, len(left))
                answer_each(model, left, self.plan.jobs.row, ask_of, take)
            finally:
                failures.close()
            kept.sort()
            if self.files.parquet:
                from .parquet import write_parquet

                write_parquet(self.files.output, kept.lines())
            return Summary(len(self.plan.jobs), before, kept.count - before, failures.count)

    def _line(self, outcome: Outcome, model: str) -> bytes:
        return packed(answer_line(*outcome.whole, model, full=self.full))

    @contextmanager
    def _kept(self, now: Mapping[str, str]) -> Iterator[Kept]:
        """The answers that are there, once it is known that they are of these settings."""
        files = self.files

        def ready(there: bool) -> None:
            if there:
                check_settings(files.settings, now, files.output)
                return
            if files.parquet and self.force:
                files.output.unlink(missing_ok=True)
            elif files.parquet and files.output.exists():
                raise JobsError(
                    f"{checks.file(files.output)} is there already, and would be replaced. Give --force to replace it, "
                    "or name another file."
                )
            keep_settings(files.settings, now)

        with Kept(files.lines, self.plan, ready, fresh=self.force) as kept:
            yield kept


def _failure(outcome: Outcome) -> Failure:
    assert outcome.error is not None, "it failed"
    what, name = (outcome.row.what, outcome.row.name) if outcome.row else (None, None)
    return Failure.of(outcome.number, what, name, outcome.error)


def needs(path: Path) -> None:
    """OptionError unless what writes such a file is installed."""
    if Files(path).parquet:
        from .parquet import pyarrow

        pyarrow()
