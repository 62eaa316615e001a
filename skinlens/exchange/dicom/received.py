"""A received DICOM file as it may be kept: its picture and what says how to read it, and what is proposed beside it.

A new file is written from what intake reads of the received one: no name, date or number of a patient, no identifier
of the object, and of the first frame what its decoder needs (see ``frames``). It is read by intake as an upload is.
"""

import hashlib
import warnings
from dataclasses import dataclass
from io import BytesIO

from pydicom.dataset import Dataset, FileMetaDataset
from pydicom.encaps import encapsulate
from pydicom.uid import UID, ExplicitVRLittleEndian

from skinlens.case_record import Proposal
from skinlens.errors import UnreadableImage
from skinlens.exchange.dicom.frames import bare_frame, bare_profile
from skinlens.exchange.dicom.identity import uid
from skinlens.imaging.intake.container import ParsedImage
from skinlens.imaging.intake.containers import parse_container
from skinlens.imaging.intake.dicom import BURNED_IN, DicomPicture, read_dicom
from skinlens.imaging.intake.patient import UNREADABLE, fields_of
from skinlens.settings import UUID_ROOT

# pydicom quotes the value of a tag that it warns of, and that may be a name: a receiver's terminal is a log.
warnings.filterwarnings("ignore", module=r"pydicom\.")


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
        container = parse_container("DICOM", data)
        said = fields_of(container)
        return Received(_stripped(container), said.proposal, said.identity)
    except UnreadableImage:
        raise
    except Exception as error:  # whatever pydicom raises on what is no data set
        raise UnreadableImage(UNREADABLE) from error


def _stripped(container: ParsedImage) -> bytes:
    """A file made anew from what intake reads of this one: none of its elements is copied."""
    picture = read_dicom(container)
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
