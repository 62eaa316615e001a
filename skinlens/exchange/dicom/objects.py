"""DICOM objects of a stored case: each map over its photo as a Secondary Capture, the report as an Encapsulated PDF.

Both name the patient by the pseudonym alone, the model by version and SHA-256, and say what they are not for. Without a
clock and without chance: the same case gives the same bytes, and so the same identifiers (see ``identity``).

References: DICOM PS3.3 A.8.1 (Secondary Capture), A.45.1 (Encapsulated PDF), C.7.6.1 (general image), C.12.1
(contributing equipment).
"""

import hashlib
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import UTC, datetime
from io import BytesIO
from typing import Any

import numpy as np
from PIL import Image
from pydicom.dataset import Dataset, FileMetaDataset
from pydicom.sequence import Sequence as Items
from pydicom.uid import UID, EncapsulatedPDFStorage, ExplicitVRLittleEndian, SecondaryCaptureImageStorage

from skinlens import __version__
from skinlens.case_record import CaseRecord
from skinlens.dicom_uid import UUID_ROOT, uid
from skinlens.exchange.dicom.identity import case_key, patient_id
from skinlens.explain import METHODS
from skinlens.explain.overlay import captioned, overlay
from skinlens.imaging.intake.dicom import BURNED_IN
from skinlens.imaging.preprocess import InputSpec
from skinlens.labels import DISCLAIMER
from skinlens.records import Explanation, Photo, Pixels, Sex
from skinlens.wording.maps import CAVEAT, LEGEND, supports
from skinlens.wording.naming import STATUSES
from skinlens.wording.quality import UNRELIABLE
from skinlens.wording.records import target_words

LONGEST_PX = 2000
"""Long side of an overlay: a photo that is larger is reduced, for the pixels are not compressed."""
_SEX: dict[Sex, str] = {"female": "F", "male": "M", "other": "O", "unknown": ""}
_LOSSY = frozenset({"JPEG", "HEIC"})
"""Formats of photos that were compressed with a loss."""
_MAPS, _REPORT = 1, 2
"""Numbers of the two series of a case."""


@dataclass(frozen=True)
class Source:
    """The DICOM object in which a case's photo came."""

    sop_class: str
    sop_instance: str


@dataclass(frozen=True)
class Written:
    """One object, and a name for its file that says nothing of the patient."""

    name: str
    dataset: Dataset

    @property
    def content(self) -> bytes:
        """Content of the DICOM file."""
        file = BytesIO()
        self.dataset.save_as(file, enforce_file_format=True)
        return file.getvalue()


def objects(
    record: CaseRecord, pdf: bytes, *, root: str = UUID_ROOT, source: Source | None = None
) -> tuple[Written, ...]:
    """All objects of a case: its maps in the order in which they were saved, then its report.

    Args:
        record: With its maps. Of a case whose picture is lost there is the report alone.
        pdf: The report.
        root: Of the identifiers.
        source: Where the photo came from, if it is known.

    Raises:
        InvalidEntry: the pseudonym cannot be written in DICOM.
    """
    writer = _Writer(record, root, source)
    return (*writer.maps(), writer.report(pdf))


