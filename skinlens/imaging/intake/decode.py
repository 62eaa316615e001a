"""Decoding: bytes to bands of 8-bit sRGB rows, in the calling process.

Whatever is wrong with a file, the caller gets ``UnreadableImage`` and nothing else. No state of Pillow is changed, so
any number of threads may decode at a time.
"""

import io
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field, replace
from typing import cast

import numpy as np
from PIL import Image
from PIL.BmpImagePlugin import BmpImageFile
from PIL.JpegImagePlugin import JpegImageFile
from PIL.PngImagePlugin import PngImageFile
from PIL.WebPImagePlugin import WebPImageFile

from skinlens.errors import UnreadableImage
from skinlens.imaging.intake.color import Conversion
from skinlens.imaging.intake.color_spaces import ColorSpace, HdrToSrgb, of_code_points
from skinlens.imaging.intake.container import Format, ParsedImage
from skinlens.imaging.intake.containers import parse_container
from skinlens.imaging.intake.dicom import jpeg_of, raster_of, read_dicom
from skinlens.imaging.intake.directory import first_offset, read_directory
from skinlens.imaging.intake.jpeg_pixels import END, check_whole, decode_whole
from skinlens.imaging.intake.layout import layout_of
from skinlens.imaging.intake.lossless import OTHER_SIZE
from skinlens.imaging.intake.raster import Raster, in_hdr, inverted, of_hdr, of_image, of_samples
from skinlens.imaging.intake.samples import read_tiff
from skinlens.imaging.intake.sniffing import TOO_MUCH_MEMORY, UNDECODABLE, check_size, damaged, not_read, recognize
from skinlens.records import Pixels


@dataclass(eq=False)
class Decoding:
    """One picture on its way out. ``notes`` is complete when ``bands`` has ended."""

    source_format: Format
    width_px: int
    """As stored: before the orientation is applied."""
    height_px: int
    orientation: int
    """EXIF orientation, 1–8, still to be applied."""
    bands: Iterator[Pixels]
    """Rows from the top, some at a time. Raises UnreadableImage."""
    notes: list[str] = field(default_factory=list)
    field_width_mm: float | None = None
    """How wide the skin is that the photo shows, where the file has a scale."""


def decode(data: bytes, on_size: "_Sized | None" = None) -> Decoding:
    """Take the file apart and decode its picture. Raises UnreadableImage.

    ``on_size`` is told the dimensions before the decoder is asked for memory.
    """
    kind = cast(Format, recognize(data))
    with _refusing(kind):
        container = parse_container(kind, data)
    del data
    with _refusing(kind, container.coding):
        raster, profile, space = _OPENERS[kind](container, on_size or (lambda *_: None))
    conversion = Conversion(raster, profile, notes=list(container.notes))
    if profile is None and space is not None:
        if space.transfer:
            conversion.notes.append(
                f"Colors of high dynamic range ({space.name}) were converted to sRGB: "
                "what is brighter than paper white became white."
            )
        else:
            conversion.icc_profile, conversion.profile_name = space.icc_profile, space.name
    return Decoding(
        kind,
        raster.width_px,
        raster.height_px,
        container.orientation,
        _guarded(kind, container.coding, conversion.bands()),
        conversion.notes,
        raster.field_width_mm,
    )


@contextmanager
def _refusing(kind: Format, coding: str = "") -> Iterator[None]:
    """Whatever goes wrong in the block becomes a refusal in words."""
    try:
        yield
    except UnreadableImage:
        raise
    except MemoryError as error:
        raise UnreadableImage(TOO_MUCH_MEMORY) from error
    except Exception as error:  # decoders of six formats raise whatever they like on damaged bytes
        if "memory" in str(error).lower():  # libheif's, in words
            raise UnreadableImage(TOO_MUCH_MEMORY) from error
        if coding:
            raise not_read(kind, coding) from error
        raise damaged(kind, UNDECODABLE) from error


def _guarded(kind: Format, coding: str, bands: Iterator[Pixels]) -> Iterator[Pixels]:
    with _refusing(kind, coding):
        yield from bands


_Sized = Callable[[int, int], None]
_Opened = tuple[Raster, bytes | None, ColorSpace | None]


def _with_pillow(plugin: Callable[[io.BytesIO], Image.Image]) -> Callable[[ParsedImage, _Sized], _Opened]:
    """A reader of one format. The plugin's class is called: ``Image.open`` tries further formats, and warns."""

    def opened(container: ParsedImage, on_size: _Sized) -> _Opened:
        with plugin(io.BytesIO(container.picture)) as image:
            check_size(*image.size)
            on_size(*image.size)
            frames = max(container.frames, int(getattr(image, "n_frames", 1)))
            profile = container.icc_profile or (image.info.get("icc_profile") if not container.color_space else None)
            image.load()
            check_size(*image.size)
            raster = of_image(image, container.bits)
        if container.format == "PNG" and container.bits == 16 and image.mode in ("RGB", "RGBA"):
            _check_depth(raster)
        space = container.color_space
        if space and space.transfer:
            raster = in_hdr(raster, HdrToSrgb(space, 8))
        return _first_of(frames, raster), profile, space

    return opened


