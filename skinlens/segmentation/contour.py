"""The contour of a lesion: a smooth closed curve through a few points, traced from a map or set by a clinician.

The network finds the lesion, the clinician has the last word. scikit-image is imported when the first contour is
traced.
"""

from collections.abc import Sequence

import numpy as np
from jaxtyping import Float64

from skinlens import clock
from skinlens.errors import InvalidEntry
from skinlens.imaging.preprocess import InputSpec, crop_box
from skinlens.records import Array, Heatmap, Mask, ModelRef, Outline, Photo

POINTS = 16
"""Of a proposed outline: few enough to be moved one by one."""
PIECES = 8
"""Straight pieces between two points when the curve is filled or drawn."""
LEAST_AREA = 0.002
"""Share of the seen picture below which a found area is no lesion. The smallest of the 10,015 masks has .006."""
FEWEST, MOST = 3, 64
Points = Float64[Array, "n 2"]


def drawn_by_clinician(points: Sequence[Sequence[float]], photo: Photo, model: ModelRef) -> Outline:
    """The outline as a clinician has set it; ``model`` is the one whose proposal was on the screen, if there was one.

    Raises:
        InvalidEntry: it has too few or too many points, one lies outside of the photo, or it encloses nothing.
    """
    placed = np.asarray(points, dtype=np.float64) if len({len(point) for point in points}) == 1 else np.empty((0, 2))
    if placed.ndim != 2 or placed.shape[1] != 2 or not FEWEST <= len(placed) <= MOST:
        raise InvalidEntry(f"An outline has {FEWEST} to {MOST} points of two numbers each, found {len(points)} points.")
    if not np.isfinite(placed).all() or placed.min() < 0 or placed.max() > 1:
        raise InvalidEntry("A point of the outline lies outside of the photo. Move it back, or reset the outline.")
    if abs(signed_area(catmull_rom(placed))) < LEAST_AREA:
        raise InvalidEntry("The outline encloses next to nothing. Move its points apart, or reset the outline.")
    return Outline(as_points(placed), "clinician", photo.sha256, model, clock.utc_now())


# ----------------------------------------------------------------------------------------------------------- curves


def mask_to_contour(probs: Heatmap) -> Points | None:
    """The edge of the largest area above one half, as ``POINTS`` points at equal distances along it.

    In shares of the view's width and height, (across, down). None if nothing of at least ``LEAST_AREA`` is there.
    """
    from skimage.measure import find_contours

    side = len(probs)
    closed = np.pad(probs, 1)  # the edge of an area that leaves the picture runs along the picture's border
    contours = find_contours(closed, 0.5)  # type: ignore[no-untyped-call]  # scikit-image is typed in part
    loops = [(loop[:-1, ::-1] - 0.5) / side for loop in contours]
    if not loops:
        return None
    largest = max(loops, key=lambda loop: abs(signed_area(loop)))
    if abs(signed_area(largest)) < LEAST_AREA:
        return None
    return np.clip(at_equal_distances(largest, POINTS), 0, 1)


def at_equal_distances(loop: Points, count: int) -> Float64[Array, "m 2"]:
    """``count`` points along a closed line, its first point among them."""
    ends = np.vstack([loop, loop[:1]])
    along = np.concatenate([[0.0], np.cumsum(np.hypot(*np.diff(ends, axis=0).T))])
    wanted = np.linspace(0, along[-1], count, endpoint=False)
    return np.stack([np.interp(wanted, along, ends[:, axis]) for axis in (0, 1)], axis=1)


def catmull_rom(points: Points) -> Float64[Array, "m 2"]:
    """The smooth closed curve through the points, ``PIECES`` straight pieces from one to the next.

    Catmull and Rom, "A Class of Local Interpolating Splines", 1974: at each point it runs along the line between the
    two neighbours. As Bézier pieces, with which a browser draws it, the inner control points of the piece from P₁ to P₂
    are P₁ + (P₂ - P₀) / 6 and P₂ - (P₃ - P₁) / 6.
    """
    before, after, second = (np.roll(points, step, axis=0) for step in (1, -1, -2))
    way = (np.arange(PIECES) / PIECES)[np.newaxis, :, np.newaxis]
    start, slope, bend, twist = (
        part[:, np.newaxis]
        for part in (
            points,
            (after - before) / 2,
            before - 2.5 * points + 2 * after - second / 2,
            (3 * (points - after) + second - before) / 2,
        )
    )
    return np.asarray((start + way * (slope + way * (bend + way * twist))).reshape(-1, 2))


def signed_area(loop: Points) -> float:
    """Signed area of a closed line without crossings; negative where it runs anticlockwise on the screen."""
    following = np.roll(loop, -1, axis=0)
    return float((loop[:, 0] * following[:, 1] - following[:, 0] * loop[:, 1]).sum() / 2)


def rasterize(loop: Points, height_px: int, width_px: int) -> Mask:
    """Mask of the pixels whose centers lie inside a closed line, in pixels; even-odd rule where it crosses itself."""
    across, down = np.arange(width_px) + 0.5, np.arange(height_px)[:, np.newaxis] + 0.5
    (x, y), (x_next, y_next) = loop.T, np.roll(loop, -1, axis=0).T
    straddles = (y <= down) != (y_next <= down)
    with np.errstate(divide="ignore", invalid="ignore"):
        crossing = np.where(straddles, x + (down - y) * (x_next - x) / (y_next - y), np.inf)
    # How many crossings lie to the left of each pixel: an odd number means inside.
    left = np.stack([np.searchsorted(np.sort(row), across, side="right") for row in crossing])
    return np.asarray(left % 2 == 1)


# ----------------------------------------------------------------------------------------------------------- frames


def mask_in_view(outline: Outline, photo: Photo, spec: InputSpec) -> Mask:
    """Mask of the outline's inside, in the square frame of the network's input."""
    top, left, height, width = crop_box(photo.height_px, photo.width_px, spec)
    whole = catmull_rom(np.asarray(outline.points)) * (photo.width_px, photo.height_px)
    return rasterize((whole - (left, top)) / (width, height) * spec.size_px, spec.size_px, spec.size_px)


def view_to_photo(points: Points, photo: Photo, spec: InputSpec) -> Points:
    """Points in shares of the photo's width and height, from points in shares of the view's."""
    top, left, height, width = crop_box(photo.height_px, photo.width_px, spec)
    return (points * (width, height) + (left, top)) / (photo.width_px, photo.height_px)


def as_points(points: Points) -> tuple[tuple[float, float], ...]:
    """Rounded to a ten-thousandth of the side, which is finer than a pixel of most photos."""
    return tuple((round(float(across), 4), round(float(down), 4)) for across, down in points)