class _Writer:
    """The objects of one case, which belong to one study."""

    def __init__(self, record: CaseRecord, root: str, source: Source | None) -> None:
        self._record, self._visit, self._root, self._source = record, record.visit, root, source
        self._model = record.visit.prediction.model
        self._patient_id = patient_id(record)

    def maps(self) -> Iterator[Written]:
        if self._record.photo.placeholder:
            return
        photo = _reduced(self._record.photo)
        for number, explanation in enumerate(self._record.explanations, start=1):
            name = f"case-{self._visit.id:06d}-map-{number:02d}-{explanation.method}-{explanation.target.code}.dcm"
            yield Written(name, self._map(photo, explanation, number))

    def report(self, pdf: bytes) -> Written:
        made = self._common(EncapsulatedPDFStorage, _REPORT, "DOC", self._visit.updated_at)
        made.SeriesDescription = "SkinLens: report"
        made.InstanceNumber = 1
        made.AcquisitionDateTime = _day(self._visit.taken_on)
        made.BurnedInAnnotation = "YES"  # it prints the pseudonym, the day, and what people typed
        made.DocumentTitle = f"Dermoscopy report, case {self._visit.id}, {STATUSES[self._visit.status]}. {DISCLAIMER}"
        made.ConceptNameCodeSequence = Items()
        if self._visit.status == "draft":
            made.VerificationFlag = "UNVERIFIED"
        made.MIMETypeOfEncapsulatedDocument = "application/pdf"
        made.EncapsulatedDocument = _even(pdf)
        made.EncapsulatedDocumentLength = len(pdf)
        if self._source is not None:
            made.SourceInstanceSequence = Items([_reference(self._source)])
        return Written(f"case-{self._visit.id:06d}-report.dcm", _identified(made, self._root))

    def _map(self, photo: Photo, explanation: Explanation, number: int) -> Dataset:
        title = METHODS[explanation.method].title
        words = supports(title, target_words(explanation.target))
        remarks = (CAVEAT,) if self._visit.quality.reliable else (CAVEAT, UNRELIABLE)
        made = self._common(SecondaryCaptureImageStorage, _MAPS, "OT", explanation.created_at)
        made.SeriesDescription = "SkinLens: maps over the photo"
        made.InstanceNumber = number
        made.PatientOrientation = made.Laterality = ""  # not known
        made.ImageType = ["DERIVED", "SECONDARY"]
        made.DerivationDescription = (
            f"{words}; drawn over the photo in one fixed color scale ({LEGEND}), with a caption below. "
            f"Photo SHA-256 {explanation.photo_sha256}; model {explanation.model.name} {explanation.model.version}, "
            f"SHA-256 {explanation.model.sha256}."
        )
        if (photo.width_px, photo.height_px) != (self._record.photo.width_px, self._record.photo.height_px):
            made.DerivationDescription += f" Reduced to {photo.width_px} by {photo.height_px} pixels."
        if self._source is not None:
            made.SourceImageSequence = Items([_reference(self._source)])
        made.ImageComments = " ".join((DISCLAIMER, *remarks))
        # Of the caption and of what the photo's file said: whether somebody wrote on the skin, nobody looked.
        made.BurnedInAnnotation = "YES" if BURNED_IN in self._record.photo.notes else "NO"
        if self._record.photo.source_format in _LOSSY:
            made.LossyImageCompression = "01"
        _put_pixels(made, captioned(overlay(photo, explanation.heatmap, InputSpec()), (words, *remarks, DISCLAIMER)))
        return _identified(made, self._root)

    def _common(self, sop_class: UID, series: int, modality: str, made_at: str) -> Dataset:
        """Patient, study, series, equipment and times of an object."""
        made = Dataset()
        made.file_meta = FileMetaDataset()
        made.file_meta.TransferSyntaxUID = ExplicitVRLittleEndian
        made.SOPClassUID = made.file_meta.MediaStorageSOPClassUID = sop_class
        made.SpecificCharacterSet = "ISO_IR 192"
        made.TimezoneOffsetFromUTC = "+0000"
        made.InstanceCreationDate, made.InstanceCreationTime = _utc(made_at)
        made.ContentDate, made.ContentTime = _utc(made_at)
        self._put_patient(made)
        key = case_key(self._record)
        made.StudyInstanceUID = uid(self._root, "study", key)
        made.SeriesInstanceUID = uid(self._root, "series", key, series)
        made.StudyDate, made.StudyTime = _day(self._visit.taken_on), ""
        made.StudyID, made.AccessionNumber, made.ReferringPhysicianName = str(self._visit.id), "", ""
        made.StudyDescription = "Dermoscopy with the result of a classifier"
        made.SeriesNumber, made.Modality, made.ConversionType = series, modality, "WSD"
        # Not last: the hash has all the characters that a value may have, and padding would be one too many.
        software = [f"SkinLens {__version__}", self._model.sha256, f"model {self._model.name} {self._model.version}"]
        made.Manufacturer, made.ManufacturerModelName = "SkinLens", "SkinLens"
        made.SecondaryCaptureDeviceManufacturer = made.SecondaryCaptureDeviceManufacturerModelName = "SkinLens"
        made.SoftwareVersions = made.SecondaryCaptureDeviceSoftwareVersions = [version[:64] for version in software]
        made.ContributingEquipmentSequence = Items([self._equipment()])
        return made

    def _put_patient(self, made: Dataset) -> None:
        patient = self._record.case.patient
        made.PatientID = self._patient_id
        made.PatientName = self._patient_id
        made.PatientBirthDate = ""  # of a birth, the year alone is known
        made.PatientSex = "" if patient is None else _SEX[patient.sex]
        made.PatientIdentityRemoved = "YES"
        made.DeidentificationMethod = "Pseudonym; SkinLens keeps no name and no date of birth"

    def _equipment(self) -> Dataset:
        item, purpose = Dataset(), Dataset()
        purpose.CodeValue, purpose.CodingSchemeDesignator = "109102", "DCM"
        purpose.CodeMeaning = "Processing Equipment"
        item.PurposeOfReferenceCodeSequence = Items([purpose])
        item.Manufacturer = "SkinLens"
        item.ManufacturerModelName = self._model.name[:64]
        item.SoftwareVersions = [self._model.sha256, self._model.version[:64]]
        item.ContributionDescription = (
            "Neural network that classified the photo; its first version is the SHA-256 of its file, its second the "
            f"model's. {DISCLAIMER}"
        )
        return item


