"""The worklist: every dropped file has its row until it is filed or discarded, also after a reload."""

import gc
import weakref
from dataclasses import replace
from datetime import date
from pathlib import Path

import pytest
from streamlit.testing.v1 import AppTest

from skinlens import pipeline
from skinlens.case_record import Analysis
from skinlens.clock import today
from skinlens.errors import UnreadableImage
from skinlens.inference.release import weights_directory
from skinlens.store import CaseQuery, CaseStore
from skinlens.ui.state import cache, erasure, session
from skinlens.ui.worklist import page as worklist_page
from skinlens.ui.worklist import tray
from skinlens.ui.worklist.tray import Tray, TrayItem
from tests.app.conftest import drawn, press, read, turn


@pytest.fixture
def page(agreed: AppTest) -> AppTest:
    return turn(agreed, "worklist")


def drop(app: AppTest, name: str, data: bytes) -> None:
    app.file_uploader[0].upload(name, data, "image/png").run()
    tray_of(app).wait()
    app.run()


def tray_of(app: AppTest) -> Tray:
    found = session.TRAYS.find(app.session_state["tray_token"])
    assert found is not None
    return found


SITES = {"back": "back, midline", "thigh": "thigh, left", "scalp": "scalp, midline"}


def at(app: AppTest, number: int, place: str) -> None:
    """Choose the body site of a row."""
    token = tray_of(app).items[number].token
    app.selectbox(key=f"tray_site-{token}").select(SITES.get(place, place)).run()


def reveal(app: AppTest, number: int) -> str:
    """Have the result of a row shown without an impression; its token."""
    token = tray_of(app).items[number].token
    app.button(key=f"tray_show-{token}").click().run()
    return token


def enter(app: AppTest, number: int, name: str, value: str) -> None:
    token = tray_of(app).items[number].token
    app.text_input(key=f"tray_{name}-{token}").input(value).run()


def test_twelve_photos_of_one_patient_are_filed_with_one_button(page: AppTest, skinlens_home: Path) -> None:
    for seed in range(3):
        drop(page, f"mole {seed}.png", drawn(seed, "PNG"))
    assert "**3 photos to file**" in read(page)
    page.text_input(key="tray_pseudonym").input("P-12").run()
    for number, place in enumerate(("back", "thigh", "scalp")):
        at(page, number, place)
    token = reveal(page, 1)
    page.selectbox(key=f"tray_label-{token}").select("nv").run()
    page.checkbox(key=f"tray_sign-{token}").check().run()
    press(page, "File 3 photos")
    store = CaseStore(skinlens_home)
    cases = [store.case(number) for number in (1, 2, 3)]
    assert {case.patient and case.patient.pseudonym for case in cases} == {"P-12"}
    assert [case.lesion.body_site for case in cases] == ["back", "thigh", "scalp"]
    assert [(case.visit.status, case.visit.clinician_label) for case in cases] == [
        ("draft", None),
        ("signed", "nv"),
        ("draft", None),
    ]
    assert "3 photos filed as cases 1 to 3." in read(page)
    assert "Filed as case 2" in read(page)
    assert [item.data for item in tray_of(page).items] == [b"", b"", b""]
    press(page, "Clear the filed rows")
    assert tray_of(page).items == ()


def test_a_file_that_cannot_be_read_has_its_row_and_its_sentence(page: AppTest) -> None:
    drop(page, "letter.png", b"Dear colleague, thank you for")
    drop(page, "mole.png", drawn(1, "PNG"))
    said = read(page)
    assert "**letter.png**" in said
    assert tray_of(page).items[0].problem in said.replace("  \n", "\n")
    assert "**1 photo to file**" in said


def test_nothing_is_filed_without_a_patient_or_a_site(page: AppTest, skinlens_home: Path) -> None:
    drop(page, "mole.png", drawn(1, "PNG"))
    assert not [one for one in page.button if one.key == "tray_file"]
    assert "1 without a body site: it stays in the list." in read(page)
    at(page, 0, "back")
    press(page, "File 1 photo")
    assert "Still needed: a patient ID" in read(page)
    assert CaseStore(skinlens_home).search(CaseQuery()).total == 0
    assert page.selectbox(key=f"tray_site-{tray_of(page).items[0].token}").value == "back, midline"


