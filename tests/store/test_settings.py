"""Settings in the case file: defaults, what is refused, two windows; and who signed."""

import re
import sqlite3
from contextlib import closing
from dataclasses import replace

import pytest

from skinlens.errors import InvalidEntry
from skinlens.settings import Settings, offered
from skinlens.store import CaseStore, ClinicianReading, KeptSettings, settings
from tests.store.test_damage import rewrite

ALL = Settings(
    clinic_name="Skin Clinic Ångström",
    clinic_address="1 High Street\nCambridge",
    clinic_phone="+44 1223 000",
    signers=("Dr. Lange", "Dr. Okafor"),
    cutoff_shown=False,
    overlay="lime",
    unit="inch",
    field_width_mm=12.5,
)


def test_a_case_file_without_settings_has_the_defaults(store):
    assert store.settings() == Settings()
    assert Settings().clinic_lines == ()


def test_settings_come_back_as_they_were_saved(store):
    assert store.keep_settings(ALL, read=Settings()) == KeptSettings(ALL, {})
    assert CaseStore(store.home).settings() == ALL
    assert ALL.clinic_lines == ("Skin Clinic Ångström", "1 High Street", "Cambridge", "+44 1223 000")


def test_entries_are_trimmed_and_composed(store):
    typed = Settings(
        clinic_name=" A\u030angstro\u0308m ", clinic_address="\n  1  High Street \n\n", signers=(" Dr. X ",)
    )
    kept = store.keep_settings(typed, read=Settings()).settings
    assert (kept.clinic_name, kept.clinic_address, kept.signers) == ("Ångström", "1 High Street", ("Dr. X",))


@pytest.mark.parametrize(
    ("changes", "sentence"),
    [
        ({"clinic_name": "x" * 81}, "Too many characters in the clinic's name: 81, at most 80 can be kept."),
        ({"clinic_phone": "1\n2"}, "There is a line break or another control character in the clinic's phone."),
        ({"clinic_address": "a\nb\nc\nd\ne\nf"}, "Too many lines in the address: 6, at most 5 can be kept."),
        ({"clinic_address": "y" * 81}, "Too many characters in the address: 81"),
        ({"signers": ("Dr. X", "  ")}, "The name of who signs is empty. Type at least one character."),
        ({"signers": ("Dr. X", "dr. x ")}, "“dr. x” is in the list of who signs already."),
        ({"signers": tuple(f"Dr. {one}" for one in range(41))}, "Too many names of who signs: 41, at most 40"),
        ({"field_width_mm": 0.5}, "expected 2\u00a0mm (0.08\u00a0in) to 200\u00a0mm (7.87\u00a0in), or nothing."),
        ({"field_width_mm": 201.0}, "A field of view 201\u00a0mm (7.91\u00a0in) wide is not possible"),
        ({"field_width_mm": float("nan")}, "nan is no width of a field of view. Expected millimeters, or nothing."),
    ],
)
def test_what_cannot_be_kept_is_named_and_nothing_is_saved(store, changes, sentence):
    with pytest.raises(InvalidEntry, match=re.escape(sentence)):
        store.keep_settings(replace(ALL, **changes), read=Settings())
    assert store.settings() == Settings()


def test_a_choice_that_there_is_not_is_refused_with_those_that_there_are():
    with pytest.raises(InvalidEntry, match=r"'cm' is no unit of lengths\. Choose one of: mm, inch\."):
        settings._one_of("cm", ("mm", "inch"), "unit of lengths")


def test_every_entry_that_is_wrong_is_named_at_once(store):
    with pytest.raises(InvalidEntry) as refusal:
        store.keep_settings(Settings(clinic_name="x" * 81, field_width_mm=-1), read=Settings())
    assert "clinic's name" in str(refusal.value)
    assert "field of view -1\u00a0mm" in str(refusal.value)


def test_windows_that_change_different_fields_keep_both(store):
    store.keep_settings(Settings(clinic_name="A"), read=Settings())
    kept = store.keep_settings(Settings(unit="inch"), read=Settings())
    assert kept == KeptSettings(Settings(clinic_name="A", unit="inch"), {})


