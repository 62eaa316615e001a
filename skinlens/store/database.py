"""Opening the case database: one connection for one operation, brought up to date, with errors in plain words.

SQLite ties a connection to its thread, and the app's pages run in many threads. So a connection is opened for one
operation, closed after it, and never kept.
"""

import errno
import sqlite3
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from functools import cache
from pathlib import Path
from typing import TypeVar

from sqlite_utils.db import Database

from skinlens.errors import StoreError
from skinlens.store.files import make_private
from skinlens.store.migrations import MIGRATIONS, STEP_NAMES, seal

Result = TypeVar("Result")

BUSY_TIMEOUT_S = 20.0
"""How long an operation waits for another one that is writing. A save takes milliseconds, a VACUUM some hundreds."""

_COPY = "Keep this folder as it is, and put back the last good copy of the whole folder"
_DAMAGED = "it is damaged. Keep it, and put back the last good copy of the whole folder"
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

_WHAT_TO_DO: dict[int, str] = {
    sqlite3.SQLITE_FULL: "the disk is full. Free some space and try again; nothing of this step was kept",
    sqlite3.SQLITE_READONLY: "it can be read but not written. Make the folder writable for your account and try again",
    sqlite3.SQLITE_CANTOPEN: "it cannot be opened or made there. Check that the folder exists and is writable, "
    "or choose another one with SKINLENS_HOME",
    sqlite3.SQLITE_NOTADB: "it is not a SkinLens case database. Move it away, or put back a copy of the right one",
    sqlite3.SQLITE_CORRUPT: _DAMAGED,
    sqlite3.SQLITE_BUSY: f"another program has been writing to it for more than {BUSY_TIMEOUT_S:.0f} seconds. "
    "Close it, or wait, and try again",
    sqlite3.SQLITE_LOCKED: "another window is using the same rows. Try again",
    sqlite3.SQLITE_IOERR: "the disk reported an error. Check the disk and its free space, and try again",
}
_FILE_TROUBLE: dict[int, str] = {
    errno.ENOSPC: "the disk is full. Free some space and try again; no case was changed",
    errno.EDQUOT: "your disk quota is used up. Free some space and try again; no case was changed",
    errno.EROFS: "the disk is read-only. Choose a writable folder with SKINLENS_HOME",
    errno.EACCES: "access is denied. Make the folder writable for your account, or choose another with SKINLENS_HOME",
    errno.EPERM: "access is denied. Make the folder writable for your account, or choose another with SKINLENS_HOME",
    errno.ENOTDIR: "a file lies where a folder is needed. Choose another folder with SKINLENS_HOME",
    errno.EEXIST: "a file lies where a folder is needed. Choose another folder with SKINLENS_HOME",
}


@contextmanager
def plain_errors(home: Path) -> Iterator[None]:
    """Turn the errors of SQLite and of the file system into ``StoreError`` with a sentence that says what to do."""
    try:
        yield
    except sqlite3.Error as error:
        # The low byte is the family of the code, e.g. every SQLITE_IOERR_… is SQLITE_IOERR.
        family = getattr(error, "sqlite_errorcode", sqlite3.SQLITE_ERROR) & 0xFF
        reason = _WHAT_TO_DO.get(
            family,
            f"it is damaged, or another program changed it (SQLite says: {error}). Keep it, and put back the last good "
            "copy of the whole folder; if that does not help, please report this as a fault of SkinLens",
        )
        raise StoreError(f"The case database in {home}: {reason}.") from error
    except UnicodeDecodeError as error:  # SQLite's own message quotes damaged text
        raise StoreError(f"The case database in {home}: {_DAMAGED}.") from error
    except OSError as error:
        reason = _FILE_TROUBLE.get(error.errno or 0, f"the system says: {error.strerror or error}")
        raise StoreError(f"The case folder {home}: {reason}.") from error


@contextmanager
def opened(path: Path) -> Iterator[Database]:
    """Open (or make) the database, bring its schema up to date, and close it at the end.

    Raises:
        StoreError: it cannot be opened, or a newer SkinLens has written it.
    """
    with plain_errors(path.parent):
        make_private(path.parent)
        # isolation_level=None: no BEGIN but our own, which takes the write lock at once where we mean to write.
        connection = sqlite3.connect(path, timeout=BUSY_TIMEOUT_S, isolation_level=None)
        try:
            connection.text_factory = _text
            db = Database(connection, execute_plugins=False)
            connection.create_function("seal", -1, seal, deterministic=True)
            db.execute("PRAGMA foreign_keys = ON")
            db.execute("PRAGMA secure_delete = ON")  # deleted rows are overwritten with zeros
            db.execute("PRAGMA temp_store = MEMORY")  # no copy of a row in the system's temporary folder
            _bring_up_to_date(db, path)
            yield db
        finally:
            connection.close()


