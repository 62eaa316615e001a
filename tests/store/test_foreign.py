"""A database that another program made is never touched."""

import sqlite3
from contextlib import closing

import pytest

from skinlens.errors import StoreError
from skinlens.store import CaseStore

FOREIGN = {
    "other tables": "CREATE TABLE cookies (id INTEGER PRIMARY KEY, host TEXT); INSERT INTO cookies VALUES (1, 'a')",
    "our tables with other columns": "CREATE TABLE patient (id INTEGER, name TEXT); CREATE TABLE visit (id INTEGER)",
    "another program's mark": "PRAGMA application_id = 252006674",
    "its own migrations": "CREATE TABLE _sqlite_migrations (migration_set TEXT, name TEXT, applied_at TEXT);"
    "INSERT INTO _sqlite_migrations VALUES ('other', 'm001', ''); CREATE TABLE patient (id INTEGER)",
    "our first step by name alone": "CREATE TABLE _sqlite_migrations (migration_set TEXT, name TEXT, applied_at TEXT);"
    "INSERT INTO _sqlite_migrations VALUES ('skinlens', 'm001_patients_lesions_visits', '');"
    "CREATE TABLE patient (id INTEGER, name TEXT)",
}


@pytest.mark.parametrize("kind", FOREIGN)
def test_the_database_of_another_program_is_left_alone(tmp_path, kind):
    store = CaseStore(tmp_path / "home")
    store.home.mkdir()
    with closing(sqlite3.connect(store.database)) as connection:
        connection.executescript(FOREIGN[kind])
    before = store.database.read_bytes()
    for door in (store.search, store.tidy, store.acknowledge_disclaimer, store.damage):
        with pytest.raises(StoreError, match="was made by another program") as error:
            door()
        assert str(error.value).endswith("or choose another folder with SKINLENS_HOME.")
        assert store.database.read_bytes() == before
    assert {path.name for path in store.home.iterdir()} == {"cases.db"}


def test_a_database_has_the_mark_of_skinlens(store, save):
    save()
    with closing(sqlite3.connect(store.database)) as connection:
        assert connection.execute("PRAGMA application_id").fetchone() == (0x536B4C73,)
