"""Bytes → bands of 8-bit sRGB rows, in the process that calls: what ``worker`` does within its limits.

Whatever is wrong with a file, the caller gets ``UnreadableImage`` and nothing else. No state of Pillow is changed, so
any number of threads may decode at a time.
"""

import io
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from typing import cast

import numpy as np
from PIL import Image
from PIL.BmpImagePlugin import BmpImageFile
from PIL.JpegImagePlugin import JpegImageFile
from PIL.PngImagePlugin import PngImageFile
from PIL.TiffImagePlugin import TiffImageFile
from PIL.WebPImagePlugin import WebPImageFile

from skinlens.errors import UnreadableImage
from skinlens.intake.colour import Conversion
from skinlens.intake.container import Container, Format
from skinlens.intake.containers import take_apart
from skinlens.intake.raster import Raster, of_image, of_samples
from skinlens.intake.refusals import TOO_MUCH_MEMORY, check_size, damaged, recognise
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


def decode(data: bytes, on_size: "_Sized | None" = None) -> Decoding:
    """Take the file apart and decode its picture. Raises UnreadableImage.

    ``on_size`` is told the dimensions before the decoder is asked for memory.
    """
    kind = cast(Format, recognise(data))
    with _refusing(kind):
        container = take_apart(kind, data)
        del data
        raster, profile = _OPENERS[kind](container, on_size or (lambda *_: None))
    conversion = Conversion(raster, profile, list(container.notes))
    return Decoding(
        kind,
        raster.width_px,
        raster.height_px,
        container.orientation,
        _guarded(kind, conversion.bands()),
        conversion.notes,
    )


@contextmanager
def _refusing(kind: Format) -> Iterator[None]:
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
        raise damaged(kind, "its picture data cannot be decoded") from error


def _guarded(kind: Format, bands: Iterator[Pixels]) -> Iterator[Pixels]:
    with _refusing(kind):
        yield from bands


_Sized = Callable[[int, int], None]
_Opened = tuple[Raster, bytes | None]


def _with_pillow(plugin: Callable[[io.BytesIO], Image.Image]) -> Callable[[Container, _Sized], _Opened]:
    """A reader of one format. The plugin's class is called: ``Image.open`` tries further formats, and warns."""

    def opened(container: Container, on_size: _Sized) -> _Opened:
        with plugin(io.BytesIO(container.picture)) as image:
            check_size(*image.size)
            on_size(*image.size)
            frames = max(container.frames, int(getattr(image, "n_frames", 1)))
            profile = container.icc_profile or image.info.get("icc_profile")
            image.load()
            check_size(*image.size)
            raster = of_image(image, container.bits)
        return _first_of(frames, raster), profile

    return opened


def _heic(container: Container, on_size: _Sized) -> _Opened:
    """HEIC: libheif applies the orientation itself. Its array is used as it is: Pillow would copy it twice."""
    from pillow_heif import open_heif

    image = open_heif(io.BytesIO(container.picture))
    check_size(*image.size)
    on_size(*image.size)
    samples = np.asarray(image)
    check_size(samples.shape[1], samples.shape[0])  # it may turn out larger than its header said
    return _first_of(len(image), of_samples(samples[:, : image.size[0]])), image.info.get("icc_profile")


def _first_of(frames: int, raster: Raster) -> Raster:
    if frames == 1:
        return raster
    note = f"The file holds {frames} pictures; only the first was read."
    return Raster(raster.width_px, raster.height_px, raster.rows, (note, *raster.notes))


_OPENERS: dict[Format, Callable[[Container, _Sized], _Opened]] = {
    "JPEG": _with_pillow(JpegImageFile),  # of a multi-picture file (MPO) too, whose first picture it is
    "PNG": _with_pillow(PngImageFile),
    "WebP": _with_pillow(WebPImageFile),
    "TIFF": _with_pillow(TiffImageFile),
    "BMP": _with_pillow(BmpImageFile),
    "HEIC": _heic,
}
