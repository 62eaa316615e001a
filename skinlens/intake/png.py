"""PNG files: chunks, and what of them the decoder needs (PNG third edition)."""

import struct
import zlib

from skinlens.intake.container import MAX_ENTRIES, Container
from skinlens.intake.directory import exif_orientation
from skinlens.intake.refusals import MAX_PROFILE_BYTES, damaged, too_many


def walk_png(data: bytes) -> Container:
    kept, notes, position = [data[:8]], list[str](), 8
    orientation, frames, profile, depth, colour_type = 1, 1, None, 8, 0
    seen = set[bytes]()
    for _ in range(MAX_ENTRIES):
        length, kind = struct.unpack_from(">I4s", data, position)
        chunk = data[position : position + 12 + length]
        if len(chunk) < 12 + length:
            raise damaged("PNG", "it ends before the picture is complete")
        body = chunk[8:-4]
        if kind == b"IHDR":
            depth, colour_type = body[8], body[9]
        elif kind == b"eXIf" and kind not in seen:  # one is allowed; a second would cost time and say nothing
            orientation = exif_orientation(body)
        elif kind == b"iCCP" and kind not in seen:
            profile = _inflate(body.partition(b"\0")[2][1:])
        elif kind == b"acTL":
            frames = max(1, struct.unpack_from(">I", body)[0])
        if kind == b"tRNS" and colour_type in (0, 2) and depth != 8:
            # Pillow compares this colour at 8 bits, so it would hit the wrong pixels.
            notes.append("The file marks one colour as transparent; that mark was ignored.")
        elif kind in (b"IHDR", b"PLTE", b"tRNS", b"IDAT", b"IEND"):
            kept.append(chunk)
        if kind == b"IEND":
            break
        seen.add(kind)
        position += 12 + length
    else:
        raise too_many("PNG", "chunks", MAX_ENTRIES)
    return Container("PNG", b"".join(kept), orientation, profile, frames, depth, tuple(notes))


def _inflate(compressed: bytes) -> bytes:
    """The profile in an iCCP chunk; what cannot be unpacked is handed on as it is, to be refused as a profile."""
    try:
        return zlib.decompressobj().decompress(compressed, MAX_PROFILE_BYTES)
    except zlib.error:
        return compressed
