"""Source of a case's photo: the DICOM file in which it came, told by its picture and named by its identifiers."""

from pathlib import Path

from skinlens.errors import InvalidEntry, UnreadableImage
from skinlens.exchange.dicom.objects import Source
from skinlens.imaging import intake


def source_of(path: Path, photo_sha256: str) -> Source:
    """The class and the identifier of the object in a file; nothing else of it is used.

    Raises:
        UnreadableImage: the file holds no photo that can be read.
        InvalidEntry: its photo is another than the case's.
        OSError: the file cannot be read.
    """
    from pydicom import dcmread

    photo = intake.read_photo_file(path)
    if photo.source_format != "DICOM":
        raise UnreadableImage(f"A DICOM file was expected as the photo's source, and {photo.source_format} was found.")
    if photo.sha256 != photo_sha256:
        raise InvalidEntry(
            f"The file holds another photo than the case: expected the photo {photo_sha256[:12]}…, found "
            f"{photo.sha256[:12]}…. Nothing was written. Name the file that this very photo came in, or leave --source "
            "out."
        )
    header = dcmread(path, specific_tags=["SOPClassUID", "SOPInstanceUID"])
    return Source(str(header.SOPClassUID), str(header.SOPInstanceUID))
