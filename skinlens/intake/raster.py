"""A decoded picture, handed out in bands of rows: 50 megapixels are never in memory twice.

The bands are 8-bit pictures of Pillow's; what is deeper is brought to 8 bits here.
"""

from collections.abc import Callable, Iterator
from dataclasses import dataclass

import numpy as np
from PIL import Image

from skinlens.errors import UnreadableImage
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

    def bands(self) -> Iterator[Image.Image]:
        """All rows from the top, in bands of about ``BAND_PX`` pixels."""
        step = max(1, BAND_PX // self.width_px)
        for top in range(0, self.height_px, step):
            yield self.rows(top, min(top + step, self.height_px))


def of_image(image: Image.Image, bits: int) -> Raster:
    """What Pillow decoded. ``bits`` per sample matters for mode ``I;16``.

    Deep samples keep their high bits (65535 → 255, 256 → 1, 255 → 0): exact for 8-bit values that were widened
    either by 257 or by 256, and the same as libpng and Pillow do for deep color.
    """

    def rows(top: int, bottom: int) -> Image.Image:
        return image.crop((0, top, image.width, bottom))

    if image.mode.startswith("I;16"):
        shift = max(bits - 8, 0)
        narrow = lambda top, bottom: Image.fromarray((np.asarray(rows(top, bottom)) >> shift).astype(np.uint8))
        return Raster(image.width, image.height, narrow, _reduced(bits))
    if image.mode in ("I", "F"):
        return _of_numbers(image.width, image.height, lambda top, bottom: np.asarray(rows(top, bottom)))
    return Raster(image.width, image.height, rows, _reduced(bits))


def of_samples(samples: Array) -> Raster:
    """Samples of 8 bits: rows, columns, and channels as grey, RGB, or RGB with transparency."""
    return Raster(samples.shape[1], samples.shape[0], lambda top, bottom: Image.fromarray(samples[top:bottom]))


def _reduced(bits: int) -> tuple[str, ...]:
    return (f"Brightness was reduced from {bits} to 8 bits.",) if bits > 8 else ()


def _of_numbers(width: int, height: int, rows: Callable[[int, int], Array]) -> Raster:
    """Numbers whose range the file does not state: 0–1, 0–255 or 0–65535, whichever holds them all."""
    step = max(1, BAND_PX // width)
    extremes = [
        (band.min(), band.max()) for band in (rows(top, min(top + step, height)) for top in range(0, height, step))
    ]
    low, high = float(np.min(extremes)), float(np.max(extremes))  # numpy's: a value that is no number stays one
    top_value = next((top for top in (1, 255, 65535) if low >= 0 and high <= top), None)
    if top_value is None:  # too large, negative, infinite, or not a number
        raise UnreadableImage(
            "The brightness values of the picture have no known range: 0 to 1, 0 to 255 or 0 to 65535 were expected, "
            f"and {low:g} to {high:g} were found. Save the photo as an 8-bit PNG or JPEG, and upload that."
        )
    factor = 255 / top_value

    def scaled(top: int, bottom: int) -> Image.Image:
        return Image.fromarray(np.rint(rows(top, bottom).astype(np.float64) * factor).astype(np.uint8))

    return Raster(width, height, scaled, (f"Brightness values were read as 0 to {top_value}.",))
