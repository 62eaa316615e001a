"""Patients are found by pseudonym; each has the lesions, their course, and one timeline of all visits."""

from dataclasses import replace
from datetime import UTC, datetime
from pathlib import Path

import pytest
from streamlit.testing.v1 import AppTest

from skinlens import pipeline
from skinlens.case_record import unsaved
from skinlens.clinical import Histology, Plan
from skinlens.inference.release import weights_directory
from skinlens.records import BodyPosition, Lesion, QualityReport, Status
from skinlens.store import CaseQuery, CaseStore, ClinicianReading, NewLesion, NewPatient, NewVisit, PatientQuery
from skinlens.ui.components.bodymap import Region, Spot, spot_of
from skinlens.ui.patients import placing
from skinlens.ui.patients.lesions import Shown
from skinlens.ui.patients.patient import cells
from tests.app.conftest import drawn, heading, press, read, turn, typed
from tests.app.test_dropped_dicom import photo_file
from tests.store.edits import edit


@pytest.fixture
def page(agreed: AppTest, skinlens_home: Path) -> AppTest:
    """P-7 with two visits of the forearm and one of the back, A-1 with one."""
    store = CaseStore(skinlens_home)
    classifier = pipeline.load_classifier(weights_directory())
    analyses = [pipeline.analyze(drawn(seed, "PNG"), classifier) for seed in (1, 2, 3, 4)]
    new = NewPatient("P-7", 1961, "female")
    first = store.save_case(analyses[0], NewVisit(new, NewLesion("forearm"), "2024-01-10"))
    assert first.patient is not None
    own = first.patient.id
    store.save_case(analyses[1], NewVisit(own, first.lesion.id, "2024-05-06"))
    store.save_case(analyses[2], NewVisit(own, NewLesion("back"), "2024-02-01"))
    other = NewPatient("A-1", None, "unknown")
    store.save_case(analyses[3], NewVisit(other, NewLesion("scalp"), "2024-03-01"))
    version = edit(store, 2, plan=Plan("recheck", 3), expected_version=store.case(2).visit.version).visit.version
    edit(store, 2, histology=Histology("nv"), expected_version=version)
    return turn(agreed, "patients")


def test_a_patient_is_found_and_has_lesions_and_a_timeline(page: AppTest) -> None:
    assert "**2 patients**" in read(page)
    page.text_input(key="search").input("p-").run()
    said = read(page)
    assert "**1 patient**" in said
    assert "2 lesions, 3 visits" in said
    assert "Last visit 2024-05-06" in said
    assert "3 visits not signed" in said
    assert "Recall on 2024-08-06, due" in said
    page.button(key="patient-1").click().run()
    assert heading(page) == "Patient P-7"
    said = read(page)
    assert "<b>forearm</b>" in said
    assert "2 visits, last on 2024-05-06." in said
    assert "1 visit, last on 2024-02-01." in said
    assert "follow-up; recall on 2024-08-06, due" in said
    assert "scalp" not in said
    assert said.index("2024-05-06</td>") < said.index("2024-02-01</td>") < said.index("2024-01-10</td>")
    assert "Open case 1, 2024-01-10" in [button.label for button in page.button]
    press(page, "Open case 2")
    assert page.session_state["open_case"].case.visit.id == 2


def test_earlier_visits_are_opened_and_compared_at_the_lesion(page: AppTest) -> None:
    page.button(key="patient-1").click().run()
    press(page, "Open case 1, 2024-01-10")
    assert page.session_state["open_case"].case.visit.id == 1
    turn(page, "patients")
    compare = [button for button in page.button if button.label.startswith("Compare visits of lesion")]
    assert [button.label for button in compare] == ["Compare visits of lesion 1"]  # the other has one visit
    compare[0].click().run()
    assert "Follow-up comparison" in read(page)


def test_the_result_of_a_visit_names_melanoma_once(page: AppTest, skinlens_home: Path) -> None:
    row = CaseStore(skinlens_home).search(CaseQuery(patient_id=1)).rows[0]
    flagged = replace(row, reliable=True, above_cutoff=True, top_label="mel", top_prob=0.519, melanoma_prob=0.519)
    assert cells(flagged, "2024-06-01")[3].replace("\u00a0", " ") == "Melanoma 51.9 %, above the cut-off"
    other = replace(flagged, top_label="nv", melanoma_prob=0.3)
    assert cells(other, "2024-06-01")[3].replace("\u00a0", " ") == (
        "Melanocytic nevus 51.9 %; melanoma 30.0 %, above the cut-off"
    )


def lesion(home: Path, number: int) -> tuple[BodyPosition | None, str]:
    found = {one.id: one for one in CaseStore(home).lesions(1)}[number]
    return found.position, found.body_site


