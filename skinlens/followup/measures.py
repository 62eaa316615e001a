"""Size, asymmetry and color of one lesion on one photo, from its outline.

Lengths are in pixels of the photo; colors are CIELAB under D65 (CIE 15), so that a distance is a ΔE*ab.
"""

from dataclasses import dataclass

import numpy as np
from jaxtyping import Float64
from PIL import Image

from skinlens.records import Array, Mask, Outline, Photo
from skinlens.segmentation.contour import Points, catmull_rom, rasterize, signed_area

Colors = Float64[Array, "n 3"]
Rgb = tuple[float, float, float]

COLOR_PX = 400
"""Longer side of the photo at which colors are measured."""
RING = (1.2, 1.7)
"""The surrounding skin: between the outline enlarged so many times."""
LEAST_SKIN = 200
"""Pixels of skin, at ``COLOR_PX``, below which its color is not known."""
AXES = 36
BLACK, GLARE = 40, 250
"""Pixels with no channel above the one, or none below the other, show no skin."""
_SIDE = 96
_FROM_RGB = np.array([[0.4124, 0.3576, 0.1805], [0.2126, 0.7152, 0.0722], [0.0193, 0.1192, 0.9505]])
_WHITE = np.array([0.9505, 1.0, 1.089])


@dataclass(frozen=True)
class LesionColor:
    """Color of a lesion, from the pixels that are neither glare nor black."""

    lab: tuple[float, float, float]
    """Mean over the lesion: L* 0 black to 100 white, a* to red, b* to yellow."""
    spread: float
    """Root mean square ΔE of the lesion's pixels from that mean: how many colors it has."""
    skin: Rgb | None
    """Median of the surrounding skin as photographed, linear sRGB, 0 to 1; None where too little of it is seen."""


@dataclass(frozen=True)
class LesionMeasures:
    """One lesion on one photo."""

    area_px: float
    largest_diameter_px: float
    """Between the two points of the outline that lie farthest apart."""
    equivalent_diameter_px: float
    """Diameter of a circle of the same area."""
    asymmetry: float
    """See ``asymmetry``: 0 symmetrical."""
    color: LesionColor


def measure(photo: Photo, outline: Outline, like_skin: Rgb | None = None) -> LesionMeasures:
    """Measurements of one lesion; its color as if the skin around it were ``like_skin``, linear sRGB.

    Raises:
        ValueError: the outline is of another photo.
    """
    if outline.photo_sha256 != photo.sha256:
        raise ValueError("The outline is of another photo.")
    edge = _edge(outline, photo)
    area = abs(signed_area(edge))
    return LesionMeasures(
        area_px=area,
        largest_diameter_px=_largest_diameter(edge),
        equivalent_diameter_px=2 * float(np.sqrt(area / np.pi)),
        asymmetry=asymmetry(edge),
        color=color_of(photo, edge, like_skin),
    )


def largest_diameter_px(outline: Outline, photo: Photo) -> float:
    """Distance between the two points of the outline that lie farthest apart, in pixels of the photo."""
    return _largest_diameter(_edge(outline, photo))


def _edge(outline: Outline, photo: Photo) -> Points:
    points: Points = catmull_rom(np.asarray(outline.points, dtype=np.float64)) * (photo.width_px, photo.height_px)
    return points


def _largest_diameter(edge: Points) -> float:
    return float(np.hypot(*(edge[:, np.newaxis] - edge[np.newaxis]).transpose(2, 0, 1)).max())


