"""Image registration: where a place of one photo lies in another photo of the same lesion.

SIFT keypoints (Lowe, IJCV 2004) of the contrast-normalised photos are matched, and RANSAC (Fischler and Bolles, CACM
1981) finds the similarity transform (turn, one scale, shift) that most of them follow. A lesion may change and skin
stretches, so no more than that is fitted: the change itself must not be aligned away.

Where both lesions are outlined, their surroundings are compared first, each brought to one size: photos of different
magnification then look alike. Otherwise, and where that fails, the whole photos. A result that two different lesions
could give as well is refused in words; the limits were chosen on HAM10000's training photos
(``docs/decisions/0025``).
"""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, NamedTuple

import numpy as np
from jaxtyping import Bool, Complex, Float32, Int
from PIL import Image

from skinlens.formatting import rounded_percent
from skinlens.records import Array, Mask, Outline, Photo, Pixels

WHOLE_PX, LESION_PX = 320, 260
"""Longer side at which whole photos, and lesions with their surroundings, are compared."""
SURROUNDINGS = 1.8
"""Side of the square around a lesion that is compared, in multiples of its larger extent across or down."""
TOLERANCE_PX = 3.0
"""Of the compared size: a matched point that lies closer to where the transform puts it follows it."""
FEWEST_MATCHES = 6
"""No pair of different lesions had more than 4 in the measurement."""
LEAST_LIKENESS = 0.4
"""The highest of a pair of different lesions was 0.29."""
LEAST_OVERLAP = 0.3
"""Share of the smaller of the two compared areas."""
SCALES = (0.25, 4.0)
TRIALS = 4000
SEED = 0
_LARGEST_RATIO = 0.9
"""Of the distances to the nearest and the second nearest descriptor: Lowe's test, generous, as RANSAC follows."""
_CONTRAST_PX = 16.0
_LEAST_DEVIATION = 0.02
_BLACK = 0.16
_SIDE_BY_SIDE = "shown side by side"
Points = Complex[Array, " n"]
"""Places as x + iy, so that a similarity transform is z ↦ az + b."""


@dataclass(frozen=True)
class Registration:
    """Transform of the photo ``moving`` onto the photo ``fixed``, or the reason why none was found."""

    fixed_sha256: str
    moving_sha256: str
    matrix: tuple[tuple[float, float, float], tuple[float, float, float]] | None
    """Pixels of ``moving`` → pixels of ``fixed``, (0, 0) at the top left corner; a similarity. None: refused."""
    matches: int
    """Keypoints that follow the transform."""
    residual_px: float
    """Root mean square distance of these from where the transform puts them, in pixels of ``fixed``."""
    likeness: float
    """Correlation of the normalised photos where they overlap, −1 to 1."""
    overlap: float
    """Share of ``fixed`` that ``moving`` covers, 0 to 1."""
    problem: str = ""
    """Why there is no transform, as a sentence; empty where there is one."""
    seed: int = SEED

    @property
    def aligned(self) -> bool:
        return self.matrix is not None

    @property
    def scale(self) -> float:
        """Magnification: pixels of ``fixed`` to one pixel of ``moving``; 1 where refused."""
        return abs(complex(self.matrix[0][0], self.matrix[1][0])) if self.matrix else 1.0

    @property
    def rotation_degrees(self) -> float:
        """Clockwise on the screen, −180 to 180; 0 where refused."""
        return float(np.degrees(np.angle(complex(self.matrix[0][0], self.matrix[1][0])))) if self.matrix else 0.0


class _Frame(NamedTuple):
    """A part of a photo at the size at which it is compared: place = (pixel of the photo - corner) · scale."""

    even: Float32[Array, "h w"]
    """Brightness less its local mean, over its local deviation; 0 where there is no skin."""
    skin: Bool[Array, "h w"]
    corner: complex
    scale: float


class _Fit(NamedTuple):
    a: complex
    b: complex
    matches: int
    residual: float
    likeness: float
    overlap: float
    """Share of the smaller of the two frames."""


def register(
    fixed: Photo, moving: Photo, fixed_outline: Outline | None = None, moving_outline: Outline | None = None
) -> Registration:
    """Registration of two photos, the same whenever repeated; about 0.4 s of a processor, 0.9 s if it has to try twice.

    The outlines only say where to look first: growth is not taken for magnification.
    """
    if fixed.placeholder or moving.placeholder:
        return _refused(fixed, moving, None, "one of the photos is missing")
    if fixed.sha256 == moving.sha256:
        return Registration(fixed.sha256, moving.sha256, ((1.0, 0.0, 0.0), (0.0, 1.0, 0.0)), 0, 0.0, 1.0, 1.0)
    boxes = [(_whole(fixed), _whole(moving), WHOLE_PX)]
    if fixed_outline is not None and moving_outline is not None:
        around = _surroundings(fixed, fixed_outline), _surroundings(moving, moving_outline)
        boxes.insert(0, (*around, LESION_PX))
    best: _Fit | None = None
    for fixed_box, moving_box, longest_px in boxes:
        onto, over = _frame(fixed, fixed_box, longest_px), _frame(moving, moving_box, longest_px)
        fit = _fit(onto, over)
        if fit is not None and not _why_not(fit):
            return _registration(fixed, moving, onto, over, fit)
        best = max(filter(None, (best, fit)), key=lambda candidate: candidate.matches, default=None)
    return _refused(fixed, moving, best, _why_not(best))


