"""A received DICOM file as it may be kept: without its patient, and what is proposed for the patient beside it."""

from dataclasses import dataclass

from skinlens.case_record import Proposal
from skinlens.imaging import intake


@dataclass(frozen=True)
class Received:
    """A file without its patient, and what it said of the patient."""

    data: bytes
    proposal: Proposal
    identity: str
    """Number of the patient and its issuer, to make a pseudonym from; empty where the sender gave none. Not to be kept.
    """


def received_of(data: bytes) -> Received:
    """The file anew, and what is proposed for it. Raises UnreadableImage.

    Another process writes it, within the limits of memory and time of an upload (see ``intake``).
    """
    file, fields = intake.deidentify(data)
    return Received(file, fields.proposal, fields.identity)
