"""What SQLite or the disk refuses, in plain words. The errors are real ones of SQLite and of the system."""

import errno
import re
import sqlite3
from contextlib import AbstractContextManager, closing

import pytest

from skinlens.errors import StoreError
from skinlens.store import CaseStore
from skinlens.store.database import plain_errors


def refused(sentence: str) -> AbstractContextManager[object]:
    return pytest.raises(StoreError, match=re.escape(sentence))


def test_a_file_that_is_no_database_is_left_as_it_is(store):
    store.home.mkdir()
    store.database.write_bytes(b"Dear diary, " * 200)
    with pytest.raises(StoreError) as error:
        store.patients()
    assert str(error.value) == (
        f"The case database in {store.home}: it is not a SkinLens case database. "
        "Move it away, or put back a copy of the right one."
    )
    assert isinstance(error.value.__cause__, sqlite3.DatabaseError)
    assert store.database.read_bytes() == b"Dear diary, " * 200


def test_a_folder_in_the_place_of_the_database_cannot_be_opened(store):
    store.database.mkdir(parents=True)
    with pytest.raises(StoreError, match=r"it cannot be opened or made there\. Check that the folder exists"):
        store.patients()


def test_a_file_in_the_place_of_the_home_folder(tmp_path, save):
    (tmp_path / "file").write_bytes(b"")
    for home in (tmp_path / "file", tmp_path / "file" / "inside"):
        with pytest.raises(StoreError, match=r"a file lies where a folder is needed. Choose another folder with SKIN"):
            CaseStore(home).check_writable()


def test_a_damaged_database(store, save):
    for seed in range(3):
        save(seed)
    content = bytearray(store.database.read_bytes())
    content[4096:-4096] = b"\xff" * (len(content) - 8192)
    store.database.write_bytes(content)
    with refused("it is damaged. Keep it, and put back the last good copy of the whole folder"):
        store.search()


def test_a_database_that_cannot_be_written(tmp_path):
    path = tmp_path / "cases.db"
    with closing(sqlite3.connect(path)) as connection:
        connection.execute("CREATE TABLE t (x)")
    read_only = closing(sqlite3.connect(f"{path.as_uri()}?mode=ro", uri=True))
    read_but_not_written = refused("it can be read but not written. Make the folder writable")
    with read_only as connection, read_but_not_written, plain_errors(tmp_path):
        connection.execute("INSERT INTO t VALUES (1)")


def test_a_full_disk(tmp_path):
    with closing(sqlite3.connect(tmp_path / "cases.db")) as connection:
        connection.execute("CREATE TABLE t (x)")
        connection.execute("PRAGMA max_page_count = 3")
        with refused("the disk is full. Free some space and try again; nothing of this step"), plain_errors(tmp_path):
            connection.execute("INSERT INTO t VALUES (zeroblob(100000))")


def test_a_full_disk_under_the_pictures(tmp_path):
    full = tmp_path / "full"
    full.symlink_to("/dev/full")
    with refused("the disk is full. Free some space and try again; no case was changed"), plain_errors(tmp_path):
        full.write_bytes(b"x" * 100_000)


def test_a_lock_that_is_never_given_up(tmp_path):
    path = tmp_path / "cases.db"
    writer = closing(sqlite3.connect(path, isolation_level=None))
    with writer as held, closing(sqlite3.connect(path, timeout=0)) as connection:
        held.execute("BEGIN EXCLUSIVE")
        with refused("another program has been writing to it for more than 20 seconds"), plain_errors(tmp_path):
            connection.execute("CREATE TABLE t (x)")


@pytest.mark.parametrize(
    ("number", "sentence"),
    [
        (errno.EACCES, "access is denied. Make the folder writable for your account"),
        (errno.EROFS, "the disk is read-only. Choose a writable folder with SKINLENS_HOME"),
        (errno.EIO, "the system says: Input/output error."),
    ],
)
def test_errors_of_the_file_system(tmp_path, number, sentence):
    with pytest.raises(StoreError, match=sentence) as error, plain_errors(tmp_path):
        raise OSError(number, "Input/output error")
    assert isinstance(error.value.__cause__, OSError)


def test_a_healthy_store_is_writable(store):
    store.check_writable()
    assert list(store.home.glob("files/*/*")) == []
