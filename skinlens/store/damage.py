"""Damage of the case database: pages that do not fit together, rows that are not what was saved."""

from pathlib import Path

from sqlite_utils.db import Database

from skinlens.errors import StoreError

_COPY = "Keep this folder as it is, and put back the last good copy of the whole folder"
_READ = "What can be read of it is shown, and nothing is written into it any more"
_NOUNS = {
    "visit": "case",
    "patient": "patient",
    "lesion": "lesion",
    "explanation": "map",
    "check_result": "check",
    "outline": "outline",
    "revision": "change",
    "setting": "setting",
}
"""What a row of each sealed table is in words."""


def found(db: Database, home: Path) -> tuple[str, ...]:
    """A sentence for each kind of fault in the database: its pages, its links between rows, its rows."""
    return (*of_pages(db, home), *of_rows(db, home))


def of_pages(db: Database, home: Path) -> tuple[str, ...]:
    """A sentence if the pages do not fit together; most of the others can be read all the same."""
    said = [row["integrity_check"] for row in db.query("PRAGMA integrity_check(3)")]
    return () if said == ["ok"] else (f"The case database in {home} is damaged ({'; '.join(said)}). {_READ}. {_COPY}.",)


def of_rows(db: Database, home: Path) -> tuple[str, ...]:
    """A sentence for each kind of fault in the links between rows, and in the rows."""
    database = f"The case database in {home} is damaged"
    problems = []
    if links := sum(1 for _ in db.query("PRAGMA foreign_key_check")):
        problems.append(f"{database}: {links} rows belong to none that is there. {_COPY}.")
    for table, noun in _NOUNS.items():
        key = "key" if table == "setting" else "id"
        sql = f"SELECT {key} AS number FROM sealed_{table} WHERE NOT sound LIMIT 10"
        numbers = [str(row["number"]) for row in db.query(sql)]
        if numbers:
            problems.append(
                f"{database}: what it holds of {noun} {', '.join(numbers)} is not what was saved, and is not shown. "
                f"{_COPY}."
            )
    return tuple(problems)


def must_be_whole(db: Database) -> None:
    """Raises StoreError where the database's pages are damaged."""
    verdict = next(iter(db.query("PRAGMA quick_check(1)")))["quick_check"]
    if verdict != "ok":
        raise StoreError(f"The case database is damaged ({verdict}). {_COPY}.")
