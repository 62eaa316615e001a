"""The accounts' database: one SQLite file that its owner alone may read."""

import os
import sqlite3
from collections.abc import Iterator
from contextlib import closing, contextmanager
from pathlib import Path

from skinlens.errors import StoreError
from skinlens.store import CaseStore
from skinlens.store.database import must_not_be_gone

FILE = "accounts.db"
_VERSION = 4
_PATIENCE_S = 10.0
_ACCOUNT = """
    CREATE TABLE account (
        number INTEGER PRIMARY KEY AUTOINCREMENT,
        name TEXT NOT NULL UNIQUE,
        folded TEXT NOT NULL UNIQUE,
        role TEXT NOT NULL CHECK (role IN ('viewer', 'reader', 'reviewer', 'admin')),
        password TEXT,
        issuer TEXT,
        subject TEXT,
        disabled INTEGER NOT NULL DEFAULT 0,
        created_at REAL NOT NULL,
        changed_at REAL NOT NULL,
        UNIQUE (issuer, subject),
        CHECK ((issuer IS NULL) = (subject IS NULL) AND (password IS NULL) <> (issuer IS NULL))
    ) STRICT
"""
"""Of a person who has a password here, or who signs in with an OpenID provider: never both."""
_KNOWN = """
    CREATE TABLE known_browser (
        token BLOB NOT NULL,
        account TEXT NOT NULL REFERENCES account (name) ON DELETE CASCADE,
        seen_at REAL NOT NULL,
        PRIMARY KEY (token, account)
    ) STRICT
"""
_OF_API = """
    CREATE TABLE api_token (
        number INTEGER PRIMARY KEY AUTOINCREMENT,
        name TEXT NOT NULL,
        folded TEXT NOT NULL,
        role TEXT NOT NULL CHECK (role IN ('viewer', 'reader', 'reviewer', 'admin')),
        digest BLOB NOT NULL UNIQUE,
        created_at REAL NOT NULL,
        seen_at REAL,
        revoked_at REAL,
        expires_at REAL NOT NULL DEFAULT 0
    ) STRICT;
    CREATE UNIQUE INDEX api_token_in_use ON api_token (folded) WHERE revoked_at IS NULL
"""
_SCHEMA = f"""
    {_ACCOUNT};
    {_KNOWN};
    {_OF_API};
    CREATE TABLE session (
        id INTEGER PRIMARY KEY AUTOINCREMENT,
        token BLOB NOT NULL UNIQUE,
        account TEXT REFERENCES account (name) ON DELETE CASCADE,
        began_at REAL NOT NULL,
        seen_at REAL NOT NULL,
        address TEXT NOT NULL,
        browser TEXT NOT NULL
    ) STRICT;
    CREATE INDEX session_of_account ON session (account);
    CREATE TABLE attempt (
        tried TEXT PRIMARY KEY,
        failures INTEGER NOT NULL,
        last_at REAL NOT NULL
    ) STRICT;
"""
_FROM_1 = f"""
    CREATE TEMP TABLE before AS SELECT name, folded, role, password, created_at, changed_at FROM account;
    DROP TABLE account;
    {_ACCOUNT};
    INSERT INTO account (name, folded, role, password, created_at, changed_at) SELECT * FROM before ORDER BY created_at;
    DROP TABLE before;
    DELETE FROM attempt;
    {_KNOWN}
"""
_FROM_3 = """
    ALTER TABLE api_token ADD COLUMN expires_at REAL NOT NULL DEFAULT 0;
    UPDATE api_token SET expires_at = created_at + 365 * 86400
"""
_STEPS = {0: _SCHEMA, 1: f"{_FROM_1};{_OF_API}", 2: _OF_API, 3: _FROM_3}
"""From each version to the newest."""


@contextmanager
def reading(home: Path) -> Iterator[sqlite3.Connection | None]:
    """The database, not to be written to; None where there is none yet. Raises StoreError."""
    path = home / FILE
    must_not_be_gone(CaseStore(home).database)
    if not path.exists():
        yield None
        return
    with _plainly(path), closing(_connected(path)) as db:
        yield db


@contextmanager
def writing(home: Path) -> Iterator[sqlite3.Connection]:
    """The database in one transaction; it is made where there is none. Raises StoreError."""
    path = home / FILE
    must_not_be_gone(CaseStore(home).database)  # whose folder would be made anew
    with _plainly(path):
        home.mkdir(mode=0o700, parents=True, exist_ok=True)
        path.touch(mode=0o600)
        path.chmod(0o600)
        with closing(_connected(path)) as db:
            db.execute("BEGIN IMMEDIATE")
            try:
                yield db
            except BaseException:
                db.rollback()
                raise
            db.execute("COMMIT")


def _connected(path: Path) -> sqlite3.Connection:
    before = os.umask(0o077)  # its journal is as private as the file
    try:
        db = sqlite3.connect(path, timeout=_PATIENCE_S, isolation_level=None)
        db.row_factory = sqlite3.Row
        db.execute("PRAGMA foreign_keys = ON")
        db.execute("PRAGMA secure_delete = ON")
        (version,) = db.execute("PRAGMA user_version").fetchone()
        if version > _VERSION:
            db.close()
            raise StoreError(f"The accounts in {path} were written by a newer SkinLens. Nothing was changed.")
        if version < _VERSION:
            _make(db)
        return db
    finally:
        os.umask(before)


def _make(db: sqlite3.Connection) -> None:
    db.execute("PRAGMA foreign_keys = OFF")  # sessions name an account, and stay while its table is exchanged
    db.execute("BEGIN IMMEDIATE")
    (version,) = db.execute("PRAGMA user_version").fetchone()  # now under the lock
    if version < _VERSION:
        for statement in _STEPS[version].split(";"):
            db.execute(statement)
        db.execute(f"PRAGMA user_version = {_VERSION}")
    db.execute("COMMIT")
    db.execute("PRAGMA foreign_keys = ON")


@contextmanager
def _plainly(path: Path) -> Iterator[None]:
    try:
        yield
    except sqlite3.Error as error:
        raise StoreError(
            f"The accounts in {path} cannot be used ({error}). Nobody can sign in. Put that file back from a copy, or "
            "move it away and add the accounts anew."
        ) from error
    except OSError as error:
        raise StoreError(f"The accounts in {path} cannot be used: {error.strerror or error}.") from error
