"""The page of a visit: the outline over the photo, settings that are read once, a report that follows them."""

import io
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pypdf
import pytest
from streamlit.testing.v1 import AppTest

from skinlens import pipeline
from skinlens.records import Case
from skinlens.segmentation.contour import drawn_by_clinician
from skinlens.store import CaseStore, NewLesion, NewPatient, NewVisit
from skinlens.ui.state import cache
from skinlens.ui.state.jobs import SessionQueue
from skinlens.ui.visit import photo as visit_photo
from tests.app.conftest import press, read, turn, typed, words
from tests.app.test_journey import shown_maps
from tests.store.edits import edit


@pytest.fixture
def store(skinlens_home: Path) -> CaseStore:
    return CaseStore(skinlens_home)


def saved(store: CaseStore, day: str, before: Case | None = None, *, outlined: bool = True) -> Case:
    """A visit of one lesion, with an outline, on a photo that is 25.4 mm wide."""
    analysis = pipeline.example(pipeline.load_classifier(pipeline.weights_directory()))
    patient: Any = NewPatient("P-7", 1961, "female") if before is None else before.patient.id  # type: ignore[union-attr]
    lesion: Any = NewLesion("forearm") if before is None else before.lesion.id
    case = store.save_case(analysis, NewVisit(patient, lesion, day))
    if outlined:
        points = [(0.5 + 0.3 * np.cos(turn), 0.5 + 0.3 * np.sin(turn)) for turn in np.linspace(0, 6.2, 24)]
        drawn = drawn_by_clinician(points, analysis.photo, case.visit.prediction.model)
        store.keep_outlines(case.visit.id, [drawn], expected=())
    return edit(store, case.visit.id, field_width_mm=25.4, expected_version=case.visit.version)


def opened(app: AppTest, number: int) -> AppTest:
    return press(turn(app, "worklist"), f"Open case {number}")


def test_the_outline_is_drawn_over_the_photo_and_taken_off(agreed: AppTest, store: CaseStore) -> None:
    saved(store, "2024-05-06")
    app = opened(agreed, 1)
    (panel,) = shown_maps(app)["panels"]
    assert panel["outline"] is None
    app.toggle(key=visit_photo.OUTLINE).set_value(True).run()
    (panel,) = shown_maps(app)["panels"]
    first = panel["outline"].removeprefix("M").split("L")[0].split()
    assert [float(share) for share in first] == pytest.approx([0.8, 0.5], abs=1e-3)
    assert panel["outline"].endswith("Z")
    assert panel["alt"].endswith("with the outline of the lesion")
    app.toggle(key=visit_photo.OUTLINE).set_value(False).run()
    assert shown_maps(app)["panels"][0]["outline"] is None


def test_without_an_outline_the_switch_is_off(agreed: AppTest, store: CaseStore) -> None:
    saved(store, "2024-05-06", outlined=False)
    app = opened(agreed, 1)
    assert app.toggle(key=visit_photo.OUTLINE).disabled
    assert shown_maps(app)["panels"][0]["outline"] is None


def test_the_settings_are_read_once_a_run(agreed: AppTest, store: CaseStore, monkeypatch: pytest.MonkeyPatch) -> None:
    saved(store, "2024-05-06")
    app = opened(agreed, 1)
    real, calls = CaseStore.settings, []
    monkeypatch.setattr(CaseStore, "settings", lambda self: calls.append(1) or real(self))
    app.run()
    assert len(calls) == 1
    turn(app, "worklist")
    calls.clear()
    app.run()
    assert len(calls) == 1


def test_the_model_is_named_by_its_version_alone(agreed: AppTest, store: CaseStore) -> None:
    name = saved(store, "2024-05-06").visit.prediction.model.name
    app = opened(agreed, 1)
    assert "Model version " in read(app)
    assert name not in words(app)


def test_a_report_that_is_offered_follows_the_unit(
    agreed: AppTest, store: CaseStore, monkeypatch: pytest.MonkeyPatch
) -> None:
    first = saved(store, "2024-05-06")
    saved(store, "2024-08-06", first)
    given: list[bytes] = []
    make = cache.report

    def spied(*args: Any, **wanted: Any) -> Any:
        made = make(*args, **wanted)
        given.append(made[0])
        return made

    monkeypatch.setattr(cache, "report", spied)
    app = turn(opened(agreed, 2), "report")
    assert " mm before" in printed(given[-1])
    before = store.settings()
    store.keep_settings(replace(before, unit="inch"), read=before)
    app.run()
    assert " in before" in printed(given[-1])
    assert " mm before" not in printed(given[-1])
    assert not app.exception


