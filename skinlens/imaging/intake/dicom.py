"""DICOM files: a dermoscopic or photographic picture out of the archive, its frame and what says how to read it.

Of the data set the tags below are read and no others: no name, no date, no number of a patient. Before pydicom sees the
file, ``transfer_syntax`` has looked at it, so that nothing is inflated that could grow without bound.

References: DICOM PS3.3 C.7.6.3 (image pixel), C.7.6.5 (frames), PS3.5 8 and annex A (encodings), G (RLE).
"""

import io
import struct
from dataclasses import dataclass
from itertools import takewhile
from typing import Any, cast

import numpy as np
from PIL import Image

from skinlens.errors import UnreadableImage
from skinlens.imaging.intake import raster
from skinlens.imaging.intake.container import ParsedImage
from skinlens.imaging.intake.jpeg import START_OF_SCAN, scan_segments
from skinlens.imaging.intake.lossless import OTHER_CHANNELS, OTHER_SIZE, Lossless, samples_of
from skinlens.imaging.intake.raster import Raster
from skinlens.imaging.intake.sniffing import ENDS_EARLY, check_size, damaged, not_read
from skinlens.imaging.intake.transfer_syntax import BIG_ENDIAN, CODINGS, Coding, listed_name
from skinlens.records import Array

PHOTOS = frozenset({"1.2.840.10008.5.1.4.1.1.77.1.4", "1.2.840.10008.5.1.4.1.1.77.1.7"})
"""SOP classes: VL Photographic Image, Dermoscopic Photography Image."""
TAGS = (
    *("SOPClassUID", "Rows", "Columns", "SamplesPerPixel", "PhotometricInterpretation", "PlanarConfiguration"),
    *("BitsAllocated", "BitsStored", "PixelRepresentation", "NumberOfFrames", "PixelAspectRatio", "PixelSpacing"),
    *("BurnedInAnnotation", "ICCProfile", "PixelData"),
    *(f"{color}PaletteColorLookupTableDescriptor" for color in ("Red", "Green", "Blue")),
    *(f"{color}PaletteColorLookupTableData" for color in ("Red", "Green", "Blue")),
)
_GRAY, _NEGATIVE, _PALETTE = "MONOCHROME2", "MONOCHROME1", "PALETTE COLOR"
_MODES = {"RGB": "RGB", "YBR_FULL": "YCbCr", "YBR_FULL_422": "YCbCr", "YBR_RCT": "RGB", "YBR_ICT": "RGB"}
"""Pillow's, of three channels as they are once a frame is decoded."""
_OTHER_PHOTOMETRIC = frozenset({"HSV", "ARGB", "CMYK", "YBR_PARTIAL_422", "YBR_PARTIAL_420", "YBR_PARTIAL_444", "XYB"})
"""Not read, and named in a refusal. No value of a tag is ever quoted: one may hold a patient's name.
"""
_LEAST_MM, _MOST_MM = 0.1, 10_000
BURNED_IN = "The file says that writing is burned into the photo: check that it names nobody."
"""Note on a photo."""


@dataclass(frozen=True, eq=False)
class DicomPicture:
    """The first frame of a file, not decoded yet."""

    kind: str
    """SOP class, one of ``PHOTOS``."""
    syntax: str
    """Transfer syntax, one of ``CODINGS``."""
    width_px: int
    height_px: int
    channels: int
    bits_allocated: int
    bits: int
    """Of these, how many are used: the lowest."""
    photometric: str
    is_planar: bool
    coding: Coding
    frame: bytes
    frames: int
    icc_profile: bytes | None
    palette: Array | None
    """Colors, uint8 of shape (n, 3)."""
    first_color: int
    """The sample that means the first of them."""
    field_width_mm: float | None
    """How wide the skin is that the photo shows, where the file has a scale."""
    notes: tuple[str, ...]

    @property
    def is_negative(self) -> bool:
        """Whether 0 is white."""
        return self.photometric == _NEGATIVE