def test_a_photo_that_is_stored_already_is_not_said_to_lack_a_body_site(page: AppTest) -> None:
    drop(page, "mole.png", drawn(1, "PNG"))
    at(page, 0, "back")
    page.text_input(key="tray_pseudonym").set_value("P-7").run()
    press(page, "File 1 photo")
    press(page, "Clear the filed rows")
    drop(page, "mole.png", drawn(1, "PNG"))
    drop(page, "mole.png", drawn(2, "PNG"))
    at(page, 0, "back")
    assert "1 stored already, 1 without a body site: they stay in the list." in read(page)


def test_a_reloaded_page_has_its_photos_again(page: AppTest) -> None:
    drop(page, "mole.png", drawn(1, "PNG"))
    token = page.session_state["tray_token"]
    assert page.query_params["tray"] == token
    again = AppTest.from_file(page._script_path, default_timeout=240)
    again.query_params["tray"] = token
    again.run()
    turn(again, "worklist")
    assert [item.name for item in tray_of(again).items] == ["mole.png"]
    assert "**1 photo to file**" in read(again)


def test_what_was_discarded_can_be_put_back(page: AppTest) -> None:
    drop(page, "mole.png", drawn(1, "PNG"))
    press(page, "Discard")
    assert tray_of(page).items == ()
    assert "Discarded: mole.png" in read(page)
    press(page, "Undo")
    assert [item.state for item in tray_of(page).items] == ["read"]


def test_a_row_is_opened_on_its_own_page(page: AppTest) -> None:
    drop(page, "mole.png", drawn(1, "PNG"))
    press(page, "Open photo")
    assert page.session_state["open_case"].photo_sha256 == tray_of(page).items[0].photo_sha256


def test_a_tray_takes_no_more_than_it_may_hold(monkeypatch: pytest.MonkeyPatch) -> None:
    def refuse(data: bytes) -> Analysis:
        raise UnreadableImage("This is no photo.")

    monkeypatch.setattr(tray, "MOST_FILES", 2)
    made = Tray(refuse, lambda _: b"")
    made.add([(f"{number}.png", b"x") for number in range(3)])
    made.wait()
    assert [item.problem for item in made.items] == ["This is no photo.", "This is no photo.", tray.FULL]
    assert made.held_bytes == 0


def test_melanoma_comes_first_and_what_was_not_read_last(agreed: AppTest) -> None:
    analysis = pipeline.example(pipeline.load_classifier(weights_directory()))
    sure = replace(analysis.prediction, probs=(0.0, 0.0, 0.0, 0.0, 1.0, 0.0, 0.0))
    rows = [
        TrayItem("waiting", b""),
        TrayItem("example", b"", "read", quality=analysis.quality, prediction=analysis.prediction, revealed=True),
        TrayItem("hidden", b"", "read", quality=analysis.quality, prediction=sure),
        TrayItem("sure", b"", "read", quality=analysis.quality, prediction=sure, revealed=True),
    ]
    ranked = sorted(rows, key=lambda one: -one.melanoma_prob)
    assert [one.name for one in ranked] == ["sure", "example", "waiting", "hidden"]
    assert worklist_page.verdict(analysis.quality, sure).startswith("Suspicious for melanoma (100.0")


def test_what_was_filed_and_then_erased_is_in_no_row(page: AppTest, skinlens_home: Path) -> None:
    for seed in (1, 2):
        drop(page, f"mole {seed}.png", drawn(seed, "PNG"))
    drop(page, "again.png", drawn(1, "PNG"))
    page.text_input(key="tray_pseudonym").input("P-12").run()
    at(page, 0, "back")
    press(page, "File 1 photo")
    held = weakref.ref(tray_of(page).items[0])
    store = CaseStore(skinlens_home)
    patient = store.case(1).patient
    assert patient is not None
    erasure.erase_patient(store, patient.id)
    page.run()
    assert [item.name for item in tray_of(page).items] == ["mole 2.png"]
    gc.collect()
    assert held() is None


