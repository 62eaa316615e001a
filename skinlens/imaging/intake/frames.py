"""Frame of a received DICOM file with nothing in it that decoding does not need: no comment, no text, no rest.

Each coding is taken apart by its structure, and only the parts that a decoder needs are put together again, so that the
decoded pixels are the same to the bit. Not looked into are the coded pixels themselves.

References: ISO/IEC 10918-1 annex B (JPEG), ISO/IEC 15444-1 annexes A and I (JPEG 2000), DICOM PS3.5 annex G (RLE).
"""

import struct
from collections.abc import Callable, Iterator, Mapping

import numpy as np

from skinlens.imaging.intake import lossless
from skinlens.imaging.intake.dicom import DicomPicture
from skinlens.imaging.intake.jpeg import START_OF_SCAN, scan_segments
from skinlens.imaging.intake.lossless import OTHER_CHANNELS
from skinlens.imaging.intake.sniffing import ENDS_EARLY, UNDECODABLE, damaged
from skinlens.imaging.intake.transfer_syntax import Coding

_JFIF = b"\xff\xe0\x00\x10JFIF\0\1\1\0\0\1\0\1\0\0"
"""Without a thumbnail."""
_ADOBE_BYTES = 12
_TABLES = frozenset({0xC4, 0xCC, 0xDB, 0xDC, 0xDD})
"""Huffman, arithmetic, quantization, number of lines, restarts."""
_FRAMES, _END = frozenset({0xC0, 0xC1, 0xC2, 0xC9, 0xCA}), 0xD9

_SOC, _SOT, _SOD, _EOC = b"\xff\x4f", 0xFF90, 0xFF93, b"\xff\xd9"
_MAIN_2000 = frozenset({0xFF50, 0xFF51, 0xFF52, 0xFF53, 0xFF5C, 0xFF5D, 0xFF5E, 0xFF5F, 0xFF60})
"""Capabilities, size, coding, quantization, region, order, packed headers; not: comment, registration, lengths."""
_TILE_2000 = frozenset({0xFF52, 0xFF53, 0xFF5C, 0xFF5D, 0xFF5E, 0xFF5F, 0xFF61})
_SIGNATURE = bytes.fromhex("0000000c6a5020200d0a870a")
_KIND = struct.pack(">I4s4sI4s", 20, b"ftyp", b"jp2 ", 0, b"jp2 ")
_BOXES = frozenset({b"ihdr", b"bpcc", b"colr", b"pclr", b"cmap", b"cdef"})
"""Size, depth, color space, palette and channels of a JP2 file."""
_ENUMERATED = 1


def bare_frame(picture: DicomPicture) -> bytes:
    """The first frame of a picture, coded as it was. Raises UnreadableImage where its structure makes no sense."""
    try:
        return _BARE[picture.coding](picture)
    except (struct.error, IndexError) as error:
        raise damaged("DICOM", ENDS_EARLY) from error


def bare_profile(profile: bytes) -> bytes:
    """An ICC profile without what lies behind its end."""
    size = int.from_bytes(profile[:4], "big")
    return profile[:size] if 128 < size <= len(profile) else profile


def _jpeg(picture: DicomPicture) -> bytes:
    parts = [picture.frame[:2]]
    for marker, body, coded in scan_segments(picture.frame):
        if marker == 0xE0 and body.startswith(b"JFIF\0"):
            parts.append(_JFIF)
        elif marker == 0xEE and body.startswith(b"Adobe") and len(body) >= _ADOBE_BYTES:
            parts.append(struct.pack(">BBH", 0xFF, marker, 2 + _ADOBE_BYTES) + body[:_ADOBE_BYTES])
        elif marker in _TABLES or marker in _FRAMES or marker == START_OF_SCAN:
            parts.append(struct.pack(">BBH", 0xFF, marker, 2 + len(body)) + body + coded)
        elif marker == _END:
            parts.append(b"\xff\xd9")
    return b"".join(parts)


def _jpeg_2000(picture: DicomPicture) -> bytes:
    frame = picture.frame
    if frame.startswith(_SOC):
        return b"".join(_codestream(frame))
    if not frame.startswith(_SIGNATURE):
        raise damaged("DICOM", UNDECODABLE)
    header, stream = b"", b""
    for kind, body in _boxes(frame):
        if kind == b"jp2h" and not header:
            header = b"".join(_box(kind, _description(kind, inner)) for kind, inner in _boxes(body) if kind in _BOXES)
        elif kind == b"jp2c" and not stream:
            stream = b"".join(_codestream(body))
    return _SIGNATURE + _KIND + _box(b"jp2h", header) + _box(b"jp2c", stream)