def test_of_windows_that_change_one_field_the_later_wins_and_is_told(store):
    store.keep_settings(Settings(clinic_name="A", unit="inch"), read=Settings())
    kept = store.keep_settings(Settings(clinic_name="B", unit="inch"), read=Settings())
    assert kept == KeptSettings(Settings(clinic_name="B", unit="inch"), {"clinic_name": "A"})


def test_a_value_that_this_version_does_not_know_counts_as_not_set(store):
    with store._writing() as db:
        settings.put(db, settings.KEY, '{"overlay": "rise", "unit": "inch", "signers": 7, "later": true}')
    assert store.settings() == Settings(unit="inch")


def test_damaged_settings_are_not_used(store):
    store.keep_settings(ALL, read=Settings())
    rewrite(store, "UPDATE setting SET value = replace(value, 'lime', 'none') WHERE key = 'settings'")
    assert store.settings() == Settings()
    assert "setting settings" in store.damage()[0]


# --------------------------------------------------------------------------------------------------------- who signs


def sign(store, case, signer, status="signed", notes=""):
    return store.annotate(
        case.visit.id,
        ClinicianReading("nv", notes=notes),
        status=status,
        expected_version=case.visit.version,
        signer=signer,
    )


def test_the_signature_has_name_and_time_and_the_trail_has_it_too(store, save):
    case = save()
    assert (case.visit.signed_by, case.visit.signed_at) == ("", None)
    signed = sign(store, case, " Dr. Lange ")
    assert signed.visit.signed_by == "Dr. Lange"
    revision = store.revisions(1)[-1]
    assert (revision.action, revision.changes["signed_by"]) == ("signed", (None, "Dr. Lange"))
    assert signed.visit.signed_at == signed.visit.updated_at


def test_a_draft_that_is_saved_has_no_signer(store, save):
    saved = sign(store, save(), "Dr. Lange", status="draft", notes="later")
    assert (saved.visit.status, saved.visit.signed_by, saved.visit.signed_at) == ("draft", "", None)
    assert "signed_by" not in store.revisions(1)[-1].changes


def test_an_amendment_keeps_the_signature_and_names_who_amended(store, save):
    signed = sign(store, save(), "Dr. Lange")
    amended = sign(store, signed, "Dr. Okafor", notes="seen again")
    assert (amended.visit.status, amended.visit.signed_by) == ("amended", "Dr. Lange")
    assert amended.visit.signed_at == signed.visit.signed_at
    assert store.revisions(1)[-1].changes["amended_by"] == (None, "Dr. Okafor")


def test_a_name_that_is_too_long_is_refused_and_nothing_is_signed(store, save):
    with pytest.raises(InvalidEntry, match="Too many characters in the name of who signs: 81"):
        sign(store, save(), "x" * 81)
    assert store.case(1).visit.status == "draft"


def test_a_signature_is_never_changed(store, save):
    sign(store, save(), "Dr. Lange")
    refused = pytest.raises(sqlite3.IntegrityError, match="a signature is never changed")
    with store._writing() as db, refused:
        db.execute("UPDATE visit SET signed_by = 'Dr. Okafor'")


def test_a_name_that_leaves_the_list_stays_in_the_cases_that_bear_it(store, save):
    store.keep_settings(ALL, read=Settings())
    sign(store, save(0), "Dr. Okafor")
    sign(store, save(1), "Dr. Okafor")
    sign(store, save(2), "Dr. Lange")
    store.keep_settings(replace(ALL, signers=()), read=ALL)
    assert [(one.name, one.cases) for one in store.signers_used()] == [("Dr. Lange", 1), ("Dr. Okafor", 2)]
    assert store.case(1).visit.signed_by == "Dr. Okafor"


def test_the_name_that_signed_last_is_offered_first():
    assert offered(("A", "B", "C"), "B") == ("B", "A", "C")
    assert offered(("A", "B"), "gone") == ("A", "B")
    assert offered(()) == ()


def test_erasing_a_case_erases_its_signature(store, save):
    sign(store, save(), "Dr. Lange")
    store.delete_visit(1)
    assert store.signers_used() == ()
    with closing(sqlite3.connect(store.database)) as connection:
        connection.execute("PRAGMA wal_checkpoint(TRUNCATE)")
    assert b"Lange" not in store.database.read_bytes()