def test_a_photo_of_a_known_lesion_becomes_its_next_visit(page: AppTest, skinlens_home: Path) -> None:
    store = CaseStore(skinlens_home)
    drop(page, "first.png", drawn(1, "PNG"))
    page.text_input(key="tray_pseudonym").input("P-12").run()
    at(page, 0, "back")
    press(page, "File 1 photo")
    press(page, "Clear the filed rows")
    drop(page, "again.png", drawn(2, "PNG"))
    drop(page, "new.png", drawn(3, "PNG"))
    again, other = (item.token for item in tray_of(page).items)
    assert page.segmented_control(key="tray_kind").value == "Existing patient"
    assert page.selectbox(key=f"tray_lesion_1-{again}").options == ["New lesion", "back, midline"]
    page.selectbox(key=f"tray_lesion_1-{again}").select(1).run()
    assert not [one for one in page.text_input if one.key == f"tray_remark-{again}"]
    page.selectbox(key=f"tray_site-{other}").select("thigh, left").run()
    press(page, "File 2 photos")
    assert [(visit.id, visit.lesion_id) for visit in store.visits_of_lesion(1)] == [(1, 1), (2, 1)]
    assert store.case(3).lesion.body_site == "thigh"
    assert {store.case(number).patient.pseudonym for number in (1, 2, 3)} == {"P-12"}  # type: ignore[union-attr]


def test_one_photo_can_have_a_patient_and_a_day_of_its_own(page: AppTest, skinlens_home: Path) -> None:
    for seed in (1, 2, 3):
        drop(page, f"{seed}.png", drawn(seed, "PNG"))
    page.text_input(key="tray_pseudonym").input("P-12").run()
    for number in range(3):
        at(page, number, "back")
    for number in (1, 2):
        token = tray_of(page).items[number].token
        page.checkbox(key=f"tray_own-{token}").check().run()
        page.date_input(key=f"tray_date-{token}").set_value(date(2024, 5, 31)).run()
    press(page, "File 3 photos")
    assert "Nothing is filed yet. Still needed: a patient ID" in read(page)
    for number in (1, 2):
        enter(page, number, "pseudonym", "P-13")
    press(page, "File 3 photos")
    store = CaseStore(skinlens_home)
    assert [(store.case(number).patient.pseudonym, store.case(number).visit.taken_on) for number in (1, 2, 3)] == [  # type: ignore[union-attr]
        ("P-12", today().isoformat()), ("P-13", "2024-05-31"), ("P-13", "2024-05-31"),
    ]  # fmt: skip
    assert len(store.patients()) == 2


def test_who_signs_is_asked_where_the_clinic_has_a_list(page: AppTest, skinlens_home: Path) -> None:
    store = CaseStore(skinlens_home)
    before = store.settings()
    store.keep_settings(replace(before, signers=("Dr. Ada", "Dr. Bo")), read=before)
    drop(page, "1.png", drawn(1, "PNG"))
    page.text_input(key="tray_pseudonym").input("P-12").run()
    at(page, 0, "back")
    token = reveal(page, 0)
    page.selectbox(key=f"tray_label-{token}").select("nv").run()
    page.checkbox(key=f"tray_sign-{token}").check().run()
    press(page, "File 1 photo")
    assert "Not signed yet: choose who signs" in read(page)
    assert store.search().total == 0
    next(one for one in page.selectbox if one.label == "Signed by").select("Dr. Bo").run()
    press(page, "File 1 photo")
    assert (store.case(1).visit.status, store.case(1).visit.signed_by) == ("signed", "Dr. Bo")


def test_what_cannot_be_signed_is_not_stored(page: AppTest, skinlens_home: Path) -> None:
    store = CaseStore(skinlens_home)
    drop(page, "1.png", drawn(1, "PNG"))
    drop(page, "2.png", drawn(1, "PNG"))
    assert "The same photo as number 1 of this list." in read(page)
    page.text_input(key="tray_pseudonym").input("P-12").run()
    at(page, 0, "back")
    first, second = (item.token for item in tray_of(page).items)
    reveal(page, 0)
    page.checkbox(key=f"tray_sign-{first}").check().run()
    press(page, "File 1 photo")
    assert "To sign a photo, give your diagnosis in its row." in read(page)
    page.checkbox(key=f"tray_sign-{first}").uncheck().run()
    page.checkbox(key=f"tray_own-{second}").check().run()
    enter(page, 1, "pseudonym", "p-12")
    at(page, 1, "back")
    press(page, "File 2 photos")
    assert "P-12 and p-12: if this is one patient, give the same ID" in read(page)
    assert store.search().total == 0


