"""Lesion features: A, B and C of the ABCD rule suggested from the outline and the photo, with the numbers behind them.

They are suggestions for a clinician to check, by rules of thumb: no data set with counted A, B and C was at hand. The
limits were set on 70 melanomas and 70 nevi of HAM10000's training part with the masks drawn by hand, where melanomas
have on average A 1.2, B 3.1, C 3.1, and nevi A 0.3, B 2.0, C 2.6. D, the structures, is not suggested.
"""

from dataclasses import dataclass

import numpy as np
from jaxtyping import Float64
from PIL import Image

from skinlens.criteria import RULE_COLORS
from skinlens.errors import InvalidEntry
from skinlens.formatting import rounded_percent
from skinlens.records import Array, Mask, Outline, Photo
from skinlens.segmentation.contour import at_equal_distances, catmull_rom, rasterize
from skinlens.wording.errors import another_photo

SUGGESTION_NOTE = "Suggested from the outline and the photo by rules of thumb; check each and correct it."
WORKING_SIDE_PX = 320
"""Long side at which it is measured: structures of the contour and of colors are larger than its pixels."""
AXIS_STEP_DEG = 5
SHAPE_LIMIT = 0.10
"""Share of the lesion that has no counterpart on the other side of an axis, above which its contour is asymmetric."""
COLOR_LIMIT = 9.0
"""Mean color difference (CIE 1976, smoothed) between both sides of an axis above which its colors are asymmetric."""
SEGMENTS = 8
PROFILES = 12
"""Across the edge, in each segment."""
REACH, WINDOW = 0.12, 0.05
"""How far a profile reaches to both sides of the outline, and over which distance a drop counts as abrupt: shares of
the lesion's diameter (that of a circle of its area)."""
DROP_LIMIT = 20.0
"""Color difference over the window from which a segment ends abruptly."""
COLOR_SHARE_LIMIT = 0.05
"""Share of the lesion from which a color counts as present."""
REFERENCE_SRGB = {
    "white": (225, 215, 215),
    "red": (190, 85, 85),
    "light brown": (185, 130, 95),
    "dark brown": (105, 65, 50),
    "blue-gray": (105, 110, 130),
    "black": (40, 30, 35),
}
"""Each place of the lesion belongs to the nearest of these, in CIE L*a*b*."""
SKIN_BETWEEN = (1.16, 1.6)
"""The skin around lies between the outlines enlarged by these two factors."""
RED_LEAD = 8.0
"""How much redder (a*) than the skin around a place has to be to count as red: photos of some cameras are pink."""

Lab = Float64[Array, "h w 3"]
Points = Float64[Array, "n 2"]
Center = Float64[Array, " 2"]


@dataclass(frozen=True)
class AxisSymmetry:
    """Difference of both sides of one axis through the lesion's center."""

    angle_deg: int
    """From the horizontal, clockwise, 0 to 179."""
    shape: float
    """Share of the lesion without a counterpart."""
    color: float
    """Mean color difference where both sides have one."""

    @property
    def asymmetric(self) -> bool:
        return self.shape > SHAPE_LIMIT or self.color > COLOR_LIMIT


@dataclass(frozen=True)
class BorderSegment:
    """One eighth of the border."""

    drop: float
    """Median of the steepest color change across it, over ``WINDOW`` of the diameter."""

    @property
    def abrupt(self) -> bool:
        return self.drop >= DROP_LIMIT


@dataclass(frozen=True)
class ColorShare:
    """Share of the lesion that has one of the six colors."""

    name: str
    share: float

    @property
    def present(self) -> bool:
        return self.share >= COLOR_SHARE_LIMIT


