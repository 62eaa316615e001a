"""The settings: saved and confirmed beside the button, used where they hold; and the backup."""

import re
from collections.abc import Callable
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest
from streamlit.testing.v1 import AppTest

from skinlens import pipeline
from skinlens.inference.release import weights_directory
from skinlens.settings import Settings
from skinlens.store import CaseStore, ClinicianReading, NewLesion, NewPatient, NewVisit
from skinlens.store.restore import restore
from skinlens.ui.components import confirmation
from skinlens.ui.settings import backup, page
from skinlens.ui.state.jobs import Job
from skinlens.ui.visit import photo as visit_photo
from tests.app.conftest import drawn, press, read, turn, words


@pytest.fixture
def settings(agreed: AppTest) -> AppTest:
    return turn(agreed, "settings")


@pytest.fixture
def store(skinlens_home: Path) -> CaseStore:
    return CaseStore(skinlens_home)


def saved_case(store: CaseStore, seed: int = 1) -> int:
    """A case of a drawn lesion that the small network is familiar with."""
    classifier = pipeline.load_classifier(weights_directory())
    read_ = (pipeline.analyze(drawn(one, "PNG"), classifier) for one in range(seed, seed + 40))
    analysis = next(one for one in read_ if one.quality.reliable)
    patient = NewPatient(f"P-{seed}", 1961, "female")
    return store.save_case(analysis, NewVisit(patient, NewLesion("forearm"), "2024-05-06")).visit.id


def open_case(app: AppTest, number: int) -> AppTest:
    turn(app, "worklist")
    press(app, f"Open case {number}")
    return turn(app, "result")


def said_beside(app: AppTest, button: str) -> str:
    """What stands in the row of that button, as it is read."""
    row = next(
        block
        for block in blocks(app.main)
        if any(getattr(one, "label", "") == button for one in block.children.values())
    )
    found = [str(one.value) for one in row.children.values() if one.type in {"success", "error", "alert"}]
    return re.sub(r"\\([^\w\s])", r"\1", " ".join(found))


def blocks(block):
    """All blocks below one, and itself."""
    yield block
    for child in block.children.values():
        if hasattr(child, "children"):
            yield from blocks(child)


# ---------------------------------------------------------------------------------------------------------- sections


def test_the_clinic_is_saved_and_confirmed_beside_its_button(
    settings: AppTest, store: CaseStore, monkeypatch: pytest.MonkeyPatch
) -> None:
    settings.text_input(key="settings_clinic_name").input(" Skin Clinic ")
    settings.text_area(key="settings_clinic_address").input("1 High Street\nCambridge")
    settings.text_input(key="settings_clinic_phone").input("+44 1223 000")
    press(settings, "Save clinic")
    assert said_beside(settings, "Save clinic") == "Saved."
    assert said_beside(settings, "Save display") == ""
    assert store.settings().clinic_lines == ("Skin Clinic", "1 High Street", "Cambridge", "+44 1223 000")
    assert settings.text_input(key="settings_clinic_name").value == "Skin Clinic"
    assert said_beside(settings.run(), "Save clinic") == "Saved."  # for a moment, whatever draws the page anew
    monkeypatch.setattr(confirmation, "SHOWN_S", 0.0)
    settings.run()
    assert said_beside(settings, "Save clinic") == ""
    turn(turn(settings, "help"), "settings")
    assert settings.text_input(key="settings_clinic_name").value == "Skin Clinic"


def test_what_cannot_be_kept_is_named_beside_the_button_and_stays_in_its_field(
    settings: AppTest, store: CaseStore
) -> None:
    settings.text_area(key="settings_clinic_address").input("a\nb\nc\nd\ne\nf")
    press(settings, "Save clinic")
    assert said_beside(settings, "Save clinic").startswith("Not saved. Too many lines in the address: 6, at most 5")
    assert settings.text_area(key="settings_clinic_address").value == "a\nb\nc\nd\ne\nf"
    settings.text_input(key="settings_field_width_mm").input("0.5")
    press(settings, "Save display")
    assert said_beside(settings, "Save display") == "Not saved. Correct the field of view."
    assert "0.5 mm is out of range. Expected: a number from 2 to 200 mm" in read(settings).replace("\u00a0", " ")
    assert settings.text_input(key="settings_field_width_mm").value == "0.5"
    assert store.settings() == Settings()


