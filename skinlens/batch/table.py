"""Batch table as a file: Parquet, CSV or JSON lines, written row by row and moved into place when it is whole.

Each holds the disclaimer: Parquet in its metadata, the others in a column, as a comment would break what reads them.
"""

import json
import os
from collections.abc import Callable, Iterable, Iterator
from itertools import islice
from pathlib import Path
from typing import Any

from skinlens import __version__, csv_table
from skinlens.batch.result_row import COLUMNS, FEATURES, Row
from skinlens.errors import BatchError
from skinlens.labels import DISCLAIMER

_GROUP = 1000
"""Rows of a Parquet row group."""


def check_ending(out: Path) -> None:
    """Raises BatchError for a file of no known kind."""
    if out.suffix.lower() not in _WRITERS:
        raise BatchError(f"Expected a file that ends in {', '.join(_WRITERS)}; found {out.name}. Rename it.")


def write(out: Path, rows: Iterable[Row], *, features: int) -> None:
    """Write all rows. ``features``: the length of the vector that each has; 0: it has none. Raises BatchError."""
    unfinished = out.with_name(f".{out.name}.part")
    try:
        _WRITERS[out.suffix.lower()](unfinished, rows, features)
        with unfinished.open("rb+") as file:
            os.fsync(file.fileno())
        unfinished.replace(out)
    except OSError as problem:
        unfinished.unlink(missing_ok=True)
        raise BatchError(
            f"{out} cannot be written: {problem.strerror or problem}. Free some space, or make the folder writable; no "
            "row is lost, and the same command goes on from there."
        ) from problem


def _write_parquet(path: Path, rows: Iterable[Row], features: int) -> None:
    import pyarrow as pa
    import pyarrow.parquet as pq

    kinds = {"text": pa.string(), "number": pa.float64(), "truth": pa.bool_()}
    fields = [pa.field(column.name, kinds[column.kind]) for column in COLUMNS]
    if features:
        fields.append(pa.field(FEATURES, pa.list_(pa.float32(), features)))
    schema = pa.schema(fields, metadata={"disclaimer": DISCLAIMER, "skinlens_version": __version__})
    with pq.ParquetWriter(path, schema) as writer:
        for group in _batched(rows, _GROUP):
            writer.write_table(pa.Table.from_pylist(group, schema))


def _write_csv(path: Path, rows: Iterable[Row], features: int) -> None:
    numbered = [f"feature_{number:03d}" for number in range(features)]
    names = [column.name for column in COLUMNS]
    with path.open("w", encoding="utf-8", newline="") as file:
        write = csv_table.row_writer(file)
        write([*names, *numbered, "disclaimer"])
        for row in rows:
            vector = [""] * features if row[FEATURES] is None else row[FEATURES].tolist()[:features]
            write([*(_cell(row[name]) for name in names), *vector, DISCLAIMER])


def _cell(value: Any) -> Any:
    return ("true" if value else "false") if isinstance(value, bool) else value


def _write_jsonl(path: Path, rows: Iterable[Row], features: int) -> None:
    with path.open("w", encoding="utf-8") as file:
        for row in rows:
            vector = row.pop(FEATURES)
            known = {FEATURES: None if vector is None else vector.tolist()} if features else {}
            file.write(json.dumps(row | known | {"disclaimer": DISCLAIMER}, ensure_ascii=False) + "\n")


def _batched(rows: Iterable[Row], most: int) -> Iterator[list[Row]]:
    rest = iter(rows)
    while group := list(islice(rest, most)):
        yield group


_WRITERS: dict[str, Callable[[Path, Iterable[Row], int], None]] = {
    ".parquet": _write_parquet,
    ".csv": _write_csv,
    ".jsonl": _write_jsonl,
}