def _identified(made: Dataset, root: str) -> Dataset:
    """With the identifier that follows from all the rest of the object."""
    digest = hashlib.sha256()
    for element in made.iterall():
        value = element.value
        if element.VR != "SQ":  # whose own elements follow
            digest.update(f"{element.tag} ".encode() + (value if isinstance(value, bytes) else str(value).encode()))
    made.file_meta.MediaStorageSOPInstanceUID = made.SOPInstanceUID = UID(uid(root, "object", digest.hexdigest()))
    return made


def _put_pixels(made: Dataset, pixels: Pixels) -> None:
    made.Rows, made.Columns = pixels.shape[:2]
    made.SamplesPerPixel, made.PhotometricInterpretation, made.PlanarConfiguration = 3, "RGB", 0
    made.BitsAllocated, made.BitsStored, made.HighBit, made.PixelRepresentation = 8, 8, 7, 0
    made.add_new("PixelData", "OB", _even(np.ascontiguousarray(pixels).tobytes()))


def _reduced(photo: Photo) -> Photo:
    """The photo, at most ``LONGEST_PX`` long."""
    scale = LONGEST_PX / max(photo.width_px, photo.height_px)
    if scale >= 1:
        return photo
    size = max(1, round(photo.width_px * scale)), max(1, round(photo.height_px * scale))
    pixels = np.asarray(Image.fromarray(photo.pixels).resize(size, Image.Resampling.LANCZOS))
    return Photo(pixels, photo.sha256, photo.source_format, photo.notes)


def _reference(source: Source) -> Dataset:
    item = Dataset()
    item.ReferencedSOPClassUID, item.ReferencedSOPInstanceUID = source.sop_class, source.sop_instance
    return item


def _even(data: bytes) -> bytes:
    return data + b"\0" * (len(data) % 2)


def _day(taken_on: str) -> str:
    return taken_on.replace("-", "")


def _utc(at: str) -> tuple[str, str]:
    """Date and time of a stored moment, as DICOM writes them."""
    moment: Any = datetime.fromisoformat(at).astimezone(UTC)
    return f"{moment:%Y%m%d}", f"{moment:%H%M%S.%f}"
