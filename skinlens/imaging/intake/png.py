"""PNG files: chunks, and what of them the decoder needs (PNG third edition)."""

import struct
import zlib

from skinlens.errors import UnreadableImage
from skinlens.imaging.intake.color_spaces import ColorSpace, adobe_rgb, of_code_points, of_gamma
from skinlens.imaging.intake.container import MAX_ENTRIES, ParsedImage
from skinlens.imaging.intake.exif import Exif, read_exif
from skinlens.imaging.intake.sniffing import END_MARK_MISSING, ENDS_EARLY, MAX_PROFILE_BYTES, damaged, too_many

_TOLD_ONCE = frozenset({b"eXIf", b"iCCP", b"cICP", b"sRGB", b"gAMA", b"cHRM", b"acTL"})
"""Chunks that are read, each allowed once; a second would cost time and say nothing."""
_END = struct.pack(">I4sI", 0, b"IEND", zlib.crc32(b"IEND"))


def walk_png(data: bytes) -> ParsedImage:
    chunks, notes, position = [data[:8]], list[str](), 8
    depth, color_type = 8, 0
    told: dict[bytes, bytes] = {}
    for _ in range(MAX_ENTRIES):
        length, kind = struct.unpack(">I4s", data[position : position + 8].ljust(8, b"\0"))
        chunk = data[position : position + 12 + length]
        if len(chunk) < 12 + length:
            if kind == b"IDAT" or all(earlier[4:8] != b"IDAT" for earlier in chunks):
                raise damaged("PNG", ENDS_EARLY)
            notes.append(END_MARK_MISSING)
            chunks.append(_END)
            break
        body = chunk[8:-4]
        if kind == b"IHDR":
            depth, color_type = body[8], body[9]
        elif kind in _TOLD_ONCE:
            told.setdefault(kind, body)
        if kind == b"tRNS" and color_type in (0, 2) and depth != 8:
            # Pillow compares this color at 8 bits, so it would hit the wrong pixels.
            notes.append("The file marks one color as transparent; that mark was ignored.")
        elif kind in (b"IHDR", b"PLTE", b"tRNS", b"IDAT", b"IEND"):
            chunks.append(chunk)
        if kind == b"IEND":
            break
        position += 12 + length
    else:
        raise too_many("PNG", "chunks", MAX_ENTRIES)
    facts = read_exif(told[b"eXIf"]) if b"eXIf" in told else Exif()
    profile, space = _color(told, facts)
    frames = max(1, *struct.unpack_from(">I", told[b"acTL"])) if b"acTL" in told else 1
    return ParsedImage("PNG", b"".join(chunks), facts.orientation, profile, space, frames, depth, tuple(notes))


def _color(told: dict[bytes, bytes], facts: Exif) -> tuple[bytes | None, ColorSpace | None]:
    """Profile or color space, in the order of precedence of the standard (section 4.3)."""
    if b"cICP" in told:
        primaries, transfer, _, full_range = struct.unpack_from("4B", told[b"cICP"])
        if not full_range:
            raise UnreadableImage(
                "The photo's brightness is coded as in a film (narrow range), which SkinLens does not read in a PNG; "
                "the full range was expected. Save the photo as JPEG in sRGB, and upload that."
            )
        return None, of_code_points(primaries, transfer)
    if b"iCCP" in told:
        return _inflate(told[b"iCCP"].partition(b"\0")[2][1:]), None
    if b"sRGB" in told:
        return None, None
    if facts.is_adobe_rgb:
        return None, adobe_rgb()
    gamma, primaries = told.get(b"gAMA", b""), told.get(b"cHRM", b"")
    exponent = 100_000 / number if len(gamma) == 4 and (number := int.from_bytes(gamma, "big")) else None
    points = tuple(value / 100_000 for value in struct.unpack(">8I", primaries)) if len(primaries) == 32 else None
    return None, of_gamma(exponent, (*points[2:], *points[:2]) if points else None)


def _inflate(compressed: bytes) -> bytes:
    """The profile in an iCCP chunk; what cannot be unpacked is handed on as it is, to be refused as a profile."""
    try:
        return zlib.decompressobj().decompress(compressed, MAX_PROFILE_BYTES)
    except zlib.error:
        return compressed
