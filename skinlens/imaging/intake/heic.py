"""HEIC files: the outermost boxes, of which one holds the coded pixels (ISO/IEC 14496-12)."""

import struct

from skinlens.imaging.intake.container import MAX_ENTRIES, ParsedImage, ends_in_zeros
from skinlens.imaging.intake.sniffing import ENDS_EARLY, damaged, too_many

_PADDING = 4096
"""Zero bytes with which a camera's notes, which may stand behind the pixels, end at most. A copy that broke off leaves
whole blocks of the disk."""


def walk_heic(data: bytes) -> ParsedImage:
    """Nothing is taken out: libheif neither warns nor hands metadata on.

    But it decodes zeros in the place of coded pixels, which are none: in HEVC three zero bytes never stand together.
    """
    position = 0
    for _ in range(MAX_ENTRIES):
        if position + 8 > len(data):
            return ParsedImage("HEIC", data)
        length, kind = struct.unpack_from(">I4s", data, position)
        if length == 1:
            (length,) = struct.unpack_from(">Q", data, position + 8)
        end = position + length if length else len(data)
        if kind == b"mdat" and ends_in_zeros(data[position + 8 : end], _PADDING):
            raise damaged("HEIC", ENDS_EARLY)
        position = max(end, position + 8)
    raise too_many("HEIC", "boxes", MAX_ENTRIES)
