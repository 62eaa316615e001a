"""What can be amiss with the case folder, and what the doctor says of it."""

import os
import shutil
import sqlite3
import time
from contextlib import closing
from pathlib import Path
from types import SimpleNamespace

import pytest

from skinlens.accounts import Accounts, Tokens, database
from skinlens.cli import main
from skinlens.doctor import Finding, examine
from skinlens.store import CaseStore, NewLesion, NewVisit, erasure
from tests.new_store import new_store
from tests.store import samples
from tests.store.test_damage import rewrite


@pytest.fixture
def store(tmp_path: Path) -> CaseStore:
    """Three cases with three maps each, older than any save under way."""
    store = new_store(tmp_path / "home")
    samples.save_cases(store, 3)
    store.tidy()
    for path in store.home.glob("files/*/*"):
        os.utime(path, (time.time() - 7200, time.time() - 7200))
    return store


def wrong(store: CaseStore, weights: Path) -> dict[str, str]:
    """What of the case folder is not in order, and how it is put."""
    own = {"case database", "photos and maps of the cases", "files that no case needs", "deleted data"}
    own |= {"closed to other accounts", "accounts and tokens"}
    found: list[Finding] = examine(weights, store.home)
    assert own <= {finding.what for finding in found}
    return {finding.what: finding.message for finding in found if finding.what in own and not finding.passed}


def test_a_folder_in_order(store: CaseStore, tmp_path: Path) -> None:
    assert wrong(store, tmp_path) == {}


def test_an_account_and_a_token_of_unknown_roles(store: CaseStore, tmp_path: Path) -> None:
    Tokens(store.home).add("screen", "reader")
    Accounts(store.home).add("Ada", "admin", "a long one of twenty")
    assert wrong(store, tmp_path) == {}
    with closing(sqlite3.connect(store.home / database.FILE)) as db:
        db.execute("PRAGMA ignore_check_constraints = ON")
        db.execute("UPDATE api_token SET role = 'chief'")
        db.execute("UPDATE account SET role = 'boss'")
        db.commit()
    found = wrong(store, tmp_path)
    assert set(found) == {"accounts and tokens"}
    assert "Account 1, Ada: The role 'boss' is unknown" in found["accounts and tokens"]
    assert "Token 1, screen: The role 'chief'" in found["accounts and tokens"]


@pytest.mark.parametrize("loss", ["emptied", "missing"])
def test_a_lost_database(store: CaseStore, tmp_path: Path, loss: str) -> None:
    store.database.write_bytes(b"") if loss == "emptied" else store.database.unlink()
    found = wrong(store, tmp_path)
    assert "is missing or empty, but there are 15 photos and maps" in found["case database"]
    assert len(list(store.home.glob("files/*/*"))) == 15


def test_an_older_database(store: CaseStore, tmp_path: Path) -> None:
    older = store.database.read_bytes()
    photo = samples.photo(9)
    store.save_case(samples.analysis(photo), NewVisit(None, NewLesion("back"), "2024-05-31"))
    store.database.write_bytes(older)
    for path in store.home.glob("files/*/*"):
        os.utime(path, (time.time() - 7200, time.time() - 7200))
    found = wrong(store, tmp_path)
    assert set(found) == {"files that no case needs"}
    assert found["files that no case needs"].startswith("2 files: ")
    store.tidy()
    assert wrong(store, tmp_path) == {}
    (aside,) = [one.message for one in examine(tmp_path, store.home) if one.what == "files that no case needs"]
    assert aside == f"none; 2 were moved to {store.home / 'quarantine'}, where they stay for 30 days"


def test_a_lost_log(store: CaseStore, tmp_path: Path) -> None:
    copy = CaseStore(tmp_path / "copy")
    with store._reading() as db:
        db.execute("SELECT * FROM visit").fetchall()
        shutil.copytree(store.home, copy.home)
    (copy.home / "cases.db-wal").unlink()
    for _ in range(2):
        assert "has lost its log (cases.db-wal)" in wrong(copy, tmp_path)["case database"]
    copy.accept_loss()
    assert wrong(copy, tmp_path) == {}


@pytest.mark.slow
def test_the_doctor_takes_note_that_a_loss_is_known(
    store: CaseStore, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setenv("SKINLENS_HOME", str(store.home))
    store.loss.touch(mode=0o600)
    main(["doctor"])
    assert "has lost its log" in capsys.readouterr().out
    main(["doctor", "--accept-loss"])
    assert "has lost its log" not in capsys.readouterr().out
    assert not store.loss.exists()


def test_damaged_rows_and_files(store: CaseStore, tmp_path: Path) -> None:
    rewrite(store, "UPDATE visit SET notes = 'other' WHERE id = 2")
    with store._reading() as db:
        lost, damaged = (
            db.execute(f"SELECT photo_file FROM visit WHERE id = {number}").fetchone()[0] for number in (1, 3)
        )
    store.files.path(lost).unlink()
    store.files.path(damaged).write_bytes(b"other")
    found = wrong(store, tmp_path)
    assert set(found) == {"case database", "photos and maps of the cases"}
    assert "what it holds of case 2 is not what was saved" in found["case database"]
    assert found["photos and maps of the cases"].startswith("2 of them cannot be read. ")
    assert f"is missing: {store.files.path(lost)}" in found["photos and maps of the cases"]
    assert f"was altered or is damaged: {store.files.path(damaged)}" in found["photos and maps of the cases"]


def test_an_unfinished_erasure(store: CaseStore, tmp_path: Path) -> None:
    with store._writing() as db:
        erasure.erase_rows(db, "patient", 1)
    found = wrong(store, tmp_path)
    assert "traces of it are left in the folder. Start the app" in found["deleted data"]
    store.tidy()
    assert wrong(store, tmp_path) == {}


@pytest.mark.skipif(os.name != "posix", reason="Windows keeps a user's data folder to the user by inherited rights")
def test_a_folder_that_others_may_read(store: CaseStore, tmp_path: Path) -> None:
    store.home.chmod(0o755)
    found = wrong(store, tmp_path)
    assert set(found) == {"closed to other accounts"}
    assert f"chmod go= {store.home}" in found["closed to other accounts"]


def test_a_disk_just_under_the_limit_is_seen_to_be_under_it(
    store: CaseStore, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(shutil, "disk_usage", lambda _: SimpleNamespace(free=999_999_999))
    (found,) = (finding for finding in examine(tmp_path, store.home) if finding.what == "free disk space")
    assert not found.passed
    assert found.message == "0.9 GB free, at least 1 GB expected. Free some space."
