"""Which patient and which lesion: nobody is joined, no lesion is chosen, and no photo is saved twice unasked."""

from dataclasses import replace
from pathlib import Path

import pytest
from streamlit.testing.v1 import AppTest

from skinlens import pipeline
from skinlens.inference.release import weights_directory
from skinlens.records import Patient
from skinlens.store import CaseQuery, CaseStore, NewLesion, NewPatient, NewVisit
from skinlens.ui.forms.placement import Placement, described, namesake, same_photo
from tests.app.conftest import drawn, press, read, turn, typed, words
from tests.store.edits import of_patient

KNOWN = (Patient(1, "P-7", 1961, "female"), Patient(2, "Zoë 1", None, "unknown"), Patient(3, "p-8", 1940, "male", True))


@pytest.mark.parametrize(
    ("pseudonym", "number"),
    [("P-7", 1), (" P-7 ", 1), ("p-7", 1), ("P -7", 1), ("Zoe\u0308 1", 2), ("zoë1", 2), ("P-8", 3), ("P-77", None)],
)
def test_a_namesake_is_found_however_it_is_written(pseudonym: str, number: int | None) -> None:
    found = namesake(pseudonym, KNOWN)
    assert (found.id if found else None) == number


def test_the_very_pseudonym_goes_before_one_that_is_alike() -> None:
    both = (Patient(4, "p-7", None, "unknown"), *KNOWN)
    found = namesake("P-7", both)
    assert found is not None
    assert found.id == 1


def test_a_patient_is_described_by_what_is_stored() -> None:
    assert [described(one) for one in KNOWN] == [
        "female, born in 1961",
        "sex not recorded, birth year not recorded",
        "male, born in 1940 or before",
    ]


@pytest.fixture
def stocked(agreed: AppTest, skinlens_home: Path) -> AppTest:
    """Two patients: A-1 with one lesion, P-7 with two (2: forearm, 3: back)."""
    store = CaseStore(skinlens_home)
    classifier = pipeline.load_classifier(weights_directory())
    for seed, pseudonym, site in ((11, "A-1", "scalp"), (12, "P-7", "forearm"), (13, "P-7", "back")):
        analysis = pipeline.analyze(photo(seed), classifier)
        patient, lesion = of_patient(store, pseudonym, 1961, "female"), NewLesion(site)
        store.save_case(analysis, NewVisit(patient, lesion, "2024-05-06"))
    return agreed


def photo(seed: int) -> bytes:
    return drawn(seed, "PNG")


def read_photo(app: AppTest, seed: int) -> AppTest:
    turn(app, "result")
    app.file_uploader[0].upload("mole.png", photo(seed), "image/png").run()
    return press(app, "Show result")


def known(app: AppTest) -> AppTest:
    return app.segmented_control(key=typed(app, "kind")).select("Existing patient").run()


def labels(app: AppTest) -> list[str]:
    return [button.label for button in app.button]


def test_nobody_is_preselected_before_a_patient_was_worked_on(stocked: AppTest, skinlens_home: Path) -> None:
    known(read_photo(stocked, 20))
    assert stocked.selectbox(key=typed(stocked, "patient")).value is None
    press(stocked, "Save case")
    assert "The case is not saved yet. Still needed: the patient." in read(stocked)
    assert CaseStore(skinlens_home).search(CaseQuery()).total == 3


def test_the_patient_worked_on_last_is_preselected_and_no_lesion(stocked: AppTest, skinlens_home: Path) -> None:
    store = CaseStore(skinlens_home)
    turn(stocked, "worklist")
    press(stocked, "Open case 2")
    known(read_photo(stocked, 20))
    assert stocked.selectbox(key=typed(stocked, "patient")).value == 2
    assert [label for label in labels(stocked) if "lesion" in label] == [
        "Choose lesion 1",
        "Choose lesion 2",
        "Choose a new lesion",
    ]
    press(stocked, "Save case")
    assert "Still needed: the lesion." in read(stocked)
    assert store.search(CaseQuery()).total == 3
    press(stocked, "Choose lesion 2")
    assert "✓ Lesion 2" in labels(stocked)
    press(stocked, "Save case")
    assert (store.case(4).lesion.id, store.case(4).lesion.body_site) == (3, "back")

    known(read_photo(stocked, 21))
    assert stocked.selectbox(key=typed(stocked, "patient")).value == 2
    assert "Choose lesion 2" in labels(stocked), "what was chosen for one photo is not chosen for the next"
    press(stocked, "Choose a new lesion")
    stocked.selectbox(key=typed(stocked, "site")).select("thigh, left").run()
    press(stocked, "Save case")
    assert (store.case(5).patient, store.case(5).lesion.body_site) == (store.patient(2), "thigh")


def test_another_patient_takes_no_lesion_along(stocked: AppTest) -> None:
    known(read_photo(stocked, 20))
    stocked.selectbox(key=typed(stocked, "patient")).select(2).run()
    press(stocked, "Choose lesion 1")
    stocked.selectbox(key=typed(stocked, "patient")).select(1).run()
    assert [label for label in labels(stocked) if "esion" in label] == ["Choose lesion 1", "Choose a new lesion"]


def test_an_existing_pseudonym_is_not_joined_unasked(stocked: AppTest, skinlens_home: Path) -> None:
    store = CaseStore(skinlens_home)
    read_photo(stocked, 20)
    stocked.text_input(key=typed(stocked, "pseudonym")).input("P-7")
    stocked.selectbox(key=typed(stocked, "site")).select("thigh, left").run()
    assert "There is a patient P-7 already" in read(stocked)
    press(stocked, "Save case")
    assert "whether this is patient P-7 or somebody else" in read(stocked)
    assert store.search(CaseQuery()).total == 3
    press(stocked, "Yes, of patient P\\-7")
    assert stocked.selectbox(key=typed(stocked, "patient")).value == 2
    press(stocked, "Choose lesion 1")
    press(stocked, "Save case")
    assert store.case(4).lesion.id == 2


