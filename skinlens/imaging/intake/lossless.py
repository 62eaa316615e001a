"""Lossless JPEG and JPEG-LS, as DICOM files hold them: taken apart, and decoded from the parts that are needed alone.

Size, depth and channels are compared with what the data set says before a decoder is asked for memory. Neither coding
says what its channels mean: the data set does.

References: ISO/IEC 10918-1 annex H (lossless JPEG), ISO/IEC 14495-1 annex C (JPEG-LS), DICOM PS3.5 8.2.1 and 8.2.3.
"""

import re
import struct
from collections.abc import Iterator
from typing import Literal

import numpy as np

from skinlens.imaging.intake.jpeg import START_OF_SCAN, scan_segments
from skinlens.imaging.intake.jpeg_pixels import decode_whole
from skinlens.imaging.intake.sniffing import ENDS_EARLY, UNDECODABLE, damaged, not_read
from skinlens.records import Array

Lossless = Literal["lossless JPEG", "JPEG-LS"]

OTHER_SIZE = "its picture has another size than it says"
OTHER_CHANNELS = "its picture has another number of channels than it says"
OTHER_DEPTH = "its picture has another number of bits than it says"

_FRAME = {"lossless JPEG": 0xC3, "JPEG-LS": 0xF7}
_HUFFMAN, _RESTARTS = 0xC4, 0xDD
_NEEDED: dict[Lossless, frozenset[int]] = {
    "lossless JPEG": frozenset({0xC3, START_OF_SCAN, _RESTARTS, _HUFFMAN}),
    "JPEG-LS": frozenset({0xF7, START_OF_SCAN, _RESTARTS}),
}
_PRESET, _APP8 = 0xF8, 0xE8
_THRESHOLDS = b"\1"
"""First byte of a segment that sets the coding's own numbers; others hold tables, or sizes beyond those of DICOM."""
_THRESHOLD_BYTES = 11
_COLORS_DIFFER, _COLORS_DIFFER_BYTES = b"mrfx", 5
"""HP's: the channels are coded by their differences, and the decoder undoes it."""
_MARKERS_LS = re.compile(rb"\xff[\x80-\xcf\xd9-\xfe]")
"""In JPEG-LS a byte below 0x80 behind 0xFF belongs to the coded pixels."""
_AS_THEY_ARE = b"\xff\xee\0\x0eAdobe\0\x64\0\0\0\0\0"
"""Adobe's segment, transform 0: so that libjpeg takes the channels as they are."""


def bare(frame: bytes, coding: Lossless) -> bytes:
    """A frame without what no decoder needs: comments, application segments, bytes between and behind.

    Raises UnreadableImage and ``struct.error`` where its structure makes no sense.
    """
    if frame[:2] != b"\xff\xd8":
        raise damaged("DICOM", UNDECODABLE)
    return b"".join([frame[:2], *_needed(frame, coding), b"\xff\xd9"])


def _needed(frame: bytes, coding: Lossless) -> Iterator[bytes]:
    for marker, body, coded in _segments(frame, coding):
        if marker in _NEEDED[coding] or (coding == "JPEG-LS" and _is_setting(marker, body)):
            yield struct.pack(">BBH", 0xFF, marker, 2 + len(body)) + body + coded


def _is_setting(marker: int, body: bytes) -> bool:
    """Whether a segment of JPEG-LS sets how its pixels are decoded, and has room for nothing else."""
    if marker == _PRESET:
        return body.startswith(_THRESHOLDS) and len(body) == _THRESHOLD_BYTES
    return marker == _APP8 and body.startswith(_COLORS_DIFFER) and len(body) == _COLORS_DIFFER_BYTES


def _segments(frame: bytes, coding: Lossless) -> Iterator[tuple[int, bytes, bytes]]:
    return scan_segments(frame, _MARKERS_LS) if coding == "JPEG-LS" else scan_segments(frame)


def samples_of(frame: bytes, coding: Lossless, size: tuple[int, int], channels: int, bits_allocated: int) -> Array:
    """Samples of a frame: uint8 or uint16, of shape (rows, columns, channels). Raises UnreadableImage.

    Args:
        frame: As it stands in the file.
        coding: Its coding.
        size: Width and height that the data set gives.
        channels: Their number, as of the data set.
        bits_allocated: The most that a sample may have.
    """
    picture = bare(frame, coding)
    bits = _checked_bits(picture, coding, size, channels)
    if coding == "JPEG-LS":
        if bits > bits_allocated:
            raise damaged("DICOM", OTHER_DEPTH)
        return _jpeg_ls(picture, size, channels, bits)
    if bits != 8:
        raise not_read("DICOM", f"lossless JPEG of {bits} bits a sample")
    mode = "RGB" if channels == 3 else "L"
    samples = decode_whole(picture[:2] + _AS_THEY_ARE * (channels == 3) + picture[2:], mode, size)
    if samples is None:
        raise damaged("DICOM", UNDECODABLE)
    return samples


def _checked_bits(picture: bytes, coding: Lossless, size: tuple[int, int], channels: int) -> int:
    """Bits of a sample, where the frame has the size and the channels of the data set."""
    headers = [body for marker, body, _ in _segments(picture, coding) if marker == _FRAME[coding]]
    if len(headers) != 1:
        raise damaged("DICOM", UNDECODABLE)
    bits, height, width, count = struct.unpack_from(">BHHB", headers[0])
    if (width, height) != size:
        raise damaged("DICOM", OTHER_SIZE)
    if count != channels or len(headers[0]) != 6 + 3 * count:
        raise damaged("DICOM", OTHER_CHANNELS)
    return int(bits)


def _jpeg_ls(picture: bytes, size: tuple[int, int], channels: int, bits: int) -> Array:
    import _CharLS  # of pyjpegls: its other module copies the picture once more

    if not 2 <= bits <= 16:
        raise damaged("DICOM", OTHER_DEPTH)
    width, height = size
    described = _CharLS.read_header(picture)
    try:
        decoded = _CharLS._decode(picture)
    except RuntimeError as error:
        raise damaged("DICOM", ENDS_EARLY if "too small" in str(error) else UNDECODABLE) from error
    samples = np.frombuffer(decoded, "<u2" if bits > 8 else "u1")
    if channels > 1 and described["interleave_mode"] == 0:
        return np.moveaxis(samples.reshape(channels, height, width), 0, -1)
    return samples.reshape(height, width, channels)
