"""Visits and their explanations inside one transaction."""

from sqlite_utils.db import Database

from skinlens.case_record import Revision
from skinlens.errors import StoreError
from skinlens.records import Case, Explanation, Visit
from skinlens.store import clinical_rows, mapping, patients, signatures, validation
from skinlens.store.mapping import Row
from skinlens.store.validation import ClinicianReading, NewVisit

EXPLANATIONS_SQL = """
    SELECT explanation.*, photo_sha256 FROM sealed_explanation explanation JOIN visit ON visit.id = visit_id
    WHERE visit_id = ? ORDER BY explanation.id"""


def case_of(db: Database, visit_id: int) -> Case:
    """The visit with its lesion and patient. Raises as ``case_row``."""
    return mapping.case_of(case_row(db, visit_id))


def case_row(db: Database, visit_id: int) -> Row:
    """Row of ``mapping.CASE_COLUMNS``: all of the visit, with its lesion and patient.

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
    return row


def before(db: Database, visit: Visit) -> Row | None:
    """Row of the last visit of the same lesion on an earlier day."""
    sql = "SELECT * FROM sealed_visit WHERE lesion_id = ? AND taken_on < ? ORDER BY taken_on DESC, id DESC"
    return next(mapping.sound(db.query(sql, [visit.lesion_id, visit.taken_on]), lesion_id=visit.lesion_id), None)


def revisions_of(db: Database, case: Case) -> tuple[Revision, ...]:
    """Revisions of the visit, its lesion and its patient, the oldest first."""
    own = {"visit_id": case.visit.id, "lesion_id": case.lesion.id, "patient_id": case.lesion.patient_id}
    sql = "SELECT * FROM sealed_revision WHERE visit_id = ? OR lesion_id = ? OR patient_id = ? ORDER BY id"
    rows = mapping.sound(db.query(sql, list(own.values())))
    return mapping.revisions_of(
        db, (row for row in rows if any(row[column] == own[column] for column in own if own[column]))
    )


def move_changes(before: Case, after: Case) -> dict[str, tuple[str | None, str | None]]:
    """Changes of a visit that was moved to another lesion: numbers and body sites, never a pseudonym."""
    pairs = {
        "lesion": (str(before.lesion.id), str(after.lesion.id)),
        "body_site": (before.lesion.body_site, after.lesion.body_site),
        "patient": tuple(None if case.patient is None else str(case.patient.id) for case in (before, after)),
    }
    return {field: (was, now) for field, (was, now) in pairs.items() if was != now}


def reading_columns(said: ClinicianReading) -> Row:
    """The clinician's own reading, checked."""
    return {
        "clinician_label": validation.diagnosis_code(said.label),
        "clinician_diagnosis": validation.validate_text(said.diagnosis, "diagnosis"),
        "notes": validation.validate_text(said.notes, "notes"),
    }


def typed_columns(visit: NewVisit) -> Row:
    """Columns of all that was typed for a new visit but for its patient and lesion, checked."""
    day = validation.validate_day(visit.taken_on)
    typed = {
        "taken_on": day,
        **reading_columns(visit.reading),
        "first_impression": validation.first_impression(visit.first_impression),
        "result_first": validation.result_first(visit.result_first, visit.first_impression),
        "status": validation.first_status(visit.status),
        **clinical_rows.record_columns(visit.clinical, day),
    }
    if visit.status == "signed":
        signatures.must_have_diagnosis(visit.reading.label)
        clinical_rows.must_be_complete(typed["abcd"])
    return typed


def put_explanation(db: Database, visit_id: int, explanation: Explanation, heat_file: str) -> frozenset[str]:
    """Insert it in the place of one of the same method, class and parameters; the file names of what it replaced."""
    row = {"visit_id": visit_id, **mapping.explanation_columns(explanation, heat_file)}
    same = "visit_id = :visit_id AND method = :method AND label = :label AND params = :params"
    replaced = frozenset(old["heat_file"] for old in db.query(f"SELECT heat_file FROM explanation WHERE {same}", row))
    db.execute(f"DELETE FROM explanation WHERE {same}", row)
    mapping.insert(db, "explanation", row)
    return replaced
