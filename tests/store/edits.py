"""Short ways to what the store has no door for: single parts of a clinical record, patients without a visit."""

from dataclasses import replace
from typing import Any

from skinlens.clock import today
from skinlens.records import Case, Patient, Sex
from skinlens.store import CaseStore, ClinicianReading, NewPatient, patients, validation


def edit(store: CaseStore, number: int, *, expected_version: int, signer: str = "", **parts: Any) -> Case:
    """These fields of the ``ClinicalRecord`` anew, the others and the reading as they are stored; a new plan that comes
    without a recall gets the one that follows from it.
    """
    visit = store.case(number).visit
    if "plan" in parts:
        parts.setdefault("recall", None)
    return store.annotate(
        number,
        ClinicianReading(visit.clinician_label, visit.clinician_diagnosis, visit.notes),
        status="draft" if visit.status == "draft" else "amended",
        expected_version=expected_version,
        signer=signer,
        clinical=replace(visit.clinical, **parts),
    )


def add_patient(store: CaseStore, pseudonym: str, birth_year: int | None = None, sex: Sex = "unknown") -> Patient:
    """A new one without a visit, as one is left whose last visit was moved."""
    with store._writing() as db:
        number = patients.add_patient(db, NewPatient(pseudonym, birth_year, sex), today().year)
    return store.patient(number)


def of_patient(store: CaseStore, *typed: Any) -> int | NewPatient:
    """Patient of a ``NewVisit`` as a form gives it: the number of the one with that pseudonym, or a new one."""
    new = NewPatient(*typed)
    pseudonym = validation.validate_line(new.pseudonym, "pseudonym")
    return next((one.id for one in store.patients() if one.pseudonym == pseudonym), new)
