"""Pseudonyms, years of birth and what is kept of high ages."""

import pytest

from skinlens.errors import Conflict, InvalidEntry
from skinlens.records import Patient
from skinlens.store import NewPatient
from skinlens.wording.records import age_words
from tests.store.edits import add_patient


def test_a_pseudonym_is_trimmed_composed_and_there_once(store, save):
    added = save(1, patient=NewPatient("  Rene\u0301 7 ", 1950, "male")).patient
    assert added == Patient(1, "Ren\u00e9 7", 1950, "male")
    assert store.patients() == (added,)
    with pytest.raises(Conflict, match="A patient 'René 7' was added in another window"):
        add_patient(store, "Ren\u00e9 7")


@pytest.mark.parametrize("pseudonym", ["患者七号", "مريض سبعة", "🙂", "O'Brien; DROP TABLE patient--", '"*"', "x" * 80])
def test_any_letters_make_a_pseudonym(store, save, pseudonym):
    assert save(patient=NewPatient(pseudonym)).patient.pseudonym == pseudonym
    assert [patient.pseudonym for patient in store.patients()] == [pseudonym]


@pytest.mark.parametrize(
    ("pseudonym", "sentence"),
    [
        (" \t\n", "The pseudonym is empty"),
        ("x" * 81, "Too many characters in the pseudonym: 81, at most 80 can be kept. Shorten it."),
        ("two\nlines", "There is a line break or another control character in the pseudonym. Type it on one line."),
        ("\ud83d", "control character in the pseudonym"),
    ],
)
def test_what_is_no_pseudonym_is_refused(store, save, pseudonym, sentence):
    with pytest.raises(InvalidEntry, match=sentence):
        save(patient=NewPatient(pseudonym))
    assert store.search().total == 0


@pytest.mark.parametrize("birth_year", [1879, 3000, -5])
def test_an_impossible_birth_year_is_refused(save, birth_year):
    with pytest.raises(InvalidEntry, match=rf"{birth_year} is no birth year of a patient. Expected 1880 to 20\d\d\."):
        save(patient=NewPatient("P-1", birth_year))


def test_patients_are_listed_by_pseudonym_without_regard_to_case(store):
    for pseudonym in ("b", "C", "a"):
        add_patient(store, pseudonym)
    assert [patient.pseudonym for patient in store.patients()] == ["a", "b", "C"]


@pytest.mark.parametrize(
    ("birth_year", "kept", "age"),
    [
        (1939, (1939, False), "84 or 85"),
        (1938, (1938, True), "85+"),
        (1937, (1938, True), "85+"),
        (1910, (1938, True), "85+"),
    ],
)
def test_ages_above_85_at_the_visit_are_kept_as_one(store, save, birth_year, kept, age):
    patient = save(patient=NewPatient("P-1", birth_year), taken_on="2024-05-31").patient
    assert (patient.birth_year, patient.birth_year_is_upper_bound) == kept
    assert age_words(patient, "2024-05-31") == age


def test_the_birth_year_of_a_patient_above_85_is_capped_at_the_later_visit(store, save):
    assert save(1, patient=NewPatient("P-1", 1930), taken_on="2010-01-01").patient == Patient(1, "P-1", 1930, "unknown")
    later = save(2, patient=NewPatient("P-1", 1930), taken_on="2020-01-01").patient
    assert later == Patient(1, "P-1", 1934, "unknown", birth_year_is_upper_bound=True, version=2)
    assert (age_words(later, "2010-01-01"), age_words(later, "2020-01-01")) == ("75+", "85+")
    assert save(3, patient=later.id, taken_on="2012-01-01").patient == later  # an earlier visit changes nothing


def test_the_clamp_reaches_visits_of_a_stored_lesion(store, save):
    lesion_id = save(1, patient=NewPatient("P-1", 1930), taken_on="2010-01-01").lesion.id
    assert save(2, patient=None, lesion=lesion_id, taken_on="2020-01-01").patient.birth_year == 1934


def test_an_unknown_birth_year_is_filled_in_under_the_clamp_of_the_latest_visit(store, save):
    patient = save(1, patient=NewPatient("P-1"), taken_on="2020-01-01").patient
    assert store.edit_patient(patient.id, "P-1", 1930, "unknown", expected_version=1).birth_year == 1934


def test_a_photo_from_before_the_birth_is_refused(store, save):
    with pytest.raises(InvalidEntry, match="was born in 2000, but the photo is of 1999"):
        save(patient=NewPatient("P-1", 2000), taken_on="1999-12-31")
    assert store.patients() == ()


def test_a_birth_year_after_the_first_visit_is_refused(store, save):
    patient = save(1, patient=NewPatient("P-1"), taken_on="2001-01-01").patient
    with pytest.raises(InvalidEntry, match=r"Born in 2002, but .* of 2001\. Correct the birth year or that visit\."):
        store.edit_patient(patient.id, "P-1", 2002, "unknown", expected_version=1)
    assert store.patient(patient.id).birth_year is None
    assert (
        age_words(store.edit_patient(patient.id, "P-1", 2001, "unknown", expected_version=1), "2001-01-01") == "under 1"
    )


def test_a_patient_is_edited_and_an_unchanged_capped_year_stays_capped(store, save):
    patient = save(patient=NewPatient("P-1", 1920), taken_on="2020-01-01").patient
    edited = store.edit_patient(patient.id, "P-2", patient.birth_year, "male", expected_version=1)
    assert edited == Patient(patient.id, "P-2", 1934, "male", birth_year_is_upper_bound=True, version=2)
    later = store.edit_patient(patient.id, "P-2", 1940, "male", expected_version=2)
    assert later == Patient(patient.id, "P-2", 1940, "male", version=3)
    latest = store.edit_patient(patient.id, "P-2", None, "male", expected_version=3)
    assert latest == Patient(patient.id, "P-2", None, "male", version=4)
    other = add_patient(store, "P-3")
    with pytest.raises(InvalidEntry, match="There is another patient 'P-2'"):
        store.edit_patient(other.id, "P-2", None, "unknown", expected_version=1)


def test_a_name_typed_in_place_of_a_pseudonym_is_gone_once_corrected(store, save):
    patient = save(patient=NewPatient("Erika Mustermann")).patient
    store.edit_patient(patient.id, "P-1", None, "female", expected_version=1)
    for path in store.home.rglob("*"):
        if path.is_file():
            content = path.read_bytes().lower()
            assert b"erika" not in content
            assert b"mustermann" not in content
