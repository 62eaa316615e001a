"""The audit chain: one entry for each thing done, in the same transaction; what is wrong with it is found."""

import hashlib
import json
import re
import sqlite3
from contextlib import closing
from datetime import timedelta
from pathlib import Path

import pytest

from skinlens.clock import today
from skinlens.errors import InvalidEntry, StoreError
from skinlens.records import BodyPosition
from skinlens.settings import Settings
from skinlens.store import CaseStore, ClinicianReading, NewLesion, NewPatient, archive, chain, database
from skinlens.store.audit_check import Kept
from skinlens.store.audit_log import AuditQuery
from skinlens.store.chain import Head
from skinlens.store.restore import restore
from tests.store import samples
from tests.store.test_migrations import old_store


def done(store: CaseStore) -> list[tuple[str, str, int | None]]:
    return [(one.kind, one.action, one.object_number) for one in store.audit_entries()]


def problems(store: CaseStore) -> tuple[str, ...]:
    return store.verify_audit().problems


def tamper(store: CaseStore, *statements: str) -> None:
    """As whoever can write to the file: its triggers are no obstacle."""
    with closing(sqlite3.connect(store.database, isolation_level=None)) as db:
        triggers = db.execute("SELECT name, sql FROM sqlite_master WHERE type = 'trigger' AND tbl_name IN "
                              "('audit', 'revision', 'revision_salt', 'visit')").fetchall()  # fmt: skip
        db.create_function("searchable", 1, str)
        for name, _ in triggers:
            db.execute(f"DROP TRIGGER {name}")
        for statement in statements:
            assert db.execute(statement).rowcount > 0
        for _, sql in triggers:
            db.execute(sql)


# -------------------------------------------------------------------------------------------------- what is recorded


def test_each_thing_done_has_its_entry(store, save, folder):
    case = save(1, maps=True)
    number, model = case.visit.id, case.visit.prediction.model.sha256
    store.annotate(number, ClinicianReading("mel"), status="signed", expected_version=1)
    store.add_checks(number, [samples.check(samples.photo(1))])
    store.place_lesion(case.lesion.id, BodyPosition("front", 0.5, 0.25), expected_version=1)
    store.keep_settings(Settings(clinic_name="Skin Clinic"), read=Settings())
    store.keep_settings(Settings(clinic_name="Skin Clinic"), read=Settings())  # changes nothing
    store.acknowledge_disclaimer()
    assert store.note_view("visit", number) == ""
    assert store.note_export("visit", number, "printed") == ""
    store.export_patient(case.patient.id)
    store.back_up(folder)
    store.delete_patient(case.patient.id)
    assert done(store) == [
        ("log", "begun", 0),
        ("patient", "created", 1),
        ("lesion", "created", 1),
        ("visit", "created", 1),
        ("visit", "signed", 1),
        ("visit", "checked", 1),
        ("lesion", "placed", 1),
        ("settings", "edited", None),
        ("store", "acknowledged", None),
        ("visit", "viewed", 1),
        ("visit", "printed", 1),
        ("patient", "exported", 1),
        ("backup", "backed up", 1),
        ("visit", "erased", 1),
        ("lesion", "erased", 1),
        ("patient", "erased", 1),
    ]
    models = {one.action: one.model_sha256 for one in store.audit_entries() if one.kind == "visit"}
    assert models == dict.fromkeys(("created", "signed", "checked", "viewed", "printed"), model) | {"erased": ""}
    assert problems(store) == ()


def test_what_leaves_as_many_says_how_many(store):
    assert store.note_export_of_many(3) == ""
    assert store.note_backup_export(2) == ""
    store.note_log_export(12)
    store.note_account("signed in", 4)
    assert done(store)[1:] == [
        ("visits", "exported", 3),
        ("backup", "exported", 2),
        ("log", "exported", 12),
        ("account", "signed in", 4),
    ]
    assert problems(store) == ()


def test_a_step_that_fails_has_no_entry(store, save):
    save(1)
    before = done(store)
    with pytest.raises(InvalidEntry):
        store.annotate(1, ClinicianReading(), status="signed", expected_version=1)
    assert done(store) == before


