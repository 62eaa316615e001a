"""Identity of DICOM objects: the words that their identifiers name, and a patient without a name.

The same case with the same content gives the same identifiers each time, on every computer: an archive that gets an
object twice keeps one. Another content gives another identifier, as the standard asks for.

References: DICOM PS3.3 C.7.1.1 (patient).
"""

import uuid

from skinlens.case_record import CaseRecord
from skinlens.dicom_uid import NAMESPACE
from skinlens.errors import InvalidEntry

_MAX_PATIENT_ID = 64
_RESERVED = "\\^="
"""Characters that separate the parts of a value in DICOM."""


def case_key(record: CaseRecord) -> str:
    """Words that name the case among those of all installations."""
    visit = record.visit
    return f"{visit.id} {visit.created_at} {visit.photo_sha256}"


def patient_id(record: CaseRecord) -> str:
    """The pseudonym; of a case without a patient an identifier of its own, so that an archive does not join several.

    Raises:
        InvalidEntry: the pseudonym cannot be written in DICOM.
    """
    if record.case.patient is None:
        return f"SkinLens-{uuid.uuid5(NAMESPACE, case_key(record)).hex[:12]}"
    pseudonym = record.case.patient.pseudonym
    if len(pseudonym) > _MAX_PATIENT_ID or set(pseudonym) & set(_RESERVED):
        raise InvalidEntry(
            f"The patient ID of case {record.visit.id} cannot be written in DICOM: at most {_MAX_PATIENT_ID} "
            f"characters, and none of {' '.join(_RESERVED)}, were expected. Change it on the patient's page."
        )
    return pseudonym
