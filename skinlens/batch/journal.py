"""Batch journal: the rows of an unfinished batch, in SQLite beside the table that they become.

A shard of rows is one transaction, and an id is there once. So whatever ends the work, even in the middle of a write,
what was committed is there and is not done a second time: unless its photo is another one by then, or is gone.
"""

import json
import sqlite3
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import NamedTuple

import numpy as np

from skinlens.batch.result_row import FEATURES, Result, Row
from skinlens.errors import BatchError

SUFFIX = ".unfinished"
LAYOUT = "2"
"""Version of the layout of the tables below; a setting of its own tells it."""
_SCHEMA = """
    CREATE TABLE IF NOT EXISTS setting (name TEXT PRIMARY KEY, value TEXT NOT NULL) WITHOUT ROWID;
    CREATE TABLE IF NOT EXISTS photo (
        number INTEGER PRIMARY KEY, id TEXT NOT NULL UNIQUE, stamp TEXT NOT NULL, failed INTEGER NOT NULL,
        row TEXT NOT NULL, features BLOB
    )"""
_PUT = """
    INSERT INTO photo (id, stamp, failed, row, features) VALUES (?, ?, ?, ?, ?)
    ON CONFLICT (id) DO UPDATE SET stamp = excluded.stamp, failed = excluded.failed, row = excluded.row,
        features = excluded.features WHERE stamp IS NOT excluded.stamp OR stamp = ''"""
NAMED = 5
"""Ids of photos that are gone that are told; of more there is the number."""
_FEATURE_TYPE = np.dtype("<f4")


def journal_path(out: Path) -> Path:
    """Path of the journal, which keeps the rows of ``out`` until it is written."""
    return out.with_name(f"{out.name}{SUFFIX}")


class Gone(NamedTuple):
    """Photos whose rows were removed, as they are not in the source any more."""

    photos: int
    first: tuple[str, ...]
    """Ids of some of them."""


class Journal:
    """The rows that are done. One process at a time has it open, in one thread."""

    def __init__(self, db: sqlite3.Connection) -> None:
        self._db = db
        (last,) = db.execute("SELECT coalesce(max(number), 0) FROM photo").fetchone()
        self._met = bytearray(last // 8 + 1)  # a bit for each row from before: an eighth of a MB for a million
        self._last = int(last)
        self.changed = 0
        """Photos met so far that changed since their rows were made."""

    def has(self, entry_id: str, stamp: str) -> bool:
        """Whether the row of this very photo is there. The photo counts as met: its row stays until it is put anew."""
        row = self._db.execute("SELECT number, stamp FROM photo WHERE id = ?", [entry_id]).fetchone()
        if row is None:
            return False
        number, known = row
        if number > self._last:  # of this run: a list that names it twice
            return True
        first = not self._met[number >> 3] & 1 << (number & 7)
        self._met[number >> 3] |= 1 << (number & 7)
        if stamp and known == stamp:
            return True
        self.changed += first and bool(stamp and known)
        return False

    def add(self, results: Sequence[Result]) -> None:
        """Commit a shard. A row whose id is there already takes its place if it is of another photo."""
        lines = [
            (
                result.row["id"],
                result.stamp,
                result.row["error"] is not None,
                json.dumps(result.row, ensure_ascii=False),
                None if result.features is None else result.features.astype(_FEATURE_TYPE).tobytes(),
            )
            for result in results
        ]
        with self._db:
            self._db.executemany(_PUT, lines)

    def remove_gone(self) -> Gone:
        """Remove the rows from before whose photos were not met: called once the source was walked to its end."""
        numbers = self._db.execute("SELECT number FROM photo WHERE number <= ?", [self._last])
        gone = [number for (number,) in numbers if not self._met[number >> 3] & 1 << (number & 7)]
        first = [
            self._db.execute("SELECT id FROM photo WHERE number = ?", [number]).fetchone()[0] for number in gone[:NAMED]
        ]
        with self._db:
            self._db.executemany("DELETE FROM photo WHERE number = ?", ([number] for number in gone))
        return Gone(len(gone), tuple(first))

    def counts(self) -> tuple[int, int]:
        """Number of rows, and the number of rows whose photo could not be read."""
        done, failed = self._db.execute("SELECT count(*), coalesce(sum(failed), 0) FROM photo").fetchone()
        return int(done), int(failed)

    def rows(self, *, by_id: bool) -> Iterator[Row]:
        """All of them, in the order of their ids or in that in which they came; with ``FEATURES`` where asked for."""
        order = "id" if by_id else "number"
        for row, features in self._db.execute(f"SELECT row, features FROM photo ORDER BY {order}"):
            known = None if features is None else np.frombuffer(features, _FEATURE_TYPE)
            yield json.loads(row) | {FEATURES: known}


@contextmanager
def opened(out: Path, settings: Mapping[str, str], *, anew: bool = False) -> Iterator[Journal]:
    """The journal of a table, made where there is none.

    Args:
        settings: What makes the rows what they are. They must be those with which the journal was begun.
        anew: Forget what was begun.

    Raises:
        BatchError: it was begun with others, another process has it, or the disk does not take it.
    """
    path = journal_path(out)
    try:
        db = sqlite3.connect(path, timeout=0.2)
        try:
            db.execute("PRAGMA locking_mode = EXCLUSIVE")
            db.execute("BEGIN EXCLUSIVE")
            db.commit()
            if anew:
                db.executescript("DROP TABLE IF EXISTS photo; DROP TABLE IF EXISTS setting")
            db.executescript(_SCHEMA)
            _must_be_of(db, path, {**settings, "layout of the rows": LAYOUT})
            yield Journal(db)
        finally:
            db.close()
    except sqlite3.Error as problem:
        if getattr(problem, "sqlite_errorcode", 0) & 0xFF == sqlite3.SQLITE_BUSY:
            raise BatchError(f"{out} is being written by another command. Wait for it, or name another file.") from None
        raise BatchError(
            f"The rows of {out} cannot be kept in {path}: {problem}. Free some space, or name a file in a folder that "
            "can be written; what was kept stays, and the same command goes on from there."
        ) from problem


def _must_be_of(db: sqlite3.Connection, path: Path, settings: Mapping[str, str]) -> None:
    begun = dict(db.execute("SELECT name, value FROM setting"))
    if not begun:
        with db:
            db.executemany("INSERT INTO setting VALUES (?, ?)", settings.items())
        return
    for name, value in settings.items():
        if begun.get(name) != value:
            raise BatchError(
                f"{path.name} holds the rows of an unfinished batch with another {name}: expected {value}, found "
                f"{begun.get(name)}. Finish that with the command that began it, or begin again with --replace."
            )


def discard(out: Path) -> None:
    """Remove the journal of a table, and what SQLite keeps beside one that was left in the middle of a write."""
    path = journal_path(out)
    for file in (path, path.with_name(f"{path.name}-journal")):
        file.unlink(missing_ok=True)