def test_the_display_is_saved(settings: AppTest, store: CaseStore) -> None:
    settings.radio(key="settings_cutoff_shown").set_value(False)
    settings.segmented_control(key="settings_overlay").set_value("score_cam")
    settings.segmented_control(key="settings_unit").set_value("inch")
    settings.text_input(key="settings_field_width_mm").input("12,5")
    press(settings, "Save display")
    assert said_beside(settings, "Save display") == "Saved."
    assert store.settings() == Settings(cutoff_shown=False, overlay="score_cam", unit="inch", field_width_mm=12.5)


def test_the_field_of_view_is_entered_in_the_unit_that_was_saved(settings: AppTest, store: CaseStore) -> None:
    settings.segmented_control(key="settings_unit").set_value("inch")
    settings.text_input(key="settings_field_width_mm").input("12.5")  # the field says mm until the unit is saved
    press(settings, "Save display")
    field = settings.text_input(key="settings_field_width_mm")
    assert (field.label, field.value) == ("Field of view of your dermatoscope, inches (optional)", "0.492")
    press(settings, "Save display")
    assert store.settings().field_width_mm == 12.5  # what was not touched is not rounded
    settings.text_input(key="settings_field_width_mm").input("0.5")
    press(settings, "Save display")
    assert store.settings().field_width_mm == 12.7


def test_another_window_is_not_overwritten_in_silence(settings: AppTest, store: CaseStore) -> None:
    store.keep_settings(Settings(clinic_name="Theirs", clinic_phone="1"), read=Settings())
    settings.text_input(key="settings_clinic_name").input("Mine")
    press(settings, "Save clinic")
    assert said_beside(settings, "Save clinic") == (
        "Saved. Another window had changed the clinic's name meanwhile, to “Theirs”; yours took its place."
    )
    assert store.settings() == Settings(clinic_name="Mine", clinic_phone="1")
    assert settings.text_input(key="settings_clinic_phone").value == "1"


def test_a_replaced_value_is_said_in_words() -> None:
    assert "“not shown”" in page.replaced("cutoff_shown", False)
    assert "“LIME”" in page.replaced("overlay", "lime")
    assert "“nothing”" in page.replaced("field_width_mm", None)
    assert "“12.5\u00a0mm”" in page.replaced("field_width_mm", 12.5)
    assert "“0.49\u00a0in”" in page.replaced("field_width_mm", 12.5, "inch")


def test_how_to_switch_to_dark_is_said(settings: AppTest) -> None:
    assert "open the menu ⋮ at the top right and choose System, Light or Dark." in read(settings)


# --------------------------------------------------------------------------------------------------------- who signs


def test_names_are_added_moved_removed_and_put_back(settings: AppTest, store: CaseStore) -> None:
    for name in ("Dr. Lange", "Dr. Okafor"):
        settings.text_input(key="settings_new_signer").input(name)
        press(settings, "Add")
        assert f"{name} is added." in read(settings)
    assert settings.text_input(key="settings_new_signer").value == ""
    settings.button(key="signer_up_1").click().run()
    assert store.settings().signers == ("Dr. Okafor", "Dr. Lange")
    assert "Dr. Okafor is number 1 of the list now." in read(settings)
    settings.button(key="signer_remove_0").click().run()
    assert store.settings().signers == ("Dr. Lange",)
    assert "Dr. Okafor is removed." in read(settings)
    settings.button(key="signer_undo").click().run()
    assert store.settings().signers == ("Dr. Okafor", "Dr. Lange")
    assert not [one for one in settings.button if one.key == "signer_undo"]


def test_a_name_twice_or_none_is_refused_in_words(settings: AppTest, store: CaseStore) -> None:
    settings.text_input(key="settings_new_signer").input("Dr. Lange")
    press(settings, "Add")
    settings.text_input(key="settings_new_signer").input("dr. lange")
    press(settings, "Add")
    assert "Not saved. “dr. lange” is in the list of who signs already." in read(settings)
    settings.text_input(key="settings_new_signer").input("")
    press(settings, "Add")
    assert "Not saved. The name of who signs is empty." in read(settings)
    assert store.settings().signers == ("Dr. Lange",)


def diagnose(app: AppTest) -> None:
    next(one for one in app.selectbox if one.label == "Your diagnosis").select("nv")


def signer(app: AppTest):
    return next(one for one in app.selectbox if one.label == "Signed by")


