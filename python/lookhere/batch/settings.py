"""What decides the answers beside their rows: the model, its heads and the options. It is kept beside the answers."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from .. import checks
from ..atomic import write_text
from ..errors import JobsError
from ..hub.file_hash import file_hash
from ..loaded import LoadedModel
from ..steering.head_set import to_dict


def settings_of(model: LoadedModel, question: str, options: Mapping[str, Any], *, full: bool) -> dict[str, str]:
    """By their names, each as text that a message can repeat."""
    heads = model.head_set and hashlib.sha256(json.dumps(to_dict(model.head_set), sort_keys=True).encode()).hexdigest()
    return {
        "model": f"{model.name}, {file_hash(model.path)[:12]}",
        "projector": file_hash(model.projector_path)[:12] if model.sees else "none",
        "head set": heads[:12] if heads else "none",
        "question": question,
        "fit": model.fit,
        "limit of image tokens": str(model.max_image_tokens),
        "detail": "full" if full else "short",
        **{name.replace("_", " "): str(value) for name, value in sorted(options.items())},
    }


def check_settings(path: Path, now: Mapping[str, str], answers: Path) -> None:
    """JobsError names what differs from what was kept in the file."""
    try:
        before = json.loads(path.read_text(encoding="utf-8"))
    except (OSError, ValueError, RecursionError):
        before = None
    if not isinstance(before, dict):
        raise JobsError(
            f"{checks.file(answers)} is there already, and would be replaced: lookhere batch did not write it, or "
            f"{checks.file(path)} is lost, which says with what. Give --force to begin again, or name another file."
        )
    for name in (*now, *before):
        if before.get(name) != now.get(name):
            one, other = (checks.short(each.get(name, "the default")) for each in (before, now))
            raise JobsError(
                f"The answers in {checks.file(answers)} were made with another {name}: {one}, and it is {other} now. "
                "Give the same again to go on, --force to begin again, or name another file."
            )


def keep_settings(path: Path, now: Mapping[str, str]) -> None:
    """OSError."""
    write_text(path, json.dumps(now, indent=1) + "\n")