def test_the_result_is_shown_after_the_impression_and_the_case_says_which_came_first(
    page: AppTest, skinlens_home: Path
) -> None:
    for seed in (1, 2, 3):
        drop(page, f"{seed}.png", drawn(seed, "PNG"))
    page.text_input(key="tray_pseudonym").input("P-12").run()
    said = read(page)
    assert said.count("Result: after your impression") == 3
    assert "elanoma" not in said
    first = tray_of(page).items[0].token
    page.selectbox(key=f"tray_impression-{first}").select("mel").run()
    said = read(page)
    assert "Your impression: Melanoma (before the result)" in said
    assert said.count("Result: after your impression") == 2
    assert page.selectbox(key=f"tray_label-{first}").value is None  # said after the result, not before it
    page.button(key=f"tray_as_impression-{first}").click().run()
    assert page.selectbox(key=f"tray_label-{first}").value == "mel"
    assert "Use melanoma as my diagnosis" not in [button.label for button in page.button]
    page.selectbox(key=f"tray_label-{first}").select("nv").run()
    reveal(page, 1)
    assert "Your impression: none (the result was shown first)" in read(page)
    for number in range(3):
        at(page, number, "back")
    press(page, "File 3 photos")
    visits = [CaseStore(skinlens_home).case(number).visit for number in (1, 2, 3)]
    assert [(one.first_impression, one.result_first, one.clinician_label) for one in visits] == [
        ("mel", False, "nv"), (None, True, None), (None, False, None),
    ]  # fmt: skip
    turn(page, "worklist")
    press(page, "Open case 2")
    assert "Your impression: **none (the result was shown first)**" in read(page)


def test_what_was_said_in_a_row_holds_on_the_photos_own_page_and_back(page: AppTest) -> None:
    for seed in (1, 2):
        drop(page, f"{seed}.png", drawn(seed, "PNG"))
    shown, hidden = tray_of(page).items
    page.selectbox(key=f"tray_impression-{shown.token}").select("bkl").run()
    page.button(key=f"tray_open-{shown.token}").click().run()
    turn(page, "visit")
    opened = page.session_state["open_case"]
    assert (opened.revealed, opened.impression, opened.result_first) == (True, "bkl", False)
    turn(page, "worklist")
    page.button(key=f"tray_open-{hidden.token}").click().run()
    turn(page, "visit")
    assert page.session_state["open_case"].revealed is False
    press(page, "Show result")
    assert (hidden.revealed, hidden.impression, hidden.result_first) == (True, None, True)


def test_a_clinic_that_wants_the_results_at_once_has_them_and_its_cases_say_so(
    page: AppTest, skinlens_home: Path
) -> None:
    store = CaseStore(skinlens_home)
    before = store.settings()
    store.keep_settings(replace(before, impression_first=False), read=before)
    drop(page, "1.png", drawn(1, "PNG"))
    said = read(page)
    assert "Result: after your impression" not in said
    assert "Your impression: none (the result was shown first)" in said
    page.text_input(key="tray_pseudonym").input("P-12").run()
    at(page, 0, "back")
    press(page, "File 1 photo")
    assert store.case(1).visit.result_first is True


def test_all_results_can_be_shown_at_once(page: AppTest) -> None:
    for seed in (1, 2):
        drop(page, f"{seed}.png", drawn(seed, "PNG"))
    press(page, "Show result of all 2")
    assert [item.result_first for item in tray_of(page).items] == [True, True]
    assert "Result: after your impression" not in read(page)


def test_a_photo_is_read_beside_the_page_without_a_word_of_streamlits(
    release: Path, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    """Also the first one after the start, which has the model loaded."""
    monkeypatch.setenv("SKINLENS_WEIGHTS", str(release))
    cache._classifier.clear()
    fresh = worklist_page.new_tray()
    fresh.add([("mole.jpg", drawn(1, "JPEG"))])
    fresh.wait()
    assert [item.state for item in fresh.items] == ["read"]
    assert "ScriptRunContext" not in caplog.text