def test_the_names_are_offered_where_a_case_is_signed(agreed: AppTest, store: CaseStore) -> None:
    store.keep_settings(Settings(signers=("Dr. Lange", "Dr. Okafor")), read=Settings())
    first, second = saved_case(store, 1), saved_case(store, 50)
    open_case(agreed, first)
    assert signer(agreed).options == ["Dr. Lange", "Dr. Okafor"]
    assert signer(agreed).value is None
    diagnose(agreed)
    press(agreed, "Save and sign")
    assert "Not signed yet: choose who signs, or type another name." in read(agreed)
    assert store.case(first).visit.status == "draft"
    signer(agreed).select("Dr. Okafor")
    press(agreed, "Save and sign")
    assert store.case(first).visit.signed_by == "Dr. Okafor"
    assert "**Signed** by Dr. Okafor on " in read(agreed)
    turn(agreed, "more")
    assert "<td>Dr. Okafor</td><td>Case signed</td>" in words(agreed)
    open_case(agreed, second)
    assert signer(agreed).options == ["Dr. Okafor", "Dr. Lange"]
    assert signer(agreed).value == "Dr. Okafor"
    turn(agreed, "settings")
    assert "**Dr. Okafor**  \n1 signed case" in read(agreed)
    agreed.button(key="signer_remove_1").click().run()
    assert "The signed case keeps the name." in read(agreed)
    assert store.case(first).visit.signed_by == "Dr. Okafor"


def test_without_a_list_a_case_is_signed_as_before(agreed: AppTest, store: CaseStore) -> None:
    open_case(agreed, saved_case(store))
    diagnose(agreed)
    press(agreed, "Save and sign")
    visit = store.case(1).visit
    assert (visit.status, visit.signed_by) == ("signed", "")
    assert visit.signed_at is not None


# ------------------------------------------------------------------------------------------------- what a visit shows


def test_each_visit_opens_with_the_default_map(agreed: AppTest, store: CaseStore) -> None:
    numbers = [saved_case(store, 1), saved_case(store, 50)]
    open_case(agreed, numbers[0])
    assert agreed.session_state[visit_photo.OVERLAY] == visit_photo.NO_MAP
    store.keep_settings(Settings(overlay="grad_cam"), read=Settings())
    agreed.run()
    assert agreed.session_state[visit_photo.OVERLAY] == visit_photo.NO_MAP  # the visit that is open stays as it is
    open_case(agreed, numbers[1])
    assert agreed.session_state[visit_photo.OVERLAY] == "grad_cam"
    agreed.segmented_control(key=visit_photo.OVERLAY).set_value(visit_photo.NO_MAP).run()
    assert agreed.session_state[visit_photo.OVERLAY] == visit_photo.NO_MAP
    open_case(agreed, numbers[0])
    assert agreed.session_state[visit_photo.OVERLAY] == "grad_cam"


def test_the_cut_off_is_shown_or_not(agreed: AppTest, store: CaseStore) -> None:
    number = saved_case(store)
    open_case(agreed, number)
    assert "; cut-off " in words(agreed)
    assert "Dashed line: the cut-off for melanoma" in words(agreed)
    store.keep_settings(Settings(cutoff_shown=False), read=Settings())
    agreed.run()
    assert "; cut-off " not in words(agreed)
    assert "Dashed line" not in words(agreed)
    assert re.search(r"<b>(Suspicious for melanoma|Below the melanoma cut-off)\.</b>", words(agreed))
    assert "The cut-off catches" in words(agreed)  # how far the words can be trusted is said all the same
    turn(agreed, "worklist")
    assert re.search(r"(Suspicious for melanoma|Below the melanoma cut-off)(<br>|  \n)", read(agreed))


# ------------------------------------------------------------------------------------------------------------ backup


def test_a_backup_is_made_confirmed_and_restored(
    settings: AppTest, store: CaseStore, tmp_path: Path, until: Callable[[AppTest, Callable[[], bool]], None]
) -> None:
    assert "**Never backed up.**" in read(settings)
    saved_case(store)
    settings.text_input(key="settings_backup_folder").input(str(tmp_path / "stick")).run()
    press(settings, "Back up now")
    until(settings, lambda: "Backed up and verified: " in read(settings))
    (made,) = (tmp_path / "stick").glob("skinlens-backup-*.zip")
    assert re.search(rf"Backed up and verified: \S+/stick/{made.name} \(1 case, ", read(settings))
    assert "**Never backed up.**" not in read(settings)
    assert "Last backup: **" in read(settings)
    assert restore(made, tmp_path / "new").cases == 1
    assert CaseStore(tmp_path / "new").case(1) == store.case(1)


