"""Decoded raster in bands of rows: 50 megapixels are never in memory twice.

The bands are 8-bit pictures of Pillow's; what is deeper is brought to 8 bits here.
"""

from collections.abc import Callable, Iterator
from dataclasses import dataclass, replace

import numpy as np
from PIL import Image, ImageOps

from skinlens.errors import UnreadableImage
from skinlens.imaging.intake.color_spaces import HdrToSrgb
from skinlens.records import Array

BAND_PX = 1 << 19
"""Pixels of one band: small against the limit of memory, large enough that the calls do not count."""


@dataclass(frozen=True, eq=False)
class Raster:
    """Width, height, and a function that gives the rows from ``top`` to ``bottom`` (exclusive)."""

    width_px: int
    height_px: int
    rows: Callable[[int, int], Image.Image]
    notes: tuple[str, ...] = ()
    field_width_mm: float | None = None
    """How wide what it shows is, where the file has a scale."""
    rgb: Array | None = None
    """Rows, columns and three channels where it is held as 8-bit RGB: then ``rows`` need not go through Pillow."""

    def bands(self) -> Iterator[Image.Image]:
        """All rows from the top, in bands of about ``BAND_PX`` pixels."""
        return (self.rows(top, bottom) for top, bottom in self._steps())

    def rgb_bands(self) -> Iterator[Array]:
        """Bands of ``rgb``, in the rows of ``bands``."""
        assert self.rgb is not None
        return (self.rgb[top:bottom] for top, bottom in self._steps())

    def _steps(self) -> Iterator[tuple[int, int]]:
        step = max(1, BAND_PX // self.width_px)
        return ((top, min(top + step, self.height_px)) for top in range(0, self.height_px, step))


def of_image(image: Image.Image, bits: int) -> Raster:
    """Raster of an image that Pillow decoded. ``bits`` per sample matters for mode ``I;16``."""

    def rows(top: int, bottom: int) -> Image.Image:
        return image.crop((0, top, image.width, bottom))

    def numbers(top: int, bottom: int) -> Array:
        return np.asarray(rows(top, bottom))[..., None]

    if image.mode.startswith("I;16"):
        return _of_deep(image.width, image.height, numbers, "L", bits)
    if image.mode in ("I", "F"):
        return _of_numbers(image.width, image.height, numbers, "L")
    return Raster(image.width, image.height, rows, _reduced(bits))


def of_samples(samples: Array, mode: str, bits: int, *, is_negative: bool = False) -> Raster:
    """Rows, columns and channels of samples, of as many bits as said, or of any if they are numbers.

    ``mode`` is Pillow's, for the same channels at 8 bits. ``is_negative``: 0 is white.
    """
    height, width = samples.shape[:2]
    kind = samples.dtype
    if is_negative and kind.kind == "u":
        samples = (kind.type((1 << bits) - 1) - samples).astype(kind)

    def rows(top: int, bottom: int) -> Array:
        return samples[top:bottom]

    if kind.kind != "u" or bits > 16:
        return _of_numbers(width, height, rows, mode)
    if bits > 8:
        return _of_deep(width, height, rows, mode, bits)
    top_value = (1 << bits) - 1
    table = np.rint(np.arange(256) * 255 / top_value).clip(0, 255).astype(np.uint8)
    if bits == 8:
        rgb = samples if mode == "RGB" and kind == np.uint8 else None
        return Raster(width, height, lambda top, bottom: _image(rows(top, bottom), mode), rgb=rgb)
    return Raster(width, height, lambda top, bottom: _image(table[rows(top, bottom).astype(np.uint8)], mode))


def in_hdr(raster: Raster, convert: HdrToSrgb) -> Raster:
    """An 8-bit picture of high dynamic range."""
    rows = lambda top, bottom: Image.fromarray(convert(np.asarray(raster.rows(top, bottom).convert("RGB"))))
    return Raster(raster.width_px, raster.height_px, rows, raster.notes)


def of_hdr(samples: Array, convert: HdrToSrgb) -> Raster:
    """Samples of high dynamic range, three or four channels of 16 bits."""
    rows = lambda top, bottom: Image.fromarray(convert(samples[top:bottom, :, :3]))
    return Raster(samples.shape[1], samples.shape[0], rows)


def inverted(raster: Raster) -> Raster:
    """A gray picture in which 0 is white."""
    return replace(raster, rows=lambda top, bottom: ImageOps.invert(raster.rows(top, bottom)), rgb=None)


def _image(samples: Array, mode: str) -> Image.Image:
    """Samples of 8 bits as a picture of a mode that has as many channels."""
    height, width = samples.shape[:2]
    return Image.frombuffer(mode, (width, height), np.ascontiguousarray(samples), "raw", mode, 0, 1)


def _reduced(bits: int) -> tuple[str, ...]:
    return (f"Brightness was reduced from {bits} to 8 bits.",) if bits > 8 else ()


_Rows = Callable[[int, int], Array]
_USED_BITS = (8, 10, 12, 14)
"""Depths of sensors, which some programs write into 16 bits as they are."""


def _bands(width: int, height: int, rows: _Rows) -> Iterator[Array]:
    step = max(1, BAND_PX // width)
    return (rows(top, min(top + step, height)) for top in range(0, height, step))


def _of_deep(width: int, height: int, rows: _Rows, mode: str, bits: int) -> Raster:
    """Samples of 9 to 16 bits keep their high bits (65535 → 255, 256 → 1, 255 → 0): exact for 8-bit values that were
    widened either by 257 or by 256, and the same as libpng and Pillow do for deep color.

    If the brightest value does not need the upper two bits or more, they are none of the picture's.
    """
    colors = len(mode) - (mode in ("LA", "La", "RGBA", "RGBa"))
    highest = max(int(band[..., :colors].max()) for band in _bands(width, height, rows))
    used = next((depth for depth in _USED_BITS if depth <= bits - 2 and 0 < highest < 1 << depth), bits)
    notes = _reduced(bits)
    if used != bits:
        notes = (f"Of the {bits} bits of a sample {used} are used: brightness was read as 0 to {(1 << used) - 1}.",)

    def narrow(top: int, bottom: int) -> Image.Image:
        band = rows(top, bottom)
        eight = np.empty(band.shape, np.uint8)
        eight[..., :colors] = band[..., :colors] >> (used - 8)
        eight[..., colors:] = band[..., colors:] >> (bits - 8)
        return _image(eight, mode)

    return Raster(width, height, narrow, notes)


def _of_numbers(width: int, height: int, rows: _Rows, mode: str) -> Raster:
    """Raster of values without a stated range: the smallest of 0–1, 0–255 and 0–65535 that contains them all."""
    extremes = [(band.min(), band.max()) for band in _bands(width, height, rows)]
    low, high = float(np.min(extremes)), float(np.max(extremes))  # numpy's: a value that is no number stays one
    top_value = next((top for top in (1, 255, 65535) if low >= 0 and high <= top), None)
    if top_value is None:  # too large, negative, infinite, or not a number
        raise UnreadableImage(
            "The brightness values of the picture have no known range: 0 to 1, 0 to 255 or 0 to 65535 were expected, "
            f"and {low:g} to {high:g} were found. Save the photo as an 8-bit PNG or JPEG, and upload that."
        )
    factor = 255 / top_value

    def scaled(top: int, bottom: int) -> Image.Image:
        return _image(np.rint(rows(top, bottom).astype(np.float64) * factor).astype(np.uint8), mode)

    return Raster(width, height, scaled, (f"Brightness values were read as 0 to {top_value}.",))