def _check_depth(raster: Raster) -> None:
    """Refuse a deep picture that is almost black because a camera's 12 bits lie at the wrong end of its 16."""
    highest = max(int(np.asarray(band)[..., :3].max()) for band in raster.bands())
    if highest < 1 << 6:  # of 14 bits, the high byte is left with 6
        raise UnreadableImage(
            "The photo has 16 bits a sample, and uses the lowest of them alone, as some cameras' programs write it: "
            f"values up to 65535 were expected, and none over {256 * highest + 255} was found. "
            "Save it as an 8-bit PNG or JPEG, and upload that."
        )


def _jpeg(container: ParsedImage, on_size: _Sized) -> _Opened:
    """The end mark is given to every file: whether a pixel is missing before it, the decoder finds out."""
    if container.lacks_end:
        container = replace(container, picture=container.picture + END)
    with JpegImageFile(io.BytesIO(container.picture)) as image:
        size, mode = image.size, image.mode
    check_size(*size)
    if not container.coding:
        try:
            raster = _jpeg_raster(container, size, mode, container.reduction, on_size)
        except MemoryError:
            if container.reduction > 1:
                raise
            raster = _jpeg_raster(container, size, mode, 2, on_size)
        if raster is not None:
            return raster, container.icc_profile, container.color_space
    if container.lacks_end or not container.coding:
        check_whole(container.picture)
    return _with_pillow(JpegImageFile)(container, on_size)


def _jpeg_raster(
    container: ParsedImage, size: tuple[int, int], mode: str, reduction: int, on_size: _Sized
) -> Raster | None:
    width, height = (-(-side // reduction) for side in size)
    on_size(width, height)
    samples = decode_whole(container.picture, mode, (width, height))
    if samples is None:
        if reduction > 1:
            raise UnreadableImage(TOO_MUCH_MEMORY)
        return None
    raster = of_samples(samples, mode, 8)
    return raster if reduction == 1 else replace(raster, notes=(_HALVED, *raster.notes))


_HALVED = "The photo was read at half its width and height: more would take too much memory."


def _tiff(container: ParsedImage, on_size: _Sized) -> _Opened:
    layout = layout_of(read_directory(container.picture, first_offset(container.picture)))
    on_size(layout.width_px, layout.height_px)
    return _first_of(container.frames, read_tiff(container.picture)), container.icc_profile, container.color_space


_ROOMY_PX = 24_000_000
"""There is memory for a HEIC picture of this size with any depth and sampling; 8 bits at 4:2:0 fit up to the limit."""


def _heic(container: ParsedImage, on_size: _Sized) -> _Opened:
    """HEIC: libheif applies the orientation itself. Its array is used as it is: Pillow would copy it twice."""
    from pillow_heif import open_heif

    image = open_heif(io.BytesIO(container.picture), convert_hdr_to_8bit=False)
    check_size(*image.size)
    on_size(*image.size)
    profile, points = image.info.get("icc_profile"), image.info.get("nclx_profile") or {}
    space = None
    if not profile and points:
        space = of_code_points(points["color_primaries"], points["transfer_characteristics"])
    is_hdr = space is not None and space.transfer > 0
    if image.mode.endswith(";16") and not is_hdr:
        image = open_heif(io.BytesIO(container.picture))
    try:
        samples = np.asarray(image)[:, : image.size[0]]
    except ValueError as error:  # what libheif says where its decoder has no more memory, too
        is_plain = image.info["bit_depth"] == 8 and image.info.get("chroma") == 420
        if not is_plain and image.size[0] * image.size[1] > _ROOMY_PX:
            raise MemoryError from error
        raise
    check_size(samples.shape[1], samples.shape[0])  # it may turn out larger than its header said
    if space is not None and is_hdr:
        deep = samples if samples.dtype == np.uint16 else samples.astype(np.uint16) * 257
        raster = of_hdr(deep, HdrToSrgb(space, 16))
    else:
        raster = of_samples(samples[..., None] if samples.ndim == 2 else samples, image.mode, 8)
    return _first_of(len(image), raster), profile, space


def _dicom(container: ParsedImage, on_size: _Sized) -> _Opened:
    import pydicom  # noqa: F401 (its code is not to count as memory that the file takes)

    on_size(0, 0)  # a limit for its data set, whose size nothing tells beforehand
    picture = read_dicom(container)
    on_size(picture.width_px, picture.height_px)
    profile = picture.icc_profile
    if picture.coding == "JPEG":
        inner = parse_container("JPEG", jpeg_of(picture))
        with JpegImageFile(io.BytesIO(inner.picture)) as image:
            if image.size != (picture.width_px, picture.height_px):
                raise damaged("DICOM", OTHER_SIZE)
        raster, own_profile, _ = _jpeg(inner, on_size)
        profile = profile or own_profile
        if picture.is_negative:
            raster = inverted(raster)
    else:
        raster = raster_of(picture)
    raster = replace(raster, notes=(*picture.notes, *raster.notes), field_width_mm=picture.field_width_mm)
    return _first_of(picture.frames, raster), profile, None


def _first_of(frames: int, raster: Raster) -> Raster:
    if frames == 1:
        return raster
    note = f"The file holds {frames} pictures; only the first was read."
    return replace(raster, notes=(note, *raster.notes))


_OPENERS: dict[Format, Callable[[ParsedImage, _Sized], _Opened]] = {
    "JPEG": _jpeg,  # of a multi-picture file (MPO) too, whose first picture it is
    "PNG": _with_pillow(PngImageFile),
    "WebP": _with_pillow(WebPImageFile),
    "TIFF": _tiff,
    "BMP": _with_pillow(BmpImageFile),
    "HEIC": _heic,
    "DICOM": _dicom,
}
