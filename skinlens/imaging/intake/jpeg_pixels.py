"""JPEG pixels, complete or refused: libjpeg makes up missing ones, gray, and merely warns.

Pillow does not hand the warnings on, and an end mark proves nothing: programs that mend files append one. So
simplejpeg decodes, the same libjpeg-turbo with its warnings. Where it does not (a sampling that it does not know, a
warning that says nothing of the pixels), the coded pixels are continued by those of no picture, in several ways: if
that shows in the picture, some are missing.

Not found: zeros in the place of the last pixels that an end mark follows, which for the decoder are pixels; and what is
missing of a file with arithmetic coding or of a JPEG within a TIFF.
"""

import hashlib
import io
import re

import numpy as np
import simplejpeg
from PIL.JpegImagePlugin import JpegImageFile

from skinlens.imaging.intake.raster import of_image
from skinlens.imaging.intake.sniffing import ENDS_EARLY, damaged
from skinlens.records import Array

END = b"\xff\xd9"
_BROKEN = "a part of its coded pixels makes no sense"
_CHANNELS = {"L": "GRAY", "RGB": "RGB", "CMYK": "CMYK"}
_MISSING = re.compile("premature end|marker 0xd9 instead of RST", re.IGNORECASE)
_SENSELESS = re.compile("bad Huffman code|bad progression parameters", re.IGNORECASE)


def decode_whole(picture: bytes, mode: str, size: tuple[int, int]) -> Array | None:
    """Rows, columns and channels in Pillow's ``mode``; None where Pillow must decode. Raises UnreadableImage.

    ``size`` is width and height that are wanted: those of the picture, or half of them, rounded up.

    Not for arithmetic coding, in which coded pixels may end before the picture.
    """
    try:
        samples: Array = simplejpeg.decode_jpeg(picture, _CHANNELS[mode], min_width=size[0], min_height=size[1])
    except ValueError as error:
        words = str(error)
        if "memory" in words.lower():
            raise MemoryError(words) from error
        if _MISSING.search(words):
            raise damaged("JPEG", ENDS_EARLY) from error
        if _SENSELESS.search(words):
            raise damaged("JPEG", _BROKEN) from error
        return None
    if mode == "CMYK":  # stored as Adobe does, the other way round
        np.invert(samples, out=samples)
    return samples


def check_whole(picture: bytes) -> None:
    """Refuse coded pixels whose picture depends on what follows them. It takes the time of four times decoding."""
    body = picture.removesuffix(END)
    try:
        seen = {_fingerprint(body + rest + END) for rest in _NO_PICTURES}
    except OSError as error:
        raise damaged("JPEG", ENDS_EARLY) from error
    if len(seen) > 1:
        raise damaged("JPEG", ENDS_EARLY)


_NO_PICTURES = (
    b"",
    b"\xfe" * 1024,
    b"\x55\xaa" * 512,
    b"".join(b"\x55\xaa" * 64 + bytes([0xFF, 0xD0 + restart % 8]) for restart in range(32)),
)
"""Coded pixels of no picture: a decoder that needs one more bit reads 0 (as at an end mark), 1, or 0 and 1 in turn.
The last has restart marks, without which a decoder that waits for one would skip all."""
_SMALL_PX = 4_000_000
"""Larger ones are compared at an eighth of the size, at which an area that is missing shows as well."""


def _fingerprint(picture: bytes) -> bytes:
    digest = hashlib.blake2b()
    with JpegImageFile(io.BytesIO(picture)) as image:
        if image.width * image.height > _SMALL_PX:
            image.draft(image.mode, (image.width // 8, image.height // 8))
        image.load()
        for band in of_image(image, 8).bands():
            digest.update(band.tobytes())
    return digest.digest()
