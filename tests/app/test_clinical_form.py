"""Criteria, plan, recall, histology and diagnosis of a stored case: entered on one page, saved as one, with a name."""

from dataclasses import replace
from datetime import date
from pathlib import Path

import numpy as np
import pytest
from streamlit.testing.v1 import AppTest

from skinlens import pipeline
from skinlens.clinical import Histology, Plan, Recall
from skinlens.criteria import Abcd, Criteria, PartialAbcd, SevenPoint
from skinlens.inference.release import weights_directory
from skinlens.segmentation.contour import drawn_by_clinician
from skinlens.store import CaseStore, NewLesion, NewPatient, NewVisit
from tests.app.conftest import press, read, turn, typed
from tests.store.edits import edit


@pytest.fixture
def case(agreed: AppTest, skinlens_home: Path) -> tuple[AppTest, CaseStore]:
    """Case 1 (photo of 2024-05-31) open on the page of the visit."""
    store = CaseStore(skinlens_home)
    analysis = pipeline.example(pipeline.load_classifier(weights_directory()))
    patient, lesion = NewPatient("P-7", 1961, "female"), NewLesion("forearm")
    store.save_case(analysis, NewVisit(patient, lesion, "2024-05-31"))
    turn(agreed, "worklist")
    press(agreed, "Open case 1")
    return agreed, store


def choose(app: AppTest, name: str, value: object) -> None:
    app.button_group(key=typed(app, f"clinical_{name}")).set_value(value).run()


def test_criteria_are_scored_saved_and_come_back(case: tuple[AppTest, CaseStore]) -> None:
    app, store = case
    for name, count in (("a", 2), ("b", 3), ("c", 4)):
        choose(app, name, count)
    choose(app, "d", 3)
    assert "TDS 6.4, highly suspicious" in read(app)
    choose(app, "present", ["atypical_network", "regression"])
    choose(app, "phototype", 2)
    app.text_area(key=typed(app, "clinical_symptoms")).input("Itches.").run()
    press(app, "Save draft")
    saved = store.case(1)
    assert saved.visit.clinical.criteria == Criteria(
        Abcd(2, 3, 4, 3), SevenPoint(("atypical_network", "regression"), "1998"), ""
    )
    assert (saved.visit.clinical.symptoms, saved.patient and saved.patient.phototype) == ("Itches.", 2)
    assert "Case 1 saved as a draft." in read(app)
    again = AppTest.from_file(app._script_path, default_timeout=240).run()
    turn(again, "worklist")
    press(again, "Open case 1")
    assert [again.button_group(key=typed(again, f"clinical_{sign}")).value for sign in "abcd"] == [2, 3, 4, 3]


def test_a_draft_keeps_unfinished_criteria_and_signing_asks_for_the_rest(case: tuple[AppTest, CaseStore]) -> None:
    app, store = case
    for name, count in (("a", 2), ("b", 3), ("c", 4)):
        choose(app, name, count)
    fill(app, "Notes", "Grew since May.")
    press(app, "Save draft")
    assert "Case 1 saved as a draft." in read(app)
    assert "Still open: Dermoscopic structures." in read(app)
    visit = store.case(1).visit
    assert (visit.clinical.criteria, visit.notes) == (Criteria(PartialAbcd(2, 3, 4)), "Grew since May.")
    again = AppTest.from_file(app._script_path, default_timeout=240).run()
    turn(again, "worklist")
    press(again, "Open case 1")
    assert [again.button_group(key=typed(again, f"clinical_{sign}")).value for sign in "abcd"] == [2, 3, 4, None]
    diagnose(again, "nv")
    press(again, "Save and sign")
    assert "Complete the ABCD rule (Dermoscopic structures), or clear it; a draft can be saved without." in read(again)
    assert store.case(1).visit.status == "draft"
    choose(again, "d", 3)
    press(again, "Save and sign")
    assert store.case(1).visit.clinical.criteria.abcd == Abcd(2, 3, 4, 3)
    assert store.case(1).visit.status == "signed"


