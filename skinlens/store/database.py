"""Case database: one connection for one operation, migrated on opening, with errors in plain words.

SQLite ties a connection to its thread, and the app's pages run in many threads. So a connection is opened for one
operation, closed after it, and never kept.
"""

import errno
import os
import sqlite3
import tempfile
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from functools import cache
from pathlib import Path
from typing import TypeVar

from sqlite_utils.db import Database

from skinlens.errors import StoreError
from skinlens.formatting import grouped
from skinlens.store import last_backup
from skinlens.store.blobs import make_private
from skinlens.store.migrations import MIGRATIONS, STEP_NAMES
from skinlens.store.seals import seal
from skinlens.store.search_tokens import searchable
from skinlens.wording.errors import NO_MEMORY

Result = TypeVar("Result")

BUSY_TIMEOUT_S = 20.0
"""How long an operation waits for another one that is writing. A save takes milliseconds, a VACUUM some hundreds."""

APPLICATION_ID = 0x536B4C73
"""``SkLs``, in the header of each case database since ``m014_mark``."""

_DAMAGED = "it is damaged. Keep it, and put back the last good copy of the whole folder"
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
_DAMAGES = {sqlite3.SQLITE_NOTADB, sqlite3.SQLITE_CORRUPT}
_NO_ROOM = {sqlite3.SQLITE_FULL, sqlite3.SQLITE_IOERR_SHMSIZE, sqlite3.SQLITE_IOERR_WRITE}
"""Also where there is no room for the index of the log, which SQLite makes for a mere reader as well."""
_NOT_WRITABLE = {sqlite3.SQLITE_FULL, sqlite3.SQLITE_IOERR, sqlite3.SQLITE_READONLY, sqlite3.SQLITE_CANTOPEN}
_LOCKING = {
    sqlite3.SQLITE_IOERR_LOCK,
    sqlite3.SQLITE_IOERR_RDLOCK,
    sqlite3.SQLITE_IOERR_SHMLOCK,
    sqlite3.SQLITE_IOERR_SHMMAP,
}
_NO_LOCKS = (
    "the disk cannot lock or share files, as some network disks. Choose a folder on a disk of this computer with "
    "SKINLENS_HOME"
)
_OPENED: set[Path] = set()
"""By this process, whatever became of them since."""
_MOMENT_S = 0.05
FIRST_PATIENCE_S = 0.5
"""After so long without an answer it is asked whether the disk can lock files at all."""

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
    """Turn errors of SQLite, the file system and memory into ``StoreError`` with a sentence that says what to do."""
    try:
        yield
    except sqlite3.Error as error:
        # The low byte is the family of the code, e.g. every SQLITE_IOERR_… is SQLITE_IOERR.
        code = getattr(error, "sqlite_errorcode", sqlite3.SQLITE_ERROR)
        family = sqlite3.SQLITE_FULL if code in _NO_ROOM else code & 0xFF
        other = (
            f"it is damaged, or another program changed it (SQLite says: {error}). Keep it, and put back the last good "
            "copy of the whole folder; if that does not help, please report this as a fault of SkinLens"
        )
        reason = _NO_LOCKS if code in _LOCKING else _WHAT_TO_DO.get(family, other)
        offer = last_backup.offer(home) if family in _DAMAGES or reason == other else ""
        raise StoreError(f"The case database in {home}: {reason}. {offer}".rstrip()) from error
    except UnicodeDecodeError as error:  # SQLite's own message quotes damaged text
        raise _damaged(home) from error
    except OSError as error:
        reason = _FILE_TROUBLE.get(error.errno or 0, f"the system says: {error.strerror or error}")
        raise StoreError(f"The case folder {home}: {reason}.") from error
    except MemoryError as error:  # SQLite's as well
        raise StoreError(f"The case folder {home}: {NO_MEMORY}.") from error


def lacks_room(error: StoreError) -> bool:
    """Whether the disk is full."""
    cause = error.__cause__
    if isinstance(cause, OSError):
        return cause.errno in {errno.ENOSPC, errno.EDQUOT}
    return isinstance(cause, sqlite3.Error) and getattr(cause, "sqlite_errorcode", 0) in _NO_ROOM


@contextmanager
def opened(path: Path, *, to_write: bool, actor: str = "SkinLens") -> Iterator[Database]:
    """Open (or make) the database, bring its schema up to date, and close it at the end.

    To be read alone, it opens on a full disk and in a read-only folder too. ``actor``: in whose name the audit log gets
    its entries.

    Raises:
        StoreError: it cannot be opened, a newer SkinLens has written it, or it is lost and its log is still there.
    """
    with plain_errors(path.parent):
        _must_not_drop_log(path)
        make_private(path.parent)
        if not path.exists():
            path.touch(mode=0o600)
        db = _connected(str(path), actor)
        try:
            try:
                _bring_up_to_date(db, path)
            except sqlite3.OperationalError as error:
                if to_write or error.sqlite_errorcode & 0xFF not in _NOT_WRITABLE or not _is_all_in(path):
                    raise
                db.close()
                # SQLite makes a log and its index for a reader as well, except where it is told that nothing changes.
                db = _connected(f"{path.resolve().as_uri()}?immutable=1", actor)
                _bring_up_to_date(db, path)
            _wait_at_most(db, BUSY_TIMEOUT_S)
            _OPENED.add(path)
            yield db
        finally:
            db.close()