def is_empty(path: Path) -> bool:
    """Whether there is no database yet, or none any more."""
    log = path.with_name(f"{path.name}-wal")
    return (
        not (path.is_file() and path.stat().st_size)
        and not (log.is_file() and log.stat().st_size)
        and not path.is_dir()
    )


def damage(db: Database, home: Path) -> tuple[str, ...]:
    """A sentence for each kind of fault in the database: its pages, its links between rows, its rows."""
    database = f"The case database in {home} is damaged"
    problems = []
    found = [row["integrity_check"] for row in db.query("PRAGMA integrity_check(3)")]
    if found != ["ok"]:
        problems.append(f"{database} ({'; '.join(found)}). {_COPY}.")
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
    found = next(iter(db.query("PRAGMA quick_check(1)")))["quick_check"]
    if found != "ok":
        raise StoreError(f"The case database is damaged ({found}). {_COPY}.")


def _schema(db: Database) -> frozenset[str]:
    return frozenset(sql for (sql,) in db.execute("SELECT sql FROM sqlite_master WHERE sql IS NOT NULL"))


@cache
def _newest_schema() -> frozenset[str]:
    db = Database(memory=True, execute_plugins=False)
    MIGRATIONS.apply(db)
    try:
        return _schema(db)
    finally:
        db.close()


@contextmanager
def transaction(db: Database) -> Iterator[None]:
    """One transaction that holds the write lock from its start, so that what it reads stays true until it ends."""
    _patiently(lambda: db.execute("BEGIN IMMEDIATE"))
    try:
        yield
    except BaseException:
        db.rollback()
        raise
    db.execute("COMMIT")


def _text(content: bytes) -> str:
    """Damaged text is still text: the row's seal tells that it is not what was saved."""
    return content.decode("utf-8", "replace")


def _bring_up_to_date(db: Database, path: Path) -> None:
    applied = _patiently(lambda: _applied(db))
    unknown = sorted(set(applied).difference(STEP_NAMES))
    known = len(applied) - len(unknown)
    if set(applied) - set(unknown) != set(STEP_NAMES[:known]) or (unknown and known < len(STEP_NAMES)):
        raise StoreError(f"The case database in {path.parent}: {_DAMAGED}.")
    if unknown:
        raise StoreError(
            f"The case database in {path.parent} was written by a newer SkinLens (it has the step {unknown[-1]}, this "
            f"version knows steps up to {STEP_NAMES[-1]}). Nothing was changed. Open it with the newer version."
        )
    if known == len(STEP_NAMES):
        if not _newest_schema() <= _schema(db):  # one changed letter could name another column
            raise StoreError(f"The case database in {path.parent}: {_DAMAGED}.")
        return
    # Readers and the one writer then do not wait for each other. The file remembers it.
    _patiently(lambda: db.execute("PRAGMA journal_mode = WAL"))
    with transaction(db):
        MIGRATIONS.apply(db)  # looks again what is missing, now under the lock


def _applied(db: Database) -> list[str]:
    """The names of the steps that the file has been through; reads alone."""
    if not db.execute("SELECT 1 FROM sqlite_master WHERE name = '_sqlite_migrations'").fetchall():
        return []
    return [str(row[0]) for row in db.execute("SELECT name FROM _sqlite_migrations WHERE migration_set = 'skinlens'")]


def _patiently(step: Callable[[], Result]) -> Result:
    """Repeat a step that is refused because the database is locked, for as long as an operation may wait.

    SQLite's own timeout does not hold for every step: where two begin on a new file at once, and one of them turns the
    write-ahead log on, the other is refused without waiting.
    """
    end = time.monotonic() + BUSY_TIMEOUT_S
    while True:
        try:
            return step()
        except sqlite3.OperationalError as error:
            if error.sqlite_errorcode & 0xFF != sqlite3.SQLITE_BUSY or time.monotonic() > end:
                raise
            time.sleep(0.01)
