"""Container parsing: what a picture file holds besides its pixels, read before any decoder sees it.

Each format's outer structure is walked here: it yields orientation, color profile and number of frames, and a copy of
the file from which text, EXIF, XMP, thumbnails and animation are gone. Pillow decodes that copy. So metadata cannot
survive, and none of Pillow's warnings (all of which come from metadata and animation) can fire; silencing them
instead would change the process's warning filters under the other threads.

References: ISO/IEC 10918-1 annex B, PNG third edition, RFC 9649 (WebP), TIFF 6.0, CIPA DC-008 (EXIF).
"""

import struct
from collections.abc import Callable

from skinlens.imaging.intake.container import Format, ParsedImage
from skinlens.imaging.intake.heic import walk_heic
from skinlens.imaging.intake.jpeg import walk_jpeg
from skinlens.imaging.intake.png import walk_png
from skinlens.imaging.intake.sniffing import ENDS_EARLY, damaged
from skinlens.imaging.intake.tiff import walk_tiff
from skinlens.imaging.intake.transfer_syntax import walk_dicom
from skinlens.imaging.intake.webp import walk_webp


def parse_container(kind: Format, data: bytes) -> ParsedImage:
    """Walk the structure of ``data``, a file of the given kind; UnreadableImage if it breaks off or makes no sense."""
    try:
        return _WALKERS[kind](data)
    except (IndexError, struct.error) as error:
        raise damaged(kind, ENDS_EARLY) from error


# Nothing to take out of a BMP: Pillow reads only the header. Nor is there anything that tells that a part is missing:
# zeros in the place of its pixels, as in a TIFF without compression, are rows of black.
_WALKERS: dict[Format, Callable[[bytes], ParsedImage]] = {
    "JPEG": walk_jpeg,
    "PNG": walk_png,
    "WebP": walk_webp,
    "TIFF": walk_tiff,
    "BMP": lambda data: ParsedImage("BMP", data),
    "HEIC": walk_heic,
    "DICOM": walk_dicom,
}