def test_a_lesion_that_is_left_empty_is_recorded_as_erased(store, save):
    save(1)
    store.move_case(1, patient=None, lesion=NewLesion("arm"), expected_version=1)
    assert done(store)[-3:] == [("lesion", "created", 2), ("visit", "moved", 1), ("lesion", "erased", 1)]
    assert problems(store) == ()


def test_entries_bear_the_name_of_whom_the_store_was_opened_for(store, save):
    save(1)
    assert {one.actor for one in store.audit_entries()} == {"SkinLens", "local user"}
    other = CaseStore(store.home, actor="Dr. Lange")
    other.note_view("visit", 1)
    assert [one.actor for one in store.audit_entries()][-1] == "Dr. Lange"
    store.actor = "Dr. Blum"
    store.delete_visit(1)
    assert [one.actor for one in store.audit_entries()][-1] == "Dr. Blum"
    assert problems(store) == ()


def test_the_hash_is_of_the_documented_encoding(store, save):
    save(1)
    with store._reading() as db:
        row = next(iter(db.query("SELECT * FROM audit WHERE id = 4")))
    fields = [row[name] for name in ("id", "previous", "at", "actor", "action", "object", "number", "model_sha256",
                                     "revision", "evidence")]  # fmt: skip
    text = '["skinlens-audit-1",' + ",".join(json.dumps(one) for one in fields) + "]"
    assert row["hash"] == hashlib.sha256(text.encode("ascii")).hexdigest()
    assert (row["action"], row["object"], row["revision"]) == ("created", "visit", 1)
    assert row["previous"] == store.audit_entries()[2].hash


def test_nothing_of_a_patient_is_in_the_chain_and_the_salt_goes_with_the_case(store, save):
    save(1, patient=NewPatient("P-whisper", 1971, "male"), notes="a whisper", lesion=NewLesion("whisper"))
    with store._reading() as db:
        text = re.sub(
            "[0-9a-f]{64}", "", repr(list(db.query("SELECT * FROM audit")))
        )  # a hash may hold any four digits
        (salt,) = db.execute("SELECT salt FROM revision_salt").fetchone()
    assert "whisper" not in text
    assert "1971" not in text
    store.delete_patient(1)
    assert all(salt.encode() not in path.read_bytes() for path in store.home.rglob("*") if path.is_file())
    assert problems(store) == ()


def test_the_chain_is_only_added_to(store, save):
    save(1)
    with closing(sqlite3.connect(store.database)) as db:
        for statement, sentence in (
            ("UPDATE audit SET actor = 'x' WHERE id = 2", "is never changed"),
            ("DELETE FROM audit WHERE id = 4", "is never removed"),
            ("INSERT OR REPLACE INTO audit SELECT 2, previous, at, 'x', action, object, number, model_sha256, "
             "revision, evidence, hash FROM audit WHERE id = 2", "is only added at its end"),
            ("UPDATE revision_salt SET salt = ''", "is never changed"),
        ):  # fmt: skip
            with pytest.raises(sqlite3.IntegrityError, match=sentence):
                db.execute(statement)


# ---------------------------------------------------------------------------------------------------- what is found


@pytest.fixture
def written(store, save) -> CaseStore:
    """Eight entries: begun, patient, lesion and case 1 created; lesion and case 2 created; both cases viewed."""
    save(1)
    save(2)
    for number in (1, 2):
        store.note_view("visit", number)
    assert len(store.audit_entries()) == 8
    assert problems(store) == ()
    return store