class _Database(Database):
    def executescript(self, sql: str) -> sqlite3.Cursor:
        """Statement by statement, each ending with its line: sqlite-utils looks for the end after every letter."""
        cursor, statement = self.conn.cursor(), ""
        for line in sql.splitlines(keepends=True):
            statement += line
            if sqlite3.complete_statement(statement):
                cursor.execute(statement.strip())
                statement = ""
        cursor.execute(statement.strip())  # what is left is complained of, if it is more than blanks
        return cursor


def _connected(address: str, actor: str) -> Database:
    # isolation_level=None: no BEGIN but our own, which takes the write lock at once where we mean to write.
    connection = sqlite3.connect(
        address, timeout=FIRST_PATIENCE_S, isolation_level=None, uri=address.startswith("file:")
    )
    connection.text_factory = _text
    connection.create_function("seal", -1, seal, deterministic=True)
    connection.create_function("searchable", 1, searchable, deterministic=True)
    connection.create_function("actor", 0, lambda: actor)
    db = _Database(connection, execute_plugins=False)
    db.execute("PRAGMA foreign_keys = ON")
    db.execute("PRAGMA secure_delete = ON")  # deleted rows are overwritten with zeros
    db.execute("PRAGMA temp_store = MEMORY")  # no copy of a row in the system's temporary folder
    return db


def _wait_at_most(db: Database, seconds: float) -> None:
    db.execute(f"PRAGMA busy_timeout = {1000 * seconds:.0f}")


def _is_all_in(path: Path) -> bool:
    """Whether no change waits in a log beside the file."""
    return _has_content(path) and not _has_content(_log(path))


def _log(path: Path) -> Path:
    return path.with_name(f"{path.name}-wal")


class CaseFolderGone(StoreError):
    """The folder was there while this program ran, and is not any more."""


def must_not_be_gone(path: Path) -> None:
    """Refuse to make a database anew where this program had one open: its disk was removed, or the folder moved.

    Raises:
        CaseFolderGone: it is gone.
    """
    if path in _OPENED and not (path.parent.is_dir() and any(path.parent.iterdir())):
        raise CaseFolderGone(
            f"The case database {path} was there and is gone: its disk was removed, or its folder moved or deleted. "
            "What was saved before is on that disk. Connect it again, or put the folder back; or close SkinLens, to "
            "begin without those cases at its next start."
        )


def lost_log(path: Path) -> bool:
    """Whether the log's index is there without the log: the latest changes were in it.

    Where another process just opens or closes the database, the two come and go a moment apart: it is looked twice.
    """
    index = path.with_name(f"{path.name}-shm")
    if not index.is_file() or _log(path).is_file():
        return False
    time.sleep(_MOMENT_S)
    return index.is_file() and not _log(path).is_file()


def is_empty(path: Path) -> bool:
    """Whether there is no database yet, or none any more."""
    return not _has_content(path) and not _has_content(_log(path)) and not path.is_dir()


def _has_content(path: Path) -> bool:
    with suppress(FileNotFoundError):  # a log that another thread takes away, as it closes the database just now
        return path.is_file() and path.stat().st_size > 0
    return False


def _must_not_drop_log(path: Path) -> None:
    """SQLite deletes a log that it finds beside an empty database, with the changes in it.

    The log is looked at first: in a store that is just being made, the database has content before its log has.
    """
    log = _log(path)
    if _has_content(log) and not path.is_dir() and not _has_content(path):
        raise StoreError(
            f"The case database {path} is {'empty' if path.exists() else 'missing'}, but its log {log.name} is there "
            f"({grouped(log.stat().st_size)} bytes) and holds the latest changes. Nothing was changed. Keep a copy of "
            f"{log.name}, and put {path.name} back from a backup, beside {log.name}; or put back the last good copy of "
            "the whole folder."
        )


def _schema(db: Database) -> frozenset[str]:
    """What there is, but for the notes on which steps ran, whose form is sqlite-utils' own."""
    statements = db.execute("SELECT sql FROM sqlite_master WHERE sql IS NOT NULL AND tbl_name != '_sqlite_migrations'")
    return frozenset(sql for (sql,) in statements)


@cache
def _schema_after(steps: int) -> frozenset[str]:
    db = _Database(memory=True, execute_plugins=False)
    MIGRATIONS.apply(db, stop_before=STEP_NAMES[steps] if steps < len(STEP_NAMES) else None)
    try:
        return _schema(db)
    finally:
        db.close()


