"""A photo goes through the app: upload, own reading, prediction, maps, case, history, report, and out again."""

import hashlib
import io
import json
import re
import zipfile
from collections.abc import Callable
from datetime import date, timedelta
from pathlib import Path
from typing import Any

import pypdf
import pytest
from streamlit.testing.v1 import AppTest

from skinlens import pipeline
from skinlens.explain import METHODS
from skinlens.inference.release import weights_directory
from skinlens.report import pdf
from skinlens.store import CaseQuery, CaseStore, NewLesion, NewPatient, NewVisit
from tests.app.conftest import VIEWS, heading, html, markdown, press, read, turn, typed, words

Until = Callable[[AppTest, Callable[[], bool]], None]


def upload(app: AppTest, photo: bytes) -> None:
    app.file_uploader[0].upload("Mrs Smith, left arm.jpg", photo, "image/jpeg").run()
    press(app, "Show result")


def keep(app: AppTest, pseudonym: str = "P-7") -> None:
    app.text_input(key=typed(app, "pseudonym")).input(pseudonym)
    app.selectbox(key=typed(app, "site")).select("forearm, left").run()
    press(app, "Save case")


def shown_maps(app: AppTest) -> dict[str, Any]:
    """What the row of maps was given to draw."""
    for element in app.get("bidi_component"):
        if element.proto.component_name.endswith("skinlens_viewer"):
            data: dict[str, Any] = json.loads(element.proto.json)
            if not data["overlaid"]:
                return data
    raise AssertionError("the row of maps is not on the page")


def plain_label(link: Any) -> str:
    return str(link.proto.label).replace("\\", "")


def by_label(widgets: Any, label: str) -> Any:
    return next(widget for widget in widgets if widget.label == label)


@pytest.fixture
def kept(agreed: AppTest, photo: bytes) -> AppTest:
    """The app with one stored case, open."""
    upload(agreed, photo)
    keep(agreed)
    return agreed


def test_the_whole_journey(agreed: AppTest, photo: bytes, skinlens_home: Path, until: Until) -> None:
    app = agreed
    app.file_uploader[0].upload("Mrs Smith, left arm.jpg", photo, "image/jpeg").run()
    app.selectbox(key=typed(app, "impression")).select("unsure").run()
    press(app, "Show result")
    assert "cut-off" in words(app)

    turn(app, "why")
    opened = app.session_state["open_case"]
    until(app, lambda: len(opened.maps) == len(METHODS))
    app.toggle(key="technical_details").set_value(True)
    panels = {panel["key"]: panel for panel in shown_maps(app.run())["panels"]}
    assert list(panels) == ["photo", *METHODS]
    assert all(panels[method]["heat"] for method in METHODS)
    assert panels["grad_cam"]["lines"][0].startswith("Time: ")
    assert any(line.startswith("Seed: ") for line in panels["lime"]["lines"])

    turn(app, "result")
    keep(app)
    assert "Saved as case 1, with 3 maps." in read(app)
    store = CaseStore(skinlens_home)
    case = store.case(1)
    assert case.patient is not None
    assert case.patient.pseudonym == "P-7"
    assert case.lesion.body_site == "forearm"
    assert (case.visit.first_impression, case.visit.clinician_label, case.visit.notes) == ("unsure", None, "")
    assert {one.method for one in store.load(1).explanations} == set(METHODS)

    turn(app, "worklist")
    press(app, "Open case 1")
    assert "Your impression: **Not sure (before the result)**" in words(app)
    by_label(app.text_area, "Notes").input("Regular network.")
    by_label(app.selectbox, "Your diagnosis").select("nv")
    press(app, "Save and sign")
    assert store.case(1).visit.status == "signed"
    assert store.case(1).visit.notes == "Regular network."
    press(app, "Save as amendment")
    assert store.case(1).visit.status == "signed"  # nothing was changed

    turn(app, "report")
    assert app.get("download_button")[0].proto.label == "Download the PDF"
    assert "1 page, " in words(app)
    (annex,) = (one for one in app.toggle if one.label == "With annex (maps, tests, technical details)")
    assert not annex.value
    annex.set_value(True).run()
    assert re.search(r"\b[2-9] pages, ", words(app))
    report, problems = pipeline.report_content(store, 1)
    assert problems == ()
    text = "".join(page.extract_text() for page in pypdf.PdfReader(io.BytesIO(pdf.render(report))).pages)
    assert "P-7" in text
    assert "not sure" in text
    assert "Smith" not in text

    everything = zipfile.ZipFile(io.BytesIO(store.export_patient(case.patient.id)))
    assert "Smith" not in everything.read("patient.json").decode()