@pytest.mark.parametrize(
    ("statement", "sentence"),
    [
        ("UPDATE audit SET actor = 'somebody else' WHERE id = 7", "Entry 7 of the audit log was changed"),
        ("UPDATE audit SET at = '2020-01-01T00:00:00.000+00:00' WHERE id = 3", "Entry 3 of the audit log was changed"),
        ("UPDATE audit SET number = 9 WHERE id = 8", "Entry 8 of the audit log was changed"),
        ("DELETE FROM audit WHERE id = 7", "Missing from the audit log: entry 7."),
        ("DELETE FROM audit WHERE id BETWEEN 2 AND 3", "Missing from the audit log: entries 2 to 3."),
        ("DELETE FROM audit WHERE id > 6", "Missing from the audit log: the last 2 entries are."),
        ("DELETE FROM audit WHERE id = 8", "Missing from the audit log: the last entry is."),
        ("DELETE FROM audit", "The audit log is empty"),
        ("UPDATE revision SET changes = '{}' WHERE id = 2", "Not what was recorded: the change that entry 6"),
        ("DELETE FROM revision_salt WHERE revision_id = 2", "Not what was recorded: the change that entry 6"),
        ("DELETE FROM revision WHERE id = 1", "Missing: the change that entry 4 of the audit log records (case 1)"),
        ("DELETE FROM visit WHERE id = 2", "Case 2 is gone, and no entry of the audit log says that it was erased."),
        ("INSERT INTO revision (visit_id, at, action, changes, model_version, skinlens_version) "
         "VALUES (2, '2024-01-01', 'signed', '{}', '', '')", "A change of case 2 stands in the database and in no"),
        ("INSERT INTO revision (id, visit_id, at, action, changes, model_version, skinlens_version) "
         "VALUES (0, 2, '2024-01-01', 'signed', '{}', '', '')", "A change of case 2 stands in the database and in no"),
    ],
)  # fmt: skip
def test_what_was_done_to_the_log_is_found_and_where(written, statement, sentence):
    tamper(written, statement)
    assert any(one.startswith(sentence) for one in problems(written)), problems(written)


def test_an_entry_that_was_put_between_two_is_found_even_where_its_own_hash_fits(written):
    with written._reading() as db:
        rows = {row["id"]: row for row in db.query("SELECT * FROM audit")}
    forged = {**rows[7], "actor": "somebody else"}
    tamper(written, f"UPDATE audit SET actor = 'somebody else', hash = '{chain.entry_hash(forged)}' WHERE id = 7")
    assert problems(written) == (
        "Entry 8 of the audit log does not follow entry 7: one of them was put there later, or takes the place of "
        "another.",
    )


def rewritten_from(store: CaseStore, first: int, **values: object) -> None:
    """A forger who knows the encoding: an entry with other values, and all after it with hashes that fit."""
    with store._reading() as db:
        rows = list(db.query("SELECT * FROM audit ORDER BY id"))
    before, statements = rows[first - 2]["hash"], []
    for row in rows[first - 1 :]:
        forged = {**row, **(values if row["id"] == first else {}), "previous": before}
        before = chain.entry_hash(forged)
        statements.append(
            f"UPDATE audit SET actor = '{forged['actor']}', previous = '{forged['previous']}', hash = '{before}' "
            f"WHERE id = {row['id']}"
        )
    tamper(store, *statements)


def test_a_chain_written_anew_is_found_by_the_head_that_was_kept(written):
    kept = Kept(written.audit_head(), "the printed sheet")
    rewritten_from(written, 5, actor="somebody else")
    (found,) = problems(written)
    assert found == (
        "Entry 8 of the audit log is another than the file audit-head.json says: it, or entries before it, were "
        "written anew."
    )
    chain.write_head(written.home, written.audit_head())  # who can write there too is not found …
    assert problems(written) == ()
    (found,) = written.verify_audit([kept]).problems  # … but by a head that was kept elsewhere
    assert found.startswith("Entry 8 of the audit log is another than the printed sheet says")


def test_later_entries_do_not_hide_that_the_end_was_removed(written):
    tamper(written, "DELETE FROM audit WHERE id > 6")
    for _ in range(4):
        written.note_view("visit", 1)
    assert chain.kept_head(written.home).entries == 8
    assert problems(written)[0].startswith("Entry 8 of the audit log is another than the file audit-head.json says")
    written.accept_audit()
    assert problems(written) == ()
    assert done(written)[-1] == ("log", "accepted", None)


@pytest.mark.parametrize("content", [None, b"", b"{}", b'{"entries": "x", "hash": 1}'])
def test_a_head_that_is_gone_or_damaged_is_said(written, content):
    path = written.home / "audit-head.json"
    path.unlink()
    if content is not None:
        path.write_bytes(content)
    written.note_view("visit", 1)
    (found,) = problems(written)
    state = "missing" if content is None else "damaged"
    assert found == f"The file {path} is {state}: it cannot be said whether the last entries are there."


