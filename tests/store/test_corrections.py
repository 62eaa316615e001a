"""Two windows on one case: the later write overwrites nothing that it has not seen. And cases are moved, audited."""

from dataclasses import replace

import pytest

from skinlens.errors import CaseNotFound, Conflict, InvalidEntry
from skinlens.records import Case
from skinlens.store import CaseQuery, CaseStore, NewLesion, NewPatient
from tests.store import samples


def annotate(store: CaseStore, case: Case, *, based_on: int | None = None, **given: str | None) -> Case:
    """As a window does that showed ``case``."""
    said = samples.reading_of(case.visit, given)
    version = case.visit.version if based_on is None else based_on
    return store.annotate(case.visit.id, said, **{"status": case.visit.status, **given}, expected_version=version)


def test_the_later_window_gets_both_texts_and_loses_none(store, save):
    opened = save(notes="as saved")
    first = annotate(store, opened, notes="of the first window", clinician_label="mel")
    assert first.visit.version == 2
    with pytest.raises(Conflict) as conflict:
        annotate(store, opened, notes="of the second window")
    assert str(conflict.value) == (
        "This case was changed in another window after it was opened here. Nothing was overwritten, and nothing of "
        "this change was saved yet: compare what is stored now with what you have here (clinician label and notes), "
        "and save again what holds."
    )
    assert (conflict.value.subject, conflict.value.number, conflict.value.version) == ("visit", opened.visit.id, 2)
    assert conflict.value.fields == {
        "clinician_label": ("mel", None),
        "notes": ("of the first window", "of the second window"),
    }
    assert store.case(opened.visit.id) == first
    both = "of the first window\nof the second window"
    chosen = annotate(store, first, based_on=conflict.value.version, notes=both)
    assert (chosen.visit.notes, chosen.visit.clinician_label, chosen.visit.version) == (both, "mel", 3)
    assert [one.action for one in store.revisions(opened.visit.id)] == ["created", "edited", "edited"]


def test_a_stale_window_that_would_change_nothing_is_no_conflict(store, save):
    opened = save(notes="as saved")
    there = annotate(store, opened, notes="the same thought")
    assert annotate(store, opened, notes="the same thought") == there


def test_maps_checks_and_outlines_leave_the_version_alone(store, save):
    photo = samples.photo()
    case = save(photo=photo)
    store.add_explanation(case.visit.id, samples.explanation(photo))
    store.add_checks(case.visit.id, [samples.check(photo)])
    store.keep_outlines(case.visit.id, [samples.outline(photo)], expected=())
    assert annotate(store, case, notes="typed meanwhile").visit.version == 2


def test_patients_and_lesions_have_versions_of_their_own(store, save):
    case = save()
    store.edit_patient(case.patient.id, "P-0002", 1960, "male", expected_version=1)
    with pytest.raises(Conflict, match="This patient was changed in another window") as conflict:
        store.edit_patient(case.patient.id, "P-0003", 1961, "female", expected_version=1)
    assert conflict.value.fields == {
        "pseudonym": ("P-0002", "P-0003"),
        "sex": ("male", "female"),
        "birth_year": (1960, 1961),
    }
    store.edit_lesion(case.lesion.id, "left arm", "", expected_version=1)
    with pytest.raises(Conflict, match="This lesion was changed in another window") as conflict:
        store.edit_lesion(case.lesion.id, "right arm", "", expected_version=1)
    assert conflict.value.fields == {"body_site": ("left arm", "right arm")}
    now = store.case(case.visit.id)
    assert (now.patient.pseudonym, now.patient.version) == ("P-0002", 2)
    assert (now.lesion.body_site, now.lesion.version) == ("left arm", 2)
    assert (store.patient(case.patient.id), store.lesions(case.patient.id)) == (now.patient, (now.lesion,))
    assert now.visit.version == 1


# ---------------------------------------------------------------------------------------------------------- moving


def test_a_case_moves_to_a_lesion_of_another_patient(store, save):
    melanoma = save(1, patient=NewPatient("P-mel"), lesion=NewLesion("face"))
    nevus = save(2, patient=None, lesion=melanoma.lesion.id, notes="a nevus")
    other = save(3, patient=NewPatient("P-nev"), lesion=NewLesion("back"))
    moved = store.move_case(nevus.visit.id, patient=None, lesion=other.lesion.id, expected_version=1)
    assert (moved.lesion, moved.patient, moved.visit.version) == (other.lesion, other.patient, 2)
    assert [visit.id for visit in store.visits_of_lesion(melanoma.lesion.id)] == [melanoma.visit.id]
    assert [visit.id for visit in store.visits_of_lesion(other.lesion.id)] == [nevus.visit.id, other.visit.id]
    assert [row.visit_id for row in store.search(CaseQuery(patient="P-nev", text="nevus back")).rows] == [2]
    assert store.search(CaseQuery(patient="P-mel")).total == 1
    assert store.search(CaseQuery(text="face")).total == 1
    trail = store.revisions(nevus.visit.id)[-1]
    assert (trail.subject, trail.action, trail.model_version) == ("visit", "moved", "1.0.0")
    assert trail.changes == {"lesion": ("1", "2"), "body_site": ("face", "back"), "patient": ("1", "2")}


