"""Pseudonyms, years of birth and what is kept of high ages."""

import pytest

from skinlens.errors import InvalidEntry
from skinlens.records import Patient
from skinlens.store import NewPatient


def test_a_pseudonym_is_trimmed_composed_and_found_again(store):
    added = store.add_patient("  Rene\u0301 7 ", 1950, "male")
    assert added == Patient(1, "Ren\u00e9 7", 1950, "male")
    assert store.find_or_add_patient("Ren\u00e9 7") == added
    assert store.patients() == (added,)
    with pytest.raises(InvalidEntry, match="There is a patient 'René 7' already"):
        store.add_patient("Ren\u00e9 7")


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
def test_what_is_no_pseudonym_is_refused(store, pseudonym, sentence):
    with pytest.raises(InvalidEntry, match=sentence):
        store.add_patient(pseudonym)
    with pytest.raises(InvalidEntry, match=sentence):
        store.find_or_add_patient(pseudonym)


@pytest.mark.parametrize("birth_year", [1879, 3000, -5])
def test_an_impossible_birth_year_is_refused(store, birth_year):
    with pytest.raises(InvalidEntry, match=rf"{birth_year} is no birth year of a patient. Expected 1880 to 20\d\d\."):
        store.add_patient("P-1", birth_year)


def test_patients_are_listed_by_pseudonym_without_regard_to_case(store):
    for pseudonym in ("b", "C", "a"):
        store.add_patient(pseudonym)
    assert [patient.pseudonym for patient in store.patients()] == ["a", "b", "C"]


def test_what_was_unknown_is_filled_in_and_what_contradicts_is_refused(store):
    store.add_patient("P-1")
    assert store.find_or_add_patient("P-1", 1970, "female") == Patient(1, "P-1", 1970, "female", version=2)
    assert store.find_or_add_patient("P-1") == Patient(1, "P-1", 1970, "female", version=2)
    with pytest.raises(InvalidEntry, match="stored with the birth year 1970, but 1971 was given"):
        store.find_or_add_patient("P-1", 1971)
    with pytest.raises(InvalidEntry, match="stored with the sex female, but male was given"):
        store.find_or_add_patient("P-1", 1970, "male")


@pytest.mark.parametrize(
    ("birth_year", "kept", "age"),
    [
        (1939, (1939, False), "about 84"),
        (1938, (1938, True), "85+"),
        (1937, (1938, True), "85+"),
        (1910, (1938, True), "85+"),
    ],
)
def test_ages_above_85_at_the_visit_are_kept_as_one(store, save, birth_year, kept, age):
    patient = save(patient=NewPatient("P-1", birth_year), taken_on="2024-05-31").patient
    assert (patient.birth_year, patient.birth_year_is_upper_bound) == kept
    assert patient.age_on("2024-05-31") == age


def test_a_patient_who_grows_older_than_85_is_clamped_at_the_later_visit(store, save):
    assert save(1, patient=NewPatient("P-1", 1930), taken_on="2010-01-01").patient == Patient(1, "P-1", 1930, "unknown")
    later = save(2, patient=NewPatient("P-1", 1930), taken_on="2020-01-01").patient
    assert later == Patient(1, "P-1", 1934, "unknown", birth_year_is_upper_bound=True, version=2)
    assert (later.age_on("2010-01-01"), later.age_on("2020-01-01")) == ("75+", "85+")
    # The true year is still recognised, and an earlier visit changes nothing.
    assert save(3, patient=NewPatient("P-1", 1930), taken_on="2012-01-01").patient == later
    with pytest.raises(InvalidEntry, match="stored with the birth year 1934, but 1950 was given"):
        save(4, patient=NewPatient("P-1", 1950), taken_on="2020-01-01")


def test_the_clamp_reaches_visits_of_a_stored_lesion(store, save):
    lesion_id = save(1, patient=NewPatient("P-1", 1930), taken_on="2010-01-01").lesion.id
    assert save(2, patient=None, lesion=lesion_id, taken_on="2020-01-01").patient.birth_year == 1934


def test_an_unknown_birth_year_is_filled_in_under_the_clamp_of_the_latest_visit(store, save):
    save(1, patient=NewPatient("P-1"), taken_on="2020-01-01")
    assert save(2, patient=NewPatient("P-1", 1930), taken_on="2010-01-01").patient.birth_year == 1934


def test_a_photo_from_before_the_birth_is_refused(store, save):
    with pytest.raises(InvalidEntry, match="was born in 2000, but the photo is of 1999"):
        save(patient=NewPatient("P-1", 2000), taken_on="1999-12-31")
    assert store.patients() == ()


def test_a_birth_year_after_the_first_visit_is_refused(store, save):
    patient = save(1, patient=NewPatient("P-1"), taken_on="2001-01-01").patient
    with pytest.raises(InvalidEntry, match=r"Born in 2002, but .* of 2001\. Correct the birth year or that visit\."):
        store.edit_patient(patient.id, "P-1", 2002, "unknown", expected_version=1)
    with pytest.raises(InvalidEntry, match="Born in 2002, but there is a photo of 2001"):
        save(2, patient=NewPatient("P-1", 2002), taken_on="2020-01-01")
    assert store.patient(patient.id).birth_year is None
    assert store.edit_patient(patient.id, "P-1", 2001, "unknown", expected_version=1).age_on("2001-01-01") == "under 1"


def test_a_patient_is_edited_and_an_unchanged_clamped_year_stays_clamped(store, save):
    patient = save(patient=NewPatient("P-1", 1920), taken_on="2020-01-01").patient
    edited = store.edit_patient(patient.id, "P-2", patient.birth_year, "male", expected_version=1)
    assert edited == Patient(patient.id, "P-2", 1934, "male", birth_year_is_upper_bound=True, version=2)
    later = store.edit_patient(patient.id, "P-2", 1940, "male", expected_version=2)
    assert later == Patient(patient.id, "P-2", 1940, "male", version=3)
    latest = store.edit_patient(patient.id, "P-2", None, "male", expected_version=3)
    assert latest == Patient(patient.id, "P-2", None, "male", version=4)
    other = store.add_patient("P-3")
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
