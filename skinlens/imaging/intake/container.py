"""Parsed picture file: what the format parsers hand on to the decoder."""

from dataclasses import dataclass
from typing import Literal

from skinlens.imaging.intake.color_spaces import ColorSpace

Format = Literal["JPEG", "PNG", "WebP", "TIFF", "BMP", "HEIC", "DICOM"]


@dataclass(frozen=True)
class ParsedImage:
    """One picture file taken apart."""

    format: Format
    picture: bytes
    """The file without metadata: what the decoder is given."""
    orientation: int = 1
    """EXIF orientation, 1–8, still to be applied."""
    icc_profile: bytes | None = None
    color_space: ColorSpace | None = None
    """What the file says of its colors by other means; a profile goes before it."""
    frames: int = 1
    """Pictures or pages in the file, of which the first is read."""
    bits: int = 8
    """Bits per sample; it matters for grayscale deeper than 8, which Pillow hands over unscaled."""
    notes: tuple[str, ...] = ()
    coding: str = ""
    """A coding that the decoder may not know, in words; empty for an ordinary one."""
    reduction: int = 1
    """2 where the whole picture would take too much memory, and half of its width and height does not."""
    lacks_end: bool = False
    """The file breaks off behind the header: whether all pixels are there, the decoder must find out."""


def ends_in_zeros(coded: bytes, count: int) -> bool:
    """Whether so many zero bytes stand at the end of coded pixels, as a copy leaves them that broke off.

    Coded pixels of a photo have no such run: the chance of 64 bytes is 1 in 10^154.
    """
    return len(coded) >= count and not coded[-count:].strip(b"\0")


MAX_ENTRIES = 100_000
"""Segments, chunks or directory lines of one file. Photos have some tens; a large PNG in small chunks some thousands.
Walking as many takes about a tenth of a second."""
