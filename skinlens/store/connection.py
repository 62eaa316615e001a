"""Store connection: the folder of a store, and one operation on its database at a time."""

import os
import shutil
import sqlite3
from collections.abc import Iterator, Mapping
from contextlib import contextmanager, suppress
from pathlib import Path

import platformdirs
from sqlite_utils.db import Database

from skinlens.errors import NotAllowed, StoreError
from skinlens.roles import LOCAL_USER, Right, Role, may, refusal
from skinlens.store import blobs, chain, database, erasure, last_backup, validation

RESERVE_BYTES = 4_000_000
"""Enough to delete the rows of some hundred cases."""


def default_home() -> Path:
    """The folder that ``SKINLENS_HOME`` names, otherwise the platform's place for a user's data. Raises StoreError."""
    named = os.environ.get("SKINLENS_HOME", "").strip()
    try:
        home = Path(named).expanduser() if named else platformdirs.user_data_path("SkinLens", appauthor=False)
    except RuntimeError as problem:  # a user without a home, or the name of a user whom this computer does not know
        why = f"SKINLENS_HOME is {named}, and that user has" if named else "this user has"
        raise StoreError(
            f"It is not known where the cases belong: {why} no home folder. Set SKINLENS_HOME to a whole path, for "
            "example /srv/skinlens."
        ) from problem
    return home.absolute()


class FilesWithoutCases(StoreError):
    """The database is lost, and the photos of its cases are still there: it is not made anew, which would hide them."""


class StoreHome:
    """A path to the database and the files beside it, and no connection: each operation opens one and closes it."""

    def __init__(self, home: Path | None = None, *, actor: str = LOCAL_USER, role: Role = "admin") -> None:
        self.home = home or default_home()
        self.actor = actor
        """Who works with it, and in whose name the audit log gets its entries: an account, or the local user."""
        self.role = role
        """Of the actor; what it may is looked up in ``rights``."""
        self.database = self.home / "cases.db"
        self.files = blobs.CaseFiles(self.home / "files")
        self.reserve = self.home / "reserve.bin"
        """Zeros that are given up on a full disk: SQLite needs room to delete."""
        self.loss = self.home / "lost-log.txt"
        """When it was seen that the database had lost its log; there until the user says that all is well."""
        self.closed = self.home / "opened-to-read.txt"
        """There while the database has damaged pages, to which nothing may be added."""
        self.exchange = self.home / "restore-under-way.txt"
        """Where the files lie that a restore is moving aside; there as long as it exchanges them."""

    def must_be_allowed(self, right: Right) -> None:
        """Raises NotAllowed where the actor's role has not that right."""
        if not may(self.role, right):
            raise NotAllowed(refusal(self.role, right), right)

    @contextmanager
    def _opened(self, *, to_write: bool = True) -> Iterator[Database]:
        if os.path.lexists(self.exchange):
            raise StoreError(
                f"A restore in {self.home} was interrupted while it exchanged the files. Nothing is lost: what was "
                f"there before is in {self.exchange.read_text('utf-8').strip()}. Say “skinlens restore --replace” with "
                f"the backup again; or move the contents of that folder back and delete {self.exchange.name}."
            )
        if database.is_empty(self.database) and (files := self.files.present()):
            count = f"{len(files)} photos and maps" if len(files) > 1 else "1 photo or map"
            raise FilesWithoutCases(
                f"The case database {self.database} is missing or empty, but there are {count} in {self.files.root}. "
                "Nothing was changed. Put back the last good copy of the whole folder; or, to begin without those "
                f"cases, move the folder {self.files.root.name} away."
            )
        database.must_not_be_gone(self.database)
        self.note_loss()
        with database.opened(self.database, to_write=to_write, actor=self.actor) as db:
            yield db

    def note_loss(self) -> None:
        """Keep it in mind if the database has lost its log: to open it makes a new one, and nothing tells it then."""
        if not self.loss.exists() and database.lost_log(self.database):
            with suppress(OSError):  # a read-only folder, in which nothing is tidied either
                self.loss.touch(mode=0o600)
                self.loss.write_text(f"{self.database.name}-wal was missing: {validation.now()}\n", encoding="utf-8")

    @contextmanager
    def _reading(self) -> Iterator[Database]:
        """One snapshot; it ends with the connection."""
        with self._opened(to_write=False) as db:
            db.execute("BEGIN")
            yield db

    @contextmanager
    def _writing(self) -> Iterator[Database]:
        if os.path.lexists(self.closed):
            offer = last_backup.offer(self.home) or "Put back the last good copy of the whole folder."
            raise StoreError(
                f"Nothing was changed: the case database in {self.home} is damaged, and was opened to be read alone. "
                f"{offer}"
            )
        with self._opened() as db:
            chain.keep_head(db, self.home)
            with database.transaction(db, self.home):
                yield db
            with suppress(sqlite3.Error, MemoryError):  # what was committed is not to be called refused
                chain.keep_head(db, self.home)

    @contextmanager
    def _writing_with(self, contents: Mapping[str, bytes]) -> Iterator[Database]:
        """A transaction whose rows name these files. If it fails, those of them that were not there before go again."""
        with self._opened():
            pass  # files without a database would be taken for what is left of a lost one
        with database.plain_errors(self.home):
            added = self.files.write(contents)
        try:
            with self._writing() as db:
                # One that was there already may have gone with the last case that named it. From here on none can go.
                added |= self.files.write(contents)
                yield db
        except BaseException:
            with suppress(StoreError):  # the first trouble is the one to tell; a later start looks after them
                self._remove_files(added)
            raise

    def _remove_files(self, names: frozenset[str]) -> None:
        with self._writing() as db:
            erasure.remove_files(db, self.files, names)

    def _hold_reserve(self) -> None:
        """Put the reserve down, as long as it takes no more than a hundredth of what is free."""
        if os.path.lexists(self.reserve) or shutil.disk_usage(self.home).free <= 100 * RESERVE_BYTES:
            return
        with database.plain_errors(self.home):
            self.reserve.touch(mode=0o600, exist_ok=False)
            try:
                self.reserve.write_bytes(bytes(RESERVE_BYTES))
            except OSError:  # half a reserve would not be known as one later
                self.reserve.unlink(missing_ok=True)
                raise

    def _release_reserve(self) -> None:
        """Give the reserve up. A file of that name with any other content is somebody else's, and stays."""
        with database.plain_errors(self.home):
            if self._is_own_reserve():
                self.reserve.unlink(missing_ok=True)

    def _is_own_reserve(self) -> bool:
        path = self.reserve
        return (
            path.is_file()
            and not path.is_symlink()
            and path.stat().st_size == RESERVE_BYTES
            and path.read_bytes() == bytes(RESERVE_BYTES)
        )

    def _finish_erasure(self) -> None:
        """Remove the files of erased rows, and overwrite what deleted or corrected rows left."""
        with self._writing() as db:
            erasure.remove_listed_files(db, self.files)
        self._purge()

    def _purge(self) -> None:
        with self._opened() as db:
            erasure.purge_deleted(db)