def test_a_suggestion_is_signed_only_when_it_is_accepted_and_what_is_changed_is_the_clinicians(
    case: tuple[AppTest, CaseStore],
) -> None:
    app, store = case
    photo, model = app.session_state["open_case"].analysis.photo, store.case(1).visit.prediction.model
    points = [[0.3, 0.3], [0.7, 0.3], [0.7, 0.7], [0.3, 0.7]]
    store.keep_outlines(1, [drawn_by_clinician(points, photo, model)], expected=())
    turn(app, "worklist")
    press(app, "Open case 1")
    turn(app, "result")
    press(app, "Suggest asymmetry, border and colors from the outline")
    counts = [app.button_group(key=typed(app, f"clinical_{sign}")).value for sign in "abc"]
    assert read(app).count("Suggested from the outline, not accepted yet.") == 3
    own = (counts[0] + 1) % 3
    choose(app, "a", own)
    choose(app, "d", 2)
    assert read(app).count("Suggested from the outline, not accepted yet.") == 2
    assert "TDS" not in "".join(one.value for one in app.info)
    diagnose(app, "nv")
    press(app, "Save and sign")
    assert "Accept B and C as the outline suggests, or change them" in read(app)
    assert store.case(1).visit.status == "draft"
    press(app, "Accept B and C as suggested")
    assert read(app).count("From the outline, accepted.") == 2
    assert "ABCD rule: B and C suggested from the outline and accepted by the clinician." in read(app)
    press(app, "Save and sign")
    visit = store.case(1).visit
    assert visit.status == "signed"
    assert visit.clinical.criteria.abcd == Abcd(own, counts[1], counts[2], 2, ("border", "colors"), accepted=True)


def test_none_of_the_seven_is_an_answer(case: tuple[AppTest, CaseStore]) -> None:
    app, store = case
    app.checkbox(key=typed(app, "clinical_none")).check().run()
    press(app, "Save draft")
    assert store.case(1).visit.clinical.criteria.seven_point == SevenPoint()


def test_a_follow_up_has_a_recall_that_is_dealt_with(case: tuple[AppTest, CaseStore]) -> None:
    app, store = case
    choose(app, "plan", "recheck")
    press(app, "Save draft")
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
    press(app, "Save draft")
    assert (store.case(1).visit.clinical.plan, store.case(1).visit.clinical.recall) == (Plan("excise"), None)


def test_histology_comes_later(case: tuple[AppTest, CaseStore]) -> None:
    app, store = case
    app.date_input(key=typed(app, "clinical_histology_on")).set_value(date(2024, 7, 1)).run()
    press(app, "Save draft")
    assert "Give the pathologist's diagnosis" in read(app)
    app.selectbox(key=typed(app, "clinical_histology")).select("mel").run()
    press(app, "Save draft")
    assert store.case(1).visit.clinical.histology == Histology("mel", "", "2024-07-01", "")


def test_what_another_window_saved_is_shown_and_what_was_entered_stays(case: tuple[AppTest, CaseStore]) -> None:
    app, store = case
    choose(app, "plan", "discharge")
    edit(store, 1, plan=Plan("excise", text="this week"), expected_version=store.case(1).visit.version)
    app.run()
    assert "changed in another window" in read(app)
    assert "Plan and recall: excise: this week" in [one.value for one in app.text]
    assert app.button_group(key=typed(app, "clinical_plan")).value == "discharge"
    press(app, "Take what is stored now")
    assert app.button_group(key=typed(app, "clinical_plan")).value == "excise"
    assert "changed in another window" not in read(app)


def test_the_size_is_in_millimeters_once_the_width_of_the_photo_is_known(case: tuple[AppTest, CaseStore]) -> None:
    app, store = case
    assert "Without an outline the lesion cannot be measured" in read(app)
    photo, model = store.photo(1), store.case(1).visit.prediction.model
    points = [(0.5 + 0.25 * np.cos(turn), 0.5 + 0.1 * np.sin(turn)) for turn in np.linspace(0, 2 * np.pi, 24, False)]
    outline = drawn_by_clinician(points, photo, model)
    store.keep_outlines(1, [outline], expected=())
    turn(app, "worklist")
    press(app, "Open case 1")
    assert f"px of {photo.width_px} px across the photo, by your outline." in read(app)
    app.text_input(key=typed(app, "clinical_field_width")).input("20,0").run()
    assert "Largest diameter: 10.0 mm, by your outline." in read(app).replace(
        "\u00a0", " "
    )  # half of the photo's width
    press(app, "Save draft")
    assert "Case 1 saved as a draft." in read(app)
    assert store.case(1).visit.clinical.field_width_mm == 20.0


def test_the_clinics_field_of_view_is_offered_and_not_taken_by_itself(case: tuple[AppTest, CaseStore]) -> None:
    app, store = case
    before = store.settings()
    store.keep_settings(replace(before, field_width_mm=14.0), read=before)
    app.run()
    assert app.text_input(key=typed(app, "clinical_field_width")).value == ""
    press(app, "Use 14\u00a0mm")
    assert app.text_input(key=typed(app, "clinical_field_width")).value == "14"
    assert store.case(1).visit.clinical.field_width_mm is None
    press(app, "Save draft")
    assert store.case(1).visit.clinical.field_width_mm == 14.0


