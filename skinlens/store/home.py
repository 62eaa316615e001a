"""The folder that a store lies in: where it is, and one operation on its database at a time."""

import os
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import platformdirs
from sqlite_utils.db import Database

from skinlens.store import database, files


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
