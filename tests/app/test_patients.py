"""Patients are found by pseudonym; each has the lesions, their course, and one timeline of all visits."""

from pathlib import Path

import pytest
from streamlit.testing.v1 import AppTest

from skinlens import pipeline
from skinlens.clinical import Histology, Plan
from skinlens.records import Patient
from skinlens.store import CaseStore, NewLesion, NewPatient
from skinlens.ui.patients import found
from tests.app.conftest import drawn, press, read, turn


@pytest.fixture
def page(agreed: AppTest, skinlens_home: Path) -> AppTest:
    """P-7 with two visits of the forearm and one of the back, A-1 with one."""
    store = CaseStore(skinlens_home)
    classifier = pipeline.load_classifier(pipeline.weights_directory())
    analyses = [pipeline.analyse(drawn(seed, "PNG"), classifier) for seed in (1, 2, 3, 4)]
    new = NewPatient("P-7", 1961, "female")
    first = pipeline.save(store, analyses[0], (), patient=new, lesion=NewLesion("forearm"), taken_on="2024-01-10")
    assert first.patient is not None
    own = first.patient.id
    pipeline.save(store, analyses[1], (), patient=own, lesion=first.lesion.id, taken_on="2024-05-06")
    pipeline.save(store, analyses[2], (), patient=own, lesion=NewLesion("back"), taken_on="2024-02-01")
    other = NewPatient("A-1", None, "unknown")
    pipeline.save(store, analyses[3], (), patient=other, lesion=NewLesion("scalp"), taken_on="2024-03-01")
    version = store.record_plan(2, Plan("recheck", 3), expected_version=store.case(2).visit.version).visit.version
    store.record_histology(2, Histology("nv"), expected_version=version)
    return turn(agreed, "patients")


def test_a_patient_is_found_and_has_lesions_and_a_timeline(page: AppTest) -> None:
    assert "**2 patients**" in read(page)
    page.text_input(key="patient_search").input("p-").run()
    assert "**1 patient**" in read(page)
    page.button(key="patient-1").click().run()
    said = read(page)
    assert "**forearm**" in said
    assert "2 visits, last on 2024-05-06." in said
    assert "1 visit, last on 2024-02-01." in said
    assert "recheck; recall on 2024-08-06, due" in said
    assert "scalp" not in said
    assert said.index("2024-05-06</td>") < said.index("2024-02-01</td>") < said.index("2024-01-10</td>")
    press(page, "Open case 2")
    assert page.session_state["open_case"].case.visit.id == 2


def test_the_next_photo_begins_with_the_patient(page: AppTest) -> None:
    page.button(key="patient-1").click().run()
    press(page, "Add photo")
    assert page.title[0].value == "New photo"
    turn(page, "result")
    press(page, "Try the example")
    press(page, "Show result")
    (chosen,) = [one for one in page.selectbox if one.label == "Patient ID"]
    assert chosen.value == 1


def test_all_patients_again(page: AppTest) -> None:
    page.button(key="patient-2").click().run()
    press(page, "All patients")
    assert "**2 patients**" in read(page)


@pytest.mark.parametrize(("words", "names"), [("", ["A-1", "P-7"]), (" p", ["P-7"]), ("x", [])])
def test_a_part_of_the_pseudonym_is_enough(words: str, names: list[str]) -> None:
    patients = [Patient(1, "P-7", 1961, "female"), Patient(2, "A-1", None, "unknown")]
    assert [one.pseudonym for one in found(patients, words)] == names