def test_the_folder_stays_in_its_field_while_a_backup_is_made(
    settings: AppTest, store: CaseStore, monkeypatch: pytest.MonkeyPatch
) -> None:
    settings.text_input(key="settings_backup_folder").input("/media/stick").run()
    never_begun = Job((backup.SECTION, ""), lambda _: None, [].append)
    monkeypatch.setitem(backup._running(), store.home, backup.Running(never_begun))
    settings.run()
    assert "Back up now" not in [button.label for button in settings.button]
    field = settings.text_input(key="settings_backup_folder")
    assert (field.value, field.disabled) == ("/media/stick", True)


def test_a_folder_that_cannot_be_meant_is_refused_beside_the_button(settings: AppTest, store: CaseStore) -> None:
    settings.text_input(key="settings_backup_folder").input("backups").run()
    press(settings, "Back up now")
    assert "No backup was made. “backups” is not a whole path." in read(settings)
    assert store.last_backup() is None


def test_a_backup_that_fails_says_why(
    settings: AppTest,
    store: CaseStore,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    until: Callable[[AppTest, Callable[[], bool]], None],
) -> None:
    monkeypatch.setattr("skinlens.store.backup._must_have_room", full)
    settings.text_input(key="settings_backup_folder").input(str(tmp_path / "stick")).run()
    press(settings, "Back up now")
    until(settings, lambda: "the disk is full" in read(settings))
    assert "**Never backed up.**" in read(settings)
    assert list((tmp_path / "stick").iterdir()) == []


def full(folder: Path, needed: int) -> None:
    raise OSError(28, "No space left on device")


def test_an_old_backup_warns(settings: AppTest, store: CaseStore, tmp_path: Path) -> None:
    made = store.back_up(tmp_path / "stick")
    store._note(replace(made, made_at="2024-01-31T09:00:00.000+00:00"))
    settings.run()
    assert re.search(r"That is \d+ days ago\.", settings.warning[0].value)
    store._note(made)
    settings.run()
    assert not settings.warning


def test_a_passphrase_encrypts_and_is_forgotten(
    settings: AppTest, store: CaseStore, tmp_path: Path, until: Callable[[AppTest, Callable[[], bool]], None]
) -> None:
    saved_case(store)
    settings.text_input(key="settings_backup_folder").input(str(tmp_path / "stick"))
    settings.text_input(key="settings_backup_passphrase").input("correct horse battery")
    settings.text_input(key="settings_backup_again").input("correct horse batterY").run()
    press(settings, "Back up now")
    assert "No backup was made. The two passphrases differ." in read(settings)
    assert not (tmp_path / "stick").exists()
    settings.text_input(key="settings_backup_again").input("correct horse battery").run()
    press(settings, "Back up now")
    until(settings, lambda: "Backed up, encrypted and verified: " in read(settings))
    (made,) = (tmp_path / "stick").glob("*-encrypted.zip")
    assert restore(made, tmp_path / "new", passphrase="correct horse battery").cases == 1
    assert settings.text_input(key="settings_backup_passphrase").value == ""
    assert settings.text_input(key="settings_backup_again").value == ""
    assert ", encrypted." in read(settings)


def test_the_days_of_the_reminder_are_kept_and_hold_on_the_worklist(
    settings: AppTest, store: CaseStore, tmp_path: Path
) -> None:
    assert backup.overdue(store) == ""  # there is no case
    saved_case(store)
    turn(settings, "worklist")
    assert "Never backed up. Back up under Settings." in read(settings)
    made = store.back_up(tmp_path / "stick")
    ago = datetime.now(UTC) - timedelta(days=10)
    store._note(replace(made, made_at=ago.isoformat(timespec="milliseconds")))
    assert "Back up under Settings." not in read(settings.run())
    turn(settings, "settings")
    assert "days ago" not in read(settings)
    settings.selectbox(key="settings_backup_days").set_value(7).run()
    assert store.settings().backup_days == 7
    assert "That is 10 days ago." in read(settings)
    assert "Last backup 10 days ago. Back up under Settings." in read(turn(settings, "worklist"))


def test_the_first_folder_is_the_users_own() -> None:
    assert backup.suggested().name == "SkinLens backups"
    assert backup.suggested().parent.is_dir()


def test_a_name_that_has_signed_is_said_and_can_be_put_in_the_list(agreed: AppTest, store: CaseStore) -> None:
    number = saved_case(store)
    store.annotate(number, ClinicianReading("nv"), status="signed", expected_version=1, signer="Dr. Ada")
    turn(agreed, "settings")
    said = read(agreed)
    assert "The list is empty" not in said
    assert "No name is offered yet. These have signed:" in said
    assert "**Dr. Ada**  \n1 signed case" in said
    press(agreed, "Add to the list")
    assert store.settings().signers == ("Dr. Ada",)
    assert "These have signed" not in read(agreed)