def test_the_width_of_the_photo_is_entered_in_the_unit_of_the_settings(case: tuple[AppTest, CaseStore]) -> None:
    app, store = case
    before = store.settings()
    store.keep_settings(replace(before, unit="inch", field_width_mm=25.4), read=before)
    app.run()
    press(app, "Use 1.00\u00a0in")
    field = app.text_input(key=typed(app, "clinical_field_width_inch"))
    assert (field.label, field.value) == ("Field of view, inches", "1")
    field.input("0,5").run()
    press(app, "Save draft")
    assert store.case(1).visit.clinical.field_width_mm == 12.7


def test_a_field_of_view_that_was_not_touched_is_not_rounded_to_inches(case: tuple[AppTest, CaseStore]) -> None:
    app, store = case
    app.text_input(key=typed(app, "clinical_field_width")).input("12.5")
    press(app, "Save draft")
    before = store.settings()
    store.keep_settings(replace(before, unit="inch"), read=before)
    fill(app, "Notes", "Grew since May.")
    press(app, "Save draft")
    assert app.text_input(key=typed(app, "clinical_field_width_inch")).value == "0.492"
    visit = store.case(1).visit
    assert (visit.notes, visit.clinical.field_width_mm) == ("Grew since May.", 12.5)


@pytest.mark.parametrize(
    ("field", "text", "problem", "asked"),
    [
        ("field_width", "12,5,5", "“12,5,5” cannot be read.", "Correct the field of view."),
        ("field_width", "1", "1\u00a0mm is out of range.", "Correct the field of view."),
        ("months", "1,5", "“1,5” cannot be read.", "Give in how many months the lesion is to be seen again."),
        ("months", "", "", "Give in how many months the lesion is to be seen again."),
    ],
)
def test_nothing_of_the_page_is_saved_while_a_number_cannot_be_read(
    case: tuple[AppTest, CaseStore], field: str, text: str, problem: str, asked: str
) -> None:
    app, store = case
    choose(app, "plan", "recheck")
    fill(app, "Notes", "Grew since May.")
    app.text_input(key=typed(app, f"clinical_{field}")).input(text).run()
    assert problem in read(app)
    press(app, "Save draft")
    assert f"Nothing is saved yet. {asked}" in read(app)
    assert app.text_input(key=typed(app, f"clinical_{field}")).value == text
    assert store.case(1).visit.notes == ""


def test_a_phototype_that_another_case_of_the_patient_was_given_stays(case: tuple[AppTest, CaseStore]) -> None:
    app, store = case
    patient = store.case(1).patient
    assert patient is not None
    store.set_phototype(patient.id, 3, expected_version=patient.version)
    turn(app, "report")
    turn(app, "result")
    app.text_area(key=typed(app, "clinical_symptoms")).input("Itches.").run()
    press(app, "Save draft")
    stored = store.case(1)
    assert stored.visit.clinical.symptoms == "Itches."
    assert stored.patient is not None
    assert stored.patient.phototype == 3


# ------------------------------------------------------------------------------------------- one page, one signature

CHANGED = "changed in another window"


def fill(app: AppTest, label: str, value: str) -> None:
    next(one for one in (*app.text_input, *app.text_area) if one.label == label).input(value)


def diagnose(app: AppTest, code: str) -> None:
    app.selectbox(key=typed(app, "clinical_label")).select(code)


def buttons(app: AppTest) -> list[str]:
    return [one.label for one in app.button]


def test_the_diagnosis_comes_last_and_one_press_saves_the_whole_page(case: tuple[AppTest, CaseStore]) -> None:
    app, store = case
    order = [one.label for one in app.expander if one.label in {"Criteria", "Size", "Plan and recall", "Histology"}]
    assert order == ["Criteria", "Size", "Plan and recall", "Histology"]
    labels = [one.label for one in app.main if getattr(one, "label", "") in {"Plan", "Your diagnosis", "Save and sign"}]
    assert labels == ["Plan", "Your diagnosis", "Save and sign"]
    assert [one for one in buttons(app) if one.startswith("Save")] == ["Save draft", "Save and sign"]
    fill(app, "Symptoms (optional)", "Itches.")
    fill(app, "Notes", "Grew since May.")
    app.text_input(key=typed(app, "clinical_field_width")).input("12,5")
    choose(app, "plan", "excise")
    diagnose(app, "mel")
    press(app, "Save and sign")
    visit = store.case(1).visit
    assert (visit.status, visit.clinician_label, visit.notes) == ("signed", "mel", "Grew since May.")
    assert (visit.clinical.symptoms, visit.clinical.field_width_mm) == ("Itches.", 12.5)
    assert visit.clinical.plan == Plan("excise")
    assert [one.action for one in store.revisions(1)] == ["created", "signed"]
    assert "Case 1 signed and saved." in read(app)