def test_the_next_photo_begins_with_the_patient(page: AppTest) -> None:
    page.button(key="patient-1").click().run()
    press(page, "Add photo")
    assert page.title[0].value == "New photo"
    assert "For patient P-7." in read(page)
    turn(page, "result")
    press(page, "Try the example")
    press(page, "Show result")
    (chosen,) = [one for one in page.selectbox if one.label == "Patient ID"]
    assert chosen.value == 1
    assert page.session_state[typed(page, "lesion_1")] is None


def test_a_dicom_photo_added_at_a_lesion_stays_with_it_whatever_its_file_says(
    page: AppTest, skinlens_home: Path
) -> None:
    page.button(key="patient-1").click().run()
    press(page, "Add photo of lesion 2")
    turn(page, "visit")
    page.file_uploader[0].upload("photo.dcm", photo_file(0), "application/dicom").run()
    press(page, "Show result")
    assert "The date is proposed from its file: check that." in read(page)
    press(page, "Save case")
    saved = CaseStore(skinlens_home).case(5)
    assert (saved.patient and saved.patient.id, saved.lesion.id) == (1, 2)
    assert saved.visit.taken_on == "2025-01-01"


def test_a_photo_added_at_a_lesion_begins_with_patient_and_lesion(page: AppTest, skinlens_home: Path) -> None:
    page.button(key="patient-1").click().run()
    press(page, "Add photo of lesion 2")
    turn(page, "visit")
    assert "For patient P-7, back." in read(page)
    press(page, "Try the example")
    press(page, "Show result")
    press(page, "Save case")
    saved = CaseStore(skinlens_home).case(5)
    assert (saved.patient and saved.patient.id, saved.lesion.id) == (1, 2)
    press(turn(page, "worklist"), "Open case 1")  # what was asked for once holds for one photo
    assert "next_photo" not in page.session_state


def test_a_new_photo_on_a_case_is_proposed_for_its_patient_unless_that_is_taken_back(page: AppTest) -> None:
    for taken_back in ("", "switch", "line"):
        press(turn(page, "worklist"), "Open case 1")
        (wanted,) = [toggle for toggle in page.toggle if toggle.label.startswith("For patient")]
        assert wanted.label == "For patient P\\-7"
        wanted.set_value(taken_back != "switch").run()
        page.file_uploader[0].upload("next.jpg", drawn(7, "JPEG"), "image/jpeg").run()
        turn(page, "visit")
        assert ("For patient P-7." in read(page)) == (taken_back != "switch")
        if taken_back == "line":
            press(page, "Not of this patient")
        press(page, "Show result")
        kind = page.button_group(key=typed(page, "kind")).value
        assert kind == ("New patient" if taken_back else "Existing patient")
        if not taken_back:
            assert page.selectbox(key=typed(page, "patient")).value == 1
            assert page.session_state[typed(page, "lesion_1")] is None


def test_a_dicom_file_that_names_its_patient_is_not_proposed_for_that_of_the_open_case(page: AppTest) -> None:
    press(turn(page, "worklist"), "Open case 1")
    page.file_uploader[0].upload("photo.dcm", photo_file(0), "application/dicom").run()
    press(turn(page, "visit"), "Show result")
    assert page.button_group(key=typed(page, "kind")).value == "New patient"
    assert page.text_input(key=typed(page, "pseudonym")).value


def test_all_patients_again(page: AppTest) -> None:
    page.text_input(key="search").input("a-1").run()
    page.button(key="patient-2").click().run()
    assert page.query_params == {"search": "a-1", "patient": "2"}
    press(page, "All patients")
    assert page.query_params == {"search": "a-1"}
    assert "**1 patient**" in read(page)


def test_patient_and_lesion_stand_in_the_address(page: AppTest) -> None:
    page.button(key="patient-1").click().run()
    press(page, "Choose lesion 2")
    assert page.query_params["lesion"] == "2"
    fresh = AppTest.from_file(page._script_path, default_timeout=240).run()
    fresh.query_params.update({"patient": "1", "lesion": "2"})
    fresh.switch_page("pages/patients.py").run()
    assert "✓ Lesion 2" in [button.label for button in fresh.button]
    del fresh.query_params["lesion"]  # the browser's own button
    fresh.run()
    assert "✓ Lesion 2" not in [button.label for button in fresh.button]


@pytest.mark.parametrize("number", ["9", "-1", "x", "9" * 5000])
def test_no_such_patient_in_the_address_is_the_list(page: AppTest, number: str) -> None:
    page.query_params["patient"] = number
    page.run()
    assert not page.exception
    assert "**2 patients**" in read(page)


