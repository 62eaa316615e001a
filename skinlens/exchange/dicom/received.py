"""A received DICOM file as it may be kept: its picture and what says how to read it, and what is proposed beside it.

Of the data set the tags go on that intake reads, and no others: no name, no date, no number of a patient, no identifier
of the object. Comments within a JPEG or JPEG 2000 go as well. What is left is read by intake as an upload is.
"""

import hashlib
import struct
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import date
from io import BytesIO
from typing import Any

from pydicom import dcmread
from pydicom.dataset import Dataset, FileMetaDataset
from pydicom.encaps import encapsulate, generate_frames

from skinlens.case_record import Proposal
from skinlens.clock import today
from skinlens.exchange.dicom.identity import uid
from skinlens.imaging.intake.dicom import CODINGS, TAGS
from skinlens.records import MAX_AGE_YEARS, Sex
from skinlens.settings import UUID_ROOT

_FIRST_YEAR = 1880
_DAYS = ("AcquisitionDateTime", "AcquisitionDate", "ContentDate", "StudyDate")
"""In which the day of the photo is looked for, in this order."""
_PATIENT = ("PatientID", "IssuerOfPatientID", "PatientBirthDate", "PatientSex")
_SEXES: dict[str, Sex] = {"F": "female", "M": "male", "O": "other"}
_START, _SCAN, _COMMENT, _APPLICATION = 0xFFD8, 0xFFDA, 0xFFFE, range(0xFFE0, 0xFFF0)
_COLOR = frozenset({0xFFE0, 0xFFE2, 0xFFEE})
"""Segments of a JPEG that say what its colors mean: JFIF, ICC, Adobe."""
_START_2000, _TILE_2000, _COMMENT_2000 = 0xFF4F, 0xFF90, 0xFF64


@dataclass(frozen=True)
class Received:
    """A file without its patient, and what it said of the patient."""

    data: bytes
    proposal: Proposal
    identity: str
    """Number of the patient and its issuer, to make a pseudonym from; empty where the sender gave none. Not to be kept.
    """


def received_of(data: bytes) -> Received:
    """Raises whatever pydicom does on damaged data."""
    found = dcmread(BytesIO(data), specific_tags=[*TAGS, *_DAYS, *_PATIENT])
    return Received(_stripped(found), _proposal(found), _identity(found))


def _stripped(found: Any) -> bytes:
    syntax, kept = found.file_meta.TransferSyntaxUID, Dataset()
    for name in TAGS:
        if name in found and name not in {"PixelData", "BurnedInAnnotation"}:
            kept.add(found[name])
    if str(found.get("BurnedInAnnotation", "")).strip().upper() == "YES":  # any other word could be a name
        kept.BurnedInAnnotation = "YES"
    pixels = found.PixelData
    if CODINGS[str(syntax)] in {"JPEG", "JPEG 2000"}:
        count = max(1, int(found.get("NumberOfFrames") or 1))
        frames = [without_comments(one) for one in generate_frames(pixels, number_of_frames=count)]
        pixels = encapsulate(frames)
    kept.add_new("PixelData", found["PixelData"].VR, pixels)
    kept["PixelData"].is_undefined_length = CODINGS[str(syntax)] != "plain"
    kept.file_meta = FileMetaDataset()
    kept.file_meta.TransferSyntaxUID = syntax
    kept.file_meta.MediaStorageSOPClassUID = found.SOPClassUID
    # One of its own: the sender's would lead back to the patient.
    kept.file_meta.MediaStorageSOPInstanceUID = uid(UUID_ROOT, "received", hashlib.sha256(pixels).hexdigest())
    file = BytesIO()
    kept.save_as(file, enforce_file_format=True)
    return file.getvalue()


def without_comments(frame: bytes) -> bytes:
    """A JPEG or a JPEG 2000 codestream without comments, EXIF, XMP and the like; anything else as it is."""
    start = int.from_bytes(frame[:2], "big")
    if start not in {_START, _START_2000}:
        return frame
    return frame[:2] + b"".join(_segments(frame, is_2000=start == _START_2000))


def _segments(frame: bytes, *, is_2000: bool) -> Iterator[bytes]:
    """Those to be kept, and all from the first scan or tile on."""
    position = 2
    while position + 4 <= len(frame):
        marker, length = struct.unpack_from(">HH", frame, position)
        if marker == 0xFFFF:  # a fill byte
            position += 1
            continue
        if marker in {_SCAN, _TILE_2000} or marker < 0xFF00 or length < 2:
            break
        dropped = marker == (_COMMENT_2000 if is_2000 else _COMMENT)
        if not dropped and (is_2000 or marker not in _APPLICATION or marker in _COLOR):
            yield frame[position : position + 2 + length]
        position += 2 + length
    yield frame[position:]


def _proposal(found: Any) -> Proposal:
    taken_on = next(filter(None, (_day(found.get(name)) for name in _DAYS)), "")
    born, year = str(found.get("PatientBirthDate") or "")[:4], None
    if born.isascii() and born.isdigit() and len(born) == 4:
        last = int(taken_on[:4]) if taken_on else today().year
        year = int(born) if _FIRST_YEAR <= int(born) <= last and last - int(born) <= MAX_AGE_YEARS else None
    return Proposal("", year, _SEXES.get(str(found.get("PatientSex") or "").strip().upper(), "unknown"), taken_on)


def _day(value: Any) -> str:
    """ISO date of a date or a time of DICOM; empty where it is none, or is yet to come."""
    try:
        day = date.fromisoformat(str(value or "")[:8])
    except ValueError:
        return ""
    return day.isoformat() if date(1900, 1, 1) <= day <= today() else ""


def _identity(found: Any) -> str:
    number, issuer = (str(found.get(name) or "").strip() for name in ("PatientID", "IssuerOfPatientID"))
    return f"{issuer}\n{number}" if number else ""