def test_a_pseudonym_that_is_only_alike_can_be_somebody_else(stocked: AppTest, skinlens_home: Path) -> None:
    store = CaseStore(skinlens_home)
    read_photo(stocked, 20)
    stocked.text_input(key=typed(stocked, "pseudonym")).input("p-7")
    stocked.selectbox(key=typed(stocked, "site")).select("thigh, left").run()
    press(stocked, "Save case")
    assert store.search(CaseQuery()).total == 3
    stocked.checkbox(key=typed(stocked, "other")).check().run()
    press(stocked, "Save case")
    assert [one.pseudonym for one in store.patients()] == ["A-1", "P-7", "p-7"]


def test_a_photo_that_is_stored_is_not_saved_again_unasked(stocked: AppTest, skinlens_home: Path) -> None:
    store = CaseStore(skinlens_home)
    known(read_photo(stocked, 12))  # the photo of P-7's forearm
    stocked.selectbox(key=typed(stocked, "patient")).select(1).run()
    press(stocked, "Choose lesion 1")
    assert "stored for somebody else: case 2 (P-7, forearm)" in read(stocked)
    stocked.selectbox(key=typed(stocked, "patient")).select(2).run()
    press(stocked, "Choose lesion 1")
    assert "a visit of this lesion already: case 2" in read(stocked)
    press(stocked, "Save case")
    assert "whether this photo is to be saved once more" in read(stocked)
    assert store.search(CaseQuery()).total == 3
    stocked.checkbox(key=typed(stocked, "again")).check().run()
    press(stocked, "Save case")
    assert store.case(4).lesion.id == 2


def test_what_is_amiss_with_a_stored_photo_depends_on_where_it_goes(stocked: AppTest, skinlens_home: Path) -> None:
    (row,) = CaseStore(skinlens_home).cases_with_photo(CaseStore(skinlens_home).case(2).visit.photo_sha256)
    assert "a visit of this lesion" in same_photo([row], Placement(2, 2))
    assert "another lesion of this patient" in same_photo([row], Placement(2, 3))
    assert "for somebody else" in same_photo([row], Placement(1, 1))
    assert "for somebody else" in same_photo([row], Placement(NewPatient("Q"), NewLesion("back")))
    unfinished = Placement(NewPatient(""), NewLesion("back"), ("a pseudonym",))
    assert same_photo([row], unfinished) == "This very photo is stored already: case 2 (P-7, forearm)."
    nobody = replace(row, patient_id=None, pseudonym=None)
    assert same_photo([nobody], Placement(None, NewLesion("back"))) == (
        "This very photo is stored already: case 2 (no patient, forearm)."
    )


def test_an_impression_belongs_to_its_photo_alone(stocked: AppTest, skinlens_home: Path) -> None:
    app = stocked
    turn(app, "result")
    app.file_uploader[0].upload("a.png", photo(20), "image/png").run()
    app.selectbox(key=typed(app, "impression")).select("mel").run()
    first = typed(app, "impression")
    app.file_uploader[0].upload("b.png", photo(21), "image/png").run()
    assert typed(app, "impression") != first
    assert app.selectbox(key=typed(app, "impression")).value is None
    press(app, "Show result")
    assert app.session_state["open_case"].impression is None
    assert "Your impression: **none (the result was shown first)**" in words(app)


def test_an_impression_that_is_not_confirmed_yet_survives_a_reload(stocked: AppTest) -> None:
    turn(stocked, "result")
    stocked.file_uploader[0].upload("a.png", photo(20), "image/png").run()
    stocked.selectbox(key=typed(stocked, "impression")).select("mel").run()
    fresh = AppTest.from_file(stocked._script_path, default_timeout=60)
    fresh.query_params.update(stocked.query_params)
    fresh.run().switch_page("pages/visit.py").run()
    assert fresh.selectbox(key=typed(fresh, "impression")).value == "mel"


def test_a_filter_keeps_its_fraction(stocked: AppTest, skinlens_home: Path) -> None:
    probs = sorted(row.melanoma_prob for row in CaseStore(skinlens_home).search(CaseQuery()).rows)
    limit = round(50 * (probs[0] + probs[1]), 3)
    turn(stocked, "worklist")
    stocked.selectbox(key="find_of").select("mel").run()
    stocked.text_input(key="find_least").input(str(limit).replace(".", ",")).run()
    assert "**2 visits**" in words(stocked)


def test_a_case_that_cannot_be_written_is_said_and_stays_typed(stocked: AppTest, skinlens_home: Path) -> None:
    read_photo(stocked, 20)
    stocked.text_input(key=typed(stocked, "pseudonym")).input("P-9")
    stocked.selectbox(key=typed(stocked, "site")).select("thigh, left").run()
    whole = skinlens_home / "files"
    whole.rename(skinlens_home / "elsewhere")
    whole.write_bytes(b"")  # no file can be written below it
    press(stocked, "Save case")
    assert not stocked.exception
    assert len(stocked.error) == 1
    whole.unlink()
    (skinlens_home / "elsewhere").rename(whole)
    assert stocked.text_input(key=typed(stocked, "pseudonym")).value == "P-9"
    press(stocked, "Save case")
    assert CaseStore(skinlens_home).case(4).lesion.body_site == "thigh"