def _boxes(data: bytes) -> Iterator[tuple[bytes, bytes]]:
    position = 0
    while position + 8 <= len(data):
        length, kind = struct.unpack_from(">I4s", data, position)
        start = position + 8
        if length == 1:
            (length,) = struct.unpack_from(">Q", data, start)
            start += 8
        end = position + length if length else len(data)
        if end < start:
            raise damaged("DICOM", UNDECODABLE)
        yield kind, data[start:end]
        position = end


def _box(kind: bytes, body: bytes) -> bytes:
    return struct.pack(">I4s", 8 + len(body), kind) + body


def _description(kind: bytes, body: bytes) -> bytes:
    if kind != b"colr":
        return body
    return body[:7] if body[0] == _ENUMERATED else body[:3] + bare_profile(body[3:])


def _codestream(data: bytes) -> Iterator[bytes]:
    """Main header, tile-parts and end, each tile-part with the length that it has then."""
    yield _SOC
    position = 2
    for marker, segment in _segments_2000(data, position, _SOT):
        if marker in _MAIN_2000:
            yield segment
        position += len(segment)
    while data[position : position + 2] == b"\xff\x90":
        _, index, length, rest = struct.unpack_from(">HHI2s", data, position + 2)
        start = position + 12
        segments = list(_segments_2000(data, start, _SOD))
        pixels = start + sum(len(segment) for _, segment in segments)
        tiles = b"".join(segment for marker, segment in segments if marker in _TILE_2000)
        end = position + length if length else data.find(_EOC, pixels)
        end = len(data) if end < 0 else end
        if end < pixels + 2:
            raise damaged("DICOM", ENDS_EARLY)
        # Where it goes up to the end of the file, that is written down: a byte is added to one of an odd length.
        left = (length or end - position) - (pixels - start) + len(tiles)
        yield struct.pack(">HHHI2s", _SOT, 10, index, left, rest) + tiles + data[pixels:end]
        position = end
    yield _EOC


def _segments_2000(data: bytes, position: int, until: int) -> Iterator[tuple[int, bytes]]:
    while True:
        (marker,) = struct.unpack_from(">H", data, position)
        if marker == until:
            return
        (length,) = struct.unpack_from(">H", data, position + 2)
        if marker < 0xFF00 or length < 2:
            raise damaged("DICOM", UNDECODABLE)
        yield marker, data[position : position + 2 + length]
        position += 2 + length


def _plain(picture: DicomPicture) -> bytes:
    channels = 2 if picture.photometric == "YBR_FULL_422" else picture.channels
    size = picture.height_px * picture.width_px * channels * picture.bits_allocated // 8
    if len(picture.frame) < size:
        raise damaged("DICOM", ENDS_EARLY)
    frame = picture.frame[:size]
    if picture.bits == picture.bits_allocated:
        return frame
    samples = np.frombuffer(frame, "<u2" if picture.bits_allocated == 16 else "u1")
    return (samples & ((1 << picture.bits) - 1)).astype(samples.dtype).tobytes()


def _run_lengths(picture: DicomPicture) -> bytes:
    count, *offsets = struct.unpack_from("<16I", picture.frame)
    if not 1 <= count <= len(offsets):
        raise damaged("DICOM", OTHER_CHANNELS)
    ends = [*offsets[1:count], len(picture.frame)]
    size, planes = picture.height_px * picture.width_px, []
    for start, end in zip(offsets[:count], ends, strict=True):
        plane = _used(picture.frame[start:end], size)
        planes.append(plane + b"\0" * (len(plane) % 2))
    starts = [64 + sum(map(len, planes[:number])) for number in range(count)]
    return struct.pack("<16I", count, *starts, *[0] * (15 - count)) + b"".join(planes)


def _used(packed: bytes, size: int) -> bytes:
    """As much of a segment as gives so many bytes."""
    position = done = 0
    while done < size:
        control = packed[position]
        if control < 128:
            run = min(control + 1, size - done)
            if run <= control:
                return packed[:position] + bytes([run - 1]) + packed[position + 1 : position + 1 + run]
            position += 2 + control
        elif control > 128:
            run = 257 - control
            position += 2
        else:
            run = 0
            position += 1
        done += run
    return packed[:position]


_BARE: Mapping[Coding, Callable[[DicomPicture], bytes]] = {
    "plain": _plain, "RLE": _run_lengths, "JPEG": _jpeg, "JPEG 2000": _jpeg_2000,
    "lossless JPEG": lambda picture: lossless.bare(picture.frame, "lossless JPEG"),
    "JPEG-LS": lambda picture: lossless.bare(picture.frame, "JPEG-LS"),
}  # fmt: skip
