"""A received DICOM file as it may be kept: its picture and what says how to read it, and what is proposed beside it.

A new file is written from what intake reads of the received one: no name, date or number of a patient, no identifier
of the object, and of the first frame what its decoder needs (see ``frames``). It is read by intake as an upload is.
"""

import hashlib
from dataclasses import dataclass
from datetime import date
from io import BytesIO
from typing import Any

from pydicom import dcmread
from pydicom.dataset import Dataset, FileMetaDataset
from pydicom.encaps import encapsulate
from pydicom.uid import UID, ExplicitVRLittleEndian

from skinlens import whole_number
from skinlens.body_sites import named, words_of
from skinlens.case_record import Proposal
from skinlens.clock import today
from skinlens.errors import UnreadableImage
from skinlens.exchange.dicom.frames import bare_frame, bare_profile
from skinlens.exchange.dicom.identity import uid
from skinlens.imaging.intake.containers import parse_container
from skinlens.imaging.intake.dicom import BURNED_IN, DicomPicture, read_dicom
from skinlens.records import MAX_AGE_YEARS, Sex
from skinlens.settings import UUID_ROOT

_FIRST_YEAR = 1880
_DAYS = ("AcquisitionDateTime", "AcquisitionDate", "ContentDate", "StudyDate")
"""In which the day of the photo is looked for, in this order."""
_PATIENT = ("PatientID", "IssuerOfPatientID", "PatientBirthDate", "PatientSex")
_SITE = ("AnatomicRegionSequence", "BodyPartExamined", "ImageLaterality", "Laterality")
_ARM_AND_LEG = {"ARM", "LEG"}
"""Body parts that are wider or other than the sites of these names."""
_SIDES = {"L": "left", "R": "right"}
_SIDE_CODES = {"7771000": "left", "G-A101": "left", "24028007": "right", "G-A100": "right"}
"""Modifiers of an anatomic region (DICOM PS3.16, CID 2), in SNOMED CT and in the older SRT."""
_SEXES: dict[str, Sex] = {"F": "female", "M": "male", "O": "other"}


@dataclass(frozen=True)
class Received:
    """A file without its patient, and what it said of the patient."""

    data: bytes
    proposal: Proposal
    identity: str
    """Number of the patient and its issuer, to make a pseudonym from; empty where the sender gave none. Not to be kept.
    """


def received_of(data: bytes) -> Received:
    """The file anew, and what is proposed for it. Raises UnreadableImage."""
    try:
        header = dcmread(BytesIO(parse_container("DICOM", data).picture), specific_tags=[*_DAYS, *_PATIENT, *_SITE])
        return Received(_stripped(data), _proposal(header), _identity(header))
    except UnreadableImage:
        raise
    except Exception as error:  # whatever pydicom raises on what is no data set
        raise UnreadableImage("The DICOM object is damaged: its data set cannot be read.") from error


def _stripped(data: bytes) -> bytes:
    """A file made anew from what intake reads of this one: none of its elements is copied."""
    picture = read_dicom(parse_container("DICOM", data))
    own = parse_container("JPEG", picture.frame).icc_profile if picture.coding == "JPEG" else None
    frame, profile = bare_frame(picture), picture.icc_profile or own
    coded = picture.coding != "plain"
    pixels = encapsulate([frame]) if coded else frame
    described = _described(picture)
    if profile:
        described.ICCProfile = bare_profile(profile)
    described.add_new("PixelData", "OW" if picture.bits_allocated == 16 else "OB", pixels + b"\0" * (len(pixels) % 2))
    described["PixelData"].is_undefined_length = coded
    described.file_meta = FileMetaDataset()
    described.file_meta.TransferSyntaxUID = UID(picture.syntax) if coded else ExplicitVRLittleEndian
    described.file_meta.MediaStorageSOPClassUID = described.SOPClassUID
    # One of its own: the sender's would lead back to the patient.
    described.file_meta.MediaStorageSOPInstanceUID = uid(UUID_ROOT, "received", hashlib.sha256(pixels).hexdigest())
    file = BytesIO()
    described.save_as(file, enforce_file_format=True)
    return file.getvalue()


def _described(picture: DicomPicture) -> Dataset:
    """Data set that says how the pixels are read, without them."""
    made = Dataset()
    made.SOPClassUID = UID(picture.kind)
    made.Rows, made.Columns, made.SamplesPerPixel = picture.height_px, picture.width_px, picture.channels
    made.PhotometricInterpretation = picture.photometric
    if picture.channels > 1:
        made.PlanarConfiguration = int(picture.is_planar)
    made.BitsAllocated, made.BitsStored, made.HighBit = picture.bits_allocated, picture.bits, picture.bits - 1
    made.PixelRepresentation = 0
    if picture.frames > 1:
        made.NumberOfFrames = picture.frames  # though the first alone is kept: intake says so of the photo
    if picture.field_width_mm is not None:
        made.PixelSpacing = [f"{picture.field_width_mm / picture.width_px:.10g}"] * 2
    if BURNED_IN in picture.notes:
        made.BurnedInAnnotation = "YES"
    if picture.palette is not None:
        for number, color in enumerate(("Red", "Green", "Blue")):
            name = f"{color}PaletteColorLookupTable"
            entries = picture.palette[:, number].tobytes()
            descriptor = [len(entries) % 65_536, picture.first_color, 8]
            made.add_new(f"{name}Descriptor", "US" if picture.first_color >= 0 else "SS", descriptor)
            made.add_new(f"{name}Data", "OW", entries + b"\0" * (len(entries) % 2))
    return made


def _proposal(header: Any) -> Proposal:
    taken_on = next(filter(None, (_day(header.get(name)) for name in _DAYS)), "")
    last = int(taken_on[:4]) if taken_on else today().year
    year = whole_number.of_text(str(header.get("PatientBirthDate") or "")[:4])
    if year is not None and not max(_FIRST_YEAR, last - MAX_AGE_YEARS) <= year <= last:
        year = None
    sex = _SEXES.get(str(header.get("PatientSex") or "").strip().upper(), "unknown")
    return Proposal("", year, sex, taken_on, _body_site(header))


def _body_site(header: Any) -> str:
    """Site and side in words of our own, as none of the file's may be stored; empty where not one site is named."""
    region: Any = next(iter(header.get("AnatomicRegionSequence") or ()), {})
    part = str(header.get("BodyPartExamined") or "").strip().upper()
    words = str(region.get("CodeMeaning") or "") or ("" if part in _ARM_AND_LEG else part)
    sites = {site.name for site in named(words).values()}
    if len(sites) != 1:
        return ""
    modifiers = region.get("AnatomicRegionModifierSequence") or ()
    sides = {_SIDE_CODES.get(str(modifier.get("CodeValue") or "")) for modifier in modifiers}
    sides |= {_SIDES.get(str(header.get(name) or "")) for name in ("ImageLaterality", "Laterality")}
    sides |= {side for side in _SIDES.values() if side in words_of(words)}
    known = sides - {None}
    return f"{sites.pop()}, {known.pop()}" if len(known) == 1 else sites.pop()


def _day(value: Any) -> str:
    """ISO date of a date or a time of DICOM; empty where it is none, or is yet to come."""
    try:
        day = date.fromisoformat(str(value or "")[:8])
    except ValueError:
        return ""
    return day.isoformat() if date(1900, 1, 1) <= day <= today() else ""


def _identity(header: Any) -> str:
    number, issuer = (str(header.get(name) or "").strip() for name in ("PatientID", "IssuerOfPatientID"))
    return f"{issuer}\n{number}" if number else ""
