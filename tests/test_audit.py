"""The audit log in a clinician's words: no column's name, no code."""

import re
from pathlib import Path
from typing import get_args

import pytest

from skinlens.store import chain
from skinlens.ui.visit.management import change
from skinlens.ui.visit.report import file_name
from skinlens.wording import audit

SOURCE = Path(audit.__file__).parents[1]


@pytest.mark.parametrize(
    ("field", "pair", "said"),
    [
        ("abcd", (None, "A 1, B 3, C 4, D 3"), "ABCD rule: A 1, B 3, C 4, D 3"),
        (
            "seven_point",
            ("none (1998)", "atypical_network, regression (2011)"),
            "7-point checklist: none (1998) → atypical pigment network, regression structures (2011)",
        ),
        ("clinician_label", ("mel", "nv"), "diagnosis: melanoma → melanocytic nevus"),
        ("clinician_label", (None, "nv"), "diagnosis: melanocytic nevus"),
        ("clinician_diagnosis", ("in situ", ""), "diagnosis in words: in situ → none"),
        ("plan_months", ("3", "1"), "follow-up after: 3 months → 1 month"),
        ("histology", ("mel", None), "histology: melanoma → none"),
        ("first_impression", (None, "unsure"), "first impression: not sure"),
        ("outlines", ("model", "model, clinician"), "outline: the model's → the model's, the clinician's"),
        ("status", ("draft", "signed"), ""),
        ("phototype", None, "skin phototype"),
        ("explanation", (None, "lime mel nv"), "LIME map for melanoma rather than melanocytic nevus"),
        (
            "checks",
            (None, "depth, focus lime mel"),
            "Early-exit predictions, Localization (LIME, Melanoma)",
        ),
        ("field_width_mm", ("12 mm", "12.7 mm"), "field of view: 12\u00a0mm → 12.7\u00a0mm"),
    ],
)
def test_a_change_is_said_in_words(field: str, pair: tuple[str | None, str | None] | None, said: str) -> None:
    assert change(field, pair, "mm") == said


def test_a_lesion_is_named_as_on_the_screen_and_by_its_stored_number() -> None:
    names = {("lesion", 3): "2 of P-7", ("patient", 1): "P-7"}
    assert change("lesion", ("3", "5"), "mm", names) == "lesion: 2 of P-7 (stored number 3) → with stored number 5"
    assert change("patient", ("1", None), "mm", names) == "patient: P-7 (stored number 1) → none"
    assert audit.object_words("lesion", 3, "2 of P-7") == "lesion 2 of P-7 (stored number 3)"
    assert audit.object_words("lesion", 3) == "lesion with stored number 3"


def test_a_width_follows_the_unit_of_the_settings() -> None:
    assert change("field_width_mm", (None, "12.7 mm"), "inch") == "field of view: 0.50\u00a0in"


def test_what_was_done_has_a_sentence_of_its_own() -> None:
    assert audit.done("visit", "recall done") == "Recall done"
    assert {kind for kind, _ in audit.DONE} == set(get_args(chain.Object))
    assert audit.done("lesion", "merged") == "Lesion: merged"  # of a later version


def test_an_object_says_its_number_or_how_many_there_were() -> None:
    assert audit.object_words("account", 3) == "account 3"
    assert audit.object_words("visits", 12) == "12 cases"
    assert audit.object_words("backup", 1) == "1 case"
    assert audit.object_words("log", 12) == ""


HANDS_OUT = re.compile(r"download_button\(|store\.(?:load|case|photo)\(|visit_numbers\(|audit_entries\(")
"""What a page offers to take away, and what a command reads of the stored cases."""


def test_whatever_hands_out_stored_cases_notes_it() -> None:
    """A page that only shows notes that elsewhere: here are the modules that hand out."""
    found = {
        path.relative_to(SOURCE).as_posix(): path.read_text(encoding="utf-8")
        for path in SOURCE.rglob("*.py")
        if path.is_relative_to(SOURCE / "cli") or "download_button(" in path.read_text(encoding="utf-8")
    }
    handing = {name: text for name, text in found.items() if HANDS_OUT.search(text)}
    assert {"cli/exchange.py", "ui/visit/report.py", "ui/settings/backup.py"} <= handing.keys()
    for name, text in handing.items():
        offered = len(HANDS_OUT.findall(text)) if name.startswith("ui/") else 1
        noted = len(re.findall(r"\.note_\w*export\w*[(,]|store\.export_patient\(", text))
        assert noted >= offered or (name.startswith("ui/") and noted >= text.count("download_button(")), name


def test_what_an_amendment_is_about_in_the_order_of_importance() -> None:
    assert audit.topics(["notes", "abcd", "plan_text", "status", "clinician_diagnosis"]) == (
        "diagnosis", "plan", "criteria", "notes",
    )  # fmt: skip
    assert audit.topics(["status", "amended_by"]) == ()


def test_a_report_with_its_annex_is_another_file() -> None:
    assert file_name(3, annex=False) == "skinlens-case-0003-report.pdf"
    assert file_name(3, annex=True) == "skinlens-case-0003-report-with-annex.pdf"