def printed(data: bytes) -> str:
    text = "".join(page.extract_text() for page in pypdf.PdfReader(io.BytesIO(data)).pages)
    return " ".join(text.replace("\u00a0", " ").split())


def test_a_control_without_a_choice_shows_what_it_begins_with(agreed: AppTest) -> None:
    """A browser can send none for a control that is drawn again just then, also where a choice is required."""
    press(agreed, "Try the example")
    press(agreed, "Show result")
    label = agreed.session_state["open_case"].label
    agreed.session_state["overlay"] = None
    assert not agreed.run().exception
    turn(agreed, "why")
    agreed.session_state["case_explained"] = agreed.session_state["look_style"] = None
    assert not agreed.run().exception
    assert agreed.session_state["open_case"].label == label
    assert agreed.slider(key="look_opacity_heat").value == 40


def test_whoever_turns_to_the_maps_is_served_first(agreed: AppTest, monkeypatch: pytest.MonkeyPatch) -> None:
    looked: list[str] = []
    monkeypatch.setattr(SessionQueue, "look", lambda queue: looked.append("why"))
    press(agreed, "Try the example")
    press(agreed, "Show result")
    assert looked == []
    turn(agreed, "why")
    assert looked == ["why"]


def test_another_button_does_not_bring_a_refusal_back(agreed: AppTest, store: CaseStore) -> None:
    saved(store, "2024-05-06", outlined=False)
    app = press(opened(agreed, 1), "Save and sign")
    assert "Not signed yet" in read(app)
    press(app, "Save draft")
    assert "Not signed yet" not in read(app)
    assert store.case(1).visit.status == "draft"


def test_what_is_handed_out_says_what_is_not_saved_in_it(agreed: AppTest, store: CaseStore) -> None:
    saved(store, "2024-05-06", outlined=False)
    app, said = opened(agreed, 1), "for you have entered it and not saved it: diagnosis, notes."
    for part in ("report", "more"):
        assert said not in read(turn(app, part))
    turn(app, "result")
    app.selectbox(key=typed(app, "clinical_label")).select("mel").run()
    app.text_area(key=typed(app, "clinical_notes")).input("Grew since May.").run()
    assert f"Not in this report, {said}" in read(turn(app, "report"))
    assert f"Not in this patient's export of case 1, {said}" in read(turn(app, "more"))
    app.query_params["patient"] = "1"
    assert f"export of case 1, {said}" in read(turn(app, "patients"))
    turn(app, "result")
    press(app, "Save draft")
    assert "not saved it" not in read(turn(app, "report"))


def test_criteria_that_are_not_saved_are_in_sight_where_they_are_to_be_saved(agreed: AppTest, store: CaseStore) -> None:
    saved(store, "2024-05-06", outlined=False)

    def unfolded(app: AppTest) -> bool:
        return next(part for part in app.expander if part.label == "Criteria").proto.expanded

    app = opened(agreed, 1)
    assert not unfolded(app)
    app.text_area(key=typed(app, "clinical_pattern")).input("Blue-white veil.").run()
    assert "for you have entered it and not saved it: pattern." in read(turn(app, "report"))
    press(app, "Go back and save it")
    assert unfolded(app)


def test_a_map_that_is_asked_for_over_a_stored_photo_is_made_and_one_by_the_settings_is_not(
    agreed: AppTest, store: CaseStore, until: Callable[[AppTest, Callable[[], bool]], None]
) -> None:
    before = store.settings()
    store.keep_settings(replace(before, overlay="lime"), read=before)
    saved(store, "2024-05-06", outlined=False)
    app = opened(agreed, 1)
    (panel,) = shown_maps(app)["panels"]
    assert (panel["note"], panel["action"], panel["title"]) == ("Not made yet", "make", "LIME")
    case = app.session_state["open_case"]
    assert (case.maps, app.session_state["queue"].busy) == ([], False)
    app.button_group(key=visit_photo.OVERLAY).set_value("grad_cam").run()
    until(app, lambda: bool(case.maps))
    assert [made.method for made in store.load(1).explanations] == ["grad_cam"]
    until(app, lambda: bool(shown_maps(app)["panels"][0]["heat"]))
