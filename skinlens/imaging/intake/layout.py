"""TIFF sample layouts, and which of them are read (TIFF 6.0, sections 3 to 9)."""

from dataclasses import dataclass
from math import prod

from skinlens.errors import UnreadableImage
from skinlens.imaging.intake.directory import Directory
from skinlens.imaging.intake.sniffing import CONTRADICTORY, check_size, damaged

WIDTH, HEIGHT, BITS, COMPRESSION, PHOTOMETRIC, SAMPLES, ROWS_PER_STRIP, PLANAR = 256, 257, 258, 259, 262, 277, 278, 284
PALETTE_COLORS, TILE_WIDTH, TILE_HEIGHT, EXTRA_SAMPLES, SAMPLE_FORMAT = 320, 322, 323, 338, 339
SUBSAMPLING = 530
STRIPS, TILES = (273, 279), (324, 325)
"""Tags of the pixels' offsets and of their byte counts."""

PLAIN, LZW, JPEG = 1, 5, 7
_COMPRESSIONS = {PLAIN: "none", LZW: "LZW", JPEG: "JPEG", 8: "Deflate", 32946: "Deflate", 32773: "PackBits"}
WHITE_IS_ZERO, BLACK_IS_ZERO, RGB, PALETTE, CMYK, YCBCR = 0, 1, 2, 3, 5, 6
_CHANNELS = {WHITE_IS_ZERO: 1, BLACK_IS_ZERO: 1, RGB: 3, PALETTE: 1, CMYK: 4, YCBCR: 3}
_RAW = frozenset({32803, 34892})
"""The mosaic of a sensor, and its linear values."""
UNSIGNED, SIGNED, FLOAT = 1, 2, 3
_MAX_SAMPLES = 6


@dataclass(frozen=True)
class Layout:
    """The layout of a picture that is read."""

    width_px: int
    height_px: int
    bits: int
    """Per sample, the same for all."""
    sample_format: int
    compression: int
    photometric: int
    samples: int
    """Channels of a pixel, of which the first ``color_channels`` are its color."""
    alpha: int
    """0 none, 1 the color is multiplied by it, 2 it is not."""
    is_planar: bool
    segment_width_px: int
    """Of a strip or a tile."""
    segment_height_px: int
    is_tiled: bool

    @property
    def color_channels(self) -> int:
        return _CHANNELS[self.photometric]

    @property
    def tags(self) -> tuple[int, int]:
        return TILES if self.is_tiled else STRIPS

    @property
    def row_bytes(self) -> int:
        """Bytes of one row of a segment."""
        samples = 1 if self.is_planar else self.samples
        return (self.segment_width_px * samples * self.bits + 7) // 8

    @property
    def segment_rows(self) -> tuple[int, ...]:
        """The rows of each segment: all of one plane, then all of the next."""
        down = -(-self.height_px // self.segment_height_px)
        planes = self.samples if self.is_planar else 1
        if self.is_tiled:
            across = -(-self.width_px // self.segment_width_px)
            return (self.segment_height_px,) * (down * across * planes)
        last = self.height_px - (down - 1) * self.segment_height_px
        return ((self.segment_height_px,) * (down - 1) + (last,)) * planes


def layout_of(directory: Directory) -> Layout:
    """Raises UnreadableImage for a layout that is not read, or that makes no sense."""
    width_px, height_px = directory.number(WIDTH, 0), directory.number(HEIGHT, 0)
    if not width_px or not height_px:  # also where a copy broke off before the directory
        raise damaged("TIFF", "its directory does not say how large the picture is")
    check_size(width_px, height_px)
    bits, formats = directory.numbers(BITS) or (1,), directory.numbers(SAMPLE_FORMAT) or (UNSIGNED,)
    photometric = directory.number(PHOTOMETRIC, BLACK_IS_ZERO)
    samples = directory.number(SAMPLES, 1)
    compression = directory.number(COMPRESSION, PLAIN)
    if photometric in _RAW:
        raise camera_raw()
    if compression not in _COMPRESSIONS:
        raise UnreadableImage(
            "The TIFF file is packed in a way that SkinLens does not read; no compression, LZW, Deflate, PackBits or "
            f"JPEG was expected, and method {compression} was found. Save the photo as PNG or JPEG, and upload that."
        )
    if photometric not in _CHANNELS:
        raise _not_read(f"colors of kind {photometric}", "gray, RGB, palette, CMYK or YCbCr")
    channels = _CHANNELS[photometric]
    if not channels <= samples <= _MAX_SAMPLES:
        raise damaged("TIFF", CONTRADICTORY)
    if len({*bits}) > 1 or len({*formats}) > 1:
        raise _not_read("samples of several depths", "samples of one depth")
    is_tiled = TILES[0] in directory.entries
    extra = directory.numbers(EXTRA_SAMPLES)
    layout = Layout(
        width_px,
        height_px,
        bits[0],
        formats[0] if formats[0] != 4 else UNSIGNED,  # 4: not said
        compression,
        photometric,
        samples,
        extra[0] if samples > channels and extra and extra[0] in (1, 2) else 0,
        directory.number(PLANAR, 1) == 2 and samples > 1,
        directory.number(TILE_WIDTH, 0) if is_tiled else width_px,
        directory.number(TILE_HEIGHT, 0) if is_tiled else min(directory.number(ROWS_PER_STRIP, height_px), height_px),
        is_tiled,
    )
    _check(layout, directory)
    return layout


def _check(layout: Layout, directory: Directory) -> None:
    if min(layout.segment_width_px, layout.segment_height_px) < 1:
        raise damaged("TIFF", CONTRADICTORY)
    if layout.segment_width_px * layout.segment_height_px > 4 * 50_000_000:
        raise damaged("TIFF", CONTRADICTORY)
    depths = {UNSIGNED: (1, 2, 4, 8, 12, 16, 32), SIGNED: (16, 32), FLOAT: (16, 32, 64)}
    if layout.bits not in depths.get(layout.sample_format, ()):
        kinds = {SIGNED: "signed ", FLOAT: "floating-point "}
        samples = f"{kinds.get(layout.sample_format, '')}samples of {layout.bits} bits"
        raise _not_read(samples, "samples of 8 or 16 bits")
    is_deep = layout.bits not in (8, 16) or layout.sample_format != UNSIGNED
    if is_deep and layout.photometric in (CMYK, YCBCR):
        raise _not_read(f"printing or film colors of {layout.bits} bits", "8 bits")
    if layout.photometric == PALETTE and (layout.bits > 8 or layout.sample_format != UNSIGNED):
        raise _not_read(f"a palette of {layout.bits} bits", "a palette of at most 8 bits")
    if layout.compression == JPEG and (layout.bits != 8 or layout.is_planar):
        raise _not_read("JPEG in separate planes or of more than 8 bits", "JPEG of 8 bits")
    is_reduced = prod(directory.numbers(SUBSAMPLING) or (2, 2)) != 1
    if layout.photometric == YCBCR and layout.compression != JPEG and (is_reduced or layout.bits != 8):
        raise _not_read("film colors (YCbCr) of reduced resolution without JPEG", "RGB")


def _not_read(samples: str, expected: str) -> UnreadableImage:
    return UnreadableImage(
        f"The TIFF file is of a kind that SkinLens does not read: {expected} was expected, and {samples} were found. "
        "Save the photo as an 8-bit TIFF or PNG, and upload that."
    )


def camera_raw() -> UnreadableImage:
    return UnreadableImage(
        "The file is a camera raw file, whose first picture is only a small preview; "
        "a finished photo was expected. Export it as TIFF, PNG or JPEG from the camera's software, and upload that."
    )
