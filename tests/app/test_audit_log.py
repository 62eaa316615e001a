"""The audit log on the page of the settings; and what the pages note in it."""

import json
from pathlib import Path

import pytest
from streamlit.testing.v1 import AppTest

from skinlens.csv_table import csv_table
from skinlens.store import CaseStore, NewLesion, NewPatient, NewVisit
from skinlens.store.audit_log import AuditQuery
from skinlens.ui.settings import audit_log
from tests.app.conftest import press, read, turn
from tests.app.test_settings import open_case, saved_case
from tests.store import samples


@pytest.fixture
def store(skinlens_home: Path) -> CaseStore:
    return CaseStore(skinlens_home)


@pytest.fixture
def logged(agreed: AppTest, store: CaseStore) -> AppTest:
    """The settings of a store with 30 cases, one of which Dr. Lange has opened."""
    for seed in range(30):
        store.save_case(samples.analysis(samples.photo(seed)), NewVisit(None, NewLesion("back"), "2024-05-31"))
    CaseStore(store.home, actor="=Dr. *Lange*").note_view("visit", 7)
    return turn(agreed, "settings")


def choose(app: AppTest, key: str, value: str) -> AppTest:
    return app.selectbox(key=key).set_value(value).run()


def test_the_log_is_filtered_by_who_and_what(logged: AppTest) -> None:
    assert "63 entries, the newest first" in read(logged).replace("**", "")
    assert "<td>=Dr. *Lange*</td><td>Case opened</td><td>case 7</td><td>" in read(logged)
    assert "<td>Case created</td><td>case 30</td>" in read(logged)
    assert "<td>Case created</td><td>case 1</td>" not in read(logged)  # on a later page
    choose(logged, "audit_who", "=Dr. *Lange*")
    assert "1 entry, the newest first" in read(logged).replace("**", "")
    assert "Case created</td>" not in read(logged)
    choose(logged, "audit_what", "Case created")
    assert "No entry matches. Take a filter out." in read(logged)
    choose(logged, "audit_who", audit_log.ANYBODY)
    assert "30 entries, the newest first" in read(logged).replace("**", "")


def test_the_log_names_patients_and_lesions_as_their_pages_do(agreed: AppTest, store: CaseStore) -> None:
    for seed, (patient, site) in enumerate((("P-1", "back"), ("P-2", "back"), ("P-1", "thigh"))):
        known = next((each.id for each in store.patients() if each.pseudonym == patient), NewPatient(patient))
        store.save_case(samples.analysis(samples.photo(seed)), NewVisit(known, NewLesion(site), "2024-05-31"))
    store.save_case(samples.analysis(samples.photo(9)), NewVisit(None, NewLesion("back"), "2024-05-31"))
    assert store.lesion_numbers([1, 2, 3, 4, 5]) == {1: (1, 1), 2: (2, 1), 3: (1, 2)}
    said = read(turn(agreed, "settings"))
    assert "<td>lesion 2 of P-1 (stored number 3)</td>" in said
    assert "<td>lesion with stored number 4</td>" in said
    assert "<td>patient P-2 (stored number 2)</td>" in said
    store.delete_patient(2)
    said = read(turn(agreed, "settings"))
    assert "P-2" not in said
    assert "<td>lesion with stored number 2</td>" in said


def test_the_log_is_verified_on_request(logged: AppTest, store: CaseStore) -> None:
    assert "entries verified" not in read(logged)
    press(logged, "Verify the log")
    assert "63 entries verified: none was changed, removed or inserted." in read(logged)
    assert f"Last entry: {store.audit_head().hash}." in read(logged)
    head = store.home / "audit-head.json"
    head.write_text(json.dumps({"entries": 70, "hash": "0" * 64}))
    press(logged, "Verify the log")
    assert "Missing from the audit log: the last 7 entries are." in read(logged)
    assert "63 entries verified" not in read(logged)


def test_the_download_has_what_the_filters_leave_and_is_noted(logged: AppTest, store: CaseStore) -> None:
    data = audit_log.handed_out(store, AuditQuery(actor="=Dr. *Lange*"))
    lines = data.decode("utf-8-sig").splitlines()
    assert lines[0] == csv_table(lines[0].replace('"', "").split(","), []).decode("utf-8-sig").strip()
    assert lines[1].startswith('63,"20')
    assert '"\'=Dr. *Lange*","Case opened","visit",7,' in lines[1]
    assert lines[2].startswith('"Research and education software. Not a medical device.')
    assert len(lines) == 3
    last = store.audit_entries()[-1]
    assert (last.kind, last.action) == ("log", "exported")


def test_opening_a_case_and_a_patient_is_noted_once(agreed: AppTest, store: CaseStore) -> None:
    number = saved_case(store)
    patient = store.case(number).patient
    assert patient is not None

    def views() -> list[tuple[str, int | None]]:
        return [(one.kind, one.object_number) for one in store.audit_entries() if one.action == "viewed"]

    open_case(agreed, number)
    agreed.run()
    assert views() == [("visit", number)]
    agreed.query_params["patient"] = str(patient.id)
    turn(agreed, "patients")
    agreed.run()
    assert views() == [("visit", number), ("patient", patient.id)]
    assert store.verify_audit().problems == ()


def test_a_view_that_cannot_be_noted_is_said_on_the_page(
    agreed: AppTest, store: CaseStore, monkeypatch: pytest.MonkeyPatch
) -> None:
    number = saved_case(store)
    monkeypatch.setattr(CaseStore, "note_view", lambda *_: "This is not in the audit log. The disk is full.")
    open_case(agreed, number)
    assert "This is not in the audit log. The disk is full." in read(agreed)
    assert f"Case {number}" in read(agreed)