@dataclass(frozen=True)
class AbcdSuggestion:
    """A, B and C with the measurements that they are counted from."""

    axes: tuple[AxisSymmetry, AxisSymmetry]
    """Perpendicular; of all such pairs the one with the least asymmetry, as the rule has it."""
    segments: tuple[BorderSegment, ...]
    """Eight, clockwise on the picture from the first axis on."""
    colors: tuple[ColorShare, ...]
    """In the order of ``criteria.RULE_COLORS``."""

    @property
    def asymmetry(self) -> int:
        return sum(axis.asymmetric for axis in self.axes)

    @property
    def border(self) -> int:
        return sum(segment.abrupt for segment in self.segments)

    @property
    def color_count(self) -> int:
        """Number of colors, at least 1: a lesion has a color, also where none is seen on enough of it."""
        return max(1, sum(color.present for color in self.colors))

    @property
    def summary(self) -> tuple[str, str, str]:
        """A sentence each on A, B and C, with the numbers."""
        sides = " and ".join(
            f"{rounded_percent(axis.shape)} of the shape and a color difference of {axis.color:.1f}"
            for axis in self.axes
        )
        drops = ", ".join(f"{segment.drop:.1f}" for segment in self.segments)
        seen = [f"{color.name} {rounded_percent(color.share)}" for color in self.colors if color.present]
        return (
            f"A {self.asymmetry} suggested: across its two axes the lesion differs by {sides} (asymmetric above "
            f"{rounded_percent(SHAPE_LIMIT)} or {COLOR_LIMIT:.0f}).",
            f"B {self.border} suggested: color steps at the border of the eight segments: {drops} (abrupt from "
            f"{DROP_LIMIT:.0f}).",
            f"C {self.color_count} suggested: {', '.join(seen) or 'no color on enough of it'} (counted from "
            f"{rounded_percent(COLOR_SHARE_LIMIT)} of the lesion).",
        )


def suggest(photo: Photo, outline: Outline) -> AbcdSuggestion:
    """A, B and C of the lesion inside the outline.

    Raises:
        InvalidEntry: the outline is of another photo, or encloses next to nothing.
    """
    if outline.photo_sha256 != photo.sha256:
        raise InvalidEntry(another_photo("outline", outline.photo_sha256, photo.sha256, "Outline"))
    scale = min(1.0, WORKING_SIDE_PX / max(photo.height_px, photo.width_px))
    height, width = (max(1, round(side * scale)) for side in (photo.height_px, photo.width_px))
    small = Image.fromarray(photo.pixels).resize((width, height), Image.Resampling.BOX)
    edge = catmull_rom(np.asarray(outline.points)) * (width, height)
    mask = rasterize(edge, height, width)
    if mask.sum() < 4 * SEGMENTS**2:
        raise InvalidEntry("The outline encloses too little to measure anything in it. Outline the lesion anew.")
    lab = _to_lab(np.asarray(small, dtype=np.float64) / 255)
    diameter = 2 * float(np.sqrt(mask.sum() / np.pi))
    center = np.argwhere(mask).mean(axis=0)[::-1] + 0.5
    axes = _least_asymmetric(lab, mask, center, diameter)
    return AbcdSuggestion(
        axes, _segments(lab, edge, center, diameter, axes[0].angle_deg), _color_shares(lab, mask, edge, center)
    )


# -------------------------------------------------------------------------------------------------------- asymmetry


def _least_asymmetric(lab: Lab, mask: Mask, center: Center, diameter: float) -> tuple[AxisSymmetry, AxisSymmetry]:
    from skimage.filters import gaussian

    smooth = np.asarray(gaussian(lab, 0.03 * diameter, channel_axis=2))  # type: ignore[no-untyped-call]
    measured = [_across(smooth, mask, center, angle) for angle in range(0, 180, AXIS_STEP_DEG)]
    half = len(measured) // 2
    pairs = list(zip(measured[:half], measured[half:], strict=True))
    return min(pairs, key=lambda pair: (sum(axis.asymmetric for axis in pair), sum(map(_excess, pair))))


def _excess(axis: AxisSymmetry) -> float:
    return axis.shape / SHAPE_LIMIT + axis.color / COLOR_LIMIT


def _across(lab: Lab, mask: Mask, center: Center, angle_deg: int) -> AxisSymmetry:
    """Each place of the lesion against its mirror image in the axis."""
    height, width = mask.shape
    down, right = np.nonzero(mask)
    places = np.stack([right + 0.5, down + 0.5], axis=1) - center
    double = np.deg2rad(2 * angle_deg)
    mirror = np.array([[np.cos(double), np.sin(double)], [np.sin(double), -np.cos(double)]])
    images = np.floor(places @ mirror + center).astype(int)
    within = (images >= 0).all(axis=1) & (images < (width, height)).all(axis=1)
    met = within.copy()
    met[within] = mask[images[within, 1], images[within, 0]]
    color = 0.0
    if met.any():
        apart = lab[down[met], right[met]] - lab[images[met, 1], images[met, 0]]
        color = float(np.linalg.norm(apart, axis=1).mean())
    return AxisSymmetry(angle_deg, float(1 - met.mean()), color)


