"""What SQLite or the disk refuses, in plain words. The errors are real ones of SQLite and of the system."""

import codecs
import errno
import fcntl
import os
import re
import shutil
import sqlite3
from collections.abc import Iterator
from contextlib import AbstractContextManager, closing, contextmanager

import numpy as np
import pytest

from skinlens.cli import main
from skinlens.doctor import examine
from skinlens.errors import StoreError
from skinlens.exchange.dicom.receiving import Receiver
from skinlens.store import CaseStore, database
from skinlens.store.connection import RESERVE_BYTES
from skinlens.store.database import plain_errors
from skinlens.store.upkeep import Tidied
from tests.store import samples
from tests.store.edits import add_patient

NOBODY = 65534


def refused(sentence: str) -> AbstractContextManager[object]:
    return pytest.raises(StoreError, match=re.escape(sentence))


def test_a_file_that_is_no_database_is_left_as_it_is(tmp_path):
    store = CaseStore(tmp_path / "home")
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


def test_a_folder_in_the_place_of_the_database_cannot_be_opened(tmp_path):
    store = CaseStore(tmp_path / "home")
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


# --------------------------------------------------------------------------------- a folder that cannot be written


@contextmanager
def as_a_plain_user() -> Iterator[None]:
    """Root may write everywhere; so its rights are laid down for a while."""
    before = os.geteuid()
    codecs.lookup("cp437")  # of the ZIP; later it may not be found any more
    if before == 0:
        os.seteuid(NOBODY)
    try:
        yield
    finally:
        os.seteuid(before)


@pytest.fixture
def read_only(store, save, tmp_path_factory) -> Iterator[CaseStore]:
    """A store with one case, in a folder in which nothing can be made or changed."""
    assert save(1, maps=True).visit.id == 1
    store.expect_photos()
    if os.geteuid() == 0:
        for path in [*store.home.parents[: len(store.home.parents) - 2], store.home, *store.home.rglob("*")]:
            path.chmod(path.stat().st_mode | 0o055)
            if store.home in (path, *path.parents):
                os.chown(path, NOBODY, -1)
    for path in [*store.home.rglob("*"), store.home]:
        path.chmod(0o500 if path.is_dir() else 0o400)
    yield store
    for path in [store.home, *store.home.rglob("*")]:
        path.chmod(0o700)


def test_in_a_read_only_folder_cases_are_read_and_exported(read_only):
    with as_a_plain_user():
        assert read_only.search().total == 1
        np.testing.assert_array_equal(read_only.photo(1).pixels, samples.photo(1).pixels)
        assert len(read_only.load(1).explanations) == 3
        assert read_only.export_patient(1).startswith(b"PK")
        (problem,) = read_only.tidy().problems
        assert problem.startswith(
            f"Cases can be read, but the folder could not be tidied. The case database in {read_only.home}"
        )
        for write in (lambda: read_only.delete_patient(1), read_only.acknowledge_disclaimer):
            with pytest.raises(StoreError, match=r"it (can be read but not written|cannot be opened or made there)\."):
                write()
        assert read_only.exists(1)


def test_in_a_read_only_folder_no_receiver_starts(read_only, monkeypatch, capsys):
    monkeypatch.setenv("SKINLENS_HOME", str(read_only.home))
    monkeypatch.setattr(Receiver, "start", lambda _: pytest.fail("it was started"))
    with as_a_plain_user():
        assert main(["dicom", "listen", "--port", "0"]) == 2
    assert re.search("it (can be read but not written|cannot be opened or made there)", capsys.readouterr().err)


def test_changes_that_wait_in_the_log_are_not_passed_over(read_only):
    """Without its log the database would open, and show an older state."""
    read_only.home.chmod(0o700)
    log = read_only.database.with_name("cases.db-wal")
    log.write_bytes(b"changes")
    log.chmod(0o400)
    if os.geteuid() == 0:
        os.chown(log, NOBODY, -1)
    read_only.home.chmod(0o500)
    with as_a_plain_user(), pytest.raises(StoreError):
        read_only.search()


class Full(CaseStore):
    """On a disk that is full until so much of the folder is given up; the error is SQLite's own."""

    def _erase_rows(self, subject, number):
        there = [path for path in (self.reserve, *self.home.glob("files/*/*")) if path.exists()]
        if len(there) > self.limit:
            with plain_errors(self.home), closing(sqlite3.connect(":memory:")) as connection:
                connection.execute("PRAGMA max_page_count = 1")
                connection.execute("CREATE TABLE t AS SELECT zeroblob(100000)")
        super()._erase_rows(subject, number)


