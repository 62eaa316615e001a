"""DICOM files for the tests, of drawn pictures alone."""

import io
from pathlib import Path
from typing import Any

import numpy as np
from PIL import Image
from pydicom import dcmread
from pydicom.dataset import Dataset, FileMetaDataset
from pydicom.encaps import encapsulate, get_frame
from pydicom.uid import UID, ExplicitVRLittleEndian, generate_uid

DERMOSCOPIC, PHOTOGRAPHIC = "1.2.840.10008.5.1.4.1.1.77.1.7", "1.2.840.10008.5.1.4.1.1.77.1.4"
NAME = "Doe^Jane"


def dicom(
    frames: list[bytes],
    size: tuple[int, int],
    photometric: str = "RGB",
    syntax: str = ExplicitVRLittleEndian,
    kind: str = DERMOSCOPIC,
    **tags: Any,
) -> bytes:
    """A file with these frames as they stand in it; further tags by their keyword."""
    made = Dataset()
    made.file_meta = FileMetaDataset()
    made.file_meta.TransferSyntaxUID = syntax
    made.file_meta.MediaStorageSOPClassUID = made.SOPClassUID = kind
    made.file_meta.MediaStorageSOPInstanceUID = made.SOPInstanceUID = generate_uid(entropy_srcs=["test"])
    made.PatientName, made.PatientID, made.PatientBirthDate, made.StudyDate = NAME, "PAT-4711", "19610203", "20250101"
    made.Columns, made.Rows = size
    made.SamplesPerPixel = 1 if photometric in {"MONOCHROME1", "MONOCHROME2", "PALETTE COLOR"} else 3
    made.PhotometricInterpretation = photometric
    made.BitsAllocated, made.BitsStored, made.HighBit, made.PixelRepresentation = 8, 8, 7, 0
    if made.SamplesPerPixel == 3:
        made.PlanarConfiguration = 0
    for name, value in tags.items():
        setattr(made, name, value)
    is_coded = UID(syntax).is_encapsulated
    joined = encapsulate(frames) if is_coded else b"".join(frames)
    made.PixelData = joined + b"\0" * (len(joined) % 2)
    made["PixelData"].VR = "OB" if made.BitsAllocated == 8 else "OW"
    made["PixelData"].is_undefined_length = is_coded
    file = io.BytesIO()
    made.save_as(file, enforce_file_format=True)
    return file.getvalue()


def encoded_elsewhere(name: str) -> bytes:
    """A file of ``intake_files.picture()`` in a coding that nothing here writes.

    Made by dcmtk 3.6.7 (``dcmcjpeg``, ``dcmcjpls``, ``dcmconv``); those of HTJ2K by OpenJPH in imagecodecs 2026.3.6.
    """
    return (Path(__file__).parent / "dicom" / f"{name}.dcm").read_bytes()


def frame_of(name: str) -> bytes:
    """The first frame of such a file."""
    return get_frame(dcmread(io.BytesIO(encoded_elsewhere(name))).PixelData, 0, number_of_frames=1)


def plain(picture: Image.Image, **tags: Any) -> bytes:
    return dicom([np.asarray(picture).tobytes()], picture.size, **tags)


def run_lengths(planes: list[bytes]) -> bytes:
    """PackBits of each plane: runs where there are any, literals else."""
    packed = []
    for plane in planes:
        body, at = bytearray(), 0
        while at < len(plane):
            run = 1
            while at + run < len(plane) and run < 128 and plane[at + run] == plane[at]:
                run += 1
            if run > 1:
                body += bytes([257 - run, plane[at]])
                at += run
            else:
                body += bytes([0, plane[at]])
                at += 1
        packed.append(bytes(body) + b"\x80" * (len(body) % 2))
    offsets = [64 + sum(len(one) for one in packed[:number]) for number in range(len(packed))]
    header = np.array([len(packed), *offsets, *[0] * (15 - len(packed))], "<u4").tobytes()
    return header + b"".join(packed)


def jpeg(picture: Image.Image, **options: Any) -> bytes:
    file = io.BytesIO()
    picture.save(file, "JPEG", quality=95, **options)
    return file.getvalue()


def jpeg_2000(picture: Image.Image) -> bytes:
    file = io.BytesIO()
    picture.save(file, "JPEG2000", irreversible=False, no_jp2=True)
    return file.getvalue()
