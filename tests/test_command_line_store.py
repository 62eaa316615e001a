"""The commands of the case file: audit log, backup, verification."""

import sqlite3
from contextlib import closing
from pathlib import Path

import pytest

from skinlens.cli import main
from skinlens.store import CaseStore, NewLesion, NewPatient, NewVisit
from tests.store import samples


@pytest.fixture
def store(skinlens_home: Path) -> CaseStore:
    """Two cases in the folder that the commands use."""
    store = CaseStore(skinlens_home)
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
