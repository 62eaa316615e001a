"""Filing from the worklist: outlines, what is said of it, what another tab or an end of the app does to it."""

import time
from pathlib import Path
from typing import Any

import pytest
from streamlit.testing.v1 import AppTest

from skinlens import pipeline
from skinlens.clock import today
from skinlens.records import BodyPosition, Case
from skinlens.segmentation.head import load_segmentation_head, propose
from skinlens.store import CaseStore, NewLesion, NewPatient, NewVisit
from skinlens.ui.components.bodymap import Region, Spot
from skinlens.ui.forms.placement import KNOWN, NEW
from skinlens.ui.state import erasure
from skinlens.ui.worklist import filing, tray_map
from tests.app.conftest import drawn, heading, press, read, turn
from tests.app.test_worklist import at, drop, enter, reveal, tray_of
from tests.store.edits import add_patient


@pytest.fixture
def page(agreed: AppTest) -> AppTest:
    return turn(agreed, "worklist")


def labels(app: AppTest) -> list[str]:
    return [one.label for one in app.button]


def reloaded(app: AppTest) -> AppTest:
    fresh = AppTest.from_file(app._script_path, default_timeout=240)
    fresh.query_params["tray"] = app.session_state["tray_token"]
    fresh.run()
    return turn(fresh, "worklist")


