"""The folder that a store lies in: where it is, and one operation on its database at a time."""

import os
from collections.abc import Iterator, Mapping
from contextlib import contextmanager, suppress
from pathlib import Path

import platformdirs
from sqlite_utils.db import Database

from skinlens.errors import StoreError
from skinlens.store import database, erasure, files


def default_home() -> Path:
    """The folder that ``SKINLENS_HOME`` names, otherwise the platform's place for a user's data."""
    named = os.environ.get("SKINLENS_HOME", "").strip()
    return Path(named).expanduser() if named else platformdirs.user_data_path("SkinLens", appauthor=False)


class StoreHome:
    """A path to the database and the files beside it, and no connection: each operation opens one and closes it."""

    def __init__(self, home: Path | None = None) -> None:
        self.home = home or default_home()
        self.database = self.home / "cases.db"
        self.files = files.CaseFiles(self.home / "files")

    @contextmanager
    def _reading(self) -> Iterator[Database]:
        """One snapshot; it ends with the connection."""
        with database.opened(self.database) as db:
            db.execute("BEGIN")
            yield db

    @contextmanager
    def _writing(self) -> Iterator[Database]:
        with database.opened(self.database) as db, database.transaction(db):
            yield db

    @contextmanager
    def _writing_with(self, contents: Mapping[str, bytes]) -> Iterator[Database]:
        """A transaction whose rows name these files. If it fails, those of them that no other row names go again."""
        with database.plain_errors(self.home):
            self.files.write(contents)
        try:
            with self._writing() as db:
                # One that was there already may have gone with the last case that named it. From here on none can go.
                self.files.write(contents)
                yield db
        except BaseException:
            with suppress(StoreError):  # the first trouble is the one to tell; a later start sweeps
                self._remove_files(frozenset(contents))
            raise

    def _remove_files(self, names: frozenset[str]) -> None:
        with self._writing() as db:
            erasure.remove_files(db, self.files, names)

    def _scrub(self) -> None:
        with database.opened(self.database) as db:
            erasure.scrub(db)
