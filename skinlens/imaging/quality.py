"""Photo quality: size, sharpness, exposure, clipping, and similarity to the training photos.

A failed check warns; it never blocks. All pictorial checks look at the photo as the network sees its detail: reduced
so that the short side has 150 px, and within the central disc of 0.9 times the short side, which leaves out the black
surround that many dermatoscopes draw.

The limits were chosen on the 1,505 validation photos of HAM10000; what they do there:

==================  =====================================================  ========  ===============
check               value                                                  limit     photos that pass
==================  =====================================================  ========  ===============
``sharpness``       variance of the Laplacian of luminance (0–255)         ≥ 12      99.1 %
``exposure_dark``   mean luminance, % of white                             ≥ 30      99.6 %
``exposure_bright`` mean luminance, % of white                             ≤ 82      99.7 %
``clipping``        % of pixels with every channel ≥ 250 or every one ≤ 10  ≤ 1      99.8 %
``surround``        % of the region that the network sees, beside one picture  ≤ 10     100.0 %
==================  =====================================================  ========  ===============
"""

from dataclasses import replace
from functools import lru_cache
from typing import Literal, NamedTuple

import numpy as np
from jaxtyping import Float32
from PIL import Image

from skinlens.imaging.ood_cause import likely_cause
from skinlens.records import LIKENESS, Array, Photo, QualityCheck, QualityReport
from skinlens.wording.quality import SIMILARITY, UNLIKE

DETAIL_PX = 150
"""Short side at which sharpness and light are measured: the detail that the network sees."""
MIN_SHORT_SIDE_PX = 150
MIN_SHARPNESS = 12.0
MIN_BRIGHTNESS, MAX_BRIGHTNESS = 30.0, 82.0
MAX_CLIPPED = 1.0
MAX_SURROUND = 10.0
"""The highest of a validation photo is 9.2, and only one other is above 0; a viewer's window has 50 and more."""
_LUMA = np.array([0.299, 0.587, 0.114], dtype=np.float32)


class _Limit(NamedTuple):
    """A limit of one property: what it is called, and what to do where a photo misses it."""

    name: str
    title: str
    direction: Literal["at least", "at most"]
    limit: float
    unit: str
    advice: str

    def check(self, value: float) -> QualityCheck:
        passed = value >= self.limit if self.direction == "at least" else value <= self.limit  # no number fails
        return QualityCheck(
            self.name, self.title, value, self.limit, self.direction, self.unit, passed, "" if passed else self.advice
        )


LIMITS = (
    _Limit(
        "short_side",
        "Resolution",
        "at least",
        float(MIN_SHORT_SIDE_PX),
        "px",
        "The photo has too few pixels: upload the original file, not a thumbnail or a screenshot.",
    ),
    _Limit(
        "sharpness",
        "Sharpness",
        "at least",
        MIN_SHARPNESS,
        "",
        "Not sharp enough: hold the dermatoscope still, refocus, take the photo again.",
    ),
    _Limit(
        "exposure_dark",
        "Brightness, lower limit",
        "at least",
        MIN_BRIGHTNESS,
        "% of white",
        "Too dark: switch on the dermatoscope's light or raise the exposure, take the photo again.",
    ),
    _Limit(
        "exposure_bright",
        "Brightness, upper limit",
        "at most",
        MAX_BRIGHTNESS,
        "% of white",
        "Too bright: lower the exposure or dim the light, take the photo again.",
    ),
    _Limit(
        "clipping",
        "Detail lost in glare or shadow",
        "at most",
        MAX_CLIPPED,
        "% of pixels",
        "Glare or black areas hide detail: use polarised light or more contact fluid, take the photo again.",
    ),
    _Limit(
        "surround",
        "Plain border or other pictures",
        "at most",
        MAX_SURROUND,
        "% of the area",
        "A plain border, a program's window or a second picture takes part of the photo: "
        "upload the photo's own file instead of a screenshot, or crop it to one lesion.",
    ),
)
"""In the order in which they are shown."""


