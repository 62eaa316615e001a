"""Two tabs on one case lose nothing: both texts are shown, the clinician chooses. A case is moved, with its trail."""

from pathlib import Path

import pytest
from streamlit.testing.v1 import AppTest

from skinlens import pipeline
from skinlens.errors import Conflict
from skinlens.inference.release import weights_directory
from skinlens.store import CaseStore, ClinicianReading, NewLesion, NewPatient, NewVisit
from skinlens.ui.forms import conflicts
from skinlens.ui.forms.conflicts import Difference
from tests.app.conftest import heading, press, read, turn, typed

CHANGED = "This was changed in another window"


@pytest.mark.parametrize(
    ("was", "stored", "mine", "proposed"),
    [("a", "b", "a", "stored"), ("a", "a", "b", "mine"), ("a", "b", "c", None), (None, "nv", None, "stored")],
)
def test_only_a_field_that_both_changed_is_left_open(
    was: str | None, stored: str | None, mine: str | None, proposed: str | None
) -> None:
    assert Difference("notes", was, stored, mine).proposed == proposed


def test_what_was_chosen_is_every_field() -> None:
    fields = {"notes": ("Grew.", "Itches."), "clinician_label": ("nv", "mel"), "clinician_diagnosis": ("x", "y")}
    conflict = Conflict("changed", subject="visit", number=1, version=4, fields=fields)
    mine = {"notes": "Itches.", "clinician_label": "mel", "clinician_diagnosis": "y"}
    held = conflicts.pending(conflict, {"notes": "", "clinician_label": None, "clinician_diagnosis": ""}, mine)
    assert held.version == 4
    assert held.settled({"notes": "both", "clinician_label": "stored", "clinician_diagnosis": "mine"}) == {
        "notes": "Grew.\n\nItches.",
        "clinician_label": "nv",
        "clinician_diagnosis": "y",
    }


def test_both_are_offered_only_of_texts_that_are_there() -> None:
    assert Difference("notes", "", "a", "b").choices == ("stored", "mine", "both")
    assert Difference("notes", "a", "", "b").choices == ("stored", "mine")
    assert Difference("sex", "unknown", "male", "female").choices == ("stored", "mine")


@pytest.fixture
def tabs(agreed: AppTest, skinlens_home: Path) -> tuple[AppTest, AppTest, CaseStore]:
    """Two tabs with case 1 (P-7, forearm) open in the history; A-1 has a lesion too (2: scalp)."""
    store = CaseStore(skinlens_home)
    analysis = pipeline.example(pipeline.load_classifier(weights_directory()))
    for pseudonym, site in (("P-7", "forearm"), ("A-1", "scalp")):
        patient = NewPatient(pseudonym, 1961, "female")
        store.save_case(analysis, NewVisit(patient, NewLesion(site), "2024-05-06"))
    other = AppTest.from_file(agreed._script_path, default_timeout=60).run()
    for app in (agreed, other):
        turn(app, "worklist")
        press(app, "Open case 1")
    return agreed, other, store


def managed(tabs: tuple[AppTest, AppTest, CaseStore]) -> tuple[AppTest, AppTest, CaseStore]:
    """The same, with the part of the page open where patient and lesion are edited and the case is moved."""
    for app in tabs[:2]:
        turn(app, "more")
    return tabs


def field(app: AppTest, label: str) -> str:
    found = [one for one in (*app.text_input, *app.text_area) if one.label == label]
    value: str = found[-1].value
    return value


def fill(app: AppTest, label: str, value: str) -> None:
    next(one for one in (*app.text_input, *app.text_area) if one.label == label).input(value)


def choose_site(app: AppTest, choice: str) -> None:
    next(one for one in app.selectbox if one.label == "Body site and side").select(choice)


def test_two_tabs_write_notes_and_neither_is_lost(tabs: tuple[AppTest, AppTest, CaseStore]) -> None:
    first, second, store = tabs
    fill(first, "Notes", "Grew since May.")
    press(first, "Save draft")
    fill(second, "Notes", "Itches.")
    press(second, "Save draft")
    assert store.case(1).visit.notes == "Grew since May."
    assert [one.value for one in second.text] == ["Grew since May.", "Itches."]
    assert "Save draft" not in [one.label for one in second.button]
    press(second, "Save what is chosen")
    assert "Choose what holds for: Notes." in read(second)
    assert store.case(1).visit.notes == "Grew since May."
    second.radio[0].set_value("both").run()
    press(second, "Save what is chosen")
    assert store.case(1).visit.notes == "Grew since May.\n\nItches."
    assert "Case 1 saved as a draft." in read(second)
    assert field(second, "Notes") == "Grew since May.\n\nItches."


