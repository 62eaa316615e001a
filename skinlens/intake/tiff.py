"""TIFF files: directories, and what of the first the decoder needs (TIFF 6.0)."""

import struct

from skinlens.errors import UnreadableImage
from skinlens.intake.container import Container
from skinlens.intake.directory import MAX_NUMBERS, Directory, byte_order, first_offset, read_directory
from skinlens.intake.refusals import MAX_PROFILE_BYTES, damaged

_SUBFILE, _BITS, _PHOTOMETRIC, _ICC, _DNG_VERSION = 254, 258, 262, 34675, 50706
_COMPRESSION, _SAMPLES = 259, 277
_STRIPS, _TILES = (273, 279), (324, 325)
"""Where the pixels stand: tags of their offsets and of their byte counts."""
_ONE_NUMBER = frozenset({256, 257, 259, 262, 266, 277, 278, 284, 317, 322, 323})
"""Tags the decoder needs that hold one number: dimensions, coding, layout."""
_MANY_NUMBERS = frozenset({258, 320, 338, 339, 347, 529, 530, 532, *_STRIPS, *_TILES})
"""Tags the decoder needs that hold lists: bits per sample, strips, tiles, palette, tables of JPEG-in-TIFF."""
_COMPRESSIONS = frozenset({1, 5, 7, 8, 32773, 32946})
"""None, LZW, JPEG, Deflate (two codes), PackBits. The others are those of fax machines and of obsolete cameras."""
_MAX_PAGES = 1_000
_MAX_SAMPLES = 6


def walk_tiff(data: bytes) -> Container:
    first = read_directory(data, first_offset(data))
    bits = first.number(_BITS, 1)
    if _DNG_VERSION in first.entries or first.number(_SUBFILE, 0) & 1:
        raise UnreadableImage(
            "The file is a camera raw file, whose first picture is only a small preview; "
            "a finished photo was expected. Export it as TIFF, PNG or JPEG from the camera's software, and upload that."
        )
    if bits > 8 and first.number(_PHOTOMETRIC, 1) == 0:
        raise UnreadableImage(
            f"The TIFF file stores a negative with {bits} bits a sample, which SkinLens does not read; "
            "brightness rising with the value was expected. Save the photo as an 8-bit TIFF or PNG, and upload that."
        )
    if first.number(_COMPRESSION, 1) not in _COMPRESSIONS:
        raise UnreadableImage(
            "The TIFF file is packed in a way that SkinLens does not read; no compression, LZW, Deflate, PackBits or "
            f"JPEG was expected, and method {first.number(_COMPRESSION, 1)} was found. "
            "Save the photo as PNG or JPEG, and upload that."
        )
    kept = {tag: entry for tag, entry in sorted(first.entries.items()) if tag in _ONE_NUMBER | _MANY_NUMBERS}
    _check(data, Directory(first.order, kept, 0))
    return Container(
        "TIFF",
        _with_directory(data, [entry.raw for entry in kept.values()]),
        orientation=first.orientation,
        icc_profile=_profile(first),
        frames=_count_pages(data, first.following),
        bits=bits,
    )


def _profile(directory: Directory) -> bytes | None:
    """The colour profile; empty, and so refused as a profile, if it breaks off or is larger than any."""
    entry = directory.entries.get(_ICC)
    if entry is None:
        return None
    return entry.value if entry.complete and entry.size <= MAX_PROFILE_BYTES else b""


def _check(data: bytes, directory: Directory) -> None:
    """Refuse a directory with which Pillow would warn, or libtiff look outside the file."""
    for tag, entry in directory.entries.items():
        if not entry.complete:
            raise damaged("TIFF", "it ends before the picture is complete")
        if entry.count > MAX_NUMBERS or (tag in _ONE_NUMBER and entry.count != 1):
            raise damaged("TIFF", "its directory contradicts itself")
    if sum(entry.size for entry in directory.entries.values()) > len(data):
        raise damaged("TIFF", "its directory contradicts itself")
    starts = [directory.numbers(tag) for tag in (_STRIPS[0], _TILES[0])]
    counts = [directory.numbers(tag) for tag in (_STRIPS[1], _TILES[1])]
    if list(map(len, starts)) != list(map(len, counts)) or directory.number(_SAMPLES, 1) > _MAX_SAMPLES:
        raise damaged("TIFF", "its directory contradicts itself")
    if any(start + count > len(data) for start, count in zip(sum(starts, ()), sum(counts, ()), strict=True)):
        raise damaged("TIFF", "it ends before the picture is complete")


def _with_directory(data: bytes, lines: list[bytes]) -> bytes:
    """The TIFF file ``data`` whose only directory is a new one, behind its end, that has these lines."""
    order = byte_order(data)
    padded = data + b"\0" * (len(data) % 2)
    header = padded[:4] + struct.pack(order + "I", len(padded))
    return header + padded[8:] + struct.pack(order + "H", len(lines)) + b"".join(lines) + bytes(4)


def _count_pages(data: bytes, following: int) -> int:
    """Pages of the file, given where its second directory stands; a chain that breaks or loops ends there."""
    order, seen = byte_order(data), set[int]()
    while following and following not in seen and len(seen) < _MAX_PAGES:
        seen.add(following)
        try:
            (lines,) = struct.unpack_from(order + "H", data, following)
            (following,) = struct.unpack_from(order + "I", data, following + 2 + 12 * lines)
        except struct.error:
            break
    return 1 + len(seen)