def test_on_a_full_disk_deleting_makes_its_own_room(store, save):
    """Two cases with two files each, and the reserve, which is given up."""
    first, second = save(1), save(2)
    store.reserve.write_bytes(bytes(RESERVE_BYTES))
    full = Full(store.home)
    full.limit = 4
    full.delete_visit(first.visit.id)
    assert [row.visit_id for row in store.search().rows] == [second.visit.id]
    assert not store.reserve.exists()
    assert len(list(store.home.glob("files/*/*"))) == 2
    assert not store.unfinished_erasure()
    store.tidy()
    assert store.reserve.stat().st_size == RESERVE_BYTES


def test_a_full_disk_that_stays_full_is_said_and_the_case_stays_with_its_photo(store, save):
    case = save(1)
    store.reserve.write_bytes(bytes(RESERVE_BYTES))
    before = {path.name: path.read_bytes() for path in store.home.glob("files/*/*")}
    full = Full(store.home)
    full.limit = 0
    with pytest.raises(StoreError, match=r"the disk is full\. Free some space and try again"):
        full.delete_visit(case.visit.id)
    assert store.exists(case.visit.id)
    assert len(before) == 2
    assert {path.name: path.read_bytes() for path in store.home.glob("files/*/*")} == before
    np.testing.assert_array_equal(store.photo(case.visit.id).pixels, samples.photo(1).pixels)


@pytest.mark.parametrize(
    "content",
    [b"my notes", bytes(RESERVE_BYTES - 1), bytes(RESERVE_BYTES + 1), bytes(RESERVE_BYTES - 1) + b"x"],
    ids=["short", "a byte less", "a byte more", "same size"],
)
def test_a_file_of_somebody_else_in_the_place_of_the_reserve_stays(store, save, content):
    case = save(1)
    store.reserve.write_bytes(content)
    full = Full(store.home)
    full.limit = 0
    with pytest.raises(StoreError, match=r"the disk is full"):
        full.delete_visit(case.visit.id)
    assert store.tidy().problems == ()
    assert store.reserve.read_bytes() == content


def test_a_link_in_the_place_of_the_reserve_is_not_followed(store, save, tmp_path):
    case = save(1)
    store.reserve.symlink_to(tmp_path / "elsewhere")
    assert store.tidy().problems == ()
    assert not (tmp_path / "elsewhere").exists()
    (tmp_path / "elsewhere").write_bytes(bytes(RESERVE_BYTES))
    full = Full(store.home)
    full.limit = 0
    with pytest.raises(StoreError, match=r"the disk is full"):
        full.delete_visit(case.visit.id)
    assert store.reserve.is_symlink()
    assert (tmp_path / "elsewhere").stat().st_size == RESERVE_BYTES


def test_a_disk_that_cannot_lock_is_named_and_not_waited_for(store, save, monkeypatch):
    """SQLite takes the refusal of a lock for another program that is writing."""

    def refuse(*arguments: object) -> None:
        raise OSError(errno.ENOLCK, "No locks available")

    save(1)
    monkeypatch.setattr(fcntl, "lockf", refuse)
    monkeypatch.setattr(database, "FIRST_PATIENCE_S", 0.05)
    with closing(sqlite3.connect(store.database, isolation_level=None)) as other:
        other.execute("BEGIN IMMEDIATE")
        with pytest.raises(StoreError) as error:
            store.acknowledge_disclaimer()
    assert str(error.value) == (
        f"The case folder {store.home} lies on a disk that cannot lock files (No locks available), as some network "
        "disks do. Two windows could damage the cases there. Choose a folder on a disk of this computer with "
        "SKINLENS_HOME."
    )


def test_a_database_that_lost_its_log_is_said_and_nothing_is_moved(store, save, tmp_path):
    """A copy of a running store without its log: the index of the log is there, the log is not."""
    save(1)
    copy = tmp_path / "copy"
    with store._reading() as db:
        db.execute("SELECT * FROM visit").fetchall()
        shutil.copytree(store.home, copy)
    (copy / "cases.db-wal").unlink()
    tidied = CaseStore(copy).tidy(min_age_s=0.0)
    assert tidied.set_aside == 0
    assert tidied.problems == (
        f"The case database {copy / 'cases.db'} has lost its log (cases.db-wal): the latest changes may be missing. "
        "Put back the last good copy of the whole folder. If there is none, type `python -m skinlens doctor "
        "--accept-loss`; until then no file is tidied away.",
    )