def test_a_third_change_in_between_is_shown_too(tabs: tuple[AppTest, AppTest, CaseStore]) -> None:
    first, second, store = tabs
    fill(first, "Notes", "one")
    press(first, "Save draft")
    fill(second, "Notes", "two")
    press(second, "Save draft")
    fill(first, "Notes", "three")
    press(first, "Save draft")
    second.radio[0].set_value("both").run()
    press(second, "Save what is chosen")
    assert store.case(1).visit.notes == "three"
    assert [one.value for one in second.text] == ["three", "one\n\ntwo"]
    second.radio[0].set_value("both").run()
    press(second, "Save what is chosen")
    assert store.case(1).visit.notes == "three\n\none\n\ntwo"


def test_a_tab_says_that_its_fields_are_older_and_can_take_the_stored(tabs: tuple[AppTest, AppTest, CaseStore]) -> None:
    first, second, _ = tabs
    fill(first, "Notes", "Grew since May.")
    press(first, "Save draft")
    second.run()
    assert CHANGED in read(second)
    assert field(second, "Notes") == ""
    press(second, "Take what is stored now")
    assert field(second, "Notes") == "Grew since May."
    assert CHANGED not in read(second)


def diagnose(app: AppTest, code: str) -> None:
    app.selectbox(key=typed(app, "clinical_label")).select(code)


def test_signing_an_older_state_signs_nothing_unseen(tabs: tuple[AppTest, AppTest, CaseStore]) -> None:
    first, second, store = tabs
    fill(first, "Notes", "Grew since May.")
    press(first, "Save draft")
    diagnose(second, "nv")
    press(second, "Save and sign")
    assert store.case(1).visit.status == "draft"
    assert second.radio[0].value == "stored"  # this tab changed nothing of it
    press(second, "Save what is chosen")
    visit = store.case(1).visit
    assert (visit.status, visit.notes, visit.clinician_label) == ("signed", "Grew since May.", "nv")


def test_fields_that_only_one_tab_changed_are_not_asked_about(tabs: tuple[AppTest, AppTest, CaseStore]) -> None:
    first, second, store = tabs
    fill(first, "Notes", "Grew since May.")
    press(first, "Save draft")
    fill(second, "Symptoms (optional)", "Itches.")
    fill(second, "Notes", "Bleeds.")
    press(second, "Save draft")
    assert [one.label for one in second.radio] == ["Notes: what holds"]
    second.radio[0].set_value("mine").run()
    press(second, "Save what is chosen")
    visit = store.case(1).visit
    assert (visit.notes, visit.clinical.symptoms) == ("Bleeds.", "Itches.")


def test_two_tabs_edit_patient_and_lesion(tabs: tuple[AppTest, AppTest, CaseStore]) -> None:
    first, second, store = managed(tabs)
    for app, pseudonym in ((first, "P-70"), (second, "P-71")):
        press(app, "Edit patient")
        fill(app, "Patient ID", pseudonym)
    press(first, "Save edit")
    press(second, "Save edit")
    assert [one.value for one in second.text] == ["P-70", "P-71"]
    second.radio[0].set_value("mine").run()
    press(second, "Save what is chosen")
    assert store.case(1).patient.pseudonym == "P-71"  # type: ignore[union-attr]
    assert heading(second) == "Case 1 · P-71 · forearm"
    for app, site in ((first, "forearm, right"), (second, "thigh, left")):
        press(app, "Edit lesion")
        assert not app.exception  # the fields of moving the case stand below
        choose_site(app, site)
    press(first, "Save edit")
    press(second, "Save edit")
    assert [one.value for one in second.text] == ["forearm", "thigh", "right", "left"]
    second.radio[0].set_value("stored").run()
    second.radio[1].set_value("stored").run()
    press(second, "Save what is chosen")
    assert (store.case(1).lesion.body_site, store.case(1).lesion.remark) == ("forearm", "right")
    assert "Saved: the lesion is changed." in read(second)


def test_another_tab_shows_the_edited_patient(tabs: tuple[AppTest, AppTest, CaseStore]) -> None:
    first, second, _ = managed(tabs)
    press(first, "Edit patient")
    fill(first, "Patient ID", "P-70")
    press(first, "Save edit")
    second.run()
    assert heading(second) == "Case 1 · P-70 · forearm"


def test_a_case_is_moved_to_another_patient_and_the_trail_says_so(tabs: tuple[AppTest, AppTest, CaseStore]) -> None:
    app, other, store = tabs
    turn(app, "more")
    press(app, "Move the case")
    assert "The case is not moved yet. Still needed: a body site" in read(app)  # of a new lesion of this patient
    app.selectbox(key=typed(app, "move_patient")).select(2).run()
    press(app, "Move the case")
    assert "Still needed: the lesion." in read(app)
    press(app, "Choose lesion 1")
    press(app, "Move the case")
    moved = store.case(1)
    assert (moved.lesion.id, moved.patient.pseudonym) == (2, "A-1")  # type: ignore[union-attr]
    assert "Moved. It is now Case 1 · A-1 · scalp." in read(app)
    assert "moved" in [revision.action for revision in store.revisions(1)]
    assert CHANGED not in read(app)
    other.run()
    assert heading(other) == "Case 1 · A-1 · scalp"


