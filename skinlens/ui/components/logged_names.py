"""Names on the screen of the patients and lesions that the audit log has by their stored numbers."""

from collections.abc import Collection, Mapping

from skinlens.errors import CaseNotFound
from skinlens.store import CaseStore

Names = Mapping[tuple[str, int], str]
"""By kind, "patient" or "lesion", and stored number. What was erased, or belongs to no patient, has none."""


def names(store: CaseStore, objects: Collection[tuple[str, int]]) -> Names:
    """The patient IDs of patients, and the numbers of lesions within their patients, as the patients' pages have them.

    Raises:
        StoreError: the case file cannot be read.
    """
    by_object: dict[tuple[str, int], str] = {}
    numbers = store.lesion_numbers([number for kind, number in objects if kind == "lesion"])
    patients = {number for kind, number in objects if kind == "patient"}
    for patient_id in patients | {patient_id for patient_id, _ in numbers.values()}:
        try:
            by_object["patient", patient_id] = store.patient(patient_id).pseudonym
        except CaseNotFound:
            continue
    for lesion_id, (patient_id, number) in numbers.items():
        if patient := by_object.get(("patient", patient_id)):
            by_object["lesion", lesion_id] = f"{number} of {patient}"
    return by_object