def test_a_filed_photo_has_the_outline_that_the_model_drew(
    agreed: AppTest, outlined_release: Path, skinlens_home: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("SKINLENS_WEIGHTS", str(outlined_release))
    page = turn(agreed, "worklist")
    drop(page, "mole.png", drawn(1, "PNG"))
    page.text_input(key="tray_pseudonym").input("P-12").run()
    at(page, 0, "back")
    press(page, "File 1 photo")
    (kept,) = CaseStore(skinlens_home).outlines(1)
    classifier = pipeline.load_classifier(outlined_release)
    photo = pipeline.analyze(drawn(1, "PNG"), classifier).photo
    wanted = propose(classifier.engine, load_segmentation_head(outlined_release), photo).outline
    assert wanted is not None
    assert (kept.made_by, kept.points, kept.model) == ("model", wanted.points, wanted.model)


def test_what_was_filed_is_said_with_the_way_to_the_patient(page: AppTest, skinlens_home: Path) -> None:
    for seed in (1, 2):
        drop(page, f"{seed}.png", drawn(seed, "PNG"))
    page.text_input(key="tray_pseudonym").input("P-12").run()
    at(page, 0, "back")
    at(page, 1, "thigh")
    press(page, "File 2 photos")
    said = read(page)
    assert "2 photos filed as cases 1 and 2." in said
    assert "to file**" not in said
    assert not [label for label in labels(page) if label.startswith("File ")]
    page.button(key="tray_patient_of-1").click().run()
    turn(page, "patients")
    assert heading(page) == "Patient P-12"
    turn(page, "worklist")
    press(page, "Clear the filed rows")
    assert "filed as cases" not in read(page)
    assert CaseStore(skinlens_home).search().total == 2


def test_the_next_photos_begin_with_the_patient_that_was_filed(page: AppTest) -> None:
    for seed, pseudonym in ((1, "P-12"), (2, "P-13")):
        drop(page, f"{seed}.png", drawn(seed, "PNG"))
        if pseudonym == "P-13":
            assert (page.button_group(key="tray_kind").value, page.selectbox(key="tray_patient").value) == (KNOWN, 1)
            page.button_group(key="tray_kind").set_value(NEW).run()
        page.text_input(key="tray_pseudonym").input(pseudonym).run()
        at(page, -1, "back")
        press(page, "File 1 photo")
    drop(page, "3.png", drawn(3, "PNG"))
    assert page.selectbox(key="tray_patient").value == 2


def test_one_site_holds_for_all_photos_without_an_own(page: AppTest, skinlens_home: Path) -> None:
    for seed in (1, 2, 3):
        drop(page, f"{seed}.png", drawn(seed, "PNG"))
    page.text_input(key="tray_pseudonym").input("P-12").run()
    page.selectbox(key="tray_site").select("back, left").run()
    at(page, 1, "thigh, right")
    enter(page, 2, "remark", "below the scapula")
    press(page, "File 3 photos")
    store = CaseStore(skinlens_home)
    assert [(store.case(number).lesion.body_site, store.case(number).lesion.remark) for number in (1, 2, 3)] == [
        ("back", "left"), ("thigh", "right"), ("back", "left, below the scapula"),
    ]  # fmt: skip


def test_another_site_is_not_filed_without_its_exact_location(page: AppTest, skinlens_home: Path) -> None:
    drop(page, "1.png", drawn(1, "PNG"))
    page.text_input(key="tray_pseudonym").input("P-12").run()
    at(page, 0, "other site")
    press(page, "File 1 photo")
    assert "Still needed: the exact location, for another site." in read(page)
    enter(page, 0, "remark", "nail of the left thumb")
    press(page, "File 1 photo")
    lesion = CaseStore(skinlens_home).case(1).lesion
    assert (lesion.body_site, lesion.remark) == ("other site", "nail of the left thumb")


def test_a_photo_placed_on_the_map_is_filed_with_site_side_and_place(page: AppTest, skinlens_home: Path) -> None:
    drop(page, "1.png", drawn(1, "PNG"))
    page.text_input(key="tray_pseudonym").input("P-12").run()
    page.toggle(key="tray_map").set_value(True).run()
    assert "**Choose where photo 1 is.**" in read(page)
    token = tray_of(page).items[0].token
    place = BodyPosition("back", 0.4, 0.3)
    page.session_state[f"tray_pin-{token}"] = place  # as a click leaves it: AppTest runs no script of a component
    page.session_state[f"tray_site-{token}"] = "back, left"
    page.run()
    assert "**All photos are placed.**" in read(page)
    assert page.selectbox(key="tray_map_at").label == "Photo to be moved"
    press(page, "File 1 photo")
    lesion = CaseStore(skinlens_home).case(1).lesion
    assert (lesion.body_site, lesion.remark, lesion.position) == ("back", "left", place)


def test_a_site_that_is_chosen_anew_takes_the_pin_off(page: AppTest, skinlens_home: Path) -> None:
    drop(page, "1.png", drawn(1, "PNG"))
    page.text_input(key="tray_pseudonym").input("P-12").run()
    page.session_state[f"tray_pin-{tray_of(page).items[0].token}"] = BodyPosition("back", 0.4, 0.3)
    at(page, 0, "thigh, left")
    press(page, "File 1 photo")
    assert CaseStore(skinlens_home).case(1).lesion.position is None


def test_what_was_typed_survives_a_reload_and_goes_with_its_row(page: AppTest, skinlens_home: Path) -> None:
    for seed in (1, 2):
        drop(page, f"{seed}.png", drawn(seed, "PNG"))
    page.text_input(key="tray_pseudonym").input("P-12").run()
    at(page, 0, "thigh, left")
    enter(page, 0, "remark", "inner side")
    first, second = (item.token for item in tray_of(page).items)
    reveal(page, 0)
    page.selectbox(key=f"tray_label-{first}").select("nv").run()
    page.checkbox(key=f"tray_own-{second}").check().run()
    enter(page, 1, "pseudonym", "P-13")
    again = reloaded(page)
    assert again.text_input(key="tray_pseudonym").value == "P-12"
    assert again.selectbox(key=f"tray_site-{first}").value == "thigh, left"
    assert again.text_input(key=f"tray_remark-{first}").value == "inner side"
    assert again.selectbox(key=f"tray_label-{first}").value == "nv"
    assert again.text_input(key=f"tray_pseudonym-{second}").value == "P-13"
    press(again, "File 1 photo")
    assert CaseStore(skinlens_home).case(1).lesion == CaseStore(skinlens_home).lesions(1)[0]
    assert not [key for key in tray_of(again).typed if key.endswith(first)]
    assert tray_of(again).typed[f"tray_pseudonym-{second}"] == "P-13"
    next(one for one in again.button if one.key == f"tray_discard-{second}").click().run()
    press(again, "Undo")
    assert again.text_input(key=f"tray_pseudonym-{second}").value == "P-13"
    erasure.erase_patient(CaseStore(skinlens_home), 1)
    assert "P-12" not in str(tray_of(again).typed)


def erasing(monkeypatch: pytest.MonkeyPatch, store: CaseStore, before: int) -> None:
    """Have another tab erase patient 1 just before that photo is saved, counted from 1."""
    saved, save = [], CaseStore.save_case

    def first_erase(*entries: Any, **named: Any) -> Case:
        saved.append(1)
        if len(saved) == before:
            erasure.erase_patient(store, 1)
        return save(*entries, **named)

    monkeypatch.setattr(CaseStore, "save_case", first_erase)


def test_a_patient_who_is_erased_while_photos_are_filed_is_said_and_the_rows_stay(
    page: AppTest, skinlens_home: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    store = CaseStore(skinlens_home)
    for seed in (1, 2, 3):
        drop(page, f"{seed}.png", drawn(seed, "PNG"))
    page.text_input(key="tray_pseudonym").input("P-12").run()
    for number, place in enumerate(("back", "thigh", "scalp")):
        at(page, number, place)
    erasing(monkeypatch, store, before=2)
    press(page, "File 3 photos")
    said = read(page)
    assert "1 photo of these was deleted after that." in said
    assert "2 of 3 photos not filed. They stay in the list with all that was typed." in said
    assert said.count(f"Not filed. {filing.GONE}") == 2
    items = tray_of(page).items
    assert [(item.name, item.state) for item in items] == [("2.png", "read"), ("3.png", "read")]
    assert page.selectbox(key=f"tray_site-{items[1].token}").value == "scalp, midline"
    assert store.patients() == ()
    assert page.text_input(key="tray_pseudonym").value == "P-12"
    page.text_input(key="tray_pseudonym").input("P-13").run()
    press(page, "File 2 photos")
    assert "2 photos filed as cases 2 and 3." in read(page)
    assert [one.pseudonym for one in store.patients()] == ["P-13"]


def test_a_chosen_patient_who_is_erased_in_another_tab_is_said(page: AppTest, skinlens_home: Path) -> None:
    store = CaseStore(skinlens_home)
    for name in ("A-1", "P-12"):
        add_patient(store, name)
    drop(page, "1.png", drawn(1, "PNG"))
    page.segmented_control(key="tray_kind").select("Existing patient").run()
    page.selectbox(key="tray_patient").select(2).run()
    at(page, 0, "back")
    store.delete_patient(2)
    page.run()
    assert "The patient who was chosen here was deleted in this or in another window." in read(page)
    press(page, "File 1 photo")
    assert "Still needed: the patient." in read(page)
    page.selectbox(key="tray_patient").select(1).run()
    assert "was deleted" not in read(page)
    press(page, "File 1 photo")
    assert store.case(1).patient == store.patient(1)


def test_a_filing_goes_on_when_its_page_is_run_again(
    page: AppTest, skinlens_home: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A click in the middle of it, or an erasure elsewhere, runs the page anew."""
    for seed in (1, 2):
        drop(page, f"{seed}.png", drawn(seed, "PNG"))
    tray, store = tray_of(page), CaseStore(skinlens_home)
    save = CaseStore.save_case

    def slowly(*entries: Any, **named: Any) -> Case:
        time.sleep(0.3)
        return save(*entries, **named)

    monkeypatch.setattr(CaseStore, "save_case", slowly)
    classifier = pipeline.load_classifier(pipeline.weights_directory())
    wanted = [filing.Filing(item, NewPatient("P-12"), NewLesion("back", "left"), today()) for item in tray.items]
    run = filing.Run(store, tray, wanted, "", lambda data: pipeline.analyze(data, classifier))
    assert [item.state for item in tray.items] == ["filing", "filing"]
    page.run()  # which waits for its end
    assert "2 photos filed as cases 1 and 2." in read(page)
    assert run.done == run.total == 2
    assert store.unfinished_filings() == ()


def test_a_filing_that_an_end_of_the_app_cut_short_is_told_at_the_next_start(
    page: AppTest, skinlens_home: Path
) -> None:
    store = CaseStore(skinlens_home)
    classifier = pipeline.load_classifier(pipeline.weights_directory())
    analysis = pipeline.analyze(drawn(1, "PNG"), classifier)
    store.note_filing("cut short", 12, [])
    store.save_case(analysis, NewVisit(None, NewLesion("back"), "2024-05-06"))
    page.run()
    assert "1 of 12 photos was filed before SkinLens was ended, as case 1. The other 11 are not stored" in read(page)
    drop(page, "1.png", drawn(1, "PNG"))
    page.selectbox(key="tray_site").select("back, left").run()
    assert not [one for one in labels(page) if one.startswith("File ")]  # it is a case already, and is not filed twice
    token = tray_of(page).items[0].token
    page.checkbox(key=f"tray_again-{token}").check().run()
    assert "File 1 photo" in labels(page)
    press(page, "Understood")
    assert "before SkinLens was ended" not in read(page)
    assert store.unfinished_filings() == ()


def test_how_far_a_filing_came_in_words() -> None:
    assert filing.words(12, [41, 42, 43]).startswith(
        "3 of 12 photos were filed before SkinLens was ended, as cases 41 to 43. The other 9 are not stored"
    )
    assert filing.words(2, [5]).startswith(
        "1 of 2 photos was filed before SkinLens was ended, as case 5. The other one"
    )
    assert filing.words(2, []).startswith("0 of 2 photos were filed before SkinLens was ended. They are not stored")
    assert "Nothing is missing" in filing.words(2, [1, 2])
    assert filing.numbered([9, 4, 5, 6, 7]) == "cases 4 to 7, 9"
    assert filing.numbered([1, 2]) == "cases 1 and 2"


def test_a_click_on_the_map_fills_in_the_next_photo(page: AppTest, monkeypatch: pytest.MonkeyPatch) -> None:
    for seed in (1, 2):
        drop(page, f"{seed}.png", drawn(seed, "PNG"))
    items = tray_of(page).items
    state: dict[str, Any] = {}
    monkeypatch.setattr(tray_map.st, "session_state", state)
    numbered = dict(enumerate(items, 1))
    assert tray_map._next(numbered) == 1
    tray_map._spotted(numbered, 1, Spot(None, BodyPosition("back", 0.3, 0.7), Region("thigh", "left")))
    assert state[f"tray_site-{items[0].token}"] == "thigh, left"
    done = state["tray_map_done"]
    assert (done.number, done.words) == (1, "thigh, left (back)")
    assert tray_map._next(numbered) == 2
    state["tray_map_at"] = 1  # a click on its pin
    assert tray_map._next(numbered) == 1
    tray_map._spotted(numbered, 2, Spot(None, BodyPosition("back", 0.4, 0.6), Region("thigh", "left")))
    assert state["tray_map_at"] is None
    tray_map._spotted(numbered, None, Spot(None, BodyPosition("front", 0.4, 0.6), Region("chest", "")))
    assert state["tray_map_done"].number == 2  # a place for nobody moves none


def test_a_photo_placed_on_the_map_says_where_and_can_be_taken_back(page: AppTest) -> None:
    drop(page, "1.png", drawn(1, "PNG"))
    at(page, 0, "scalp")
    page.toggle(key="tray_map").set_value(True).run()
    token, place = tray_of(page).items[0].token, BodyPosition("back", 0.3, 0.7)
    page.session_state[f"tray_pin-{token}"] = place  # as a click leaves it: AppTest runs no script of a component
    page.session_state[f"tray_site-{token}"] = "thigh, left"
    page.session_state["tray_map_done"] = tray_map.Done(1, place, "thigh, left (back)", None, "scalp, midline")
    page.run()
    assert "Photo 1 placed: thigh, left (back)." in read(page)
    page.button(key="tray_map_undo").click().run()
    assert "placed: thigh" not in read(page)
    assert f"tray_pin-{token}" not in page.session_state
    assert page.selectbox(key=f"tray_site-{token}").value == "scalp, midline"