def assess(photo: Photo, *, distance: float | None = None, distance_limit: float | None = None) -> QualityReport:
    """Every check of one photo, in the order in which they are shown.

    ``distance`` is ``Familiarity.distance`` of the photo's pooled features and ``distance_limit`` its limit; without
    both, similarity to the training photos is not checked.
    """
    pixels, disc = _working_view(photo)
    detail, in_disc = sharpness(pixels, disc), pixels[disc]
    brightness = 100 * float((in_disc @ _LUMA).mean()) / 255
    side = float(min(photo.width_px, photo.height_px))
    values = (side, detail, brightness, brightness, clipped_percent(in_disc), surround_percent(photo))
    checks = [limit.check(value) for limit, value in zip(LIMITS, values, strict=True)]
    if distance is not None and distance_limit is not None:
        unlike = _Limit(LIKENESS, SIMILARITY, "at most", distance_limit, "times typical", UNLIKE)
        likeness = unlike.check(distance)
        if not likeness.passed:  # what sets a photo apart takes as long to find as all other checks
            cause = likely_cause(pixels, disc, detail, [check for check in checks if not check.passed])
            likeness = replace(likeness, advice=f"{UNLIKE} {cause}")
        checks.append(likeness)
    return QualityReport(tuple(checks))


def _working_view(photo: Photo) -> tuple[Float32[Array, "h w 3"], Array]:
    """The photo at ``DETAIL_PX`` (smaller ones as they are), 0–255, and the central disc as a mask."""
    image = Image.fromarray(photo.pixels)
    scale = DETAIL_PX / min(image.size)
    if scale < 1:  # bilinear, the least sharp of the antialiased filters: no reduction adds sharpness to a photo
        size = round(image.width * scale), round(image.height * scale)
        image = image.resize(size, Image.Resampling.BILINEAR)
    return np.asarray(image, dtype=np.float32), _disc(image.height, image.width)


@lru_cache(maxsize=8)  # photos of one camera have one size
def _disc(height: int, width: int) -> Array:
    rows, columns = np.ogrid[:height, :width]
    from_center = np.hypot(rows - (height - 1) / 2, columns - (width - 1) / 2)
    disc: Array = np.asarray(from_center < 0.45 * min(height, width))
    disc.flags.writeable = False
    return disc


def sharpness(pixels: Float32[Array, "h w 3"], disc: Array) -> float:
    """Variance of the 4-neighbour Laplacian of luminance within the disc (Pech-Pacheco et al., ICPR 2000).

    0 for an even surface; the median of the validation photos is 58. The limit of 12 finds all of them after a Gaussian
    blur of 3 px and of 2 px (standard deviation, at the working size), and 75 % after one of 1 px. Full-resolution
    photos score a little higher than their reduced JPEG copies (median 76 against 72 for 60 pairs).
    """
    gray = np.pad(pixels @ _LUMA, 1, mode="edge")
    laplacian = gray[:-2, 1:-1] + gray[2:, 1:-1] + gray[1:-1, :-2] + gray[1:-1, 2:] - 4 * gray[1:-1, 1:-1]
    return float(laplacian[disc].var())


def clipped_percent(in_disc: Float32[Array, "n 3"]) -> float:
    """Share of the pixels, in %, that is white glare or black: nothing can be seen there.

    One channel alone at its end does not count: red is, on much of a well-lit fair skin.
    """
    red, green, blue = in_disc.T  # channel by channel: numpy is slow where three numbers lie in a row
    white, black = np.minimum(np.minimum(red, green), blue) >= 250, np.maximum(np.maximum(red, green), blue) <= 10
    return 100 * float((white | black).mean())


_SEEN_ASPECT = 4 / 3
"""Longer over shorter side of the region that the network sees (``InputSpec.max_aspect``)."""
_EVEN = 8
"""Levels of 255 within which a row is plain: a screenshot that was saved as JPEG, but no skin."""
_SAMPLE_PX = 32
"""Pixels of a row that are looked at first."""
_SURROUND_PX = 400
_MAX_CUTS = 6


