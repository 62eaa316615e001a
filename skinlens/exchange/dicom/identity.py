"""Identity of DICOM objects: unique identifiers that follow from what they name, and a patient without a name.

The same case with the same content gives the same identifiers each time, on every computer: an archive that gets an
object twice keeps one. Another content gives another identifier, as the standard asks for.

References: DICOM PS3.5 chapter 9 and annex B.2 (identifiers from a UUID), PS3.3 C.7.1.1 (patient).
"""

import uuid

from pydicom.uid import UID

from skinlens.case_record import CaseRecord
from skinlens.errors import InvalidEntry
from skinlens.settings import UUID_ROOT

MAX_UID = 64
_NAMESPACE = uuid.UUID("a3f1c9d2-4b7e-5c08-9e61-7d2f50b8c4a1")
"""Of all identifiers; chosen once."""
_MAX_PATIENT_ID = 64
_RESERVED = "\\^="
"""Characters that separate the parts of a value in DICOM."""


def uid(root: str, *named: object) -> UID:
    """The identifier of what is named by these words.

    Args:
        root: ``2.25``, below which every UUID is an identifier, or a registered root of at most
            ``settings.MAX_UID_ROOT`` characters.
    """
    number = uuid.uuid5(_NAMESPACE, "\n".join(map(str, named))).int
    if root != UUID_ROOT:
        number %= 10 ** (MAX_UID - len(root) - 1)
    return UID(f"{root}.{number}")


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
        return f"SkinLens-{uuid.uuid5(_NAMESPACE, case_key(record)).hex[:12]}"
    pseudonym = record.case.patient.pseudonym
    if len(pseudonym) > _MAX_PATIENT_ID or set(pseudonym) & set(_RESERVED):
        raise InvalidEntry(
            f"The patient ID of case {record.visit.id} cannot be written in DICOM: at most {_MAX_PATIENT_ID} "
            f"characters, and none of {' '.join(_RESERVED)}, were expected. Change it on the patient's page."
        )
    return pseudonym