def test_a_case_moves_to_a_new_lesion_and_the_empty_one_goes(store, save):
    case = save(patient=NewPatient("P-1"), lesion=NewLesion("face"))
    moved = store.move_case(
        case.visit.id, patient=NewPatient("P-2", 1950), lesion=NewLesion("back", "left"), expected_version=1
    )
    assert (moved.patient.pseudonym, moved.patient.birth_year) == ("P-2", 1950)
    assert (moved.lesion.body_site, moved.lesion.remark) == ("back", "left")
    assert store.lesions(case.patient.id) == ()
    assert store.patient(case.patient.id) == case.patient
    assert store.move_case(case.visit.id, patient=None, lesion=moved.lesion.id, expected_version=2) == moved


def test_who_moves_a_signed_case_is_in_the_trail_where_signers_are_listed(store, save):
    case = save(clinician_label="nv", status="signed")
    draft, other = save(2), save(3, patient=NewPatient("P-2"), lesion=NewLesion("back"))
    usual = store.settings()
    store.keep_settings(replace(usual, signers=("Dr. Lange",)), read=usual)
    with pytest.raises(InvalidEntry, match="Choose who changes it, or type another name"):
        store.move_case(case.visit.id, patient=None, lesion=other.lesion.id, expected_version=1)
    assert store.case(case.visit.id) == case
    moved = store.move_case(
        case.visit.id, patient=None, lesion=other.lesion.id, expected_version=1, signer=" Dr. Lange "
    )
    assert (moved.lesion, moved.visit.status) == (other.lesion, "signed")
    assert store.revisions(case.visit.id)[-1].changes["moved_by"] == (None, "Dr. Lange")
    store.move_case(draft.visit.id, patient=None, lesion=other.lesion.id, expected_version=1)
    assert "moved_by" not in store.revisions(draft.visit.id)[-1].changes


def test_nothing_is_left_of_the_pseudonym_that_a_case_was_moved_away_from(store, save):
    case = save(patient=NewPatient("Erika Mustermann"))
    save(2, patient=NewPatient("P-2"), lesion=NewLesion("back"))
    moved = store.move_case(case.visit.id, patient=2, lesion=2, expected_version=1)
    assert moved.patient.pseudonym == "P-2"
    store.delete_patient(case.patient.id)
    contents = b"".join(path.read_bytes().lower() for path in store.home.rglob("*") if path.is_file())
    assert b"mustermann" not in contents


def test_what_cannot_be_moved_stays_where_it_is(store, save):
    case = save(1, patient=NewPatient("P-1"))
    other = save(2, patient=NewPatient("P-2", 2020), lesion=NewLesion("face"), taken_on="2024-05-31")
    early = save(3, patient=NewPatient("P-3"), taken_on="2010-01-01")
    refusals = (
        (lambda: store.move_case(1, patient=1, lesion=other.lesion.id, expected_version=1), "does not belong to"),
        (lambda: store.move_case(early.visit.id, patient=2, lesion=2, expected_version=1), "was born in 2020, but"),
        (lambda: store.move_case(1, patient=1, lesion=NewLesion(" "), expected_version=1), "body site is empty"),
    )
    for move, sentence in refusals:
        with pytest.raises(InvalidEntry, match=sentence):
            move()
    for move in (
        lambda: store.move_case(99, patient=1, lesion=1, expected_version=1),
        lambda: store.move_case(1, patient=None, lesion=99, expected_version=1),
    ):
        with pytest.raises(CaseNotFound):
            move()
    assert [store.case(one.visit.id) for one in (case, other, early)] == [case, other, early]


def test_a_case_that_was_changed_since_is_not_moved_unseen(store, save):
    case = save(1)
    other = save(2, lesion=NewLesion("face"))
    annotate(store, case, notes="of another window")
    with pytest.raises(Conflict) as conflict:
        store.move_case(case.visit.id, patient=None, lesion=other.lesion.id, expected_version=1)
    assert conflict.value.fields == {"lesion_id": (case.lesion.id, other.lesion.id)}
    assert store.case(case.visit.id).lesion == case.lesion


# ----------------------------------------------------------------------------------------------------- looking up


def test_the_same_photo_is_found_wherever_it_is_stored(store, save):
    photo = samples.photo(7)
    first = save(photo=photo, taken_on="2024-01-01")
    second = save(photo=photo, taken_on="2024-02-01", patient=NewPatient("P-2"))
    third = save(photo=photo, taken_on="2024-03-01", patient=None, lesion=first.lesion.id)
    save(8)
    found = store.cases_with_photo(photo.sha256)
    assert [(row.visit_id, row.lesion_id, row.pseudonym) for row in found] == [
        (third.visit.id, first.lesion.id, "P-0001"),
        (second.visit.id, second.lesion.id, "P-2"),
        (first.visit.id, first.lesion.id, "P-0001"),
    ]
    assert store.cases_with_photo("00" * 32) == ()


def test_an_erased_case_exists_no_more(store, save):
    case, other = save(1), save(2)
    assert [store.exists(number) for number in (case.visit.id, other.visit.id, 99, 10**30)] == [
        True,
        True,
        False,
        False,
    ]
    store.delete_visit(case.visit.id)
    assert [store.exists(number) for number in (case.visit.id, other.visit.id)] == [False, True]