def test_nothing_is_signed_without_a_diagnosis_and_nothing_typed_is_lost(case: tuple[AppTest, CaseStore]) -> None:
    app, store = case
    fill(app, "Notes", "Grew since May.")
    fill(app, "In your own words", "looks\nharmless")
    press(app, "Save and sign")
    assert "Not signed yet: a case is signed with a diagnosis." in read(app)
    assert store.case(1).visit.status == "draft"
    assert next(one.value for one in app.text_area if one.label == "Notes") == "Grew since May."
    turn(app, "why")
    turn(app, "result")
    assert "Not signed yet: choose your diagnosis above." in read(app)  # it stays until it is mended
    diagnose(app, "nv")
    app.run()
    assert "Not signed yet" not in read(app)
    press(app, "Save and sign")
    assert (store.case(1).visit.notes, store.case(1).visit.status) == ("Grew since May.", "signed")
    assert store.case(1).visit.clinician_diagnosis == "looks harmless"  # one line, as lists and exports have it


def test_a_save_in_the_same_window_is_never_another_windows(case: tuple[AppTest, CaseStore]) -> None:
    """A criterion that is changed after the signature amends the case; the diagnosis beside it is no older for that."""
    app, store = case
    diagnose(app, "nv")
    press(app, "Save and sign")
    fill(app, "Symptoms (optional)", "Itches.")
    fill(app, "Amended by", "Dr. Lange")
    press(app, "Save as amendment")
    assert store.case(1).visit.status == "amended"
    assert CHANGED not in read(app)
    choose(app, "plan", "recheck")
    press(app, "Save as amendment")
    assert store.case(1).visit.clinical.recall == Recall("2024-08-31")
    assert CHANGED not in read(app)
    press(app, "Recall is done")
    fill(app, "Notes", "Seen again.")
    press(app, "Save as amendment")
    assert store.case(1).visit.notes == "Seen again."
    assert CHANGED not in read(app)


def test_an_amendment_needs_a_name_and_says_beside_the_button_that_it_is_one(case: tuple[AppTest, CaseStore]) -> None:
    app, store = case
    diagnose(app, "nv")
    fill(app, "Signed by (optional)", "Dr. Lange")
    press(app, "Save and sign")
    assert "This case is signed by Dr. Lange on " in read(app)
    assert "Saving amends it: your name and what you change go into the audit log" in read(app)
    fill(app, "Symptoms (optional)", "Itches.")
    fill(app, "Amended by", " ")
    press(app, "Save as amendment")
    assert "an amendment needs the name of who makes it" in read(app)
    assert store.case(1).visit.status == "signed"
    fill(app, "Amended by", "Dr. Okafor")
    press(app, "Save as amendment")
    assert "Case 1 amended and saved." in read(app)
    assert store.revisions(1)[-1].changes == {
        "symptoms": ("", "Itches."), "status": ("signed", "amended"), "amended_by": (None, "Dr. Okafor"),
    }  # fmt: skip
    turn(app, "more")
    assert "<td>Dr. Okafor</td><td>Case amended</td><td>symptoms: Itches.</td>" in read(app)


def test_an_amendment_that_changes_nothing_is_none(case: tuple[AppTest, CaseStore]) -> None:
    app, store = case
    diagnose(app, "nv")
    press(app, "Save and sign")
    before = store.case(1)
    press(app, "Save as amendment")
    assert "Case 1 is not changed: there was nothing to amend." in read(app)
    assert store.case(1) == before


def test_what_was_typed_stays_when_another_button_is_pressed(case: tuple[AppTest, CaseStore]) -> None:
    app, store = case
    choose(app, "plan", "recheck")
    press(app, "Save draft")
    fill(app, "Notes", "Typed, not saved.")
    press(app, "Recall is done")
    assert next(one.value for one in app.text_area if one.label == "Notes") == "Typed, not saved."
    turn(app, "why")
    turn(app, "result")
    assert next(one.value for one in app.text_area if one.label == "Notes") == "Typed, not saved."
    press(app, "Save draft")
    assert store.case(1).visit.notes == "Typed, not saved."