def aligned_picture(registration: Registration, fixed: Photo, moving: Photo) -> tuple[Pixels, Mask]:
    """``moving`` in the frame of ``fixed``, and where it covers that frame; black elsewhere.

    Raises:
        ValueError: the registration was refused, or is of other photos.
    """
    matrix = _matrix_of(registration, fixed, moving)
    picture, shrunk = Image.fromarray(moving.pixels), min(1.0, registration.scale)
    if shrunk < 0.7:  # an affine transform alone would skip pixels
        size = max(1, round(moving.width_px * shrunk)), max(1, round(moving.height_px * shrunk))
        picture = picture.resize(size, Image.Resampling.BICUBIC, reducing_gap=2.0)
    back = np.linalg.inv(np.vstack([matrix, [0, 0, 1]]))
    steps = np.diag([picture.width / moving.width_px, picture.height / moving.height_px, 1.0]) @ back
    size, way = (fixed.width_px, fixed.height_px), Image.Transform.AFFINE
    placed = picture.transform(size, way, tuple(steps[:2].ravel()), Image.Resampling.BICUBIC)
    covered = Image.new("L", picture.size, 255).transform(size, way, tuple(steps[:2].ravel()))
    return np.asarray(placed, dtype=np.uint8), np.asarray(covered) > 0


def aligned_points(
    registration: Registration, points: Sequence[tuple[float, float]], fixed: Photo, moving: Photo
) -> tuple[tuple[float, float], ...]:
    """Points of ``moving`` (shares of its width and height) as shares of those of ``fixed``; may lie outside of 0 to 1.

    Raises:
        ValueError: the registration was refused, or is of other photos.
    """
    matrix = _matrix_of(registration, fixed, moving)
    whole = np.asarray(points) * (moving.width_px, moving.height_px)
    placed = (whole @ matrix[:, :2].T + matrix[:, 2]) / (fixed.width_px, fixed.height_px)
    return tuple((float(across), float(down)) for across, down in placed)


def _matrix_of(registration: Registration, fixed: Photo, moving: Photo) -> Array:
    if (registration.fixed_sha256, registration.moving_sha256) != (fixed.sha256, moving.sha256):
        raise ValueError("The registration is of other photos than these.")
    if registration.matrix is None:
        raise ValueError(f"There is no transform: {registration.problem}")
    return np.asarray(registration.matrix)


# ------------------------------------------------------------------------------------------------------ what is seen

_Box = tuple[float, float, float, float]
"""Left, top, right and bottom, in pixels of the photo."""


def _whole(photo: Photo) -> _Box:
    return 0.0, 0.0, float(photo.width_px), float(photo.height_px)


def _surroundings(photo: Photo, outline: Outline) -> _Box:
    """A square around the lesion, as far as it lies in the photo."""
    points = np.asarray(outline.points) * (photo.width_px, photo.height_px)
    low, high = points.min(axis=0), points.max(axis=0)
    half = SURROUNDINGS * max(8.0, float((high - low).max())) / 2
    (left, top), (right, bottom) = (low + high) / 2 - half, (low + high) / 2 + half
    return max(left, 0.0), max(top, 0.0), min(right, float(photo.width_px)), min(bottom, float(photo.height_px))


def _frame(photo: Photo, box: _Box, longest_px: int) -> _Frame:
    from skimage.morphology import isotropic_erosion, isotropic_opening

    left, top, right, bottom = box
    scale = longest_px / max(right - left, bottom - top)
    size = max(8, round((right - left) * scale)), max(8, round((bottom - top) * scale))
    seen = Image.fromarray(photo.pixels).resize(size, Image.Resampling.BICUBIC, box=box, reducing_gap=2.0)
    pixels = np.asarray(seen, dtype=np.float32) / 255
    bright = isotropic_opening(pixels.max(axis=-1) > _BLACK, 2)  # type: ignore[no-untyped-call]
    skin: Mask = isotropic_erosion(bright, 6)  # type: ignore[no-untyped-call]  # the black rim is no part of it
    share = skin.astype(np.float32)
    near = _blurred(share, _CONTRAST_PX) + 1e-6
    gray = pixels @ np.array([0.2, 0.6, 0.2], dtype=np.float32)
    apart = (gray - _blurred(gray * share, _CONTRAST_PX) / near) * share
    deviation = np.sqrt(_blurred(apart**2, _CONTRAST_PX) / near)
    even = (apart / np.maximum(deviation, _LEAST_DEVIATION)).astype(np.float32)
    return _Frame(even, skin, complex(left, top), scale)


