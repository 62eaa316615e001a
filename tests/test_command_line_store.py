"""The commands of the case file: audit log, backup, verification."""

import io
import sqlite3
from contextlib import closing
from pathlib import Path

import pytest

from skinlens.accounts import Accounts
from skinlens.cli import main
from skinlens.store import CaseStore, NewLesion, NewPatient, NewVisit
from tests.new_store import new_store
from tests.store import samples
from tests.store.edits import add_patient


@pytest.fixture
def store(skinlens_home: Path) -> CaseStore:
    """Two cases in the folder that the commands use."""
    store = new_store(skinlens_home)
    for seed in (1, 2):
        photo = samples.photo(seed)
        visit = NewVisit(NewPatient(f"P-{seed}"), NewLesion("back"), "2024-05-31")
        store.save_case(samples.analysis(photo), visit, samples.three_explanations(photo))
    return store


def remove_last(store: CaseStore) -> None:
    with closing(sqlite3.connect(store.database, isolation_level=None)) as db:
        (sql,) = db.execute("SELECT sql FROM sqlite_master WHERE name = 'audit_stays'").fetchone()
        db.execute("DROP TRIGGER audit_stays")
        db.execute("DELETE FROM audit WHERE id = (SELECT max(id) FROM audit)")
        db.execute(sql)


def test_the_audit_log_is_verified(store: CaseStore, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["audit", "verify"]) == 0
    said = capsys.readouterr().out.splitlines()
    assert said[0] == f"7 entries; the last one is {store.audit_head().hash}"
    assert said[1].startswith("No entry was changed, removed or inserted")
    remove_last(store)
    assert main(["audit", "verify"]) == 1
    said = capsys.readouterr().out.splitlines()
    assert said[0].startswith("WRONG  Missing from the audit log: the last entry is. By the file audit-head.json there")
    assert main(["audit", "accept", "--yes"]) == 0
    capsys.readouterr()
    assert main(["audit", "verify"]) == 1  # the case whose entry is gone is still there without one
    assert "A change of case 2 stands in the database and in no entry" in capsys.readouterr().out


def test_a_backup_tells_what_the_file_beside_the_database_cannot(
    store: CaseStore, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    store.note_view("visit", 1)
    backup = store.back_up(tmp_path / "stick").path
    remove_last(store)  # the entry of the backup itself
    remove_last(store)  # the view
    (store.home / "audit-head.json").unlink()
    store.accept_audit()
    assert main(["audit", "verify"]) == 0
    capsys.readouterr()
    assert main(["audit", "verify", "--against", backup]) == 1
    assert f"than the backup {Path(backup).name} says" in capsys.readouterr().out


SECRET = "correct horse battery"


def test_an_encrypted_backup_is_made_verified_and_restored(
    store: CaseStore, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    secret = tmp_path / "secret.txt"
    secret.write_text(f"{SECRET}\nanother line\n", encoding="utf-8")
    assert main(["backup", str(tmp_path / "stick"), "--passphrase-file", str(secret)]) == 0
    path, said = capsys.readouterr().out.splitlines()
    assert said == "2 cases, 10 photos and maps: written, encrypted and verified."
    assert path.endswith("-encrypted.zip")
    (store.home / "cases.db").unlink()
    monkeypatch.setenv("SKINLENS_PASSPHRASE", "another passphrase")
    assert main(["verify", path]) == 2
    assert "cannot be opened with this passphrase" in capsys.readouterr().err
    monkeypatch.setenv("SKINLENS_PASSPHRASE", SECRET)
    assert main(["verify", path]) == 0
    assert "2 cases, 10 photos and maps, all as they were backed up." in capsys.readouterr().out
    assert main(["restore", path, "--replace"]) == 0
    assert "2 cases, 10 photos and maps." in capsys.readouterr().out
    assert CaseStore().search().total == 2
    assert main(["verify"]) == 0
    assert main(["audit", "verify", "--against", path]) == 0


def test_without_a_word_of_encryption_a_backup_is_a_plain_zip(
    store: CaseStore, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.delenv("SKINLENS_PASSPHRASE", raising=False)
    assert main(["backup", str(tmp_path / "stick")]) == 0
    assert capsys.readouterr().out.splitlines()[1] == "2 cases, 10 photos and maps: written and verified."


def test_a_short_passphrase_and_an_empty_file_are_refused(
    store: CaseStore, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    secret = tmp_path / "secret.txt"
    for content, sentence in (
        ("short", "has 5 characters; at least 12 are needed"),
        ("\n", "has no passphrase in its"),
    ):
        secret.write_text(content, encoding="utf-8")
        assert main(["backup", str(tmp_path / "stick"), "--passphrase-file", str(secret)]) == 2
        assert sentence in capsys.readouterr().err
    assert not list(tmp_path.glob("stick/*"))


def test_the_case_file_is_verified_file_by_file(store: CaseStore, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["verify"]) == 0
    assert capsys.readouterr().out.count("ok   ") == 5
    first, *_ = sorted(store.files.present().values())
    first.write_bytes(b"something else")
    assert main(["verify"]) == 1
    said = capsys.readouterr().out
    assert "WRONG  photos and maps" in said
    assert "was altered or is damaged" in said
    assert said.count("ok   ") == 4


def test_a_passphrase_that_is_set_and_empty_makes_no_backup(
    skinlens_home: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    """A look-up that failed in a script wrote a backup that everybody could read."""
    add_patient(CaseStore(skinlens_home), "P-1")
    monkeypatch.setenv("SKINLENS_PASSPHRASE", "")
    assert main(["backup", str(tmp_path / "stick")]) == 2
    assert "SKINLENS_PASSPHRASE is set and empty" in capsys.readouterr().err
    assert not list(tmp_path.glob("stick/*"))


def test_exports_by_command_are_in_the_audit_log_with_how_many(
    store: CaseStore, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert main(["fhir-export", "1", "--out", str(tmp_path / "one.json")]) == 0
    assert main(["isic-export", str(tmp_path / "isic")]) == 0
    noted = [(one.kind, one.action, one.object_number, one.actor) for one in store.audit_entries()[-2:]]
    assert noted == [("visit", "exported", 1, "local user"), ("visits", "exported", 2, "local user")]
    assert "2 cases written" in capsys.readouterr().out


def test_an_account_is_added_disabled_and_enabled_by_command(
    skinlens_home: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setattr("sys.stdin", io.StringIO("correct horse battery\n"))
    assert main(["user", "add", "Rita", "--role", "reader"]) == 0
    assert main(["user", "disable", "rita"]) == 0
    assert main(["user", "list"]) == 0
    said = capsys.readouterr().out.splitlines()
    assert said[1] == "Rita is disabled."
    assert (said[2][:18], said[2].endswith(", disabled")) == ("  1  Rita  reader ", True)
    assert main(["user", "enable", "Rita"]) == 0
    assert not Accounts(skinlens_home).all()[0].disabled