def test_a_case_just_saved_stays_open_and_has_all_its_parts(kept: AppTest) -> None:
    assert heading(kept) == "Case 1 · P-7 · forearm, left"
    assert "Follow-up comparison" in words(turn(kept, "compare"))
    assert "Audit log" in words(turn(kept, "more"))
    turn(kept, "worklist")
    assert "Audit log" not in words(kept)
    assert "Back to case 1" in [plain_label(one) for one in kept.get("page_link")]


def test_a_case_is_kept_without_a_patient(agreed: AppTest, photo: bytes, skinlens_home: Path) -> None:
    upload(agreed, photo)
    agreed.segmented_control(key=typed(agreed, "kind")).select("No patient").run()
    agreed.selectbox(key=typed(agreed, "site")).select("back, midline").run()
    press(agreed, "Save case")
    assert CaseStore(skinlens_home).case(1).patient is None


def test_what_cannot_be_kept_is_said_and_nothing_is_lost(agreed: AppTest, photo: bytes, skinlens_home: Path) -> None:
    upload(agreed, photo)
    agreed.text_area(key=typed(agreed, "notes")).input("Grew since May.").run()
    press(agreed, "Save case")
    assert "The case is not saved yet. Still needed: a patient ID (or choose No patient) and a body site." in read(
        agreed
    )
    assert CaseStore(skinlens_home).search(CaseQuery()).total == 0
    turn(agreed, "worklist")
    turn(agreed, "result")
    assert agreed.text_area(key=typed(agreed, "notes")).value == "Grew since May."
    keep(agreed)
    assert CaseStore(skinlens_home).case(1).visit.notes == "Grew since May."


def test_the_photo_survives_a_page_switch(agreed: AppTest, photo: bytes) -> None:
    upload(agreed, photo)
    sha256 = agreed.session_state["open_case"].analysis.photo.sha256
    for page in ("worklist", "performance", "result"):
        turn(agreed, page)
        assert agreed.session_state["open_case"].analysis.photo.sha256 == sha256
    assert "cut-off" in words(agreed)


def test_a_reloaded_page_finds_its_case_by_the_address(kept: AppTest) -> None:
    assert kept.query_params["case"] == "1"
    fresh = AppTest.from_file(kept._script_path, default_timeout=60)
    fresh.query_params["case"] = "1"
    fresh.query_params["view"] = "More"
    fresh.run().switch_page("pages/visit.py").run()
    assert heading(fresh) == "Case 1 · P-7 · forearm, left"
    assert any(button.label == "Delete this case …" for button in fresh.button), "the part that was shown"


