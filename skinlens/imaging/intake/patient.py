"""Patient fields of a DICOM file: what is proposed when its photo is filed, and what a pseudonym is made from.

Apart from ``dicom``, which reads the picture: a photo has nothing of this. A name is never read.

References: DICOM PS3.3 C.7.1.1 (patient), C.8.12.2 and C.8.12.5 (acquisition, region), PS3.16 CID 2 (sides).
"""

import io
import json
from dataclasses import dataclass
from datetime import date
from typing import Any, get_args

from skinlens import whole_number
from skinlens.body_sites import named, words_of
from skinlens.case_record import Proposal
from skinlens.clock import FIRST_BIRTH_YEAR, FIRST_YEAR, today
from skinlens.errors import UnreadableImage
from skinlens.imaging.intake.container import ParsedImage
from skinlens.records import MAX_AGE_YEARS, Sex

UNREADABLE = "The DICOM object is damaged: its data set cannot be read."
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
class PatientFields:
    """Fields of one file."""

    proposal: Proposal
    """Its pseudonym is yet to be made."""
    identity: str
    """Number of the patient and its issuer, to make a pseudonym from; empty where the file has none. Not to be kept."""


def to_json(fields: PatientFields) -> str:
    said = fields.proposal
    return json.dumps([said.birth_year, said.sex, said.taken_on, said.body_site, fields.identity])


def of_json(text: str) -> PatientFields:
    """Raises ValueError for anything but what ``to_json`` writes: it comes from a process that met the file."""
    year, sex, day, site, identity = json.loads(text)
    words = all(isinstance(value, str) for value in (sex, day, site, identity))
    if not words or sex not in get_args(Sex) or _day(day.replace("-", "")) != day or not _is_year(year):
        raise ValueError("no patient fields")
    return PatientFields(Proposal("", year, sex, day, site), identity)


def _is_year(year: object) -> bool:
    return year is None or (type(year) is int and FIRST_BIRTH_YEAR <= year <= today().year)


def fields_of(container: ParsedImage) -> PatientFields:
    """The fields of a file that ``transfer_syntax`` has looked at. Raises UnreadableImage."""
    from pydicom import dcmread

    try:
        header = dcmread(io.BytesIO(container.picture), specific_tags=[*_DAYS, *_PATIENT, *_SITE])
        return PatientFields(_proposal(header), _identity(header))
    except MemoryError:
        raise
    except Exception as error:  # whatever pydicom raises on what is no data set
        raise UnreadableImage(UNREADABLE) from error


def _proposal(header: Any) -> Proposal:
    taken_on = next(filter(None, (_day(header.get(name)) for name in _DAYS)), "")
    last = int(taken_on[:4]) if taken_on else today().year
    year = whole_number.of_text(str(header.get("PatientBirthDate") or "")[:4])
    if year is not None and not max(FIRST_BIRTH_YEAR, last - MAX_AGE_YEARS) <= year <= last:
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
    return day.isoformat() if date(FIRST_YEAR, 1, 1) <= day <= today() else ""


def _identity(header: Any) -> str:
    number, issuer = (str(header.get(name) or "").strip() for name in ("PatientID", "IssuerOfPatientID"))
    return f"{issuer}\n{number}" if number else ""