def test_who_moves_a_signed_case_gives_a_name(tabs: tuple[AppTest, AppTest, CaseStore]) -> None:
    app, _, store = tabs
    diagnose(app, "nv")
    press(app, "Save and sign")
    turn(app, "more")
    app.selectbox(key=typed(app, "move_site")).select("thigh, left").run()
    press(app, "Move the case")
    assert "Still needed: the name of who moves it" in read(app)
    assert store.case(1).lesion.body_site == "forearm"
    fill(app, "Moved by", "Dr. Okafor")
    press(app, "Move the case")
    assert store.case(1).lesion.body_site == "thigh"
    assert store.revisions(1)[-1].changes["moved_by"] == (None, "Dr. Okafor")
    assert "<td>Dr. Okafor</td><td>Case moved</td>" in read(app)


def test_a_case_is_moved_to_a_new_lesion_of_the_same_patient(tabs: tuple[AppTest, AppTest, CaseStore]) -> None:
    app, _, store = managed(tabs)
    assert app.segmented_control(key=typed(app, "move_kind")).value == "Existing patient"
    assert app.selectbox(key=typed(app, "move_patient")).value == 1  # whose case it is
    app.selectbox(key=typed(app, "move_site")).select("thigh, left").run()  # the lesion that it is of is not offered
    press(app, "Move the case")
    assert (store.case(1).lesion.body_site, store.case(1).patient) == ("thigh", store.patient(1))


def test_the_second_to_sign_is_told_who_signed(tabs: tuple[AppTest, AppTest, CaseStore]) -> None:
    first, second, store = tabs
    for app, name, note in ((first, "Dr. Lange", "Grew since May."), (second, "Dr. Okafor", "Itches.")):
        diagnose(app, "nv")
        fill(app, "Signed by (optional)", name)
        fill(app, "Notes", note)
    press(first, "Save and sign")
    signed = store.case(1)
    press(second, "Save and sign")
    said = "This case was signed by Dr. Lange on "
    assert said in read(second)
    assert "in another window: it is not signed twice. What you save now amends it." in read(second)
    assert store.case(1) == signed
    fill(second, "Amended by", "Dr. Okafor")
    press(second, "Save as amendment")
    second.radio[0].set_value("both").run()
    press(second, "Save what is chosen")
    visit = store.case(1).visit
    assert (visit.status, visit.notes) == ("amended", "Grew since May.\n\nItches.")
    assert visit.signed_by == "Dr. Lange"
    assert store.revisions(1)[-1].changes["amended_by"] == (None, "Dr. Okafor")
    assert said not in read(second).replace("This case is signed", "")


def test_a_case_that_is_signed_between_the_press_and_the_write_is_not_signed_twice(
    tabs: tuple[AppTest, AppTest, CaseStore], monkeypatch: pytest.MonkeyPatch
) -> None:
    """The page was drawn as a draft, and no page run came in between: as with a part that is drawn by itself."""
    app, _, store = tabs
    drawn = app.session_state["open_case"].case
    store.annotate(1, ClinicianReading("nv"), status="signed", signer="Dr. Lange", expected_version=drawn.visit.version)
    signed = store.case(1)
    refreshed = CaseStore.case
    calls = []

    def stale_at_first(self: CaseStore, number: int) -> object:
        calls.append(number)
        return drawn if len(calls) == 1 else refreshed(self, number)

    monkeypatch.setattr(CaseStore, "case", stale_at_first)
    diagnose(app, "nv")
    press(app, "Save and sign")
    assert "This case was signed by Dr. Lange on " in read(app)
    assert refreshed(store, 1) == signed


def test_the_trail_begins_with_what_was_given_at_saving(tabs: tuple[AppTest, AppTest, CaseStore]) -> None:
    first, _, store = tabs
    analysis = pipeline.example(pipeline.load_classifier(weights_directory()))
    said = ClinicianReading("other", "Keloid")
    store.save_case(analysis, NewVisit(None, NewLesion("chest"), "2024-05-07", said, first_impression="unsure"))
    turn(first, "worklist")
    press(first, "Open case 3")
    turn(first, "more")
    text = read(first)
    assert "diagnosis: other diagnosis" in text
    assert "diagnosis in words: Keloid" in text
    assert "first impression: not sure" in text