def test_a_lesion_is_placed_undone_and_its_site_follows(page: AppTest, skinlens_home: Path) -> None:
    page.button(key="patient-1").click().run()
    assert "None is placed on the map." in read(page)
    at = BodyPosition("front", 0.4, 0.3)
    page.session_state["map_done"] = placed(skinlens_home, Spot(1, at, Region("chest", "")))
    page.run()
    said = read(page)
    assert "Saved. Lesion 1 placed: chest (front)." in said
    assert "1 of 2 not placed on the map." in said
    assert "Its body site says forearm." in said
    press(page, "Change the body site to chest")
    assert lesion(skinlens_home, 1) == (at, "chest")
    page.session_state["map_done"] = placed(skinlens_home, Spot(1, BodyPosition("back", 0.5, 0.3), None))
    page.run()
    assert "Saved. Lesion 1 moved: back (back)." in read(page)
    press(page, "Undo")
    assert lesion(skinlens_home, 1) == (at, "chest")
    press(page, "Choose lesion 1")
    press(page, "Take off the map")
    assert lesion(skinlens_home, 1) == (None, "chest")
    assert "Lesion 1 is off the map." in read(page)
    press(page, "Undo")
    assert lesion(skinlens_home, 1) == (at, "chest")


def placed(home: Path, spot: Spot) -> placing.Done:
    """As ``placing.spotted`` leaves it: AppTest does not run the script that would call it."""
    store = CaseStore(home)
    (before,) = [one for one in store.lesions(1) if one.id == spot.lesion_id]
    changed = store.place_lesion(before.id, spot.position, expected_version=before.version)
    return placing.Done(before.id, before.position, changed.version, spot.region)


def test_a_new_lesion_begins_at_its_place(page: AppTest, skinlens_home: Path) -> None:
    page.button(key="patient-1").click().run()
    at = BodyPosition("back", 0.3, 0.7)
    page.session_state["map_new"] = (1, Spot(None, at, Region("thigh", "left")))
    page.run()
    assert "**New lesion: left thigh**" in read(page)
    press(page, "Add its first photo")
    turn(page, "visit")
    assert "For patient P-7, new lesion (left thigh)." in read(page)
    press(page, "Try the example")
    press(page, "Show result")
    assert page.selectbox(key=typed(page, "site")).value == "thigh, left"
    press(page, "Save case")
    saved = CaseStore(skinlens_home).case(5).lesion
    assert (saved.body_site, saved.remark, saved.position) == ("thigh", "left", at)


def test_patient_and_lesion_are_edited_where_they_stand(page: AppTest, skinlens_home: Path) -> None:
    page.button(key="patient-1").click().run()
    press(page, "Edit patient")
    (field,) = [one for one in page.text_input if one.label == "Patient ID"]
    field.set_value("A-1")
    press(page, "Save edit")
    assert "There is another patient" in page.error[0].value
    (field,) = [one for one in page.text_input if one.label == "Patient ID"]
    field.set_value("P-70")
    press(page, "Save edit")
    assert heading(page) == "Patient P-70"
    assert "Saved: the patient is changed." in read(page)
    press(page, "Choose lesion 1")
    press(page, "Edit lesion")
    (field,) = [one for one in page.text_input if one.label == "Exact location (optional)"]
    field.set_value("left")
    press(page, "Save edit")
    assert "<b>forearm, left</b>" in read(page)
    assert "Saved: the lesion is changed." in read(page)


def test_what_another_window_edited_is_not_overwritten(page: AppTest, skinlens_home: Path) -> None:
    page.button(key="patient-1").click().run()
    press(page, "Edit patient")
    store = CaseStore(skinlens_home)
    store.edit_patient(1, "P-8", 1961, "female", expected_version=store.patient(1).version)
    (field,) = [one for one in page.text_input if one.label == "Patient ID"]
    field.set_value("P-9")
    press(page, "Save edit")
    assert "Nothing was overwritten and nothing is lost" in read(page)
    assert store.patient(1).pseudonym == "P-8"
    page.radio[0].set_value("mine")
    press(page, "Save what is chosen")
    assert store.patient(1).pseudonym == "P-9"


def test_a_patient_is_erased_on_the_page_and_the_list_follows(page: AppTest, skinlens_home: Path) -> None:
    page.text_input(key="search").input("P-7").run()
    page.button(key="patient-1").click().run()
    press(page, "Edit patient")
    press(page, "Delete the patient …")
    assert "with 3 cases" in read(page)
    page.text_input(key="case_erase_typed").set_value("P-7")
    press(page, "Delete the patient for good")
    turn(page, "patients")
    assert [one.pseudonym for one in CaseStore(skinlens_home).patients()] == ["A-1"]
    assert "**1 patient**" in read(page)
    assert "P-7" not in repr(page.session_state)


