"""Visits and their explanations inside one transaction."""

from typing import Any

from sqlite_utils.db import Database

from skinlens.errors import InvalidEntry, StoreError
from skinlens.records import Case, Explanation
from skinlens.store import mapping, patients, validation
from skinlens.store.mapping import Row

EXPLANATIONS_SQL = """
    SELECT explanation.*, photo_sha256 FROM sealed_explanation explanation JOIN visit ON visit.id = visit_id
    WHERE visit_id = ? ORDER BY explanation.id"""


def case_of(db: Database, visit_id: int) -> Case:
    """The visit with its lesion and patient.

    Raises:
        CaseNotFound: there is no such visit.
        StoreError: its row, or that of its lesion or patient, is damaged or missing.
    """
    sql = f"SELECT {mapping.CASE_COLUMNS} FROM {mapping.CASE_TABLES} WHERE v.id = ?"
    row = mapping.first(db, sql, [visit_id]) if mapping.is_number(visit_id) else None
    if row is None:
        patients.must_exist(db, "visit", visit_id)
        raise StoreError(mapping.unsound(f"the lesion of case {visit_id}"))
    mapping.must_be_sound(row, f"case {visit_id}", "all_sound")
    return mapping.case_of(row)


def move_in_words(before: Case, after: Case) -> dict[str, tuple[str | None, str | None]]:
    """What changed when a visit was moved to another lesion: numbers and body sites, never a pseudonym."""
    pairs = {
        "lesion": (str(before.lesion.id), str(after.lesion.id)),
        "body_site": (before.lesion.body_site, after.lesion.body_site),
        "patient": tuple(None if case.patient is None else str(case.patient.id) for case in (before, after)),
    }
    return {field: (was, now) for field, (was, now) in pairs.items() if was != now}


def reading_columns(clinician_label: str | None, clinician_diagnosis: str, notes: str) -> dict[str, Any]:
    """The clinician's own reading, checked."""
    return {
        "clinician_label": validation.diagnosis_code(clinician_label),
        "clinician_diagnosis": validation.text(clinician_diagnosis, "diagnosis"),
        "notes": validation.text(notes, "notes"),
    }


def must_explain(explanation: Explanation, photo_sha256: str) -> None:
    """Refuse the map of another photo: it would be shown over this one."""
    if explanation.photo_sha256 != photo_sha256:
        raise InvalidEntry(
            f"This {explanation.method} map was made for another photo ({explanation.photo_sha256[:12]}…); the case "
            f"holds {photo_sha256[:12]}…. Explain this photo again."
        )


def put_explanation(db: Database, visit_id: int, explanation: Explanation, heat_file: str) -> frozenset[str]:
    """Insert it in the place of one of the same method, class and parameters; the file names of what it replaced."""
    row = {"visit_id": visit_id, **mapping.explanation_columns(explanation, heat_file)}
    same = "visit_id = :visit_id AND method = :method AND label = :label AND params = :params"
    replaced = frozenset(old["heat_file"] for old in db.query(f"SELECT heat_file FROM explanation WHERE {same}", row))
    db.execute(f"DELETE FROM explanation WHERE {same}", row)
    mapping.insert(db, "explanation", row)
    return replaced


def map_in_words(row: Row) -> str:
    return f"the {row['method']} map for {row['label']} of case {row['visit_id']}"
