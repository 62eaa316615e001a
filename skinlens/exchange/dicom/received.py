"""A received DICOM file as it may be kept: without its patient, and what is proposed for the patient beside it."""

from dataclasses import dataclass

from skinlens.case_record import Proposal
from skinlens.imaging import intake
from skinlens.records import Photo


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


def read_received(data: bytes) -> tuple[Received, Photo]:
    """The file as ``received_of`` writes it, and its photo: what is kept is what was decoded.

    The photo, its notes and each refusal are those of the file as it came. Raises UnreadableImage.
    """
    received = received_of(data)
    return received, intake.read_photo(received.data)
