"""Bytes → Photo: the one door through which pictures enter.

The kind of file is told by its content; names are never asked for. Limits are checked on the header, before anything
is decoded. Whatever is wrong with a file, the caller gets ``UnreadableImage`` and nothing else: no other exception, no
warning. No state of Pillow is changed, so any number of threads may read at a time.

``refusals`` tells what a file is and words the refusals, ``containers`` takes the file apart, ``colour`` brings what
was decoded to 8-bit sRGB.
"""

import hashlib
import io
from collections.abc import Callable, Iterable
from typing import cast

import numpy as np
from jaxtyping import UInt8
from PIL import Image
from PIL.BmpImagePlugin import BmpImageFile
from PIL.JpegImagePlugin import JpegImageFile
from PIL.PngImagePlugin import PngImageFile
from PIL.TiffImagePlugin import TiffImageFile
from PIL.WebPImagePlugin import WebPImageFile

from skinlens.errors import UnreadableImage
from skinlens.intake.colour import to_srgb
from skinlens.intake.containers import Container, Format, take_apart
from skinlens.intake.refusals import MAX_BYTES, MAX_PIXELS, MIN_SIDE_PX, check_size, check_weight, damaged, recognise
from skinlens.records import Array, Photo, Pixels

__all__ = ["MAX_BYTES", "MAX_PIXELS", "MIN_SIDE_PX", "photo_from_pixels", "read_photo"]


def read_photo(data: bytes) -> Photo:
    """The photo in ``data``: JPEG, PNG, WebP, TIFF, BMP or HEIC, at most 25 MB and 50 megapixels, at least 32 px.

    Of several frames or pages the first is read; 16-bit, palette, transparent, CMYK and greyscale pictures become
    8-bit RGB; a colour profile is converted to sRGB; EXIF orientation is applied; all metadata is dropped.
    ``Photo.notes`` says what was changed. Raises UnreadableImage.
    """
    check_weight(len(data))
    container = take_apart(cast(Format, recognise(data)), data)
    try:
        pixels, notes = _decode(container)
    except UnreadableImage:
        raise
    except MemoryError as error:
        raise UnreadableImage(
            "The picture could not be decoded: it needs more memory than this computer has free. "
            "Close other programs, or save a smaller copy of the photo, and upload that."
        ) from error
    except Exception as error:  # decoders of six formats raise whatever they like on damaged bytes
        raise damaged(container.format, "its picture data cannot be decoded") from error
    return photo_from_pixels(upright(pixels, container.orientation), container.format, (*container.notes, *notes))


def photo_from_pixels(pixels: Pixels, source_format: str, notes: Iterable[str] = ()) -> Photo:
    """A Photo of upright RGB pixels that were not read from a file here (drawn, or read back from the store).

    ``sha256`` is over ``"{width}x{height}:"`` and the RGB bytes, row by row. The pixels are made read-only: one photo
    is shared between threads. Raises UnreadableImage if they are too few or too many.
    """
    height_px, width_px = pixels.shape[:2]
    check_size(width_px, height_px)
    own = np.array(pixels, dtype=np.uint8, order="C")
    own.flags.writeable = False
    digest = hashlib.sha256(f"{width_px}x{height_px}:".encode())
    digest.update(own.data)
    return Photo(own, digest.hexdigest(), source_format, tuple(notes))


def _decode(container: Container) -> tuple[Pixels, tuple[str, ...]]:
    # The plugin's class is called, not Image.open: that would try further formats and warn about sizes.
    with _OPENERS[container.format](io.BytesIO(container.picture)) as image:
        check_size(*image.size)
        frames = max(container.frames, int(getattr(image, "n_frames", 1)))
        profile = container.icc_profile or image.info.get("icc_profile")
        image.load()
        check_size(*image.size)  # HEIC may turn out larger than its header said
        pixels, notes = to_srgb(image, profile, container.bits)
    if frames > 1:
        notes = (f"The file holds {frames} pictures; only the first was read.", *notes)
    return pixels, notes


def _open_heic(stream: io.BytesIO) -> Image.Image:
    from pillow_heif import HeifImageFile  # called directly: registering it would change Pillow for the whole process

    opener: Callable[[io.BytesIO], Image.Image] = HeifImageFile
    return opener(stream)


_OPENERS: dict[Format, Callable[[io.BytesIO], Image.Image]] = {
    "JPEG": JpegImageFile,  # of a multi-picture file (MPO) too, whose first picture it is
    "PNG": PngImageFile,
    "WebP": WebPImageFile,
    "TIFF": TiffImageFile,
    "BMP": BmpImageFile,
    "HEIC": _open_heic,  # libheif applies the orientation itself
}


def upright(pixels: Pixels, orientation: int) -> UInt8[Array, "height width 3"]:
    """Undo an EXIF orientation (1–8, CIPA DC-008 table 4.6.4 A): the stored rows become the scene's rows."""
    if orientation in (5, 6, 7, 8):
        pixels = pixels.swapaxes(0, 1)
    rows = slice(None, None, -1 if orientation in (3, 4, 7, 8) else 1)
    columns = slice(None, None, -1 if orientation in (2, 3, 6, 7) else 1)
    return pixels[rows, columns]