def test_maps_of_a_stored_case_are_made_only_when_asked_and_then_kept(
    agreed: AppTest, skinlens_home: Path, until: Until
) -> None:
    kept = agreed
    analysis = pipeline.example(pipeline.load_classifier(weights_directory()))
    CaseStore(skinlens_home).save_case(analysis, NewVisit(None, NewLesion("back"), "2024-05-06"))
    press(turn(kept, "worklist"), "Open case 1")
    turn(kept, "why")
    assert all(panel["heat"] is None for panel in shown_maps(kept)["panels"])
    assert "No map is stored with this case yet." in read(kept)
    kept.segmented_control(key="case_explained").select("mel").run()
    press(kept, "Make the maps")
    store = CaseStore(skinlens_home)
    until(kept, lambda: len(store.load(1).explanations) == len(METHODS))
    assert {one.label for one in store.load(1).explanations} == {"mel"}
    until(kept, lambda: {"stability", "artefacts"} <= {one.kind for one in store.load(1).checks})

    press(turn(kept, "worklist"), "Open case 1")
    turn(kept, "why")
    panels = shown_maps(kept)["panels"]
    assert [bool(panel["heat"]) for panel in panels] == [False, True, True, True]
    kept.segmented_control(key="case_explained").select("another class").run()
    assert "Stored with this case: Grad-CAM, Score-CAM, LIME for melanoma." in read(kept)


def test_the_look_of_the_maps_changes_nothing_but_the_look(kept: AppTest) -> None:
    turn(kept, "why")
    before = shown_maps(kept)
    kept.segmented_control(key="look_style").select("contour").run()
    kept.slider(key="look_opacity_contour").set_value(35).run()
    after = shown_maps(kept)
    assert (after["style"], after["opacity"]) == ("contour", 0.35)
    assert [{**one, "contours": None} for one in after["panels"]] == [
        {**one, "contours": None} for one in before["panels"]
    ]
    drawn = [panel["contours"] for panel in after["panels"] if not panel["empty"]]
    assert drawn
    assert all(
        [line["color"] for line in lines] == ["rgb(59, 81, 138)", "rgb(34, 144, 140)", "rgb(96, 200, 96)"]
        for lines in drawn
    )


def test_a_case_of_another_model_is_shown_with_it_and_not_recomputed(
    kept: AppTest, release: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, until: Until
) -> None:
    other = tmp_path / "other"
    other.mkdir()
    for file in release.iterdir():
        (other / file.name).write_bytes(file.read_bytes())
    manifest = json.loads((other / "manifest.json").read_text())
    network = manifest["backbones"]["int8"]
    # A newer release: the same graph with a further, unknown field at its end has another hash.
    content = (other / network).read_bytes() + bytes.fromhex("9a3f00")
    (other / network).write_bytes(content)
    manifest["files"][network]["sha256"] = hashlib.sha256(content).hexdigest()
    manifest["version"] = "9.9"
    (other / "manifest.json").write_text(json.dumps(manifest))
    monkeypatch.setenv("SKINLENS_WEIGHTS", str(other))
    before = kept.session_state["open_case"].case.visit.prediction
    turn(kept, "why")
    assert "today's is 9.9. Nothing was recomputed." in read(kept)
    # What was begun with the case's own model may still be made; nothing is offered to be made anew.
    until(kept, lambda: not [panel for panel in shown_maps(kept)["panels"] if panel["action"]])
    press(turn(kept, "worklist"), "Open case 1")
    assert "today's is 9.9. Nothing was recomputed." in read(kept)
    assert kept.session_state["open_case"].case.visit.prediction == before


@pytest.mark.parametrize("day", [date(2090, 1, 31), date(1900, 1, 1) + timedelta(days=3)])
def test_a_day_to_come_is_refused_in_a_sentence_and_an_old_one_is_stored(
    agreed: AppTest, photo: bytes, skinlens_home: Path, day: date
) -> None:
    """Not by the browser, which would leave the day before in its place."""
    upload(agreed, photo)
    agreed.date_input(key=typed(agreed, "taken_on")).set_value(day).run()
    keep(agreed)
    if day.year > 2000:
        assert "The photo cannot have been taken on 2090-01-31" in read(agreed)
        assert CaseStore(skinlens_home).search().total == 0
    else:
        assert CaseStore(skinlens_home).case(1).visit.taken_on == "1900-01-04"