@contextmanager
def transaction(db: Database, folder: Path) -> Iterator[None]:
    """One transaction that holds the write lock from its start, so that what it reads stays true until it ends."""
    _wait_at_most(db, FIRST_PATIENCE_S)
    _patiently(lambda: db.execute("BEGIN IMMEDIATE"), folder)
    _wait_at_most(db, BUSY_TIMEOUT_S)
    try:
        yield
    except BaseException:
        db.rollback()
        raise
    db.execute("COMMIT")


def _damaged(home: Path) -> StoreError:
    return StoreError(f"The case database in {home}: {_DAMAGED}. {last_backup.offer(home)}".rstrip())


def _text(content: bytes) -> str:
    """Damaged text is still text: the row's seal tells that it is not what was saved."""
    return content.decode("utf-8", "replace")


def _bring_up_to_date(db: Database, path: Path) -> None:
    applied = _patiently(lambda: _applied(db), path.parent)
    unknown = sorted(set(applied).difference(STEP_NAMES))
    known = len(applied) - len(unknown)
    if set(applied) - set(unknown) != set(STEP_NAMES[:known]) or (unknown and known < len(STEP_NAMES)):
        raise _damaged(path.parent)
    if unknown:
        raise StoreError(
            f"The case database in {path.parent} was written by a newer SkinLens (it has the step {unknown[-1]}, this "
            f"version knows steps up to {STEP_NAMES[-1]}). Nothing was changed. Open it with the newer version."
        )
    if known == len(STEP_NAMES):
        if not _schema_after(known) <= _schema(db):  # one changed letter could name another column
            raise _damaged(path.parent)
        return
    try:
        _patiently(lambda: _must_be_ours(db, path, known), path.parent)
    except StoreError:
        if _patiently(lambda: _applied(db), path.parent) == applied:
            raise
        _bring_up_to_date(db, path)  # another process made the tables between the two looks
        return
    # Readers and the one writer then do not wait for each other. The file remembers it.
    _patiently(lambda: db.execute("PRAGMA journal_mode = WAL"), path.parent)
    with transaction(db, path.parent):
        MIGRATIONS.apply(db)  # looks again what is missing, now under the lock


def _must_be_ours(db: Database, path: Path, steps: int) -> None:
    """Refuse the database of another program before anything is written to it. This reads alone.

    One without a step of ours is new, and has nothing in it; one with some of them has what they made. Only the newest
    have our mark: before, there was none.
    """
    (mark,) = db.execute("PRAGMA application_id").fetchone()
    if mark in {0, APPLICATION_ID} and _schema_after(steps) <= _schema(db) and (steps or not _schema(db)):
        return
    tables = [str(name) for (name,) in db.execute("SELECT name FROM sqlite_master WHERE type = 'table' ORDER BY name")]
    content = f"the tables {', '.join(tables[:4])}" if tables else f"the mark {mark:#x}"
    raise StoreError(
        f"The database {path} was made by another program: a case database of SkinLens was expected, and "
        f"{content} were found. Nothing was changed. Move that file out of this folder, and put back the right one; "
        "or choose another folder with SKINLENS_HOME."
    )


def _applied(db: Database) -> list[str]:
    """The names of the steps that the file has been through; reads alone."""
    if not db.execute("SELECT 1 FROM sqlite_master WHERE name = '_sqlite_migrations'").fetchall():
        return []
    return [str(row[0]) for row in db.execute("SELECT name FROM _sqlite_migrations WHERE migration_set = 'skinlens'")]


def _patiently(step: Callable[[], Result], folder: Path) -> Result:
    """Repeat a step that is refused because the database is locked, for as long as an operation may wait.

    SQLite's own timeout does not hold for every step: where two begin on a new file at once, and one of them turns the
    write-ahead log on, the other is refused without waiting.
    """
    end = time.monotonic() + BUSY_TIMEOUT_S
    asked = False
    while True:
        try:
            return step()
        except sqlite3.OperationalError as error:
            if error.sqlite_errorcode & 0xFF != sqlite3.SQLITE_BUSY or time.monotonic() > end:
                raise
            if not asked and time.monotonic() > end - BUSY_TIMEOUT_S + FIRST_PATIENCE_S:
                asked = True
                must_lock(folder)
            time.sleep(0.01)


def must_lock(folder: Path) -> None:
    """Refuse a disk that cannot lock files: SQLite takes that for another program that is writing, and waits.

    Raises:
        StoreError: it cannot.
    """
    if os.name != "posix":
        return
    import fcntl

    # A file of its own: to close the database's would give up the locks that other threads hold on it.
    with tempfile.TemporaryFile(dir=folder) as probe:
        try:
            fcntl.lockf(probe, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except OSError as error:
            raise StoreError(
                f"The case folder {folder} lies on a disk that cannot lock files ({error.strerror}), as some network "
                "disks do. Two windows could damage the cases there. Choose a folder on a disk of this computer with "
                "SKINLENS_HOME."
            ) from error