def read_dicom(container: ParsedImage) -> DicomPicture:
    """The picture of a file. Raises UnreadableImage, and whatever pydicom does on damaged data."""
    from pydicom import dcmread
    from pydicom.encaps import get_frame

    dataset = dcmread(io.BytesIO(container.picture), specific_tags=list(TAGS))
    kind, syntax = _checked_kind(dataset), str(dataset.file_meta.TransferSyntaxUID)
    height_px, width_px = _number(dataset, "Rows"), _number(dataset, "Columns")
    check_size(width_px, height_px)
    channels, allocated = _number(dataset, "SamplesPerPixel"), _number(dataset, "BitsAllocated")
    bits = _number(dataset, "BitsStored", allocated)
    photometric = str(dataset.get("PhotometricInterpretation", "")).strip()
    coding: Coding = CODINGS[syntax]
    expected = 3 if photometric in _MODES else 1 if photometric in (_GRAY, _NEGATIVE, _PALETTE) else 0
    if not expected:
        named = photometric if photometric in _OTHER_PHOTOMETRIC else "of no known name"
        raise not_read("DICOM", f"a photometric interpretation {named}")
    if channels != expected or allocated not in (8, 16) or not 1 <= bits <= allocated:
        raise damaged("DICOM", "its description of the pixels contradicts itself")
    if _number(dataset, "PixelRepresentation", 0):
        raise not_read("DICOM", "a picture of signed samples")
    frames = max(1, _number(dataset, "NumberOfFrames", 1))
    data = _bytes(dataset, "PixelData")
    if not data:
        raise damaged("DICOM", "it holds no picture")
    palette, first = _palette_of(dataset) if photometric == _PALETTE else (None, 0)
    profile = dataset.get("ICCProfile")
    width_mm = _field_width_mm(dataset, width_px)
    notes = (BURNED_IN,) if str(dataset.get("BurnedInAnnotation", "")).strip().upper() == "YES" else ()
    if width_mm is not None:
        notes = (
            *notes,
            f"By the scale in its file the photo shows {width_mm:g} mm from left to right.",
        )
    return DicomPicture(
        kind,
        syntax,
        width_px,
        height_px,
        channels,
        allocated,
        bits,
        photometric,
        bool(_number(dataset, "PlanarConfiguration", 0)),
        coding,
        data if coding == "plain" else get_frame(data, 0, number_of_frames=frames),
        frames,
        profile if isinstance(profile, bytes) and profile else None,
        palette,
        first,
        width_mm,
        notes,
    )


def jpeg_of(picture: DicomPicture) -> bytes:
    """The JPEG of a frame. Where neither JFIF nor Adobe says how its colors are coded, the data set's word is added."""
    data = picture.frame
    if picture.palette is not None:
        raise not_read("DICOM", "a palette in a JPEG")
    header = takewhile(lambda segment: segment[0] != START_OF_SCAN, scan_segments(data))
    if picture.photometric == "RGB" and not any(_says_colors(marker, body) for marker, body, _ in header):
        return data[:2] + b"\xff\xee\0\x0eAdobe\0\x64\0\0\0\0\0" + data[2:]  # transform 0: no YCbCr
    return data


def _says_colors(marker: int, body: bytes) -> bool:
    return (marker == 0xE0 and body.startswith(b"JFIF\0")) or (marker == 0xEE and body.startswith(b"Adobe"))


def raster_of(picture: DicomPicture) -> Raster:
    """The frame of a file that is not coded as JPEG."""
    samples = _DECODERS[picture.coding](picture)
    if samples.shape != (picture.height_px, picture.width_px, picture.channels):
        raise damaged("DICOM", OTHER_SIZE)
    if picture.palette is not None:
        table, first = picture.palette, picture.first_color
        index = np.clip(samples[..., 0].astype(np.int32) - first, 0, len(table) - 1).astype(np.uint16)
        rows = lambda top, bottom: Image.fromarray(table[index[top:bottom]])
        return Raster(picture.width_px, picture.height_px, rows)
    mode = _MODES.get(picture.photometric, "L")
    if mode == "YCbCr" and picture.bits != 8:
        raise not_read("DICOM", f"a picture in film colors (YBR) of {picture.bits} bits")
    reduced = picture.coding == "JPEG 2000" and samples.dtype == np.uint8  # by its decoder, of whatever depth it is
    return raster.of_samples(samples, mode, 8 if reduced else picture.bits, is_negative=picture.is_negative)


