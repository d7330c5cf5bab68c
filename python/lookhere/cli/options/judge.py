"""Who judges the answers, on the command line: ``--judge overlap --judge https://host/v1 --judge-model NAME``."""

from __future__ import annotations

import os
from collections.abc import Sequence

import click

from ...lab.choice import Choice
from ...lab.endpoint import Endpoint
from ...lab.judging import Exact, Judge, Overlap


def judges_of(names: Sequence[str], model: str | None, key_variable: str | None) -> list[Judge]:
    """The judges, in order. click.UsageError says what is missing."""
    found: list[Judge] = []
    known: dict[str, type[Exact | Overlap | Choice]] = {"exact": Exact, "overlap": Overlap, "choice": Choice}
    for name in names:
        if name in known:
            found.append(known[name]())
        elif name.startswith(("http://", "https://")):
            if model is None:
                raise click.UsageError(f"--judge {name} needs --judge-model NAME: the model that the endpoint serves.")
            key = None
            if key_variable is not None:
                key = os.environ.get(key_variable)
                if not key:
                    raise click.UsageError(f"--judge-key-env {key_variable}: there is no such environment variable.")
            found.append(Endpoint(name, model, key))
        else:
            raise click.UsageError(f"--judge {name!r}; expected exact, overlap, choice, or an http(s) address.")
    if (model or key_variable) and not any(isinstance(judge, Endpoint) for judge in found):
        raise click.UsageError("--judge-model and --judge-key-env need --judge URL.")
    return found
