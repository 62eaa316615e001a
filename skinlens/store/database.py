"""Opening the case database: one connection for one operation, brought up to date, with errors in plain words.

SQLite ties a connection to its thread, and the app's pages run in many threads. So a connection is opened for one
operation, closed after it, and never kept.
"""

import errno
import sqlite3
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import TypeVar

from sqlite_utils.db import Database

from skinlens.errors import StoreError
from skinlens.store.files import make_private
from skinlens.store.migrations import MIGRATIONS, STEP_NAMES

Result = TypeVar("Result")

BUSY_TIMEOUT_S = 20.0
"""How long an operation waits for another one that is writing. A save takes milliseconds, a VACUUM some hundreds."""

_WHAT_TO_DO: dict[int, str] = {
    sqlite3.SQLITE_FULL: "the disk is full. Free some space and try again; nothing of this step was kept",
    sqlite3.SQLITE_READONLY: "it can be read but not written. Make the folder writable for your account and try again",
    sqlite3.SQLITE_CANTOPEN: "it cannot be opened or made there. Check that the folder exists and is writable, "
    "or choose another one with SKINLENS_HOME",
    sqlite3.SQLITE_NOTADB: "it is not a SkinLens case database. Move it away, or put back a copy of the right one",
    sqlite3.SQLITE_CORRUPT: "it is damaged. Keep it, and put back the last good copy of the whole folder",
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
        reason = _WHAT_TO_DO.get(family, f"SQLite says: {error}. Please report this as a fault of SkinLens")
        raise StoreError(f"The case database in {home}: {reason}.") from error
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
            db = Database(connection, execute_plugins=False)
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
    """A sentence for each kind of fault in the database: its pages, its links between rows, its schema."""
    copy = "Keep this folder as it is, and put back the last good copy of the whole folder"
    problems = []
    found = [row["integrity_check"] for row in db.query("PRAGMA integrity_check(3)")]
    if found != ["ok"]:
        problems.append(f"The case database in {home} is damaged ({'; '.join(found)}). {copy}.")
    if links := sum(1 for _ in db.query("PRAGMA foreign_key_check")):
        problems.append(f"The case database in {home} is damaged: {links} rows belong to none that is there. {copy}.")
    if changed := sorted(_schema(_newest()) - _schema(db)):
        names = ", ".join(name for name, _ in changed)
        problems.append(f"The case database in {home} is damaged, or another program changed it ({names}). {copy}.")
    return tuple(problems)


def _schema(db: Database) -> set[tuple[str, str]]:
    found = db.query("SELECT name, sql FROM sqlite_master WHERE sql IS NOT NULL")
    return {(row["name"], row["sql"]) for row in found}


def _newest() -> Database:
    db = Database(memory=True, execute_plugins=False)
    MIGRATIONS.apply(db)
    return db


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


def _bring_up_to_date(db: Database, path: Path) -> None:
    applied = {step.name for step in _patiently(lambda: MIGRATIONS.applied(db))}
    unknown = sorted(applied.difference(STEP_NAMES))
    if unknown:
        raise StoreError(
            f"The case database in {path.parent} was written by a newer SkinLens (it has the step {unknown[-1]}, this "
            f"version knows steps up to {STEP_NAMES[-1]}). Nothing was changed. Open it with the newer version."
        )
    if len(applied) == len(STEP_NAMES):
        return
    # Readers and the one writer then do not wait for each other. The file remembers it.
    _patiently(lambda: db.execute("PRAGMA journal_mode = WAL"))
    with transaction(db):
        MIGRATIONS.apply(db)  # looks again what is missing, now under the lock


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
