"""Answers as a table: a Parquet file, for pandas, DuckDB, Spark and the like."""

from __future__ import annotations

import json
from collections.abc import Iterable, Iterator
from itertools import islice
from pathlib import Path
from typing import Any

from ..atomic import replacing
from ..errors import OptionError

ROWS = 4096
"""Of a group: so many are held at a time."""


def pyarrow() -> Any:
    """The package. OptionError where it is not installed."""
    try:
        import pyarrow as found
        import pyarrow.parquet
    except ImportError as error:
        raise OptionError(
            f"Parquet needs one more package ({error}). Install it: pip install 'lookhere[batch]', or name a file that "
            "ends in .jsonl."
        ) from error
    return found


def schema(pa: Any) -> Any:
    """id, image and prompt; the regions as JSON; the text; where the model looked: x0, y0, x1, y1, and the share.

    ``answer`` is the JSON of all of it where that was asked for.
    """
    return pa.schema(
        [
            ("id", pa.string()), ("image", pa.string()), ("regions", pa.string()), ("prompt", pa.string()),
            ("text", pa.string()), ("finish", pa.string()), ("prompt_tokens", pa.int64()),
            ("answer_tokens", pa.int64()), ("where", pa.list_(pa.float64())), ("share", pa.float64()),
            ("answer", pa.string()), ("ask", pa.string()),
        ]
    )  # fmt: skip


def table(lines: Iterable[bytes]) -> Any:
    """Lines of answers as a table of pyarrow."""
    pa = pyarrow()
    return pa.Table.from_pylist([_columns(json.loads(line)) for line in lines], schema(pa))


def write_parquet(path: Path, lines: Iterator[bytes]) -> None:
    """Whole or not at all. OSError."""
    pa = pyarrow()
    with replacing(path) as file, pa.parquet.ParquetWriter(file, schema(pa)) as writer:
        while some := list(islice(lines, ROWS)):
            writer.write_table(table(some))


def _columns(line: dict[str, Any]) -> dict[str, Any]:
    where = line["where"] or {}
    full = line.get("answer")
    return {
        **{name: line[name] for name in ("image", "prompt", "text", "finish", "ask")},
        "id": str(line["id"]),
        "regions": json.dumps(line["regions"]),
        "prompt_tokens": line["tokens"]["prompt"],
        "answer_tokens": line["tokens"]["answer"],
        "where": where.get("box") or where.get("span"),
        "share": where.get("share"),
        "answer": None if full is None else json.dumps(full, ensure_ascii=False),
    }
