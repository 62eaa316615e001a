"""TIFF files: pages, of which the largest is the photo, and what of it the decoder needs (TIFF 6.0)."""

import struct
from collections.abc import Mapping
from dataclasses import replace

from skinlens.errors import UnreadableImage
from skinlens.imaging.intake.color_spaces import adobe_rgb
from skinlens.imaging.intake.container import ParsedImage
from skinlens.imaging.intake.directory import (
    MAX_NUMBERS,
    TYPE_BYTES,
    Directory,
    byte_order,
    first_offset,
    read_directory,
)
from skinlens.imaging.intake.exif import is_adobe_rgb
from skinlens.imaging.intake.layout import HEIGHT, PHOTOMETRIC, PLAIN, WIDTH, Layout, camera_raw, layout_of
from skinlens.imaging.intake.sniffing import CONTRADICTORY, ENDS_EARLY, MAX_PROFILE_BYTES, damaged, too_many

_SUBFILE, _SUB_DIRECTORIES, _ICC, _DNG_VERSION = 254, 330, 34675, 50706
_MASK = 4
_ONE_NUMBER = frozenset({256, 257, 259, 262, 266, 277, 278, 284, 317, 322, 323})
"""Tags the decoder needs that hold one number: dimensions, coding, layout."""
_MANY_NUMBERS = frozenset({258, 273, 279, 320, 324, 325, 338, 339, 347, 529, 530, 532})
"""Tags the decoder needs that hold lists: bits per sample, strips, tiles, palette, tables of JPEG-in-TIFF."""
_MAX_PAGES = 1_000
_MAX_LINES = 100_000
"""Of all directories together."""
_LONG = 4
_HEADER_BYTES = 8


def walk_tiff(data: bytes) -> ParsedImage:
    pages, top_level = _pages(data)
    if any(_DNG_VERSION in page.entries for page in pages):
        raise camera_raw()
    finished = [page for page in pages if not page.number(_SUBFILE, 0) & 1 and page.number(PHOTOMETRIC, 1) != _MASK]
    if not finished:
        raise camera_raw()
    page = max(finished, key=lambda directory: directory.number(WIDTH, 0) * directory.number(HEIGHT, 0))
    layout = layout_of(page)
    notes: list[str] = []
    if pages.index(page):
        size = f"{layout.width_px} × {layout.height_px} px"
        notes.append(f"The file holds {len(pages)} pictures; only the largest was read ({size}).")
    tags = {tag: entry for tag, entry in page.entries.items() if tag in _ONE_NUMBER | _MANY_NUMBERS}
    used, had_counts = _with_counts(data, replace(page, entries=tags), layout)
    if not had_counts:
        notes.append("The file does not say how long its parts are; that was worked out.")
    return ParsedImage(
        "TIFF",
        with_directory(data, used),
        orientation=page.orientation,
        icc_profile=_profile(page),
        color_space=adobe_rgb() if is_adobe_rgb(data, page) else None,
        frames=1 if pages.index(page) else top_level,
        bits=layout.bits,
        notes=tuple(notes),
    )


def _pages(data: bytes) -> tuple[list[Directory], int]:
    """All directories of pictures, those below others too, and how many stand in the chain itself.

    A chain that breaks or loops ends there.
    """
    pages, below, lines, following = list[Directory](), list[int](), 0, first_offset(data)
    seen = set[int]()
    while following and following not in seen and len(seen) < _MAX_PAGES and lines < _MAX_LINES:
        seen.add(following)
        try:
            page = read_directory(data, following)
        except (struct.error, UnreadableImage):
            if not pages:
                raise
            break
        pages.append(page)
        lines += len(page.entries)
        below += page.numbers(_SUB_DIRECTORIES)[:_MAX_PAGES]
        following = page.following
    top_level = len(pages)
    for offset in below:
        if offset in seen or len(seen) >= _MAX_PAGES or lines >= _MAX_LINES:
            continue
        seen.add(offset)
        try:
            page = read_directory(data, offset)
        except (struct.error, UnreadableImage):
            continue
        pages.append(page)
        lines += len(page.entries)
    return pages, top_level


