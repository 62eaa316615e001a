"""Photo intake: the one door through which pictures enter, bytes to ``Photo``.

The kind of file is told by its content; names are never asked for. Limits are checked on the header, before anything
is decoded. Whatever is wrong with a file, the caller gets ``UnreadableImage`` and nothing else: no other exception, no
warning. Any number of threads may read at a time.

``refusals`` tells what a file is and words the refusals, ``containers`` takes the file apart, ``decode`` has its
picture decoded, ``raster`` hands that out in bands, ``color`` brings them to 8-bit sRGB. All this happens in
``worker``, a process with the ``limits`` of memory and time, which ``isolation`` starts, feeds and replaces.
"""

import hashlib
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from pathlib import Path

import numpy as np

from skinlens.errors import UnreadableImage
from skinlens.imaging.intake import isolation
from skinlens.imaging.intake.canvas import Canvas
from skinlens.imaging.intake.decode import Decoding, decode
from skinlens.imaging.intake.isolation import start
from skinlens.imaging.intake.limits import LimitedDecoder
from skinlens.imaging.intake.patient import PatientFields
from skinlens.imaging.intake.sniffing import (
    MAX_BYTES,
    MAX_PIXELS,
    MIN_SIDE_PX,
    TOO_MUCH_MEMORY,
    check_size,
    check_weight,
    recognize,
)
from skinlens.records import Photo, Pixels

__all__ = [
    "MAX_BYTES",
    "MAX_PIXELS",
    "MIN_SIDE_PX",
    "deidentify",
    "photo_from_pixels",
    "read_patient",
    "read_photo",
    "read_photo_file",
    "read_trusted_photo",
    "recognize",
    "start",
]


def read_photo(data: bytes, decoder: LimitedDecoder | None = None) -> Photo:
    """The photo in ``data``: JPEG, PNG, WebP, TIFF, BMP, HEIC or DICOM; at most 25 MB and 50 megapixels, from 32 px on.

    Of several frames or pages the first is read; 16-bit, palette, transparent, CMYK and grayscale pictures become
    8-bit RGB; a color profile is converted to sRGB; EXIF orientation is applied; all metadata is dropped.
    ``Photo.notes`` says what was changed. Raises UnreadableImage.

    Another process does it, within limits of memory and processor time: no file can stop or fill this one. With a
    ``decoder`` it is this process that is held to the limits, and that may end at the file.
    """
    check_weight(len(data))
    with _within_memory():
        recognize(data)  # what is no photo is told without a process
        if decoder is not None:
            return decoder.decode(data, _photo_of)
        canvas, source_format, notes, field_width_mm = isolation.decode(data)
        return _photo(canvas.pixels, source_format, notes, field_width_mm)


@contextmanager
def _within_memory() -> Iterator[None]:
    """Where this process has no memory left for a photo, that is a refusal as well."""
    try:
        yield
    except MemoryError as error:
        raise UnreadableImage(TOO_MUCH_MEMORY) from error


def read_photo_file(path: Path, decoder: LimitedDecoder | None = None) -> Photo:
    """The photo in a file. Its size is looked at first: a film of 6 GB is not read. Raises UnreadableImage, OSError."""
    if path.is_dir():
        raise UnreadableImage(f"{path} is a folder: expected a photo. For all photos of a folder: skinlens batch.")
    with path.open("rb") as file:
        file.seek(0, 2)
        check_weight(file.tell())
        file.seek(0)
        return read_photo(file.read(MAX_BYTES + 1), decoder)


def read_trusted_photo(data: bytes) -> Photo:
    """``read_photo`` in this process, for the folders of a data set: same pixels, no limit of memory and time."""
    check_weight(len(data))
    with _within_memory():
        return _photo_of(decode(data))


def _photo_of(decoding: Decoding) -> Photo:
    canvas = Canvas(decoding.width_px, decoding.height_px, decoding.orientation)
    for band in decoding.bands:
        canvas.add(band)
    return _photo(canvas.pixels, decoding.source_format, decoding.notes, decoding.field_width_mm)


def read_patient(data: bytes) -> PatientFields | None:
    """Fields that a DICOM file proposes for the patient of its photo; None for a file of another kind.

    Another process reads it, as it does a photo. Raises UnreadableImage.
    """
    return isolation.patient_fields(data) if recognize(data) == "DICOM" else None


def deidentify(data: bytes) -> tuple[bytes, PatientFields]:
    """A DICOM file written anew without anything of its patient, and what it proposes for the patient.

    Of several frames the first is kept; it decodes to the same pixels. Another process writes it, as it reads a photo.
    Raises UnreadableImage.
    """
    check_weight(len(data))
    with _within_memory():
        return isolation.deidentified(data)


def photo_from_pixels(pixels: Pixels, source_format: str, notes: Iterable[str] = ()) -> Photo:
    """A Photo of upright RGB pixels that were not read from a file here (drawn, or read back from the store).

    ``sha256`` is over ``"{width}x{height}:"`` and the RGB bytes, row by row. The pixels are made read-only: one photo
    is shared between threads. Raises UnreadableImage if they are too few or too many.
    """
    height_px, width_px = pixels.shape[:2]
    check_size(width_px, height_px)
    return _photo(np.array(pixels, dtype=np.uint8, order="C"), source_format, notes)


def _photo(own: Pixels, source_format: str, notes: Iterable[str], field_width_mm: float | None = None) -> Photo:
    """A Photo of pixels that nobody else holds."""
    height_px, width_px = own.shape[:2]
    own.flags.writeable = False
    digest = hashlib.sha256(f"{width_px}x{height_px}:".encode())
    digest.update(own.data)
    return Photo(own, digest.hexdigest(), source_format, tuple(notes), field_width_mm=field_width_mm)