def without_its_log(store, save, copy):
    """A copy whose log was lost, with one case in the database, two files of the other, and one that a save left."""
    save(1), save(3), save(5)
    with store._reading() as db:
        db.execute("SELECT * FROM visit").fetchall()
        save(2)  # into the log
        shutil.copytree(store.home, copy)
    (copy / "cases.db-wal").unlink()
    return CaseStore(copy)


@pytest.mark.parametrize("first", ["a start", "a search", "a save"])
def test_a_lost_log_is_said_until_it_is_accepted_and_nothing_is_moved(store, save, tmp_path, first):
    copy = without_its_log(store, save, tmp_path / "copy")
    files = set(copy.files.present())
    if first == "a search":  # opens it, and so makes a new log
        assert copy.search().total == 3
    if first == "a save":
        add_patient(copy, "P-0900")
    for _ in range(2):
        copy = CaseStore(copy.home)  # as after a restart
        tidied = copy.tidy(min_age_s=0.0)
        assert tidied.set_aside == 0
        assert "has lost its log" in tidied.problems[0]
        assert set(copy.files.present()) == files
    copy.accept_loss()
    assert copy.log_problem() == ()
    assert copy.tidy(min_age_s=0.0) == Tidied(2, 0, ())  # three cases' files are known, one's are not


def test_a_start_after_a_lost_log_keeps_what_is_in_the_quarantine(store, save, tmp_path):
    copy = without_its_log(store, save, tmp_path / "copy")
    old = copy.files.quarantine / "2020-01-01"
    old.mkdir(parents=True)
    (aside := old / f"{'a' * 64}.png").write_bytes(b"of a case that was lost")
    copy.tidy(min_age_s=0.0)
    assert aside.is_file()
    copy.accept_loss()
    copy.tidy(min_age_s=0.0)
    assert not aside.exists()


def test_a_log_that_another_process_is_about_to_remove_is_not_lost(store, save, monkeypatch):
    save(1)
    index = store.home / "cases.db-shm"
    index.touch()
    monkeypatch.setattr("skinlens.store.database.time.sleep", lambda _: index.unlink())
    assert store.log_problem() == ()
    assert not store.loss.exists()


@pytest.mark.parametrize("loss", ["empty", "missing"])
@pytest.mark.parametrize("files", ["with photos", "without photos"])
def test_the_log_of_a_lost_database_is_kept(store, save, tmp_path, loss, files):
    """SQLite deletes a log beside an empty database: no door of the store may open it."""
    save(1)
    copy = CaseStore(tmp_path / "copy")
    with store._opened() as db:
        db.execute("INSERT INTO setting (key, value, updated_at) VALUES ('theme', 'dark', '2024-05-31')")
        shutil.copytree(store.home, copy.home)
    log = copy.home / "cases.db-wal"
    kept = log.read_bytes()
    assert len(kept) > 4096
    if files == "without photos":
        shutil.rmtree(copy.home / "files")
    copy.database.write_bytes(b"") if loss == "empty" else copy.database.unlink()
    before = {path.name for path in copy.home.iterdir()}
    for door in (copy.tidy, copy.search, copy.check_writable, copy.acknowledge_disclaimer):
        with pytest.raises(StoreError) as refusal:
            door()
        assert str(refusal.value) == (
            f"The case database {copy.database} is {loss}, but its log cases.db-wal is there ({len(kept):,} bytes) and "
            "holds the latest changes. Nothing was changed. Keep a copy of cases.db-wal, and put cases.db back from a "
            "backup, beside cases.db-wal; or put back the last good copy of the whole folder."
        )
        assert log.read_bytes() == kept
    assert {path.name for path in copy.home.iterdir()} - {"files"} == before - {"files"}
    (said,) = [finding for finding in examine(tmp_path, copy.home) if finding.what == "case database"]
    assert not said.passed
    assert said.message == str(refusal.value)
    assert log.read_bytes() == kept
    shutil.copy(store.database, copy.database)
    assert copy.search().total == 1


def test_a_database_that_is_locked_for_long(store, save, monkeypatch):
    save(1)
    monkeypatch.setattr(database, "FIRST_PATIENCE_S", 0.05)
    monkeypatch.setattr(database, "BUSY_TIMEOUT_S", 0.1)
    with closing(sqlite3.connect(store.database, isolation_level=None)) as other:
        other.execute("BEGIN IMMEDIATE")
        with refused("another program has been writing to it for more than 20 seconds. Close it, or wait, and try"):
            save(2, maps=True)
        assert store.load(1).problems == ()
        assert store.search().total == 1
    assert save(2, maps=True).visit.id == 2
    assert store.tidy(min_age_s=0.0).problems == ()
    assert (store.damage(), store.lost_files(), store.verify_audit().problems) == ((), (), ())