# ----------------------------------------------------------------------------------------------------------- border


def _segments(
    lab: Lab, edge: Points, center: Center, diameter: float, first_axis_deg: int
) -> tuple[BorderSegment, ...]:
    """Eight sectors seen from the center, each with the median of the steepest change on lines across the edge."""
    around = at_equal_distances(edge, 4 * SEGMENTS * PROFILES)
    along = np.roll(around, -2, axis=0) - np.roll(around, 2, axis=0)
    outward = np.stack([along[:, 1], -along[:, 0]], axis=1)
    outward /= np.maximum(np.linalg.norm(outward, axis=1, keepdims=True), 1e-9)
    outward *= np.sign((outward * (around - center)).sum(axis=1, keepdims=True)) + 0.0
    steps = np.arange(-REACH, REACH + 1e-9, WINDOW / 5) * diameter
    places = around[:, np.newaxis] + steps[:, np.newaxis] * outward[:, np.newaxis]
    steepest = _steepest(lab, places)
    angles = np.rad2deg(np.arctan2(around[:, 1] - center[1], around[:, 0] - center[0])) - first_axis_deg
    sector = (np.floor(angles / (360 / SEGMENTS)) % SEGMENTS).astype(int)
    segments = []
    for number in range(SEGMENTS):
        own = steepest[sector == number]
        own = own[np.isfinite(own)]
        segments.append(BorderSegment(float(np.median(own)) if len(own) else 0.0))
    return tuple(segments)


def _steepest(lab: Lab, places: Float64[Array, "n k 2"]) -> Float64[Array, " n"]:
    """The largest change over the window on each line; NaN where less than half of it lies in the photo."""
    height, width = lab.shape[:2]
    cells = np.floor(places).astype(int)
    seen = np.asarray(((cells >= 0) & (cells < (width, height))).all(axis=2))
    cells = np.clip(cells, 0, (width - 1, height - 1))
    profile = lab[cells[..., 1], cells[..., 0]]
    change = np.linalg.norm(profile[:, 5:] - profile[:, :-5], axis=2)
    change = np.where(seen[:, 5:] & seen[:, :-5], change, -1.0)
    steepest = change.max(axis=1)
    return np.where(seen.mean(axis=1) < 0.5, np.nan, steepest)


# ----------------------------------------------------------------------------------------------------------- colors


def _color_shares(lab: Lab, mask: Mask, edge: Points, center: Center) -> tuple[ColorShare, ...]:
    """Of the nearest reference color; white only where it is lighter than the skin around, as the rule has it, and red
    only where it is redder.
    """
    references = _to_lab(np.array([[REFERENCE_SRGB[name] for name in RULE_COLORS]], dtype=np.float64) / 255)[0]
    own = lab[mask]
    distances = np.linalg.norm(own[:, np.newaxis] - references, axis=2)
    lightness, redness = _skin(lab, mask, edge, center)
    distances[own[:, 0] <= lightness, RULE_COLORS.index("white")] = np.inf
    distances[own[:, 1] <= redness + RED_LEAD, RULE_COLORS.index("red")] = np.inf
    counts = np.bincount(distances.argmin(axis=1), minlength=len(RULE_COLORS))
    return tuple(ColorShare(name, float(count / len(own))) for name, count in zip(RULE_COLORS, counts, strict=True))


def _skin(lab: Lab, mask: Mask, edge: Points, center: Center) -> tuple[float, float]:
    """Medians of L* and a* a little outside of the lesion; infinite where the photo shows nothing of it."""
    near, far = (rasterize((edge - center) * factor + center, *mask.shape) for factor in SKIN_BETWEEN)
    ring = far & ~near & ~mask
    if not ring.any():
        return float("inf"), float("inf")
    return float(np.median(lab[ring, 0])), float(np.median(lab[ring, 1]))


def _to_lab(srgb: Lab) -> Lab:
    from skimage.color import rgb2lab

    return np.asarray(rgb2lab(srgb), dtype=np.float64)