def _blurred(values: Float32[Array, "h w"], sigma: float) -> Float32[Array, "h w"]:
    from skimage.filters import gaussian

    blurred: Float32[Array, "h w"] = gaussian(  # type: ignore[no-untyped-call]
        values, sigma, mode="reflect", preserve_range=True
    )
    return blurred


def _keypoints(frame: _Frame) -> tuple[Points, Float32[Array, "n 128"]]:
    """Where they are, and their descriptors as RootSIFT (Arandjelović and Zisserman, CVPR 2012), of length 1."""
    from skimage.feature import SIFT

    sift: Any = SIFT(upsampling=1, c_dog=0.012)  # type: ignore[no-untyped-call]  # scikit-image is typed in part
    try:
        sift.detect_and_extract(np.clip(frame.even / 8 + 0.5, 0, 1))
    except RuntimeError:  # it found none
        return np.zeros(0, dtype=np.complex128), np.zeros((0, 128), dtype=np.float32)
    down, across = np.clip(np.rint(sift.positions).astype(int), 0, np.array(frame.skin.shape) - 1).T
    on_skin = frame.skin[down, across]
    places = sift.positions[on_skin] + 0.5
    counts = sift.descriptors[on_skin].astype(np.float32)
    return places[:, 1] + 1j * places[:, 0], np.sqrt(counts / np.maximum(counts.sum(axis=1, keepdims=True), 1))


# ------------------------------------------------------------------------------------------------------ what fits


def _fit(fixed: _Frame, moving: _Frame) -> _Fit | None:
    """None where too few keypoints are alike to try."""
    (onto, onto_descriptors), (over, over_descriptors) = _keypoints(fixed), _keypoints(moving)
    pairs = _matches(onto_descriptors, over_descriptors)
    if len(pairs) < 3:
        return None
    onto, over = onto[pairs[:, 0]], over[pairs[:, 1]]
    transform = _consensus(over, onto)
    if transform is None:
        return None
    a, b = transform
    errors = abs(a * over + b - onto)
    follow = errors < TOLERANCE_PX
    residual = float(np.sqrt((errors[follow] ** 2).mean())) if follow.any() else TOLERANCE_PX
    likeness, overlap = _likeness(fixed, moving, a, b)
    # Points that lie on one spot are one: a hair's end or a bubble gives several keypoints.
    return _Fit(a, b, len(np.unique(np.rint(onto[follow] / 3))), residual, likeness, overlap)


def _matches(onto: Float32[Array, "n d"], over: Float32[Array, "m d"]) -> Int[Array, "k 2"]:
    """Pairs that are each other's nearest, clearly nearer than the second nearest."""
    if len(onto) < 2 or len(over) < 2:
        return np.zeros((0, 2), dtype=np.int64)
    apart = np.sqrt(np.maximum(2 - 2 * onto @ over.T, 0))
    rows = np.arange(len(onto))
    nearest, second = np.argpartition(apart, 1, axis=1)[:, :2].T
    clear = apart[rows, nearest] < _LARGEST_RATIO * apart[rows, second]
    matched = np.flatnonzero(clear & (apart.argmin(axis=0)[nearest] == rows))
    return np.stack([matched, nearest[matched]], axis=1).astype(np.int64)


def _consensus(over: Points, onto: Points) -> tuple[complex, complex] | None:
    """RANSAC: the similarity that most points follow, then fitted to all of these by least squares.

    A trial is scored by how closely it is followed, not only by how many do (MSAC: Torr and Zisserman, CVIU 2000).
    """
    random, count = np.random.default_rng(SEED), len(over)
    first = random.integers(count, size=TRIALS)
    second = (first + 1 + random.integers(count - 1, size=TRIALS)) % count
    step = over[second] - over[first]
    apart = abs(step) > 4 * TOLERANCE_PX
    first, second, step = first[apart], second[apart], step[apart]
    turns = (onto[second] - onto[first]) / step
    possible = (abs(turns) > SCALES[0]) & (abs(turns) < SCALES[1])
    turns, first = turns[possible], first[possible]
    if not len(turns):
        return None
    shifts, pieces = onto[first] - turns * over[first], 1 + len(turns) // 500  # all at once would need 100 MB
    scores = [
        np.maximum(0, 1 - (abs(a[:, None] * over + b[:, None] - onto) / TOLERANCE_PX) ** 2).sum(axis=1)
        for a, b in zip(np.array_split(turns, pieces), np.array_split(shifts, pieces), strict=True)
    ]
    best = int(np.concatenate(scores).argmax())
    a, b = complex(turns[best]), complex(shifts[best])
    for _ in range(5):
        follow = abs(a * over + b - onto) < TOLERANCE_PX
        if follow.sum() < 2:
            break
        a, b = _least_squares(over[follow], onto[follow])
    return a, b