@pytest.mark.parametrize(
    "sent",
    [
        None,
        "front",
        {"lesion": 9, "view": "front", "x": 0.5, "y": 0.5},
        {"lesion": 1, "view": "side", "x": 0.5, "y": 0.5},
        {"lesion": 1, "view": "front", "x": 1.5, "y": 0.5},
        {"lesion": 1, "view": "front", "x": "nan", "y": 0.5},
        {"lesion": 1, "view": "front", "x": None, "y": 0.5},
        {"lesion": 1, "view": ["front"], "x": 0.5, "y": 0.5},
    ],
)
def test_nothing_is_placed_by_what_is_no_place(sent: object) -> None:
    assert spot_of(sent, [1, 2]) is None


def test_a_place_that_was_sent_is_read() -> None:
    sent = {"lesion": None, "view": "front", "x": 0, "y": 1, "site": "thigh", "side": "left"}
    assert spot_of(sent, []) == Spot(None, BodyPosition("front", 0.0, 1.0), Region("thigh", "left"))
    assert spot_of(sent | {"site": "<b>", "side": "up"}, []) == Spot(None, BodyPosition("front", 0.0, 1.0), None)


def test_a_long_list_is_turned_and_follows_the_lesion_that_is_chosen(page: AppTest, skinlens_home: Path) -> None:
    store = CaseStore(skinlens_home)
    classifier = pipeline.load_classifier(weights_directory())
    analysis = pipeline.analyze(drawn(1, "PNG"), classifier)
    for _ in range(16):
        store.save_case(analysis, NewVisit(1, NewLesion("thigh"), "2024-05-06"))

    def listed() -> list[int]:
        labels = [button.label for button in page.button if button.label.startswith("Add photo of lesion")]
        return [int(label.split()[-1]) for label in labels]

    page.button(key="patient-1").click().run()
    assert listed() == list(range(1, 16))
    page.get("pagination")[0].set_value(2).run()
    assert listed() == [16, 17, 18]
    page.query_params["lesion"] = "2"  # as a pin does
    page.run()
    assert listed() == list(range(1, 16))
    assert "\u2713 Lesion 2" in [button.label for button in page.button]
    page.get("pagination")[0].set_value(2).run()
    assert listed() == [16, 17, 18]


def shown(*statuses: Status, flags: str) -> Shown:
    """A lesion of visits with these statuses; of each, ``flags`` says "+" where melanoma is flagged."""
    analysis = pipeline.example(pipeline.load_classifier(weights_directory()))
    good = QualityReport(())
    visits = []
    for number, (status, flag) in enumerate(zip(statuses, flags, strict=True), 1):
        mel = 0.9 if flag == "+" else 0.0
        prediction = replace(analysis.prediction, probs=(0.0, 0.0, 0.0, 0.0, mel, 1 - mel, 0.0))
        visit = unsaved(analysis, (), datetime(2024, 5, number, tzinfo=UTC)).visit
        label = "nv" if status != "draft" else None
        visits.append(
            replace(
                visit, id=number, status=status, quality=good, prediction=prediction, taken_on=f"2024-05-0{number}",
                clinician_label=label,
            )
        )  # fmt: skip
    return Shown(1, Lesion(1, 1, "forearm"), tuple(visits))


def test_a_draft_does_not_hide_the_signed_diagnosis(agreed: AppTest) -> None:
    one = shown("signed", "draft", flags="+-")
    signed, draft = (line.replace("\u00a0", " ") for line in one.state)
    assert signed == "Signed, 2024-05-01: Melanocytic nevus. Model: Suspicious for melanoma (90.0 %)."
    assert draft == "Not signed, 2024-05-02: no diagnosis yet. Model: Below the melanoma cut-off (0.0 %)."
    assert (one.verdict, one.unsigned) == ("above", True)
    assert shown("signed", "draft", flags="-+").verdict == "above"  # nor does a signature hide a flag that came later
    assert shown("signed", "amended", flags="+-").verdict == "below"
    assert len(shown("signed", "amended", flags="+-").state) == 1
    assert shown("draft", "draft", flags="+-").verdict == "below"


def test_a_patient_stays_flagged_by_the_signed_visit(page: AppTest, skinlens_home: Path) -> None:
    store = CaseStore(skinlens_home)
    analysis = pipeline.example(pipeline.load_classifier(weights_directory()))
    good = replace(analysis, quality=QualityReport(()))
    sure, none = (
        replace(good, prediction=replace(good.prediction, probs=(0.0, 0.0, 0.0, 0.0, mel, 1 - mel, 0.0)))
        for mel in (1.0, 0.0)
    )
    reading = ClinicianReading("mel")
    first = store.save_case(sure, NewVisit(NewPatient("Z-9"), NewLesion("ear"), "2024-01-01", reading, status="signed"))
    assert first.patient is not None
    store.save_case(none, NewVisit(first.patient.id, first.lesion.id, "2024-02-01"))
    (row,) = store.patient_page(PatientQuery(text="Z-9")).rows
    assert (row.suspicious, row.unsigned) == (1, 1)
