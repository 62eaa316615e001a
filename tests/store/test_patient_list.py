"""The list of patients: search, order, pages, and what each line counts."""

import pytest

from skinlens.clinical import Plan
from skinlens.store import NewLesion, NewPatient, PatientQuery
from tests.store import samples
from tests.store.edits import add_patient, edit
from tests.store.test_damage import rewrite


@pytest.fixture
def clinic(store, save):
    """P-1: two suspicious lesions, the first by its signed visit; p-2: one signed visit; Ärzte-3: none."""
    mel, signed = samples.prediction("mel"), "signed"
    save(patient=NewPatient("P-1"), taken_on="2024-01-01", prediction=mel, status=signed)
    save(seed=1, patient=1, lesion=1, taken_on="2024-02-01")  # a draft, which does not hide the signed flag
    save(seed=2, patient=1, lesion=NewLesion("thigh"), taken_on="2024-03-01", prediction=mel)
    save(seed=3, patient=NewPatient("p-2"), taken_on="2024-06-01", status=signed)
    add_patient(store, "Ärzte-3")
    edit(store, 2, plan=Plan("recheck", 3), expected_version=1)
    return store


def names(store, **asked):
    return [row.patient.pseudonym for row in store.patient_page(PatientQuery(**asked)).rows]


def test_each_line_counts(clinic):
    first, second, third = clinic.patient_page(PatientQuery(sort="pseudonym")).rows
    assert (first.lesions, first.visits, first.last_visit_on) == (2, 3, "2024-03-01")
    assert (first.suspicious, first.unsigned, first.recall_on) == (2, 2, "2024-05-01")
    assert (second.lesions, second.visits, second.suspicious, second.unsigned) == (1, 1, 0, 0)
    assert (third.lesions, third.visits, third.last_visit_on, third.recall_on) == (0, 0, None, None)
    assert first.patient == clinic.patient(1)


def test_the_latest_visit_comes_first_and_who_has_none_last(clinic):
    assert names(clinic) == ["p-2", "P-1", "Ärzte-3"]
    assert names(clinic, sort="pseudonym") == ["P-1", "p-2", "Ärzte-3"]


@pytest.mark.parametrize(
    ("asked", "found"),
    [
        ({"text": " P-"}, ["p-2", "P-1"]),
        ({"text": "a\u0308RZ"}, ["Ärzte-3"]),
        ({"text": "%"}, []),
        ({"text": "\0\ud83d'"}, []),
        ({"suspicious": True}, ["P-1"]),
        ({"unsigned": True}, ["P-1"]),
        ({"recall_due_on": "2024-05-01"}, ["P-1"]),
        ({"recall_due_on": "2024-04-30"}, []),
        ({"unsigned": True, "text": "2"}, []),
    ],
)
def test_conditions(clinic, asked, found):
    page = clinic.patient_page(PatientQuery(**asked))
    assert [row.patient.pseudonym for row in page.rows] == found
    assert page.total == len(found)


def test_pages_do_not_overlap(clinic):
    assert names(clinic, limit=2) + names(clinic, limit=2, offset=2) == names(clinic)
    assert clinic.patient_page(PatientQuery(limit=1, offset=9)).total == 3


def test_a_damaged_patient_is_named_and_left_out(clinic):
    rewrite(clinic, "UPDATE patient SET birth_year = 1901 WHERE id = 2")
    page = clinic.patient_page()
    assert [row.patient.pseudonym for row in page.rows] == ["P-1", "Ärzte-3"]
    assert "patient 2 is damaged" in page.problems[0]