# ---------------------------------------------------------------------------------------------------- the data set


def _checked_kind(dataset: Any) -> str:
    kind = dataset.get("SOPClassUID") or getattr(dataset.file_meta, "MediaStorageSOPClassUID", "")
    if str(kind) not in PHOTOS:
        name = listed_name(str(kind))
        raise UnreadableImage(
            "The DICOM object is no photo of skin: a Dermoscopic Photography Image or a VL Photographic Image was "
            f"expected, and it is of {f'the class {name}' if name else 'no class that is listed'}. "
            "Choose the photo itself."
        )
    ratio = dataset.get("PixelAspectRatio")
    if ratio is not None and len(ratio) == 2 and int(ratio[0]) != int(ratio[1]):
        raise not_read("DICOM", "a picture with pixels that are not square")
    return str(kind)


def _number(dataset: Any, name: str, default: int | None = None) -> int:
    value = dataset.get(name)
    if value is None and default is not None:
        return default
    try:
        return int(value)
    except (TypeError, ValueError) as error:
        raise damaged("DICOM", f"{name} is no number") from error


def _bytes(dataset: Any, name: str) -> bytes:
    """Value of an element, its words in little endian; empty where there is none."""
    value = dataset.get(name)
    if not isinstance(value, bytes):
        return b""
    if str(dataset.file_meta.TransferSyntaxUID) != BIG_ENDIAN or dataset[name].VR != "OW":
        return value
    return np.frombuffer(value[: len(value) // 2 * 2], "<u2").byteswap().tobytes()


def _field_width_mm(dataset: Any, width_px: int) -> float | None:
    """From the distance of two columns in the plane of the skin."""
    spacing = dataset.get("PixelSpacing")
    try:
        width = float(spacing[1]) * width_px
    except (TypeError, ValueError, IndexError):  # a scale that makes no sense is none
        return None
    return round(width, 2) if _LEAST_MM <= width < _MOST_MM else None


def _palette_of(dataset: Any) -> tuple[Array, int]:
    columns, first = [], 0
    for color in ("Red", "Green", "Blue"):
        name = f"{color}PaletteColorLookupTable"
        descriptor, data = dataset.get(f"{name}Descriptor"), _bytes(dataset, f"{name}Data")
        if descriptor is None or len(descriptor) != 3 or not data:
            raise damaged("DICOM", "its palette is missing")
        count, first, bits = int(descriptor[0]) or 65_536, int(descriptor[1]), int(descriptor[2])
        values = np.frombuffer(data[: count * (2 if bits == 16 else 1)], "<u2" if bits == 16 else np.uint8)
        if bits not in (8, 16) or len(values) < count:
            raise damaged("DICOM", "its palette is too short")
        columns.append((values >> 8 if bits == 16 else values).astype(np.uint8))
    if len({len(column) for column in columns}) > 1:
        raise damaged("DICOM", "its palette contradicts itself")
    return np.stack(columns, axis=1), first


# -------------------------------------------------------------------------------------------------------- the frames


def _plain(picture: DicomPicture) -> Array:
    height, width, channels = picture.height_px, picture.width_px, picture.channels
    kind = np.dtype("<u2" if picture.bits_allocated == 16 else "u1")
    if picture.photometric == "YBR_FULL_422":
        return _of_422(_first(picture.frame, height * width * 2, kind), height, width)
    samples = _first(picture.frame, height * width * channels, kind)
    if picture.is_planar and channels > 1:
        return _used(np.moveaxis(samples.reshape(channels, height, width), 0, -1), picture)
    return _used(samples.reshape(height, width, channels), picture)


def _first(frame: bytes, count: int, kind: "np.dtype[Any]") -> Array:
    if len(frame) < count * kind.itemsize:
        raise damaged("DICOM", ENDS_EARLY)
    return np.frombuffer(frame, kind, count)


def _of_422(samples: Array, height: int, width: int) -> Array:
    """Two brightnesses, then one color for both."""
    if width % 2 or samples.dtype != np.uint8:
        raise damaged("DICOM", "its description of the pixels contradicts itself")
    pairs = samples.reshape(height, width // 2, 4)
    whole = np.empty((height, width, 3), np.uint8)
    whole[:, 0::2, 0], whole[:, 1::2, 0] = pairs[..., 0], pairs[..., 1]
    for channel in (1, 2):
        whole[:, 0::2, channel] = whole[:, 1::2, channel] = pairs[..., channel + 1]
    return whole


def _used(samples: Array, picture: DicomPicture) -> Array:
    """Without what an archive may have put above the bits that are used; in bytes where these have room."""
    if picture.bits != picture.bits_allocated:
        samples = samples & ((1 << picture.bits) - 1)
    return samples.astype(np.uint8, copy=False) if picture.bits <= 8 else samples


def _run_lengths(picture: DicomPicture) -> Array:
    """A segment for each byte of each channel, the high bytes first."""
    height, width, deep = picture.height_px, picture.width_px, picture.bits_allocated // 8
    count, *offsets = struct.unpack_from("<16I", picture.frame)
    if picture.photometric == "YBR_FULL_422" or count != picture.channels * deep:
        raise damaged("DICOM", OTHER_CHANNELS)
    ends = [*offsets[1:count], len(picture.frame)]
    planes = [
        _unpacked(picture.frame[start:end], height * width) for start, end in zip(offsets[:count], ends, strict=True)
    ]
    joined = np.stack(planes, axis=-1).reshape(height, width, picture.channels, deep)
    if deep == 1:
        return _used(joined[..., 0], picture)
    return _used((joined[..., 0].astype(np.uint16) << 8) | joined[..., 1], picture)


def _unpacked(packed: bytes, size: int) -> Array:
    """PackBits, up to so many bytes."""
    whole, position = bytearray(), 0
    while len(whole) < size:
        if position >= len(packed):
            raise damaged("DICOM", ENDS_EARLY)
        control = packed[position]
        if control < 128:
            whole += packed[position + 1 : position + 2 + control]
            position += 2 + control
        elif control > 128:
            whole += packed[position + 1 : position + 2] * (257 - control)
            position += 2
        else:
            position += 1
    return np.frombuffer(bytes(whole[:size]), np.uint8)


def _jpeg_2000(picture: DicomPicture) -> Array:
    from PIL.Jpeg2KImagePlugin import Jpeg2KImageFile

    with Jpeg2KImageFile(io.BytesIO(picture.frame)) as image:
        if image.size != (picture.width_px, picture.height_px):
            raise damaged("DICOM", OTHER_SIZE)
        image.load()
        samples = np.asarray(image)
    if samples.dtype == np.uint16:  # of 9 to 16 bits, which Pillow puts highest
        return _used(samples[..., None] >> (16 - _bits_of_2000(picture.frame)), picture)
    return samples[..., None] if samples.ndim == 2 else samples


def _bits_of_2000(frame: bytes) -> int:
    """Bits of a sample of the first channel (ISO/IEC 15444-1, A.5.1)."""
    start = frame.index(b"\xff\x4f\xff\x51") + 42
    return (frame[start] & 0x7F) + 1


def _lossless(picture: DicomPicture) -> Array:
    coding = cast(Lossless, picture.coding)
    size = picture.width_px, picture.height_px
    return _used(samples_of(picture.frame, coding, size, picture.channels, picture.bits_allocated), picture)


_DECODERS = {
    "plain": _plain, "RLE": _run_lengths, "JPEG 2000": _jpeg_2000, "lossless JPEG": _lossless, "JPEG-LS": _lossless,
}  # fmt: skip