def test_a_crash_between_commit_and_head_is_no_alarm(written):
    behind = (written.home / "audit-head.json").read_bytes()
    written.note_view("visit", 1)
    (written.home / "audit-head.json").write_bytes(behind)
    assert problems(written) == ()
    written.note_view("visit", 1)
    assert chain.kept_head(written.home) == written.audit_head() == Head(10, written.audit_entries()[-1].hash)


def test_the_end_that_the_head_does_not_know_yet_is_the_one_thing_that_is_not_found(written):
    behind = (written.home / "audit-head.json").read_bytes()
    written.note_view("visit", 1)
    (written.home / "audit-head.json").write_bytes(behind)
    tamper(written, "DELETE FROM audit WHERE id > 8")
    assert problems(written) == ()


# ------------------------------------------------------------------------------------------ old stores, backups, disks


def test_an_older_store_begins_its_chain_with_the_next_entry(tmp_path, save):
    store = old_store(tmp_path, 20)
    assert done(store) == [("log", "begun", 1)]  # revision 1 is older
    assert problems(store) == ()
    store.annotate(1, ClinicianReading(notes="later"), status="signed", expected_version=1)
    assert [(one.kind, one.action) for one in store.audit_entries()][1:] == [("visit", "amended")]
    store.delete_visit(1)
    assert problems(store) == ()


def test_a_restored_backup_brings_its_chain_and_goes_on(stocked, folder, tmp_path):
    before, head = done(stocked), stocked.audit_head()
    path = Path(stocked.back_up(folder).path)
    with archive.opened(path) as (_, manifest):
        assert (manifest.audit_entries, manifest.audit_head) == head
    stocked.delete_visit(1)
    restore(path, stocked.home, replace=True, actor="Dr. Lange")
    assert done(stocked) == [*before, ("backup", "restored", 3)]
    assert stocked.audit_entries()[-1].actor == "Dr. Lange"
    assert problems(stocked) == ()
    stocked.delete_visit(2)
    assert problems(stocked) == ()
    assert chain.kept_head(stocked.home) == stocked.audit_head()


def test_a_case_that_is_gone_without_an_erasure_is_damage_and_no_deleted_case(store, save):
    save(1)
    with closing(sqlite3.connect(store.database, isolation_level=None)) as db:
        db.create_function("seal", -1, lambda *_: "")
        db.create_function("searchable", 1, str)
        db.execute("DELETE FROM visit")
    with pytest.raises(StoreError, match=re.escape("case 1 was saved, and is gone without having been erased")):
        store.case(1)


def test_a_view_that_cannot_be_noted_is_said_and_shown_all_the_same(store, save, monkeypatch):
    save(1)

    def full(*_: object) -> None:
        error = sqlite3.OperationalError("database or disk is full")
        error.sqlite_errorcode = sqlite3.SQLITE_FULL
        raise error

    monkeypatch.setattr(database, "_patiently", full)
    words = store.note_view("visit", 1)
    assert words.startswith("This is not in the audit log, which cannot be written now. The case database in ")
    assert "the disk is full" in words


# --------------------------------------------------------------------------------------------------------- the list


def test_entries_are_filtered_by_who_what_and_day_and_come_in_pages(store, save):
    for seed in range(3):
        save(seed)
    other = CaseStore(store.home, actor="Dr. Lange")
    for _ in range(30):
        other.note_view("visit", 1)
    assert store.audit_choices()[0] == ("Dr. Lange", "SkinLens", "local user")
    assert ("visit", "viewed") in store.audit_choices()[1]
    found = store.audit_page(AuditQuery(actor="Dr. Lange"))
    assert (found.total, found.pages, len(found.entries)) == (30, 2, 25)
    assert [one.number for one in found.entries] == sorted((one.number for one in found.entries), reverse=True)
    last = store.audit_page(AuditQuery(actor="Dr. Lange", page=9))
    assert (last.page, len(last.entries)) == (2, 5)
    created = store.audit_page(AuditQuery(what=("visit", "created")))
    assert [one.object_number for one in created.entries] == [3, 2, 1]
    day = today()
    assert store.audit_page(AuditQuery(first_day=day, last_day=day)).total == 38
    assert store.audit_page(AuditQuery(first_day=day + timedelta(days=1))).total == 0
    assert store.audit_page(AuditQuery(last_day=day - timedelta(days=1))).total == 0
    assert store.audit_page(AuditQuery(actor="nobody")).pages == 1