def _least_squares(over: Points, onto: Points) -> tuple[complex, complex]:
    """The a and b that minimise Σ |a·over + b - onto|²."""
    center, target = over.mean(), onto.mean()
    spread = float((abs(over - center) ** 2).sum())
    a = complex((np.conj(over - center) * (onto - target)).sum() / max(spread, 1e-9))
    return a, complex(target - a * center)


def _likeness(fixed: _Frame, moving: _Frame, a: complex, b: complex) -> tuple[float, float]:
    """Correlation of the two frames where they overlap, and that area as a share of the smaller one."""
    size = fixed.even.shape[1], fixed.even.shape[0]
    back, shift = 1 / a, -b / a
    steps = (back.real, -back.imag, shift.real, back.imag, back.real, shift.imag)
    way, filtered = Image.Transform.AFFINE, Image.Resampling.BILINEAR
    over = np.asarray(Image.fromarray(moving.even).transform(size, way, steps, filtered))
    skin = np.asarray(Image.fromarray(moving.skin.astype(np.float32)).transform(size, way, steps, filtered))
    both = fixed.skin & (skin > 0.99)
    smaller = min(fixed.skin.sum(), abs(a) ** 2 * moving.skin.sum())
    if both.sum() < 200 or not smaller:
        return 0.0, 0.0
    left = np.clip(_blurred(fixed.even, 1.0)[both], -3, 3).astype(np.float64)
    right = np.clip(_blurred(over, 1.0)[both], -3, 3).astype(np.float64)
    left, right = left - left.mean(), right - right.mean()
    spread = float(np.sqrt((left**2).sum() * (right**2).sum()))
    return (float((left * right).sum()) / spread if spread > 0 else 0.0), float(min(1.0, both.sum() / smaller))


# ------------------------------------------------------------------------------------------------- in the photos


def _registration(fixed: Photo, moving: Photo, onto: _Frame, over: _Frame, fit: _Fit) -> Registration:
    a = fit.a * over.scale / onto.scale
    b = onto.corner + (fit.b - fit.a * over.scale * over.corner) / onto.scale
    return Registration(
        fixed_sha256=fixed.sha256,
        moving_sha256=moving.sha256,
        matrix=((a.real, -a.imag, b.real), (a.imag, a.real, b.imag)),
        matches=fit.matches,
        residual_px=fit.residual / onto.scale,
        likeness=fit.likeness,
        overlap=_covered(fixed, moving, a, b),
    )


def _covered(fixed: Photo, moving: Photo, a: complex, b: complex) -> float:
    """Share of a grid over ``fixed`` that falls into ``moving``."""
    across, down = np.meshgrid(
        (np.arange(64) + 0.5) / 64 * fixed.width_px, (np.arange(64) + 0.5) / 64 * fixed.height_px
    )
    back = (across + 1j * down - b) / a
    within = (back.real >= 0) & (back.real < moving.width_px) & (back.imag >= 0) & (back.imag < moving.height_px)
    return float(within.mean())


def _why_not(fit: _Fit | None) -> str:
    """Why a fit is not believed, in the middle of a sentence; empty where it is."""
    if fit is None:
        return "the photos show too little that is alike"
    if fit.matches < FEWEST_MATCHES:
        return f"only {fit.matches} points of the two photos match, {FEWEST_MATCHES} are needed"
    if not SCALES[0] < abs(fit.a) < SCALES[1]:
        return f"one photo would be {max(abs(fit.a), 1 / abs(fit.a)):.1f} times as large as the other"
    if fit.overlap < LEAST_OVERLAP:
        return f"the two photos would share only {rounded_percent(fit.overlap)} of what they show"
    if fit.likeness < LEAST_LIKENESS:
        return "where they overlap, the two photos do not look alike"
    return ""


def _refused(fixed: Photo, moving: Photo, fit: _Fit | None, why: str) -> Registration:
    problem = f"The photos could not be aligned: {why}; {_SIDE_BY_SIDE}."
    matches, likeness = (fit.matches, fit.likeness) if fit else (0, 0.0)
    return Registration(fixed.sha256, moving.sha256, None, matches, 0.0, likeness, 0.0, problem)
