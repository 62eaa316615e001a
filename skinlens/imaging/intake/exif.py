"""EXIF orientation and color space of a picture (CIPA DC-008, DC-009)."""

import struct
from dataclasses import dataclass

from skinlens.errors import UnreadableImage
from skinlens.imaging.intake.directory import Directory, first_offset, read_directory

_EXIF, _INTEROPERABILITY, _COLOR_SPACE, _INDEX = 34665, 40965, 40961, 1
_UNCALIBRATED = 0xFFFF


@dataclass(frozen=True)
class Exif:
    """Orientation and color space; the defaults stand for missing or invalid values."""

    orientation: int = 1
    """1–8."""
    is_adobe_rgb: bool = False


def read_exif(block: bytes) -> Exif:
    """Read a block with or without its ``Exif`` prefix. Never fails: such a block is no reason to refuse a photo."""
    data = block.removeprefix(b"Exif\0\0")
    if data[:4] not in (b"II*\0", b"MM\0*"):
        return Exif()
    try:
        first = read_directory(data, first_offset(data))
    except (struct.error, UnreadableImage):
        return Exif()
    return Exif(first.orientation, is_adobe_rgb(data, first))


def is_adobe_rgb(data: bytes, first: Directory) -> bool:
    """Cameras have no profile to embed: they say "uncalibrated" and the interoperability index R03."""
    try:
        exif = read_directory(data, first.number(_EXIF, len(data)))
        interoperability = read_directory(data, exif.number(_INTEROPERABILITY, len(data)))
    except (struct.error, UnreadableImage):
        return False
    index = interoperability.entries.get(_INDEX)
    says_r03 = index is not None and index.value[:3] == b"R03"
    return says_r03 and exif.number(_COLOR_SPACE, 1) in (_UNCALIBRATED, 2)
