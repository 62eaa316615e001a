"""Changes of single parts of a stored clinical record, by the door that writes it whole."""

from dataclasses import replace
from typing import Any

from skinlens.records import Case
from skinlens.store import CaseStore, ClinicianReading


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