def surround_percent(photo: Photo) -> float:
    """Share of the region that the network sees, in %, that is not the largest picture in it.

    The region is cut along plain rows, each piece along plain columns, and so on (the XY-cut of Nagy and Seth, ICPR
    1984). 0 for a photo that fills it; a photo in a viewer's window, or two side by side, leave half of it or more.
    Around a round picture, as many dermatoscopes take it, black does not count.
    """
    height, width = photo.height_px, photo.width_px
    longest = round(min(height, width) * _SEEN_ASPECT)
    top, left = max(0, height - longest) // 2, max(0, width - longest) // 2
    step = max(1, min(height, width) // _SURROUND_PX)  # not averaged: what is plain stays plain
    seen = photo.pixels[top : top + longest : step, left : left + longest : step]
    pictures = _pictures(seen, max(2, min(seen.shape[:2]) // 100), _MAX_CUTS)
    if not pictures:  # plain all over: there is no picture that it surrounds
        return 0.0
    areas = [picture.shape[0] * picture.shape[1] for picture in pictures]
    area, largest = seen.shape[0] * seen.shape[1], max(areas)
    beside = sum(areas) - largest if _is_round(pictures[areas.index(largest)]) else area - largest
    return float(100 * beside / area)


def _pictures(pixels: Array, gap: int, cuts: int) -> list[Array]:
    """The pieces that no plain row or column of more than ``gap`` divides any further."""
    for axis in (0, 1):
        filled = np.flatnonzero(_filled(pixels, axis))
        parts = [part for part in np.split(filled, np.flatnonzero(np.diff(filled) > gap) + 1) if part.size]
        bounds = [(int(part[0]), int(part[-1]) + 1) for part in parts]
        if cuts and bounds != [(0, pixels.shape[axis])]:
            pieces = (pixels[low:high] if axis == 0 else pixels[:, low:high] for low, high in bounds)
            return [picture for piece in pieces for picture in _pictures(piece, gap, cuts - 1)]
    return [pixels]


def _filled(pixels: Array, axis: int) -> Array:
    """Of each row (axis 0) or column (axis 1), whether it is not plain. Some of its pixels mostly tell; where they are
    all alike, the others are asked.
    """
    across = pixels if axis == 0 else pixels.swapaxes(0, 1)
    filled = _spreads(across[:, :: max(1, across.shape[1] // _SAMPLE_PX)])
    if not (rest := np.flatnonzero(~filled)).size:
        return filled
    filled[rest] = _spreads(across[rest])
    return filled


def _spreads(rows: Array) -> Array:
    """Of each row, whether a channel of it goes over more levels than a plain one."""
    spread = _along(rows, 1, np.maximum) - _along(rows, 1, np.minimum)  # never below 0
    return np.asarray((spread > _EVEN).any(axis=-1))


def _along(pixels: Array, axis: int, take: np.ufunc) -> Array:
    """``take.reduce`` along an axis; along rows by halves, as numpy is slow where only three channels lie innermost."""
    while axis == 1 and (length := pixels.shape[1]) > 1:
        half = -(-length // 2)
        pixels = take(pixels[:, :half], pixels[:, length - half :])  # of an odd length both hold the middle
    reduced: Array = take.reduce(pixels, axis=axis)
    return reduced


def _is_round(picture: Array) -> bool:
    """Whether its four corners, a twentieth of each side, are black."""
    height, width = (max(1, side // 20) for side in picture.shape[:2])
    corners = (picture[rows, columns] for rows in _ends(height) for columns in _ends(width))
    return all(int(corner.max()) <= _BLACK for corner in corners)


def _ends(length: int) -> tuple[slice, slice]:
    return slice(None, length), slice(-length, None)


_BLACK = 40