def test_two_visits_of_a_lesion_are_compared(kept: AppTest, photo: bytes, skinlens_home: Path) -> None:
    store = CaseStore(skinlens_home)
    first = store.case(1)
    analysis = kept.session_state["open_case"].analysis
    store.save_case(analysis, NewVisit(None, first.lesion.id, "2020-02-03"))
    press(turn(kept, "worklist"), "Open case 1")
    turn(kept, "compare")
    assert "**2020-02-03**, case 2" in words(kept)
    assert "Melanoma is unchanged" in words(kept)
    assert [panel["title"].split(": ")[1] for panel in shown_maps(kept)["panels"]][:2] == ["photo", "photo"]


def assert_no_markup(app: AppTest) -> None:
    assert not [text for text in markdown(app) if "![x](" in text or "<img src=x" in text]
    assert not [text for text in html(app) if "<img src=x" in text]


def test_what_is_typed_is_shown_as_it_is_and_never_as_markup(kept: AppTest, skinlens_home: Path) -> None:
    """A pseudonym that is a picture in Markdown would make the browser fetch it from elsewhere."""
    typed = "![x](http://elsewhere.example/x.png)<img src=x>"
    press(turn(kept, "worklist"), "Open case 1")
    turn(kept, "more")
    press(kept, "Edit patient")
    by_label(kept.text_input, "Patient ID").input(typed)
    press(kept, "Save edit")
    press(kept, "Edit lesion")
    by_label(kept.text_input, "Exact location (optional)").input(typed)
    press(kept, "Save edit")
    assert CaseStore(skinlens_home).case(1).lesion.remark == f"left, {typed}"
    press(kept, "Delete this case …")
    for page in (*VIEWS, "worklist", "patients"):
        turn(kept, page)
        assert_no_markup(kept)


def test_the_patient_is_corrected_and_a_wrong_year_is_said(kept: AppTest, skinlens_home: Path) -> None:
    turn(kept, "more")
    press(kept, "Edit patient")
    by_label(kept.text_input, "Patient ID").input("P-8")
    by_label(kept.text_input, "Birth year").input("1950")
    press(kept, "Save edit")
    patient = CaseStore(skinlens_home).patients()[0]
    assert (patient.pseudonym, patient.birth_year) == ("P-8", 1950)
    assert "P-8" in heading(kept)
    press(kept, "Edit patient")
    by_label(kept.text_input, "Patient ID").input(" ")
    press(kept, "Save edit")
    assert "pseudonym is empty" in kept.error[0].value


def test_the_history_is_searched_and_turned(kept: AppTest, skinlens_home: Path) -> None:
    store = CaseStore(skinlens_home)
    analysis = kept.session_state["open_case"].analysis
    for number in range(2, 16):
        patient = NewPatient(f"Q-{number}", 1960, "female")
        store.save_case(analysis, NewVisit(patient, NewLesion("back"), "2021-05-06"))
    turn(kept, "worklist")
    assert "**15 visits**" in words(kept)
    assert len([button for button in kept.button if button.label.startswith("Open case")]) == 12
    kept.get("pagination")[0].set_value(2).run()
    assert len([button for button in kept.button if button.label.startswith("Open case")]) == 3
    kept.text_input(key="q").input("q-13").run()
    assert "**1 visit**" in words(kept)
    kept.text_input(key="q").input("no such words").run()
    assert "No visit matches" in words(kept)


def test_a_case_is_deleted_only_after_it_was_said_what_goes(kept: AppTest, skinlens_home: Path) -> None:
    turn(kept, "more")
    press(kept, "Delete this case …")
    assert "will be erased: its photo, its maps" in words(kept)
    assert CaseStore(skinlens_home).search().total == 1
    press(kept, "Delete the case for good")
    assert CaseStore(skinlens_home).search().total == 0
    turn(kept, "worklist")
    assert "No visit is stored yet" in words(kept)
