"""Jobs as a pipeline of Ray Data: groups of rows, actors that keep a model loaded, and parts of answers in order."""

from __future__ import annotations

import os
import tempfile
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from .. import checks
from ..batch.failure import Failure
from ..batch.jobs import JobFile, Jobs, Rows
from ..batch.plan import Plan
from ..batch.work import Summary
from ..errors import JobsError, OptionError
from .parts import Format, Parts
from .worker import Task, Told, Worker, group

PART = 1024
"""Answers of a part, where they come fast enough."""
PATIENCE = 60.0
"""Seconds after which a smaller part is written."""


def answer_all(
    jobs: str | os.PathLike[str] | Sequence[Mapping[str, Any]],
    output: str | os.PathLike[str],
    *,
    workers: int = 1,
    rows: int = 64,
    cpus: float = 1,
    gpus: float = 0,
    images: str | os.PathLike[str] | None = None,
    prompt: str | None = None,
    options: Mapping[str, Any] | None = None,
    full: bool = False,
    form: Format = "parquet",
    force: bool = False,
    told: Callable[[int], None] = lambda answered: None,
    **loading: Any,
) -> Summary:
    """Answers the jobs of ``lookhere batch`` with so many workers of a Ray cluster; the same call goes on where it was
    stopped.

    jobs: a file of them in JSON Lines, a path or an address that fsspec knows (s3://...), or a list of rows. output: a
    folder of parts, in the order of the jobs. rows: of a group at least, which a worker gets at a time; rows of an
    image that follow one another are in one group. cpus, gpus: of a worker. images: the folder of the images, that of
    the jobs where None. prompt: for rows without one. options: of asks that do not say otherwise, as max_tokens.
    full: whether all of an answer is kept. form: of the parts. force: whether answers that are there go. told: called
    with the number of answers after each group. loading: as of ``lookhere.load``, for each worker.

    A worker that is lost is replaced, and its group answered again. What fails of a row is kept in ``_errors.jsonl``.
    JobsError where the answers that are there are of other jobs, another model or other options; OptionError.
    """
    ray = _ray()
    checks.whole("workers", workers, 1, 100_000)
    checks.whole("rows", rows, 1, 100_000)
    checks.one_of("form", form, ("parquet", "jsonl"))
    with _opened(jobs, images) as (found, folder):
        plan = Plan(found, options or {})
        parts = Parts(os.fspath(output), plan, form, force=force)
        before = len(parts.done)
        groups = list(_groups(plan, parts.done, rows))
        failures = list(plan.bad)
        if groups:
            task = Task(loading, folder, prompt, plan.options, full)
            _answer(ray, groups, task, parts, failures, told, workers, cpus, gpus)
        parts.failed(failures)
        return Summary(len(found), before, len(parts.done) - before, len(failures))


def _answer(
    ray: Any,
    groups: Sequence[str],
    task: Task,
    parts: Parts,
    failures: list[Failure],
    told: Callable[[int], None],
    workers: int,
    cpus: float,
    gpus: float,
) -> None:
    data = ray.data.from_items([{"group": each} for each in groups], override_num_blocks=len(groups))
    data.context.execution_options.preserve_order = True
    data = data.map_batches(
        Worker,
        fn_constructor_args=(task,),
        batch_size=1,
        batch_format="numpy",
        compute=ray.data.ActorPoolStrategy(size=min(workers, len(groups))),
        num_cpus=cpus,
        num_gpus=gpus,
    )
    waiting: list[tuple[int, str]] = []
    written = time.monotonic()
    try:
        for row in data.iter_rows():
            found = Told.of(row["told"])
            parts.check(found.settings)
            failures += found.failures
            waiting += found.answers
            if len(waiting) >= PART or (waiting and time.monotonic() - written >= PATIENCE):
                parts.add(waiting)
                waiting, written = [], time.monotonic()
            told(len(parts.done) + len(waiting))
    finally:
        if waiting:
            parts.add(waiting)


def _groups(plan: Plan, done: set[int], rows: int) -> Iterator[str]:
    """In the order of the jobs; cut only between images."""
    found: list[int] = []
    for number in plan.in_order():
        if number in done:
            continue
        if len(found) >= rows and plan.image(number) != plan.image(found[-1]):
            yield group(map(plan.jobs.row, found))
            found = []
        found.append(number)
    if found:
        yield group(map(plan.jobs.row, found))


@contextmanager
def _opened(jobs: Any, images: str | os.PathLike[str] | None) -> Iterator[tuple[Jobs, str]]:
    """-> the jobs, and the folder of their images. JobsError."""
    folder = None if images is None else os.fspath(images)
    if not isinstance(jobs, (str, os.PathLike)):
        if not isinstance(jobs, Sequence):
            raise JobsError(f"jobs={checks.short(jobs)}; expected the path of a file, or a list of rows.")
        yield Rows(jobs), folder or ""
        return
    path = os.fspath(jobs)
    with tempfile.TemporaryDirectory() as name:
        if "://" in path:
            import fsspec

            copy = Path(name) / "jobs.jsonl"
            try:
                with fsspec.open(path, "rb") as file, open(copy, "wb") as out:
                    while block := file.read(1 << 20):
                        out.write(block)
            except Exception as error:  # of a store that nobody here made
                raise JobsError(f"{checks.file(path)} cannot be read: {checks.reason(error)}.") from error
            beside, opened = path.rsplit("/", 1)[0], JobFile(copy)
        else:
            beside, opened = os.path.dirname(os.path.abspath(path)), JobFile(Path(path))
        try:
            yield opened, beside if folder is None else folder
        finally:
            opened.close()


def _ray() -> Any:
    """The package. OptionError where it is not installed."""
    try:
        import fsspec as fsspec  # noqa: PLC0414  # parts are written with it
        import ray
        import ray.data
    except ImportError as error:
        raise OptionError(
            f"A cluster needs more packages ({error}). Install them: pip install 'lookhere[ray]'"
        ) from error
    return ray
