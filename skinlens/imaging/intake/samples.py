"""Samples of a single-page TIFF file, read by tifffile; JPEG in TIFF is read by Pillow.

Pillow reads some layouts wrongly and says nothing (16 bits in separate planes, uncompressed). tifffile reads all of
them, but unpacks LZW only with a further package: LZW is unpacked by libtiff, as gray rows of bytes, and how those are
laid out is left to tifffile.
"""

import io
import struct

import numpy as np
from PIL import Image
from PIL.TiffImagePlugin import TiffImageFile

from skinlens.errors import UnreadableImage
from skinlens.imaging.intake import raster
from skinlens.imaging.intake.directory import Directory, first_offset, read_directory
from skinlens.imaging.intake.layout import (
    BITS,
    BLACK_IS_ZERO,
    COMPRESSION,
    JPEG,
    LZW,
    PALETTE,
    PALETTE_COLORS,
    PLAIN,
    RGB,
    WHITE_IS_ZERO,
    YCBCR,
    Layout,
    layout_of,
)
from skinlens.imaging.intake.raster import Raster
from skinlens.imaging.intake.sniffing import CONTRADICTORY, MAX_DECODE_MB, TOO_MUCH_MEMORY, damaged
from skinlens.imaging.intake.tiff import with_directory
from skinlens.records import Array

_SHORT, _LONG = 3, 4
_SIMPLE = frozenset({BLACK_IS_ZERO, RGB})
"""LZW of the plainest layouts, at 8 bits, is read by Pillow, which decodes it correctly in half of the memory."""
_MODES = {(1, 0): "L", (1, 1): "La", (1, 2): "LA", (3, 0): "RGB", (3, 1): "RGBa", (3, 2): "RGBA"}
"""By the number of color channels, and by the alpha of ``Layout``."""


def read_tiff(picture: bytes) -> Raster:
    """Samples of a file of one directory. Raises UnreadableImage, and whatever the decoders raise on damaged bytes."""
    directory = read_directory(picture, first_offset(picture))
    layout = layout_of(directory)
    is_simple = layout.bits == 8 and not layout.is_planar and layout.samples == layout.color_channels
    if layout.compression == JPEG or (layout.compression == LZW and is_simple and layout.photometric in _SIMPLE):
        with TiffImageFile(io.BytesIO(picture)) as image:
            image.load()
            return raster.of_image(image, layout.bits)
    size = layout.width_px * layout.height_px * layout.samples * -(-layout.bits // 8)
    if 1.2 * size + 3 * layout.width_px * layout.height_px > MAX_DECODE_MB * 1_000_000:
        raise UnreadableImage(TOO_MUCH_MEMORY)
    samples = _samples(_unpacked(picture, directory, layout) if layout.compression == LZW else picture)
    if samples.shape != (layout.height_px, layout.width_px, layout.samples):
        raise damaged("TIFF", CONTRADICTORY)
    if layout.photometric == PALETTE:
        return _of_palette(samples[..., 0], directory)
    return raster.of_samples(
        samples[..., : layout.color_channels + (layout.alpha > 0)],
        "YCbCr" if layout.photometric == YCBCR else _MODES.get((layout.color_channels, layout.alpha), "CMYK"),
        layout.bits,
        is_negative=layout.photometric == WHITE_IS_ZERO,
    )


def _samples(picture: bytes) -> Array:
    """Rows, columns, channels."""
    from tifffile import TiffFile

    with TiffFile(io.BytesIO(picture)) as file:
        page = file.pages.first
        samples: Array = page.asarray(maxworkers=1)
        if page.axes == "SYX":
            return np.moveaxis(samples, 0, -1)
        return samples if page.axes == "YXS" else samples[..., None]


def _of_palette(indices: Array, directory: Directory) -> Raster:
    colors = np.array(directory.numbers(PALETTE_COLORS), dtype=np.uint16)
    if colors.size % 3 or colors.size // 3 <= int(indices.max()):
        raise damaged("TIFF", "its palette is too short")
    table = colors.reshape(3, -1).T
    narrow = (table >> 8 if table.max() > 255 else table).astype(np.uint8)  # some writers fill eight bits only
    height, width = indices.shape
    return Raster(width, height, lambda top, bottom: Image.fromarray(narrow[indices[top:bottom]]))


def _unpacked(picture: bytes, directory: Directory, layout: Layout) -> bytes:
    """The same file without LZW. Strips of equal height are unpacked together, the last of each plane by itself."""
    pairs = list(zip(directory.numbers(layout.tags[0]), directory.numbers(layout.tags[1]), strict=True))
    heights = layout.segment_rows
    body, offsets, sizes, first = bytearray(picture[:8]), list[int](), list[int](), 0
    while first < len(pairs):
        last = first + 1
        while last < len(pairs) and heights[last] == heights[first] == layout.segment_height_px:
            last += 1
        rows = _lzw([picture[start : start + count] for start, count in pairs[first:last]], layout, heights[first])
        for number in range(last - first):
            offsets.append(len(body) + number * heights[first] * layout.row_bytes)
            sizes.append(heights[first] * layout.row_bytes)
        body += rows
        first = last
    tags = {tag: (entry.kind, entry.value) for tag, entry in directory.entries.items()}
    for tag, numbers in zip(layout.tags, (offsets, sizes), strict=True):
        tags[tag] = (_LONG, struct.pack(f"{directory.order}{len(numbers)}I", *numbers))
    tags[COMPRESSION] = (_SHORT, struct.pack(directory.order + "H", PLAIN))
    return with_directory(bytes(body), tags)


def _lzw(parts: list[bytes], layout: Layout, rows: int) -> bytes:
    """Some strips or tiles, unpacked by libtiff as if they were one gray picture of 8 bits."""
    offsets, position = list[int](), 8
    for part in parts:
        offsets.append(position)
        position += len(part)
    numbers = {256: [layout.row_bytes], 257: [rows * len(parts)], BITS: [8], COMPRESSION: [LZW], 262: [1], 277: [1]}
    numbers |= {278: [rows], 273: offsets, 279: [len(part) for part in parts]}
    tags = {tag: (_LONG, struct.pack(f"<{len(values)}I", *values)) for tag, values in numbers.items()}
    with TiffImageFile(io.BytesIO(with_directory(b"II*\0" + bytes(4) + b"".join(parts), tags))) as image:
        image.load()
        return image.tobytes()
