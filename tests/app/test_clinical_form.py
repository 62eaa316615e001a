"""Criteria, plan, recall and histology are entered on the page of a stored case, and come back as they were saved."""

from dataclasses import replace
from datetime import date
from pathlib import Path

import numpy as np
import pytest
from streamlit.testing.v1 import AppTest

from skinlens import pipeline
from skinlens.clinical import Histology, Plan, Recall
from skinlens.criteria import Abcd, Criteria, SevenPoint
from skinlens.store import CaseStore, NewLesion, NewPatient
from tests.app.conftest import press, read, turn, typed


@pytest.fixture
def case(agreed: AppTest, skinlens_home: Path) -> tuple[AppTest, CaseStore]:
    """Case 1 (photo of 2024-05-31) open in the history."""
    store = CaseStore(skinlens_home)
    analysis = pipeline.example(pipeline.load_classifier(pipeline.weights_directory()))
    patient, lesion = NewPatient("P-7", 1961, "female"), NewLesion("forearm")
    pipeline.save(store, analysis, (), patient=patient, lesion=lesion, taken_on="2024-05-31")
    turn(agreed, "worklist")
    press(agreed, "Open case 1")
    return agreed, store


def choose(app: AppTest, name: str, value: object) -> None:
    app.button_group(key=typed(app, f"clinical_{name}")).set_value(value).run()


def test_criteria_are_scored_saved_and_come_back(case: tuple[AppTest, CaseStore]) -> None:
    app, store = case
    for name, count in (("a", 2), ("b", 3), ("c", 4)):
        choose(app, name, count)
    press(app, "Save criteria")
    assert "Nothing is saved yet. Give D too" in read(app)
    assert store.case(1).visit.clinical.criteria == Criteria()
    choose(app, "d", 3)
    assert "TDS 6.4, highly suspicious" in read(app)
    choose(app, "present", ["atypical_network", "regression"])
    choose(app, "phototype", 2)
    app.text_area(key=typed(app, "clinical_symptoms")).input("Itches.").run()
    press(app, "Save criteria")
    saved = store.case(1)
    assert saved.visit.clinical.criteria == Criteria(
        Abcd(2, 3, 4, 3), SevenPoint(("atypical_network", "regression"), "1998"), ""
    )
    assert (saved.visit.clinical.symptoms, saved.patient and saved.patient.phototype) == ("Itches.", 2)
    assert "Criteria saved." in read(app)
    again = AppTest.from_file(app._script_path, default_timeout=240).run()
    turn(again, "worklist")
    press(again, "Open case 1")
    assert [again.button_group(key=typed(again, f"clinical_{sign}")).value for sign in "abcd"] == [2, 3, 4, 3]


def test_none_of_the_seven_is_an_answer(case: tuple[AppTest, CaseStore]) -> None:
    app, store = case
    app.checkbox(key=typed(app, "clinical_none")).check().run()
    press(app, "Save criteria")
    assert store.case(1).visit.clinical.criteria.seven_point == SevenPoint()


def test_a_recheck_has_a_recall_that_is_dealt_with(case: tuple[AppTest, CaseStore]) -> None:
    app, store = case
    choose(app, "plan", "recheck")
    press(app, "Save plan")
    clinical = store.case(1).visit.clinical
    assert (clinical.plan, clinical.recall) == (Plan("recheck", 3), Recall("2024-08-31"))
    assert "Recall on 2024-08-31.** It is due." in read(app)
    press(app, "Recall is done")
    recall = store.case(1).visit.clinical.recall
    assert recall is not None
    assert recall.done_on is not None
    press(app, "Open the recall again")
    assert store.case(1).visit.clinical.recall == Recall("2024-08-31")
    choose(app, "plan", "excise")
    press(app, "Save plan")
    assert (store.case(1).visit.clinical.plan, store.case(1).visit.clinical.recall) == (Plan("excise"), None)


def test_histology_comes_later(case: tuple[AppTest, CaseStore]) -> None:
    app, store = case
    app.date_input(key=typed(app, "clinical_histology_on")).set_value(date(2024, 7, 1)).run()
    press(app, "Save histology")
    assert "Give the pathologist's diagnosis" in read(app)
    app.selectbox(key=typed(app, "clinical_histology")).select("mel").run()
    press(app, "Save histology")
    assert store.case(1).visit.clinical.histology == Histology("mel", "", "2024-07-01", "")


def test_what_another_window_saved_is_shown_and_what_was_entered_stays(case: tuple[AppTest, CaseStore]) -> None:
    app, store = case
    choose(app, "plan", "discharge")
    store.record_plan(1, Plan("excise", text="this week"), expected_version=store.case(1).visit.version)
    app.run()
    assert "changed in another window" in read(app)
    assert any("this week" in one.value for one in app.text)
    assert app.button_group(key=typed(app, "clinical_plan")).value == "discharge"
    press(app, "Take what is stored now")
    assert app.button_group(key=typed(app, "clinical_plan")).value == "excise"
    assert "changed in another window" not in read(app)


def test_the_size_is_in_millimeters_once_the_width_of_the_photo_is_known(case: tuple[AppTest, CaseStore]) -> None:
    app, store = case
    assert "Without an outline the lesion cannot be measured" in read(app)
    photo, model = store.photo(1), store.case(1).visit.prediction.model
    points = [(0.5 + 0.25 * np.cos(turn), 0.5 + 0.1 * np.sin(turn)) for turn in np.linspace(0, 2 * np.pi, 24, False)]
    outline = pipeline.drawn_by_clinician(points, photo, model)
    store.keep_outlines(1, [outline], expected=())
    turn(app, "worklist")
    press(app, "Open case 1")
    assert f"px of {photo.width_px} px across the photo, by your outline." in read(app)
    app.text_input(key=typed(app, "clinical_field_width")).input("20,0").run()
    assert "Largest diameter: 10.0 mm, by your outline." in read(app).replace(
        "\u00a0", " "
    )  # half of the photo's width
    press(app, "Save size")
    assert "Size saved." in read(app)
    assert store.case(1).visit.clinical.field_width_mm == 20.0


def test_the_clinics_field_of_view_is_offered_and_not_taken_by_itself(case: tuple[AppTest, CaseStore]) -> None:
    app, store = case
    before = store.settings()
    store.keep_settings(replace(before, field_width_mm=14.0), read=before)
    app.run()
    assert app.text_input(key=typed(app, "clinical_field_width")).value == ""
    press(app, "Use 14 mm")
    assert app.text_input(key=typed(app, "clinical_field_width")).value == "14"
    assert store.case(1).visit.clinical.field_width_mm is None
    press(app, "Save size")
    assert store.case(1).visit.clinical.field_width_mm == 14.0


def test_a_phototype_that_another_case_of_the_patient_was_given_stays(case: tuple[AppTest, CaseStore]) -> None:
    app, store = case
    patient = store.case(1).patient
    assert patient is not None
    store.set_phototype(patient.id, 3, expected_version=patient.version)
    turn(app, "report")
    turn(app, "result")
    app.text_area(key=typed(app, "clinical_symptoms")).input("Itches.").run()
    press(app, "Save criteria")
    stored = store.case(1)
    assert stored.visit.clinical.symptoms == "Itches."
    assert stored.patient is not None
    assert stored.patient.phototype == 3