def asymmetry(edge: Points) -> float:
    """Share of the area that its mirror image does not cover, over the best pair of perpendicular axes; 0 to 1.

    The axes go through the centroid; of ``AXES`` / 2 pairs the one with the smallest mean counts, as in the ABCD rule
    the axes are laid so that asymmetry comes out least (Stolz et al., Eur J Dermatol 1994).
    """
    low, high = edge.min(axis=0), edge.max(axis=0)
    longest = float((high - low).max())
    lesion = rasterize((edge - (low + high) / 2) / longest * _SIDE + _SIDE / 2, _SIDE, _SIDE)
    down, across = np.nonzero(lesion)
    if not len(down):
        return 0.0
    places = across - across.mean() + 1j * (down - down.mean())
    turns = np.exp(1j * np.pi * np.arange(AXES) / AXES)
    lost = np.array([_uncovered(lesion, places, complex(across.mean(), down.mean()), turn) for turn in turns])
    half = AXES // 2
    return float((lost[:half] + lost[half:]).min() / 2)


def _uncovered(lesion: Mask, places: Array, centroid: complex, axis: complex) -> float:
    """Share of the places whose mirror image in the axis lies outside."""
    mirrored = np.conj(places / axis) * axis + centroid
    down, across = np.rint(mirrored.imag).astype(int), np.rint(mirrored.real).astype(int)
    within = (down >= 0) & (down < lesion.shape[0]) & (across >= 0) & (across < lesion.shape[1])
    covered = lesion[np.where(within, down, 0), np.where(within, across, 0)] & within
    return float(1 - covered.mean())


# ------------------------------------------------------------------------------------------------------------ color


def color_of(photo: Photo, edge: Points, like_skin: Rgb | None = None) -> LesionColor:
    """Color of the pixels inside the edge, and of the skin around it.

    With ``like_skin`` as if that were the color of the skin: each channel is scaled by one factor (von Kries), which
    takes out the light, the exposure and the white balance.
    """
    scale = min(1.0, COLOR_PX / max(photo.width_px, photo.height_px))
    size = max(1, round(photo.width_px * scale)), max(1, round(photo.height_px * scale))
    pixels = np.asarray(Image.fromarray(photo.pixels).resize(size, Image.Resampling.BOX, reducing_gap=2.0))
    edge = edge * (size[0] / photo.width_px, size[1] / photo.height_px)
    usable = (pixels.max(axis=-1) > BLACK) & (pixels.min(axis=-1) < GLARE)
    lesion, outer, inner = (rasterize(_enlarged(edge, times), size[1], size[0]) for times in (1.0, *reversed(RING)))
    shown = lesion & usable if (lesion & usable).any() else lesion
    if not shown.any():  # smaller than a pixel at this size
        shown[size[1] // 2, size[0] // 2] = True
    around = outer & ~inner & usable
    skin = _three(np.median(_LINEAR[pixels[around]], axis=0)) if around.sum() >= LEAST_SKIN else None
    gains = np.ones(3) if like_skin is None or skin is None else np.array(like_skin) / np.maximum(skin, 1e-3)
    lab = to_lab(_LINEAR[pixels[shown]] * gains)
    mean = lab.mean(axis=0)
    spread = float(np.sqrt(((lab - mean) ** 2).sum(axis=1).mean()))
    return LesionColor(_three(mean), spread, skin)


def _enlarged(edge: Points, times: float) -> Points:
    center = edge.mean(axis=0)
    enlarged: Points = center + times * (edge - center)
    return enlarged


def to_lab(linear: Colors) -> Colors:
    """Linear sRGB, 0 to 1, to CIELAB under D65."""
    share = linear @ _FROM_RGB.T / _WHITE
    root = np.where(share > 216 / 24389, np.cbrt(share), (24389 / 27 * share + 16) / 116)
    return np.stack([116 * root[:, 1] - 16, 500 * (root[:, 0] - root[:, 1]), 200 * (root[:, 1] - root[:, 2])], axis=1)


def _linear_table() -> Array:
    value = np.arange(256) / 255
    table: Array = np.where(value <= 0.04045, value / 12.92, ((value + 0.055) / 1.055) ** 2.4)
    return table


_LINEAR = _linear_table()


def _three(values: Array) -> Rgb:
    first, second, third = (float(value) for value in values)
    return first, second, third
