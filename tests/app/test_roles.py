"""What each role finds on the pages: what it may not do is disabled, and says why."""

from pathlib import Path

import pytest
from streamlit.testing.v1 import AppTest

from skinlens import pipeline
from skinlens.accounts import Accounts
from skinlens.clinical import Plan
from skinlens.inference.release import weights_directory
from skinlens.roles import Role
from skinlens.store import CaseStore, ClinicianReading, NewLesion, NewPatient, NewVisit
from skinlens.ui.settings import devices
from skinlens.ui.shell import account
from skinlens.ui.state import access
from tests.app.conftest import press, read, turn, typed
from tests.store.edits import edit

PASSWORD = "correct horse battery"


class SignedIn:
    """Who the pages are drawn for."""

    def __init__(self) -> None:
        self.who = access.Who("Dr. Lange", "admin", 1)


@pytest.fixture
def person(monkeypatch: pytest.MonkeyPatch) -> SignedIn:
    person = SignedIn()
    monkeypatch.setattr(access, "here", lambda: person.who)
    return person


@pytest.fixture
def case(agreed: AppTest, skinlens_home: Path) -> int:
    analysis = pipeline.example(pipeline.load_classifier(weights_directory()))
    visit = NewVisit(NewPatient("P-1", 1961, "female"), NewLesion("forearm"), "2024-05-06", ClinicianReading("nv"))
    return CaseStore(skinlens_home).save_case(analysis, visit).visit.id


def disabled(app: AppTest) -> dict[str, str]:
    """Each button that is disabled, with the reason that it gives."""
    return {button.label: button.help or "" for button in app.button if button.disabled}


@pytest.mark.parametrize(
    ("role", "may_not"),
    [
        ("viewer", set()),
        ("reader", {"Save and sign"}),
        ("reviewer", set()),
        ("admin", set()),
    ],
)
def test_a_draft_is_saved_by_a_reader_and_signed_by_a_reviewer(
    agreed: AppTest, case: int, person: SignedIn, role: Role, may_not: set[str]
) -> None:
    person.who = access.Who("Dr. Lange", role, 1)
    turn(agreed, "worklist")
    press(agreed, f"Open case {case}")
    turn(agreed, "result")
    if role == "viewer":  # reads what was entered; there is no field to type in, and no button
        assert not agreed.text_area
        assert "Your role, viewer, does not allow you to upload, file or edit drafts." in read(agreed)
        assert "<dt>Diagnosis</dt><dd>Melanocytic nevus</dd>" in read(agreed)
    found = disabled(agreed)
    assert {label for label in found if label.startswith("Save")} == may_not
    assert all(f"Your role, {role}, does not allow you to" in why for why in found.values())


@pytest.mark.parametrize("role", ["viewer", "reader", "reviewer"])
def test_nobody_but_an_admin_deletes_or_changes_settings(
    agreed: AppTest, case: int, person: SignedIn, role: Role
) -> None:
    person.who = access.Who("Dr. Lange", role, 1)
    turn(agreed, "worklist")
    press(agreed, f"Open case {case}")
    turn(agreed, "more")
    moves = role == "reviewer"
    deletes = {"Delete this case …", "Delete the patient …"}
    assert deletes <= set(disabled(agreed))
    assert ("Edit patient" in disabled(agreed)) is not moves
    assert any(button.label == "Move the case" for button in agreed.button) is moves
    turn(agreed, "settings")
    assert {"Save clinic", "Save display", "Add"} <= set(disabled(agreed))
    fields = [*agreed.text_input, *agreed.text_area, *agreed.checkbox, *agreed.radio, *agreed.button_group]
    assert [field.label for field in fields if not field.disabled] == []
    assert f"Your role, {role}, does not allow you to change settings of the clinic. Ask an admin." in read(agreed)
    assert f"Your role, {role}, does not allow you to make a backup. Ask an admin." in read(agreed)
    assert [field.label for field in agreed.text_input if "Folder" in field.label] == []


def test_a_viewer_is_offered_no_new_photo(agreed: AppTest, case: int, person: SignedIn) -> None:
    person.who = access.Who("Vera", "viewer", 1)
    turn(agreed, "worklist")
    assert "Your role, viewer, does not allow you to upload, file or edit drafts." in read(agreed)
    assert len(agreed.get("file_uploader")) == 0
    turn(agreed, "visit")
    assert len(agreed.get("file_uploader")) == 0
    assert [button.label for button in agreed.button if "example" in button.label] == []


def test_signing_out_waits_while_something_is_not_saved(
    agreed: AppTest, case: int, person: SignedIn, monkeypatch: pytest.MonkeyPatch
) -> None:
    ended: list[access.Who] = []
    monkeypatch.setattr(account, "sign_out", ended.append)
    turn(agreed, "worklist")
    press(agreed, f"Open case {case}")
    agreed.text_area(key=typed(agreed, "clinical_notes")).input("Grew since May.").run()
    press(agreed, "Sign out")
    assert ended == []
    assert f"You are still signed in, for this is not saved: entries of case {case}." in read(agreed)
    press(agreed, "Sign out without saving")
    assert ended == [person.who]
    press(agreed, "Save draft")
    press(agreed, "Sign out")
    assert ended == [person.who, person.who]