def _with_counts(data: bytes, page: Directory, layout: Layout) -> tuple[dict[int, tuple[int, bytes]], bool]:
    """The tags of a page as type and value, its strips or tiles within the file, and whether it said their lengths.

    Raises UnreadableImage where they lie outside, are too few, or where the directory contradicts itself.
    """
    for tag, entry in page.entries.items():
        if not entry.complete:
            raise damaged("TIFF", ENDS_EARLY)
        if entry.count > MAX_NUMBERS:
            raise too_many("TIFF", "strips", MAX_NUMBERS)
        if tag in _ONE_NUMBER and entry.count != 1:
            raise damaged("TIFF", CONTRADICTORY)
    if sum(entry.size for entry in page.entries.values()) > len(data):
        raise damaged("TIFF", CONTRADICTORY)
    offsets, counts = page.numbers(layout.tags[0]), page.numbers(layout.tags[1])
    needed = layout.segment_rows
    had_counts = layout.tags[1] in page.entries and any(counts)
    if not had_counts:
        counts = _counts(len(data), offsets, layout)
    if not len(offsets) == len(counts) >= len(needed) or not all(counts[: len(needed)]):
        raise damaged("TIFF", CONTRADICTORY)
    pairs = list(zip(offsets, counts, strict=True))[: len(needed)]
    if any(start < _HEADER_BYTES for start, _ in pairs):  # tifffile and libtiff read black there
        raise damaged("TIFF", CONTRADICTORY)
    if any(start + count > len(data) for start, count in pairs):
        raise damaged("TIFF", ENDS_EARLY)
    if layout.compression == PLAIN and any(
        count < rows * layout.row_bytes for (_, count), rows in zip(pairs, needed, strict=True)
    ):
        raise damaged("TIFF", ENDS_EARLY)
    if sum(count for _, count in pairs) > len(data) + layout.row_bytes * len(needed):
        raise damaged("TIFF", "its parts lie over each other")
    tags = {tag: (entry.kind, entry.value) for tag, entry in page.entries.items()}
    for tag, column in zip(layout.tags, zip(*pairs, strict=True), strict=True):
        tags[tag] = (_LONG, struct.pack(f"{page.order}{len(pairs)}I", *column))
    return tags, had_counts


def _counts(size_bytes: int, offsets: tuple[int, ...], layout: Layout) -> tuple[int, ...]:
    """Byte counts that the file does not state: by the layout, or up to the next part or the end of the file."""
    if layout.compression == PLAIN:
        return tuple(rows * layout.row_bytes for rows in layout.segment_rows)
    ends = sorted({*offsets, size_bytes})
    return tuple(next((end for end in ends if end > start), start) - start for start in offsets)


def with_directory(data: bytes, tags: Mapping[int, tuple[int, bytes]]) -> bytes:
    """The TIFF file ``data`` whose only directory is a new one, behind its end, of these types and values."""
    order = byte_order(data)
    start = len(data) + len(data) % 2
    values_at = start + 2 + 12 * len(tags) + 4
    lines, values = b"", b""
    for tag, (kind, value) in sorted(tags.items()):
        lines += struct.pack(order + "HHI", tag, kind, len(value) // TYPE_BYTES[kind])
        if len(value) <= 4:
            lines += value.ljust(4, b"\0")
        else:
            lines += struct.pack(order + "I", values_at + len(values))
            values += value + b"\0" * (len(value) % 2)
    head = data[:4] + struct.pack(order + "I", start) + data[8:] + b"\0" * (len(data) % 2)
    return head + struct.pack(order + "H", len(tags)) + lines + bytes(4) + values


def _profile(page: Directory) -> bytes | None:
    """The color profile; empty, and so refused as a profile, if it breaks off or is larger than any."""
    entry = page.entries.get(_ICC)
    if entry is None:
        return None
    return entry.value if entry.complete and entry.size <= MAX_PROFILE_BYTES else b""
