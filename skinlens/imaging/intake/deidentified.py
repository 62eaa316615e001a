"""De-identified DICOM file: its picture and what says how to read it, written anew without anything of the patient.

None of the file's elements is copied: no name, date or number of a patient, no identifier of the object, and of the
first frame what its decoder needs (see ``frames``). Intake reads it as it does an upload.

References: DICOM PS3.15 annex E (de-identification), PS3.3 C.7.6.3 (image pixel).
"""

import hashlib
from io import BytesIO
from typing import TYPE_CHECKING

from skinlens.dicom_uid import UUID_ROOT, uid
from skinlens.errors import UnreadableImage
from skinlens.imaging.intake.container import ParsedImage
from skinlens.imaging.intake.containers import parse_container
from skinlens.imaging.intake.dicom import BURNED_IN, DicomPicture, read_dicom
from skinlens.imaging.intake.frames import bare_frame, bare_profile
from skinlens.imaging.intake.patient import UNREADABLE

if TYPE_CHECKING:
    from pydicom.dataset import Dataset


def deidentified(container: ParsedImage) -> bytes:
    """The file anew, of one that ``transfer_syntax`` has looked at. Raises UnreadableImage, MemoryError."""
    try:
        return _written(read_dicom(container))
    except (UnreadableImage, MemoryError):
        raise
    except Exception as error:  # whatever pydicom raises on what is no data set
        raise UnreadableImage(UNREADABLE) from error


def _written(picture: DicomPicture) -> bytes:
    from pydicom.dataset import FileMetaDataset
    from pydicom.encaps import encapsulate
    from pydicom.uid import UID, ExplicitVRLittleEndian

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
    described.file_meta.MediaStorageSOPInstanceUID = UID(uid(UUID_ROOT, "received", hashlib.sha256(pixels).hexdigest()))
    file = BytesIO()
    described.save_as(file, enforce_file_format=True)
    return file.getvalue()


def _described(picture: DicomPicture) -> "Dataset":
    """Data set that says how the pixels are read, without them."""
    from pydicom.dataset import Dataset
    from pydicom.uid import UID

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