def test_what_leaves_for_other_systems_needs_more_than_reading(agreed: AppTest, case: int, person: SignedIn) -> None:
    person.who = access.Who("Vera", "viewer", 1)
    turn(agreed, "worklist")
    press(agreed, f"Open case {case}")
    turn(agreed, "report")
    fhir = next(button for button in agreed.get("download_button") if button.proto.label == "Download as FHIR")
    assert fhir.proto.disabled
    assert "does not allow you to export a case or a patient" in fhir.proto.help
    turn(agreed, "settings")
    assert "Your role, viewer, does not allow you to see the audit log of all cases. Ask an admin." in read(agreed)


def test_the_store_of_a_page_knows_who_works_with_it(agreed: AppTest, case: int, person: SignedIn) -> None:
    """The door is closed too, not only the buttons: what a page of another version asks for is refused."""
    person.who = access.Who("Vera", "viewer", 1)
    turn(agreed, "worklist")
    press(agreed, f"Open case {case}")
    held = agreed.session_state["open_case"].store
    assert (held.actor, held.role) == ("Vera", "viewer")


def test_the_name_is_on_each_page_and_what_is_open_goes_with_its_owner(
    agreed: AppTest, case: int, person: SignedIn
) -> None:
    turn(agreed, "worklist")
    press(agreed, f"Open case {case}")
    assert "Signed in as **Dr. Lange** (admin). An admin also deletes" in read(agreed)
    person.who = access.Who("Ada", "admin", 2)
    agreed.query_params.clear()
    agreed.run()
    assert "Signed in as **Ada** (admin)" in read(agreed)
    assert "open_case" not in agreed.session_state


def test_without_signing_in_nobody_is_named_and_all_is_allowed(agreed: AppTest, case: int) -> None:
    turn(agreed, "settings")
    assert "Signed in" not in read(agreed)
    assert disabled(agreed) == {}


def test_devices_are_listed_and_signed_out(agreed: AppTest, skinlens_home: Path, person: SignedIn) -> None:
    accounts = Accounts(skinlens_home)
    accounts.add("Dr. Lange", "admin", PASSWORD)
    windows = "Mozilla/5.0 (Windows NT 10.0; Win64; x64) AppleWebKit/537.36 Chrome/140.0 Safari/537.36 Edg/140.0"
    tokens = [
        accounts.sign_in("Dr. Lange", PASSWORD, address="10.0.0.7", browser=browser) for browser in ("curl/8", windows)
    ]
    numbers = [session.id for token in tokens if (session := accounts.session(token))]
    person.who = access.Who("Dr. Lange", "admin", numbers[0])
    turn(agreed, "settings")
    said = read(agreed)
    assert "A browser** (this browser)" in said
    assert "Edge on Windows" in said
    agreed.button(key=f"device_{numbers[1]}").click().run()
    assert (accounts.session(tokens[0]) is None, accounts.session(tokens[1])) == (False, None)
    accounts.sign_in("Dr. Lange", PASSWORD, address="", browser="")
    agreed.run()
    agreed.button(key="devices_all").click().run()
    assert accounts.devices("Dr. Lange") == ()


@pytest.mark.parametrize(
    ("header", "words"),
    [
        ("Mozilla/5.0 (X11; Linux x86_64; rv:140.0) Gecko/20100101 Firefox/140.0", "Firefox on Linux"),
        ("Mozilla/5.0 (Macintosh; Intel Mac OS X 10_15) AppleWebKit/605 Version/18 Safari/605", "Safari on macOS"),
        ("Mozilla/5.0 (Linux; Android 15) AppleWebKit/537.36 Chrome/140.0 Mobile Safari/537.36", "Chrome on Android"),
        ("", "A browser"),
    ],
)
def test_a_browser_is_named_in_words(header: str, words: str) -> None:
    assert devices.described(header) == words


def test_an_app_in_which_people_sign_in_stays_one_when_the_last_account_goes(
    skinlens_home: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """It was open to every account of the computer then, and after the file of the accounts was lost."""
    monkeypatch.delenv(access.TOKEN, raising=False)
    access.forget()
    assert access.mode() == "open"
    Accounts(skinlens_home).add("uadmin", "admin", PASSWORD)
    access.forget()
    assert access.mode() == "login"
    for path in skinlens_home.glob("accounts.db*"):
        path.unlink()
    access.forget()
    assert access.mode() == "login"


def test_a_signed_record_is_read_only_for_a_reader_who_still_closes_its_recall(
    agreed: AppTest, case: int, person: SignedIn, skinlens_home: Path
) -> None:
    store = CaseStore(skinlens_home)
    edit(store, case, plan=Plan("recheck", 3), expected_version=1)
    store.annotate(case, ClinicianReading("nv"), status="signed", expected_version=2)
    person.who = access.Who("Rita", "reader", 1)
    turn(agreed, "worklist")
    press(agreed, f"Open case {case}")
    turn(agreed, "result")
    assert not agreed.text_area
    assert "Your role, reader, does not allow you to change a signed case. Ask a reviewer or an admin." in read(agreed)
    assert "follow-up in 3 months; recall on 2024-08-06" in read(agreed)
    press(agreed, "Recall is done")
    recall = store.case(case).visit.clinical.recall
    assert recall is not None
    assert recall.done_on is not None
